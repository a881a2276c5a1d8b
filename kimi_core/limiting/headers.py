"""What a host's headers say about how long it wants to be left alone."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any, Final

from kimi_core import errors as err
from kimi_core.hosts.groups import RateLimits

LONGEST_PAUSE: Final = 60.0
"""Seconds. No longer is a host left alone by those that it has not refused: it may mean another limit."""
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SPAN = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h)", re.ASCII)
_NUMBER = re.compile(r"\d{1,13}(?:\.\d{1,9})?", re.ASCII)
_UNIX = 1_000_000_000.0


def pause_of_headers(headers: Mapping[str, str], rules: RateLimits) -> float:
    """Return the seconds for which nothing is left, by an answer's headers; 0 when something is."""
    pauses = (_seconds(headers.get(reset)) for left, reset in rules.headers if _is_none(headers.get(left)))
    return min(max(pauses, default=0.0), LONGEST_PAUSE)


def pause_of_error(error: BaseException, rules: RateLimits) -> float:
    """Return the seconds for which an error of a host says to ask nothing, no matter who asks."""
    if not isinstance(error, err.RateLimitError) or isinstance(error, err.QuotaExceededError):
        return 0.0
    if error.retry_after is not None:
        return min(max(error.retry_after, 0.0), LONGEST_PAUSE)
    headers: Any = getattr(getattr(error, "response", None), "headers", None)
    return 0.0 if headers is None else pause_of_headers(headers, rules)


def _is_none(left: str | None) -> bool:
    return left is not None and _NUMBER.fullmatch(left.strip()) is not None and float(left) == 0


def _seconds(reset: str | None) -> float:
    """Return the seconds until a limit begins anew: they are written as such, with units, or as a Unix time."""
    text = (reset or "").strip()[:64]
    if _NUMBER.fullmatch(text):
        value = float(text)
        if value < _UNIX:
            return value
        return max(0.0, (value / 1000 if value >= _UNIX * 100 else value) - time.time())
    parts = _SPAN.findall(text)
    whole = "".join(f"{number}{unit}" for number, unit in parts)
    return sum(float(number) * _UNITS[unit] for number, unit in parts) if parts and whole == text else 0.0
