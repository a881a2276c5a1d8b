"""Runs coroutines that never suspend without an event loop (see `drivers.Blocking`)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")


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
        while True:
            try:
                yield wait(items.asend(None))
            except StopAsyncIteration:
                return
    finally:
        wait(items.aclose())
