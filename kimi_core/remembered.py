"""Remembers what messages of a framework became, as long as they live and stay what they were.

A framework's message can be changed anywhere: its text, a dict deep inside it. So all that is converted is read anew
each time, and what a message became is taken only if it is still the same: the same texts, the very same numbers, lists
and dicts with the same in them, in the same order.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from operator import is_
from typing import Any, Final, Generic, TypeAlias, TypeVar

from kimi_core.types import Message

M = TypeVar("M")
Read: TypeAlias = Callable[[Any], Sequence[Any] | None]
"""Returns all that a message's conversion reads, in a flat row; None for a message that is not to be remembered."""
Frame: TypeAlias = tuple[Any, Sequence[str] | None, Sequence[Any]]
"""A list or dict, the keys of a dict, and its very values."""

MOST: Final = 20_000
"""How many messages are remembered; then the oldest are forgotten."""
BREAK: Final = object()
"""Goes between the parts of a row whose lengths differ, so that no two messages give the same row."""
_NUMBERS: Final = (int, float, bool)
_DEEPEST: Final = 100


class Remembered(Generic[M]):
    """What messages became, by the message itself, which is held weakly."""

    def __init__(self, read: Mapping[type, Read], most: int = MOST) -> None:
        """Make an empty memory.

        Args:
            read: How a message is read, by its very class; those of other classes are not remembered.
            most: How many are remembered.
        """
        self._read = read
        self._most = most
        self._kept: dict[int, _Kept[M]] = {}
        self._forget = self._gone  # bound once

    def __len__(self) -> int:
        return len(self._kept)

    def converted(self, messages: Iterable[M], convert: Callable[[M], Message | list[Message]]) -> list[Message]:
        """Return what messages became before, each as long as it is what it was; else convert it.

        What one message became is remembered where that can be, from the second time on: most are converted once.

        Args:
            messages: The messages.
            convert: Makes a `Message` of one. Several that are made of one are not remembered.
        """
        found: list[Message] = []
        for message in messages:
            kept = self._kept.get(id(message))
            if kept is not None and kept() is not message:
                kept = None
            if kept is not None and (seen := kept.seen) is not None:
                try:
                    row = kept.read(message)
                    # Equal texts are the same; `1` and `True` are equal, too: what is no text has to be the very same.
                    if row == seen and (not kept.exact or kept.is_exact(row)):
                        found.append(kept.made)
                        continue
                except Exception:  # what was put in may not even be comparable
                    pass
            made = convert(message)
            if isinstance(made, Message):
                self._keep(message, made, kept)
                found.append(made)
            else:
                found += made
        return found

    def _keep(self, message: M, made: Message, kept: _Kept[M] | None) -> None:
        if kept is not None:
            kept.made = made
            kept.look(message)
        elif (read := self._read.get(type(message))) is not None:
            kept = self._kept[id(message)] = _Kept(message, self._forget)
            kept.key, kept.read, kept.seen = id(message), read, None
            if len(self._kept) > self._most:
                with suppress(StopIteration, RuntimeError):  # other threads forget, too
                    self._kept.pop(next(iter(self._kept)), None)

    def _gone(self, kept: Any) -> None:
        self._kept.pop(kept.key, None)


class _Kept(weakref.ref[M]):
    """One message: what was read of it, and what it became."""

    __slots__ = ("deep", "exact", "key", "made", "read", "seen")

    key: int
    read: Read
    made: Message
    seen: Sequence[Any] | None
    """None as long as it was converted but once, and where something in it may change unseen."""
    exact: tuple[int, ...]
    """The places of what has to be the same object."""
    deep: tuple[Frame, ...]

    def look(self, message: M) -> None:
        """Read a message."""
        self.seen = None
        with suppress(Exception):
            seen, deep = self.read(message), list[Frame]()
            if seen is not None and all(type(v) is str or v is BREAK or _collect(v, deep) for v in seen):
                # What is equal to a text is the same on the wire.
                texts = (isinstance(value, str) or value is None or value is BREAK for value in seen)
                self.exact = tuple(at for at, is_text in enumerate(texts) if not is_text)
                self.deep, self.seen = tuple(deep), seen

    def is_exact(self, row: Sequence[Any]) -> bool:
        """Return whether a row that is equal to what was read is the same to the letter."""
        seen = self.seen or ()
        for i in self.exact:
            if row[i] is not seen[i]:
                return False
        for held, keys, values in self.deep:
            if keys is None:
                if len(held) != len(values) or not all(map(is_, held, values)):
                    return False
            elif [*held] != keys or not all(map(is_, held.values(), values)):
                return False
        return True


def _collect(value: Any, found: list[Frame], depth: int = 0) -> bool:
    """Collect the lists and dicts of a JSON value; return whether it is one, in which nothing can change unseen."""
    kind = type(value)
    if kind is str or value is None or kind in _NUMBERS or isinstance(value, Enum):
        return True
    values: list[Any]
    if kind is dict and all(type(key) is str for key in value):
        values = [*value.values()]
        found.append((value, [*value], values))
    elif kind is list:
        values = [*value]
        found.append((value, None, values))
    else:
        return False
    return depth < _DEEPEST and all(_collect(item, found, depth + 1) for item in values)
