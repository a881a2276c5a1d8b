"""Writes what `test_peers.py` found out as a page of the documentation."""

from __future__ import annotations

import json
import re
import sys
from datetime import date
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from llama_index_conformance import SUBJECTS

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "pages" / "compare.md"
PACKAGES = {
    "KimiLLM": "kimi-adapters",
    "OpenAILike": "llama-index-llms-openai-like",
    "OpenAI": "llama-index-llms-openai",
}
HEAD = """# KimiLLM beside other classes

What is usually tried with Kimi in LlamaIndex, put through the same suite as `KimiLLM`
(`tests/llama_index_conformance`), over HTTP, on the local Kimi server. `make compare` measures it anew and writes this
page.

Each class was set up as well as it can be: `OpenAILike` was told that it is a chat model that calls functions, the
context window, and the temperature that Kimi takes; `OpenAI` the address, the model and the temperature (it refuses to
work with a model whose name it does not know). What they have no option for was put where their documentation says.

A test that is asked in several ways (sync, async, streamed, …) shows how many of them pass.
"""


def main() -> None:
    results = json.loads((HERE / "results.json").read_text())
    measured = ", ".join(f"{package} {version(package)}" for package in PACKAGES.values())
    more = ", ".join(f"{package} {version(package)}" for package in ("llama-index-core", "openai"))
    parts = [HEAD, f"Measured on {date.today()} with {measured}; {more}.\n", _summary(results)]
    parts += [_table(suite, results) for suite in SUBJECTS]
    PAGE.write_text("\n".join(parts), "utf-8")


def _names(suite: type) -> list[str]:
    return [name for name in vars(suite) if name.startswith("test_")]


def _summary(results: dict[str, dict[str, list[int]]]) -> str:
    rows = ["| | " + " | ".join(PACKAGES) + " |", "|---|" + "---|" * len(PACKAGES)]
    for suite in SUBJECTS:
        whole = [sum(passed == ran for passed, ran in (results[p][n] for n in _names(suite))) for p in PACKAGES]
        rows.append(f"| {_title(suite)}: of {len(_names(suite))} | " + " | ".join(map(str, whole)) + " |")
    return "\n".join(rows) + "\n"


def _title(suite: type) -> str:
    return re.sub(r"(?<=[a-z])([A-Z])", r" \1", suite.__name__).capitalize()


def _table(suite: type, results: dict[str, dict[str, list[int]]]) -> str:
    rows = [f"## {_title(suite)}\n", "| Test | " + " | ".join(PACKAGES) + " |", "|---|" + "---|" * len(PACKAGES)]
    for name in _names(suite):
        cells = " | ".join(_cell(*results[peer][name]) for peer in PACKAGES)
        rows.append(f"| `{name}` | {cells} |")
    return "\n".join(rows) + "\n"


def _cell(passed: int, ran: int) -> str:
    if passed == ran:
        return "✓"
    return "✗" if passed == 0 else f"{passed} of {ran}"


if __name__ == "__main__":
    main()
