"""Infinity and NaN, which Python allows in a schema and JSON does not have."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from kimi_core.schema.errors import SchemaError


def check_values(values: Any, path: tuple[str, ...]) -> None:
    """Refuse values of `enum` and `const` that no answer can hold.

    Raises:
        SchemaError: If a value is, or contains, infinity or NaN.
    """
    if isinstance(values, float) and not math.isfinite(values):
        raise SchemaError(path, f"a value allowed is {values}, which is no JSON number; leave it out.")
    for value in values.values() if isinstance(values, Mapping) else values if isinstance(values, list) else ():
        check_values(value, path)


def without_infinities(schema: Any, path: tuple[str, ...] = ()) -> Any:
    """Return a schema without keywords whose value is no JSON number: bounds that bind nothing, and defaults.

    Raises:
        SchemaError: If a value of `enum` or `const` is, or contains, infinity or NaN.
    """
    if isinstance(schema, list):
        return [without_infinities(inner, (*path, str(index))) for index, inner in enumerate(schema)]
    if not isinstance(schema, Mapping):
        return schema
    for keyword in ("enum", "const"):
        if isinstance(schema.get(keyword), list | float):
            check_values(schema[keyword], path)
    finite = {key: value for key, value in schema.items() if not isinstance(value, float) or math.isfinite(value)}
    return {key: without_infinities(value, (*path, key)) for key, value in finite.items()}
