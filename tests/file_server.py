"""A small web server on 127.0.0.1 that serves the files it is given and remembers what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


@dataclass
class Served:
    """What is answered at a path."""

    data: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    chunked: bool = False
    before: Callable[[], object] = lambda: None


class FileServer:
    """Use it as a context manager."""

    def __init__(self) -> None:
        self.files: dict[str, list[Served]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def add(self, path: str, data: bytes = b"", **served: Any) -> str:
        """Serve something at a path, and say its address; of several the last one stays."""
        self.files.setdefault(path, []).append(Served(data, **served))
        return self.url(path)

    def asked(self, path: str) -> int:
        """How often a path was asked for."""
        return sum(asked.partition("?")[0] == path for asked, _ in self.requests)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(server) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
                waiting = server.files.get(self.path.partition("?")[0], [Served(status=404)])
                served = waiting.pop(0) if len(waiting) > 1 else waiting[0]
                served.before()
                self.send_response(served.status)
                for name, value in served.headers.items():
                    self.send_header(name, value)
                self.send_header("Connection", "close")
                if served.chunked:
                    self.send_header("Transfer-Encoding", "chunked")
                    self.end_headers()
                    self._send_chunks(served.data)
                else:
                    self.send_header("Content-Length", str(len(served.data)))
                    self.end_headers()
                    self.wfile.write(served.data)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.do_GET()

            def do_DELETE(self) -> None:
                self.do_GET()

            def _send_chunks(self, data: bytes) -> None:
                for at in range(0, len(data), 1000):
                    piece = data[at : at + 1000]
                    self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                self.wfile.write(b"0\r\n\r\n")

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler
