"""Cookies of a host: those that no request can carry are not kept."""

from __future__ import annotations

from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy
from typing import Any


class _Sendable(DefaultCookiePolicy):
    """The stdlib's policy, but for cookies that are not ASCII.

    The HTTP library keeps them, and then fails to write the header of every later request to that host.
    """

    def set_ok(self, cookie: Cookie, request: Any) -> bool:
        return f"{cookie.name}{cookie.value}".isascii() and super().set_ok(cookie, request)


def keep_sendable(jar: CookieJar) -> None:
    """Let a client's jar take only cookies that can be sent; one with a policy of the user's stays as it is."""
    if type(jar._policy) is DefaultCookiePolicy:  # type: ignore[attr-defined]
        jar.set_policy(_Sendable())
