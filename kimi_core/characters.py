r"""Halves of characters: surrogates that a host cut apart, which no file, host or database takes alone.

`\ud83d` in one frame and `\ude00` in the next are one character. Who knows only the first cannot tell whether the
other half comes, so texts that grow are joined as they come (`join_halves`), and all else is cleaned at once.
"""

from __future__ import annotations

from typing import Any

LOST = "\ufffd"
"""Replaces half a character whose other half never came."""
_GROWING = "delta"
"""The key below which a frame has texts that the next frame goes on with."""


def whole_characters(text: str) -> str:
    """Return the text with pairs of surrogates put together, and U+FFFD for what has no other half."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def is_sound(text: str) -> bool:
    """Return whether a text holds no half of a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def without_halves(value: Any) -> Any:
    """Return a JSON value without halves of characters."""
    if isinstance(value, str):
        return whole_characters(value)
    if isinstance(value, dict):
        return {whole_characters(key): without_halves(item) for key, item in value.items()}
    return [without_halves(item) for item in value] if isinstance(value, list) else value


def frame_without_halves(frame: Any, *, growing: bool = False) -> Any:
    """Return a frame, or a whole body, in which only the ends of texts that grow are halves.

    Args:
        frame: The frame.
        growing: Whether its texts go on in the next frame. Below `delta` they do in any case.
    """
    if isinstance(frame, str):
        return _inner(frame) if growing else whole_characters(frame)
    if isinstance(frame, dict):
        grows = {key: growing or key == _GROWING for key in frame}
        return {whole_characters(key): frame_without_halves(item, growing=grows[key]) for key, item in frame.items()}
    return [frame_without_halves(item, growing=growing) for item in frame] if isinstance(frame, list) else frame


def _inner(text: str) -> str:
    """Return a text in which only the ends can be halves."""
    if text.isascii():
        return text
    begin = text[:1] if "\udc00" <= text[:1] <= "\udfff" else ""
    end = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
    return begin + whole_characters(text[len(begin) : len(text) - len(end)]) + end


def join_halves(held: str, piece: str) -> tuple[str, str]:
    """Join the halves of characters in a text that comes in pieces.

    Args:
        held: Half a character that the piece before ended with; empty for none.
        piece: The next piece.

    Returns:
        The piece with what was held back, which may be empty, and the half that it ends with.
    """
    if not held and is_sound(piece):
        return piece, ""
    text = held + piece
    half = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
    return whole_characters(text[: len(text) - len(half)]), half
