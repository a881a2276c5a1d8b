"""LlamaIndex's messages and responses as entries. By what they hold: nothing of LlamaIndex is imported."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from kimi_adapters.notebook import media
from kimi_adapters.notebook.entries import Call, Entry, Facts, Part, Result, Text, Thought


def of_message(message: Any, response: Any = None) -> Entry:
    """Return a `ChatMessage`, with what its `ChatResponse` has about it, as an entry."""
    role = str(getattr(message.role, "value", message.role))
    parts = list(_parts(message))
    if role == "tool":
        text = "\n".join(part.text for part in parts if isinstance(part, Text))
        return Entry(role, (Result("", text), *(part for part in parts if not isinstance(part, Text))))
    return Entry(role, tuple(parts), _facts(response))


def of_completion(response: Any) -> Entry:
    """Return a `CompletionResponse` as an entry."""
    return Entry("assistant", (Text(response.text),), _facts(response))


def of_query(response: Any) -> Entry:
    """Return what a query engine answered as an entry: the text, and the passages that it was made from."""
    sources = [_source(found) for found in getattr(response, "source_nodes", None) or ()]
    return Entry("assistant", (Text(str(response)), *sources))


def _source(found: Any) -> Result:
    metadata = getattr(found.node, "metadata", None) or {}
    name = metadata.get("file_name") or metadata.get("source") or "a source"
    score = f" ({found.score:.2f})" if isinstance(found.score, float) else ""
    return Result(f"retrieval from {name}{score}", str(found.node.get_content()))


def _parts(message: Any) -> Iterator[Part]:
    served = list(_server_tools(message.additional_kwargs.get("server_turns")))
    refusal = message.additional_kwargs.get("refusal")
    for block in message.blocks:
        kind = getattr(block, "block_type", "")
        if kind != "thinking":
            yield from served
            served = []
        yield _part(kind, block)
    yield from served
    if isinstance(refusal, str) and refusal:
        yield Text(refusal)


def _part(kind: str, block: Any) -> Part:
    match kind:
        case "text":
            return Text(str(block.text or ""))
        case "thinking":
            return Thought(str(block.content or ""))
        case "tool_call":
            given = block.tool_kwargs
            text = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False, default=str)
            return Call(str(block.tool_name), text)
        case "image":
            return media.picture(data=block.image, path=block.path, url=block.url and str(block.url))
    names = ("title", "path", "url")
    return media.other(kind or type(block).__name__, *(getattr(block, name, None) for name in names))


def _server_tools(turns: Any) -> Iterator[Part]:
    """Yield the calls of the host's own tools, each with its result."""
    for turn in turns if isinstance(turns, list) else ():
        results = {result.get("id"): result for result in turn.get("results") or ()}
        for call in turn.get("calls") or ():
            yield Call(str(call.get("name")), str(call.get("arguments") or ""))
            if result := results.get(call.get("id")):
                yield Result(str(call.get("name")), str(result.get("output") or ""), bool(result.get("failed")))


def _facts(response: Any) -> Facts:
    raw = getattr(response, "raw", None)
    raw = raw if isinstance(raw, Mapping) else {}
    known = getattr(response, "additional_kwargs", None) or _usage(raw.get("usage"))
    return Facts(
        model=raw.get("model"),
        host=raw.get("host"),
        input_tokens=known.get("prompt_tokens"),
        cached_tokens=known.get("cached_tokens"),
        output_tokens=known.get("completion_tokens"),
        reasoning_tokens=known.get("reasoning_tokens"),
        cost_usd=known.get("cost_usd"),
        cost_is_estimate=bool(known.get("cost_is_estimate")),
        finish_reason=known.get("finish_reason"),
    )


def _usage(usage: Any) -> Mapping[str, Any]:
    """Return the tokens of an envelope, which an agent's output has alone."""
    if not isinstance(usage, Mapping):
        return {}
    details = usage.get("completion_tokens_details")
    thought = details.get("reasoning_tokens") if isinstance(details, Mapping) else None
    return {**usage, "reasoning_tokens": thought}
