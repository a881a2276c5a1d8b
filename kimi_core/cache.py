"""What was done before and need not be done again: a cache that forgets what was used longest ago."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


def _one(value: object) -> int:
    return 1


class Cache(Generic[T]):
    """A cache for one process, bounded, safe in threads.

    What was put in last is kept even when it alone is larger than the room: a loop that needs it must not get it
    anew, and perhaps otherwise, in every turn.
    """

    def __init__(self, room: int, size: Callable[[T], int] = _one, fresh: float | None = None) -> None:
        """Make an empty one.

        Args:
            room: How much is kept, in what `size` counts.
            size: What a value counts; 1 by default.
            fresh: Seconds after which a value is too old to be used; None means never.
        """
        self._room, self._size, self._fresh = room, size, fresh
        self._kept: OrderedDict[Hashable, tuple[T, float]] = OrderedDict()
        self._taken = 0
        self._unlock()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._unlock)  # a thread of the parent may have held the lock

    def _unlock(self) -> None:
        self._lock = threading.RLock()

    def get(self, key: Hashable) -> T | None:
        """Return the value, or None."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            if self._fresh is not None and time.monotonic() - found[1] > self._fresh:
                self._remove(key)
                return None
            self._kept.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, value: T) -> None:
        """Keep a value, and let go of the oldest ones when there is no room."""
        with self._lock:
            self._remove(key)
            self._kept[key] = value, time.monotonic()
            self._taken += self._size(value)
            while self._taken > self._room and len(self._kept) > 1:
                self._remove(next(iter(self._kept)))

    def drop(self, unwanted: Callable[[T], bool]) -> None:
        """Forget some values."""
        with self._lock:
            for key in [key for key, (value, _) in self._kept.items() if unwanted(value)]:
                self._remove(key)

    def clear(self) -> None:
        """Forget everything."""
        self.drop(lambda _: True)

    def _remove(self, key: Hashable) -> None:
        found = self._kept.pop(key, None)
        if found is not None:
            self._taken -= self._size(found[0])


UPLOADED: Cache[str] = Cache(10_000)
"""Ids of uploaded files, by account, purpose and content."""
