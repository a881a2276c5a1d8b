"""How a demonstration looks in a terminal, and in a log file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from kimi_adapters.cli.demo_files import Pixels
from kimi_adapters.cli.demo_usage import Tally, total
from kimi_adapters.notebook.wording import clean

_WIDEST = 100
_INDENT = 12
_WORD = re.compile(r"(\s*)(\S+)")
#: More of a word may still come while nothing is after it.
_WHOLE_WORD = re.compile(_WORD.pattern + r"(?=\s)")
#: So much is shown of the thoughts that are not the point of a section, and of results of tools.
_GLIMPSE = 250
_LABELS = {
    "asks": "bold",
    "thinks": "dim italic",
    "answers": "",
    "calls": "cyan",
    "returns": "green",
    "fills": "magenta",
    "sees": "",
    "reads": "",
    "finds": "yellow",
    "checked": "bold green",
    "skipped": "yellow",
    "FAILED": "bold red",
}


class Flow:
    """Writes text that arrives in pieces, wrapped between words, beside a label in the margin."""

    def __init__(self, console: Console, width: int) -> None:
        self._console = console
        self._width = width
        self._label = ""
        self._style = ""
        self._last = ""
        self._pending = ""
        self._column = 0

    def write(self, label: str, text: str) -> None:
        """Write more of a label's text; another label begins a new line."""
        if label != self._label:
            self.end()
            self._label, self._style = label, _LABELS[label]
            shown = "" if label == self._last else label
            self._out(f"  {shown:<{_INDENT - 2}}", "red" if label == "FAILED" else "dim")
            self._column = _INDENT
        self._pending += text
        while match := _WHOLE_WORD.match(self._pending):
            self._word(match[1], match[2])
            self._pending = self._pending[match.end() :]

    def end(self) -> None:
        """Finish the last line."""
        if match := _WORD.match(self._pending):
            self._word(match[1], match[2])
        if self._label:
            self._out("\n")
            self._last = self._label
        self._label = self._pending = ""

    def forget(self) -> None:
        """Write the next label even if it is the one before."""
        self.end()
        self._last = ""

    def _word(self, gap: str, word: str) -> None:
        """Show one word, after the space or the line breaks before it."""
        breaks = min(gap.count("\n"), 2)
        spaces = gap.rpartition("\n")[2] if breaks or self._column > _INDENT else ""
        room = self._width - self._column - len(spaces)
        if breaks or (self._column > _INDENT and cell_len(word) > room):
            self._newline(max(breaks, 1))
            spaces = spaces if breaks else ""
        self._out(spaces)
        self._out(word, self._style)
        self._column += len(spaces) + cell_len(word)

    def _newline(self, count: int) -> None:
        self._out("\n" * count + " " * _INDENT)
        self._column = _INDENT

    def _out(self, text: str, style: str = "") -> None:
        self._console.print(Text(clean(text), style=style), end="", soft_wrap=True)


class View:
    """Everything that a demonstration shows."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._width = min(console.width, _WIDEST)
        self._flow = Flow(console, self._width)
        self._thought = 0

    def opening(self, title: str, text: Text) -> None:
        """Show where the calls go."""
        self._console.print(
            Panel(text, title=title, border_style="yellow", width=self._width, padding=(1, 2), title_align="left")
        )

    def framework(self, title: str) -> None:
        """Begin a framework."""
        self._console.print()
        self._console.rule(Text(title, style="bold"), style="blue", align="left", characters="━")

    def section(self, number: int, title: str, how: str) -> None:
        """Begin a section.

        Args:
            number: Its number.
            title: What it shows.
            how: The expression that does it.
        """
        self._console.print()
        heading = Text.assemble((f"{number}  ", "bold blue"), (title, "bold"), "   ", (how, "cyan"))
        self._console.print(heading, width=self._width)

    def ask(self, text: str) -> None:
        """Show what is asked."""
        self._whole("asks", text)

    def think(self, text: str, *, glimpse: bool = False) -> None:
        """Show more of the reasoning.

        Args:
            text: What came.
            glimpse: Show the beginning only.
        """
        before = self._thought
        self._thought += len(text)
        if not text or (glimpse and before > _GLIMPSE):
            return
        shown = text[: _GLIMPSE - before] + "…" if glimpse and self._thought > _GLIMPSE else text
        self._flow.write("thinks", shown)

    def say(self, text: str) -> None:
        """Show more of the answer."""
        if text:
            self._thought = 0
            self._flow.write("answers", text)

    def call(self, name: str, arguments: Mapping[str, Any]) -> None:
        """Show a tool call."""
        self._thought = 0
        given = ", ".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in arguments.items())
        self._whole("calls", f"{name}({given})")

    def result(self, text: str) -> None:
        """Show what a tool returned."""
        line = " · ".join(text.split("\n")).strip(" ·")
        self._whole("returns", line if len(line) <= _GLIMPSE else line[:_GLIMPSE] + "…")

    def filled(self, value: BaseModel) -> None:
        """Show an object that was filled."""
        for name, inner in value:
            many = isinstance(inner, list)
            shown = "; ".join(map(str, inner)) if many else str(inner)
            self._whole("fills", f"{type(value).__name__}.{name} = {shown}")

    def picture(self, name: str, pixels: Pixels) -> None:
        """Show a picture, in half blocks where there are colours."""
        self._whole("sees", name)
        if self._console.color_system not in ("256", "truecolor"):
            return
        for upper, lower in zip(pixels[::2], pixels[1::2], strict=True):
            line = Text(" " * _INDENT)
            for top, bottom in zip(upper, lower, strict=True):
                line.append("▀", style=f"rgb{top} on rgb{bottom}".replace(" ", "").replace("on", " on "))
            self._console.print(line, soft_wrap=True)

    def read(self, text: str) -> None:
        """Show what there is to answer from."""
        self._whole("reads", text)

    def found(self, sources: Sequence[tuple[str, float]]) -> None:
        """Show where an answer is from."""
        for path, score in sources:
            self._whole("finds", f"{score:5.2f}  {path}")

    def check(self, text: str) -> None:
        """Show something that was checked and holds."""
        self._whole("checked", f"✓ {text}")

    def skip(self, text: str) -> None:
        """Show something that this model or host cannot do."""
        self._whole("skipped", text)

    def fail(self, text: str) -> None:
        """Show something that failed."""
        self._whole("FAILED", f"✗ {text}")

    def _whole(self, label: str, text: str) -> None:
        self._flow.end()
        self._flow.write(label, text)
        self._flow.end()

    def end(self) -> None:
        """Finish a section."""
        self._flow.forget()
        self._thought = 0

    def took(self, tally: Tally) -> None:
        """Take what a section came to; only the sums at the end are shown."""

    def summary(self, tallies: Mapping[str, Tally], notes: Sequence[str], *, good: bool) -> None:
        """Show the table at the end, and notes on it."""
        self._console.print()
        self._console.rule(Text("What it took", style="bold"), style="blue", align="left", characters="━")
        self._console.print(_table(tallies))
        for note in notes:
            self._console.print(Text(f"  {clean(note)}", style="dim" if good else "red"), width=self._width)


def _table(tallies: Mapping[str, Tally]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", show_footer=len(tallies) > 1, pad_edge=False)
    rows = {name: _cells(tally) for name, tally in tallies.items()}
    footer = ["total", *_cells(total(tallies.values()))]
    for at, title in enumerate(("", "calls", "in", "cached", "out", "reasoning", "cost", "time")):
        table.add_column(title, footer[at], justify="right" if at else "left", no_wrap=True)
    for name, cells in rows.items():
        table.add_row(name, *cells)
    return table


def _cells(tally: Tally) -> list[str]:
    counts = (
        tally.calls, tally.input_tokens, tally.cached_tokens, tally.output_tokens, tally.reasoning_tokens,
    )  # fmt: skip
    cost = f"{'~ ' if tally.estimates else ''}${tally.cost_usd:.4f}" if tally.cost_usd else "unknown"
    return [*(f"{count:,}" for count in counts), cost, f"{tally.seconds:.1f} s"]
