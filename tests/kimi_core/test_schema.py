import copy
import json
import pickle
import types
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Annotated, Any, Literal, Union

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator, Draft202012Validator
from pydantic import BaseModel, Field, TypeAdapter

from kimi_core.schema import PropertyNames, SchemaError, _assemble, normalise, tool_parameters, written
from kimi_core.schema.compiler import Compiler
from kimi_core.schema.empty_lists import with_empty_lists
from tests.kimi_core.mfjs_checker import problems
from tests.kimi_core.schema_strategies import VALUES, documents, values_for

OBJECT = {"type": "object", "properties": {}}
ANYTHING = {"anyOf": [{"type": t} for t in ("string", "number", "boolean", "object", "array", "null")]}
FULL = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def of_property(subschema: Any, **around: Any) -> Any:
    """Normalise `subschema` as the one property of an object, and return what becomes of it."""
    result = normalise({"type": "object", "properties": {"x": subschema}, **around})
    assert problems(result) == []
    return result["properties"].get("x")


# --- random schemas ---------------------------------------------------------------------------------------------


REFUSALS = ("no value can satisfy it", "without end")


def normalised_or_refused(schema: dict[str, Any]) -> dict[str, Any] | None:
    try:
        return normalise(schema)
    except SchemaError as error:
        if not any(reason in error.reason for reason in REFUSALS):
            raise
        return None


@FULL
@given(documents())
def test_any_schema_becomes_one_that_the_server_takes(schema):
    result = normalised_or_refused(schema)
    event("refused" if result is None else "taken")
    assert result is None or problems(result) == []


@FULL
@given(documents())
def test_normalising_twice_is_normalising_once(schema):
    result = normalised_or_refused(schema)
    assert result is None or normalise(result) == result


@FULL
@given(documents())
def test_the_argument_is_not_changed(schema):
    before = copy.deepcopy(schema)
    normalised_or_refused(schema)
    assert schema == before


@FULL
@given(documents())
def test_the_order_of_keys_is_the_same_every_time(schema):
    assert json.dumps(normalised_or_refused(schema)) == json.dumps(normalised_or_refused(copy.deepcopy(schema)))


def allows(names: PropertyNames, value: Any) -> bool:
    """Return whether `value`, as it is sent, satisfies the result; a root that says nothing is an object by decision."""
    result, value = names.schema, json.loads(names.sent(json.dumps(value)))
    says_nothing = {**result, "title": 0, "description": 0} == {**OBJECT, "title": 0, "description": 0}
    return Draft202012Validator(result).is_valid(value) or (says_nothing and not isinstance(value, dict))


@FULL
@given(st.data())
def test_what_the_original_allows_stays_allowed(data):
    schema = data.draw(documents())
    value = data.draw(values_for(schema, schema) | VALUES)
    if not Draft202012Validator(schema).is_valid(value):
        event("not an instance")
        return
    event("an instance")
    assert allows(written(schema), value)


@FULL
@given(st.data())
def test_sharing_definitions_instead_of_writing_them_out_allows_as_much(data):
    schema = data.draw(documents())
    if normalised_or_refused(schema) is None:
        return
    shared = _assemble(Compiler(schema, share=True), tool=False)
    value = data.draw(values_for(schema, schema) | VALUES)
    event("an instance" if Draft202012Validator(schema).is_valid(value) else "not an instance")
    assert problems(shared.schema) == []
    assert allows(shared, value) or not Draft202012Validator(schema).is_valid(value)


@FULL
@given(documents())
def test_tool_parameters_are_an_object_or_refused(schema):
    try:
        result = tool_parameters(schema)
    except SchemaError:
        return
    assert problems(result, tool=True) == []
    assert tool_parameters(result) == result


# --- pydantic models --------------------------------------------------------------------------------------------


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Point(BaseModel):
    """A point."""

    x: float = Field(ge=-180, le=180)
    y: Annotated[float, Field(gt=0, lt=1)] = 0.5


class Circle(BaseModel):
    kind: Literal["circle"] = "circle"
    radius: Annotated[int, Field(gt=0, multiple_of=2)]


class Square(BaseModel):
    kind: Literal["square"]
    side: float


class Tree(BaseModel):
    """A tree."""

    value: str
    left: "Tree | None" = Field(None, description="The left child.")
    children: list["Tree"] = []


class Everything(BaseModel):
    text: Annotated[str, Field(min_length=1, max_length=9, pattern="^a")]
    maybe: str | None = None
    required_but_null: int | None
    colour: Colour = Colour.RED
    level: Level | None = None
    mixed: Literal["a", 1, None, True]
    point: Point = Field(description="Where.")
    points: list[Point] = Field(min_length=1, max_length=3)
    by_name: dict[str, Point] = {}
    anything: Any = None
    bag: dict[str, Any] = {}
    pair: tuple[int, str]
    unique: set[int] = set()
    when: datetime
    shape: Annotated[Circle | Square, Field(discriminator="kind")]
    either: Union[Point, list[Point], str]  # noqa: UP007 -- the older spelling too
    tree: Tree
    keyed: dict[Annotated[str, Field(pattern="^k")], int] = {}


MODELS = [Everything, Tree, Point, Circle, Square]
POINTS = st.builds(Point, x=st.floats(-180, 180), y=st.floats(0.01, 0.99))
SHAPES = st.builds(Circle, radius=st.integers(1, 5).map(lambda half: half * 2)) | st.builds(
    Square, kind=st.just("square"), side=st.floats(0, 9)
)
TREES = st.recursive(
    st.builds(Tree, value=st.text(max_size=3)),
    lambda inner: st.builds(Tree, value=st.just("v"), left=st.none() | inner, children=st.lists(inner, max_size=2)),
    max_leaves=4,
)
EVERYTHING = st.builds(
    Everything,
    text=st.text("bc", max_size=8).map("a{}".format),
    maybe=st.none() | st.text(max_size=3),
    required_but_null=st.none() | st.integers(),
    colour=st.sampled_from(Colour),
    level=st.none() | st.sampled_from(Level),
    mixed=st.sampled_from(["a", 1, None, True]),
    point=POINTS,
    points=st.lists(POINTS, min_size=1, max_size=3),
    by_name=st.dictionaries(st.text(max_size=2), POINTS, max_size=2),
    anything=VALUES,
    bag=st.dictionaries(st.text(max_size=2), VALUES, max_size=2),
    pair=st.tuples(st.integers(), st.text(max_size=2)),
    unique=st.sets(st.integers(), max_size=3),
    when=st.datetimes(),
    shape=SHAPES,
    either=POINTS | st.lists(POINTS, max_size=2) | st.text(max_size=2),
    tree=TREES,
    keyed=st.dictionaries(st.sampled_from(["k1", "k2"]), st.integers(), max_size=2),
)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_a_models_schema_becomes_tool_parameters_that_the_server_takes(model, mode):
    result = tool_parameters(model.model_json_schema(mode=mode))
    assert problems(result, tool=True) == []
    assert tool_parameters(result) == result


@FULL
@given(EVERYTHING | TREES)
def test_every_instance_of_a_model_satisfies_what_became_of_its_schema(instance):
    result = tool_parameters(type(instance).model_json_schema())
    Draft202012Validator(result).validate(instance.model_dump(mode="json"))


def test_a_recursive_model_keeps_its_reference_and_is_an_object_at_the_root():
    result = tool_parameters(Tree.model_json_schema())
    assert result["type"] == "object"
    assert result["$defs"].keys() == {"Tree"}
    assert result["properties"]["left"] == {
        "anyOf": [{"$ref": "#/$defs/Tree"}, {"type": "null"}],
        "description": "The left child.",
    }


def test_a_models_schema_pasted_into_another_keeps_its_own_definitions():
    class Outer(BaseModel):
        point: Point

    pasted = of_property(Outer.model_json_schema())
    assert pasted["properties"]["point"]["properties"].keys() == {"x", "y"}


# --- references -------------------------------------------------------------------------------------------------

NAMED = {"type": "string", "minLength": 1, "description": "A name.", "title": "Name"}


@pytest.mark.parametrize(
    ("reference", "around"),
    [
        ("#/$defs/Name", {"$defs": {"Name": NAMED}}),
        ("#/definitions/Name", {"definitions": {"Name": NAMED}}),
        ("#/$defs/Outer/$defs/Name", {"$defs": {"Outer": {"$defs": {"Name": NAMED}}}}),
        ("#/$defs/Outer/anyOf/1", {"$defs": {"Outer": {"anyOf": [True, NAMED]}}}),
        ("#/$defs/a~1b%20c", {"$defs": {"a/b c": NAMED}}),
        ("#/$defs/First", {"$defs": {"First": {"$ref": "#/$defs/Second"}, "Second": NAMED}}),
    ],
)
def test_a_local_reference_is_written_out(reference, around):
    result = normalise({"type": "object", "properties": {"x": {"$ref": reference}}, **around})
    assert result == {"type": "object", "properties": {"x": NAMED}}


def test_a_reference_to_another_property_is_written_out():
    result = normalise({"type": "object", "properties": {"a": NAMED, "b": {"$ref": "#/properties/a"}}})
    assert result["properties"]["b"] == NAMED


def test_what_is_said_beside_a_reference_wins_and_what_is_demanded_there_is_demanded_too():
    beside = {"$ref": "#/$defs/Name", "description": "The owner.", "maxLength": 9}
    assert of_property(beside, **{"$defs": {"Name": NAMED}}) == {
        **NAMED,
        "description": "The owner.",
        "maxLength": 9,
    }


def test_a_reference_to_the_root_becomes_a_definition():
    result = normalise({"title": "Box", "type": "object", "properties": {"inner": {"$ref": "#"}}})
    assert result["properties"]["inner"] == {"$ref": "#/$defs/Box"}
    assert result["$defs"]["Box"]["properties"]["inner"] == {"$ref": "#/$defs/Box"}


def test_a_definition_keeps_a_name_that_the_server_takes():
    node = {"type": "object", "properties": {"next": {"$ref": "#/definitions/Node~1of[int]"}}}
    result = normalise({"$ref": "#/definitions/Node~1of[int]", "definitions": {"Node/of[int]": node}})
    assert list(result["$defs"]) == ["Node_1of_int"]


def test_definitions_of_the_same_name_stay_apart():
    def holder(kind: str) -> dict[str, Any]:
        node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}, kind: {"type": kind}}}
        return {"type": "object", "properties": {"node": {"$ref": "#/$defs/Node"}}, "$defs": {"Node": node}}

    result = normalise({"type": "object", "properties": {"a": holder("string"), "b": holder("integer")}})
    assert problems(result) == []
    assert {name: list(node["properties"]) for name, node in result["$defs"].items()} == {
        "Node": ["next", "string"],
        "Node_2": ["next", "integer"],
    }


def test_a_definition_that_nothing_needs_any_more_is_left_out():
    loop = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Loop"}}}
    schema = {"type": "object", "properties": {"x": False, "y": {"type": "string"}}, "$defs": {"Loop": loop}}
    assert "$defs" not in normalise(schema)


@pytest.mark.parametrize("reference", ["https://example.com/a.json", "#/$defs/Missing", "other.json#/a", "#name", 5])
def test_a_reference_that_leads_nowhere_is_refused_with_its_path(reference):
    with pytest.raises(SchemaError, match=r"properties\.x\.items.*leads nowhere") as caught:
        of_property({"type": "array", "items": {"$ref": reference}})
    assert caught.value.path == "properties.x.items"


def test_a_schema_that_would_outgrow_the_server_shares_its_definitions():
    words = {"type": "string", "description": "w" * 500}
    part = {"type": "object", "properties": {f"p{i}": words for i in range(20)}}
    uses = {f"u{i}": {"$ref": "#/$defs/Part"} for i in range(50)}
    result = normalise({"type": "object", "properties": uses, "$defs": {"Part": part}})
    assert result["properties"]["u7"] == {"$ref": "#/$defs/Part"}
    assert problems(result) == []


def test_references_that_double_at_every_step_are_shared_in_no_time():
    step = {
        f"D{i}": {
            "type": "array",
            "items": {"anyOf": [{"$ref": f"#/$defs/D{i + 1}"}, {"$ref": f"#/$defs/E{i + 1}"}]},
        }
        for i in range(25)
    }
    twin = {name.replace("D", "E"): {**node, "minItems": 1} for name, node in step.items()}
    last = {"D25": {"type": "string"}, "E25": {"type": "null"}}
    result = normalise({"type": "object", "properties": {"x": {"$ref": "#/$defs/D0"}}, "$defs": step | twin | last})
    assert problems(result) == []
    assert len(result["$defs"]) > 40


# --- what one keyword becomes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_schema", "expected"),
    [
        ({"type": "string", "$comment": "c", "$id": "i", "examples": ["e"]}, {"type": "string"}),
        (
            {"type": "string", "title": "T", "description": "D."},
            {"type": "string", "title": "T", "description": "D."},
        ),
        ({"type": "string", "description": ["D."]}, {"type": "string"}),
        ({}, ANYTHING),
        (True, ANYTHING),
        ({"description": "Anything."}, {**ANYTHING, "description": "Anything."}),
        # a type where none is written
        ({"enum": ["a", "b"]}, {"type": "string", "enum": ["a", "b"]}),
        ({"const": 3}, {"type": "integer", "enum": [3]}),
        ({"const": None}, {"type": "null"}),
        ({"const": {"a": 1}}, {"type": "object", "description": 'one of: {"a": 1}'}),
        ({"properties": {"a": {"type": "null"}}}, {"type": "object", "properties": {"a": {"type": "null"}}}),
        ({"items": {"type": "null"}}, {"type": "array", "items": {"type": "null"}}),
        ({"minLength": 2}, {"type": "string", "minLength": 2}),
        ({"maximum": 2}, {"type": "number", "maximum": 2}),
        # several types
        ({"type": ["string"]}, {"type": "string"}),
        ({"type": ["string", "null"]}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        (
            {"type": ["array", "null"], "items": {"type": "string"}, "default": []},
            {
                "anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}],
                "description": "default: []",
            },
        ),
        ({"type": "string", "nullable": True}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        # enumerations
        (
            {"enum": ["a", "a", 1, 1.0]},
            {"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "integer", "enum": [1]}]},
        ),
        (
            {"enum": [1, True]},
            {"anyOf": [{"type": "integer", "enum": [1]}, {"type": "boolean", "enum": [True]}]},
        ),
        ({"enum": [2, 3.5]}, {"type": "number", "enum": [2, 3.5]}),
        ({"enum": [True, False]}, {"type": "boolean", "enum": [True, False]}),
        ({"enum": ["a", None]}, {"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "null"}]}),
        (
            {"type": "string", "enum": ["a", None]},
            {"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "null"}]},
        ),
        ({"type": "integer", "enum": [1, "1"]}, {"type": "integer", "enum": [1]}),
        ({"type": "integer", "enum": ["1", "2"]}, {"type": "integer", "description": 'one of: "1", "2"'}),
        ({"enum": [1e-9, 1]}, {"type": "number", "description": "one of: 1e-09, 1"}),
        # limits
        (
            {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 9},
            {"type": "integer", "minimum": 1, "maximum": 8},
        ),
        (
            {"type": "integer", "minimum": 0.5, "maximum": 2.5},
            {"type": "integer", "minimum": 1, "maximum": 2},
        ),
        (
            {"type": "number", "exclusiveMinimum": 0},
            {"type": "number", "minimum": 0, "description": "greater than 0"},
        ),
        (
            {"type": "number", "maximum": 5, "exclusiveMaximum": True},
            {"type": "number", "maximum": 5, "description": "less than 5"},
        ),
        ({"type": "number", "minimum": 1e-9}, {"type": "number", "description": "at least 1e-09"}),
        ({"type": "integer", "minimum": -(2**63), "maximum": 5}, {"type": "integer", "maximum": 5}),
        ({"type": "string", "minLength": 9, "maxLength": 1}, {"type": "string"}),
        ({"type": "string", "minLength": -1, "maxLength": 2.0}, {"type": "string", "maxLength": 2}),
        # words for what cannot be said otherwise
        (
            {"type": "string", "format": "date", "pattern": "^2", "description": "When."},
            {"type": "string", "description": "When. (format: date; pattern: ^2)"},
        ),
        (
            {"type": "integer", "multipleOf": 5, "default": 10},
            {"type": "integer", "description": "multiple of 5; default: 10"},
        ),
        ({"type": "array", "uniqueItems": True}, {"type": "array", "description": "no item twice"}),
        ({"type": "string", "default": None}, {"type": "string"}),
        # arrays
        ({"type": "array", "items": {}}, {"type": "array"}),
        ({"type": "array", "items": True}, {"type": "array"}),
        ({"type": "array", "items": False}, {"type": "array", "maxItems": 0}),
        (
            {"type": "array", "prefixItems": [{"type": "number"}, {"type": "string"}], "items": False},
            {
                "type": "array",
                "items": {"anyOf": [{"type": "number"}, {"type": "string"}]},
                "maxItems": 2,
                "description": "items in this order: number, string",
            },
        ),
        (
            {"type": "array", "prefixItems": [{"type": "number"}]},
            {"type": "array", "description": "items in this order: number"},
        ),
        # objects
        (
            {"type": "object", "properties": {"a": True, "b": False}, "required": ["a", "b", "c", "a"]},
            {"type": "object", "properties": {"a": ANYTHING}, "required": ["a"]},
        ),
        ({"type": "object", "additionalProperties": {}}, {"type": "object", "additionalProperties": True}),
        (
            {"type": "object", "additionalProperties": {"minimum": 0}},
            {"type": "object", "additionalProperties": {"type": "number", "minimum": 0}},
        ),
        (
            {"type": "object", "patternProperties": {"^x": {"type": "null"}}, "additionalProperties": False},
            {"type": "object", "additionalProperties": {"type": "null"}, "description": "names match ^x"},
        ),
        # combinations
        ({"oneOf": [{"const": "a"}, {"const": "b"}]}, {"type": "string", "enum": ["a", "b"]}),
        (
            {"oneOf": [{"const": 1, "title": "One"}, {"const": 2, "title": "Two"}]},
            {
                "anyOf": [
                    {"type": "integer", "enum": [1], "title": "One"},
                    {"type": "integer", "enum": [2], "title": "Two"},
                ]
            },
        ),
        (
            {"anyOf": [False, {"type": "string", "format": "uri"}]},
            {"type": "string", "description": "format: uri"},
        ),
        (
            {
                "anyOf": [
                    {"anyOf": [{"type": "string"}, {"type": "null"}]},
                    {"type": "null"},
                    {"type": "integer"},
                ]
            },
            {"anyOf": [{"type": "string"}, {"type": "null"}, {"type": "integer"}]},
        ),
        (
            {
                "type": "string",
                "minLength": 2,
                "anyOf": [{"maxLength": 5}, {"minLength": 9}, {"type": "null"}],
            },
            {
                "anyOf": [
                    {"type": "string", "minLength": 2, "maxLength": 5},
                    {"type": "string", "minLength": 9},
                ]
            },
        ),
        (
            {"allOf": [{"type": "integer"}, {"type": "number", "maximum": 3}]},
            {"type": "integer", "maximum": 3},
        ),
        ({"allOf": [{"enum": ["a", "b"]}, {"enum": ["b", "c"]}]}, {"type": "string", "enum": ["b"]}),
        (
            {"description": "Out.", "allOf": [{"type": "string", "description": "In.", "format": "date"}]},
            {"type": "string", "description": "Out. (format: date)"},
        ),
        (
            {
                "allOf": [
                    {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
                    {"properties": {"a": {"minLength": 1}, "b": {"type": "null"}}, "required": ["b"]},
                ]
            },
            {
                "type": "object",
                "properties": {"a": {"type": "string", "minLength": 1}, "b": {"type": "null"}},
                "required": ["a", "b"],
            },
        ),
        ({"not": {"type": "string"}, "type": "integer"}, {"type": "integer"}),
    ],
    ids=lambda value: json.dumps(value)[:60],
)
def test_becomes(given_schema, expected):
    assert of_property(given_schema) == expected


@pytest.mark.parametrize("nothing", [False, {"allOf": [{"type": "string"}, {"type": "null"}]}, {"anyOf": [False]}])
def test_a_property_that_nothing_satisfies_is_left_out(nothing):
    assert of_property(nothing, required=["x"]) is None


def test_a_property_whose_recursive_definition_nothing_satisfies_is_left_out():
    dead = {"type": "null", "allOf": [{"type": "string", "properties": {"y": {"$ref": "#/$defs/Dead"}}}]}
    assert of_property({"$ref": "#/$defs/Dead"}, **{"$defs": {"Dead": dead}}) is None


def test_a_tuple_of_draft_7_is_understood():
    schema = {"type": "array", "items": [{"type": "number"}, {"type": "string"}], "additionalItems": False}
    result = of_property(schema)
    assert result["items"] == {"anyOf": [{"type": "number"}, {"type": "string"}]}
    assert Draft7Validator(schema).is_valid([1, "a"])
    assert Draft7Validator(result).is_valid([1, "a"])


def test_either_of_two_required_names_is_kept_for_an_object_that_declares_them():
    either = [{"required": ["a"]}, {"required": ["b"]}]
    declared = {"a": {"type": "string"}, "b": {"type": "string"}}
    result = of_property({"type": "object", "properties": declared, "anyOf": either})
    assert [branch["required"] for branch in result["anyOf"]] == [["a"], ["b"]]


def test_more_values_than_the_server_takes_are_counted_in_its_description():
    result = of_property({"enum": [f"v{i}" for i in range(1001)]})
    assert result == {"type": "string", "description": "one of 1001 values"}


def test_a_frozen_mapping_is_a_schema_too():
    frozen = types.MappingProxyType({"type": "object", "properties": types.MappingProxyType({"x": NAMED})})
    assert normalise(frozen) == {"type": "object", "properties": {"x": NAMED}}


# --- what is refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"type": "any"}, "the type 'any' is none of array, boolean"),
        ({"type": []}, "is none of"),
        ({"enum": []}, "enum must be a list of at least one value"),
        ({"enum": "a"}, "enum must be a list"),
        ({"anyOf": {}}, "anyOf must be a list of schemas"),
        ({"type": "object", "properties": []}, "properties must be an object"),
        ("string", "a schema must be an object or a boolean"),
        (None, "a schema must be an object or a boolean"),
    ],
)
def test_what_is_no_schema_is_refused_with_its_path(wrong, reason):
    with pytest.raises(SchemaError, match=reason) as caught:
        of_property(wrong)
    assert caught.value.path.startswith("properties.x")


def test_recursion_without_end_is_refused():
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}, "required": ["next"]}
    with pytest.raises(SchemaError, match="without end"):
        normalise({"$ref": "#/$defs/Node", "$defs": {"Node": node}})


def test_a_required_list_of_the_object_itself_is_required_in_its_description_alone():
    node = {
        "type": "object",
        "properties": {"of": {"type": "array", "items": {"$ref": "#"}, "description": "Parts."}, "to": NAMED},
        "required": ["of", "to"],
    }
    result = normalise({**node, "title": "Group"})
    assert problems(result) == []
    assert result["required"] == ["to"]
    assert result["properties"]["of"]["description"] == "Parts. (required)"
    assert result["$defs"]["Group"]["required"] == ["of", "to"]


def test_only_the_list_of_itself_is_not_required_any_more_and_what_leads_to_it_still_is():
    group = {"type": "object", "properties": {"items": {"type": "array", "items": {"$ref": "#/$defs/G"}}}}
    definitions = {"G": {**group, "required": ["items"]}}
    result = normalise(
        {"type": "object", "properties": {"g": {"$ref": "#/$defs/G"}}, "required": ["g"], "$defs": definitions}
    )
    assert problems(result) == []
    assert result["required"] == ["g"]
    assert "required" not in result["$defs"]["G"]


def test_a_required_list_of_itself_in_an_optional_property_stays_required():
    group = {"type": "object", "properties": {"items": {"type": "array", "items": {"$ref": "#/$defs/G"}}}}
    definitions = {"G": {**group, "required": ["items"]}}
    result = normalise({"type": "object", "properties": {"g": {"$ref": "#/$defs/G"}}, "$defs": definitions})
    assert result["$defs"]["G"]["required"] == ["items"]


def test_a_root_that_nothing_satisfies_is_refused():
    with pytest.raises(SchemaError, match="At path 'root': no value can satisfy it"):
        normalise({"allOf": [{"type": "string"}, {"type": "object"}]})


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"x": schema}, "additionalProperties": False}
    return schema


def test_thirty_levels_are_taken_and_one_more_is_refused():
    assert problems(normalise(nested(30))) == []
    with pytest.raises(SchemaError, match="deeper than 30 levels"):
        normalise(nested(31))


def test_branches_inside_branches_beyond_reason_are_refused():
    branches: dict[str, Any] = {"type": "string"}
    for _ in range(3000):
        branches = {"anyOf": [branches]}
    with pytest.raises(SchemaError, match="inside one another"):
        of_property(branches)


@pytest.mark.parametrize(
    "large",
    [
        {f"p{i}": {"type": "string"} for i in range(3001)},
        {"p": {"type": "string", "description": "w" * 120_001}},
        {f"p{i}": {"anyOf": [{"type": "string"}, {"type": "null"}]} for i in range(2500)},
    ],
    ids=["names", "characters", "parts"],
)
def test_a_schema_larger_than_the_server_takes_is_refused(large):
    with pytest.raises(SchemaError, match="split it"):
        normalise({"type": "object", "properties": large})


def test_alternatives_that_multiply_beyond_reason_are_refused_in_no_time():
    def of(name: str) -> dict[str, Any]:
        return {"anyOf": [{"properties": {f"{name}{i}": {"type": "string"}}} for i in range(20)]}

    with pytest.raises(SchemaError, match="too many combinations"):
        of_property({"type": "object", "allOf": [of(name) for name in "abcde"]})


def test_more_alternatives_than_the_server_takes_are_refused():
    with pytest.raises(SchemaError, match="501 alternatives"):
        of_property({"anyOf": [{"const": i, "title": str(i)} for i in range(501)]})


def test_the_error_survives_pickling():
    error = pickle.loads(pickle.dumps(SchemaError(("properties", "x"), "reason")))
    assert (error.path, error.reason, str(error)) == (
        "properties.x",
        "reason",
        "At path 'properties.x': reason",
    )


# --- roots ------------------------------------------------------------------------------------------------------


def test_a_root_that_requires_what_it_does_not_declare_says_nothing():
    assert normalise({"allOf": [True], "required": ["a"]}) == {"type": "object", "properties": {}}


@pytest.mark.parametrize("schema", [{}, {"description": "D."}, {"$schema": "s", "$id": "i"}, {"type": "object"}])
@pytest.mark.parametrize("dialect", ["mfjs", "json_schema"])
def test_a_root_that_says_nothing_is_an_object(schema, dialect):
    result = normalise(schema, dialect)
    assert {key: value for key, value in result.items() if key != "description"} == {
        "type": "object",
        "properties": {},
    }


@pytest.mark.parametrize("dialect", ["mfjs", "json_schema"])
def test_a_tool_without_parameters_takes_an_empty_object(dialect):
    assert tool_parameters(None, dialect) == {"type": "object", "properties": {}}


def test_a_response_format_may_be_something_else_than_an_object():
    assert normalise({"type": "array", "items": {"type": "string"}}) == {
        "type": "array",
        "items": {"type": "string"},
    }


@pytest.mark.parametrize("dialect", ["mfjs", "json_schema"])
@pytest.mark.parametrize("kind", ["array", "string"])
def test_a_tool_that_takes_no_object_is_refused_with_a_way_out(kind, dialect):
    with pytest.raises(SchemaError, match=rf"this allows {kind}\. Wrap it"):
        tool_parameters({"type": kind}, dialect)


def test_a_tool_that_may_take_null_takes_an_object():
    assert tool_parameters({"type": ["object", "null"]}) == {"type": "object", "properties": {}}


def test_a_tool_that_takes_one_of_several_objects_takes_what_they_declare():
    union = TypeAdapter(Annotated[Circle | Square, Field(discriminator="kind")]).json_schema()
    assert tool_parameters(union) == {
        "type": "object",
        "properties": {
            "kind": {
                "type": "string",
                "enum": ["circle", "square"],
                "title": "Kind",
            },
            "radius": {"type": "integer", "minimum": 1, "title": "Radius", "description": "multiple of 2"},
            "side": {"type": "number", "title": "Side"},
        },
        "description": "one of these sets: Circle (radius); Square (kind, side)",
    }


@FULL
@given(SHAPES)
def test_arguments_for_any_of_several_objects_satisfy_the_one(shape):
    union = TypeAdapter(Annotated[Circle | Square, Field(discriminator="kind")]).json_schema()
    Draft202012Validator(tool_parameters(union)).validate(shape.model_dump(mode="json"))


def test_a_host_of_the_standard_gets_the_schema_as_it_is():
    schema = {"$schema": "s", "$id": "i", **Everything.model_json_schema()}
    assert normalise(schema, "json_schema") == Everything.model_json_schema()
    assert "$schema" in schema


def test_a_root_reference_is_left_alone_for_a_host_of_the_standard():
    schema = Tree.model_json_schema()
    assert tool_parameters(schema, "json_schema") == schema


NODE = {
    "type": "object",
    "properties": {"of": {"type": "array", "items": {"$ref": "#/$defs/N"}}, "to": {"type": "string"}},
    "required": ["of", "to"],
}
LOOSE = {**NODE, "properties": {"of": {"anyOf": [{"$ref": "#/$defs/N"}, {"type": "null"}]}}}
PAIRS = {**NODE, "properties": {"of": {"type": "array", "items": {"$ref": "#/$defs/N"}, "minItems": 1}}}
FLAT = {"type": "object", "properties": {"of": {"type": "array", "items": {"type": "string"}}}, "required": ["of"]}
MINE = {**NODE, "properties": {"of": {"type": "array", "items": {"$ref": "#"}}}}


@pytest.mark.parametrize(
    ("schema", "value", "filled"),
    [
        ({"$ref": "#/$defs/N", "$defs": {"N": NODE}}, {"to": "a"}, {"to": "a", "of": []}),
        ({"$ref": "#/$defs/N", "$defs": {"N": NODE}}, {"of": [{}, 5]}, {"of": [{"of": []}, 5]}),
        ({"type": "array", "items": {"$ref": "#/$defs/N"}, "$defs": {"N": NODE}}, [{}], [{"of": []}]),
        ({"anyOf": [{"$ref": "#/$defs/N"}, {"type": "null"}], "$defs": {"N": NODE}}, {}, {"of": []}),
        (MINE, {"of": [{}]}, {"of": [{"of": []}]}),
        ({"$ref": "#/$defs/N", "$defs": {"N": LOOSE}}, {}, {}),
        ({"$ref": "#/$defs/N", "$defs": {"N": PAIRS}}, {}, {}),
        ({"$ref": "#/$defs/N", "$defs": {"N": FLAT}}, {}, {}),
        ({"$ref": "#/$defs/N", "$defs": {"N": {"$ref": "#/$defs/N"}}}, {}, {}),
        ({"$ref": "#/$defs/N", "$defs": {"N": 5}}, {}, {}),
        ({"$ref": "#/nowhere", "properties": 5, "anyOf": [5], "required": [[]]}, {}, {}),
    ],
)
def test_only_a_list_of_its_own_object_is_empty_where_an_answer_leaves_it_out(schema, value, filled):
    assert with_empty_lists(value, schema) == filled


def test_lists_in_lists_go_to_hosts_that_take_the_standard():
    tree = {"$ref": "#/$defs/T", "$defs": {"T": {"type": "array", "items": {"$ref": "#/$defs/T"}}}}
    assert normalise(tree, "json_schema") == tree
    with pytest.raises(SchemaError, match="without end"):
        normalise(tree)
