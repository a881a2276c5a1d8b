"""The frames of a stream: the JSON values of its events, up to its end."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json

from kimi_core.characters import frame_without_halves
from kimi_core.transport.sse import EventReader

DONE = b"[DONE]"
"""What the last event says."""


class FrameReader:
    """Reads frames out of the bytes of a stream.

    Attributes:
        ended: Whether the host has said that the stream is at its end.
    """

    __slots__ = ("_events", "ended")

    def __init__(self) -> None:
        self._events = EventReader()
        self.ended = False

    def feed(self, read: bytes) -> Iterator[list[Any]]:
        """Yield the frames that end in these bytes, together if they are all JSON.

        Raises:
            ValueError: If one is not; those before it have been yielded.
        """
        data = self._events.feed(read)
        if data and (data[-1].startswith(DONE) or any(one.startswith(DONE) for one in data)):
            self.ended = True
            data = data[: next(i for i, one in enumerate(data) if one.startswith(DONE))]
        if not data:
            return
        if len(data) > 1 and (frames := _parsed_together(data)) is not None:
            yield frames
            return
        for one in data:
            yield [parsed_json(one)]


def _parsed_together(data: list[bytes]) -> list[Any] | None:
    """Return the values of several JSON texts, which one parse reads faster; None if something is wrong with one."""
    try:
        frames: list[Any] = from_json(b"[" + b",".join(data) + b"]")
    except ValueError:
        return None
    return frames if len(frames) == len(data) else None


def parsed_json(text: str | bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: If it is none, or nested too deeply to be read.
    """
    with contextlib.suppress(ValueError):
        return from_json(text)
    try:
        return frame_without_halves(json.loads(text))  # half of a surrogate pair is JSON to the stdlib
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
