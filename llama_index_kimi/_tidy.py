"""Streams that are closed when they are dropped.

LlamaIndex's callback wrapper iterates a stream and leaves closing it to the garbage collector. A callback handler that
keeps what it is told keeps the error of the dropped stream, its traceback and with it the stream: the connection stays
open, and the host goes on generating. So a call notes what it opened, and what was opened is closed with the wrapper.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, closing, contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from kimi_core.errors import short_traceback

G = TypeVar("G")

_opened: ContextVar[list[Any] | None] = ContextVar("opened", default=None)


def noted(stream: G) -> G:
    """The stream, after the call that is being made has noted it."""
    streams = _opened.get()
    if streams is not None:
        streams.append(stream)
    return stream


def tidy(told: Any) -> Any:
    """A method in LlamaIndex's callback wrapper; what it opens is closed with what it returns."""

    @functools.wraps(told)
    def call(*args: Any, **kwargs: Any) -> Any:
        with _noting() as opened:
            made = told(*args, **kwargs)
            return _all(made, *opened) if isinstance(made, Generator) else made

    @functools.wraps(told)
    async def acall(*args: Any, **kwargs: Any) -> Any:
        with _noting() as opened:
            made = await told(*args, **kwargs)
            return _aall(made, *opened) if isinstance(made, AsyncGenerator) else made

    return acall if inspect.iscoroutinefunction(told) else call


@contextmanager
def _noting() -> Generator[list[Any]]:
    opened: list[Any] = []
    token = _opened.set(opened)
    try:
        yield opened
    finally:
        _opened.reset(token)
        opened.clear()  # the event loop keeps copies of the context, and so this list


def _all(stream: Generator[Any], *opened: Any) -> Generator[Any]:
    try:
        with short_traceback, closing(stream):
            yield from stream
    finally:
        for one in opened:
            one.close()


async def _aall(stream: AsyncGenerator[Any], *opened: Any) -> AsyncGenerator[Any]:
    try:
        with short_traceback:
            async with aclosing(stream):
                async for piece in stream:
                    yield piece
    finally:
        for one in opened:
            await one.aclose()
