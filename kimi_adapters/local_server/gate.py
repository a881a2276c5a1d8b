"""Keeps web pages from using the server through a browser on this machine.

A page can reach a server on 127.0.0.1 in two ways: by a name of its own that it lets resolve to this machine (DNS
rebinding, seen in `Host`), and by a plain request across origins (seen in `Origin`, or in `Sec-Fetch-Site` where a
browser sends no `Origin`).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

if TYPE_CHECKING:
    from kimi_adapters.local_server.server import KimiServer

_FOREIGN_SITES = ("cross-site", "same-site")


class Gate:
    """Answers 403 to requests that a program of this machine would not make, and hands on all others."""

    def __init__(self, app: ASGIApp, kimi: KimiServer) -> None:
        self._app = app
        self._server = kimi

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on, or refuse it unread."""
        reason = next(self._objections(Headers(scope=scope)), None) if scope["type"] == "http" else None
        if reason is None:
            await self._app(scope, receive, send)
            return
        body = {"error": {"message": f"The local Kimi server refused: {reason}", "type": "forbidden"}}
        await JSONResponse(body, 403, {"x-kimi-emulator": "local"})(scope, receive, send)

    def _objections(self, headers: Headers) -> Iterator[str]:
        hosts = headers.getlist("host")
        if not hosts or not all(map(self._is_ours, hosts)):
            yield (
                f"it is not {', '.join(hosts)[:100] or 'a host without a name'}. Ask it by the address that it listens "
                "on, or name the host: allowed_hosts=('name',), `kimi-adapters serve --allow-host name`."
            )
        for origin in headers.getlist("origin"):
            if origin.lower() not in (f"{scheme}://{host.lower()}" for host in hosts for scheme in ("http", "https")):
                yield f"a page of {origin[:100]} has no business here."
        if headers.get("sec-fetch-site") in _FOREIGN_SITES:
            yield "a page of another origin has no business here."

    def _is_ours(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        except ValueError:
            return False
        if name in (allowed.lower() for allowed in self._server.allowed_hosts) or is_loopback(name):
            return True
        # An IP address is no name that a page could let resolve to this machine.
        return self._server.open_to_network and _address(name) is not None


def is_loopback(host: str) -> bool:
    """Return whether a name or address is this machine's own, which no other machine can reach."""
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def check_address(host: str, *, open_to_network: bool) -> None:
    """Refuse to listen where other machines can reach the server, unless `open_to_network` is set.

    Raises:
        ValueError: If `host` is not a loopback address and `open_to_network` is not set.
    """
    if not open_to_network and not is_loopback(host):
        raise ValueError(
            f"host={host!r} can be reached from other machines: whoever reaches it can use the server, and its key is "
            "no secret. Listen on 127.0.0.1, or set open_to_network=True (`kimi-adapters serve --open-to-network`)."
        )


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
