"""Reading structured answers: whole and unfinished texts, and values held against JSON schemas."""

from __future__ import annotations

import json
import pickle
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from kimi_core import OutputError, RefusedError, StructuredOutputError, TruncatedError
from kimi_core.schema.instance import fault
from kimi_core.structured_output import Growth, checked, complaint, dump, parse_json, parse_partial, read
from tests.kimi_core.schema_strategies import VALUES, documents, values_for

MANY = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

# ----------------------------------------------------------------------------------------------- whole answers

WRAPPED = {
    "bare": '{"a": 1}',
    "white space": ' \n{"a": 1}\n',
    "a byte order mark": '\ufeff{"a": 1}',
    "a fence": '```json\n{"a": 1}\n```',
    "a fence without a kind": '```\n{"a": 1}\n```',
    "a fence on one line": '```json {"a": 1}```',
    "a fence that was never closed": '```json\n{"a": 1}',
    "words before": 'Here you are: {"a": 1}',
    "words behind": '{"a": 1}\nI hope that helps.',
    "words and a fence": 'Here you are:\n```json\n{"a": 1}\n```\nI hope that helps.',
    "thoughts": '<think>Is {"a": 2} right? No.</think>\n{"a": 1}',
    "thoughts without their opening tag": 'Is {"a": 2} right? No.</think>{"a": 1}',
    "thoughts and a fence": '<think>Hm.</think>```json\n{"a": 1}\n```',
}


@pytest.mark.parametrize("text", WRAPPED.values(), ids=WRAPPED)
def test_what_is_around_the_json_is_taken_off(text: str) -> None:
    assert parse_json(text) == {"a": 1}
    assert parse_partial(text) == {"a": 1}


TAGS = {
    "a closing tag inside": {"html": "</think>"},
    "a fence inside": {"markdown": "```python\n{}\n```"},
}


@pytest.mark.parametrize("value", TAGS.values(), ids=TAGS)
def test_what_looks_like_wrapping_inside_of_a_string_is_not(value: Any) -> None:
    for text in (dump(value), f"```json\n{dump(value)}\n```", f"<think>Hm.</think>{dump(value)}"):
        assert parse_json(text) == value


@pytest.mark.parametrize("value", [3, -0.5, "three", True, None, [1, [2]], [], {}])
def test_a_value_of_any_kind_is_an_answer(value: Any) -> None:
    assert parse_json(dump(value)) == value
    assert parse_json(f"```json\n{dump(value)}\n```") == value


def test_raw_control_characters_inside_of_strings_are_tolerated() -> None:
    assert parse_json('{"a": "one\ntwo\tthree"}') == {"a": "one\ntwo\tthree"}


NO_ANSWERS = {
    "nothing": "",
    "words": "Ada is 36.",
    "words that begin with a number": "36 years",
    "words that begin with a string": '"Ada" is her name.',
    "a literal and words": "true enough",
    "half an object": '{"a": ',
    "two objects": '{"a": 1}{"a": 2}',
    "an object in the text before": 'Not {"a": 1} but {"a": 2}',
    "an inner object of something broken": '{"a": {"b": 1}, "c": oops}',
    "thoughts without an answer": '<think>Maybe {"a": 1}',
    "not a number": '{"a": NaN}',
    "infinite": '{"a": -Infinity}',
    "more digits than Python takes": "1" * 5000,
    "deeper than Python can go": "[" * 100_000,
}


@pytest.mark.parametrize("text", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_what_is_not_one_json_value_is_an_error_with_the_text(text: str) -> None:
    with pytest.raises(StructuredOutputError, match="not JSON") as caught:
        parse_json(text, "stop")
    assert (caught.value.text, caught.value.finish_reason) == (text, "stop")


@pytest.mark.parametrize(
    ("reason", "error"),
    [("length", TruncatedError), ("content_filter", RefusedError), ("stop", StructuredOutputError)],
)
def test_why_it_ended_says_which_error_it_is(reason: str, error: type[OutputError]) -> None:
    with pytest.raises(error) as caught:
        read('{"a"', dict, reason)
    assert type(caught.value) is error
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), str(again), again.text, again.finish_reason) == (error, str(caught.value), '{"a"', reason)


def test_a_refusal_is_one_even_when_what_came_is_whole() -> None:
    with pytest.raises(RefusedError):
        read('{"a": 1}', dict, "content_filter")


def test_a_whole_object_at_the_token_limit_is_an_answer() -> None:
    assert read('{"a": 1}', dict, "length") == {"a": 1}


def test_a_number_at_the_token_limit_may_lack_digits() -> None:
    with pytest.raises(TruncatedError):
        parse_json("36", "length")


class Person(BaseModel):
    name: str
    age: int
    address: dict[str, str]


def test_errors_of_pydantic_are_shown_in_short() -> None:
    with pytest.raises(StructuredOutputError) as caught:
        read('{"name": "Ada", "age": "old", "address": {}}', Person.model_validate)
    assert "age: Input should be a valid integer" in str(caught.value)
    assert "pydantic.dev" not in str(caught.value)
    assert complaint(caught.value).startswith("That answer does not fit the schema: age: Input should be")


def test_of_many_errors_some_are_shown() -> None:
    with pytest.raises(StructuredOutputError, match="and 3 more"):
        read(dump({"numbers": ["x"] * 8}), _Numbers.model_validate)


class _Numbers(BaseModel):
    numbers: list[int]


def test_a_mistake_in_the_code_that_makes_the_instance_is_not_hidden() -> None:
    with pytest.raises(KeyError):
        read('{"a": 1}', lambda value: value["b"])


def test_a_value_too_deep_to_validate_is_no_instance() -> None:
    schema = {"$ref": "#/$defs/A", "$defs": {"A": {"type": "array", "items": {"$ref": "#/$defs/A"}}}}
    with pytest.raises(StructuredOutputError, match="deep"):
        read("[" * 900 + "]" * 900, lambda value: checked(value, schema))


# ------------------------------------------------------------------------------------------ unfinished answers


def grows(before: Any, after: Any) -> bool:
    """Whether a value is the other one, or its beginning."""
    if isinstance(before, dict) and isinstance(after, dict):
        return before.keys() <= after.keys() and all(grows(v, after[k]) for k, v in before.items())
    if isinstance(before, list) and isinstance(after, list):
        return len(before) <= len(after) and all(map(grows, before, after))
    if isinstance(before, str) and isinstance(after, str):
        return after.startswith(before)
    return type(before) is type(after) and before == after


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
WRITERS: dict[str, Any] = {
    "dense": lambda value: json.dumps(value, separators=(",", ":")),
    "indented": lambda value: json.dumps(value, indent=2, ensure_ascii=False),
    "fenced": lambda value: f"Here you are:\n```json\n{dump(value)}\n```\nDone.",
    "with thoughts": lambda value: f"<think>Maybe 1.</think>{dump(value)}",
    "with raw control characters": lambda value: re.sub(
        r"\\(.)", lambda m: {"n": "\n", "t": "\t"}.get(m[1], m[0]), dump(value)
    ),
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
@MANY
@given(value=st.dictionaries(TEXTS, TREES, max_size=4) | st.lists(TREES, max_size=4))
def test_however_an_answer_is_cut_its_parts_only_grow(write: Any, value: Any) -> None:
    text = write(value)
    seen = [part for end in range(len(text) + 1) if (part := parse_partial(text[:end])) is not None]
    for before, after in zip(seen, [*seen[1:], value], strict=True):
        assert grows(before, after), (before, after)
    assert seen[-1] == parse_json(text) == value


def test_a_number_is_shown_when_it_is_whole() -> None:
    assert [parse_partial(text) for text in ('{"a": 3', '{"a": 36', '{"a": 36}')] == [{}, {}, {"a": 36}]


def test_an_answer_that_grows_is_read_when_it_has_grown_enough() -> None:
    text = dump({"a": "x" * 20_000})
    growth, reads = Growth(), 0
    for end in range(1, len(text) + 1):
        if growth.is_due(end):
            reads += growth.read(text[:end]) is not None
    assert 100 < reads < 1000


def test_what_is_not_new_is_not_read_twice() -> None:
    growth = Growth()
    assert growth.read('{"a": "b"') == {"a": "b"}
    assert growth.read('{"a": "b" ') is None


# --------------------------------------------------------------------------------------- values against schemas


FORMATS_OF_THE_DRAFT = Draft202012Validator.FORMAT_CHECKER


@MANY
@given(st.data())
def test_a_value_fits_a_schema_when_it_is_an_instance_of_it(data: st.DataObject) -> None:
    schema = data.draw(documents())
    value = data.draw(values_for(schema, schema) | VALUES)
    fits = Draft202012Validator(_without_openapi(schema), format_checker=FORMATS_OF_THE_DRAFT).is_valid(value)
    event("an instance" if fits else "none")
    assert (fault(value, _without_openapi(schema)) == "") is fits


def _without_openapi(schema: Any) -> Any:
    """The standard knows no `nullable`."""
    if isinstance(schema, dict):
        return {key: _without_openapi(inner) for key, inner in schema.items() if key != "nullable"}
    return [_without_openapi(inner) for inner in schema] if isinstance(schema, list) else schema


A_IS_1 = {"properties": {"a": {"const": 1}}, "required": ["a"]}
FAULTS: list[tuple[Any, Any, str]] = [
    ({"type": "string"}, 1, "the answer is integer, not string"),
    ({"type": ["string", "null"]}, 1.5, "the answer is number, not string or null"),
    ({"type": "integer"}, 1.0, ""),
    ({"type": "integer"}, True, "the answer is boolean, not integer"),
    ({"type": "string", "nullable": True}, None, ""),
    ({"enum": ["a", 1]}, True, "the answer is none of ['a', 1]"),
    ({"enum": [[1.0]]}, [1], ""),
    ({"const": {"a": True}}, {"a": 1}, "the answer is not {'a': True}"),
    ({"required": ["a", "b", "c"]}, {"b": 1}, "the answer lacks a, c"),
    ({"properties": {"a": {"items": {"type": "integer"}}}}, {"a": [1, "x"]}, "the answer.a[1] is string, not integer"),
    ({"properties": {"a": True}, "additionalProperties": False}, {"a": 1, "b": 2}, "the answer.b is not allowed"),
    ({"patternProperties": {"^x": {"type": "null"}}, "additionalProperties": False}, {"xy": None}, ""),
    ({"patternProperties": {"^x": {"type": "null"}}}, {"xy": 1}, "the answer.xy is integer, not null"),
    ({"propertyNames": {"maxLength": 1}}, {"ab": 1}, "has 2 characters, and must have at most 1"),
    ({"dependentRequired": {"a": ["b"]}}, {"a": 1}, "the answer lacks b"),
    ({"minProperties": 1}, {}, "the answer has 0 properties, and must have at least 1"),
    ({"prefixItems": [{"type": "integer"}], "items": {"type": "string"}}, [1, 2], "the answer[1] is integer"),
    ({"items": [{"type": "integer"}], "additionalItems": False}, [1, 2], "the answer[1] is not allowed"),
    ({"items": [{"type": "integer"}]}, ["x"], "the answer[0] is string, not integer"),
    ({"uniqueItems": True}, [1, 1.0], "the answer has an item twice"),
    ({"uniqueItems": True}, [1, True], ""),
    ({"contains": {"type": "null"}, "maxContains": 1}, [None, None], "the answer has too many items of the kind"),
    ({"contains": {"type": "null"}, "minContains": 2}, [None], "the answer has too few items of the kind"),
    ({"minLength": 2}, "ß", "the answer has 1 characters, and must have at least 2"),
    ({"pattern": "^a"}, "b", "the answer does not match '^a'"),
    ({"pattern": "(?<a>x)"}, "b", "the answer does not match '(?<a>x)'"),
    ({"minimum": 1}, 0, "the answer is 0, and must be at least 1"),
    ({"exclusiveMaximum": 1}, 1, "the answer is 1, and must be less than 1"),
    ({"minimum": 1, "exclusiveMinimum": True}, 1, "the answer is 1, and must be more than 1"),
    ({"multipleOf": 0.1}, 0.3, ""),
    ({"multipleOf": 0.1}, 0.35, "the answer is no multiple of 0.1"),
    ({"anyOf": [{"type": "null"}, {"minimum": 3}]}, 1, "(the answer is integer, not null; the answer is 1, and must"),
    ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, 1, "the answer fits 2 alternatives, and must fit one"),
    ({"oneOf": [{"type": "integer"}, {"type": "null"}]}, "x", "the answer fits no alternative"),
    ({"allOf": [{"minimum": 1}, {"maximum": 2}]}, 3, "the answer is 3, and must be at most 2"),
    ({"not": {"type": "null"}}, None, "the answer fits what it must not be"),
    ({"if": A_IS_1, "then": {"required": ["b"]}}, {"a": 1}, "the answer lacks b"),
    ({"if": A_IS_1, "else": {"required": ["b"]}}, {"a": 2}, "the answer lacks b"),
    ({"$ref": "#/definitions/A", "definitions": {"A": {"type": "null"}}}, 1, "the answer is integer, not null"),
    ({"unevaluatedProperties": False, "allOf": [{"properties": {"a": True}}]}, {"a": 1, "b": 2}, "answer.b is not all"),
    ({"unevaluatedItems": False, "prefixItems": [True]}, [1, 2], "the answer has items that are not allowed"),
    ({"dependentSchemas": {"a": {"required": ["b"]}}}, {"a": 1}, "the answer lacks b"),
    ({"dependencies": {"a": ["b"]}}, {"a": 1}, "the answer lacks b"),
    ({"dependencies": {"a": {"required": ["b"]}}}, {"a": 1}, "the answer lacks b"),
    ({"properties": {"on": {"format": "date"}}}, {"on": "nope"}, "the answer.on is no date"),
    ({"format": "date-time"}, "2026-01-01T10:00:00", "the answer is no date-time of RFC 3339, with a time zone"),
    (
        {"properties": {"p": {"$ref": "#/$defs/A", "$defs": {"A": {"type": "null"}}}}},
        {"p": 1},
        "the answer.p is integer",
    ),
]


SAYS_NOTHING: dict[str, Any] = {
    "an address": {"$ref": "https://elsewhere.example/schema"},
    "a file": {"$ref": "file:///etc/passwd"},
    "a name": {"$ref": "#name"},
    "a reference that points at nothing": {"properties": {"a": {"$ref": "#/$defs/A"}}},
    "a reference to itself": {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}},
    "a schema with an address of its own": {"$id": "https://elsewhere.example/", "properties": {"a": {"$ref": "b"}}},
    "a draft that there is not": {"$schema": "https://elsewhere.example/draft"},
    "a reference that changes": {"$dynamicRef": "#a", "$recursiveRef": "#"},
    "a keyword of nobody": {"x-order": 1, "example": {"$id": 5, "$ref": 6}},
    "a type of nobody": {"type": "any"},
    "types of nobody among others": {"type": ["string", "any"]},
    "a boolean for names": {"properties": {"a": {"required": True}}},
    "a text for a number": {"minProperties": "3"},
    "a text for a schema": {"additionalProperties": "false"},
    "a pattern of another dialect": {"patternProperties": {r"\Zb": False}, "additionalProperties": False},
    "arguments of all kinds": {"format": [], "anyOf": {}, "allOf": [], "properties": [], "dependencies": 1, "$ref": 1},
}


@pytest.mark.parametrize("schema", SAYS_NOTHING.values(), ids=SAYS_NOTHING)
def test_what_a_schema_does_not_say_in_json_schema_it_does_not_say(schema: Any) -> None:
    assert fault({"a": 1}, schema) == ""


def test_beside_what_says_nothing_the_rest_counts() -> None:
    schema = {"type": "any", "minProperties": "3", "required": ["a", "a", 5], "properties": {"a": {"type": "null"}}}
    assert fault({}, schema) == "the answer lacks a"
    assert fault({"a": 1}, schema) == "the answer.a is integer, not null"


FORMATS: list[tuple[str, str, str]] = [
    ("date", "2024-02-29", "2023-02-29"),
    ("date-time", "2024-02-29T10:00:00.5+02:00", "2024-02-29"),
    ("email", "ada@example.com", "ada"),
    ("hostname", "example.com", "-example"),
    ("idn-email", "ada@größe.example", "ada"),
    ("idn-hostname", "größe.example", "a b"),
    ("ipv4", "127.0.0.1", "127.0.0"),
    ("ipv6", "::1", "::g"),
    ("iri", "https://example.com/größe", "größe"),
    ("iri-reference", "/größe", "a b"),
    ("json-pointer", "/a/0", "a"),
    ("regex", "a+", "(a"),
    ("relative-json-pointer", "1/a", "a"),
    ("uri", "https://example.com/a?b=c", "example.com"),
    ("uri-reference", "/a?b=c", "a b"),
    ("uri-template", "/{a}", "/{"),
    ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123e4567"),
]


@pytest.mark.parametrize(("name", "good", "bad"), FORMATS, ids=[name for name, _, _ in FORMATS])
def test_a_format_of_the_draft_is_checked(name: str, good: str, bad: str) -> None:
    assert fault(good, {"format": name}) == ""
    assert f"the answer is no {name}" in fault(bad, {"format": name})


@pytest.mark.parametrize("value", ["10:00:00", "PT1.5S", "red"])
@pytest.mark.parametrize("name", ["time", "duration", "color"])
def test_other_formats_say_nothing(name: str, value: str) -> None:
    assert fault(value, {"format": name}) == ""


@pytest.mark.parametrize("depth", [201, 900, 30_000])
def test_a_value_that_the_validator_could_not_follow_does_not_get_there(depth: int) -> None:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    schema = {"anyOf": [{"type": "null"}, {"items": {"$ref": "#"}}]}
    assert fault(value, schema).startswith("the answer is nested too deeply: more than 200")


def test_a_value_as_deep_as_allowed_is_followed_to_its_end() -> None:
    value: Any = 1
    for _ in range(200):
        value = [value]
    assert fault(value, {"items": {"$ref": "#"}, "type": "array"}).endswith("[0] is integer, not array")


@pytest.mark.parametrize("value", ["\ud83d", {"\ud83d": "\ud83d"}])
def test_half_a_character_is_a_character(value: Any) -> None:
    assert fault(value, {"maxLength": 1, "maxProperties": 1}) == ""
    assert fault(value, {"type": "null"}).endswith("not null")


def test_a_pattern_that_takes_for_ever_does_not_count() -> None:
    schema = {"properties": {"a": {"pattern": r"(?=a)^(a|aa)+\1$"}, "b": {"type": "null"}}}
    assert fault({"a": "a" * 80 + "b", "b": 1}, schema) == "the answer.b is integer, not null"


@pytest.mark.parametrize("keyword", ["$ref", "$schema", "$id", "$dynamicRef"])
def test_nothing_that_a_schema_names_is_fetched(keyword: str) -> None:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/schema.json"
        inner = {keyword: address, "properties": {"b": {"$ref": "other.json"}}, "$defs": {"C": {"$ref": address}}}
        assert fault({"a": {"b": 1}}, {keyword: address, "properties": {"a": inner}}) == ""
        server.shutdown()
    assert asked == []


@pytest.mark.parametrize(("schema", "value", "words"), FAULTS)
def test_what_is_wrong_is_said_with_its_place(schema: Any, value: Any, words: str) -> None:
    found = fault(value, schema)
    assert (words in found) if words else found == ""


def test_a_recursive_schema_is_followed_through_the_value() -> None:
    schema = {
        "$ref": "#/$defs/N",
        "$defs": {"N": {"properties": {"kids": {"items": {"$ref": "#/$defs/N"}}}, "type": "object"}},
    }
    assert fault({"kids": [{"kids": [{}]}]}, schema) == ""
    assert fault({"kids": [{"kids": [1]}]}, schema) == "the answer.kids[0].kids[0] is integer, not object"


def test_only_values_that_fit_are_handed_on() -> None:
    value = {"a": 1}
    assert checked(value, {"type": "object"}) is value
    with pytest.raises(ValueError, match="not array"):
        checked(value, {"type": "array"})
