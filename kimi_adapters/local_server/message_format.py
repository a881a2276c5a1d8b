"""Where a server puts the reasoning and the calls of a reply: into fields of their own, or into the text."""

from __future__ import annotations

from typing import Any

from kimi_adapters.local_server.reply import Call, Reply

JsonObject = dict[str, Any]

_KEYS: dict[str, tuple[str, ...]] = {
    "reasoning_content": ("reasoning_content",),
    "reasoning": ("reasoning",),
    "both": ("reasoning_content", "reasoning"),
    "details": ("reasoning",),
    "tags": (),
    "lone_tag": (),
    "tags_and_key": ("reasoning_content",),
}
_TAGS = {"tags": ("<think>", "</think>"), "lone_tag": ("", "</think>"), "tags_and_key": ("<think>", "</think>")}
#: What an upstream sends beside the text and wants back unchanged.
_ENCRYPTED = {"type": "reasoning.encrypted", "data": "bG9jYWw=", "format": "unknown", "index": 1}


def reasoning(reply: Reply, text: str, *, last: bool = False) -> JsonObject:
    """Return the fields of a message or delta that hold reasoning; ``last`` when no more of it follows."""
    fields: JsonObject = dict.fromkeys(_KEYS[reply.reasoning_as or "reasoning_content"], text)
    if reply.reasoning_as != "details" or not reply.reasoning:
        return fields
    detail = {"type": "reasoning.text", "text": text, "format": "unknown", "index": 0}
    return {**fields, "reasoning_details": [*([detail] if text else []), *([_ENCRYPTED] if last else [])]}


def text(reply: Reply) -> str:
    """Return the text as it is sent, with the reasoning and calls that the server leaves in it."""
    tags = _TAGS.get(reply.reasoning_as or "") if reply.reasoning else None
    thought = f"{tags[0]}{reply.reasoning}{tags[1]}" if tags else ""
    leaked = _section(reply.calls) if reply.calls and reply.calls_as == "tokens" else ""
    return thought + reply.text + leaked


def _section(calls: tuple[Call, ...]) -> str:
    """Write calls in the tokens of the model's template (K2-Vendor-Verifier, tool_calls_eval.py)."""
    written = (
        f"<|tool_call_begin|>{call.id}<|tool_call_argument_begin|>{call.arguments}<|tool_call_end|>" for call in calls
    )
    return f"<|tool_calls_section_begin|>{''.join(written)}<|tool_calls_section_end|>"
