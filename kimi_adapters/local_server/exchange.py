"""One HTTP exchange, free of any web framework: the call that came in and the answer that goes out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kimi_adapters.local_server.refusal import invalid

#: One element of an event stream: an object to send as ``data: <json>``, or raw text.
Frame = dict[str, Any] | str | bytes

DONE = "data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class HttpCall:
    """A request as it came in; header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    data: bytes
    id: str = ""
    query: Mapping[str, str] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        """Parse the body as a JSON object.

        Raises:
            Refusal: If the body is no JSON object.
        """
        try:
            parsed = json.loads(self.data)
        except (ValueError, RecursionError):
            raise invalid("Invalid request: the request body is not valid JSON") from None
        if not isinstance(parsed, dict):
            raise invalid("Invalid request: the request body must be a JSON object")
        return parsed


@dataclass(slots=True)
class Answer:
    """A response to send.

    Attributes:
        pieces: The body, in the pieces in which it goes onto the network.
        status: The HTTP status.
        content_type: The media type.
        headers: Further headers.
        cut: Whether to drop the connection after the last piece instead of ending properly.
        streamed: Whether the pieces are separate chunks, possibly with a pause between them.
        stall: Seconds of silence in the middle of the pieces.
        logged: What the log shows as the response.
        error: The message of an error answer.
        admitted: Whether it counts as one of those at the same time until it has been sent.
    """

    pieces: Sequence[bytes]
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    streamed: bool = False
    stall: float = 0.0
    logged: Any = None
    error: str | None = None
    admitted: bool = False


def dump(value: Any) -> bytes:
    """Write a value as compact JSON; half a surrogate pair, which UTF-8 cannot hold, becomes a question mark."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def whole(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Return a JSON answer."""
    return Answer([dump(body)], status, headers=dict(headers or {}), logged=body)


def events(frames: Sequence[Frame], *, done: bool = True, cut: bool = False, coalesce: int = 1) -> Answer:
    """Return an event stream in which every ``coalesce`` frames share one piece."""
    encoded = [_encode(frame) for frame in frames] + ([DONE.encode()] if done else [])
    pieces = [b"".join(encoded[at : at + coalesce]) for at in range(0, len(encoded), coalesce)]
    logged = [item for frame in frames for item in logged_frames(frame)]
    return Answer(pieces, content_type="text/event-stream; charset=utf-8", cut=cut, streamed=True, logged=logged)


def _encode(frame: Frame) -> bytes:
    if isinstance(frame, dict):
        return b"data: " + dump(frame) + b"\n\n"
    return frame.encode() if isinstance(frame, str) else frame


def logged_frames(frame: Frame) -> list[Any]:
    """Return the JSON values of the data lines in a frame."""
    if isinstance(frame, dict):
        return [frame]
    text = frame.decode("utf-8", "replace") if isinstance(frame, bytes) else frame
    lines = (line[5:].strip() for line in text.splitlines() if line.startswith("data:"))
    return [value for value in map(parsed, lines) if value is not None]


def parsed(text: str | bytes) -> Any:
    """Return the JSON value of a text, or None when the text is not JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
