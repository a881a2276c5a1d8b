"""Rules for `$ref` and `$defs`."""

from __future__ import annotations

from tests.schema_table.rows import NULL, STRING, Rule, of, ref, with_definitions

_DESCRIBED = {**STRING, "description": "e"}
_TITLED = {**STRING, "title": "E"}
_PERSON = {"type": "object", "properties": {"name": STRING}}

REFERENCES = (
    Rule(
        "a reference",
        "walle: `#`, or into the root's $defs; nothing is unescaped",
        taken={
            "to a definition": with_definitions(of(ref("B")), B=STRING),
            "in items": with_definitions(of({"type": "array", "items": ref("B")}), B=STRING),
            "in a branch": with_definitions(of({"anyOf": [ref("B"), NULL]}), B=STRING),
            "in further properties": with_definitions({**of(STRING), "additionalProperties": ref("B")}, B=STRING),
            "at the root": with_definitions(ref("B"), B=_PERSON),
            "to the root": of({"$ref": "#"}),
            "through another": with_definitions(of(ref("B")), B=ref("C"), C=STRING),
            "below a definition": with_definitions(of({"$ref": "#/$defs/B/properties/name"}), B=_PERSON),
            "to definitions inside one": with_definitions(
                of({"$ref": "#/$defs/B/$defs/C"}), B={"$defs": {"C": STRING}}
            ),
            "to a name in Chinese": with_definitions(of(ref("名")), 名=STRING),
            "a definition that nobody needs": with_definitions(of(STRING), B=STRING),
            "definitions that are empty": with_definitions(of(STRING)),
        },
        refused={
            "references must start with #/$defs/": {
                "pydantic 1's": {**of({"$ref": "#/definitions/B"}), "definitions": {"B": STRING}},
                "remote": of({"$ref": "https://example.com/s.json"}),
                "relative": of({"$ref": "other.json#/a"}),
                "an anchor": of({"$ref": "#name"}),
                "to a property": {"type": "object", "properties": {"a": STRING, "b": {"$ref": "#/properties/a"}}},
                "empty": of({"$ref": ""}),
            },
            "definition name cannot be empty": {"without a name": with_definitions(of({"$ref": "#/$defs/"}), B=STRING)},
            "$defs not found for reference: #/$defs/B": {
                "without definitions": of(ref("B")),
                "to definitions that are pasted": of({**of(ref("B")), "$defs": {"B": STRING}}),
            },
            "invalid $ref path: #/$defs/B": {
                "to nothing": with_definitions(of(ref("B")), C=STRING),
                "to nothing in a definition": with_definitions(of(STRING), C=of(ref("B"))),
            },
            "invalid $ref path: #/$defs/a~1b": {
                "with an escape": with_definitions(of(ref("a~1b")), c=STRING),
            },
            "invalid $ref path: #/$defs/B/anyOf/0": {
                "to a branch": with_definitions(of({"$ref": "#/$defs/B/anyOf/0"}), B={"anyOf": [STRING]})
            },
            "$ref must be a string": {"a number": of({"$ref": 5}), "null": of({"$ref": None})},
        },
        inexpressible={
            "leads nowhere": (
                *("remote", "relative", "an anchor", "empty", "without a name", "without definitions", "to nothing"),
                *("with an escape", "a number", "null"),
            )
        },
    ),
    Rule(
        "beside a reference",
        "walle: no type; nothing that the target says too. Live, MoonshotAI/kimi-cli#1903",
        taken={
            "a description": with_definitions(of({**ref("B"), "description": "d"}), B=STRING),
            "a title": with_definitions(of({**ref("B"), "title": "t"}), B=STRING),
            "a default": with_definitions(of({**ref("B"), "default": "x"}), B=STRING),
            "a bound": with_definitions(of({**ref("B"), "maxLength": 5}), B=STRING),
            "words through another": with_definitions(of(ref("B")), B={**ref("C"), "description": "d"}, C=_TITLED),
        },
        refused={
            "when using $ref, type should be defined in the referenced schema instead of the parent schema": {
                "the type": with_definitions(of({**ref("B"), "type": "string"}), B=STRING),
                "another type": with_definitions(of({**ref("B"), "type": ["string", "null"]}), B=STRING),
            },
            "conflicting keywords found after $ref expansion: description": {
                "a description on both sides": with_definitions(of({**ref("B"), "description": "d"}), B=_DESCRIBED),
                "a description further on": with_definitions(
                    of({**ref("B"), "description": "d"}), B={**ref("C"), "description": "e"}, C=STRING
                ),
                "two descriptions on the way": with_definitions(
                    of(ref("B")), B={**ref("C"), "description": "d"}, C={**ref("D"), "description": "e"}, D=STRING
                ),
            },
            "conflicting keywords found after $ref expansion: title": {
                "a title on both sides": with_definitions(of({**ref("B"), "title": "t"}), B=_TITLED)
            },
            "conflicting keywords found after $ref expansion: maxLength": {
                "a bound on both sides": with_definitions(
                    of({**ref("B"), "maxLength": 5}), B={**STRING, "maxLength": 9}
                )
            },
            "invalid schema after $ref expansion": {
                "branches beside a type": with_definitions(of({**ref("B"), "anyOf": [{"maxLength": 5}]}), B=STRING)
            },
            "conflicting keywords found in anyOf after ref expansion: maxLength": {
                "a bound that a branch has": with_definitions(
                    of({**ref("B"), "maxLength": 5}), B={"anyOf": [{**STRING, "maxLength": 9}]}
                )
            },
            "$ref is not allowed in this schema.": {
                "under a keyword that is not read": with_definitions(of({"type": "string", "not": ref("B")}), B=NULL)
            },
        },
    ),
    Rule(
        "definitions",
        "walle: an object of objects; no '/' in a name of $defs, nor in any name inside of them",
        taken={
            "names with dots": with_definitions(of(ref("a.B")), **{"a.B": STRING}),
            "names with brackets": with_definitions(of(ref("Page[int]")), **{"Page[int]": STRING}),
        },
        refused={
            "$defs property name 'a/B' cannot contain '/' character": {
                "a slash": with_definitions(of(STRING), **{"a/B": STRING}),
            },
            "$defs property name 'x/y' cannot contain '/' character": {
                "a slash in a property": with_definitions(
                    of(ref("B")), B={"type": "object", "properties": {"x/y": NULL}}
                ),
                "a slash in a branch": with_definitions(
                    of(STRING), B={"anyOf": [{"type": "object", "properties": {"x/y": NULL}}]}
                ),
                "a slash in a recursive one": with_definitions(
                    of(ref("B")),
                    B={"type": "object", "properties": {"x/y": STRING, "next": ref("B")}, "required": ["x/y"]},
                ),
            },
            "$defs property name cannot be empty": {"without a name": with_definitions(of(STRING), **{"": STRING})},
            "$defs must be an object": {"a list": {**of(STRING), "$defs": [STRING]}},
            "$defs schema must be object": {
                "true": with_definitions(of(STRING), B=True),
                "a text": with_definitions(of(STRING), B="string"),
            },
        },
    ),
)
