"""The rules for references: what they lead to, what may be beside them, and that recursion can end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from kimi_adapters.local_server.mfjs.fault import Fault, JsonObject, Place

_ANNOTATIONS = frozenset({"description", "title"})


def check_references(root: JsonObject, references: Iterable[str]) -> None:
    """Check the references of a schema whose keywords are right.

    Raises:
        Fault: If a reference leads nowhere, is where none may be, repeats a keyword of its target, or never ends.
    """
    for reference in sorted(references):
        if _target(reference, root) is None:
            raise Fault(Place(), f"invalid $ref path: {reference}")
    _check_uses(root, Place(), root, endless=not _ends(root, root))


def depths_of_definitions(root: JsonObject) -> dict[str, int]:
    """Return for each reference to a definition how many levels of ``properties`` it adds."""
    definitions = root.get("$defs")
    depths: dict[str, int] = {}
    for name in definitions if isinstance(definitions, dict) else ():
        _depth({"$ref": f"#/$defs/{name}"}, root, depths)
    return depths


def _depth(schema: Any, root: JsonObject, known: dict[str, int]) -> int:
    """Return the depth of a schema. A definition inside itself adds nothing, and ``items`` are not looked into."""
    if not isinstance(schema, dict):
        return 0
    depth = 0
    if isinstance(reference := schema.get("$ref"), str):
        if reference not in known:
            known[reference] = 0
            known[reference] = _depth(_target(reference, root), root, known)
        depth = known[reference]
    if isinstance(properties := schema.get("properties"), dict):
        depth = max([depth, 1, *(1 + _depth(inner, root, known) for inner in properties.values())])
    branches = schema.get("anyOf")
    beside = [*(branches if isinstance(branches, list) else ()), schema.get("additionalProperties")]
    return max([depth, *(_depth(inner, root, known) for inner in beside)])


def _target(reference: str, root: JsonObject) -> JsonObject | None:
    found: Any = root
    for key in reference.split("/")[1:]:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) and reference[:1] == "#" else None


# ------------------------------------------------------------------------------------------------------- recursion


def _ends(schema: JsonObject, root: JsonObject) -> bool:
    """Return whether the validator finds an end in a schema.

    It follows the items of an array, *any* required property of an object, any branch and every reference, until it
    meets a type that holds nothing else, an array of anything, an object without required properties, or ``{}``. That
    an array may be empty does not count; what names no type is no end either.
    """
    seen: set[int] = set()
    waiting = [schema]
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        if _is_an_end(current):
            return True
        waiting += _steps(current, root)
    return False


def _is_an_end(schema: JsonObject) -> bool:
    kinds = _kinds(schema)
    if not schema or any(kind not in ("object", "array") for kind in kinds) or schema.get("anyOf") == []:
        return True
    last = kinds[-1] if kinds else None
    if last == "array":
        return not schema.get("items")
    return last == "object" and not (schema.get("required") and schema.get("properties"))


def _kinds(schema: JsonObject) -> list[Any]:
    given = schema.get("type")
    return given if isinstance(given, list) else [] if given is None else [given]


def _steps(schema: JsonObject, root: JsonObject) -> Iterator[JsonObject]:
    kinds, inside = _kinds(schema), []
    if kinds[-1:] == ["array"]:
        inside.append(schema["items"])
    elif kinds[-1:] == ["object"]:
        inside += [schema["properties"].get(name) for name in schema["required"]]
    inside += schema.get("anyOf", ())
    if isinstance(reference := schema.get("$ref"), str):
        inside.append(_target(reference, root))
    return (one for one in inside if isinstance(one, dict))


# ---------------------------------------------------------------------------------------------- what is beside them


def _check_uses(schema: JsonObject, place: Place, root: JsonObject, *, endless: bool) -> None:
    """Check every reference outside of ``$defs``, under any keyword; `endless` when the whole schema has no end."""
    if schema.get("$ref") is not None:
        expanded = _expanded(schema, root, place)
        _check_beside(schema, expanded, place)
        if endless and not _ends(expanded, root):
            raise Fault(place, "detected infinite recursion without termination condition")
    for key, value in schema.items():
        if key == "$defs":
            continue
        # What need not be there is not looked at: further properties, and all of them where `required` is empty.
        needed = key != "additionalProperties" and not (key == "properties" and schema.get("required") == [])
        if isinstance(value, dict):
            _check_uses(value, place.at(key), root, endless=endless and needed)
        elif key == "anyOf" and isinstance(value, list):
            for index, branch in enumerate(value):
                if isinstance(branch, dict):
                    _check_uses(branch, place.branch(index), root, endless=endless)


def _expanded(schema: JsonObject, root: JsonObject, place: Place) -> JsonObject:
    """Return the target of a reference; where that is only another reference, the target of the latter."""
    annotations: JsonObject = {}
    seen: set[str] = set()
    current = schema
    while current is schema or not current.keys() - _ANNOTATIONS - {"$ref"}:
        reference = current.get("$ref")
        if reference is None or reference in seen:
            break
        if current is not schema:
            if doubled := sorted(annotations.keys() & current.keys()):
                raise Fault(place, f"conflicting keywords found after $ref expansion: {doubled[0]}")
            annotations |= {key: current[key] for key in _ANNOTATIONS & current.keys()}
        seen.add(reference)
        current = _followed(reference, root, place)
    return {**current, **annotations}


def _followed(reference: Any, root: JsonObject, place: Place) -> JsonObject:
    if not isinstance(reference, str):
        raise Fault(place.at("$ref"), "$ref must be a string")
    if reference != "#" and not reference.startswith("#/$defs/"):
        raise Fault(place.at("$ref"), "only local references are supported")
    target = _target(reference, root)
    if target is None:
        raise Fault(place, f"invalid $ref path: {reference}")
    return target


def _check_beside(schema: JsonObject, expanded: JsonObject, place: Place) -> None:
    beside = schema.keys() - {"$ref"}
    if both := sorted(beside & expanded.keys()):
        # Live as well: MoonshotAI/kimi-cli#1903.
        raise Fault(place, f"conflicting keywords found after $ref expansion: {', '.join(both)}")
    if "anyOf" in beside and "type" in expanded:
        raise Fault(
            place,
            "invalid schema after $ref expansion: (when using anyOf, type should be defined in anyOf items "
            "instead of the parent schema)",
        )
    for branch in expanded.get("anyOf", ()):
        if both := sorted((beside & branch.keys()) - _ANNOTATIONS):
            raise Fault(place, f"conflicting keywords found in anyOf after ref expansion: {', '.join(both)}")
    parts = place.parts
    inside = parts[-1:] in (("additionalProperties",), ("items",)) or (parts and parts[-1].startswith("anyOf"))
    if not (inside or parts[-2:-1] == ("properties",) or len(parts) <= 1):
        raise Fault(place, "$ref is not allowed in this schema.")
