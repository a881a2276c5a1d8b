"""The core's responses -> LlamaIndex's messages and responses. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    LogProb,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)
from pydantic import ValidationError

from kimi_core import server_tool_record
from kimi_core.openai_shapes import refusal_of
from kimi_core.server_tool_record import TURNS
from kimi_core.types import JsonObject, Response, ToolCall, Usage
from kimi_core.usage import Bill
from llama_index_kimi._tools import read_arguments

REASONING_KEY = "reasoning_key"
"""Where a `ThinkingBlock` keeps the wire key of its reasoning."""
REASONING_DETAILS = "reasoning_details"
"""Where it keeps reasoning that came as an array."""
UNTHOUGHT = "unthought"
"""Marks an empty one: the model called tools without having thought, so that nothing was lost on the way."""


def to_chat_response(response: Response, *, single_call: bool = False) -> ChatResponse:
    """Convert a whole answer to LlamaIndex's response.

    Args:
        response: The answer.
        single_call: Hand on the first tool call only.
    """
    if single_call:
        response = replace(response, tool_calls=response.tool_calls[:1])
    facts: JsonObject = {"finish_reason": response.finish_reason} if response.finish_reason else {}
    facts |= bill_facts(response)
    if response.alternatives:
        facts["alternatives"] = [other.text or other.refusal for other in response.alternatives]
    return ChatResponse(
        message=to_message(response),
        raw=to_raw(response),
        logprobs=to_logprobs(response.logprobs) if response.logprobs else None,
        additional_kwargs=facts,
    )


def to_message(response: Response) -> ChatMessage:
    """Convert a whole answer to a message that can be sent back as it is.

    Text and reasoning of all turns with server tools are in its blocks, as they were streamed; the record beside them
    (see `kimi_core.server_tool_record`) has which turn they are of, and what was called.
    """
    text, reasoning = response.text, response.reasoning
    if response.steps:
        text = server_tool_record.to_text(response.steps, text)
        reasoning = server_tool_record.to_reasoning(response.steps, reasoning)
    blocks: list[Any] = [TextBlock(text=text)]
    if reasoning:
        known = {REASONING_KEY: reasoning.key, REASONING_DETAILS: list(reasoning.details)}
        thinking = ThinkingBlock(
            content=reasoning.text,
            num_tokens=response.usage.reasoning_tokens if response.usage else None,
            additional_information={name: value for name, value in known.items() if value},
        )
        blocks.insert(0, thinking)
    elif response.tool_calls:
        blocks.insert(0, ThinkingBlock(content="", additional_information={UNTHOUGHT: True}))
    blocks += [
        ToolCallBlock(tool_call_id=call.id, tool_name=call.name, tool_kwargs=read_arguments(call.arguments))
        for call in response.tool_calls
    ]
    kwargs: JsonObject = {"tool_calls": [to_call_dict(c) for c in response.tool_calls]} if response.tool_calls else {}
    if response.refusal:
        kwargs["refusal"] = response.refusal
    if response.steps:
        kwargs[TURNS] = server_tool_record.to_record(response.steps)
    return ChatMessage(role=MessageRole.ASSISTANT, blocks=blocks, additional_kwargs=kwargs)


def to_call_dict(call: ToolCall) -> JsonObject:
    """Return a call in OpenAI's form, the arguments as the model wrote them."""
    return {
        "id": call.id,
        "type": call.type,
        "function": {"name": call.name, "arguments": call.arguments},
    }


def to_raw(response: Response) -> JsonObject:
    """Return the answer's envelope, with usage in OpenAI's form: token counters and tracers read it there."""
    raw = {
        **response.extra,
        "host": response.host,
        "fallbacks": [dict(failed) for failed in response.fallbacks] or None,
        "retries": [dict(failed) for failed in response.retries] or None,
        "limits_waited": response.limits_waited or None,
        "id": response.id,
        "model": response.model,
        "created": response.created,
        "system_fingerprint": response.system_fingerprint,
        "finish_reason": response.raw_finish_reason,
        "logprobs": response.logprobs,
        "usage": to_usage(response.usage) if response.usage else None,
    }
    if response.steps:
        record = server_tool_record.to_record(response.steps)
        raw[TURNS] = [
            {**turn, "text": step.text, "reasoning": step.reasoning.text if step.reasoning else ""}
            for turn, step in zip(record, response.steps, strict=True)
        ]
    return {key: value for key, value in raw.items() if value is not None}


def to_usage(usage: Usage) -> JsonObject:
    """Return the host's usage, with the counts that everybody reads where everybody reads them."""
    counts = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
    }
    merged: JsonObject = {**usage.raw, **counts}
    if usage.cached_tokens is not None:
        details = merged.get("prompt_tokens_details") or {}
        merged["prompt_tokens_details"] = {**details, "cached_tokens": usage.cached_tokens}
    if usage.reasoning_tokens is not None:
        details = merged.get("completion_tokens_details") or {}
        merged["completion_tokens_details"] = {**details, "reasoning_tokens": usage.reasoning_tokens}
    return merged


_COUNTS = {
    "prompt_tokens": "input_tokens",
    "completion_tokens": "output_tokens",
    "total_tokens": "total_tokens",
    "cached_tokens": "cached_tokens",
    "reasoning_tokens": "reasoning_tokens",
    "cache_write_tokens": "cache_write_tokens",
}
"""The names of counts in `ChatResponse.additional_kwargs`, and those of `Usage`."""


def bill_facts(bill: Bill | Response) -> JsonObject:
    """Return what an answer has cost, flat, for `ChatResponse.additional_kwargs`."""
    facts: JsonObject = {name: getattr(bill.usage, ours, None) for name, ours in _COUNTS.items()}
    facts["cost_usd"] = bill.cost_usd
    if bill.cost_usd is not None:
        facts["cost_is_estimate"] = bill.cost_is_estimate
    return {name: value for name, value in facts.items() if value is not None}


def read_bill(facts: Mapping[str, Any]) -> Bill:
    """Read what an answer has cost out of its `additional_kwargs`."""
    counts: JsonObject = {ours: facts.get(name) for name, ours in _COUNTS.items()}
    usage = Usage(**counts) if counts["total_tokens"] is not None else None
    return Bill(usage, facts.get("cost_usd"), bool(facts.get("cost_is_estimate")))


def to_logprobs(sent: Mapping[str, Any]) -> list[list[LogProb]] | None:
    """Convert log probabilities: for each token its alternatives, or itself when none were asked for."""
    found = [_alternatives(token) for token in _items(sent.get("content"))]
    return [one for one in found if one] or None


def _alternatives(token: Any) -> list[LogProb]:
    """Return a token's alternatives, or itself. What is of another form than OpenAI's is in `raw` alone."""
    several = _items(token.get("top_logprobs")) if isinstance(token, dict) else ()
    return [found for one in several or (token,) if (found := _logprob(one)) is not None]


def _logprob(token: Any) -> LogProb | None:
    if not isinstance(token, dict):
        return None
    try:
        return LogProb(
            token=token.get("token") or "", logprob=token.get("logprob") or 0.0, bytes=token.get("bytes") or []
        )
    except ValidationError:
        return None


def _items(found: Any) -> Sequence[Any]:
    return found if isinstance(found, list) else ()


def to_completion(response: ChatResponse) -> CompletionResponse:
    """Convert an answer to a completion."""
    refusal = refusal_of(response.message.additional_kwargs)
    return CompletionResponse(
        text=response.message.content or "",
        additional_kwargs={**response.additional_kwargs, **({"refusal": refusal} if refusal else {})},
        raw=response.raw,
        logprobs=response.logprobs,
        delta=response.delta,
    )
