"""LangChain's content blocks, and those of other providers, as the core's parts. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

from langchain_core.language_models._utils import _normalize_messages
from langchain_core.language_models.chat_models import _format_for_tracing
from langchain_core.messages import BaseMessage, HumanMessage

from kimi_core.errors import MessageError, warn
from kimi_core.media import data_urls, left_out
from kimi_core.media.data_urls import Kind
from kimi_core.quoting import in_short, quoted
from kimi_core.structured_output import dump
from kimi_core.types import DocumentPart, FilePart, ImagePart, JsonObject, Part, TextPart, VideoPart

Block: TypeAlias = Mapping[str, Any]
Convert: TypeAlias = Callable[[Block], Part | None]


def presentable(messages: Iterable[BaseMessage]) -> list[BaseMessage]:
    """Return messages that LangChain can convert for its traces, which it does before each call.

    It fails at a block whose type is no text, and at one that lacks what its type needs. Such a block is wrapped: what
    becomes of it is decided where the others are read.
    """
    return [_presentable(message) if type(message.content) is list else message for message in messages]


def _presentable(message: BaseMessage) -> BaseMessage:
    content = [_wrapped(block) if isinstance(block, dict) else block for block in message.content]
    changed = any(new is not old for new, old in zip(content, message.content, strict=True))
    return message.model_copy(update={"content": content}) if changed else message


def _is_unusual(block: JsonObject) -> bool:
    """Return whether LangChain may fail at a block."""
    kind = block.get("type")
    return (
        not isinstance(kind, str | None)
        or "source_type" in block
        or (kind == "image" and "url" not in block and not block.keys() >= {"base64", "mime_type"})
        or (kind in ("file", "input_audio") and len(block.keys() & {"type", "file", "input_audio"}) == 2 < len(block))
    )


def _wrapped(block: JsonObject) -> JsonObject:
    """Return a block as it is when LangChain converts it, with an empty MIME type when only that lacks, or wrapped."""
    if not _is_unusual(block):
        return block
    for form in (block, {**block, "mime_type": ""}):
        with suppress(Exception):  # of whatever kind
            _format_for_tracing(_normalize_messages([HumanMessage([form])]))
            return form
    return {"type": "non_standard", "value": block}


def to_content(content: Any) -> str | tuple[Part, ...]:
    """Return the content of a user's or the system's message.

    Raises:
        MessageError: If a block cannot be sent to any Kimi host.
    """
    if isinstance(content, str):
        return str.__str__(content)
    return _joined([_written(block) for block in content])


def to_result(content: Any) -> str | tuple[Part, ...]:
    """Return what a tool answered.

    A result that is an object of no known type is sent as its JSON; of one that cannot be sent, the model reads what it
    was.
    """
    if isinstance(content, str):
        return str.__str__(content)
    if not isinstance(content, list | tuple):
        return _as_json(content)
    blocks = map(_bare, content)
    return _joined([_sendable(block) if _has_known_type(block) else TextPart(_as_json(block)) for block in blocks])


def _as_json(result: Any) -> str:
    """Return a result as JSON, or as Python shows it where it is none."""
    try:
        return dump(result)
    except MessageError:
        return quoted(result)


def to_speech(blocks: Sequence[Any], left_out: dict[str, None]) -> str | tuple[Part, ...]:
    """Return what an assistant wrote. Its calls and reasoning are sent in fields of their own.

    Args:
        blocks: The content.
        left_out: Gets the types of blocks that only mean something to the provider they are from.
    """
    if isinstance(blocks, str):  # of a subclass, assigned to a message
        return str.__str__(blocks)
    parts: list[Part | None] = []
    for block in map(_bare, blocks):
        kind = _kind(block)
        if kind in _PARTS:
            parts.append(_sendable(block))
        else:
            left_out[kind or "without a type"] = None
    content = _joined(parts)
    if isinstance(content, tuple) and all(type(part) is TextPart for part in content):
        return "".join(part.text for part in content if isinstance(part, TextPart))
    return content


def _joined(parts: Sequence[Part | None]) -> str | tuple[Part, ...]:
    """Leave out empty texts, which Moonshot refuses (`text content is empty`)."""
    return tuple(part for part in parts if part is not None) or ""


def _kind(block: Any) -> str | None:
    """Return a block's type; that of Bedrock's, which have none, is their one key."""
    if isinstance(block, str):
        return "text"
    if type(block) is not dict and not isinstance(block, Mapping):
        return type(block).__name__
    kind = block.get("type")
    kind = next(iter(block)) if kind is None and len(block) == 1 else kind
    return kind if kind is None or type(kind) is str else str(kind)


def _has_known_type(block: Any) -> bool:
    """Return whether a block of a tool's result is what it is called: a call or a thought is mere data there."""
    kind = _kind(block)
    return kind in _PARTS and kind not in _THOUGHTS and kind not in _CALLS


def _written(block: Any) -> Part | None:
    """Return a block of the user's or the system's as a part.

    Raises:
        MessageError: If it cannot be sent, has no place there, or holds what it should not.
    """
    kind = _kind(block)
    if kind in _THOUGHTS:
        warn(f"A block of type {kind!r} was left out: only an assistant's message can hold reasoning.")
        return None
    if kind in _CALLS:
        raise MessageError(f"A block of type {kind!r} is a call, which only an assistant's message can hold.")
    try:
        part = _part(block, kind)
    except MessageError:
        raise
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise MessageError(f"A content block of type {kind!r} is none of its kind: {error}.") from None
    if part is None or _is_well_formed(part):
        return part
    raise MessageError(f"A content block of type {kind!r} has something else than text where text belongs.")


def _part(block: Any, kind: str | None) -> Part | None:
    if isinstance(block, str):
        return TextPart(block) if block else None
    convert = _PARTS.get(kind)
    if convert is None:
        raise MessageError(
            f"A content block of type {quoted(kind)} cannot be sent to Kimi. It reads text, images, videos and "
            "documents."
        )
    return convert(block)


def _sendable(block: Any) -> Part | None:
    """Return a block that the caller did not write: text in its place when it cannot be sent to any Kimi host."""
    try:
        part = _part(block, _kind(block))
    except (ValueError, TypeError, AttributeError, KeyError):  # MessageError is a ValueError; any shape may come
        return _stand_in(block)
    return part if part is None or _is_well_formed(part) else _stand_in(block)


def _is_well_formed(part: Part) -> bool:
    """Return whether what should be text is text."""
    for name in part.__match_args__:
        value = getattr(part, name)
        if type(value) is not str and value is not None and not isinstance(value, str | PathLike):
            return False
    return True


def _bare(block: Any) -> Any:
    """Return a block without the wrapper of LangChain's v1 around what it does not know."""
    if isinstance(block, Mapping) and block.get("type") == "non_standard" and isinstance(block.get("value"), Mapping):
        return block["value"]
    return block


def _stand_in(block: Block) -> Part:
    inner = next((v for key in ("file", "source", "value") if isinstance(v := block.get(key), Mapping)), block)
    if _PARTS.get(_kind(block)) in (_text, _refusal, _plain_text):
        return TextPart(_as_json(block))
    known = (block.get(key) or inner.get(key) for key in ("mime_type", "media_type", "mimeType"))
    mime = next((mime for mime in known if isinstance(mime, str)), "")
    places = (inner.get(key) for key in ("url", "file_url", "file_uri", "path", "file_id"))
    sort = mime.partition("/")[0] if mime else str(_kind(block)).removeprefix("input_")
    what = _WHAT.get(sort.removesuffix("_url"), "a document")
    return left_out.stand_in(
        what, _name(block) or _name(inner), mime, next((str(place) for place in places if place), None)
    )


_WHAT = {"image": "an image", "video": "a video", "audio": "audio"}

# ------------------------------------------------------------------------------------------------------ text


def _text(block: Block) -> Part | None:
    text = block.get("text")
    return TextPart(text) if text else None


def _plain_text(block: Block) -> Part | None:
    return _text(block) if block.get("text") else _document(block)


def _guarded(block: Block) -> Part | None:
    """Read Bedrock's text with a note for its guardrail, and Anthropic's summary of what it has dropped."""
    inner = block.get("guard_content") or block.get("content")
    text = inner.get("text") if isinstance(inner, Mapping) else inner
    return TextPart(text) if isinstance(text, str) and text else None


def _refusal(block: Block) -> Part | None:
    text = block.get("refusal")
    return TextPart(text) if text else None


def _nothing(block: Block) -> None:
    """Leave out reasoning and calls, which have fields of their own, and cache points, which Kimi sets itself."""


def _unwrapped(block: Block) -> Part | None:
    inner = block.get("value") or {}
    return _part(inner, _kind(inner))


# ------------------------------------------------------------------------------------------ pictures and videos


def _media(part: type[ImagePart] | type[VideoPart], kind: Kind) -> Convert:
    """Read standard blocks (url, base64, file_id), a local file (path), and Anthropic's form (source).

    Only a path object opens a file. Text that names one goes on as text, and the core refuses it as an address.
    """

    def convert(block: Block) -> Part:
        source = block.get("source")
        block = source if isinstance(source, Mapping) else block
        mime = block.get("mime_type") or block.get("media_type")
        if data := block.get("base64") or block.get("data"):
            return part(_data_url(data, mime))
        if file_id := block.get("file_id"):
            return part(f"ms://{str(file_id).removeprefix('ms://')}")
        if place := block.get("url") or block.get("path"):
            return FilePart(Path(place), kind) if isinstance(place, PathLike) else part(str(place))
        raise MessageError(f"An {kind} block needs one of url, base64, file_id or path; it has {_keys(block)}.")

    return convert


def _media_url(part: type[ImagePart] | type[VideoPart], kind: Kind, key: str) -> Convert:
    """Read OpenAI's `image_url` and Moonshot's `video_url`, as object or bare string."""

    def convert(block: Block) -> Part:
        value = block.get(key)
        url = value.get("url") if isinstance(value, Mapping) else value
        if not url:
            raise MessageError(f"A block of type {quoted(key)} needs a URL.")
        return FilePart(Path(url), kind) if isinstance(url, PathLike) else part(str(url))

    return convert


_image, _video = _media(ImagePart, "image"), _media(VideoPart, "video")


def _audio(block: Block) -> Part:
    raise MessageError("Audio cannot be sent to Kimi, which does not hear. Send its transcript as text.")


# ------------------------------------------------------------------------------------------------- documents


def _document(block: Block) -> Part | None:
    """Read standard `file` and `text-plain` blocks, OpenAI's `file` and `input_file`, Anthropic's `document`."""
    inner = next((v for key in ("file", "source") if isinstance(v := block.get(key), Mapping)), block)
    mime = inner.get("mime_type") or inner.get("media_type") or block.get("mime_type")
    if other := _BY_MIME.get(str(mime).partition("/")[0]):  # a picture that came as a file
        return other(inner)
    name = _name(block) or _name(inner)
    if inner.get("type") == "text":
        return DocumentPart(
            _data_url(str(inner.get("data") or "").encode(errors="replace"), "text/plain;charset=utf-8"), name
        )
    if data := inner.get("base64") or inner.get("data") or inner.get("file_data"):
        return DocumentPart(_data_url(data, mime), name, mime)
    if place := inner.get("url") or inner.get("file_url") or inner.get("path"):
        if isinstance(place, PathLike):
            return FilePart(Path(place), "document", name, mime)
        return DocumentPart(str(place), name, mime)
    raise MessageError(
        f"A {_kind(block)} block cannot be sent to Kimi without base64, url or path; it has {_keys(inner)}. A file "
        "that was uploaded before is read back as text (files with purpose `file-extract`) and sent as that."
    )


def _resource(block: Block) -> Part | None:
    """Read what an MCP server embeds, in the protocol's form."""
    inner = block["resource"]
    if not isinstance(inner, Mapping):
        raise MessageError("A resource must be an object with text or a blob.")
    if "blob" not in inner:
        return _text(inner)
    return _document({"type": "file", "base64": inner["blob"], "mime_type": inner.get("mimeType")})


def _data_url(data: Any, mime: Any) -> str:
    """Return the URL of bytes, or of base64: bare, or as a whole `data:` URL. The core looks at what it is."""
    if isinstance(data, bytes | bytearray | memoryview):
        return data_urls.to_data_url(bytes(data), mime or "")
    if not isinstance(data, str):
        raise MessageError(f"base64 must be text or bytes, not {type(data).__name__}.")
    return data if data_urls.is_inline(data) else f"data:{mime or ''};base64,{data}"


def _name(block: Block) -> str | None:
    extras = block.get("extras") or block.get("metadata")
    if not isinstance(extras, Mapping):
        extras = {}
    known = (block.get(key) or extras.get(key) for key in ("filename", "name", "title"))
    return next((str(name) for name in known if name), None)


_BY_MIME: dict[str, Convert] = {"image": _image, "video": _video, "audio": _audio}


def _by_mime(block: Block) -> Part | None:
    """Read Google's `media` block: its MIME type has the kind."""
    return _BY_MIME.get(str(block.get("mime_type")).partition("/")[0], _document)(
        {**block, "url": block.get("url") or block.get("file_uri")}
    )


_THOUGHTS = frozenset(("reasoning", "thinking", "redacted_thinking", "reasoning_content"))
_CALLS = frozenset(
    (
        *("tool_call", "tool_call_chunk", "invalid_tool_call", "tool_use", "function_call", "input_json_delta"),
        "custom_tool_call",
    )
)
_CACHE_POINTS = ("cachePoint", "cache_point")

_PARTS: dict[str | None, Convert] = {
    "text": _text,
    "text-plain": _plain_text,
    "input_text": _text,
    "output_text": _text,
    "refusal": _refusal,
    "guard_content": _guarded,
    "compaction": _guarded,
    "resource": _resource,
    "image": _image,
    "video": _video,
    "image_url": _media_url(ImagePart, "image", "image_url"),
    "input_image": _media_url(ImagePart, "image", "image_url"),
    "computer_screenshot": _media_url(ImagePart, "image", "image_url"),
    "video_url": _media_url(VideoPart, "video", "video_url"),
    "media": _by_mime,
    "audio": _audio,
    "input_audio": _audio,
    "file": _document,
    "input_file": _document,
    "document": _document,
    "non_standard": _unwrapped,
    **dict.fromkeys((*_THOUGHTS, *_CALLS, *_CACHE_POINTS), _nothing),
}
"""How blocks become parts, by their type."""


def _keys(block: Mapping[Any, Any]) -> str:
    return in_short(sorted(map(str, block)), 300)
