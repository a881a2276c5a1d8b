"""`output_version`: what is in a message's content, and what every kind of stream makes of it."""

from __future__ import annotations

import json
from importlib import metadata
from typing import Any, TypedDict

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_tests.utils.stream_lifecycle import assert_valid_event_stream
from langchain_ways import ask, plain

from kimi_adapters.local_server import LocalKimi
from langchain_kimi import ChatKimi

pytestmark = [
    # LangChain and LangGraph say it once of their own events.
    pytest.mark.filterwarnings("ignore:.*(beta|experimental):langchain_core._api.LangChainBetaWarning")
]
OLD_GRAPHS = tuple(map(int, metadata.version("langgraph").split(".")[:2])) < (1, 1)
MODES = ["invoke", "ainvoke", "stream", "astream"]
VERSIONS = ["v0", "v1"]
CALL = {"name": "get_weather", "arguments": {"city": "Paris"}}
CALLS = [CALL, {"name": "get_weather", "arguments": {"city": "Rome"}}]


def get_weather(city: str) -> str:
    """Say what the weather is like in a city."""
    return f"Sunny in {city}."


def make(kimi: LocalKimi, **options: Any) -> ChatKimi:
    return ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, **options)


ANSWER = {"text": "I look it up.", "reasoning": "I need it.", "tool_calls": CALLS}
BLOCKS = [
    {"type": "reasoning", "reasoning": "I need it."},
    {"type": "text", "text": "I look it up."},
    {"type": "tool_call", "name": "get_weather", "args": {"city": "Paris"}, "id": "functions.get_weather:0"},
    {"type": "tool_call", "name": "get_weather", "args": {"city": "Rome"}, "id": "functions.get_weather:1"},
]


@pytest.mark.parametrize("mode", MODES)
async def test_v1_content_is_the_standard_blocks(kimi: LocalKimi, mode: str) -> None:
    kimi.enqueue(**ANSWER)
    answer = await ask(make(kimi, output_version="v1").bind_tools([get_weather]), mode)
    assert plain(answer.content) == BLOCKS
    assert answer.response_metadata["output_version"] == "v1"
    assert [call["args"]["city"] for call in answer.tool_calls] == ["Paris", "Rome"]


@pytest.mark.parametrize("mode", MODES)
async def test_v1_has_the_reasoning_once(kimi: LocalKimi, mode: str) -> None:
    kimi.enqueue(**ANSWER)
    answer = await ask(make(kimi, output_version="v1").bind_tools([get_weather]), mode)
    assert answer.additional_kwargs == {}
    assert json.dumps(answer.model_dump()).count("I need it.") == 1


@pytest.mark.parametrize("mode", MODES)
async def test_v0_content_is_the_text(kimi: LocalKimi, mode: str) -> None:
    kimi.enqueue(**ANSWER)
    answer = await ask(make(kimi).bind_tools([get_weather]), mode)
    assert answer.content == "I look it up."
    assert answer.additional_kwargs == {"reasoning_content": "I need it."}
    assert "output_version" not in answer.response_metadata
    assert plain(answer.content_blocks) == BLOCKS


async def test_v1_streams_and_whole_answers_are_the_same_message(kimi: LocalKimi) -> None:
    model = make(kimi, output_version="v1").bind_tools([get_weather])
    answers = []
    for mode in MODES:
        kimi.enqueue(**ANSWER)
        answer = await ask(model, mode)
        answers.append((plain(answer.content), answer.tool_calls, answer.text, answer.additional_kwargs))
    assert answers == [answers[0]] * 4


def test_v1_chunks_carry_one_block_with_its_own_index(kimi: LocalKimi) -> None:
    kimi.enqueue(**ANSWER)
    chunks = list(make(kimi, output_version="v1").bind_tools([get_weather]).stream("Weather?"))
    blocks = [block for chunk in chunks for block in chunk.content]
    assert {block["type"]: block["index"] for block in blocks if block["type"] != "tool_call_chunk"} == {
        "reasoning": "lc_rs_0",
        "text": "lc_txt_0",
    }
    assert {b["index"] for b in blocks if b["type"] == "tool_call_chunk"} == {"lc_tc_0", "lc_tc_1"}
    assert all(chunk.response_metadata["output_version"] == "v1" for chunk in chunks)
    assert max(len(chunk.content) for chunk in chunks) == 1


def test_a_light_v1_chunk_equals_one_made_the_ordinary_way(kimi: LocalKimi) -> None:
    chunk = next(c for c in make(kimi, output_version="v1").stream("Hello") if c.text)
    metadata = {"model_provider": "moonshot", "output_version": "v1"}
    ordinary = AIMessageChunk(content=chunk.content, response_metadata=metadata, id=chunk.id)
    assert chunk == ordinary
    assert chunk.model_dump() == ordinary.model_dump()
    assert AIMessageChunk.model_validate(chunk.model_dump()) == chunk


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("version", VERSIONS)
async def test_the_next_turn_gets_the_last_one_as_it_was(kimi: LocalKimi, version: str, mode: str) -> None:
    kimi.enqueue(**ANSWER)
    model = make(kimi, output_version=version).bind_tools([get_weather])
    said = await ask(model, mode)
    results = [ToolMessage("Sunny", tool_call_id=call["id"]) for call in said.tool_calls]
    await ask(model, mode, [HumanMessage("Weather?"), said, *results])
    sent = kimi.requests[-1].body["messages"][1]
    assert (sent["content"], sent["reasoning_content"]) == ("I look it up.", "I need it.")
    assert [call["function"]["arguments"] for call in sent["tool_calls"]] == ['{"city": "Paris"}', '{"city": "Rome"}']
    assert kimi.errors == []


@pytest.mark.parametrize("mode", MODES)
async def test_an_answer_of_calls_alone_has_no_empty_text_in_v1(kimi: LocalKimi, mode: str) -> None:
    kimi.enqueue(tool_calls=[CALL])
    answer = await ask(make(kimi, output_version="v1").bind_tools([get_weather]), mode)
    assert [block["type"] for block in answer.content] == ["tool_call"]


def test_the_environment_chooses_the_version_as_for_every_model(
    kimi: LocalKimi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_OUTPUT_VERSION", "v1")
    assert make(kimi).invoke("Hello").response_metadata["output_version"] == "v1"
    assert isinstance(make(kimi, output_version="v0").invoke("Hello").content, str)


def test_another_packages_version_leaves_content_a_text(kimi: LocalKimi) -> None:
    assert isinstance(make(kimi, output_version="responses/v1").invoke("Hello").content, str)


def test_v1_structured_output_streams(kimi: LocalKimi) -> None:
    class Point(TypedDict):
        """A point."""

        x: int
        y: int

    for method in ("json_schema", "function_calling"):
        bound = make(kimi, output_version="v1").with_structured_output(Point, method=method)
        assert list(bound.stream("The point with x = 3 and y = 4."))[-1] == {"x": 3, "y": 4}
        assert bound.invoke("The point with x = 3 and y = 4.") == {"x": 3, "y": 4}


# ----------------------------------------------------------------------------------------------- v3 events


async def events_of(model: Any, *, sync: bool, said: Any = "Weather?") -> tuple[list[Any], AIMessage]:
    if sync:
        stream = model.stream_events(said, version="v3")
        return list(stream), stream.output
    astream = await model.astream_events(said, version="v3")
    return [event async for event in astream], await astream.output


ANSWERS = {
    "text": {"text": "Hello.", "reasoning": "Hm."},
    "text alone": {"text": "Hello."},
    "text before a call": {"text": "I look.", "reasoning": "Hm.", "tool_calls": [CALL]},
    "a call alone": {"tool_calls": [CALL]},
    "parallel calls": {"text": "I look.", "reasoning": "Hm.", "tool_calls": CALLS},
    "no arguments": {"reasoning": "Hm.", "tool_calls": [{"name": "get_weather", "arguments": ""}]},
    "invalid arguments": {"reasoning": "Hm.", "tool_calls": [{"name": "get_weather", "arguments": '{"city": '}]},
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
async def test_v3_events_are_valid(kimi: LocalKimi, sync: bool, version: str, answer: dict[str, Any]) -> None:
    kimi.enqueue(**answer)
    model = make(kimi, output_version=version, thinking="reasoning" in answer or None).bind_tools([get_weather])
    events, message = await events_of(model, sync=sync)
    assert_valid_event_stream(events)
    assert message.response_metadata["output_version"] == "v1"
    assert message.text == answer.get("text", "")
    assert len(message.tool_calls) + len(message.invalid_tool_calls) == len(answer.get("tool_calls", []))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
async def test_v3_events_know_all_that_is_known_at_the_end(kimi: LocalKimi, sync: bool, version: str) -> None:
    _, message = await events_of(make(kimi, output_version=version), sync=sync, said="Hello")
    assert message.usage_metadata["total_tokens"] > 0
    assert message.response_metadata["finish_reason"] == "stop"
    assert message.response_metadata["model_name"] == "kimi-k2.6"
    assert message.response_metadata["model_provider"] == "moonshot"


@pytest.mark.parametrize("version", VERSIONS)
async def test_v3_messages_have_the_reasoning_once(kimi: LocalKimi, version: str) -> None:
    kimi.enqueue(text="Hello.", reasoning="Hm, well.")
    _, message = await events_of(make(kimi, output_version=version), sync=True)
    assert json.dumps(message.model_dump()).count("Hm, well.") == 1


@pytest.mark.parametrize("version", VERSIONS)
def test_v3_messages_go_back_as_they_came(kimi: LocalKimi, version: str) -> None:
    model = make(kimi, output_version=version).bind_tools([get_weather])
    kimi.enqueue(**ANSWER)
    said = model.stream_events("Weather?", version="v3").output
    results = [ToolMessage("Sunny", tool_call_id=call["id"]) for call in said.tool_calls]
    model.invoke([HumanMessage("Weather?"), said, *results])
    sent = kimi.requests[-1].body["messages"][1]
    assert (sent["content"], sent["reasoning_content"]) == ("I look it up.", "I need it.")
    assert len(sent["tool_calls"]) == 2
    assert kimi.errors == []


def test_v3_projections_are_text_reasoning_and_calls(kimi: LocalKimi) -> None:
    kimi.enqueue(**ANSWER)
    stream = make(kimi).bind_tools([get_weather]).stream_events("Weather?", version="v3")
    assert "".join(stream.reasoning) == "I need it."
    assert "".join(stream.text) == "I look it up."
    assert [call["args"] for call in stream.output.tool_calls] == [{"city": "Paris"}, {"city": "Rome"}]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_cached_message_is_replayed_and_goes_back(kimi: LocalKimi, version: str) -> None:
    model = make(kimi, output_version=version, cache=InMemoryCache()).bind_tools([get_weather])
    kimi.enqueue(text="I look it up.", reasoning="I need it.", tool_calls=[CALL])
    first, again = model.invoke("Weather?"), model.invoke("Weather?")
    assert again.content_blocks == first.content_blocks
    model.invoke([HumanMessage("Weather?"), again, ToolMessage("Sunny", tool_call_id=again.tool_calls[0]["id"])])
    assert kimi.requests[-1].body["messages"][1]["reasoning_content"] == "I need it."


# ------------------------------------------------------------------------------------------------- LangGraph


@pytest.mark.skipif(OLD_GRAPHS, reason="graphs of this LangGraph have no protocol events: `Got: CompiledStateGraph`")
@pytest.mark.parametrize("version", VERSIONS)
def test_a_graph_that_streams_protocol_events_goes_on_with_the_next_turn(kimi: LocalKimi, version: str) -> None:
    """Its handler turns `invoke` into a v3 stream, so that the state holds v1 content."""
    from langchain.agents import create_agent

    agent = create_agent(make(kimi, output_version=version), [get_weather])
    run = agent.stream_events({"messages": [("user", "What is the weather in Paris?")]}, version="v3")
    messages = [message for message in run.messages if message.output is not None]
    assert [m.output.response_metadata["output_version"] for m in messages] == ["v1", "v1"]
    called, answered = (m.output for m in messages)
    assert called.tool_calls[0]["args"] == {"city": "Paris"}
    assert "Sunny in Paris." in answered.text
    assert all(r.body.get("stream") for r in kimi.requests)
    sent = kimi.requests[-1].body["messages"]
    assert sent[1]["reasoning_content"]
    assert {type(m.get("content")) for m in sent} <= {str, type(None)}
    assert kimi.errors == []


def test_messages_survive_langgraphs_serializer_in_both_versions(kimi: LocalKimi) -> None:
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

    for version in VERSIONS:
        kimi.enqueue(**ANSWER)
        answer = make(kimi, output_version=version).bind_tools([get_weather]).invoke("Weather?")
        serde = JsonPlusSerializer()
        assert serde.loads_typed(serde.dumps_typed(answer)) == answer
