"""LangChain's messages as entries. By what they hold: nothing of LangChain is imported."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from kimi_adapters.notebook import media
from kimi_adapters.notebook.entries import Call, Entry, Facts, Note, Part, Result, Text, Thought

_ROLES = {"human": "user", "ai": "assistant", "AIMessageChunk": "assistant", "HumanMessageChunk": "user"}
_CALLS = ("tool_call", "tool_call_chunk", "invalid_tool_call", "server_tool_call", "server_tool_call_chunk")


def entry(message: Any) -> Entry:
    """Return a message, or a chunk of one, as an entry."""
    role = _ROLES.get(message.type, message.type)
    if role == "tool":
        failed = getattr(message, "status", "success") == "error"
        pictures = [part for part in _parts(message.content) if not isinstance(part, Text)]
        return Entry(role, (Result(getattr(message, "name", None) or "", str(message.text), failed), *pictures))
    if role != "assistant":
        return Entry(role, tuple(_parts(message.content)))
    return Entry(role, tuple(_parts(message.content_blocks)), _facts(message))


def _parts(content: Any) -> Iterator[Part]:
    blocks = [content] if isinstance(content, str) else content or []
    names: dict[Any, str] = {}
    for block in blocks:
        yield _part({"type": "text", "text": block} if isinstance(block, str) else dict(block), names)


def _part(block: dict[str, Any], names: dict[Any, str]) -> Part:
    """Return a block as a part; `names` holds those of the host's own tools by the ids of their calls."""
    match block:
        case {"type": "text" | "input_text" | "output_text", "text": str(text)}:
            return Text(text)
        case {"type": "reasoning"}:
            return Thought(str(block.get("reasoning") or ""))
        case {"type": "refusal", "refusal": str(text)}:
            return Text(text)
        case {"type": str(kind)} if kind in _CALLS:
            names[block.get("id")] = name = str(block.get("name") or "")
            return Call(name, _as_json(block.get("args")))
        case {"type": "server_tool_result"}:
            name = names.get(block.get("tool_call_id"), "")
            return Result(name, _as_text(block.get("output")), block.get("status") == "error")
    return _medium(block)


def _medium(block: dict[str, Any]) -> Part:
    match block:
        case {"type": "image"}:
            return media.picture(data=block.get("base64"), path=block.get("path"), url=block.get("url"))
        case {"type": "image_url", "image_url": address}:
            return media.picture(url=address.get("url") if isinstance(address, Mapping) else address)
        case {"type": str(kind)}:
            extras = block.get("extras")
            named = extras.get("filename") if isinstance(extras, Mapping) else None
            return media.other(kind, block.get("filename"), named, block.get("path"), block.get("url"))
    return Note("something that is not shown")


def _facts(message: Any) -> Facts:
    metadata, usage = message.response_metadata or {}, message.usage_metadata or {}
    return Facts(
        model=metadata.get("model_name"),
        host=metadata.get("host") or metadata.get("model_provider"),
        input_tokens=usage.get("input_tokens"),
        cached_tokens=(usage.get("input_token_details") or {}).get("cache_read"),
        output_tokens=usage.get("output_tokens"),
        reasoning_tokens=(usage.get("output_token_details") or {}).get("reasoning"),
        cost_usd=metadata.get("cost_usd"),
        cost_is_estimate=bool(metadata.get("cost_is_estimate")),
        finish_reason=metadata.get("finish_reason"),
    )


def _as_json(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments or {}, ensure_ascii=False, default=str)


def _as_text(output: Any) -> str:
    return output if isinstance(output, str) else json.dumps(output, ensure_ascii=False, default=str)
