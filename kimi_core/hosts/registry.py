"""The hosts that serve Kimi: one row per endpoint operator, everything in which they differ.

A new host that speaks Chat Completions is one row in `kimi_core/hosts`; what it does not say is the default of
`HostRow`. A row says where its facts come from, when they were checked and how well (`tier`).
"""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

from kimi_core.errors import ConfigError
from kimi_core.hosts import addresses, aimlapi, catalogue, clouds, gateways, moonshot, runware, self_hosted
from kimi_core.hosts.spec import ErrorRule, HostRow, Price, Retirement
from kimi_core.quoting import quoted

__all__ = [
    "HOSTS",
    "ErrorRule",
    "HostRow",
    "Price",
    "Retirement",
    "check_path",
    "find_by_name",
    "find_by_url",
    "guess_by_url",
    "named_by_url",
]

_ROWS = (*moonshot.ROWS, *aimlapi.ROWS, *runware.ROWS, *gateways.ROWS, *clouds.ROWS, *catalogue.ROWS, *self_hosted.ROWS)

HOSTS: dict[str, HostRow] = {row.name: row for row in _ROWS}
"""Every known host by name."""


def find_by_url(base_url: str) -> HostRow | None:
    """The row whose address this is, or None. Of several, the one that says more of the address."""
    parts = addresses.split(base_url)
    if parts is None:  # it is no address, so nobody's
        return None
    host, same = addresses.host_name(parts), base_url.rstrip("/")
    best, found = "", None
    for row in HOSTS.values():
        if row.base_url == same:
            return row
        for domain in row.domains:
            if (domain == host or _covers(domain, host, parts)) and len(domain) > len(best):
                best, found = domain, row
    return found


def named_by_url(base_url: str) -> HostRow | None:
    """The row that an address names: it is the row's own, or one of a local proxy whose path begins with its name.

    Such paths (`http://localhost:4000/vllm/v1`) are how proxies on one's own machines say who is behind them, and how
    the local server says whose dialect it speaks.
    """
    parts = addresses.split(base_url)
    first = parts.path.split("/")[1:2] if parts and addresses.is_local(base_url) else []
    return HOSTS.get(first[0]) or find_by_url(base_url) if first else find_by_url(base_url)


def guess_by_url(base_url: str) -> HostRow | None:
    """The row that calls to an address follow when nobody says whose it is; None when nothing can be said.

    On this machine and in private networks people run servers of their own, which are not Moonshot's.
    """
    return named_by_url(base_url) or (HOSTS["generic"] if addresses.is_local(base_url) else None)


def check_path(row: HostRow, url: str) -> None:
    """Raise for what is certainly too long or short: with an endpoint's own path, or without a known host's end.

    Raises:
        ConfigError: It says what to give instead.
    """
    if row.path and url.rstrip("/").endswith(row.path):
        shorter = url.rstrip("/").removesuffix(row.path)
        raise ConfigError(f"base_url ends with {row.path}, which is added to it: give {quoted(shorter)}.")
    owner = find_by_url(url)
    if owner is None or not owner.key_required or "{" in (owner.base_url or "{"):
        return
    whole, given = urlsplit(owner.base_url or "").path.rstrip("/"), urlsplit(url).path.rstrip("/")
    if given != whole and f"{whole}/".startswith(f"{given}/"):
        rest = whole.removeprefix(given)
        raise ConfigError(
            f"base_url lacks {quoted(rest)} at its end, which {owner.title} has: give {quoted(url.rstrip('/') + rest)}."
        )


def _covers(domain: str, host: str, address: SplitResult) -> bool:
    """Whether a domain that says more, or less, than a host name is that of an address."""
    if domain[0] == ".":
        return host.endswith(domain)
    if host not in domain:
        return False
    name, _, start = domain.partition("/")
    place = f"{host}:{address.port}" if address.port else host
    return name in (host, place) and f"{address.path}/".startswith(f"/{start}/" if start else "/")


@lru_cache(maxsize=1)
def _names() -> dict[str, HostRow]:
    rows = [*reversed(HOSTS.values())]
    places = [(word, row) for row in rows for name in row.domains for word in (name, name.removeprefix("api."))]
    spelt = ((word, row) for row in rows for word in (row.title, *row.aliases, row.name))
    return {_letters(word): row for word, row in (*places, *spelt)}


def find_by_name(name: str) -> HostRow | None:
    """The row of a host's name as people write it: in any case, with any signs between (`llama.cpp`, `VLLM`)."""
    return HOSTS.get(name) or _names().get(_letters(name))


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))
