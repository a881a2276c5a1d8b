"""Takes a text apart where it lists things."""

from __future__ import annotations

import re

from kimi_adapters.local_server.rules.mentions import Mentions
from kimi_adapters.local_server.words import all_words, sentences

_AND = re.compile(r",\s*(?:and\s+)?|;\s*|\s+and\s+")
_LISTED = re.compile(
    r"(?<![\w'-])([\w'-]+(?: [\w'-]+){0,3}(?:, [\w'-]+(?: [\w'-]+){0,3})*,? and [\w'-]+(?: [\w'-]+){0,2})"
)


def split_list(text: str) -> list[str]:
    """Return the items of ``a, b and c``."""
    return [item.strip(" .\"'`") for item in _AND.split(text) if item.strip(" .\"'`")]


def list_after(name: str, text: str) -> list[str]:
    """Return the items of the list behind a name and a colon; without a name, of any plain list."""
    if not name:
        match = re.search(r":\s*([^:\n]+(?:,|\band\b)[^:\n]+)$", text, re.M) or _LISTED.search(text)
        return split_list(match[1]) if match is not None else []
    wanted = all_words(name)
    for label, rest in re.findall(r"(?<!\w)([^\W\d][\w ]{0,60}):[ \t]*([^\n:]+?)(?=\.?(?:\n|$)|\.\s)", text):
        if all_words(label)[-len(wanted) :] == wanted:
            return split_list(rest)
    return []


def segments(text: str, question: str) -> list[str]:
    """Return the pieces of a text that tell of one thing each: those with a name or a number in them."""
    pieces = [piece for piece in sentences(text) if piece != question] or [text]
    told = [part for piece in pieces for part in _clauses(piece)]
    return [part for part in told if Mentions(part).names or Mentions(part).numbers] or told[:1]


def _clauses(sentence: str) -> list[str]:
    """Return the clauses of a sentence when each has a name and a number of its own, else the sentence."""
    _, colon, rest = sentence.partition(": ")
    parts = [part for part in _AND.split(rest if colon else sentence) if part.strip()]
    full = [part for part in parts if Mentions(part).names and Mentions(part).numbers]
    return full if len(full) > 1 and len(full) == len(parts) else [sentence]
