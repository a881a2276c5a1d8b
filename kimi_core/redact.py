"""Keeping keys out of errors."""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr

from kimi_core.errors import APIError

MASK = "[redacted]"
_HEADERS = ("authorization", "api-key", "x-api-key")


def text(value: str, key: str | None) -> str:
    """A text without the key."""
    return value.replace(key, MASK) if key else value


def error(made: APIError, source: Exception, secret: SecretStr | None) -> APIError:
    """Take the HTTP objects over from the SDK's error, and the key out of everything.

    The response stays, since frameworks put its status and headers into their traces; its request is kept
    without its authorization.
    """
    key = secret.get_secret_value() if secret else None
    made.message = text(made.message, key)
    made.args = (made.message,)
    made.body = _deep(made.body, key)
    request, response = getattr(source, "request", None), getattr(source, "response", None)
    for message in (request, getattr(response, "request", None)):
        headers: Any = getattr(message, "headers", {})
        for name in _HEADERS:
            if name in headers:
                headers[name] = MASK
    made.__dict__.update({k: v for k, v in (("request", request), ("response", response)) if v is not None})
    return made


def _deep(value: Any, key: str | None) -> Any:
    match value:
        case str():
            return text(value, key)
        case dict():
            return {k: _deep(v, key) for k, v in value.items()}
        case list():
            return [_deep(v, key) for v in value]
    return value
