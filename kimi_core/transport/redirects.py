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


def followed(error: Exception, redirects: int) -> str:
    """Return the address that the host redirects a request to, after so many redirects.

    Raises:
        Exception: If the error is no redirect, or one that is not followed; it is the error itself.
    """
    response = getattr(error, "response", None)
    if response is None or redirects == MOST_REDIRECTS or not keeps(response):
        raise error
    target = leads_to(response)
    if target is None or not is_same_origin(str(response.request.url), target):
        raise error
    return target
