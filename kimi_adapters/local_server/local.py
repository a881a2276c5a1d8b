"""`LocalKimi`: the local server on a port of this machine."""

from __future__ import annotations

import asyncio
import socket
import threading
from types import TracebackType
from typing import Any, NoReturn, Self

import uvicorn

from kimi_adapters.local_server.app import create_app
from kimi_adapters.local_server.batch_endpoints import step
from kimi_adapters.local_server.gate import check_address
from kimi_adapters.local_server.server import DialectName, KimiServer

_STARTING = 10.0


class _Server(uvicorn.Server):
    """Uvicorn that signals when it is ready and stops at once instead of at its next tick."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        if self._stopping is not None:
            await self._stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Shut down at once where nobody waits for an answer: uvicorn gives everybody a tenth of a second or more."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await asyncio.sleep(0)  # in which connections that were closed are lost
        await asyncio.sleep(0)
        if self.server_state.connections:
            await super().shutdown(sockets)
        for task in self.server_state.tasks:  # answers whose clients have gone
            task.cancel()
        await asyncio.gather(*self.server_state.tasks, return_exceptions=True)

    def stop(self) -> None:
        """End the main loop; any thread may call this."""
        if self._loop is not None and self._stopping is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)


def _listen(host: str, port: int) -> socket.socket:
    # asyncio turns Nagle's algorithm off (40 ms a request) only for sockets that name their protocol.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(512)
    except OSError:
        listener.close()
        raise
    return listener


class LocalKimi(KimiServer):
    """A Kimi host on 127.0.0.1, for tests and demonstrations.

    It answers from rules, not from a model, and refuses what the real host refuses.

    ```python
    with LocalKimi() as kimi:
        client = openai.OpenAI(base_url=kimi.base_url, api_key=kimi.api_key)
    ```

    Args:
        dialect: The host to imitate: ``moonshot``, ``aimlapi``, ``runware``, ``kimi-code``, ``openrouter``,
            ``fireworks``, ``vllm``, ``sglang`` or ``llama-cpp``.
        host: The address to listen on. Any but a loopback address needs `open_to_network=True`, because whoever
            reaches it can use the server.
        port: The port; 0 takes a free one.
        **behaviour: The switches of `KimiServer`.

    Raises:
        ValueError: If other machines can reach the address without `open_to_network=True`, or the dialect is unknown.
    """

    def __init__(
        self, dialect: DialectName = "moonshot", *, host: str = "127.0.0.1", port: int = 0, **behaviour: Any
    ) -> None:
        super().__init__(dialect=dialect, **behaviour)
        check_address(host, open_to_network=self.open_to_network)
        self.host = host
        self.port = port
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        state = f"{self.base_url}, {len(self.log.entries):,} requests" if self._thread else "not running"
        return f"<LocalKimi {self.dialect.name!r}: {state}>"

    @property
    def base_url(self) -> str:
        """The URL to give to a client, ending in ``/v1``. The dialect's name in it may be left out."""
        return f"http://{self.host}:{self.port}/{self.dialect.name}/v1"

    def start(self) -> Self:
        """Start listening, and return once requests are accepted.

        Raises:
            RuntimeError: If the server is already running or does not start in time.
        """
        if self._thread is not None:
            raise RuntimeError("this LocalKimi is already running")
        listener = _listen(self.host, self.port)
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            create_app(self),
            log_config=None,
            log_level="critical",
            access_log=False,
            lifespan="off",
            ws="none",
            date_header=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        server = _Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), name=f"kimi-{self.port}", daemon=True)
        thread.start()
        if not server.ready.wait(_STARTING):
            raise RuntimeError(f"the local Kimi server did not start on {self.host}:{self.port}")
        self._server, self._thread = server, thread
        return self

    def stop(self) -> None:
        """Stop listening, and return once the thread has ended."""
        if self._server is not None and self._thread is not None:
            self._server.stop()
            self._thread.join()
        self._server = self._thread = None

    def step_batches(self, steps: int = 1) -> None:
        """Bring every batch some steps further; `kimi.batches.by_itself = False` lets nothing else do that."""
        for batch in self.batches.all() * steps:
            step(self, batch)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a LocalKimi owns a socket and a thread and cannot be pickled")


def serve(host: str = "127.0.0.1", port: int = 8765, dialect: DialectName = "moonshot", **behaviour: Any) -> None:
    """Run a local server in the foreground until interrupted; see `LocalKimi`."""
    kimi = KimiServer(dialect=dialect, **behaviour)
    check_address(host, open_to_network=kimi.open_to_network)
    uvicorn.run(create_app(kimi), host=host, port=port, lifespan="off", ws="none", server_header=False)
