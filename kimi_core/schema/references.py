"""Finds what a `$ref` inside a JSON Schema points at, and whether it leads back to itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import unquote

Scope: TypeAlias = tuple[Mapping[str, Any], ...]
"""The root schema, then each enclosing subschema that carries definitions of its own."""

_ONE = ("items", "additionalItems", "additionalProperties")
_LISTED = ("anyOf", "oneOf", "allOf", "prefixItems", "items")
_NAMED = ("properties", "patternProperties")


class Target(NamedTuple):
    """A subschema that a reference points at, with the scope in which its own references are read."""

    schema: Any
    scope: Scope


def enter(scope: Scope, schema: Mapping[str, Any]) -> Scope:
    """Return the scope inside `schema`.

    A model's schema is often pasted whole into a property of another one, `$defs` and all. Its references
    then count from where it was pasted, although JSON Schema counts them from the root.
    """
    pasted = ("$defs" in schema or "definitions" in schema) and schema is not scope[0]
    return (*scope, schema) if pasted else scope


def resolve(reference: str, scope: Scope) -> Target | None:
    """Return what a local reference points at: from the root, else from the nearest pasted schema."""
    if reference != "#" and not reference.startswith("#/"):
        return None
    tokens = [_unescape(token) for token in reference.split("/")[1:]]
    for position in (0, *range(len(scope) - 1, 0, -1)):
        found, schema = _follow(scope[position], tokens)
        if found:
            return Target(schema, scope[: position + 1])
    return None


def is_recursive(target: Target) -> bool:
    """Return whether following references from inside `target` leads back to `target`."""
    seen: set[int] = set()
    waiting = [target]
    while waiting:
        for found in references(waiting.pop()):
            if found.schema is target.schema:
                return True
            if id(found.schema) not in seen:
                seen.add(id(found.schema))
                waiting.append(found)
    return False


def _unescape(token: str) -> str:
    return unquote(token).replace("~1", "/").replace("~0", "~")


def _follow(schema: Any, tokens: list[str]) -> tuple[bool, Any]:
    for token in tokens:
        if isinstance(schema, Mapping) and token in schema:
            schema = schema[token]
        elif isinstance(schema, list) and token.isdecimal() and int(token) < len(schema):
            schema = schema[int(token)]
        else:
            return False, None
    return True, schema


def references(target: Target) -> Iterator[Target]:
    """Yield the targets of every reference written anywhere inside a subschema."""
    waiting, seen = [target], set()
    while waiting:
        schema, scope = waiting.pop()
        if not isinstance(schema, Mapping) or id(schema) in seen:  # one that holds itself would never end
            continue
        seen.add(id(schema))
        scope = enter(scope, schema)
        reference = schema.get("$ref")
        if isinstance(reference, str) and (found := resolve(reference, scope)):
            yield found
        waiting += [Target(child, scope) for child in _children(schema)]


def _children(schema: Mapping[str, Any]) -> Iterator[Any]:
    for key in _ONE:
        if key in schema:
            yield schema[key]
    for key in _LISTED:
        if isinstance(listed := schema.get(key), list):
            yield from listed
    for key in _NAMED:
        if isinstance(named := schema.get(key), Mapping):
            yield from named.values()
