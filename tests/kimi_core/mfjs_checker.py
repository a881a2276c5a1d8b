"""What Moonshot's servers refuse in a schema, written down a second time and in another way than in the package.

`problems(schema)` lists every violation of the flavour as MoonshotAI/walle documents it (docs/walle.md,
docs/mfjs-spec.md), at its strictest level: the keywords that it ignores at lower levels count as refused.
"""

from __future__ import annotations

import json
from typing import Any

ANNOTATIONS = {"title", "description"}
OF_TYPE = {
    "object": {"properties", "required", "additionalProperties"},
    "array": {"items", "minItems", "maxItems"},
    "string": {"enum", "minLength", "maxLength"},
    "number": {"enum", "minimum", "maximum"},
    "integer": {"enum", "minimum", "maximum"},
    "boolean": {"enum"},
    "null": set(),
}
RESERVED = {"$defs", "$ref", "anyOf", "required", "additionalProperties"}
PREFIX = "#/$defs/"


def problems(schema: Any, *, tool: bool = False) -> list[str]:
    """Return what the server would refuse; `tool` when the schema is to be a tool's parameters."""
    if not isinstance(schema, dict):
        return ["the root must be an object"]
    body = {key: value for key, value in schema.items() if key != "$defs"}
    definitions = schema.get("$defs", {})
    found = ["root: a tool takes an object"] if tool and schema.get("type") != "object" else []
    if len(json.dumps(schema, ensure_ascii=False, separators=(",", ":")).encode()) > 120_000:
        found.append("root: schema exceeds maximum allowed size")
    if "$defs" in schema and not definitions:
        found.append("root: empty $defs")
    for name, node in definitions.items():
        found += check(node, f"$defs.{name}", definitions, 0)
        if "/" in name or any("/" in key for key in property_names(node)):
            found.append(f"$defs.{name}: '/' in a definition")
    found += check(body, "root", definitions, 0)
    if not found and not finite(body, definitions, endings(definitions)):
        found.append("root: detected infinite recursion without termination condition")
    return found


def check(node: Any, path: str, definitions: dict[str, Any], depth: int) -> list[str]:
    if not isinstance(node, dict) or not node:
        return [f"{path}: must be a non-empty object, is {node!r}"]
    found = [f"{path}.{key}: must be a string" for key in ANNOTATIONS & node.keys() if not isinstance(node[key], str)]
    if depth > 30:
        found.append(f"{path}: schema depth exceeds maximum limit of 30")
    forms = {"type", "anyOf", "$ref"} & node.keys()
    if len(forms) != 1:
        return [*found, f"{path}: needs exactly one of type, anyOf and $ref, has {sorted(forms)}"]
    return found + {"type": check_typed, "anyOf": check_any_of, "$ref": check_ref}[forms.pop()](
        node, path, definitions, depth
    )


def check_ref(node: dict[str, Any], path: str, definitions: dict[str, Any], depth: int) -> list[str]:
    reference = node["$ref"]
    if set(node) != {"$ref"}:
        return [f"{path}: siblings beside $ref"]
    if not reference.startswith(PREFIX) or reference[len(PREFIX) :] not in definitions:
        return [f"{path}: invalid $ref path: {reference}"]
    return []


def check_any_of(node: dict[str, Any], path: str, definitions: dict[str, Any], depth: int) -> list[str]:
    branches = node["anyOf"]
    if not isinstance(branches, list) or not 1 <= len(branches) <= 500:
        return [f"{path}: anyOf must have 1-500 items"]
    found = [f"{path}: {key} beside anyOf" for key in node.keys() - ANNOTATIONS - {"anyOf"}]
    if any(branch == other for i, branch in enumerate(branches) for other in branches[:i]):
        found.append(f"{path}: the same branch twice")
    for index, branch in enumerate(branches):
        found += check(branch, f"{path}.anyOf[{index}]", definitions, depth)
    return found


def check_typed(node: dict[str, Any], path: str, definitions: dict[str, Any], depth: int) -> list[str]:
    kind = node["type"]
    if kind not in OF_TYPE:
        return [f"{path}: invalid type {kind!r}"]
    found = [f"{path}: keyword {key} with {kind}" for key in node.keys() - ANNOTATIONS - {"type"} - OF_TYPE[kind]]
    found += check_enum(node, path) + check_ranges(node, path)
    if "items" in node:
        found += check(node["items"], f"{path}.items", definitions, depth)
    if kind == "object":
        found += check_object(node, path, definitions, depth)
    return found


def check_object(node: dict[str, Any], path: str, definitions: dict[str, Any], depth: int) -> list[str]:
    properties, required = node.get("properties", {}), node.get("required", [])
    found = [f"{path}: property name {name!r} is reserved" for name in RESERVED & properties.keys()]
    found += [f"{path}: required property {name!r} is not defined" for name in required if name not in properties]
    if len(set(required)) != len(required):
        found.append(f"{path}: duplicate items in required")
    additional = node.get("additionalProperties", True)
    if not isinstance(additional, bool):
        found += check(additional, f"{path}.additionalProperties", definitions, depth)
    for name, child in properties.items():
        found += check(child, f"{path}.properties.{name}", definitions, depth + 1)
    return found


def check_enum(node: dict[str, Any], path: str) -> list[str]:
    if "enum" not in node:
        return []
    values, fits = node["enum"], {"string": str, "boolean": bool, "integer": int, "number": (int, float)}
    if not isinstance(values, list) or not 1 <= len(values) <= 1000:
        return [f"{path}: enum must have 1-1000 items"]
    found = []
    for value in values:
        boolean = isinstance(value, bool) and node["type"] != "boolean"
        if boolean or not isinstance(value, fits[node["type"]]):
            found.append(f"{path}: enum value ({value!r}) does not match {node['type']}")
        if isinstance(value, float) and "e" in json.dumps(value):
            found.append(f"{path}: scientific notation not allowed: {value!r}")
    return found


def check_ranges(node: dict[str, Any], path: str) -> list[str]:
    found = []
    for noun in ("Length", "Items", "imum"):
        low, high = node.get(f"min{noun}"), node.get(f"max{noun}")
        for limit in (low, high):
            whole = noun != "imum" or node["type"] == "integer"
            if limit is None:
                continue
            if isinstance(limit, bool) or not isinstance(limit, int if whole else int | float):
                found.append(f"{path}: {limit!r} is not a valid limit")
            elif (noun != "imum" and limit < 0) or "e" in json.dumps(limit) or (whole and abs(limit) > 2**53 - 1):
                found.append(f"{path}: limit {limit!r} is out of range")
        if not found and low is not None and high is not None and low > high:
            found.append(f"{path}: min{noun} ({low}) cannot be greater than max{noun} ({high})")
    return found


def property_names(node: dict[str, Any]) -> list[str]:
    names = list(node.get("properties", {}))
    children = [*node.get("properties", {}).values(), *node.get("anyOf", []), node.get("items")]
    children.append(node.get("additionalProperties"))
    for child in children:
        names += property_names(child) if isinstance(child, dict) else []
    return names


def endings(definitions: dict[str, Any]) -> set[str]:
    """Return the definitions that end, by trying ever larger values. That an array may be empty does not count."""
    known: set[str] = set()
    for _ in definitions:
        known |= {name for name, node in definitions.items() if finite(node, definitions, known)}
    return known


def finite(node: dict[str, Any], definitions: dict[str, Any], known: set[str]) -> bool:
    if "$ref" in node:
        return node["$ref"][len(PREFIX) :] in known
    if "anyOf" in node:
        return any(finite(branch, definitions, known) for branch in node["anyOf"])
    if node["type"] == "array":
        return "items" not in node or finite(node["items"], definitions, known)
    return all(finite(node["properties"][name], definitions, known) for name in node.get("required", []))
