"""Tool calling through LlamaIndex's own methods."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import pytest
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, TextBlock, ThinkingBlock, ToolCallBlock
from llama_index.core.program.function_program import get_function_tool
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel

from kimi_adapters.local_server import LocalKimi
from kimi_core import ConfigError, KimiWarning, MessageError, ToolNotCalledError
from llama_index_kimi import KimiLLM


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def fail(why: str) -> str:
    """Always fail."""
    raise RuntimeError(why)


ADD, FAIL = FunctionTool.from_defaults(add), FunctionTool.from_defaults(fail)
ADD_1_2 = {"name": "add", "arguments": {"a": 1, "b": 2}}
ADD_3_4 = {"name": "add", "arguments": {"a": 3, "b": 4}}


def whole(llm: KimiLLM, *args: Any, **words: Any) -> ChatResponse:
    return llm.chat_with_tools(*args, **words)


def awhole(llm: KimiLLM, *args: Any, **words: Any) -> ChatResponse:
    return asyncio.run(llm.achat_with_tools(*args, **words))


def streamed(llm: KimiLLM, *args: Any, **words: Any) -> ChatResponse:
    return list(llm.stream_chat_with_tools(*args, **words))[-1]


def astreamed(llm: KimiLLM, *args: Any, **words: Any) -> ChatResponse:
    async def collect() -> ChatResponse:
        return [response async for response in await llm.astream_chat_with_tools(*args, **words)][-1]

    return asyncio.run(collect())


WAYS = [whole, awhole, streamed, astreamed]
Ask = Callable[..., ChatResponse]


@pytest.mark.parametrize("ask", WAYS)
def test_the_calls_of_an_answer_are_read(llm: KimiLLM, kimi: LocalKimi, ask: Ask) -> None:
    kimi.enqueue(tool_calls=[ADD_1_2, ADD_3_4])
    response = ask(llm, [ADD], "What are 1 + 2 and 3 + 4?", allow_parallel_tool_calls=True)
    found = llm.get_tool_calls_from_response(response)
    assert [(call.tool_name, call.tool_kwargs) for call in found] == [
        ("add", {"a": 1, "b": 2}),
        ("add", {"a": 3, "b": 4}),
    ]
    assert len({call.tool_id for call in found}) == 2


@pytest.mark.parametrize("ask", WAYS)
def test_without_parallel_calls_there_is_one(llm: KimiLLM, kimi: LocalKimi, ask: Ask) -> None:
    kimi.enqueue(tool_calls=[ADD_1_2, ADD_3_4])
    response = ask(llm, [ADD], "What are 1 + 2 and 3 + 4?")
    assert [call.tool_kwargs for call in llm.get_tool_calls_from_response(response)] == [{"a": 1, "b": 2}]
    assert len(response.message.additional_kwargs["tool_calls"]) == 1


@pytest.mark.parametrize("ask", WAYS)
def test_a_tool_turn_goes_back_as_the_host_wants_it(llm: KimiLLM, kimi: LocalKimi, ask: Ask) -> None:
    kimi.enqueue(reasoning="I add.", tool_calls=[ADD_1_2])
    history = [ChatMessage(content="What is 1 + 2?")]
    history.append(ask(llm, [ADD], chat_history=history).message)
    result = {"tool_call_id": history[-1].blocks[-1].tool_call_id}
    history.append(ChatMessage(role="tool", content="3", additional_kwargs=result))
    assert "3" in (ask(llm, [ADD], chat_history=history).message.content or "")
    assert kimi.errors == []
    assert kimi.requests[-1].body["messages"][1]["reasoning_content"] == "I add."


def test_tools_are_described_to_the_host(llm: KimiLLM, kimi: LocalKimi) -> None:
    whole(llm, [ADD], "What is 1 + 2?")
    function = kimi.requests[-1].body["tools"][0]["function"]
    assert function["name"] == "add"
    assert "Add two numbers." in function["description"]
    assert function["parameters"]["required"] == ["a", "b"]


def test_a_long_description_is_no_error(llm: KimiLLM, kimi: LocalKimi) -> None:
    tool = FunctionTool.from_defaults(add, description="x" * 2000)
    whole(llm, [tool], "What is 1 + 2?")
    assert kimi.requests[-1].body["tools"][0]["function"]["description"] == "x" * 2000


SEARCH = {"type": "builtin_function", "function": {"name": "$web_search"}}


def test_openais_dicts_are_tools_too(make: Callable[..., KimiLLM], kimi: LocalKimi) -> None:
    tools = [ADD.metadata.to_openai_tool(), SEARCH]
    make(thinking=False).chat([ChatMessage(content="What is 1 + 2?")], tools=tools)
    assert [tool["function"]["name"] for tool in kimi.requests[-1].body["tools"]] == ["add", "$web_search"]


def test_the_callers_history_stays_as_it_is(llm: KimiLLM) -> None:
    history = [ChatMessage(role="system", content="Be brief.")]
    whole(llm, [ADD], "What is 1 + 2?", chat_history=history)
    assert len(history) == 1


@pytest.mark.parametrize("said", ["Hi", ChatMessage(role="user", content="Hi")], ids=["text", "message"])
def test_the_user_message_is_text_or_a_message(llm: KimiLLM, kimi: LocalKimi, said: Any) -> None:
    whole(llm, [ADD], said, chat_history=[ChatMessage(role="system", content="Be brief.")])
    assert [m["content"] for m in kimi.requests[-1].body["messages"]] == ["Be brief.", "Hi"]


# ----------------------------------------------------------------------------------------------------- forcing

NAMED = {"type": "function", "function": {"name": "add"}}


@pytest.mark.parametrize("choice", ["add", NAMED], ids=["name", "dict"])
def test_a_tool_can_be_named(make: Callable[..., KimiLLM], kimi: LocalKimi, choice: Any) -> None:
    response = whole(make(thinking=False), [ADD, FAIL], "Add 1 and 2.", tool_choice=choice)
    assert kimi.requests[-1].body["tool_choice"] == NAMED
    assert response.message.blocks[-1].tool_name == "add"


@pytest.mark.parametrize("ask", WAYS)
def test_a_required_tool_switches_unasked_thinking_off(llm: KimiLLM, kimi: LocalKimi, ask: Ask) -> None:
    response = ask(llm, [ADD], "Add 1 and 2.", tool_required=True)
    assert kimi.errors == []
    assert kimi.requests[-1].body["thinking"] == {"type": "disabled"}
    assert isinstance(response.message.blocks[-1], ToolCallBlock)


def test_a_required_tool_stays_required_on_k3(make: Callable[..., KimiLLM], kimi: LocalKimi) -> None:
    whole(make(model="kimi-k3"), [ADD], "Add 1 and 2.", tool_required=True)
    assert kimi.requests[-1].body["tool_choice"] == "required"
    assert kimi.errors == []


def test_asked_for_thinking_stays_and_the_answer_is_checked(make: Callable[..., KimiLLM], kimi: LocalKimi) -> None:
    kimi.enqueue(text="No.")
    with pytest.warns(KimiWarning, match="tool_choice"):
        response = whole(make(thinking=True), [ADD], "Add 1 and 2.", tool_required=True)
    assert response.message.blocks[-1].tool_name == "add"
    assert len(kimi.requests) == 2


def test_without_tools_nothing_is_forced(llm: KimiLLM, kimi: LocalKimi) -> None:
    whole(llm, [], "Hi", tool_required=True)
    assert {"tools", "tool_choice"}.isdisjoint(kimi.requests[-1].body)


def test_a_tool_that_is_not_on_offer_cannot_be_named(llm: KimiLLM) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'add'"):
        whole(llm, [ADD], "Hi", tool_choice="addd")


# ----------------------------------------------------------------------------------------------------- reading


def test_no_call_is_an_error_only_when_one_is_expected(llm: KimiLLM) -> None:
    response = ChatResponse(message=ChatMessage(role="assistant", content="Hello"))
    assert llm.get_tool_calls_from_response(response, error_on_no_tool_call=False) == []
    with pytest.raises(ToolNotCalledError, match=r"Expected at least one tool call.*Hello") as error:
        llm.get_tool_calls_from_response(response)
    assert error.value.text == "Hello"


def called(arguments: Any, **facts: Any) -> ChatResponse:
    block = ToolCallBlock(tool_call_id="f:0", tool_name="f", tool_kwargs=arguments)
    return ChatResponse(message=ChatMessage(role="assistant", blocks=[block]), additional_kwargs=facts)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("", {}),
        ('{"a": "hel', {"a": "hel"}),
        ('{"a": ["alpha", "bet', {"a": ["alpha", "bet"]}),
        ('{"a": 1, "b"', {"a": 1}),
    ],
)
def test_growing_arguments_are_read_as_far_as_they_have_come(llm: KimiLLM, text: str, read: Any) -> None:
    assert llm.get_tool_calls_from_response(called(text))[0].tool_kwargs == read


def test_half_arguments_of_a_finished_answer_are_not_used(llm: KimiLLM) -> None:
    response = called('{"path": "/etc", "content": "hal', finish_reason="length")
    assert llm.get_tool_calls_from_response(response)[0].tool_kwargs == {}


def test_calls_that_an_older_integration_left_are_read(llm: KimiLLM) -> None:
    noted = {"id": "f:0", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    message = ChatMessage(role="assistant", content="", additional_kwargs={"tool_calls": [noted]})
    found = llm.get_tool_calls_from_response(ChatResponse(message=message))[0]
    assert (found.tool_id, found.tool_name, found.tool_kwargs) == ("f:0", "f", {"a": 1})


# ----------------------------------------------------------------------------------------- predict and call


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def predict(request: pytest.FixtureRequest) -> Callable[..., Any]:
    if request.param:
        return lambda llm, *args, **words: asyncio.run(llm.apredict_and_call(*args, **words))
    return lambda llm, *args, **words: llm.predict_and_call(*args, **words)


Predict = Callable[..., Any]


def test_the_chosen_tool_is_called(llm: KimiLLM, predict: Predict) -> None:
    assert predict(llm, [ADD], "Add 1 and 2.").response == "3"


def test_several_tools_are_called_when_that_is_allowed(llm: KimiLLM, kimi: LocalKimi, predict: Predict) -> None:
    kimi.enqueue(tool_calls=[ADD_1_2, ADD_3_4])
    assert predict(llm, [ADD], "Add.", allow_parallel_tool_calls=True).response == "3\n\n7"


def test_one_tool_is_called_when_only_one_is_allowed(llm: KimiLLM, kimi: LocalKimi, predict: Predict) -> None:
    kimi.enqueue(tool_calls=[ADD_1_2, ADD_3_4])
    assert predict(llm, [ADD], "Add.").response == "3"


def test_a_tool_that_was_never_offered_is_no_crash(llm: KimiLLM, kimi: LocalKimi, predict: Predict) -> None:
    kimi.enqueue(tool_calls=[{"name": "subtract", "arguments": {"a": 1}}])
    answer = predict(llm, [ADD, FAIL], "Subtract.")
    assert answer.sources[0].is_error
    assert answer.response == "There is no tool 'subtract'. The tools are: add, fail."


def test_what_the_model_said_is_the_answer_when_it_called_nothing(
    llm: KimiLLM, kimi: LocalKimi, predict: Predict
) -> None:
    kimi.enqueue(text="I would rather not.")
    assert predict(llm, [ADD], "Add.", error_on_no_tool_call=False).response == "I would rather not."


def test_a_failing_tool_is_an_error_when_asked_for(llm: KimiLLM, kimi: LocalKimi, predict: Predict) -> None:
    kimi.enqueue(tool_calls=[{"name": "fail", "arguments": {"why": "no reason"}}])
    with pytest.raises(ValueError, match="no reason"):
        predict(llm, [FAIL], "Fail.", error_on_tool_error=True)


T = TypeVar("T")


class Box(BaseModel, Generic[T]):
    """Something in a box."""

    content: T


def test_a_tool_whose_name_no_host_takes_is_found_again(llm: KimiLLM, kimi: LocalKimi, predict: Predict) -> None:
    tool = get_function_tool(Box[int])
    assert tool.metadata.name == "Box[int]"
    answer = predict(llm, [tool], "Put 7 into the box.")
    assert answer.sources[0].raw_output == Box[int](content=7)
    assert kimi.requests[-1].body["tools"][0]["function"]["name"] != "Box[int]"


def test_thinking_and_text_stay_beside_the_calls(llm: KimiLLM, kimi: LocalKimi) -> None:
    kimi.enqueue(text="Adding.", reasoning="I add.", tool_calls=[ADD_1_2])
    kinds = [type(block) for block in whole(llm, [ADD], "Add.").message.blocks]
    assert kinds == [ThinkingBlock, TextBlock, ToolCallBlock]


def test_a_model_that_calls_no_functions_is_prompted_to_act(
    make: Callable[..., KimiLLM], kimi: LocalKimi, predict: Predict
) -> None:
    kimi.enqueue(text='Thought: I add.\nAction: add\nAction Input: {"a": 1, "b": 2}')
    answer = predict(make(is_function_calling_model=False), [ADD], "Add 1 and 2.")
    assert (answer.response, kimi.errors) == ("3", [])
    assert all("tools" not in request.body for request in kimi.requests)


@pytest.mark.parametrize("ask", WAYS)
def test_calls_are_read_while_they_come_and_when_they_have(llm: KimiLLM, kimi: LocalKimi, ask: Ask) -> None:
    kimi.enqueue(tool_calls=[ADD_1_2, ADD_3_4, ADD_1_2])
    found = llm.get_tool_calls_from_response(ask(llm, [ADD], "Add.", allow_parallel_tool_calls=True))
    assert [call.tool_kwargs["a"] for call in found] == [1, 3, 1]


def test_growing_calls_are_read_from_every_response(llm: KimiLLM, kimi: LocalKimi) -> None:
    kimi.enqueue(tool_calls=[ADD_1_2, ADD_3_4])
    responses = llm.stream_chat_with_tools([ADD], "Add.", allow_parallel_tool_calls=True)
    seen = [llm.get_tool_calls_from_response(response, error_on_no_tool_call=False) for response in responses]
    assert max(map(len, seen)) == len(seen[-1]) == 2
    assert all(call.tool_kwargs.items() <= {"a": 1, "b": 2}.items() for calls in seen for call in calls[:1])


def test_what_reads_the_calls_may_change_them(llm: KimiLLM) -> None:
    response = called('{"a": {"b": "x')
    llm.get_tool_calls_from_response(response)[0].tool_kwargs["a"]["b"] = "y"
    assert llm.get_tool_calls_from_response(response)[0].tool_kwargs == {"a": {"b": "x"}}


def test_none_leaves_it_to_the_model_how_many_tools_it_calls(llm: KimiLLM, kimi: LocalKimi) -> None:
    kimi.enqueue(tool_calls=[ADD_1_2, ADD_3_4])
    response = whole(llm, [ADD], "Add.", allow_parallel_tool_calls=None)
    assert len(llm.get_tool_calls_from_response(response)) == 2


@pytest.mark.parametrize("choice", ["auto", "none", {"type": "auto"}])
def test_a_choice_that_forces_nothing_leaves_thinking_alone(llm: KimiLLM, kimi: LocalKimi, choice: Any) -> None:
    whole(llm, [ADD], "Hi", tool_choice=choice, tool_required=True)
    assert "thinking" not in kimi.requests[-1].body
    assert kimi.errors == []


def test_what_is_no_tool_says_how_to_make_one(llm: KimiLLM, kimi: LocalKimi) -> None:
    with pytest.raises(MessageError, match=r"FunctionTool\.from_defaults"):
        llm.chat_with_tools([print], "Hi")
    assert not kimi.requests
