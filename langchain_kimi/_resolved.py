"""Values that a model settled by itself, marked with what they belong to.

LangChain makes variants of a model by copying its fields into the constructor and changing some
(`configurable_fields`). A key, address or profile that was settled for one host or model must not travel to another.
"""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import SecretStr

T = TypeVar("T")


class SettledKey(SecretStr):
    """A key, and the host it is for."""

    settled_for: str


class SettledUrl(str):
    """An address, and the host it is of."""

    settled_for: str


class SettledProfile(dict[str, Any]):
    """A model profile, and the host and model it describes."""

    settled_for: str


def settled(value: T, belongs: str) -> T:
    """A value with its mark."""
    value.settled_for = belongs  # type: ignore[attr-defined]
    return value


def without_other_hosts(given: dict[str, Any], host: str | None, model: str | None) -> dict[str, Any]:
    """Arguments without what was settled for another host (key, address) or another model (profile)."""
    belongs = {"api_key": host, "base_url": host, "profile": f"{model} on {host}"}
    return {word: value for word, value in given.items() if not _is_other_hosts(value, belongs.get(word))}


def _is_other_hosts(value: Any, belongs: str | None) -> bool:
    settled_for = getattr(value, "settled_for", None)
    return settled_for is not None and settled_for != belongs
