"""A Redis of the tests' own, on a free port of this machine, that keeps nothing."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time

import pytest

PASSWORD = "canary-redis-password-9f2c"
"""What every server asks for: it is to be found nowhere."""


class RedisServer:
    """A server that can be stopped and started again on the same port."""

    def __init__(self, port: int | None = None) -> None:
        self.port = port or free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"

    @property
    def shown(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> RedisServer:
        binary = shutil.which("redis-server")
        if binary is None:
            missing = "redis-server is not installed (apt-get install redis-server): limits in a Redis were not tested"
            if os.environ.get("CI") or os.environ.get("KIMI_TEST_EXAMPLES") == "judged":
                pytest.fail(missing)
            pytest.skip(missing)
        options = ["--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(
            [binary, *options, "--requirepass", PASSWORD], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while not listens(self.port):
            assert self._process.poll() is None, "redis-server has ended"
            time.sleep(0.01)
        return self

    def empty(self) -> None:
        from redis import Redis

        with Redis.from_url(self.url) as connection:
            connection.flushall()

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
