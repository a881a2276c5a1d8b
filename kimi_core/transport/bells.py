"""What one who waits can be woken with, from any thread."""

from __future__ import annotations

import asyncio
import contextlib
import threading

from kimi_core.transport.deadlines import refuse_left


class AsyncioBell:
    """Wakes a task."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    @property
    def can_wake(self) -> bool:
        """Whether the task's loop runs."""
        return self._loop.is_running()

    def ring(self) -> None:
        """See `Driver.bell`."""
        with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits any more
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self, seconds: float) -> None:
        """See `Driver.bell`."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._event.wait(), seconds)
        self._event.clear()


class BlockingBell:
    """Wakes a thread."""

    can_wake = True

    def __init__(self) -> None:
        self._event = threading.Event()

    def ring(self) -> None:
        """See `Driver.bell`."""
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """See `Driver.bell`.

        Raises:
            DeadlineError: If the thread was left behind meanwhile.
        """
        self._event.wait(seconds)
        self._event.clear()
        refuse_left()
