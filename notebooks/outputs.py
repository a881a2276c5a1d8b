"""What notebooks keep of their outputs: small, and the same on every machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import nbformat

MOST_BYTES = 60_000
"""Of one notebook with its outputs."""
COLUMNS = 88
PORT = 8765
"""What the free port of a local server is called."""
_ADDRESS = re.compile(r"\b(127\.0\.0\.1|localhost):\d+")
_OWN = {
    "a path of this machine": re.compile(
        r"(?<![\w.:/])/(?:home|root|Users|tmp|work|var|usr|opt)/"
    ),
    "an address in memory": re.compile(r"\b0x[0-9a-f]{8,}"),
    "a key": re.compile(r"\b(?:sk|lsv2)-(?!local\b|\.\.\.)[\w-]{6,}"),
    "a port": re.compile(rf"\b(?:127\.0\.0\.1|localhost):(?!{PORT}\b)\d+"),
}
_PASSING = re.compile(r" · [\d.]+ s(?: \(first after [\d.]+ s\))?")
_NUMBER = re.compile(r"\b[0-9a-f]{8}(?:(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})?\b|\d+")
"""Random names among them: LangSmith gives each experiment one."""


def normalise(notebook: nbformat.NotebookNode) -> None:
    """Take out of a notebook that was run what is different each time."""
    notebook.metadata.language_info = {"name": "python"}
    for cell in _code(notebook):
        cell.metadata = nbformat.NotebookNode()
        for output in cell.outputs:
            output.get("metadata", {}).clear()
            if "text" in output:
                output.text = _ADDRESS.sub(rf"\1:{PORT}", output.text)
            for kind, data in output.get("data", {}).items():
                if isinstance(data, str) and kind.startswith("text/"):
                    output.data[kind] = _ADDRESS.sub(rf"\1:{PORT}", data)


def problems(path: Path) -> list[str]:
    """What a reader, or whoever ran it, should not find in a notebook file."""
    notebook = nbformat.read(path, as_version=4)
    found = []
    if (size := path.stat().st_size) > MOST_BYTES:
        found.append(f"{size:,} bytes; at most {MOST_BYTES:,}")
    for at, cell in enumerate(notebook.cells):
        long = [line for line in cell.source.splitlines() if len(line) > COLUMNS]
        found += [f"cell {at} has more than {COLUMNS} columns: {line}" for line in long]
    for at, cell in enumerate(_code(notebook), 1):
        if cell.execution_count != at:
            found.append(f"code cell {at} was not run in its turn")
        found += [f"code cell {at} holds {what}" for what in _unfit(cell)]
    return found


def differences(kept: nbformat.NotebookNode, new: nbformat.NotebookNode) -> list[str]:
    """The code cells that say something else now; numbers and the order may differ."""
    pairs = zip(_code(kept), _code(new), strict=True)
    return [
        f"the kept output of code cell {at} is not that of its code; run with --write"
        for at, (one, other) in enumerate(pairs, 1)
        if list(map(_said, one.outputs)) != list(map(_said, other.outputs))
    ]


def _code(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _unfit(cell: nbformat.NotebookNode) -> Iterator[str]:
    for output in cell.outputs:
        if output.output_type == "error" or output.get("name") == "stderr":
            yield "an error or a warning"
        texts = "\n".join(_texts(output))
        yield from (what for what, pattern in _OWN.items() if pattern.search(texts))


def _texts(output: nbformat.NotebookNode) -> list[str]:
    data = output.get("data", {}).items()
    return [
        output.get("text", ""),
        *(text for kind, text in data if kind.startswith("text/")),
    ]


def _said(output: nbformat.NotebookNode) -> tuple[str, list[str], list[str]]:
    data = output.get("data", {})
    text = _PASSING.sub("", output.get("text") or data.get("text/plain", ""))
    return output.output_type, sorted(data), sorted(_NUMBER.sub("0", text).split("\n"))
