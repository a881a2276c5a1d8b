"""A server that is never silent and never done: it answers every request byte by byte."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: "


def frame(text: str) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return b"data: " + json.dumps({"id": "c", "model": "kimi-k2.6", "choices": [choice]}).encode() + b"\n\n"


class SlowServer:
    """Sends one part of each answer at once, and the next byte by byte, without end.

    Attributes:
        begin: What is sent at once.
        drip: What is sent again and again, with a pause before each.
        pause: Seconds.
        asked: How many requests came.
        open: How many connections are open.
    """

    def __init__(self) -> None:
        self.begin, self.drip, self.pause = b"", b"", 0.05
        self.asked = self.open = 0
        self._ended = False
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        self.open += 1
        with connection, contextlib.suppress(OSError):
            connection.recv(100_000)
            self.asked += 1
            connection.sendall(self.begin)
            while not self._ended:
                time.sleep(self.pause)
                connection.sendall(self.drip)
        self.open -= 1

    def close(self) -> None:
        self._ended = True
        self._socket.shutdown(socket.SHUT_RDWR)  # ends the wait for a connection, which closing does not
        self._thread.join()
        self._socket.close()


@contextlib.contextmanager
def slow_server() -> Iterator[SlowServer]:
    server = SlowServer()
    try:
        yield server
    finally:
        server.close()
