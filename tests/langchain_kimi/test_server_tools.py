"""Server tools in LangChain: standard blocks, every kind of stream, and messages that come back from anywhere."""

from __future__ import annotations

import json
import operator
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from inline_snapshot import snapshot
from langchain_core.caches import InMemoryCache
from langchain_core.load import dumpd, load
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    HumanMessage,
    message_to_dict,
    messages_from_dict,
)
from langchain_tests.utils.stream_lifecycle import assert_valid_event_stream
from langchain_ways import ask, plain
from pydantic import BaseModel
from served_answers import answers, events

import kimi_core as core
from kimi_adapters.local_server import LocalKimi
from kimi_core import Reasoning, Response
from langchain_kimi import ChatKimi, prefill
from langchain_kimi._messages_in import to_messages
from langchain_kimi._messages_out import MessageFormat, to_ai_message
from langchain_kimi._streaming import ServerToolChunkMaker

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*(beta|experimental):langchain_core._api.LangChainBetaWarning"),
]
MODES = ["invoke", "ainvoke", "stream", "astream"]
VERSIONS = ["v0", "v1"]
DATE = core.formula("moonshot/date:latest")


def ping(x: str) -> str:
    """Ping."""
    return f"pong {x}"


def days(n: int) -> dict[str, Any]:
    end = f"2026-01-{n + 1:02}"
    return {"name": "date", "arguments": {"operation": "between", "date1": "2026-01-01", "date2": end}}


def make(kimi: LocalKimi, *tools: Any, **words: Any) -> Any:
    model = ChatKimi(model="kimi-k3", base_url=kimi.base_url, api_key=kimi.api_key, **words)
    return model.bind_tools(tools) if tools else model


def script(kimi: LocalKimi) -> None:
    kimi.enqueue(text="Let me see.", reasoning="Two.", tool_calls=[days(3), {"name": "date", "arguments": "{}"}])
    kimi.enqueue(text="Nearly.", reasoning="Both.", tool_calls=[{"name": "ping", "arguments": {"x": "1"}}, days(6)])


# ----------------------------------------------------------------------------------------------------- blocks


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("mode", MODES)
async def test_content_blocks_tell_all_turns_in_order(kimi: LocalKimi, mode: str, version: str) -> None:
    script(kimi)
    message = await ask(make(kimi, DATE, ping, output_version=version), mode)
    assert plain(message.content_blocks) == snapshot(
        [
            {"type": "reasoning", "reasoning": "Two.", "extras": {"reasoning_key": "reasoning_content"}},
            {"type": "text", "text": "Let me see."},
            {
                "type": "server_tool_call",
                "id": "date_0",
                "name": "date",
                "args": {"operation": "between", "date1": "2026-01-01", "date2": "2026-01-04"},
            },
            {"type": "server_tool_call", "id": "date_1", "name": "date", "args": {}},
            {"type": "server_tool_result", "tool_call_id": "date_0", "status": "success", "output": "3 days"},
            {
                "type": "server_tool_result",
                "tool_call_id": "date_1",
                "status": "error",
                "output": "unsupported operation: None",
            },
            {"type": "reasoning", "reasoning": "Both."},
            {"type": "text", "text": "Nearly."},
            {"name": "ping", "args": {"x": "1"}, "id": "ping_0", "type": "tool_call"},
            {
                "type": "server_tool_call",
                "id": "date_1",
                "name": "date",
                "args": {"operation": "between", "date1": "2026-01-01", "date2": "2026-01-07"},
                "extras": {"position": 1},
            },
            {"type": "server_tool_result", "tool_call_id": "date_1", "status": "success", "output": "6 days"},
        ]
    )
    assert [call["name"] for call in message.tool_calls] == ["ping"]
    assert message.text == "Let me see.Nearly."
    assert isinstance(message.content, str if version == "v0" else list)


@pytest.mark.parametrize("mode", ["stream", "astream"])
@pytest.mark.parametrize("version", VERSIONS)
async def test_calls_and_results_are_told_as_they_happen(kimi: LocalKimi, mode: str, version: str) -> None:
    script(kimi)
    model = make(kimi, DATE, ping, output_version=version)
    chunks = list(model.stream("Go.")) if mode == "stream" else [chunk async for chunk in model.astream("Go.")]
    kinds = [block["type"] for chunk in chunks for block in chunk.content_blocks if chunk.chunk_position != "last"]
    assert [kind for kind in kinds if kind.startswith("server")] == [
        *("server_tool_call", "server_tool_call", "server_tool_result", "server_tool_result"),
        *("server_tool_call", "server_tool_result"),
    ]
    assert kinds.index("server_tool_result") < len(kinds) - kinds[::-1].index("text") - 1


@pytest.mark.parametrize("version", VERSIONS)
async def test_v3_events_are_valid_and_their_message_is_the_invoked_one(kimi: LocalKimi, version: str) -> None:
    model = make(kimi, DATE, ping, output_version=version)
    script(kimi)
    invoked = model.invoke("Go.")
    script(kimi)
    stream = model.stream_events("Go.", version="v3")
    assert_valid_event_stream(list(stream))
    script(kimi)
    astream = await model.astream_events("Go.", version="v3")
    for output in (stream.output, await astream):
        assert plain(output.content) == plain(invoked.content_blocks)
        assert to_messages([output]) == to_messages([invoked])
        assert output.usage_metadata["output_tokens"] == invoked.usage_metadata["output_tokens"]


@pytest.mark.parametrize("version", VERSIONS)
def test_token_usage_of_the_metadata_is_of_all_rounds(kimi: LocalKimi, version: str) -> None:
    script(kimi)
    message = make(kimi, DATE, ping, output_version=version).invoke("Go.")
    told = message.response_metadata["token_usage"]
    assert told["prompt_tokens"] == message.usage_metadata["input_tokens"]
    assert told["completion_tokens"] == message.usage_metadata["output_tokens"]


# --------------------------------------------------------------------------------------------------- coming back


def _loaded(message: Any) -> Any:
    return load(dumpd(message), allowed_objects="all")


def _from_json(message: Any) -> Any:
    return messages_from_dict(json.loads(json.dumps([message_to_dict(message)])))[0]


def _checkpointed(message: Any) -> Any:
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

    serializer = JsonPlusSerializer()
    return serializer.loads_typed(serializer.dumps_typed(message))


def _as_v1(message: Any) -> Any:
    """What LangChain makes of a message of another version."""
    metadata = {**message.response_metadata, "output_version": "v1"}
    return message.model_copy(update={"content": message.content_blocks, "response_metadata": metadata})


WAYS = [_loaded, _from_json, _checkpointed, _as_v1, lambda message: message.model_copy(deep=True)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", ["invoke", "stream"])
@pytest.mark.parametrize("version", VERSIONS)
async def test_steps_survive_the_ways_that_messages_take(kimi: LocalKimi, version: str, mode: str, way: Any) -> None:
    script(kimi)
    message = await ask(make(kimi, DATE, ping, output_version=version), mode)
    (said,) = to_messages([message])
    assert len(said.steps) == 2
    assert to_messages([way(message)]) == [said]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("mode", ["invoke", "ainvoke"])
async def test_a_cache_gives_the_turns_back(kimi: LocalKimi, mode: str, version: str) -> None:
    script(kimi)
    model = make(kimi, DATE, ping, output_version=version, cache=InMemoryCache())
    first = await ask(model, mode)
    asked = len(kimi.requests)
    assert to_messages([await ask(model, mode)]) == to_messages([first])
    assert len(kimi.requests) == asked


def test_a_text_that_was_changed_since_is_sent_as_it_is_now(kimi: LocalKimi) -> None:
    script(kimi)
    message = make(kimi, DATE, ping).invoke("Go.")
    message.content = "[removed]"
    message.additional_kwargs.pop("reasoning_content")
    (said,) = to_messages([message])
    assert said.content == "[removed]"
    assert [(step.text, step.reasoning and step.reasoning.text) for step in said.steps] == [("", None), ("", None)]
    assert len(said.steps[0].calls) == 2


@pytest.mark.parametrize("version", VERSIONS)
def test_a_stream_that_was_left_within_a_turn_can_be_sent_back(kimi: LocalKimi, version: str) -> None:
    kimi.enqueue(text="Let me see.", reasoning="Hm.", tool_calls=[days(1)])
    chunks = make(kimi, DATE, output_version=version).stream("Go.")
    came = next(chunks)
    while not any(block["type"] == "server_tool_call" for block in came.content_blocks):
        came += next(chunks)
    chunks.close()
    (said,) = to_messages([came])
    assert (said.content, said.reasoning and said.reasoning.text) == ("Let me see.", "Hm.")
    assert [(step.open, step.calls[0].output) for step in said.steps] == [(True, None)]


@pytest.mark.parametrize("record", [1, "x", [1], [{"calls": [{}]}], [{"calls": "x"}]])
def test_a_record_that_is_none_is_refused(kimi: LocalKimi, record: Any) -> None:
    message = AIMessage("Hello", additional_kwargs={"server_turns": record})
    with pytest.raises(core.MessageError, match="is no record of server tools"):
        make(kimi).invoke([("user", "Hi"), message, ("user", "And?")])
    assert kimi.requests == []


def test_server_tools_of_other_providers_are_left_out_as_ever(kimi: LocalKimi) -> None:
    call = {"type": "server_tool_call", "id": "s1", "name": "web_search", "args": {"q": "x"}}
    message = AIMessage([call, {"type": "text", "text": "Found."}], response_metadata={"model_provider": "anthropic"})
    with pytest.warns(core.KimiWarning, match="server_tool_call"):
        make(kimi).invoke([("user", "Hi"), message, ("user", "And?")])
    assert kimi.requests[0].body["messages"][1]["content"] == "Found."


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("mode", MODES)
async def test_an_answer_that_was_begun_keeps_its_beginning(kimi: LocalKimi, mode: str, version: str) -> None:
    kimi.enqueue(text=" two,", tool_calls=[days(2)])
    kimi.enqueue(text=" three.")
    model = make(kimi, DATE, output_version=version, include_prefill=True)
    message = await ask(model, mode, [HumanMessage("Count."), prefill("One,")])
    assert message.text == "One, two, three."
    (said,) = to_messages([message])
    assert (said.steps[0].text, said.content) == ("One, two,", " three.")


@pytest.mark.parametrize("version", VERSIONS)
def test_tokens_of_the_turns_are_counted(kimi: LocalKimi, version: str) -> None:
    script(kimi)
    model = ChatKimi(model="kimi-k3", base_url=kimi.base_url, api_key=kimi.api_key, output_version=version)
    message = model.bind_tools([DATE, ping]).invoke("Go.")
    alone = message.model_copy(update={"content": "Nearly.", "additional_kwargs": {}})
    counted = [model.get_num_tokens_from_messages([one]) for one in (message, alone)]
    assert counted[0] > counted[1] + 40


# ---------------------------------------------------------------------------------------- agents and structures


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("mode", ["invoke", "stream"])
def test_an_agent_uses_them_beside_its_own_tools(kimi: LocalKimi, mode: str, version: str) -> None:
    from langchain.agents import create_agent
    from langgraph.checkpoint.memory import InMemorySaver

    script(kimi)
    kimi.enqueue(text="Done.", reasoning="All.")
    kimi.enqueue(text="Yes.")
    agent = create_agent(make(kimi, output_version=version), [ping, DATE], checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    for text in ("Go.", "Sure?"):
        said: Any = {"messages": [HumanMessage(text)]}
        if mode == "invoke":
            agent.invoke(said, config)
        else:
            list(agent.stream(said, config, stream_mode="messages"))
    asked = [r.body["messages"] for r in kimi.requests if r.path.endswith("/chat/completions")]
    assert len(asked) == 4
    for before, after in zip(asked, asked[1:], strict=False):
        assert after[: len(before)] == before
    assert [m["role"] for m in asked[-1]] == [
        *("user", "assistant", "tool", "tool", "assistant", "tool", "tool", "assistant", "user")
    ]
    assert kimi.errors == []


class Length(BaseModel):
    """How long it takes."""

    days: int


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("mode", MODES)
async def test_what_was_said_before_is_no_part_of_an_object(kimi: LocalKimi, mode: str, version: str) -> None:
    kimi.enqueue(text='I look {"it": "up"}.', tool_calls=[days(3)], unchecked=True)
    kimi.enqueue(text='{"days": 3}')
    model = make(kimi, output_version=version, server_tools=["moonshot/date:latest"])
    structured = model.with_structured_output(Length)
    if "stream" in mode:
        parsed = list(structured.stream("Go.")) if mode == "stream" else [o async for o in structured.astream("Go.")]
        assert parsed[-1] == Length(days=3)
    else:
        assert await ask(structured, mode) == Length(days=3)


def test_server_tools_are_part_of_what_identifies_a_model(kimi: LocalKimi) -> None:
    params = make(kimi, server_tools=["$web_search"], max_server_rounds=3)._identifying_params
    assert (params["server_tools"], params["max_server_rounds"]) == (["$web_search"], 3)


# --------------------------------------------------------------------------------------- whatever an answer is


def streamed(answer: Response, message_format: MessageFormat) -> AIMessageChunk:
    maker = ServerToolChunkMaker(message_format)
    return reduce(operator.add, [chunk.message for event in events(answer) for chunk in maker.feed(event)])


@pytest.mark.parametrize("v1", [False, True], ids=VERSIONS)
@given(answers())
def test_the_steps_of_a_message_are_those_of_the_answer(v1: bool, answer: Response) -> None:
    message_format = MessageFormat(host="moonshot", v1=v1, served=True)
    for message in (to_ai_message(answer, message_format), streamed(answer, message_format)):
        (said,) = to_messages([message])
        assert said.steps == answer.steps
        assert said.content == answer.text
        assert (said.reasoning or Reasoning("")) == (answer.reasoning or Reasoning(""))
        assert [call.id for call in said.tool_calls] == [call.id for call in answer.tool_calls]


@pytest.mark.parametrize("v1", [False, True], ids=VERSIONS)
@given(answers())
def test_a_streamed_message_is_the_whole_one(v1: bool, answer: Response) -> None:
    message_format = MessageFormat(host="moonshot", v1=v1, served=True)
    whole, merged = to_ai_message(answer, message_format), streamed(answer, message_format)
    assert plain(merged.content_blocks) == plain(whole.content_blocks)
    assert merged.additional_kwargs == whole.additional_kwargs
    assert merged.text == whole.text
    assert merged.usage_metadata == whole.usage_metadata
