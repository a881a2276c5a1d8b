"""What calls under way may still cost: held back from a budget until it is known."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass

from kimi_core.held_stream import HeldStream

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


class Reservation:
    """An amount that is held back; called, it is given back.

    Attributes:
        stream: The stream that it is held back for.
    """

    def __init__(self, number: int, amount: Amount, give_back: Callable[[int], None]) -> None:
        self.number, self.amount = number, amount
        self._give_back = give_back
        self.stream = HeldStream()

    def __call__(self) -> None:
        """Give it back."""
        self._give_back(self.number)


class Reservations:
    """The amounts that are held back, and who waits for one of them. The budget has the lock for it.

    A call that fits beside the others is let through. One that does not waits, unless it is alone: what one answer will
    cost at most is hardly ever what it costs, so a call by itself is made as long as no limit is reached. Nor does a
    call wait that is made while a stream is read: that stream goes on only after it. Streams that nobody reads are not
    waited for either.
    """

    def __init__(self, give_back: Callable[[int], None]) -> None:
        self._held: dict[int, Reservation] = {}
        self._waiting: dict[Callable[[], None], None] = {}  # a set in the order of arrival
        self._give_back = give_back

    def try_hold(
        self, amount: Amount, left: Amount, freed: Callable[[], None] | None, *, stream: bool
    ) -> Reservation | None:
        """Hold an amount back.

        Args:
            amount: What a call may cost.
            left: What is not spent yet.
            freed: Called once, from any thread, when some amount is given back; None for a call that cannot wait.
            stream: Whether the call is a stream.

        Returns:
            What gives it back; None when it does not fit now.
        """
        active = [one.amount for one in self._held.values() if not one.stream.rests]
        held = sum(active, amount)
        fits = held.tokens <= left.tokens and held.usd <= left.usd
        reading = tuple(number for number in _READING.get() if number in self._held)
        if active and not fits and freed is not None and not reading:
            self._waiting[freed] = None
            return None
        held_back = self.hold(amount)
        if stream:
            _READING.set((*reading, held_back.number))
        return held_back

    @property
    def held(self) -> Amount:
        """All that is held back."""
        return sum((one.amount for one in self._held.values()), Amount())

    def hold(self, amount: Amount) -> Reservation:
        """Hold an amount back, whether it fits or not."""
        number = next(_numbers)
        made = self._held[number] = Reservation(number, amount, self._give_back)
        return made

    def give_back(self, number: int) -> list[Callable[[], None]]:
        """Give an amount back; return whom to tell, outside of the lock."""
        if self._held.pop(number, None) is None:
            return []
        waiting, self._waiting = self._waiting, {}
        return list(waiting)
