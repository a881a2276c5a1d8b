"""What all tests share: a clean environment and a local Kimi server."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from drivers import DRIVERS, Driver
from hypothesis import HealthCheck, settings

from kimi_core.emulator import LocalKimi
from kimi_core.hosts import HOSTS

# A change is judged by the same examples each time it is judged; new ones are looked for by `make test`.
settings.register_profile("judged", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
if os.environ.get("KIMI_TEST_EXAMPLES") == "judged":
    settings.load_profile("judged")

_FOREIGN = ("LC_OUTPUT_VERSION", "OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_CUSTOM_HEADERS")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees a key or an address of the person who runs it."""
    names = {name for row in HOSTS.values() for name in (*row.key_env, *row.base_url_env)}
    for name in (*names, *_FOREIGN):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANGSMITH_TRACING", "false")


@pytest.fixture(scope="session")
def _moonshot() -> Iterator[LocalKimi]:
    with LocalKimi() as kimi:
        yield kimi


@pytest.fixture
def kimi(_moonshot: LocalKimi) -> LocalKimi:
    """The local server in Moonshot's dialect, with nothing in its log."""
    _moonshot.reset()
    return _moonshot


@pytest.fixture(scope="session")
def _aimlapi() -> Iterator[LocalKimi]:
    with LocalKimi(dialect="aimlapi") as kimi:
        yield kimi


@pytest.fixture
def aimlapi(_aimlapi: LocalKimi) -> LocalKimi:
    """The local server in AI/ML API's dialect, with nothing in its log."""
    _aimlapi.reset()
    return _aimlapi


@pytest.fixture(params=DRIVERS, ids=[driver.name for driver in DRIVERS])
def driver(request: pytest.FixtureRequest) -> Driver:
    """One way to call Kimi: a framework, sync or async, streamed or not."""
    driver: Driver = request.param
    return driver
