"""The rules for single keywords, each with the message of Moonshot's validator."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from kimi_adapters.local_server.mfjs.fault import Fault, JsonObject, Place

_TYPES = ("string", "number", "integer", "boolean", "null", "array", "object")
_RESERVED = ("$defs", "$ref", "anyOf", "required", "additionalProperties")
_ANNOTATIONS = ("description", "title")
_ONLY_AT_THE_ROOT = ("$defs", "$id")
_DEFS = "#/$defs/"
_MOST_BRANCHES, _MOST_VALUES = 500, 1000


def check_keywords(schema: JsonObject, place: Place, root: JsonObject) -> None:
    """Check the keywords of one level of a schema.

    Raises:
        Fault: If a keyword, or two of them together, are outside Moonshot's flavour.
    """
    _check_company_of_type(schema, place)
    if "type" in schema:
        _check_type(schema, place)
    for keyword in sorted(_RULES.keys() & schema.keys()):
        if place.unreachable and _looks_at_its_parent(keyword, schema[keyword]):
            raise Fault(place.at(keyword), f"invalid path: {place}")
        _RULES[keyword](schema, place, root)
    _check_conflicts_with_branches(schema, place)


def _looks_at_its_parent(keyword: str, value: Any) -> bool:
    return (
        keyword in ("enum", "anyOf") or (keyword == "required" and bool(value)) or (keyword == "$ref" and value != "#")
    )


# ------------------------------------------------------------------------------------------------------------ type


def _check_company_of_type(schema: JsonObject, place: Place) -> None:
    if "type" not in schema:
        return
    for keyword, elsewhere in (("anyOf", "anyOf items"), ("$ref", "the referenced schema")):
        if keyword in schema:
            raise Fault(
                place, f"when using {keyword}, type should be defined in {elsewhere} instead of the parent schema"
            )
    given = schema["type"]
    if isinstance(given, list) and len(given) > 1 and "enum" in schema:
        for kind in ("object", "array"):
            if kind in given:
                raise Fault(place, f"type {kind} is not allowed in combination with enum")


def _check_type(schema: JsonObject, place: Place) -> None:
    given = schema["type"]
    if isinstance(given, str):
        if given not in _TYPES:
            raise Fault(place, "invalid type")
    elif not isinstance(given, list):
        raise Fault(place, "type must be string or array of strings")
    elif not all(isinstance(kind, str) and kind in _TYPES for kind in given):
        raise Fault(place, "invalid type in type array")
    elif not given:
        raise Fault(place, "type array cannot be empty")
    elif len(given) > 1 and not (len(given) == 2 and schema.get("enum") is not None):
        allowed = ("type", *_ANNOTATIONS, *(_ONLY_AT_THE_ROOT if place.is_root else ()))
        for keyword in sorted(schema.keys() - set(allowed)):
            raise Fault(place, f"keyword {keyword} is not allowed in combination with multiple types")


# ------------------------------------------------------------------------------------------------------------ enum


def _enum(schema: JsonObject, place: Place, root: JsonObject) -> None:
    values, here = schema["enum"], place.at("enum")
    if not isinstance(values, list):
        raise Fault(here, "enum must be an array")
    if not values:
        raise Fault(here, "enum array cannot be empty")
    if len(values) > _MOST_VALUES:
        raise Fault(here, f"enum array cannot have more than {_MOST_VALUES} items")
    if "type" not in schema:
        raise Fault(place, "type is not defined")
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if len(kinds) > 2 or (len(kinds) == 2 and "null" not in kinds):
        raise Fault(
            place,
            "when type is array and enum is specified, currently only 2 types are supported, "
            "one must be null, and the other can be string/integer/number/boolean",
        )
    if kinds == ["null", "null"]:
        raise Fault(place, "invalid type combination with enum:  + null")
    for value in values:
        if not any(_matches(value, kind, here) for kind in kinds):
            raise Fault(here, f"enum value ({_in_go(value)}) does not match any type in [{' '.join(kinds)}]")


def _matches(value: Any, kind: str, place: Place) -> bool:
    if kind in ("number", "integer"):
        # Anything but a number is refused right here, before the other type of two is looked at.
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Fault(place, f"not a valid {kind}")
        if kind == "integer" and value != value // 1:
            raise Fault(place, "not a valid integer")
        return True
    kinds = {"string": str, "boolean": bool, "null": type(None), "array": list, "object": dict}
    return isinstance(value, kinds[kind])


def _in_go(value: Any) -> str:
    return "<nil>" if value is None else value if isinstance(value, str) else json.dumps(value)


# ---------------------------------------------------------------------------------------------- objects and arrays


def _properties(schema: JsonObject, place: Place, root: JsonObject) -> None:
    here = place.at("properties")
    if not isinstance(schema["properties"], dict):
        raise Fault(here, "properties must be an object")
    for name, inner in schema["properties"].items():
        if name in _RESERVED:
            raise Fault(here, f"property name '{name}' is reserved for JSON Schema keywords")
        if not isinstance(inner, dict):
            raise Fault(here, f"property schema for '{name}' must be an object")


def _required(schema: JsonObject, place: Place, root: JsonObject) -> None:
    required, here = schema["required"], place.at("required")
    if not isinstance(required, list):
        raise Fault(here, "required must be an array")
    if not all(isinstance(name, str) for name in required):
        raise Fault(here, "items in required array must be strings")
    declared = schema.get("properties")
    for name in required:
        if not isinstance(declared, dict) or name not in declared:
            raise Fault(here, f"required property '{name}' is not defined in properties")


def _items(schema: JsonObject, place: Place, root: JsonObject) -> None:
    # Live, vercel/ai fixture "moonshotai-issue-19544-rejected".
    if not isinstance(schema["items"], dict):
        raise Fault(place.at("items"), "items must be an object")


def _additional(schema: JsonObject, place: Place, root: JsonObject) -> None:
    if not isinstance(schema["additionalProperties"], bool | dict):
        raise Fault(place.at("additionalProperties"), "additionalProperties must be a boolean or an object")


# ----------------------------------------------------------------------------------------------------- annotations


def _description(schema: JsonObject, place: Place, root: JsonObject) -> None:
    if not isinstance(schema["description"], str):
        raise Fault(place.at("description"), "description must be a string")


def _text_or_null(keyword: str) -> Callable[[JsonObject, Place, JsonObject], None]:
    def rule(schema: JsonObject, place: Place, root: JsonObject) -> None:
        if not isinstance(schema[keyword], str | None):
            raise Fault(place.at(keyword), f"{keyword} must be a string")

    return rule


# ---------------------------------------------------------------------------------------- alternatives, references


def _any_of(schema: JsonObject, place: Place, root: JsonObject) -> None:
    branches, here = schema["anyOf"], place.at("anyOf")
    if not isinstance(branches, list):
        raise Fault(here, "anyOf must be an array")
    if not 1 <= len(branches) <= _MOST_BRANCHES:
        raise Fault(here, f"anyOf must have 1-{_MOST_BRANCHES} items")
    if not all(isinstance(branch, dict) for branch in branches):
        raise Fault(here, "schema in anyOf must be an object")


def _check_conflicts_with_branches(schema: JsonObject, place: Place) -> None:
    """Refuse a keyword that is both beside ``anyOf`` and in one of its branches."""
    outer = schema.keys() - {"anyOf", *_ANNOTATIONS}
    for branch in schema.get("anyOf", ()):
        if both := sorted(outer & branch.keys()):
            raise Fault(place, f"conflicting keywords found in anyOf with parent: {', '.join(both)}")


def _ref(schema: JsonObject, place: Place, root: JsonObject) -> None:
    reference, here = schema["$ref"], place.at("$ref")
    if not isinstance(reference, str):
        raise Fault(here, "$ref must be a string")
    if reference == "#":
        return
    if not reference.startswith(_DEFS):
        raise Fault(here, f"references must start with {_DEFS}")
    if reference == _DEFS:
        raise Fault(here, "definition name cannot be empty")
    if "$defs" not in root:
        raise Fault(here, f"$defs not found for reference: {reference}")


def _defs(schema: JsonObject, place: Place, root: JsonObject) -> None:
    definitions, here = schema["$defs"], place.at("$defs")
    if not isinstance(definitions, dict):
        raise Fault(here, "$defs must be an object")
    if "" in definitions:
        raise Fault(here, "$defs property name cannot be empty")
    for name in _keys_inside(definitions):
        if "/" in name:
            raise Fault(here, f"$defs property name '{name}' cannot contain '/' character")


def _keys_inside(value: Any) -> Iterator[str]:
    """Yield every key of the objects inside, those in lists included, but not those in lists of lists."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            for one in inner if isinstance(inner, list) else [inner]:
                yield from _keys_inside(one if isinstance(one, dict) else None)


_RULES: dict[str, Callable[[JsonObject, Place, JsonObject], None]] = {
    "properties": _properties,
    "required": _required,
    "enum": _enum,
    "items": _items,
    "$ref": _ref,
    "description": _description,
    "anyOf": _any_of,
    "additionalProperties": _additional,
    "$defs": _defs,
    "$id": _text_or_null("$id"),
    "pattern": _text_or_null("pattern"),
}
