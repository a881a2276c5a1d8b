"""The hosts that serve Kimi: one row per endpoint operator, everything in which they differ.

A new host that speaks Chat Completions is one row in `kimi_core/rows`; what it does not say is the default of
`HostRow`. A row says where its facts come from, when they were checked and how well (`tier`).
"""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from kimi_core.host_row import ErrorRule, HostRow, Price
from kimi_core.rows import aimlapi, catalogue, clouds, gateways, moonshot, runware, self_hosted

__all__ = ["HOSTS", "ErrorRule", "HostRow", "Price", "find_by_url"]

_ROWS = (*moonshot.ROWS, *aimlapi.ROWS, *runware.ROWS, *gateways.ROWS, *clouds.ROWS, *catalogue.ROWS, *self_hosted.ROWS)

HOSTS: dict[str, HostRow] = {row.name: row for row in _ROWS}
"""Every known host by name."""


def find_by_url(base_url: str) -> HostRow | None:
    """The row whose address this is, or None. Of several, the one that says more of the address."""
    try:
        parts = urlsplit(base_url)
    except ValueError:  # it is no address, so nobody's
        return None
    host, same = parts.hostname or "", base_url.rstrip("/")
    best, found = "", None
    for row in HOSTS.values():
        if row.base_url == same:
            return row
        for domain in row.domains:
            if (domain == host or _covers(domain, host, parts)) and len(domain) > len(best):
                best, found = domain, row
    return found


def _covers(domain: str, host: str, address: SplitResult) -> bool:
    """Whether a domain that says more, or less, than a host name is that of an address."""
    if domain[0] == ".":
        return host.endswith(domain)
    if host not in domain:
        return False
    name, _, start = domain.partition("/")
    place = address.netloc.rpartition("@")[2].lower()
    return name in (host, place) and f"{address.path}/".startswith(f"/{start}/" if start else "/")
