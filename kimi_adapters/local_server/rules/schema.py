"""Simplifies a JSON Schema: its references, unions and types."""

from __future__ import annotations

from typing import Any

JsonObject = dict[str, Any]


def resolved(schema: Any, root: JsonObject, followed: frozenset[str] = frozenset()) -> JsonObject:
    """Fold reference, ``allOf`` and ``const`` into a schema; a reference that leads in a circle adds nothing."""
    if not isinstance(schema, dict):
        return {}
    if isinstance(ref := schema.get("$ref"), str):
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        if ref in followed:
            return beside
        return {**resolved(target(ref, root), root, followed | {ref}), **beside}
    merged = dict(schema)
    for part in _listed(schema, "allOf"):
        merged = _merged(merged, resolved(part, root))
    if "const" in merged:
        merged["enum"] = [merged["const"]]
    if "anyOf" not in merged and _listed(merged, "oneOf"):
        merged["anyOf"] = merged["oneOf"]
    return merged


def _listed(schema: JsonObject, keyword: str) -> list[Any]:
    """Return the list under a keyword that the server does not check; empty when it is no list."""
    found = schema.get(keyword)
    return found if isinstance(found, list) else []


def target(ref: str, root: JsonObject) -> Any:
    """Return what a reference points to, or an empty schema when it points nowhere."""
    found: Any = root
    for step in ref.removeprefix("#").strip("/").split("/"):
        found = found.get(step, {}) if isinstance(found, dict) and step else found
    return found


def _merged(left: JsonObject, right: JsonObject) -> JsonObject:
    both = {**left, **right}
    if "properties" in left and "properties" in right:
        both["properties"] = {**left["properties"], **right["properties"]}
    if "required" in left and "required" in right:
        both["required"] = [*left["required"], *right["required"]]
    return both


def kind(schema: JsonObject) -> str:
    """Return the type of the value to make: the first that is not null."""
    given = schema.get("type")
    for one in given if isinstance(given, list) else [given]:
        if isinstance(one, str) and one != "null":
            return one
    if given:
        return "null"
    if "properties" in schema:
        return "object"
    return "array" if "items" in schema or "prefixItems" in schema else "string"


def is_null(schema: JsonObject) -> bool:
    """Return whether only null is valid."""
    return schema.get("type") == "null" or schema.get("enum") == [None]


def branches(schema: JsonObject, root: JsonObject) -> list[JsonObject]:
    """Return the branches of a union, with the title and description beside it, or the schema itself."""
    union = schema.get("anyOf")
    if not union:
        return [schema]
    beside: JsonObject = {key: schema[key] for key in ("title", "description") if key in schema}
    return [{**beside, **resolved(branch, root)} for branch in union]


def refs(schema: Any) -> set[str]:
    """Return the references in a schema, all but those inside ``$defs``."""
    if isinstance(schema, dict):
        own = {schema["$ref"]} if isinstance(schema.get("$ref"), str) else set()
        return own.union(*(refs(value) for key, value in schema.items() if key != "$defs"))
    return set[str]().union(*map(refs, schema)) if isinstance(schema, list) else set()
