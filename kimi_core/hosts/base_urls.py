"""Checks addresses of hosts as users and specs give them, and fills in the variables in braces."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

from kimi_core.errors import ConfigError
from kimi_core.hosts import addresses, registry
from kimi_core.hosts.spec import HostSpec
from kimi_core.quoting import in_short, quoted


def is_trusted(url: str, spec: HostSpec) -> bool:
    """Return whether an address is known as the host's; plain http only counts where the spec's own address has it."""
    plain = url.lower().startswith("http:") and not (spec.address.base_url or "").startswith("http:")
    return not plain and registry.find_by_url(url) is spec


def check_url(url: str) -> None:
    """Check a base_url before the HTTP library does. Logs show it, so nothing secret may be in it.

    Raises:
        ConfigError: If the base_url is not an address, or has a user name, a query or a fragment.
    """
    if not _is_address(url):
        shown = "" if "@" in url else f", got {addresses.shown(url)}"
        raise ConfigError(f"base_url must be an address that begins with https:// or http://{shown}.")
    if urlsplit(url).username is not None:
        raise ConfigError(
            "base_url holds a user name or a password (https://user:password@…), which logs and traces would show. "
            "Leave them out and give default_headers={'Authorization': …}, or an http_client with authentication."
        )
    if "?" in url or "#" in url:
        raise ConfigError(
            f"base_url ends before a query or fragment: leave out what comes after {quoted(re.split('[?#]', url)[0])}. "
            "Paths of the host's API are put behind it, and logs and traces would show it. A proxy that needs a "
            "query takes an http_client with params."
        )


def _is_address(url: str) -> bool:
    if not url.isprintable() or " " in url or "\\" in url:
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of the brackets around an IPv6 address, or of the port
        return False


def check_owner(spec: HostSpec, base_url: str | None, name: str) -> None:
    """Check that an address is not another known host's, which must not get the key.

    `name` is the option or the environment variable that has the address. Two specs may share one address (Runware has
    two). Servers that need no key do not count: anybody's server may listen on a local port.

    Raises:
        ConfigError: If the address is another host's.
    """
    owner = registry.find_by_url(base_url) if base_url else None
    if (
        owner
        and owner.address.key_required
        and owner.name != spec.name
        and owner.address.base_url != spec.address.base_url
    ):
        raise ConfigError(
            f"{name} {in_short(base_url)} is {owner.title}'s: use host={owner.name!r}, or leave {name} out."
        )


def filled(spec: HostSpec) -> str | None:
    """Return the spec's address, with the environment's values for the names in braces.

    Raises:
        ConfigError: If one of these variables is not set.
    """
    url = spec.address.base_url
    if not url or "{" not in url:
        return url
    names = re.findall(r"\{(\w+)\}", url)
    values = {name: os.environ.get(name, "").strip() for name in names}
    if missing := [name for name in names if not values[name]]:
        raise ConfigError(
            f"The address of host={spec.name!r} is {url}: set {' and '.join(missing)}, or give base_url=…"
        )
    return url.format(**values)
