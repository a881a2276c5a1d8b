"""Where a host's endpoints beside chat completions are, and which hosts have one that it lacks."""

from __future__ import annotations

from kimi_core.errors import UnsupportedError
from kimi_core.hosts.profile import Profile
from kimi_core.hosts.registry import HOSTS


def path_of(endpoint: str, profile: Profile, lacks: str) -> str:
    """Return the path of an endpoint of a host.

    Args:
        endpoint: Its name, a field of `Endpoints`.
        profile: The host.
        lacks: The text about a host without it (`has no search of the web`).

    Raises:
        UnsupportedError: If the host has no such endpoint; the text names the hosts that have it.
    """
    host = profile.host
    path: str | None = getattr(host.endpoints, endpoint)
    if path is None:
        there = {spec.name: found for spec in HOSTS.values() if (found := getattr(spec.endpoints, endpoint))}
        hosts = " or ".join(f"host={name!r}" for name in there)
        fact = f"overrides={{'endpoints.{endpoint}': {next(iter(there.values()))!r}}}"
        raise UnsupportedError(f"{host.title} (host={host.name!r}) {lacks}. Use {hosts}, or {fact} if it has one.")
    return path
