"""The questions of a probe, as a table: what is asked, how it is judged, and which fields of a spec it settles."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kimi_adapters.probe import judges, messages, places
from kimi_adapters.probe.answers import Answer
from kimi_adapters.probe.judges import Found
from kimi_adapters.probe.seen import Answers, Seen, Try
from kimi_core.codecs.json_values import merge_patch
from kimi_core.hosts.groups import DETAILS


def _never(answer: Answer, seen: Seen) -> bool:
    return False


def _always_possible(seen: Seen) -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question to a host.

    Attributes:
        name: Its name in findings.
        asks: The question, for people.
        fields: The facts of a host that it can find.
        most: Most calls that it takes.
        tries: The calls, given what is known so far.
        judge: Reads the findings from the answers.
        enough: Whether an answer makes the tries after it needless.
        hinders: Why it cannot be asked; empty when it can.
    """

    name: str
    asks: str
    fields: tuple[str, ...] = ()
    most: int
    tries: Callable[[Seen], Sequence[Try]]
    judge: Callable[[Answers, Seen], Found]
    enough: Callable[[Answer, Seen], bool] = _never
    hinders: Callable[[Seen], str] = _always_possible


def _one(name: str, talk: messages.Messages, **patch: Any) -> Callable[[Seen], Sequence[Try]]:
    return lambda seen: [Try(name, talk, patch)]


def _none(seen: Seen) -> Sequence[Try]:
    return ()


def _nothing(answers: Answers, seen: Seen) -> Found:
    return ()


# --------------------------------------------------------------------------------------------------- thinking


def _away(seen: Seen) -> Sequence[Try]:
    """Return tries of each way to switch thinking away from its default."""
    at = 1 if seen.facts["thinking.default"] else 0
    return [Try(str(n), messages.THINK, way[at]) for n, way in enumerate(judges.switches(seen)) if way[at]]


def _back(seen: Seen) -> Sequence[Try]:
    """Return tries of the switch that works, set to what is the default anyway."""
    default = seen.facts["thinking.default"]
    at, honoured = (0, seen.facts["thinking.off"]) if default else (1, seen.facts["thinking.on"])
    if honoured is None:  # it always thinks; a switch for it may be taken all the same
        own = seen.spec.thinking.on if seen.spec else None
        return [Try("own", messages.THINK, own)] if own else []
    ways = enumerate(judges.switches(seen))
    return [Try(str(n), messages.THINK, way[at]) for n, way in ways if way[1 - at] == honoured and way[at]]


def _is_settled(field: str) -> Callable[[Seen], str]:
    return lambda seen: "" if field in seen.facts else "It is not known what happens when nothing is messages."


def _is_switched(seen: Seen) -> str:
    default = seen.facts.get("thinking.default")
    if default and "thinking.off" in seen.facts:
        return ""
    return "" if default is False and seen.facts.get("thinking.on") is not None else "There is no switch."


def _in_mode(*, thinking: bool, otherwise: str) -> Callable[[Seen], str]:
    """Return a check that names what hinders a question about one mode."""

    def hinders(seen: Seen) -> str:
        known = "thinking.on" in seen.facts if thinking else "thinking.off" in seen.facts
        if seen.mode(thinking=thinking) is not None:
            return ""
        return otherwise if known else "It is not known how thinking is switched."

    return hinders


_thinks = _in_mode(thinking=True, otherwise="It could not be made to think.")
_instant = _in_mode(thinking=False, otherwise="It could not be kept from thinking.")


# ------------------------------------------------------------------------------------------------------- echo


def _with_tools(seen: Seen, *, thinking: bool = True, **more: Any) -> dict[str, Any]:
    """Return the patch for a call with tools."""
    return merge_patch({"tools": messages.TOOLS, **more}, seen.mode(thinking=thinking) or {})


def _turn(seen: Seen) -> Sequence[Try]:
    return [Try("tool turn", messages.ASK_WEATHER, _with_tools(seen))]


def _echoes(seen: Seen) -> Sequence[Try]:
    """Return tries of the turn without its reasoning, and with it under each key that hosts read."""
    turn = seen.given("tool turn")
    details = [DETAILS] if turn and DETAILS in turn.reasoning else []
    keys = dict.fromkeys([None, *details, "reasoning_content", "reasoning"])
    return [Try(key or "without", seen.replayed(key), _with_tools(seen)) for key in keys]


def _blank_key(seen: Seen) -> str | None:
    return next((key for key in seen.taken_keys if key != DETAILS), None)


def _blanks(seen: Seen) -> Sequence[Try]:
    return [Try("blank", seen.replayed(_blank_key(seen), " "), _with_tools(seen))]


def _needs_echo(seen: Seen) -> str:
    if not seen.facts.get("reasoning.required"):
        return "Reasoning need not come back."
    return "" if _blank_key(seen) else "It comes back under no key for text."


# ------------------------------------------------------------------------------------------------------ tools

_NAMED = {"type": "function", "function": {"name": "get_time"}}


def _choices(*, thinking: bool) -> Callable[[Seen], Sequence[Try]]:
    def tries(seen: Seen) -> Sequence[Try]:
        asked = (
            ("auto", messages.ASK_WEATHER, "auto"),
            ("none", messages.ASK_WEATHER, "none"),
            ("required", messages.HELLO, "required"),
            ("named", messages.HELLO, _NAMED),
        )
        return [Try(n, talk, _with_tools(seen, thinking=thinking, tool_choice=choice)) for n, talk, choice in asked]

    return tries


def _judged_choices(field: str) -> Callable[[Answers, Seen], Found]:
    return lambda answers, seen: judges.choices(field, answers)


def _tasks(seen: Seen) -> Sequence[Try]:
    patch = merge_patch({"tools": [*messages.TOOLS, messages.TABLE]}, seen.mode(thinking=True) or {})
    return [Try(task.name, messages.user(task.text), patch) for task in messages.TASKS]


# -------------------------------------------------------------------------------------------------- the rest


def _ways(seen: Seen) -> Sequence[Try]:
    json_object = {"response_format": {"type": "json_object"}}
    return [
        Try("json_schema", messages.PROSE, messages.json_schema(messages.ANSWER_SCHEMA)),
        Try("json_object", messages.PROSE_ON_JSON, json_object),
    ]


def _takes_schemas(seen: Seen) -> str:
    return "" if seen.given("structured", "json_schema") else "It takes no schemas."


def _streams(seen: Seen) -> Sequence[Try]:
    options = {"stream": True, "stream_options": {"include_usage": True}}
    return [
        Try("asked", messages.HELLO, options, stream=True),
        Try("plain", messages.HELLO, {"stream": True}, stream=True),
    ]


def _temperatures(seen: Seen) -> Sequence[Try]:
    return [Try(f"temperature {value:g}", messages.HELLO, {"temperature": value}) for value in (0.3, 5)]


_STOPS = ["12", "zebra", "violin", "harbour", "lantern", "meadow"]


def _stops(seen: Seen) -> Sequence[Try]:
    """Return tries of six stop sequences, and of fewer if these are refused."""
    return [Try(str(count), messages.COUNT, {"stop": _STOPS[:count]}) for count in (6, 5, 4)]


def _limits(seen: Seen) -> Sequence[Try]:
    both = ("max_tokens", "max_completion_tokens")
    return [Try(name, messages.COUNT, {**dict.fromkeys(both), name: 8}) for name in both]


def _pictures(seen: Seen) -> Sequence[Try]:
    return [Try("inline", messages.LOOK), Try("fetched", messages.LOOK_THERE)]


def _tool_picture(seen: Seen) -> Sequence[Try]:
    asked = messages.user("Take a photo of the wall with the tool and say which colour it has, in one word.")
    key = next(iter(seen.taken_keys), None)
    turn = seen.turn(None, name="take_photo", arguments=json.dumps({"place": "the wall"}))
    if key is not None:
        turn[_blank_key(seen) or "reasoning_content"] = "I take a photo of the wall."
    talk = messages.answered(asked, turn, messages.picture(messages.RED, "The photo:"))
    return [Try("tool pictures", talk, merge_patch({"tools": [messages.CAMERA]}, seen.mode(thinking=True) or {}))]


def _sees(seen: Seen) -> str:
    return "" if seen.given("pictures", "inline") else "Pictures are not seen at all."


QUESTIONS: tuple[Question, ...] = (
    Question(
        name="thinking",
        asks="Does it think by default?",
        fields=("thinking.default",),
        most=1,
        tries=_one("thinking", messages.THINK),
        judge=judges.thinking,
    ),
    Question(
        name="switch",
        asks="How is thinking switched away from its default?",
        fields=("thinking.off", "thinking.on"),
        most=7,
        tries=_away,
        judge=judges.switch,
        enough=judges.switched,
        hinders=_is_settled("thinking.default"),
    ),
    Question(
        name="back",
        asks="How is the default asked for by name?",
        fields=("thinking.on", "thinking.off"),
        most=1,
        tries=_back,
        judge=judges.back,
        hinders=_is_switched,
    ),
    Question(
        name="tool turn",
        asks="Is a tool called?",
        most=1,
        tries=_turn,
        judge=_nothing,
    ),
    Question(
        name="echo",
        asks="Has reasoning to come back on turns with calls, and under which key is it read?",
        fields=("reasoning.required", "reasoning.key_out"),
        most=4,
        tries=_echoes,
        judge=judges.echo,
        hinders=_thinks,
    ),
    Question(
        name="blank",
        asks="Is one space taken for reasoning that is lost?",
        fields=("reasoning.blank",),
        most=1,
        tries=_blanks,
        judge=judges.blank,
        hinders=_needs_echo,
    ),
    Question(
        name="choices while thinking",
        asks="Which tool choices are honoured while it thinks?",
        fields=("tools.choices_thinking",),
        most=4,
        tries=_choices(thinking=True),
        judge=_judged_choices("tools.choices_thinking"),
        hinders=_thinks,
    ),
    Question(
        name="choices while not thinking",
        asks="Which tool choices are honoured while it does not?",
        fields=("tools.choices_instant",),
        most=4,
        tries=_choices(thinking=False),
        judge=_judged_choices("tools.choices_instant"),
        hinders=_instant,
    ),
    Question(
        name="tool calls",
        asks="Are tools called when they should be, with arguments that fit?",
        fields=("tools.leaked_calls",),
        most=len(messages.TASKS),
        tries=_tasks,
        judge=judges.tool_calls,
    ),
    Question(
        name="structured",
        asks="Is a schema enforced, is JSON?",
        fields=("structured.ways",),
        most=2,
        tries=_ways,
        judge=judges.structured,
    ),
    Question(
        name="schema",
        asks="Are schemas outside Moonshot's flavour taken?",
        fields=("structured.schema",),
        most=1,
        tries=_one("schema", messages.PROSE, **messages.json_schema(messages.UNFLAVOURED)),
        judge=judges.flavour,
        hinders=_takes_schemas,
    ),
    Question(
        name="tools with output",
        asks="Do tools and a schema go together?",
        fields=("structured.with_tools",),
        most=1,
        tries=_one(
            "tools with output",
            messages.ASK_WEATHER,
            tools=messages.TOOLS,
            **messages.json_schema(messages.ANSWER_SCHEMA),
        ),
        judge=judges.with_output,
        hinders=_takes_schemas,
    ),
    Question(
        name="stream",
        asks="Are streams whole, and does usage come when it is asked for?",
        fields=("usage.stream_options",),
        most=2,
        tries=_streams,
        judge=places.stream,
    ),
    Question(
        name="sampling",
        asks="Are sampling values free?",
        fields=("sampling.pinned",),
        most=2,
        tries=_temperatures,
        judge=judges.pinned,
        enough=lambda answer, seen: answer.kind == "refused",
    ),
    Question(
        name="stop",
        asks="Do stop sequences stop, and how many are taken?",
        fields=("sampling.stop_limit", "sampling.refuses"),
        most=3,
        tries=_stops,
        judge=judges.stops,
        enough=lambda answer, seen: answer.ok,
    ),
    Question(
        name="limit",
        asks="Which name of the token limit is honoured?",
        fields=("sampling.max_tokens_field",),
        most=2,
        tries=_limits,
        judge=judges.limits,
    ),
    Question(
        name="empty",
        asks="May a message be empty?",
        fields=("messages.takes_empty",),
        most=1,
        tries=_one("empty", messages.SILENT_SYSTEM),
        judge=judges.empty,
    ),
    Question(
        name="pictures",
        asks="Are pictures seen, and by which addresses?",
        fields=("media.kinds", "media.urls"),
        most=2,
        tries=_pictures,
        judge=places.pictures,
        enough=lambda answer, seen: not answer.ok,
    ),
    Question(
        name="tool pictures",
        asks="May a tool's result hold a picture?",
        fields=("tools.media_results",),
        most=1,
        tries=_tool_picture,
        judge=places.tool_pictures,
        hinders=_sees,
    ),
    Question(
        name="key",
        asks="Does it answer without a key?",
        fields=("address.key_required",),
        most=0,
        tries=_none,
        judge=places.key,
    ),
    Question(
        name="reasoning",
        asks="Under which key does reasoning arrive?",
        fields=("reasoning.keys_in", "reasoning.think_tags"),
        most=0,
        tries=_none,
        judge=places.reasoning,
    ),
    Question(
        name="usage",
        asks="Where is usage?",
        fields=("usage.paths", "usage.cached_paths", "usage.reasoning_paths"),
        most=0,
        tries=_none,
        judge=places.usage,
    ),
    Question(
        name="cost",
        asks="Where is the price of a call?",
        fields=("usage.cost_paths", "usage.cost_headers"),
        most=0,
        tries=_none,
        judge=places.cost,
    ),
    Question(
        name="ids",
        asks="Which header holds the id of a request?",
        fields=("errors.id_headers",),
        most=0,
        tries=_none,
        judge=places.ids,
    ),
)
