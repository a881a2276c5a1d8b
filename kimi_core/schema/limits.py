"""Checks and fixes a compiled schema as a whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from kimi_core.schema.errors import Outgrown, SchemaError
from kimi_core.schema.union import Atom, Choice, distinct, write

# The figures of MoonshotAI/walle, docs/validation-principles.md.
_LONGEST_SCHEMA: Final = 120_000
_MOST_NAMES: Final = 3_000
_MOST_BRANCHES: Final = 500
_MOST_VALUES: Final = 1_000


def within_limits(node: Atom, path: tuple[str, ...] = ()) -> Atom:
    """Return the schema as the server takes it: required names are declared, lists within its limits."""
    if "anyOf" in node:
        branches = distinct(within_limits(branch, path) for branch in node["anyOf"])
        if len(branches) > _MOST_BRANCHES:
            raise SchemaError(path, f"{len(branches)} alternatives, and the server takes {_MOST_BRANCHES}.")
        return write(Choice(branches, node.get("title"), node.get("description"))) or node
    fitted = dict(node)
    if "items" in node:
        fitted["items"] = within_limits(node["items"], (*path, "items"))
    if isinstance(node.get("additionalProperties"), dict):
        fitted["additionalProperties"] = within_limits(node["additionalProperties"], (*path, "additionalProperties"))
    if len(node.get("enum", ())) > _MOST_VALUES:
        del fitted["enum"]
        return write(Choice([fitted], notes=[f"one of {len(node['enum'])} values"])) or node
    if node.get("type") == "object":
        _declare_required(fitted, path)
    return fitted


def check(root: Atom) -> None:
    """Refuse a finished schema that is too large.

    Raises:
        Outgrown: If the schema is too large.
    """
    definitions = root.get("$defs", {})
    size = len(json.dumps(root, ensure_ascii=False, separators=(",", ":"), default=str).encode())
    if size > _LONGEST_SCHEMA:
        raise Outgrown(f"{size} bytes, and the server takes {_LONGEST_SCHEMA}; shorten or split it.")
    if size > 10 * _MOST_NAMES and _count_names(root, *definitions.values()) > _MOST_NAMES:
        raise Outgrown(f"more than the {_MOST_NAMES} properties that the server takes; split it up.")


def used(root: Atom, definitions: Atom) -> Atom:
    """Return the definitions that the schema refers to, directly or not."""
    found: dict[str, Any] = {}
    waiting = list(_referred(root))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = definitions[name]
            waiting += _referred(definitions[name])
    return {name: node for name, node in definitions.items() if name in found}


def _declare_required(node: Atom, path: tuple[str, ...]) -> None:
    properties = node.get("properties", {})
    if properties:
        node["properties"] = {n: within_limits(child, (*path, "properties", n)) for n, child in properties.items()}
    required = [name for name in dict.fromkeys(node.pop("required", ())) if name in properties]
    if required:
        node["required"] = required


def _children(node: Atom) -> Iterator[Atom]:
    yield from node.get("properties", {}).values()
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            yield node[key]
    yield from node.get("anyOf", ())


def _count_names(*nodes: Atom) -> int:
    return sum(len(node.get("properties", {})) + _count_names(*_children(node)) for node in nodes)


def _referred(node: Atom) -> Iterator[str]:
    if "$ref" in node:
        yield node["$ref"].removeprefix("#/$defs/")
    for child in _children(node):
        yield from _referred(child)
