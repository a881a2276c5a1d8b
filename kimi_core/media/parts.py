"""Brings media and documents of messages into the form that hosts take. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kimi_core.media import data_urls, documents, left_out
from kimi_core.media.data_urls import MediaError
from kimi_core.types import DocumentPart, FilePart, ImagePart, Message, Part, VideoPart


def normalized(messages: Sequence[Message]) -> Sequence[Message]:
    """Bring all media and documents into the form that hosts take.

    A part of a tool's result or an assistant's message that cannot be sent is replaced with a text for the model.

    Args:
        messages: The conversation. Not changed.

    Returns:
        The conversation; the same object when nothing had to be done.

    Raises:
        MediaError: If a part of a message of the user or the system cannot be sent.
    """
    made = [_message(message) for message in messages]
    return messages if all(before is after for before, after in zip(messages, made, strict=True)) else tuple(made)


def _message(message: Message) -> Message:
    content = message.content
    if isinstance(content, str):
        return message
    normalize = _part if message.role in ("user", "system") else _part_or_text
    parts = tuple(map(normalize, content))
    unchanged = all(before is after for before, after in zip(content, parts, strict=True))
    return message if unchanged else replace(message, content=parts)


def _part_or_text(part: Part) -> Part:
    """Return a part that the caller did not write, normalized; a text where that fails, and for any local file."""
    if isinstance(part, FilePart):
        return left_out.of_part(part)
    try:
        return _part(part)
    except MediaError:
        return left_out.of_part(part)


def _part(part: Part) -> Part:
    if isinstance(part, DocumentPart):
        return documents.normalized(part)
    if isinstance(part, ImagePart | VideoPart):
        if hasattr(part, "_is_strict"):
            return part
        url = data_urls.normalized(part.url, "image" if isinstance(part, ImagePart) else "video")
        part = part if url is part.url else replace(part, url=url)
        if data_urls.is_usual(url):
            object.__setattr__(part, "_is_strict", True)
    return part
