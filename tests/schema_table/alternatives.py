"""Rules for `anyOf`."""

from __future__ import annotations

from tests.schema_table.rows import NULL, STRING, Rule, of

_INTEGER = {"type": "integer"}

ALTERNATIVES = (
    Rule(
        "anyOf",
        "walle: 1 to 500 objects; the type stands in the branches",
        taken={
            "two types": of({"anyOf": [STRING, NULL]}),
            "one branch": of({"anyOf": [STRING]}),
            "the same twice": of({"anyOf": [STRING, STRING]}),
            "at the root": {"anyOf": [of(STRING), of(_INTEGER)]},
            "inside another": of({"anyOf": [{"anyOf": [STRING, NULL]}, _INTEGER]}),
            "a branch of anything": of({"anyOf": [{}, NULL]}),
            "pydantic's Optional": of({"anyOf": [STRING, NULL], "default": None, "title": "A"}),
            "a description beside and inside": of({"description": "d", "anyOf": [{**STRING, "description": "e"}]}),
            "a bound beside": of({"minLength": 1, "anyOf": [STRING, NULL]}),
            "properties beside branches without": of({"properties": {"b": STRING}, "anyOf": [STRING]}),
            "five hundred": of({"anyOf": [{"type": "integer", "title": str(at)} for at in range(500)]}),
        },
        refused={
            "when using anyOf, type should be defined in anyOf items instead of the parent schema": {
                "a type beside": of({"type": "string", "anyOf": [STRING]}),
                "a type beside other types": of({"type": "object", "anyOf": [NULL, {"type": "object"}]}),
                "a type beside names": {**of(STRING), "anyOf": [{"required": ["a"]}]},
                "a list of types beside": of({"type": ["string", "null"], "anyOf": [STRING]}),
            },
            "anyOf must have 1-500 items": {
                "none": of({"anyOf": []}),
                "five hundred and one": of({"anyOf": [{"type": "integer", "title": str(at)} for at in range(501)]}),
            },
            "anyOf must be an array": {"an object": of({"anyOf": STRING})},
            "schema in anyOf must be an object": {
                "true": of({"anyOf": [STRING, True]}),
                "a type's name": of({"anyOf": ["string"]}),
            },
        },
        inexpressible={
            "501 alternatives": ("five hundred and one",),
            "anyOf must be a list": ("an object",),
            "a schema must be an object": ("a type's name",),
        },
    ),
    Rule(
        "the same keyword beside anyOf and in it",
        "walle: `conflicting keywords found in anyOf with parent`; title and description are no conflict",
        taken={
            "the title": of({"title": "t", "anyOf": [{**STRING, "title": "u"}]}),
            "another bound": of({"minLength": 1, "anyOf": [{**STRING, "maxLength": 2}]}),
        },
        refused={
            "conflicting keywords found in anyOf with parent: minLength": {
                "a length": of({"minLength": 1, "anyOf": [{**STRING, "minLength": 2}, NULL]}),
                "the same length": of({"minLength": 1, "anyOf": [NULL, {**STRING, "minLength": 1}]}),
            },
            "conflicting keywords found in anyOf with parent: minimum": {
                "a limit": of({"minimum": 1, "anyOf": [{**_INTEGER, "minimum": 0}]})
            },
            "conflicting keywords found in anyOf with parent: maxItems": {
                "a count": of({"maxItems": 1, "anyOf": [{"type": "array", "maxItems": 2}]})
            },
            "conflicting keywords found in anyOf with parent: properties": {
                "properties": of({"properties": {"b": STRING}, "anyOf": [{"properties": {"c": STRING}}]})
            },
            "conflicting keywords found in anyOf with parent: default": {
                "a default": of({"default": "x", "anyOf": [{**STRING, "default": "y"}]})
            },
            "conflicting keywords found in anyOf with parent: anyOf": {},
        },
    ),
)
