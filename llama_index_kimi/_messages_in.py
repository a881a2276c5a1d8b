"""LlamaIndex's messages and calls -> the core's. Pure; no message handed over is ever changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from llama_index.core.base.llms.types import (
    ChatMessage,
    DocumentBlock,
    ImageBlock,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    VideoBlock,
)

from kimi_core import options, server_tool_record
from kimi_core.errors import MessageError, warn
from kimi_core.hosts import addresses
from kimi_core.media import data_urls, left_out
from kimi_core.openai_shapes import details_of, refusal_of
from kimi_core.quoting import quoted
from kimi_core.remembered import BREAK, Remembered
from kimi_core.server_tool_record import TURNS
from kimi_core.structured_output import dump
from kimi_core.types import (
    DocumentPart,
    FilePart,
    ImagePart,
    JsonObject,
    LeftOutPart,
    Message,
    Part,
    Reasoning,
    Request,
    TextPart,
    ToolCall,
    VideoPart,
)
from llama_index_kimi._fields import split_additional
from llama_index_kimi._messages_out import REASONING_DETAILS, REASONING_KEY, UNTHOUGHT
from llama_index_kimi._structured_output import to_output
from llama_index_kimi._tools import answered_call_id, match_recorded, read_arguments, recorded_calls, to_tools

if TYPE_CHECKING:
    from llama_index_kimi.llm import KimiLLM


# Arguments of a call that are no options.
_ABOUT = ("model", "tools", "tool_choice", "strict", "response_format", "allow_parallel_tool_calls")
_CALL = (*_ABOUT, "additional_kwargs", *options.SERVED)


def to_request(
    llm: KimiLLM, messages: Iterable[ChatMessage], kwargs: Mapping[str, Any]
) -> tuple[Request, JsonObject, bool]:
    """Convert a call: return its request, what it changes about the connection, and whether one tool call is enough.

    Raises:
        ConfigError: If an option is wrong.
        MessageError: If a message or a tool is.
    """
    connection, chosen, own = options.split(kwargs, _CALL) if kwargs else ({}, {}, {})
    asked = llm._options()
    if connection and asked.extra_headers and llm._client.changes_host(connection):
        asked = asked.changed(extra_headers=None)
    if additional := own.get("additional_kwargs"):
        asked = options.parse(split_additional(additional), asked)
    if chosen:
        asked = options.parse(chosen, asked)
    request = Request(
        messages=to_messages(messages),
        model=own.get("model") or llm.model,
        options=asked,
        **(_tools_and_output(llm, own) if own or llm.server_tools or llm.max_server_rounds is not None else {}),
    )
    single_call = own.get("allow_parallel_tool_calls") is False or asked.parallel_tool_calls is False
    return request, connection, single_call


def _tools_and_output(llm: KimiLLM, own: JsonObject) -> JsonObject:
    """Return the fields of a request about tools, and about the form of the answer."""
    offered, output = own.get("tools"), own.get("response_format")
    tools = to_tools(offered, own.get("strict"), llm.strict) if offered else ()
    return {
        **options.parse_served(own, llm.__dict__, tools),
        "tool_choice": options.parse_tool_choice(own.get("tool_choice")),
        "output": None if output is None else to_output(output),
    }


def to_messages(messages: Iterable[ChatMessage]) -> list[Message]:
    """Convert a conversation for the core.

    Raises:
        MessageError: If a block cannot be sent to any Kimi host, or something is no message.
    """
    try:
        return MESSAGES.converted(messages, lambda message: _CONVERTERS[message.role](message))
    except AttributeError:
        for at, message in enumerate(messages):
            if not isinstance(message, ChatMessage):
                raise MessageError(
                    f"Message {at} is no ChatMessage of LlamaIndex, but {type(message).__name__}."
                ) from None
        raise


def user_message(prompt: str) -> list[ChatMessage]:
    """Return a conversation that is a single message of the user.

    Raises:
        MessageError: If the prompt is no text.
    """
    if not isinstance(prompt, str):
        raise MessageError(f"A prompt must be text, not {type(prompt).__name__}.")
    return [ChatMessage(role=MessageRole.USER, content=prompt)]


# ------------------------------------------------------------------------------------------------------ roles


def _user(message: ChatMessage) -> Message:
    name = message.additional_kwargs.get("name") if message.additional_kwargs else None
    if name is not None and not isinstance(name, str):
        raise MessageError(f"The name of a message must be text, not {quoted(name)}.")
    return Message("user", _content(message.blocks), name=name)


def _system(message: ChatMessage) -> Message:
    made = _user(message)
    return replace(made, role="system", content=_paths_as_text(made.content))


def _tool(message: ChatMessage) -> Message:
    kwargs = message.additional_kwargs
    content = _paths_as_text(_content(message.blocks, _WITHOUT_PART, _parts_or_stand_in))
    return Message("tool", content, tool_call_id=answered_call_id(kwargs), name=_text_or_none(kwargs.get("name")))


def _assistant(message: ChatMessage) -> Message:
    kwargs, blocks = message.additional_kwargs, message.blocks
    content = _paths_as_text(_content(blocks, _WITHOUT_ASSISTANT_PART, _parts_or_stand_in))
    calls = _calls(blocks, kwargs)
    if unreadable := tuple(call for call in calls if isinstance(call, LeftOutPart)):
        parts = content if isinstance(content, tuple) else (TextPart(content),) if content else ()
        content = (*parts, *unreadable)
    made = Message(
        "assistant",
        content,
        reasoning=_reasoning(blocks, kwargs),
        tool_calls=tuple(call for call in calls if isinstance(call, ToolCall)),
        name=_text_or_none(kwargs.get("name")),
        partial=bool(kwargs.get("partial")),
        refusal=refusal_of(kwargs),
    )
    return _with_turns(made, kwargs[TURNS]) if TURNS in kwargs else made


def _with_turns(message: Message, record: Any) -> Message:
    """Take the turns with server tools out of a message whose text and reasoning are of all turns.

    Raises:
        MessageError: If the record is none.
    """
    content, reasoning = message.content, message.reasoning
    text = content if isinstance(content, str) else ""
    read = server_tool_record.read(record, text, reasoning.text if reasoning else "")
    last = replace(reasoning, text=read.thought) if reasoning else None
    return replace(message, content=read.text if text else content, reasoning=last, steps=read.steps)


def _text_or_none(name: Any) -> str | None:
    """Return the name in a message that the caller did not write."""
    return name if isinstance(name, str) else None


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


def _reasoning(blocks: Sequence[Any], kwargs: Mapping[str, Any]) -> Reasoning | None:
    """Read reasoning from thinking blocks, or from where other integrations leave it."""
    thoughts = [block for block in blocks if isinstance(block, ThinkingBlock)]
    texts = [block.content for block in thoughts if block.content]
    if thoughts:
        known = thoughts[0].additional_information
        details = details_of(known.get(REASONING_DETAILS))
        if texts or details or known.get(UNTHOUGHT):
            return Reasoning("\n".join(texts), known.get(REASONING_KEY), details)
    legacy = kwargs.get("reasoning_content")
    return Reasoning(legacy) if legacy and isinstance(legacy, str) else None


def _calls(blocks: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[ToolCall | LeftOutPart, ...]:
    """Read calls from blocks, or from `additional_kwargs["tool_calls"]` where older integrations left them.

    Both are there in our own answers: then the blocks have what was called, and the list has the very text of the
    arguments, which keeps the prompt the same and the host's cache warm.
    """
    recorded = recorded_calls(kwargs) if kwargs else ()
    called = [block for block in blocks if isinstance(block, ToolCallBlock)]
    if not called:
        return recorded
    known = match_recorded(
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
_WITHOUT_PART = frozenset({"cache"})
# An assistant's reasoning and calls have fields of their own.
_WITHOUT_ASSISTANT_PART = _WITHOUT_PART | {"thinking", "tool_call"}


def _content(
    blocks: Sequence[Any],
    skipped: frozenset[str] = _WITHOUT_PART,
    convert: Callable[[Any], Iterable[Part]] | None = None,
) -> str | tuple[Part, ...]:
    """Return text as LlamaIndex itself joins it, or parts as soon as there is more than text."""
    texts = []
    for block in blocks:
        if type(block) is TextBlock:
            texts.append(block.text)
        elif block.block_type not in skipped:
            kept = (block for block in blocks if block.block_type not in skipped)
            return tuple(part for block in kept for part in (convert or _parts)(block))
    return texts[0] if len(texts) == 1 else "\n".join(texts)


def _paths_as_text(content: str | tuple[Part, ...]) -> str | tuple[Part, ...]:
    """Return content that the user did not write: there a path is mere text, and opens no file."""
    if isinstance(content, str):
        return content
    return tuple(_path_as_text(part) if isinstance(part, FilePart) else part for part in content)


def _path_as_text(part: FilePart) -> Part:
    name = str(part.path)
    if part.kind == "document":
        return DocumentPart(name, part.filename, part.mime)
    return ImagePart(name) if part.kind == "image" else VideoPart(name)


def _parts(block: Any) -> Iterable[Part]:
    kind = block.block_type
    convert = _PARTS.get(kind)
    if convert is None:
        raise MessageError(
            f"A block of type {quoted(kind)} cannot be sent to Kimi. It reads text, images, videos and the text of "
            "documents; write down what audio says."
        )
    return convert(block)


def _parts_or_stand_in(block: Any) -> Iterable[Part]:
    """Convert a block that the caller did not write: to text in its place when no Kimi host can take it."""
    match block.block_type:
        case "tool_call":
            return _call_of_no_assistant(block)
        case "citation":
            return _parts_or_stand_in(block.cited_content)
        case "citable":
            return (*_title(block), *(part for inner in block.content for part in _parts_or_stand_in(inner)))
    try:
        return _parts(block)
    except MessageError:
        return (_stand_in(block),)


def _stand_in(block: Any) -> LeftOutPart:
    """Return what the model reads instead of a block that cannot be sent."""
    kind = block.block_type
    name, mime_field = _MEDIA.get(kind, (f"a block of type {kind}", ""))
    title = getattr(block, "title", None)
    address = block.path or block.url if mime_field else None
    return left_out.stand_in(
        name,
        title if title != _UNTITLED else None,
        getattr(block, mime_field, None),
        None if address is None else str(address),
    )


_MEDIA = {
    "image": ("an image", "image_mimetype"),
    "video": ("a video", "video_mimetype"),
    "audio": ("audio", "format"),
    "document": ("a document", "document_mimetype"),
}
# What LlamaIndex calls a document that has no title.
_UNTITLED = "input_document"


def _text(block: Any) -> Iterable[Part]:
    # Moonshot answers 400 `text content is empty`.
    return (TextPart(block.text),) if block.text else ()


def _title(block: Any) -> Iterable[Part]:
    return (TextPart(block.title),) if block.title else ()


def _thinking(block: Any) -> Iterable[Part]:
    warn("A ThinkingBlock was left out: only an assistant's message can hold reasoning.")
    return ()


def _call_of_no_assistant(block: Any) -> Iterable[Part]:
    raise MessageError(
        f"The call of {quoted(block.tool_name)} is in a message that is no assistant's. Give that message the role "
        "`assistant`, or leave the ToolCallBlock out."
    )


def _citation(block: Any) -> Iterable[Part]:
    return _parts(block.cited_content)


def _citable(block: Any) -> Iterable[Part]:
    return (*_title(block), *(part for inner in block.content for part in _parts(inner)))


def _image(block: ImageBlock) -> Iterable[Part]:
    _warn_of_settings(detail=block.detail)
    if block.image is None and block.path is not None:
        return (FilePart(block.path, "image"),)
    return (ImagePart(_url(block) if block.image is None else _data_url(block.image, block.image_mimetype)),)


def _video(block: VideoBlock) -> Iterable[Part]:
    _warn_of_settings(detail=block.detail, fps=block.fps)
    if block.video is None and block.path is not None:
        return (FilePart(block.path, "video"),)
    return (VideoPart(_url(block) if block.video is None else _data_url(block.video, block.video_mimetype)),)


def _document(block: DocumentBlock) -> Iterable[Part]:
    """Convert a document. Its text is taken where the host is known."""
    title = block.title if block.title != _UNTITLED else None
    data, mime = block.data, block.document_mimetype
    if data is not None:
        return (DocumentPart(_data_url(data, mime), title, mime),)
    if block.path is not None:
        return (FilePart(Path(block.path), "document", title, mime),)
    url = _url(block, "data")
    last = None if url.startswith("data:") else addresses.last_name(url) or None
    return (DocumentPart(url, title or last, mime),)


def _data_url(data: Any, mime: str | None) -> str:
    """Return a file as a `data:` URL. Bytes of a block are in base64 already; the core looks at what they are."""
    if isinstance(data, bytes):
        return data_urls.with_base64(data, mime or "")
    data.seek(0)
    return data_urls.to_data_url(bytes(data.read()), mime or "")


def _url(block: ImageBlock | VideoBlock | DocumentBlock, field: str | None = None) -> str:
    kind = block.block_type
    if block.url is None:
        raise MessageError(
            f"A block of type {quoted(kind)} needs one of {field or kind}, path or url; this one has none."
        )
    return str(block.url)


def _warn_of_settings(**settings: Any) -> None:
    for name, value in settings.items():
        if value is not None:
            warn(f"{name}={quoted(value)} of a block is not sent: no host of Kimi has such a setting.")


_PARTS: dict[str, Callable[[Any], Iterable[Part]]] = {
    "text": _text,
    "image": _image,
    "video": _video,
    "document": _document,
    "citation": _citation,
    "citable": _citable,
    "thinking": _thinking,
    "tool_call": _call_of_no_assistant,
}

# ----------------------------------------------------------------------- what is read to know a message again

_OF_ASSISTANTS: Final = (MessageRole.ASSISTANT, MessageRole.CHATBOT, MessageRole.MODEL)


def _read(message: ChatMessage) -> list[Any] | None:
    read = message.__dict__
    role, kwargs = read["role"], read["additional_kwargs"]
    if TURNS in kwargs:
        return None
    row = [role, *kwargs, *kwargs.values()]
    for block in read["blocks"]:
        kind = type(block)
        if kind is TextBlock:
            row += (BREAK, "text", block.block_type, block.text)
        elif role not in _OF_ASSISTANTS:  # what is left out there is warned of each time
            return None
        elif kind is ThinkingBlock:
            known = block.additional_information
            row += (BREAK, "thinking", block.block_type, block.content, *known, *known.values())
        elif kind is ToolCallBlock:
            args = block.tool_kwargs
            row += (BREAK, "call", block.block_type, block.tool_call_id, block.tool_name)
            row += (*args, *args.values()) if type(args) is dict else ("as text", args, None)
        else:
            return None
    return row


MESSAGES: Final[Remembered[ChatMessage]] = Remembered({ChatMessage: _read})
