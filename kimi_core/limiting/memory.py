"""Limits counted in the memory of this process. `script.py` has the same steps for Redis."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field

from kimi_core.limiting.asks import DAY, GLANCE, PARTS, TRAVEL, Ask, Delay, Outcome

_WINDOWS = ("requests_per_minute", "tokens_per_minute", "tokens_per_day")


@dataclass(slots=True)
class _Held:
    """A request under way: the parts of the windows in which it is counted, and its tokens."""

    minute: int
    day: int
    tokens: int


@dataclass(slots=True)
class _Place:
    """The counts of one key at one host: per window the parts with what they hold."""

    windows: tuple[dict[int, int], ...] = field(default_factory=lambda: ({}, {}, {}))
    held: dict[str, _Held] = field(default_factory=dict)
    until: float = 0.0


class Memory:
    """See `Storage`."""

    is_local = True

    def __init__(self) -> None:
        self._places: dict[str, _Place] = {}
        self._lock = threading.Lock()

    def take(self, ask: Ask) -> Delay | None:
        """See `Storage.take`."""
        now, spans = time.monotonic(), (ask.minute, ask.minute, DAY)
        concurrency = ask.numbers[3]
        with self._lock:
            place = self._places.setdefault(ask.place, _Place())
            if place.until > now:
                return Delay(place.until - now, "host")
            if concurrency and len(place.held) >= concurrency:
                return Delay(GLANCE, "concurrency")
            tokens = [min(ask.tokens, most) if most else ask.tokens for most in ask.numbers[1:3]]
            amounts = (1, *tokens)
            for name, parts, span, most, amount in zip(
                _WINDOWS, place.windows, spans, ask.numbers[:3], amounts, strict=True
            ):
                wait = _wait(parts, span, most, amount, now)
                if wait > 0:
                    return Delay(wait, name)
            at = [int((now + TRAVEL) / span * PARTS) for span in spans]
            for parts, part, amount in zip(place.windows, at, (1, ask.tokens, ask.tokens), strict=True):
                _add(parts, part, amount)
            place.held[ask.id] = _Held(at[0], at[2], ask.tokens)
        return None

    def end(self, ask: Ask, outcome: Outcome) -> None:
        """See `Storage.end`."""
        now = time.monotonic()
        with self._lock:
            place = self._places.setdefault(ask.place, _Place())
            place.until = max(place.until, now + outcome.pause)
            if (held := place.held.pop(ask.id, None)) is not None:
                _settle(place, held, ask, outcome, now)

    def pause(self, ask: Ask, seconds: float) -> None:
        """See `Storage.pause`."""
        with self._lock:
            place = self._places.setdefault(ask.place, _Place())
            place.until = max(place.until, time.monotonic() + seconds)


def _wait(parts: dict[int, int], span: float, most: int, amount: int, now: float) -> float:
    """Return the seconds until an amount fits into a window; what has left it is forgotten."""
    width = span / PARTS
    for part in [part for part in parts if (part + 1) * width + span <= now]:
        del parts[part]
    over = sum(parts.values()) + amount - most
    if not most or over <= 0:
        return 0.0
    for part in sorted(parts):
        over -= parts[part]
        if over <= 0:
            return (part + 1) * width + span - now
    return span


def _add(parts: dict[int, int], part: int, amount: int) -> None:
    parts[part] = parts.get(part, 0) + amount


def _take_back(parts: dict[int, int], part: int, amount: int) -> None:
    """Count less, unless it has left the window already."""
    if part in parts:
        parts[part] -= amount


def _settle(place: _Place, held: _Held, ask: Ask, outcome: Outcome, now: float) -> None:
    """Count what a request came to, where it was counted with what it could come to."""
    requests, minute, day = place.windows
    had = held.minute
    if outcome.age is not None:
        had = min(had, int((now - outcome.age) / ask.minute * PARTS))
    if not outcome.sent or (had < held.minute and held.minute in requests):
        _take_back(requests, held.minute, 1)
        _add(requests, had, 1 if outcome.sent else 0)
    tokens = 0 if not outcome.sent else held.tokens if outcome.tokens is None else outcome.tokens
    if outcome.asked:
        _take_back(minute, held.minute, held.tokens)
        _add(minute, had, max(tokens, held.tokens))
    elif tokens != held.tokens:
        _take_back(minute, held.minute, held.tokens)
        _add(minute, int(now / ask.minute * PARTS), tokens)
    if tokens != held.tokens:
        _take_back(day, held.day, held.tokens)
        _add(day, int(now / DAY * PARTS), tokens)


MEMORY = Memory()


def _begin_anew() -> None:
    """Forget in a child process what is under way in its parent."""
    MEMORY.__init__()  # type: ignore[misc]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
