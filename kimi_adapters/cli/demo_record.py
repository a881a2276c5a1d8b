"""What a demonstration shows, kept for `kimi-adapters demo --json`."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel
from rich.console import Console

from kimi_adapters.cli.demo_usage import Tally
from kimi_adapters.cli.demo_view import View


class Record(View):
    """Keeps what each part asked and got in place of showing it."""

    def __init__(self) -> None:
        """Begin with no parts."""
        super().__init__(Console(file=io.StringIO(), color_system=None))
        self.parts: list[dict[str, Any]] = []
        self._framework = ""

    def framework(self, title: str) -> None:
        """Remember whose parts follow."""
        self._framework = title

    def section(self, number: int, title: str, how: str) -> None:
        """Begin a part."""
        self.parts.append(
            {"framework": self._framework, "title": title, "how": how, "asked": None, "answer": "", "tool_calls": []}
        )

    def ask(self, text: str) -> None:
        """Keep what is asked."""
        self.parts[-1]["asked"] = text

    def say(self, text: str) -> None:
        """Keep more of the answer."""
        self.parts[-1]["answer"] += text

    def call(self, name: str, arguments: Mapping[str, Any]) -> None:
        """Keep a tool call; what was said before it is not the answer."""
        self.parts[-1]["answer"] = ""
        self.parts[-1]["tool_calls"].append({"name": name, "arguments": arguments})

    def filled(self, value: BaseModel) -> None:
        """Keep an object as the answer."""
        self.parts[-1]["answer"] = value.model_dump(mode="json")

    def check(self, text: str) -> None:
        """Keep what holds."""
        self.parts[-1].update(outcome="checked", detail=text)

    def skip(self, text: str) -> None:
        """Keep why this model or host cannot do it."""
        self.parts[-1].update(outcome="skipped", detail=text)

    def fail(self, text: str) -> None:
        """Keep what failed."""
        self.parts[-1].update(outcome="failed", detail=text)

    def took(self, tally: Tally) -> None:
        """Keep what the part came to."""
        self.parts[-1] |= _counted(tally)


def _counted(tally: Tally) -> dict[str, Any]:
    """Return a tally as JSON; a price that nobody knows is null."""
    counts = asdict(tally)
    estimate = bool(counts.pop("estimates"))
    known = tally.cost_usd > 0
    return counts | {"cost_usd": tally.cost_usd if known else None, "cost_is_estimate": estimate if known else None}
