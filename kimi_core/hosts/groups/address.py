"""Where a host's API is and what lets a call in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import SecretStr

from kimi_core.errors import ConfigError
from kimi_core.headers import hidden


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Address:
    """Where a host's API is, and the key and headers that let a call in.

    Attributes:
        base_url: Where its API is; None when the user must give it. A name in braces is an environment variable:
            `https://{AZURE_RESOURCE_NAME}.services.ai.azure.com/openai/v1`.
        base_url_env: Environment variables that may hold another address, in order.
        domains: Host names by which a `base_url` alone is recognised. One that begins with a dot matches all below
            it; a port or the beginning of a path may follow (`localhost:8000`, `opencode.ai/zen/go`). The longest wins.
            `localhost` matches every spelling of this machine.
        key_env: Environment variables that may hold the key, in order.
        key_required: Whether it refuses calls without a key.
        key_header: Header that holds the bare key; None sends it as a bearer token.
        foreign_keys: Beginnings of keys that belong elsewhere, and where.
        headers: Sent with every request.
    """

    base_url: str | None = None
    base_url_env: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    key_env: tuple[str, ...] = ()
    key_required: bool = True
    key_header: str | None = None
    foreign_keys: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str | SecretStr] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("base_url_env", "domains", "key_env"):
            if isinstance(given := getattr(self, name), str):  # whose letters would be taken for names
                raise ConfigError(f"{name} of an Address must be a tuple: ({given!r},), with the comma.")
        if self.headers:
            object.__setattr__(self, "headers", hidden(self.headers))
