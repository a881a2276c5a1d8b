"""A piece of a tool call as a host sends it, and a call in the making."""

from __future__ import annotations

import json
from collections.abc import Callable, Container
from typing import Any

from kimi_core.tool_arguments import is_object, whole_characters


class Piece:
    """What one element of a host's array says of a call, whatever the types in which it says it.

    Attributes:
        index: The host's index; None when it has none.
        id: Its id.
        name: The tool's name, or a part of it.
        misnamed: The name is none: a number that names no tool on offer, or an object.
        type: The call's type.
        text: The arguments, or a part of them.
        is_object: They came as an object, not as text.
        opens: Arguments may begin so.
    """

    __slots__ = ("id", "index", "is_object", "misnamed", "name", "opens", "text", "type")

    def __init__(self, delta: Any, on_offer: Callable[[], Container[str]]) -> None:
        """Read an element.

        Raises:
            AttributeError: It is no object.
        """
        function = delta.get("function") or {}
        name, arguments, type_ = function.get("name"), function.get("arguments"), delta.get("type")
        self.index = _index(delta.get("index"))
        self.id = _id(delta.get("id"))
        self.misnamed = name is not None and type(name) is not str
        if self.misnamed and str(name) in on_offer():  # a tool that is called 7, by a host that takes it for a number
            name, self.misnamed = str(name), False
        self.name: str | None = None if self.misnamed else name or None
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
        """Whether it says nothing."""
        return not (self.id or self.name or self.text or self.misnamed or self.is_object)

    @property
    def is_blank(self) -> bool:
        """Whether it has no arguments."""
        return not (self.is_object or self.text.strip())

    @property
    def goes_on(self) -> bool:
        """Whether it can be nothing but more arguments of a call that has begun."""
        return not (self.name or self.opens or self.is_blank)


class OpenCall:
    """A call in the making.

    Attributes:
        label: The host's index.
        index: Ours; -1 before the call was shown.
        pending: Arguments that were not shown yet.
        arguments: All of them.
        begun: They are more than blanks or what may become `null`, which means none.
        silent: It was read in the text already, and is not shown again.
        restarts: Its tool was named again after whole arguments.
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
        """Take a piece in."""
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
        """Take more arguments in."""
        self.whole = self.restarts = False
        if self.half or not (text.isascii() or is_sound(text)):
            text = self._paired(text)
        self.pending.append(text)
        self.arguments.append(text)
        if not self.begun:
            begin = "".join(self.pending).strip()
            self.has_arguments = self.has_arguments or bool(begin)
            self.begun = bool(begin) and not "null".startswith(begin)

    def _paired(self, text: str) -> str:
        """Text with the halves of characters put together that a host cut in two."""
        text, self.half = self.half + text, ""
        if "\ud800" <= text[-1:] <= "\udbff":
            text, self.half = text[:-1], text[-1]
        return whole_characters(text)

    @property
    def flows(self) -> bool:
        """Whether nothing is held back, and more arguments are just more arguments."""
        return self.index >= 0 and self.begun and not (self.half or self.silent or self.restarts)

    @property
    def text(self) -> str:
        """All arguments so far."""
        return "".join(self.arguments)

    def is_whole(self) -> bool:
        """Whether the arguments so far are all that a call can have."""
        if not self.whole:
            text = self.text.strip()
            self.whole = text == "null" or (text[-1:] == "}" and is_object(text)) or (self.given and not text)
        return self.whole

    def flush(self) -> str:
        """What was not shown yet."""
        text = "".join(self.pending)
        self.pending.clear()
        return text

    def end(self) -> None:
        """Nothing more will come: what could have become `null`, or a character, is what it is."""
        if self.half:
            self.pending.append("\ufffd")
            self.half = ""
        if not self.begun and "".join(self.pending).strip() in ("", "null"):
            self.pending.clear()


def is_sound(text: str) -> bool:
    """Whether a text holds no half of a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _index(index: Any) -> int | None:
    if type(index) is str and index.lstrip("-").isdecimal():
        return int(index)
    return int(index) if type(index) in (int, float) and index == index and abs(index) < 1e9 else None


def _id(id_: Any) -> str | None:
    if isinstance(id_, str):
        return id_ or None
    return None if id_ is None or isinstance(id_, bool | dict | list) else str(id_)
