"""Moonshot-flavoured JSON Schema: what the server takes, and its words for the rest.

The rules are those of Moonshot's open-source validator (MoonshotAI/walle) at its level ``strict``, and two in
which the live servers were seen to be stricter: a ``$schema`` at the top, and a ``description`` both beside a
``$ref`` and in its target (MoonshotAI/kimi-cli#1903).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

JsonObject = dict[str, Any]

_TYPES = ("string", "number", "integer", "boolean", "object", "array", "null")
_RESERVED = ("$defs", "$ref", "anyOf", "required", "additionalProperties")
_DEFS = "#/$defs/"
_DEEPEST, _MOST_BRANCHES, _MOST_VALUES, _MOST_PROPERTIES, _LONGEST = 30, 500, 1000, 3000, 120_000

NOT_VALID = "not a valid moonshot flavored json schema"


class _Fault(Exception):
    def __init__(self, path: str, sentence: str) -> None:
        super().__init__(f"At path '{path or 'root'}': {sentence}")


def fault(schema: JsonObject) -> str | None:
    """What is wrong with a schema, as ``At path '…': …``; None when it is right."""
    try:
        _check_root(schema)
        _check(schema, "", 1, schema)
        _check_recursion(schema)
    except _Fault as found:
        return str(found)
    return None


def _check_root(schema: JsonObject) -> None:
    if "$schema" in schema:
        raise _Fault("", "unsupported keywords: $schema")
    if len(json.dumps(schema, ensure_ascii=False)) > _LONGEST:
        raise _Fault("", f"schema size exceeds {_LONGEST} characters")


def _check(schema: JsonObject, path: str, depth: int, root: JsonObject) -> None:
    if depth > _DEEPEST:
        raise _Fault(path, f"schema depth exceeds {_DEEPEST}")
    for rule in _RULES:
        rule(schema, path, root)
    for inner, at in _inner(schema, path):
        _check(inner, at, depth + 1, root)


def _join(path: str, *more: object) -> str:
    return ".".join([*([path] if path else []), *map(str, more)])


def _inner(schema: JsonObject, path: str) -> Iterator[tuple[JsonObject, str]]:
    for keyword in ("properties", "$defs"):
        for name, inner in (schema.get(keyword) or {}).items():
            yield inner, _join(path, keyword, name)
    for at, branch in enumerate(schema.get("anyOf") or ()):
        yield branch, _join(path, "anyOf", at)
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), dict):
            yield schema[keyword], _join(path, keyword)


def _texts(schema: JsonObject, path: str, root: JsonObject) -> None:
    for keyword in ("description", "title"):
        if keyword in schema and not isinstance(schema[keyword], str):
            raise _Fault(path, f"{keyword} must be a string")


def _type(schema: JsonObject, path: str, root: JsonObject) -> None:
    given = schema.get("type")
    types = given if isinstance(given, list) else [] if given is None else [given]
    if "type" in schema and (not types or not all(one in _TYPES for one in types)):
        raise _Fault(path, f"type {json.dumps(given)} is not supported")
    if isinstance(given, list):
        for keyword in ("default", "items"):
            if keyword in schema:
                raise _Fault(path, f"{keyword} cannot be used with a list of types")


def _enum(schema: JsonObject, path: str, root: JsonObject) -> None:
    if "enum" not in schema:
        return
    values = schema["enum"]
    if not isinstance(values, list) or not values:
        raise _Fault(path, "enum must be a non-empty array")
    if len(values) > _MOST_VALUES:
        raise _Fault(path, f"enum exceeds {_MOST_VALUES} items")
    given = schema.get("type")
    if given is None:
        raise _Fault(path, "type is not defined")
    types = given if isinstance(given, list) else [given]
    if len(types) > 2:
        raise _Fault(path, "enum cannot be used with more than two types")
    for value in values:
        if not any(_has_type(value, one) for one in types):
            raise _Fault(path, f"enum value {json.dumps(value)} does not match type {json.dumps(given)}")


def _has_type(value: Any, kind: str) -> bool:
    if isinstance(value, bool) or value is None:
        return kind == {True: "boolean", False: "boolean", None: "null"}[value]
    kinds: dict[str, tuple[type, ...]] = {
        "string": (str,),
        "integer": (int,),
        "number": (int, float),
        "object": (dict,),
        "array": (list,),
    }
    return isinstance(value, kinds.get(kind, ()))


def _properties(schema: JsonObject, path: str, root: JsonObject) -> None:
    properties = schema.get("properties", {})
    if not isinstance(properties, dict):
        raise _Fault(path, "properties must be an object")
    if len(properties) > _MOST_PROPERTIES:
        raise _Fault(path, f"properties exceeds {_MOST_PROPERTIES} keys")
    for name, inner in properties.items():
        if name in _RESERVED:
            raise _Fault(path, f"property name '{name}' is reserved")
        if not isinstance(inner, dict):
            raise _Fault(path, f"property schema for '{name}' must be an object")


def _required(schema: JsonObject, path: str, root: JsonObject) -> None:
    required = schema.get("required", [])
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        raise _Fault(path, "required must be an array of strings")
    for name in required:
        if name not in schema.get("properties", {}):
            raise _Fault(path, f"required property '{name}' is not defined in properties")


def _bounds(schema: JsonObject, path: str, root: JsonObject) -> None:
    for keyword in ("minimum", "maximum"):
        value = schema.get(keyword, 0)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise _Fault(path, f"{keyword} must be a number")
    for keyword in ("minLength", "maxLength", "minItems", "maxItems"):
        value = schema.get(keyword, 0)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise _Fault(path, f"{keyword} must be a non-negative integer")


def _items(schema: JsonObject, path: str, root: JsonObject) -> None:
    # Live, vercel/ai fixture "moonshotai-issue-19544-rejected".
    if "items" in schema and not isinstance(schema["items"], dict):
        raise _Fault(_join(path, "items"), "items must be an object")


def _additional(schema: JsonObject, path: str, root: JsonObject) -> None:
    if not isinstance(schema.get("additionalProperties", {}), bool | dict):
        raise _Fault(path, "additionalProperties must be a boolean or an object")


def _any_of(schema: JsonObject, path: str, root: JsonObject) -> None:
    if "anyOf" not in schema:
        return
    branches = schema["anyOf"]
    if not isinstance(branches, list) or not 1 <= len(branches) <= _MOST_BRANCHES:
        raise _Fault(path, f"anyOf must have 1 to {_MOST_BRANCHES} items")
    if not all(isinstance(branch, dict) for branch in branches):
        raise _Fault(path, "anyOf items must be objects")
    if "type" in schema:
        raise _Fault(path, "when using anyOf, type should be defined in anyOf items instead of the parent schema")
    for keyword in ("properties", "items", "required", "enum"):
        if keyword in schema:
            raise _Fault(
                path,
                f"conflicting keywords found in anyOf with parent: keywords ({keyword}) are defined "
                "on the parent schema and inside anyOf",
            )


def _definitions(schema: JsonObject, path: str, root: JsonObject) -> None:
    definitions = schema.get("$defs", {})
    if not isinstance(definitions, dict) or not all(isinstance(one, dict) for one in definitions.values()):
        raise _Fault(path, "$defs must be an object of objects")


def _ref(schema: JsonObject, path: str, root: JsonObject) -> None:
    if "$ref" not in schema:
        return
    target = _target(schema, path, root)
    if "type" in schema:
        raise _Fault(
            path,
            "when using $ref, type should be defined in the referenced schema instead of the parent schema",
        )
    if "description" in schema and "description" in target:
        raise _Fault(path, "conflicting keywords found after $ref expansion: description")


def _target(schema: JsonObject, path: str, root: JsonObject) -> JsonObject:
    ref = schema["$ref"]
    if not isinstance(ref, str) or not ref.startswith(_DEFS):
        raise _Fault(path, f"references must start with {_DEFS}")
    definitions = root.get("$defs")
    target = definitions.get(ref.removeprefix(_DEFS)) if isinstance(definitions, dict) else None
    if not isinstance(target, dict):
        raise _Fault(path, f"reference {ref} is not found")
    return target


_RULES: tuple[Callable[[JsonObject, str, JsonObject], None], ...] = (
    _texts,
    _definitions,
    _ref,
    _any_of,
    _type,
    _enum,
    _properties,
    _required,
    _bounds,
    _items,
    _additional,
)


def _check_recursion(root: JsonObject) -> None:
    """Recursion is legal as long as some value can end it."""
    for name in root.get("$defs", {}):
        if _endless({"$ref": _DEFS + name}, root, ()):
            raise _Fault(f"$defs.{name}", "infinite recursion detected")
    if _endless(root, root, ()):
        raise _Fault("", "infinite recursion detected")


def _endless(schema: JsonObject, root: JsonObject, open_refs: tuple[str, ...]) -> bool:
    if "$ref" in schema:
        ref = schema["$ref"]
        return ref in open_refs or _endless(_target(schema, "", root), root, (*open_refs, ref))
    if "anyOf" in schema:
        return all(_endless(branch, root, open_refs) for branch in schema["anyOf"])
    needed = [schema["properties"][name] for name in schema.get("required", ())]
    if schema.get("minItems", 0) and isinstance(schema.get("items"), dict):
        needed.append(schema["items"])
    return any(_endless(inner, root, open_refs) for inner in needed)
