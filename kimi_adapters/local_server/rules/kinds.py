"""Which mention of a text suits a property, by the words of the property's name."""

from __future__ import annotations

import re
from collections.abc import Callable

from kimi_adapters.local_server.rules import arithmetic
from kimi_adapters.local_server.rules.mentions import Mentions
from kimi_adapters.local_server.words import all_words, words

Finder = Callable[[Mentions], list[str]]

_LANGUAGES = re.compile(
    r"\b(?:English|Chinese|Mandarin|French|German|Spanish|Italian|Portuguese|Japanese|Korean|Russian|Arabic|Hindi|"
    r"Dutch|Polish|Turkish|Python|JavaScript|TypeScript|Rust|Go|Java)\b"
)
_ID = re.compile(r"\b(?=[\w-]{0,40}\d)[\w-]{1,64}\b|#\d+")
_CURRENCY = re.compile(r"\b(?:USD|EUR|GBP|CNY|JPY|CHF|INR|AUD|CAD|KRW|SEK|NOK|BRL)\b")
_ABOUT = re.compile(r"\b(?:about|regarding|concerning|on the topic of)\s+(.+?)(?:[,.?!;\n]|$)")


def _expressions(mentions: Mentions) -> list[str]:
    found = arithmetic.expression(mentions.text)
    return [found] if found else []


#: Words of a property's name, and where its values are found.
_KINDS: tuple[tuple[str, Finder], ...] = (
    ("url uri link href website", lambda text: text.urls),
    ("email mail", lambda text: text.emails),
    ("to cc bcc", lambda text: [*text.emails, *text.named, *text.names]),
    ("body message content", lambda text: text.sayings),
    ("folder directory dir", lambda text: [*text.folders, *text.paths]),
    ("path file filename", lambda text: text.paths),
    ("date day deadline birthday due", lambda text: text.dates),
    ("time hour", lambda text: text.times),
    ("language lang", lambda text: _LANGUAGES.findall(text.text)),
    ("currency", lambda text: _CURRENCY.findall(text.text)),
    (
        "city town location place country region destination origin area",
        lambda text: [*text.places, *text.names],
    ),
    ("expression formula equation calculation", _expressions),
    ("id code sku ticket reference", lambda text: _ID.findall(text.text)),
    (
        "name person people customer author company recipient participant attendee employee member contact",
        lambda text: [*text.named, *text.names],
    ),
    ("style tone mood genre theme", lambda text: text.names),
)
_TABLE = [(frozenset(all_words(names)), finder) for names, finder in _KINDS]
_ASKING = frozenset(all_words("query question search input text prompt message request keyword term q content"))


def finder(name: str) -> Finder | None:
    """Return what finds the values of a property, or None when its name does not tell."""
    stems = all_words(name)
    for stem in reversed(stems):
        for kind, found in _TABLE:
            if stem in kind:
                return found
    return None


def is_asking(name: str) -> bool:
    """Return whether a property takes the question itself, as ``query`` and ``input`` do."""
    return bool(_ASKING & set(all_words(name)))


def topic(text: str) -> str:
    """Return what a text is about, in a word or two."""
    about = _ABOUT.search(text)
    if about is not None:
        return about[1].strip()
    names = Mentions(text).names
    if names:
        return names[0]
    wanted = set(words(text))
    plain = [word for word in re.findall(r"[^\W_]+", text) if not word.isdigit() and set(all_words(word)) & wanted]
    return " ".join(plain[:3]).lower() or "that"
