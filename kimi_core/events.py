"""What a stream is made of, and the one reducer that builds a `Response` from it.

A whole JSON body is decoded into the same events as a stream, so there is a single path from the wire to a
`Response`. Events are made for every chunk: they are slotted and not frozen, which halves their cost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from kimi_core.types import FinishReason, Reasoning, Response, ServerCall, ServerToolTurn, ToolCall, Usage

UNASKED = "unasked_answers"
"""Marks in an answer's `extra` that the host sent further answers, which nobody asked for and nobody has read."""


@dataclass(slots=True)
class Started:
    """The answer has begun: who gives it. Sent once, before everything else."""

    id: str | None = None
    model: str | None = None
    created: int | None = None
    system_fingerprint: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)


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
class RefusalDelta:
    """More of a refusal, where the host has a field for it."""

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
class ServerToolCall:
    """The model calls a tool of the host's own, which the client is about to run.

    Sent at the end of the model's turn, when the calls are whole. `position` is its place among all calls of the
    turn, the user's included. Ids are the host's own, and may come again in another turn of the same answer.
    """

    call: ToolCall
    position: int


@dataclass(slots=True)
class ServerToolResult:
    """A tool of the host's own was run: what the model gets to read. In the order of the calls, after all of them."""

    id: str
    name: str
    output: str
    failed: bool = False


@dataclass(slots=True)
class ServerToolTurnEnded:
    """All that the model called for in its turn has been run; its next turn begins.

    Never sent in a turn that calls the user's own tools: there the answer ends. Usage and cost are of the whole
    answer so far.
    """

    usage: Usage | None = None
    cost_usd: float | None = None
    cost_is_estimate: bool = False
    reasoning_details: tuple[Any, ...] = ()


@dataclass(slots=True)
class Finished:
    """Generation ended. Sent once, after every delta; it carries all that is known at the end.

    `response` is the whole answer: who reads a stream to its end need not put it together.
    `host` is who answered at last, `fallbacks` who failed before, `retries` the attempts that
    failed, `limits_waited` the seconds of waiting for a turn (see `Response`).
    """

    reason: FinishReason | None
    raw_reason: str | None
    usage: Usage | None = None
    cost_usd: float | None = None
    cost_is_estimate: bool = False
    logprobs: Any = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    reasoning_details: tuple[Any, ...] = ()
    alternatives: tuple[Response, ...] = ()
    host: str | None = field(default=None, compare=False)
    fallbacks: tuple[Mapping[str, str], ...] = ()
    retries: tuple[Mapping[str, Any], ...] = ()
    limits_waited: float = 0.0
    response: Response = field(default_factory=Response, repr=False, compare=False)


Event: TypeAlias = (
    Started
    | ReasoningDelta
    | TextDelta
    | RefusalDelta
    | ToolCallDelta
    | ServerToolCall
    | ServerToolResult
    | ServerToolTurnEnded
    | Finished
)


Clean: TypeAlias = Callable[[Started | Finished], None]
"""Takes out of an event, in place, what nobody is to see."""


class ResponseBuilder:
    """Reduces events to a `Response`. Order and size of deltas do not matter, only their concatenation."""

    __slots__ = (
        "_calls",
        "_finished",
        "_key",
        "_reasoning",
        "_refusal",
        "_served",
        "_started",
        "_steps",
        "_text",
    )

    def __init__(self) -> None:
        self._started = Started()
        self._finished = Finished(None, None)
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._reasoning: list[str] = []
        self._key: str | None = None
        self._calls: list[tuple[ToolCallDelta, list[str]]] = []
        self._served: list[ServerCall] = []
        self._steps: list[ServerToolTurn] = []

    def add(self, event: Event) -> None:
        """Take one event in."""
        if type(event) is TextDelta:
            self._text.append(event.text)
        elif type(event) is ReasoningDelta:
            self._reasoning.append(event.text)
            self._key = event.key
        elif type(event) is ToolCallDelta:
            if event.index == len(self._calls):
                self._calls.append((event, []))
            self._calls[event.index][1].append(event.arguments)
        elif type(event) is RefusalDelta:
            self._refusal.append(event.text)
        elif type(event) is Started:
            self._started = event
        elif type(event) is Finished:
            self._finished = event
        else:
            self._add_server_tool(event)

    def _add_server_tool(self, event: Event) -> None:
        match event:
            case ServerToolCall():
                self._served.append(ServerCall(event.call, position=event.position))
            case ServerToolResult():
                self._serve(event)
            case ServerToolTurnEnded():
                self._end_step(event)

    def _serve(self, result: ServerToolResult) -> None:
        for i, served in enumerate(self._served):
            if served.output is None and served.call.id == result.id:
                self._served[i] = replace(served, output=result.output, failed=result.failed)
                return

    def _end_step(self, end: ServerToolTurnEnded) -> None:
        thought, details = "".join(self._reasoning), end.reasoning_details
        reasoning = Reasoning(thought, self._key, details) if thought or details else None
        self._steps.append(ServerToolTurn("".join(self._text), reasoning, tuple(self._served)))
        # What is known at the end of an answer that breaks off in its next turn.
        self._finished = Finished(None, None, end.usage, end.cost_usd, end.cost_is_estimate)
        self._key = None
        for pieces in (self._text, self._reasoning, self._served):
            pieces.clear()

    def response(self) -> Response:
        """Return the response as far as it has come; complete once `Finished` was added."""
        start, end = self._started, self._finished
        thought, details = "".join(self._reasoning), end.reasoning_details
        open_step = (ServerToolTurn(calls=tuple(self._served), open=True),) if self._served else ()
        return Response(
            text="".join(self._text),
            reasoning=Reasoning(thought, self._key, details) if thought or details else None,
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
            headers=start.headers,
            logprobs=end.logprobs,
            extra=end.extra,
            alternatives=end.alternatives,
            host=end.host,
            fallbacks=end.fallbacks,
            retries=end.retries,
            limits_waited=end.limits_waited,
            steps=(*self._steps, *open_step),
            refusal="".join(self._refusal),
        )


def reduce(events: Iterable[Event], clean: Clean | None = None) -> Response:
    """Build a response from all its events, each cleaned first."""
    builder = ResponseBuilder()
    for event in events:
        if clean is not None and isinstance(event, Started | Finished):
            clean(event)
        builder.add(event)
    return builder.response()
