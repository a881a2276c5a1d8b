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
        """Return the next piece, escaped."""
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


_ESCAPES = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}(?P<rest>\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\(?:u\w{0,3})?\Z|\Z)?"
    r"|\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<cut>\\(?:u\w{0,3})?\Z)|\\.",
    re.DOTALL,
)


class HalfEscapes:
    r"""Replaces the escapes of half a character (`\ud83d` alone) in one JSON text that comes in pieces by `\ufffd`.

    LangChain's parser takes them for strings that nothing can write, send or store.
    """

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = ""

    def feed(self, piece: str) -> str:
        """Return the next piece, without what may become half of an escape."""
        if not self._held and "\\" not in piece:
            return piece
        text, self._held = self._held + piece, ""
        return _ESCAPES.sub(self._whole, text)

    def rest(self) -> str:
        """Return what was held back until the end."""
        held, self._held = self._held, ""
        return held if len(held) < 6 else rf"\ufffd{held[6:]}"

    def _whole(self, match: re.Match[str]) -> str:
        escape, rest = match[0], match["rest"]
        if match["cut"] is not None or (rest is not None and len(rest) != 6):
            self._held = escape
            return ""
        return r"\ufffd" if len(escape) == 6 else escape
