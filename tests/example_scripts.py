"""Runs the scripts of `examples` as somebody would from a shell, but in the process of the tests, which has all imported."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


class Scripts:
    """Runs scripts in a folder of their own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], folder: Path) -> None:
        self._monkeypatch = monkeypatch
        self._capfd = capfd
        monkeypatch.chdir(folder)
        monkeypatch.syspath_prepend(EXAMPLES)

    def run(self, name: str, *args: str) -> str:
        """Return what a script prints; nothing may come on its error output."""
        script = str(EXAMPLES / name)
        self._monkeypatch.setattr(sys, "argv", [script, *args])
        self._capfd.readouterr()
        runpy.run_path(script, run_name="__main__")
        shown = self._capfd.readouterr()
        assert shown.err == ""
        return shown.out
