"""HTTP headers that may be secrets: hidden wherever they are kept, and shown to the HTTP library alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

_NAMES = {name.lower(): name for name in ("Accept", "Authorization", "Content-Type", "User-Agent")}
"""As the transport writes them: another spelling would be sent beside its own."""


def hidden(headers: Mapping[str, Any]) -> dict[str, SecretStr]:
    """Return the headers with values that no repr, dump or log shows."""
    return {name: value if isinstance(value, SecretStr) else SecretStr(value) for name, value in headers.items()}


def revealed(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the headers with values as they are sent."""
    return {name: v.get_secret_value() if isinstance(v, SecretStr) else v for name, v in headers.items()}


def revealed_value(value: Any) -> Any:
    """Return what is hidden in a value; any other value as it is."""
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def merged(*groups: Mapping[str, Any]) -> dict[str, Any]:
    """Return the headers of all groups; a later one wins, in whatever case its name is written."""
    found: dict[str, tuple[str, Any]] = {}
    for headers in groups:
        for name, value in headers.items():
            lower = name.lower()
            found[lower] = (_NAMES.get(lower, name), value)
    return dict(found.values())
