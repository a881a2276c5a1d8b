"""How a conversation looks: in a terminal with the thinking as it comes, elsewhere the answer alone."""

from __future__ import annotations

import time
from dataclasses import asdict

from rich.console import Console
from rich.live import Live
from rich.text import Text

from kimi_adapters.cli.output import write_json
from kimi_adapters.notebook import core, wording
from kimi_adapters.notebook.entries import Entry, Timing
from kimi_core import Event, ReasoningDelta, RefusalDelta, Response, TextDelta

_LINES = 6
"""So many lines of the thinking are seen at a time: its end."""
_TAIL = 4_000
"""Characters that are wrapped for these."""


class View:
    """Shows answers as they come, and remembers what they took.

    The answer goes to standard output. All else goes to standard error, so that a pipe gets the answer alone; the
    thinking is only shown in a terminal, and folded to one line when the answer begins.
    """

    def __init__(self) -> None:
        self._answers = Console(highlight=False)
        self._aside = Console(stderr=True, highlight=False)
        self._entries: list[Entry] = []
        self._live: Live | None = None
        self._thought = ""
        self._asked = self._first = 0.0
        self._last = "\n"

    @property
    def watched(self) -> bool:
        """Whether the answer goes to a terminal."""
        return self._answers.is_terminal

    def begin(self) -> None:
        """Begin an answer: in a terminal, something moves until it comes."""
        self._asked, self._first, self._thought, self._last = time.perf_counter(), 0.0, "", "\n"
        if self._answers.is_terminal:
            self._live = Live(get_renderable=self._tail, console=self._answers, transient=True, refresh_per_second=10)
            self._live.start()

    def show(self, event: Event) -> None:
        """Show more of it."""
        match event:
            case ReasoningDelta(text=text) if text:
                self._think(text)
            case TextDelta(text=text) | RefusalDelta(text=text) if text:
                self._write(wording.clean(text))

    def _think(self, text: str) -> None:
        self._first = self._first or time.perf_counter()
        self._thought = (self._thought + wording.clean(text))[-_TAIL:]

    def _tail(self) -> Text:
        """Return the last lines of the thinking; how long it has been waited for, while there is none."""
        if not self._thought:
            return Text(f"… {time.perf_counter() - self._asked:.0f} s", style="dim")
        lines = Text(self._thought.strip(), style="dim italic").wrap(self._answers, self._answers.width)
        return Text("\n", style="dim italic").join(lines[-_LINES:])

    def _write(self, text: str) -> None:
        self._first = self._first or time.perf_counter()
        self._fold()
        self._last = text[-1:] or self._last
        self._answers.print(Text(text), end="", soft_wrap=True)

    def _fold(self) -> None:
        """Replace the thinking by one line about it."""
        if self._live is None:
            return
        self._live.stop()
        self._live = None
        if self._thought:
            self._answers.print(f"▸ thought for {time.perf_counter() - self._first:.1f} s", style="dim")

    def end(self, answer: Response) -> None:
        """End the answer, and show what it took."""
        self.break_off()
        entry = core.of_response(answer)
        if answer.usage:  # not of one that was stopped: its tokens would make the sum unknown
            self._entries.append(entry)
        now = time.perf_counter()
        timing = Timing(now - self._asked, self._first - self._asked if self._first else None)
        self.note(wording.about([entry], timing))

    def break_off(self) -> None:
        """End an answer of which nothing is known."""
        self._fold()
        if self._last != "\n":
            self._answers.print()

    def total(self) -> None:
        """Show what several answers took together."""
        if len(self._entries) > 1:
            self.note(wording.about(self._entries, None))

    def note(self, text: str, style: str = "dim") -> None:
        """Show something beside the conversation."""
        self._aside.print(Text(wording.clean(text), style=style))


class JsonView(View):
    """Shows one answer as JSON, when it has come; all else goes to standard error, as it does elsewhere."""

    @property
    def watched(self) -> bool:
        """Whether the answer is seen as it comes."""
        return False

    def begin(self) -> None:
        """Begin an answer."""
        self._asked = time.perf_counter()

    def show(self, event: Event) -> None:
        """Show nothing of it yet."""

    def end(self, answer: Response) -> None:
        """Print it."""
        usage = answer.usage
        counted = {name: value for name, value in asdict(usage).items() if name != "raw"} if usage else None
        write_json(
            {
                "text": answer.text,
                "reasoning": answer.reasoning.text if answer.reasoning else None,
                "refusal": answer.refusal or None,
                "finish_reason": answer.finish_reason,
                "model": answer.model,
                "host": answer.host,
                "id": answer.id,
                "usage": counted,
                "cost_usd": answer.cost_usd,
                "cost_is_estimate": answer.cost_is_estimate,
                "seconds": round(time.perf_counter() - self._asked, 3),
            }
        )
