"""A piece of a tool call as a host sends it, and the call that the pieces make up."""

from __future__ import annotations

import json
from collections.abc import Callable, Container
from typing import Any

from kimi_core.characters import LOST, join_halves, whole_characters
from kimi_core.quoting import in_short
from kimi_core.tool_arguments import is_object


class Piece:
    """One element of a host's array of tool calls, read whatever types the host uses.

    Attributes:
        index: The host's index; None when it has none.
        id: The call's id.
        name: The tool's name, or a part of it.
        misnamed: Whether the name is not one: a number that names no tool on offer, or an object.
        type: The call's type.
        text: The arguments, or a part of them.
        is_object: Whether the arguments came as an object, not as text.
        opens: Whether arguments may begin with this text.
    """

    __slots__ = ("id", "index", "is_object", "misnamed", "name", "opens", "text", "type")

    def __init__(self, delta: Any, on_offer: Callable[[], Container[str]]) -> None:
        """Read an element.

        Raises:
            AttributeError: If the element is not an object.
        """
        function = delta.get("function") or {}
        name, arguments, type_ = function.get("name"), function.get("arguments"), delta.get("type")
        self.index = _index(delta.get("index"))
        self.id = _id(delta.get("id"))
        self.misnamed = name is not None and type(name) is not str
        if self.misnamed and in_short(name) in on_offer():  # a tool that is called 7, which the host takes for a number
            name, self.misnamed = in_short(name), False
        self.name: str | None = None if self.misnamed or not name else whole_characters(name)
        self.type: str | None = type_ if isinstance(type_, str) else None
        self.is_object = type(arguments) is dict
        if type(arguments) is str:
            self.text = arguments
        else:
            self.text = json.dumps(arguments, ensure_ascii=False) if arguments else ""
        begin = self.text.strip()
        self.opens = self.is_object or begin[:1] == "{" or begin == "null"

    @property
    def is_empty(self) -> bool:
        """Return whether the piece holds nothing."""
        return not (self.id or self.name or self.text or self.misnamed or self.is_object)

    @property
    def is_blank(self) -> bool:
        """Return whether the piece has no arguments."""
        return not (self.is_object or self.text.strip())

    @property
    def goes_on(self) -> bool:
        """Return whether the piece can only be more arguments of a call that has begun."""
        return not (self.name or self.opens or self.is_blank)


class OpenCall:
    """A tool call that is still arriving.

    Attributes:
        label: The host's index.
        index: Our index; -1 before the call was put out.
        pending: Arguments that were not put out yet.
        arguments: All arguments so far.
        begun: Whether the arguments are more than blanks or a beginning of `null`, which means none.
        silent: Whether the call was read in the text already, and is not put out again.
        restarts: Whether its tool was named again after whole arguments.
        whole: What `is_whole` found last.
    """

    __slots__ = (
        "arguments",
        "begun",
        "given",
        "half",
        "has_arguments",
        "id",
        "index",
        "label",
        "misnamed",
        "name",
        "pending",
        "restarts",
        "silent",
        "type",
        "whole",
    )

    def __init__(self, id_: str | None = None, name: str | None = None) -> None:
        self.id = id_
        self.name = name
        self.label: int | None = None
        self.index = -1
        self.type = "function"
        self.misnamed = self.begun = self.silent = self.restarts = self.whole = False
        self.has_arguments = self.given = False
        self.pending: list[str] = []
        self.arguments: list[str] = []
        self.half = ""

    def take(self, piece: Piece) -> None:
        """Add a piece to the call."""
        self.label = piece.index if self.label is None else self.label
        self.id = self.id or piece.id
        self.misnamed = self.misnamed or piece.misnamed
        if piece.name and piece.name != self.name:
            self.name = (self.name or "") + piece.name
        self.type = piece.type or self.type
        if piece.is_object:
            self.given = self.has_arguments = True
        if piece.text:
            self.add(piece.text)

    def add(self, text: str) -> None:
        """Add more arguments."""
        self.whole = self.restarts = False
        if self.half or not text.isascii():
            text, self.half = join_halves(self.half, text)
        self.pending.append(text)
        self.arguments.append(text)
        if not self.begun:
            begin = "".join(self.pending).strip()
            self.has_arguments = self.has_arguments or bool(begin)
            self.begun = bool(begin) and not "null".startswith(begin)

    @property
    def flows(self) -> bool:
        """Return whether nothing is held back, and whatever comes next can only be more arguments."""
        return self.index >= 0 and self.begun and not (self.half or self.silent or self.restarts)

    @property
    def text(self) -> str:
        """Return all arguments so far."""
        return "".join(self.arguments)

    def is_whole(self) -> bool:
        """Return whether the arguments so far are complete."""
        if not self.whole:
            text = self.text.strip()
            self.whole = text == "null" or (text[-1:] == "}" and is_object(text)) or (self.given and not text)
        return self.whole

    def flush(self) -> str:
        """Return the arguments that were not put out yet, and forget them."""
        text = "".join(self.pending)
        self.pending.clear()
        return text

    def end(self) -> None:
        """Finish the call: replace half a character that is left, and drop arguments that are blank or `null`."""
        if self.half:
            self.half = ""
            self.pending.append(LOST)
        if not self.begun and "".join(self.pending).strip() in ("", "null"):
            self.pending.clear()


def _index(index: Any) -> int | None:
    if isinstance(index, bool) or not isinstance(index, int | float | str):
        return None
    try:
        number = float(index)
    except (ValueError, OverflowError):
        return None
    return int(number) if abs(number) < 1e9 else None


def _id(id_: Any) -> str | None:
    if isinstance(id_, str):
        return whole_characters(id_) or None
    return None if id_ is None or isinstance(id_, bool | dict | list) else in_short(id_)
