"""A conversation as plain text: for terminals, and beside the HTML for who cannot show that."""

from __future__ import annotations

from collections.abc import Sequence

from kimi_adapters.notebook import wording
from kimi_adapters.notebook.entries import Call, Entry, Note, Part, Picture, Result, Text, Thought, Timing


def render(entries: Sequence[Entry], *, timing: Timing | None = None, note: str = "") -> str:
    """Return all of it.

    Args:
        entries: The messages.
        timing: How long it took, where that is known.
        note: The text at the end.
    """
    lines = begun(entries)
    below = [wording.about(entries, timing), note]
    return wording.clean("\n\n".join([lines, *(line for line in below if line)]))


def begun(entries: Sequence[Entry], *, live: bool = False) -> str:
    """Return the messages. While they come, without a tool call at the end, of which only a part may be there."""
    several = len(entries) > 1
    texts = []
    for entry in entries:
        parts = entry.parts
        while live and entry is entries[-1] and parts and isinstance(parts[-1], Call):
            parts = parts[:-1]
        texts += [f"── {entry.role} ──"] if several else []
        texts += map(_part, parts)
    return wording.clean("\n\n".join(texts))


def _part(part: Part) -> str:
    match part:
        case Thought(text=text):
            return f"[thinking] {text}"
        case Text(text=text):
            return text
        case Call():
            return f"[call] {wording.call(part)}"
        case Result(name=name, text=text, failed=failed):
            return f"[{'error' if failed else 'result'} of {name or 'a tool'}] {wording.bounded(text)}"
        case Picture(about=about):
            return f"[{about}]"
        case Note(text=text):
            return f"[{text}]"
