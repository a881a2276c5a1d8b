"""What OpenInference (Arize Phoenix) sees of a call: its own instrumentation, on the local server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from openinference.instrumentation.llama_index import LlamaIndexInstrumentor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import BaseModel

from kimi_adapters.local_server import LocalKimi
from kimi_core import Address, APIStatusError, ConfigError, HostSpec
from llama_index_kimi import KimiLLM

# OpenInference writes down what it sees of a model with `metadata.json()`.
pytestmark = pytest.mark.filterwarnings("ignore:The `json` method is deprecated")

CANARY = "canary-5d24a609f3b1c77e"
USAGE = {"prompt_tokens": 31, "completion_tokens": 7, "total_tokens": 38}
COUNTED = {
    f"llm.token_count.{part}": count
    for part, count in zip(("prompt", "completion", "total"), USAGE.values(), strict=True)
}
FIRST_TOKEN = "First Token Stream Event"
OBJECT = '{"name": "Alora", "people": 4100}'
PROMPT = PromptTemplate("Which city is {name}?")
CALL = {"name": "get_weather", "arguments": {"city": "Paris"}, "id": "get_weather:0"}


class City(BaseModel):
    """A city."""

    name: str
    people: int


def get_weather(city: str) -> str:
    """Say what the weather is like in a city."""
    return f"It is sunny in {city}."


WEATHER = FunctionTool.from_defaults(get_weather)


@pytest.fixture
def finished() -> Iterator[InMemorySpanExporter]:
    """The spans that have ended."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    LlamaIndexInstrumentor().instrument(tracer_provider=provider, skip_dep_check=True)
    yield exporter
    LlamaIndexInstrumentor().uninstrument()
    provider.shutdown()


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def parent_of(span: ReadableSpan, spans: tuple[ReadableSpan, ...]) -> str | None:
    """The name of the span around this one."""
    if span.parent is None:
        return None
    return next(other.name for other in spans if other.context.span_id == span.parent.span_id)


def asked(text: str = "Hi") -> list[ChatMessage]:
    return [ChatMessage(role="user", content=text)]


async def collect(stream: Any) -> list[Any]:
    return [piece async for piece in await stream]


Way = Callable[..., Any]

CALLS: dict[str, Way] = {
    "chat": lambda llm, **w: llm.chat(asked(), **w),
    "achat": lambda llm, **w: asyncio.run(llm.achat(asked(), **w)),
    "stream_chat": lambda llm, **w: list(llm.stream_chat(asked(), **w)),
    "astream_chat": lambda llm, **w: asyncio.run(collect(llm.astream_chat(asked(), **w))),
    "complete": lambda llm, **w: llm.complete("Hi", **w),
    "acomplete": lambda llm, **w: asyncio.run(llm.acomplete("Hi", **w)),
    "stream_complete": lambda llm, **w: list(llm.stream_complete("Hi", **w)),
    "astream_complete": lambda llm, **w: asyncio.run(collect(llm.astream_complete("Hi", **w))),
}
OBJECTS: dict[str, tuple[str, Way]] = {
    "structured_predict": ("chat", lambda llm: llm.structured_predict(City, PROMPT, name="Alora")),
    "astructured_predict": ("achat", lambda llm: asyncio.run(llm.astructured_predict(City, PROMPT, name="Alora"))),
    "stream_structured_predict": (
        "stream_chat",
        lambda llm: list(llm.stream_structured_predict(City, PROMPT, name="Alora")),
    ),
    "astream_structured_predict": (
        "astream_chat",
        lambda llm: asyncio.run(collect(llm.astream_structured_predict(City, PROMPT, name="Alora"))),
    ),
}
STRUCTURED: dict[str, tuple[str, Way]] = {
    "chat": ("chat", lambda llm: llm.as_structured_llm(City).chat(asked())),
    "achat": ("achat", lambda llm: asyncio.run(llm.as_structured_llm(City).achat(asked()))),
    "stream_chat": ("stream_chat", lambda llm: list(llm.as_structured_llm(City).stream_chat(asked()))),
    "astream_chat": (
        "astream_chat",
        lambda llm: asyncio.run(collect(llm.as_structured_llm(City).astream_chat(asked()))),
    ),
}


@pytest.mark.parametrize("way", CALLS)
def test_a_call_is_one_span_with_model_parameters_and_tokens(
    make: Callable[..., KimiLLM], kimi: LocalKimi, finished: InMemorySpanExporter, way: str
) -> None:
    kimi.enqueue(text="Hello there.", usage=USAGE)
    CALLS[way](make(model="kimi-k3", max_tokens=500, context_window=9000))
    (span,) = finished.get_finished_spans()
    seen = attributes(span)
    assert span.name == f"KimiLLM.{way}"
    assert (seen["openinference.span.kind"], seen["llm.model_name"]) == ("LLM", "kimi-k3")
    parameters = json.loads(seen["llm.invocation_parameters"])
    assert (parameters["num_output"], parameters["context_window"]) == (500, 9000)
    assert {name: seen.get(name) for name in COUNTED} == COUNTED
    assert (seen["llm.finish_reason"], span.status.is_ok) == ("stop", True)
    assert "Hello there." in seen["output.value"]
    assert [event.name for event in span.events] == ([FIRST_TOKEN] if "stream" in way else [])


@pytest.mark.parametrize("way", CALLS)
def test_the_model_is_not_among_the_arguments_of_its_call(
    llm: KimiLLM, finished: InMemorySpanExporter, way: str
) -> None:
    CALLS[way](llm, max_tokens=300)
    (span,) = finished.get_finished_spans()
    arguments = json.loads(attributes(span)["input.value"])
    assert arguments["kwargs"] == {"max_tokens": 300}
    assert not {"self", "_self"} & arguments.keys()


class Careful(KimiLLM):
    """A model of the user's own."""


@pytest.mark.parametrize("way", CALLS)
def test_spans_of_a_subclass_have_its_name(kimi: LocalKimi, finished: InMemorySpanExporter, way: str) -> None:
    CALLS[way](Careful(base_url=kimi.base_url, api_key=kimi.api_key))
    assert [span.name for span in finished.get_finished_spans()] == [f"Careful.{way}"]


@pytest.mark.parametrize("way", CALLS)
def test_no_key_or_header_is_in_a_span(kimi: LocalKimi, finished: InMemorySpanExporter, way: str) -> None:
    llm = KimiLLM(base_url=kimi.base_url, api_key=CANARY, default_headers={"X-Gateway": CANARY})
    with pytest.raises(APIStatusError):
        CALLS[way](llm, extra_headers={"X-More": CANARY}, api_key=CANARY)
    (span,) = finished.get_finished_spans()
    assert (attributes(span)["llm.model_name"], span.status.is_ok) == ("kimi-k2.6", False)
    assert CANARY not in span.to_json()


def test_headers_in_the_facts_of_a_call_are_in_no_span(kimi: LocalKimi, finished: InMemorySpanExporter) -> None:
    llm, headers = KimiLLM(base_url=kimi.base_url, api_key=kimi.api_key), {"X-Gateway": CANARY}
    llm.chat(asked(), overrides={"address.headers": headers})
    llm.chat(
        asked(),
        host=HostSpec(name="own", title="Own", address=Address(base_url=kimi.base_url, headers=headers)),
        api_key=kimi.api_key,
    )
    with pytest.raises(ConfigError, match="not dict"):  # only ChatKimi reads what `dumps` has written
        llm.chat(asked(), host={"name": "own", "title": "Own", "address.headers": headers})
    with pytest.raises(ConfigError, match="extra_headers is an argument of its own"):
        llm.chat(asked(), additional_kwargs={"extra_headers": headers})
    spans = finished.get_finished_spans()
    assert [span.status.is_ok for span in spans] == [True, True, False, False]
    assert not any(CANARY in span.to_json() for span in spans)
    assert kimi.requests[-1].headers["x-gateway"] == CANARY


@pytest.mark.parametrize("way", CALLS)
@pytest.mark.parametrize(
    "words", [{"openai_api_key": CANARY}, {"headers": {"X": CANARY}}, {"model_kwargs": {"api_key": CANARY}}]
)
def test_a_secret_under_a_name_that_is_an_error_is_in_no_span(
    llm: KimiLLM, finished: InMemorySpanExporter, words: dict[str, Any], way: str
) -> None:
    with pytest.raises(ConfigError, match="There is no option"):
        CALLS[way](llm, **words)
    (span,) = finished.get_finished_spans()
    assert CANARY not in span.to_json()


def test_a_value_for_a_prompt_is_no_secret_whatever_it_is_called(llm: KimiLLM, kimi: LocalKimi) -> None:
    kimi.enqueue(text=OBJECT)
    llm.structured_predict(City, PromptTemplate("{request_headers}, {my_api_key}"), request_headers="a", my_api_key="b")
    assert "a, b" in str(kimi.requests[-1].body["messages"])


@pytest.mark.parametrize(("around", "inner", "way"), [(name, *rest) for name, rest in OBJECTS.items()])
def test_the_call_of_an_object_is_within_its_span(
    llm: KimiLLM, kimi: LocalKimi, finished: InMemorySpanExporter, around: str, inner: str, way: Way
) -> None:
    kimi.enqueue(text=OBJECT, usage=USAGE)
    way(llm)
    call, outer = spans = finished.get_finished_spans()
    assert [(span.name, parent_of(span, spans)) for span in spans] == [
        (f"KimiLLM.{inner}", f"KimiLLM.{around}"),
        (f"KimiLLM.{around}", None),
    ]
    assert {name: attributes(call).get(name) for name in COUNTED} == COUNTED
    assert attributes(outer)["llm.model_name"] == "kimi-k2.6"
    assert not COUNTED.keys() & attributes(outer).keys(), "tokens are counted once"
    assert [event.name for event in call.events] == ([FIRST_TOKEN] if "stream" in inner else [])


@pytest.mark.parametrize(("around", "inner", "way"), [(name, *rest) for name, rest in STRUCTURED.items()])
def test_the_call_of_a_structured_llm_is_within_its_span(
    llm: KimiLLM, kimi: LocalKimi, finished: InMemorySpanExporter, around: str, inner: str, way: Way
) -> None:
    kimi.enqueue(text=OBJECT, usage=USAGE)
    way(llm)
    call, outer = spans = finished.get_finished_spans()
    assert [(span.name, parent_of(span, spans)) for span in spans] == [
        (f"KimiLLM.{inner}", f"KimiStructuredLLM.{around}"),
        (f"KimiStructuredLLM.{around}", None),
    ]
    assert {name: attributes(call).get(name) for name in COUNTED} == COUNTED
    assert not COUNTED.keys() & attributes(outer).keys(), "tokens are counted once"


def test_tools_and_calls_are_seen(llm: KimiLLM, kimi: LocalKimi, finished: InMemorySpanExporter) -> None:
    kimi.enqueue(tool_calls=[CALL], usage=USAGE)
    llm.predict_and_call([WEATHER], "What is the weather like in Paris?")
    spans = finished.get_finished_spans()
    (call,) = [span for span in spans if span.name == "KimiLLM.chat"]
    seen = attributes(call)
    assert json.loads(seen["llm.tools.0.tool.json_schema"])["function"]["name"] == "get_weather"
    begin = "llm.output_messages.0.message.tool_calls.0.tool_call"
    assert (seen[f"{begin}.id"], seen[f"{begin}.function.name"]) == (CALL["id"], "get_weather")
    assert json.loads(seen[f"{begin}.function.arguments"]) == CALL["arguments"]
    assert {name: seen.get(name) for name in COUNTED} == COUNTED
    assert [parent_of(span, spans) for span in spans if "FunctionTool.__call__" in span.name] == [
        "KimiLLM.predict_and_call"
    ]


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
def test_every_call_of_an_agent_is_seen(
    llm: KimiLLM, kimi: LocalKimi, finished: InMemorySpanExporter, streaming: bool
) -> None:
    kimi.enqueue(tool_calls=[CALL], usage=USAGE)
    kimi.enqueue(text="Sunny.", usage=USAGE)

    async def run() -> Any:
        return await FunctionAgent(tools=[WEATHER], llm=llm, streaming=streaming).run("What is the weather like?")

    assert str(asyncio.run(run())) == "Sunny."
    calls = [span for span in finished.get_finished_spans() if span.name in ("KimiLLM.achat", "KimiLLM.astream_chat")]
    seen = [attributes(span) for span in calls]
    assert [one["llm.finish_reason"] for one in seen] == ["tool_calls", "stop"]
    assert [{name: one.get(name) for name in COUNTED} for one in seen] == [COUNTED] * 2
    assert {one["llm.model_name"] for one in seen} == {"kimi-k2.6"}
    assert [[event.name for event in span.events] for span in calls] == [[FIRST_TOKEN] if streaming else []] * 2
