"""How far a batch is, and the bar that shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """How far the batches of one call are.

    Attributes:
        total: How many requests they have.
        completed: How many of these were answered.
        failed: How many failed.
    """

    total: int
    completed: int
    failed: int


Watcher: TypeAlias = Callable[[BatchProgress], object]


@contextmanager
def shown(progress: bool | Watcher, total: int) -> Iterator[Watcher]:
    """Show how far a batch is while it is followed; yield what is told of it.

    Args:
        progress: True for a bar, where there is a terminal and `tqdm` is installed (the openai SDK brings it); False
            for none; or what is called itself.
        total: How many requests there are.
    """
    if callable(progress):
        yield progress
    elif progress:
        yield from _bar(total)
    else:
        yield lambda known: None


def _bar(total: int) -> Iterator[Watcher]:
    try:
        from tqdm import tqdm  # type: ignore[import-untyped]
    except ImportError:
        yield lambda known: None
        return
    with tqdm(total=total, unit="answer", desc="batch", disable=None) as bar:

        def update(known: BatchProgress) -> None:
            bar.set_postfix(failed=known.failed, refresh=False)
            bar.update(known.completed + known.failed - bar.n)

        yield update
