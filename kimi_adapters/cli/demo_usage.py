"""What the calls of a demonstration came to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields


@dataclass(slots=True)
class Tally:
    """Calls, tokens, dollars and seconds.

    Attributes:
        calls: Answers of the model.
        input_tokens: Tokens read, cached ones included.
        cached_tokens: Those of them that the host had in its cache.
        output_tokens: Tokens written, reasoning included.
        reasoning_tokens: Those of them that were thought.
        cost_usd: What it cost.
        estimates: How many of the costs are from a price list, not from the host.
        seconds: How long it took.
    """

    calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: float = 0.0
    estimates: int = 0
    seconds: float = 0.0

    def add(self, other: Tally) -> None:
        """Take another tally in."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))

    def since(self, before: Tally) -> Tally:
        """Return what came since an earlier state of this tally."""
        return Tally(*(getattr(self, field.name) - getattr(before, field.name) for field in fields(self)))


def total(tallies: Iterable[Tally]) -> Tally:
    """Return the sum of several tallies."""
    whole = Tally()
    for tally in tallies:
        whole.add(tally)
    return whole
