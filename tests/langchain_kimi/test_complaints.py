"""What users of LangChain complain of with Kimi, and with reasoning models and compatible hosts at large.

Each of twenty complaints has one test or more, numbered as in the documentation (`docs/pages/complaints.md`).
"""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from collections.abc import Callable
from typing import Any

import openai
import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ToolStrategy
from langchain_core.callbacks import get_usage_metadata_callback
from langchain_core.exceptions import ContextOverflowError, ModelConnectionError, ModelRateLimitError, ModelTimeoutError
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from pydantic import BaseModel

from kimi_adapters.local_server import LocalKimi
from kimi_core import KimiWarning
from kimi_core.transport import sdk
from langchain_kimi import ChatKimi

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
IMAGE = {"type": "image", "base64": PIXEL, "mime_type": "image/png"}
CALL = {"name": "add", "arguments": {"a": 1, "b": 2}, "id": "add_0"}
OTHER_CALL = {"name": "add", "arguments": {"a": 3, "b": 4}, "id": "add_1"}


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class City(BaseModel):
    """A city."""

    name: str
    people: int


ABOUT = "Alora is a city named Alora with 4100 people."


@pytest.fixture
def make(kimi: LocalKimi) -> Callable[..., ChatKimi]:
    return lambda **given: ChatKimi(**{"base_url": kimi.base_url, "api_key": kimi.api_key, **given})


@pytest.fixture
def model(make: Callable[..., ChatKimi]) -> ChatKimi:
    return make()


# ---------------------------------------------------------------------------------------------------- the ways


def _invoked(model: Any, said: Any) -> AIMessage:
    return model.invoke(said)


def _ainvoked(model: Any, said: Any) -> AIMessage:
    return asyncio.run(model.ainvoke(said))


def _streamed(model: Any, said: Any) -> AIMessage:
    return _sum(list(model.stream(said)))


def _astreamed(model: Any, said: Any) -> AIMessage:
    async def collect() -> list[Any]:
        return [chunk async for chunk in model.astream(said)]

    return _sum(asyncio.run(collect()))


def _sum(chunks: list[Any]) -> Any:
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    return whole


Ask = Callable[[Any, Any], AIMessage]
ways = pytest.mark.parametrize("ask", [_invoked, _ainvoked, _streamed, _astreamed])
streams = pytest.mark.parametrize("ask", [_streamed, _astreamed])


def _sent(kimi: LocalKimi, index: int = -1) -> Any:
    return kimi.requests[index].body


def _frames(*deltas: dict[str, Any], finish: str = "stop", **last: Any) -> list[Any]:
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "kimi-k2.6"}
    made = [{**head, "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    return [*made, {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish, **last}]}]


def _named(index: int | None, id: str | None, arguments: Any) -> dict[str, Any]:
    call = {"id": id, "type": "function", "function": {"name": "add", "arguments": arguments}}
    return call if index is None else {"index": index, **call}


# --------------------------------------------------------------------------------------------------- reasoning


@ways
def test_complaint_01_reasoning_is_sent_back_on_tool_turns(model: ChatKimi, kimi: LocalKimi, ask: Ask) -> None:
    kimi.enqueue(reasoning="I add.", tool_calls=[CALL])
    bound = model.bind_tools([add])
    first = ask(bound, "What is 1 + 2?")
    ask(bound, [HumanMessage("What is 1 + 2?"), first, ToolMessage("3", tool_call_id="add_0")])
    assert _sent(kimi)["messages"][1]["reasoning_content"] == "I add."


@ways
def test_complaint_01_reasoning_goes_back_from_blocks_too(
    make: Callable[..., ChatKimi], kimi: LocalKimi, ask: Ask
) -> None:
    kimi.enqueue(reasoning="I add.", tool_calls=[CALL])
    bound = make(output_version="v1").bind_tools([add])
    first = ask(bound, "What is 1 + 2?")
    ask(bound, [HumanMessage("What is 1 + 2?"), first, ToolMessage("3", tool_call_id="add_0")])
    assert _sent(kimi)["messages"][1]["reasoning_content"] == "I add."


def test_complaint_01_a_foreign_tool_turn_gets_a_placeholder(model: ChatKimi, kimi: LocalKimi) -> None:
    call = {"name": "add", "args": {"a": 1, "b": 2}, "id": "call_1"}
    history = [HumanMessage("1 + 2?"), AIMessage("", tool_calls=[call]), ToolMessage("3", tool_call_id="call_1")]
    with pytest.warns(KimiWarning, match="repaired"):
        model.bind_tools([add]).invoke(history)
    assert _sent(kimi)["messages"][1]["reasoning_content"] == " "


@ways
def test_complaint_02_reasoning_is_not_dropped(model: ChatKimi, kimi: LocalKimi, ask: Ask) -> None:
    kimi.enqueue(text="Paris.", reasoning="France, so Paris.")
    blocks = ask(model, "The capital of France?").content_blocks
    assert [(block["type"], block.get("reasoning") or block.get("text")) for block in blocks] == [
        ("reasoning", "France, so Paris."),
        ("text", "Paris."),
    ]


@pytest.mark.parametrize("key", ["reasoning", "reasoning_content"])
@streams
def test_complaint_02_reasoning_is_read_under_either_key(model: ChatKimi, kimi: LocalKimi, ask: Ask, key: str) -> None:
    kimi.enqueue(sse=_frames({key: "France, "}, {key: "so Paris."}, {"content": "Paris."}))
    assert ask(model, "The capital of France?").content_blocks[0]["reasoning"] == "France, so Paris."  # type: ignore[typeddict-item]


def test_complaint_03_thinking_of_earlier_turns_is_kept_on_request(
    make: Callable[..., ChatKimi], kimi: LocalKimi
) -> None:
    model = make(thinking={"type": "enabled", "keep": "all"})
    first = model.invoke("What is 2 + 3?")
    model.invoke([HumanMessage("What is 2 + 3?"), first, HumanMessage("And 4 + 5?")])
    assert _sent(kimi)["thinking"] == {"type": "enabled", "keep": "all"}
    assert _sent(kimi)["messages"][1]["reasoning_content"] == first.additional_kwargs["reasoning_content"]


def test_complaint_04_tools_can_be_bound(model: ChatKimi, kimi: LocalKimi) -> None:
    kimi.enqueue(tool_calls=[CALL])
    assert model.bind_tools([add]).invoke("What is 1 + 2?").tool_calls[0]["args"] == {"a": 1, "b": 2}


# ------------------------------------------------------------------------------------------------- structured


@pytest.mark.filterwarnings("ignore:tool_choice 'City' is not sent:kimi_core.KimiWarning")
@pytest.mark.parametrize("thinking", [None, True, False])
@pytest.mark.parametrize("method", ["auto", "json_schema", "function_calling"])
def test_complaint_05_objects_come_whether_it_thinks_or_not(
    make: Callable[..., ChatKimi], kimi: LocalKimi, thinking: bool | None, method: Any
) -> None:
    model = make(thinking=thinking)
    assert model.with_structured_output(City, method=method).invoke(ABOUT) == City(name="Alora", people=4100)
    assert kimi.errors == []


def test_complaint_05_an_agents_tool_strategy_works(model: ChatKimi, kimi: LocalKimi) -> None:
    agent = create_agent(model, [], response_format=ToolStrategy(City))
    answer = agent.invoke({"messages": [HumanMessage(ABOUT)]})["structured_response"]
    assert answer == City(name="Alora", people=4100)
    assert kimi.errors == []


def test_complaint_06_a_host_without_json_schema_is_asked_in_another_way(kimi: LocalKimi) -> None:
    model = ChatKimi(
        base_url=kimi.base_url, api_key=kimi.api_key, overrides={"structured.ways": ("function_calling", "json_object")}
    )
    model.with_structured_output(City).invoke(ABOUT)
    assert "response_format" not in _sent(kimi)
    assert _sent(kimi)["tools"][0]["function"]["name"] == "City"


# ------------------------------------------------------------------------------------------------------- tools


@streams
@pytest.mark.parametrize("version", ["v0", "v1"])
def test_complaint_07_a_preamble_does_not_swallow_the_call(
    make: Callable[..., ChatKimi], kimi: LocalKimi, ask: Ask, version: str
) -> None:
    kimi.enqueue(reasoning="I add.", text="I will add.", tool_calls=[CALL])
    message = ask(make(output_version=version).bind_tools([add]), "What is 1 + 2?")
    assert [block["type"] for block in message.content_blocks] == ["reasoning", "text", "tool_call"]
    assert message.tool_calls[0]["args"] == {"a": 1, "b": 2}


ONE, TWO = '{"a":1,"b":2}', '{"a":3,"b":4}'


@streams
@pytest.mark.parametrize(
    "deltas",
    [
        [[_named(0, "x", ONE), _named(1, "y", TWO)]],
        [[_named(0, "x", ONE)], [_named(0, "y", TWO)]],
        [[_named(None, "x", ONE)], [_named(None, "y", TWO)]],
        [[_named(0, "", ONE)], [_named(1, "", TWO)]],
        [[_named(0, None, ONE)], [_named(1, None, TWO)]],
        [[_named(0, "x", {"a": 1, "b": 2})], [_named(1, "y", {"a": 3, "b": 4})]],
        [
            [_named(0, "x", ONE[:5]), _named(1, "y", TWO[:5])],
            [{"index": 0, "function": {"arguments": ONE[5:]}}, {"index": 1, "function": {"arguments": TWO[5:]}}],
        ],
    ],
    ids=["one chunk", "all of index 0", "no index", "empty ids", "null ids", "objects", "interleaved"],
)
def test_complaint_08_parallel_streamed_calls_stay_apart(
    model: ChatKimi, kimi: LocalKimi, ask: Ask, deltas: list[Any]
) -> None:
    kimi.enqueue(sse=_frames(*({"tool_calls": delta} for delta in deltas), finish="tool_calls"))
    calls = ask(model.bind_tools([add]), "Add.").tool_calls
    assert [call["args"] for call in calls] == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]
    assert len({call["id"] for call in calls}) == 2


# ------------------------------------------------------------------------------------------------------- usage

USAGE = {"prompt_tokens": 11, "completion_tokens": 22, "total_tokens": 33, "cached_tokens": 4}


@streams
@pytest.mark.parametrize("in_choice", [True, False])
def test_complaint_09_streams_report_usage_wherever_the_host_puts_it(
    model: ChatKimi, kimi: LocalKimi, ask: Ask, in_choice: bool
) -> None:
    frames = _frames({"content": "Hi."}, **({"usage": USAGE} if in_choice else {}))
    kimi.enqueue(sse=frames if in_choice else [*frames, {**frames[0], "choices": [], "usage": USAGE}])
    usage = ask(model, "Hello").usage_metadata
    assert _sent(kimi)["stream_options"] == {"include_usage": True}
    assert usage is not None
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (11, 22, 33)


@ways
@pytest.mark.parametrize(
    "told", [{"cached_tokens": 4}, {"prompt_tokens_details": {"cached_tokens": 4}}], ids=["top level", "nested"]
)
def test_complaint_10_cached_and_reasoning_tokens_are_kept(
    model: ChatKimi, kimi: LocalKimi, ask: Ask, told: dict[str, Any]
) -> None:
    usage = {"prompt_tokens": 11, "completion_tokens": 22, "total_tokens": 33, **told}
    kimi.enqueue(text="Hi.", usage={**usage, "completion_tokens_details": {"reasoning_tokens": 9}})
    message = ask(model, "Hello")
    assert message.usage_metadata is not None
    assert message.usage_metadata["input_token_details"] == {"cache_read": 4}
    assert message.usage_metadata["output_token_details"] == {"reasoning": 9}
    assert message.response_metadata["token_usage"]["prompt_tokens"] == 11


@streams
def test_complaint_11_metadata_comes_once_even_if_the_host_says_it_twice(
    model: ChatKimi, kimi: LocalKimi, ask: Ask
) -> None:
    frames = _frames({"content": "Hi."})
    kimi.enqueue(sse=[*frames, frames[-1]])
    metadata = ask(model, "Hello").response_metadata
    assert (metadata["finish_reason"], metadata["model_name"]) == ("stop", "kimi-k2.6")


# ------------------------------------------------------------------------------------------------- connections


def test_complaint_12_every_event_loop_makes_exactly_its_requests(model: ChatKimi, kimi: LocalKimi) -> None:
    for _ in range(10):
        asyncio.run(model.ainvoke("Hello"))
    assert len(kimi.requests) == 10


def test_complaint_13_models_share_their_connections(make: Callable[..., ChatKimi], kimi: LocalKimi) -> None:
    models = [make() for _ in range(20)]
    for model in models:
        model.invoke("Hello")
    clients = {id(sdk.client(model._client.settings)) for model in models}
    assert len(clients) == 1


def test_complaint_13_no_model_is_kept_alive_by_its_client(make: Callable[..., ChatKimi]) -> None:
    model = make()
    model.invoke("Hello")
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


@streams
def test_complaint_14_a_stream_that_breaks_off_is_an_error_with_what_came(
    model: ChatKimi, kimi: LocalKimi, ask: Ask
) -> None:
    kimi.enqueue(sse=_frames({"content": "The first half"})[:1], done=False, cut=True)
    with pytest.raises(ModelConnectionError) as caught:
        ask(model, "Hello")
    assert caught.value.partial.text == "The first half"  # type: ignore[attr-defined]
    assert len(kimi.requests) == 1


@streams
def test_complaint_14_a_stream_without_an_end_is_no_success(model: ChatKimi, kimi: LocalKimi, ask: Ask) -> None:
    kimi.enqueue(sse=_frames({"content": "The first half"})[:1], done=False)
    with pytest.raises(Exception, match="finish"):
        ask(model, "Hello")


@streams
def test_complaint_15_a_stream_that_stands_still_ends(make: Callable[..., ChatKimi], ask: Ask) -> None:
    with LocalKimi(chunk_delay=2.0) as slow:
        model = make(base_url=slow.base_url, api_key=slow.api_key, timeout=0.2, max_retries=0)
        with pytest.raises(ModelTimeoutError):
            ask(model, "Hello")


# ---------------------------------------------------------------------------------------------------- messages


@pytest.mark.filterwarnings("ignore:The conversation was repaired .* pictures in a tool")
@pytest.mark.parametrize("tool_media", [True, False])
def test_complaint_16_pictures_of_tools_go_inline_or_behind(kimi: LocalKimi, tool_media: bool) -> None:
    model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, overrides={"tools.media_results": tool_media})
    call = {"name": "add", "args": {"a": 1, "b": 2}, "id": "add_0"}
    turn = AIMessage("", tool_calls=[call], additional_kwargs={"reasoning_content": "I look."})
    result = ToolMessage([{"type": "text", "text": "Here:"}, IMAGE], tool_call_id="add_0")
    model.bind_tools([add]).invoke([HumanMessage("Look."), turn, result])
    messages = _sent(kimi)["messages"]
    assert ("image_url" in json.dumps(messages[2])) is tool_media
    assert "image_url" in json.dumps(messages)
    assert model.profile is not None
    assert model.profile["image_tool_message"] is tool_media


def test_complaint_17_reasoning_blocks_do_not_leak_into_content(model: ChatKimi, kimi: LocalKimi) -> None:
    blocks: Any = [
        {"type": "reasoning", "reasoning": "Hm."},
        {"type": "thinking", "thinking": "Hm.", "signature": "x"},
        {"type": "text", "text": "Paris."},
    ]
    model.invoke([HumanMessage("The capital of France?"), AIMessage(blocks), HumanMessage("Sure?")])
    assert _sent(kimi)["messages"][1]["content"] == "Paris."


@ways
@pytest.mark.parametrize("version", ["v0", "v1"])
def test_complaint_18_messages_are_plain_and_survive_a_checkpoint(
    make: Callable[..., ChatKimi], kimi: LocalKimi, ask: Ask, version: str
) -> None:
    kimi.enqueue(reasoning="I add.", text="So:", tool_calls=[CALL])
    message = ask(make(output_version=version).bind_tools([add]), "What is 1 + 2?")
    assert type(message) in (AIMessage, AIMessageChunk)
    serde = JsonPlusSerializer()
    assert serde.loads_typed(serde.dumps_typed(message)) == message
    json.dumps(message.model_dump())


@ways
def test_complaint_19_usage_is_summed_over_calls(model: ChatKimi, ask: Ask) -> None:
    with get_usage_metadata_callback() as usage:
        first, second = ask(model, "Hello"), ask(model, "Hello")
    total = sum(message.usage_metadata["total_tokens"] for message in (first, second))  # type: ignore[index]
    assert usage.usage_metadata["kimi-k2.6"]["total_tokens"] == total


@ways
def test_complaint_20_a_pinned_temperature_is_left_out_with_one_warning(
    make: Callable[..., ChatKimi], kimi: LocalKimi, ask: Ask
) -> None:
    model = make(temperature=0)
    with pytest.warns(KimiWarning, match="temperature"):
        ask(model, "Hello")
    ask(model, "Hello")  # warnings are errors here: there is no second one
    assert "temperature" not in _sent(kimi)
    assert kimi.errors == []


def test_complaint_20_an_overflow_is_known_as_one(model: ChatKimi, kimi: LocalKimi) -> None:
    message = "Invalid request: Your request exceeded model token limit: 262144 (requested: 269030)"
    kimi.fail(1, status=400, type="invalid_request_error", message=message)
    with pytest.raises(ContextOverflowError):
        model.invoke("Hello")


def test_complaint_20_a_quota_that_is_used_up_is_not_tried_again(model: ChatKimi, kimi: LocalKimi) -> None:
    kimi.fail(5, status=429, type="exceeded_current_quota_error")
    with pytest.raises(ModelRateLimitError) as caught:
        model.invoke("Hello")
    assert caught.value.is_retryable is False
    assert len(kimi.requests) == 1
    assert isinstance(caught.value, openai.RateLimitError)


def test_complaint_20_an_overload_is_tried_again(model: ChatKimi, kimi: LocalKimi) -> None:
    kimi.fail(2)
    assert model.invoke([SystemMessage("Be brief."), HumanMessage("Hello")]).text
    assert len(kimi.requests) == 3
