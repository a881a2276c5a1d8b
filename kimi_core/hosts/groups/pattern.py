"""The type of facts that are regular expressions."""

from __future__ import annotations

import re
from typing import Annotated, TypeAlias

from pydantic import AfterValidator


def _check_pattern(given: str) -> str:
    try:
        re.compile(given)
    except re.error as error:
        raise ValueError(f"no regular expression, {error}") from None
    return given


Pattern: TypeAlias = Annotated[str, AfterValidator(_check_pattern)]
"""A regular expression."""
