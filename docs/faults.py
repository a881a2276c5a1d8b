"""The tables of faults, from the table that the tests hold (`tests/fault_matrix`).

Part of `docs/generate.py`. Faults of one kind that differ in a value alone, and come to the same, are one row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from tests.fault_matrix import KINDS, Fault, Outcome

Table = Callable[[Iterable[str], Iterable[Iterable[object]]], str]
_HEAD = ("the host sends", "whole answer", "requests", "stream", "requests", "arrives", "lost")
_LONGEST = 30
"""Characters of what arrives that are shown as they are."""


def tables(table: Table) -> dict[str, Callable[[], str]]:
    """The tables by their names, one for each kind of faults, and their sum."""
    kinds: dict[str, Callable[[], str]] = {_name(kind): partial(_kind, kind, table) for kind in KINDS}
    return {"faults-sum": partial(_sum, table), **kinds}


def _name(kind: str) -> str:
    return "faults-" + kind.lower().replace(" ", "-")


def _sum(table: Table) -> str:
    rows = [(kind, len(faults), 4 * sum(map(_calls, faults))) for kind, faults in KINDS.items()]
    total = ("all", *(f"{sum(row[i] for row in rows):,}" for i in (1, 2)))
    return table(("kind", "faults", "cells"), [*rows, total])


def _calls(fault: Fault) -> int:
    return (fault.whole is not None) + (fault.streamed is not None)


def _kind(kind: str, table: Table) -> str:
    return table(_HEAD, _rows(KINDS[kind]))


def _rows(faults: Iterable[Fault]) -> Iterator[Iterable[object]]:
    groups: dict[tuple[object, ...], list[str]] = {}
    for fault in faults:
        subject, values, value = _parted(fault.name)
        if other := fault.with_openai_2:
            value += f" (with openai 2: {_cells(other)[0]}, {other.requests})"
        came = f"{len(fault.came):,} characters" if len(fault.came) > _LONGEST else f"`{fault.came}`"
        key = (subject, *_cells(fault.whole), *_cells(fault.streamed), came if fault.came else "-")
        groups.setdefault(key if values else (*key, value), []).append(value)
    for (subject, *cells), values in groups.items():
        yield (f"{subject}{', '.join(_ranges(values))}", *cells[:5], "0")


def _parted(name: str) -> tuple[str, bool, str]:
    """Part a name in what is the same for many faults, and the value that is not."""
    found = re.fullmatch(r"([a-z ]+: |HTTP )([^:`]+)", name)
    return (found[1], True, found[2]) if found else ("", False, name)


def _cells(outcome: Outcome | None) -> tuple[str, str]:
    if outcome is None:
        return "-", "-"
    return outcome.what if outcome.what == "answered" else f"`{outcome.what}`", str(outcome.requests)


def _ranges(values: list[str]) -> Iterator[str]:
    """Yield the values; numbers that follow each other as one."""
    begin = 0
    for i, value in enumerate(values):
        following = values[i + 1] if i + 1 < len(values) else ""
        if value.isdecimal() and following.isdecimal() and int(following) == int(value) + 1:
            continue
        yield values[begin] if begin == i else f"{values[begin]} to {value}"
        begin = i + 1
