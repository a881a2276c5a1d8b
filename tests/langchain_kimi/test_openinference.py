"""What OpenInference (Arize Phoenix) sees of a call: its own instrumentation, on the local server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain.agents import create_agent
from openinference.instrumentation.langchain import LangChainInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from kimi_adapters.local_server import LocalKimi
from langchain_kimi import ChatKimi

CANARY = "canary-77e5d24a609f3b1c"
USAGE = {"prompt_tokens": 31, "completion_tokens": 7, "total_tokens": 38}
COUNTED = {
    "llm.token_count.prompt": 31,
    "llm.token_count.completion": 7,
    "llm.token_count.total": 38,
}


@pytest.fixture
def finished() -> Iterator[InMemorySpanExporter]:
    """The spans that have ended."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    LangChainInstrumentor().instrument(tracer_provider=provider, skip_dep_check=True)
    yield exporter
    LangChainInstrumentor().uninstrument()
    provider.shutdown()


@pytest.fixture
def host() -> Iterator[LocalKimi]:
    """A host whose only key is the canary."""
    with LocalKimi(api_key=CANARY) as kimi:
        yield kimi


async def collect(stream: Any) -> list[Any]:
    return [chunk async for chunk in stream]


WAYS: dict[str, Callable[..., Any]] = {
    "invoke": lambda model, **w: model.invoke("Hi", **w),
    "ainvoke": lambda model, **w: asyncio.run(model.ainvoke("Hi", **w)),
    "stream": lambda model, **w: list(model.stream("Hi", **w)),
    "astream": lambda model, **w: asyncio.run(collect(model.astream("Hi", **w))),
}


@pytest.mark.parametrize("cost", [False, True], ids=["as it is", "with its cost for LangSmith"])
@pytest.mark.parametrize("way", WAYS)
def test_a_call_is_one_span_with_model_parameters_and_tokens(
    host: LocalKimi, finished: InMemorySpanExporter, way: str, cost: bool
) -> None:
    host.enqueue(text="Hello there.", usage=USAGE)
    model = ChatKimi(model="kimi-k3", base_url=host.base_url, api_key=CANARY, max_tokens=500, cost_in_usage=cost)
    WAYS[way](model, extra_headers={"X-More": CANARY})
    (span,) = finished.get_finished_spans()
    seen = dict(span.attributes or {})
    assert (span.name, seen["openinference.span.kind"], seen["llm.model_name"]) == ("ChatKimi", "LLM", "kimi-k3")
    assert json.loads(seen["llm.invocation_parameters"])["max_tokens"] == 500
    assert {name: seen.get(name) for name in COUNTED} == COUNTED
    assert "Hello there." in seen["output.value"]
    assert CANARY not in span.to_json()


def get_weather(city: str) -> str:
    """Say what the weather is like in a city."""
    return f"It is sunny in {city}."


def test_every_call_of_an_agent_is_seen(host: LocalKimi, finished: InMemorySpanExporter) -> None:
    agent = create_agent(ChatKimi(base_url=host.base_url, api_key=CANARY), [get_weather])
    agent.invoke({"messages": [("user", "Call get_weather for Paris.")]})
    calls = [span for span in finished.get_finished_spans() if span.name == "ChatKimi"]
    assert [bool((span.attributes or {})["llm.token_count.total"]) for span in calls] == [True, True]
    assert "get_weather" in str(dict(calls[0].attributes or {}).get("llm.tools.0.tool.json_schema"))
    assert not any(CANARY in span.to_json() for span in finished.get_finished_spans())
