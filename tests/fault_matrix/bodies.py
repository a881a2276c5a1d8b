"""Whole bodies that are none, or are of another shape. They are an answer to a call for a stream, too."""

from __future__ import annotations

import gzip
import json
from typing import Any

from .fault import ANSWERED, HELLO, NO_ANSWER, UNFINISHED, Fault, Outcome, body, call, response, spelled

TEXT = spelled(HELLO)


def _body(name: str, content: Any, outcome: Outcome = NO_ANSWER, came: str = "") -> Fault:
    return Fault(f"{name}", outcome, outcome, response(content), came=came)


def _unfinished(name: str, content: Any, whole: Outcome = NO_ANSWER, came: str = "") -> Fault:
    """A body that is JSON and no answer: to a stream it is one that ends before it was finished."""
    return Fault(name, whole, UNFINISHED, response(content), came=came)


def _read(name: str, content: Any, came: str = "Hello there") -> Fault:
    return _body(name, content, ANSWERED, came)


NOT_JSON = (
    _body("an empty body", b""),
    _body("blanks", 1_000 * b" "),
    _body("text", b"Hello there"),
    _unfinished("`null`", b"null"),
    _unfinished("`true`", b"true"),
    _unfinished("a number", b"7"),
    _unfinished("a JSON text", b'"Hello there"'),
    _unfinished("`[]`", b"[]"),
    _unfinished("a list of the answer", b"[" + TEXT + b"]"),
    _unfinished("`{}`", b"{}"),
    *(_body(f"cut after {at} bytes", TEXT[:at]) for at in (1, 20, 60, 100, 150, len(TEXT) - 1)),
    _body("two answers one after the other", TEXT + TEXT),
    _body("something after the answer", TEXT + b" bye"),
    _read("blanks before the answer, as a sign of life", 500 * b"\n" + TEXT),
    _body("single quotes", TEXT.replace(b'"', b"'")),
    _body("a comma too much", TEXT[:-1] + b",}"),
    _read("UTF-16", TEXT.decode().encode("utf-16")),
    _body("a byte that is no UTF-8", TEXT.replace(b"there", b"th\xffre")),
    _body("a zero byte in a text", TEXT.replace(b"there", b"th\0re")),
    _body("a line end in a text", TEXT.replace(b"there", b"th\nre")),
    _read("a BOM", b"\xef\xbb\xbf" + TEXT),
    _body("gzip without a header that says so", gzip.compress(TEXT)),
    _body("100,000 brackets", 100_000 * b"["),
    _body("100,000 lists in each other", 100_000 * b"[" + 100_000 * b"]"),
    _body("an answer nested without end", TEXT[:-1] + b', "odd": ' + 100_000 * b"[" + 100_000 * b"]}"),
    _read("an answer nested 150 levels", TEXT[:-1] + b', "odd": ' + 150 * b"[" + 150 * b"]" + b"}"),
    _read("`NaN` in a field", TEXT[:-1] + b', "odd": NaN}'),
    _read("`Infinity` in a field", TEXT[:-1] + b', "odd": -Infinity}'),
    _body("a number of 5,000 digits", TEXT[:-1] + b', "odd": ' + 5_000 * b"9" + b"}"),
    _read("a key twice", TEXT[:-1] + b', "id": "d"}'),
    _read("half a character", TEXT.replace(b"there", b"th\\ud83dere"), "Hello th�ere"),
    _read("both halves of a character", TEXT.replace(b"there", b"th\\ud83d\\ude00ere"), "Hello th😀ere"),
)

# ----------------------------------------------------------------------------------------------- errors inside 200


def _error(name: str, said: Any, outcome: str, requests: int = 1) -> Fault:
    return _body(name, said, Outcome(outcome, requests))


ERRORS = (
    _error("an error object", {"error": {"message": "no"}}, "APIError"),
    _error(
        "an error of a known type",
        {"error": {"message": "busy", "type": "engine_overloaded_error"}},
        "OverloadedError",
        2,
    ),
    _error("an error with a status as its code", {"error": {"message": "no", "code": 401}}, "AuthenticationError"),
    _error("an error with a status as text", {"error": {"message": "no", "code": "503"}}, "InternalServerError", 2),
    _error("an error with the code `²³`", {"error": {"message": "no", "code": "²³"}}, "APIError"),
    _error("an error with the code 9999", {"error": {"message": "no", "code": 9999}}, "APIError"),
    _error("an error that is text", {"error": "no"}, "APIError"),
    _error("an error that is a list", {"error": ["no"]}, "APIError"),
    _error("an error that is `true`", {"error": True}, "APIError"),
    _error("errors as a list", {"errors": [{"code": "invalidModel", "message": "no"}]}, "APIError"),
    _error("a message alone", {"message": "no"}, "APIError"),
    _error("a detail alone", {"detail": "no"}, "APIError"),
    _error("a filter's error", {"error": {"message": "no", "type": "content_filter"}}, "ContentFilterError"),
    _error(
        "an exhausted quota", {"error": {"message": "no", "type": "exceeded_current_quota_error"}}, "QuotaExceededError"
    ),
    _error("an error of 1 MB", {"error": {"message": 1_000_000 * "x"}}, "APIError"),
    _error("an error beside no choices", {"choices": [], "error": {"message": "no"}}, "APIError"),
    _read("`error: null` beside an answer", {**HELLO, "error": None}),
)

# ------------------------------------------------------------------------------------------------- wrong shapes

FALSY: dict[str, Any] = {"null": None, "[]": [], "{}": {}}
TRUTHY: dict[str, Any] = {"true": True, "7": 7, "text": "odd", "[null]": [None]}
ODD = FALSY | TRUTHY


def _in_choice(**changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(TEXT)
    made["choices"][0].update(changes)
    return made


def _said(**message: Any) -> dict[str, Any]:
    return body({"role": "assistant", "content": "Hello there", **message})


SHAPES = (
    *(_unfinished(f"choices: {name}", {**HELLO, "choices": value}) for name, value in FALSY.items()),
    *(_body(f"choices: {name}", {**HELLO, "choices": value}) for name, value in TRUTHY.items()),
    _unfinished("no choices", {key: value for key, value in HELLO.items() if key != "choices"}),
    *(_read(f"message: {name}", _in_choice(message=value), "") for name, value in FALSY.items()),
    *(_body(f"message: {name}", _in_choice(message=value)) for name, value in TRUTHY.items()),
    *(_read(f"content: {name}", _said(content=value), "") for name, value in FALSY.items()),
    *(_body(f"content: {name}", _said(content=value)) for name, value in {"true": True, "7": 7}.items()),
    _read("content: [null]", _said(content=[None]), ""),
    *(
        _unfinished(f"finish reason: {name}", _in_choice(finish_reason=value), ANSWERED, "Hello there")
        for name, value in FALSY.items()
    ),
    *(_read(f"finish reason: {name}", _in_choice(finish_reason=value)) for name, value in TRUTHY.items()),
    *(_read(f"index: {name}", _in_choice(index=value)) for name, value in ODD.items()),
    *(_read(f"role: {name}", _said(role=value)) for name, value in ODD.items()),
    *(_read(f"reasoning: {name}", _said(reasoning_content=value)) for name, value in ODD.items() if name != "text"),
    *(_body(f"calls: {name}", _said(tool_calls=value)) for name, value in TRUTHY.items() if name != "[null]"),
    *(_read(f"calls: {name}", _said(tool_calls=value)) for name, value in (*FALSY.items(), ("[null]", [None]))),
    *(_read(f"refusal: {name}", _said(refusal=value)) for name, value in ODD.items()),
    *(_read(f"log probabilities: {name}", _in_choice(logprobs=value)) for name, value in ODD.items()),
    *(_read(f"their content: {name}", _in_choice(logprobs={"content": value})) for name, value in ODD.items()),
    *(_read(f"usage: {name}", {**HELLO, "usage": value}) for name, value in ODD.items()),
    *(_read(f"id: {name}", {**HELLO, "id": value}) for name, value in ODD.items()),
    *(_read(f"model: {name}", {**HELLO, "model": value}) for name, value in ODD.items()),
    *(_read(f"created: {name}", {**HELLO, "created": value}) for name, value in ODD.items()),
    *(
        _read(f"a token count: {name}", {**HELLO, "usage": {"prompt_tokens": value, "completion_tokens": 3}})
        for name, value in ODD.items()
    ),
    *(
        _read(f"a token count: {value}", {**HELLO, "usage": {"prompt_tokens": value, "completion_tokens": 3}})
        for value in (-1, 1.5, float("nan"), float("inf"), 10**30, "²³", "5")
    ),
    _read("content in parts", _said(content=[{"type": "text", "text": "Hello "}, {"type": "text", "text": "there"}])),
    _read(
        "a delta in place of the message",
        {**HELLO, "choices": [{"index": 0, "delta": {"content": "Hello there"}, "finish_reason": "stop"}]},
    ),
    _read(
        "a second answer that nobody asked for",
        {**HELLO, "choices": [*HELLO["choices"], {"index": 1, "message": {"content": "Bye"}}]},
    ),
    _read("no content", _said(content=""), ""),
)

# -------------------------------------------------------------------------------------------------------- calls


def _calls(name: str, *calls: Any, came: str) -> Fault:
    return _read(name, body({"role": "assistant", "content": "", "tool_calls": list(calls)}, "tool_calls"), came)


CALLS = (
    _calls("a call", call('{"a": 1}'), came='[look {"a": 1}]'),
    _calls("arguments that are cut", call('{"a": '), came='[look {"a": ]'),
    _calls("arguments that are no JSON", call("a is 1"), came="[look a is 1]"),
    _calls("arguments that are empty", call(""), came="[look {}]"),
    _calls("arguments that are `null`", call("null"), came="[look {}]"),
    _calls("arguments that are a list", call("[1]"), came="[look [1]]"),
    _calls("arguments with `NaN`", call('{"a": NaN}'), came='[look {"a": NaN}]'),
    _calls("arguments that are an object", call({"a": 1}), came='[look {"a": 1}]'),  # type: ignore[arg-type]
    _calls("arguments nested without end", call(50_000 * "["), came=f"[look {50_000 * '['}]"),
    _calls("no id", call("{}", id_=None), came="[look {}]"),
    _calls("an id that is a number", call("{}", id_=7), came="[look {}]"),
    _calls("an id twice", call("{}"), call("{}", 1), came="[look {}][look {}]"),
    _calls("an index twice", call("{}"), call("{}", 0, "look:1"), came="[look {}][look {}]"),
    _calls("an index of text", call("{}", "odd"), came="[look {}]"),
    _calls("a negative index", call("{}", -1), came="[look {}]"),
    _calls("an index of 10^30", call("{}", 10**30), came="[look {}]"),
    _calls("no name", call("{}", name=None), came="[ {}]"),
    _calls("a name that is a number", call("{}", name=7), came="[ {}]"),
    _calls("a name of 10,000 characters", call("{}", name=10_000 * "x"), came=f"[{10_000 * 'x'} {{}}]"),
    _body(
        "a function that is text", body({"content": "", "tool_calls": [{"id": "a", "function": "look"}]}, "tool_calls")
    ),
    _calls("a type that nobody knows", {**call("{}"), "type": "odd"}, came="[look {}]"),
)
