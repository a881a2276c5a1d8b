"""The algebra behind `kimi_core.schema`: every schema as a choice between atoms of one type each.

Moonshot's flavour has one way to combine schemas, `anyOf`, with nothing but a title and a description
beside it. So each schema is held as a list of alternatives. `allOf` and keywords beside `anyOf` become the
intersection of two such lists, `anyOf` and `oneOf` their concatenation.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from kimi_core.schema.errors import Outgrown

Atom: TypeAlias = dict[str, Any]
"""`{"type": <one literal>, …}` or `{"$ref": "#/$defs/…"}`, with a title and description at most beside it."""

EVERY_TYPE: Final = ("string", "number", "boolean", "object", "array", "null")
"""The types of a schema without `type`; an integer is a number."""
_LARGEST_INTEGER: Final = 2**53 - 1
_MOST_MEETINGS: Final = 10_000
_RANGES: Final = (("minLength", "maxLength"), ("minItems", "maxItems"), ("minimum", "maximum"))


@dataclass(slots=True)
class Choice:
    """Alternatives, and the title, description and notes of all. Nothing satisfies a choice without alternatives."""

    atoms: list[Atom]
    title: str | None = None
    description: str | None = None
    notes: list[str] = field(default_factory=list)


def anything() -> Choice:
    """Return the choice that every value satisfies."""
    return Choice([{"type": name} for name in EVERY_TYPE])


def is_anything(choice: Choice) -> bool:
    """Return whether every value satisfies the choice and it has no title, description or notes."""
    return not (choice.title or choice.description or choice.notes) and has_every_type(choice.atoms)


def has_every_type(atoms: list[Atom]) -> bool:
    """Return whether the atoms are the bare types of `anything`, in any order."""
    return len(atoms) == len(EVERY_TYPE) and {a.get("type") for a in atoms if len(a) == 1} == set(EVERY_TYPE)


def read(node: Atom) -> Choice:
    """Return the choice that `write` wrote as `node`."""
    bare = {key: value for key, value in node.items() if key not in ("title", "description")}
    return Choice(node.get("anyOf", [bare]), node.get("title"), node.get("description"))


def write(choice: Choice) -> Atom | None:
    """Return the choice as a schema, or None when nothing satisfies it."""
    if not choice.atoms:
        return None
    if len(choice.atoms) > 1:
        return {"anyOf": choice.atoms, **_labels(choice)}
    atom = choice.atoms[0]
    labels = _labels(choice, atom)
    # Hosts answer 400 to annotations beside a `$ref` whose target has some too: they go beside an `anyOf` of one.
    return {"anyOf": [atom], **labels} if "$ref" in atom and labels else {**atom, **labels}


def either(choices: Iterable[Choice]) -> Choice:
    """Return the choice that a value satisfies when it satisfies one of `choices`."""
    possible = [choice for choice in choices if choice.atoms]
    if len(possible) == 1:
        return possible[0]
    return Choice(distinct(_labelled(choice, atom) for choice in possible for atom in choice.atoms))


def both(first: Choice, second: Choice) -> Choice:
    """Return the choice that a value satisfies when it satisfies both; title and description of `first` win."""
    return Choice(
        _meet_all(first.atoms, second.atoms),
        first.title or second.title,
        first.description or second.description,
        [*first.notes, *(note for note in second.notes if note not in first.notes)],
    )


def merge_objects(atoms: list[Atom]) -> Atom:
    """Return one object schema for what any of several object schemas allows.

    A name that only one of them declares keeps that declaration, although another one that is open to
    undeclared names would take any value under it: what is declared is what is meant.
    """
    declared: dict[str, list[Atom]] = {}
    for atom in atoms:
        for name, node in atom.get("properties", {}).items():
            declared.setdefault(name, []).append(node)
    shared = [name for name in declared if all(name in atom.get("required", ()) for atom in atoms)]
    properties = {name: write(either(map(read, nodes))) for name, nodes in declared.items()}
    merged: Atom = {"type": "object", "properties": properties}
    if shared:
        merged["required"] = shared
    if all(atom.get("additionalProperties") is False for atom in atoms):
        merged["additionalProperties"] = False
    return merged


def with_legal_limits(atom: Atom) -> Atom:
    """Round the limits of an integer inwards; drop those that the server refuses, crossed or too large."""
    if atom["type"] == "integer":
        for key, inwards in (("minimum", math.ceil), ("maximum", math.floor)):
            if key in atom and abs(limit := inwards(atom.pop(key))) <= _LARGEST_INTEGER:
                atom[key] = limit
    for low, high in _RANGES:
        if low in atom and high in atom and atom[low] > atom[high]:
            del atom[low], atom[high]
    return atom


def type_of(value: Any) -> str:
    """Return the narrowest type of a JSON value; a whole number is an integer, however it is written."""
    if isinstance(value, bool) or value is None:
        return "null" if value is None else "boolean"
    if isinstance(value, int | float):
        return "integer" if isinstance(value, int) or value.is_integer() else "number"
    return "string" if isinstance(value, str) else "object" if isinstance(value, Mapping) else "array"


def key_of(value: Any) -> str:
    """Return a text that is equal for equal JSON values only: `true` is not 1, `1.0` is."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, sort_keys=True, default=str)


def _labels(first: Choice, second: Mapping[str, Any] = MappingProxyType({})) -> Atom:
    """Return title and description with the notes; those of `first` win."""
    title = first.title or second.get("title")
    description = first.description or second.get("description")
    if first.notes:
        notes = "; ".join(first.notes)
        description = f"{description} ({notes})" if description else notes
    return {key: text for key, text in (("title", title), ("description", description)) if text}


def _labelled(choice: Choice, atom: Atom) -> Atom:
    """Return an alternative with the title and description of the choice; its own win where it is one of many."""
    if "$ref" in atom:
        return atom
    if len(choice.atoms) == 1:
        return {**atom, **_labels(choice, atom)}
    own = Choice([], atom.get("title"), atom.get("description"), choice.notes)
    return {**atom, **_labels(own, {"title": choice.title, "description": choice.description})}


def distinct(atoms: Iterable[Atom]) -> list[Atom]:
    """Drop repeated atoms, and make one of those that differ in their `enum` alone."""
    listed = list(atoms)
    if len({atom.get("type") for atom in listed}) == len(listed):
        return listed
    unique: dict[str, Atom] = {}
    for atom in listed:
        rest = {key: value for key, value in atom.items() if key != "enum"}
        key = f"{'enum' in atom}{key_of(rest)}"
        if key in unique and "enum" in atom:
            atom = {**atom, "enum": distinct_values([*unique[key]["enum"], *atom["enum"]])}
        unique[key] = atom
    return list(unique.values())


def distinct_values(values: Iterable[Any]) -> list[Any]:
    """Return the values without repetitions, as JSON sees them."""
    return list({key_of(value): value for value in values}.values())


def _meet_all(first: list[Atom], second: list[Atom]) -> list[Atom]:
    if has_every_type(first):
        return second
    if has_every_type(second):
        return first
    if len(first) * len(second) > _MOST_MEETINGS:
        raise Outgrown("too many combinations of alternatives; split it up.")
    met = (_meet(a, b) for a in first for b in second)
    return distinct(atom for atom in met if atom is not None)


def _meet(first: Atom, second: Atom) -> Atom | None:
    if "$ref" in first or "$ref" in second:
        # What stays a reference is recursive; the flavour takes no constraint beside it.
        return first if "$ref" in first else second
    kind = _common_type(first["type"], second["type"])
    if kind is None:
        return None
    met = {**second, **first, "type": kind}
    for key in first.keys() & second.keys():
        if key in _MEETINGS:
            met[key] = _MEETINGS[key](first[key], second[key])
    if "enum" in met:
        if kind == "integer":
            met["enum"] = [int(value) for value in met["enum"] if type_of(value) == kind]
        if not met["enum"]:
            return None
    if kind == "object":
        _meet_properties(met, first, second)
    return with_legal_limits(met)


def _common_type(first: str, second: str) -> str | None:
    if {first, second} == {"integer", "number"}:
        return "integer"
    return first if first == second else None


def _meet_properties(met: Atom, first: Atom, second: Atom) -> None:
    left, right = first.get("properties", {}), second.get("properties", {})
    properties = {name: _meet_nodes(left.get(name), right.get(name)) for name in {**left, **right}}
    impossible = {name for name, node in properties.items() if node is None}
    if properties:
        met["properties"] = {name: node for name, node in properties.items() if node is not None}
    if "required" in met:
        met["required"] = [name for name in met["required"] if name not in impossible]


def _meet_nodes(first: Any, second: Any) -> Any:
    if first is None or second is None:
        return second if first is None else first
    return first if first == second else write(both(read(first), read(second)))


def _meet_items(first: Atom, second: Atom) -> Any:
    # Items that nothing satisfies leave only the empty array; either side alone is the nearest wider schema.
    return _meet_nodes(first, second) or first


def _meet_additional(first: Any, second: Any) -> Any:
    if first is True or second is True:
        return second if first is True else first
    return (first and second and _meet_nodes(first, second)) or False


def _meet_enums(first: list[Any], second: list[Any]) -> list[Any]:
    allowed = {key_of(value) for value in second}
    return [value for value in first if key_of(value) in allowed]


def _meet_required(first: list[str], second: list[str]) -> list[str]:
    return list(dict.fromkeys([*first, *second]))


_MEETINGS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "minLength": max,
    "minItems": max,
    "minimum": max,
    "maxLength": min,
    "maxItems": min,
    "maximum": min,
    "enum": _meet_enums,
    "items": _meet_items,
    "required": _meet_required,
    "additionalProperties": _meet_additional,
}
