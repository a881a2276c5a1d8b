"""Describes briefly what a schema has and Moonshot's flavour cannot express."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeGuard

_TEMPLATES: Final = {
    "format": "format: {}",
    "pattern": "pattern: {}",
    "contentEncoding": "encoding: {}",
    "contentMediaType": "media type: {}",
    "multipleOf": "multiple of {}",
    "minProperties": "at least {} properties",
    "maxProperties": "at most {} properties",
}
_FLAGS: Final = {"uniqueItems": "no item twice", "deprecated": "deprecated"}
_LIMITS: Final = (
    ("minimum", "exclusiveMinimum", "at least {}", "greater than {}"),
    ("maximum", "exclusiveMaximum", "at most {}", "less than {}"),
)
_NOTED: Final = frozenset(_TEMPLATES) | frozenset(_FLAGS).union(
    *(spec[:2] for spec in _LIMITS), ("default", "propertyNames", "patternProperties")
)
_LONGEST: Final = 200


def notes_on(schema: Mapping[str, Any], kinds: Iterable[str]) -> list[str]:
    """Return a note for each keyword of `schema` that is lost; `kinds` are the types it is read for."""
    if _NOTED.isdisjoint(schema):
        return []
    notes = [text.format(schema[key]) for key, text in _TEMPLATES.items() if _is_word(schema.get(key))]
    notes += [text for key, text in _FLAGS.items() if schema.get(key) is True]
    if "number" in kinds or "integer" in kinds:
        notes += _on_limits(schema, fractions="number" in kinds)
    notes += [f"names match {pattern}" for pattern in _name_patterns(schema)]
    default = schema.get("default")
    if default is not None and "const" not in schema and (text := in_json(default)):
        notes.append(f"default: {text}")
    return notes


def one_of(values: Iterable[Any]) -> str:
    """Return a note that lists the values allowed."""
    return f"one of: {', '.join(in_json(value) or '…' for value in values)}"


def in_json(value: Any) -> str | None:
    """Return the value as JSON, or None when that is impossible or too long to be read."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        return None
    return text if len(text) <= _LONGEST else None


def is_number(value: Any) -> TypeGuard[float]:
    """Return whether the value is a number that JSON can write."""
    return _is_integer(value) or (isinstance(value, float) and math.isfinite(value))


def is_plain(value: float) -> bool:
    """Return whether a number is written without an exponent: "floating-point no scientific notation"."""
    return "e" not in repr(value)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_word(value: Any) -> bool:
    return is_number(value) or (isinstance(value, str) and bool(value))


def _on_limits(schema: Mapping[str, Any], *, fractions: bool) -> Iterator[str]:
    for key, exclusive, text, strictly in _LIMITS:
        value, limit = schema.get(key), schema.get(exclusive)
        if limit is True:  # in draft 4 a boolean excludes `minimum` itself
            value, limit = None, value
        if is_number(value) and not is_plain(value):
            yield text.format(value)
        if is_number(limit) and (fractions or not is_plain(limit)):
            yield strictly.format(limit)


def _name_patterns(schema: Mapping[str, Any]) -> Iterator[str]:
    names, patterns = schema.get("propertyNames"), schema.get("patternProperties")
    if isinstance(names, Mapping) and isinstance(names.get("pattern"), str):
        yield names["pattern"]
    if isinstance(patterns, Mapping) and patterns:
        yield " or ".join(map(str, patterns))
