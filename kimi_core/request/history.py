"""Repairs a conversation so that a strict host takes it.

Pure, and one pass over the messages. Frameworks hand over histories that Moonshot refuses: empty assistant turns,
calls without results, results without calls, turns of another model without their reasoning. A history that needs
no repair comes back as it is. Every repair is named, so that nothing changes silently.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from kimi_core.hosts.profile import Profile
from kimi_core.hosts.spec import HostSpec
from kimi_core.tool_arguments import as_object, without_constants
from kimi_core.types import DocumentPart, Message, Part, Reasoning, ServerToolTurn, TextPart, ToolCall

NO_RESULT = "[no result was recorded for this call]"
"""The result of a call that was never answered: `tool_call_id … is not found` otherwise."""

BEHIND = "[what it shows is in the next message]"
"""The text of a tool's result that held nothing but pictures, where the host takes text only."""

UNTHOUGHT = Reasoning("")
"""The reasoning of a turn that is known to have had none, since thinking was off: nothing is missing there, and the
blank gives no warning. Where it is not known, a message has no reasoning at all."""

REPAIRS = {
    "empty": "an assistant message without text and tool calls was left out; the host answers 400 "
    "`the message at position N with role 'assistant' must not be empty`",
    "empty turn": "a message without content, of the system or an earlier one of the user, was left out; the host "
    "answers 400 `the message at position N with role 'user' must not be empty`",
    "empty result": "a tool's result was empty, which the host's reference forbids; it is sent with the sentence that "
    "the host's own clients write",
    "orphan": "a tool result that no call asked for was left out; the host answers 400 `tool_call_id is not found`",
    "misplaced": "a tool result did not follow its call directly; it was moved there",
    "unanswered": f"a tool call without a result was answered with {NO_RESULT!r}",
    "unmatched": "a tool result had the id of no call before it; it was taken for the result of the call before it",
    "nameless": "a tool call without a name was left out; the host answers 400 `tool_calls.function.name is required`",
    "partial": "a message that the model was once to continue is not the last any more; it is sent without `partial`, "
    "which hosts take only on the last (`partial is only allowed on the last message`)",
    "arguments": "the arguments of an earlier call were no JSON object; what JSON cannot hold is sent as text",
    "repeated id": "calls of one message had the same id, or none; they got ids of their own",
    "reasoning": "an assistant message with tool calls had no reasoning (it is from another model, or lost it on the "
    "way); a blank is sent in its place, since the host answers 400 `reasoning_content is missing` otherwise",
    "tool media": "pictures in a tool's result went into a user message behind it; there the host takes only text",
}
"""What can be repaired: the texts of the warnings."""


def repair(
    messages: Sequence[Message], profile: Profile, thinks: bool | None
) -> tuple[Sequence[Message], tuple[str, ...]]:
    """Make a conversation acceptable, and write server tool turns as messages.

    Args:
        messages: The conversation, oldest first. Not changed.
        profile: Whether reasoning is required, what is sent where it is missing, whether messages may be empty, and
            whether a tool's result may hold pictures.
        thinks: Whether this call thinks, None when unknown; with False no reasoning is required.

    Returns:
        The conversation to send, and the keys of `REPAIRS` for the repairs to report.
    """
    host = profile.host
    if not needs_repair(messages, host, thinks):
        return messages, ()
    blank = _blank(host, thinks)
    repairs: dict[str, None] = {}
    written = unfolded(messages) if host.messages.takes_refusal else map(_refusal_as_text, unfolded(messages))
    turns = tuple(_named(_readable(tuple(written), host, repairs), repairs))
    repaired = _filled(_repaired(turns, blank, repairs), host, repairs)
    return tuple(repaired if host.tools.media_results else _hoisted(repaired, repairs)), tuple(repairs)


def unfolded(messages: Iterable[Message]) -> Iterator[Message]:
    """Yield the messages, with server tool turns (`Message.steps`) as messages of their own."""
    for message in messages:
        if message.steps:
            yield from _turns(message)
        else:
            yield message


def _refusal_as_text(message: Message) -> Message:
    """Return the message with its refusal as text behind its content."""
    if not message.refusal:
        return message
    content: str | tuple[Part, ...] = message.refusal
    if isinstance(message.content, tuple):
        content = (*message.content, TextPart(message.refusal))
    elif message.content:
        content = f"{message.content}\n{message.refusal}"
    return replace(message, content=content, refusal="")


def _turns(message: Message) -> Iterator[Message]:
    *steps, last = message.steps
    for step in steps if last.open else message.steps:
        yield Message("assistant", step.text, step.reasoning or UNTHOUGHT, tuple(served.call for served in step.calls))
        yield from _served(step)
    if last.open:
        yield replace(message, steps=(), tool_calls=_together(message.tool_calls, last))
        yield from _served(last)
    elif _has_last_turn(message):
        yield replace(message, steps=())


def _has_last_turn(message: Message) -> bool:
    """Return whether anything came after the server tool turns."""
    content = message.content or message.refusal or message.tool_calls or message.partial
    return bool(content or (message.reasoning and message.reasoning.text))


def _together(own: tuple[ToolCall, ...], step: ServerToolTurn) -> tuple[ToolCall, ...]:
    """Return all calls of a turn, the server's and the user's, in the model's order."""
    calls = list(own)
    for i, served in enumerate(sorted(step.calls, key=lambda served: served.position)):
        calls.insert(max(i, served.position), served.call)
    return tuple(calls)


def _served(step: ServerToolTurn) -> Iterator[Message]:
    for served in step.calls:
        if served.output is not None:
            yield Message("tool", served.output, tool_call_id=served.call.id, name=served.call.name)


def needs_repair(messages: Sequence[Message], host: HostSpec, thinks: bool | None) -> bool:
    """Return whether any rule is broken. Every ordinary call runs this, so it is one flat loop."""
    open_ids: set[str | None] = set()
    last = messages[-1] if messages else None
    for message in messages:
        if message.role == "tool":
            is_text = type(message.content) is str and message.content
            if message.tool_call_id not in open_ids or (not is_text and _is_unfit(message, host)):
                return True
            open_ids.discard(message.tool_call_id)
        elif (
            open_ids
            or message.steps
            or message.refusal
            or (message.partial and message is not last)
            or (not message.content and _is_blank(message, host))
        ):
            return True
        elif calls := message.tool_calls:
            if not (message.reasoning and message.reasoning.text) and _blank(host, thinks) is not None:
                return True
            known, ids = getattr(message, "_fit", (None, ()))  # what `_are_fit` has found out before
            if known is host.tools.reads_arguments:
                open_ids.update(ids)
            elif not _are_fit(calls, message, open_ids, host):
                return True
    return bool(open_ids)


def _blank(host: HostSpec, thinks: bool | None) -> str | None:
    """Return what is sent for reasoning that is missing beside calls; None where it may be missing."""
    return host.reasoning.blank if host.reasoning.required and thinks is not False else None


def _are_fit(calls: Sequence[ToolCall], message: Message, open_ids: set[str | None], host: HostSpec) -> bool:
    """Return whether the calls of a message can be sent as they are, and note their ids as open: none are before."""
    for call in calls:
        id_, text = call.id, call.arguments
        if not id_ or id_ in open_ids or not call.name or _arguments(text, host) is not text:
            return False
        open_ids.add(id_)
    if type(calls) is tuple:  # then nothing in it can change
        object.__setattr__(message, "_fit", (host.tools.reads_arguments, tuple(open_ids)))
    return True


def _is_blank(message: Message, host: HostSpec) -> bool:
    """Return whether a message without content is to be left out."""
    if message.role == "assistant":
        return not (message.tool_calls or message.partial or message.refusal)
    return message.role != "tool" and not host.messages.takes_empty


def _is_unfit(result: Message, host: HostSpec) -> bool:
    if not result.content:
        return host.tools.empty_result is not None
    return not host.tools.media_results and bool(_shown(result))


def _arguments(text: str, host: HostSpec) -> str:
    """Return the arguments of an earlier call as the host can read them; the same object where it already can."""
    return as_object(text) if host.tools.reads_arguments else without_constants(text)


def _readable(messages: Sequence[Message], host: HostSpec, repairs: dict[str, None]) -> Iterator[Message]:
    """Yield the messages, `partial` on none but the last, with arguments that the host can read."""
    last = len(messages) - 1
    for at, message in enumerate(messages):
        if message.partial and at != last:
            repairs["partial"] = None
            message = replace(message, partial=False)
        texts = [_arguments(call.arguments, host) for call in message.tool_calls]
        if any(text is not call.arguments for text, call in zip(texts, message.tool_calls, strict=True)):
            repairs["arguments"] = None
            calls = zip(message.tool_calls, texts, strict=True)
            message = replace(message, tool_calls=tuple(replace(call, arguments=text) for call, text in calls))
        yield message


def _named(messages: Iterable[Message], repairs: dict[str, None]) -> Iterator[Message]:
    """Yield the messages without calls that have no name."""
    for message in messages:
        calls = tuple(call for call in message.tool_calls if call.name)
        if len(calls) < len(message.tool_calls):
            repairs["nameless"] = None
            message = replace(message, tool_calls=calls)
        yield message


def _repaired(messages: Sequence[Message], blank: str | None, repairs: dict[str, None]) -> Iterator[Message]:
    used: set[int] = set()
    for position, message in enumerate(messages):
        if position in used:
            continue
        if message.role == "tool":
            repairs["orphan"] = None
        elif message.role == "assistant" and message.tool_calls:
            results = _results(messages, position, used)
            found = sorted(i for i in results if i is not None)
            used.update(found)
            if found != list(range(position + 1, position + 1 + len(found))):
                repairs["misplaced"] = None
            yield from _tool_turn(message, [None if i is None else messages[i] for i in results], blank, repairs)
        else:
            yield message


def _results(messages: Sequence[Message], position: int, used: set[int]) -> list[int | None]:
    """Return the position of the result of each call of a turn, found by id, else by the tool's name, else by order.

    A result with the call's id is found anywhere behind the turn, until another turn has a call with the same id; any
    other only up to the next turn with calls.
    """
    calls = messages[position].tool_calls
    ids = {call.id for call in calls}
    by_id: dict[str, list[int]] = {}
    others: list[int] = []
    near = True
    for i in range(position + 1, len(messages)):
        message = messages[i]
        if message.tool_calls:
            if any(call.id in ids for call in message.tool_calls):
                break
            near = False
        if message.role != "tool" or i in used:
            continue
        if message.tool_call_id and message.tool_call_id in ids:
            by_id.setdefault(message.tool_call_id, []).append(i)
        elif near or (not message.tool_call_id and "" in ids):
            others.append(i)
    found = [by_id[call.id].pop(0) if by_id.get(call.id) else None for call in calls]
    for answers in (_names, _may_answer):
        for n, call in enumerate(calls):
            fitting = [i for i in others if found[n] is None and answers(messages[i], call)]
            if fitting:
                found[n] = fitting[0]
                others.remove(fitting[0])
    return found


def _names(result: Message, call: ToolCall) -> bool:
    """Return whether a result names the call's tool; some integrations give the tool's name for the id."""
    return call.name in (result.name, result.tool_call_id)


def _may_answer(result: Message, call: ToolCall) -> bool:
    return not result.name or result.name == call.name


def _tool_turn(
    message: Message, results: Sequence[Message | None], blank: str | None, repairs: dict[str, None]
) -> Iterator[Message]:
    """Yield an assistant message with calls, and exactly one result for each of them."""
    if blank is not None and not (message.reasoning and message.reasoning.text):
        if message.reasoning != UNTHOUGHT:
            repairs["reasoning"] = None
        message = replace(message, reasoning=Reasoning(blank))
    calls = _unique(message.tool_calls, repairs)
    yield message if calls is message.tool_calls else replace(message, tool_calls=calls)
    for original, call, answer in zip(message.tool_calls, calls, results, strict=True):
        if answer is None:
            repairs["unanswered"] = None
            yield Message("tool", NO_RESULT, tool_call_id=call.id, name=call.name)
            continue
        if answer.tool_call_id and answer.tool_call_id != original.id and not _names(answer, call):
            repairs["unmatched"] = None
        yield answer if answer.tool_call_id == call.id else replace(answer, tool_call_id=call.id)


def _unique(calls: tuple[ToolCall, ...], repairs: dict[str, None]) -> tuple[ToolCall, ...]:
    """Return the calls with ids that differ; the same tuple when they already do."""
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


# ---------------------------------------------------------------------------------------------- empty messages


def _filled(messages: Iterable[Message], host: HostSpec, repairs: dict[str, None]) -> Iterator[Message]:
    """Yield the messages that are not empty; an empty tool result gets the host's text for it."""
    for message in messages:
        if not message.content and _is_blank(message, host):
            repairs["empty" if message.role == "assistant" else "empty turn"] = None
        elif message.role == "tool" and not message.content and host.tools.empty_result is not None:
            repairs["empty result"] = None
            yield replace(message, content=host.tools.empty_result)
        else:
            yield message


# ------------------------------------------------------------------------------------------- pictures of tools


def _shown(message: Message) -> list[Part]:
    """Return the pictures and videos of a message."""
    content = message.content
    return [] if isinstance(content, str) else [p for p in content if not isinstance(p, TextPart | DocumentPart)]


def _hoisted(messages: Iterable[Message], repairs: dict[str, None]) -> Iterator[Message]:
    """Yield the messages, with pictures of tool results in a user message behind all results of the turn."""
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
