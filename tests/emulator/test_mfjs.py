"""Moonshot-flavoured JSON Schema: what the server's validator takes and what it says to the rest."""

from __future__ import annotations

from typing import Any

import pytest

from kimi_core.emulator import mfjs

STRING = {"type": "string"}


def with_property(schema: Any, **root: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": schema}, **root}


def deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = STRING
    for _ in range(levels):
        schema = {"type": "array", "items": schema}
    return schema


NODE = {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}}}

VALID: dict[str, dict[str, Any]] = {
    "any root": STRING,
    "union root": {"anyOf": [STRING, {"type": "null"}]},
    "enum with type": with_property({"type": "string", "enum": ["x", "y"]}),
    "nullable enum": with_property({"type": ["string", "null"], "enum": ["x", None]}),
    "integer enum": with_property({"type": "integer", "enum": [1, 2]}),
    "list of types": with_property({"type": ["string", "null"], "description": "d"}),
    "empty subschema": with_property({}),
    "property without type": with_property({"description": "anything"}),
    "unknown keywords": with_property(
        {"type": "string", "format": "date", "pattern": "x", "examples": ["x"], "x-y": 1, "const": "x"}
    ),
    "oneOf and allOf": with_property({"oneOf": [STRING], "allOf": [STRING], "not": STRING}),
    "default beside anyOf": with_property({"anyOf": [STRING, {"type": "null"}], "default": None}),
    "additionalProperties as a schema": with_property({"type": "object", "additionalProperties": STRING}),
    "reference": with_property({"$ref": "#/$defs/B"}, **{"$defs": {"B": STRING}}),
    "described reference": with_property({"$ref": "#/$defs/B", "description": "d"}, **{"$defs": {"B": STRING}}),
    "recursion that can end": {**NODE, "$defs": {"Node": NODE}, "required": ["next"]},
    "recursion through a list": with_property(
        {"$ref": "#/$defs/T"},
        required=["a"],
        **{"$defs": {"T": {"type": "array", "items": {"$ref": "#/$defs/T"}}}},
    ),
    "thirty levels": deep(29),
    "names in Chinese": {"type": "object", "properties": {"名字": STRING}, "required": ["名字"]},
}

INVALID: dict[str, tuple[dict[str, Any], str]] = {
    "enum without type": (with_property({"enum": ["x"]}), "At path 'properties.a': type is not defined"),
    "null in an enum of strings": (
        with_property({"type": "string", "enum": ["x", None]}),
        "At path 'properties.a': enum value null does not match type \"string\"",
    ),
    "mixed enum": (with_property({"type": "string", "enum": ["x", 1]}), "enum value 1 does not match type"),
    "fraction in an integer enum": (with_property({"type": "integer", "enum": [1.5]}), "enum value 1.5 does not"),
    "truth in an integer enum": (with_property({"type": "integer", "enum": [True]}), "enum value true does not"),
    "empty enum": (with_property({"type": "string", "enum": []}), "enum must be a non-empty array"),
    "large enum": (with_property({"type": "integer", "enum": list(range(1001))}), "enum exceeds 1000 items"),
    "enum of three types": (
        with_property({"type": ["string", "null", "integer"], "enum": ["x"]}),
        "enum cannot be used with more than two types",
    ),
    "boolean subschema": (with_property(True), "At path 'root': property schema for 'a' must be an object"),
    "old definitions": (
        with_property({"$ref": "#/definitions/B"}, definitions={"B": STRING}),
        "references must start with #/$defs/",
    ),
    "remote reference": (with_property({"$ref": "https://example.com/s"}), "references must start with #/$defs/"),
    "reference to nothing": (with_property({"$ref": "#/$defs/B"}), "reference #/$defs/B is not found"),
    "reference to nested definitions": (
        with_property({"type": "object", "$defs": {"B": STRING}, "properties": {"b": {"$ref": "#/$defs/B"}}}),
        "At path 'properties.a.properties.b': reference #/$defs/B is not found",
    ),
    "reference with type": (
        with_property({"$ref": "#/$defs/B", "type": "string"}, **{"$defs": {"B": STRING}}),
        "when using $ref, type should be defined in the referenced schema",
    ),
    "description on both sides": (
        with_property({"$ref": "#/$defs/B", "description": "d"}, **{"$defs": {"B": {**STRING, "description": "e"}}}),
        "At path 'properties.a': conflicting keywords found after $ref expansion: description",
    ),
    "type beside anyOf": (
        with_property({"type": "string", "anyOf": [STRING]}),
        "when using anyOf, type should be defined in anyOf items instead of the parent schema",
    ),
    "properties beside anyOf": (
        with_property({"properties": {"b": STRING}, "anyOf": [STRING]}),
        "conflicting keywords found in anyOf with parent: keywords (properties)",
    ),
    "empty anyOf": (with_property({"anyOf": []}), "anyOf must have 1 to 500 items"),
    "boolean in anyOf": (with_property({"anyOf": [True]}), "anyOf items must be objects"),
    "too many branches": (with_property({"anyOf": [STRING] * 501}), "anyOf must have 1 to 500 items"),
    "list of types with default": (with_property({"type": ["string", "null"], "default": None}), "default cannot"),
    "list of types with items": (with_property({"type": ["array", "null"], "items": {}}), "items cannot be used"),
    "required but undefined": (
        with_property(STRING, required=["b"]),
        "At path 'root': required property 'b' is not defined in properties",
    ),
    "items as a tuple": (with_property({"type": "array", "items": [STRING]}), "items must be an object"),
    "items false": (with_property({"type": "array", "items": False}), "items must be an object"),
    "reserved name": ({"type": "object", "properties": {"$ref": STRING}}, "property name '$ref' is reserved"),
    "reserved name required": ({"type": "object", "properties": {"required": STRING}}, "'required' is reserved"),
    "description as a list": (with_property({"type": "string", "description": ["d"]}), "description must be a"),
    "unknown type": (with_property({"type": "text"}), 'type "text" is not supported'),
    "empty list of types": (with_property({"type": []}), "type [] is not supported"),
    "properties as a list": ({"type": "object", "properties": []}, "properties must be an object"),
    "bound as text": (with_property({"type": "integer", "minimum": "1"}), "minimum must be a number"),
    "negative length": (with_property({"type": "string", "minLength": -1}), "minLength must be a non-negative integer"),
    "required as text": (with_property(STRING, required="a"), "required must be an array"),
    "additionalProperties as text": (with_property({"additionalProperties": "no"}), "additionalProperties must be"),
    "definitions as a list": (with_property(STRING, **{"$defs": []}), "$defs must be an object of objects"),
    "recursion without end": (
        with_property(
            {"$ref": "#/$defs/B"},
            required=["a"],
            **{"$defs": {"B": {"type": "object", "properties": {"b": {"$ref": "#/$defs/B"}}, "required": ["b"]}}},
        ),
        "infinite recursion detected",
    ),
    "recursion in a definition of itself": (
        with_property(STRING, **{"$defs": {"B": {"$ref": "#/$defs/B"}}}),
        "At path '$defs.B': infinite recursion detected",
    ),
    "thirty-one levels": (deep(31), "schema depth exceeds 30"),
    "too long": (with_property({"type": "string", "description": "d" * 120_000}), "schema size exceeds 120000"),
    "$schema": (
        with_property(STRING, **{"$schema": "http://json-schema.org/draft-07/schema#"}),
        "At path 'root': unsupported keywords: $schema",
    ),
}


@pytest.mark.parametrize("schema", VALID.values(), ids=VALID.keys())
def test_a_schema_of_the_flavour_has_no_fault(schema):
    assert mfjs.fault(schema) is None


@pytest.mark.parametrize(("schema", "words"), INVALID.values(), ids=INVALID.keys())
def test_a_schema_outside_the_flavour_has_its_fault_named(schema, words):
    assert words in str(mfjs.fault(schema))


def test_the_check_of_a_wide_schema_is_quick():
    wide = {"type": "object", "properties": {f"p{at}": {"type": "string"} for at in range(2000)}}
    assert mfjs.fault(wide) is None
