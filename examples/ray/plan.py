"""A hundred million rows on paper: how long by each of Moonshot's tiers, what it costs, and what holds it up.

    python examples/ray/plan.py
    python examples/ray/plan.py --rows 1000000 --prompt-tokens 2000 --cached-tokens 1800 --max-tokens 500

Two minutes of requests are simulated, each of which waits for its turn as with `limits=`, takes as long as an answer
does, and fails in one case of twenty; a job runs as the second of these minutes does. Limits and prices are the
project's own tables. What a row costs a worker was measured with `run.py`. What a row is made of is assumed: give
your own.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from heapq import heappop, heappush

from kimi_core import HOSTS, Limits

TIERS = range(6)


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes:
        rows: How many rows.
        prompt_tokens: Tokens of a prompt.
        cached_tokens: Those at its beginning that all rows have in common, found in the host's cache.
        answer_tokens: Tokens of an answer.
        max_tokens: The limit that is sent. Moonshot counts it, whatever is generated.
        tokens_per_second: How fast an answer comes; with `first_token` it says how long.
        first_token: Seconds until it begins.
        fault_share: The share of requests that fail and are sent again, after a second.
        workers: Processes that ask.
        concurrency: How many rows each asks at the same time.
        cpu_ms: CPU time of a worker for a row, measured.
    """

    rows: int = 100_000_000
    prompt_tokens: int = 500
    cached_tokens: int = 400
    answer_tokens: int = 150
    max_tokens: int = 300
    tokens_per_second: float = 50.0
    first_token: float = 1.0
    fault_share: float = 0.05
    workers: int = 16
    concurrency: int = 64
    cpu_ms: float = 3.4

    @property
    def counted(self) -> int:
        """Tokens of a request by Moonshot's count."""
        return self.prompt_tokens + self.max_tokens

    def usd(self, share: float = 1.0) -> float:
        """Return what all answers cost; failed requests cost nothing.

        Args:
            share: What is paid of the price.
        """
        price = HOSTS["moonshot"].usage.prices["kimi-k2.6"]
        fresh = self.prompt_tokens - self.cached_tokens
        row = self.cached_tokens * price.cached + fresh * price.input + self.answer_tokens * price.output
        return self.rows * row / 1e6 * share


def bound(plan: Plan, limits: Limits) -> dict[str, float]:
    """Return how many rows a minute each thing alone lets through."""
    share = 1 - plan.fault_share
    seconds = plan.first_token + plan.answer_tokens / plan.tokens_per_second
    bounds = {
        "requests a minute": (limits.requests_per_minute or 0) * share,
        "tokens a minute": (limits.tokens_per_minute or 0) / plan.counted,
        "tokens a day": (limits.tokens_per_day or 0) / plan.counted / (24 * 60),
        "requests at the same time": (limits.concurrency or 0) * 60 / seconds * share,
        "rows at the same time": plan.workers * plan.concurrency * 60 / seconds * share,
        "CPU of the workers": plan.workers * 60_000 / plan.cpu_ms * share,
    }
    return {name: rows for name, rows in bounds.items() if rows}


def simulated(plan: Plan, limits: Limits, seed: int = 0) -> float:
    """Return the rows that are answered in the second of two minutes."""
    chance = random.Random(seed)
    at_once = min(limits.concurrency or 10**9, plan.workers * plan.concurrency)
    now, answered = 0.0, 0
    ends: list[tuple[float, bool]] = []
    sent: deque[tuple[float, int]] = deque()
    counted = {"requests": 0, "tokens": 0}
    while now < 120:
        while sent and sent[0][0] + 60 <= now:
            counted["requests"] -= 1
            counted["tokens"] -= sent.popleft()[1]
        while ends and ends[0][0] <= now:
            answered += heappop(ends)[1] and now >= 60
        late = [ends[0][0]] if len(ends) >= at_once else []
        if counted["requests"] >= (limits.requests_per_minute or 10**9):
            late.append(sent[0][0] + 60)
        if counted["tokens"] + plan.counted > (limits.tokens_per_minute or 10**12):
            late.append(next(at + 60 for at, tokens in sent if tokens))
        if late:
            now = max(now, *late)
            continue
        fails = chance.random() < plan.fault_share
        seconds = 1.0 if fails else plan.first_token + plan.answer_tokens / plan.tokens_per_second
        heappush(ends, (now + seconds * chance.uniform(0.5, 1.5), not fails))
        tokens = 0 if fails else plan.counted  # what the host refuses costs no tokens
        sent.append((now, tokens))
        counted["requests"] += 1
        counted["tokens"] += tokens
        now += plan.cpu_ms / 1000 / plan.workers
    return float(answered)


def rate(plan: Plan, limits: Limits) -> tuple[float, str]:
    """Return how many rows are answered in a minute, and what holds them up."""
    bounds = bound(plan, limits)
    rows = min(simulated(plan, limits), bounds.get("tokens a day", 1e12))
    return rows, min(bounds, key=lambda name: bounds[name])


def table(plan: Plan) -> str:
    """Return the plan as it stands in the documentation."""
    lines = ["| tier | rows a minute | held up by | days |", "| --- | --- | --- | --- |"]
    for tier in TIERS:
        rows, why = rate(plan, Limits.moonshot_tier(tier))
        lines.append(f"| `tier{tier}` | {rows:,.0f} | {why} | {plan.rows / rows / 24 / 60:,.1f} |")
    return "\n".join(lines)


def costs(plan: Plan) -> str:
    """Return what the plan costs, by the ways there are."""
    uncached = replace(plan, cached_tokens=0)
    ways = {
        "calls, the common beginning from the cache": plan.usd(),
        "calls, nothing from the cache": uncached.usd(),
        "batches, nothing from the cache": uncached.usd(HOSTS["moonshot"].batches.price),
    }
    return "\n".join(["| | USD |", "| --- | --- |", *(f"| {way} | {usd:,.0f} |" for way, usd in ways.items())])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="How long so many rows take, and what they cost.")
    for one in fields(Plan):
        kind = type(one.default)
        parser.add_argument(f"--{one.name.replace('_', '-')}", type=kind, default=one.default)
    plan = Plan(**vars(parser.parse_args(arguments)))
    print(table(plan), costs(plan), sep="\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
