"""A message's media and documents: each in the form that hosts take, or a word on why it was left out. Pure.

What a user handed over is an error when it cannot be sent. What a tool answered or a model wrote is nobody's mistake
who could correct it now, so the conversation goes on, and the model is told what is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kimi_core import media
from kimi_core.media import MediaError
from kimi_core.types import DocumentPart, FilePart, ImagePart, LeftOutPart, Message, Part, VideoPart


def settled(messages: Sequence[Message]) -> tuple[Sequence[Message], str]:
    """Bring all media and documents into the form that hosts take.

    Args:
        messages: The conversation. Not changed.

    Returns:
        The conversation, itself when nothing had to be done, and why something was left out of a tool's result or an
        assistant's message (the last reason); empty when nothing was.

    Raises:
        MediaError: Something in a message of the user or the system cannot be sent.
    """
    reasons: list[str] = []
    made = [_message(message, reasons) for message in messages]
    unchanged = all(before is after for before, after in zip(messages, made, strict=True))
    return messages if unchanged else tuple(made), reasons[-1] if reasons else ""


def _message(message: Message, reasons: list[str]) -> Message:
    content = message.content
    if isinstance(content, str):
        return message
    known = message.role in ("user", "system")
    parts = tuple(_part(part) if known else _part_or_word(part, reasons) for part in content)
    unchanged = all(before is after for before, after in zip(content, parts, strict=True))
    return message if unchanged else replace(message, content=parts)


def _part_or_word(part: Part, reasons: list[str]) -> Part:
    """A part of a tool's result or an assistant's message, or what the model is told instead."""
    try:
        if isinstance(part, FilePart):
            raise MediaError("Files of this machine are read for messages of the user and the system only.")
        return _part(part)
    except MediaError as error:
        reasons.append(str(error))
        return LeftOutPart(f"[{_NAMES[type(part)]} was left out: {error}]")


_NAMES: dict[type[Part], str] = {
    ImagePart: "an image",
    VideoPart: "a video",
    DocumentPart: "a document",
    FilePart: "a file",
}


def _part(part: Part) -> Part:
    if isinstance(part, ImagePart | VideoPart | DocumentPart):
        media.check_address(part.url)
    return part
