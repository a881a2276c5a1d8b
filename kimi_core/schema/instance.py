"""Says what keeps a JSON value from being an instance of a JSON Schema.

For answers whose shape is given by a schema alone, with no class that would validate them. Hosts decode by a subset
of JSON Schema (see `normalise`), and some by none, so that what comes is held against the author's own schema.

Known are the keywords of draft 2020-12 that say something about one value, and what older drafts and OpenAPI call
otherwise (`definitions`, lists of `items`, `nullable`). `format`, `unevaluated…` and references out of the schema say
nothing here.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any, Final, NamedTuple, TypeAlias

from kimi_core.quoting import in_short, quoted
from kimi_core.schema.references import Scope, enter, resolve

Schema: TypeAlias = Mapping[str, Any]


def fault(value: Any, schema: Schema) -> str:
    """The first thing that is wrong with a value, in words that name the place; empty when nothing is.

    Args:
        value: A JSON value as Python holds it.
        schema: Any JSON Schema. References into itself are followed.

    Raises:
        RecursionError: Value and schema are nested deeper than Python can follow.
    """
    return next(_faults(value, schema, _Place("the answer", (schema,), frozenset())), "")


class _Place(NamedTuple):
    """Where a value is, what references count from there, and which questions are being answered already."""

    name: str
    scope: Scope
    open: frozenset[tuple[int, int]]

    def at(self, step: str) -> _Place:
        """The place of a part of the value."""
        return self._replace(name=self.name + step)


def _faults(value: Any, schema: Any, place: _Place) -> Iterator[str]:
    if schema is False:
        yield f"{place.name} is not allowed"
    if not isinstance(schema, Mapping) or (value is None and schema.get("nullable") is True):
        return
    place = place._replace(scope=enter(place.scope, schema))
    for keyword, argument in schema.items():
        if rule := _RULES.get(keyword):
            yield from rule(value, argument, schema, place)


def _fits(value: Any, schema: Any, place: _Place) -> bool:
    return next(_faults(value, schema, place), None) is None


Rule: TypeAlias = Callable[[Any, Any, Schema, _Place], Iterator[str]]
"""Of a value, a keyword's argument, the schema around it and the place."""

# ------------------------------------------------------------------------------------------------- any value

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def _type(value: Any, named: Any, schema: Schema, place: _Place) -> Iterator[str]:
    kinds = named if isinstance(named, list) else [named]
    if not any(_is(value, kind) for kind in kinds):
        yield f"{place.name} is {_kind(value)}, not {' or '.join(map(str, kinds))}"


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES.get(kind, (object,)))


def _kind(value: Any) -> str:
    return next(kind for kind in _KINDS if _is(value, kind))


_KINDS: Final = ("boolean", "null", "string", "integer", "number", "array", "object")


def _key(value: Any) -> Any:
    """What is equal for equal JSON values only: `true` is not 1, and 1.0 is."""
    if isinstance(value, bool):
        return bool, value
    if isinstance(value, list):
        return list, tuple(map(_key, value))
    if isinstance(value, dict):
        return dict, frozenset((name, _key(inner)) for name, inner in value.items())
    return value


def _enum(value: Any, values: Any, schema: Schema, place: _Place) -> Iterator[str]:
    if _key(value) not in map(_key, values):
        yield f"{place.name} is none of {in_short(values, 500)}"


def _const(value: Any, only: Any, schema: Schema, place: _Place) -> Iterator[str]:
    if _key(value) != _key(only):
        yield f"{place.name} is not {quoted(only, 500)}"


def _ref(value: Any, reference: Any, schema: Schema, place: _Place) -> Iterator[str]:
    target = resolve(reference, place.scope) if isinstance(reference, str) else None
    if target is None:
        return
    question = (id(target.schema), id(value))
    if question in place.open:  # a definition that says no more than itself
        yield f"{place.name} fits nothing that ends"
        return
    yield from _faults(value, target.schema, _Place(place.name, target.scope, place.open | {question}))


def _all_of(value: Any, branches: Any, schema: Schema, place: _Place) -> Iterator[str]:
    for branch in branches:
        yield from _faults(value, branch, place)


def _any_of(value: Any, branches: Any, schema: Schema, place: _Place) -> Iterator[str]:
    if not any(_fits(value, branch, place) for branch in branches):
        yield _none_of(value, branches, place)


def _one_of(value: Any, branches: Any, schema: Schema, place: _Place) -> Iterator[str]:
    fitting = sum(_fits(value, branch, place) for branch in branches)
    if fitting == 0:
        yield _none_of(value, branches, place)
    elif fitting > 1:
        yield f"{place.name} fits {fitting} alternatives, and must fit one"


def _none_of(value: Any, branches: Any, place: _Place) -> str:
    reasons = dict.fromkeys(next(_faults(value, branch, place), "") for branch in branches)
    return f"{place.name} fits no alternative ({'; '.join(reasons)})"


def _not(value: Any, other: Any, schema: Schema, place: _Place) -> Iterator[str]:
    if _fits(value, other, place):
        yield f"{place.name} fits what it must not be"


def _if(value: Any, condition: Any, schema: Schema, place: _Place) -> Iterator[str]:
    yield from _faults(value, schema.get("then" if _fits(value, condition, place) else "else", True), place)


# --------------------------------------------------------------------------------------------------- objects


def _required(value: Any, names: Any, schema: Schema, place: _Place) -> Iterator[str]:
    wanted = names if isinstance(value, dict) and isinstance(names, list) else []  # draft 3 has a boolean here
    if missing := [name for name in wanted if name not in value]:
        yield f"{place.name} lacks {', '.join(missing)}"


def _properties(value: Any, declared: Any, schema: Schema, place: _Place) -> Iterator[str]:
    for name in declared if isinstance(value, dict) else ():
        if name in value:
            yield from _faults(value[name], declared[name], place.at(f".{name}"))


def _pattern_properties(value: Any, patterns: Any, schema: Schema, place: _Place) -> Iterator[str]:
    for pattern, inner in patterns.items() if isinstance(value, dict) else ():
        for name in value:
            if _matches(pattern, name):
                yield from _faults(value[name], inner, place.at(f".{name}"))


def _additional(value: Any, inner: Any, schema: Schema, place: _Place) -> Iterator[str]:
    declared, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for name in value if isinstance(value, dict) else ():
        if name not in declared and not any(_matches(pattern, name) for pattern in patterns):
            yield from _faults(value[name], inner, place.at(f".{name}"))


def _names(value: Any, inner: Any, schema: Schema, place: _Place) -> Iterator[str]:
    for name in value if isinstance(value, dict) else ():
        yield from _faults(name, inner, place.at(f" (the name {quoted(name)})"))


def _dependent(value: Any, needs: Any, schema: Schema, place: _Place) -> Iterator[str]:
    for name in needs if isinstance(value, dict) else ():
        if name in value:
            yield from _required(value, needs[name], schema, place)


# ---------------------------------------------------------------------------------------------------- arrays


def _items(value: Any, inner: Any, schema: Schema, place: _Place) -> Iterator[str]:
    if not isinstance(value, list):
        return
    if isinstance(inner, list):  # before draft 2020-12
        yield from _each(value[: len(inner)], inner, place)
        rest = schema.get("additionalItems", True)
        yield from _each(value, [True] * len(inner) + [rest] * (len(value) - len(inner)), place)
    else:
        first = len(schema.get("prefixItems", ()))
        yield from _each(value, [True] * first + [inner] * (len(value) - first), place)


def _prefix_items(value: Any, inner: Any, schema: Schema, place: _Place) -> Iterator[str]:
    if isinstance(value, list):
        yield from _each(value, inner, place)


def _each(values: list[Any], schemas: list[Any], place: _Place) -> Iterator[str]:
    for index, (value, schema) in enumerate(zip(values, schemas, strict=False)):
        yield from _faults(value, schema, place.at(f"[{index}]"))


def _contains(value: Any, inner: Any, schema: Schema, place: _Place) -> Iterator[str]:
    if not isinstance(value, list):
        return
    count = sum(_fits(one, inner, place) for one in value)
    low, high = schema.get("minContains", 1), schema.get("maxContains", count)
    if not low <= count <= high:
        yield f"{place.name} has {count} items of the kind that it must contain {low} to {high} of"


def _unique(value: Any, wanted: Any, schema: Schema, place: _Place) -> Iterator[str]:
    if wanted is True and isinstance(value, list) and len(set(map(_key, value))) < len(value):
        yield f"{place.name} has an item twice"


# ---------------------------------------------------------------------------------------- texts, numbers, sizes


def _pattern(value: Any, pattern: Any, schema: Schema, place: _Place) -> Iterator[str]:
    if isinstance(value, str) and not _matches(pattern, value):
        yield f"{place.name} does not match {quoted(pattern, 500)}"


def _matches(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error:  # of another dialect than Python's
        return True


def _multiple_of(value: Any, step: Any, schema: Schema, place: _Place) -> Iterator[str]:
    if _is(value, "number") and step and (_exact(value) / _exact(step)).denominator != 1:
        yield f"{place.name} is no multiple of {step}"


def _exact(number: float) -> Fraction:
    """The number as it is written: 0.3 is three times 0.1 there."""
    return Fraction(repr(number))


def _size(kind: type, noun: str, holds: Callable[[Any, Any], bool], bound: str) -> Rule:
    def rule(value: Any, limit: Any, schema: Schema, place: _Place) -> Iterator[str]:
        if isinstance(value, kind) and not holds(len(value), limit):  # type: ignore[arg-type]
            yield f"{place.name} has {len(value)} {noun}, and must have at {bound} {limit}"  # type: ignore[arg-type]

    return rule


def _limit(holds: Callable[[Any, Any], bool], words: str, strictly: str = "") -> Rule:
    def rule(value: Any, limit: Any, schema: Schema, place: _Place) -> Iterator[str]:
        if not _is(value, "number") or isinstance(limit, bool):  # draft 4 says there whether the other limit counts
            return
        if not holds(value, limit) or (schema.get(strictly) is True and value == limit):
            yield f"{place.name} is {value}, and must be {words} {limit}"

    return rule


_RULES: Final[dict[str, Rule]] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "$ref": _ref,
    "allOf": _all_of,
    "anyOf": _any_of,
    "oneOf": _one_of,
    "not": _not,
    "if": _if,
    "required": _required,
    "properties": _properties,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional,
    "propertyNames": _names,
    "dependentRequired": _dependent,
    "minProperties": _size(dict, "properties", operator.ge, "least"),
    "maxProperties": _size(dict, "properties", operator.le, "most"),
    "items": _items,
    "prefixItems": _prefix_items,
    "contains": _contains,
    "uniqueItems": _unique,
    "minItems": _size(list, "items", operator.ge, "least"),
    "maxItems": _size(list, "items", operator.le, "most"),
    "pattern": _pattern,
    "minLength": _size(str, "characters", operator.ge, "least"),
    "maxLength": _size(str, "characters", operator.le, "most"),
    "minimum": _limit(operator.ge, "at least", "exclusiveMinimum"),
    "maximum": _limit(operator.le, "at most", "exclusiveMaximum"),
    "exclusiveMinimum": _limit(operator.gt, "more than"),
    "exclusiveMaximum": _limit(operator.lt, "less than"),
    "multipleOf": _multiple_of,
}
