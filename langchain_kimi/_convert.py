"""LangChain's messages and tools <-> the core's types. Pure; no message handed over is ever changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, InvalidToolCall, ToolMessage
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
from langchain_core.messages.tool import ToolCall as LangChainToolCall

from kimi_core import media
from kimi_core.errors import MessageError
from kimi_core.media import Kind
from kimi_core.structured import dump
from kimi_core.types import (
    ImagePart,
    JsonObject,
    Message,
    Part,
    Reasoning,
    Response,
    Role,
    TextPart,
    ToolCall,
    Usage,
    VideoPart,
)

PROVIDER = "moonshot"
"""`model_provider` and `ls_provider` of every message, whatever the host: who made the model."""

# ------------------------------------------------------------------------------------------------ to the core


def to_messages(messages: Iterable[BaseMessage]) -> list[Message]:
    """A conversation for the core.

    Raises:
        MessageError: A message or block that no Kimi host can be told.
    """
    return [_CONVERTERS.get(message.type, _refuse)(message) for message in messages]


def _refuse(message: BaseMessage) -> Message:
    raise MessageError(f"A {type(message).__name__} cannot be sent to a model.")


def _human(message: BaseMessage) -> Message:
    return Message("user", _content(message.content), name=message.name)


def _system(message: BaseMessage) -> Message:
    return Message("system", _content(message.content), name=message.name)


_ROLES: dict[str, Role] = {
    "developer": "system",
    "system": "system",
    "user": "user",
    "assistant": "assistant",
}


def _chat(message: BaseMessage) -> Message:
    role = _ROLES.get(message.role)  # type: ignore[attr-defined]
    if role is None:
        raise MessageError(f"Kimi knows no role {message.role!r}; use system, user or assistant.")  # type: ignore[attr-defined]
    return Message(role, _content(message.content), name=message.name)


def _tool(message: ToolMessage) -> Message:
    return Message("tool", _content(message.content), tool_call_id=message.tool_call_id, name=message.name)


def _ai(message: AIMessage) -> Message:
    kwargs = message.additional_kwargs
    content = message.content
    return Message(
        "assistant",
        content if type(content) is str else _spoken(content),
        reasoning=_reasoning(message),
        tool_calls=_calls(message) if message.tool_calls or message.invalid_tool_calls else (),
        name=message.name,
        partial=bool(kwargs.get("partial")) if kwargs else False,
    )


_CONVERTERS: dict[str, Callable[[Any], Message]] = {
    "human": _human,
    "HumanMessageChunk": _human,
    "system": _system,
    "SystemMessageChunk": _system,
    "ai": _ai,
    "AIMessageChunk": _ai,
    "tool": _tool,
    "ToolMessageChunk": _tool,
    "chat": _chat,
    "ChatMessageChunk": _chat,
}


def _calls(message: AIMessage) -> tuple[ToolCall, ...]:
    valid = [ToolCall(c["id"] or "", c["name"], dump(c["args"]), _kind(c["name"])) for c in message.tool_calls]
    invalid = [ToolCall(c["id"] or "", c["name"] or "", c["args"] or "") for c in message.invalid_tool_calls]
    return (*valid, *invalid)


def _kind(name: str) -> str:
    """LangChain's calls have no type; the names of Moonshot's builtin functions begin with a dollar sign."""
    return "builtin_function" if name.startswith("$") else "function"


def _reasoning(message: AIMessage) -> Reasoning | None:
    """From `additional_kwargs`, or from reasoning blocks (v1 content, other providers, replayed caches)."""
    text = message.additional_kwargs.get("reasoning_content") if message.additional_kwargs else None
    if not text and type(message.content) is list:
        text = "".join(_thought(block) for block in message.content if isinstance(block, dict))
    return Reasoning(text, message.response_metadata.get("reasoning_key")) if text else None


def _thought(block: Mapping[str, Any]) -> str:
    match block.get("type"):
        case "reasoning":
            return block.get("reasoning") or ""
        case "thinking":
            return block.get("thinking") or ""
    return ""


def _spoken(blocks: Sequence[Any]) -> str | tuple[Part, ...]:
    """What an assistant said. Its calls and reasoning are sent in fields of their own."""
    parts = [part for block in blocks if (part := _part(block)) is not None]
    texts = [part.text for part in parts if isinstance(part, TextPart)]
    return "".join(texts) if len(texts) == len(parts) else tuple(parts)


# ----------------------------------------------------------------------------------------------------- blocks


def _content(content: Any) -> str | tuple[Part, ...]:
    if type(content) is str:
        return content
    parts = [part for block in content if (part := _part(block)) is not None]
    return tuple(parts) if parts else ""


def _part(block: Any) -> Part | None:
    """One content block; None for an empty text, which Moonshot refuses (`text content is empty`)."""
    if isinstance(block, str):
        return TextPart(block) if block else None
    kind = block.get("type")
    convert = _PARTS.get(kind)
    if convert is None:
        raise MessageError(
            f"A content block of type {kind!r} cannot be sent to Kimi. It reads text, images and videos; "
            "extract the text of documents and audio first."
        )
    return convert(block)


def _text(block: Mapping[str, Any]) -> Part | None:
    text = block.get("text")
    return TextPart(text) if text else None


def _media(part: type[ImagePart] | type[VideoPart], kind: Kind) -> Callable[[Mapping[str, Any]], Part]:
    """Standard blocks (url, base64, file_id) and Anthropic's (source)."""

    def convert(block: Mapping[str, Any]) -> Part:
        source = block.get("source")
        block = source if isinstance(source, Mapping) else block
        data = block.get("base64") or block.get("data")
        if data:
            return part(_data_url(data, block.get("mime_type") or block.get("media_type"), kind))
        if file_id := block.get("file_id"):
            return part(f"ms://{str(file_id).removeprefix('ms://')}")
        if url := block.get("url"):
            return part(str(url))
        raise MessageError(f"An {kind} block needs one of url, base64 or file_id; it has {sorted(block)}.")

    return convert


def _data_url(data: str | bytes, mime: str | None, kind: Kind) -> str:
    """A data URL of the type that the first bytes tell."""
    return media.load(data, kind, mime) if isinstance(data, bytes) else media.inline(data, kind, mime)


def _media_url(part: type[ImagePart] | type[VideoPart], key: str) -> Callable[[Mapping[str, Any]], Part]:
    """OpenAI's `image_url` and Moonshot's `video_url`, as object or bare string."""

    def convert(block: Mapping[str, Any]) -> Part:
        value = block.get(key)
        url = value.get("url") if isinstance(value, Mapping) else value
        if not url:
            raise MessageError(f"A block of type {key!r} needs a URL.")
        return part(url)

    return convert


def _unwrap(block: Mapping[str, Any]) -> Part | None:
    return _part(block.get("value") or {})


def _nothing(block: Mapping[str, Any]) -> None:
    """Reasoning and calls have fields of their own; a cache point is automatic with Kimi."""


_PARTS: dict[Any, Callable[[Mapping[str, Any]], Part | None]] = {
    "text": _text,
    "text-plain": _text,
    "input_text": _text,
    "image": _media(ImagePart, "image"),
    "video": _media(VideoPart, "video"),
    "image_url": _media_url(ImagePart, "image_url"),
    "input_image": _media_url(ImagePart, "image_url"),
    "video_url": _media_url(VideoPart, "video_url"),
    "non_standard": _unwrap,
    "reasoning": _nothing,
    "thinking": _nothing,
    "redacted_thinking": _nothing,
    "tool_call": _nothing,
    "tool_use": _nothing,
    "cachePoint": _nothing,
}

# ----------------------------------------------------------------------------------------------- from the core


def to_ai_message(response: Response, host: str) -> AIMessage:
    """A whole answer as LangChain's message."""
    calls, invalid = parse_calls(response.tool_calls)
    return AIMessage(
        content=response.text,
        additional_kwargs={"reasoning_content": response.reasoning.text} if response.reasoning else {},
        tool_calls=calls,
        invalid_tool_calls=invalid,
        usage_metadata=to_usage(response.usage) if response.usage else None,
        response_metadata=to_metadata(response, host),
    )


def parse_calls(calls: Iterable[ToolCall]) -> tuple[list[LangChainToolCall], list[InvalidToolCall]]:
    """Calls whose arguments are a JSON object, and the others."""
    valid: list[LangChainToolCall] = []
    invalid: list[InvalidToolCall] = []
    for call in calls:
        try:
            # Models write raw control characters into strings; an empty text means no arguments.
            args = json.loads(call.arguments or "{}", strict=False)
            if not isinstance(args, dict):
                raise ValueError(f"Arguments must be a JSON object, not {type(args).__name__}.")
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


def to_usage(usage: Usage) -> UsageMetadata:
    """Tokens in LangChain's words. Integers only: LangChain adds them up."""
    converted = UsageMetadata(
        input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, total_tokens=usage.total_tokens
    )
    if usage.cached_tokens is not None:
        converted["input_token_details"] = InputTokenDetails(cache_read=usage.cached_tokens)
    if usage.reasoning_tokens is not None:
        converted["output_token_details"] = OutputTokenDetails(reasoning=usage.reasoning_tokens)
    return converted


def to_metadata(response: Response, host: str) -> JsonObject:
    """What belongs to an answer but is not said in it. On a stream it comes once, with the last chunk."""
    metadata: JsonObject = {
        **response.extra,
        "model_provider": PROVIDER,
        "model_name": response.model,
        "host": host,
        "finish_reason": response.raw_finish_reason,
        "id": response.id,
        "created": response.created,
        "system_fingerprint": response.system_fingerprint,
        "logprobs": response.logprobs,
        "token_usage": dict(response.usage.raw) if response.usage else None,
        "cost_usd": response.cost_usd,
    }
    if response.cost_usd is not None:
        metadata["cost_is_estimate"] = response.cost_is_estimate
    if response.reasoning:
        metadata["reasoning_key"] = response.reasoning.key
    return {key: value for key, value in metadata.items() if value is not None}
