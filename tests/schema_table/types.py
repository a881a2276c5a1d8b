"""Rules for `type` and `enum`."""

from __future__ import annotations

from typing import Any

from tests.schema_table.rows import STRING, Rule, of

_EVERY = ("string", "number", "integer", "boolean", "null", "array", "object")
_VALUES: dict[str, Any] = {
    "text": "x",
    "a whole number": 1,
    "a fraction": 1.5,
    "a whole fraction": 2.0,
    "true": True,
    "null": None,
    "a list": [1],
    "an object": {"x": 1},
}
_FITTING = {
    "string": ("text",),
    "number": ("a whole number", "a fraction", "a whole fraction"),
    "integer": ("a whole number", "a whole fraction"),
    "boolean": ("true",),
    "null": ("null",),
    "array": ("a list",),
    "object": ("an object",),
}
_SAYING = {"number": "not a valid number", "integer": "not a valid integer"}


def _enums(*kinds: str, fitting: bool) -> dict[str, Any]:
    return {
        f"{name} in an enum of {kind}": of({"type": kind, "enum": [value]})
        for kind in kinds
        for name, value in _VALUES.items()
        if (name in _FITTING[kind]) is fitting
    }


TYPES = (
    Rule(
        "a type",
        "walle: `type` is one of seven literals, or a list of them",
        taken={
            **{kind: of({"type": kind}) for kind in _EVERY},
            **{f"a list of {kind} alone": of({"type": [kind]}) for kind in _EVERY},
            **{f"{kind} at the root": {"type": kind} for kind in _EVERY},
            "no type": of({"description": "anything"}),
            "nothing at all": of({}),
            "the empty schema": {},
        },
        refused={
            "invalid type": {
                "unknown": of({"type": "text"}),
                "float": of({"type": "float"}),
                "in capitals": of({"type": "STRING"}),
                "empty": of({"type": ""}),
            },
            "invalid type in type array": {
                "unknown in a list": of({"type": ["string", "date"]}),
                "null instead of its name": of({"type": ["string", None]}),
            },
            "type array cannot be empty": {"an empty list": of({"type": []})},
            "type must be string or array of strings": {
                "a number": of({"type": 1}),
                "an object": of({"type": {"type": "string"}}),
                "nothing": of({"type": None}),
            },
        },
        inexpressible={
            "the type": (
                *("unknown", "float", "in capitals", "empty", "unknown in a list", "null instead of its name"),
                *("an empty list", "a number", "an object"),
            )
        },
    ),
    Rule(
        "keywords beside several types",
        "walle strict: nothing but title, description and, with two types, an enum; at the root $defs and $id as well",
        taken={
            "a description": of({"type": ["string", "null"], "description": "d"}),
            "a title": of({"type": ["string", "integer", "null"], "title": "t"}),
            "an enum": of({"type": ["string", "null"], "enum": ["x", None]}),
            "an enum and more": of({"type": ["string", "null"], "enum": ["x"], "default": "x"}),
            "definitions at the root": {"type": ["object", "null"], "$defs": {"B": STRING}, "$id": "i"},
            "a bound beside a list of one": of({"type": ["string"], "minLength": 1}),
        },
        refused={
            "keyword default is not allowed in combination with multiple types": {
                "a default": of({"type": ["string", "null"], "default": None})
            },
            "keyword items is not allowed in combination with multiple types": {
                "items": of({"type": ["array", "null"], "items": STRING})
            },
            "keyword properties is not allowed in combination with multiple types": {
                "properties": of({"type": ["object", "null"], "properties": {"b": STRING}})
            },
            "keyword minLength is not allowed in combination with multiple types": {
                "a bound": of({"type": ["string", "null"], "minLength": 1})
            },
            "keyword format is not allowed in combination with multiple types": {
                "an unknown keyword": of({"type": ["string", "null"], "format": "date"})
            },
            "keyword $id is not allowed in combination with multiple types": {
                "an $id below the root": of({"type": ["string", "null"], "$id": "i"})
            },
        },
    ),
    Rule(
        "enum",
        "walle: values of the one type that stands beside it, or of it and null; number and integer are strict",
        taken={
            **_enums(*_EVERY, fitting=True),
            "null first": of({"type": ["null", "integer"], "enum": [None, 1]}),
            "the same twice": of({"type": "string", "enum": ["x", "x"]}),
            "at the root": {"type": "string", "enum": ["x"]},
        },
        refused={
            "does not match any type in": _enums("string", "boolean", "null", "array", "object", fitting=False),
            **{words: _enums(kind, fitting=False) for kind, words in _SAYING.items()},
            "type is not defined": {
                "no type": of({"enum": ["x"]}),
                "no type and numbers": of({"enum": [1, 2]}),
                "no type and a mixture": of({"enum": ["x", 1, None]}),
                "no type in items": of({"type": "array", "items": {"enum": ["x"]}}),
            },
            "enum array cannot be empty": {
                "empty": of({"type": "string", "enum": []}),
                "empty without type": of({"enum": []}),
            },
            "enum must be an array": {
                "a text": of({"type": "string", "enum": "x"}),
                "an object": of({"type": "string", "enum": {"x": 1}}),
            },
            "currently only 2 types are supported": {
                "two types without null": of({"type": ["string", "integer"], "enum": ["x", 1]}),
                "a list of one, twice": of({"type": ["string", "string"], "enum": ["x"]}),
            },
            "keyword enum is not allowed in combination with multiple types": {
                "three types": of({"type": ["string", "null", "integer"], "enum": ["x"]})
            },
            "type array is not allowed in combination with enum": {
                "a list type among two": of({"type": ["array", "null"], "enum": [None]})
            },
            "not a valid integer": {
                "null last": of({"type": ["integer", "null"], "enum": [1, None]}),
                **_enums("integer", fitting=False),
            },
        },
        inexpressible={"enum must be a list": ("empty", "empty without type", "a text", "an object")},
    ),
)
