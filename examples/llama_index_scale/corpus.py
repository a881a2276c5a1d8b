"""Manuals of machines that do not exist: as many as wanted, each time the same, with a fact in each passage."""

from __future__ import annotations

import random
from collections.abc import Iterator

from llama_index.core import Document

PASSAGES = 20
_KINDS = ["roaster", "grinder", "packing line", "cooling drum", "cold press", "boiler", "destoner", "filling station"]
_PLACES = ["Oslo", "Bergen", "Hamburg", "Rotterdam", "Trieste", "Porto", "Gdansk", "Antwerp"]
_PARTS = ["inlet valve", "drum bearing", "feed screw", "exhaust fan", "heat shield", "pressure gauge", "drive belt"]
_PARTS += ["burner head", "dust filter", "cooling tray", "control panel", "safety switch", "spindle", "outlet chute"]
_PARTS += ["gear box", "water pump", "sight glass", "steam trap", "hopper lid", "load cell", "air damper", "guide rail"]
_CHECKS = [
    "Wipe it with a dry cloth before it is looked at, never with water.",
    "Two people do this work, and one of them stays at the emergency stop.",
    "Note the reading in the log of the shift, with the hour and your name.",
    "A worn seal is changed at once, even if the machine still runs without a sound.",
    "Let the housing cool down to the warmth of a hand before the cover is taken off.",
    "The spare lies on the second shelf of the workshop, beside the torque wrench.",
    "Listen for a dry knock while it starts; it comes before every failure of this kind.",
    "After the work the line runs empty for ten minutes, and only then under load.",
]


def manuals(count: int) -> Iterator[Document]:
    """Yield manuals of some 20 passages each; those of a longer corpus begin with those of a shorter one."""
    for number in range(count):
        yield Document(id_=f"{_name(number)}.md", text=_text(number), metadata={"file": f"{_name(number)}.md"})


def question(document: int, passage: int) -> tuple[str, str, str]:
    """Return a question that one passage answers, what the answer has to name, and the file that says so."""
    part, interval = _facts(document)[passage]
    return (
        f"After how many hours is the {part} of {_name(document)} replaced?",
        f"{interval} hours",
        f"{_name(document)}.md",
    )


def _name(number: int) -> str:
    return f"HC-{number + 1:05}"


def _facts(number: int) -> list[tuple[str, int]]:
    chance = random.Random(f"facts {number}")
    return [(part, chance.randrange(200, 9000)) for part in chance.sample(_PARTS, PASSAGES)]


def _text(number: int) -> str:
    chance, name = random.Random(f"text {number}"), _name(number)
    kind, place = chance.choice(_KINDS), chance.choice(_PLACES)
    passages = [f"{name} is a {kind} in {place}, built in {chance.randrange(1990, 2026)}."]
    for part, interval in _facts(number):
        told = [f"The {part} of {name} is replaced after {interval} hours.", *chance.sample(_CHECKS, 7)]
        passages.append(" ".join(told))
    return "\n\n\n".join(passages)
