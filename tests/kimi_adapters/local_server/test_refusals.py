"""Every refusal of Moonshot's: a request, the status, the type, the message."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from kimi_adapters.local_server import app

INVALID = "invalid_request_error"
OFF = {"thinking": {"type": "disabled"}}
USER = {"role": "user", "content": "Hello"}
CALL = {"id": "functions.look:0", "type": "function", "function": {"name": "look", "arguments": "{}"}}
CALLING = {"role": "assistant", "content": "", "reasoning_content": "Look first.", "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "functions.look:0", "content": "seen"}
SCHEMA = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}
SVG = "data:image/svg+xml;base64," + base64.b64encode(b"<svg/>").decode()


def function(name: str = "look", parameters: Any = SCHEMA, **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": parameters, **more}}


def named(name: str = "look") -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


def part(kind: str, url: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": kind, kind: url}, {"type": "text", "text": "What is it?"}]}]


def said(*messages: dict[str, Any]) -> dict[str, Any]:
    return {"messages": list(messages)}


def formatted(schema: Any, **more: Any) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": schema, **more}}}


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no messages": (said(), "messages must not be empty"),
    "messages of a wrong kind": ({"messages": ["hi"]}, "each message must be an object"),
    "role developer": (said({"role": "developer", "content": "x"}), "unsupported role ROLE_UNSPECIFIED"),
    "role function": (said({"role": "function", "content": "x"}), "unsupported role ROLE_UNSPECIFIED"),
    "empty user": (
        said({"role": "user", "content": ""}),
        "the message at position 0 with role 'user' must not be empty",
    ),
    "user without content": (said({"role": "user"}), "position 0 with role 'user' must not be empty"),
    "empty system": (said({"role": "system", "content": ""}, USER), "role 'system' must not be empty"),
    "empty assistant": (
        said(USER, {"role": "assistant", "content": ""}, USER),
        "the message at position 1 with role 'assistant' must not be empty",
    ),
    "assistant of reasoning only": (
        said(USER, {"role": "assistant", "content": None, "reasoning_content": "Hm."}, USER),
        "the message at position 1 with role 'assistant' must not be empty",
    ),
    "empty text part": (said({"role": "user", "content": [{"type": "text", "text": ""}]}), "text content is empty"),
    "content of a wrong kind": (said({"role": "user", "content": 5}), "the content of the message at position 0"),
    "audio part": (
        said({"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}),
        "contains an invalid part type: input_audio",
    ),
    "file part": (
        said({"role": "user", "content": [{"type": "file", "file": {}}]}),
        "the message at position 0 with role 'user' contains an invalid part type: file",
    ),
    "cache breakpoint": (
        said({"role": "user", "content": [{"type": "text", "text": "a", "prompt_cache_breakpoint": True}]}),
        "prompt_cache_breakpoint is not supported",
    ),
    "image by URL": (
        {"messages": part("image_url", {"url": "https://example.com/a.png"})},
        "unsupported image url",
    ),
    "video by URL": ({"messages": part("video_url", "http://example.com/a.mp4")}, "unsupported video url"),
    "SVG": (
        {"messages": part("image_url", {"url": SVG})},
        "Invalid request: unsupported image format: text/plain; charset=utf-8",
    ),
    "bytes that are no image": (
        {"messages": part("image_url", "data:image/png;base64,AP8AAA==")},
        "unsupported image format: application/octet-stream",
    ),
    "bad base64": ({"messages": part("image_url", "data:image/png;base64,%%%")}, "invalid base64 data in image url"),
    "data URL without base64": ({"messages": part("image_url", "data:image/png,abc")}, "invalid base64 data"),
    "unknown video format": (
        {"messages": part("video_url", "data:video/ogg;base64,AAAA")},
        "unsupported video format: video/ogg",
    ),
    "unknown file": ({"messages": part("image_url", "ms://nothing")}, "file nothing not found"),
    "thinking as a boolean": (
        {"thinking": True},
        "the thinking field in the request (expected type object) is illegal, and bool is not acceptable",
    ),
    "unknown thinking type": ({"thinking": {"type": "auto"}}, "type must be enabled or disabled"),
    "unknown thinking field": (
        {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        "unknown field budget_tokens",
    ),
    "unknown keep": ({"thinking": {"type": "enabled", "keep": "some"}}, "only keep=all is allowed"),
    "k2.7 without thinking": (
        {"model": "kimi-k2.7-code", **OFF},
        "invalid thinking: only type=enabled is allowed for this model",
    ),
    "k3 without thinking": ({"model": "kimi-k3", **OFF}, "invalid thinking: only type=enabled is allowed for this"),
    "thinking and effort": (
        {"thinking": {"type": "enabled"}, "reasoning_effort": "high"},
        "cannot specify both 'thinking' and 'reasoning_effort'",
    ),
    "effort none on k2.6": ({"reasoning_effort": "none"}, "invalid reasoning_effort"),
    "temperature while thinking": (
        {"temperature": 0.6},
        "invalid temperature: only 1 is allowed for this model",
    ),
    "temperature of k3": (
        {"model": "kimi-k3", "temperature": 0.3},
        "invalid temperature: only 1 is allowed for this model",
    ),
    "temperature without thinking": (
        {"temperature": 1, **OFF},
        "invalid temperature: only 0.6 is allowed for this model",
    ),
    "top_p": ({"top_p": 1}, "invalid top_p: only 0.95 is allowed for this model"),
    "n": ({"n": 2}, "invalid n: only 1 is allowed for this model"),
    "presence penalty": ({"presence_penalty": 0.5}, "invalid presence_penalty: only 0 is allowed for this model"),
    "frequency penalty": ({"frequency_penalty": 1}, "invalid frequency_penalty: only 0 is allowed for this"),
    "required while thinking": (
        {"tools": [function()], "tool_choice": "required"},
        "tool_choice 'required' is incompatible with thinking enabled",
    ),
    "named while thinking": (
        {"tools": [function()], "tool_choice": named()},
        "tool_choice 'specified' is incompatible with thinking enabled",
    ),
    "required on k2.7": (
        {"model": "kimi-k2.7-code", "tools": [function()], "tool_choice": "required"},
        "tool_choice 'required' is incompatible with thinking enabled",
    ),
    "named on k3": (
        {"model": "kimi-k3", "tools": [function()], "tool_choice": named()},
        "tool_choice 'specified' is incompatible with thinking enabled",
    ),
    "required without tools": ({"model": "kimi-k3", "tool_choice": "required"}, "requires tools to be specified"),
    "required with empty tools": ({"model": "kimi-k3", "tool_choice": "required", "tools": []}, "requires tools"),
    "unknown tool choice": ({"tools": [function()], "tool_choice": "any"}, "invalid tool_choice: any"),
    "choice without a name": (
        {"tools": [function()], "tool_choice": {"type": "function"}, **OFF},
        "invalid tool_choice",
    ),
    "choice of no tool": (
        {"tools": [function()], "tool_choice": named("other"), **OFF},
        "tool_choice function other is not found in tools",
    ),
    "tools of a wrong kind": ({"tools": {}}, "tools must be an array"),
    "tools that are no objects": ({"tools": ["look"]}, "tools must be an array of objects"),
    "tool calls of a wrong kind": (
        said(USER, {"role": "assistant", "content": "x", "tool_calls": "look"}),
        "tool_calls must be an array",
    ),
    "text part that is no text": (said({"role": "user", "content": [{"type": "text", "text": 5}]}), "text content"),
    "too many tools": ({"tools": [function(f"tool_{at}") for at in range(129)]}, "maximum number of 128"),
    "unknown tool type": ({"tools": [{"type": "retrieval"}]}, "unsupported tool type: retrieval"),
    "tool without function": ({"tools": [{"type": "function"}]}, "tools.function is required"),
    "strict of a wrong kind": ({"tools": [function(strict="yes")]}, "tools.function.strict must be a boolean"),
    "tool name with a dot": (
        {"tools": [function("a.b")]},
        "function name is invalid, must start with a letter and can contain letters, numbers, underscores, and dashes",
    ),
    "tool name in Chinese": ({"tools": [function("查询")]}, "function name is invalid"),
    "tool name too long": ({"tools": [function("a" * 129)]}, "function name is invalid"),
    "unknown builtin": (
        {"tools": [{"type": "builtin_function", "function": {"name": "$nope"}}], **OFF},
        "function name is invalid",
    ),
    "builtin search while thinking": (
        {"tools": [{"type": "builtin_function", "function": {"name": "$web_search"}}]},
        "$web_search is incompatible with thinking enabled",
    ),
    "tool names twice": ({"tools": [function(), function()]}, "function name look is duplicated"),
    "tool without parameters": ({"tools": [function(parameters=None)]}, "tools.function.parameters is required"),
    "parameters without object root": (
        {"tools": [function(parameters={"type": "string"})]},
        "Invalid request: tools.function.parameters is not a valid moonshot flavored json schema, "
        "details: <At path 'root': ",
    ),
    "parameters outside the flavour": (
        {"tools": [function(parameters={"type": "object", "properties": {"a": {"enum": ["x"]}}})]},
        "Invalid request: tools.function.parameters is not a valid moonshot flavored json schema, "
        "details: <At path 'properties.a': type is not defined>",
    ),
    "reasoning lost": (
        said(USER, {**CALLING, "reasoning_content": None}, RESULT),
        "thinking is enabled but reasoning_content is missing in assistant tool call message at index 1",
    ),
    "reasoning empty": (
        said(USER, {**CALLING, "reasoning_content": ""}, RESULT),
        "thinking is enabled but reasoning_content is missing in assistant tool call message at index 1",
    ),
    "reasoning lost in an old turn": (
        said(USER, USER, {**CALLING, "reasoning_content": ""}, RESULT, {"role": "assistant", "content": "ok"}, USER),
        "reasoning_content is missing in assistant tool call message at index 2",
    ),
    "reasoning lost while all of it is kept": (
        {**said(USER, {"role": "assistant", "content": "ok"}, USER), "thinking": {"type": "enabled", "keep": "all"}},
        "thinking is enabled but reasoning_content is missing in assistant message at index 1",
    ),
    "reasoning lost where it is always kept": (
        {**said(USER, {"role": "assistant", "content": "ok", "reasoning_content": None}, USER), "model": "kimi-k3"},
        "thinking is enabled but reasoning_content is missing in assistant message at index 1",
    ),
    "result without call": (
        said(USER, RESULT),
        "tool_call_id functions.look:0 is not found",
    ),
    "result without id": (
        said(USER, CALLING, {**RESULT, "tool_call_id": ""}),
        "tool_call_id  is not found",
    ),
    "call without result": (said(USER, CALLING), "tool_call_id functions.look:0 is not found"),
    "call answered after another message": (said(USER, CALLING, USER, RESULT), "functions.look:0 is not found"),
    "call answered twice": (said(USER, CALLING, RESULT, RESULT), "tool_call_id functions.look:0 is not found"),
    "ids twice in a message": (
        said(USER, {**CALLING, "tool_calls": [CALL, CALL]}, RESULT, RESULT),
        "tool_call_id functions.look:0 is duplicated",
    ),
    "call without a name": (
        said(USER, {**CALLING, "tool_calls": [{"id": "a", "function": {}}]}, RESULT),
        "tool_calls.function.name is required",
    ),
    "arguments of a wrong kind": (
        said(USER, {**CALLING, "tool_calls": [{"id": "a", "function": {"name": "b", "arguments": {}}}]}, RESULT),
        "tool_calls.function.arguments must be a string",
    ),
    "partial in the middle": (
        said(USER, {"role": "assistant", "content": "a", "partial": True}, USER),
        "partial is only allowed on the last message",
    ),
    "partial user": (said({**USER, "partial": True}), "partial is only allowed on the last message"),
    "partial with JSON mode": (
        {
            **said(USER, {"role": "assistant", "content": "{", "partial": True}),
            "response_format": {"type": "json_object"},
        },
        "partial mode cannot be used with response_format json_object",
    ),
    "dynamic tools on k2.6": (said({"role": "system", "tools": [function()]}, USER), "tokenization failed"),
    "dynamic tools with content": (
        {"model": "kimi-k3", **said({"role": "system", "content": "x", "tools": [function()]}, USER)},
        "cannot be used with content",
    ),
    "dynamic tools of a user": (
        {"model": "kimi-k3", **said({**USER, "tools": [function()]})},
        "tools cannot be used with role 'user'",
    ),
    "dynamic tool twice": (
        {"model": "kimi-k3", "tools": [function()], **said({"role": "system", "tools": [function()]}, USER)},
        "function name look is duplicated",
    ),
    "unknown response format": ({"response_format": {"type": "xml"}}, "unsupported response_format type: xml"),
    "response format as text": ({"response_format": "json"}, "unsupported response_format type: json"),
    "response format without wrapper": ({"response_format": {"type": "json_schema"}}, "json_schema is required"),
    "response schema without name": (formatted(SCHEMA, name=""), "json_schema.name is required"),
    "response schema missing": (formatted(None), "json_schema.schema is required"),
    "response strict of a wrong kind": (formatted(SCHEMA, strict="yes"), "json_schema.strict must be a boolean"),
    "response schema outside the flavour": (
        formatted({"type": "object", "properties": {"pair": {"type": "array", "items": [{}, {}]}}}),
        "Invalid request: response_format.json_schema is not a valid moonshot flavored json schema, "
        "details: <At path 'properties.pair.items': items must be an object>",
    ),
    "too many stops": ({"stop": list("abcdef")}, "stop exceeds the maximum number of 5"),
    "stop too long": ({"stop": "á" * 17}, "each stop must not exceed 32 bytes"),
    "stop of a wrong kind": ({"stop": [1]}, "stop must be a string or an array of strings"),
    "max_tokens of zero": ({"max_tokens": 0}, "max_tokens must be a positive integer"),
    "limit as text": ({"max_completion_tokens": "5"}, "max_completion_tokens must be a positive integer"),
    "options of a stream without one": (
        {"stream_options": {"include_usage": True}},
        "stream_options is only allowed when stream is enabled",
    ),
    "unknown cache option": ({"prompt_cache_options": {"ttl": "2h"}}, "invalid prompt_cache_options"),
    "prompt too long": (
        said({"role": "user", "content": "a" * 1_100_000}),
        "Your request exceeded model token limit: 262144 (requested: 275007)",
    ),
    "limit beyond the context": (
        {"max_completion_tokens": 262_144},
        "prompt tokens + max_tokens exceeds the model specification",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("body", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_a_bad_request_is_refused_with_the_hosts_message(moonshot, body, words):
    reply = moonshot.send("POST", "/v1/chat/completions", {"model": "kimi-k2.6", "messages": [USER], **body})
    assert (reply.status, reply.error["type"]) == (400, INVALID)
    assert words in reply.error["message"]
    assert set(reply.json) == {"error"}


ACCEPTED: dict[str, dict[str, Any]] = {
    "pinned sampling": {
        "temperature": 1.0, "top_p": 0.95, "n": 1, "presence_penalty": 0, "frequency_penalty": 0.0,
    },
    "pinned sampling without thinking": {"temperature": 0.6, **OFF},
    "null means unset": {"temperature": None, "stop": None, "tools": None, "response_format": None},
    "unknown top-level fields": {"banana": 1, "seed": 7, "user": "me", "parallel_tool_calls": False},
    "keep all": {"thinking": {"type": "enabled", "keep": "all"}},
    "keep null": {"thinking": {"type": "enabled", "keep": None}},
    "k2.7 with thinking": {"model": "kimi-k2.7-code", "thinking": {"type": "enabled"}},
    "effort of k3": {"model": "kimi-k3", "reasoning_effort": "low"},
    "unknown effort of k3": {"model": "kimi-k3", "reasoning_effort": "huge"},
    "effort of k2.6": {"reasoning_effort": "high"},
    "internal thinking of k3": {"model": "kimi-k3", "thinking": {"type": "enabled", "keep": "all", "effort": "low"}},
    "auto without tools": {"tool_choice": "auto"},
    "none without tools": {"tool_choice": "none"},
    "required on k3": {"model": "kimi-k3", "tools": [function()], "tool_choice": "required"},
    "required without thinking": {"tools": [function()], "tool_choice": "required", **OFF},
    "named without thinking": {"tools": [function()], "tool_choice": named(), **OFF},
    "tool name of one letter": {"tools": [function("a")]},
    "strict tool": {"tools": [function(strict=True)]},
    "one blank of reasoning": said(USER, {**CALLING, "reasoning_content": " "}, RESULT),
    "reasoning lost without thinking": {**said(USER, {**CALLING, "reasoning_content": None}, RESULT), **OFF},
    "plain turn without reasoning": said(USER, {"role": "assistant", "content": "hi"}, USER),
    "empty reasoning while all of it is kept": {
        **said(USER, {"role": "assistant", "content": "hi", "reasoning_content": ""}, USER),
        "model": "kimi-k2.7-code",
    },
    "ids repeated across turns": said(USER, CALLING, RESULT, CALLING, RESULT),
    "empty tool result": said(USER, CALLING, {**RESULT, "content": ""}),
    "content null beside calls": said(USER, {**CALLING, "content": None}, RESULT),
    "message name": said({**USER, "name": "ann"}),
    "partial false": said({**USER, "partial": False}),
    "five stops of 32 bytes": {"stop": ["a" * 32] * 5},
    "cache options": {"prompt_cache_options": {"mode": "implicit", "ttl": "1h"}},
    "dynamic tools of k3": {"model": "kimi-k3", **said({"role": "system", "tools": [function()]}, USER)},
    "builtin search of k3": {
        "model": "kimi-k3", "tools": [{"type": "builtin_function", "function": {"name": "$web_search"}}],
    },
    "json_object": {"response_format": {"type": "json_object"}},
    "json_schema while thinking": formatted(SCHEMA, strict=True),
}  # fmt: skip


@pytest.mark.parametrize("body", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_a_good_request_is_answered(moonshot, body):
    reply = moonshot.send("POST", "/v1/chat/completions", {"model": "kimi-k2.6", "messages": [USER], **body})
    assert reply.status == 200, reply.data


@pytest.mark.parametrize(
    "model",
    [
        "kimi-k2.5",
        "kimi-k2-thinking",
        "kimi-k2-0905-preview",
        "kimi-latest",
        "moonshot-v1-8k",
        "kimi-k2.6-thinking",
        "kimi-k2.5-thinking",
        "moonshot/kimi-k2-6",
    ],
)
def test_a_model_that_is_gone_or_never_was_is_not_found(moonshot, model):
    reply = moonshot.chat(model=model)
    assert reply.status == 404
    assert reply.error == {
        "message": f"Not found the model {model} or Permission denied",
        "type": "resource_not_found_error",
    }


def test_a_request_without_a_model_is_refused(moonshot):
    reply = moonshot.send("POST", "/v1/chat/completions", {"messages": [USER]})
    assert (reply.status, reply.error["message"]) == (400, "Invalid request: model is required")


@pytest.mark.parametrize("data", [b"{", b"", b"\xff\xfe", b"[1]", b'"hi"'])
def test_a_body_that_is_no_json_object_is_refused(moonshot, data):
    reply = moonshot.send("POST", "/v1/chat/completions", data)
    assert (reply.status, reply.error["type"]) == (400, INVALID)


@pytest.mark.parametrize("key", ["Bearer sk-wrong", "Bearer sk-kimi-code-key"])
def test_a_wrong_key_is_not_authenticated(moonshot, key):
    reply = moonshot.send("POST", "/v1/chat/completions", {}, {"authorization": key})
    assert reply.status == 401
    assert reply.error == {"message": "Invalid Authentication", "type": "invalid_authentication_error"}


@pytest.mark.parametrize("key", ["", "sk-local-kimi", "Basic abc", "Bearer "])
def test_a_missing_key_is_incorrect(moonshot, key):
    reply = moonshot.send("GET", "/v1/models", headers={"authorization": key})
    assert (reply.status, reply.error["type"]) == (401, "incorrect_api_key_error")


def test_a_body_above_the_limit_is_too_large(moonshot, monkeypatch):
    monkeypatch.setattr(app, "_LARGEST_BODY", 100)
    reply = moonshot.chat("a" * 200)
    assert (reply.status, reply.error["message"]) == (413, "Request exceeds the maximum size")


def test_the_marker_for_high_risk_content_is_refused(moonshot):
    reply = moonshot.chat("Please read this: [[content_filter]]")
    assert reply.status == 400
    assert reply.error == {
        "message": "The request was rejected because it was considered high risk",
        "type": "content_filter",
    }


def test_a_server_that_does_not_think_takes_what_thinking_forbids(client_of):
    from kimi_adapters.local_server import LocalKimi

    with LocalKimi(think=False) as kimi:
        reply = client_of(kimi).chat(tools=[function()], tool_choice=named())
        assert reply.status == 200
        assert reply.message["reasoning_content"] == ""
