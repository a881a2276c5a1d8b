"""Which tools to call next: one decision per turn, from the request and from what came back so far."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from kimi_adapters.local_server.reply import Call
from kimi_adapters.local_server.rules import arithmetic
from kimi_adapters.local_server.rules.arguments import arguments, call_lists
from kimi_adapters.local_server.rules.mentions import Mentions
from kimi_adapters.local_server.rules.selection import OPERATORS, Tool, named, position, selected
from kimi_adapters.local_server.rules.view import View
from kimi_adapters.local_server.words import all_words

_NUMBER_WORDS = {
    "once": 1, "twice": 2, "one": 1, "two": 2, "three": 3, "four": 4,
    "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
}  # fmt: skip
_COUNT = r"(\d+|one|two|three|four|five|six|seven|eight|nine|ten)"
_TIMES = re.compile(rf"\b{_COUNT}[ -](?:times|turns?|rounds?|steps|iterations)\b|\b(once|twice)\b", re.I)
_AT_A_TIME = re.compile(rf"\b{_COUNT} at a time\b", re.I)
_TOGETHER = re.compile(r"\b(?:in parallel|both|at once|at the same time|simultaneously|parallel)\b", re.I)
_IN_ORDER = re.compile(r"\b(?:then|afterwards?|next|finally|each|first|after that|results?|totals?)\b", re.I)
_FOLLOW = re.compile(r"\bnext\s*:\s*(?:please\s+)?(?:call\s+|use\s+|run\s+)?([\w-]+)\s*(.*)", re.I)
#: However many turns a request asks for, nobody waits for more.
_MOST_TURNS = 1000


@dataclass(frozen=True, slots=True)
class Plan:
    """Calls to make now, and why."""

    calls: tuple[Call, ...]
    because: str


def next_calls(view: View, *, forced: bool = False, only: str | None = None) -> Plan | None:
    """Return the calls of this turn, or None when it is time to answer.

    Args:
        view: The conversation.
        forced: Whether at least one call must be made.
        only: The one tool that may be called.
    """
    tools = [tool for tool in map(Tool.of, view.request.functions) if only in (None, tool.name)]
    if not tools:
        return None
    chosen = tools if only is not None else selected(view, tools)
    for rule in (_followed, _summed, _counted, _listed):
        plan = rule(view, tools, chosen)
        if plan is not None:
            return plan
    return _any(view, tools, chosen) if forced else None


def _followed(view: View, tools: list[Tool], chosen: list[Tool]) -> Plan | None:
    """Make the calls that the last tool results name: ``next: read_file b.txt``."""
    if not view.turns:
        return None
    calls = []
    for result in view.turns[-1]:
        match = _FOLLOW.search(result.text)
        tool = next((one for one in tools if match is not None and one.name == match[1]), None)
        if match is not None and tool is not None:
            rest = match[2].strip().strip("()")
            calls.append(Call(tool.name, arguments(tool, f"{rest}\n{_quoted(rest)}", question=rest)))
    fresh = [call for call in calls if not _was_made(view, call)]
    return Plan(tuple(fresh), "The last result names the next call.") if fresh else None


def _quoted(text: str) -> str:
    return "" if "=" in text or '"' in text or "'" in text else f'"{text}"'


def _was_made(view: View, call: Call) -> bool:
    return any(result.name == call.name and _same(result.arguments, call.arguments) for result in view.results)


def _same(left: str, right: str) -> bool:
    try:
        return bool(json.loads(left) == json.loads(right))
    except ValueError:
        return left == right


def _counted(view: View, tools: list[Tool], chosen: list[Tool]) -> Plan | None:
    """Make calls in as many turns as asked for (``call ping 5 times``); parameters that count calls count up."""
    match = _TIMES.search(view.asked)
    if match is None or not chosen:
        return None
    asked = _as_number(match[1] or match[2])
    done = len(view.turns)
    if done >= min(asked, _MOST_TURNS):
        return None
    width = _AT_A_TIME.search(view.asked)
    together = len(chosen) > 1 and _TOGETHER.search(view.asked)
    now = chosen if together else [chosen[done % len(chosen)]] * (_as_number(width[1]) if width else 1)
    made = {tool.name: sum(result.name == tool.name for result in view.results) for tool in now}
    calls = []
    for tool in now:
        made[tool.name] += 1
        calls.append(Call(tool.name, arguments(tool, view.asked, question=view.question, step=made[tool.name])))
    return Plan(tuple(calls), f"Turn {done + 1} of {asked} that were asked for.")


def _as_number(word: str) -> int:
    return int(word) if word.isdigit() else _NUMBER_WORDS[word.lower()]


def _summed(view: View, tools: list[Tool], chosen: list[Tool]) -> Plan | None:
    """Work out ``20 + (2 * 4)`` with a tool for each sign: one operation per turn, the inner ones first."""
    steps = arithmetic.steps(arithmetic.expression(view.question) or "")
    done = len(view.turns)
    workers = [_worker(step.sign, tools) for step in steps]
    if done >= len(steps) or len(steps) < 2 or None in workers:
        return None
    step, tool = steps[done], workers[done]
    operands = [_operand(one, view) for one in (step.left, step.right)]
    if tool is None or None in operands:
        return None
    call = Call(tool.name, json.dumps(dict(zip(tool.required, operands, strict=False))))
    return Plan((call,), f"Step {done + 1} of {len(steps)} of the sum.")


def _worker(sign: str, tools: list[Tool]) -> Tool | None:
    """Return the tool that takes two numbers and works out a sign, or None when there is none."""
    for tool in tools:
        kinds = [tool.properties[name].get("type") for name in tool.required]
        numeric = len(kinds) == 2 and set(kinds) <= {"number", "integer"}
        if numeric and OPERATORS[sign] & set(all_words(f"{tool.name} {tool.description}")):
            return tool
    return None


def _operand(operand: arithmetic.Operand, view: View) -> float | int | None:
    if operand.step < 0:
        return operand.number
    found = Mentions(view.turns[operand.step][0].text).numbers if view.turns[operand.step] else []
    return found[-1] if found else None


def _listed(view: View, tools: list[Tool], chosen: list[Tool]) -> Plan | None:
    """Call the tools that the request speaks of and that were not called yet, in its order."""
    called = {result.name for result in view.results}
    waiting = [tool for tool in chosen if tool.name not in called]
    if view.results and not waiting:
        waiting = [tool for tool in tools if tool.is_form and tool.name not in called][:1]
    if not waiting:
        return None
    one_by_one = _IN_ORDER.search(view.asked) and not _TOGETHER.search(view.asked)
    now = waiting[:1] if one_by_one or view.turns else waiting
    calls = [Call(tool.name, one) for tool in now for one in call_lists(tool, view, _share(view, tool, chosen))]
    names = ", ".join(dict.fromkeys(call.name for call in calls))
    return Plan(tuple(calls), f"The request speaks of {names}, which has not been called yet.")


def _share(view: View, tool: Tool, chosen: list[Tool]) -> str:
    """Return the piece of the request that speaks of a tool: up to where it speaks of the next."""
    starts = sorted({position(one, view.asked) for one in chosen if one != tool})
    start = position(tool, view.asked)
    end = next((one for one in starts if one > start), None)
    return view.asked[start if starts and starts[0] < start else 0 : end]


def _any(view: View, tools: list[Tool], chosen: list[Tool]) -> Plan:
    """Call one tool: one that is named, one that suits, or else the first."""
    called = {result.name for result in view.results}
    ranked = [*named(tools, view.asked), *chosen, *tools]
    tool = next((one for one in ranked if one.name not in called), ranked[0])
    return Plan(
        (Call(tool.name, call_lists(tool, view, view.asked)[0]),), f"A call is required; {tool.name} fits best."
    )
