"""Puts back lists that an answer left out since the schema that was sent let it.

A required list of the object itself is not required in what Moonshot is sent, whose validator finds no end in it (see
`recursion`). An answer without it means that the list is empty.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kimi_core.schema.references import Target, enter, references, resolve


def may_leave_out(schema: Mapping[str, Any]) -> bool:
    """Return whether an answer to a schema may lack a list: only where the schema refers to itself."""
    return next(references(_root(schema)), None) is not None


def with_empty_lists(value: Any, schema: Mapping[str, Any]) -> Any:
    """Return an answer with every required list of the object itself; the same value when it has them all."""
    return _filled(value, _root(schema))


def _root(schema: Mapping[str, Any]) -> Target:
    return Target(schema, (schema,))


def _filled(value: Any, at: Target) -> Any:
    at = _chosen(value, _followed(at))
    schema, scope = at
    if isinstance(value, list) and isinstance(items := schema.get("items"), Mapping):
        return [_filled(item, Target(items, scope)) for item in value]
    named = schema.get("properties")
    if not isinstance(value, dict) or not isinstance(named, Mapping):
        return value
    filled = {name: _filled(v, Target(named[name], scope)) if name in named else v for name, v in value.items()}
    required = schema.get("required")
    for name in required if isinstance(required, list) else ():
        if name in named and name not in filled and _is_list_of_its_object(Target(named[name], scope), schema):
            filled[name] = []
    return filled


def _followed(at: Target) -> Target:
    """Return what a subschema that is a reference points at, or the subschema."""
    seen: set[int] = set()
    while isinstance(at.schema, Mapping) and id(at.schema) not in seen:
        seen.add(id(at.schema))
        at = Target(at.schema, enter(at.scope, at.schema))
        found = resolve(at.schema["$ref"], at.scope) if isinstance(at.schema.get("$ref"), str) else None
        if found is None:
            return at
        at = found
    return Target({}, at.scope)


def _chosen(value: Any, at: Target) -> Target:
    """Return the one branch of a choice that is of the value's type, or the subschema."""
    kind = "object" if isinstance(value, dict) else "array" if isinstance(value, list) else None
    fitting = [branch for branch in _branches(at) if branch.schema.get("type") == kind]
    return fitting[0] if kind and len(fitting) == 1 else at


def _branches(at: Target) -> Iterator[Target]:
    for key in ("anyOf", "oneOf"):
        listed = at.schema.get(key)
        for branch in listed if isinstance(listed, list) else ():
            yield _followed(Target(branch, at.scope))


def _is_list_of_its_object(at: Target, whole: Mapping[str, Any]) -> bool:
    """Return whether a property may be an empty list, and its references lead back to the object that it is of."""
    schema = _followed(at).schema
    if schema.get("type") != "array" or schema.get("minItems"):
        return False
    seen: set[int] = set()
    waiting = [at]
    while waiting:
        for found in references(waiting.pop()):
            if found.schema is whole:
                return True
            if id(found.schema) not in seen:
                seen.add(id(found.schema))
                waiting.append(found)
    return False
