"""The turns in which server tools were run, beside a message that has one text and one reasoning for all its turns.

Frameworks keep a message's text as one string. A record of plain data (JSON) divides it into turns again, so that a
conversation goes back to the host unchanged. The record is a list of turns, each with an `index`, the calls, their
results and the text before them; pieces of it can be added up, as streams do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from kimi_core.errors import MessageError
from kimi_core.quoting import in_short
from kimi_core.types import JsonObject, Reasoning, ServerCall, ServerToolTurn, ToolCall, is_builtin

TURNS = "server_turns"
"""Where a message keeps the record, among its `additional_kwargs`."""


class Turns(NamedTuple):
    """The turns of a message.

    Attributes:
        steps: The turns that called server tools.
        text: The text of the last turn.
        thought: Its reasoning.
    """

    steps: tuple[ServerToolTurn, ...]
    text: str
    thought: str


# -------------------------------------------------------------------------------------------------- to record


def to_text(steps: Iterable[ServerToolTurn], text: str) -> str:
    """Return the text of all turns; `text` is that of the last."""
    return "".join([*(step.text for step in steps), text])


def to_reasoning(steps: Sequence[ServerToolTurn], last: Reasoning | None) -> Reasoning | None:
    """Return the reasoning of all turns, with key and details of the last turn."""
    thought = "".join(step.reasoning.text for step in steps if step.reasoning)
    if not thought:
        return last
    return replace(last, text=thought + last.text) if last else Reasoning(thought)


def to_record(steps: Iterable[ServerToolTurn]) -> list[JsonObject]:
    """Return the record of an answer."""
    return [_turn(index, step) for index, step in enumerate(steps)]


def _turn(index: int, step: ServerToolTurn) -> JsonObject:
    calls = [to_call(served.call, served.position, place) for place, served in enumerate(step.calls)]
    results = [
        to_result(served.call.id, served.output, failed=served.failed)
        for served in step.calls
        if served.output is not None
    ]
    turn: JsonObject = {"index": index, "calls": calls}
    if results:
        turn["results"] = results
    return {**turn, **({"open": True} if step.open else to_end(step.text, step.reasoning))}


def to_call(call: ToolCall, position: int, place: int) -> JsonObject:
    """Return a call as the record has it.

    Args:
        call: As the model wrote it.
        position: Its place among all calls of its turn.
        place: Its place among those of server tools.
    """
    recorded: JsonObject = {"id": call.id, "name": call.name, "arguments": call.arguments}
    if call.type != kind_of(call.name):
        recorded["type"] = call.type
    if position != place:
        recorded["position"] = position
    return recorded


def to_result(id_: str, output: str, *, failed: bool) -> JsonObject:
    """Return a result as the record has it."""
    return {"id": id_, "output": output, **({"failed": True} if failed else {})}


def to_end(text: str, reasoning: Reasoning | None) -> JsonObject:
    """Return a turn's text and the length of its reasoning, which the message itself has."""
    end: JsonObject = {"text": text} if text else {}
    if reasoning and reasoning.text:
        end["reasoning"] = len(reasoning.text)
    if reasoning:
        end |= to_origin(reasoning)
    return end


def to_origin(reasoning: Reasoning) -> JsonObject:
    """Return what a reasoning has besides its text."""
    known: JsonObject = {"reasoning_key": reasoning.key, "reasoning_details": list(reasoning.details)}
    return {name: value for name, value in known.items() if value}


# ------------------------------------------------------------------------------------------------ from record


def read(record: Any, text: str, thought: str) -> Turns:
    """Return a message's turns.

    A text that the user has changed since is that of the last turn.

    Args:
        record: What `to_record` returned.
        text: The text of the message.
        thought: Its reasoning.

    Raises:
        MessageError: If `record` is no record.
    """
    try:
        turns = [dict(turn) for turn in record]
        if not text.startswith("".join(turn.get("text") or "" for turn in turns)):
            turns = [{**turn, "text": ""} for turn in turns]
        if sum(turn.get("reasoning") or 0 for turn in turns) > len(thought):
            turns = [{**turn, "reasoning": 0} for turn in turns]
        return _split(turns, text, thought)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise MessageError(
            f"additional_kwargs[{TURNS!r}] is no record of server tools: {in_short(record)!r}. Leave it as it was in "
            "the answer, or remove it."
        ) from error


def _split(turns: Sequence[Mapping[str, Any]], text: str, thought: str) -> Turns:
    steps = []
    for turn in turns:
        length = turn.get("reasoning") or 0
        reasoning = Reasoning(thought[:length], turn.get("reasoning_key"), tuple(turn.get("reasoning_details") or ()))
        spoken = turn.get("text") or ""
        known = reasoning if reasoning.text or reasoning.details else None
        steps.append(ServerToolTurn(spoken, known, served(turn), open=turn is turns[-1] and _is_open(turn)))
        text, thought = text[len(spoken) :], thought[length:]
    return Turns(tuple(steps), text, thought)


def _is_open(turn: Mapping[str, Any]) -> bool:
    """Return whether no turn followed the last one: it is marked so, or its stream broke off."""
    return bool(turn.get("open")) or len(turn.get("results") or ()) < len(turn["calls"])


def served(turn: Mapping[str, Any]) -> tuple[ServerCall, ...]:
    """Return the calls of a turn of the record, with their results.

    Raises:
        KeyError, TypeError, AttributeError: If `turn` is no turn of a record.
    """
    # Results come in the order of the calls, since one id may come several times.
    results = list(turn.get("results") or ())
    calls = []
    for place, recorded in enumerate(turn.get("calls") or ()):
        call = to_tool_call(recorded)
        result = results.pop(0) if results and results[0]["id"] == call.id else {}
        position = recorded.get("position", place)
        calls.append(ServerCall(call, result.get("output"), bool(result.get("failed")), position))
    return tuple(calls)


def to_tool_call(recorded: Mapping[str, Any]) -> ToolCall:
    """Return a call of the record as a `ToolCall`."""
    return ToolCall(
        recorded["id"], recorded["name"], recorded["arguments"], recorded.get("type") or kind_of(recorded["name"])
    )


def kind_of(name: str) -> str:
    """Return the type that a tool's call most likely has, by its name."""
    return "builtin_function" if is_builtin(name) else "function"
