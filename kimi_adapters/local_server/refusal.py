"""The refusals with which the server answers."""

from __future__ import annotations


class Refusal(Exception):
    """A request that is refused, with the host's message.

    Attributes:
        status: The HTTP status.
        type: The host's error type, for example ``invalid_request_error``.
        message: The host's sentence.
        own: Whether the gateway itself refuses, not the operator of the model behind it.
    """

    def __init__(self, status: int, type: str, message: str, *, own: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.type = type
        self.message = message
        self.own = own


def invalid(message: str) -> Refusal:
    """Return a 400 ``invalid_request_error``."""
    return Refusal(400, "invalid_request_error", message)


def not_found(message: str) -> Refusal:
    """Return a 404 ``resource_not_found_error``."""
    return Refusal(404, "resource_not_found_error", message)


def no_such_path(method: str, path: str) -> Refusal:
    """Return the gateway's 404 for a path that it does not have."""
    # The messages of the real host are not public beyond "url.not_found".
    return Refusal(404, "resource_not_found_error", f"url.not_found: {method} {path}", own=True)
