"""Server-sent events out of the bytes of a stream, all that one network read holds at once.

Only the data matter here: hosts name no events, and number none. The line endings are those of
https://html.spec.whatwg.org/multipage/server-sent-events.html; how the bytes are split between reads changes nothing.
"""

from __future__ import annotations

_BOM = b"\xef\xbb\xbf"
_DATA = b"data: "


class EventReader:
    """Reads the data of events.

    The work is linear in the bytes, however they are cut: what has no end yet is kept in pieces.
    """

    __slots__ = ("_after_cr", "_begun", "_data", "_line")

    def __init__(self) -> None:
        self._line: list[bytes] = []
        """The pieces of a line that has not ended."""
        self._data: list[bytes] = []
        """The data of an event that has not ended, line by line."""
        self._after_cr = False
        self._begun = False

    def feed(self, read: bytes) -> list[bytes]:
        """Return the data of the events that end in these bytes; those without data are left out."""
        if not (self._line or self._data or self._after_cr) and read.endswith(b"\n\n") and b"\r" not in read:
            found: list[bytes] = []
            for event in read[:-2].split(b"\n\n"):
                if event.startswith(_DATA) and b"\n" not in event:  # what nearly all are like
                    found.append(event[6:])
                else:
                    found += self._lines([*event.split(b"\n"), b""])
            self._begun = True
            return found
        return self._lines(self._ended(read))

    def _ended(self, read: bytes) -> list[bytes]:
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

    def _lines(self, lines: list[bytes]) -> list[bytes]:
        """Return the data of the events that end in these lines."""
        found: list[bytes] = []
        for line in lines:
            if not self._begun:
                line, self._begun = line.removeprefix(_BOM), True
            if not line:
                if data := b"\n".join(self._data):
                    found.append(data)
                self._data.clear()
                continue
            field, _, value = line.partition(b":")
            if field == b"data":
                self._data.append(value.removeprefix(b" "))
        return found
