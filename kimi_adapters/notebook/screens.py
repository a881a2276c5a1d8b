"""Where answers are shown: in a notebook, redrawn as they grow, or on standard output, as they come."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from kimi_adapters.notebook import markdown, page, plain
from kimi_adapters.notebook.entries import Entry, Timing

_OFTEN = 0.1
"""Seconds between two drawings, at least."""
_REST = 5
"""How much longer than a drawing takes it is waited before the next one."""
_CHARACTERS_A_SECOND = 250_000
"""Notebook servers drop what comes faster than about a megabyte a second."""


class View:
    """What IPython displays: HTML, and beside it a twin in plain text."""

    def __init__(self, html: str, text: str) -> None:
        """Keep both."""
        self._html, self._text = html, text

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self._html, "text/plain": self._text}

    def _repr_html_(self) -> str:
        return self._html

    def __repr__(self) -> str:
        return self._text


class Screen(Protocol):
    """Somewhere to show answers."""

    def update(self, entries: Callable[[], Sequence[Entry]], timing: Timing) -> None:
        """Show what has come, when it is time to."""

    def end(self, entries: Sequence[Entry], timing: Timing | None, note: str = "") -> None:
        """Show all of it."""


class NotebookScreen:
    """One output of a notebook cell."""

    def __init__(self, *, local_files: bool) -> None:
        """Make a screen; nothing is drawn yet."""
        self._local_files = local_files
        self._handle: Any = None
        self._next = 0.0

    def update(self, entries: Callable[[], Sequence[Entry]], timing: Timing) -> None:
        """Draw what has come, unless it was drawn a moment ago."""
        markdown.prepare()
        started = time.monotonic()
        if started < self._next:
            return
        found = entries()
        note = "…" if found else "waiting for the answer …"
        so_far = timing if found else None  # nothing redraws it until something comes
        html = page.render(found, live=True, timing=so_far, note=note, local_files=self._local_files)
        self._draw(html, plain.render(found, timing=so_far, note=note))
        now = time.monotonic()
        self._next = now + max(_OFTEN, _REST * (now - started), len(html) / _CHARACTERS_A_SECOND)

    def end(self, entries: Sequence[Entry], timing: Timing | None, note: str = "") -> None:
        """Draw all of it."""
        html = page.render(entries, timing=timing, note=note, local_files=self._local_files)
        self._draw(html, plain.render(entries, timing=timing, note=note))

    def _draw(self, html: str, text: str) -> None:
        view = View(html, text)
        if self._handle is not None:
            self._handle.update(view)
            return
        from IPython.display import display

        self._handle = display(view, display_id=True)  # type: ignore[no-untyped-call]


class TextScreen:
    """Standard output."""

    def __init__(self) -> None:
        """Make a screen; nothing is written yet."""
        self._written = ""
        self._next = 0.0

    def update(self, entries: Callable[[], Sequence[Entry]], timing: Timing) -> None:
        """Write what is new."""
        if time.monotonic() < self._next:
            return
        text = plain.begun(entries(), live=True)
        if text.startswith(self._written):
            self._write(text[len(self._written) :])
        self._next = time.monotonic() + _OFTEN

    def end(self, entries: Sequence[Entry], timing: Timing | None, note: str = "") -> None:
        """Write the rest."""
        text = plain.render(entries, timing=timing, note=note)
        self._write(text[len(self._written) :] if text.startswith(self._written) else f"\n\n{text}")
        self._write("\n")

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()
        self._written += text


def screen(*, local_files: bool) -> Screen:
    """Return the output of a notebook cell where this runs in one, else standard output."""
    return NotebookScreen(local_files=local_files) if in_notebook() else TextScreen()


def in_notebook() -> bool:
    """Return whether a kernel runs this code. IPython in a terminal can redraw nothing."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None
