"""`reasoning_details`: reasoning as an array of objects, as OpenRouter has it."""

from __future__ import annotations

from typing import Any

from kimi_core.characters import without_halves
from kimi_core.types import JsonObject

_GROWING = ("text", "summary", "data")
"""What the deltas of one item continue; everything else they repeat or bring once."""


class Details:
    """Collects the details of one answer. Whole items stay as they came; deltas of one item become one.

    A delta belongs to the item of the same `type` and `index`. One without an index continues the last item when
    that has the same type and came in an earlier chunk.
    """

    __slots__ = ("_items",)

    def __init__(self) -> None:
        self._items: list[_Item | Any] = []

    def add(self, sent: Any) -> str:
        """Take in the details of a chunk.

        Returns:
            Their text; encrypted items have none.
        """
        if not isinstance(sent, list):
            return ""
        earlier = len(self._items)
        return "".join(self._take(item, earlier) for item in sent)

    def result(self) -> tuple[Any, ...]:
        """Return all items in the order in which they began."""
        return tuple(without_halves(item.whole() if isinstance(item, _Item) else item) for item in self._items)

    def _take(self, sent: Any, earlier: int) -> str:
        if not isinstance(sent, dict):
            self._items.append(sent)
            return ""
        item = self._find(sent, earlier)
        if item is None:
            self._items.append(_Item(sent))
        else:
            item.grow(sent)
        text = sent.get("text") or sent.get("summary")
        return text if isinstance(text, str) else ""

    def _find(self, sent: JsonObject, earlier: int) -> _Item | None:
        index = sent.get("index")
        known = self._items[earlier - 1 : earlier] if index is None else self._items
        same = (i for i in known if isinstance(i, _Item) and i.continues(sent))
        return next(same, None)


class _Item:
    """One object that is still arriving. Its texts are joined once: there may be thousands of pieces."""

    __slots__ = ("_fields", "_pieces")

    def __init__(self, sent: JsonObject) -> None:
        self._fields = dict(sent)
        self._pieces: dict[str, list[str]] = {}

    def continues(self, sent: JsonObject) -> bool:
        return all(self._fields.get(key) == sent.get(key) for key in ("type", "index"))

    def grow(self, sent: JsonObject) -> None:
        for key, value in sent.items():
            before = self._fields.get(key)
            if key in _GROWING and isinstance(value, str) and isinstance(before, str):
                self._pieces.setdefault(key, [before]).append(value)
            elif value is not None:
                self._fields[key] = value

    def whole(self) -> JsonObject:
        return {**self._fields, **{key: "".join(pieces) for key, pieces in self._pieces.items()}}
