"""What the answers to a question show about a host. Nothing is guessed: a doubt is `unknown`, with the reason."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kimi_adapters.probe.answers import Answer
from kimi_adapters.probe.findings import Finding, unknown
from kimi_adapters.probe.messages import ANSWER_SCHEMA, TASKS, Task
from kimi_adapters.probe.seen import Answers, Seen
from kimi_core.hosts.common import BY_EFFORT, ENABLED, QWEN, TYPED
from kimi_core.hosts.groups import DETAILS, Patch, ThinkingRules

Found = Iterable[Finding]

CUT = "The answer was cut by the token limit, so that it shows nothing."
_MARKERS = "<|tool_call"


def why_not(answer: Answer | None) -> str:
    """Return why an answer shows nothing; empty when it shows something."""
    if answer is None:
        return "It was not asked."
    if answer.kind == "failed":
        return answer.error
    return CUT if answer.ok and answer.cut else ""


def _first_doubt(answers: Answers) -> str:
    return next((why for one in answers.values() if (why := why_not(one))), "")


# --------------------------------------------------------------------------------------------------- thinking

ARGS = ThinkingRules(
    on={"chat_template_args": {"enable_thinking": True}}, off={"chat_template_args": {"enable_thinking": False}}
)
SWITCHES = (TYPED, ENABLED, ThinkingRules(), QWEN, BY_EFFORT, ARGS)
"""The ways of switching thinking that hosts are known to have."""


def switches(seen: Seen) -> list[tuple[Patch, Patch]]:
    """Return the ways to try, as pairs of on and off; the known spec's own first."""
    spec = seen.profile.host
    own = [(spec.thinking.on or {}, spec.thinking.off)] if spec.thinking.off is not None else []
    others = [(way.on or {}, way.off or {}) for way in SWITCHES]
    return [*own, *(way for way in others if way[1] not in [off for _, off in own])]


def thinking(answers: Answers, seen: Seen) -> Found:
    """Find whether the model thinks by default."""
    answer = answers["thinking"]
    if why := why_not(answer):
        yield unknown("thinking", why, "thinking.default")
        return
    text = "It thinks by default." if answer.thinks else "It does not think by default."
    yield Finding(question="thinking", text=text, field="thinking.default", value=answer.thinks)


def switched(answer: Answer, seen: Seen) -> bool:
    """Return whether a switch was honoured: the answer is otherwise than without it."""
    return answer.ok and not answer.cut and answer.thinks is not seen.facts.get("thinking.default")


def switch(answers: Answers, seen: Seen) -> Found:
    """Find which switch is honoured, away from what the model does by default."""
    default = seen.facts["thinking.default"]
    name, word = ("thinking.off", "off") if default else ("thinking.on", "on")
    ways = switches(seen)
    for at, answer in answers.items():
        if switched(answer, seen):
            on, off = ways[int(at)]
            patch = off if default else on
            yield Finding(question="switch", text=f"{_shown(patch)} switches it {word}.", field=name, value=patch)
            return
    if why := _first_doubt(answers):
        yield unknown("switch", why, name)
        return
    yield Finding(question="switch", text=f"No way to switch it {word} is honoured.", field=name, value=None)


def back(answers: Answers, seen: Seen) -> Found:
    """Find how the default is asked for by name."""
    default = seen.facts["thinking.default"]
    name = "thinking.on" if default else "thinking.off"
    for at, answer in answers.items():
        if answer.ok and not answer.cut and answer.thinks is default:
            patch = (seen.profile.host.thinking.on or {}) if at == "own" else switches(seen)[int(at)][1 - default]
            yield Finding(question="back", text=f"{_shown(patch)} is taken.", field=name, value=patch)
            return
    if why := _first_doubt(answers):
        yield unknown("back", why, name)
        return
    yield Finding(question="back", text="Nothing has to be sent.", field=name, value={}, fits=lambda known: not known)


def _shown(patch: Patch) -> str:
    return json.dumps(patch)


# ------------------------------------------------------------------------------------------------------- echo


def echo(answers: Answers, seen: Seen) -> Found:
    """Find whether reasoning has to come back on turns with calls, and under which key it is read."""
    without, keys = answers.get("without"), {key: one for key, one in answers.items() if key != "without"}
    if without is None or (why := why_not(without)):
        yield unknown("echo", why_not(without), "reasoning.required")
        return
    required = not without.ok
    taken = tuple(key for key, one in keys.items() if one.ok and (required or _longer(one, without)))
    if required and not taken:
        why = _first_doubt(keys) or f"It refused the turn with and without reasoning: {without.error}"
        yield unknown("echo", why, "reasoning.required")
        return
    seen.taken_keys = taken
    text = f"A turn with calls without its reasoning is refused: {without.error}" if required else "It is not needed."
    yield Finding(question="echo", text=text, field="reasoning.required", value=required)
    if taken:
        yield _back_under(taken, seen)
    else:
        refused = ", ".join(key for key, one in keys.items() if one.kind == "refused")
        text = "Under no key did it count as part of the prompt" + (f"; refused: {refused}." if refused else ".")
        yield unknown("echo", text, "reasoning.key_out")


def _longer(answer: Answer, without: Answer) -> bool:
    """Return whether an answer counted more prompt tokens than the other: what the host reads of a turn is counted."""
    both = answer.prompt_tokens, without.prompt_tokens
    return None not in both and (both[0] or 0) > (both[1] or 0)


def _back_under(taken: tuple[str, ...], seen: Seen) -> Finding:
    first = seen.given("tool turn")
    came = list(first.reasoning) if first else []
    observed = next((key for key in (DETAILS, *came) if key in came and key in taken), None)
    known = seen.profile.host.reasoning.key_out
    value = known if known in taken else observed or taken[0]

    def fits(known: str) -> bool:
        return known in taken or (known == "observed" and (observed is not None or not came))

    text = f"It is read under {' and '.join(taken)}."
    return Finding(question="echo", text=text, field="reasoning.key_out", value=value, fits=fits)


def blank(answers: Answers, seen: Seen) -> Found:
    """Find whether one space is taken for reasoning that is not there."""
    answer = answers["blank"]
    if why := why_not(answer):
        yield unknown("blank", why, "reasoning.blank")
        return
    text = "One space is taken for it." if answer.ok else "One space is not taken for it."
    yield Finding(question="blank", text=text, field="reasoning.blank", value=" " if answer.ok else None)


# ------------------------------------------------------------------------------------------------------ tools


def choices(field: str, answers: Answers) -> Found:
    """Find which tool choices are legal and honoured."""
    question = "choices while thinking" if field == "tools.choices_thinking" else "choices while not thinking"
    verdicts = {name: _honoured(name, answer) for name, answer in answers.items()}
    if None in verdicts.values():
        yield unknown(question, _first_doubt(answers), field)
        return
    legal = frozenset(name for name, honoured in verdicts.items() if honoured)
    refused = [f"{name} refused" for name, one in answers.items() if one.kind == "refused"]
    ignored = [f"{name} not honoured" for name, one in answers.items() if one.ok and name not in legal]
    text = "; ".join([", ".join(sorted(legal)) or "none of them", *refused, *ignored])
    yield Finding(question=question, text=f"{text}.", field=field, value=legal)
    thought = [name for name, one in answers.items() if one.thinks]
    if thought and field == "tools.choices_instant":
        yield Finding(question=question, text=f"It thought all the same with {', '.join(thought)}.")


def _honoured(name: str, answer: Answer) -> bool | None:
    if why_not(answer):
        return None
    if not answer.ok:
        return False
    called = [call for call, _ in answer.calls]
    return {"auto": True, "none": not called, "required": bool(called), "named": called[:1] == ["get_time"]}[name]


def with_output(answers: Answers, seen: Seen) -> Found:
    """Find whether tools and a response format go together."""
    answer, field = answers["tools with output"], "structured.with_tools"
    if why := why_not(answer):
        yield unknown("tools with output", why, field)
    elif answer.ok and not answer.calls and not as_object(answer):
        yield unknown("tools with output", "The answer is neither a call nor of the schema.", field)
    else:
        text = "Both go together." if answer.calls else "The schema wins: no tool is called."
        text = text if answer.ok else f"Both together are refused: {answer.error}"
        yield Finding(question="tools with output", text=text, field=field, value=bool(answer.calls))


def tool_calls(answers: Answers, seen: Seen) -> Found:
    """Find how many tasks were solved with the right calls."""
    wrong, doubts = [], []
    for task in TASKS:
        answer = answers.get(task.name)
        if why_not(answer):
            doubts.append(task.name)
        elif answer is not None and not solved(task, answer):
            wrong.append(task.name)
    right = len(TASKS) - len(wrong) - len(doubts)
    counts = [f"{right} of {len(TASKS) - len(doubts)} right"]
    counts += [f"wrong: {', '.join(wrong)}"] if wrong else []
    counts += [f"not known: {', '.join(doubts)}"] if doubts else []
    yield Finding(question="tool calls", text=f"{'; '.join(counts)}.")
    if any(_MARKERS in answer.text for answer in seen.all_given()):
        text = "Calls were left in the text, in the tokens of the template."
        yield Finding(question="tool calls", text=text, field="tools.leaked_calls", value=True)


def solved(task: Task, answer: Answer) -> bool:
    """Return whether exactly the right calls were made, in any order."""
    waiting = list(task.calls)
    for name, arguments in answer.calls:
        fitting = next((one for one in waiting if one[0] == name and _fit(one[1], arguments)), None)
        if fitting is None:
            return False
        waiting.remove(fitting)
    return answer.ok and not waiting


def _fit(wanted: Mapping[str, Any], given: Any) -> bool:
    """Return whether arguments fit the schema and mean what was asked for (`Tokyo, Japan`)."""
    if not isinstance(given, dict) or set(given) != set(wanted):
        return False
    pairs = [(value, given[name]) for name, value in wanted.items()]
    return all(type(a) is type(b) and (str(a).lower() in b.lower() if isinstance(b, str) else a == b) for a, b in pairs)


# ----------------------------------------------------------------------------------------------------- output


def as_object(answer: Answer) -> Any:
    """Return the JSON object that an answer is, else None."""
    try:
        value = json.loads(answer.text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _is_of_schema(answer: Answer) -> bool:
    value = as_object(answer)
    if value is None or set(value) != set(ANSWER_SCHEMA["required"]):
        return False
    return value["mood"] in ANSWER_SCHEMA["properties"]["mood"]["enum"] and type(value["count"]) is int


def structured(answers: Answers, seen: Seen) -> Found:
    """Find which ways lead to a structured answer, though the question invites prose."""
    turn = seen.given("tool turn")
    called = bool(turn and turn.calls and all(isinstance(given, dict) for _, given in turn.calls)) or _is_forced(seen)
    if why := _first_doubt(answers) or ("" if called else why_not(turn)):
        yield unknown("structured", why, "structured.ways")
        return
    works = {
        "json_schema": _is_of_schema(answers["json_schema"]),
        "function_calling": called,
        "json_object": as_object(answers["json_object"]) is not None,
    }
    refused = [f"{name} refused" for name, one in answers.items() if one.kind == "refused"]
    ignored = [f"{name} not enforced" for name, one in answers.items() if one.ok and not works[name]]
    order = seen.profile.host.structured.ways
    value = tuple(name for name in order if works[name]) + tuple(n for n in works if works[n] and n not in order)
    text = "; ".join([", ".join(value) or "none of them", *refused, *ignored])
    if not value:  # a spec without any way would make every structured call an error
        yield unknown("structured", f"{text}.", "structured.ways")
        return
    yield Finding(question="structured", text=f"{text}.", field="structured.ways", value=value)


def _is_forced(seen: Seen) -> bool:
    """Return whether a tool is called when it has to be, which is how it gives an answer its shape."""
    fields = ("tools.choices_thinking", "tools.choices_instant")
    return any(not {"required", "named"}.isdisjoint(seen.facts.get(field) or ()) for field in fields)


def flavour(answers: Answers, seen: Seen) -> Found:
    """Find which schemas the host takes."""
    answer = answers["schema"]
    if (why := why_not(answer)) or (not answer.ok and "moonshot flavored" not in answer.error):
        yield unknown(
            "schema", why or f"It refused the schema for a reason of its own: {answer.error}", "structured.schema"
        )
        return
    text = "Schemas of the standard are taken." if answer.ok else f"Only Moonshot's flavour is taken: {answer.error}"
    yield Finding(question="schema", text=text, field="structured.schema", value="json_schema" if answer.ok else "mfjs")


# -------------------------------------------------------------------------------------------------- the rest


def pinned(answers: Answers, seen: Seen) -> Found:
    """Find whether sampling values are free. A host that takes a senseless one may not look at them at all."""
    low, senseless = answers["temperature 0.3"], answers.get("temperature 5")
    if why := why_not(low):
        yield unknown("sampling", why, "sampling.pinned")
    elif not low.ok:
        text = f"A temperature of 0.3 is refused: {low.error}"
        yield Finding(question="sampling", text=text, field="sampling.pinned", value=True)
    elif senseless is not None and senseless.kind == "refused":
        yield Finding(question="sampling", text="They are free.", field="sampling.pinned", value=False)
    else:
        yield unknown(
            "sampling", "Every value is taken, also a temperature of 5: it may be dropped.", "sampling.pinned"
        )


def stops(answers: Answers, seen: Seen) -> Found:
    """Find how many stop sequences are taken, and whether they stop."""
    count, answer = next(((int(n), one) for n, one in answers.items() if one.ok), (0, None))
    if why := next((one.error for one in answers.values() if one.kind == "failed"), ""):
        yield unknown("stop", why, "sampling.stop_limit")
        return
    if answer is None:
        words = next(iter(answers.values())).error
        yield unknown("stop", f"Four stop sequences were refused, as well as more: {words}", "sampling.stop_limit")
        return
    limit = count if len(answers) > 1 else None
    most = f"{limit} sequences are taken, not more." if limit else f"{count} sequences are taken, maybe more."
    yield Finding(
        question="stop",
        text=most,
        field="sampling.stop_limit",
        value=limit,
        fits=lambda known: known == limit if limit else known is None or known >= count,
        keep=limit is not None,
    )
    yield from _stopped(answer, seen)


def _stopped(answer: Answer, seen: Seen) -> Iterator[Finding]:
    if answer.cut or "11" not in answer.text:
        yield unknown(
            "stop", f"The answer does not come to where it was to stop: {answer.text[:60]!r}", "sampling.refuses"
        )
    elif re.search(r"\b13\b", answer.text):
        advice = {"stop": "This host ignores stop sequences; leave them out."}
        text = "The answer went on behind the stop sequence."
        yield Finding(
            question="stop", text=text, field="sampling.refuses", value=advice, fits=lambda known: "stop" in known
        )
    else:
        kept = ", but leaves it in the text" if "12" in answer.text else ""
        yield Finding(
            question="stop",
            text=f"The answer ends there{kept}.",
            field="sampling.refuses",
            fits=lambda known: "stop" not in known,
            keep=False,
        )


_LIMITED = re.compile(r"limit.*reached", re.IGNORECASE)
#: Tokens. An answer of more was not limited to eight of them.
_AT_MOST = 16


def limits(answers: Answers, seen: Seen) -> Found:
    """Find which name of the token limit is honoured."""
    verdicts = {name: _limited(answer) for name, answer in answers.items()}
    honoured = [name for name, verdict in verdicts.items() if verdict]
    if not honoured:
        why = next((one.error for one in answers.values() if one.kind != "answered"), "")
        yield unknown("limit", why or "Neither name of the token limit was honoured.", "sampling.max_tokens_field")
        return
    own = seen.profile.host.sampling.max_tokens_field
    text = f"{' and '.join(honoured)} {'is' if len(honoured) == 1 else 'are'} honoured"
    ignored = [name for name, verdict in verdicts.items() if verdict is False]
    yield Finding(
        question="limit",
        text=f"{text}{'; not ' + ignored[0] if ignored else ''}.",
        field="sampling.max_tokens_field",
        value=own if own in honoured else honoured[0],
        fits=lambda known: known in honoured,
    )


def _limited(answer: Answer) -> bool | None:
    if answer.kind == "failed":
        return None
    if not answer.ok:
        return _LIMITED.search(answer.error) is not None
    return answer.cut or (answer.output_tokens is not None and answer.output_tokens <= _AT_MOST)


def empty(answers: Answers, seen: Seen) -> Found:
    """Find whether a message may be empty."""
    answer = answers["empty"]
    if why := why_not(answer):
        yield unknown("empty", why, "messages.takes_empty")
        return
    text = "An empty system message is taken." if answer.ok else f"An empty system message is refused: {answer.error}"
    yield Finding(question="empty", text=text, field="messages.takes_empty", value=answer.ok)
