"""Tools and answers with properties whose names Moonshot refuses, in both frameworks."""

import json
from typing import Any

import pytest
from drivers import STREAMED, Driver, by_name
from llama_index.core.base.llms.types import ChatMessage
from pydantic import BaseModel, Field
from test_structured import WAYS, Way, each

from kimi_adapters.local_server import LocalKimi
from kimi_core import Message, MessageError, Reasoning, ToolCall
from langchain_kimi import ChatKimi
from llama_index_kimi import KimiLLM


class Filter(BaseModel):
    """A filter."""

    needed: list[str] = Field(alias="required")
    schema_id: str = Field(alias="$ref")


def find(required: bool, anyOf: list[Filter], additionalProperties: dict[str, str]) -> str:
    """Find records."""
    return "none"


ARGUMENTS = {
    "required": True,
    "anyOf": [{"required": ["a"], "$ref": "#1"}],
    "additionalProperties": {"required_": "stays", "$ref": "stays"},
}
SENT = {
    "required_": True,
    "anyOf_": [{"required_": ["a"], "ref": "#1"}],
    "additionalProperties_": {"required_": "stays", "$ref": "stays"},
}


def model(driver: Driver, kimi: LocalKimi) -> Any:
    return driver.make(base_url=kimi.base_url, api_key=kimi.api_key)


def test_a_tools_arguments_come_back_by_their_own_names(driver: Driver, kimi: LocalKimi) -> None:
    kimi.enqueue(tool_calls=[{"name": "find", "arguments": SENT}])

    answer = driver.ask(model(driver, kimi), "Find them.", tools=[find])

    assert [call["args"] for call in answer.tool_calls] == [ARGUMENTS]
    (tool,) = kimi.requests[0].body["tools"]
    assert tool["function"]["parameters"]["required"] == ["required_", "anyOf_", "additionalProperties_"]


def test_the_history_says_the_names_that_were_sent_in_the_same_bytes_each_time(driver: Driver, kimi: LocalKimi) -> None:
    call = ToolCall("find:0", "find", json.dumps(ARGUMENTS))
    first = [Message("user", "Find them."), Message("assistant", "", Reasoning("Hm."), (call,))]
    second = [*first, Message("tool", "none", tool_call_id="find:0"), Message("user", "Again.")]
    made = model(driver, kimi)

    driver.ask(made, second[:-1], tools=[find])
    driver.ask(made, second, tools=[find])

    said = [one.body["messages"][1]["tool_calls"][0]["function"]["arguments"] for one in kimi.requests]
    assert json.loads(said[0]) == SENT
    assert said[0] == said[1]


def test_arguments_that_broke_off_keep_what_came_of_them(kimi: LocalKimi) -> None:
    kimi.enqueue(tool_calls=[{"name": "find", "arguments": '{"required_": true, "any'}], finish_reason="length")
    made = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key).bind_tools([find])
    (call,) = made.invoke("Find them.").invalid_tool_calls

    assert call["args"] == '{"required": true, "any'


class Report(BaseModel):
    """A report."""

    needed: bool = Field(alias="required")
    filters: list[Filter] = Field(alias="anyOf")


@each(WAYS)
@pytest.mark.parametrize("structured", ["json_schema", "function_calling"])
def test_a_structured_answer_comes_back_by_its_own_names(way: Way, kimi: LocalKimi, structured: str) -> None:
    report = {"required_": True, "anyOf_": [{"required_": ["a", "b"], "ref": "#1"}]}
    if structured == "json_schema":
        kimi.enqueue(text=json.dumps(report))
    else:
        kimi.enqueue(tool_calls=[{"name": "Report", "arguments": report}])

    answer = way.ask(way.make(kimi, overrides={"structured.ways": (structured,)}), Report)

    assert answer == Report.model_validate({"required": True, "anyOf": [{"required": ["a", "b"], "$ref": "#1"}]})
    assert kimi.errors == []


@pytest.mark.parametrize("begun", ['{"required_": tr', '{"required_": true, "anyOf_": [{"required_": ["a", "'])
@pytest.mark.parametrize("driver", STREAMED, **by_name)
def test_a_structured_answer_that_is_continued_keeps_its_names(driver: Driver, kimi: LocalKimi, begun: str) -> None:
    report = {"required_": True, "anyOf_": [{"required_": ["a", "b"], "ref": "#1"}]}
    head = {"id": "a", "object": "chat.completion.chunk", "created": 1, "model": "kimi-k2.6"}
    first = {**head, "choices": [{"index": 0, "delta": {"content": begun}, "finish_reason": None}]}
    kimi.enqueue(sse=[first], done=False, cut=True)
    kimi.enqueue(text=json.dumps(report).removeprefix(begun))
    made = driver.make(base_url=kimi.base_url, api_key=kimi.api_key, resume="auto")
    schema = {"name": "Report", "strict": True, "schema": Report.model_json_schema()}
    answer = driver.ask(made, "Report.", response_format={"type": "json_schema", "json_schema": schema})
    assert json.loads(answer.text) == {"required": True, "anyOf": [{"required": ["a", "b"], "$ref": "#1"}]}
    assert kimi.requests[-1].body["messages"][-1]["content"] == begun


EMPTY = {"type": "object", "properties": {"mode": {"type": "string", "enum": []}}}
ENDLESS = {
    "type": "object",
    "properties": {"next": {"$ref": "#/$defs/Node"}},
    "required": ["next"],
    "$defs": {"Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}, "required": ["next"]}},
}
INFINITE = {"type": "object", "properties": {"bound": {"enum": [1, float("inf")]}}}


@pytest.mark.parametrize(
    ("host", "schema", "why"),
    [
        ("moonshot", EMPTY, "At path 'properties.mode': enum must be a list of at least one value"),
        ("moonshot", INFINITE, "At path 'properties.bound': a value allowed is inf, which is no JSON number"),
        *(
            (host, EMPTY, "At path 'properties.mode': enum must be a list")
            for host in ("vllm", "openrouter", "runware-compatible")
        ),
        *(
            (host, ENDLESS, "it requires itself without end")
            for host in ("moonshot", "vllm", "openrouter", "runware-compatible")
        ),
        *(
            (host, {"type": "object", "properties": ["a"]}, "At path 'properties': properties must be an object")
            for host in ("moonshot", "vllm", "openrouter", "runware-compatible")
        ),
        *(
            (host, {"type": "object", "properties": {"a": {"anyOf": 5}}}, "anyOf must be a list of schemas")
            for host in ("moonshot", "vllm")
        ),
        *(
            (host, {"type": "object", "properties": {"a": 5}}, "a schema must be an object or a boolean")
            for host in ("moonshot", "vllm")
        ),
        ("vllm", INFINITE, "At path 'properties.bound': a value allowed is inf, which is no JSON number"),
    ],
)
@pytest.mark.parametrize("framework", ["langchain", "llama_index"])
def test_a_tool_that_cannot_be_expressed_is_named_whatever_the_others_are(
    framework: str, kimi: LocalKimi, host: str, schema: dict[str, Any], why: str
) -> None:
    where = {"base_url": kimi.base_url, "api_key": kimi.api_key, "host": host}
    odd = {"type": "function", "function": {"name": "odd_tool", "parameters": schema}}
    fine = {"type": "function", "function": {"name": "fine", "parameters": {"type": "object", "properties": {}}}}

    def ask() -> None:
        if framework == "langchain":
            ChatKimi(**where).bind_tools([fine, odd]).invoke("Hello")
        else:
            KimiLLM(**where).chat([ChatMessage(content="Hello")], tools=[fine, odd])

    with pytest.raises(MessageError, match=f"tool 'odd_tool' cannot be expressed.*{why}"):
        ask()
    assert kimi.requests == []
