"""Words and sentences: what the rules compare texts by."""

from __future__ import annotations

import re
from functools import lru_cache

#: Words that do not show what a text is about, those of common prompt templates included.
_STOP_WORDS = """
    a about above after again all also am an and any are as asked at be because been before being
    below between both but by can could did do does doing don't down during each few for from
    further get give given had has have having he her here hers him his how i if in into is it it's
    its itself just let let's list me more most my no nor not now of off on once only or other our
    ours out over own please same she should show so some such tell than that the their theirs them
    then there these they this those through to too under until up use used using very want was we
    were what what's when where which while who whom whose why will with would you your yours answer
    answers context information knowledge prior query question questions following assistant helpful
    user provided provide based document documents text passage passages reply respond response
"""
STOP = frozenset(_STOP_WORDS.split())
_WORD = re.compile(r"[^\W_]+(?:'[a-z]{1,2}\b)?")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SUFFIXES = (
    "ations", "ation", "ating", "ators", "ator", "ated", "ates", "ate",
    "ings", "ing", "ies", "ied", "ers", "er", "es", "ed", "s", "e", "y",
)  # fmt: skip
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]?\s+(?=[\"'(\[]?[A-Z0-9]|[^\x00-\x7f])|(?<=[。！？])")
_BULLET = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+")


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """Cut the ending off a word: crude, but with one result for all forms of most English words."""
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            return word[: -len(suffix)]
    return word


def all_words(text: str) -> list[str]:
    """Return the stems of every word; Chinese and Japanese in pairs of characters."""
    found: list[str] = []
    for word in _WORD.findall(_CAMEL.sub(" ", text).lower()):
        if _CJK.search(word):
            found += [word[at : at + 2] for at in range(max(1, len(word) - 1))]
        else:
            found.append(stem(word))
    return found


_STOP_STEMS = STOP | {stem(word) for word in STOP if len(word) > 3}


def words(text: str) -> list[str]:
    """Return the stems of the words that carry meaning."""
    return [word for word in all_words(text) if word not in _STOP_STEMS]


def is_wide(word: str) -> bool:
    """Return whether a word is a pair of Chinese or Japanese characters, which means as much as two words."""
    return _CJK.match(word) is not None


def sentences(text: str) -> list[str]:
    """Return the sentences of a text; a line break always ends one."""
    found = []
    for line in text.splitlines():
        plain = _BULLET.sub("", line).strip()
        found += [piece.strip() for piece in _SENTENCE_END.split(plain) if piece and piece.strip()]
    return found


def shorten(text: str, most: int) -> str:
    """Return a text on one line, no longer than so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"
