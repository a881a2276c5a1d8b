"""Runs the command as a user does: in this process, or where that would tell less, in one that is guarded."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest
from command_line import CANARY

from kimi_adapters.cli import main
from kimi_adapters.local_server import LocalKimi
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
        hidden = {name for spec in HOSTS.values() for name in (*spec.address.key_env, *spec.address.base_url_env)}
        kept = {name: value for name, value in os.environ.items() if name not in hidden | {"FORCE_COLOR"}}
        guard = {"PYTHONPATH": str(self.folder), "GUARD_LOG": str(self.folder / "contacted.txt"), "COLUMNS": "80"}
        return kept | guard | more

    def python(
        self, *arguments: str, stdout: int | IO[str] = subprocess.PIPE, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Run Python to its end."""
        command, pipe = [sys.executable, *arguments], subprocess.PIPE
        return subprocess.run(
            command,
            env=self.environment(**more),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=pipe,
            text=True,
            timeout=100,
        )

    def kimi(self, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
        """Run `kimi` to its end."""
        return self.python("-m", "kimi_adapters", *arguments, **more)


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


@dataclass(frozen=True)
class Done:
    """What is left of a command that ran in this process."""

    returncode: int
    stdout: str
    stderr: str


def _warn(message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: str | None = None) -> None:
    sys.stderr.write(warnings.formatwarning(message, category, filename, lineno, line))


@contextlib.contextmanager
def _warnings_of_a_program() -> Any:
    """Show warnings as Python does where nobody asked for anything else: a program prints them and goes on."""
    with warnings.catch_warnings():
        warnings.resetwarnings()
        for ignored in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter("ignore", ignored)
        warnings.showwarning = _warn
        yield


def _exit_code(run: Callable[[], None]) -> int:
    try:
        run()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0


class Terminal(io.StringIO):
    """What a user types."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def kimi(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """The command, with the arguments, environment and answers of its user; pytest-socket keeps it on this machine."""

    def run(*arguments: str, answers: str = "", typed: str | None = None, **environment: str) -> Done:
        stdin = io.StringIO(answers) if typed is None else Terminal(typed)
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
        with monkeypatch.context() as patch:
            patch.delenv("FORCE_COLOR", raising=False)
            for name, value in {"COLUMNS": "80", **environment}.items():
                patch.setenv(name, value)
            for name, value in {"argv": ["kimi", *arguments], "stdin": stdin}.items():
                patch.setattr(sys, name, value)
            with _warnings_of_a_program(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = _exit_code(main)
        return Done(code, *(stream.buffer.getvalue().decode() for stream in (out, err)))  # type: ignore[attr-defined]

    return run


@pytest.fixture
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes keys and addresses out of the environment."""
    for name in [name for name in os.environ if name.endswith(("_API_KEY", "_BASE_URL", "_API_BASE"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def moonshot(no_keys: None) -> Iterator[LocalKimi]:
    """The only host that there is."""
    with LocalKimi(api_key=CANARY) as local:
        yield local


@pytest.fixture
def at_moonshot(kimi: Callable[..., Done], moonshot: LocalKimi) -> Callable[..., Done]:
    """The command, for somebody whose key and address are those of a local server; None takes a variable away."""

    def run(*arguments: str, **given: Any) -> Done:
        there = {"MOONSHOT_API_KEY": CANARY, "MOONSHOT_BASE_URL": moonshot.base_url, **given}
        done = kimi(*arguments, **{name: value for name, value in there.items() if value is not None})
        assert CANARY not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run
