"""Keeping keys out of errors."""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr

from kimi_core.errors import APIError

MASK = "[redacted]"
_STALE = ("content-encoding", "content-length", "transfer-encoding")


SHORTEST = 6
"""Characters. A shorter key is a stand-in, and would be found in ordinary words."""


def text(value: str, key: str | None) -> str:
    """A text without the key."""
    return value.replace(key, MASK) if key and len(key) >= SHORTEST else value


def error(made: APIError, source: Exception, secret: SecretStr | None) -> APIError:
    """Give our error what frameworks look for on the SDK's, without the key.

    The SDK's own request and response hold the authorization in many places, and servers echo wrong keys. So the
    error gets a bare request (method and address) and a copy of the response (status, headers, redacted body).
    """
    key = secret.get_secret_value() if secret else None
    scrub(made, secret)
    request, response = getattr(source, "request", None), getattr(source, "response", None)
    if request is not None:
        made.__dict__["request"] = request = type(request)(request.method, request.url)
    if response is not None:
        made.__dict__["response"] = _bare(response, request, key)
    return made


def scrub(made: APIError, secret: SecretStr | None) -> APIError:
    """Take the key out of an error's words and body: hosts and proxies echo it."""
    key = secret.get_secret_value() if secret else None
    made.message = text(made.message, key)
    made.args = (made.message,)
    for name in ("body", "type", "code", "param"):
        setattr(made, name, _deep(getattr(made, name), key))
    return made


def clean(value: Any, secret: SecretStr | None) -> Any:
    """A JSON value without the key: what a tool answers may quote the request that it was asked with."""
    return _deep(value, secret.get_secret_value()) if secret else value


def _bare(response: Any, request: Any, key: str | None) -> Any:
    headers = {k: text(v, key) for k, v in response.headers.items() if k.lower() not in _STALE}
    content = text(response.text, key).encode()
    return type(response)(response.status_code, headers=headers, content=content, request=request)


def _deep(value: Any, key: str | None) -> Any:
    match value:
        case str():
            return text(value, key)
        case dict():
            return {_deep(k, key): _deep(v, key) for k, v in value.items()}
        case list():
            return [_deep(v, key) for v in value]
    return value
