"""Reads JSON that hosts send: values at the dotted paths that specs use (`choices.0.usage`), and numbers.

A number is of tokens, dollars, or seconds before a retry. A host may write anything there.
"""

from __future__ import annotations

import datetime as dt
import math
import sys
from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

from kimi_core.hosts.profile import Profile
from kimi_core.types import JsonObject, Usage


def dig(value: Any, path: str) -> Any:
    """Return the value at a path, or None when any step of it is missing."""
    return first(value, (path,))


def first(value: Any, paths: Iterable[str]) -> Any:
    """Return the value at the first path that has one, or None."""
    for path in paths:
        found = value
        for step in _steps(path):
            if isinstance(step, str):
                found = found.get(step) if isinstance(found, Mapping) else None
            else:
                found = found[step] if isinstance(found, list) and len(found) > step else None
            if found is None:
                break
        if found is not None:
            return found
    return None


@lru_cache(maxsize=512)
def _steps(path: str) -> tuple[str | int, ...]:
    return tuple(int(step) if step.isdigit() else step for step in path.split("."))


def merge_patch(target: JsonObject, patch: Mapping[str, Any]) -> JsonObject:
    """Return a new object with a JSON merge patch (RFC 7396) applied; neither argument is changed."""
    merged = dict(target)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            inner = merged.get(key)
            merged[key] = merge_patch(inner if isinstance(inner, dict) else {}, value)
        else:
            merged[key] = value
    return merged


def count(value: Any, most: int | None = None) -> int | None:
    """Return a number of tokens, or None when the value is none. Digits in a text are one, as gateways write them.

    A number of tokens that is part of another is never more than `most`. Seen live: 6001 reasoning tokens of 6000
    completion tokens.
    """
    if type(value) is int and 0 <= value <= sys.maxsize:  # as nearly all hosts write it
        tokens = value
    elif value is None or (number := amount(value)) is None:
        return None
    else:
        tokens = int(value if isinstance(value, int) else number)
    return tokens if most is None else min(tokens, most)


def amount(value: Any) -> float | None:
    """Return a finite number that is not negative, or None when the value is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= 0 else None


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
    cached = count(first(raw, rules.cached_paths), prompt)
    return Usage(
        input_tokens=prompt,
        output_tokens=completion,
        total_tokens=total or prompt + completion,
        cached_tokens=cached,
        reasoning_tokens=count(first(raw, rules.reasoning_paths), completion),
        raw=raw,
        cache_write_tokens=count(first(raw, rules.cache_write_paths), prompt - (cached or 0)),
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a host asks to wait, sent as seconds or as a date (RFC 9110); None when it asks for none.

    `retry-after-ms` is finer: the openai SDK reads it first.
    """
    if (milliseconds := amount(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    if (text := headers.get("retry-after")) is None:
        return None
    if (seconds := amount(text)) is not None:
        return seconds
    try:
        when = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    when = when if when.tzinfo else when.replace(tzinfo=dt.UTC)
    return max((when - dt.datetime.now(dt.UTC)).total_seconds(), 0.0)
