"""The line of those in this process who wait for a turn at one place: the first in it asks, the others wait for it."""

from __future__ import annotations

import os
import threading
from typing import Any, Protocol


class Bell(Protocol):
    """What wakes one that waits."""

    @property
    def can_wake(self) -> bool:
        """Whether it would hear that: the event loop of a task may have stopped, or been closed."""

    def ring(self) -> None:
        """Wake it; any thread may call this."""


class Line:
    """Those who wait, in the order of their arrival.

    Attributes:
        under_way: The turns of this process whose requests are under way.
    """

    def __init__(self) -> None:
        self.under_way: set[Any] = set()
        self._waiting: dict[Bell, None] = {}  # a set in the order of arrival
        self._refused: Bell | None = None
        self._lock = threading.Lock()

    def enter(self, bell: Bell) -> None:
        """Stand at the end."""
        with self._lock:
            self._waiting[bell] = None

    def is_first(self, bell: Bell) -> bool:
        """Return whether it is one's turn to ask."""
        with self._lock:
            return self._first(bell) is bell

    def refused(self, bell: Bell) -> None:
        """Note that the limits do not let one through yet: those behind it wait for the same."""
        with self._lock:
            if self._first() is bell:
                self._refused = bell

    @property
    def is_held_up(self) -> bool:
        """Whether the first one waits for the limits; else it is just being asked for, and the line moves on."""
        with self._lock:
            return (first := self._first()) is not None and first is self._refused

    def leave(self, bell: Bell) -> None:
        """Go, whether one was let through or not, and wake the next one."""
        with self._lock:
            self._waiting.pop(bell, None)
            if self._refused is bell:
                self._refused = None
        self.wake()

    def wake(self) -> None:
        """Have the first one ask again: something has ended."""
        with self._lock:
            first = self._first()
        if first is not None:
            first.ring()

    def _first(self, asks: Bell | None = None) -> Bell | None:
        """Return who is next. A task whose loop does not run keeps its place, and holds nobody up."""
        return next((one for one in self._waiting if one is asks or one.can_wake), None)


_lines: dict[str, Line] = {}


def of_place(place: str) -> Line:
    """Return the line at a place."""
    return _lines.setdefault(place, Line())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_lines.clear)
