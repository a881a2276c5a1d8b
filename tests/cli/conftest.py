"""Runs the command as a user does, in a process that may speak to this machine only."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from kimi_core import HOSTS

GUARD = """
import os
import socket

LOCAL = {"127.0.0.1", "::1", "localhost", None, ""}


def guarded(real, place):
    def call(*args, **kwargs):
        address = place(args)
        if address not in LOCAL:
            with open(os.environ["GUARD_LOG"], "a") as log:
                log.write(f"{address}\\n")
            raise OSError(f"{address} is not this machine")
        return real(*args, **kwargs)

    return call


def host(args):
    return args[1][0] if isinstance(args[1], tuple) else None


socket.socket.connect = guarded(socket.socket.connect, host)
socket.socket.connect_ex = guarded(socket.socket.connect_ex, host)
socket.getaddrinfo = guarded(socket.getaddrinfo, lambda args: args[0])
"""


@dataclass(frozen=True)
class Guarded:
    """Starts Python processes that reach nothing but this machine."""

    folder: Path

    @property
    def contacted(self) -> str:
        """The other machines that were to be contacted."""
        log = self.folder / "contacted.txt"
        return log.read_text() if log.exists() else ""

    def environment(self, **more: str) -> dict[str, str]:
        """An environment with the guard and without keys."""
        hidden = {name for row in HOSTS.values() for name in (*row.key_env, *row.base_url_env)}
        kept = {name: value for name, value in os.environ.items() if name not in hidden | {"FORCE_COLOR"}}
        guard = {"PYTHONPATH": str(self.folder), "GUARD_LOG": str(self.folder / "contacted.txt"), "COLUMNS": "80"}
        return kept | guard | more

    def python(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run Python to its end."""
        return subprocess.run(
            [sys.executable, *arguments], env=self.environment(**more), capture_output=True, text=True, timeout=100
        )

    def kimi(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run `kimi` to its end."""
        return self.python("-m", "kimi_core.cli", *arguments, **more)


@pytest.fixture(scope="session")
def guard(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Guarded]:
    """Makes processes that reach nothing but this machine."""

    def make() -> Guarded:
        folder = tmp_path_factory.mktemp("guard")
        (folder / "sitecustomize.py").write_text(GUARD)
        return Guarded(folder)

    return make


@pytest.fixture
def guarded(guard: Callable[[], Guarded]) -> Guarded:
    """Processes that reach nothing but this machine."""
    return guard()


@pytest.fixture
def kimi(guarded: Guarded) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command."""
    return guarded.kimi
