"""The core's answers as LangChain's messages, and these as standard content blocks. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk, InvalidToolCall
from langchain_core.messages import content as types
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
from langchain_core.messages.block_translators import register_translator
from langchain_core.messages.tool import ToolCall as LangChainToolCall
from langchain_core.outputs import ChatGeneration, ChatResult

from kimi_core import server_tool_record
from kimi_core.hosts.groups import Price
from kimi_core.server_tool_record import TURNS
from kimi_core.structured_output import dump
from kimi_core.tool_arguments import parse_arguments
from kimi_core.types import JsonObject, Reasoning, Response, ToolCall, Usage
from kimi_core.usage import Bill
from langchain_kimi import _server_tools
from langchain_kimi._messages_in import DETAILS, PROVIDER, WRITTEN


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFormat:
    """How the messages of one call are made.

    Attributes:
        host: Who is asked.
        v1: Content is standard blocks (`output_version="v1"`).
        events: LangChain's v3 events are made of the chunks; they read tool arguments as strict JSON.
        costs: The price goes into the metadata in LangSmith's terms as well.
        price: By which an estimated price is split into that of input and output.
        headers: The answer's headers go into `response_metadata`.
        prefill: What the text begins with: that of the message that is continued.
        single_call: Only the first tool call is handed on.
        merge: Tool arguments are handed on in growing pieces (`merge_deltas`).
        served: Server tools are on offer.
        several: The answer has others beside it, whose tokens are counted with its own.
    """

    host: str
    v1: bool = False
    events: bool = False
    costs: bool = False
    price: Price | None = None
    headers: bool = False
    prefill: str = ""
    single_call: bool = False
    merge: bool = True
    served: bool = False
    several: bool = False


def to_result(response: Response, message_format: MessageFormat) -> ChatResult:
    """Return a whole answer as LangChain's result."""
    if response.alternatives:
        return _several(response, message_format)
    message = to_ai_message(response, message_format)
    known = ("token_usage", "model_name", "system_fingerprint", "cost_usd")
    output = {key: message.response_metadata[key] for key in known if key in message.response_metadata}
    return ChatResult(generations=[ChatGeneration(message=message)], llm_output=output)


def _several(response: Response, message_format: MessageFormat) -> ChatResult:
    """Return several answers as so many generations.

    The first has the tokens and the price of all, the others have none: some who count look at the first generation
    only, others add up all of them.
    """
    first = to_result(replace(response, alternatives=()), replace(message_format, several=True))
    others = [
        ChatGeneration(message=to_ai_message(replace(other, usage=None, cost_usd=None), message_format))
        for other in response.alternatives
    ]
    return ChatResult(generations=[*first.generations, *others], llm_output=first.llm_output)


def to_ai_message(response: Response, message_format: MessageFormat) -> AIMessage:
    """Return a whole answer as LangChain's message."""
    if message_format.prefill:
        response = _prefilled(response, message_format.prefill)
    tool_calls = response.tool_calls[:1] if message_format.single_call else response.tool_calls
    calls, invalid = parse_calls(tool_calls) if tool_calls else ([], [])
    text, reasoning = response.text, response.reasoning
    kwargs: JsonObject = {"refusal": response.refusal} if response.refusal else {}
    if tool_calls:
        kwargs |= original_arguments(tool_calls, calls)
    content: Any = to_blocks(text, reasoning, calls, invalid) if message_format.v1 else text
    if response.steps:
        content, kwargs = _with_steps(response, content, kwargs)
    elif reasoning and not message_format.v1:
        kwargs = {**to_kwargs(reasoning), **kwargs}
    return AIMessage(
        content=content,
        additional_kwargs=kwargs,
        tool_calls=calls,
        invalid_tool_calls=invalid,
        usage_metadata=to_usage(response.usage),
        response_metadata=to_metadata(response, message_format),
    )


def _prefilled(response: Response, prefill: str) -> Response:
    """Return an answer that begins with what it continues, in its first turn."""
    if response.steps and not response.steps[0].open:
        first = replace(response.steps[0], text=prefill + response.steps[0].text)
        return replace(response, steps=(first, *response.steps[1:]))
    return replace(response, text=prefill + response.text)


def _with_steps(response: Response, content: Any, kwargs: JsonObject) -> tuple[Any, JsonObject]:
    """Return content and keywords with the turns in which server tools were run."""
    steps = response.steps
    if isinstance(content, list):
        return [*_server_tools.before(steps), *content, *_server_tools.within(steps)], kwargs
    thought = to_kwargs(server_tool_record.to_reasoning(steps, response.reasoning))
    return server_tool_record.to_text(steps, content), {
        **thought,
        **kwargs,
        TURNS: server_tool_record.to_record(steps),
    }


def to_kwargs(reasoning: Reasoning | None) -> JsonObject:
    """Return reasoning where messages of strings have it."""
    kwargs: JsonObject = {}
    if reasoning and reasoning.text:
        kwargs["reasoning_content"] = reasoning.text
    if reasoning and reasoning.details:
        kwargs[DETAILS] = list(reasoning.details)
    return kwargs


def reasoning_block(text: str, details: Iterable[Any] = ()) -> JsonObject:
    """Return reasoning as a standard block."""
    known = list(details)
    return {"type": "reasoning", "reasoning": text, **({"extras": {DETAILS: known}} if known else {})}


def to_blocks(
    text: str,
    reasoning: Reasoning | None,
    calls: Iterable[Mapping[str, Any]],
    invalid: Iterable[Mapping[str, Any]],
) -> list[Any]:
    """Return standard blocks of a whole answer: reasoning, text, calls."""
    blocks: list[Any] = []
    if reasoning and (reasoning.text or reasoning.details):
        blocks.append(reasoning_block(reasoning.text, reasoning.details))
    if text:
        blocks.append({"type": "text", "text": text})
    blocks += [{**call, "type": "tool_call"} for call in calls]
    blocks += [{**call, "type": "invalid_tool_call"} for call in invalid]
    return blocks


def parse_calls(calls: Iterable[ToolCall]) -> tuple[list[LangChainToolCall], list[InvalidToolCall]]:
    """Return calls that can be made, and the others: their arguments are no JSON object, or they name no tool."""
    valid: list[LangChainToolCall] = []
    invalid: list[InvalidToolCall] = []
    for call in calls:
        try:
            args = parse_arguments(call.arguments)
            if not call.name:
                raise ValueError("The call names no tool.")
            valid.append(LangChainToolCall(name=call.name, args=args, id=call.id, type="tool_call"))
        except ValueError as error:
            invalid.append(
                InvalidToolCall(
                    name=call.name,
                    args=call.arguments,
                    id=call.id,
                    error=str(error),
                    type="invalid_tool_call",
                )
            )
    return valid, invalid


def original_arguments(
    calls: Iterable[ToolCall], parsed: Iterable[LangChainToolCall], closed: Iterable[str | None] = ()
) -> JsonObject:
    """Return the arguments that would not go back to the letter (see `WRITTEN`), for `additional_kwargs`.

    Args:
        calls: As the model wrote them.
        parsed: Those of them that are valid.
        closed: The ids of those that get another end (see `close_arguments`).
    """
    texts = {call.id: call.arguments for call in calls if call.arguments}
    ours = {str(call["id"]): dump(call["args"]) for call in parsed}
    differing = {id_: texts[id_] for id_, text in ours.items() if texts.get(id_, text) != text}
    differing |= {id_: texts[id_] for id_ in closed if id_ in texts}
    return {WRITTEN: differing} if differing else {}


def close_arguments(arguments: str, *, events: bool = False) -> str:
    """Return what makes a call that is invalid stay that way when LangChain adds up a stream; usually nothing.

    LangChain completes what looks cut: of `{"path": "/home` it would make a call that can be run. A bracket that
    closes nothing makes it an invalid call, as it is when it was not streamed.

    Args:
        arguments: As the model wrote them.
        events: For LangChain's v3 events, which take any JSON for arguments, and fail to make a message of a list.
    """
    from langchain_core.utils.json import parse_partial_json  # with the first such call

    def looks_whole(text: str) -> bool:
        with suppress(ValueError, RecursionError):
            if events:
                json.loads(text)
                return True
        with suppress(ValueError, RecursionError):
            return isinstance(parse_partial_json(text), dict)
        return False

    ends = ("", "]", "}", '"]', '"}', '""]', '""}')
    return next((end for end in ends if not looks_whole(arguments + end)), "")


# ------------------------------------------------------------------------------------------------------ blocks

# Blocks of a stream carry string indexes: with the host's numbers a text and a tool call would both be 0, and
# LangChain would merge them.
REASONING_INDEX = "lc_rs_{}"
TEXT_INDEX = "lc_txt_{}"
CALL_INDEX = "lc_tc_{}"
SERVER_TOOL_INDEX = "lc_st_{}_{}"


def to_content_blocks(message: AIMessage) -> list[types.ContentBlock]:
    """Return blocks of a whole message: reasoning, text, calls; before them those of turns that called server tools."""
    if TURNS in message.additional_kwargs:
        last, steps = _server_tools.split_turns(message)
        return [*_server_tools.before(steps), *to_content_blocks(last), *_server_tools.within(steps)]  # type: ignore[list-item]
    blocks = _own_blocks(message)
    known = {block.get("id") for block in blocks if block["type"] in ("tool_call", "invalid_tool_call")}
    blocks += [{**call, "type": "tool_call"} for call in message.tool_calls if call["id"] not in known]
    blocks += [{**call, "type": "invalid_tool_call"} for call in message.invalid_tool_calls if call["id"] not in known]
    return blocks


def to_chunk_blocks(message: AIMessageChunk) -> list[types.ContentBlock]:
    """Return blocks of a chunk, with the indexes by which chunks are merged; whole calls once it is the last."""
    if message.chunk_position == "last":
        return to_content_blocks(message)
    blocks = _own_blocks(message)
    for block in blocks:
        block["index"] = REASONING_INDEX.format(0) if block["type"] == "reasoning" else TEXT_INDEX.format(0)
    for call in message.tool_call_chunks:
        block = {key: call[key] for key in ("id", "name", "args") if call.get(key) is not None}
        blocks.append({"type": "tool_call_chunk", **block, "index": CALL_INDEX.format(call["index"])})
    if TURNS in message.additional_kwargs:
        blocks += _server_tools.of_record(message.additional_kwargs[TURNS])
    return blocks


def _own_blocks(message: AIMessage) -> list[Any]:
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


# What `content_blocks`, `output_version="v1"` and v3 events read messages of this provider by.
register_translator(PROVIDER, to_content_blocks, to_chunk_blocks)


# ------------------------------------------------------------------------------------------------------ usage


def to_usage(usage: Usage | None) -> UsageMetadata | None:
    """Return tokens in LangChain's terms. Whole numbers only: LangChain adds them up."""
    if usage is None:
        return None
    converted = UsageMetadata(
        input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, total_tokens=usage.total_tokens
    )
    details = {"cache_read": usage.cached_tokens, "cache_creation": usage.cache_write_tokens}
    if known := {name: count for name, count in details.items() if count is not None}:
        converted["input_token_details"] = InputTokenDetails(**known)  # type: ignore[typeddict-item]
    if usage.reasoning_tokens is not None:
        converted["output_token_details"] = OutputTokenDetails(reasoning=usage.reasoning_tokens)
    return converted


def read_bill(message: AIMessage) -> Bill:
    """Return what an answer of ours has cost."""
    usage, metadata = message.usage_metadata, message.response_metadata
    if usage is None:
        return Bill(None, metadata.get("cost_usd"), bool(metadata.get("cost_is_estimate")))
    into, out = usage.get("input_token_details") or {}, usage.get("output_token_details") or {}
    tokens = Usage(
        usage["input_tokens"],
        usage["output_tokens"],
        usage["total_tokens"],
        into.get("cache_read"),
        out.get("reasoning"),
        cache_write_tokens=into.get("cache_creation"),
    )
    return Bill(tokens, metadata.get("cost_usd"), bool(metadata.get("cost_is_estimate")))


def _costs(response: Response, message_format: MessageFormat) -> dict[str, float] | None:
    """Return the price as LangSmith reads it; in parts when it comes from the table."""
    total = response.cost_usd
    if total is None:
        return None
    price = message_format.price if response.host in (None, message_format.host) else None
    if not response.cost_is_estimate or price is None or response.usage is None:
        return {"total_cost": total}
    output = response.usage.output_tokens * price.output / 1_000_000
    return {"input_cost": max(total - output, 0.0), "output_cost": output, "total_cost": total}


# --------------------------------------------------------------------------------------------------- metadata


def to_metadata(response: Response, message_format: MessageFormat) -> JsonObject:
    """Return what belongs to an answer but is not its content. On a stream it comes once, with the last chunk."""
    usage = response.usage
    summed = message_format.served or message_format.several  # the host may have been asked several times
    metadata: JsonObject = {
        **response.extra,
        "model_provider": PROVIDER,
        "model_name": response.model,
        "host": response.host or message_format.host,
        "fallbacks": [dict(failed) for failed in response.fallbacks] or None,
        "retries": [dict(failed) for failed in response.retries] or None,
        "limits_waited": response.limits_waited or None,
        "finish_reason": response.raw_finish_reason,
        "id": response.id,
        "created": response.created,
        "system_fingerprint": response.system_fingerprint,
        "logprobs": response.logprobs,
        "token_usage": usage and (_summed(usage) if summed else dict(usage.raw)),
        "cost_usd": response.cost_usd,
        "cost_is_estimate": response.cost_is_estimate if response.cost_usd is not None else None,
        "costs": _costs(response, message_format) if message_format.costs else None,
        # Of a stream into which `extra_body` brought several; whole answers are generations.
        "alternatives": [other.text or other.refusal for other in response.alternatives] or None,
        "reasoning_key": response.reasoning.key if response.reasoning else None,
        "output_version": "v1" if message_format.v1 else None,
        "headers": dict(response.headers) if message_format.headers else None,
    }
    return {key: value for key, value in metadata.items() if value is not None}


def _summed(usage: Usage) -> JsonObject:
    """Return the host's own object with the sums of all that it was asked for one answer."""
    sums = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "cached_tokens": usage.cached_tokens,
    }
    return {**usage.raw, **{name: count for name, count in sums.items() if name in usage.raw}}


def combined(outputs: Iterable[Mapping[str, Any] | None]) -> JsonObject:
    """Return what several answers have in common: numbers are added up, of the rest the first counts."""
    summed: JsonObject = {}
    for output in outputs:
        _add(summed, output or {})
    return summed


def _add(to: JsonObject, more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, Mapping):
            _add(to.setdefault(key, {}), value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            to[key] = to.get(key, 0) + value
        else:
            to.setdefault(key, value)


def without_price(generation: ChatGeneration) -> ChatGeneration:
    """Return an answer that comes out of a cache: it costs nothing again."""
    message = generation.message
    if not isinstance(message, AIMessage) or "cost_usd" not in message.response_metadata:
        return generation
    metadata = {**message.response_metadata, "cost_usd": 0.0}
    if costs := metadata.get("costs"):
        metadata["costs"] = dict.fromkeys(costs, 0.0)
    return generation.model_copy(update={"message": message.model_copy(update={"response_metadata": metadata})})
