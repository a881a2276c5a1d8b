"""The five things that every framework does in the demonstration, and when they are done right."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel, Field

from kimi_adapters.cli.demo_docs import Library
from kimi_adapters.cli.demo_files import FOLDER, TOTAL
from kimi_adapters.cli.demo_usage import Tally
from kimi_adapters.cli.demo_view import View

Sources = list[tuple[str, float]]

MEMO = (
    "Harbour Coffee opened its second shop in May, and sales rose at once. In August sales dipped because the roaster "
    "stood still for eleven days, until a spare part arrived from Italy. A subscription that started in October brings "
    "in 300 new customers a month."
)
QUESTION = "Why did sales dip in August?"
WORK = (
    f"List the files in the folder {FOLDER}, read every report, then add up the revenue of all months. "
    "What is the total?"
)
NOTE = (
    "Order HC-2041 is for our customer Maria Keller in Lisbon, to be delivered on 5 December 2026. She wants the "
    "following items: 12 bags of Yirgacheffe, 2 hand grinders and 1 kettle."
)
LOOK = "What kind of picture is this, and which colour is most of it?"
FROM_PASSAGES = (
    "Answer the question from these passages only, and name the source of what you use in brackets.\n\n"
    "{passages}\n\nQuestion: {question}"
)

_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


class Item(BaseModel):
    """One line of an order."""

    quantity: int
    product: str

    def __str__(self) -> str:
        return f"{self.quantity} × {self.product}"


class Order(BaseModel):
    """An order of a customer."""

    order_id: str
    customer: str
    city: str
    delivery_date: dt.date
    items: list[Item] = Field(description="What is ordered")


class Framework(Protocol):
    """A framework that does the tasks. It shows the reasoning, text and calls of the model on the way."""

    name: ClassVar[str]
    """What it is called."""

    how: ClassVar[Mapping[str, str]]
    """The expression that does each task, by the task's name."""

    title: str
    """The class, the framework and its version."""

    tally: Tally
    """What its calls came to."""

    def answer(self, view: View, question: str) -> str:
        """Stream an answer."""

    def work(self, view: View, question: str, tools: list[Callable[..., Any]]) -> str:
        """Let an agent work with tools until it knows."""

    def extract(self, note: str) -> Order:
        """Fill an object."""

    def look(self, view: View, question: str, picture: Path) -> str:
        """Answer a question about a picture file."""

    def consult(self, view: View, library: Library) -> tuple[str, Sources]:
        """Answer a question from documents; with the passages used."""


class WrongAnswer(Exception):
    """An answer came, but it is not right."""


def make_tools(root: Path) -> list[Callable[..., Any]]:
    """Return tools that work in a folder and see nothing else."""

    def inside(path: str) -> Path:
        found = (root / path).resolve()
        if not found.is_relative_to(root.resolve()):
            raise ValueError(f"{path} is outside the working folder")
        return found

    def list_files(folder: str) -> list[str]:
        """List the files of a folder."""
        return sorted(file.relative_to(root.resolve()).as_posix() for file in inside(folder).iterdir())

    def read_file(path: str) -> str:
        """Read a text file."""
        return inside(path).read_text("utf-8")

    def add_numbers(numbers: list[float]) -> float:
        """Add numbers up, to the cent."""
        return round(math.fsum(numbers), 2)

    return [list_files, read_file, add_numbers]


def check_answer(text: str) -> str:
    """Return what is right about the answer to the question; the other checks do likewise.

    Raises:
        WrongAnswer: If the answer is not right.
    """
    _demand("roaster" in text.lower(), f"the memo blames the roaster, the answer does not: {text!r}")
    return "the roaster is the reason that the memo gives"


def check_work(text: str) -> str:
    """Check that the total is the true one, to the cent."""
    found = [float(number.replace(",", "")) for number in _NUMBER.findall(text)]
    _demand(TOTAL in found, f"the true total is {TOTAL:,.2f}, the answer is {text!r}")
    return f"{TOTAL:,.2f} is the true sum of the twelve months"


def check_order(order: Order) -> str:
    """Check that every fact of the note is in the object."""
    quantities = sorted(item.quantity for item in order.items)
    facts = (order.order_id, order.customer, order.city, order.delivery_date, quantities)
    wanted = ("HC-2041", "Maria Keller", "Lisbon", dt.date(2026, 12, 5), [1, 2, 12])
    _demand(facts == wanted, f"the note has {wanted}, the object {facts}")
    return "a valid Order with the facts of the note"


def check_look(text: str) -> str:
    """Check that the colour was seen."""
    _demand(any(word in text.lower() for word in ("blue", "navy")), f"the picture is mostly blue: {text!r}")
    return "the picture is mostly blue"


def check_consulted(text: str, sources: Sources) -> str:
    """Check that there is an answer, and passages that it can be from."""
    _demand(bool(text.strip()), "the answer is empty")
    _demand(bool(sources), "no passage was found")
    return f"answered from {len(sources)} passages of {len({path for path, _ in sources})} files"


def _demand(right: bool, otherwise: str) -> None:
    if not right:
        raise WrongAnswer(otherwise)
