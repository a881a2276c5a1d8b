"""Usage and cost of a call, and where a host reports them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars per million tokens, as published on a day.

    Attributes:
        cached: For input tokens from the host's cache.
        input: For the other input tokens.
        output: For output tokens, reasoning included.
        writes: For input tokens that the host put into its cache, by lifetime (`5m`, `1h`); empty when writing
            costs what other input does.
        as_of: The day.
        source: Where it was read; empty for the host's own pages.
    """

    cached: float
    input: float
    output: float
    writes: Mapping[str, float] = field(default_factory=dict)
    as_of: dt.date
    source: str = ""

    def at(self, share: float) -> Price:
        """Return a share of this price."""
        writes = {lifetime: price * share for lifetime, price in self.writes.items()}
        return replace(
            self, cached=self.cached * share, input=self.input * share, output=self.output * share, writes=writes
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UsageRules:
    """Where a host reports usage and cost, and its published prices.

    Attributes:
        stream_options: Whether `stream_options.include_usage` may be sent.
        paths: Where the usage object is, in a body or a chunk.
        cached_paths: Where the cached tokens are, inside the usage object.
        cache_write_paths: Where the tokens that were put into the cache are, inside the usage object.
        reasoning_paths: Where the reasoning tokens are, inside the usage object.
        cost_paths: Where the price in US dollars is. A spec that sets it promises that the host reports one, which
            budgets in dollars rely on; the default only looks there.
        cost_headers: Response headers that hold the price.
        prices: Published prices by family id, for estimates where it reports no cost.
        cache_ttls: Lifetimes that `prompt_cache_options` may ask for, its default first; empty when it has no such
            option.
    """

    stream_options: bool = True
    paths: tuple[str, ...] = ("usage", "choices.0.usage")
    cached_paths: tuple[str, ...] = (
        "cached_tokens",
        "prompt_tokens_details.cached_tokens",
        "prompt_cache_hit_tokens",
    )
    cache_write_paths: tuple[str, ...] = (
        "prompt_tokens_details.cache_write_tokens",
        "prompt_tokens_details.created_cache_tokens",
    )
    reasoning_paths: tuple[str, ...] = ("completion_tokens_details.reasoning_tokens", "reasoning_tokens")
    cost_paths: tuple[str, ...] = ("usage.cost", "meta.usage.usd_spent", "usage.estimated_cost")
    cost_headers: tuple[str, ...] = ()
    prices: Mapping[str, Price] = field(default_factory=dict)
    cache_ttls: tuple[str, ...] = ()
