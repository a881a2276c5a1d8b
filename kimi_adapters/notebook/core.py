"""The core's messages and responses as entries."""

from __future__ import annotations

from collections.abc import Iterator

from kimi_adapters.notebook import media
from kimi_adapters.notebook.entries import Call, Entry, Facts, Part, Result, Text, Thought
from kimi_core.types import Message, Response, ServerToolTurn, TextPart


def of_message(message: Message) -> Entry:
    """Return a message as an entry."""
    return Entry(message.role, tuple(_parts(message)))


def of_response(response: Response) -> Entry:
    """Return a response as an entry, with what is known about it."""
    usage = response.usage
    facts = Facts(
        model=response.model,
        host=response.host,
        input_tokens=usage.input_tokens if usage else None,
        cached_tokens=usage.cached_tokens if usage else None,
        output_tokens=usage.output_tokens if usage else None,
        reasoning_tokens=usage.reasoning_tokens if usage else None,
        cost_usd=response.cost_usd,
        cost_is_estimate=response.cost_is_estimate,
        finish_reason=response.finish_reason,
    )
    return Entry("assistant", tuple(_parts(response.message)), facts)


def _parts(message: Message) -> Iterator[Part]:
    content = message.content
    parts: list[Part] = (
        [Text(content)]
        if isinstance(content, str)
        else [Text(part.text) if isinstance(part, TextPart) else media.of_core(part) for part in content]
    )
    if message.role == "tool":
        yield Result(message.name or "", "\n".join(part.text for part in parts if isinstance(part, Text)))
        yield from (part for part in parts if not isinstance(part, Text))
        return
    open_turns = [turn for turn in message.steps if turn.open]
    for turn in message.steps:
        if not turn.open:
            yield from _turn(turn)
    if message.reasoning:
        yield Thought(message.reasoning.text)
    yield from parts
    if message.refusal:
        yield Text(message.refusal)
    for turn in open_turns:
        yield from _turn(turn)
    yield from (Call(call.name, call.arguments) for call in message.tool_calls)


def _turn(turn: ServerToolTurn) -> Iterator[Part]:
    if turn.reasoning:
        yield Thought(turn.reasoning.text)
    yield Text(turn.text)
    for served in turn.calls:
        yield Call(served.call.name, served.call.arguments)
        if served.output is not None:
            yield Result(served.call.name, served.output, served.failed)
