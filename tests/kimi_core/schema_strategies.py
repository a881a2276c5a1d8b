"""Random JSON Schemas, and values that are likely to satisfy them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

NAMES = ("a", "b", "c", "kind", "größe", "x/y")
DEFINITIONS = ("A", "B", "C")
TYPES = ("string", "number", "integer", "boolean", "null", "object", "array")
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 12),
    st.sampled_from([0.5, 1.0, -2.5, 1e-9]),
    st.sampled_from(["", "a", "b", "abc", "größe"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=6,
)
LIMITS = st.integers(0, 4)
NUMBERS = st.one_of(st.integers(-3, 5), st.sampled_from([0.5, -1.5, 1e-9, 2.0]))


def some(**keywords: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=keywords)


ANNOTATIONS = some(
    title=st.sampled_from(["Title", "Other"]),
    description=st.sampled_from(["Words.", "More words.", 5, None]),
    default=SCALARS,
    examples=st.just([1]),
    readOnly=st.booleans(),
)
STRINGS = some(minLength=LIMITS, maxLength=LIMITS, pattern=st.just("^a"), format=st.just("date"))
RANGES = some(
    minimum=NUMBERS,
    maximum=NUMBERS,
    exclusiveMinimum=NUMBERS,
    exclusiveMaximum=NUMBERS,
    multipleOf=st.just(2),
)
ENUMS = st.lists(SCALARS, min_size=1, max_size=4).map(lambda values: {"enum": values})
CONSTS = VALUES.map(lambda value: {"const": value})


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return some(
        properties=st.dictionaries(st.sampled_from(NAMES[:5]), inner, max_size=3),
        required=st.lists(st.sampled_from(NAMES[:3]), max_size=2),
        additionalProperties=inner | st.booleans(),
        patternProperties=st.dictionaries(st.just("^[a-c]$"), inner, max_size=1),
        minProperties=LIMITS,
    )


def arrays(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return some(
        items=inner | st.booleans(),
        prefixItems=st.lists(inner, min_size=1, max_size=2),
        minItems=LIMITS,
        maxItems=LIMITS,
        uniqueItems=st.booleans(),
        contains=inner,
    )


def typed(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Schemas that name their types, with keywords for any of them."""
    kinds = st.sampled_from(TYPES) | st.lists(st.sampled_from(TYPES), min_size=1, max_size=3)
    keywords = st.one_of(STRINGS, RANGES, objects(inner), arrays(inner), st.just({}), ENUMS)
    return st.builds(lambda kind, *rest: merge({"type": kind}, *rest), kinds, keywords, keywords)


def combined(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Schemas that combine others, with keywords beside."""
    several = st.lists(inner, min_size=1, max_size=3)
    combination = st.one_of(
        several.map(lambda all_of: {"allOf": all_of}), several.map(lambda any_of: {"anyOf": any_of})
    )
    keywords = st.one_of(st.just({}), STRINGS, RANGES, objects(inner), arrays(inner), typed(inner))
    return st.builds(merge, combination, keywords)


def references(recursive: bool) -> st.SearchStrategy[dict[str, Any]]:
    # A definition may only be entered again through a part of the value, or no validator comes to an end.
    names = DEFINITIONS if recursive else DEFINITIONS[2:]
    sibling = st.one_of(st.just({}), STRINGS)
    return st.builds(lambda name, rest: {"$ref": f"#/$defs/{name}", **rest}, st.sampled_from(names), sibling)


def schemas(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: st.builds(merge, st.one_of(typed(inner), combined(inner)), ANNOTATIONS),
        max_leaves=6,
    )


def merge(*parts: dict[str, Any]) -> dict[str, Any]:
    return {key: value for part in parts for key, value in part.items()}


LEAVES = st.one_of(typed(st.booleans()), ENUMS, CONSTS, st.booleans(), st.just({}), st.just({"nullable": True}))
FLAT = schemas(LEAVES | references(recursive=False))
DEEP = schemas(LEAVES | references(recursive=True))
CLOSED = schemas(LEAVES)
# Hypothesis looks at the source of what recurs when it validates: now, since a file may be another one later.
for strategy in (VALUES, FLAT, DEEP, CLOSED):
    strategy.validate()


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Whole schemas: C refers to nothing; A and B are objects and arrays that may refer to all three."""
    parts = draw(st.dictionaries(st.sampled_from(NAMES[:4]), DEEP, max_size=2))
    item = draw(DEEP)
    root = draw(st.builds(merge, typed(FLAT) | combined(FLAT) | references(recursive=True), ANNOTATIONS))
    definitions = {
        "A": {
            "type": "object",
            "properties": parts,
            "required": draw(st.lists(st.sampled_from(NAMES[:3]), max_size=1)),
        },
        "B": {"type": ["array", "null"], "items": item, "description": "A list."},
        "C": draw(CLOSED),
    }
    return {**root, "$defs": definitions, "$schema": "https://json-schema.org/draft/2020-12/schema"}


@st.composite
def values_for(draw: st.DrawFn, schema: Any, root: dict[str, Any], depth: int = 0) -> Any:
    """Draw a value that tries to satisfy `schema`, by obeying one keyword or another."""
    if isinstance(schema, bool) or depth > 4:
        return draw(VALUES)

    def again(inner: Any) -> Any:
        return draw(values_for(inner, root, depth + 1))

    if "$ref" in schema:
        return again(root["$defs"][schema["$ref"].rsplit("/", 1)[-1]])
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    for key in ("anyOf", "allOf"):
        if key in schema:
            value = again(draw(st.sampled_from(schema[key])))
            beside = draw(objects_for(schema, root, depth)) if isinstance(value, dict) else {}
            return {**beside, **value} if isinstance(value, dict) else value
    kinds = schema.get("type", "object")
    kind = draw(st.sampled_from(kinds)) if isinstance(kinds, list) else kinds
    if kind == "object":
        return draw(objects_for(schema, root, depth))
    if kind == "array":
        return draw(arrays_for(schema, root, depth))
    return draw(scalars_for(kind, schema))


@st.composite
def objects_for(draw: st.DrawFn, schema: dict[str, Any], root: dict[str, Any], depth: int) -> dict[str, Any]:
    declared = schema.get("properties", {})
    optional = draw(st.sets(st.sampled_from([*declared, *NAMES]), max_size=3))
    wanted = {*schema.get("required", []), *optional}
    patterns = list(schema.get("patternProperties", {}).values())
    other = patterns[0] if patterns else schema.get("additionalProperties", True)
    return {name: draw(values_for(declared.get(name, other), root, depth + 1)) for name in sorted(wanted)}


@st.composite
def arrays_for(draw: st.DrawFn, schema: dict[str, Any], root: dict[str, Any], depth: int) -> list[Any]:
    first, rest = schema.get("prefixItems", []), schema.get("items", True)
    low, high = schema.get("minItems", 0), schema.get("maxItems", 3)
    length = draw(st.integers(min(low, high), max(low, high)))
    items = [first[index] if index < len(first) else rest for index in range(length)]
    return [draw(values_for(item, root, depth + 1)) for item in items]


def scalars_for(kind: str, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    low = schema.get("minLength", 0)
    lengths = {"min_size": low, "max_size": max(low, schema.get("maxLength", 4))}
    near = [schema.get(key, 1) for key in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")]
    numbers = st.sampled_from(near).flatmap(lambda value: st.sampled_from([value, value + 1, value - 1, value + 0.5]))
    return {
        "string": st.text("aß", **lengths),
        "number": numbers,
        "integer": numbers.map(round),
        "boolean": st.booleans(),
        "null": st.none(),
    }[kind]
