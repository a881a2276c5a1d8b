"""Tools: every form they come in, how they are chosen, and what becomes of the calls."""

from __future__ import annotations

import json
import operator
from functools import reduce
from typing import Any, NotRequired, Required, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.tools import StructuredTool, tool
from langchain_core.utils.json import parse_partial_json
from langchain_ways import ask
from pydantic import BaseModel, Field
from pydantic.v1 import BaseModel as BaseModelV1
from pydantic.v1 import Field as FieldV1

from kimi_adapters.local_server import LocalKimi
from kimi_core import ConfigError, KimiWarning, MessageError
from kimi_core.events import ToolCallDelta
from langchain_kimi import ChatKimi
from langchain_kimi._messages_out import MessageFormat
from langchain_kimi._streaming import ChunkMaker

EVERY = ["invoke", "ainvoke", "stream", "astream", "events", "aevents"]
MODES = ["invoke", "astream", "aevents"]
"""Whole, streamed and in events, sync and async; that `EVERY` mode gives the same calls is a test of its own."""


# ----------------------------------------------------------------------------------------------------- forms


def weather(city: str) -> str:
    """Weather of a city."""
    return f"Sunny in {city}."


class WeatherV2(BaseModel):
    """Weather of a city."""

    city: str = Field(description="Its name")


class WeatherV1(BaseModelV1):
    """Weather of a city."""

    city: str = FieldV1(description="Its name")


class WeatherDict(TypedDict):
    """Weather of a city."""

    city: str


PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FORMS: dict[str, Any] = {
    "function": weather,
    "tool": tool(weather),
    "structured tool": StructuredTool.from_function(weather),
    "pydantic": WeatherV2,
    "pydantic v1": WeatherV1,
    "TypedDict": WeatherDict,
    "OpenAI": {"type": "function", "function": {"name": "weather", "description": "w", "parameters": PARAMETERS}},
    "OpenAI's function": {"name": "weather", "description": "w", "parameters": PARAMETERS},
    "OpenAI's function without arguments": {"name": "weather"},
    "Anthropic": {"name": "weather", "input_schema": PARAMETERS, "cache_control": {"type": "ephemeral"}},
    "Anthropic's custom": {"type": "custom", "name": "weather", "input_schema": PARAMETERS},
    "Bedrock": {"toolSpec": {"name": "weather", "description": "w", "inputSchema": {"json": PARAMETERS}}},
    "JSON schema": {"title": "weather", "description": "w", **PARAMETERS},
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_form_of_a_tool_is_understood(model: ChatKimi, kimi: LocalKimi, form: Any) -> None:
    model.bind_tools([form]).invoke("Hello")
    (sent,) = kimi.requests[-1].body["tools"]
    assert sent["type"] == "function"
    assert sent["function"]["name"].lower().startswith("weather")
    assert kimi.errors == []


class Forecast(TypedDict):
    """A forecast."""

    city: str
    days: NotRequired[int]


class Loose(TypedDict, total=False):
    """A forecast."""

    city: Required[str]
    days: int


@pytest.mark.parametrize("form", [Forecast, Loose])
def test_a_key_that_need_not_be_there_is_not_required(model: ChatKimi, kimi: LocalKimi, form: Any) -> None:
    model.bind_tools([form]).invoke("Hello")

    parameters = kimi.requests[0].body["tools"][0]["function"]["parameters"]
    assert (list(parameters["properties"]), parameters["required"]) == (["city", "days"], ["city"])


class Pointer(BaseModel):
    """Follow a pointer."""

    to: str = Field(alias="$ref")


def follow(pointer: Pointer) -> str:
    """Follow a pointer."""
    return pointer.to


BY_DICT = StructuredTool(
    name="follow", description="Follow.", args_schema=Pointer.model_json_schema(), func=lambda **given: str(given)
)


@pytest.mark.parametrize("form", [Pointer, follow, tool(follow), BY_DICT], ids=["class", "function", "tool", "dict"])
def test_a_field_that_is_called_like_a_reference_is_a_field(model: ChatKimi, kimi: LocalKimi, form: Any) -> None:
    model.bind_tools([form]).invoke("Hello")

    assert '"ref":' in json.dumps(kimi.requests[0].body["tools"])
    assert kimi.errors == []


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_tools_can_be_given_for_one_call(model: ChatKimi, kimi: LocalKimi, form: Any) -> None:
    model.invoke("Hello", tools=[form])
    assert kimi.requests[-1].body["tools"][0]["function"]["name"].lower().startswith("weather")


def test_a_tool_on_the_wire(model: ChatKimi, kimi: LocalKimi) -> None:
    model.bind_tools([weather], strict=True).invoke("Hello")
    assert kimi.requests[-1].body["tools"] == snapshot(
        [
            {
                "type": "function",
                "function": {
                    "name": "weather",
                    "description": "Weather of a city.",
                    "parameters": {
                        "type": "object",
                        "properties": {"city": {"type": "string"}},
                        "required": ["city"],
                        "additionalProperties": False,
                    },
                    "strict": True,
                },
            }
        ]
    )


def test_a_builtin_function_goes_out_as_it_is(model: ChatKimi, kimi: LocalKimi) -> None:
    search = {"type": "builtin_function", "function": {"name": "$web_search"}}
    bound = model.bind_tools([search])
    assert bound.kwargs["tools"] == [search]
    assert bound.kwargs["tools"][0] is not search
    kimi.enqueue(text="ok", unchecked=True)
    bound.invoke("Hello", thinking=False)
    assert kimi.requests[-1].body["tools"] == [search]


def test_a_formula_is_handed_to_the_core_as_it_is(model: ChatKimi) -> None:
    formula = {"type": "formula", "uri": "moonshot/date:latest"}
    assert model.bind_tools([formula, weather]).kwargs["tools"][0] == formula


def test_no_tools_send_nothing_in_the_request(model: ChatKimi, kimi: LocalKimi) -> None:
    model.bind_tools([]).invoke("Hello")
    model.invoke("Hello", tools=[])
    assert [{"tools", "tool_choice"} & set(r.body) for r in kimi.requests] == [set(), set()]


@pytest.mark.parametrize(
    "tools",
    ["weather", 5, None, [5], ["weather"], [None], [{"type": "web_search_20250305", "name": "web_search"}], [{}]],
)
def test_what_is_no_tool_raises_when_it_is_bound(model: ChatKimi, tools: Any) -> None:
    with pytest.raises(ConfigError, match="tool"):
        model.bind_tools(tools)


@pytest.mark.parametrize("tools", ["weather", 5, [5], ["weather"], [{"type": "code_interpreter"}]])
def test_what_is_no_tool_raises_before_any_io(model: ChatKimi, kimi: LocalKimi, tools: Any) -> None:
    with pytest.raises((ConfigError, MessageError), match="tool"):
        model.invoke("Hello", tools=tools)
    assert kimi.requests == []


def test_the_users_dicts_are_not_changed(model: ChatKimi) -> None:
    given = {"name": "weather", "input_schema": PARAMETERS, "cache_control": {"type": "ephemeral"}}
    before = json.dumps(given)
    model.bind_tools([given], strict=True).invoke("Hello")
    assert json.dumps(given) == before


def test_a_bound_model_is_a_binding_and_binds_again(model: ChatKimi, kimi: LocalKimi) -> None:
    bound = model.bind_tools([weather]).bind(max_tokens=99)
    bound.invoke("Hello")
    body = kimi.requests[-1].body
    assert (body["max_completion_tokens"], len(body["tools"])) == (99, 1)


def test_a_response_format_goes_beside_tools(model: ChatKimi, kimi: LocalKimi) -> None:
    """As LangChain's agents ask for it."""
    schema = {"name": "answer", "schema": {"type": "object", "properties": {"x": {"type": "integer"}}}}
    asked = {"type": "json_schema", "json_schema": schema}
    model.bind_tools([weather], response_format=asked).invoke("Give me x = 3.")
    assert kimi.requests[-1].body["response_format"]["json_schema"]["name"] == "answer"
    assert len(kimi.requests[-1].body["tools"]) == 1


# ---------------------------------------------------------------------------------------------------- choice

NAMED = {"type": "function", "function": {"name": "weather"}}
CHOICES: list[tuple[Any, Any]] = [
    ("auto", "auto"),
    ("none", "none"),
    ("any", "required"),
    ("required", "required"),
    (True, "required"),
    (False, "none"),
    ("weather", NAMED),
    (NAMED, NAMED),
    ({"type": "tool", "name": "weather"}, NAMED),
    ({"type": "any"}, "required"),
    ({"type": "auto"}, "auto"),
]


@pytest.mark.parametrize(("choice", "wire"), CHOICES)
def test_every_form_of_a_choice_is_understood(model: ChatKimi, kimi: LocalKimi, choice: Any, wire: Any) -> None:
    model.bind_tools([weather], tool_choice=choice).invoke("What is the weather in Paris?", thinking=False)
    assert kimi.requests[-1].body["tool_choice"] == wire
    assert kimi.errors == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("choice", ["wether", NAMED | {"function": {"name": "wether"}}])
async def test_a_tool_that_is_not_offered_raises_before_any_io(
    model: ChatKimi, kimi: LocalKimi, choice: Any, mode: str
) -> None:
    with pytest.raises(ConfigError, match=r"'wether'.*not among \['weather'\].*Did you mean 'weather'"):
        await ask(model.bind_tools([weather], tool_choice=choice), mode)
    assert kimi.requests == []


@pytest.mark.parametrize("choice", ["any", "weather", True])
def test_a_forced_tool_without_tools_raises_before_any_io(model: ChatKimi, kimi: LocalKimi, choice: Any) -> None:
    with pytest.raises(ConfigError, match="needs tools"):
        model.bind_tools([], tool_choice=choice).invoke("Hello")
    assert kimi.requests == []


@pytest.mark.parametrize("choice", [5, {"type": "function"}, ["weather"]])
def test_what_is_no_choice_raises_before_any_io(model: ChatKimi, kimi: LocalKimi, choice: Any) -> None:
    with pytest.raises(ConfigError, match="tool_choice must be"):
        model.bind_tools([weather], tool_choice=choice).invoke("Hello")
    assert kimi.requests == []


# ---------------------------------------------------------------------------------------------- parallel calls

PARIS = {"name": "weather", "arguments": {"city": "Paris"}}
ROME = {"name": "weather", "arguments": {"city": "Rome"}}


@pytest.mark.parametrize("mode", EVERY)
@pytest.mark.parametrize("version", ["v0", "v1"])
async def test_parallel_calls_are_kept_apart(kimi: LocalKimi, version: str, mode: str) -> None:
    model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, output_version=version)
    kimi.enqueue(text="Both.", tool_calls=[PARIS, ROME])
    answer = await ask(model.bind_tools([weather]), mode)
    assert [(call["id"], call["args"]) for call in answer.tool_calls] == [
        ("functions.weather:0", {"city": "Paris"}),
        ("functions.weather:1", {"city": "Rome"}),
    ]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("version", ["v0", "v1"])
@pytest.mark.filterwarnings("ignore:parallel_tool_calls=False is not sent:kimi_core.KimiWarning")
async def test_without_parallel_calls_there_is_one(kimi: LocalKimi, version: str, mode: str) -> None:
    """Moonshot has no switch for it; agents that hand over to another must not get two."""
    model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, output_version=version)
    kimi.enqueue(text="Both.", tool_calls=[PARIS, ROME])
    answer = await ask(model.bind_tools([weather], parallel_tool_calls=False), mode)
    assert [call["args"] for call in answer.tool_calls] == [{"city": "Paris"}]
    assert [b["type"] for b in answer.content_blocks].count("tool_call") == 1


def test_a_host_that_has_the_switch_for_parallel_calls_is_sent_it(kimi: LocalKimi) -> None:
    model = ChatKimi(host="vllm", base_url=kimi.base_url, api_key=kimi.api_key, parallel_tool_calls=False)
    kimi.enqueue(text="ok", unchecked=True)
    model.bind_tools([weather]).invoke("Hello")
    assert kimi.requests[-1].body["parallel_tool_calls"] is False


def test_a_host_without_the_switch_says_so(model: ChatKimi) -> None:
    with pytest.warns(KimiWarning, match="parallel_tool_calls=False"):
        model.bind_tools([weather], parallel_tool_calls=False).invoke("Hello")


# ------------------------------------------------------------------------------------------------- arguments

INVALID = [
    '{"city": ',
    '{"city": "Par',
    '{"city": "Par\\',
    '{"c": [1, ',
    '{"c": {"d": [{"e": 1}',
    "[1]",
    "x",
    '"x"',
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("text", INVALID)
@pytest.mark.parametrize("version", ["v0", "v1"])
async def test_arguments_that_are_no_object_make_an_invalid_call(
    kimi: LocalKimi, version: str, text: str, mode: str
) -> None:
    """Streamed too: LangChain would complete a call that was cut, and run it with half of its arguments."""
    model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, output_version=version)
    kimi.enqueue(tool_calls=[{"name": "weather", "arguments": text}], finish_reason="length")
    answer = await ask(model.bind_tools([weather]), mode)
    assert answer.tool_calls == []
    (call,) = answer.invalid_tool_calls
    assert call["args"].startswith(text)
    assert call["id"] == "functions.weather:0"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("text", ['{"city": "Par', '["Paris"]', '{"city": "Pa\nr', '{"city": "Pa\nr",}'])
async def test_an_invalid_call_goes_back_as_it_came(model: ChatKimi, kimi: LocalKimi, text: str, mode: str) -> None:
    kimi.enqueue(tool_calls=[{"name": "weather", "arguments": text}])
    said = await ask(model.bind_tools([weather]), mode)
    kimi.enqueue(text="ok", unchecked=True)
    model.invoke([HumanMessage("?"), said, ToolMessage("Not JSON.", tool_call_id="functions.weather:0")])
    assert kimi.requests[-1].body["messages"][1]["tool_calls"][0]["function"]["arguments"] == text


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("piece", [1, 2, 3, 1000])
async def test_control_characters_in_arguments_make_no_call_invalid(
    model: ChatKimi, kimi: LocalKimi, piece: int, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the arguments are cut into pieces; between the strings they are but blanks."""
    monkeypatch.setattr("langchain_kimi._streaming.COALESCE", piece)
    text = '{\n\t"city": "New\nYork \\"\t\\\\",\n "n\t": ["\\u00e9\r"]}'
    kimi.enqueue(tool_calls=[{"name": "weather", "arguments": text}])
    answer = await ask(model.bind_tools([weather]), mode)
    assert answer.invalid_tool_calls == []
    assert answer.tool_calls[0]["args"] == {"city": 'New\nYork "\t\\', "n\t": ["é\r"]}
    kimi.enqueue(text="ok")
    model.invoke([HumanMessage("?"), answer, ToolMessage("Sunny", tool_call_id=answer.tool_calls[0]["id"])])
    assert kimi.requests[-1].body["messages"][1]["tool_calls"][0]["function"]["arguments"] == text


@pytest.mark.parametrize("mode", MODES)
async def test_one_invalid_call_spoils_no_other(model: ChatKimi, kimi: LocalKimi, mode: str) -> None:
    kimi.enqueue(tool_calls=[PARIS, {"name": "weather", "arguments": '{"city": "Ro'}])
    answer = await ask(model.bind_tools([weather]), mode)
    assert [call["args"] for call in answer.tool_calls] == [{"city": "Paris"}]
    assert [call["id"] for call in answer.invalid_tool_calls] == ["functions.weather:1"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("text", ["", "{}"])
async def test_no_arguments_are_an_empty_object(model: ChatKimi, kimi: LocalKimi, text: str, mode: str) -> None:
    kimi.enqueue(tool_calls=[{"name": "weather", "arguments": text}])
    answer = await ask(model.bind_tools([weather]), mode)
    assert [call["args"] for call in answer.tool_calls] == [{}]
    assert answer.invalid_tool_calls == []


@pytest.mark.parametrize("mode", MODES)
async def test_arguments_that_come_as_an_object_are_read(model: ChatKimi, kimi: LocalKimi, mode: str) -> None:
    call = {"index": 0, "id": "w:0", "type": "function", "function": {"name": "weather", "arguments": {"city": "Pa"}}}
    choice = {"index": 0, "finish_reason": "tool_calls"}
    if "stream" in mode:
        kimi.enqueue(sse=[{"id": "x", "choices": [{**choice, "delta": {"tool_calls": [call]}}]}])
    else:
        kimi.enqueue(json={"id": "x", "choices": [{**choice, "message": {"content": None, "tool_calls": [call]}}]})
    answer = await ask(model.bind_tools([weather]), mode)
    assert answer.tool_calls[0]["args"] == {"city": "Pa"}


WRITTEN = ['{"city":"Paris"}', '{\n  "city": "Paris"\n}', '{"city": "Par\\u0069s"}', '{"n": 1.0, "city": "Paris"}']


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("text", WRITTEN)
async def test_arguments_go_back_to_the_letter(model: ChatKimi, kimi: LocalKimi, text: str, mode: str) -> None:
    """Hosts find their cached prefix only then."""
    kimi.enqueue(reasoning="Hm.", tool_calls=[{"name": "weather", "arguments": text}])
    said = await ask(model.bind_tools([weather]), mode)
    model.invoke([HumanMessage("?"), said, ToolMessage("Sunny", tool_call_id=said.tool_calls[0]["id"])])
    assert kimi.requests[-1].body["messages"][1]["tool_calls"][0]["function"]["arguments"] == text


@pytest.mark.parametrize("mode", MODES)
async def test_arguments_in_kimis_own_spacing_are_not_kept_twice(model: ChatKimi, kimi: LocalKimi, mode: str) -> None:
    kimi.enqueue(tool_calls=[{"name": "weather", "arguments": '{"city": "Zürich"}'}])
    answer = await ask(model.bind_tools([weather]), mode)
    assert "arguments" not in answer.additional_kwargs


def test_arguments_that_somebody_changed_go_out_as_changed(model: ChatKimi, kimi: LocalKimi) -> None:
    """As a person in the loop does."""
    kimi.enqueue(reasoning="Hm.", tool_calls=[{"name": "weather", "arguments": '{"city":"Paris"}'}])
    said = model.bind_tools([weather]).invoke("Weather?")
    edited = said.model_copy(update={"tool_calls": [{**said.tool_calls[0], "args": {"city": "Rome"}}]})
    model.invoke([HumanMessage("?"), edited, ToolMessage("Sunny", tool_call_id=said.tool_calls[0]["id"])])
    sent = kimi.requests[-1].body["messages"][1]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(sent) == {"city": "Rome"}


def test_ids_that_repeat_from_turn_to_turn_keep_their_results(model: ChatKimi, kimi: LocalKimi) -> None:
    """Some servers count from 0 in every turn."""
    turn = [{"name": "weather", "args": {}, "id": "functions.weather:0"}]
    thought = {"reasoning_content": "Hm."}
    history = [
        HumanMessage("Paris?"),
        AIMessage("", tool_calls=turn, additional_kwargs=thought),
        ToolMessage("Sunny", tool_call_id="functions.weather:0"),
        AIMessage("Sunny."),
        HumanMessage("Rome?"),
        AIMessage("", tool_calls=turn, additional_kwargs=thought),
        ToolMessage("Rain", tool_call_id="functions.weather:0"),
    ]
    model.invoke(history)
    assert [m["content"] for m in kimi.requests[-1].body["messages"] if m["role"] == "tool"] == ["Sunny", "Rain"]
    assert kimi.errors == []


def test_a_long_argument_streams_in_few_chunks_in_v1(kimi: LocalKimi) -> None:
    model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, output_version="v1").bind_tools([weather])
    kimi.enqueue(reasoning="Hm.", tool_calls=[{"name": "weather", "arguments": {"city": "x" * 4000}}])
    chunks = list(model.stream("Weather?"))
    assert sum(bool(chunk.tool_call_chunks) for chunk in chunks) <= 4000 / 256 + 3
    assert reduce(operator.add, chunks).tool_calls[0]["args"] == {"city": "x" * 4000}


# -------------------------------------------------------------------------------------------- pieces of arguments


@given(st.text(alphabet='ab"\\\\{}[]:, \\n0東', min_size=1), st.booleans())
def test_a_chunk_that_is_made_light_is_what_langchain_would_make(text: str, v1: bool) -> None:
    """LangChain parses what may begin an object; anything else it keeps as an invalid call."""
    maker = ChunkMaker(MessageFormat(host="moonshot", v1=v1))
    made = maker._call_chunk(ToolCallDelta(0, text), text)
    fields = {name: getattr(made.message, name) for name in ("content", "tool_call_chunks", "response_metadata")}
    assert made == ChatGenerationChunk(message=AIMessageChunk(**fields))
    assert made.message.model_fields_set - {"id"} == AIMessageChunk(**fields).model_fields_set


CODE = json.dumps({"city": "def f(x):\n    return {1: {2: [x, '{']}}\n" * 1500})


@pytest.mark.parametrize("size", [60, 1000, 100_000])
def test_long_arguments_come_in_growing_pieces_of_which_langchain_parses_the_first_alone(
    model: ChatKimi, kimi: LocalKimi, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[str] = []

    def parse(text: str, **more: Any) -> Any:
        parsed.append(text)
        return parse_partial_json(text, **more)

    monkeypatch.setattr("langchain_core.messages.ai.parse_partial_json", parse)
    monkeypatch.setattr("langchain_kimi._streaming.PATIENCE", 60)
    call = {"index": 0, "id": "w:0", "type": "function", "function": {"name": "weather", "arguments": ""}}
    more = [{"index": 0, "function": {"arguments": CODE[i : i + size]}} for i in range(0, len(CODE), size)]
    frames = [{"id": "x", "choices": [{"delta": {"tool_calls": [piece]}}]} for piece in (call, *more)]
    kimi.enqueue(sse=[*frames, {"id": "x", "choices": [{"delta": {}, "finish_reason": "tool_calls"}]}])
    chunks = list(model.stream("Write it."))
    assert sum(map(len, parsed)) <= 600 + len(CODE)  # its callbacks get the whole message
    assert len(chunks) < 100
    assert "".join(part["args"] or "" for chunk in chunks for part in chunk.tool_call_chunks) == CODE
    assert reduce(operator.add, chunks).tool_calls[0]["args"] == json.loads(CODE)


def test_each_delta_of_arguments_comes_as_it_is_sent_when_that_is_asked_for(model: ChatKimi, kimi: LocalKimi) -> None:
    call = {"index": 0, "id": "w:0", "type": "function", "function": {"name": "weather", "arguments": ""}}
    more = [{"index": 0, "function": {"arguments": letter}} for letter in '{"city": "Oslo"}']
    frames = [{"id": "x", "choices": [{"delta": {"tool_calls": [piece]}}]} for piece in (call, *more)]
    kimi.enqueue(sse=[*frames, {"id": "x", "choices": [{"delta": {}, "finish_reason": "tool_calls"}]}])
    chunks = list(model.stream("Weather?", merge_deltas=False))
    assert [part["args"] for chunk in chunks for part in chunk.tool_call_chunks] == ["", *'{"city": "Oslo"}']
