"""Repairs a conversation so that a strict host takes it.

Pure, and one pass over the messages. Frameworks hand over histories that Moonshot refuses: empty assistant turns,
calls nobody answered, results nobody asked for, turns of another model without their reasoning. A history that
needs nothing comes back as it is. Every repair is named, so that nothing changes silently.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from kimi_core.profile import Profile
from kimi_core.types import DocumentPart, Message, Part, Reasoning, Step, TextPart, ToolCall

NO_RESULT = "[no result was recorded for this call]"
"""Stands where a call was never answered: `tool_call_id … is not found` otherwise."""

BEHIND = "[what it shows is in the next message]"
"""Stands in a tool's result that held nothing but pictures, where the host takes text only."""

UNTHOUGHT = Reasoning("")
"""The reasoning of a turn that is known to have had none, since thinking was off: nothing is missing there, and nothing
is said about the blank. Where it is not known, a message has no reasoning at all."""

REPAIRS = {
    "empty": "an assistant message without text and tool calls was left out; the host answers 400 "
    "`the message at position N with role 'assistant' must not be empty`",
    "orphan": "a tool result that no call asked for was left out; the host answers 400 `tool_call_id is not found`",
    "misplaced": "a tool result did not follow its call directly; it was moved there",
    "unanswered": f"a tool call without a result was answered with {NO_RESULT!r}",
    "repeated id": "calls of one message had the same id, or none; they got ids of their own",
    "reasoning": "an assistant message with tool calls had no reasoning (it is from another model, or lost it on the "
    "way); a blank stands in for it, since the host answers 400 `reasoning_content is missing` otherwise",
    "tool media": "pictures in a tool's result went into a user message behind it; there the host takes only text",
}
"""What can be repaired, in words for the user."""


def repair(
    messages: Sequence[Message], profile: Profile, thinks: bool | None
) -> tuple[Sequence[Message], tuple[str, ...]]:
    """Make a conversation acceptable, and write the turns of server tools out.

    Args:
        messages: The conversation, oldest first. Not changed.
        profile: Says whether reasoning is demanded, what stands in for a missing one, and whether a tool's result may
            hold pictures.
        thinks: Whether this call thinks; reasoning is demanded only then.

    Returns:
        The conversation to send, and the keys of `REPAIRS` that were needed and are worth saying.
    """
    blank = profile.host.blank_reasoning if profile.host.reasoning_required and thinks is not False else None
    text_only = not profile.host.tool_media
    if not _needs_repair(messages, blank, text_only):
        return messages, ()
    repairs: dict[str, None] = {}
    repaired = _repaired(tuple(unfolded(messages)), blank, repairs)
    return tuple(_hoisted(repaired, repairs) if text_only else repaired), tuple(repairs)


def unfolded(messages: Iterable[Message]) -> Iterator[Message]:
    """The messages with the turns of server tools (`Message.steps`) as messages of their own."""
    for message in messages:
        if message.steps:
            yield from _turns(message)
        else:
            yield message


def _turns(message: Message) -> Iterator[Message]:
    *steps, last = message.steps
    for step in steps if last.open else message.steps:
        yield Message("assistant", step.text, step.reasoning or UNTHOUGHT, tuple(served.call for served in step.calls))
        yield from _served(step)
    if last.open:
        yield replace(message, steps=(), tool_calls=_together(message.tool_calls, last))
        yield from _served(last)
    elif message.content or message.tool_calls or message.partial or (message.reasoning and message.reasoning.text):
        yield replace(message, steps=())


def _together(own: tuple[ToolCall, ...], step: Step) -> tuple[ToolCall, ...]:
    """All calls of a turn in the model's order."""
    calls = list(own)
    for i, served in enumerate(sorted(step.calls, key=lambda served: served.position)):
        calls.insert(max(i, served.position), served.call)
    return tuple(calls)


def _served(step: Step) -> Iterator[Message]:
    for served in step.calls:
        if served.output is not None:
            yield Message("tool", served.output, tool_call_id=served.call.id, name=served.call.name)


def _needs_repair(messages: Sequence[Message], blank: str | None, text_only: bool) -> bool:
    """Whether any rule is broken. This is what every ordinary call pays, so it is one flat loop."""
    open_ids: set[str | None] = set()
    for message in messages:
        role = message.role
        if role == "tool":
            if message.tool_call_id not in open_ids or (text_only and _shown(message)):
                return True
            open_ids.discard(message.tool_call_id)
        elif open_ids or message.steps:
            return True
        elif role == "assistant":
            calls = message.tool_calls
            if calls:
                if blank is not None and not (message.reasoning and message.reasoning.text):
                    return True
                open_ids = {call.id for call in calls}
                if len(open_ids) != len(calls) or "" in open_ids:
                    return True
            elif not message.content and not message.partial:
                return True
    return bool(open_ids)


def _repaired(messages: Sequence[Message], blank: str | None, repairs: dict[str, None]) -> Iterator[Message]:
    used: set[int] = set()
    for position, message in enumerate(messages):
        if position in used:
            continue
        if message.role == "tool":
            repairs["orphan"] = None
        elif message.role == "assistant" and message.tool_calls:
            results = _results(messages, position, used)
            if any(used_at != position + 1 + i for i, used_at in enumerate(results)):
                repairs["misplaced"] = None
            yield from _tool_turn(message, [messages[i] for i in results], blank, repairs)
        elif message.role == "assistant" and not message.content and not message.partial:
            repairs["empty"] = None
        else:
            yield message


def _results(messages: Sequence[Message], position: int, used: set[int]) -> list[int]:
    """Where the results of a turn's calls are: anywhere behind it, until another turn calls by the same id."""
    wanted = [call.id for call in messages[position].tool_calls]
    found: list[int] = []
    for i in range(position + 1, len(messages)):
        message = messages[i]
        if not wanted or any(call.id in wanted for call in message.tool_calls):
            break
        if message.role == "tool" and i not in used and (message.tool_call_id or "") in wanted:
            wanted.remove(message.tool_call_id or "")
            used.add(i)
            found.append(i)
    return found


def _tool_turn(
    message: Message, results: Sequence[Message], blank: str | None, repairs: dict[str, None]
) -> Iterator[Message]:
    """An assistant message with calls, and exactly one result for each of them."""
    if blank is not None and not (message.reasoning and message.reasoning.text):
        if message.reasoning != UNTHOUGHT:
            repairs["reasoning"] = None
        message = replace(message, reasoning=Reasoning(blank))
    calls = _unique(message.tool_calls, repairs)
    yield message if calls is message.tool_calls else replace(message, tool_calls=calls)
    waiting = list(results)
    for original, call in zip(message.tool_calls, calls, strict=True):
        answer = next((r for r in waiting if (r.tool_call_id or "") == original.id), None)
        if answer is None:
            repairs["unanswered"] = None
            yield Message("tool", NO_RESULT, tool_call_id=call.id, name=call.name)
        else:
            waiting.remove(answer)
            yield answer if answer.tool_call_id == call.id else replace(answer, tool_call_id=call.id)


def _unique(calls: tuple[ToolCall, ...], repairs: dict[str, None]) -> tuple[ToolCall, ...]:
    """The calls with ids that differ; the same tuple when they already do."""
    seen: set[str] = set()
    unique: list[ToolCall] = []
    for call in calls:
        new, n = call.id or f"functions.{call.name}:{len(unique)}", 2
        while new in seen:
            new, n = f"{call.id or call.name}_{n}", n + 1
        seen.add(new)
        unique.append(call if new == call.id else replace(call, id=new))
    if all(a is b for a, b in zip(unique, calls, strict=True)):
        return calls
    repairs["repeated id"] = None
    return tuple(unique)


# ------------------------------------------------------------------------------------------- pictures of tools


def _shown(message: Message) -> list[Part]:
    """What a message shows, beside its text."""
    content = message.content
    return [] if isinstance(content, str) else [p for p in content if not isinstance(p, TextPart | DocumentPart)]


def _hoisted(messages: Iterable[Message], repairs: dict[str, None]) -> Iterator[Message]:
    """The messages with what tools showed in a user message behind the turn's results, which must not be parted."""
    moved: list[Part] = []
    for message in messages:
        if message.role != "tool" and moved:
            yield Message("user", tuple(moved))
            moved = []
        if message.role == "tool" and (shown := _shown(message)):
            repairs["tool media"] = None
            moved += [TextPart(f"From the result of {message.name or message.tool_call_id}:"), *shown]
            kept = tuple(p for p in message.content if isinstance(p, TextPart | DocumentPart))
            message = replace(message, content=kept or BEHIND)
        yield message
    if moved:
        yield Message("user", tuple(moved))
