"""Runs coroutines that never suspend without an event loop (see `drivers.Blocking`)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine, Generator
from typing import Any, Final, TypeVar

T = TypeVar("T")

BEGUN: Final[Any] = None
"""What a stream's generator yields before all events, to whoever made it and has to begin it.

A generator that was never begun runs no `finally`, and from Python 3.13 on it keeps what it holds even when it is
closed: the connection would not be given back.
"""


def wait(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends to its end, and return its result.

    Raises:
        RuntimeError: If the coroutine suspends.
    """
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    coroutine.close()
    raise RuntimeError("A coroutine of the blocking client suspended.")


def iterate(items: AsyncGenerator[T]) -> Generator[T]:
    """Iterate over an asynchronous generator that never suspends."""
    try:
        yield BEGUN
        while True:
            try:
                yield wait(items.asend(None))
            except StopAsyncIteration:
                return
    finally:
        wait(items.aclose())
