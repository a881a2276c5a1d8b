"""The hosts that serve Kimi: one spec per endpoint operator, everything in which they differ.

A new host that speaks Chat Completions is one spec in `kimi_core/hosts`; a fact that it does not set has the default of
its group (`kimi_core.hosts.groups`). A spec has the source of its facts, the day they were checked and how well
(`tier`).
"""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

from kimi_core.errors import ConfigError
from kimi_core.hosts import addresses, aimlapi, catalogue, clouds, gateways, moonshot, runware, self_hosted
from kimi_core.hosts.spec import HostSpec
from kimi_core.quoting import quoted

_ROWS = (
    *moonshot.SPECS,
    *aimlapi.SPECS,
    *runware.SPECS,
    *gateways.SPECS,
    *clouds.SPECS,
    *catalogue.SPECS,
    *self_hosted.SPECS,
)

HOSTS: dict[str, HostSpec] = {spec.name: spec for spec in _ROWS}
"""Every known host by name."""


def find_by_url(base_url: str) -> HostSpec | None:
    """Return the spec whose address this is, or None. Of several, the one that matches more of the address wins."""
    parts = addresses.split(base_url)
    if parts is None:  # it is no address, so nobody's
        return None
    host, same = addresses.host_name(parts), base_url.rstrip("/")
    best, found = "", None
    for spec in HOSTS.values():
        if spec.address.base_url == same:
            return spec
        for domain in spec.address.domains:
            if (domain == host or _covers(domain, host, parts)) and len(domain) > len(best):
                best, found = domain, spec
    return found


def named_by_url(base_url: str) -> HostSpec | None:
    """Return the spec that an address belongs to, or that the path of a local address begins with; None for neither.

    Such paths (`http://localhost:4000/vllm/v1`) are how proxies on one's own machines name the host behind them, and
    how the local server names the host whose dialect it speaks.
    """
    parts = addresses.split(base_url)
    first = parts.path.split("/")[1:2] if parts and addresses.is_local(base_url) else []
    return HOSTS.get(first[0]) or find_by_url(base_url) if first else find_by_url(base_url)


def guess_by_url(base_url: str) -> HostSpec | None:
    """Return the spec for calls to an address when the user names no host; None when it cannot be guessed.

    On this machine and in private networks people run servers of their own, which are not Moonshot's.
    """
    return named_by_url(base_url) or (HOSTS["generic"] if addresses.is_local(base_url) else None)


def check_path(spec: HostSpec, url: str) -> None:
    """Check that a base_url is neither too long nor too short.

    Raises:
        ConfigError: If the base_url ends with the endpoint's own path, or lacks the end that a known host's has.
    """
    if spec.endpoints.chat and url.rstrip("/").endswith(spec.endpoints.chat):
        shorter = url.rstrip("/").removesuffix(spec.endpoints.chat)
        raise ConfigError(f"base_url ends with {spec.endpoints.chat}, which is added to it: give {quoted(shorter)}.")
    owner = find_by_url(url)
    if owner is None or not owner.address.key_required or "{" in (owner.address.base_url or "{"):
        return
    whole, given = urlsplit(owner.address.base_url or "").path.rstrip("/"), urlsplit(url).path.rstrip("/")
    if given != whole and f"{whole}/".startswith(f"{given}/"):
        rest = whole.removeprefix(given)
        raise ConfigError(
            f"base_url lacks {quoted(rest)} at its end, which {owner.title} has: give {quoted(url.rstrip('/') + rest)}."
        )


def _covers(domain: str, host: str, address: SplitResult) -> bool:
    """Return whether a domain that is no plain host name (`.host`, `host:port`, `host/path`) covers an address."""
    if domain[0] == ".":
        return host.endswith(domain)
    if host not in domain:
        return False
    name, _, start = domain.partition("/")
    place = f"{host}:{address.port}" if address.port else host
    return name in (host, place) and f"{address.path}/".startswith(f"/{start}/" if start else "/")


@lru_cache(maxsize=1)
def _names() -> dict[str, HostSpec]:
    specs = [*reversed(HOSTS.values())]
    places = [
        (alias, spec) for spec in specs for name in spec.address.domains for alias in (name, name.removeprefix("api."))
    ]
    spelt = ((alias, spec) for spec in specs for alias in (spec.title, *spec.aliases, spec.name))
    return {_letters(alias): spec for alias, spec in (*places, *spelt)}


def find_by_name(name: str) -> HostSpec | None:
    """Return the spec of a host's name, written in any case and with any punctuation (`llama.cpp`, `VLLM`), or None."""
    return HOSTS.get(name) or _names().get(_letters(name))


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))
