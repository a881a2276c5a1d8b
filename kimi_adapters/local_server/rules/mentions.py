"""What a text mentions: numbers, quotations, paths, names, pairs. Values are made of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property

from kimi_adapters.local_server.words import STOP, all_words, stem

_NUMBER = re.compile(r"(?<![\w.])[-−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?![\w])(?!\.\d)")
_QUOTED = re.compile(r"(?<!\w)[\"“”'‘`]([^\"“”‘’`'\n]{1,300}?)[\"“”'’`](?!\w)|「([^」\n]+)」|《([^》\n]+)》")
_PATH = re.compile(
    r"(?<![\w@:/.-])(?:~?/|\./|\.\./)?[\w-]+(?:[/.][\w-]+)*\.[A-Za-z][A-Za-z0-9]{0,5}(?![\w/@])|(?<![\w:/])~?/[\w./-]+"
)
_FOLDER = (
    re.compile(r"\b(?:folder|directory|dir)\s+(?:named\s+|called\s+)?[\"'`]?([\w~./-]+)", re.IGNORECASE),
    re.compile(r"(?<![\w~./-])([\w~./-]+?)/?[\"'`]?\s+(?:folder|directory)\b", re.IGNORECASE),
)
_URL = re.compile(r"https?://[^\s\"'<>)\]]+")
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+")
_ISO_DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
_TIME = re.compile(r"\b\d{1,2}:\d{2}(?::\d{2})?(?:\s?[ap]m)?\b|\b\d{1,2}\s?[ap]m\b", re.IGNORECASE)
_PROPER = r"(?:[A-Z][a-z]{0,2}\.(?=\s[A-Z])|[A-Z]\w*(?:['’&-]\w+)*)"
_NAME_RUN = re.compile(rf"{_PROPER}(?:[ ]{{1,3}}(?:(?:de|van|von|of)[ ])?{_PROPER})*")
_PLACE = re.compile(
    rf"\b(?:in|at|for|to|from|near|around|of|into)\s+"
    rf"({_PROPER}(?:[ ]{{1,3}}{_PROPER})*(?:,\s{{1,3}}{_PROPER}(?:[ ]{{1,3}}{_PROPER})*)*)"
    rf"((?:,?[ ]{{1,3}}and[ ]{{1,3}}{_PROPER}(?:[ ]{{1,3}}{_PROPER})*)*)"
)
_CHINESE_PLACE = re.compile(r"([\u4e00-\u9fff]{2,6}?)的")
_PLAIN_PLACE = re.compile(r"\b(?:in|at|for|near)\s+([^\W\d_][\w-]*)")
_SAYING = re.compile(
    r"\b(?:saying|that says|telling (?:him|her|them|everyone)|with the (?:text|message|body))\s*:?\s+"
    r"(?:that\s+)?([^\n]+)",
    re.IGNORECASE,
)
_NAMED = re.compile(r"\b(?:named|called|titled|name is|name:|for the customer|customer)\s+", re.IGNORECASE)
_PAIR = re.compile(
    r"(?<!\w)([A-Za-z_][\w ]{0,40}?)[\"'`]?(?:\s{0,3}[:=]|\s{1,3}(?:is|are)\s)\s{0,3}"
    r"(?=(\"[^\"\n]*\"|'[^'\n]*'|`[^`\n]*`|[^\n,;]+))"
)
_MONTHS = [
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
]  # fmt: skip
_LONG_DATE = re.compile(
    rf"\b(?:({'|'.join(_MONTHS)})\s+(\d{{1,2}})(?:st|nd|rd|th)?,?\s+(\d{{4}})"
    rf"|(\d{{1,2}})(?:st|nd|rd|th)?\s+({'|'.join(_MONTHS)})\s+(\d{{4}}))\b",
    re.IGNORECASE,
)
#: Words that begin sentences and questions: capital letters that name nothing.
_OPENING_WORDS = """
    a an the i what what's when where which who whose why how is are was were do does did can could
    would should will please tell give create list read write find show add use using call get set
    make generate compute calculate search look send book schedule translate summarize summarise
    extract return answer reply say if for in on at my our your this that these those then and or
    but also first next finally hello hi hey now json csv open fetch run explain describe convert
    check compare let let's there it its you we they he she yes no each every all given with from by
    to of as not id please schema text context source item items note return
"""
_OPENERS = frozenset(_OPENING_WORDS.split())
#: Nobody states arguments after that many characters.
_LONGEST = 40_000
_NO_FOLDER = _OPENERS | {"current", "folder", "directory", "read", "same", "working"}


def number(text: str) -> float | int:
    """Return the value of a number as it is written: ``1,000``."""
    plain = text.replace(",", "").replace("−", "-")
    return float(plain) if "." in plain else int(plain)


class Mentions:
    """Everything that the beginning of a text mentions; each kind is found when first asked for."""

    def __init__(self, text: str) -> None:
        self.text = text[:_LONGEST]

    @cached_property
    def numbers(self) -> list[float | int]:
        """All numbers, those inside dates, paths and times left out."""
        hidden = self.text
        for pattern in (_URL, _EMAIL, _ISO_DATE, _LONG_DATE, _TIME, _PATH):
            hidden = pattern.sub(lambda match: " " * len(match[0]), hidden)
        return [number(match[0]) for match in _NUMBER.finditer(hidden)]

    @cached_property
    def quoted(self) -> list[str]:
        """All quoted strings."""
        return [next(filter(None, match.groups())) for match in _QUOTED.finditer(self.text)]

    @cached_property
    def paths(self) -> list[str]:
        """All file names and paths."""
        hidden = _URL.sub(" ", _EMAIL.sub(" ", self.text))
        return list(dict.fromkeys(match[0] for match in _PATH.finditer(hidden)))

    @cached_property
    def folders(self) -> list[str]:
        """All folders, by the word beside them."""
        found = (match[1].rstrip(".") for pattern in _FOLDER for match in pattern.finditer(self.text))
        return [one for one in found if one and one.lower() not in _NO_FOLDER]

    @cached_property
    def urls(self) -> list[str]:
        """All web addresses."""
        return [url.rstrip(".,;") for url in _URL.findall(self.text)]

    @cached_property
    def emails(self) -> list[str]:
        """All mail addresses."""
        return _EMAIL.findall(self.text)

    @cached_property
    def dates(self) -> list[str]:
        """All dates, as ``YYYY-MM-DD``."""
        found = [(match.start(), match[0]) for match in _ISO_DATE.finditer(self.text)]
        for match in _LONG_DATE.finditer(self.text):
            month, day, year = (match[1], match[2], match[3]) if match[1] else (match[5], match[4], match[6])
            found.append((match.start(), f"{year}-{_MONTHS.index(month.lower()) + 1:02}-{int(day):02}"))
        return [date for _, date in sorted(found)]

    @cached_property
    def times(self) -> list[str]:
        """All times of the day."""
        return [match[0] for match in _TIME.finditer(self.text)]

    @cached_property
    def places(self) -> list[str]:
        """The capitalised names after *in*, *for*, *of* …; a list of them with *and* is several."""
        found: list[str] = []
        for match in _PLACE.finditer(self.text):
            more = [one.strip() for one in re.split(r"\s*,?\s+and\s+", match[2]) if one.strip()]
            first = re.split(r"\s*,\s*", match[1]) if more else [match[1]]
            found += [one.rstrip(".") for one in [*first, *more] if one.split()[0].lower() not in _OPENERS]
        if not found:
            plain = (match[1] for match in _PLAIN_PLACE.finditer(self.text))
            found = [one for one in plain if one.lower() not in _OPENERS and one.lower() not in STOP]
        found = found or _CHINESE_PLACE.findall(self.text)
        return list(dict.fromkeys(found))

    @cached_property
    def names(self) -> list[str]:
        """The capitalised names that do not merely open a sentence."""
        found = []
        for match in _NAME_RUN.finditer(self.text):
            parts = match[0].rstrip(".").split()
            while parts and parts[0].lower() in _OPENERS:
                parts.pop(0)
            if parts:
                found.append(" ".join(parts))
        return list(dict.fromkeys(found))

    @cached_property
    def named(self) -> list[str]:
        """The names behind *named*, *called* and the like."""
        found = []
        for match in _NAMED.finditer(self.text):
            rest = self.text[match.end() :]
            quote, run = _QUOTED.match(rest), _NAME_RUN.match(rest)
            if quote is not None:
                found.append(next(filter(None, quote.groups())))
            elif run is not None:
                found.append(run[0].rstrip("."))
        return found

    @cached_property
    def written_pairs(self) -> list[tuple[str, str]]:
        """``key: value``, ``key=value`` and ``key is value``, with the keys as written."""
        return [(match[1], match[2].strip().strip("\"'`").rstrip(".")) for match in _PAIR.finditer(self.text)]

    @cached_property
    def pairs(self) -> dict[str, str]:
        """The values of these pairs, by the stems of the key and by that of its last word."""
        found: dict[str, str] = {}
        for written, value in self.written_pairs:
            for key in (written, written.split()[-1]):
                found.setdefault("_".join(all_words(key)), value)
        return found

    def pair(self, name: str) -> str | None:
        """Return the value of the pair whose key is a name in any spelling, or None when there is none."""
        return self.pairs.get("_".join(all_words(name))) or None

    def quoted_beside(self, name: str) -> str | None:
        """Return the quotation behind a name: ``subject 'Hello'``."""
        plain = re.escape(name).replace("_", "[ _-]")
        match = re.search(rf"\b{plain}\s+(?:is\s+|of\s+|to\s+|as\s+)?(?=[\"“'‘`])", self.text, re.IGNORECASE)
        quote = _QUOTED.match(self.text, match.end()) if match is not None else None
        return next(filter(None, quote.groups())) if quote is not None else None

    @cached_property
    def sayings(self) -> list[str]:
        """What somebody is to be told: what stands behind *saying that* or *with the text*."""
        return [match[1].strip().rstrip(".") for match in _SAYING.finditer(self.text)]

    def beside(self, name: str) -> str | None:
        """Return the word behind a name: ``host example.com``."""
        plain = re.escape(name).replace("_", "[ _-]")
        match = re.search(rf"\b{plain}\s+[\"'`]?([\w.:/-]*\w)", self.text, re.IGNORECASE)
        return match[1] if match is not None and match[1].lower() not in STOP | _OPENERS else None

    @cached_property
    def stems(self) -> frozenset[str]:
        """The stems of all words."""
        return frozenset(all_words(self.text))

    def near(self, name: str) -> Iterator[float | int]:
        """Yield the numbers at most two words away from a word of a name: ``3 items``, ``age 30``."""
        wanted = {stem(word) for word in all_words(name)}
        pieces = re.findall(r"[-−]?\d[\d,]*(?:\.\d+)?|[^\W\d_]+", self.text)
        for at, piece in enumerate(pieces):
            if piece[-1].isdigit() and {stem(one.lower()) for one in pieces[max(at - 2, 0) : at + 3]} & wanted:
                yield number(piece)
