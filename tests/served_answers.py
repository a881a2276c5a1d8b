"""Whatever an answer with server tools can be, and the events in which it could have come."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from kimi_core import (
    Event,
    Finished,
    Reasoning,
    ReasoningDelta,
    Response,
    ServerCall,
    ServerToolCall,
    ServerToolResult,
    ServerToolTurn,
    ServerToolTurnEnded,
    Started,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from kimi_core.events import reduce

texts = st.text(max_size=8)
thoughts = st.none() | st.builds(
    Reasoning,
    st.text(min_size=1, max_size=8),
    st.sampled_from(["reasoning_content", "reasoning"]),
    st.just(()) | st.just(({"type": "reasoning.text", "signature": "s"},)),
)
arguments = st.one_of(
    st.text(max_size=8),
    st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=4), max_size=2).map(json.dumps),
    st.just('{"a":1}'),
)
tool_calls = st.builds(ToolCall, st.sampled_from(["a", "b"]), st.sampled_from(["date", "$web_search"]), arguments).map(
    lambda call: ToolCall(call.id, call.name, call.arguments, "builtin_function" if "$" in call.name else "function")
)
outputs = st.tuples(texts, st.booleans())


@st.composite
def served(draw: Any, owns: int = 0, *, ran: bool = True) -> tuple[ServerCall, ...]:
    called = draw(st.lists(tool_calls, min_size=1, max_size=3))
    total = len(called) + owns
    places = sorted(draw(st.permutations(range(total)))[: len(called)])
    results = [draw(outputs) if ran else (None, False) for _ in called]
    return tuple(ServerCall(c, *r, p) for c, r, p in zip(called, results, places, strict=True))


@st.composite
def answers(draw: Any) -> Response:
    """Answers with turns of server tools, and in the last turn maybe the user's own tools."""
    steps = draw(st.lists(st.builds(ServerToolTurn, texts, thoughts, served()), max_size=3))
    own = tuple(ToolCall(f"own{i}", "ping", '{"x": "1"}') for i in range(draw(st.integers(0, 2))))
    if draw(st.booleans()):  # those of a turn that was cut are not run
        steps.append(ServerToolTurn(calls=draw(served(len(own), ran=bool(own))), open=True))
    usage = Usage(1, 2, 3)
    return Response(
        text=draw(texts),
        reasoning=draw(thoughts),
        tool_calls=own,
        finish_reason="stop",
        raw_finish_reason="stop",
        usage=usage,
        model="kimi-k3",
        steps=tuple(steps),
    )


def events(answer: Response) -> list[Event]:
    """The events in which an answer could have come."""
    told: list[Event] = [Started(model="kimi-k3")]
    last = ServerToolTurn(
        answer.text, answer.reasoning, answer.steps[-1].calls if answer.steps and answer.steps[-1].open else ()
    )
    closed = [step for step in answer.steps if not step.open]
    for step in (*closed, last):
        details: tuple[Any, ...] = ()
        if step.reasoning:
            details = step.reasoning.details
            told += [ReasoningDelta(char, step.reasoning.key or "") for char in step.reasoning.text]
        told += [TextDelta(char) for char in step.text]
        if step is last:
            told += [ToolCallDelta(i, c.arguments, c.id, c.name) for i, c in enumerate(answer.tool_calls)]
        told += [ServerToolCall(c.call, c.position) for c in step.calls]
        told += [
            ServerToolResult(c.call.id, c.call.name, c.output, c.failed) for c in step.calls if c.output is not None
        ]
        told.append(
            Finished("stop", "stop", answer.usage, reasoning_details=details)
            if step is last
            else ServerToolTurnEnded(reasoning_details=details)
        )
    told[-1].response = reduce(told)  # type: ignore[union-attr]
    return told
