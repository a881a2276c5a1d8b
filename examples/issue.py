"""What the two issue fixers share: the issue, a copy of the broken repository, and tools to work on it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

BROKEN = Path(__file__).parent / "broken_repo"
ISSUE = "Issue: the login form submits twice on slow networks."
SYSTEM = (
    "You are a senior engineer. Fix the described bug: find the code, run the tests, make the smallest edit that "
    "repairs it, and run the tests again. Then say in one sentence what was wrong."
)


class Repo:
    """A copy of the broken repository in a temporary folder, and what may be done with it.

    The file tools touch nothing outside the copy. But tests are code, and here the model writes code: for a repository
    of your own, run them in a container.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="fix-issue-")
        self.root = Path(self._folder.name).resolve() / "repo"
        shutil.copytree(BROKEN, self.root, ignore=shutil.ignore_patterns("__pycache__"))

    def __enter__(self) -> Repo:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    @property
    def tools(self) -> list[Callable[..., str]]:
        """The tools, as functions."""
        return [self.search_code, self.read_file, self.edit_file, self.run_tests]

    def search_code(self, query: str) -> str:
        """Find the lines of the code that contain a text."""
        found = [
            f"{path.relative_to(self.root)}:{number}: {line.strip()}"
            for path in sorted(self.root.rglob("*.py"))
            for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
            if query in line
        ]
        return "\n".join(found[:50]) or "Nothing was found."

    def read_file(self, path: str) -> str:
        """Read a file of the repository."""
        file = self._file(path)
        return file.read_text("utf-8") if file else f"There is no file {path}."

    def edit_file(self, path: str, old: str, new: str) -> str:
        """Replace a text that stands once in a file."""
        file = self._file(path)
        if file is None:
            return f"There is no file {path}."
        text = file.read_text("utf-8")
        if (times := text.count(old) if old else 0) != 1:
            return f"The old text stands {times} times in {path}; it must stand there once."
        file.write_text(text.replace(old, new), "utf-8")
        return f"{path} is edited."

    def run_tests(self) -> str:
        """Run the tests of the project."""
        command = [sys.executable, "-B", "-m", "unittest"]
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True, timeout=60)
        return done.stderr[-4000:]

    def _file(self, path: str) -> Path | None:
        file = (self.root / path).resolve()
        return file if file.is_file() and file.is_relative_to(self.root) else None


def _call(name: str, thought: str, **arguments: str) -> dict[str, Any]:
    return {"reasoning": thought, "tool_calls": [{"name": name, "arguments": arguments}]}


_OLD = "        self._send(name, password)\n        self._sent = True\n"
_NEW = "        self._sent = True\n        self._send(name, password)\n"

SCRIPT: tuple[dict[str, Any], ...] = (
    _call("search_code", "I look for where the form is submitted.", query="def submit"),
    _call("read_file", "It is in login/form.py.", path="login/form.py"),
    _call("run_tests", "The mark is set after sending. Do the tests say so?"),
    _call("edit_file", "They do. The mark must be set before.", path="login/form.py", old=_OLD, new=_NEW),
    _call("run_tests", "Now all of them should pass."),
    {"text": "The form was marked as sent only after sending, so that a second click meanwhile sent it again."},
)
"""What the local server answers, which has rules and no model: the tools are really run all the same."""
