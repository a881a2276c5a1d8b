"""The issue fixers of the examples really repair a copy of the broken repository, offline."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from example_scripts import EXAMPLES, Scripts

BROKEN = EXAMPLES / "broken_repo"


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    env = {**kept, "PYTHONPATH": str(EXAMPLES.parent), "PYTHONUTF8": "1"}
    return subprocess.run(
        [sys.executable, "-B", *command], cwd=cwd, capture_output=True, text=True, timeout=100, env=env
    )


@pytest.fixture(scope="module")
def issue() -> ModuleType:
    spec = importlib.util.spec_from_file_location("issue", EXAMPLES / "issue.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def repo(issue: ModuleType) -> Iterator[Any]:
    with issue.Repo() as repo:
        yield repo


@pytest.mark.parametrize("framework", ["langchain", "llama_index"])
def test_an_agent_repairs_the_repository_and_its_tests_pass(framework: str, scripts: Scripts) -> None:
    before = (BROKEN / "login" / "form.py").read_bytes()
    said = [line.strip() for line in scripts.run(f"fix_issue_{framework}.py").splitlines()]
    assert said.index("FAILED (failures=1)") < said.index("login/form.py is edited.") < said.index("OK")
    assert "The tests now: OK" in said
    assert said[-1].endswith("steps=6)")
    assert (BROKEN / "login" / "form.py").read_bytes() == before  # it is a copy that was repaired


def test_the_repository_is_broken() -> None:
    done = run("-m", "unittest", cwd=BROKEN)
    assert done.returncode == 1
    assert "FAILED (failures=1)" in done.stderr


@pytest.mark.parametrize("path", ["../issue.py", "/etc/hostname", "login", "nowhere.py"])
def test_the_tools_stay_in_the_copy(repo: Any, path: str) -> None:
    assert repo.read_file(path) == repo.edit_file(path, "a", "b") == f"There is no file {path}."


@pytest.mark.parametrize(("old", "times"), [("", 0), ("nothing like it", 0), ("_sent", 3)])
def test_an_edit_that_is_not_clear_changes_nothing(repo: Any, old: str, times: int) -> None:
    before = repo.read_file("login/form.py")
    assert f"stands {times} times" in repo.edit_file("login/form.py", old, "x")
    assert repo.read_file("login/form.py") == before


def test_the_code_is_searched(repo: Any) -> None:
    assert repo.search_code("def submit").startswith("login/form.py:13: def submit(")
    assert repo.search_code("no such text") == "Nothing was found."
