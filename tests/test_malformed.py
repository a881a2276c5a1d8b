"""What is of no form that JSON or a message has: a clear error before anything is sent, or text in its place."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from drivers import DRIVERS, INVOKED, PAIRWISE, by_name
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from llama_index.core.base.llms.types import ChatMessage, CitableBlock, TextBlock, ThinkingBlock, ToolCallBlock
from llama_index.core.prompts import PromptTemplate
from pydantic import BaseModel, ValidationError

from kimi_adapters.local_server import LocalKimi
from kimi_core import KimiClient, KimiError, KimiWarning, Message, Options, OutputFormat, Request, Tool
from kimi_core.errors import ConfigError, MessageError
from langchain_kimi import ChatKimi
from llama_index_kimi import KimiLLM


def given(kimi: LocalKimi) -> dict[str, Any]:
    return {"base_url": kimi.base_url, "api_key": kimi.api_key}


def deep(levels: int, wrap: Any) -> Any:
    made: Any = {"type": "string"}
    for _ in range(levels):
        made = wrap(made)
    return made


CIRCLE: dict[str, Any] = {"type": "object", "properties": {}}
CIRCLE["properties"]["again"] = CIRCLE

NOT_JSON = {
    "a circle": CIRCLE,
    "too deep": deep(3000, lambda inner: {"type": "object", "properties": {"a": inner}}),
    "too many unions": deep(1000, lambda inner: {"anyOf": [inner, {"type": "null"}]}),
    "an object": {"type": "object", "properties": {"a": {"default": object()}}},
    "bytes": {"type": "object", "properties": {"a": {"default": b"\xff"}}},
    "half a character": {"type": "object", "properties": {"\ud800": {"type": "string"}}},
}

# ------------------------------------------------------------------------------------------------------ schemas


@pytest.mark.parametrize("schema", NOT_JSON.values(), ids=NOT_JSON)
@pytest.mark.parametrize("as_what", ["tool", "output"])
def test_a_schema_that_json_cannot_hold_is_an_error_that_names_it(kimi: LocalKimi, schema: Any, as_what: str) -> None:
    request = Request(
        messages=[Message("user", "Fill it.")],
        model="kimi-k2.6",
        tools=(Tool("fill_it", "", schema),) if as_what == "tool" else (),
        output=OutputFormat("json_schema", schema, name="fill_it") if as_what == "output" else None,
        options=Options(),
    )
    with pytest.raises(MessageError, match="'fill_it' cannot be expressed"):
        KimiClient(**given(kimi)).complete(request)
    assert kimi.requests == []


@pytest.mark.parametrize("schema", NOT_JSON.values(), ids=NOT_JSON)
def test_langchain_says_it_of_tools_and_of_structured_output(kimi: LocalKimi, schema: Any) -> None:
    model = ChatKimi(**given(kimi))
    tool = {"type": "function", "function": {"name": "fill_it", "parameters": schema}}
    with pytest.raises((MessageError, ConfigError), match="fill_it"):
        model.bind_tools([tool], strict=True).invoke("Fill it.")
    for method in ("json_schema", "function_calling", "json_mode"):
        with pytest.raises((MessageError, ConfigError)):
            model.with_structured_output({"title": "fill_it", **schema}, method=method).invoke("Fill it.")
    assert kimi.requests == []


class Node(BaseModel):
    """A list whose next node has to be said, be it null."""

    name: str
    next: Node | None


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_a_required_reference_that_may_be_null_ends(kimi: LocalKimi, method: str) -> None:
    answered = ChatKimi(**given(kimi)).with_structured_output(Node, method=method).invoke("The node is called Anna.")
    assert isinstance(answered, Node)


def test_references_in_a_circle_do_not_stop_the_local_server(kimi: LocalKimi) -> None:
    circle = {"properties": {"a": {"$ref": "#/$defs/X"}}, "$defs": {"X": {"$ref": "#/$defs/X"}}}
    schema = {"title": "Circle", "type": "object", **circle}
    asking = ChatKimi(**given(kimi)).with_structured_output(schema, method="json_schema", include_raw=True)
    assert asking.invoke("Fill.")["raw"].text


# ----------------------------------------------------------------------------------------------------- messages


BLOCKS: list[Any] = [
    {"type": "text", "text": 1},
    {"type": "text-plain", "text": ["a"]},
    {"type": "refusal", "refusal": {"a": 1}},
    {"type": "resource", "resource": None},
    {"type": "resource", "resource": "text"},
    {"type": "resource", "resource": {"text": 5}},
    {"type": "non_standard", "value": 5},
    {"type": "image", "base64": True, "mime_type": "image/png"},
    {"type": "file", "base64": "aGk=", "mime_type": 1},
    {"type": "media", "data": "aGk=", "mime_type": ["a"]},
]


@pytest.mark.parametrize("block", BLOCKS, ids=str)
@pytest.mark.parametrize("kind", [HumanMessage, SystemMessage])
def test_a_block_of_the_users_that_is_none_of_its_kind_is_an_error(kimi: LocalKimi, block: Any, kind: Any) -> None:
    for way in ("invoke", "stream"):
        with pytest.raises(MessageError):
            list(getattr(ChatKimi(**given(kimi)), way)([kind([block]), HumanMessage("Go on.")]))
    assert kimi.requests == []


def test_a_call_in_a_users_message_is_an_error_and_a_thought_is_left_out(kimi: LocalKimi) -> None:
    model = ChatKimi(**given(kimi))
    with pytest.raises(MessageError, match="is a call"):
        model.invoke([HumanMessage([{"type": "tool_use", "id": "a", "name": "look", "input": {}}])])
    with pytest.warns(KimiWarning, match="only an assistant's message can hold reasoning"):
        model.invoke([HumanMessage([{"type": "reasoning", "reasoning": "Hm."}, {"type": "text", "text": "Go on."}])])
    assert kimi.requests[-1].body["messages"][0]["content"] == [{"type": "text", "text": "Go on."}]


CALL = {"name": "look", "args": {}, "id": "look:0"}


def answered(result: Any) -> list[Any]:
    asked = AIMessage("", tool_calls=[CALL], additional_kwargs={"reasoning_content": "Hm."})
    return [HumanMessage("Look."), asked, ToolMessage(result, tool_call_id="look:0")]


@pytest.mark.parametrize("kind", ["tool_use", "function_call", "reasoning", "thinking"])
def test_a_result_that_only_looks_like_a_call_or_a_thought_is_sent(kimi: LocalKimi, kind: str) -> None:
    ChatKimi(**given(kimi)).invoke(answered([{"type": kind, "name": "seen in a log"}]))
    assert "seen in a log" in str(kimi.requests[-1].body["messages"][-1])


@pytest.mark.parametrize("result", [{"a": object()}, {"a": b"\xff"}, {"a": deep(3000, lambda inner: [inner])}])
def test_a_result_that_json_cannot_hold_is_sent_as_python_shows_it(kimi: LocalKimi, result: Any) -> None:
    ChatKimi(**given(kimi)).invoke(answered([result]))
    assert kimi.requests[-1].body["messages"][-1]["content"][0]["text"].startswith("{'a': ")


@pytest.mark.parametrize("driver", PAIRWISE, **by_name)
@pytest.mark.parametrize(
    "value", [object(), b"\xff", deep(3000, lambda inner: [inner])], ids=["object", "bytes", "deep"]
)
def test_arguments_that_json_cannot_hold_are_an_error(driver: Any, kimi: LocalKimi, value: Any) -> None:
    model = driver.make(**given(kimi))
    said: list[Any]
    if driver.framework == "langchain":
        said = [HumanMessage("Look."), AIMessage("", tool_calls=[{**CALL, "args": {"a": value}}])]
        ask = driver._run, (model, said, {})
    else:
        block = ToolCallBlock(tool_call_id="look:0", tool_name="look", tool_kwargs={"a": value})
        said = [ChatMessage(content="Look."), ChatMessage(role="assistant", blocks=[block])]
        ask = driver._run, (model, "chat", said, {})
    with pytest.raises(MessageError, match="cannot be written as JSON"):
        ask[0](*ask[1])
    assert kimi.requests == []


@pytest.mark.parametrize("legacy", [{"name": 5, "arguments": {}}, {"name": ["a"]}, {"name": None}, "text"])
def test_a_function_call_of_another_provider_that_is_none_stops_nothing(kimi: LocalKimi, legacy: Any) -> None:
    said = [HumanMessage("a"), AIMessage("b", additional_kwargs={"function_call": legacy}), HumanMessage("c")]
    assert ChatKimi(**given(kimi)).invoke(said).text


@pytest.mark.parametrize("details", ["text", {"a": 1}, [1, None], 5])
@pytest.mark.parametrize("framework", ["langchain", "llama_index"])
def test_details_of_reasoning_that_are_none_are_not_sent(framework: str, details: Any) -> None:
    with LocalKimi(dialect="openrouter") as kimi:
        if framework == "langchain":
            known = {"reasoning_content": "Hm.", "reasoning_details": details}
            ChatKimi(**given(kimi)).invoke(
                [HumanMessage("a"), AIMessage("b", additional_kwargs=known), HumanMessage("c")]
            )
        else:
            thought = ThinkingBlock(content="Hm.", additional_information={"reasoning_details": details})
            spoken = ChatMessage(role="assistant", blocks=[thought, TextBlock(text="b")])
            KimiLLM(**given(kimi)).chat([ChatMessage(content="a"), spoken, ChatMessage(content="c")])
        assert "reasoning_details" not in kimi.requests[-1].body["messages"][1]


def test_a_name_that_is_no_text_is_an_error_in_a_users_message_and_ignored_in_a_tools(kimi: LocalKimi) -> None:
    llm = KimiLLM(**given(kimi))
    with pytest.raises(MessageError, match="name of a message must be text"):
        llm.chat([ChatMessage(content="a", additional_kwargs={"name": 5})])
    assert kimi.requests == []
    block = ToolCallBlock(tool_call_id="look:0", tool_name="look", tool_kwargs={})
    thought = ThinkingBlock(content="Hm.")
    result = ChatMessage(role="tool", content="b", additional_kwargs={"tool_call_id": "look:0", "name": ["x"]})
    llm.chat([ChatMessage(content="a"), ChatMessage(role="assistant", blocks=[thought, block]), result])
    assert kimi.requests[-1].body["messages"][-1]["content"] == "b"


PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
LANGCHAIN = [driver for driver in DRIVERS if driver.framework == "langchain"]
# LangChain converts blocks for its traces before each call, and raises at these.
UNTRACEABLE: list[Any] = [
    {"type": ["string", "null"], "name": "a"},
    {"type": {"a": 1}},
    {"type": "image", "source_type": "url"},
    {"type": "image", "source_type": ["url"]},
    {"type": "image", "text": "a"},
]


@pytest.mark.parametrize("driver", LANGCHAIN, **by_name)
@pytest.mark.parametrize("block", UNTRACEABLE, ids=str)
@pytest.mark.filterwarnings("ignore::kimi_core.KimiWarning")
def test_a_block_at_which_traces_fail_is_an_error_of_the_users_and_sent_of_a_tools(
    driver: Any, kimi: LocalKimi, block: Any
) -> None:
    model = driver.make(**given(kimi))
    with pytest.raises(MessageError):
        driver._run(model, [HumanMessage([block, "Hello"])], {})
    assert kimi.requests == []
    said = answered([block])
    assert driver._run(model, said, {}).text
    assert said[-1].content == [block]
    assert kimi.requests[-1].body["messages"][-1]["content"]


@pytest.mark.parametrize("driver", LANGCHAIN, **by_name)
def test_base64_without_a_mime_type_is_what_its_bytes_are(driver: Any, kimi: LocalKimi) -> None:
    driver._run(driver.make(**given(kimi)), [HumanMessage([{"type": "image", "base64": PNG}, "What is it?"])], {})
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    assert kimi.requests[-1].body["messages"][-1]["content"][0] == picture


@pytest.mark.parametrize("kind", ["set", "tuple"])
def test_a_block_of_another_model_whose_type_is_no_text_is_left_out(kimi: LocalKimi, kind: str) -> None:
    odd = AIMessage([{"type": {"set": {1}, "tuple": (1,)}[kind]}, "b"])  # type: ignore[list-item]
    with pytest.warns(KimiWarning, match="in an assistant message was left out"):
        ChatKimi(**given(kimi)).invoke([HumanMessage("a"), odd, HumanMessage("c")])
    assert kimi.requests[-1].body["messages"][1]["content"] == "b"


@pytest.mark.parametrize("role", ["user", "assistant"])
def test_a_title_that_is_empty_is_not_sent(kimi: LocalKimi, role: Any) -> None:
    cited = CitableBlock(title="", source="", content=[TextBlock(text="b")])
    said = [ChatMessage(content="a"), ChatMessage(role=role, blocks=[cited]), ChatMessage(content="c")]
    assert KimiLLM(**given(kimi)).chat(said).message.content
    assert "''" not in str(kimi.requests[-1].body["messages"])


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        ({"function": {"name": "look", "strict": "yes"}}, "strict of 'look' must be True or False, not 'yes'"),
        ({"function": {"name": "look", "description": 5}}, "description of the tool 'look' must be text, not 5"),
        ({"type": ["a"], "function": {"name": "look"}}, r"'look' must be of type function or .*, not \['a'\]"),
    ],
    ids=["strict", "description", "type"],
)
def test_a_tool_with_something_of_a_wrong_type_is_an_error(kimi: LocalKimi, odd: Any, words: str) -> None:
    with pytest.raises(MessageError, match=words):
        ChatKimi(**given(kimi)).invoke("Hello", tools=[{"type": "function", **odd}])
    with pytest.raises(MessageError, match=words):
        KimiLLM(**given(kimi)).chat([ChatMessage(content="Hello")], tools=[{"type": "function", **odd}])
    assert kimi.requests == []


@pytest.mark.parametrize("odd", [5, "look", iter([]), object()], ids=["number", "text", "iterator", "object"])
def test_tools_that_are_no_list_are_an_error(kimi: LocalKimi, odd: Any) -> None:
    model, llm = ChatKimi(**given(kimi)), KimiLLM(**given(kimi))
    asks: list[Any] = [
        lambda: model.bind_tools(odd),
        lambda: model.invoke("Hello", tools=odd),
        lambda: llm.chat([ChatMessage(content="Hello")], tools=odd),
        lambda: llm.chat_with_tools(odd, user_msg="Hello"),
        lambda: llm.predict_and_call(odd, user_msg="Hello"),
    ]
    for ask in asks:
        with pytest.raises(ConfigError, match="tools must be a list of tools, got"):
            ask()
    assert kimi.requests == []


def test_a_conversation_of_another_type_is_an_error(kimi: LocalKimi) -> None:
    llm: Any = KimiLLM(**given(kimi))
    asks: list[Any] = [
        lambda: llm.chat_with_tools([], user_msg=5),
        lambda: llm.chat_with_tools([], user_msg="Hello", chat_history=5),
        lambda: llm.chat_with_tools([], user_msg="Hello", chat_history="Hello"),
        lambda: llm.complete(5),
        lambda: list(llm.stream_complete(None)),
    ]
    for ask in asks:
        with pytest.raises(MessageError, match="must be (text|a list of messages)"):
            ask()
    assert kimi.requests == []


def test_calls_in_an_iterator_are_an_error_and_not_lost_with_the_second_request(kimi: LocalKimi) -> None:
    call = {"id": "look:0", "function": {"name": "look", "arguments": "{}"}}
    said = ChatMessage(role="assistant", content="", additional_kwargs={"tool_calls": iter([call])})
    for _ in range(2):
        with pytest.raises(MessageError, match="must be a list: an iterator is used up"):
            KimiLLM(**given(kimi)).chat([ChatMessage(content="Look."), said])
    assert kimi.requests == []


@pytest.mark.parametrize("text", ["", "list[", "int", "__import__('os')", b"x"], ids=repr)
def test_text_is_no_schema_and_is_not_evaluated(kimi: LocalKimi, text: Any) -> None:
    with pytest.raises(ConfigError, match=r"not b?['\"].*: Text is no type"):
        ChatKimi(**given(kimi)).with_structured_output(text)
    with pytest.raises(ConfigError, match="output_cls must be a pydantic class"):
        KimiLLM(**given(kimi)).structured_predict(text, PromptTemplate("Hello"))
    assert kimi.requests == []


# ------------------------------------------------------------------------------------------------------ options

ODD: list[Any] = [[1], {"a": [1]}, {1: 2}, [None], [[]], {"a": float("nan")}, b"x", object(), {1}, "\ud800", 10**400]
WRONG: dict[str, list[dict[str, Any]]] = {
    "a part of thinking": [{"thinking": {"type": "enabled", key: odd}} for key in ("keep", "effort") for odd in ODD],
    "thinking": [{"thinking": odd} for odd in ODD],
    "a timeout": [{"timeout": seconds} for seconds in (float("nan"), float("inf"), 10**400, b"x")],
}


@pytest.mark.parametrize("driver", INVOKED, **by_name)
@pytest.mark.parametrize("options", WRONG.values(), ids=WRONG)
@pytest.mark.filterwarnings("ignore::kimi_core.KimiWarning")
def test_an_option_of_a_wrong_type_is_a_typed_error(
    driver: Any, kimi: LocalKimi, options: list[dict[str, Any]]
) -> None:
    for one in options:
        with contextlib.suppress(KimiError, ValidationError):
            driver.ask(driver.make(**given(kimi), max_retries=0, **one), "Hello")


@pytest.mark.parametrize(
    "name", [5, ["a"], {"a": 1}, b"x", object()], ids=["number", "list", "mapping", "bytes", "object"]
)
def test_a_name_of_a_format_that_is_no_text_is_a_typed_error(kimi: LocalKimi, name: Any) -> None:
    asked = {"type": "json_schema", "json_schema": {"name": name, "schema": {"type": "object"}}}
    with pytest.raises((MessageError, ConfigError), match="name"):
        ChatKimi(**given(kimi)).invoke("Hello", response_format=asked)
    with pytest.raises((MessageError, ConfigError), match="There is no method"):
        ChatKimi(**given(kimi)).with_structured_output(Node, method=[name])  # type: ignore[arg-type]
    assert kimi.requests == []
