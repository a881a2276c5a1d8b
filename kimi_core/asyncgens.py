"""Asynchronous generators that are closed by whoever holds them, and not by the event loop.

A loop that ends closes all generators that were begun in it, side by side; the garbage collector does so with those of
a cycle. One that another holds and closes is then closed twice at the same time, and Python refuses: "aclose():
asynchronous generator is already running". So of the generators of one stream the loop may know the outermost alone.
The others are begun here, without the loop's hooks; those that they begin in their first step are without them as well.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator
from types import coroutine
from typing import Any, TypeAlias, TypeVar, cast

T = TypeVar("T")
Finalizer: TypeAlias = Callable[[AsyncGenerator[Any, Any]], None]


def in_event_loop() -> bool:
    """Return whether this thread runs an event loop at the moment."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _leave(generator: AsyncGenerator[Any, Any]) -> None:
    """Do nothing to a generator that nobody holds: what it reads from closes itself (`OpenStream`)."""


def begin(generator: AsyncIterator[T], finalizer: Finalizer = _leave) -> Awaitable[T]:
    """Return what awaits the first item of a generator, which the event loop will not close.

    Args:
        generator: One that has not begun.
        finalizer: Called with it when nobody holds it any more.
    """
    return cast(Awaitable[T], _begin(generator, finalizer))


@coroutine
def _begin(generator: AsyncIterator[T], finalizer: Finalizer) -> Generator[Any, Any, T]:
    hooks = sys.get_asyncgen_hooks()
    try:
        sys.set_asyncgen_hooks(None, finalizer)
        step: Any = generator.__anext__()
        sys.set_asyncgen_hooks(None, _leave)
        waiting = step.send(None)
    except StopIteration as end:
        return cast(T, end.value)
    finally:
        sys.set_asyncgen_hooks(*hooks)
    while True:
        try:
            sent = yield waiting
        except BaseException as error:
            go_on, value = step.throw, error
        else:
            go_on, value = step.send, sent
        try:
            waiting = go_on(value)
        except StopIteration as end:
            return cast(T, end.value)


def finalized(generator: AsyncIterator[T]) -> AsyncIterator[T]:
    """Return a generator that is closed when nobody holds it any more, also in a loop that sets no hooks.

    `nest_asyncio` sets none: there Python closes a dropped generator itself, and prints "async generator ignored
    GeneratorExit" since closing takes a step of the loop.
    """
    if sys.get_asyncgen_hooks().finalizer is not None:
        return generator
    try:
        return _Finalized(cast(AsyncGenerator[T], generator), asyncio.get_running_loop())
    except RuntimeError:  # no loop yet: the one in which it begins has hooks or not
        return generator


class _Finalized(AsyncGenerator[T, None]):
    """A generator that is closed in its loop when nobody holds it any more."""

    def __init__(self, generator: AsyncGenerator[T], loop: asyncio.AbstractEventLoop) -> None:
        self._generator = generator
        self._loop = loop
        self._begun = False

    def __anext__(self) -> Any:
        if self._begun:
            return self._generator.__anext__()
        self._begun = True
        return begin(self._generator, _closing(self._loop))

    def asend(self, value: None) -> Any:
        return self.__anext__() if value is None else self._generator.asend(value)

    def athrow(self, *error: Any) -> Any:
        return self._generator.athrow(*error)

    def aclose(self) -> Any:
        return self._generator.aclose()


def _closing(loop: asyncio.AbstractEventLoop) -> Finalizer:
    """Return what closes a generator in its loop. It holds no generator, so that one is collected at once."""

    def close(generator: AsyncGenerator[Any, Any]) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(loop.create_task, generator.aclose())

    return close
