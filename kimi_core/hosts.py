"""The hosts that serve Kimi: one row per endpoint operator, everything in which they differ.

A new host that speaks Chat Completions is one row in `kimi_core/rows`; what it does not say is the default of
`HostRow`. A row says where its facts come from, when they were checked and how well (`tier`).
"""

from __future__ import annotations

from urllib.parse import urlsplit

from kimi_core.host_row import ErrorRule, HostRow, Price
from kimi_core.rows import aimlapi, moonshot, self_hosted

__all__ = ["HOSTS", "ErrorRule", "HostRow", "Price", "find_by_url"]

_ROWS = (*moonshot.ROWS, *aimlapi.ROWS, *self_hosted.ROWS)

HOSTS: dict[str, HostRow] = {row.name: row for row in _ROWS}
"""Every known host by name."""


def find_by_url(base_url: str) -> HostRow | None:
    """The row whose address this is, or None."""
    host = urlsplit(base_url).hostname
    same = base_url.rstrip("/")
    return next((row for row in HOSTS.values() if host in row.domains or row.base_url == same), None)
