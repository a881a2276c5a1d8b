"""The hosts that serve Kimi: one row per endpoint operator, everything in which they differ.

A new host that speaks Chat Completions is one row in `kimi_core/rows`; what it does not say is the default of
`HostRow`. A row says where its facts come from, when they were checked and how well (`tier`).
"""

from __future__ import annotations

from urllib.parse import urlsplit

from kimi_core.host_row import ErrorRule, HostRow, Price
from kimi_core.rows import aimlapi, catalogue, clouds, gateways, moonshot, self_hosted

__all__ = ["HOSTS", "ErrorRule", "HostRow", "Price", "find_by_url"]

_ROWS = (*moonshot.ROWS, *aimlapi.ROWS, *gateways.ROWS, *clouds.ROWS, *catalogue.ROWS, *self_hosted.ROWS)

HOSTS: dict[str, HostRow] = {row.name: row for row in _ROWS}
"""Every known host by name."""


def find_by_url(base_url: str) -> HostRow | None:
    """The row whose address this is, or None. Of several, the one that says more of the address."""
    parts = urlsplit(base_url)
    host, place, path = parts.hostname or "", parts.netloc.rpartition("@")[2].lower(), f"{parts.path}/"
    same = base_url.rstrip("/")
    best, found = 0, None
    for row in HOSTS.values():
        if row.base_url == same:
            return row
        for domain in row.domains:
            if len(domain) > best and _covers(domain, host, place, path):
                best, found = len(domain), row
    return found


def _covers(domain: str, host: str, place: str, path: str) -> bool:
    """Whether a row's domain is that of an address: its host name, host name with port, and path."""
    if domain == host:
        return True
    name, _, start = domain.partition("/")
    if not (host.endswith(name) if name.startswith(".") else name in (host, place)):
        return False
    return not start or path.startswith(f"/{start}/")
