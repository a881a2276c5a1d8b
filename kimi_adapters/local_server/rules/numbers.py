"""Numbers and truth values in a text."""

from __future__ import annotations

import math
import re
from typing import Any

from kimi_adapters.local_server.rules.mentions import Mentions, number
from kimi_adapters.local_server.words import all_words, words

#: Words of a property's name, and how such numbers are written.
_WRITTEN: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("age", re.compile(r"(\d+)(?:\s+|-)years?(?:\s+|-)old|\baged?\s+(\d+)", re.I)),
    ("price cost amount total fee budget salary", re.compile(r"[$€£¥]\s?(\d[\d,]*(?:\.\d+)?)")),
    ("percent percentage rate share", re.compile(r"(-?\d+(?:\.\d+)?)\s?%")),
    ("temperature", re.compile(r"(-?\d+(?:\.\d+)?)\s?°")),
    ("year", re.compile(r"\b((?:1[5-9]|20)\d\d)\b")),
)
_LABELLED = re.compile(r"([^\W\d_][\w ]{0,40}?)[\"']?\s{0,3}[:=,]\s{0,3}\"?[$€£¥]?\s?(-?\d[\d,]*(?:\.\d+)?)(?![\w-])")
_FALSE, _TRUE = re.compile(r"(?:false|no|off|0)\b", re.I), re.compile(r"(?:true|yes|on|1)\b", re.I)


def told(name: str, mentions: Mentions) -> float | int | None:
    """Return the number that a text gives for a property, by its name, its unit or a word nearby."""
    if len(name) < 2:
        return None
    pair = re.match(r"[$€£¥]?\s?(-?\d[\d,]*(?:\.\d+)?)(?!-?\d)", mentions.pair(name) or "")
    if pair is not None:
        return number(pair[1])
    stems = set(all_words(name))
    for kind, pattern in _WRITTEN:
        match = pattern.search(mentions.text) if stems & set(all_words(kind)) else None
        if match is not None:
            return number(next(filter(None, match.groups())))
    return next(mentions.near(name), None)


def labelled(asked: str, results: str) -> list[float | int]:
    """Return the numbers in results whose label the request speaks of: ``total: 12.50`` for "add the totals"."""
    wanted = set(words(asked))
    found = [(match[1], match[2]) for match in _LABELLED.finditer(results)]
    return [number(value.rstrip(",")) for label, value in found if wanted & set(words(label))]


def fitted(value: float | int, schema: dict[str, Any], *, whole: bool) -> float | int:
    """Move a number to where a schema allows it."""
    step = 1 if whole else 0.5
    bounds = [
        (schema.get("minimum"), 0, max),
        (schema.get("maximum"), 0, min),
        (schema.get("exclusiveMinimum"), step, max),
        (schema.get("exclusiveMaximum"), -step, min),
    ]
    for bound, off, choose in bounds:
        if isinstance(bound, int | float) and not isinstance(bound, bool):
            value = choose(value, bound + off)
    return _whole(value, schema) if whole else value


def _whole(value: float | int, schema: dict[str, Any]) -> int:
    low = schema.get("minimum")
    return math.ceil(value) if isinstance(low, float) and value == low else math.floor(value)


def truth(name: str, mentions: Mentions) -> bool | None:
    """Return what a text says of a yes-or-no property, or None when it says nothing."""
    pair = mentions.pair(name) or ""
    if _FALSE.match(pair) or _TRUE.match(pair):
        return bool(_TRUE.match(pair))
    spoken = [word for word in words(name) if word in mentions.stems]
    if not spoken:
        return None
    alternatives = "|".join(re.escape(word) for word in spoken)
    return (
        re.search(rf"\b(?:not|no|never|without|don't|isn't)\s+(?:\w+\s+)?(?:{alternatives})", mentions.text, re.I)
        is None
    )
