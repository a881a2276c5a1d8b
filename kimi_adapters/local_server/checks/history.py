"""Checks of the tool turns in a conversation."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

from kimi_adapters.local_server.refusal import invalid
from kimi_adapters.local_server.request import ChatRequest, JsonObject


def _calls(message: JsonObject) -> list[JsonObject]:
    found = message.get("tool_calls")
    return found if isinstance(found, list) and message.get("role") == "assistant" else []


def calls_are_well_formed(request: ChatRequest) -> None:
    """Refuse tool calls without a name, arguments that are no string, and an id that is twice in one message."""
    for message in request.messages:
        if not isinstance(message.get("tool_calls") or [], list):
            raise invalid("Invalid request: tool_calls must be an array")
        seen: set[str] = set()
        for call in _calls(message):
            _check_function(call)
            id = str(call.get("id") or "")
            if id in seen:
                raise invalid(f"Invalid request: tool_call_id {id} is duplicated")
            seen.add(id)


def _check_function(call: object) -> None:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not function.get("name"):
        raise invalid("Invalid request: tool_calls.function.name is required")
    if not isinstance(function.get("arguments", ""), str):
        raise invalid("Invalid request: tool_calls.function.arguments must be a string")


def arguments_of(request: ChatRequest) -> Iterator[str]:
    """Yield the arguments of all earlier calls that have some."""
    for message in request.messages:
        for call in _calls(message):
            if text := call["function"].get("arguments"):
                yield text


def strict_json(text: str) -> object:
    """Parse a text by the letter of JSON: no raw control characters, no NaN, no infinite numbers.

    Raises:
        ValueError: If the text is not such JSON.
    """
    return json.loads(text, parse_constant=_refused, parse_float=_finite)


def _refused(name: str) -> float:
    raise ValueError(f"syntax error while parsing value - invalid literal; last read: '{name[:1]}'")


def _finite(number: str) -> float:
    value = float(number)
    return value if math.isfinite(value) else _refused(number)


def arguments_are_objects(request: ChatRequest) -> None:
    """Refuse earlier calls whose arguments are no JSON object, as SGLang does (sgl-project/sglang#28035)."""
    for text in arguments_of(request):
        try:
            read = strict_json(text)
        except ValueError:
            read = None
        if not isinstance(read, dict):
            # Not quoted anywhere.
            raise invalid("Assistant tool call arguments must be a JSON object")


def calls_are_answered(request: ChatRequest) -> None:
    """Refuse results without a call, calls without a result, and second results.

    The real server has one sentence for all three; with an empty id, there are two blanks in it.
    """
    open_calls: list[str] = []
    for message in request.messages:
        if message["role"] == "tool":
            _close(open_calls, str(message.get("tool_call_id") or ""))
            continue
        if open_calls:
            raise _unpaired(open_calls[0])
        open_calls = [str(call.get("id") or "") for call in _calls(message)]
    if open_calls:
        raise _unpaired(open_calls[0])


def _close(open_calls: list[str], id: str) -> None:
    if not id or id not in open_calls:
        raise _unpaired(id)
    open_calls.remove(id)


def _unpaired(id: str) -> Exception:
    return invalid(f"Invalid request: tool_call_id {id} is not found")


def reasoning_is_replayed(request: ChatRequest) -> None:
    """Refuse, while thinking, an assistant message with tool calls that has lost its reasoning.

    An empty text counts as lost, one blank does not.
    """
    if not request.thinking:
        return
    for at, message in enumerate(request.messages):
        if _calls(message) and not message.get("reasoning_content"):
            # Live, in dozens of reports, for example langchain-ai/langchain#36457.
            raise invalid(
                f"thinking is enabled but reasoning_content is missing in assistant tool call message at index {at}"
            )


def kept_reasoning_is_replayed(request: ChatRequest) -> None:
    """Refuse, while the reasoning of all turns is kept in view, any assistant message without the field.

    MoonshotAI/kimi-cli, changelog of 1.49.0: with preserved thinking there are backends "that require
    ``reasoning_content`` on every assistant message". An empty text counts as present; that client sends it back.
    """
    if not (request.thinking and request.keeps_reasoning):
        return
    for at, message in enumerate(request.messages):
        if message["role"] == "assistant" and not isinstance(message.get("reasoning_content"), str):
            # Not quoted anywhere: the sentence of its neighbour.
            raise invalid(f"thinking is enabled but reasoning_content is missing in assistant message at index {at}")
