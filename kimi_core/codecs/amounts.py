"""Reads the numbers of an answer's bill: tokens and dollars. A host may write anything there."""

from __future__ import annotations

import math
from typing import Any


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
