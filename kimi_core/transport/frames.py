"""The frames of a stream: the JSON values in the data of its server-sent events, up to its end.

Only the data matter: hosts name no events, and number none. Lines end as in
https://html.spec.whatwg.org/multipage/server-sent-events.html; how the bytes are split between reads changes nothing.
"""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

from pydantic_core import from_json

from kimi_core.characters import frame_without_halves

DONE = b"[DONE]"
"""The data of the last event."""
MOST = 32 * 1024 * 1024
"""Most bytes of a frame: more than a whole answer has."""
_BOM = b"\xef\xbb\xbf"


class FrameReader:
    """Reads frames out of the bytes of a stream, all that one network read holds at once.

    The work is linear in the bytes, however they are cut: what has no end yet is kept in pieces.

    Attributes:
        ended: Whether there will be no more: the host ended it, or sent what is no frame (`close` raises that).
    """

    __slots__ = ("_after_cr", "_begun", "_body", "_broken", "_data", "_held", "_line", "_silence", "_since", "ended")

    def __init__(self, silence: float | None = None) -> None:
        """Begin a stream.

        Args:
            silence: Seconds without a frame after which the host is given up. Comments and half frames are none: the
                HTTP library's own timeout, which holds for each read, would take them for a sign of life for ever.
        """
        self._silence = silence
        self._since = 0.0
        self._held = 0
        self._line: list[bytes] = []
        """The pieces of a line that has not ended."""
        self._data: list[bytes] = []
        """The data of an event that has not ended, line by line."""
        self._after_cr = False
        self._begun = False
        self._body = b""
        """The first line, where it is of no event but may be a whole body."""
        self._broken: Exception | None = None
        self.ended = False

    def feed(self, read: bytes) -> list[Any]:
        """Return the frames that end in these bytes, up to one that is no JSON."""
        if not (self._line or self._data or self._after_cr) and read.endswith(b"\n\n") and b"\r" not in read:
            data: list[bytes] = []
            for event in read[:-2].split(b"\n\n"):
                if event.startswith(b"data: ") and len(event) > 6 and b"\n" not in event:  # what nearly all are like
                    data.append(event[6:])
                else:
                    data += self._events([*event.split(b"\n"), b""])
            self._begun = True
        else:
            data = self._events(self._lines(read))
        if not data:
            self._watch(read)
            return []
        self._since, self._held, self._body = 0.0, 0, b""
        for i, one in enumerate(data):
            if one.startswith(DONE):
                self.ended = True
                del data[i:]
                break
        try:
            frames: list[Any] = from_json(b"[" + b",".join(data) + b"]")  # one parse reads several faster
        except ValueError:
            frames = []
        return frames if len(frames) == len(data) else self._parsed(data)

    def rest(self) -> list[Any]:
        """Return what a stream that has come to its end leaves: a last event without a blank line behind it.

        A whole body in place of events, under another type than JSON's, is one as well.
        """
        line = b"".join(self._line)
        text = self._body or b"\n".join(self._data) or line.removeprefix(b"data:")
        with contextlib.suppress(ValueError):
            value = None if self.ended else parsed_json(text)
            return [value] if isinstance(value, dict) else []
        return []

    def close(self) -> None:
        """Raise what ended the stream before its end.

        Raises:
            ValueError: If a frame was no JSON, nested too deeply to be read, or without end.
            SilenceError: If there was no frame for too long.
        """
        if self._broken:
            raise self._broken

    def _watch(self, read: bytes) -> None:
        """End the stream when too much, or nothing for too long, has come without a frame."""
        # From the first read without a frame on, since before it the reader of the stream may have taken its time.
        now = time.monotonic()
        self._since = self._since or now
        self._held += len(read)
        if self._held > MOST:
            self._broken = ValueError(f"it has more than {MOST:,} bytes")
        elif self._silence is not None and now - self._since > self._silence:
            self._broken = SilenceError()
        self.ended = self._broken is not None

    def _lines(self, read: bytes) -> list[bytes]:
        """Return the lines that end in these bytes."""
        if not read:
            return []
        if self._after_cr and read.startswith(b"\n"):  # the second half of a line's end
            read = read[1:]
        self._after_cr = False
        if b"\n" not in read and b"\r" not in read:
            if read:
                self._line.append(read)
            return []
        text = b"".join((*self._line, read))
        lines = text.splitlines()
        self._line = [] if text.endswith((b"\n", b"\r")) else [lines.pop()]
        self._after_cr = text.endswith(b"\r")
        return lines

    def _events(self, lines: list[bytes]) -> list[bytes]:
        """Return the data of the events that end in these lines; those without data are left out."""
        found: list[bytes] = []
        for line in lines:
            if not self._begun:
                line, self._begun = line.removeprefix(_BOM), True
                self._body = line if line.startswith(b"{") else b""
            if not line:
                if data := b"\n".join(self._data):
                    found.append(data)
                self._data.clear()
                continue
            field, _, value = line.partition(b":")
            if field == b"data":
                self._data.append(value.removeprefix(b" "))
        return found

    def _parsed(self, data: list[bytes]) -> list[Any]:
        """Return the values of JSON texts with which something is wrong: those before the first that is none."""
        frames: list[Any] = []
        try:
            for one in data:
                frames.append(parsed_json(one))
        except ValueError as error:
            self._broken, self.ended = (None if one.strip().startswith(DONE) else error), True  # in blanks, too
        return frames


class SilenceError(Exception):
    """A host has sent bytes, and no frame for too long."""


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
