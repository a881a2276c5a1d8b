"""Calls of tools as integrations of LlamaIndex leave them in a message's `additional_kwargs`. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kimi_core.media.left_out import stand_in
from kimi_core.structured_output import dump
from kimi_core.types import JsonObject, LeftOutPart, ToolCall

# OpenAI's Responses say `call_id` beside an id of the item, Bedrock `toolUseId`, LlamaIndex's own selection `tool_id`.
_IDS = ("call_id", "toolUseId", "tool_use_id", "tool_call_id", "tool_id", "id")
_NAMES = ("name", "tool_name")
# OpenAI and Ollama, Anthropic and Bedrock, Google, Cohere, LlamaIndex's own selection.
_ARGUMENTS = ("arguments", "input", "args", "parameters", "tool_kwargs")
_WRAPPERS = ("function", "toolUse", "tool_use", "function_call", "functionCall")


def recorded_calls(kwargs: Mapping[str, Any] | None) -> tuple[ToolCall | LeftOutPart, ...]:
    """The calls of a message; for what is no call, text that says so."""
    if not kwargs:
        return ()
    return tuple(recorded_call(call) or stand_in("a tool call") for call in _recorded(kwargs))


def _recorded(kwargs: Mapping[str, Any]) -> Iterable[Any]:
    recorded = kwargs.get("tool_calls")
    if isinstance(recorded, Mapping):
        return (recorded,)
    if isinstance(recorded, Iterable) and not isinstance(recorded, str):
        return recorded
    legacy = kwargs.get("function_call")  # OpenAI's before there were several
    return (legacy,) if legacy else (recorded,) if recorded else ()


def recorded_call(call: Any) -> ToolCall | None:
    """A call in the shape of any provider, as a dict or as its SDK's object; None when it is no call."""
    if hasattr(call, "model_dump"):
        call = call.model_dump()
    if not isinstance(call, Mapping):
        return None
    inner: Mapping[str, Any] = next((call[key] for key in _WRAPPERS if isinstance(call.get(key), Mapping)), {})
    known: JsonObject = {**call, **{key: value for key, value in inner.items() if value is not None}}
    name = _first(known, _NAMES)
    if not isinstance(name, str) or not name:
        return None
    arguments = _first(known, _ARGUMENTS)
    text = arguments if isinstance(arguments, str) else dump(arguments) if arguments else ""
    kind = "builtin_function" if call.get("type") == "builtin_function" else "function"
    return ToolCall(str(_first(known, _IDS) or ""), name, text, kind)


def _first(known: JsonObject, keys: tuple[str, ...]) -> Any:
    return next((known[key] for key in keys if known.get(key) is not None), None)


def result_id(kwargs: Mapping[str, Any]) -> str | None:
    """Which call a tool's message answers, as far as it says so."""
    known = (kwargs.get(key) for key in ("tool_call_id", *_IDS[:-1]))
    found = next((id_ for id_ in known if isinstance(id_, str | int)), None)
    return None if found is None else str(found)


def matched(calls: Iterable[tuple[str | None, str]], recorded: Iterable[ToolCall]) -> Iterator[ToolCall | None]:
    """What was recorded of each call.

    Args:
        calls: Id and name of each; one without an id is the next of its name.
        recorded: What was recorded.
    """
    waiting = list(recorded)
    for id_, name in calls:
        found = next((call for call in waiting if (call.id == id_ if id_ else call.name == name)), None)
        if found is not None:
            waiting.remove(found)
        yield found
