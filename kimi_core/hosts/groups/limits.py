"""How much a host lets through, and how it says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """What an account may ask for. None: no limit, or an unknown one.

    Attributes:
        requests_per_minute: Most requests in a minute.
        tokens_per_minute: Most tokens in a minute, of prompts and answers together.
        tokens_per_day: Most tokens in a day.
        concurrency: Most requests at the same time.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    tokens_per_day: int | None = None
    concurrency: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RateLimits:
    """How a host limits what it is asked.

    Attributes:
        headers: Pairs of response headers: how much is left, and when there is more (seconds, `1m30s`, or a Unix time).
        counts_asked: Whether an answer counts in the minute with the tokens that it may have (`max_tokens`), whatever
            it has in the end.
        tiers: The limits of its accounts by name (`tier0`).
    """

    headers: tuple[tuple[str, str], ...] = (
        ("x-ratelimit-remaining", "x-ratelimit-reset"),
        ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
        ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    )
    counts_asked: bool = False
    tiers: Mapping[str, Tier] = field(default_factory=dict)
