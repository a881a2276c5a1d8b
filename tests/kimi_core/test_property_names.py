"""Names of properties that Moonshot refuses, there and back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimi_adapters.local_server import mfjs
from kimi_core.schema import PropertyNames, written

RESERVED = ("$defs", "$ref", "anyOf", "required", "additionalProperties")
STRING = {"type": "string"}
TREE = {
    "type": "object",
    "properties": {
        "$ref": STRING,
        "anyOf": {"type": "array", "items": {"$ref": "#"}},
        "required": {"anyOf": [{"type": "object", "properties": {"required": STRING, "x/y": STRING}}, STRING]},
        "free": {"type": "object", "additionalProperties": {"type": "object", "properties": {"$defs": STRING}}},
        "ref": STRING,
    },
    "required": ["$ref", "ref"],
    "title": "Tree",
}
NAMES = written(TREE)
TREES: st.SearchStrategy[dict[str, Any]] = st.deferred(
    lambda: st.fixed_dictionaries(
        {"$ref": st.text(max_size=4), "ref": st.sampled_from(["required", '"$ref": "{', "\\"])},
        optional={
            "anyOf": st.lists(TREES, max_size=2),
            "required": st.text(max_size=3) | st.fixed_dictionaries({"required": st.just("$ref"), "x/y": st.just("")}),
            "free": st.dictionaries(st.sampled_from(["ref_", "required", "required_", "é", '"']), DEFS, max_size=2),
            "undeclared": st.just({"required_": 1.50, "ref_": [None, True]}),
        },
    )
)
DEFS = st.fixed_dictionaries({"$defs": st.text(max_size=2)})


def received(names: PropertyNames, *pieces: str) -> str:
    reader = names.received()
    return "".join(map(reader.feed, pieces)) + reader.rest()


@pytest.mark.parametrize("name", [*RESERVED, "{id}"])
def test_a_name_that_the_server_refuses_is_sent_as_one_that_it_takes(name):
    names = written({"type": "object", "properties": {name: {"type": "string", "enum": ["x"]}}, "required": [name]})

    (sent,) = names.schema["properties"]
    assert mfjs.fault(names.schema) is None
    assert names.schema["required"] == [sent]
    assert names.originals == {sent: name}
    assert received(names, names.sent(json.dumps({name: "x"}))) == json.dumps({name: "x"})


def test_names_that_the_server_takes_stay():
    names = written({"type": "object", "properties": dict.fromkeys(("type", "a/b", "名", "{x"), STRING)})

    assert list(names.schema["properties"]) == ["type", "a/b", "名", "{x"]
    assert names.originals == {}


def test_a_name_that_is_sent_is_nobody_elses():
    taken = dict.fromkeys(("required", "required_", "$ref", "ref"), STRING)
    names = written(
        {"type": "object", "properties": {**taken, "in": {"type": "object", "properties": {"ref_": STRING}}}}
    )

    assert list(names.schema["properties"]) == ["required__", "required_", "ref__", "ref", "in"]


@given(TREES)
def test_arguments_come_back_as_they_were(tree):
    text = json.dumps(tree, ensure_ascii=False)

    assert received(NAMES, NAMES.sent(text)) == text


@given(TREES, st.data())
def test_any_cut_of_the_text_gives_the_same_names(tree, data):
    text = NAMES.sent(json.dumps(tree))
    cut = data.draw(st.integers(0, len(text)))
    pieces = [text[:cut], *text[cut:]]

    assert received(NAMES, *pieces) == received(NAMES, text) == json.dumps(tree)


def test_a_key_in_an_object_of_any_names_stays_although_it_is_called_like_one_that_was_sent():
    text = '{"undeclared": {"required_": 1}, "free": {"required_": {"defs": "a"}}}'

    assert received(NAMES, text) == '{"undeclared": {"required_": 1}, "free": {"required_": {"$defs": "a"}}}'


def test_nothing_but_keys_changes_in_the_text():
    text = 'Here: ```{"ref_" :\t1.50, "anyOf_":[{"ref_":"ref_"}] , "ref":"a\\"ref_\\": "}``` "ref_"'

    assert received(NAMES, text) == text.replace('"ref_" :', '"$ref" :').replace(
        '"anyOf_":[{"ref_":', '"anyOf":[{"$ref":'
    )


@pytest.mark.parametrize(
    "broken", ['{"ref_', '{"ref_": "a", "an', '{"ref_"', "{", '{"ref_": [}', '{"\\ud8": 1', "[", ""]
)
def test_text_that_breaks_off_loses_nothing(broken):
    assert len(received(NAMES, broken)) == len(broken.replace('"ref_"', '"$ref"'))
