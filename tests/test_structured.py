"""Structured output in both frameworks: by every method, on every kind of model, whole and streamed."""

from __future__ import annotations

import asyncio
import datetime as dt
import enum
import json
import random
from collections.abc import Callable
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot
from llama_index.core.prompts import PromptTemplate
from pydantic import BaseModel, ConfigDict, Field, RootModel, TypeAdapter, ValidationError, create_model

from kimi_adapters.local_server import LocalKimi
from kimi_core import (
    ConfigError,
    KimiWarning,
    RefusedError,
    StructuredOutputError,
    ToolNotCalledError,
    TruncatedError,
)
from langchain_kimi import ChatKimi
from llama_index_kimi import KimiLLM


class Address(BaseModel):
    city: str
    zip: str | None = None


class Person(BaseModel):
    """Facts about one person."""

    name: str = Field(description="Full name")
    age: int
    address: Address


TEXT = "Ada Lovelace, age: 36, lives in the city: London."
ADA = '{"name": "Ada Lovelace", "age": 36, "address": {"city": "London", "zip": null}}'
OLD = '{"name": "Ada Lovelace", "age": "old", "address": {"city": "London"}}'


class Way:
    """One framework in one mode, for a question whose answer is an object."""

    framework = ""

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.name = f"{self.framework}-{mode}"
        self.streams = "stream" in mode

    def make(self, kimi: LocalKimi, **given: Any) -> Any:
        """The model object on a local server."""
        raise NotImplementedError

    def all(self, made: Any, cls: Any = Person, text: str = TEXT, **words: Any) -> list[Any]:
        """What comes of a question, one after another; of one that is not streamed a single object."""
        raise NotImplementedError

    def ask(self, made: Any, cls: Any = Person, text: str = TEXT, **words: Any) -> Any:
        """What comes of it in the end."""
        return self.all(made, cls, text, **words)[-1]


class LangChain(Way):
    framework = "langchain"

    def make(self, kimi: LocalKimi, **given: Any) -> ChatKimi:
        return ChatKimi(**{"base_url": kimi.base_url, "api_key": kimi.api_key, **given})

    def all(self, made: Any, cls: Any = Person, text: str = TEXT, **words: Any) -> list[Any]:
        asked = made.with_structured_output(cls, **words)
        match self.mode:
            case "invoke":
                return [asked.invoke(text)]
            case "ainvoke":
                return [asyncio.run(asked.ainvoke(text))]
            case "stream":
                return list(asked.stream(text))
        return asyncio.run(collected(asked.astream(text)))


class LlamaIndex(Way):
    framework = "llama_index"

    def make(self, kimi: LocalKimi, **given: Any) -> KimiLLM:
        return KimiLLM(**{"base_url": kimi.base_url, "api_key": kimi.api_key, **given})

    def all(self, made: Any, cls: Any = Person, text: str = TEXT, **words: Any) -> list[Any]:
        asked = (cls, PromptTemplate("{text}"))
        given = {"llm_kwargs": words, "text": text}
        match self.mode:
            case "invoke":
                return [made.structured_predict(*asked, **given)]
            case "ainvoke":
                return [asyncio.run(made.astructured_predict(*asked, **given))]
            case "stream":
                return list(made.stream_structured_predict(*asked, **given))

        async def stream() -> list[Any]:
            return await collected(await made.astream_structured_predict(*asked, **given))

        return asyncio.run(stream())


async def collected(stream: Any) -> list[Any]:
    return [one async for one in stream]


MODES = ("invoke", "ainvoke", "stream", "astream")
EVERY = [framework(mode) for framework in (LangChain, LlamaIndex) for mode in MODES]
WAYS = [LangChain("invoke"), LangChain("astream"), LlamaIndex("ainvoke"), LlamaIndex("stream")]
"""Half of them, in which every two of framework, sync or async, whole or streamed meet."""
WHOLE = [way for way in WAYS if not way.streams]
STREAMS = [way for way in WAYS if way.streams]
SYNC = [way for way in WAYS if not way.mode.startswith("a")]


def each(ways: list[Way]) -> Any:
    return pytest.mark.parametrize("way", ways, ids=[way.name for way in ways])


# ------------------------------------------------------------------------------------------- models and methods


@each(EVERY)
@pytest.mark.parametrize("model", ["kimi-k2.6", "kimi-k2.7-code", "kimi-k3"])
@pytest.mark.parametrize("thinking", [None, True])
def test_an_object_comes_back_from_every_model(way: Way, kimi: LocalKimi, model: str, thinking: Any) -> None:
    person = way.ask(way.make(kimi, model=model, thinking=thinking))
    assert isinstance(person, Person)
    assert (person.name, person.age, person.address.city) == ("Ada Lovelace", 36, "London")
    assert kimi.errors == []
    assert kimi.requests[-1].body["response_format"]["type"] == "json_schema"
    assert "tool_choice" not in kimi.requests[-1].body


@each(WAYS)
@pytest.mark.parametrize("structured", [("function_calling",), ("json_object",), ("function_calling", "json_object")])
def test_an_object_comes_back_from_hosts_without_schemas(
    way: Way, kimi: LocalKimi, structured: tuple[str, ...]
) -> None:
    made = way.make(kimi, overrides={"structured.ways": structured})
    person = way.ask(made)
    assert (type(person), person.name, person.address.city) == (Person, "Ada Lovelace", "London")
    assert kimi.errors == []
    body = kimi.requests[-1].body
    if structured[0] == "json_object":
        assert body["response_format"] == {"type": "json_object"}
        assert '"Full name"' in body["messages"][0]["content"], "the schema is in the prompt"
    else:
        assert [tool["function"]["name"] for tool in body["tools"]] == ["Person"]


@each(WAYS)
@pytest.mark.parametrize("host", ["generic", "aimlapi"])
def test_an_object_comes_back_from_other_hosts(way: Way, kimi: LocalKimi, aimlapi: LocalKimi, host: str) -> None:
    server = aimlapi if host == "aimlapi" else kimi
    assert way.ask(way.make(server, host=host)).name == "Ada Lovelace"
    assert server.errors == []


@each(SYNC)
@pytest.mark.parametrize(("strict", "said"), [(None, True), (True, True), (False, False)])
def test_strict_is_always_said_and_true_unless_it_is_switched_off(
    way: Way, kimi: LocalKimi, strict: bool | None, said: bool
) -> None:
    way.ask(way.make(kimi), strict=strict)
    assert kimi.requests[-1].body["response_format"]["json_schema"]["strict"] is said


@each(WAYS)
def test_options_of_one_call_hold_for_it(way: Way, kimi: LocalKimi) -> None:
    way.ask(way.make(kimi), thinking=False, max_tokens=999)
    body = kimi.requests[-1].body
    assert (body["thinking"], body["max_completion_tokens"]) == ({"type": "disabled"}, 999)


# --------------------------------------------------------------------------------------------- kinds of answers


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    tricks: list[str]


class Node(BaseModel):
    value: int
    kids: list[Node] = []


class Stay(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    arrives: dt.datetime
    nights: Annotated[int, Field(gt=0)]
    colour: Colour | None
    animals: list[Annotated[Cat | Dog, Field(discriminator="kind")]] = []
    first_name: str = Field(alias="firstName")


STAY = {
    "arrives": "2026-03-04T05:06:07Z",
    "nights": 3,
    "colour": "red",
    "animals": [{"kind": "dog", "tricks": ["sit"]}, {"kind": "cat", "lives": 9}],
    "firstName": "Ada",
}
VALID: list[tuple[Any, Any]] = [
    (Stay, STAY),
    (Stay, {**STAY, "colour": None, "animals": []}),
    (Node, {"value": 1, "kids": [{"value": 2, "kids": [{"value": 3}]}]}),
    (RootModel[list[Cat]], [{"kind": "cat", "lives": 9}]),
    (RootModel[int], 3),
    (RootModel[str | None], None),
    (RootModel[Literal["a", "b"]], "b"),
    (RootModel[Annotated[Cat | Dog, Field(discriminator="kind")]], {"kind": "dog", "tricks": []}),
]
INVALID: list[tuple[Any, Any]] = [
    (Stay, {**STAY, "nights": 0}),
    (Stay, {**STAY, "nights": "3"}),
    (Stay, {**STAY, "colour": "green"}),
    (Stay, {**STAY, "arrives": "tomorrow"}),
    (Stay, {**STAY, "surname": "Lovelace"}),
    (Stay, {**STAY, "animals": [{"kind": "dog", "lives": 9}]}),
    (Node, {"value": 1, "kids": [{"value": 2, "kids": [{}]}]}),
    (RootModel[list[Cat]], {"kind": "cat", "lives": 9}),
    (RootModel[int], "three"),
]


@each(SYNC)
@pytest.mark.parametrize(("cls", "value"), VALID)
def test_answers_of_every_kind_become_instances(way: Way, kimi: LocalKimi, cls: Any, value: Any) -> None:
    kimi.enqueue(text=json.dumps(value))
    assert way.ask(way.make(kimi), cls) == cls.model_validate_json(json.dumps(value))
    assert kimi.errors == []


@each(SYNC)
@pytest.mark.parametrize(("cls", "value"), INVALID)
def test_answers_that_are_no_instances_are_errors(way: Way, kimi: LocalKimi, cls: Any, value: Any) -> None:
    kimi.enqueue(text=json.dumps(value))
    with pytest.raises(StructuredOutputError) as caught:
        way.ask(way.make(kimi), cls)
    assert (caught.value.text, caught.value.finish_reason) == (json.dumps(value), "stop")


@each(SYNC)
@pytest.mark.parametrize(
    "text",
    [
        f"```json\n{ADA}\n```",
        f"Here she is:\n```\n{ADA}\n```\nAnything else?",
        f"<think>Ada, {{36}}.</think>\n{ADA}",
        f"Ada, I know her.</think>{ADA}",
        ADA.replace("Ada Lovelace", "Ada\nLovelace"),
    ],
    ids=["a fence", "words and a fence", "thoughts", "thoughts without a tag", "a raw line break"],
)
def test_what_is_around_the_answer_is_taken_off(way: Way, kimi: LocalKimi, text: str) -> None:
    kimi.enqueue(text=text)
    assert way.ask(way.make(kimi)).age == 36


@each(WAYS)
def test_of_two_calls_of_the_tool_the_first_counts(way: Way, kimi: LocalKimi) -> None:
    calls = [{"name": "Person", "arguments": ADA}, {"name": "Person", "arguments": ADA.replace("36", "37")}]
    kimi.enqueue(tool_calls=calls)
    assert way.ask(way.make(kimi, overrides={"structured.ways": ("function_calling",)})).age == 36


class Nothing(BaseModel):
    """Has no fields."""


@each(WAYS)
def test_a_tool_without_arguments_is_an_empty_object(way: Way, kimi: LocalKimi) -> None:
    kimi.enqueue(tool_calls=[{"name": "Nothing", "arguments": ""}])
    assert way.ask(way.make(kimi, overrides={"structured.ways": ("function_calling",)}), Nothing) == Nothing()


class Group(BaseModel):
    """A group of groups."""

    name: str
    items: list[Group]


@each(SYNC)
def test_a_class_that_requires_a_list_of_itself_is_answered(way: Way, kimi: LocalKimi) -> None:
    made = way.ask(way.make(kimi), Group, "The name: Ada.")
    assert isinstance(made, Group)
    assert kimi.errors == []


class Groups(RootModel[list[Group]]):
    """Some groups."""


@each(WAYS)
@pytest.mark.parametrize("structured", ["json_schema", "function_calling"])
def test_a_list_of_itself_that_an_answer_leaves_out_is_empty(way: Way, kimi: LocalKimi, structured: str) -> None:
    bare = {"name": "a", "items": [{"name": "b"}]}
    whole = Group(name="a", items=[Group(name="b", items=[])])
    for cls, answer, made in ((Group, bare, whole), (Groups, [bare], Groups([whole]))):
        value = {"value": answer} if cls is Groups else answer
        if structured == "json_schema":
            kimi.enqueue(text=json.dumps(answer))
        else:
            kimi.enqueue(tool_calls=[{"name": cls.__name__, "arguments": json.dumps(value)}])
        assert way.ask(way.make(kimi, overrides={"structured.ways": (structured,)}), cls) == made
    if structured == "function_calling":
        assert kimi.requests[-1].body["tools"][0]["function"]["parameters"]["required"] == ["value"]


@each(WAYS)
@pytest.mark.parametrize("answer", ['{"items": []}', '{"name": "a", "items": [{}]}', "{}"])
def test_nothing_else_is_put_into_an_answer(way: Way, kimi: LocalKimi, answer: str) -> None:
    kimi.enqueue(text=answer)
    with pytest.raises(StructuredOutputError, match="name: Field required"):
        way.ask(way.make(kimi), Group)


class Numbers(RootModel[list[int]]):
    """Some numbers."""


class Cats(RootModel[list[Cat]]):
    """Some cats."""


class Perhaps(RootModel[str | None]):
    """A word, perhaps."""


class CatOrNumbers(RootModel[Cat | list[int]]):
    """A cat, or numbers."""


@each(WAYS)
@pytest.mark.parametrize(
    ("cls", "value"),
    [
        (Numbers, [1, 2]),
        (Cats, [{"kind": "cat", "lives": 9}]),
        (Perhaps, None),
        (CatOrNumbers, {"kind": "cat", "lives": 9}),
    ],
)
def test_what_is_no_object_comes_as_the_one_argument_of_a_tool(way: Way, kimi: LocalKimi, cls: Any, value: Any) -> None:
    kimi.enqueue(tool_calls=[{"name": cls.__name__, "arguments": {"value": value}}])
    made = way.make(kimi, overrides={"structured.ways": ("function_calling",)})
    assert way.ask(made, cls) == cls(value)
    (tool,) = kimi.requests[0].body["tools"]
    assert tool["function"]["parameters"]["required"] == ["value"]
    assert kimi.errors == []


# ------------------------------------------------------------------------------------------------------ errors


@each(WAYS)
@pytest.mark.parametrize(
    ("text", "reason", "error"),
    [
        ('{"name": "Ada", "ag', "length", TruncatedError),
        ("", "length", TruncatedError),
        ('{"name": "Ada", "ag', "content_filter", RefusedError),
        ("", "content_filter", RefusedError),
        ("Ada is 36.", "stop", StructuredOutputError),
        ('{"name": "Ada"}', "stop", StructuredOutputError),
        (ADA + ADA, "stop", StructuredOutputError),
        ("[" * 2_000, "stop", StructuredOutputError),
    ],
    ids=["cut", "eaten by thinking", "withheld", "all withheld", "prose", "keys missing", "two objects", "too deep"],
)
@pytest.mark.filterwarnings("ignore:The answer of kimi-k2.6")
def test_an_answer_that_does_not_fit_is_a_typed_error(
    way: Way, kimi: LocalKimi, text: str, reason: str, error: Any
) -> None:
    kimi.enqueue(text=text, reasoning="Hm.", finish_reason=reason, unchecked=True)
    with pytest.raises(error) as caught:
        way.ask(way.make(kimi))
    assert caught.value.text == text
    assert caught.value.finish_reason == reason


@each(WAYS)
@pytest.mark.parametrize("facts", [{}, {"structured.ways": ("function_calling",)}], ids=["schema", "tool"])
def test_a_refusal_in_place_of_the_answer_is_a_typed_error(way: Way, kimi: LocalKimi, facts: dict[str, Any]) -> None:
    said = "I cannot help with that." * 100
    kimi.enqueue(refusal=said, reasoning="Hm.")
    with pytest.raises(RefusedError, match=r"^kimi-k2\.6 on moonshot refused to answer\.") as caught:
        way.ask(way.make(kimi, overrides=facts), **({} if way.streams else {"repair": True}))
    assert (caught.value.text, caught.value.finish_reason) == (said, "stop")
    assert isinstance(caught.value, ValueError)
    assert "I cannot help with that." in str(caught.value)
    assert len(str(caught.value)) < 700
    assert len(kimi.requests) == 1


@each(WAYS)
def test_a_refusal_is_one_whatever_came_before_it(way: Way, kimi: LocalKimi) -> None:
    kimi.enqueue(text=ADA, refusal="I cannot help with that.")
    with pytest.raises(RefusedError):
        way.ask(way.make(kimi))


@each(WAYS)
@pytest.mark.filterwarnings("ignore:tool_choice 'Person' is not sent")
def test_a_refusal_where_the_tool_could_not_be_forced_is_the_same(way: Way, kimi: LocalKimi) -> None:
    kimi.enqueue(refusal="I cannot help with that.")
    with pytest.raises(RefusedError):
        way.ask(way.make(kimi, model="kimi-k2.7-code", overrides={"structured.ways": ("function_calling",)}))
    assert len(kimi.requests) == 1


@each(WHOLE)
@pytest.mark.parametrize("word", ["strict", "repair"])
def test_what_is_no_switch_is_refused_before_any_call(way: Way, kimi: LocalKimi, word: str) -> None:
    with pytest.raises(ConfigError, match=f"{word} must be True or False"):
        way.ask(way.make(kimi), **{word: "yes"})
    assert kimi.requests == []


# ------------------------------------------------------------------------------------------------ asking again


@each(WHOLE)
def test_an_answer_that_does_not_fit_is_repaired_on_request(way: Way, kimi: LocalKimi) -> None:
    kimi.enqueue(text=OLD, reasoning="How old?")
    kimi.enqueue(text=ADA, reasoning="36.")
    assert way.ask(way.make(kimi), repair=True).age == 36
    assert kimi.errors == []
    first, second = (request.body for request in kimi.requests)
    assert {**second, "messages": first["messages"]} == first, "nothing but the messages is otherwise"
    assert second["messages"] == [
        *first["messages"],
        {"role": "assistant", "content": OLD, "reasoning_content": "How old?"},
        {
            "role": "user",
            "content": snapshot(
                "That answer does not fit the schema: age: Input should be a valid integer, unable to parse string as "
                "an integer. Give the whole answer once more, corrected."
            ),
        },
    ]


@each(WHOLE)
def test_a_tool_call_that_does_not_fit_is_answered_with_what_is_wrong(way: Way, kimi: LocalKimi) -> None:
    kimi.enqueue(tool_calls=[{"name": "Person", "arguments": OLD, "id": "Person:0"}])
    kimi.enqueue(tool_calls=[{"name": "Person", "arguments": ADA}])
    made = way.make(kimi, overrides={"structured.ways": ("function_calling",)})
    assert way.ask(made, repair=True).age == 36
    assert kimi.errors == []
    _, called, told = kimi.requests[1].body["messages"]
    assert called["tool_calls"][0]["function"] == {"name": "Person", "arguments": OLD}
    assert (told["role"], told["tool_call_id"]) == ("tool", "Person:0")
    assert "age: Input should be a valid integer" in told["content"]


@each(WHOLE)
def test_arguments_that_are_no_json_are_sent_as_text(way: Way, kimi: LocalKimi) -> None:
    kimi.enqueue(tool_calls=[{"name": "Person", "arguments": '{"name": Ada}'}])
    kimi.enqueue(tool_calls=[{"name": "Person", "arguments": ADA}])
    made = way.make(kimi, overrides={"structured.ways": ("function_calling",)})
    assert way.ask(made, repair=True).age == 36
    assert [(m["role"], m["content"][:20]) for m in kimi.requests[1].body["messages"][1:]] == [
        ("assistant", '{"name": Ada}'),
        ("user", "That answer does not"),
    ]


@each(WHOLE)
def test_an_empty_answer_is_not_repeated_to_the_model(way: Way, kimi: LocalKimi) -> None:
    kimi.enqueue(text="", finish_reason="stop")
    kimi.enqueue(text=ADA)
    assert way.ask(way.make(kimi), repair=True).age == 36
    assert [m["role"] for m in kimi.requests[1].body["messages"]] == ["user", "user"]


@each(WHOLE)
def test_it_is_asked_once_more_and_not_again(way: Way, kimi: LocalKimi) -> None:
    kimi.enqueue(text="Ada is 36.")
    kimi.enqueue(text=OLD)
    with pytest.raises(StructuredOutputError) as caught:
        way.ask(way.make(kimi), repair=True)
    assert caught.value.text == OLD
    assert len(kimi.requests) == 2


@each(WHOLE)
@pytest.mark.parametrize(
    ("text", "reason"),
    [(ADA, "stop"), (OLD[:40], "length"), (OLD[:40], "content_filter")],
    ids=["fits", "cut", "withheld"],
)
def test_what_asking_again_could_not_mend_is_not_repaired(way: Way, kimi: LocalKimi, text: str, reason: str) -> None:
    kimi.enqueue(text=text, finish_reason=reason)
    try:
        way.ask(way.make(kimi), repair=True)
    except (TruncatedError, RefusedError):
        pass
    assert len(kimi.requests) == 1


@each(WAYS)
@pytest.mark.parametrize("repair", [False, None])
def test_nobody_is_asked_twice_unasked(way: Way, kimi: LocalKimi, repair: bool | None) -> None:
    kimi.enqueue(text=OLD)
    with pytest.raises(StructuredOutputError):
        way.ask(way.make(kimi), repair=repair)
    assert len(kimi.requests) == 1


@each(STREAMS)
def test_a_stream_is_not_repaired(way: Way, kimi: LocalKimi) -> None:
    kimi.enqueue(text=OLD)
    with pytest.raises(StructuredOutputError):
        way.all(way.make(kimi), repair=True)
    assert len(kimi.requests) == 1


# ---------------------------------------------------------------------------------------------- growing objects


def frames(text: str, cuts: list[int]) -> list[dict[str, Any]]:
    """An answer in pieces that are cut there."""
    edges = [0, *sorted(cuts), len(text)]
    pieces = [text[a:b] for a, b in zip(edges, edges[1:], strict=False)]
    choices: list[dict[str, Any]] = [{"delta": {"content": piece}, "finish_reason": None} for piece in pieces]
    choices.append({"delta": {}, "finish_reason": "stop"})
    return [{"id": "x", "choices": [{"index": 0, **choice}]} for choice in choices]


def grown(before: Any, after: Any) -> bool:
    """Whether what was set before is there still, texts and lists at least as long."""
    if isinstance(before, dict):
        return before.keys() <= after.keys() and all(grown(v, after[k]) for k, v in before.items())
    if isinstance(before, list):
        return len(before) <= len(after) and all(map(grown, before, after))
    return after.startswith(before) if isinstance(before, str) else before == after


def data(instance: Any) -> Any:
    return instance.model_dump(mode="json", exclude_unset=True, by_alias=True)


@each(STREAMS)
@pytest.mark.parametrize("seed", range(6))
def test_however_a_stream_is_cut_its_objects_only_grow(way: Way, kimi: LocalKimi, seed: int) -> None:
    rng = random.Random(seed)
    value = {**json.loads(ADA), "name": 'Ada "the\n\u2028 Countess" \U0001f469 O\\\'Byron', "age": -36}
    text = json.dumps(value, indent=rng.choice([None, 2]), ensure_ascii=rng.choice([True, False]))
    kimi.enqueue(sse=frames(text, [rng.randrange(len(text)) for _ in range(rng.choice([1, 10, 60]))]))
    seen = [data(one) for one in way.all(way.make(kimi))]
    assert all(grown(before, after) for before, after in zip(seen, seen[1:], strict=False))
    assert seen[-1] == value


@each(STREAMS)
def test_a_stream_has_at_least_one_object(way: Way, kimi: LocalKimi) -> None:
    kimi.enqueue(text="{}")
    assert way.all(way.make(kimi), Nothing)[-1] == Nothing()


@each(STREAMS)
def test_lists_grow_inside_of_a_class(way: Way, kimi: LocalKimi) -> None:
    kimi.enqueue(text=json.dumps([{"kind": "cat", "lives": n} for n in range(9)]))
    lengths = [len(one.root) for one in way.all(way.make(kimi), RootModel[list[Cat]])]
    assert lengths == sorted(lengths)
    assert len(lengths) > 3


# ---------------------------------------------------------------------------------------------- thinking and tools


def test_a_tool_that_cannot_be_forced_is_asked_for_once_more(kimi: LocalKimi) -> None:
    """Thinking was asked for, so the tool cannot be forced; the first answer ignores it, the second uses it."""
    kimi.enqueue(text="I would rather talk.", reasoning="Hm.")
    kimi.enqueue(tool_calls=[{"name": "Person", "arguments": ADA}], reasoning="Now I call it.")
    model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, thinking=True)
    with pytest.warns(KimiWarning, match="incompatible with thinking"):
        person = model.with_structured_output(Person, method="function_calling").invoke(TEXT)
    assert person.age == 36
    assert len(kimi.requests) == 2
    assert [r.body["messages"] for r in kimi.requests] == [kimi.requests[0].body["messages"]] * 2, "nothing invented"


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_that_is_never_called_is_an_error(kimi: LocalKimi, streamed: bool) -> None:
    for _ in range(2):
        kimi.enqueue(text="I would rather talk.", reasoning="Hm.")
    model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, thinking=True, on_unsupported="ignore")
    bound = model.bind_tools([Person], tool_choice="Person")
    with pytest.raises(ToolNotCalledError, match="was to call Person and did not"):
        list(bound.stream(TEXT)) if streamed else bound.invoke(TEXT)
    assert len(kimi.requests) == (1 if streamed else 2)


@each(WAYS)
@pytest.mark.parametrize("model", ["kimi-k2.6", "kimi-k2.7-code", "kimi-k3"])
def test_a_tool_gives_the_object_on_every_model(way: Way, kimi: LocalKimi, model: str) -> None:
    kimi.enqueue(tool_calls=[{"name": "Person", "arguments": ADA}])
    made = way.make(kimi, model=model, overrides={"structured.ways": ("function_calling",)}, on_unsupported="ignore")
    assert way.ask(made).age == 36
    assert kimi.errors == []


# ------------------------------------------------------------------------------------------------- any class

SCALARS: list[Any] = [str, int, float, bool, Colour, Literal["a", "b"], Annotated[int, Field(ge=1, le=5)]]
KINDS = st.recursive(
    st.sampled_from(SCALARS),
    lambda inner: st.one_of(
        inner.map(lambda kind: list[kind]),  # type: ignore[valid-type]
        inner.map(lambda kind: kind | None if isinstance(kind, type) else kind),
        inner.map(lambda kind: dict[str, kind]),  # type: ignore[valid-type]
        st.lists(inner, min_size=1, max_size=3).map(lambda kinds: model_of(kinds, "Inner")),
    ),
    max_leaves=5,
)


def model_of(kinds: list[Any], name: str = "Any") -> type[BaseModel]:
    return create_model(name, **{f"field_{i}": (kind, ...) for i, kind in enumerate(kinds)})


MODELS = st.lists(KINDS, min_size=1, max_size=4).map(model_of)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-2, 2) | st.sampled_from(["", "a", "red", "3"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["field_0", "field_1"]), inner),
    max_leaves=6,
)
SOME = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))


@each(WHOLE)
@SOME
@given(cls=MODELS, words=st.sampled_from([TEXT, "", "Give me something."]))
def test_whatever_the_server_fills_in_is_an_instance(way: Way, kimi: LocalKimi, cls: Any, words: str) -> None:
    assert isinstance(way.ask(way.make(kimi), cls, f"{words} Fill it in."), cls)


@each(WHOLE)
@SOME
@given(cls=MODELS, value=VALUES)
def test_whatever_the_answer_is_it_is_an_instance_or_the_typed_error(
    way: Way, kimi: LocalKimi, cls: Any, value: Any
) -> None:
    kimi.reset()
    kimi.enqueue(text=json.dumps(value))
    outcome: Callable[[], Any] = lambda: way.ask(way.make(kimi), cls)  # noqa: E731
    try:
        expected = TypeAdapter(cls).validate_json(json.dumps(value))
    except ValidationError:
        with pytest.raises(StructuredOutputError) as caught:
            outcome()
        assert caught.value.text == json.dumps(value)
    else:
        assert outcome() == expected
