"""The table of what a call costs, from the record that `make bench` writes (bench/results.json).

Part of `docs/generate.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Table = Callable[[Iterable[str], Iterable[Iterable[object]]], str]
RUNS: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "bench" / "results.json").read_text("utf-8"))
SDK = "openai SDK"
COLUMNS = {
    "ChatKimi": "ChatKimi, ×",
    "LangChain's floor": "least in LangChain, ×",
    "KimiLLM": "KimiLLM, ×",
    "LlamaIndex's floor": "least in LlamaIndex, ×",
}


def tables(table: Table) -> dict[str, Callable[[], str]]:
    """The table, by its name."""
    return {"speed": lambda: "\n\n".join(_run(table, run) for run in reversed(RUNS))}


def _run(table: Table, run: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in run["versions"].items())
    rows = [
        [
            name,
            f"{took[SDK]:,.1f}",
            *(f"{took[client] / took[SDK]:.2g}" if client in took else "" for client in COLUMNS),
        ]
        for name, took in run["milliseconds"].items()
    ]
    return (
        f"### {run['release']} with openai {run['versions']['openai'].partition('.')[0]}\n\n"
        f"{run['day']}, {run['processor']} under a load of {run['load']}, {run['python']}; {versions}. "
        f"Best of {run['rounds']} interleaved rounds.\n\n" + table(["What", "openai SDK, ms", *COLUMNS.values()], rows)
    )
