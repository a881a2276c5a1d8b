"""LangChain's messages, those of other providers included, as the core's. Pure; no message is ever changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from operator import itemgetter
from typing import Any, Final

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from kimi_core.errors import MessageError
from kimi_core.openai_shapes import details_of, refusal_of
from kimi_core.quoting import quoted
from kimi_core.remembered import BREAK, Remembered
from kimi_core.server_tool_record import TURNS, kind_of
from kimi_core.structured_output import dump
from kimi_core.tool_arguments import parse_arguments
from kimi_core.types import JsonObject, Message, Reasoning, Role, ToolCall
from langchain_kimi._content import to_content, to_result, to_speech
from langchain_kimi._json_escapes import Escaper
from langchain_kimi._server_tools import split_turns

PROVIDER = "moonshot"
"""`model_provider` and `ls_provider` of every message, whatever the host: who made the model."""

DETAILS = "reasoning_details"
"""Where a message keeps reasoning that came as an array: in `additional_kwargs`, or in a reasoning block's extras."""

WRITTEN = "arguments"
"""Where a message keeps the text of tool arguments, by the calls' ids, when another text would be made of them.

A host finds its cached prefix only if a conversation comes back to the letter. Kimi nearly always writes JSON as
Python does; then nothing is kept.
"""


def to_messages(messages: Iterable[BaseMessage], left_out: dict[str, None] | None = None) -> list[Message]:
    """Return a conversation for the core.

    Args:
        messages: The conversation, oldest first.
        left_out: Gets the types of blocks in assistant messages that could not be sent.

    Raises:
        MessageError: If a message or block cannot be sent to any Kimi host.
    """
    unsent = {} if left_out is None else left_out
    return MESSAGES.converted(messages, lambda message: _CONVERTERS.get(message.type, _refuse)(message, unsent))


def _refuse(message: BaseMessage, _: dict[str, None]) -> Message:
    hint = " It changes the state of a graph; apply it before." if message.type == "remove" else ""
    raise MessageError(f"A {type(message).__name__} cannot be sent to a model.{hint}")


def _human(message: BaseMessage, _: dict[str, None]) -> Message | list[Message]:
    content = message.content
    if type(content) is str:
        return Message("user", content, name=message.name)
    if type(content) is list and any(type(block) is dict and block.get("type") == "tool_result" for block in content):
        return list(_with_results(message))
    return Message("user", to_content(content), name=message.name)


def _with_results(message: BaseMessage) -> Iterator[Message]:
    """Read Anthropic's user message: results of tools, and the rest as one message."""
    rest = []
    for block in message.content:
        if isinstance(block, dict) and block.get("type") == "tool_result":
            yield Message("tool", to_result(block.get("content") or ""), tool_call_id=_id(block.get("tool_use_id")))
        else:
            rest.append(block)
    if rest:
        yield Message("user", to_content(rest), name=message.name)


def _id(given: Any) -> str | None:
    return None if given is None else str(given)


def _system(message: BaseMessage, _: dict[str, None]) -> Message:
    return Message("system", to_content(message.content), name=message.name)


_ROLES: dict[str, Role] = {
    "developer": "system",
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "model": "assistant",
}


def _chat(message: BaseMessage, _: dict[str, None]) -> Message:
    given: str = message.role  # type: ignore[attr-defined]
    role = _ROLES.get(given)
    if role is None:
        raise MessageError(
            f"Kimi knows no role {quoted(given)}; use system, user or assistant (and a ToolMessage for tools)."
        )
    return Message(role, to_content(message.content), name=message.name)


def _tool(message: ToolMessage, _: dict[str, None]) -> Message:
    return Message("tool", to_result(message.content), tool_call_id=message.tool_call_id, name=message.name)


def _function(message: BaseMessage, _: dict[str, None]) -> Message:
    """Read OpenAI's form before tool calls, which had no ids."""
    name = message.name or ""
    return Message("tool", to_result(message.content), tool_call_id=_function_id(name), name=name)


def _function_id(name: str) -> str:
    return f"functions.{name}:0"


def _ai(message: AIMessage, left_out: dict[str, None]) -> Message:
    kwargs, content = message.additional_kwargs, message.content
    if (kwargs and TURNS in kwargs) or (type(content) is list and _has_turns(message)):
        return _with_steps(message, left_out)
    calls = _calls(message) if message.tool_calls or message.invalid_tool_calls else ()
    if type(content) is not str or (kwargs and "function_call" in kwargs):
        calls = (*calls, *_foreign_calls(message, {call.id for call in calls}))
    text = content if type(content) is str else to_speech(content, left_out)
    return Message(
        "assistant",
        text or (_transcript(kwargs) if kwargs else ""),
        reasoning=_reasoning(message) or (_no_reasoning(message) if calls else None),
        tool_calls=calls,
        name=message.name,
        partial=bool(kwargs.get("partial")) if kwargs else False,
        refusal=refusal_of(kwargs) if kwargs else "",
    )


def _transcript(kwargs: Mapping[str, Any]) -> str:
    """Return the text of an answer of OpenAI's that is audio."""
    audio = kwargs.get("audio")
    transcript = audio.get("transcript") if isinstance(audio, Mapping) else None
    return transcript if isinstance(transcript, str) else ""


def _has_turns(message: AIMessage) -> bool:
    """Return whether server tools of ours were called; those of other providers mean nothing here."""
    for block in message.content:
        if type(block) is dict and block.get("type") == "server_tool_call":
            return bool(message.response_metadata.get("model_provider") == PROVIDER)
    return False


def _with_steps(message: AIMessage, left_out: dict[str, None]) -> Message:
    last, steps = split_turns(message)
    return replace(_ai(last, left_out), steps=steps)


_CONVERTERS: dict[str, Callable[[Any, dict[str, None]], Message | list[Message]]] = {
    "human": _human,
    "HumanMessageChunk": _human,
    "system": _system,
    "SystemMessageChunk": _system,
    "ai": _ai,
    "AIMessageChunk": _ai,
    "tool": _tool,
    "ToolMessageChunk": _tool,
    "function": _function,
    "FunctionMessageChunk": _function,
    "chat": _chat,
    "ChatMessageChunk": _chat,
}

# ------------------------------------------------------------------------------------------------------ calls


def _calls(message: AIMessage) -> tuple[ToolCall, ...]:
    written = message.additional_kwargs.get(WRITTEN)
    texts = written if isinstance(written, Mapping) else {}
    valid = [ToolCall(c["id"] or "", c["name"], _arguments(c, texts), kind_of(c["name"])) for c in message.tool_calls]
    invalid = [
        ToolCall(c["id"] or "", c["name"] or "", _broken_arguments(c, texts)) for c in message.invalid_tool_calls
    ]
    return (*valid, *invalid)


def _arguments(call: Mapping[str, Any], written: Mapping[str, Any]) -> str:
    """Return the model's own text, as long as it still means what the call does."""
    text = written.get(call["id"]) if written else None
    return text if isinstance(text, str) and _stands_for(text, call["args"]) else dump(call["args"])


def _broken_arguments(call: Mapping[str, Any], written: Mapping[str, Any]) -> str:
    args = call["args"] or ""
    text = written.get(call["id"]) if written else None
    return text if isinstance(text, str) and args.startswith((text, Escaper().feed(text))) else args


def _stands_for(text: str, args: Any) -> bool:
    try:
        return bool(parse_arguments(text) == args)
    except ValueError:
        return False


def _foreign_calls(message: AIMessage, known: set[str]) -> Iterator[ToolCall]:
    """Yield calls that are in the content alone (Anthropic's, OpenAI's Responses), and OpenAI's `function_call`."""
    blocks = message.content if type(message.content) is list else []
    for block in blocks:
        if not isinstance(block, dict) or not isinstance(kind := block.get("type"), str):
            continue
        if found := _FOREIGN.get(kind):
            call = found(block)
            if call.id not in known:
                known.add(call.id)
                yield call
    legacy = message.additional_kwargs.get("function_call")
    if isinstance(legacy, Mapping) and isinstance(name := legacy.get("name"), str) and name and not known:
        yield ToolCall(_function_id(name), name, _text(legacy.get("arguments")))


def _text(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else dump(arguments or {})


def _block_call(block: JsonObject) -> ToolCall:
    arguments: Any = next((block[key] for key in ("args", "input", "arguments") if key in block), {})
    name = str(block.get("name") or "")
    return ToolCall(str(block.get("call_id") or block.get("id") or ""), name, _text(arguments), kind_of(name))


_FOREIGN = dict.fromkeys(
    ("tool_use", "tool_call", "invalid_tool_call", "function_call", "custom_tool_call"), _block_call
)

# -------------------------------------------------------------------------------------------------- reasoning


def _reasoning(message: AIMessage) -> Reasoning | None:
    """Return it from `additional_kwargs`, or from reasoning blocks (v1 content, other providers, replayed caches)."""
    kwargs = message.additional_kwargs
    text = kwargs.get("reasoning_content") if kwargs else None
    details = details_of(kwargs.get(DETAILS)) if kwargs else ()
    if not text and type(message.content) is list:
        thoughts = [_thought(block) for block in message.content if isinstance(block, dict)]
        text = "".join(thought for thought, _ in thoughts)
        details = details or next((more for _, more in thoughts if more), ())
    if not text and kwargs:
        text = _as_text(kwargs.get("reasoning")) or _as_text(kwargs.get("thinking"))
    if not text and not details:
        return None
    return Reasoning(_as_text(text), message.response_metadata.get("reasoning_key"), details)


def _no_reasoning(message: AIMessage) -> Reasoning | None:
    """Return empty reasoning for a turn of ours that never had any (thinking was off): it was not lost on the way."""
    metadata = message.response_metadata
    ours = metadata.get("model_provider") == PROVIDER and "reasoning_key" not in metadata
    return Reasoning("") if ours else None


def _thought(block: JsonObject) -> tuple[str, tuple[JsonObject, ...]]:
    """Return a block's reasoning as text, and its details."""
    match block.get("type"):
        case "reasoning":
            extras = block.get("extras")
            details = details_of(extras.get(DETAILS)) if isinstance(extras, Mapping) else ()
            return _as_text(block.get("reasoning") or block.get("summary") or block.get("content")), details
        case "thinking":
            return _as_text(block.get("thinking")), ()
        case "reasoning_content":
            return _as_text(block.get("reasoning_content")), ()
    return "", ()


def _as_text(thought: Any) -> str:
    """Return reasoning as text: Groq's and OpenRouter's is text, OpenAI's a summary in pieces, Bedrock's an object."""
    if isinstance(thought, str):
        return thought
    if isinstance(thought, Mapping):
        return _as_text(thought.get("text") or thought.get("summary"))
    return "".join(map(_as_text, thought)) if isinstance(thought, list | tuple) else ""


# ----------------------------------------------------------------------- what is read to know a message again

_BLOCKS: Final = frozenset(("text", "reasoning", "tool_call"))
"""Blocks of answers that are converted without a warning, each by itself."""

_said = itemgetter("type", "name", "content")
_answer = itemgetter(
    "type", "name", "content", "additional_kwargs", "response_metadata", "invalid_tool_calls", "tool_calls"
)
_result = itemgetter("type", "name", "content", "tool_call_id")


def _read_said(message: BaseMessage) -> tuple[Any, ...] | None:
    read = _said(message.__dict__)
    return read if type(read[2]) is str else None


def _read_result(message: BaseMessage) -> tuple[Any, ...] | None:
    read = _result(message.__dict__)
    return read if type(read[2]) is str else None


def _read_answer(message: BaseMessage) -> list[Any] | None:
    kind, name, content, kwargs, metadata, invalid, calls = _answer(message.__dict__)
    if invalid != [] or TURNS in kwargs or (type(content) is not str and not _is_own(content)):
        return None
    provider, key = metadata.get("model_provider"), metadata.get("reasoning_key", BREAK)
    row = [kind, name, content, provider, key, *kwargs, *kwargs.values()]
    for call in calls:
        args = call["args"]
        row += (BREAK, call["name"], call["id"], *args, *args.values())
    return row


def _is_own(content: Any) -> bool:
    return type(content) is list and all(type(block) is dict and block.get("type") in _BLOCKS for block in content)


MESSAGES: Final[Remembered[BaseMessage]] = Remembered(
    {
        HumanMessage: _read_said,
        SystemMessage: _read_said,
        ToolMessage: _read_result,
        AIMessage: _read_answer,
        AIMessageChunk: _read_answer,
    }
)


# ------------------------------------------------------------------------------------------------- continuation


def prefill(text: str, name: str | None = None) -> AIMessage:
    """Return the beginning of an answer, for the model to continue (Moonshot's partial mode).

    Put it at the end of the conversation. Hosts answer with what comes after it; `include_prefill=True` puts it
    before that again. An answer that the token limit cut is continued the same way.

    ```python
    model.invoke([("user", "List three colours as JSON."), prefill('{"colours": [')], include_prefill=True)
    ```

    Args:
        text: What the answer begins with.
        name: Who speaks, for characters in a play.

    Returns:
        A message with `additional_kwargs={"partial": True}`.
    """
    return AIMessage(text, name=name, additional_kwargs={"partial": True})
