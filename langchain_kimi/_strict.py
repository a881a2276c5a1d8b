"""Tool arguments for readers that take nothing but strict JSON, as LangChain's v3 events do."""

from __future__ import annotations

import re

_TOKENS = re.compile(r'\\(?:.|\Z)|"|[\x00-\x1f]', re.DOTALL)


class Escaper:
    """Escapes the raw control characters inside the strings of one JSON text that comes in pieces.

    Models write them; the value stays the same. Between the strings they are blanks and stay.
    """

    __slots__ = ("_escaped", "_inside")

    def __init__(self) -> None:
        self._inside = False
        self._escaped = False

    def feed(self, piece: str) -> str:
        """The next piece, escaped."""
        begin = 1 if self._escaped and piece else 0  # a backslash ended the piece before
        self._escaped = self._escaped and not piece
        return piece[:begin] + _TOKENS.sub(self._token, piece[begin:])

    def _token(self, match: re.Match[str]) -> str:
        token = match[0]
        if token == '"':
            self._inside = not self._inside
        elif token[0] == "\\":
            self._escaped = len(token) == 1
        elif self._inside:
            return f"\\u{ord(token):04x}"
        return token
