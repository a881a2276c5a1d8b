"""LlamaIndex's messages and responses <-> the core's types. Pure; no message handed over is ever changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
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

from kimi_core.errors import MessageError, warn
from kimi_core.openai_shapes import details_of, refusal_of
from kimi_core.quoting import quoted
from kimi_core.server_tool_record import TURNS, to_record
from kimi_core.structured_output import dump
from kimi_core.tool_arguments import parse_arguments
from kimi_core.types import (
    FilePart,
    JsonObject,
    LeftOutPart,
    Message,
    Part,
    Reasoning,
    Response,
    TextPart,
    ToolCall,
    Usage,
)
from kimi_core.usage import Bill, bill_of
from llama_index_kimi._media import document_part, image_part, named, stand_in, video_part
from llama_index_kimi._recorded_calls import matched, recorded_calls, result_id

# ------------------------------------------------------------------------------------------------ to the core


def to_messages(messages: Iterable[ChatMessage]) -> list[Message]:
    """A conversation for the core.

    Raises:
        MessageError: A block that no Kimi host can be told, or something that is no message.
    """
    try:
        converted = [_CONVERTERS[message.role](message) for message in messages]
    except AttributeError:
        _refuse_strangers(messages)
        raise
    return converted


def _refuse_strangers(messages: Iterable[Any]) -> None:
    for at, message in enumerate(messages):
        if not isinstance(message, ChatMessage):
            raise MessageError(f"Message {at} is no ChatMessage of LlamaIndex, but {type(message).__name__}.") from None


def _user(message: ChatMessage) -> Message:
    kwargs = message.additional_kwargs
    return Message("user", _content(message.blocks), name=_name(kwargs) if kwargs else None)


def _name(kwargs: Mapping[str, Any]) -> str | None:
    name = kwargs.get("name")
    if name is None or isinstance(name, str):
        return name
    raise MessageError(f"The name of a message must be text, not {quoted(name)}.")


def _system(message: ChatMessage) -> Message:
    return replace(_user(message), role="system", content=_unread(_content(message.blocks)))


def _tool(message: ChatMessage) -> Message:
    kwargs = message.additional_kwargs
    answered = result_id(kwargs) if kwargs else None
    content = _unread(_content(message.blocks, _UNSAID, _sendable))
    return Message("tool", content, tool_call_id=answered, name=_foreign_name(kwargs))


def _assistant(message: ChatMessage) -> Message:
    kwargs, blocks = message.additional_kwargs, message.blocks
    calls = _calls(blocks, kwargs)
    made = Message(
        "assistant",
        _with(_unread(_content(blocks, _ASSISTANTS_OWN, _sendable)), calls),
        reasoning=_reasoning(blocks, kwargs),
        tool_calls=tuple(call for call in calls if isinstance(call, ToolCall)),
        name=_foreign_name(kwargs),
        partial=bool(kwargs.get("partial")),
        refusal=refusal_of(kwargs),
    )
    if not kwargs or TURNS not in kwargs:
        return made
    from llama_index_kimi._turns import told_apart  # with the first server tool

    return told_apart(made, kwargs[TURNS])


def _foreign_name(kwargs: Mapping[str, Any]) -> str | None:
    """The name in a message that the caller did not write."""
    name = kwargs.get("name")
    return name if isinstance(name, str) else None


def _with(content: str | tuple[Part, ...], calls: Sequence[ToolCall | LeftOutPart]) -> str | tuple[Part, ...]:
    """What was said, with what stands for calls that cannot be read."""
    unread = tuple(call for call in calls if isinstance(call, LeftOutPart))
    if not unread:
        return content
    if not isinstance(content, str):
        return *content, *unread
    return (TextPart(content), *unread) if content else unread


_CONVERTERS: dict[MessageRole, Callable[[ChatMessage], Message]] = {
    MessageRole.SYSTEM: _system,
    MessageRole.DEVELOPER: _system,
    MessageRole.USER: _user,
    MessageRole.ASSISTANT: _assistant,
    MessageRole.CHATBOT: _assistant,
    MessageRole.MODEL: _assistant,
    MessageRole.TOOL: _tool,
    MessageRole.FUNCTION: _tool,
}

REASONING_KEY = "reasoning_key"
"""Where a `ThinkingBlock` keeps the wire key of its reasoning."""
REASONING_DETAILS = "reasoning_details"
"""Where it keeps reasoning that came as an array."""
UNTHOUGHT = "unthought"
"""Marks an empty one: the model called tools without having thought, so that nothing was lost on the way."""


def _reasoning(blocks: Sequence[Any], kwargs: Mapping[str, Any]) -> Reasoning | None:
    """From thinking blocks, or from where other integrations leave it."""
    thoughts = [block for block in blocks if isinstance(block, ThinkingBlock)]
    texts = [block.content for block in thoughts if block.content]
    if thoughts:
        known = thoughts[0].additional_information
        details = details_of(known.get(REASONING_DETAILS))
        if texts or details or known.get(UNTHOUGHT):
            return Reasoning("\n".join(texts), known.get(REASONING_KEY), details)
    legacy = kwargs.get("reasoning_content") if kwargs else None
    return Reasoning(legacy) if legacy and isinstance(legacy, str) else None


def _calls(blocks: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[ToolCall | LeftOutPart, ...]:
    """From tool call blocks, or from `additional_kwargs["tool_calls"]` where older integrations left them.

    Both are there in our own answers: then the blocks say what was called, and the list has the very text of the
    arguments, which keeps the prompt the same and the host's cache warm.
    """
    recorded = recorded_calls(kwargs) if kwargs else ()
    called = [block for block in blocks if isinstance(block, ToolCallBlock)]
    if not called:
        return recorded
    known = matched(
        ((block.tool_call_id, block.tool_name) for block in called),
        (call for call in recorded if isinstance(call, ToolCall)),
    )
    return tuple(map(_call, called, known))


def _call(block: ToolCallBlock, recorded: ToolCall | None) -> ToolCall:
    kwargs = block.tool_kwargs
    if recorded and recorded.name == block.tool_name and read_arguments(recorded.arguments) == kwargs:
        return recorded
    arguments = kwargs if isinstance(kwargs, str) else dump(kwargs)
    kind = recorded.type if recorded else "function"
    return ToolCall(block.tool_call_id or (recorded.id if recorded else ""), block.tool_name, arguments, kind)


# ----------------------------------------------------------------------------------------------------- blocks


# A cache point is automatic with Kimi.
_UNSAID = frozenset({"cache"})
# An assistant's reasoning and calls have fields of their own.
_ASSISTANTS_OWN = _UNSAID | {"thinking", "tool_call"}


def _content(
    blocks: Sequence[Any],
    unsaid: frozenset[str] = _UNSAID,
    convert: Callable[[Any], Iterable[Part]] | None = None,
) -> str | tuple[Part, ...]:
    """Text as LlamaIndex itself joins it, or parts as soon as there is more than text."""
    texts = []
    for block in blocks:
        if type(block) is TextBlock:
            texts.append(block.text)
        elif block.block_type not in unsaid:
            said = (block for block in blocks if block.block_type not in unsaid)
            return tuple(part for block in said for part in (convert or _block_parts)(block))
    return texts[0] if len(texts) == 1 else "\n".join(texts)


def _unread(content: str | tuple[Part, ...]) -> str | tuple[Part, ...]:
    """Content of others than the user: there a path is mere text, and opens no file."""
    if isinstance(content, str):
        return content
    return tuple(named(part) if isinstance(part, FilePart) else part for part in content)


def _parts(blocks: Iterable[Any]) -> tuple[Part, ...]:
    return tuple(part for block in blocks for part in _block_parts(block))


def _block_parts(block: Any) -> Iterable[Part]:
    kind = block.block_type
    convert = _PARTS.get(kind)
    if convert is None:
        raise MessageError(
            f"A block of type {quoted(kind)} cannot be sent to Kimi. It reads text, images, videos and the text of "
            "documents; write down what audio says."
        )
    return convert(block)


def _sendable(block: Any) -> Iterable[Part]:
    """A block that the caller did not write: text in its place when no Kimi host can be told it."""
    match block.block_type:
        case "tool_call":
            return _stray_call(block)
        case "citation":
            return _sendable(block.cited_content)
        case "citable":
            return (TextPart(block.title), *(part for inner in block.content for part in _sendable(inner)))
    try:
        return _block_parts(block)
    except MessageError:
        return (stand_in(block),)


def _text(block: Any) -> Iterable[Part]:
    # Moonshot answers 400 `text content is empty`.
    return (TextPart(block.text),) if block.text else ()


def _thinking(block: Any) -> Iterable[Part]:
    warn("A ThinkingBlock was left out: only an assistant's message can hold reasoning.")
    return ()


def _stray_call(block: Any) -> Iterable[Part]:
    raise MessageError(
        f"The call of {quoted(block.tool_name)} stands in a message that is no assistant's. Give that message the role "
        "`assistant`, or leave the ToolCallBlock out."
    )


def _citation(block: Any) -> Iterable[Part]:
    return _block_parts(block.cited_content)


def _citable(block: Any) -> Iterable[Part]:
    return (TextPart(block.title), *_parts(block.content))


_PARTS: dict[str, Callable[[Any], Iterable[Part]]] = {
    "text": _text,
    "image": lambda block: (image_part(block),),
    "video": lambda block: (video_part(block),),
    "document": lambda block: (document_part(block),),
    "citation": _citation,
    "citable": _citable,
    "thinking": _thinking,
    "tool_call": _stray_call,
}


# ----------------------------------------------------------------------------------------------- from the core


def to_chat_response(response: Response) -> ChatResponse:
    """A whole answer as LlamaIndex's response."""
    return ChatResponse(
        message=to_message(response),
        raw=to_raw(response),
        logprobs=to_logprobs(response.logprobs),
        additional_kwargs=to_facts(response),
    )


def to_message(response: Response) -> ChatMessage:
    """A whole answer as a message that can be sent back as it is."""
    if response.steps:
        from llama_index_kimi._turns import joined  # with the first server tool

        response = joined(response)
    blocks: list[Any] = [TextBlock(text=response.text)]
    if response.reasoning:
        blocks.insert(0, to_thinking(response.reasoning, response.usage))
    elif response.tool_calls:
        blocks.insert(0, ThinkingBlock(content="", additional_information={UNTHOUGHT: True}))
    blocks += [to_call_block(call) for call in response.tool_calls]
    kwargs: JsonObject = {"tool_calls": [to_call_dict(c) for c in response.tool_calls]} if response.tool_calls else {}
    if response.refusal:
        kwargs["refusal"] = response.refusal
    if response.steps:
        kwargs[TURNS] = to_record(response.steps)
    return ChatMessage(role=MessageRole.ASSISTANT, blocks=blocks, additional_kwargs=kwargs)


def to_thinking(reasoning: Reasoning, usage: Usage | None = None) -> ThinkingBlock:
    """What the model thought."""
    known = {REASONING_KEY: reasoning.key, REASONING_DETAILS: list(reasoning.details)}
    return ThinkingBlock(
        content=reasoning.text,
        num_tokens=usage.reasoning_tokens if usage else None,
        additional_information={name: value for name, value in known.items() if value},
    )


def to_call_block(call: ToolCall) -> ToolCallBlock:
    """A complete call; its arguments stay text when they are no JSON object."""
    return ToolCallBlock(tool_call_id=call.id, tool_name=call.name, tool_kwargs=read_arguments(call.arguments))


def to_call_dict(call: ToolCall) -> JsonObject:
    """A call in OpenAI's form, the arguments as the model wrote them."""
    return {
        "id": call.id,
        "type": call.type,
        "function": {"name": call.name, "arguments": call.arguments},
    }


def read_arguments(text: str) -> JsonObject | str:
    """Arguments as an object; the text itself when it is none."""
    try:
        return parse_arguments(text)
    except ValueError:
        return text


def to_raw(response: Response) -> JsonObject:
    """The answer's envelope, with usage in OpenAI's words: token counters and tracers read it there."""
    raw = {
        **response.extra,
        "host": response.host,
        "fallbacks": [dict(failed) for failed in response.fallbacks] or None,
        "id": response.id,
        "model": response.model,
        "created": response.created,
        "system_fingerprint": response.system_fingerprint,
        "finish_reason": response.raw_finish_reason,
        "logprobs": response.logprobs,
        "usage": to_usage(response.usage) if response.usage else None,
    }
    if response.steps:
        from llama_index_kimi._turns import to_raw as steps

        raw[TURNS] = steps(response.steps)
    return {key: value for key, value in raw.items() if value is not None}


def to_usage(usage: Usage) -> JsonObject:
    """The host's usage, with the counts that everybody reads where everybody reads them."""
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


def to_facts(response: Response) -> JsonObject:
    """What is known about an answer, flat, for `ChatResponse.additional_kwargs`."""
    facts: JsonObject = {"finish_reason": response.finish_reason} if response.finish_reason else {}
    facts |= bill_facts(bill_of(response))
    if response.alternatives:
        facts["alternatives"] = [other.text or other.refusal for other in response.alternatives]
    return facts


_COUNTS = {
    "prompt_tokens": "input_tokens",
    "completion_tokens": "output_tokens",
    "total_tokens": "total_tokens",
    "cached_tokens": "cached_tokens",
    "reasoning_tokens": "reasoning_tokens",
    "cache_write_tokens": "cache_write_tokens",
}
"""The names of counts in facts, and those of `Usage`."""


def bill_facts(bill: Bill) -> JsonObject:
    """What an answer has cost, flat."""
    facts: JsonObject = {name: getattr(bill.usage, ours, None) for name, ours in _COUNTS.items()}
    facts["cost_usd"] = bill.cost_usd
    if bill.cost_usd is not None:
        facts["cost_is_estimate"] = bill.cost_is_estimate
    return {name: value for name, value in facts.items() if value is not None}


def read_bill(facts: Mapping[str, Any]) -> Bill:
    """The other way round, of an answer of ours."""
    counts: JsonObject = {ours: facts.get(name) for name, ours in _COUNTS.items()}
    usage = Usage(**counts) if counts["total_tokens"] is not None else None
    return Bill(usage, facts.get("cost_usd"), bool(facts.get("cost_is_estimate")))


def to_logprobs(sent: Mapping[str, Any] | None) -> list[list[LogProb]] | None:
    """Log probabilities: for each token its alternatives, or itself when none were asked for."""
    tokens = (sent or {}).get("content") or ()
    return [[_logprob(t) for t in token.get("top_logprobs") or [token]] for token in tokens] or None


def _logprob(token: Mapping[str, Any]) -> LogProb:
    return LogProb(token=token.get("token") or "", logprob=token.get("logprob") or 0.0, bytes=token.get("bytes") or [])


def to_completion(response: ChatResponse) -> CompletionResponse:
    """The same answer as a completion."""
    return CompletionResponse(
        text=response.message.content or "",
        additional_kwargs={**response.additional_kwargs, **_refused(response.message)},
        raw=response.raw,
        logprobs=response.logprobs,
        delta=response.delta,
    )


def _refused(message: ChatMessage) -> JsonObject:
    refusal = refusal_of(message.additional_kwargs)
    return {"refusal": refusal} if refusal else {}
