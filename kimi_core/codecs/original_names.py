"""Restores the user's names of properties in an answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from kimi_core.events import Event, TextDelta, ToolCallDelta
from kimi_core.schema.property_names import KeyRewriter

if TYPE_CHECKING:
    from kimi_core.codecs import WireRequest


class OriginalNames:
    """Rewrites the events of one answer, whose JSON comes in pieces."""

    __slots__ = ("_calls", "_text", "_tools")

    def __init__(self, wire: WireRequest) -> None:
        self._tools = wire.arguments
        self._text = wire.output.received(wire.begun) if wire.output is not None else None
        self._calls: dict[int, KeyRewriter] = {}

    def of(self, events: Iterable[Event]) -> list[Event]:
        """Rewrite events in place; return those that hold anything that can be passed on now."""
        return [event for event in events if self._rewrites(event)]

    def rest(self) -> list[Event]:
        """Return what was held back of JSON that broke off."""
        calls = ((index, call.rest()) for index, call in self._calls.items())
        events: list[Event] = [ToolCallDelta(index, held) for index, held in calls if held]
        if self._text is not None and (held := self._text.rest()):
            events.append(TextDelta(held))
        return events

    def _rewrites(self, event: Event) -> bool:
        """Rewrite an event in place; return whether it still holds anything."""
        if type(event) is TextDelta and self._text is not None:
            event.text = self._text.feed(event.text)
            return bool(event.text)
        if type(event) is not ToolCallDelta:
            return True
        if event.name is not None and (properties := self._tools.get(event.name)) is not None:
            self._calls[event.index] = properties.received()
        if (call := self._calls.get(event.index)) is None:
            return True
        event.arguments = call.feed(event.arguments)
        return event.name is not None or bool(event.arguments)
