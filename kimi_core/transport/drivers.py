"""The two ways of doing I/O, behind the same coroutines.

Everything that does I/O is written once, as coroutines. `Asyncio` runs them in an event loop. `Blocking` has methods
that never suspend, so that `waiting.wait` runs a coroutine to its end at once, with no event loop, in any thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextvars import copy_context
from functools import partial
from typing import Any, ClassVar, Protocol, TypeAlias, TypeVar

from kimi_core.asyncgens import in_event_loop
from kimi_core.settings import Settings
from kimi_core.transport import clients
from kimi_core.transport.bells import AsyncioBell, BlockingBell
from kimi_core.transport.deadlines import WORK, DeadlineError, in_thread, refuse_left
from kimi_core.transport.reply import Reply
from kimi_core.transport.waiting import wait

T = TypeVar("T")
S = TypeVar("S")
Address = tuple[str, int]
"""A name and a port."""
Attempt: TypeAlias = Callable[[Callable[[], None] | None], T | None]
"""Tries something, and says whom to tell when it is worth trying again."""


class Bell(Protocol):
    """What one who waits can be woken with."""

    @property
    def can_wake(self) -> bool:
        """Whether it would hear that: the event loop of a task may have stopped, or been closed."""

    def ring(self) -> None:
        """Wake it; any thread may call this."""

    async def wait(self, seconds: float) -> None:
        """Wait until it rings, for some seconds at most."""


class Driver(Protocol):
    """The I/O operations that the coroutines of this package need."""

    sync: ClassVar[bool]
    """Whether the blocking HTTP client is used."""

    async def client(self, settings: Settings) -> Any:
        """Return the HTTP client for these settings."""

    async def ask(
        self, settings: Settings, method: str, address: str, given: Callable[[], Mapping[str, Any]], *, stream: bool
    ) -> Reply:
        """Send a request with the HTTP client for these settings; return the answer, read unless it is a stream.

        A redirect is not followed: another origin would be sent the conversation, and all headers but
        `Authorization`. `Transport` follows those that stay at the host.

        Args:
            settings: Choose the client.
            method: `post`, …
            address: The whole address.
            given: Returns what else the client's `build_request` takes. The key is in it, so no frame keeps it: tools
                that show a traceback show what its frames hold.
            stream: Whether a stream is asked for.
        """

    async def result(self, value: Any) -> Any:
        """Return the result of a call of the HTTP client or of the user's code, awaited where it is a coroutine."""

    async def close(self, thing: Any) -> None:
        """Close a stream, a response or a client."""

    def closer(self, thing: Any) -> Callable[[], None]:
        """Return a function that closes a stream nobody holds any more; any thread may call it."""

    async def sleep(self, seconds: float) -> None:
        """Sleep for some seconds."""

    def bell(self) -> Bell:
        """Return what wakes this task or thread, which may wait for it. It is made where it is waited for."""

    async def within(self, seconds: float, do: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do something that may take so many seconds.

        Raises:
            DeadlineError: If it takes longer.
        """

    async def when_freed(self, attempt: Attempt[T], patience: float) -> T | None:
        """Try something until it succeeds; return its result.

        Args:
            attempt: Gets what is to be called, from any thread, when it is worth trying again; None when nobody waits
                for that, and it has to succeed. Returns None when it did not.
            patience: Seconds after which it is given up when nothing was freed: those who are waited for may
                themselves wait for this call. Then the result is None.
        """

    async def compute(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function that computes for long or reads a file."""

    async def addresses(self, place: Address) -> Iterable[Any]:
        """Look a name up, as `socket.getaddrinfo` does."""

    def pieces(self, response: Any) -> AsyncIterator[bytes]:
        """Yield the body of an open response piece by piece."""

    def outcomes(
        self, do: Callable[[S], Awaitable[T]], items: Sequence[S], at_once: int = ...
    ) -> AsyncIterator[T | BaseException]:
        """Do something with each item; yield results and errors in the order of the items."""

    async def side_by_side(
        self, do: Callable[[S], Coroutine[Any, Any, T]], items: Sequence[S], at_once: int
    ) -> list[T]:
        """Do something with all items at the same time; when one fails, raise its error and give up the rest."""


_LOOKS_AGAIN = 1.0
"""Seconds. Who waits for something to be freed tries again now and then: what is no longer used may not say so."""


class Asyncio:
    """I/O in the running event loop."""

    sync: ClassVar[bool] = False

    async def client(self, settings: Settings) -> Any:
        """See `Driver.client`."""
        return await clients.async_client(settings)

    async def ask(
        self, settings: Settings, method: str, address: str, given: Callable[[], Mapping[str, Any]], *, stream: bool
    ) -> Reply:
        """See `Driver.ask`."""
        http = await clients.async_client(settings)
        request = http.build_request(method, clients.parsed(http.base_url.__class__, address), **given())
        response = await http.send(request, stream=True, follow_redirects=False)
        reply = Reply(response, http)
        if stream and reply.is_stream:
            return reply
        try:
            async for piece in response.aiter_bytes():
                if reply.add(piece):
                    break
        finally:
            await response.aclose()
        return reply

    async def result(self, value: Any) -> Any:
        """See `Driver.result`."""
        return await value

    async def close(self, thing: Any) -> None:
        """See `Driver.close`."""
        await (thing.aclose if hasattr(thing, "aclose") else thing.close)()

    def closer(self, thing: Any) -> Callable[[], None]:
        """See `Driver.closer`. Nothing can be closed once its event loop is closed."""
        loop = asyncio.get_running_loop()

        def begin() -> None:
            task = loop.create_task(self.close(thing))
            _closing.add(task)  # an event loop holds its tasks weakly
            task.add_done_callback(_closing.discard)

        def close() -> None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(begin)

        return close

    async def sleep(self, seconds: float) -> None:
        """See `Driver.sleep`."""
        await asyncio.sleep(seconds)

    def bell(self) -> AsyncioBell:
        """See `Driver.bell`."""
        return AsyncioBell()

    async def within(self, seconds: float, do: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """See `Driver.within`."""
        limit = asyncio.timeout(max(0.0, seconds))
        try:
            async with limit:
                return await do()
        except TimeoutError:
            if limit.expired():
                raise DeadlineError from None
            raise

    async def when_freed(self, attempt: Attempt[T], patience: float) -> T | None:
        """See `Driver.when_freed`."""
        loop = asyncio.get_running_loop()
        event = asyncio.Event()
        freed = partial(_tell, loop, event)
        until = time.monotonic() + patience
        while (result := attempt(freed)) is None and time.monotonic() < until:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), min(patience, _LOOKS_AGAIN))
                event.clear()
                until = time.monotonic() + patience
        return result

    async def compute(self, function: Callable[..., T], *args: Any) -> T:
        """See `Driver.compute`."""
        return await asyncio.to_thread(function, *args)

    async def addresses(self, place: Address) -> Iterable[Any]:
        """See `Driver.addresses`."""
        return await asyncio.get_running_loop().getaddrinfo(*place, type=socket.SOCK_STREAM)

    async def pieces(self, response: Any) -> AsyncIterator[bytes]:
        """See `Driver.pieces`."""
        async for piece in response.aiter_bytes():
            yield piece

    async def outcomes(
        self, do: Callable[[S], Awaitable[T]], items: Sequence[S], at_once: int = 8
    ) -> AsyncIterator[T | BaseException]:
        """See `Driver.outcomes`. Errors are gathered, not raised: else the other tasks would go on unawaited."""
        gated = _gated(do, at_once)
        for outcome in await asyncio.gather(*map(gated, items), return_exceptions=True):
            yield outcome

    async def side_by_side(
        self, do: Callable[[S], Coroutine[Any, Any, T]], items: Sequence[S], at_once: int
    ) -> list[T]:
        """See `Driver.side_by_side`. The rest is cancelled, and its end awaited."""
        gated = _gated(do, at_once)
        tasks = [asyncio.ensure_future(gated(item)) for item in items]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


_closing: set[asyncio.Task[None]] = set()


def _tell(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits any more
        loop.call_soon_threadsafe(event.set)


def _gated(do: Callable[[S], Awaitable[T]], at_once: int) -> Callable[[S], Coroutine[Any, Any, T]]:
    gate = asyncio.Semaphore(at_once)

    async def gated(item: S) -> T:
        async with gate:
            return await do(item)

    return gated


class Blocking:
    """I/O in the calling thread; no method suspends."""

    sync: ClassVar[bool] = True

    async def client(self, settings: Settings) -> Any:
        """See `Driver.client`."""
        return clients.client(settings)

    async def ask(
        self, settings: Settings, method: str, address: str, given: Callable[[], Mapping[str, Any]], *, stream: bool
    ) -> Reply:
        """See `Driver.ask`. A thread that was left behind sends nothing more."""
        if WORK.get():
            refuse_left()
        http = clients.client(settings)
        request = http.build_request(method, clients.parsed(http.base_url.__class__, address), **given())
        response = http.send(request, stream=True, follow_redirects=False)
        reply = Reply(response, http)
        if stream and reply.is_stream:
            return reply
        try:
            for piece in response.iter_bytes():
                if reply.add(piece):
                    break
        finally:
            response.close()
        return reply

    async def result(self, value: Any) -> Any:
        """See `Driver.result`."""
        return value

    async def close(self, thing: Any) -> None:
        """See `Driver.close`."""
        thing.close()

    def closer(self, thing: Any) -> Callable[[], None]:
        """See `Driver.closer`."""
        close: Callable[[], None] = thing.close
        return close

    async def sleep(self, seconds: float) -> None:
        """See `Driver.sleep`."""
        _pause(seconds)

    def bell(self) -> BlockingBell:
        """See `Driver.bell`."""
        return BlockingBell()

    async def within(self, seconds: float, do: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """See `Driver.within`. A thread that was left behind begins nothing more, such as the next picture."""
        refuse_left()
        return in_thread(seconds, do)

    async def when_freed(self, attempt: Attempt[T], patience: float) -> T | None:
        """See `Driver.when_freed`. In the thread of an event loop nobody waits: it may be what the others need."""
        event = threading.Event()
        freed = None if in_event_loop() else event.set
        until = time.monotonic() + patience
        while (result := attempt(freed)) is None and time.monotonic() < until:
            if event.wait(min(patience, _LOOKS_AGAIN)):
                event.clear()
                until = time.monotonic() + patience
        return result

    async def compute(self, function: Callable[..., T], *args: Any) -> T:
        """See `Driver.compute`."""
        return function(*args)

    async def addresses(self, place: Address) -> Iterable[Any]:
        """See `Driver.addresses`."""
        return socket.getaddrinfo(*place, type=socket.SOCK_STREAM)

    async def pieces(self, response: Any) -> AsyncIterator[bytes]:
        """See `Driver.pieces`."""
        for piece in response.iter_bytes():
            yield piece

    async def outcomes(
        self, do: Callable[[S], Awaitable[T]], items: Sequence[S], at_once: int = 1
    ) -> AsyncIterator[T | BaseException]:
        """See `Driver.outcomes`. Items are done one after the other, each when its outcome is asked for."""
        for item in items:
            try:
                outcome: T | BaseException = await do(item)
            except Exception as error:
                outcome = error
            yield outcome

    async def side_by_side(
        self, do: Callable[[S], Coroutine[Any, Any, T]], items: Sequence[S], at_once: int
    ) -> list[T]:
        """See `Driver.side_by_side`. Threads under way are waited for, since a thread cannot be stopped."""
        if len(items) == 1:
            return [await do(items[0])]

        def done(item: S) -> T:
            return wait(do(item))

        pool = ThreadPoolExecutor(min(len(items), at_once), thread_name_prefix="kimi-answer")
        try:
            futures: list[Future[T]] = [pool.submit(copy_context().run, done, item) for item in items]
            wait_for(futures, return_when=FIRST_EXCEPTION)
            pool.shutdown(cancel_futures=True)
        except BaseException:  # an interrupt waits for nobody
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        return [one.result() for one in futures if not one.cancelled()]


_pause = time.sleep
BLOCKING = Blocking()
"""Runs coroutines with blocking I/O, without an event loop."""
ASYNCIO = Asyncio()
"""Runs coroutines in the running event loop."""
