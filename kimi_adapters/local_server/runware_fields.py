"""The fields of a Runware text task: names, types and ranges from the page of kimi-k2.6."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

from kimi_adapters.local_server.runware import invalid_parameter, is_readable, missing_parameter, unsupported_parameter

JsonObject = dict[str, Any]
Check = Callable[[str, Any], None]

#: "5 values", of which the pages show four; the fifth is not known.
LEVELS = ("none", "low", "medium", "high")
_TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def _number(low: float, high: float) -> Check:
    return _ranged("float", (int, float), low, high)


def _whole(low: int, high: int) -> Check:
    return _ranged("integer", (int,), low, high)


def _ranged(kind: str, types: Any, low: float, high: float) -> Check:
    def check(name: str, value: Any) -> None:
        if not isinstance(value, types) or isinstance(value, bool) or not low <= value <= high:
            must = f"{'an integer' if kind == 'integer' else 'a float'} value between {low} and {high}"
            raise invalid_parameter(name, must, type=kind, min=low, max=high)

    return check


def _one_of(*values: str) -> Check:
    def check(name: str, value: Any) -> None:
        if value not in values:
            raise invalid_parameter(name, f"one of: {', '.join(values)}", type="string", allowedValues=list(values))

    return check


def _text(most: int | None = None, least: int = 0) -> Check:
    def check(name: str, value: Any) -> None:
        if not isinstance(value, str) or len(value) < least or (most is not None and len(value) > most):
            raise invalid_parameter(name, "a string" + (f" of {least} to {most} characters" if most else ""))

    return check


def _of(kind: type, expected: str) -> Check:
    def check(name: str, value: Any) -> None:
        if not isinstance(value, kind):
            raise invalid_parameter(name, expected)

    return check


def _web_address(name: str, value: Any) -> None:
    if not isinstance(value, str) or not value.startswith(("http://", "https://")):
        raise invalid_parameter(name, "a valid URL", type="string")


def _uuid(name: str, value: Any) -> None:
    try:
        version = uuid.UUID(str(value)).version
    except ValueError:
        version = None
    if version != 4:
        raise invalid_parameter(name, "a valid UUID v4 string", type="string")


def _stops(name: str, value: Any) -> None:
    few = isinstance(value, list) and 1 <= len(value) <= 16
    if not few or not all(isinstance(text, str) and text for text in value):
        raise invalid_parameter(name, "an array of 1 to 16 strings", type="array", min=1, max=16)


def _schema(name: str, value: Any) -> None:
    """Check a JSON Schema: an object, or its text (Runware's SDK)."""
    if not isinstance(value, dict | str):
        raise invalid_parameter(name, "a JSON Schema object or string")


# --------------------------------------------------------------------------------------------------- messages

#: `system` is "tolerated in the wild"; `settings.systemPrompt` is what the page has for it.
_ROLES = ("user", "assistant", "tool", "system")


def _messages(name: str, value: Any) -> None:
    if not isinstance(value, list) or not value:
        raise invalid_parameter(name, "an array of at least 1 message", type="array", min=1)
    for at, message in enumerate(value):
        _message(f"{name}[{at}]", message)


def _message(name: str, message: Any) -> None:
    if not isinstance(message, dict):
        raise invalid_parameter(name, "an object")
    if message.get("role") not in _ROLES:
        raise invalid_parameter(f"{name}.role", f"one of: {', '.join(_ROLES)}", type="string")
    calls = message.get("tools") if message["role"] == "assistant" else None
    if not (calls and "content" not in message):
        _of(str, "a string")(f"{name}.content", message.get("content"))
    for key in sorted(set(message) - {"role", "content", "tools", "id"}):
        raise unsupported_parameter(f"{name}.{key}")
    if message["role"] == "tool" and not message.get("id"):
        raise missing_parameter(f"{name}.id")
    for at, call in enumerate(calls or ()):
        _call(f"{name}.tools[{at}]", call)


def _call(name: str, call: Any) -> None:
    """Check a call as in the README of Runware's older SDK: ``{"id", "name", "input"}``, the input an object."""
    if not isinstance(call, dict) or not isinstance(call.get("input"), dict):
        raise invalid_parameter(f"{name}.input", "an object")
    for key in ("id", "name"):
        if not call.get(key):
            raise missing_parameter(f"{name}.{key}")


# ------------------------------------------------------------------------------------------------------ tools


def _tools(name: str, value: Any) -> None:
    if not isinstance(value, list) or not value:
        raise invalid_parameter(name, "an array of at least 1 tool", type="array", min=1)
    for at, tool in enumerate(value):
        _tool(f"{name}[{at}]", tool)


def _tool(name: str, tool: Any) -> None:
    kind = tool.get("type") if isinstance(tool, dict) else None
    _one_of("function", "search", "codeInterpreter")(f"{name}.type", kind)
    if kind != "function":
        return
    if not isinstance(tool.get("name"), str) or not _TOOL_NAME.fullmatch(tool["name"]):
        raise invalid_parameter(f"{name}.name", "a string of 1 to 64 alphanumeric characters, hyphens or underscores")
    _of(dict, "a JSON Schema object")(f"{name}.schema", tool.get("schema"))


def _tool_choice(name: str, value: Any) -> None:
    kind = value.get("type") if isinstance(value, dict) else None
    _one_of("auto", "any", "tool", "none")(f"{name}.type", kind)
    if kind == "tool" and not value.get("name"):
        raise missing_parameter(f"{name}.name")


_yes_no = _of(bool, "a boolean")
_FIELDS: dict[str, Check] = {
    "taskType": _one_of("textInference"),
    "taskUUID": _uuid,
    "model": _of(str, "a string"),
    "deliveryMethod": _one_of("sync", "async", "stream"),
    # The page lists TEXT alone, the literal of the SDK JSON as well.
    "outputFormat": _one_of("TEXT", "JSON"),
    "jsonSchema": _schema,
    "numberResults": _whole(1, 4),
    "includeCost": _yes_no,
    "includeUsage": _yes_no,
    "webhookURL": _web_address,
    "seed": _whole(0, 9_223_372_036_854_775_807),
    "messages": _messages,
    "tools": _tools,
    "toolChoice": _tool_choice,
}
_SETTINGS: dict[str, Check] = {
    "systemPrompt": _text(50_000, 1),
    "temperature": _number(0, 2),
    "topP": _number(0, 1),
    "topK": _whole(0, 999),
    "minP": _number(0, 1),
    "frequencyPenalty": _number(-2, 2),
    "presencePenalty": _number(-2, 2),
    "repetitionPenalty": _number(0.01, 5),
    "maxTokens": _whole(1, 1_000_000),
    "stopSequences": _stops,
    "promptCacheKey": _text(),
    "thinkingLevel": _one_of(*LEVELS),
}


def _media(name: str, value: Any) -> None:
    """Check a list of data URIs and URLs. There are no uploads here, so the UUID of one is refused."""
    _of(list, "an array")(name, value)
    if not all(map(is_readable, value)):
        raise invalid_parameter(name, "an array of URLs, data URIs or UUIDs of uploaded files", type="array")


_INPUTS: dict[str, Check] = {"images": _media, "videos": _media, "documents": _media}
_NESTED = {"settings": _SETTINGS, "inputs": _INPUTS}
_REQUIRED = ("taskUUID", "model", "messages")


def check_task(task: JsonObject) -> None:
    """Check every field of a text task.

    Raises:
        TaskRefusal: If a field is missing, unknown or wrong; the first such field is named.
    """
    for name in _REQUIRED:
        if task.get(name) is None:
            raise missing_parameter(name)
    _check_fields("", {key: value for key, value in task.items() if key not in _NESTED}, _FIELDS)
    for name, fields in _NESTED.items():
        value = task.get(name, {})
        _of(dict, "an object")(name, value)
        _check_fields(f"{name}.", value, fields)
    if task.get("deliveryMethod") == "stream" and task.get("numberResults", 1) > 1:
        raise invalid_parameter("numberResults", "1 when deliveryMethod is stream", type="integer", min=1, max=1)
    _check_choice(task)


def _check_fields(prefix: str, given: JsonObject, fields: dict[str, Check]) -> None:
    for name, value in given.items():
        if name not in fields:
            raise unsupported_parameter(f"{prefix}{name}")
        fields[name](f"{prefix}{name}", value)


def _check_choice(task: JsonObject) -> None:
    """Check that a forced tool is one of those on offer."""
    name = task.get("toolChoice", {}).get("name")
    if task.get("toolChoice", {}).get("type") == "tool" and name not in [t.get("name") for t in task.get("tools", ())]:
        raise invalid_parameter("toolChoice.name", "the name of one of the tools", type="string")
