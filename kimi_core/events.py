"""What a stream is made of, and the one reducer that builds a `Response` from it.

A whole JSON body is decoded into the same events as a stream, so there is a single path from the wire to a
`Response`. Events are made for every chunk: they are slotted and not frozen, which halves their cost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from kimi_core.types import FinishReason, Reasoning, Response, ToolCall, Usage


@dataclass(slots=True)
class Started:
    """The answer has begun: who gives it. Sent once, before everything else."""

    id: str | None = None
    model: str | None = None
    created: int | None = None
    system_fingerprint: str | None = None


@dataclass(slots=True)
class ReasoningDelta:
    """More reasoning, and the wire key it came under."""

    text: str
    key: str


@dataclass(slots=True)
class TextDelta:
    """More of the answer."""

    text: str


@dataclass(slots=True)
class ToolCallDelta:
    """More of a tool call.

    `index` is ours: 0, 1, 2, … in order of appearance, whatever the host counted. `id` and `name` are given
    once, with the first delta of the call.
    """

    index: int
    arguments: str
    id: str | None = None
    name: str | None = None
    type: str = "function"


@dataclass(slots=True)
class Finished:
    """Generation ended. Sent once, after every delta; it carries all that is known at the end."""

    reason: FinishReason | None
    raw_reason: str | None
    usage: Usage | None = None
    cost_usd: float | None = None
    cost_is_estimate: bool = False
    logprobs: Any = None
    extra: Mapping[str, Any] = field(default_factory=dict)


Event: TypeAlias = Started | ReasoningDelta | TextDelta | ToolCallDelta | Finished


class ResponseBuilder:
    """Reduces events to a `Response`. Order and size of deltas do not matter, only their concatenation."""

    __slots__ = ("_calls", "_finished", "_key", "_reasoning", "_started", "_text")

    def __init__(self) -> None:
        self._started = Started()
        self._finished = Finished(None, None)
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._key: str | None = None
        self._calls: list[tuple[ToolCallDelta, list[str]]] = []

    def add(self, event: Event) -> None:
        """Take one event in."""
        kind = type(event)
        if kind is TextDelta:
            self._text.append(event.text)  # type: ignore[union-attr]
        elif kind is ReasoningDelta:
            self._reasoning.append(event.text)  # type: ignore[union-attr]
            self._key = event.key  # type: ignore[union-attr]
        else:
            self._add_rare(event)

    def _add_rare(self, event: Event) -> None:
        match event:
            case ToolCallDelta():
                if event.index == len(self._calls):
                    self._calls.append((event, []))
                self._calls[event.index][1].append(event.arguments)
            case Started():
                self._started = event
            case Finished():
                self._finished = event

    def response(self) -> Response:
        """The response as far as it has come; complete once `Finished` was added."""
        start, end = self._started, self._finished
        reasoning = "".join(self._reasoning)
        return Response(
            text="".join(self._text),
            reasoning=Reasoning(reasoning, self._key) if reasoning else None,
            tool_calls=tuple(
                ToolCall(first.id or "", first.name or "", "".join(pieces), first.type) for first, pieces in self._calls
            ),
            finish_reason=end.reason,
            raw_finish_reason=end.raw_reason,
            usage=end.usage,
            cost_usd=end.cost_usd,
            cost_is_estimate=end.cost_is_estimate,
            id=start.id,
            model=start.model,
            created=start.created,
            system_fingerprint=start.system_fingerprint,
            logprobs=end.logprobs,
            extra=end.extra,
        )


def reduce(events: Iterable[Event]) -> Response:
    """Build a response from all its events."""
    builder = ResponseBuilder()
    for event in events:
        builder.add(event)
    return builder.response()
