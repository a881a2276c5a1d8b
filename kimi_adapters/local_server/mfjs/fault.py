"""Where in a schema the check is, and its message when something is wrong there."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

JsonObject: TypeAlias = dict[str, Any]


class Place(NamedTuple):
    """A place in a schema.

    Attributes:
        parts: The keys that lead there.
        unreachable: Whether one of them is a name with both braces. The validator takes it for the number of a branch
            and does not find its way back.
    """

    parts: tuple[str, ...] = ()
    unreachable: bool = False

    def at(self, *keys: str) -> Place:
        """Return the place below some keys."""
        return Place((*self.parts, *keys), self.unreachable or any("{" in key and "}" in key for key in keys))

    def branch(self, index: int) -> Place:
        """Return the place of a branch of ``anyOf``; error messages leave out its number."""
        return Place((*self.parts, "anyOf"), self.unreachable)

    @property
    def is_root(self) -> bool:
        """Whether it is the whole schema."""
        return not self.parts

    def __str__(self) -> str:
        return ".".join(self.parts) or "root"


class Fault(Exception):
    """What is wrong with a schema, as the validator writes it."""

    def __init__(self, place: Place, sentence: str) -> None:
        super().__init__(f"At path '{place}': {sentence}")
