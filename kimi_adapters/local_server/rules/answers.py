"""Answers in text: a list of rules, of which the first that fits answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from kimi_adapters.local_server.rules import arithmetic, extract, kinds, pictures
from kimi_adapters.local_server.rules.selection import is_small_talk
from kimi_adapters.local_server.rules.view import View
from kimi_adapters.local_server.words import shorten

_SOURCES = re.compile(r"\b(?:sources?|cite|citations?|citing|references?)\b", re.IGNORECASE)
_QUOTED_ECHO = re.compile(
    r"\b(?:say|reply|respond|answer|repeat|write|output|return|print)\b[^\n\"“'`:]{0,40}:?\s*[\"“'`]([^\n]+?)[\"”'`]\s*(?:[.!]|$|and\b|only\b)",
    re.IGNORECASE,
)
_PLAIN_ECHO = re.compile(
    r"\b(?:say exactly:?|repeat(?: exactly| after me)?:?|(?:reply|respond|answer) (?:only )?(?:exactly )?with"
    r"(?: exactly| only| just)?(?: the (?:single )?words?)?:?)\s+"
    r"(?!an?\b|the\b|your\b|json\b|one\b|only\b|sources?\b|citations?\b)([^\n]{1,2000})",
    re.IGNORECASE,
)
_SAY = re.compile(r"^\s*(?:please\s+)?say:?\s+([^\n]{1,200})$", re.IGNORECASE)
_COUNT = re.compile(r"\bcount (?:from (\d+) )?(?:up )?to (\d+)\b", re.IGNORECASE)
_SUMMARISE = re.compile(r"\b(?:summari[sz]e|summary|tl;?dr|sum up)\b", re.IGNORECASE)
_STANDALONE = re.compile(r"\bstandalone question\b", re.IGNORECASE)
_JOKE = re.compile(r"\bjoke\b", re.IGNORECASE)
_HOW_ARE_YOU = re.compile(r"\bhow are you\b", re.IGNORECASE)
_THANKS = re.compile(r"\b(?:thanks?|thank you)\b", re.IGNORECASE)
_WHO = re.compile(r"\bwho are you\b|\bwhat (?:model )?are you\b", re.IGNORECASE)
#: From this length on, what comes with a question counts as a text to answer from.
_TEXT = 160
_MOST_NUMBERS = 2000
_SHORT_RESULT = 600


@dataclass(frozen=True, slots=True)
class Said:
    """An answer, and the rule that gave it."""

    text: str
    because: str


Rule = Callable[[View], Said | None]


def say(view: View) -> Said:
    """Answer a conversation in which no tool is to be called."""
    for rule in RULES:
        said = rule(view)
        if said is not None:
            return said
    return _nothing_known(view)


def _picture(view: View) -> Said | None:
    if not view.media:
        return None
    return Said(pictures.described(view.media, view.request.files), "I look at the attached media.")


def _standalone(view: View) -> Said | None:
    if not _STANDALONE.search(view.asked):
        return None
    return Said(view.question, "The follow-up question is to be put so that it stands alone.")


def _echo(view: View) -> Said | None:
    if view.results:
        return None
    quoted = _QUOTED_ECHO.search(view.asked)
    plain = quoted or _PLAIN_ECHO.search(view.asked) or _SAY.match(view.asked)
    if plain is None:
        return None
    text = plain[1].strip()
    return Said(text if quoted or text.endswith("..") else text.removesuffix("."), "I am asked for certain words.")


def _results(view: View) -> Said | None:
    """Report what the tools returned: quoted when short, searched for the answer when long."""
    if not view.results:
        return None
    last = view.turns[-1] if view.turns[-1] else view.results[-1:]
    long = sum(len(result.text) for result in last) > _SHORT_RESULT
    found = extract.best(view.question, extract.read(view.result_text)) if long else []
    if found:
        return Said(extract.quoted(found, sources=_wants_sources(view)), "I take the answer from the results.")
    lines = [f"{result.name}: {shorten(result.text, _SHORT_RESULT) or '(empty)'}" for result in last]
    if len(last) == 1:
        return Said(f"The result of {lines[0]}", "I report what the tool said.")
    return Said("The results are:\n" + "\n".join(f"- {line}" for line in lines), "I report what the tools said.")


def _small_talk(view: View) -> Said | None:
    asked = view.asked
    if not is_small_talk(asked) and not _WHO.search(asked):
        return None
    because = "This is small talk."
    if _HOW_ARE_YOU.search(asked):
        return Said("I am well, thank you: a local Kimi emulator is always ready. How can I help you?", because)
    if _THANKS.search(asked):
        return Said("You are welcome!", because)
    if _WHO.search(asked):
        return Said("I am a local emulator of Kimi: rules instead of a model, for tests and demos.", because)
    return Said("Hello! I am a local Kimi emulator. How can I help you?", because)


def _sum(view: View) -> Said | None:
    found = arithmetic.expression(view.question) or (arithmetic.expression(view.asked) if not view.given else None)
    if found is None:
        return None
    return Said(f"{found} = {arithmetic.value(found)}", f"There is a sum to work out: {found}.")


def _count(view: View) -> Said | None:
    match = _COUNT.search(view.asked)
    if match is None:
        return None
    first, last = int(match[1] or 1), int(match[2])
    numbers = range(first, min(last, first + _MOST_NUMBERS) + 1)
    return Said(" ".join(map(str, numbers)), f"I count from {first} to {last}.")


def _summary(view: View) -> Said | None:
    if not _SUMMARISE.search(view.question) and not _SUMMARISE.search(view.system):
        return None
    text = view.given or "\n".join(view.earlier)
    found = extract.summary(extract.read(text))
    return Said(extract.quoted(found, sources=False), "I pick the most telling sentences.") if found else None


def _from_text(view: View) -> Said | None:
    """Answer with sentences of the prompt, or else with one of an earlier message."""
    found = extract.best(view.question, extract.read(f"{view.given}\n\n{view.system}"))
    if found:
        return Said(extract.quoted(found, sources=_wants_sources(view)), "I look the answer up in the given text.")
    told = extract.best(view.question, extract.read("\n".join(view.earlier)), most=1)
    if told and not told[0].text.endswith("?"):
        return Said(f'You told me: "{told[0].text}"', "The answer is in an earlier message.")
    if len(view.given) >= _TEXT:
        return Said("The given text does not say.", "I look the answer up in the given text, but it is not there.")
    return None


def _joke(view: View) -> Said | None:
    if not _JOKE.search(view.asked):
        return None
    topic = kinds.topic(view.question)
    text = f"Why did the {topic} bring a ladder to the library? To reach the stories on the top shelf."
    return Said(text, f"A joke about {topic} is wanted; I know one.")


def _nothing_known(view: View) -> Said:
    topic = shorten(view.question or view.asked, 120)
    return Said(
        f"You asked: “{topic}” I am a local emulator and know no facts of my own. "
        "Give me a text to read or a tool to call, and I will answer from it.",
        "There is no text and no tool to answer from.",
    )


def _wants_sources(view: View) -> bool:
    return _SOURCES.search(view.question + "\n" + view.system + "\n" + _without_text(view.asked)) is not None


def _without_text(asked: str) -> str:
    """Return the lines of a prompt that are instructions, not passages: those without a marker."""
    marked = re.compile(r"^\s*(?:source|\[)", re.IGNORECASE)
    return "\n".join(line for line in asked.splitlines() if not marked.match(line))


RULES: tuple[Rule, ...] = (
    _picture,
    _standalone,
    _echo,
    _results,
    _small_talk,
    _sum,
    _count,
    _summary,
    _from_text,
    _joke,
)
