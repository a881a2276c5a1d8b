"""Replaces what a host cannot take and the caller did not write with a text for the model.

A tool may return anything: a PDF, audio, an address, a broken picture. Refusing it would end the run, and the whole
thread with it, since the result is sent again with every call. The text is the same each time, so that the host's
cache finds the same prefix.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from kimi_core.errors import ConfigError, MessageError
from kimi_core.media import data_urls, documents
from kimi_core.types import DocumentPart, FilePart, ImagePart, LeftOutPart, Message, Part, TextPart, VideoPart

LONGEST: Final = 2000
"""Most characters of an address or a name in the text for the model."""
_OTHERS: Final = ("tool", "assistant")


def stand_in(what: str, name: object = None, mime: object = None, url: object = None) -> LeftOutPart:
    """Return the text in place of something that is left out.

    Args:
        what: What it is, with its article: `a document`, `an image`, `audio` …
        name: Its name.
        mime: Its MIME type.
        url: Its address, by which a tool may find it. A `data:` URL is not repeated.
    """
    known = [f"named {name}" if name else "", str(mime or "")]
    if isinstance(url, str) and not data_urls.is_inline(url.removeprefix(data_urls.UPLOAD)):
        known.append(f"at {url}")
    facts = ", ".join(fact[:LONGEST] for fact in known if fact)
    return LeftOutPart(f"[{what} was left out: it cannot be read here{f' ({facts})' if facts else ''}]")


def of_part(part: Part) -> LeftOutPart:
    """Return the text in place of a part."""
    if isinstance(part, TextPart):
        return LeftOutPart(part.text)
    if isinstance(part, FilePart):
        return stand_in("a file", part.filename or Path(part.path).name, part.mime)
    if isinstance(part, DocumentPart):
        return stand_in("a document", part.filename, documents.mime_of(part), part.url)
    mime = part.url[5:100].partition(",")[0].partition(";")[0] if part.url[:5].lower() == "data:" else None
    return stand_in("an image" if isinstance(part, ImagePart) else "a video", None, mime, part.url)


def is_foreign(part: Part, ids: str | None) -> bool:
    """Return whether a part is an uploaded file that is not the host's own, by the form of its id."""
    return (
        ids is not None
        and isinstance(part, ImagePart | VideoPart)
        and part.url.startswith(data_urls.UPLOAD)
        and re.fullmatch(ids, part.url[len(data_urls.UPLOAD) :]) is not None
    )


def readable(messages: Sequence[Message], check: Callable[[Part], object]) -> Sequence[Message]:
    """Replace parts of tool results and assistant messages that the host cannot take with text.

    Args:
        messages: The conversation.
        check: Raises `MessageError` or `ConfigError` for a part that the host cannot take.

    Returns:
        The messages; the same object when nothing was replaced.
    """
    if all(type(message.content) is str or message.role not in _OTHERS for message in messages):
        return messages
    changed = [_readable(message, check) if message.role in _OTHERS else message for message in messages]
    return messages if all(a is b for a, b in zip(changed, messages, strict=True)) else changed


def _readable(message: Message, check: Callable[[Part], object]) -> Message:
    if isinstance(message.content, str):
        return message
    parts = tuple(_sendable(part, check) for part in message.content)
    return (
        message if all(a is b for a, b in zip(parts, message.content, strict=True)) else replace(message, content=parts)
    )


def _sendable(part: Part, check: Callable[[Part], object]) -> Part:
    try:
        check(part)
    except (MessageError, ConfigError):
        return of_part(part)
    return of_part(part) if isinstance(part, ImagePart) and _is_broken(part.url) else part


def _is_broken(url: str) -> bool:
    """Return whether the bytes of an inline picture are of no known format: hosts go by them, not by the label."""
    if url[:5].lower() != "data:":
        return False
    begin = url.find(",") + 1
    try:
        return data_urls.sniff(a2b_base64(url[begin : begin + 1024])) is None
    except ValueError:
        return True


def first(messages: Iterable[Message]) -> LeftOutPart | None:
    """Return the first part that was left out; None when there is none."""
    for message in messages:
        if type(message.content) is tuple:
            for part in message.content:
                if type(part) is LeftOutPart:
                    return part
    return None
