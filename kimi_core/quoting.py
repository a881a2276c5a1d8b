"""Shortens values for errors, warnings and logs: enough to recognise them, whatever they are.

Every value that comes from a user, a message, a tool or a host goes through one of these. None of them ever raises.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from functools import cache
from itertools import islice
from reprlib import Repr
from typing import Any, Final

LONGEST: Final = 2_000
"""Most characters of a whole text for a reader."""
_VALUE: Final = 100
"""Most characters of a value, by default."""
_SEVERAL: Final = 8
"""Most names in a list."""
_NUMBER: Final = 10_000
"""Most bits of a number that is written out: Python itself refuses to write more than some 4,300 digits."""


class _Repr(Repr):
    """Write as `reprlib` does, for bytes and endless numbers as well."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.maxstring = self.maxother = most
        self.maxlevel = 3

    def repr_int(self, x: int, level: int) -> str:
        return super().repr_int(x, level) if x.bit_length() < _NUMBER else f"a number of {x.bit_length()} bits"

    def repr_bytes(self, x: bytes, level: int) -> str:
        return repr(x) if len(x) <= self.maxstring else f"{x[: self.maxstring // 2]!r}… of {len(x):,} bytes"

    def repr_bytearray(self, x: bytearray, level: int) -> str:
        return f"bytearray({self.repr_bytes(bytes(x[: self.maxstring]), level)})"


_shortener = cache(_Repr)


def quoted(value: object, most: int = _VALUE) -> str:
    """Return a value as `repr` writes it, shortened: beginning and end of a text, the first few of many items.

    Not for a host's message, which may repeat a key: see `in_short`.
    """
    shown = _attempt(_shortener(most).repr, value)
    return _cut(shown, 3 * most)


def listed(names: Iterable[object], between: str = ", ") -> str:
    """Return names in a spec, as they are; of many the first few, and how many more there are."""
    given = list(names)
    shown = [in_short(name, _VALUE) for name in islice(given, _SEVERAL)]
    if len(given) > _SEVERAL:
        shown.append(f"… and {len(given) - _SEVERAL:,} more")
    return between.join(shown)


def in_short(value: object, most: int = 2 * _VALUE) -> str:
    """Return a text as it is, from its beginning.

    The end is not shown: a key in it would have lost the part by which it is found and taken out.
    """
    text = value if type(value) is str else _attempt(str, value)
    text = _printable(text[: most + 1])
    return text if len(text) <= most else f"{text[: most - 1]}…"


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Return a hint for a misspelt name, or an empty text."""
    near = difflib.get_close_matches(in_short(name), list(known), n=1)
    return f" Did you mean {quoted(near[0])}?" if near else ""


def bounded(text: str) -> str:
    """Return a whole text for a reader; of one that is too long beginning and end, and how much is left out."""
    text = _printable(text)
    if len(text) <= LONGEST:
        return text
    begin, end = LONGEST * 3 // 5, LONGEST // 5
    return f"{text[:begin]} […{len(text) - begin - end:,} characters left out…] {text[-end:]}"


def _attempt(write: Callable[[Any], object], value: object) -> str:
    """Return a value as text, or its type: any `__repr__` may fail, also by how deep it goes."""
    try:
        return str(write(value))
    except Exception:
        return f"<{type(value).__name__}>"


def _cut(text: str, most: int) -> str:
    """Return the beginning and the end of a text that is too long."""
    text, half = _printable(text), most // 2
    return text if len(text) <= most else f"{text[:half]}…{text[-half + 1 :]}"


def _printable(text: str) -> str:
    """Return half of a surrogate pair as an escape: no file and no terminal takes it otherwise."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
