"""The client of a command that asks a host something beside chat."""

from __future__ import annotations

from kimi_core import KimiClient
from kimi_core.settings import make_settings, require_key


def client_of(host: str | None, base_url: str | None) -> KimiClient:
    """Return a client with the key of the environment.

    Raises:
        ConfigError: If there is no such host, or the address cannot be its.
        MissingKeyError: If the host needs a key, and there is none.
    """
    settings = make_settings(host=host, base_url=base_url)
    require_key(settings)
    return KimiClient(settings)
