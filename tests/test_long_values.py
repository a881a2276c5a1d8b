"""Long and strange values in every place: a typed error with a short text, in both frameworks, or an answer."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
from drivers import DRIVERS, INVOKED, Answer, Driver, by_name, in_turn
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.messages import ChatMessage as RoleMessage
from llama_index.core.base.llms import types as llama
from llama_index.core.base.llms.types import ChatMessage
from pydantic import ValidationError

from kimi_adapters.local_server import LocalKimi
from kimi_core import KimiError
from kimi_core.quoting import LONGEST
from langchain_kimi import ChatKimi
from llama_index_kimi import KimiLLM

LONG = "q" * 20_000
ENDS = [driver for driver in DRIVERS if driver.mode in ("invoke", "astream")]

OPTIONS: dict[str, dict[str, Any]] = {
    "a model id": {"model": LONG},
    "an address": {"base_url": LONG},
    "a path of an address": {"base_url": f"http://127.0.0.1:9/{LONG}?{LONG}"},
    "a host": {"host": LONG},
    "a host of another type": {"host": {LONG: LONG}},
    "a key": {"api_key": f"\u200b{LONG}"},
    "a key of another type": {"api_key": LONG.encode()},
    "a header's name": {"default_headers": {f"{LONG}é": "x"}},
    "a header's value": {"default_headers": {"x": f"{LONG}é"}},
    "headers of another type": {"default_headers": [(LONG, LONG)]},
    "headers of a call": {"extra_headers": {LONG: f"{LONG}é"}},
    "stops": {"stop": [LONG] * 3},
    "stops of another type": {"stop": {LONG: LONG}},
    "an extra body of another type": {"extra_body": [LONG]},
    "keys of an extra body": {"extra_body": {LONG: object()}},
    "thinking": {"thinking": LONG},
    "a key of thinking": {"thinking": {LONG: LONG}},
    "a type of thinking": {"thinking": {"type": LONG}},
    "an effort": {"reasoning_effort": LONG},
    "a fallback host": {"fallback_hosts": [LONG]},
    "a word of a fallback host": {"fallback_hosts": [{LONG: LONG, "host": "vllm"}]},
    "fallback hosts of another type": {"fallback_hosts": LONG},
    "a budget": {"budget": LONG},
    "a seed": {"seed": LONG},
    "a number of many digits": {"temperature": 10**100_000},
    "a limit": {"max_tokens": [LONG] * 100},
    "a timeout": {"timeout": LONG},
    "a fact": {"overrides": {LONG: LONG}},
    "facts of another type": {"overrides": LONG},
    "a host's own tool": {"server_tools": [LONG]},
    "a swarm": {"agent": {LONG: LONG}},
    "an option that does not exist": {LONG: LONG},
}


def check(ask: Callable[[], object], *more: type[Exception]) -> KimiError | Exception | None:
    """Ask, and hold what is raised and warned against what a reader can take."""
    error: Exception | None = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            ask()
        except (KimiError, *more) as raised:
            error = raised
    for text in [*(str(one.message) for one in caught), str(error)]:
        assert len(text) <= LONGEST
        assert "q" * 1000 not in text
    cause = error and error.__cause__
    assert cause is None or len(str(cause)) <= LONGEST
    return error


@pytest.mark.parametrize("driver", INVOKED, **by_name)
@pytest.mark.parametrize("given", OPTIONS.values(), ids=OPTIONS)
def test_a_long_option_of_the_constructor_is_not_repeated(
    driver: Driver, kimi: LocalKimi, given: dict[str, Any]
) -> None:
    words = {"base_url": kimi.base_url, "api_key": kimi.api_key, "max_retries": 0, **given}
    error = check(lambda: driver.ask(driver.make(**words), "Hello"), ValidationError)
    assert "api_key" not in given or "q" not in str(error).replace("requests", "")


def _function(name: str) -> Any:
    def tool() -> str:
        return ""

    tool.__name__ = name
    tool.__doc__ = LONG
    return tool


@pytest.mark.parametrize("driver", ENDS, **by_name)
@pytest.mark.parametrize("choice", [None, LONG], ids=["no choice", "a choice"])
def test_a_long_tool_is_not_repeated(driver: Driver, kimi: LocalKimi, choice: str | None) -> None:
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key)
    given = {"tool_choice": choice} if choice else {}
    check(lambda: driver.ask(model, "Hello", tools=[_function("f" + LONG), _function("g")], **given))


# --------------------------------------------------------------------------------------------- messages and schemas

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
CALL = {"name": "look", "args": {}, "id": "look:0"}


def _called(**changes: Any) -> list[Any]:
    return [
        HumanMessage("Hi"),
        AIMessage("", tool_calls=[{**CALL, **changes}]),
        ToolMessage("a", tool_call_id="look:0"),
    ]


def _said(*content: Any) -> list[Any]:
    return [HumanMessage([*content, "Hello"])]


def _result(*content: Any) -> list[Any]:
    asked = AIMessage("", tool_calls=[CALL], additional_kwargs={"reasoning_content": "Hm."})
    return [HumanMessage("Hi"), asked, ToolMessage(list(content), tool_call_id="look:0")]


BLOCKS: dict[str, dict[str, Any]] = {
    "an image's address": {"type": "image", "url": LONG},
    "an image's address on the web": {"type": "image_url", "image_url": {"url": f"https://127.0.0.1:9/{LONG}"}},
    "an image's address of another scheme": {"type": "image_url", "image_url": {"url": f"{LONG}://a"}},
    "a data URL without a comma": {"type": "image_url", "image_url": {"url": f"data:{LONG}"}},
    "a data URL of a long type": {"type": "image_url", "image_url": {"url": f"data:{LONG};base64,{PNG}q"}},
    "a data URL of what is none": {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{LONG}"}},
    "base64 that is none": {"type": "image", "base64": f"{LONG}!", "mime_type": "image/png"},
    "a type of base64": {"type": "image", "base64": "AQID", "mime_type": LONG},
    "a video": {"type": "video_url", "video_url": {"url": f"data:video/{LONG};base64,AQID"}},
    "a file's id": {"type": "image", "file_id": LONG},
    "a file's id as an address": {"type": "image_url", "image_url": {"url": f"ms://{LONG}"}},
    "a document's name": {"type": "file", "base64": "AQID", "filename": LONG, "mime_type": "application/pdf"},
    "a document's type": {"type": "file", "base64": "AQID", "filename": "a", "mime_type": LONG},
    "a document's address": {"type": "file", "url": LONG},
    "a document's id": {"type": "file", "file_id": LONG, LONG: 1},
    "a block's type": {"type": LONG},
    "a block's type of another type": {"type": [LONG]},
    "a block's keys": {LONG: LONG, "type": "image"},
    "a block's one key": {LONG: LONG},
    "a resource": {"type": "resource", "resource": {"blob": LONG, "mimeType": LONG}},
    "audio": {"type": "audio", "base64": LONG, "mime_type": f"audio/{LONG}"},
}
MESSAGES: dict[str, Callable[[], list[Any]]] = {
    "a role": lambda: [RoleMessage(LONG, role=LONG)],
    "a name": lambda: [HumanMessage("Hello", name=LONG)],
    "a call's name": lambda: _called(name=LONG),
    "a call's id": lambda: _called(id=LONG),
    "a call's arguments": lambda: _called(args={LONG: object()}),
    "a call's value": lambda: _called(args={"a": b"\xff" + LONG.encode()}),
    "a result's id": lambda: [HumanMessage("Hello"), ToolMessage("a", tool_call_id=LONG)],
    "a call in a user's message": lambda: _said({"type": "tool_use", "id": LONG, "name": LONG, "input": {LONG: LONG}}),
    "a block of another model": lambda: [HumanMessage("Hi"), AIMessage([{"type": LONG}, "a"]), HumanMessage("Hello")],
    "reasoning": lambda: _said({"type": "reasoning", "reasoning": LONG}),
}


@pytest.mark.parametrize("mode", ["invoke", "stream"])
@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
def test_a_long_block_of_langchains_is_not_repeated(kimi: LocalKimi, block: dict[str, Any], mode: str) -> None:
    model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, max_retries=0)
    check(lambda: list(getattr(model, mode)(_said(block))))
    assert check(lambda: list(getattr(model, mode)(_result(block)))) is None


@pytest.mark.parametrize("mode", ["invoke", "stream"])
@pytest.mark.parametrize("said", MESSAGES.values(), ids=MESSAGES)
def test_a_long_message_of_langchains_is_not_repeated(kimi: LocalKimi, said: Any, mode: str) -> None:
    model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, max_retries=0)
    check(lambda: list(getattr(model, mode)(said())))


LLAMA_BLOCKS: dict[str, Callable[[], Any]] = {
    "an image's address": lambda: llama.ImageBlock(url=f"{LONG}://a"),
    "an image's address on the web": lambda: llama.ImageBlock(url=f"https://127.0.0.1:9/{LONG}"),
    "a data URL of a long type": lambda: llama.ImageBlock(url=f"data:{LONG};base64,{PNG}q"),
    "an image that is none": lambda: llama.ImageBlock(image=b"\xff" + LONG.encode(), image_mimetype="image/png"),
    "an image's type": lambda: llama.ImageBlock(image=b"\xff\x01", image_mimetype=LONG),
    "an image's detail": lambda: llama.ImageBlock(image=PNG.encode(), detail=LONG),
    "a video's address": lambda: llama.VideoBlock(url=f"{LONG}://a"),
    "a file's id": lambda: llama.ImageBlock(url=f"ms://{LONG}"),
    "a document's name": lambda: llama.DocumentBlock(data=b"\xff\x01", title=LONG, document_mimetype=LONG),
    "a document's address": lambda: llama.DocumentBlock(url=LONG, title=LONG),
    "a document's path": lambda: llama.DocumentBlock.model_construct(path=LONG),
    "audio": lambda: llama.AudioBlock(audio=LONG.encode(), format=LONG),
    "what is cited": lambda: llama.CitableBlock(title=LONG, source=LONG, content=[llama.ImageBlock(url=f"{LONG}://a")]),
    "reasoning": lambda: llama.ThinkingBlock(content=LONG),
}
LLAMA_MESSAGES: dict[str, Callable[[], list[Any]]] = {
    "a name": lambda: [ChatMessage(content="Hello", additional_kwargs={"name": LONG})],
    "a name of another type": lambda: [ChatMessage(content="Hello", additional_kwargs={"name": [LONG]})],
    "a call's name": lambda: [_call(tool_name=LONG)],
    "a call's id": lambda: [_call(tool_call_id=LONG)],
    "a call's arguments": lambda: [_call(tool_kwargs={LONG: object()})],
    "a call that is no call": lambda: [
        ChatMessage(role="assistant", content="a", additional_kwargs={"tool_calls": [{LONG: LONG}, LONG]})
    ],
    "a call in a user's message": lambda: [ChatMessage(blocks=_call(tool_name=LONG).blocks)],
    "a result's id": lambda: [ChatMessage(role="tool", content="a", additional_kwargs={"tool_call_id": LONG})],
}


def _call(**changes: Any) -> ChatMessage:
    block = llama.ToolCallBlock(**{"tool_call_id": "look:0", "tool_name": "look", "tool_kwargs": {}, **changes})
    return ChatMessage(role="assistant", blocks=[block])


@pytest.mark.parametrize("mode", ["chat", "stream_chat"])
@pytest.mark.parametrize("block", LLAMA_BLOCKS.values(), ids=LLAMA_BLOCKS)
def test_a_long_block_of_llama_indexs_is_not_repeated(kimi: LocalKimi, block: Any, mode: str) -> None:
    model = KimiLLM(base_url=kimi.base_url, api_key=kimi.api_key, max_retries=0)
    hello = llama.TextBlock(text="Hello")
    check(lambda: list(getattr(model, mode)([ChatMessage(blocks=[block(), hello])])))
    result = ChatMessage(role="tool", blocks=[block()], additional_kwargs={"tool_call_id": "look:0"})
    assert check(lambda: list(getattr(model, mode)([ChatMessage(blocks=[hello]), _call(), result]))) is None


@pytest.mark.parametrize("mode", ["chat", "stream_chat"])
@pytest.mark.parametrize("said", LLAMA_MESSAGES.values(), ids=LLAMA_MESSAGES)
def test_a_long_message_of_llama_indexs_is_not_repeated(kimi: LocalKimi, said: Any, mode: str) -> None:
    model = KimiLLM(base_url=kimi.base_url, api_key=kimi.api_key, max_retries=0)
    check(lambda: list(getattr(model, mode)([ChatMessage(content="Hi"), *said(), ChatMessage(content="Hello")])))


SCHEMAS: dict[str, dict[str, Any]] = {
    "a title": {"title": LONG, "type": LONG},
    "a type": {"type": LONG},
    "types": {"type": [LONG] * 100},
    "an enum": {"enum": [LONG, float("inf")]},
    "an enum of nothing": {"enum": LONG},
    "a const": {"const": object(), "title": LONG},
    "a reference": {"$ref": f"#/$defs/{LONG}"},
    "a pattern": {"type": "string", "pattern": f"({LONG}"},
    "a default": {"default": {LONG: object()}},
    "a description": {"description": [LONG]},
    "a property": {"type": "object", "properties": {LONG: {"type": LONG}}},
    "what is required": {"type": "object", "properties": {"b": {}}, "required": [LONG, 5]},
}


def _ask_with_tool(driver: Any, model: Any, tool: dict[str, Any]) -> Any:
    if driver.framework == "langchain":
        return driver.ask(model, "Hello", tools=[tool])
    return driver._run(model, "chat", [ChatMessage(content="Hello")], {"tools": [tool]})


@pytest.mark.parametrize("driver", INVOKED, **by_name)
@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_a_long_schema_is_not_repeated(driver: Driver, kimi: LocalKimi, schema: dict[str, Any]) -> None:
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key, max_retries=0)
    for parameters in ({"type": "object", "properties": {LONG: schema}}, schema):
        for name in ("look", LONG):
            shape = {"name": name, "schema": parameters}
            check(lambda s=shape: driver.ask(model, "Hello", response_format={"type": "json_schema", "json_schema": s}))
            function = {"name": name, "description": LONG, "parameters": parameters}
            check(lambda f=function: _ask_with_tool(driver, model, {"type": "function", "function": f}))


@pytest.mark.parametrize("driver", INVOKED, **by_name)
@pytest.mark.parametrize(
    "given", [LONG, [LONG], {LONG: LONG}, {"type": LONG}, {"type": "json_schema", "json_schema": {"name": [LONG]}}],
    ids=["text", "list", "mapping", "type", "name"],
)  # fmt: skip
def test_a_long_response_format_is_not_repeated(driver: Driver, kimi: LocalKimi, given: Any) -> None:
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key)
    assert check(lambda: driver.ask(model, "Hello", response_format=given))
    assert kimi.requests == []


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_a_long_schema_of_structured_output_is_not_repeated(kimi: LocalKimi, schema: dict[str, Any]) -> None:
    model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, max_retries=0)
    for method in ("json_schema", "function_calling", "json_mode", LONG):
        check(lambda m=method: model.with_structured_output(schema, method=m).invoke("Hello"))


def _ask(driver: Driver, kimi: LocalKimi) -> Answer:
    return driver.ask(driver.make(base_url=kimi.base_url, api_key=kimi.api_key, max_retries=0), "Hello")


LONGER = "q" * 250_000
ANSWERS: dict[str, dict[str, Any]] = {
    "an error's words": {
        "status": 400,
        "json": {"error": {"message": LONGER, "type": LONGER, "code": LONGER, "param": LONGER}},
    },
    "a page": {
        "status": 502,
        "raw": f"<html><title>{LONGER}</title>{LONGER}</html>".encode(),
        "content_type": "text/html",
    },
    "a text": {"status": 500, "raw": LONGER.encode(), "content_type": LONGER[:1000]},
    "errors in errors": {"status": 400, "json": {"detail": [{"loc": [LONGER, LONGER], "msg": LONGER}] * 3}},
    "an error with HTTP 200": {"json": {"error": {"message": LONGER, "type": LONGER}}},
    "a body of nonsense": {"json": {LONGER: LONGER}},
    "a body that is no JSON": {"raw": LONGER.encode(), "content_type": "application/json"},
    "a reason to end": {"text": "Hi", "finish_reason": LONGER},
    # LangChain reads arguments that are no JSON anew from each of their ends, in quadratic time: these are short.
    "a tool's name": {"tool_calls": [{"name": LONGER, "arguments": "q" * 500}], "unchecked": True},
    "a body that is nested deeply": {"status": 400, "raw": b"[" * 900 + b"]" * 900, "content_type": "application/json"},
    "an error that is nested deeply": {
        "status": 400,
        "raw": b'{"error":{"message":' + b"[" * 5000 + b"]" * 5000 + b"}}",
        "content_type": "application/json",
    },
}


@in_turn("answer", ANSWERS)
def test_a_host_that_says_a_lot_is_quoted_in_short(driver: Driver, kimi: LocalKimi, answer: dict[str, Any]) -> None:
    kimi.enqueue(**answer)
    check(lambda: _ask(driver, kimi))


@pytest.mark.parametrize("driver", INVOKED, **by_name)
def test_the_error_of_a_host_keeps_its_whole_body(driver: Driver, kimi: LocalKimi) -> None:
    kimi.enqueue(status=400, json={"error": {"message": LONGER}})
    error: Any = check(lambda: _ask(driver, kimi))
    assert error.body == {"error": {"message": LONGER}}


@pytest.mark.parametrize("driver", INVOKED, **by_name)
@pytest.mark.parametrize("key", ["Bearer sk-secret", "bearer sk-secret"])
def test_a_key_that_begins_with_bearer_is_an_error_with_the_reason(driver: Driver, kimi: LocalKimi, key: str) -> None:
    error = check(lambda: driver.make(base_url=kimi.base_url, api_key=key))
    assert "give the key alone" in str(error)
    assert "secret" not in str(error)


@pytest.mark.parametrize("driver", INVOKED, **by_name)
def test_a_key_with_a_character_that_is_not_seen_is_an_error_with_the_reason(driver: Driver, kimi: LocalKimi) -> None:
    error = check(lambda: driver.make(base_url=kimi.base_url, api_key="sk-sec\u200bret"))
    assert "some that are not seen" in str(error)
    assert "sk-" not in str(error)


@pytest.mark.parametrize("driver", INVOKED, **by_name)
@pytest.mark.parametrize("host", ["moonshot", "vllm"])
def test_a_model_id_with_a_character_that_is_not_seen_is_an_error_that_shows_it(
    driver: Driver, kimi: LocalKimi, host: str
) -> None:
    words = {"host": host, "base_url": kimi.base_url, "api_key": kimi.api_key}
    error = check(lambda: driver.ask(driver.make(model="kimi-\u200bk2.6", **words), "Hello"))
    assert "'kimi-\\u200bk2.6'" in str(error)
    assert ("Did you mean 'kimi-k2.6'?" if host == "moonshot" else "is not seen") in str(error)
