"""What is asked of a storage of limits, and what it says."""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass, field
from typing import Final, Protocol

MINUTE: Final = 60.0
DAY: Final = 86_400.0
PARTS: Final = 60
"""A window is counted in so many parts. What was counted leaves it with the end of its part: never too early."""
TRAVEL: Final = 5.0
"""Seconds that a request may take to reach the host: its minute runs from then on, or from an earlier answer."""
GLANCE: Final = 0.1
"""Seconds after which is looked again whether somebody else has ended."""


@dataclass(slots=True)
class Ask:
    """One request that is to be sent.

    Attributes:
        place: What shares the limits: a digest of key and host.
        numbers: `Limits.numbers`.
        tokens: The most tokens that it may come to.
        minute: The seconds of a minute; tests have a shorter one.
        id: Its own name.
        ended: Whether it has ended or was given up; a thread that comes late does not send it any more.
        lock: Held while a storage that does I/O takes or ends it.
    """

    place: str
    numbers: tuple[int, int, int, int]
    tokens: int
    minute: float = MINUTE
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    ended: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request.

    Attributes:
        sent: Whether it may have reached the host. Otherwise nothing of it counts.
        age: Seconds since the host had it for certain; None when it is not known to have had it.
        tokens: The tokens that it came to; None leaves those that were held back.
        asked: Whether the minute counts what was held back all the same (see `RateLimits.counts_asked`).
        pause: Seconds in which the host wants no request.
    """

    sent: bool = True
    age: float | None = None
    tokens: int | None = None
    asked: bool = False
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Delay:
    """Why a request cannot be sent yet.

    Attributes:
        seconds: When to ask again at the latest.
        limit: What it waits for: `concurrency`, the name of another limit, `turn` or `host`.
    """

    seconds: float
    limit: str


class Storage(Protocol):
    """Where limits are counted."""

    is_local: bool
    """Whether asking does no I/O."""

    def take(self, ask: Ask) -> Delay | None:
        """Count a request and let it be sent, or say why not yet.

        Raises:
            AwayError: If the storage cannot be reached.
        """

    def end(self, ask: Ask, outcome: Outcome) -> None:
        """Settle a request that has ended, or that was given up. Never raises, and waits for no I/O."""

    def pause(self, ask: Ask, seconds: float) -> None:
        """Let nobody send for some seconds; as `end` otherwise."""


class AwayError(Exception):
    """The storage cannot be reached. Its text has no address.

    Attributes:
        since: When that was first noticed, by the clock `time.monotonic`.
    """

    def __init__(self, since: float) -> None:
        super().__init__()
        self.since = since
