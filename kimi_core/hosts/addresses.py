"""Tells whose machine an address means and what may be shown of it, by its text alone: no name is looked up."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

LOCALHOST = "localhost"
"""The one spelling of this machine that specs use."""

# Names that no public resolver knows: reserved for it (RFC 6761, RFC 8375, ICANN's `.internal`), or used so everywhere
# (Docker's `host.docker.internal`, a cluster's `name.space.svc`).
_INNER = (
    ".local",
    ".localdomain",
    ".internal",
    ".lan",
    ".home",
    ".home.arpa",
    ".corp",
    ".intranet",
    ".private",
    ".svc",
    ".test",
)
_PORTS: Final = {"http": 80, "https": 443}
_UNICAST: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_NUMERIC = re.compile(r"(0x[0-9a-f]+|[0-9]+)(\.(0x[0-9a-f]+|[0-9]+)){0,3}")


def split(url: str) -> SplitResult | None:
    """Return the parts of an address; None when it is not one."""
    try:
        parts = urlsplit(url.strip())
        _ = parts.port  # raises when it is no number
    except ValueError:
        return None
    return parts


def host_name(parts: SplitResult) -> str:
    """Return the host of an address in one spelling: lower case, no dot at its end, this machine as `localhost`."""
    name = (parts.hostname or "").rstrip(".")
    return LOCALHOST if _is_this_machine(name) else name


def is_local(url: str) -> bool:
    """Return whether an address is of this machine or of a private network."""
    parts = split(url)
    name = host_name(parts) if parts else ""
    if not name:
        return False
    if ip := _ip(name):
        return not is_public(ip)
    return "." not in name or name.endswith(_INNER)


def is_public(address: str) -> bool:
    """Return whether an IP address is a public one; an IPv4 address inside an IPv6 address counts as itself."""
    ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        embedded = ip.ipv4_mapped or ip.sixtofour or (IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None)
        if embedded is None and ip not in _UNICAST:
            return False
        ip = embedded or ip
    return ip.is_global and not ip.is_multicast


def shown(url: str) -> str:
    """Return an address for messages and logs, without user, password and query, which may be secrets."""
    url = re.split(r"[?#]", url, maxsplit=1)[0]
    scheme, separator, rest = url.rpartition("//")
    place, slash, path = rest.partition("/")
    url = f"{scheme}{separator}{place.rpartition('@')[2]}{slash}{path}"
    return repr(url if len(url) <= 100 else f"{url[:97]}…")


def last_name(url: str) -> str:
    """Return the last name in an address's path; an empty text when it has none."""
    parts = split(url)
    return unquote(parts.path.rpartition("/")[2]) if parts else ""


def joined(base: str, location: str) -> str:
    """Return the address that a `Location` means, relative to a base; as it is written when it is not an address."""
    try:
        return urljoin(base, location)
    except ValueError:
        return location


def is_same_origin(one: str, other: str) -> bool:
    """Return whether two addresses have the same scheme, name and port; never for an ambiguous one."""
    try:
        return _origin(urlsplit(one)) == _origin(urlsplit(other)) and not re.search(r"[\\@\s]", other)
    except ValueError:
        return False


def _is_this_machine(name: str) -> bool:
    if name == LOCALHOST or name.endswith(f".{LOCALHOST}"):
        return True
    if not (ip := _ip(name)):
        return False
    found: IPv4Address | IPv6Address = ip_address(ip)
    found = (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found
    return found.is_loopback or found.is_unspecified


def _ip(name: str) -> str | None:
    """Return a host that is an IP address in its usual form; None for a name."""
    if ":" in name:
        try:
            return str(IPv6Address(name.partition("%")[0]))
        except ValueError:
            return None
    if not _NUMERIC.fullmatch(name):
        return None
    import socket  # rarely needed

    try:
        return socket.inet_ntoa(socket.inet_aton(name))  # `127.1` and `0x7f000001` as well, as connecting does
    except OSError:
        return None


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
