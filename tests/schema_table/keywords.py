"""Rules for single keywords: those of objects and arrays, words, and those that the validator does not read."""

from __future__ import annotations

from typing import Any

from tests.schema_table.rows import STRING, Rule, of

_UNREAD: dict[str, Any] = {
    "format": "date",
    "const": "x",
    "oneOf": [STRING],
    "allOf": [STRING],
    "not": {"type": "integer"},
    "if": STRING,
    "then": STRING,
    "else": STRING,
    "discriminator": {"propertyName": "kind"},
    "patternProperties": {"^x": STRING},
    "propertyNames": {"pattern": "^x"},
    "minProperties": 1,
    "maxProperties": 2,
    "dependentRequired": {"x": ["y"]},
    "unevaluatedProperties": False,
    "uniqueItems": True,
    "contains": STRING,
    "prefixItems": [STRING],
    "exclusiveMinimum": 1,
    "exclusiveMaximum": 9,
    "multipleOf": 2,
    "examples": ["x"],
    "readOnly": True,
    "writeOnly": True,
    "deprecated": True,
    "nullable": True,
    "contentEncoding": "base64",
    "contentMediaType": "text/plain",
    "$comment": "c",
    "$anchor": "a",
    "x-mine": {"any": "thing"},
}
_BOUNDS = ("minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum")
_WRONG_BOUNDS = {"a text": "1", "negative": -1, "a fraction": 0.5, "nothing": None, "true": True}

KEYWORDS = (
    Rule(
        "unread keywords",
        "walle strict: `format, pattern, const, oneOf, …` pass; only its level ultra refuses unsupported keywords",
        taken={keyword: of({"type": "string", keyword: value}) for keyword, value in _UNREAD.items()},
        inexpressible={},
    ),
    Rule(
        "bounds",
        "walle strict: bounds of a wrong type and crossed ones are taken; only ultra looks at them",
        taken={
            **{
                f"{keyword} of {name}": of({"type": "number", keyword: value})
                for keyword in _BOUNDS
                for name, value in _WRONG_BOUNDS.items()
            },
            "crossed lengths": of({"type": "string", "minLength": 3, "maxLength": 1}),
            "crossed limits": of({"type": "integer", "minimum": 3, "maximum": 1}),
            "crossed counts": of({"type": "array", "minItems": 3, "maxItems": 1}),
            "an integer's fraction": of({"type": "integer", "minimum": 0.5}),
            "a tiny number": of({"type": "number", "minimum": 1e-9}),
            "right ones": of({"type": "integer", "minimum": 1, "maximum": 3}),
        },
    ),
    Rule(
        "words",
        "walle: `description` is a text; `$id` and `pattern` are texts or null; titles are not looked at",
        taken={
            "a description": of({"type": "string", "description": "d"}),
            "an empty description": of({"type": "string", "description": ""}),
            "a title": of({"type": "string", "title": "t"}),
            "a title that is a number": of({"type": "string", "title": 5}),
            "a title that is a list": of({"type": "string", "title": ["t"]}),
            "an $id": {**of(STRING), "$id": "i"},
            "an $id below the root": of({"type": "string", "$id": "i"}),
            "an $id that is null": {**of(STRING), "$id": None},
            "a pattern": of({"type": "string", "pattern": "^x"}),
            "a pattern of another dialect": of({"type": "string", "pattern": "(?<x>["}),
            "a pattern that is null": of({"type": "string", "pattern": None}),
            "a default": of({"type": "string", "default": "x"}),
            "a default of another type": of({"type": "string", "default": 1}),
        },
        refused={
            "description must be a string": {
                "a description that is a list": of({"type": "string", "description": ["d"]}),
                "a description that is a number": of({"type": "string", "description": 1}),
                "a description that is null": of({"type": "string", "description": None}),
                "a description of the root": {**of(STRING), "description": {"en": "d"}},
            },
            "$id must be a string": {
                "an $id that is a number": {**of(STRING), "$id": 1},
                "an $id that is an object": of({"type": "string", "$id": {}}),
            },
            "pattern must be a string": {
                "a pattern that is a number": of({"type": "string", "pattern": 1}),
                "a pattern that is a list": of({"type": "string", "pattern": ["x"]}),
            },
        },
    ),
    Rule(
        "properties",
        "walle: an object of objects; five names are reserved for keywords",
        taken={
            "none": {"type": "object", "properties": {}},
            "not said": {"type": "object"},
            "in Chinese": {"type": "object", "properties": {"名字": STRING}, "required": ["名字"]},
            "an empty name": {"type": "object", "properties": {"": STRING}, "required": [""]},
            "names of other keywords": {
                "type": "object",
                "properties": dict.fromkeys(("type", "properties", "items", "enum", "description", "title"), STRING),
                "required": ["type", "enum"],
            },
            "a slash in a name": {"type": "object", "properties": {"a/b": STRING}},
            "dots and blanks in a name": {"type": "object", "properties": {"a.b c": STRING}, "required": ["a.b c"]},
            "braces in a name": {"type": "object", "properties": {"{a}": STRING}},
            "beside another type": of({"type": "string", "properties": {"b": STRING}}),
        },
        refused={
            **{
                f"property name '{name}' is reserved for JSON Schema keywords": {
                    f"{name} at the root": {"type": "object", "properties": {name: STRING}, "required": [name]},
                    f"{name} inside": of({"type": "object", "properties": {name: {"type": "integer"}}}),
                    f"{name} in items": of(
                        {"type": "array", "items": {"type": "object", "properties": {name: STRING}}}
                    ),
                }
                for name in ("$defs", "$ref", "anyOf", "required", "additionalProperties")
            },
            "property schema for 'a' must be an object": {
                "true": of(True),
                "false": of(False),
                "null": of(None),
                "a type's name": of("string"),
                "a list": of([STRING]),
            },
            "properties must be an object": {
                "a list of names": {"type": "object", "properties": ["a"]},
                "nothing": {"type": "object", "properties": None},
            },
            "invalid path: properties.{a}": {
                "an enum below braces": {"type": "object", "properties": {"{a}": {"type": "string", "enum": ["x"]}}},
                "branches below braces": {"type": "object", "properties": {"{a}": {"anyOf": [STRING]}}},
            },
        },
        inexpressible={
            "a schema must be an object": ("null", "a type's name", "a list"),
            "properties must be an object": ("a list of names", "nothing"),
        },
    ),
    Rule(
        "required",
        "walle: a list of texts, each of them declared",
        taken={
            "empty": of(STRING, required=[]),
            "declared": of(STRING, required=["a"]),
            "twice": of(STRING, required=["a", "a"]),
            "of another type": {"type": "string", "properties": {"a": STRING}, "required": ["a"]},
        },
        refused={
            "required property 'b' is not defined in properties": {
                "undeclared": of(STRING, required=["b"]),
                "undeclared beside declared": of(STRING, required=["a", "b"]),
                "nothing declared": {"type": "object", "required": ["b"]},
                "in items": of({"type": "array", "items": {"type": "object", "required": ["b"]}}),
            },
            "required must be an array": {
                "a text": of(STRING, required="a"),
                "true": of({"type": "string", "required": True}),
                "nothing": of(STRING, required=None),
            },
            "items in required array must be strings": {"a number": of(STRING, required=["a", 1])},
        },
    ),
    Rule(
        "items and additionalProperties",
        "walle; live (vercel/ai fixture moonshotai-issue-19544-rejected): items must be an object",
        taken={
            "items": of({"type": "array", "items": STRING}),
            "no items": of({"type": "array"}),
            "any items": of({"type": "array", "items": {}}),
            "items of another type": of({"type": "string", "items": STRING}),
            "no further properties": {**of(STRING), "additionalProperties": False},
            "any further properties": {**of(STRING), "additionalProperties": True},
            "further properties of a kind": {**of(STRING), "additionalProperties": {"type": "integer"}},
            "further properties of any kind": {**of(STRING), "additionalProperties": {}},
        },
        refused={
            "At path 'properties.a.items': items must be an object": {
                "a tuple": of({"type": "array", "items": [STRING, STRING]}),
                "an empty tuple": of({"type": "array", "items": []}),
                "no item": of({"type": "array", "items": False}),
                "any item": of({"type": "array", "items": True}),
                "a type's name as items": of({"type": "array", "items": "string"}),
            },
            "additionalProperties must be a boolean or an object": {
                "a text": {**of(STRING), "additionalProperties": "no"},
                "nothing": {**of(STRING), "additionalProperties": None},
                "a list": {**of(STRING), "additionalProperties": [STRING]},
            },
        },
        inexpressible={"a schema must be an object": ("a type's name as items", "a text", "nothing", "a list")},
    ),
    Rule(
        "$schema",
        "the live servers answer 400 to it at the top; the validator takes it",
        taken={"below the root": of({"type": "string", "$schema": "https://json-schema.org/draft/2020-12/schema"})},
        refused={
            "unsupported keywords: $schema": {
                "draft 2020-12": {**of(STRING), "$schema": "https://json-schema.org/draft/2020-12/schema"},
                "draft 7": {**of(STRING), "$schema": "http://json-schema.org/draft-07/schema#"},
            }
        },
    ),
)
