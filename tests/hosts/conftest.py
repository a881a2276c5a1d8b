"""The hosts that the local server speaks for, each running, and the two frameworks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from drivers import DRIVERS, Driver
from hosts_served import RUNWARE, SERVED, Served

from kimi_adapters.local_server import LocalKimi

TWO = [d for d in DRIVERS if d.name in ("langchain-astream", "llama_index-invoke")]


@pytest.fixture(scope="session")
def running() -> Iterator[dict[str, LocalKimi]]:
    started = {served.name: served.start() for served in (*SERVED, RUNWARE)}
    yield started
    for kimi in started.values():
        kimi.stop()


@pytest.fixture(params=SERVED, ids=lambda served: served.name)
def served(request: pytest.FixtureRequest) -> Served:
    """A host."""
    host: Served = request.param
    return host


@pytest.fixture
def server(served: Served, running: dict[str, LocalKimi]) -> LocalKimi:
    """The local server in the host's dialect, with nothing in its log."""
    running[served.name].reset()
    return running[served.name]


@pytest.fixture(params=TWO, ids=lambda driver: driver.name)
def way(request: pytest.FixtureRequest) -> Driver:
    """Either framework, one of them streamed and async."""
    driver: Driver = request.param
    return driver
