"""Answers from a text: ranks its sentences by how much they share with the question."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from kimi_adapters.local_server.words import sentences, words

#: Markers that say where the text below them is from.
_LABELLED = re.compile(
    r"^\s*((?:source|file_path|file_name|file|document|title|url)\s*[:=]\s*\S.*?)\s*$", re.IGNORECASE
)
_BRACKETED = re.compile(r"^\s*(\[[^\]\n]{1,120}\])\s*(.*)$")
_TAGGED = re.compile(
    r"^\s*<(?:document|doc|source)\b[^>]*?(?:source|name|id|title|path)=\"([^\"]+)\"[^>]*>\s*(.*)$", re.I
)
_NUMBERED = re.compile(r"^\s*Source (\d+):\s*(.*)$", re.IGNORECASE)
_HEADING = re.compile(r"^\s*#{1,6}\s+(.+)$")
_RULER = re.compile(r"^\W*$|^\s*</?\w+[^>]*>\s*$")
_WANTS_NUMBER = re.compile(r"\bhow (?:many|much|long|often|old|far|big)\b|\bwhen\b|\bwhat (?:year|date|time)\b", re.I)
#: How much of the question's weight a sentence must share to count as an answer.
_LEAST_COVERAGE = 0.3
#: How near to the best another sentence must come to be part of the answer.
_NEAR = 0.8


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of a text.

    Attributes:
        text: The sentence.
        source: The marker of the passage that it stands in.
        heading: The heading above it.
        at: Its place in the text.
    """

    text: str
    source: str | None
    heading: str
    at: int


def read(text: str) -> list[Sentence]:
    """Return the sentences of a text, each with its source and heading."""
    found: list[Sentence] = []
    source: str | None = None
    heading = ""
    for line in text.splitlines():
        marker, rest = _marker(line)
        if marker is not None:
            source, heading = marker, ""
        if _RULER.match(rest):
            continue
        head = _HEADING.match(rest)
        if head is not None:
            heading = head[1]
            continue
        for sentence in sentences(rest):
            found.append(Sentence(sentence, source, heading, len(found)))
    return found


def _marker(line: str) -> tuple[str | None, str]:
    """Return the marker that a line opens with, as an answer quotes it, and the rest of the line."""
    for pattern, form in ((_NUMBERED, "[{}]"), (_BRACKETED, "{}"), (_TAGGED, "[{}]")):
        match = pattern.match(line)
        if match is not None:
            return form.format(match[1]), match[2]
    labelled = _LABELLED.match(line)
    return (None, line) if labelled is None else (f"({labelled[1]})", "")


def best(question: str, found: Iterable[Sentence], most: int = 3) -> list[Sentence]:
    """Return up to `most` sentences that answer a question, in the order of the text; none when none fits."""
    wanted = set(words(question))
    candidates = list({sentence.text: sentence for sentence in found}.values())
    if not wanted or not candidates:
        return []
    bags = [(set(words(one.text)), set(words(one.heading)) if one.heading else set()) for one in candidates]
    seen = Counter(word for bag, heading in bags for word in (bag | heading) & wanted)
    weight = {word: math.log(1 + len(candidates) / (seen[word] or 0.5)) for word in wanted}
    whole = sum(weight.values())
    numeric = bool(_WANTS_NUMBER.search(question))
    scored = []
    for sentence, (bag, heading) in zip(candidates, bags, strict=True):
        shared = sum(weight[word] for word in wanted & bag)
        shared += 0.5 * sum(weight[word] for word in (wanted & heading) - bag)
        bonus = 1.25 if numeric and any(map(str.isdigit, sentence.text)) else 1.0
        scored.append((shared * bonus / (1 + len(bag) / 60), shared / whole, sentence))
    top = max(score for score, _, _ in scored)
    kept = [item for item in scored if item[0] >= _NEAR * top and item[1] >= _LEAST_COVERAGE]
    kept.sort(key=lambda item: -item[0])
    return sorted((sentence for _, _, sentence in kept[:most]), key=lambda sentence: sentence.at)


def summary(found: list[Sentence], most: int = 3) -> list[Sentence]:
    """Return the sentences that share most with all the others."""
    frequency = Counter(word for sentence in found for word in set(words(sentence.text)))

    def centrality(sentence: Sentence) -> float:
        bag = set(words(sentence.text))
        return sum(frequency[word] - 1 for word in bag) / (4 + len(bag))

    chosen = sorted(found, key=lambda sentence: (-centrality(sentence), sentence.at))[:most]
    return sorted(chosen, key=lambda sentence: sentence.at)


def quoted(found: Iterable[Sentence], *, sources: bool) -> str:
    """Join sentences to an answer, each with its source when asked for."""
    texts = []
    for sentence in found:
        marker = f" {sentence.source}" if sources and sentence.source else ""
        texts.append(f"{sentence.text}{marker}")
    return " ".join(texts)
