"""Writes any JSON Schema as one of draft 2020-12 that refers to nothing outside of itself.

A validator is strict where authors are not. It refuses keywords of older drafts and OpenAPI (`nullable`, lists of
`items`, `exclusiveMinimum: true`), and fetches the target of a `$ref` that is elsewhere. So keywords that are not known
here are left out, and with them the names of schemas (`$id`, `$anchor`): a reference points into the schema itself, or
is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from kimi_core.schema.references import Scope, enter, resolve

FORMATS: Final = frozenset(
    ("date", "date-time", "uuid", "email", "idn-email", "hostname", "idn-hostname", "ipv4", "ipv6", "regex")
) | {"uri", "uri-reference", "uri-template", "iri", "iri-reference", "json-pointer", "relative-json-pointer"}
"""The formats that are checked: those of the draft but `time` and `duration`. By RFC 3339 a time has an offset and a
duration no fraction of a second, and pydantic gives both formats to types that it writes otherwise."""

_ONE: Final = frozenset(("additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then")) | {
    "unevaluatedItems",
    "unevaluatedProperties",
}
_LISTED: Final = frozenset(("allOf", "anyOf", "oneOf", "prefixItems"))
_NAMED: Final = frozenset(("dependentSchemas", "patternProperties", "properties"))
_PLAIN: Final = (
    frozenset(("const", "dependentRequired", "enum", "multipleOf", "uniqueItems", "maximum", "minimum"))
    | {"exclusiveMaximum", "exclusiveMinimum", "maxContains", "maxItems", "maxLength", "maxProperties"}
    | {"minContains", "minItems", "minLength", "minProperties"}
)


def as_standard(schema: Mapping[str, Any], is_pattern: Callable[[str], bool]) -> dict[str, Any]:
    """Return the schema as draft 2020-12 writes it. An argument that the draft does not allow is ignored.

    Args:
        schema: Any JSON Schema. It stays as it is.
        is_pattern: Whether a text is a regular expression to the validator.
    """
    writer = _Writer(is_pattern)
    root = writer.subschema(schema, (schema,))
    return {**root, "$defs": writer.definitions}


class _Writer:
    """Writes subschemas, and the definitions that they refer to."""

    def __init__(self, is_pattern: Callable[[str], bool]) -> None:
        self.definitions: dict[str, Any] = {}
        self._names: dict[tuple[int, ...], str] = {}
        self._is_pattern = is_pattern

    def subschema(self, schema: Any, scope: Scope) -> Any:
        if not isinstance(schema, Mapping):
            return schema is not False
        scope = enter(scope, schema)
        written: dict[str, Any] = {}
        for keyword, argument in _renamed(schema).items():
            if keyword in _PLAIN:
                written[keyword] = argument
            elif keyword in _ONE:
                written[keyword] = self.subschema(argument, scope)
            elif keyword in _LISTED and isinstance(argument, list):
                written[keyword] = [self.subschema(inner, scope) for inner in argument]
            elif keyword in _NAMED and isinstance(argument, Mapping):
                written[keyword] = {name: self.subschema(inner, scope) for name, inner in argument.items()}
            else:
                written |= self._other(keyword, argument, scope)
        if "patternProperties" in written:
            written["patternProperties"] = self._readable(written["patternProperties"])
        # Not a type beside the others: null is an instance whatever the other keywords are.
        return {"if": {"type": "null"}, "else": written} if schema.get("nullable") is True else written

    def _readable(self, patterns: dict[str, Any]) -> dict[str, Any]:
        """Return `patternProperties`; a pattern of another dialect is dropped, and any name may match it then."""
        read = {name: inner for name, inner in patterns.items() if self._is_pattern(name)}
        return read if len(read) == len(patterns) else {**read, "": True}

    def _other(self, keyword: str, argument: Any, scope: Scope) -> dict[str, Any]:
        if keyword in ("type", "required"):
            return {keyword: _once(argument)}
        if not isinstance(argument, str):
            return {}
        if keyword == "$ref":
            return self._reference(argument, scope)
        if keyword == "pattern" and self._is_pattern(argument):
            return {keyword: argument}
        return {keyword: argument} if keyword == "format" and argument in FORMATS else {}

    def _reference(self, reference: str, scope: Scope) -> dict[str, Any]:
        target = resolve(reference, scope)
        if target is None:
            return {}
        key = (id(target.schema), *map(id, target.scope))
        if key not in self._names:
            name = self._names[key] = str(len(self._names))
            self.definitions[name] = self.subschema(target.schema, target.scope)
        return {"$ref": f"#/$defs/{self._names[key]}"}


def _once(names: Any) -> Any:
    """Return a list with each of its names once, since the draft refuses repeated names."""
    return [one for at, one in enumerate(names) if one not in names[:at]] if isinstance(names, list) else names


def _renamed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema with the keywords of older drafts under their current names."""
    now = dict(schema)
    if isinstance(now.get("items"), list):
        now["prefixItems"], now["items"] = now["items"], now.get("additionalItems", True)
    for bound, strict in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if now.get(strict) is True and bound in now:
            now[strict] = now.pop(bound)
    if isinstance(needs := now.get("dependencies"), Mapping):
        lists = {name: need for name, need in needs.items() if isinstance(need, list)}
        now.setdefault("dependentRequired", lists)
        now.setdefault("dependentSchemas", {name: need for name, need in needs.items() if name not in lists})
    return now
