"""What can be sent as a header. What cannot is refused here: the HTTP library's own error would quote the value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kimi_core.errors import ConfigError
from kimi_core.headers import revealed_value
from kimi_core.quoting import quoted

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]*")
_LIBRARYS_OWN = {
    *("connection", "content-length", "expect", "host", "http2-settings", "keep-alive", "proxy-authenticate"),
    *("proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
}
"""Headers about the connection and the framing of the body, which the HTTP library alone knows."""


def check_headers(headers: Mapping[str, Any] | None) -> None:
    """Raise for headers that cannot be sent, without quoting their values.

    Raises:
        ConfigError: If they are no mapping of texts, a name or a value has characters that cannot be sent, or a name
            comes twice or is that of a header which the HTTP library sends itself.
    """
    if not isinstance(headers, Mapping | None):
        raise ConfigError(f"Headers must be a mapping of names to texts, not {type(headers).__name__}.")
    seen: set[str] = set()
    for name, value in (headers or {}).items():
        _check_name(name)
        if name.lower() in seen:
            raise ConfigError(f"The header {quoted(name)} is given twice: upper and lower case are the same in a name.")
        seen.add(name.lower())
        text = revealed_value(value)
        if not isinstance(text, str):
            raise ConfigError(f"The header {quoted(name)} must be text, not {type(text).__name__}.")
        check_header(f"The header {quoted(name)}", text)


def check_header(what: str, value: str) -> None:
    """Raise for a value that no header can have.

    Raises:
        ConfigError: If the value has control characters, letters that are not ASCII, or white space around it.
    """
    if not (value.isascii() and value.isprintable()) or value != value.strip():
        raise ConfigError(
            f"{what} has characters that cannot be sent: blanks around it, some that are not seen, or none of ASCII. "
            "Copy it anew, or check how it was read."
        )


def _check_name(name: object) -> None:
    if not isinstance(name, str):
        raise ConfigError(f"A header's name must be text, not {type(name).__name__}.")
    good = _NAME.match(name)[0]  # type: ignore[index]
    if not name:
        raise ConfigError("A header has an empty name.")
    if good != name:  # the rest is not shown: it may be a value that got into the name
        raise ConfigError(
            f"The name of a header that begins with {good[:40]!r} has {name[len(good)]!r} in it: a name is letters, "
            "digits and hyphens."
        )
    if name.lower() in _LIBRARYS_OWN:
        raise ConfigError(
            f"The header {quoted(name)} is about the connection, and the HTTP library sends it: leave it out."
        )
