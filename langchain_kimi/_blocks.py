"""Kimi's messages as LangChain's standard content blocks.

Registered for the provider, so that `content_blocks`, `output_version="v1"` and v3 events read a message the same
way.
"""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages import content as types
from langchain_core.messages.block_translators import register_translator

from kimi_core.server_tool_record import TURNS
from langchain_kimi._messages_in import DETAILS, PROVIDER
from langchain_kimi._messages_out import reasoning_block
from langchain_kimi._streaming import CALL_INDEX, REASONING_INDEX, TEXT_INDEX

_REASONING, _TEXT = REASONING_INDEX.format(0), TEXT_INDEX.format(0)


def register() -> None:
    """Tell LangChain about the translators. Done once, when this package is imported."""
    register_translator(PROVIDER, translate, translate_chunk)


def translate(message: AIMessage) -> list[types.ContentBlock]:
    """Blocks of a whole message: reasoning, text, calls; before them those of the turns that called server tools."""
    if TURNS in message.additional_kwargs:
        from langchain_kimi._turns import before, told_apart, within

        last, steps = told_apart(message)
        return [*before(steps), *translate(last), *within(steps)]  # type: ignore[list-item]
    blocks = _spoken(message)
    told = {block.get("id") for block in blocks if block["type"] in ("tool_call", "invalid_tool_call")}
    blocks += [{**call, "type": "tool_call"} for call in message.tool_calls if call["id"] not in told]
    blocks += [{**call, "type": "invalid_tool_call"} for call in message.invalid_tool_calls if call["id"] not in told]
    return blocks


def translate_chunk(message: AIMessageChunk) -> list[types.ContentBlock]:
    """Blocks of a chunk, with the indexes by which chunks are merged; whole calls once it is the last."""
    if message.chunk_position == "last":
        return translate(message)
    blocks = _spoken(message)
    for block in blocks:
        block["index"] = _REASONING if block["type"] == "reasoning" else _TEXT
    for call in message.tool_call_chunks:
        block = {key: call[key] for key in ("id", "name", "args") if call.get(key) is not None}
        blocks.append({"type": "tool_call_chunk", **block, "index": CALL_INDEX.format(call["index"])})
    if TURNS in message.additional_kwargs:
        from langchain_kimi._turns import of_record

        blocks += of_record(message.additional_kwargs[TURNS])
    return blocks


def _spoken(message: AIMessage) -> list[Any]:
    if isinstance(message.content, list):
        return [_standard(block) for block in message.content]
    kwargs = message.additional_kwargs
    blocks: list[Any] = []
    reasoning, details = kwargs.get("reasoning_content") or "", kwargs.get(DETAILS) or ()
    if reasoning or details:
        blocks.append(reasoning_block(reasoning, details))
    if message.content:
        blocks.append({"type": "text", "text": message.content})
    return blocks


def _standard(block: Any) -> Any:
    if isinstance(block, str):
        return {"type": "text", "text": block}
    return dict(block) if block.get("type") in types.KNOWN_BLOCK_TYPES else {"type": "non_standard", "value": block}
