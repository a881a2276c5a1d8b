"""What a row of the table is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

STRING = {"type": "string"}
NULL = {"type": "null"}


def of(subschema: Any, **root: Any) -> dict[str, Any]:
    """Return an object with the one property `a`."""
    return {"type": "object", "properties": {"a": subschema}, **root}


def with_definitions(schema: Mapping[str, Any], **definitions: Any) -> dict[str, Any]:
    """Return the schema with root definitions."""
    return {**schema, "$defs": definitions}


def ref(name: str) -> dict[str, str]:
    """Return a reference to a definition."""
    return {"$ref": f"#/$defs/{name}"}


class Row(NamedTuple):
    """One schema with the verdict on it.

    Attributes:
        name: Its rule and its own name.
        schema: The schema.
        message: The message with which the server refuses it; None when it takes it.
        inexpressible: The error of the client, when there is no form of it that the server takes; None when there is
            one, which the client sends.
    """

    name: str
    schema: dict[str, Any]
    message: str | None
    inexpressible: str | None


@dataclass(frozen=True)
class Rule:
    """One rule of the flavour.

    Attributes:
        name: What it is about.
        fact: Where it is known from.
        taken: Schemas that obey it.
        refused: Schemas that do not, by the message of the server.
        inexpressible: Those of them that have no form which the server takes, by the error of the client: schemas
            that are wrong in every dialect, or larger than anything that is taken.
    """

    name: str
    fact: str
    taken: Mapping[str, Any] = field(default_factory=dict)
    refused: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    inexpressible: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def rows(self) -> Iterator[Row]:
        """Yield the rows of this rule."""
        for name, schema in self.taken.items():
            yield Row(f"{self.name}: {name}", schema, None, self._inexpressible(name))
        for message, schemas in self.refused.items():
            for name, schema in schemas.items():
                yield Row(f"{self.name}: {name}", schema, message, self._inexpressible(name))

    def _inexpressible(self, name: str) -> str | None:
        return next((message for message, names in self.inexpressible.items() if name in names), None)
