"""Deltas of one kind that follow each other, made one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kimi_core.events import Event, ReasoningDelta, RefusalDelta, TextDelta, ToolCallDelta
from kimi_core.types import JsonObject


def extend(events: list[Event], more: Iterable[Event]) -> None:
    """Add events to others; a delta that goes on with the last one becomes part of it."""
    for event in more:
        last = events[-1] if events else None
        match event:
            case TextDelta() | RefusalDelta() if type(last) is type(event):
                last.text += event.text
            case ReasoningDelta() if type(last) is ReasoningDelta and last.key == event.key:
                last.text += event.text
            case ToolCallDelta(id=None, name=None) if type(last) is ToolCallDelta and last.index == event.index:
                last.arguments += event.arguments
            case _:
                events.append(event)


def logprobs(pieces: Sequence[JsonObject]) -> JsonObject | None:
    """Return the log probabilities of several chunks as those of one whole body: `{"content": [...]}`."""
    merged: JsonObject = {}
    for piece in pieces:
        for key, value in piece.items():
            merged[key] = [*(merged.get(key) or ()), *value] if isinstance(value, list) else merged.get(key) or value
    return merged or None
