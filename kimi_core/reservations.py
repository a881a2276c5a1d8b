"""What calls under way may still cost: held back from a budget until it is known."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass

_numbers = itertools.count()
_READING: ContextVar[tuple[int, ...]] = ContextVar("kimi_core_streams_being_read", default=())
"""The streams that were begun in this context: a thread, a task, or those that it has made."""


@dataclass(frozen=True, slots=True)
class Amount:
    """Tokens, and what they cost in US dollars."""

    tokens: int = 0
    usd: float = 0.0

    def __add__(self, other: Amount) -> Amount:
        """Return both together."""
        return Amount(self.tokens + other.tokens, self.usd + other.usd)


class Reservations:
    """The amounts that are held back, and who waits for one of them. The budget has the lock for it.

    A call that fits beside the others is let through. One that does not waits, unless it is alone: what one answer will
    cost at most is hardly ever what it costs, so a call by itself is made as long as no limit is reached. Nor does a
    call wait that is made while a stream is read: that stream goes on only after it.
    """

    def __init__(self) -> None:
        self._held: dict[int, Amount] = {}
        self._waiting: list[Callable[[], None]] = []

    def try_hold(self, amount: Amount, left: Amount, freed: Callable[[], None] | None, *, stream: bool) -> int | None:
        """Hold an amount back, and return its number.

        Args:
            amount: What a call may cost.
            left: What is not spent yet.
            freed: Called once, from any thread, when some amount is given back; None for a call that cannot wait.
            stream: Whether the call is a stream.

        Returns:
            The number to give it back by; None when it does not fit now.
        """
        held = sum(self._held.values(), amount)
        fits = held.tokens <= left.tokens and held.usd <= left.usd
        reading = tuple(number for number in _READING.get() if number in self._held)
        if self._held and not fits and freed is not None and not reading:
            self._waiting.append(freed)
            return None
        number = next(_numbers)
        self._held[number] = amount
        if stream:
            _READING.set((*reading, number))
        return number

    def give_back(self, number: int) -> list[Callable[[], None]]:
        """Give an amount back; return whom to tell, outside of the lock."""
        if self._held.pop(number, None) is None:
            return []
        waiting, self._waiting = self._waiting, []
        return waiting
