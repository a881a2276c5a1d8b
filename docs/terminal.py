"""What commands show in a terminal, as SVG: a real terminal runs them, and Rich draws what is on its screen."""

from __future__ import annotations

import io
import itertools
import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pyte
from rich.console import Console
from rich.style import Style
from rich.text import Text

_PATIENCE = 120
_COLOURS = {"brown": "yellow", "default": None}
"""Names of pyte's that Rich spells in another way."""


class Terminal:
    """A command in a terminal of so many columns and lines."""

    def __init__(self, command: list[str], *, columns: int, lines: int) -> None:
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self._master, slave = pty.openpty()
        size = {"COLUMNS": str(columns), "LINES": str(lines), "TERM": "xterm-256color"}
        script = [str(Path(sys.executable).parent / command[0]), *command[1:]]
        environment = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")} | size
        self._process = subprocess.Popen(script, stdin=slave, stdout=slave, stderr=slave, env=environment)
        os.close(slave)

    def until(self, text: str) -> None:
        """Read until a text is on the screen.

        Raises:
            TimeoutError: If it does not come within two minutes.
        """
        end = time.monotonic() + _PATIENCE
        while text not in "\n".join(self._screen.display):
            if time.monotonic() > end or not self._read():
                raise TimeoutError(f"not on the screen: {text}\n" + "\n".join(self._screen.display))

    def type(self, text: str) -> None:
        """Type a line."""
        os.write(self._master, text.encode() + b"\n")

    def end(self) -> None:
        """Read until the command has ended."""
        while self._read():
            pass
        self._process.wait(_PATIENCE)

    def stop(self) -> None:
        """End the command, whose screen is kept."""
        self._process.terminate()
        self._process.wait(_PATIENCE)

    def _read(self) -> bool:
        """Read what has come within a second; whether the command still runs."""
        try:
            ready, _, _ = select.select([self._master], [], [], 1)
            if not ready:
                return True
            data = os.read(self._master, 65536)
        except OSError:  # it has ended
            return False
        self._stream.feed(data)
        return bool(data)

    def text(self) -> Text:
        """What is on the screen, without empty lines at its end."""
        rows = [self._row(at) for at in range(self._screen.lines)]
        while rows and not rows[-1].plain:
            rows.pop()
        return Text("\n").join(rows)

    def _row(self, at: int) -> Text:
        cells = [self._screen.buffer[at][column] for column in range(self._screen.columns)]
        row = Text()
        for style, alike in itertools.groupby(cells, look):
            row.append("".join(cell.data for cell in alike), style)
        row.rstrip()
        return row


def look(cell: pyte.screens.Char) -> Style:
    """How a character looks. A space has no colour."""
    if cell.data == " ":
        return Style()
    return Style(color=colour(cell.fg), bold=cell.bold, italic=cell.italics)


def colour(name: str) -> str | None:
    """A colour of pyte's as Rich has it."""
    if re.fullmatch("[0-9a-f]{6}", name):
        return f"#{name}"
    return _COLOURS.get(name, name.replace("bright", "bright_"))


def draw(text: Text, file: Path, *, title: str, columns: int) -> None:
    """Save a text as the picture of a terminal. Fonts are those of the reader: nothing is loaded."""
    console = Console(record=True, width=columns, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(text, no_wrap=True, overflow="crop")
    drawn = console.export_svg(title=title, unique_id=file.stem)
    drawn = re.sub(r"@font-face \{.*?\}", "", drawn, flags=re.DOTALL)
    file.write_text("\n".join(line.rstrip() for line in drawn.splitlines() if line.strip()) + "\n", "utf-8")
