"""Moonshot-flavoured JSON Schema: what the server accepts, and its error messages for the rest.

The rules are those of Moonshot's open-source validator (MoonshotAI/walle, 2026-06-29) at its level ``strict``, which
the server uses, and one in which the live servers were seen to be stricter: a ``$schema`` at the top. Keywords that
the validator does not know pass unread; so do the bounds of a wrong type, which only its level ``ultra`` looks at.
"""

from __future__ import annotations

import json

from kimi_adapters.local_server.mfjs.fault import Fault, JsonObject, Place
from kimi_adapters.local_server.mfjs.keywords import check_keywords
from kimi_adapters.local_server.mfjs.references import check_references, depths_of_definitions

__all__ = ["NOT_VALID", "fault"]

_DEEPEST, _MOST_PROPERTIES, _LARGEST = 30, 3000, 120_000

NOT_VALID = "not a valid moonshot flavored json schema"


def fault(schema: JsonObject) -> str | None:
    """Return what is wrong with a schema, as ``At path '…': …``; None when it is right."""
    try:
        _check(schema)
    except Fault as found:
        return str(found)
    except RecursionError:
        return str(Fault(Place(), f"schema depth exceeds maximum limit of {_DEEPEST}"))
    return None


def _check(schema: JsonObject) -> None:
    if "$schema" in schema:
        raise Fault(Place(), "unsupported keywords: $schema")
    if not schema:
        return
    if _size(schema) > _LARGEST:
        raise Fault(Place(), "schema exceeds maximum allowed size")
    walk = _Walk(schema)
    if walk.through(schema, Place(), 0) > _DEEPEST:
        raise Fault(Place(), f"schema depth exceeds maximum limit of {_DEEPEST}")
    check_references(schema, walk.references)


def _size(schema: JsonObject) -> int:
    """Count the bytes as the validator writes the schema: compact, with five bytes more for each of <, > and &."""
    text = json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode("utf-8", "surrogatepass")) + 5 * sum(map(text.count, "<>&"))


class _Walk:
    """One walk through a schema, which checks every keyword on the way.

    Attributes:
        references: Every ``$ref`` that was met.
    """

    def __init__(self, root: JsonObject) -> None:
        self.references: set[str] = set()
        self._root = root
        self._depths = depths_of_definitions(root)
        self._names = 0

    def through(self, schema: JsonObject, place: Place, depth: int) -> int:
        """Check a subschema and all inside; return how deep it goes. Only ``properties`` count as a level."""
        if depth > _DEEPEST:
            raise Fault(place, f"schema depth exceeds maximum limit of {_DEEPEST}")
        deepest = max([depth, *(self.through(inner, at, depth) for inner, at in _definitions(schema, place))])
        check_keywords(schema, place, self._root)
        if isinstance(reference := schema.get("$ref"), str):
            self.references.add(reference)
            deepest = max(deepest, depth + self._depths.get(reference, 0))
        properties = schema.get("properties", {})
        self._names += len(properties)
        if self._names > _MOST_PROPERTIES:
            limit = f"total number of properties keys({self._names}) across all objects exceeds maximum limit of"
            raise Fault(place, f"{limit} {_MOST_PROPERTIES}")
        inner = [self.through(one, place.at("properties", name), depth + 1) for name, one in properties.items()]
        inner += [self.through(one, at, depth) for one, at in _beside(schema, place)]
        return max([deepest, *inner])


def _definitions(schema: JsonObject, place: Place) -> list[tuple[JsonObject, Place]]:
    definitions = schema.get("$defs")
    if not isinstance(definitions, dict):
        return []
    if not all(isinstance(one, dict) for one in definitions.values()):
        raise Fault(place.at("$defs"), "$defs schema must be object")
    return [(definitions[name], place.at("$defs", name)) for name in sorted(definitions)]


def _beside(schema: JsonObject, place: Place) -> list[tuple[JsonObject, Place]]:
    """Return the subschemas that are no level of their own."""
    inner = [(schema[k], place.at(k)) for k in ("items", "additionalProperties") if isinstance(schema.get(k), dict)]
    return inner + [(branch, place.branch(index)) for index, branch in enumerate(schema.get("anyOf", ()))]
