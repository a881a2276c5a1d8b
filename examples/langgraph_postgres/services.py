"""A Postgres, a Redis and a Kimi host, each of this program's own, on this machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from kimi_adapters.local_server import LocalKimi


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """Yield the address of a database: that of DATABASE_URL, or one of a server of our own, which keeps nothing.

    Nobody else reaches it: it listens on a socket in a folder of its user alone, and on no port.
    """
    if "DATABASE_URL" in os.environ:
        yield os.environ["DATABASE_URL"]
        return
    programs = _programs()
    user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:
        if user:
            shutil.chown(folder, user)
        data = f"{folder}/data"
        initdb = [programs / "initdb", "-D", data, "-U", "kimi", "--auth=trust", "--no-sync", "--encoding=UTF8"]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, user=user, cwd=folder)
        serve = [programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"]
        with (
            open(f"{folder}/log", "w") as log,
            subprocess.Popen(serve, stdout=log, stderr=log, user=user, cwd=folder) as server,
        ):
            dsn = f"host={folder} user=kimi dbname=postgres"
            try:
                _wait_for(dsn, server, Path(log.name))
                yield dsn
            finally:
                server.send_signal(signal.SIGINT)  # closes what is open, and ends


def _programs() -> Path:
    """Return the folder of Postgres' programs, which Debian has not in the PATH."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not folders:
        raise SystemExit(
            "Postgres is not installed (Debian: apt-get install postgresql), and there is no DATABASE_URL."
        )
    return folders[-1]


def _wait_for(dsn: str, server: subprocess.Popen[bytes], log: Path) -> None:
    while True:
        try:
            psycopg.connect(dsn).close()
            return
        except psycopg.OperationalError:
            if server.poll() is not None:
                raise SystemExit(f"Postgres did not start: {log.read_text()}") from None
            time.sleep(0.02)


@contextlib.contextmanager
def redis() -> Iterator[str]:
    """Yield the address of a Redis: that of KIMI_LIMITS_STORAGE, or one of a server of our own."""
    if "KIMI_LIMITS_STORAGE" in os.environ:
        yield os.environ["KIMI_LIMITS_STORAGE"]
        return
    if not shutil.which("redis-server"):
        raise SystemExit("Redis is not installed (Debian: apt-get install redis-server); without it: --concurrency 0.")
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        address = f"{folder}/socket"
        serve = ["redis-server", "--port", "0", "--unixsocket", address, "--unixsocketperm", "700", "--save", ""]
        with subprocess.Popen(serve, stdout=subprocess.DEVNULL, cwd=folder) as server:
            try:
                while not _listens(address):
                    if server.poll() is not None:
                        raise SystemExit("redis-server did not start.")
                    time.sleep(0.02)
                yield f"unix://{address}"
            finally:
                server.terminate()


def _listens(address: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(address) == 0


@contextlib.contextmanager
def kimi(concurrency: int = 0) -> Iterator[tuple[LocalKimi | None, dict[str, str]]]:
    """Yield the local server and the environment that leads to it; None and nothing with a key for the real host."""
    if os.environ.get("MOONSHOT_API_KEY"):
        yield None, {}
        return
    behaviour: dict[str, Any] = {"concurrency": concurrency} if concurrency else {}
    print("No MOONSHOT_API_KEY: the local server answers, by rules instead of a model.")
    with LocalKimi(chunk_delay=0.01, **behaviour) as local:
        yield local, {"MOONSHOT_BASE_URL": local.base_url, "MOONSHOT_API_KEY": local.api_key}
