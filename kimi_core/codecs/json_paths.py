"""Finds values in JSON by the dotted paths that specs use (`choices.0.usage`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from kimi_core.types import JsonObject


def dig(value: Any, path: str) -> Any:
    """Return the value at a path, or None when any step of it is missing."""
    for step in _steps(path):
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, Mapping) else None
        else:
            value = value[step] if isinstance(value, list) and len(value) > step else None
        if value is None:
            return None
    return value


def first(value: Any, paths: Iterable[str]) -> Any:
    """Return the value at the first path that has one, or None."""
    return next((found for path in paths if (found := dig(value, path)) is not None), None)


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
