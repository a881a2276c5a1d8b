"""What a message is on the wire, written once: its object and its JSON stay with it as long as it lives.

A message of the core never changes, so that all that can is how a host wants it. The JSON is kept from the second time
on, since what is sent once need not be kept. An agent's step then writes what is new and joins the rest, to the letter
as before.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import to_json

from kimi_core.types import JsonObject, Message

LONGEST: Final = 1_000_000
"""Most characters of a message whose JSON is kept, and most that are joined without being kept: both cost a copy."""


@dataclass(frozen=True, slots=True)
class Written:
    """The messages of a body.

    Attributes:
        messages: As objects. They are the messages' own: do not change them.
        texts: The JSON of each, with a comma before it; None where it is not kept. Empty where joining does not pay.
    """

    messages: list[JsonObject]
    texts: list[bytes | None]


def write(
    messages: Sequence[Message],
    manner: Hashable,
    encode: Callable[[Message], JsonObject],
    is_ordinary: Callable[[Message], bool] | None,
) -> Written:
    """Write messages, those anew that were not written in this manner before.

    Args:
        messages: The conversation.
        manner: All that decides how an ordinary message is written.
        encode: Writes one.
        is_ordinary: Whether nothing but `manner` decides how a message is written. None: it holds for all.
    """
    objects: list[JsonObject] = []
    texts: list[bytes | None] = []
    new: list[Message] = []
    for message in messages:
        kept = getattr(message, "_written", None)
        text: bytes | None = None
        if kept is not None and kept[0] == manner and (is_ordinary is None or is_ordinary(message)):
            _, made, text = kept
            if text is None and (text := _text(message, made)) is not None:
                object.__setattr__(message, "_written", (manner, made, text))
        else:
            made = encode(message)
            if _is_fixed(message) and (is_ordinary is None or is_ordinary(message)):
                object.__setattr__(message, "_written", (manner, made, None))
        objects.append(made)
        texts.append(text)
        if text is None:
            new.append(message)
    pays = len(new) * 2 < len(texts) and sum(map(_size, new)) <= LONGEST
    return Written(objects, texts if pays else [])


def _is_fixed(message: Message) -> bool:
    """Return whether nothing in a message can change, and the same host writes it alike in any place."""
    if type(message.content) is not str or type(message.tool_calls) is not tuple or message.partial or message.steps:
        return False
    return not (message.reasoning and message.reasoning.details)


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


def joined(body: Any, written: Written | None) -> bytes:
    """Return the JSON of a body, as `to_json` writes it. Raises what that raises."""
    if written is None or not written.texts or type(body) is not dict or body.get("messages") is not written.messages:
        return to_json(body)
    items = list(body.items())
    at = [key for key, _ in items].index("messages")
    before, behind = to_json(dict(items[:at])), to_json(dict(items[at + 1 :]))
    texts = [text or b"," + to_json(made) for text, made in zip(written.texts, written.messages, strict=True)]
    texts[0] = texts[0][1:]
    begin = before[:-1] + (b"," if at else b"") + b'"messages":['
    return b"".join((begin, *texts, b"]", b"," if len(behind) > 2 else b"", behind[1:]))
