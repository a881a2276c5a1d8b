"""Runware, from both frameworks: its task protocol, its compatible endpoint, and what goes where."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from drivers import INVOKED, STREAMED, WHOLE, Answer, Driver, _from_llama_index
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot
from langchain_core.messages import HumanMessage
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.prompts import PromptTemplate
from pydantic import BaseModel

from kimi_adapters.local_server import LocalKimi
from kimi_core import (
    APIError,
    APITimeoutError,
    AsyncKimiClient,
    AuthenticationError,
    BadRequestError,
    ConfigError,
    ContentFilterError,
    ContextOverflowError,
    DecodeError,
    DocumentPart,
    ImagePart,
    InternalServerError,
    KimiClient,
    KimiError,
    KimiWarning,
    Message,
    MessageError,
    NotFoundError,
    Options,
    QuotaExceededError,
    RateLimitError,
    Reasoning,
    Request,
    RunwareOptions,
    StreamError,
    TextPart,
    ToolCall,
    UnsupportedError,
    VideoPart,
    make_settings,
    resolve,
)
from kimi_core.codecs import codec
from kimi_core.events import reduce
from kimi_core.hosts.registry import HOSTS
from langchain_kimi import ChatKimi
from llama_index_kimi import KimiLLM

PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg=="
CLIP = "data:video/mp4;base64,AAAAGGZ0eXBpc29tAAAAAGlzb21tcDQy"
PDF = "data:application/pdf;base64,JVBERi0xLjQK"
NATIVE = {"overrides": {"compatible": None}}
FAST = {"poll_seconds": 0.001}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
RESPONSE_FORMAT = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA, "strict": True}}


def get_weather(city: str) -> str:
    """Say what the weather is like in a city."""
    return f"Sunny in {city}."


@pytest.fixture(scope="session")
def _runware() -> Iterator[LocalKimi]:
    with LocalKimi(dialect="runware") as kimi:
        yield kimi


@pytest.fixture
def runware(_runware: LocalKimi) -> LocalKimi:
    """The local server in Runware's dialect, with nothing in its log."""
    _runware.reset()
    return _runware


def made(driver: Driver, kimi: LocalKimi, **options: Any) -> Any:
    return driver.make(**{"host": "runware", "base_url": kimi.base_url, "api_key": kimi.api_key, **options})


def client_of(kimi: LocalKimi, **options: Any) -> KimiClient:
    return KimiClient(**{"host": "runware", "base_url": kimi.base_url, "api_key": kimi.api_key, **options})


def asked(text: str = "Hello", **options: Any) -> Request:
    return Request(messages=[Message("user", text)], model="kimi-k2.6", options=Options(**options))


def told(answer: Answer) -> dict[str, Any]:
    """What belongs to an answer, in either framework."""
    native = answer.native
    return native.response_metadata if hasattr(native, "response_metadata") else native.raw


def task_of(kimi: LocalKimi, at: int = -1) -> dict[str, Any]:
    """The one task of a request, without its UUID."""
    request = kimi.requests[at]
    assert request.path == "/v1"
    (task,) = request.body
    return {key: value for key, value in task.items() if key != "taskUUID"}


# ---------------------------------------------------------------------------------------------------- on the wire


@dataclass
class Case:
    """A conversation in, and the task it becomes, but for what all tasks have."""

    name: str
    messages: list[Message]
    wire: Any
    options: dict[str, Any] = field(default_factory=dict)
    call: dict[str, Any] = field(default_factory=dict)


HELLO = [Message("user", "Hello")]
CASES = [
    Case("text", HELLO, snapshot({"messages": [{"role": "user", "content": "Hello"}]})),
    Case(
        "system",
        [
            Message("system", "Be brief."),
            Message("system", "Be kind."),
            Message("user", "Hello"),
            Message("assistant", "Hi."),
            Message("system", "Now be long."),
            Message("user", "Bye"),
        ],
        snapshot(
            {
                "messages": [
                    {"role": "user", "content": "Hello"},
                    {"role": "assistant", "content": "Hi."},
                    {"role": "system", "content": "Now be long."},
                    {"role": "user", "content": "Bye"},
                ],
                "settings": {"systemPrompt": "Be brief.\n\nBe kind."},
            }
        ),
    ),
    Case(
        "nothing but system",
        [Message("system", "Be brief.")],
        snapshot({"messages": [{"role": "system", "content": "Be brief."}]}),
    ),
    Case(
        "media",
        [
            Message("user", (TextPart("What is this?"), ImagePart(PIXEL), TextPart("And this?"), VideoPart(CLIP))),
            Message("assistant", "A pixel."),
            Message("user", (ImagePart("https://example.com/a.png"), TextPart("And that?"))),
        ],
        snapshot(
            {
                "messages": [
                    {"role": "user", "content": "What is this?\n\nAnd this?"},
                    {"role": "assistant", "content": "A pixel."},
                    {"role": "user", "content": "And that?"},
                ],
                "inputs": {"images": [PIXEL, "https://example.com/a.png"], "videos": [CLIP]},
            }
        ),
    ),
    Case(
        "thinking on",
        HELLO,
        snapshot({"messages": [{"role": "user", "content": "Hello"}], "settings": {"thinkingLevel": "high"}}),
        options={"thinking": True},
    ),
    Case(
        "thinking off",
        HELLO,
        snapshot({"messages": [{"role": "user", "content": "Hello"}], "settings": {"thinkingLevel": "none"}}),
        options={"thinking": False},
    ),
    Case(
        "effort",
        HELLO,
        snapshot({"messages": [{"role": "user", "content": "Hello"}], "settings": {"thinkingLevel": "low"}}),
        call={"reasoning_effort": "minimal"},
    ),
    Case(
        "every setting",
        HELLO,
        snapshot(
            {
                "messages": [{"role": "user", "content": "Hello"}],
                "seed": 0,
                "webhookURL": "http://127.0.0.1:9/done",
                "settings": {
                    "temperature": 0.5,
                    "topP": 0.9,
                    "frequencyPenalty": 0.1,
                    "presencePenalty": 0.2,
                    "maxTokens": 500,
                    "promptCacheKey": "session-1",
                    "topK": 40,
                    "minP": 0.05,
                    "repetitionPenalty": 1.1,
                    "stopSequences": ["END"],
                },
            }
        ),
        options={
            "temperature": 0.5,
            "top_p": 0.9,
            "frequency_penalty": 0.1,
            "presence_penalty": 0.2,
            "max_tokens": 500,
            "prompt_cache_key": "session-1",
            "stop": "END",
            "seed": 0,
            "host_options": RunwareOptions(top_k=40, min_p=0.05, webhook_url="http://127.0.0.1:9/done"),
        },
        call={"host_options": {"repetition_penalty": 1.1}},
    ),
    Case(
        "structured output",
        HELLO,
        snapshot(
            {
                "messages": [{"role": "user", "content": "Hello"}],
                "jsonSchema": {
                    "type": "object",
                    "properties": {"city": {"type": "string"}},
                    "required": ["city"],
                },
            }
        ),
        call={"response_format": RESPONSE_FORMAT},
    ),
    Case(
        "fields of the user's own",
        HELLO,
        snapshot(
            {
                "messages": [{"role": "user", "content": "Hello"}],
                "includeCost": False,
                "settings": {"topK": 5, "temperature": 0.1},
            }
        ),
        options={"temperature": 0.1, "extra_body": {"settings": {"topK": 5}, "includeCost": False}},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name.replace(" ", "-"))
def test_the_task_is_the_same_from_both_frameworks(driver: Driver, runware: LocalKimi, case: Case) -> None:
    driver.ask(made(driver, runware, **case.options), case.messages, **case.call)
    assert runware.errors == [], runware.errors[-1].error
    common = {
        "taskType": "textInference",
        "model": "moonshotai:kimi@k2.6",
        "deliveryMethod": "stream" if driver.streams else "sync",
        "includeCost": True,
        "includeUsage": True,
    }
    task = task_of(runware)
    assert set(common) <= set(task)
    assert {key: value for key, value in task.items() if key not in common or value != common[key]} == case.wire
    accepts = runware.requests[-1].headers["accept"]
    assert accepts == ("text/event-stream" if driver.streams else "application/json")


def test_the_key_goes_in_the_header_alone(runware: LocalKimi) -> None:
    client_of(runware).complete(asked())
    assert runware.requests[-1].headers["authorization"].startswith("Bearer")
    assert runware.api_key not in str(runware.requests[-1].body)


def test_documents_that_are_no_text_are_inputs_of_the_task(runware: LocalKimi) -> None:
    notes = DocumentPart("data:text/plain;base64,VGhlIHNreSBpcyBncmVlbi4=", "notes.txt")
    said = Message("user", (TextPart("What do they say?"), notes, DocumentPart(PDF, "paper.pdf")))
    client_of(runware).complete(Request(messages=[said], model="kimi-k2.6"))
    task = task_of(runware)
    assert task["inputs"] == {"documents": [PDF]}
    assert "The sky is green." in task["messages"][0]["content"]


# ------------------------------------------------------------------------------------------------------ answers


def test_an_answer_has_its_text_usage_price_and_uuid(driver: Driver, runware: LocalKimi) -> None:
    answer = driver.ask(made(driver, runware), "What is 2+3?")
    assert (answer.text, answer.reasoning, answer.finish_reason) == ("2+3 = 5", "", "stop")
    assert answer.input_tokens
    assert answer.output_tokens
    assert answer.total_tokens == answer.input_tokens + answer.output_tokens
    assert answer.cost_usd == pytest.approx(runware.requests[-1].response["data"][0]["cost"] if not driver.streams else runware.requests[-1].response[-1]["cost"])  # fmt: skip
    assert told(answer)["id"] == runware.requests[-1].body[0]["taskUUID"]
    assert told(answer)["endpoint"] == "native"
    assert answer.model == "moonshotai:kimi@k2.6"


def test_reasoning_comes_when_it_is_asked_for(driver: Driver, runware: LocalKimi) -> None:
    answer = driver.ask(made(driver, runware, thinking=True), "What is 2+3?")
    assert (answer.text, bool(answer.reasoning)) == ("2+3 = 5", True)
    assert answer.reasoning_tokens


def test_a_structured_answer_comes_by_the_schema_of_the_task(driver: Driver, runware: LocalKimi) -> None:
    answer = driver.ask(made(driver, runware), "Which city? Paris.", response_format=RESPONSE_FORMAT)
    assert '"city"' in answer.text


class Place(BaseModel):
    """A place."""

    city: str


def test_objects_are_asked_for_by_the_schema_of_the_task(runware: LocalKimi) -> None:
    where = {"host": "runware", "base_url": runware.base_url, "api_key": runware.api_key}
    assert ChatKimi(**where).with_structured_output(Place).invoke("Which city? Paris.") == Place(city="Paris")
    prompt = PromptTemplate("Which city? Paris.")
    assert KimiLLM(**where).structured_predict(Place, prompt) == Place(city="Paris")
    assert [set(task_of(runware, at)["jsonSchema"]["properties"]) for at in (0, 1)] == [{"city"}, {"city"}]


@pytest.mark.parametrize("reasoning", ["I think.", ["I ", "think."]], ids=["text", "list"])
def test_reasoning_is_read_as_text_and_as_a_list(runware: LocalKimi, reasoning: Any) -> None:
    runware.enqueue(json={"data": [{"taskUUID": "{taskUUID}", "text": "Yes.", "reasoningContent": reasoning}]})
    response = client_of(runware).complete(asked())
    assert response.reasoning is not None
    assert (response.text, response.reasoning.text) == ("Yes.", "I think.")


def test_items_are_matched_by_uuid_and_not_by_place(runware: LocalKimi) -> None:
    foreign = {"taskUUID": "b770f077-f413-47de-9dac-be0b26a35da6", "text": "Not yours.", "finishReason": "stop"}
    mine = {"taskUUID": "{taskUUID}", "text": "Yours.", "finishReason": "stop", "cost": 0.5}
    errors = [{"code": "invalidModel", "message": "Not yours.", "taskUUID": foreign["taskUUID"]}]
    runware.enqueue(json={"data": [foreign, mine], "errors": errors})
    response = client_of(runware).complete(asked())
    assert (response.text, response.cost_usd, response.alternatives, response.extra) == (
        "Yours.",
        0.5,
        (),
        {"endpoint": "native"},
    )


def test_a_body_without_our_task_is_no_answer(runware: LocalKimi) -> None:
    runware.enqueue(json={"data": [{"taskUUID": "b770f077-f413-47de-9dac-be0b26a35da6", "text": "Not yours."}]})
    with pytest.raises(DecodeError):
        client_of(runware).complete(asked())


def test_an_answer_that_is_only_a_thought_is_asked_for_again_under_another_uuid(runware: LocalKimi) -> None:
    runware.enqueue(text="", reasoning="Hm.")
    runware.enqueue(text="Now.")
    assert client_of(runware).complete(asked()).text == "Now."
    first, second = (request.body[0]["taskUUID"] for request in runware.requests)
    assert first != second


# -------------------------------------------------------------------------------------------------------- tools

TOOL_TURNS = [
    Message("user", "What is the weather in Paris?"),
    Message("assistant", "", tool_calls=(ToolCall("c1", "get_weather", '{"city": "Paris"}'),)),
    Message("tool", "22 degrees", tool_call_id="c1"),
]


@pytest.mark.filterwarnings("ignore:Calls of .* on runware with tools")
def test_tools_go_by_the_compatible_endpoint_as_the_metadata_show(driver: Driver, runware: LocalKimi) -> None:
    answer = driver.ask(made(driver, runware), "What is the weather in Paris?", tools=[get_weather])
    assert runware.requests[-1].path == "/v1/chat/completions"
    assert [(call["name"], call["args"]) for call in answer.tool_calls] == [("get_weather", {"city": "Paris"})]
    assert answer.cost_usd
    assert told(answer)["endpoint"] == "compatible"


@pytest.mark.filterwarnings("ignore:Calls of .* on runware with tools")
@pytest.mark.parametrize(
    ("said", "call"),
    [
        (TOOL_TURNS, {}),
        ([Message("user", "Hello", name="ada")], {}),
        (HELLO, {"response_format": {"type": "json_object"}}),
    ],
    ids=["tool-turns", "names", "json-without-a-schema"],
)
def test_what_the_protocol_cannot_say_for_certain_goes_there_too(
    runware: LocalKimi, said: list[Message], call: dict[str, Any]
) -> None:
    driver = INVOKED[0]
    driver.ask(made(driver, runware), said, **call)
    assert runware.requests[-1].path == "/v1/chat/completions"


def test_that_warns_once(driver: Driver, runware: LocalKimi) -> None:
    model = made(driver, runware)
    with pytest.warns(KimiWarning, match="to Runware's compatible endpoint") as caught:
        driver.ask(model, "What is the weather in Paris?", tools=[get_weather])
        driver.ask(model, "What is the weather in Paris?", tools=[get_weather])
    assert len(caught) == 1


def test_going_there_is_no_error_where_every_loss_is_one(driver: Driver, runware: LocalKimi) -> None:
    model = made(driver, runware, on_unsupported="error")
    with pytest.warns(KimiWarning, match="compatible endpoint"):
        assert driver.ask(model, "What is the weather in Paris?", tools=[get_weather]).tool_calls


@pytest.mark.filterwarnings("ignore:Calls of .* on runware with tools")
def test_reasoning_goes_back_there_under_the_key_it_came_under(driver: Driver, runware: LocalKimi) -> None:
    model = made(driver, runware)
    reasoned = replace(TOOL_TURNS[1], reasoning=Reasoning("I ask.", "reasoning_content"))
    answer = driver.ask(model, [TOOL_TURNS[0], reasoned, TOOL_TURNS[2]], tools=[get_weather])
    assert "22 degrees" in answer.text
    assert runware.requests[-1].body["messages"][1]["reasoning_content"] == "I ask."


@pytest.mark.filterwarnings("ignore:Calls of .* on runware with tools")
def test_a_tool_can_be_forced_there(driver: Driver, runware: LocalKimi) -> None:
    answer = driver.ask(made(driver, runware), "Hello", tools=[get_weather], tool_choice="get_weather", thinking=True)
    body = runware.requests[-1].body
    assert body["tool_choice"] == {"type": "function", "function": {"name": "get_weather"}}
    assert body["reasoning_effort"] == "high"
    assert [call["name"] for call in answer.tool_calls] == ["get_weather"]


def test_the_compatible_endpoint_is_a_host_of_its_own_as_well(driver: Driver, runware: LocalKimi) -> None:
    model = made(driver, runware, host="runware-compatible", max_tokens=50, thinking=False)
    answer = driver.ask(model, "What is 2+3?")
    assert (answer.text, answer.reasoning, told(answer)["endpoint"]) == ("2+3 = 5", "", "compatible")
    body = runware.requests[-1].body
    assert (runware.requests[-1].path, body["max_completion_tokens"], body["reasoning_effort"]) == (
        "/v1/chat/completions",
        50,
        "none",
    )


def test_k3_is_there_alone_and_nothing_is_said(driver: Driver, runware: LocalKimi) -> None:
    answer = driver.ask(made(driver, runware, model="kimi-k3", reasoning_effort="low"), "What is 2+3?")
    assert (answer.text, told(answer)["endpoint"]) == ("2+3 = 5", "compatible")
    body = runware.requests[-1].body
    assert (body["model"], body["reasoning_effort"]) == ("moonshotai:kimi@k3", "low")


def test_tools_stay_with_the_protocol_when_that_is_asked_for(driver: Driver, runware: LocalKimi) -> None:
    answer = driver.ask(made(driver, runware, **NATIVE), "What is the weather in Paris?", tools=[get_weather])
    assert [(call["name"], call["args"]) for call in answer.tool_calls] == [("get_weather", {"city": "Paris"})]
    assert answer.finish_reason == "tool_calls"
    (tool,) = task_of(runware)["tools"]
    assert (tool["type"], tool["name"], tool["schema"]["required"]) == ("function", "get_weather", ["city"])


@pytest.mark.parametrize(
    ("choice", "wire"),
    [
        ("auto", {"type": "auto"}),
        ("required", {"type": "any"}),
        ("none", {"type": "none"}),
        ("get_weather", {"type": "tool", "name": "get_weather"}),
    ],
)
def test_a_tool_choice_has_runwares_value_there(runware: LocalKimi, choice: str, wire: dict[str, str]) -> None:
    driver = INVOKED[0]
    driver.ask(made(driver, runware, **NATIVE), "Hello", tools=[get_weather], tool_choice=choice)
    assert task_of(runware)["toolChoice"] == wire


def test_turns_of_tools_have_runwares_form_there(driver: Driver, runware: LocalKimi) -> None:
    answer = driver.ask(made(driver, runware, **NATIVE), TOOL_TURNS, tools=[get_weather])
    assert task_of(runware)["messages"][1:] == snapshot(
        [
            {"role": "assistant", "tools": [{"id": "c1", "name": "get_weather", "input": {"city": "Paris"}}]},
            {"role": "tool", "id": "c1", "content": "22 degrees"},
        ]
    )
    assert "22 degrees" in answer.text


def test_arguments_that_are_no_object_raise_before_any_io_there(runware: LocalKimi) -> None:
    turns = [TOOL_TURNS[0], Message("assistant", "", tool_calls=(ToolCall("c1", "f", "[1"),)), TOOL_TURNS[2]]
    with pytest.raises(MessageError, match="no JSON object"):
        client_of(runware, **NATIVE).complete(Request(messages=turns, model="kimi-k2.6"))
    assert runware.requests == []


@pytest.mark.parametrize(
    "calls",
    [
        {"tools": [{"id": "a", "name": "f", "input": {"x": 1}}]},
        {"toolCalls": [{"id": "a", "name": "f", "input": {"x": 1}}]},
        {"tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}]},
    ],
    ids=lambda calls: next(iter(calls)),
)
@pytest.mark.parametrize("streamed", [False, True])
def test_calls_are_read_in_any_form_that_has_been_guessed(runware: LocalKimi, calls: Any, streamed: bool) -> None:
    client = client_of(runware)
    if streamed:
        runware.enqueue(sse=[{"delta": calls}, {"delta": {}, "finishReason": "tool_use"}])
        response = reduce(client.stream(asked()))
    else:
        runware.enqueue(json={"data": [{"taskUUID": "{taskUUID}", **calls, "finishReason": "tool_calls"}]})
        response = client.complete(asked())
    (call,) = response.tool_calls
    assert (call.id, call.name, call.arguments.replace(" ", "")) == ("a", "f", '{"x":1}')
    assert response.finish_reason == "tool_calls"


def test_calls_that_are_nowhere_are_an_error_with_the_item(runware: LocalKimi) -> None:
    item = {"taskUUID": "{taskUUID}", "text": "", "finishReason": "tool_use", "secretCalls": [1]}
    runware.enqueue(json={"data": [item]})
    with pytest.raises(DecodeError, match="in a form that is not known") as caught:
        client_of(runware).complete(asked())
    assert caught.value.body["secretCalls"] == [1]  # type: ignore[index]


@pytest.mark.parametrize("tool", ["search", "codeInterpreter"])
def test_tools_that_the_host_runs_itself_go_by_the_protocol(driver: Driver, runware: LocalKimi, tool: str) -> None:
    model = made(driver, runware)
    said = [Message("user", "How tall is the lighthouse of Port Amber? What is 2+3?")]
    answer = _ask_with(driver, model, said, {"type": tool})
    assert task_of(runware)["tools"] == [{"type": tool}]
    assert answer.text
    assert told(answer)["endpoint"] == "native"


def _ask_with(driver: Driver, model: Any, said: list[Message], tool: dict[str, str]) -> Answer:
    if driver.framework == "langchain":
        return driver.ask(model, said, tools=[tool])
    history = [ChatMessage(role=message.role, content=message.content) for message in said]
    return _from_llama_index(driver._run(model, "chat", history, {"tools": [tool]}))  # type: ignore[attr-defined]


def test_another_host_has_no_such_tools(kimi: LocalKimi) -> None:
    model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key).bind_tools([{"type": "search"}])
    with pytest.raises(UnsupportedError, match="no tool of the type 'search'"):
        model.invoke("Hello")
    assert kimi.requests == []


# ---------------------------------------------------------------------------------------------- several answers


def generations(kimi: LocalKimi, n: int, **options: Any) -> Any:
    model = ChatKimi(host="runware", base_url=kimi.base_url, api_key=kimi.api_key, n=n, **options)
    return model.generate([[HumanMessage("Hello")]])


def test_n_answers_are_n_generations_of_one_call(runware: LocalKimi) -> None:
    for text in ("One.", "Two.", "Three."):
        runware.enqueue(text=text)
    result = generations(runware, 3)
    assert task_of(runware)["numberResults"] == 3
    assert [generation.text for generation in result.generations[0]] == ["One.", "Two.", "Three."]


def test_the_first_generation_has_the_price_of_all(runware: LocalKimi) -> None:
    messages = [generation.message for generation in generations(runware, 2).generations[0]]
    items = runware.requests[-1].response["data"]
    assert messages[0].response_metadata["cost_usd"] == pytest.approx(sum(item["cost"] for item in items))
    assert messages[0].usage_metadata["total_tokens"] == sum(item["usage"]["totalTokens"] for item in items)
    assert messages[1].usage_metadata is None  # who adds up all generations counts nothing twice


def test_several_answers_are_alternatives_in_llama_index(runware: LocalKimi) -> None:
    runware.enqueue(text="One.")
    runware.enqueue(text="Two.")
    (driver,) = (driver for driver in INVOKED if driver.framework == "llama_index")
    answer = driver.ask(made(driver, runware), "Hello", n=2)
    assert (answer.text, answer.native.additional_kwargs["alternatives"]) == ("One.", ["Two."])


def test_of_several_answers_some_may_fail_with_a_warning(runware: LocalKimi) -> None:
    runware.enqueue(text="One.")
    runware.enqueue(status=500, json={"code": "timeoutProvider", "message": "Too slow."})
    with pytest.warns(KimiWarning, match=r"answered in part: Too slow\."):
        (result,) = generations(runware, 2).generations
    assert [generation.text for generation in result] == ["One."]
    (error,) = result[0].message.response_metadata["errors"]
    assert error["code"] == "timeoutProvider"


@pytest.mark.parametrize("driver", STREAMED, ids=lambda d: d.name)
def test_several_answers_cannot_be_streamed(driver: Driver, runware: LocalKimi) -> None:
    with pytest.raises(UnsupportedError, match="cannot stream n=2"):
        driver.ask(made(driver, runware), "Hello", n=2)
    assert runware.requests == []


# ------------------------------------------------------------------------------------------------ queued answers


@pytest.mark.parametrize("driver", WHOLE, ids=lambda d: d.name)
def test_a_queued_answer_is_asked_for_until_it_is_there(driver: Driver, runware: LocalKimi) -> None:
    model = made(driver, runware, host_options={"delivery": "async", **FAST})
    assert driver.ask(model, "What is 2+3?").text == "2+3 = 5"
    first, *polls = (request.body[0] for request in runware.requests)
    assert first["deliveryMethod"] == "async"
    assert polls == [{"taskType": "getResponse", "taskUUID": first["taskUUID"]}] * 2


def test_all_of_several_queued_answers_are_waited_for(runware: LocalKimi) -> None:
    (result,) = generations(runware, 3, host_options={"delivery": "async", **FAST}).generations
    assert len(result) == 3
    assert [item["status"] for item in runware.requests[1].response["data"]] == ["success", "processing", "processing"]


@pytest.mark.parametrize("driver", STREAMED, ids=lambda d: d.name)
def test_a_stream_is_streamed_whatever_the_delivery_is(driver: Driver, runware: LocalKimi) -> None:
    driver.ask(made(driver, runware, host_options={"delivery": "async"}), "Hello")
    assert task_of(runware)["deliveryMethod"] == "stream"


@pytest.mark.parametrize("driver", WHOLE, ids=lambda d: d.name)
def test_a_queued_answer_is_not_waited_for_forever(driver: Driver) -> None:
    with LocalKimi(dialect="runware", polls=10_000) as slow:
        model = made(driver, slow, host_options={"delivery": "async", "poll_seconds": 0.001, "wait_seconds": 0.02})
        with pytest.raises(APITimeoutError, match="still at work on the task .* after 0.02 seconds") as caught:
            driver.ask(model, "Hello")
        assert slow.requests[0].body[0]["taskUUID"] in str(caught.value)
        assert len([r for r in slow.requests if r.body[0]["taskType"] == "textInference"]) == 1


def test_a_queued_answer_is_fetched_later_by_its_uuid(runware: LocalKimi) -> None:
    runware.enqueue(text="Once.")
    again = {
        "extra_body": {"taskUUID": "a770f077-f413-47de-9dac-be0b26a35da6"},
        "host_options": {"delivery": "async", **FAST},
    }
    texts = [client_of(runware).complete(asked(**again)).text for _ in range(2)]
    assert texts == ["Once.", "Once."]


def test_a_queued_answer_that_fails_is_an_error(runware: LocalKimi) -> None:
    runware.enqueue(status=500, json={"code": "contentPolicyViolation", "message": "No."})
    with pytest.raises(ContentFilterError, match="No"):
        client_of(runware).complete(asked(host_options={"delivery": "async", **FAST}))


def test_a_poll_that_is_empty_is_no_answer_yet(runware: LocalKimi) -> None:
    done = {"taskUUID": "{taskUUID}", "status": "success", "text": "There.", "finishReason": "stop"}
    for items in ([{"taskUUID": "{taskUUID}"}], [], [{"taskUUID": "{taskUUID}", "status": "processing"}], [done]):
        runware.enqueue(json={"data": items})
    assert client_of(runware).complete(asked(host_options={"delivery": "async", **FAST})).text == "There."
    assert len(runware.requests) == 4


def test_the_error_of_another_task_ends_no_waiting(runware: LocalKimi) -> None:
    other = {"code": "timeoutProvider", "message": "Too late.", "taskUUID": "another"}
    waiting = {"taskUUID": "{taskUUID}", "status": "processing"}
    done = {"taskType": "textInference", "taskUUID": "{taskUUID}", "status": "success", "text": "There."}
    for items in ([{"taskUUID": "{taskUUID}"}], [waiting], [done]):
        runware.enqueue(json={"data": items, "errors": [other]})
    assert client_of(runware).complete(asked(host_options={"delivery": "async", **FAST})).text == "There."


def test_a_task_that_failed_while_it_was_waited_for_is_no_empty_answer(runware: LocalKimi) -> None:
    failed = {"code": "providerError", "message": "It broke.", "taskUUID": "{taskUUID}"}
    waiting = {"taskUUID": "{taskUUID}", "status": "processing"}
    runware.enqueue(json={"data": [{"taskUUID": "{taskUUID}"}]})
    runware.enqueue(json={"data": [waiting], "errors": [failed]})
    with pytest.raises(InternalServerError, match=r"It broke\."):
        client_of(runware).complete(asked(host_options={"delivery": "async", **FAST}))


# ------------------------------------------------------------------------------------------------------- errors

ARGUMENTS = [
    ({"temperature": 3}, "temperature"),
    ({"top_p": 3}, "top_p"),
    ({"max_tokens": 2_000_000}, "max_tokens"),
    ({"frequency_penalty": 9}, "frequency_penalty"),
    ({"presence_penalty": 9}, "presence_penalty"),
    ({"stop": [""]}, "stop"),
    ({"seed": -1}, "seed"),
    ({"extra_body": {"settings": {"thinkingLevel": "wild"}}}, "reasoning_effort"),
    ({"extra_body": {"settings": {"topK": -1}}}, "host_options['top_k']"),
    ({"extra_body": {"messages": [{"role": "user", "content": 1}]}}, "messages"),
]


@pytest.mark.parametrize(("options", "argument"), ARGUMENTS, ids=[a[1] for a in ARGUMENTS])
def test_a_complaint_names_the_users_argument(runware: LocalKimi, options: dict[str, Any], argument: str) -> None:
    for driver in (INVOKED[0], INVOKED[1], STREAMED[0]):
        with pytest.raises(BadRequestError) as caught:
            driver.ask(made(driver, runware), "Hello", **options)
        assert caught.value.param == argument
        assert f"The argument is `{argument}`." in str(caught.value)
        assert caught.value.request_id == runware.requests[-1].body[0]["taskUUID"]


CATEGORIES = [
    ("insufficientCredits", 402, QuotaExceededError, False),
    ("quotaReached", 400, QuotaExceededError, False),
    ("rateLimitExceeded", 429, RateLimitError, True),
    ("contentPolicyViolation", 400, ContentFilterError, False),
    ("moderationFailed", 400, ContentFilterError, False),
    ("invalidApiKey", 401, AuthenticationError, False),
    ("timeoutProvider", 504, InternalServerError, True),
    ("taskExpired", 404, NotFoundError, False),
    ("modelNotFound", 404, NotFoundError, False),
    ("providerError", 502, InternalServerError, True),
    ("inferenceError", 500, InternalServerError, True),
    ("noAvailableServer", 503, InternalServerError, True),
    ("invalidTemperature", 400, BadRequestError, False),
    ("missingModel", 400, BadRequestError, False),
    ("unsupportedParameter", 400, BadRequestError, False),
]


@pytest.mark.parametrize(("code", "status", "error", "again"), CATEGORIES, ids=[c[0] for c in CATEGORIES])
@pytest.mark.parametrize("inside", [False, True], ids=["by-status", "inside-an-answer"])
def test_a_code_says_the_category(
    runware: LocalKimi, code: str, status: int, error: type[APIError], again: bool, inside: bool
) -> None:
    body = {"errors": [{"code": code, "message": "So it is.", "taskType": "textInference"}]}
    if inside:
        runware.enqueue(json=body)
    else:
        runware.fail(status=status, type=code, message="So it is.")
    with pytest.raises(error) as caught:
        client_of(runware, max_retries=0).complete(asked())
    assert (caught.value.code, caught.value.is_retryable) == (code, again)
    assert type(caught.value).__name__ == error.__name__


def test_too_many_tokens_are_an_overflow(runware: LocalKimi) -> None:
    runware.fail(status=400, type="invalidMessages", message="The prompt exceeds the context length of the model.")
    with pytest.raises(ContextOverflowError):
        client_of(runware).complete(asked())


def test_an_error_under_status_200_is_repeated_when_that_helps(runware: LocalKimi) -> None:
    runware.enqueue(json={"errors": [{"code": "noAvailableServer", "message": "Busy.", "taskUUID": "{taskUUID}"}]})
    runware.enqueue(text="There.")
    assert client_of(runware).complete(asked()).text == "There."
    first, second = (request.body[0]["taskUUID"] for request in runware.requests)
    assert first == second


def test_a_wrong_key_is_reported_with_the_hosts_message(driver: Driver, runware: LocalKimi) -> None:
    with pytest.raises(AuthenticationError, match="Invalid API key") as caught:
        driver.ask(made(driver, runware, api_key="rw-wrong-key"), "Hello")
    assert caught.value.param == "api_key"


@pytest.mark.filterwarnings("ignore:Calls of .* on runware with tools")
def test_the_compatible_endpoint_has_the_same_errors(driver: Driver, runware: LocalKimi) -> None:
    runware.fail(status=402, type="exceeded_current_quota_error")
    with pytest.raises(QuotaExceededError):
        driver.ask(made(driver, runware), "Hello", tools=[get_weather])


# ------------------------------------------------------------------------------------------------------ options


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ({"delivry": "async"}, "did you mean 'delivery'"),
        ({"delivery": "stream"}, "delivery must be 'sync' or 'async'"),
        ({"webhook_url": "here"}, "webhook_url must be an http address"),
        ({"top_k": 1000}, "top_k must be a number from 0 to 999"),
        ({"min_p": "a"}, "min_p must be a number"),
        ({"wait_seconds": True}, "wait_seconds must be a number"),
    ],
)
def test_a_wrong_option_raises_before_any_io(
    driver: Driver, runware: LocalKimi, words: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=f"(?i){complaint}"):
        driver.ask(made(driver, runware), "Hello", host_options=words)
    assert runware.requests == []


@pytest.mark.parametrize("driver", INVOKED, ids=lambda d: d.name)
def test_options_of_one_host_are_not_dropped_silently_elsewhere(driver: Driver, kimi: LocalKimi) -> None:
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key, host_options={"top_k": 4})
    with pytest.warns(KimiWarning, match="host_options is not sent to kimi-k2.6 on moonshot"):
        driver.ask(model, "Hello")


def test_the_address_alone_picks_the_spec() -> None:
    found = make_settings(base_url="https://api.runware.ai/v1/", api_key="rw-key")
    assert (found.host.name, found.base_url) == ("runware", "https://api.runware.ai/v1")


def test_the_options_survive_a_copy_and_a_dump() -> None:
    model = ChatKimi(host="runware", api_key="rw-key", host_options=RunwareOptions(delivery="async"))
    assert model.model_copy().host_options == {"delivery": "async"}
    assert model._identifying_params["host_options"] == {"delivery": "async"}


@pytest.mark.parametrize("driver", INVOKED, ids=lambda d: d.name)
def test_the_token_of_a_webhook_is_in_no_repr_and_no_trace(driver: Driver, runware: LocalKimi) -> None:
    model = made(driver, runware, host_options={"webhook_url": "http://127.0.0.1:9/done?token=canary"})
    shown = [repr(model), str(model)]
    if driver.framework == "langchain":
        shown += [str(model._identifying_params), str(model._get_invocation_params(host_options=model.host_options))]
    else:
        shown += [str(model.to_payload())]
    assert "canary" not in " ".join(shown)


# ------------------------------------------------------------------------------------------------------- streams


def frames(*deltas: dict[str, Any], finish: str = "stop", **end: Any) -> list[Any]:
    said = [{"taskUUID": "{taskUUID}", "taskType": "textInference", "delta": delta} for delta in deltas]
    return [*said, {"taskUUID": "{taskUUID}", "delta": {}, "finishReason": finish, **end}]


@pytest.mark.parametrize("driver", STREAMED, ids=lambda d: d.name)
def test_frames_come_bare_wrapped_and_without_a_uuid(driver: Driver, runware: LocalKimi) -> None:
    bare, wrapped, listed = ({"taskUUID": id_, "delta": {"text": text}} for id_, text in (("", "a"), ("{taskUUID}", "b"), ("", "c")))  # fmt: skip
    foreign = {"taskUUID": "b770f077-f413-47de-9dac-be0b26a35da6", "delta": {"text": "x"}}
    second = {"delta": {"text": "y"}, "resultIndex": 1}
    listed_frame = f"data: {json.dumps([listed])}\n\n"
    last = frames(usage={"promptTokens": 1, "completionTokens": 2}, cost=0.25)
    runware.enqueue(
        sse=[bare, ": ping\n\n", {"data": [wrapped]}, listed_frame, foreign, second, "data: null\n\n", *last]
    )
    answer = driver.ask(made(driver, runware), "Hello")
    assert (answer.text, answer.cost_usd, answer.total_tokens) == ("abc", 0.25, 3)


@pytest.mark.parametrize("driver", STREAMED, ids=lambda d: d.name)
@pytest.mark.parametrize(
    "frame",
    [
        {"errors": [{"code": "inferenceError", "message": "Gone.", "taskUUID": "{taskUUID}"}]},
        {"error": {"code": "inferenceError", "message": "Gone."}},
    ],
    ids=["errors", "error"],
)
def test_an_error_in_a_stream_keeps_what_came_before(driver: Driver, runware: LocalKimi, frame: Any) -> None:
    runware.enqueue(sse=[*frames({"text": "Hal"})[:1], frame], done=False)
    with pytest.raises(KimiError, match="Gone") as caught:
        driver.ask(made(driver, runware), "Hello")
    assert caught.value.partial.text == "Hal"  # type: ignore[attr-defined]


@pytest.mark.parametrize("driver", STREAMED, ids=lambda d: d.name)
def test_a_stream_without_a_finish_reason_was_cut(driver: Driver, runware: LocalKimi) -> None:
    runware.enqueue(sse=frames({"text": "Hal"})[:1])
    with pytest.raises(StreamError, match="before it was finished"):
        driver.ask(made(driver, runware), "Hello")


@pytest.mark.parametrize("frame", ["data: 7\n\n", {"delta": 7}, {"data": [7]}], ids=str)
def test_a_frame_that_is_none_is_an_error_of_ours(runware: LocalKimi, frame: Any) -> None:
    runware.enqueue(sse=[frame])
    with pytest.raises(APIError):
        reduce(client_of(runware).stream(asked()))


PIECES = [
    {"reasoningContent": "Ich "},
    {"reasoningContent": "dénke."},
    {"text": "Gr"},
    {"text": "ün 🌳"},
    {"text": "!"},
]


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, 600), max_size=12), finish=st.sampled_from(["stop", "length", "unknown"]))
def test_any_split_of_a_stream_gives_the_same_response(runware: LocalKimi, cuts: list[int], finish: str) -> None:
    wire = "".join(f"data: {json.dumps(f, ensure_ascii=False)}\n\n" for f in frames(*PIECES, finish=finish, cost=0.5))
    data = (wire.replace("{taskUUID}", "") + ": ping\n\ndata: [DONE]\n\n").encode()
    at = [0, *sorted(set(cuts)), len(data)]
    runware.enqueue(chunks=[data[a:b] for a, b in zip(at, at[1:], strict=False) if data[a:b]])
    response = reduce(client_of(runware).stream(asked()))
    assert response.reasoning is not None
    said = (response.text, response.reasoning.text, response.raw_finish_reason, response.cost_usd)
    assert said == ("Grün 🌳!", "Ich dénke.", finish, 0.5)


_deltas = st.lists(
    st.fixed_dictionaries({}, optional={"text": st.text(max_size=5), "reasoningContent": st.text(max_size=5)}),
    max_size=8,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(_deltas)
def test_a_whole_item_and_its_stream_are_the_same_response(deltas: list[dict[str, str]]) -> None:
    profile = resolve(HOSTS["runware"], "kimi-k2.6")
    client = KimiClient(host="runware", api_key="rw-key")
    _, wire = client.prepare(asked(), stream=True)
    decoder = codec("runware").decoder(wire, profile, {})
    events = [event for delta in [{"delta": d} for d in deltas] for event in decoder.feed(delta)]
    events += [*decoder.feed({"delta": {}, "finishReason": "stop", "cost": 1}), *decoder.end()]
    item = {name: "".join(d.get(name, "") for d in deltas) for name in ("text", "reasoningContent")}
    body = {"data": [{**item, "finishReason": "stop", "cost": 1}]}
    assert reduce(events) == reduce(codec("runware").decode(body, wire, profile, {}))


async def test_the_async_client_asks_and_polls_alike(runware: LocalKimi) -> None:
    client = AsyncKimiClient(host="runware", base_url=runware.base_url, api_key=runware.api_key)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        response = await client.complete(asked("What is 2+3?", host_options={"delivery": "async", **FAST}))
    assert response.text == "2+3 = 5"
