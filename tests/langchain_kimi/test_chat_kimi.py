"""What only LangChain asks of a chat model."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, TypedDict

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler, get_usage_metadata_callback
from langchain_core.exceptions import OutputParserException
from langchain_core.load import dumpd, load
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.runnables import ConfigurableField
from pydantic import BaseModel
from pydantic.v1 import BaseModel as BaseModelV1

import kimi_core
from kimi_adapters.local_server import LocalKimi
from kimi_core import HOSTS, ConfigError
from kimi_core.hosts.patches import facts_of
from langchain_kimi import ChatKimi


def get_weather(city: str) -> str:
    """Say what the weather is like in a city."""
    return f"Sunny in {city}."


class Heard(BaseCallbackHandler):
    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.chunks: list[Any] = []

    def on_llm_new_token(self, token: Any, *, chunk: Any = None, **_: Any) -> None:
        self.tokens.append(token)
        self.chunks.append(chunk)


def test_tokens_reach_callbacks_while_streaming(model: ChatKimi) -> None:
    heard = Heard()
    text = "".join(str(c.text) for c in model.stream("Hello", config={"callbacks": [heard]}))
    assert "".join(heard.tokens) == text
    assert all(c.message is not None for c in heard.chunks)


@pytest.mark.parametrize("streaming", [True, False])
def test_streaming_as_a_field_makes_invoke_stream(kimi: LocalKimi, streaming: bool) -> None:
    model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, streaming=streaming)
    assert model.invoke("Hello").usage_metadata["total_tokens"] > 0
    assert bool(kimi.requests[-1].body.get("stream")) is streaming


def test_a_batch_is_one_request_each(model: ChatKimi, kimi: LocalKimi) -> None:
    answers = model.batch(["What is 2 + 3?", "What is 4 + 5?"])
    assert ["5" in answers[0].text, "9" in answers[1].text] == [True, True]
    assert len(kimi.requests) == 2


async def test_an_async_batch_is_one_request_each(model: ChatKimi, kimi: LocalKimi) -> None:
    await model.abatch(["Hello", "Hi"])
    assert len(kimi.requests) == 2


def test_metadata_and_usage_come_on_the_last_chunk_alone(model: ChatKimi) -> None:
    chunks = list(model.stream("Hello"))
    assert [c.chunk_position for c in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1].chunk_position == "last"
    assert [c.usage_metadata for c in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert all(set(c.response_metadata) == {"model_provider"} for c in chunks[:-1])
    assert chunks[-1].response_metadata["finish_reason"] == "stop"


def test_chunks_share_nothing_that_can_be_changed(model: ChatKimi) -> None:
    first, second, *_ = list(model.stream("Hello"))
    for name in ("additional_kwargs", "tool_calls", "invalid_tool_calls", "tool_call_chunks", "response_metadata"):
        assert getattr(first, name) is not getattr(second, name)


def test_a_light_chunk_equals_one_made_the_ordinary_way(model: ChatKimi) -> None:
    chunk = next(c for c in model.stream("Hello") if c.text)
    ordinary = AIMessageChunk(content=chunk.content, response_metadata={"model_provider": "moonshot"}, id=chunk.id)
    assert chunk == ordinary
    assert chunk.model_dump() == ordinary.model_dump()
    assert AIMessageChunk.model_validate(chunk.model_dump()) == chunk


def test_long_arguments_come_in_few_chunks(model: ChatKimi, kimi: LocalKimi) -> None:
    """LangChain parses the partial JSON of every chunk: single tokens of arguments would cost more than all else."""
    arguments = json.dumps({"city": "x" * 4000})
    kimi.enqueue(tool_calls=[{"name": "get_weather", "arguments": arguments}], reasoning="Hm.")
    chunks = list(model.bind_tools([get_weather]).stream("Weather?"))
    pieces = [c for c in chunks if c.tool_call_chunks]
    full: Any = sum(chunks[1:], chunks[0])
    assert full.tool_calls[0]["args"] == {"city": "x" * 4000}
    assert len(pieces) <= 4000 / 256 + 3


def test_invalid_arguments_become_invalid_tool_calls(model: ChatKimi, kimi: LocalKimi) -> None:
    kimi.enqueue(tool_calls=[{"name": "get_weather", "arguments": '{"city": '}], reasoning="Hm.")
    answer = model.bind_tools([get_weather]).invoke("Weather?")
    assert answer.tool_calls == []
    assert answer.invalid_tool_calls[0]["args"] == '{"city": '


def test_usage_callbacks_add_up_over_calls(model: ChatKimi) -> None:
    with get_usage_metadata_callback() as usage:
        model.invoke("Hello")
        list(model.stream("Hello"))
    (total,) = usage.usage_metadata.values()
    assert total["output_tokens"] > 0
    assert total["input_token_details"]["cache_read"] >= 0


def test_every_message_says_who_made_the_model(model: ChatKimi) -> None:
    assert model.invoke("Hello").response_metadata["model_provider"] == model._get_ls_params()["ls_provider"]
    assert model.invoke("Hello").response_metadata["host"] == "moonshot"


@pytest.mark.parametrize("output_version", ["v0", "v1"])
def test_blocks_are_reasoning_text_and_calls(kimi: LocalKimi, output_version: str) -> None:
    made = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, output_version=output_version)
    model = made.bind_tools([get_weather])
    call = {"name": "get_weather", "arguments": {"city": "Paris"}}
    for streamed in (False, True):
        kimi.enqueue(text="I look it up.", reasoning="I need it.", tool_calls=[call])
        chunks = list(model.stream("Weather?")) if streamed else [model.invoke("Weather?")]
        message: Any = chunks[0] if not streamed else sum(chunks[1:], chunks[0])
        kinds = [b["type"] for b in message.content_blocks]
        assert kinds == ["reasoning", "text", "tool_call"]
        assert [b.get("reasoning") or b.get("text") or b.get("args") for b in message.content_blocks] == [
            "I need it.",
            "I look it up.",
            {"city": "Paris"},
        ]


def test_v1_messages_go_back_as_they_came(kimi: LocalKimi) -> None:
    made = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, output_version="v1")
    model = made.bind_tools([get_weather])
    kimi.enqueue(text="I look it up.", reasoning="I need it.", tool_calls=[{"name": "get_weather", "arguments": "{}"}])
    said = model.invoke("Weather?")
    model.invoke(
        [HumanMessage("Weather?"), said, {"role": "tool", "content": "Sunny", "tool_call_id": said.tool_calls[0]["id"]}]
    )
    sent = kimi.requests[-1].body["messages"][1]
    assert (sent["content"], sent["reasoning_content"]) == ("I look it up.", "I need it.")


class Point(TypedDict):
    """A point."""

    x: int
    y: int


class PointModel(BaseModel):
    """A point."""

    x: int
    y: int


class PointV1(BaseModelV1):
    """A point."""

    x: int
    y: int


SCHEMAS = [PointModel, PointV1, Point, PointModel.model_json_schema()]


@pytest.mark.parametrize("method", ["auto", "json_schema", "function_calling", "json_mode"])
@pytest.mark.parametrize("schema", SCHEMAS, ids=["pydantic", "pydantic v1", "TypedDict", "JSON schema"])
def test_every_kind_of_schema_by_every_method(model: ChatKimi, kimi: LocalKimi, method: Any, schema: Any) -> None:
    bound = model.with_structured_output(schema, method=method)
    prompt = "Give me the point with x = 3 and y = 4, as JSON with the keys x and y."
    if method == "json_mode":  # the local server has no schema to fill there
        kimi.enqueue(text='{"x": 3, "y": 4}')
        kimi.enqueue(text='{"x": 3, "y": 4}')
    for point in (bound.invoke(prompt), list(bound.stream(prompt))[-1]):
        assert (dict(point)["x"], dict(point)["y"]) == (3, 4)
    assert kimi.errors == []


@pytest.mark.parametrize("schema", SCHEMAS, ids=["pydantic", "pydantic v1", "TypedDict", "JSON schema"])
def test_what_is_no_instance_is_langchains_parser_error_too(model: ChatKimi, kimi: LocalKimi, schema: Any) -> None:
    kimi.enqueue(text='{"x": 3}', unchecked=True)
    with pytest.raises(OutputParserException) as caught:
        model.with_structured_output(schema).invoke("A point.")
    assert isinstance(caught.value, kimi_core.StructuredOutputError)
    assert caught.value.text == '{"x": 3}'


def test_include_raw_returns_instead_of_raising(model: ChatKimi, kimi: LocalKimi) -> None:
    kimi.enqueue(text='{"x": 3}', unchecked=True)
    answer = model.with_structured_output(PointModel, include_raw=True).invoke("A point.")
    assert isinstance(answer["raw"], AIMessage)
    assert answer["parsed"] is None
    assert isinstance(answer["parsing_error"], OutputParserException)


def test_without_conversations_nobody_is_asked(model: ChatKimi, kimi: LocalKimi) -> None:
    assert model.generate([]).generations == []
    assert not kimi.requests


def test_a_fallback_takes_over(model: ChatKimi, kimi: LocalKimi) -> None:
    kimi.fail(1, type="exceeded_current_quota_error")
    other = ChatKimi(model="kimi-k3", base_url=kimi.base_url, api_key=kimi.api_key)
    assert model.with_fallbacks([other]).invoke("Hello").response_metadata["model_name"] == "kimi-k3"


@pytest.mark.parametrize("name", HOSTS)
def test_a_spec_of_the_users_own_is_written_as_plain_data_and_read_again(name: str) -> None:
    mine = replace(HOSTS[name], name="mine", address=replace(HOSTS[name].address, headers={}))
    address = {"base_url": "http://127.0.0.1:9/v1", "api_key": "k"}
    written = json.loads(json.dumps(ChatKimi(host=mine, **address).lc_attributes["host"]))
    read = ChatKimi(host=written, **address).host
    assert facts_of(read) == facts_of(mine)


@pytest.mark.parametrize(
    ("fact", "message"),
    [
        ({"media.kinds": ["smells"]}, r"media\.kinds\.0 .*'image' or 'video'"),
        ({"usage.prices": {"kimi-k2.6": {"input": 1}}}, r"prices\.kimi-k2\.6\.cached .*required"),
        ({"models.retired": {"kimi-k2.6": {"day": "soon"}}}, r"retired\.kimi-k2\.6\.day .*date"),
        ({"errors.rules": [{"error": "Nope"}]}, r"errors\.rules\.0\.error .*subclass of APIError"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_plain_data_that_is_no_fact_is_refused(fact: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ChatKimi(api_key="k", overrides=fact)


@pytest.mark.filterwarnings("ignore:The function `load` is in beta")
def test_a_serialised_model_is_loaded_without_its_key(kimi: LocalKimi, monkeypatch: pytest.MonkeyPatch) -> None:
    model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, max_tokens=50, thinking={"type": "enabled"})
    dumped = dumpd(model)
    assert kimi.api_key not in json.dumps(dumped)
    monkeypatch.setenv("MOONSHOT_API_KEY", kimi.api_key)
    again = load(dumped, allowed_objects=[ChatKimi], valid_namespaces=["langchain_kimi"], secrets_from_env=True)
    assert (again.max_tokens, again.thinking) == (50, {"type": "enabled"})
    assert again.invoke("Hello").text


def test_the_profile_tells_what_the_model_takes() -> None:
    profile = ChatKimi(model="kimi-k3", api_key="k").profile
    assert profile["max_input_tokens"] == 1_048_576
    assert (profile["image_inputs"], profile["video_inputs"], profile["temperature"]) == (True, True, False)
    assert not ChatKimi(host="aimlapi", api_key="k").profile["image_inputs"]


def test_a_changed_copy_calls_with_what_was_changed(model: ChatKimi, kimi: LocalKimi) -> None:
    copy = model.model_copy(update={"max_tokens": 77})
    copy.invoke("Hello")
    assert kimi.requests[-1].body["max_completion_tokens"] == 77
    model.max_tokens = 78
    model.invoke("Hello")
    assert kimi.requests[-1].body["max_completion_tokens"] == 78


@pytest.mark.parametrize(
    ("block", "wire"),
    [
        ({"type": "text", "text": "x"}, {"type": "text", "text": "x"}),
        ("x", {"type": "text", "text": "x"}),
        ({"type": "image", "file_id": "abc"}, {"type": "image_url", "image_url": {"url": "ms://abc"}}),
        ({"type": "video", "file_id": "ms://abc"}, {"type": "video_url", "video_url": {"url": "ms://abc"}}),
        ({"type": "video_url", "video_url": "ms://abc"}, {"type": "video_url", "video_url": {"url": "ms://abc"}}),
        (
            {"type": "image", "base64": "R0lGODlhAQ==", "mime_type": "image/gif"},
            {"type": "image_url", "image_url": {"url": "data:image/gif;base64,R0lGODlhAQ=="}},
        ),
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": "R0lGODlhAQ=="}},
            {"type": "image_url", "image_url": {"url": "data:image/gif;base64,R0lGODlhAQ=="}},
        ),
    ],
)
def test_every_form_of_a_block_is_understood(model: ChatKimi, kimi: LocalKimi, block: Any, wire: Any) -> None:
    kimi.enqueue(text="ok", unchecked=True)
    model.invoke([HumanMessage([block, {"type": "text", "text": "?"}])])
    assert kimi.requests[-1].body["messages"][0]["content"][0] == wire


@pytest.mark.parametrize(
    "block", [{"type": "audio", "base64": "x", "mime_type": "audio/wav"}, {"type": "file", "file_id": "x"}]
)
def test_what_kimi_cannot_read_raises_before_any_io(model: ChatKimi, kimi: LocalKimi, block: Any) -> None:
    with pytest.raises(ValueError, match="cannot be sent to Kimi"):
        model.invoke([HumanMessage([block])])
    assert kimi.requests == []


@pytest.mark.parametrize("key", ["reasoning", "reasoning_content"])
@pytest.mark.parametrize("streamed", [False, True])
def test_reasoning_goes_back_under_the_key_it_came_under(kimi: LocalKimi, key: str, streamed: bool) -> None:
    model = ChatKimi(host="vllm", base_url=kimi.base_url, api_key=kimi.api_key)
    call = {"id": "f:0", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    message = {"role": "assistant", "content": None, key: "Hm.", "tool_calls": [call]}
    body = {
        "id": "x",
        "model": "kimi-k2.6",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
    }
    frame = {**body, "choices": [{"index": 0, "delta": message, "finish_reason": "tool_calls"}]}
    kimi.enqueue(sse=[frame], unchecked=True) if streamed else kimi.enqueue(json=body, unchecked=True)
    kimi.enqueue(text="ok", unchecked=True)
    said: Any = sum(*_parts(list(model.stream("Weather?")))) if streamed else model.invoke("Weather?")
    model.invoke([HumanMessage("Weather?"), said, {"role": "tool", "content": "Sunny", "tool_call_id": "f:0"}])
    sent = kimi.requests[-1].body["messages"][1]
    assert {k: sent.get(k) for k in ("reasoning", "reasoning_content")} == {
        "reasoning": None, "reasoning_content": None, key: "Hm."
    }  # fmt: skip


def _parts(chunks: list[Any]) -> tuple[list[Any], Any]:
    return chunks[1:], chunks[0]


def test_a_builtin_tool_goes_back_as_its_protocol_wants(model: ChatKimi, kimi: LocalKimi) -> None:
    said = AIMessage(
        "",
        tool_calls=[{"name": "$web_search", "args": {"q": "x"}, "id": "s:0"}],
        additional_kwargs={"reasoning_content": "Hm."},
    )
    kimi.enqueue(text="ok", unchecked=True)
    model.invoke(
        [HumanMessage("Search."), said, {"role": "tool", "content": "{}", "tool_call_id": "s:0", "name": "$web_search"}]
    )
    _, turn, result = kimi.requests[-1].body["messages"]
    assert turn["tool_calls"][0]["type"] == "builtin_function"
    assert result["name"] == "$web_search"


def test_the_bytes_say_what_a_picture_is(model: ChatKimi, kimi: LocalKimi) -> None:
    svg = {
        "type": "image",
        "base64": "PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciLz4=",
        "mime_type": "image/png",
    }
    with pytest.raises(ValueError, match="SVG"):
        model.invoke([HumanMessage([svg])])
    png = {
        "type": "image",
        "base64": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg==",
        "mime_type": "image/jpeg",
    }
    model.invoke([HumanMessage([png, "What is this?"])])
    assert kimi.requests[-1].body["messages"][0]["content"][0]["image_url"]["url"].startswith("data:image/png")


def test_a_configured_host_gets_its_own_key_and_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIMLAPI_API_KEY", "sk-aiml")
    fields = {"host": ConfigurableField(id="host"), "model_name": ConfigurableField(id="model")}
    model = ChatKimi(api_key="sk-moonshot").configurable_fields(**fields)
    made, _ = model.prepare({"configurable": {"host": "aimlapi", "model": "kimi-k3"}})
    assert (made.host, made.base_url) == ("aimlapi", "https://api.aimlapi.com/v1")
    assert made.api_key.get_secret_value() == "sk-aiml"
    assert made.profile["max_input_tokens"] == 1_048_576
    same, _ = model.prepare({"configurable": {"model": "kimi-k3"}})
    assert same.api_key.get_secret_value() == "sk-moonshot"


def test_a_key_for_one_call_is_not_in_a_cache(kimi: LocalKimi) -> None:
    cache = InMemoryCache()
    ChatKimi(host="moonshot", api_key="", base_url=kimi.base_url, cache=cache).invoke("x", api_key=kimi.api_key)
    assert cache._cache
    assert kimi.api_key not in str(cache._cache)


@pytest.mark.parametrize(
    "schema",
    [
        {"title": "Ints", "type": "array", "items": {"type": "integer"}},
        {"title": "Any Of", "anyOf": [{"type": "object", "properties": {"a": {"type": "integer"}}}]},
        {"type": "object", "additionalProperties": {"type": "integer"}},
    ],
)
def test_a_json_schema_goes_out_whole(model: ChatKimi, kimi: LocalKimi, schema: Any) -> None:
    kimi.enqueue(text="[1, 2]" if "items" in schema else '{"a": 1}')
    model.with_structured_output(schema).invoke("1 2")
    sent = kimi.requests[-1].body["response_format"]["json_schema"]["schema"]
    assert sent != {"type": "object", "properties": {}}


def test_a_long_streamed_object_is_not_read_again_for_every_token(model: ChatKimi, kimi: LocalKimi) -> None:
    class Long(BaseModel):
        items: list[PointModel]

    text = json.dumps({"items": [{"x": i, "y": i} for i in range(400)]})
    frames = [_text_frame(text[i : i + 6]) for i in range(0, len(text), 6)] + [_text_frame("", "stop")]
    kimi.enqueue(sse=frames)
    seen = list(model.with_structured_output(Long).stream("x"))
    assert len(seen[-1].items) == 400
    assert len(seen) < len(frames) / 4


def _text_frame(text: str, finish: str | None = None) -> dict[str, Any]:
    return {"id": "x", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}
