"""Checks of the sampling parameters, all of which Kimi models pin."""

from __future__ import annotations

from kimi_adapters.local_server.refusal import invalid
from kimi_adapters.local_server.request import ChatRequest

#: Parameter: the one value while thinking, and the one while not (Moonshot docs, models overview). The
#: sentence is live for temperature (kodustech/kodus-ai#1120, HKUDS/nanobot#4961) and for top_p
#: (google-gemini/gemini-cli#18977).
PINNED: dict[str, tuple[float, float]] = {
    "temperature": (1, 0.6),
    "top_p": (0.95, 0.95),
    "n": (1, 1),
    "presence_penalty": (0, 0),
    "frequency_penalty": (0, 0),
}


def sampling_is_pinned(request: ChatRequest) -> None:
    """Refuse every value but the pinned one."""
    for name, (while_thinking, otherwise) in PINNED.items():
        allowed = while_thinking if request.thinking else otherwise
        if request.body.get(name) not in (None, allowed):
            raise invalid(f"invalid {name}: only {allowed} is allowed for this model")
