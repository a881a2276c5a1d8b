"""How many requests a server takes in a minute and at the same time, where a test gives it such limits."""

from __future__ import annotations

import math
import threading
import time
from collections import deque

from kimi_adapters.local_server.refusal import Refusal


class Allowance:
    """Counts chat requests. Those that are refused here count for nothing.

    Attributes:
        most_at_once: The most that were answered at the same time so far.
    """

    def __init__(self, requests_per_minute: int | None, concurrency: int | None, minute: float) -> None:
        self.most_at_once = 0
        self._per_minute, self._at_once, self._minute = requests_per_minute, concurrency, minute
        self._arrived: deque[float] = deque()
        self._running = 0
        self._lock = threading.Lock()

    def clear(self) -> None:
        """Forget who came. Those who are being answered still count."""
        with self._lock:
            self._arrived.clear()
            self.most_at_once = self._running

    def enter(self) -> None:
        """Let a request in; `leave` is called when its answer has been sent.

        Raises:
            Refusal: If there are too many.
        """
        with self._lock:
            count = self._count()
            if self._per_minute is not None and count >= self._per_minute:
                raise self._refusal("max request per minute", count + 1, self._per_minute)
            if self._at_once is not None and self._running >= self._at_once:
                raise self._refusal("max concurrency", self._running + 1, self._at_once)
            self._arrived.append(time.monotonic())
            self._running += 1
            self.most_at_once = max(self.most_at_once, self._running)

    def leave(self) -> None:
        """Note that an answer has been sent, or that nobody reads it any more."""
        with self._lock:
            self._running -= 1

    @property
    def headers(self) -> dict[str, str]:
        """Moonshot's headers about what is left (help center: limit, remaining, reset)."""
        if self._per_minute is None:
            return {}
        with self._lock:
            left, reset = self._per_minute - self._count(), self._reset()
        return {
            "x-ratelimit-limit": str(self._per_minute),
            "x-ratelimit-remaining": str(max(0, left)),
            "x-ratelimit-reset": str(math.ceil(reset)) if self._minute > 1 else f"{reset:.2f}",
        }

    @property
    def retry_after(self) -> dict[str, str]:
        """The header that says when to come again."""
        with self._lock:
            full = self._per_minute is not None and self._count() >= self._per_minute
            return {"retry-after": str(math.ceil(self._reset()) if full else 1)}

    def _count(self) -> int:
        while self._arrived and self._arrived[0] + self._minute <= time.monotonic():
            self._arrived.popleft()
        return len(self._arrived)

    def _reset(self) -> float:
        return self._arrived[0] + self._minute - time.monotonic() if self._arrived else self._minute

    @staticmethod
    def _refusal(what: str, current: int, limit: int) -> Refusal:
        # "Your account {uid}<{ak-id}> request reached … rate limit, current:{}, limit:{}" (help center, error codes).
        sentence = f"Your account local-user<ak-local> request reached {what}, current:{current}, limit:{limit}"
        return Refusal(429, "rate_limit_reached_error", sentence)
