"""Reads a JSON Schema of any draft and writes it in Moonshot's flavour."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from kimi_core.quoting import quoted
from kimi_core.schema.errors import NoSchemaError, NoValueError, Outgrown, SchemaError
from kimi_core.schema.notes import is_number, is_plain, notes_on, one_of
from kimi_core.schema.numbers import check_values
from kimi_core.schema.references import Scope, Target, enter, is_recursive, resolve
from kimi_core.schema.union import (
    EVERY_TYPE,
    Atom,
    Choice,
    anything,
    both,
    distinct_values,
    either,
    has_every_type,
    is_anything,
    type_of,
    with_legal_limits,
    write,
)

DEEPEST: Final = 30
"""Objects inside one another that the server takes (walle: `schema depth exceeds maximum limit`)."""

_MOST_NODES: Final = 6000  # a schema of the server's 120,000 characters cannot have more subschemas
_TYPES: Final = frozenset({*EVERY_TYPE, "integer"})
_COMBINING: Final = ("$ref", "allOf", "anyOf", "oneOf")
_NUMERIC: Final = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
_KEYWORDS: Final = {
    "object": frozenset({"properties", "required", "additionalProperties", "patternProperties"})
    | {"propertyNames", "minProperties", "maxProperties", "unevaluatedProperties", "dependentRequired"},
    "array": frozenset({"items", "prefixItems", "additionalItems", "minItems", "maxItems"})
    | {"uniqueItems", "contains", "minContains", "maxContains", "unevaluatedItems"},
    "string": frozenset({"minLength", "maxLength", "pattern", "format", "contentEncoding", "contentMediaType"}),
    "number": _NUMERIC,
    "integer": _NUMERIC,
}
"""The keywords that concern one type only."""


class _Place(NamedTuple):
    """Where in the schema the compiler is, and what references count from there."""

    path: tuple[str, ...]
    scope: Scope
    depth: int = 0

    def inside(self, *step: str) -> _Place:
        """Return the place of a subschema for a part of the value. The server counts properties as levels alone."""
        return _Place((*self.path, *step), self.scope, self.depth + (step[0] == "properties"))

    def beside(self, step: str) -> _Place:
        """Return the place of a subschema for the same value."""
        return self._replace(path=(*self.path, step))


class Compiler:
    """One walk through one schema.

    Attributes:
        definitions: The root `$defs` that the result refers to, there once `root` has run.
    """

    def __init__(self, root: Mapping[str, Any], *, share: bool = False) -> None:
        """Prepare to compile.

        Args:
            root: The whole schema.
            share: Keep every reference as one, instead of only the recursive ones.
        """
        self.definitions: Atom = {}
        self._root = root
        self._share = share
        self._names: dict[int, str] = {}
        self._waiting: list[tuple[str, Target]] = []
        self._recursive: dict[int, bool] = {}
        self._impossible: set[int] = set()
        self._nodes = 0

    def root(self) -> Choice:
        """Compile the whole schema and every definition that remains."""
        choice = self._compile(self._root, _Place((), (self._root,)))
        found: list[tuple[str, Target, Atom | None]] = []
        while self._waiting:
            name, target = self._waiting.pop(0)
            found.append((name, target, write(self._compile(target.schema, _Place(("$defs", name), target.scope)))))
        impossible = {id(target.schema) for _, target, node in found if node is None}
        if impossible:
            # What refers to them changes with them, so that the whole is compiled once more.
            self._impossible |= impossible
            self._names.clear()
            return self.root()
        self.definitions = {name: node for name, _, node in found if node is not None}
        return choice

    def _compile(self, schema: Any, place: _Place, *, merged: bool = False) -> Choice:
        """Return what a subschema allows; `merged` when the result is combined with another choice."""
        self._nodes += 1
        if self._nodes > _MOST_NODES:
            raise Outgrown("too many parts for the server; split it up.")
        if isinstance(schema, bool):
            return anything() if schema else Choice([])
        if not isinstance(schema, Mapping):
            raise NoSchemaError(place.path, "a schema must be an object or a boolean.")
        if place.depth > DEEPEST:
            raise SchemaError(place.path, f"nested deeper than {DEEPEST} levels; flatten it or split it up.")
        if (scope := enter(place.scope, schema)) is not place.scope:
            place = place._replace(scope=scope)
        choice = self._own(schema, place)
        for other in self._combined(schema, place, merged=merged or not has_every_type(choice.atoms)):
            choice = both(choice, other)
        if schema.get("nullable") is True:
            choice.atoms = either([Choice(choice.atoms), Choice([{"type": "null"}])]).atoms
        return choice

    def _own(self, schema: Mapping[str, Any], place: _Place) -> Choice:
        """Return what the keywords of this one level allow, without the subschemas combined with it."""
        values = _values(schema, place)
        kinds = _declared(schema, place)
        if not kinds:
            open_to_all = values is not None or not schema.keys().isdisjoint(_COMBINING)
            kinds = EVERY_TYPE if open_to_all else _implied(schema)
        notes = notes_on(schema, kinds)
        atoms = [self._atom(kind, schema, place, notes) for kind in kinds]
        if values is not None:
            atoms = _enumerate(atoms, values, notes)
        title, description = schema.get("title"), schema.get("description")
        return Choice(
            atoms,
            title if isinstance(title, str) else None,
            description if isinstance(description, str) else None,
            notes,
        )

    def _atom(self, kind: str, schema: Mapping[str, Any], place: _Place, notes: list[str]) -> Atom:
        atom: Atom = {"type": kind}
        if kind in ("boolean", "null") or schema.keys().isdisjoint(_KEYWORDS[kind]):
            return atom
        if kind == "object":
            self._add_object(atom, schema, place)
        elif kind == "array":
            self._add_items(atom, schema, place, notes)
            _add_counts(atom, schema, "minItems", "maxItems")
        elif kind == "string":
            _add_counts(atom, schema, "minLength", "maxLength")
        else:
            _add_limits(atom, schema, whole=kind == "integer")
        return with_legal_limits(atom)

    def _combined(self, schema: Mapping[str, Any], place: _Place, *, merged: bool) -> Iterable[Choice]:
        if "$ref" in schema:
            yield self._reference(schema["$ref"], place, merged=merged)
        members = _subschemas(schema, "allOf", place)
        for index, member in enumerate(members):
            yield self._compile(member, place.beside(f"allOf[{index}]"), merged=merged or len(members) > 1)
        for key in ("anyOf", "oneOf"):
            if branches := _subschemas(schema, key, place):
                yield either(
                    self._compile(branch, place.beside(f"{key}[{index}]"), merged=merged)
                    for index, branch in enumerate(branches)
                )

    def _reference(self, reference: Any, place: _Place, *, merged: bool) -> Choice:
        target = resolve(reference, place.scope) if isinstance(reference, str) else None
        if target is None:
            raise SchemaError(
                place.path,
                f"the reference {quoted(reference)} leads nowhere. Only references into the same schema can be "
                "followed, such as '#/$defs/Name': put the definition there.",
            )
        if id(target.schema) in self._impossible:
            return Choice([])
        if isinstance(target.schema, Mapping) and ((self._share and not merged) or self._leads_back(target)):
            return Choice([{"$ref": f"#/$defs/{self._name(reference, target)}"}])
        return self._compile(target.schema, place._replace(scope=target.scope), merged=merged)

    def _leads_back(self, target: Target) -> bool:
        key = id(target.schema)
        if key not in self._recursive:
            self._recursive[key] = is_recursive(target)
        return self._recursive[key]

    def _name(self, reference: str, target: Target) -> str:
        """Return the name under which the target will be defined; plan its definition when it is new."""
        name = self._names.get(id(target.schema))
        if name is None:
            name = _free_name(reference, target.schema, set(self._names.values()))
            self._names[id(target.schema)] = name
            self._waiting.append((name, target))
        return name

    def _add_object(self, atom: Atom, schema: Mapping[str, Any], place: _Place) -> None:
        properties: Atom = {}
        impossible = set()
        for name, subschema in _named(schema, "properties", place).items():
            node = write(self._compile(subschema, place.inside("properties", name)))
            if node is None:
                impossible.add(name)
            else:
                properties[name] = node
        if "properties" in schema:
            atom["properties"] = properties
        required = schema.get("required")
        if isinstance(required, list):
            atom["required"] = [name for name in required if isinstance(name, str) and name not in impossible]
        self._add_additional(atom, schema, place)

    def _add_additional(self, atom: Atom, schema: Mapping[str, Any], place: _Place) -> None:
        if "additionalProperties" not in schema:
            return
        choices = [self._compile(schema["additionalProperties"], place.inside("additionalProperties"))]
        for name, subschema in _named(schema, "patternProperties", place).items():
            choices.append(self._compile(subschema, place.inside("patternProperties", name)))
        everything = any(is_anything(choice) for choice in choices)
        atom["additionalProperties"] = everything or write(either(choices)) or False

    def _add_items(self, atom: Atom, schema: Mapping[str, Any], place: _Place, notes: list[str]) -> None:
        first, rest = _tuple_of(schema)
        members = [self._compile(item, place.inside(f"items[{index}]")) for index, item in enumerate(first)]
        if members:
            notes.append(f"items in this order: {', '.join(map(_in_short, members))}")
        most = schema.get("maxItems")
        if not (members and is_number(most) and most <= len(members)):
            members.append(self._compile(rest, place.inside("items")))
        possible = list(itertools.takewhile(lambda member: member.atoms, members))
        if len(possible) < len(members):
            atom["maxItems"] = len(possible)
        if possible and not any(map(is_anything, possible)):
            atom["items"] = write(either(possible))


def _free_name(reference: str, schema: Mapping[str, Any], taken: set[str]) -> str:
    last = reference.rsplit("/", 1)[-1] if "/" in reference else str(schema.get("title", "Root"))
    plain = re.sub(r"[^\w.-]+", "_", last, flags=re.ASCII).strip("_") or "Definition"
    numbered = (f"{plain}_{number}" for number in itertools.count(2))
    return next(name for name in itertools.chain([plain], numbered) if name not in taken)


def _declared(schema: Mapping[str, Any], place: _Place) -> tuple[str, ...]:
    """Return the types that the schema names; none when it names none."""
    declared = schema.get("type")
    if declared is None:
        return ()
    kinds = declared if isinstance(declared, list) else [declared]
    unknown = [kind for kind in kinds if not isinstance(kind, str) or kind not in _TYPES]
    if unknown or not kinds:
        raise SchemaError(place.path, f"the type {quoted(declared)} is none of {', '.join(sorted(_TYPES))}.")
    return tuple(dict.fromkeys(kinds))


def _implied(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the types that the keywords make sense for; every type when they imply none."""
    kinds = (kind for kind in EVERY_TYPE if not schema.keys().isdisjoint(_KEYWORDS.get(kind, ())))
    return tuple(kinds) or EVERY_TYPE


def _values(schema: Mapping[str, Any], place: _Place) -> list[Any] | None:
    """Return the values that `const` or `enum` allows, if there is one."""
    if "const" in schema:
        values: Any = [schema["const"]]
    elif (values := schema.get("enum")) is None:
        return None
    elif not isinstance(values, list) or not values:
        raise NoValueError(place.path, "enum must be a list of at least one value.")
    check_values(values, place.path)
    return distinct_values(values)


def _enumerate(atoms: list[Atom], values: list[Any], notes: list[str]) -> list[Atom]:
    """Return the atoms narrowed to the values; without a value of a declared type they stay as they are."""
    kinds = {type_of(value) for value in values}
    allowed: dict[str, list[Any]] = {}
    for value in values:
        kind = type_of(value)
        allowed.setdefault("number" if kind == "integer" and "number" in kinds else kind, []).append(value)
    enums = [_enum_atom(kind, group) for kind, group in allowed.items()]
    narrowed = both(Choice(atoms), Choice(enums)).atoms
    if not narrowed or any("enum" not in enum and enum["type"] != "null" for enum in enums):
        notes.append(one_of(values))
    if "null" in kinds and {"type": "null"} not in narrowed:
        # A null among the values of {"type": "string"} is meant to be allowed, although it is not.
        narrowed = [*(narrowed or atoms), {"type": "null"}]
    return narrowed or atoms


def _enum_atom(kind: str, values: list[Any]) -> Atom:
    if kind in ("null", "object", "array") or not all(is_plain(value) for value in values if is_number(value)):
        return {"type": kind}
    return {"type": kind, "enum": [int(value) for value in values] if kind == "integer" else values}


def _add_counts(atom: Atom, schema: Mapping[str, Any], *keys: str) -> None:
    for key in keys:
        value = schema.get(key)
        if is_number(value) and value >= 0 and type_of(value) == "integer":
            atom[key] = min(int(value), atom.get(key, math.inf)) if key.startswith("max") else int(value)


def _add_limits(atom: Atom, schema: Mapping[str, Any], *, whole: bool) -> None:
    """Add the limits that the flavour can express; for integers an exclusive one becomes the next integer."""
    for key, exclusive, side, tightest in (
        ("minimum", "exclusiveMinimum", 1, max),
        ("maximum", "exclusiveMaximum", -1, min),
    ):
        value, limit = schema.get(key), schema.get(exclusive)
        limits = [
            _limit(value, side, strict=limit is True, whole=whole),
            _limit(limit, side, strict=True, whole=whole),
        ]
        if found := [limit for limit in limits if limit is not None]:
            atom[key] = tightest(found)


def _limit(value: Any, side: int, *, strict: bool, whole: bool) -> float | None:
    """Return a limit as the flavour writes it; `side` is 1 for a lower one and -1 for an upper one."""
    if not is_number(value):
        return None
    if whole and strict:
        return side * (math.floor(side * value) + 1)
    return value if whole or is_plain(value) else None


def _tuple_of(schema: Mapping[str, Any]) -> tuple[list[Any], Any]:
    """Return the schemas of the first items, one by one, and the schema of those after."""
    items = schema.get("items", True)
    if isinstance(items, list):
        return items, schema.get("additionalItems", True)
    first = schema.get("prefixItems")
    return first if isinstance(first, list) else [], items


def _in_short(choice: Choice) -> str:
    types = "anything" if is_anything(choice) else " or ".join(dict.fromkeys(map(_atom_in_short, choice.atoms)))
    return choice.title or types or "nothing"


def _atom_in_short(atom: Atom) -> str:
    return str(atom["type"]) if "type" in atom else atom["$ref"].rsplit("/", 1)[-1]


def _subschemas(schema: Mapping[str, Any], key: str, place: _Place) -> list[Any]:
    subschemas = schema.get(key, [])
    if not isinstance(subschemas, list):
        raise NoSchemaError(place.path, f"{key} must be a list of schemas.")
    return subschemas


def _named(schema: Mapping[str, Any], key: str, place: _Place) -> Mapping[str, Any]:
    named = schema.get(key, {})
    if not isinstance(named, Mapping):
        raise NoSchemaError((*place.path, key), f"{key} must be an object.")
    return named
