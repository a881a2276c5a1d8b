"""Values for schemas: valid whatever the schema, and taken from the text where it gives them."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimi_adapters.local_server.rules.fill import Filler

STRING = {"type": "string"}
NUMBER = {"type": "number"}
INTEGER = {"type": "integer"}


def form(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def many(items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


PERSON = form(name=STRING, age=INTEGER)
FILLED: dict[str, tuple[str, dict[str, Any], Any]] = {
    "sentence": (
        "Extract the person: Alice is 30 years old and lives in Paris.",
        form(name=STRING, age=INTEGER, city=STRING),
        {"name": "Alice", "age": 30, "city": "Paris"},
    ),
    "pairs": (
        "title: The Trial; author = Franz Kafka, year: 1925",
        form(author=STRING, title=STRING, year=INTEGER),
        {"author": "Franz Kafka", "title": "The Trial", "year": 1925},
    ),
    "several": (
        "Alice is 30 and Bob is 25",
        form(people=many(PERSON)),
        {"people": [{"name": "Alice", "age": 30}, {"name": "Bob", "age": 25}]},
    ),
    "invoice": (
        "Invoice INV-42 of 2026-03-04: total $1,234.50, paid. Items: 3 apples, 2 pears",
        form(
            invoice_id=STRING,
            date={"type": "string", "format": "date"},
            total=NUMBER,
            paid={"type": "boolean"},
            items=many(form(name=STRING, quantity=INTEGER)),
        ),
        {
            "invoice_id": "INV-42",
            "date": "2026-03-04",
            "total": 1234.5,
            "paid": True,
            "items": [{"name": "apples", "quantity": 3}, {"name": "pears", "quantity": 2}],
        },
    ),
    "mood": (
        "I love this phone!",
        form(sentiment={"type": "string", "enum": ["positive", "negative", "neutral"]}),
        {"sentiment": "positive"},
    ),
    "no mood": ("It is a phone.", form(mood={"type": "string", "enum": ["positive", "neutral"]}), {"mood": "neutral"}),
    "enum": (
        "It is urgent, priority: high",
        form(priority={"type": "string", "enum": ["low", "high"]}),
        {"priority": "high"},
    ),
    "denied": (
        "Give me the setup to a joke, no punchline.",
        form(punchline={"anyOf": [STRING, {"type": "null"}]}),
        {"punchline": None},
    ),
    "nothing said of an address": (
        "Alice called.",
        form(email={"anyOf": [STRING, {"type": "null"}]}),
        {"email": None},
    ),
    "negated": ("The room is not available.", form(available={"type": "boolean"}), {"available": False}),
    "list": ("Colours: red, green and blue", form(colours=many(STRING)), {"colours": ["red", "green", "blue"]}),
    "numbers": ("Add 1, 2.5 and -4", form(numbers=many(NUMBER)), {"numbers": [1, 2.5, -4]}),
    "long date": (
        "The party is on 20 November 2026.",
        form(date={"type": "string", "format": "date"}),
        {"date": "2026-11-20"},
    ),
    "address and link": (
        "Write to bob@example.org or see https://example.org/a.",
        form(email=STRING, url=STRING),
        {"email": "bob@example.org", "url": "https://example.org/a"},
    ),
    "constant": ("x", form(kind={"const": "cat"}), {"kind": "cat"}),
    "free keys": (
        "red: 1, blue: 2",
        {"type": "object", "additionalProperties": INTEGER},
        {"red": 1, "blue": 2},
    ),
}


@pytest.mark.parametrize(("text", "schema", "value"), FILLED.values(), ids=FILLED.keys())
def test_values_are_taken_from_the_text(text, schema, value):
    assert Filler(text, schema).value(schema) == value


def test_a_union_of_objects_takes_the_one_that_the_text_speaks_of():
    cat = {"title": "Cat", **form(kind={"type": "string", "enum": ["cat"]}, lives=INTEGER)}
    dog = {"title": "Dog", **form(kind={"type": "string", "enum": ["dog"]}, tricks=INTEGER)}
    schema = {"anyOf": [cat, dog]}
    assert Filler("The dog knows 3 tricks.", schema).value(schema) == {"kind": "dog", "tricks": 3}


def test_a_recursive_schema_comes_to_an_end():
    node = form(value=INTEGER, children=many({"$ref": "#/$defs/Node"}))
    schema = {"$defs": {"Node": node}, "$ref": "#/$defs/Node"}
    value = Filler("A tree with 5", schema).value(schema)
    jsonschema.validate(value, schema)
    assert value == {"value": 5, "children": []}


def test_recursion_through_a_nullable_reference_comes_to_an_end():
    node = form(value=INTEGER, next={"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]})
    schema = {"$defs": {"Node": node}, "$ref": "#/$defs/Node"}
    assert Filler("5", schema).value(schema) == {"value": 5, "next": None}


def bounded(low: str, high: str, numbers: st.SearchStrategy[Any], **more: Any) -> st.SearchStrategy[dict[str, Any]]:
    pairs = st.tuples(numbers, numbers).map(sorted)
    return pairs.map(lambda pair: {**more, low: pair[0], high: pair[1]})


def objects(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    names = st.sampled_from(["name", "city", "total", "date", "email", "items", "note", "is_open", "名字", "x"])
    return st.dictionaries(names, inner, max_size=4).flatmap(
        lambda properties: st.lists(st.sampled_from(sorted(properties)), unique=True)
        if properties
        else st.just([]),
    ).flatmap(lambda required: st.dictionaries(names, inner, max_size=4).map(
        lambda properties: {
            "type": "object",
            "properties": properties,
            "required": [name for name in required if name in properties],
        }
    ))  # fmt: skip


SCHEMAS = st.recursive(
    st.one_of(
        st.just(STRING),
        st.just({"type": "boolean"}),
        st.just({"type": "null"}),
        bounded("minimum", "maximum", st.integers(-50, 50), type="integer"),
        bounded("minimum", "maximum", st.integers(-50, 50), type="number"),
        bounded("minLength", "maxLength", st.integers(0, 40), type="string"),
        st.lists(st.text(min_size=1), min_size=1, max_size=4).map(lambda values: {"type": "string", "enum": values}),
        st.sampled_from(["date", "date-time", "email", "uri"]).map(lambda kind: {"type": "string", "format": kind}),
    ),
    lambda inner: st.one_of(
        objects(inner),
        st.tuples(inner, bounded("minItems", "maxItems", st.integers(0, 4))).map(
            lambda pair: {"type": "array", "items": pair[0], **pair[1]}
        ),
        st.lists(inner, min_size=1, max_size=3).map(lambda branches: {"anyOf": branches}),
    ),
    max_leaves=8,
)
TEXTS = st.one_of(st.text(max_size=200), st.sampled_from([text for text, _, _ in FILLED.values()]))


@settings(max_examples=150, deadline=None)
@given(SCHEMAS, TEXTS, st.booleans())
def test_a_value_is_valid_for_any_schema_and_text(schema, text, every):
    value = Filler(text, schema, every=every).value(schema)
    jsonschema.validate(value, schema)


@settings(max_examples=60, deadline=None)
@given(SCHEMAS, TEXTS)
def test_the_same_schema_and_text_give_the_same_value(schema, text):
    assert Filler(text, schema).value(schema) == Filler(text, schema).value(schema)


def test_a_response_schema_is_filled(moonshot):
    schema = {**form(name=STRING, age=INTEGER), "additionalProperties": False}
    wrapper = {"type": "json_schema", "json_schema": {"name": "person", "schema": schema, "strict": True}}
    reply = moonshot.chat("Alice is 30 years old.", response_format=wrapper)
    assert json.loads(reply.text) == {"name": "Alice", "age": 30}


def test_a_response_schema_is_filled_after_tool_calls(moonshot, tool):
    schema = form(city=STRING, degrees=INTEGER)
    wrapper = {"type": "json_schema", "json_schema": {"name": "report", "schema": schema}}
    weather = tool("get_weather", location="string")
    turns, answer = moonshot.loop(
        "What is the weather in Oslo?", [weather], lambda *_: "21 degrees", response_format=wrapper
    )
    assert len(turns) == 1
    assert json.loads(answer) == {"city": "Oslo", "degrees": 21}


JSON_MODE: dict[str, tuple[str, dict[str, Any]]] = {
    "keys without quotes": ("Give JSON with keys name and age: Alice is 30 years old.", {"name": "Alice", "age": 30}),
    "keys in backticks": ("Alice is 30 years old. Use JSON with keys `name`, `age`", {"name": "Alice", "age": 30}),
    "a schema": (
        'Schema: {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}}\n'
        "Text: Bob is 44 years old.",
        {"name": "Bob", "age": 44},
    ),
    "an example": ('Answer like {"name": "x", "age": 1}. Bob is 44 years old.', {"name": "Bob", "age": 44}),
    "neither": ("What is 2 + 3? Answer in JSON.", {"answer": "2 + 3 = 5"}),
}


@pytest.mark.parametrize(("asked", "value"), JSON_MODE.values(), ids=JSON_MODE.keys())
def test_json_mode_follows_what_the_prompt_says_of_the_shape(moonshot, asked, value):
    assert json.loads(moonshot.chat(asked, response_format={"type": "json_object"}).text) == value


def test_json_mode_tells_a_joke(moonshot):
    asked = "Tell me a joke about cats. Return the result as a JSON with 'setup' and 'punchline' keys."
    joke = json.loads(moonshot.chat(asked, response_format={"type": "json_object"}).text)
    assert list(joke) == ["setup", "punchline"]
    assert "cats" in joke["setup"]


def test_a_partial_brace_is_continued_to_an_object(moonshot):
    messages = [
        {"role": "user", "content": "Give JSON with keys name and age: Alice is 30 years old."},
        {"role": "assistant", "content": "{", "partial": True},
    ]
    assert json.loads("{" + moonshot.chat(messages).text) == {"name": "Alice", "age": 30}
