"""The attempts of one call that failed and were made again: who hears of them, and what is kept of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from tenacity import RetryCallState

_log = logging.getLogger("kimi_core.retry")

Hook = Callable[..., Any]
"""What is called between two attempts; in asynchronous calls a coroutine function will do as well."""


class Attempts:
    """The attempts of one call.

    Attributes:
        failed: `{"error": …, "status_code": …, "pause": …}` for each that was made again: the error's class, the HTTP
            status if one came, and the seconds that were waited.
        waited: Seconds that were waited for a turn under the user's limits.
    """

    __slots__ = ("_on_retry", "_pace", "_token", "failed", "waited")

    def __init__(self, pace: Hook | None = None, on_retry: Hook | None = None) -> None:
        """Begin a call; within its context, the attempts of all requests are counted as its own.

        Args:
            pace: Called before each further request, as a rate limiter's wait.
            on_retry: Called with tenacity's `RetryCallState` before the pause.
        """
        self._pace, self._on_retry = pace, on_retry
        self._token: Token[Attempts | None]
        self.failed: list[Mapping[str, Any]] = []
        self.waited = 0.0

    def __enter__(self) -> Self:
        self._token = _current.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)

    async def again(self, state: RetryCallState, most: int, where: str) -> None:
        """Note that an attempt failed and another follows after a pause."""
        error = state.outcome.exception() if state.outcome else None
        pause = state.next_action.sleep if state.next_action else 0.0
        status = getattr(error, "status_code", None)
        self.failed.append({"error": type(error).__name__, "status_code": status, "pause": round(pause, 3)})
        what = f"{type(error).__name__}{f' (HTTP {status})' if status else ''}"
        _log.info(
            "%s: attempt %d of %d failed with %s; the next one in %.1f s",
            *(where, state.attempt_number, most, what, pause),
        )
        if self._on_retry:
            await _done(self._on_retry(state))

    async def turn(self) -> None:
        """Wait for the turn of a further request."""
        if self._pace:
            await _done(self._pace())


async def _done(result: Any) -> None:
    if isawaitable(result):
        await result


_current: ContextVar[Attempts | None] = ContextVar("attempts", default=None)


@contextmanager
def resumed(attempts: Attempts) -> Iterator[Attempts]:
    """Count the attempts of what is made within as those of a call that goes on, as a stream does.

    A call may be resumed in several tasks at once; its own context is entered once.
    """
    token = _current.set(attempts)
    try:
        yield attempts
    finally:
        _current.reset(token)


def current() -> Attempts:
    """Return the attempts of the call that is being made; new ones outside of any."""
    return _current.get() or Attempts()
