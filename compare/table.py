"""Writes what `test_peers.py` found out into the page of the documentation about other classes."""

from __future__ import annotations

import inspect
import json
import re
import sys
from datetime import date
from importlib.metadata import version
from pathlib import Path

from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.llms.openai_like import OpenAILike

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from llama_index_conformance import SUBJECTS

HERE = Path(__file__).parent
OPTIONS = HERE.parent / "docs" / "peers.json"
PAGE = HERE.parent / "docs" / "pages" / "peers.md"
PACKAGES = {
    "KimiLLM": "kimi-adapters",
    "OpenAILike": "llama-index-llms-openai-like",
}


def main() -> None:
    results = json.loads((HERE / "results.json").read_text())
    measured = ", ".join(f"{package} {version(package)}" for package in PACKAGES.values())
    more = ", ".join(f"{package} {version(package)}" for package in ("llama-index-core", "openai"))
    summary = f"{_summary(results)}\nMeasured on {date.today()} with {measured}; {more}.\n"
    note_options()
    PAGE.write_text(written(PAGE.read_text("utf-8"), results, summary), "utf-8")


def note_options() -> None:
    """Write down the options of `OpenAILike`, which the documentation lists and other tests cannot look up."""
    told = json.loads(OPTIONS.read_text("utf-8"))
    words = {*OpenAILike.model_fields, *inspect.signature(OpenAILike.__init__).parameters} - {"self", "kwargs"}
    package = PACKAGES["OpenAILike"]
    options = sorted(words - {*FunctionCallingLLM.model_fields})
    told["options"]["OpenAILike"] = {"package": package, "version": version(package), "options": options}
    OPTIONS.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", "utf-8")


def written(page: str, results: dict[str, dict[str, list[int]]], summary: str) -> str:
    """Return the page with its two parts about LlamaIndex as they were measured."""
    parts = {"compared": summary, "tests compared": "\n".join(_table(suite, results) for suite in SUBJECTS)}
    for name, text in parts.items():
        before, _, rest = page.partition(f"<!-- {name} -->\n")
        page = f"{before}<!-- {name} -->\n\n{text}\n<!-- end {name} -->{rest.partition(f'<!-- end {name} -->')[2]}"
    return page


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
    rows = [f"### {_title(suite)}\n", "| Test | " + " | ".join(PACKAGES) + " |", "|---|" + "---|" * len(PACKAGES)]
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
