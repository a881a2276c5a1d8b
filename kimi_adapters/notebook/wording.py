"""The words around an answer: the line below it, calls in short, and text without what a terminal would obey."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from kimi_adapters.notebook.entries import Call, Entry, Facts, Timing

LONGEST = 20_000
"""Most characters of a tool's arguments or result: a notebook keeps its outputs."""
_SHORT = 80
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_COUNTS = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens", "cost_usd")
_USUAL = ("stop", "tool_calls", "end_turn")


def clean(text: str) -> str:
    """Return a text without control characters, which steer terminals, and with lone surrogates as escapes."""
    return _CONTROL.sub("", text.replace("\r\n", "\n")).encode("utf-8", "backslashreplace").decode("utf-8")


def bounded(text: str) -> str:
    """Return the beginning of a long text, and how much is left out."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}\n… {len(text) - LONGEST:,} more characters"


def ending(text: str) -> str:
    """Return the end of a long text, and how much stands before it."""
    return text if len(text) <= LONGEST else f"{len(text) - LONGEST:,} characters before …\n{text[-LONGEST:]}"


def in_short(text: str, most: int = _SHORT) -> str:
    """Return a text in one short line."""
    line = " ".join(text[: 4 * most].split())
    return line if len(line) <= most and len(text) <= 4 * most else f"{line[: most - 1]}…"


def call(part: Call) -> str:
    """Return a call as code in one line: `get_weather(city='Paris')`."""
    try:
        given = json.loads(part.arguments or "{}")
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        return f"{in_short(part.name)}({in_short(part.arguments)})"
    return f"{in_short(part.name)}({in_short(', '.join(f'{name}={value!r}' for name, value in given.items()))})"


def below(entries: Sequence[Entry], timing: Timing | None, note: str, *, live: bool = False) -> list[str]:
    """Return the lines below an answer. While it comes they are one.

    Args:
        entries: The messages.
        timing: How long it took, where that is known.
        note: The text at the end.
        live: Whether more is to come.
    """
    lines = [line for line in (about(entries, timing), note) if line]
    return [" ".join(lines)] if live and lines else lines


def about(entries: Sequence[Entry], timing: Timing | None) -> str:
    """Return the line below an answer: model, host, tokens, price, time; of several answers their sums."""
    answers = [entry.facts for entry in entries if entry.facts != Facts()]
    counted = [f"{len(answers)} answers"] if len(answers) > 1 else []
    return " · ".join([*counted, *_about(_together(answers), timing)])


def _together(answers: Sequence[Facts]) -> Facts:
    if len(answers) < 2:
        return answers[0] if answers else Facts()
    sums = {name: _sum([getattr(one, name) for one in answers]) for name in _COUNTS}
    estimated = any(one.cost_is_estimate for one in answers)
    return replace(answers[-1], **sums, cost_is_estimate=estimated)


def _sum(numbers: Sequence[Any]) -> Any:
    """Return a sum; None where one is not known, since a part would pass for the whole."""
    return None if None in numbers else sum(numbers)


def _about(facts: Facts, timing: Timing | None) -> Iterator[str]:
    yield from (in_short(known) for known in (facts.model, facts.host) if known)
    if facts.input_tokens is not None:
        cached = f" ({facts.cached_tokens:,} cached)" if facts.cached_tokens else ""
        yield f"{facts.input_tokens:,} tokens in{cached}"
    if facts.output_tokens is not None:
        thought = f" ({facts.reasoning_tokens:,} thinking)" if facts.reasoning_tokens else ""
        yield f"{facts.output_tokens:,} out{thought}"
    if facts.cost_usd is not None:
        yield f"{'about ' if facts.cost_is_estimate else ''}${dollars(facts.cost_usd)}"
    if timing:
        first = f" (first after {timing.first:.1f} s)" if timing.first is not None and timing.total >= 1 else ""
        yield f"{timing.total:.1f} s{first}"
    if facts.finish_reason and facts.finish_reason not in _USUAL:
        yield f"ended by: {in_short(facts.finish_reason)}"


def dollars(usd: float) -> str:
    """Return a price: cents, and of less than a dollar as many digits as matter."""
    return f"{usd:,.2f}" if usd >= 1 else f"{usd:.6f}".rstrip("0").rstrip(".")
