"""Structured output as LangChain has it: its forms of schemas, its methods, its errors, and what it adds up."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import enum
import functools
import json
import operator
import pickle
import warnings
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal, NotRequired, Optional, TypedDict, Union

import pytest
from hypothesis import HealthCheck, given, settings
from inline_snapshot import snapshot
from langchain_core import exceptions as lc
from langchain_core.callbacks import BaseCallbackHandler, UsageMetadataCallbackHandler
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.tools import tool
from langchain_core.utils.function_calling import convert_to_json_schema
from pydantic import BaseModel, RootModel, create_model, field_validator
from pydantic.v1 import BaseModel as BaseModelV1

from kimi_adapters.local_server import LocalKimi
from kimi_core import ConfigError, KimiWarning, OutputError, RefusedError, StructuredOutputError, TruncatedError
from langchain_kimi import ChatKimi
from langchain_kimi._structured_output import METHODS
from tests.test_structured import MODELS


def whole(asked: Runnable[Any, Any], text: str = "Tell me.") -> Any:
    return asked.invoke(text)


def awhole(asked: Runnable[Any, Any], text: str = "Tell me.") -> Any:
    return asyncio.run(asked.ainvoke(text))


def streamed(asked: Runnable[Any, Any], text: str = "Tell me.") -> Any:
    return list(asked.stream(text))[-1]


def astreamed(asked: Runnable[Any, Any], text: str = "Tell me.") -> Any:
    async def collect() -> list[Any]:
        return [one async for one in asked.astream(text)]

    return asyncio.run(collect())[-1]


WAYS = [whole, awhole, streamed, astreamed]
TWO = [whole, astreamed]

# ----------------------------------------------------------------------------------------------- forms of schemas


class City(BaseModel):
    """A city."""

    name: str
    twin: City | None = None


class CityV1(BaseModelV1):
    """A city."""

    name: str
    twin: Optional[CityV1] = None  # noqa: UP045 - v1 knows no other


CityV1.update_forward_refs()


class CityDict(TypedDict):
    """A city."""

    name: str
    twin: NotRequired[CityDict | None]


@dataclasses.dataclass
class CityData:
    name: str
    twin: CityData | None = None


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


def city(name: str, twin: dict[str, Any] | None = None) -> None:
    """A city.

    Args:
        name: Its name.
        twin: Another one.
    """


TWINS = {"name": "Bonn", "twin": {"name": "Oxford", "twin": None}}
PLAIN = {"name": "Bonn", "twin": {"name": "Oxford"}}
OBJECT = {"type": "object", "properties": {"name": {"type": "string"}, "twin": {}}, "required": ["name"]}
OBJECTS: dict[str, tuple[Any, Any]] = {
    "pydantic": (City, City(name="Bonn", twin=City(name="Oxford"))),
    "pydantic v1": (CityV1, CityV1(name="Bonn", twin=CityV1(name="Oxford"))),
    "TypedDict": (CityDict, PLAIN),
    "dataclass": (CityData, CityData("Bonn", CityData("Oxford"))),
    "JSON schema": (City.model_json_schema(), PLAIN),
    "JSON schema of pydantic v1": (CityV1.schema(), PLAIN),
    "OpenAI function": ({"name": "city", "parameters": OBJECT}, PLAIN),
    "OpenAI tool": ({"type": "function", "function": {"name": "city", "parameters": OBJECT}}, PLAIN),
    "Anthropic tool": ({"name": "city", "input_schema": OBJECT}, PLAIN),
    "function": (city, PLAIN),
    "LangChain tool": (tool(city), PLAIN),
    "optional": (Optional[City], City(name="Bonn", twin=City(name="Oxford"))),  # noqa: UP045
}


@pytest.mark.parametrize("ask", TWO)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("schema", "expected"), OBJECTS.values(), ids=OBJECTS)
def test_objects_in_every_form_by_every_method(
    model: ChatKimi, kimi: LocalKimi, ask: Any, method: Any, schema: Any, expected: Any
) -> None:
    asked = model.with_structured_output(schema, method=method)
    if method == "function_calling":
        name = asked.first.kwargs["structured_output"]["name"]  # type: ignore[attr-defined]
        kimi.enqueue(tool_calls=[{"name": name, "arguments": PLAIN}])
    else:
        kimi.enqueue(text=json.dumps(PLAIN))
    assert ask(asked) == expected
    assert kimi.errors == []


class Town(BaseModel):
    """A town."""

    name: str
    people: int


@pytest.mark.filterwarnings("ignore:tool_choice 'Town' is not sent:kimi_core.KimiWarning")
@pytest.mark.parametrize("thinking", [None, True, False])
@pytest.mark.parametrize("method", ["auto", "json_schema", "function_calling"])
def test_objects_come_whether_it_thinks_or_not(
    make: Callable[..., ChatKimi], kimi: LocalKimi, thinking: bool | None, method: Any
) -> None:
    asked = make(thinking=thinking).with_structured_output(Town, method=method)
    assert asked.invoke("Alora is a town named Alora with 4100 people.") == Town(name="Alora", people=4100)
    assert kimi.errors == []


OTHERS: dict[str, tuple[Any, Any, Any]] = {
    "list": (list[City], [PLAIN], [City(name="Bonn", twin=City(name="Oxford"))]),
    "union": (Union[City, list[int]], [1, 2], [1, 2]),  # noqa: UP007
    "literal": (Literal["a", "b"], "b", "b"),
    "enum": (Colour, "red", Colour.RED),
    "number": (int, 3, 3),
    "date": (dt.date, "2026-03-04", dt.date(2026, 3, 4)),
    "nothing": (Optional[City], None, None),  # noqa: UP045
    "root model": (RootModel[list[int]], [1, 2], RootModel[list[int]]([1, 2])),
    "JSON schema of a list": ({"title": "Ints", "type": "array", "items": {"type": "integer"}}, [1, 2], [1, 2]),
}


@pytest.mark.parametrize("ask", TWO)
@pytest.mark.parametrize(("schema", "value", "expected"), OTHERS.values(), ids=OTHERS)
def test_answers_need_not_be_objects(
    model: ChatKimi, kimi: LocalKimi, ask: Any, schema: Any, value: Any, expected: Any
) -> None:
    kimi.enqueue(text=json.dumps(value))
    assert ask(model.with_structured_output(schema)) == expected
    assert kimi.errors == []


@pytest.mark.parametrize("schema", [form for form, _ in OBJECTS.values()], ids=OBJECTS)
def test_what_is_no_instance_is_a_parser_error_of_both_kinds(model: ChatKimi, kimi: LocalKimi, schema: Any) -> None:
    kimi.enqueue(text='{"twin": 3}', unchecked=True)
    with pytest.raises(lc.OutputParserException) as caught:
        model.with_structured_output(schema).invoke("x")
    assert isinstance(caught.value, StructuredOutputError)
    assert caught.value.text == caught.value.llm_output == '{"twin": 3}'


WRONG: list[tuple[dict[str, Any], Any]] = [
    ({"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": False}, {"b": 1}),
    ({"type": "object", "properties": {"a": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}}, {"a": "x"}),
    ({"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "integer"}}}, {"a": "x"}),
    ({"type": "object", "properties": {"a": {"type": "array", "items": {"enum": [1]}}}}, {"a": [2]}),
    ({"type": "object", "properties": {"a": {"type": "number", "minimum": 1}}}, {"a": 0}),
    ({"type": "object", "properties": {"a": {"allOf": [{"type": "string"}, {"maxLength": 1}]}}}, {"a": "xx"}),
    ({"type": "object", "properties": {"a": {"type": "string", "format": "date"}}}, {"a": "tomorrow"}),
    ({"type": "object", "allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": False}, {"a": 1, "b": 2}),
]


@pytest.mark.parametrize("ask", [whole, streamed])
@pytest.mark.parametrize(("schema", "value"), WRONG)
def test_an_answer_is_held_against_the_whole_of_a_json_schema(
    model: ChatKimi, kimi: LocalKimi, ask: Any, schema: Any, value: Any
) -> None:
    kimi.enqueue(text=json.dumps(value))
    with pytest.raises(StructuredOutputError, match=r"the answer\."):
        ask(model.with_structured_output(schema))


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(cls=MODELS)
def test_whatever_the_server_fills_in_fits_the_json_schema(model: ChatKimi, cls: Any) -> None:
    assert isinstance(model.with_structured_output(cls.model_json_schema()).invoke("Ada is 36. Fill it in."), dict)


# ------------------------------------------------------------------------------------------------------ TypedDicts


class Trip(TypedDict, total=False):
    """A trip."""

    to: Annotated[str, ..., "Where it goes"]
    days: Annotated[int, 3, "How long it takes"]
    start: dt.date
    schema: Annotated[list[CityDict], "What is seen"]


def test_a_typed_dict_says_all_that_it_says(model: ChatKimi, kimi: LocalKimi) -> None:
    kimi.enqueue(text="{}")
    model.with_structured_output(Trip).invoke("x")
    schema = kimi.requests[-1].body["response_format"]["json_schema"]["schema"]
    assert schema == snapshot(
        {
            "type": "object",
            "properties": {
                "to": {"type": "string", "title": "To", "description": "Where it goes"},
                "days": {
                    "type": "integer",
                    "title": "Days",
                    "description": "How long it takes (default: 3)",
                },
                "start": {"type": "string", "title": "Start", "description": "format: date"},
                "schema": {
                    "type": "array",
                    "items": {"$ref": "#/$defs/CityDict"},
                    "title": "Schema",
                    "description": "What is seen",
                },
            },
            "title": "Trip",
            "description": "A trip.",
            "$defs": {
                "CityDict": {
                    "type": "object",
                    "properties": {
                        "name": {"type": "string", "title": "Name"},
                        "twin": {"anyOf": [{"$ref": "#/$defs/CityDict"}, {"type": "null"}]},
                    },
                    "title": "CityDict",
                    "description": "A city.",
                    "required": ["name"],
                }
            },
        }
    )


def test_a_typed_dict_without_text_gets_none(model: ChatKimi, kimi: LocalKimi) -> None:
    class Silent(TypedDict):
        x: int

    model.with_structured_output(Silent).invoke("x = 3")
    assert "dictionary" not in json.dumps(kimi.requests[-1].body["response_format"])


@pytest.mark.parametrize(
    "value", [{"days": "3"}, {"start": "tomorrow"}, {"schema": [{"twin": None}]}, {"schema": {"name": "Bonn"}}, []]
)
def test_what_is_no_typed_dict_is_an_error(model: ChatKimi, kimi: LocalKimi, value: Any) -> None:
    kimi.enqueue(text=json.dumps(value))
    with pytest.raises(StructuredOutputError):
        model.with_structured_output(Trip).invoke("x")


def test_a_typed_dict_comes_as_it_was_answered(model: ChatKimi, kimi: LocalKimi) -> None:
    value = {"to": "Bonn", "start": "2026-03-04", "more": [1]}
    kimi.enqueue(text=json.dumps(value))
    assert model.with_structured_output(Trip).invoke("x") == value


# -------------------------------------------------------------------------------------------------------- methods


@pytest.mark.parametrize("ask", WAYS)
def test_json_mode_goes_without_a_schema(model: ChatKimi, kimi: LocalKimi, ask: Any) -> None:
    asked = model.with_structured_output(None, method="json_mode")
    assert isinstance(ask(asked, "x is 3. Answer as JSON with the key x."), dict)
    assert kimi.requests[-1].body["response_format"] == {"type": "json_object"}


@pytest.mark.parametrize("strict", [None, True, False])
@pytest.mark.parametrize("method", METHODS)
def test_strict_is_taken_with_every_method(model: ChatKimi, kimi: LocalKimi, method: Any, strict: bool | None) -> None:
    asked = model.with_structured_output(City, method=method, strict=strict)
    with warnings.catch_warnings(record=True, action="always", category=KimiWarning) as said:
        assert asked.invoke("The city is called Bonn. Answer as JSON with the key name.").name
    assert [str(one.message).partition(":")[0] for one in said] == (
        ["strict of 'City' is not sent to kimi-k2.6 on moonshot"] if method == "json_mode" and strict else []
    )
    assert kimi.errors == []


@pytest.mark.parametrize(
    ("schema", "words", "match"),
    [
        (City, {"method": "json_shema"}, "Did you mean 'json_schema'"),
        (None, {}, "needs a schema; only method='json_mode' goes without"),
        (list[int], {"method": "json_mode"}, "json_mode answers with an object"),
        (object(), {}, "with_structured_output takes a pydantic class"),
        ({"description": "nothing else"}, {}, "with_structured_output takes a pydantic class"),
        (Annotated[list[int], {}], {}, "with_structured_output takes a pydantic class"),
    ],
)
def test_what_cannot_be_asked_raises_at_once(model: ChatKimi, schema: Any, words: Any, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        model.with_structured_output(schema, **words)


class Joke(TypedDict):
    """A joke."""

    setup: Annotated[str, ..., "The setup"]
    rating: Annotated[int | None, None, "How funny"]


class _Options(BaseCallbackHandler):
    def __init__(self) -> None:
        self.seen: list[Any] = []

    def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        self.seen.append(kwargs["options"]["ls_structured_output_format"])


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
@pytest.mark.parametrize(
    "schema", [City, CityV1, Joke, City.model_json_schema() | {"title": "City"}, OBJECTS["OpenAI tool"][0], city]
)
def test_traces_show_the_schema_as_langchain_converts_it(
    model: ChatKimi, kimi: LocalKimi, method: Any, schema: Any
) -> None:
    handler = _Options()
    asked = model.with_structured_output(schema, method=method, strict=True, max_tokens=5)
    kimi.fail(status=400, type="invalid_request_error")
    with pytest.raises(lc.ModelError):
        asked.invoke("x", config={"callbacks": [handler]})
    assert handler.seen == [{"kwargs": {"method": method, "strict": True}, "schema": convert_to_json_schema(schema)}]


def test_traces_show_a_schema_that_langchain_does_not_know(model: ChatKimi, kimi: LocalKimi) -> None:
    handler = _Options()
    model.with_structured_output(list[int]).invoke("1 and 2", config={"callbacks": [handler]})
    assert handler.seen[0]["schema"] == {
        "title": "output",
        "description": "",
        "type": "array",
        "items": {"type": "integer"},
    }


# --------------------------------------------------------------------------------------------------------- streams


def test_dicts_grow_and_come_once_when_they_are_whole(model: ChatKimi, kimi: LocalKimi) -> None:
    kimi.enqueue(text=json.dumps(PLAIN))
    seen = list(model.with_structured_output(City.model_json_schema()).stream("x"))
    assert len(seen) > 3
    assert seen[-1] == PLAIN
    assert all(one != other for one, other in zip(seen, seen[1:], strict=False))


@pytest.mark.parametrize("schema", [list[int], {"title": "Ints", "type": "array", "items": {"type": "integer"}}])
def test_what_langchain_would_add_up_comes_once(model: ChatKimi, kimi: LocalKimi, schema: Any) -> None:
    kimi.enqueue(text="[1, 2, 3, 4, 5, 6, 7, 8, 9]")
    assert list(model.with_structured_output(schema).stream("x")) == [[1, 2, 3, 4, 5, 6, 7, 8, 9]]


class Careless(BaseModel):
    items: list[int]

    @field_validator("items")
    @classmethod
    def check(cls, items: list[int]) -> list[int]:
        return [items[3], {}[items[4]]] if len(items) == 5 else [items[3]]


def test_a_validator_that_expects_whole_values_is_asked_for_whole_values(model: ChatKimi, kimi: LocalKimi) -> None:
    kimi.enqueue(text='{"items": [1, 2, 3, 4, 5, 6]}')
    assert list(model.with_structured_output(Careless).stream("x"))[-1].items == [4]


def test_a_mistake_in_a_validator_is_not_hidden(model: ChatKimi, kimi: LocalKimi) -> None:
    for _ in range(2):
        kimi.enqueue(text='{"items": [1, 2, 3, 4, 5]}')
    with pytest.raises(KeyError):
        model.with_structured_output(Careless).invoke("x")
    assert isinstance(whole(model.with_structured_output(Careless, include_raw=True))["parsing_error"], KeyError)


def test_a_whole_message_in_place_of_a_stream_is_read(model: ChatKimi) -> None:
    parser = model.with_structured_output(City, method="function_calling").last  # type: ignore[attr-defined]
    message = AIMessage("", tool_calls=[{"name": "City", "args": PLAIN, "id": "1"}])
    assert [city.name for city in (RunnableLambda(lambda _: message) | parser).stream("x")] == ["Bonn"]


def test_text_alone_is_read_as_well(model: ChatKimi) -> None:
    parser = model.with_structured_output(City).last  # type: ignore[attr-defined]
    assert parser.invoke('{"name": "Bonn"}') == parser.parse('{"name": "Bonn"}') == City(name="Bonn")


def test_of_two_classes_that_fit_the_first_counts(model: ChatKimi, kimi: LocalKimi) -> None:
    """Whatever was asked before: both unions are equal to Python."""
    first, second = create_model("First", v=(int, ...)), create_model("Second", v=(int, ...))
    for schema, made in ((first | second, first), (second | first, second)):
        kimi.enqueue(text='{"v": 1}')
        assert type(model.with_structured_output(schema).invoke("?")) is made


def test_what_was_made_survives_a_pickle(model: ChatKimi, kimi: LocalKimi) -> None:
    for schema in (City, CityDict, City.model_json_schema(), list[City]):
        kimi.enqueue(text=json.dumps([PLAIN] if schema == list[City] else PLAIN))
        assert pickle.loads(pickle.dumps(model.with_structured_output(schema))).invoke("x")


# --------------------------------------------------------------------------------------------------- errors as results

OUTCOMES: list[tuple[str, str, type[OutputError] | None]] = [
    (json.dumps(PLAIN), "stop", None),
    ('{"twin": 3}', "stop", StructuredOutputError),
    ("Bonn", "stop", StructuredOutputError),
    ('{"name": "Bo', "length", TruncatedError),
    ('{"name": "Bo', "content_filter", RefusedError),
]


@pytest.mark.parametrize("ask", [whole, awhole])
@pytest.mark.parametrize(("text", "reason", "error"), OUTCOMES)
def test_include_raw_returns_what_would_be_raised(
    model: ChatKimi, kimi: LocalKimi, ask: Any, text: str, reason: str, error: Any
) -> None:
    kimi.enqueue(text=text, finish_reason=reason)
    answer = ask(model.with_structured_output(City, include_raw=True))
    assert list(answer) == ["raw", "parsed", "parsing_error"]
    assert (answer["raw"].text, answer["parsed"] is None) == (text, error is not None)
    assert type(answer["parsing_error"]) is type(None) if error is None else isinstance(answer["parsing_error"], error)


def parts(asked: Runnable[Any, Any]) -> list[Any]:
    return list(asked.stream("x"))


def aparts(asked: Runnable[Any, Any]) -> list[Any]:
    async def collect() -> list[Any]:
        return [part async for part in asked.astream("x")]

    return asyncio.run(collect())


@pytest.mark.parametrize("ask", [parts, aparts])
@pytest.mark.parametrize(("text", "reason", "error"), OUTCOMES)
def test_include_raw_returns_it_at_the_end_of_a_stream_too(
    model: ChatKimi, kimi: LocalKimi, ask: Any, text: str, reason: str, error: Any
) -> None:
    kimi.enqueue(text=text, finish_reason=reason)
    seen = ask(model.with_structured_output(City, include_raw=True))
    added = functools.reduce(operator.add, seen)
    assert (added["raw"].text, added["raw"].response_metadata["finish_reason"]) == (text, reason)
    assert list(seen[-1]) == ["parsed", "parsing_error"]
    if error is None:
        assert seen[-1] == {"parsed": City.model_validate(PLAIN), "parsing_error": None}
        assert any("parsed" in part for part in seen[:-1]), "it grew before"
    else:
        assert (seen[-1]["parsed"], added["parsed"], isinstance(added["parsing_error"], error)) == (None, None, True)


@pytest.mark.parametrize("ask", [parts, aparts, whole, awhole])
def test_include_raw_returns_a_refusal_as_the_error(model: ChatKimi, kimi: LocalKimi, ask: Any) -> None:
    kimi.enqueue(refusal="I cannot help with that.")
    seen = ask(model.with_structured_output(City, include_raw=True))
    added = functools.reduce(operator.add, seen) if isinstance(seen, list) else seen
    assert (added["raw"].additional_kwargs["refusal"], added["parsed"]) == ("I cannot help with that.", None)
    assert isinstance(added["parsing_error"], RefusedError)
    assert not isinstance(added["parsing_error"], lc.OutputParserException)


def test_what_the_host_refuses_is_raised_all_the_same(model: ChatKimi, kimi: LocalKimi) -> None:
    asked = model.with_structured_output(City, include_raw=True)
    for ask in (whole, streamed):
        kimi.fail(status=400, type="content_filter")
        with pytest.raises(lc.ModelInvalidRequestError, match="high risk"):
            ask(asked)


@pytest.mark.parametrize("ask", WAYS)
def test_a_refusal_is_langchains_own_where_it_has_one(model: ChatKimi, kimi: LocalKimi, ask: Any) -> None:
    kimi.enqueue(text='{"name"', finish_reason="content_filter")
    with pytest.raises(getattr(lc, "ModelRefusalError", lc.ModelError)) as caught:
        ask(model.with_structured_output(City))
    assert isinstance(caught.value, RefusedError)
    assert not isinstance(caught.value, lc.OutputParserException)
    raw = caught.value.raw_message  # type: ignore[attr-defined]
    assert raw.text == '{"name"' if ask in (whole, awhole) else raw is None


# ------------------------------------------------------------------------------------------------------ asking again


@pytest.fixture
def mended(kimi: LocalKimi) -> Iterator[LocalKimi]:
    kimi.enqueue(
        text="Bonn", usage={"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12, "cached_tokens": 4}
    )
    kimi.enqueue(text=json.dumps(PLAIN), usage={"prompt_tokens": 30, "completion_tokens": 5, "total_tokens": 35})
    yield kimi
    assert len(kimi.requests) == 2


@pytest.mark.parametrize("ask", [whole, awhole])
def test_the_raw_answer_has_the_usage_of_both(model: ChatKimi, mended: LocalKimi, ask: Any) -> None:
    answer = ask(model.with_structured_output(City, include_raw=True, repair=True))
    assert (answer["parsed"].name, answer["parsing_error"]) == ("Bonn", None)
    usage = answer["raw"].usage_metadata
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (40, 7, 47)
    assert usage["input_token_details"]["cache_read"] == 4
    assert answer["raw"].response_metadata["cost_usd"] > 0


def test_callbacks_hear_of_both_calls(model: ChatKimi, mended: LocalKimi) -> None:
    usage = UsageMetadataCallbackHandler()
    model.with_structured_output(City, repair=True).invoke("x", config={"callbacks": [usage]})
    (total,) = usage.usage_metadata.values()
    assert total["total_tokens"] == 47


def test_every_input_of_a_batch_is_repaired_by_itself(model: ChatKimi, kimi: LocalKimi) -> None:
    for text in ("Bonn", json.dumps(PLAIN), "Köln", json.dumps(PLAIN)):
        kimi.enqueue(text=text)
    asked = model.with_structured_output(City, repair=True)
    assert [c.name for c in asked.batch(["x", "y"], config={"max_concurrency": 1})] == ["Bonn", "Bonn"]
    assert sorted(len(request.body["messages"]) for request in kimi.requests) == [1, 1, 3, 3]


def test_the_callers_messages_stay_as_they_are(model: ChatKimi, mended: LocalKimi) -> None:
    said = [("system", "Be exact."), ("user", "Which city?")]
    model.with_structured_output(City, repair=True).invoke(said)
    assert len(said) == 2
    assert [m["role"] for m in mended.requests[1].body["messages"]] == ["system", "user", "assistant", "user"]


def test_two_ways_to_say_what_the_answer_is_raise_before_any_io(model: ChatKimi, kimi: LocalKimi) -> None:
    asked = model.with_structured_output(City, response_format={"type": "json_object"})
    with pytest.raises(ConfigError, match="give one"):
        asked.invoke("x")
    assert kimi.requests == []
