"""Redirects of a host: followed at its own origin alone, since the conversation and all headers go along."""

from __future__ import annotations

from typing import Any

from kimi_core.hosts.addresses import is_same_origin, joined

MOST_REDIRECTS = 3
"""Most redirects that one request follows."""

_KEEPING = (307, 308)
"""They have the same request sent again; after the others a POST would become a GET."""
_OTHERS = (301, 302, 303)


def leads_to(response: Any) -> str | None:
    """Return the address that a response redirects to; None when it is no redirect."""
    location = response.headers.get("location")
    if response.status_code not in (*_KEEPING, *_OTHERS) or not location:
        return None
    return joined(str(response.request.url), location)


def keeps(response: Any) -> bool:
    """Return whether a redirect keeps the request as it is."""
    return response.status_code in _KEEPING or (response.status_code in _OTHERS and response.request.method == "GET")


def followed(response: Any, redirects: int) -> str | None:
    """Return the address that a response redirects to after so many redirects; None when it is not followed."""
    if redirects == MOST_REDIRECTS or not keeps(response):
        return None
    target = leads_to(response)
    return target if target is not None and is_same_origin(str(response.request.url), target) else None
