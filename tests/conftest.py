"""What all tests share: a clean environment and a local Kimi server."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from drivers import INVOKED, PAIRWISE, Driver, by_name
from example_scripts import Scripts
from hypothesis import HealthCheck, settings
from redis_server import RedisServer
from tenacity import wait_none

from kimi_adapters.local_server import LocalKimi
from kimi_core.hosts.registry import HOSTS
from kimi_core.transport import repeats

# Modules and tests stay until the end, and grow by the thousand while they are collected. Looking for garbage among them
# would cost more than any other thing that tests do: it begins when all are there, and leaves them out.
gc.disable()

# A change is judged by the same examples each time it is judged; new ones are looked for by `make test`. Nothing is
# timed in either: what takes long on a busy machine is no defect.
_UNTIMED: dict[str, Any] = {"deadline": None, "max_examples": 50, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("new", **_UNTIMED)
settings.register_profile("judged", derandomize=True, **_UNTIMED)
settings.load_profile("judged" if os.environ.get("KIMI_TEST_EXAMPLES") == "judged" else "new")


def pytest_collection_finish() -> None:
    """Look for garbage among what tests make, and only there."""
    gc.freeze()
    gc.enable()


_FOREIGN = {"LC_OUTPUT_VERSION", "OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_CUSTOM_HEADERS"}
_ADDRESSES = [spec.address for spec in HOSTS.values()]
_PERSONAL = _FOREIGN.union(*(address.key_env + address.base_url_env for address in _ADDRESSES))


@pytest.fixture(scope="session")
def _no_certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, _no_certificates: Path) -> None:
    """No test sees a key or an address of the person who runs it, nor the certificates that they trust.

    All tests speak plain HTTP to this machine, and most make an HTTP client, which takes longer to read the certificates
    of the world than all the rest of the test.
    """
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", str(_no_certificates))
    for name in _PERSONAL.intersection(os.environ):
        monkeypatch.delenv(name)
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


@pytest.fixture(scope="session")
def _redis() -> Iterator[RedisServer]:
    server = RedisServer().start()
    yield server
    server.stop()


@pytest.fixture
def redis(_redis: RedisServer) -> str:
    """The URL of an empty Redis."""
    _redis.empty()
    return _redis.url


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts are made again at once, where the host names no time."""
    monkeypatch.setattr(repeats, "_backoff", wait_none())


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Scripts:
    """The scripts of `examples`, to be run in a folder of the test's own."""
    return Scripts(monkeypatch, capfd, tmp_path)


@pytest.fixture(params=PAIRWISE, **by_name)
def driver(request: pytest.FixtureRequest) -> Driver:
    """One way to call Kimi: a framework, sync or async, streamed or not, every two of which meet.

    What differs in all three at once is shown by the tests that are `in_every_mode`.
    """
    driver: Driver = request.param
    return driver


@pytest.fixture(params=INVOKED, ids=[driver.framework for driver in INVOKED])
def framework(request: pytest.FixtureRequest) -> Driver:
    """Either framework, for what is the same in all its modes: how a model is made."""
    framework: Driver = request.param
    return framework
