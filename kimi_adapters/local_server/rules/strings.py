"""Strings for properties: from an enumeration, in a format, or guessed."""

from __future__ import annotations

import re
from typing import Any

from kimi_adapters.local_server.rules import extract, kinds
from kimi_adapters.local_server.rules.mentions import Mentions
from kimi_adapters.local_server.words import all_words, shorten

JsonObject = dict[str, Any]

#: What to write where a text gives nothing.
_WRITTEN = {
    "setup": "Why did the {topic} bring a ladder to the library?",
    "punchline": "To reach the stories on the top shelf.",
    "joke": "Why did the {topic} bring a ladder to the library? To reach the stories on the top shelf.",
    "title": "About {topic}",
    "folder": ".",
    "directory": ".",
    "greeting": "Hello! This is a greeting about {topic}.",
}
_FORMATS = {"date": "2026-01-01", "time": "12:00:00", "date-time": "2026-01-01T12:00:00Z"}
_MOODS = {
    "positive": frozenset(all_words("love great excellent good wonderful happy amazing best fantastic perfect like")),
    "negative": frozenset(all_words("hate bad terrible awful poor sad worst horrible broken disappointing angry")),
}
#: Properties that take a description of the whole.
_TOLD = frozenset(all_words("description summary reason note comment details explanation"))
_LONG = 200


def is_mentioned(values: list[Any], text: str) -> bool:
    """Return whether a text names one of the values of an enumeration."""
    return any(_mention(value, text) is not None for value in values)


def mentioned(values: list[Any], text: str) -> Any:
    """Return the value of an enumeration that a text names last, else one that fits its mood, else the first."""
    spoken = [(at, value) for value in values if (at := _mention(value, text)) is not None]
    if spoken:
        return max(spoken, key=lambda item: (item[0], len(str(item[1]))))[1]
    stems = set(all_words(text))
    moods = [(len(stems & _MOODS[str(value)]), value) for value in values if str(value).lower() in _MOODS]
    best = max(moods, key=lambda item: item[0], default=(0, None))
    if best[0]:
        return best[1]
    return "neutral" if moods and "neutral" in values else values[0]


def _mention(value: Any, text: str) -> int | None:
    written = re.escape(str(value)).replace("_", "[ _-]")
    match = re.search(rf"(?<!\w){written}(?!\w)", text, re.IGNORECASE)
    return match.start() if match is not None and value is not None else None


def denied(name: str, text: str) -> bool:
    """Return whether a text says that a property is to be left out: ``no punchline``."""
    plain = re.escape(name).replace("_", "[ _-]")
    return bool(name) and re.search(rf"\b(?:no|without|omit)\s+(?:an?\s+|the\s+)?{plain}\b", text, re.I) is not None


def of_format(schema: JsonObject, mentions: Mentions, later: Mentions) -> str | None:
    """Return a string in the format that a schema names, or None when it names none that is known."""
    kind = str(schema.get("format"))
    if kind in _FORMATS:
        found = (mentions.dates or later.dates) if kind != "time" else []
        return (found[0] + _FORMATS[kind][10:] if found else None) or _FORMATS[kind]
    sources = {
        "email": (mentions.emails, "someone@example.com"),
        "uri": (mentions.urls, "https://example.com/"),
    }
    if kind in sources:
        found, otherwise = sources[kind]
        return found[0] if found else otherwise
    return None


def guess(name: str, schema: JsonObject, text: str, question: str, more: str) -> str:
    """Guess a string for a property of which the text says nothing outright."""
    topic = kinds.topic(question)
    written = next((_WRITTEN[key] for key in _WRITTEN if key in name.lower()), None)
    if written is not None:
        return written.format(topic=topic)
    if set(all_words(name)) & _TOLD:
        return shorten(text.partition(" - ")[2] or more or text, _LONG)
    whole = f"{text}\n{more}"
    about = f"{name.replace('_', ' ')} {schema.get('description', '')} {topic}"
    best = extract.best(about, extract.read(whole), most=1)
    if best and len(whole) > _LONG:
        return best[0].text
    return topic


def fitted(text: str, schema: JsonObject) -> str:
    """Cut or stretch a string to the length that a schema asks for."""
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    if len(text) < least:
        text = (text or "x") + " …" * ((least - len(text)) // 2 + 1)
        text = text[:least] if most is not None and len(text) > most else text
    return text if most is None else text[:most]
