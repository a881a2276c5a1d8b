"""Deltas of one kind that follow each other, made one."""

from __future__ import annotations

from collections.abc import Iterable

from kimi_core.events import Event, ReasoningDelta, RefusalDelta, TextDelta, ToolCallDelta


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
