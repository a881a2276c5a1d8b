"""The local server, and a record of what passed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kimi_adapters.local_server import LocalKimi

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

_counted: dict[str, dict[str, list[int]]] = {}


@pytest.fixture(scope="session")
def _server() -> Iterator[LocalKimi]:
    with LocalKimi() as kimi:
        yield kimi


@pytest.fixture
def kimi(_server: LocalKimi) -> LocalKimi:
    """Give a strict Kimi host, with nothing in its log."""
    _server.reset()
    return _server


def pytest_runtest_logreport(report: Any) -> None:
    """Count what passed and what ran, by class under test and by test."""
    if report.when == "call" or not report.passed:
        _, peer, name = report.nodeid.split("::")
        passed = _counted.setdefault(peer.removeprefix("Test"), {}).setdefault(name.split("[")[0], [0, 0])
        passed[0] += report.passed
        passed[1] += report.when == "call" or report.when == "setup"


def pytest_sessionfinish(session: Any) -> None:
    """Write it down, in the one process that sees all."""
    if _counted and not hasattr(session.config, "workerinput"):
        (HERE / "results.json").write_text(json.dumps(_counted, indent=1, sort_keys=True))
