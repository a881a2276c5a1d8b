"""What calls have cost, and the one way in which that is added up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

from kimi_core.events import Finished, ServerToolTurnEnded
from kimi_core.types import Response, Usage

_B = TypeVar("_B", Response, Finished)


@dataclass(frozen=True, slots=True)
class Bill:
    """What one call has cost, or several together. None is what no host reported; adding it changes nothing.

    Attributes:
        usage: Tokens.
        cost_usd: Price in US dollars.
        cost_is_estimate: The price is from the table, or lacks that of a call whose tokens are known.
    """

    usage: Usage | None = None
    cost_usd: float | None = None
    cost_is_estimate: bool = False

    def __add__(self, other: Bill) -> Bill:
        """Return both together; the host's own object is that of the other, if it has one."""
        if self.usage and other.usage:
            usage: Usage | None = self.usage.plus(other.usage)
        else:
            usage = other.usage or self.usage
        if self.cost_usd is None and other.cost_usd is None:
            return Bill(usage)
        cost = (self.cost_usd or 0.0) + (other.cost_usd or 0.0)
        lacks = any(part.cost_usd is None and part.usage is not None for part in (self, other))
        return Bill(usage, cost, self.cost_is_estimate or other.cost_is_estimate or lacks)


def bill_of(answer: Response | Finished | ServerToolTurnEnded) -> Bill:
    """Return what an answer has cost."""
    return Bill(answer.usage, answer.cost_usd, answer.cost_is_estimate)


def billed(answer: _B, bill: Bill) -> _B:
    """Return the answer with another bill."""
    return replace(answer, usage=bill.usage, cost_usd=bill.cost_usd, cost_is_estimate=bill.cost_is_estimate)
