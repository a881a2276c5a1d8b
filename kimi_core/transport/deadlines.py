"""Deadlines: how long something may take as a whole, whatever the host sends meanwhile.

The HTTP library's timeouts hold from one read to the next, so a host that sends a byte now and then is never late. In
an event loop a task is cancelled at its deadline. A thread cannot be: so blocking calls with a deadline run in one of
their own, which is left behind at the deadline and sends nothing any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from contextvars import Context, ContextVar, copy_context
from typing import Any, TypeVar

from kimi_core.transport.waiting import wait

T = TypeVar("T")


class _Work:
    """What a thread is to do.

    Attributes:
        outcome: Its result; cancelled when it was left behind.
        ends: Called when it is left behind.
    """

    def __init__(self) -> None:
        self.outcome: Future[Any] = Future()
        self.ends: list[Callable[[], None]] = []

    def leave(self) -> bool:
        """Leave the thread behind; return False when its result has come after all."""
        if not self.outcome.cancel():
            return False
        for end in self.ends:
            end()
        return True


WORK: ContextVar[tuple[_Work, ...]] = ContextVar("kimi_core_work_with_deadlines", default=())
"""What this thread, and those that wait for it, do within a deadline. A thread without any cannot be left behind."""


class DeadlineError(Exception):
    """Something took longer than it may."""


class SilenceError(Exception):
    """A host has sent bytes, and no frame for too long."""


def refuse_left() -> None:
    """Raise in a thread that was left behind.

    Raises:
        DeadlineError: If nobody waits for it any more.
    """
    if any(work.outcome.cancelled() for work in WORK.get()):
        raise DeadlineError


def when_left(end: Callable[[], None]) -> None:
    """Have something called when this thread is left behind, and what it holds would be held for ever."""
    for work in WORK.get():
        work.ends.append(end)


def in_thread(seconds: float, do: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine that never suspends in a thread of its own, and return its result.

    Raises:
        DeadlineError: If it takes longer than so many seconds. What it opens later is closed.
    """
    work = _Work()
    outcome: Future[T] = work.outcome
    context = copy_context()

    def run() -> None:
        try:
            result = wait(do())
        except BaseException as error:
            if outcome.set_running_or_notify_cancel():
                outcome.set_exception(error)
            return
        if outcome.set_running_or_notify_cancel():
            outcome.set_result(result)
        else:
            _close(result)

    context.run(WORK.set, (*WORK.get(), work))
    threading.Thread(target=context.run, args=(run,), name="kimi-deadline", daemon=True).start()
    try:
        wait_for([outcome], max(0.0, seconds))
    except BaseException:  # an interrupt waits for nobody
        work.leave()
        raise
    if work.leave():
        raise DeadlineError
    result = outcome.result()
    _take_over(context)
    return result


def _take_over(context: Context) -> None:
    """Set the variables here that were set in the thread."""
    for variable, value in context.items():
        if variable is not WORK and variable.get(None) is not value:
            variable.set(value)


def _close(result: Any) -> None:
    with contextlib.suppress(Exception):
        result.close()


@contextlib.contextmanager
def cut_off(response: Any, until: float) -> Iterator[None]:
    """Cut a response off at a moment of `time.monotonic()`, where its connection can be had.

    Raises:
        DeadlineError: In place of the error that this causes.
    """
    timer = threading.Timer(max(0.0, until - time.monotonic()), _shut, [response])
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception:
        if time.monotonic() >= until:
            raise DeadlineError from None
        raise
    finally:
        timer.cancel()


async def reads_until(reads: AsyncIterator[bytes], until: float) -> AsyncIterator[bytes]:
    """Yield what is read, up to a moment of `time.monotonic()`.

    Raises:
        DeadlineError: When that moment has come.
    """
    while True:
        try:
            async with asyncio.timeout(max(0.0, until - time.monotonic())):
                read = await anext(reads)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise DeadlineError from None
        yield read


def _shut(response: Any) -> None:
    stream = response.extensions.get("network_stream")
    connection = stream.get_extra_info("socket") if stream is not None else None
    if connection is not None:
        with contextlib.suppress(OSError):  # it is closed already
            connection.shutdown(socket.SHUT_RDWR)
