"""The one retry loop.

Only errors marked `is_retryable` are tried again, and only before anything was delivered. A
host's `Retry-After` is honoured up to a cap; otherwise the pause doubles, with jitter.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import tenacity
from tenacity import (
    RetryCallState,
    retry_if_result,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential,
    wait_random,
)

from kimi_core.errors import KimiError, short_traceback
from kimi_core.transport import attempts

if TYPE_CHECKING:
    from kimi_core.codecs import Poll
    from kimi_core.transport.drivers import Driver

T = TypeVar("T")

LONGEST_PAUSE = 60.0
"""Seconds. A host that asks for more is not waited for."""

_backoff = wait_exponential(multiplier=0.5, max=32) + wait_random(0, 0.5)


def _worth_it(state: RetryCallState) -> bool:
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, KimiError) or not getattr(error, "is_retryable", False):
        return False
    return (getattr(error, "retry_after", None) or 0) <= LONGEST_PAUSE


def _pause(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = getattr(error, "retry_after", None)
    return _backoff(state) if asked is None else float(asked)


async def until(
    driver: Driver, poll: Poll, found: T, ask: Callable[[], Awaitable[T]], late: Callable[[], Exception]
) -> T:
    """Ask until the answer is there, and return it.

    Args:
        driver: Sleeps between two requests.
        poll: How often and how long to ask, and how to recognise that the answer is still being made.
        found: The first response: body and headers.
        ask: Asks once more.
        late: Makes the error to raise when it took too long.
    """
    asked = itertools.count()

    async def attempt() -> T:
        return await ask() if next(asked) else found

    return await tenacity.AsyncRetrying(sleep=driver.sleep, **_polling(poll, late))(attempt)


def _polling(poll: Poll, late: Callable[[], Exception]) -> dict[str, Any]:
    def give_up(state: RetryCallState) -> NoReturn:
        raise late()

    return {
        "stop": stop_after_delay(poll.within),
        "retry": retry_if_result(lambda answer: poll.pending(answer[0])),
        "wait": wait_exponential(multiplier=poll.every, exp_base=1.5, max=poll.longest),
        "retry_error_callback": give_up,
    }


async def repeated(
    driver: Driver,
    max_retries: int,
    attempt: Callable[[], Coroutine[Any, Any, T]],
    where: Callable[[], str],
    first: KimiError,
    began: float,
) -> T:
    """Repeat an attempt that failed, where that may help.

    Args:
        driver: See `retry.call`.
        max_retries: See there.
        attempt: See there.
        where: See there.
        first: What the first attempt failed with.
        began: When it began, by `time.monotonic()`.
    """
    known, most = attempts.current(), max_retries + 1
    with short_traceback:

        async def one() -> T:  # tenacity awaits coroutine functions only
            if retrying.statistics["attempt_number"] == 1:
                raise first
            await known.turn()
            return await attempt()

        async def again(state: RetryCallState) -> None:
            state.start_time = retrying.statistics["start_time"] = began  # the first attempt was made before
            retrying.statistics["delay_since_first_attempt"] = state.seconds_since_start
            await known.again(state, most, where())

        retrying = tenacity.AsyncRetrying(
            sleep=driver.sleep,
            stop=stop_after_attempt(most),
            retry=_worth_it,
            wait=_pause,
            before_sleep=again,
            reraise=True,
        )
        try:
            return await retrying(one)
        except KimiError as error:
            if (made := retrying.statistics["attempt_number"]) > 1:
                error.add_note(f"This was the last of {made} attempts.")
            raise
