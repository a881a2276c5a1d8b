"""The errors about schemas."""

from __future__ import annotations

from collections.abc import Sequence

from kimi_core.errors import MessageError
from kimi_core.quoting import in_short


class SchemaError(MessageError):
    """A JSON Schema that Moonshot's servers cannot take, in any form that means the same.

    Attributes:
        path: Where in the schema, written as the server writes it: `properties.pair.items`, or `root`.
        reason: What is wrong there and what to do about it.
    """

    def __init__(self, path: str | Sequence[str], reason: str) -> None:
        self.path = path if isinstance(path, str) else ".".join(path) or "root"
        self.reason = reason
        super().__init__(self.path, reason)

    def __str__(self) -> str:
        return f"At path '{in_short(self.path, 500)}': {in_short(self.reason, 1_000)}"


class NotAnObjectError(SchemaError):
    """A schema that describes no object where only an object can be."""


class NoValueError(SchemaError):
    """A schema with a part that no value satisfies: nobody can answer in it, on any host."""


class NoSchemaError(SchemaError):
    """What is given as a schema is not one, in any draft: no host can read it."""


class Outgrown(Exception):
    """The schema is larger than the server takes; when references are kept it may not be. Never seen outside."""
