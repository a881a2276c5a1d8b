"""What the standard suites need: servers, pictures, and the record of what passed."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from langchain_tests.integration_tests import chat_models as suite

from kimi_adapters.local_server import LocalKimi
from tests.langchain_kimi.standard.record import MARKS, Record

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
HERE = Path(__file__).parent
RECORDING = "RECORD_FEATURES" in os.environ

_committed = Record.load()
_new = Record()


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[..., LocalKimi]]:
    """Gives the local server with certain switches; one for each set of them."""
    running: dict[str, LocalKimi] = {}

    def serve(**switches: Any) -> LocalKimi:
        key = json.dumps(switches, sort_keys=True)
        if key not in running:
            running[key] = LocalKimi(**switches).start()
        return running[key]

    yield serve
    for kimi in running.values():
        kimi.stop()


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the suite downloads from the internet is one pixel."""
    answer = SimpleNamespace(content=PNG)
    client = next(name for name in ("httpx", "httpx2") if hasattr(suite, name))
    monkeypatch.setattr(suite, client, SimpleNamespace(get=lambda *_, **__: answer))


# ------------------------------------------------------------------------------------------ which tests, how long


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what would be run twice, and keep timed tests short: here it matters that they run."""
    twice = [item for item in items if _is_twice(item)]
    items[:] = [item for item in items if not _is_twice(item)]
    config.hook.pytest_deselected(items=twice)
    for item in items:
        if item.path.parent == HERE and item.get_closest_marker("benchmark"):
            item.add_marker(pytest.mark.benchmark(max_time=0.01, min_rounds=1, warmup=False), append=False)


def _run(item: pytest.Item) -> Any:
    return getattr(getattr(item, "cls", None), "run", None)


def _is_twice(item: pytest.Item) -> bool:
    """Some tests of the suite have v1 content as a parameter; in a run that has it anyway they are the same."""
    run = _run(item)
    if run is None or run.output_version != "v1":
        return False
    return item.callspec.params.get("model") == {"output_version": "v1"} if hasattr(item, "callspec") else False


# -------------------------------------------------------------------------------------------------- the record


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    run, name = _run(item), getattr(item, "originalname", item.name)
    if run is None or report.when != "call" or report.outcome not in MARKS:
        return report
    if RECORDING:
        _new.note(name, run.name, report.outcome)
    elif (mark := _committed.mark(name, run.name)).strip() and mark != MARKS[report.outcome]:
        recorded = next(outcome for outcome, sign in MARKS.items() if sign == mark)
        report.longrepr = f"{report.outcome}, and docs/features.json has it as {recorded}. Run: make features"
        report.outcome = "failed"
    return report


def pytest_sessionfinish() -> None:
    if RECORDING:
        _new.save()
