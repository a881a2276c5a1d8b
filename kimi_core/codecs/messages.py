"""Messages as Chat Completions has them, each written once: its object and its JSON stay with it as long as it lives.

A message of the core never changes, so that all that can is how a host wants it. The JSON is kept from the second time
on, since what is sent once need not be kept. An agent's step then writes what is new and joins the rest, to the letter
as before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final, TypeAlias

from pydantic_core import to_json

from kimi_core.errors import MessageError, UnsupportedError
from kimi_core.hosts.groups import DETAILS
from kimi_core.hosts.profile import Profile
from kimi_core.media import documents
from kimi_core.quoting import in_short
from kimi_core.request.plan import Plan
from kimi_core.schema import PropertyNames
from kimi_core.types import (
    DocumentPart,
    FilePart,
    ImagePart,
    JsonObject,
    Message,
    Part,
    Reasoning,
    TextPart,
    ToolCall,
    VideoPart,
    is_builtin,
)

LONGEST: Final = 1_000_000
"""Most characters of a message whose JSON is kept, and most that are joined without being kept: both cost a copy."""
_LONG: Final = 100_000
"""Characters from which on a `data:` URL is put into the body as it is, not looked through for what to escape."""
_SLICE: Final = 1 << 17

Pieces: TypeAlias = tuple[bytes | str, ...]
"""A JSON text; a `str` in it is a long `data:` URL of the user's, which is encoded when the body is put together."""


@dataclass(frozen=True, slots=True)
class Written:
    """The messages of a body.

    Attributes:
        messages: As objects. They are the messages' own: do not change them.
        texts: The JSON of each, with a comma before it; None where it is not kept. Empty where joining does not pay.
    """

    messages: list[JsonObject]
    texts: list[bytes | Pieces | None]


class MessageEncoder:
    """Encodes messages as dicts. Raises for what a profile does not allow, before any I/O."""

    def __init__(self, plan: Plan, renamed: Mapping[str, str], arguments: Mapping[str, PropertyNames]) -> None:
        """Make an encoder for the messages of a plan; the mappings are those of `WireRequest`, to the wire."""
        self.profile = plan.profile
        host, model = plan.profile.host, plan.profile.model
        self.names = renamed
        self.arguments = arguments
        self.all_keys = tuple(key for key in host.reasoning.keys_in if key != DETAILS)
        first = next(iter(self.all_keys), DETAILS)
        self.reasoning_key = {"observed": None, DETAILS: first}.get(host.reasoning.key_out, host.reasoning.key_out)
        self.never_missing: str | None = None
        """Where each assistant message has its reasoning, be it an empty text: that of all turns is kept in view."""
        if plan.thinks is not False and host.reasoning.required_when_kept:
            asked = plan.request.options.thinking.keep in model.keep and host.thinking.keep is not None
            self.never_missing = (self.reasoning_key or first) if model.always_keeps or asked else None
        self.details_back = host.reasoning.key_out in ("observed", DETAILS) and DETAILS in host.reasoning.keys_in
        self.text_back = host.reasoning.key_out != DETAILS
        self.omit_empty = host.messages.empty_content == "omit"
        self.builtins = host.tools.builtin  # a conversation can come from a host that has them

    def encode(self, messages: Sequence[Message]) -> Written:
        """Write messages, those anew that were not written in this manner before."""
        manner = (self.reasoning_key, self.all_keys, self.never_missing, self.text_back, self.omit_empty, self.builtins)
        encoders = {"assistant": self._assistant, "tool": self._tool}
        renames = bool(self.names or self.arguments)
        objects: list[JsonObject] = []
        texts: list[bytes | Pieces | None] = []
        new: list[Message] = []
        has_long = False
        for message in messages:
            kept = getattr(message, "_written", None)
            text: bytes | Pieces | None = None
            is_ordinary = not renames or self._is_ordinary(message)
            if kept is not None and kept[0] == manner and is_ordinary:
                _, made, text = kept
                if text is None and (text := _text(message, made)) is not None:
                    object.__setattr__(message, "_written", (manner, made, text))
            else:
                made = encoders.get(message.role, self._plain)(message)
                # Kept where nothing in it can change, and the same host writes it alike in any place.
                can_change = type(message.content) is not str or type(message.tool_calls) is not tuple
                special = message.partial or message.steps or (message.reasoning and message.reasoning.details)
                if is_ordinary and not can_change and not special:
                    object.__setattr__(message, "_written", (manner, made, None))
                elif type(message.content) is tuple and (text := _in_pieces(message.content, made)) is not None:
                    has_long = True
            objects.append(made)
            texts.append(text)
            if text is None:
                new.append(message)
        pays = has_long or (len(new) * 2 < len(texts) and sum(map(_size, new)) <= LONGEST)
        return Written(objects, texts if pays else [])

    def _is_ordinary(self, message: Message) -> bool:
        """Return whether all that a message names is called the same on the wire."""
        return all(call.name not in self.names and call.name not in self.arguments for call in message.tool_calls)

    def _plain(self, message: Message) -> JsonObject:
        content = message.content
        wire: JsonObject = {
            "role": message.role,
            "content": content if isinstance(content, str) else self._parts(content),
        }
        if message.name:
            wire["name"] = message.name
        return wire

    def _tool(self, message: Message) -> JsonObject:
        content = message.content
        wire: JsonObject = {
            "role": "tool",
            "tool_call_id": message.tool_call_id,
            "content": content if isinstance(content, str) else self._parts(content),
        }
        if message.name and is_builtin(message.name):
            wire["name"] = message.name  # the protocol of builtin functions wants it
        return wire

    def _assistant(self, message: Message) -> JsonObject:
        wire = self._plain(message)
        if not message.content:
            if self.omit_empty:
                del wire["content"]
            else:
                wire["content"] = None
        if message.refusal:
            wire["refusal"] = message.refusal
        if message.reasoning:
            self._add_reasoning(message.reasoning, wire)
        if self.never_missing:
            wire.setdefault(self.never_missing, "")
        if message.tool_calls:
            wire["tool_calls"] = [self._call(call) for call in message.tool_calls]
        if message.partial and self.profile.host.partial.message:
            wire.update(self.profile.host.partial.message)
        return wire

    def _add_reasoning(self, reasoning: Reasoning, wire: JsonObject) -> None:
        if reasoning.details and self.details_back:
            wire[DETAILS] = list(reasoning.details)
        if reasoning.text and (self.text_back or DETAILS not in wire):
            # `observed`: it goes back under the key it came under; under all keys of the host when that is unknown.
            key = self.reasoning_key or (reasoning.key if reasoning.key in self.all_keys else None)
            wire.update(dict.fromkeys((key,) if key else self.all_keys, reasoning.text))

    def _call(self, call: ToolCall) -> JsonObject:
        name = self.names.get(call.name, call.name)
        arguments = call.arguments or "{}"
        if (properties := self.arguments.get(call.name)) is not None:
            arguments = properties.sent(arguments)
        return {
            "id": call.id,
            "type": call.type if self.builtins else "function",
            "function": {"name": name, "arguments": arguments},
        }

    def _parts(self, parts: tuple[Part, ...]) -> list[JsonObject]:
        return [encode_part(part, self.profile) for part in parts]


def _text(message: Message, made: JsonObject) -> bytes | None:
    if _size(message) <= LONGEST:
        with suppress(ValueError):  # half a character: such a body goes another way as a whole
            return b"," + to_json(made)
    return None


def _size(message: Message) -> int:
    content = message.content
    said = len(content) if isinstance(content, str) else sum(len(getattr(part, "url", "")) for part in content)
    thought = len(message.reasoning.text) if message.reasoning else 0
    return said + thought + sum(len(call.arguments) for call in message.tool_calls)


def json_bytes(body: Any, written: Written | None = None) -> bytes:
    """Return the JSON of a body, with what of its messages was written before; to the letter as `to_json` writes it.

    Raises:
        MessageError: If JSON has no form for it.
    """
    joins = written is not None and written.texts and type(body) is dict and body.get("messages") is written.messages
    try:
        return _joined(body, written) if joins and written else to_json(body)
    except (ValueError, RecursionError):  # pydantic's own is the first of them
        pass
    try:
        return json.dumps(body).encode()  # lone surrogates go as escapes
    except (TypeError, ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else in_short(error)
    raise MessageError(f"The request cannot be written as JSON: {why}. Look at what extra_body and the tools hold.")


def _joined(body: JsonObject, written: Written) -> bytes:
    """Return the JSON of a body whose messages were written before."""
    before, behind = _around(body, "messages")
    pieces: list[bytes | str] = [before, b"["]
    is_long = False
    for text, made in zip(written.texts, written.messages, strict=True):
        if type(text) is tuple:
            pieces += text
            is_long = True
        else:
            pieces.append(text if isinstance(text, bytes) else b"," + to_json(made))
    pieces[2] = pieces[2][1:]  # the comma before the first
    pieces += (b"]", behind)
    return _written_out(pieces) if is_long else b"".join(pieces)  # type: ignore[arg-type]


def _around(value: JsonObject, key: str) -> tuple[bytes, bytes]:
    """Return the JSON of an object up to the value of a key, and from behind it on."""
    items = list(value.items())
    at = [name for name, _ in items].index(key)
    before, behind = to_json(dict(items[:at])), to_json(dict(items[at + 1 :]))
    begin = before[:-1] + (b"," if at else b"") + to_json(key) + b":"
    return begin, (b"," if len(behind) > 2 else b"") + behind[1:]


def _written_out(pieces: list[bytes | str]) -> bytes:
    """Return pieces as one, of which there is no second copy at any time."""
    made = BytesIO()
    for piece in pieces:
        if isinstance(piece, bytes):
            made.write(piece)
        else:
            for at in range(0, len(piece), _SLICE):
                made.write(piece[at : at + _SLICE].encode())
    return made.getvalue()


def _in_pieces(parts: tuple[Part, ...], made: JsonObject) -> Pieces | None:
    """Return the JSON of a message with long media in it, with a comma before it; None where it has none.

    Such a URL is most of a body. It was looked through when it was checked, and is neither kept nor copied once more.
    """
    if not any(hasattr(part, "_is_strict") and len(part.url) >= _LONG for part in parts):  # type: ignore[union-attr]
        return None
    with suppress(ValueError):  # half a character: such a body goes another way as a whole
        before, behind = _around(made, "content")
        pieces: list[bytes | str] = [b"," + before]
        for i, (part, written) in enumerate(zip(parts, made["content"], strict=True)):
            pieces.append(b"," if i else b"[")
            if isinstance(part, ImagePart | VideoPart) and hasattr(part, "_is_strict"):
                kind = written["type"]
                head = to_json({**written, kind: {**written[kind], "url": ""}})
                pieces += (head[:-3], part.url, head[-3:])
            else:
                pieces.append(to_json(written))
        return *pieces, b"]", behind
    return None


# ------------------------------------------------------------------------------------------------------- parts


def encode_part(part: Part, profile: Profile) -> JsonObject:
    """Return a part of a message as the host reads it. Raises what `document_text` and `media_url` raise."""
    match part:
        case TextPart():
            return {"type": "text", "text": part.text}
        case ImagePart():
            return {"type": "image_url", "image_url": {"url": media_url("image", part.url, profile)}}
        case VideoPart():
            return {"type": "video_url", "video_url": {"url": media_url("video", part.url, profile)}}
        case DocumentPart():
            return {"type": "text", "text": document_text(part, profile)}
        case FilePart():
            raise unread(part)


def unread(part: FilePart) -> MessageError:
    """Return the error for a file that nobody has read: `prepare` does no I/O."""
    return MessageError(f"The {part.kind} is a file that was not read: prepare what client.attached(request) gives.")


def document_text(part: DocumentPart, profile: Profile) -> str:
    """Return a document as text.

    Raises:
        UnsupportedError: If the document is not plain text; the text has what to do instead.
        MediaError: If the document is labelled as text and is not, or is empty.
    """
    if (text := documents.text_of(part)) is not None:
        return text
    scheme = part.url.partition(":")[0].lower()
    what = documents.mime_of(part) if scheme == "data" else f"given by its {scheme} address"
    way = "extract its text and send that"
    if scheme in ("http", "https"):
        way = "with fetch_media='public' a call fetches it"
    elif scheme == "data" and "file-extract" in profile.host.media.file_purposes:
        way = "documents='extract' uploads it to the host and sends the text that the host extracts"
    raise UnsupportedError(f"{profile.where} reads text, and {documents.shown(part)} is {in_short(what)}: {way}.")


def media_url(kind: str, url: str, profile: Profile) -> str:
    """Return the URL of a picture or video.

    Raises:
        UnsupportedError: If the model takes no such media, or the host no such URL.
    """
    if kind not in profile.media:
        read = {"media": profile.model.media, "media.kinds": profile.host.media.kinds}
        lacking = [f"'{fact}': {{'{kind}'}}" for fact, kinds in read.items() if kinds is not None and kind not in kinds]
        raise UnsupportedError(
            f"{profile.where} takes no {kind} (it takes: {', '.join(sorted(profile.media)) or 'text only'}). "
            f"Use a model and host that do, or overrides={{{', '.join(lacking)}}} if you know that it does."
        )
    scheme = url[:100].partition(":")[0].lower()  # a `data:` URL may be long, and is not copied for this
    scheme = "http" if scheme == "https" else scheme
    if scheme not in profile.host.media.urls:
        raise UnsupportedError(
            f"{profile.where} takes no {in_short(scheme)} URL for {_A[kind]}: {_shortened(url)!r}. "
            "Send the file's bytes or path, so that it goes inline as a data: URL"
            + (", or upload it and send ms://<file id>." if "ms" in profile.host.media.urls else ".")
            + (" With fetch_media='public' a call fetches it and sends it inline." if scheme == "http" else "")
        )
    return url


_A = {"image": "an image", "video": "a video"}


def _shortened(url: str) -> str:
    """Return enough of a URL to recognise it; its query may hold a signature."""
    return url.partition("?")[0][:80]
