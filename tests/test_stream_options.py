"""Options of one mode (streams, tools) that somebody brings along for all calls: they go with that mode alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from drivers import Driver

from kimi_adapters.local_server import LocalKimi

BROUGHT = {"stream_options": {"continuous_usage_stats": True}}
HOSTS = ["moonshot", "vllm", "fireworks"]


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest) -> Iterator[LocalKimi]:
    """A host that refuses options of a stream without one."""
    with LocalKimi(dialect=request.param) as kimi:
        yield kimi


def about(host: LocalKimi) -> dict[str, Any]:
    return {"host": host.dialect.name, "base_url": host.base_url, "api_key": host.api_key}


def modes(driver: Driver) -> dict[str, Any]:
    both = {"include_usage": True, "continuous_usage_stats": True}
    return {"stream": True, "stream_options": both} if driver.streams else {}


def sent(host: LocalKimi) -> dict[str, Any]:
    assert host.errors == []
    body = host.requests[-1].body
    return {name: body[name] for name in ("stream", "stream_options") if name in body}


def test_options_of_a_stream_go_with_streams_alone(driver: Driver, host: LocalKimi) -> None:
    answer = driver.ask(driver.make(**about(host), extra_body=BROUGHT), "Hi")
    assert answer.text
    assert sent(host) == modes(driver)


def test_options_of_a_stream_that_a_call_brings_go_with_streams_alone(driver: Driver, host: LocalKimi) -> None:
    assert driver.ask(driver.make(**about(host)), "Hi", extra_body=BROUGHT).text
    assert sent(host) == modes(driver)


@pytest.mark.parametrize("stream", [True, False, None])
def test_the_call_says_whether_it_streams_and_not_its_body(
    driver: Driver, kimi: LocalKimi, stream: bool | None
) -> None:
    """Bodies that people copy have `"stream": true` in them."""
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key, extra_body={"stream": stream, "user": "u"})
    assert driver.ask(model, "Hi").text
    assert kimi.requests[-1].body.get("stream") == (True if driver.streams else None)
    assert kimi.requests[-1].body["user"] == "u"


def test_further_fields_of_llama_index_are_taken_alike(driver: Driver, host: LocalKimi) -> None:
    word = "additional_kwargs" if driver.framework == "llama_index" else "extra_body"
    assert driver.ask(driver.make(**about(host), **{word: BROUGHT}), "Hi").text
    assert sent(host) == modes(driver)


@pytest.mark.parametrize("brought", [{"tool_choice": "auto"}, {"parallel_tool_calls": False}])
def test_options_of_tools_go_with_tools_alone(driver: Driver, brought: dict[str, Any]) -> None:
    word = "additional_kwargs" if driver.framework == "llama_index" else "extra_body"
    with LocalKimi(dialect="vllm") as vllm:
        model = driver.make(**about(vllm), **{word: brought})
        assert driver.ask(model, "Hi").text
        assert vllm.requests[-1].body.keys().isdisjoint(brought)
        assert driver.ask(model, "Hi", tools=[look]).text
        assert vllm.requests[-1].body.items() >= brought.items()
        assert vllm.errors == []


def look() -> str:
    """Look around."""
    return "All is well."


@pytest.mark.parametrize("brought", [BROUGHT, {"stream": True}, {"tool_choice": "auto", "parallel_tool_calls": True}])
def test_options_for_the_compatible_endpoint_do_not_go_to_runwares_own(driver: Driver, brought: dict[str, Any]) -> None:
    with LocalKimi(dialect="runware") as runware:
        assert driver.ask(driver.make(**about(runware), extra_body=brought), "Hi").text
        assert runware.requests[-1].body[0].keys().isdisjoint(brought)
        assert runware.errors == []


def test_who_wants_no_usage_in_streams_gets_none(driver: Driver, kimi: LocalKimi) -> None:
    extra = {"stream_options": {"include_usage": False}}
    driver.ask(driver.make(base_url=kimi.base_url, api_key=kimi.api_key, extra_body=extra), "Hi")
    assert sent(kimi) == ({"stream": True, "stream_options": {"include_usage": False}} if driver.streams else {})
