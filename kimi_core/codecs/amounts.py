"""Reads numbers that hosts report: tokens, dollars, the pause before a retry. A host may write anything there."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from kimi_core.codecs.json_paths import first
from kimi_core.hosts.profile import Profile
from kimi_core.types import JsonObject, Usage


def count(value: Any) -> int | None:
    """Return a number of tokens, or None when the value is none. Digits in a text are one, as gateways write them."""
    number = amount(value)
    return None if number is None else int(value if isinstance(value, int) else number)


def amount(value: Any) -> float | None:
    """Return a finite number that is not negative, or None when the value is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= 0 else None


def part(value: Any, whole: int) -> int | None:
    """Return a number of tokens that is part of another, and never more; None when the value is none.

    Seen live: 6001 reasoning tokens of 6000 completion tokens.
    """
    number = count(value)
    return None if number is None else min(number, whole)


def usage_of(raw: JsonObject | None, profile: Profile, ending: str = "_tokens") -> Usage | None:
    """Return the tokens that a host reports; None when it reports none.

    Args:
        raw: What it reports.
        profile: Whose paths are followed.
        ending: Of the names of the counts: `prompt_tokens`, `completion_tokens`, `total_tokens`.
    """
    if not raw:
        return None
    rules = profile.host.usage
    prompt, completion, total = (count(raw.get(f"{name}{ending}")) for name in ("prompt", "completion", "total"))
    if prompt is completion is total is None:
        return None
    prompt, completion = prompt or 0, completion or 0
    cached = part(first(raw, rules.cached_paths), prompt)
    return Usage(
        input_tokens=prompt,
        output_tokens=completion,
        total_tokens=total or prompt + completion,
        cached_tokens=cached,
        reasoning_tokens=part(first(raw, rules.reasoning_paths), completion),
        raw=raw,
        cache_write_tokens=part(first(raw, rules.cache_write_paths), prompt - (cached or 0)),
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a host asks to wait, sent as seconds or as a date (RFC 9110); None when it asks for none.

    `retry-after-ms` is finer: the openai SDK reads it first.
    """
    if (milliseconds := amount(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    text = headers.get("retry-after")
    if text is None or (seconds := amount(text)) is not None:
        return None if text is None else seconds
    try:
        when = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    when = when if when.tzinfo else when.replace(tzinfo=dt.UTC)
    return max((when - dt.datetime.now(dt.UTC)).total_seconds(), 0.0)
