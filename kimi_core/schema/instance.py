"""Checks whether a JSON value is an instance of a JSON Schema.

For answers that only have a schema, and no class that would validate them. Hosts decode by a subset of JSON Schema
(see `normalise`), and some by none, so that an answer is checked against the author's own schema.

jsonschema-rs decides, loaded when the first such answer comes. It gets the schema as `as_standard` writes it, without
arguments that the draft does not allow (an unknown type, a pattern of another dialect): they are ignored.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, reduce
from operator import getitem
from typing import TYPE_CHECKING, Any, Final

from kimi_core.quoting import in_short, quoted
from kimi_core.schema.json_text import as_json, read
from kimi_core.schema.standard import as_standard

if TYPE_CHECKING:
    from jsonschema_rs import Validator

DEEPEST: Final = 200
"""Most lists and objects inside one another. The validator goes as far as 255; some thousands can end the process."""


def fault(value: Any, schema: Mapping[str, Any]) -> str:
    """Describe the first thing that is wrong with a value, and where; return an empty text when nothing is.

    Args:
        value: A JSON value as Python holds it.
        schema: Any JSON Schema. References into itself are followed; nothing is ever fetched.

    Raises:
        SchemaError: If the schema cannot be written as JSON.
    """
    if _is_too_deep(value):
        return f"the answer is nested too deeply: more than {DEEPEST} lists and objects inside one another"
    validator = _validator(as_json(schema))
    try:
        return _first(validator.iter_errors(value))
    except ValueError:  # half of a surrogate pair, which no UTF-8 has
        return _first(validator.iter_errors(_without_halves(value)))


def _is_too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
    return bool(level)


def _without_halves(value: Any) -> Any:
    """Return the value with another character for each half of a surrogate pair."""
    return json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


@lru_cache(maxsize=64)
def _validator(raw: bytes) -> Validator:
    from jsonschema_rs import Draft202012Validator, ValidationError  # rarely needed

    schema = as_standard(read(raw), _is_pattern)
    while True:
        try:
            return Draft202012Validator(schema, validate_formats=True, retriever=_fetch_nothing)
        except ValidationError as error:
            if not error.instance_path:  # versions before 0.61 do not say where it is
                return Draft202012Validator(True)
            _leave_out(schema, error.instance_path)


def _is_pattern(text: str) -> bool:
    from jsonschema_rs import Draft202012Validator, ValidationError

    try:
        Draft202012Validator({"pattern": text})
    except ValidationError:
        return False
    return True


def _fetch_nothing(address: str) -> Any:
    """Replace the validator's loader of other schemas; `as_standard` leaves nothing to load."""
    raise LookupError(f"{address} is not part of the schema")


def _leave_out(schema: Any, path: list[str | int]) -> None:
    del reduce(getitem, path[:-1], schema)[path[-1]]


# ----------------------------------------------------------------------------------------------------- as text


def _first(errors: Iterable[Any]) -> str:
    """Describe the first of some errors. Errors of a pattern's engine that gave up do not count."""
    found = [one for one in errors if type(one.kind).__name__.rpartition("_")[2] not in _UNDECIDED]
    if not found:
        return ""
    first = found[0]
    place = "the answer" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in first.instance_path)
    if first.kind.name == "required":
        missing = [one.kind.property for one in found if _where(one) == _where(first) and one.kind.name == "required"]
        return f"{place} lacks {', '.join(missing)}"
    return place + _words(first)


def _where(error: Any) -> tuple[list[str | int], list[str | int]]:
    return error.instance_path, error.schema_path


_UNDECIDED: Final = frozenset(("BacktrackLimitExceeded", "RegexEngineFailure"))


def _words(error: Any) -> str:
    keyword = error.kind.name
    return _WORDS[keyword](error) if keyword in _WORDS else f" does not fit {keyword}"


def _type(error: Any) -> str:
    wanted = sorted(error.kind.types, key="null".__eq__)
    return f" is {_TYPES.get(type(error.instance), 'number')}, not {' or '.join(wanted)}"


_TYPES: Final = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null", int: "integer"}


def _not_allowed(error: Any) -> str:
    return f".{error.kind.unexpected[0]} is not allowed"


def _no_name(error: Any) -> str:
    return f" (the name {quoted(error.kind.error.instance)}){_words(error.kind.error)}"


def _contains(error: Any) -> str:
    much = "many" if error.schema_path[-1] == "maxContains" else "few"
    return f" has too {much} items of the kind that it must contain"


def _alternatives(error: Any) -> str:
    branches = error.kind.context
    if fitting := branches.count([]):
        return f" fits {fitting} alternatives, and must fit one"
    return f" fits no alternative ({'; '.join(dict.fromkeys(map(_first, branches)))})"


def _format(error: Any) -> str:
    wanted = error.kind.format
    return f" is no {wanted}{' of RFC 3339, with a time zone' if wanted == 'date-time' else ''}"


def _size(noun: str, bound: str) -> Callable[[Any], str]:
    return lambda error: f" has {len(error.instance)} {noun}, and must have at {bound} {error.kind.limit}"


def _limit(relation: str) -> Callable[[Any], str]:
    return lambda error: f" is {error.instance}, and must be {relation} {error.kind.limit}"


_WORDS: Final[dict[str, Callable[[Any], str]]] = {
    "additionalProperties": _not_allowed,
    "anyOf": _alternatives,
    "const": lambda error: f" is not {quoted(error.kind.expected_value, 500)}",
    "contains": _contains,
    "enum": lambda error: f" is none of {in_short(error.kind.options, 500)}",
    "exclusiveMaximum": _limit("less than"),
    "exclusiveMinimum": _limit("more than"),
    "falseSchema": lambda error: " is not allowed",
    "format": _format,
    "maxItems": _size("items", "most"),
    "maxLength": _size("characters", "most"),
    "maxProperties": _size("properties", "most"),
    "maximum": _limit("at most"),
    "minItems": _size("items", "least"),
    "minLength": _size("characters", "least"),
    "minProperties": _size("properties", "least"),
    "minimum": _limit("at least"),
    "multipleOf": lambda error: f" is no multiple of {error.kind.multiple_of}",
    "not": lambda error: " fits what it must not be",
    "oneOf": _alternatives,
    "pattern": lambda error: f" does not match {quoted(error.kind.pattern, 500)}",
    "propertyNames": _no_name,
    "type": _type,
    "unevaluatedItems": lambda error: " has items that are not allowed",
    "unevaluatedProperties": _not_allowed,
    "uniqueItems": lambda error: " has an item twice",
}
