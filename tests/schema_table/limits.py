"""Rules for how large a schema may be."""

from __future__ import annotations

from typing import Any

from tests.schema_table.rows import STRING, Rule, of


def nested(levels: int) -> dict[str, Any]:
    """Return an object inside an object, and so on."""
    schema: dict[str, Any] = STRING
    for _ in range(levels):
        schema = of(schema)
    return schema


def listed(levels: int) -> dict[str, Any]:
    """Return a list of lists, and so on."""
    schema: dict[str, Any] = STRING
    for _ in range(levels):
        schema = {"type": "array", "items": schema}
    return schema


def wide(names: int) -> dict[str, Any]:
    """Return an object with many properties."""
    return {"type": "object", "properties": {f"p{at}": {"type": "null"} for at in range(names)}}


LIMITS = (
    Rule(
        "depth",
        "walle: 30 levels; only properties count as one",
        taken={"thirty objects": nested(30), "thirty lists": listed(30), "forty lists": listed(40)},
        refused={
            "schema depth exceeds maximum limit of 30": {"thirty-one objects": nested(31), "sixty objects": nested(60)}
        },
        inexpressible={"nested deeper than 30 levels": ("thirty-one objects", "sixty objects")},
    ),
    Rule(
        "size",
        "walle: 120,000 bytes, 3,000 names of properties in the whole, 1,000 values of an enum",
        taken={
            "many names": wide(2900),
            "a long description": of({"type": "string", "description": "d" * 110_000}),
            "a thousand values": of({"type": "integer", "enum": list(range(1000))}),
        },
        refused={
            "exceeds maximum limit of 3000": {
                "too many names": wide(3001),
                "too many names in two objects": {
                    "type": "object",
                    "properties": {"a": wide(1600), "b": wide(1600)},
                },
            },
            "schema exceeds maximum allowed size": {
                "too long a description": of({"type": "string", "description": "d" * 120_000}),
                "too long in Chinese": of({"type": "string", "description": "名" * 41_000}),
            },
            "enum array cannot have more than 1000 items": {
                "too many values": of({"type": "integer", "enum": list(range(1001))}),
            },
        },
        inexpressible={
            "split it": (
                "too many names",
                "too many names in two objects",
                "too long a description",
                "too long in Chinese",
            )
        },
    ),
)
