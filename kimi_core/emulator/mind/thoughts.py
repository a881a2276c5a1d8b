"""The reasoning that goes before an answer: which rule speaks, and what it looks at."""

from __future__ import annotations

from kimi_core.emulator.mind.view import View
from kimi_core.emulator.mind.words import shorten

#: How many of the sentences each effort writes down; everything by default.
_SENTENCES = {"low": 1, "high": 2}


def thoughts(view: View, because: str, then: str) -> str:
    """A few sentences; nothing when the model does not think."""
    if not view.request.thinking:
        return ""
    asked = shorten(view.asked, 140)
    written = [f"The user says: “{asked}”", because, then]
    if view.results:
        written.insert(1, f"So far {len(view.results)} tool results came back.")
    effort = view.request.body.get("reasoning_effort")
    return " ".join(filter(None, written[: _SENTENCES.get(str(effort), len(written))]))
