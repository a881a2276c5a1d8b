"""The record of what was asked and what was answered."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kimi_adapters.local_server.exchange import Answer, HttpCall, parsed

#: A server that runs for days must not keep everything.
_ROOM = 10_000


@dataclass(slots=True)
class RecordedRequest:
    """One request that reached the server, and its answer.

    Attributes:
        method: The HTTP method.
        path: The path.
        headers: The headers by lower-case name; the key is redacted.
        body: The parsed JSON body, None when there was none.
        status: The status answered; 0 until then.
        response: The parsed body of the answer; for a stream, the list of its data frames.
        error: The message of an error answer.
        at: When it arrived, by `time.monotonic()`.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    status: int = 0
    response: Any = None
    error: str | None = None
    at: float = field(default_factory=time.monotonic, compare=False)


class Log:
    """The last requests in the order of their arrival."""

    def __init__(self) -> None:
        self.entries: deque[RecordedRequest] = deque(maxlen=_ROOM)

    def opened(self, call: HttpCall) -> RecordedRequest:
        """Record a request that arrived, and return its entry."""
        entry = RecordedRequest(call.method, call.path, redacted(call.headers), _keyless(parsed(call.data)))
        self.entries.append(entry)
        return entry


def closed(entry: RecordedRequest, answer: Answer) -> None:
    """Record the answer that is about to be sent."""
    entry.response, entry.error = answer.logged, answer.error
    entry.status = answer.status


def _keyless(body: Any) -> Any:
    """Return a body without the key, which is in one of Runware's tasks."""
    if not isinstance(body, list):
        return body
    return [{**t, "apiKey": "[redacted]"} if isinstance(t, dict) and "apiKey" in t else t for t in body]


def redacted(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers without the key."""
    kept = dict(headers)
    if "authorization" in kept:
        kept["authorization"] = "Bearer [redacted]"
    if "api-key" in kept:
        kept["api-key"] = "[redacted]"
    return kept
