"""The reasoning that goes before an answer: which rule answers, and what it looks at."""

from __future__ import annotations

from kimi_adapters.local_server.rules.view import View
from kimi_adapters.local_server.words import shorten

#: How many of the sentences each effort writes down; everything by default.
_SENTENCES = {"low": 1, "high": 2}


def thoughts(view: View, because: str, then: str) -> str:
    """Return a few sentences of reasoning; none when the model does not think."""
    if not view.request.thinking:
        return ""
    written = [_situation(view), because, then]
    effort = view.request.body.get("reasoning_effort")
    return " ".join(filter(None, written[: _SENTENCES.get(str(effort), len(written))]))


def _situation(view: View) -> str:
    """Return what there is to react to: the user's message, and the number of results so far."""
    asked = f"The user says: “{shorten(view.asked, 60)}”"
    if not view.results:
        return asked
    count = len(view.results)
    return f"{asked} So far {count} tool result{'s' if count > 1 else ''} came back."
