"""Writes and reads schemas as JSON, which is what is sent. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json, to_json

from kimi_core.schema.errors import SchemaError


def as_json(schema: Mapping[str, Any]) -> bytes:
    """Return a schema as JSON. Infinities stay; `without_infinities` deals with them.

    Raises:
        SchemaError: If the schema holds something that JSON does not have (an object, half of a character), or itself.
    """
    try:
        return to_json(schema, inf_nan_mode="constants", fallback=_plain)
    except (ValueError, RecursionError) as error:
        raise _refused(error) from None


def _plain(value: Any) -> Any:
    """Return any mapping as a dict."""
    if isinstance(value, Mapping):
        return dict(value)
    raise ValueError(f"{type(value).__name__} is no JSON type")


def read(raw: bytes) -> Any:
    """Return what `as_json` wrote.

    Raises:
        SchemaError: If the schema is nested deeper than any host follows.
    """
    try:
        return from_json(raw)
    except ValueError as error:
        raise _refused(error) from None


def _refused(error: Exception) -> SchemaError:
    if any(sign in str(error) for sign in ("depth", "recursion", "Circular")):
        return SchemaError((), "it holds itself, or too many subschemas inside one another; flatten it.")
    return SchemaError((), f"it cannot be written as JSON: {error}.")
