"""A server that does to each request what its header says: bytes as they are, and then the connection's end."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping

from .fault import Fault

HEADER = "X-Fault"
"""Names the fault that a request is answered with."""
HELLO_OF_TLS = b"\x16\x03"


class FaultyServer:
    """Answers with the faults that requests name. A connection is served until a fault ends it.

    Attributes:
        address: Where it listens, `127.0.0.1:port`.
        asked: How many requests named each fault.
    """

    def __init__(self, faults: Mapping[str, Fault]) -> None:
        self._faults = faults
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=100)
        self._open: set[socket.socket] = set()
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.asked: Counter[str] = Counter()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        self._open.add(connection)
        with connection, contextlib.suppress(OSError):
            while (name := _asked(connection)) is not None:
                self.asked[name] += 1
                fault = self._faults[name]
                connection.sendall(fault.sends)
                if fault.then == "stall":
                    connection.recv(1)
                if fault.then == "reset":
                    time.sleep(0.05 if fault.sends else 0)  # a reset may overtake what was sent before it
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                if fault.then != "go on":
                    break
        self._open.discard(connection)

    def count(self, name: str, sent: int) -> int:
        """Return how many requests named a fault; the last of those that were sent may not have been read yet."""
        until = time.monotonic() + 10
        while self.asked[name] < sent and time.monotonic() < until:
            time.sleep(0.01)
        return self.asked[name]

    def close(self) -> None:
        """Stop listening, and leave all who still wait."""
        self._socket.close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def _asked(connection: socket.socket) -> str | None:
    """Read a request to its end; return the fault that it names, None when there is no further request."""
    came = b""
    while b"\r\n\r\n" not in came:
        if not (read := connection.recv(65_536)):
            return None
        came += read
        if came.startswith(HELLO_OF_TLS):  # as web servers answer to it
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
            return None
    lines, _, rest = came.partition(b"\r\n\r\n")
    headers = {
        key.lower(): value for key, _, value in (x.partition(": ") for x in lines.decode("latin-1").split("\r\n"))
    }
    left = int(headers.get("content-length", 0)) - len(rest)
    while left > 0 and (read := connection.recv(left)):
        left -= len(read)
    return headers[HEADER.lower()]


@contextlib.contextmanager
def faulty_server(faults: Mapping[str, Fault]) -> Iterator[FaultyServer]:
    """A server for these faults, as long as it is needed."""
    server = FaultyServer(faults)
    try:
        yield server
    finally:
        server.close()
