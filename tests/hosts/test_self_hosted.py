"""Servers that people run themselves: their specs hold in both frameworks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from drivers import Driver
from hosts_served import PIXEL, Talk
from langchain.agents import create_agent
from langchain.agents.structured_output import ProviderStrategy
from langchain_core.messages import HumanMessage
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.prompts import PromptTemplate
from pydantic import BaseModel

from kimi_adapters.local_server import LocalKimi
from kimi_core import (
    BadRequestError,
    ConfigError,
    ImagePart,
    KimiWarning,
    Message,
    MessageError,
    TextPart,
    UnsupportedError,
)
from langchain_kimi import ChatKimi, prefill
from llama_index_kimi import KimiLLM

SCHEMA_WINS = ("vllm", "sglang", "llama-cpp", "litellm", "generic")
"""Hosts where a response format keeps tools from being called, or is not looked at."""


class Report(BaseModel):
    """The weather in a city."""

    city: str
    degrees: int


def get_weather(city: str) -> str:
    """Say what the weather is like in a city."""
    return f"It is sunny in {city}, at 21 degrees."


def take_photo() -> Any:
    """Take a photo of the wall."""
    return PIXEL


@pytest.fixture(scope="module")
def _servers() -> Iterator[dict[str, LocalKimi]]:
    running = {name: LocalKimi(name).start() for name in ("vllm", "sglang", "llama-cpp")}  # type: ignore[arg-type]
    yield running
    for kimi in running.values():
        kimi.stop()


@pytest.fixture
def own(_servers: dict[str, LocalKimi]) -> Any:
    """The server behind a host of one's own: gateways and servers that nobody knows stand before vLLM here."""

    def server(host: str) -> LocalKimi:
        kimi = _servers.get(host, _servers["vllm"])
        kimi.reset()
        return kimi

    return server


def where(host: str, kimi: LocalKimi) -> dict[str, Any]:
    model = "moonshotai/Kimi-K2.6" if host in ("litellm", "generic") else "kimi-k2.6"
    return {"host": host, "model": model, "base_url": kimi.base_url, "api_key": kimi.api_key}


# ------------------------------------------------------------------------------------- tools and a typed answer

ASKED = "What is the weather in Paris? Use get_weather."


@pytest.mark.parametrize("host", SCHEMA_WINS)
def test_langchains_agent_calls_its_tools_and_gives_a_typed_answer(own: Any, host: str) -> None:
    kimi = own(host)
    agent = create_agent(ChatKimi(**where(host, kimi)), [get_weather], response_format=Report)
    result = agent.invoke({"messages": [{"role": "user", "content": ASKED}]})
    assert result["structured_response"] == Report(city="Paris", degrees=21)
    called = [call["name"] for message in result["messages"] for call in getattr(message, "tool_calls", [])]
    assert called[0] == "get_weather"
    assert (kimi.errors, any("response_format" in one.body for one in kimi.requests)) == ([], False)


@pytest.mark.parametrize("host", SCHEMA_WINS)
def test_llama_indexs_agent_calls_its_tools_and_gives_a_typed_answer(own: Any, host: str) -> None:
    kimi = own(host)

    async def run() -> Any:
        return await FunctionAgent(llm=KimiLLM(**where(host, kimi)), tools=[get_weather], output_cls=Report).run(ASKED)

    assert asyncio.run(run()).get_pydantic_model(Report) == Report(city="Paris", degrees=21)
    assert "get_weather" in str(kimi.requests[1].body["messages"])
    assert kimi.errors == []


@pytest.mark.parametrize("host", ["vllm", "sglang", "litellm", "generic"])
def test_a_schema_beside_tools_is_said_to_win(own: Any, host: str) -> None:
    model = ChatKimi(**where(host, own(host)))
    with pytest.warns(KimiWarning, match="the schema wins: no tool is likely to be called"):
        create_agent(model, [get_weather], response_format=ProviderStrategy(Report)).invoke({"messages": ASKED})


def test_where_a_schema_is_not_looked_at_the_way_by_a_tool_is_named(framework: Driver, own: Any) -> None:
    model = framework.make(**where("llama-cpp", own("llama-cpp")))
    asked = {"type": "json_schema", "json_schema": {"name": "Report", "schema": Report.model_json_schema()}}
    with pytest.raises(UnsupportedError, match="cannot give structured output by json_schema. It can by: function_cal"):
        framework.ask(model, "Hello", response_format=asked)


@pytest.mark.parametrize("host", SCHEMA_WINS)
def test_a_typed_answer_without_tools_comes_by_the_hosts_best_way(framework: Driver, own: Any, host: str) -> None:
    model = framework.make(**where(host, own(host)))
    text = "It is 21 degrees in Paris."
    if isinstance(model, ChatKimi):
        assert model.with_structured_output(Report).invoke(text) == Report(city="Paris", degrees=21)
    else:
        assert model.as_structured_llm(Report).complete(text).raw == Report(city="Paris", degrees=21)


# ------------------------------------------------------------------------------------------------------ strict


def _strict(kimi: LocalKimi) -> list[Any]:
    return [tool["function"].get("strict") for tool in kimi.requests[-1].body["tools"]]


def test_a_forced_call_is_held_to_its_schema_by_strict_on_vllm(driver: Driver, own: Any) -> None:
    kimi = own("vllm")
    model = driver.make(**where("vllm", kimi))
    driver.ask(model, ASKED, tools=[get_weather], tool_choice="get_weather")
    assert _strict(kimi) == [True]
    driver.ask(model, ASKED, tools=[get_weather])
    assert _strict(kimi) == [None]


def test_structured_output_by_a_tool_is_strict_on_vllm(own: Any) -> None:
    kimi = own("vllm")
    model = ChatKimi(**where("vllm", kimi))
    model.with_structured_output(Report, method="function_calling").invoke("It is 21 degrees in Paris.")
    assert _strict(kimi) == [True]
    model.with_structured_output(Report, method="function_calling", strict=False).invoke("21 degrees in Paris.")
    assert _strict(kimi) == [False]


@pytest.mark.parametrize("strict", [True, False])
def test_what_a_tool_says_of_strict_is_sent_where_it_is_read(framework: Driver, own: Any, strict: bool) -> None:
    for host in ("vllm", "sglang"):
        kimi = own(host)
        _with_strict(framework.make(**where(host, kimi)), strict)
        assert _strict(kimi) == [strict]


def test_strict_that_is_not_sent_warns_once(framework: Driver, own: Any) -> None:
    kimi = own("llama-cpp")
    model = framework.make(**where("llama-cpp", kimi))
    with pytest.warns(KimiWarning, match="strict of 'get_weather' is not sent to kimi-k2.6 on llama-cpp") as caught:
        _with_strict(model, True)
        _with_strict(model, True)
        _with_strict(model, False)
    assert (len(caught), _strict(kimi)) == (1, [None])


def test_strict_of_a_typed_answer_that_is_not_sent_warns_once(framework: Driver, own: Any) -> None:
    kimi = own("llama-cpp")
    model = framework.make(**where("llama-cpp", kimi))
    _typed(model, None)
    _typed(model, False)
    with pytest.warns(KimiWarning, match="strict of 'Report' is not sent to kimi-k2.6 on llama-cpp") as caught:
        _typed(model, True)
        _typed(model, True)
    assert (len(caught), _strict(kimi)) == (1, [None])
    with pytest.raises(UnsupportedError, match="strict of 'Report'"):
        _typed(framework.make(**where("llama-cpp", kimi), on_unsupported="error"), True)


def test_a_call_that_is_asked_for_again_says_nothing_of_strict(framework: Driver, aimlapi: LocalKimi) -> None:
    model = framework.make(
        **where("aimlapi", aimlapi), thinking=True, overrides={"structured.ways": ("function_calling",)}
    )
    aimlapi.enqueue(text="Paris, 21 degrees.", reasoning="Hm.")
    with pytest.warns(KimiWarning, match="tool_choice 'Report' is not sent") as caught:
        assert _typed(model, None) == Report(city="Paris", degrees=21)
    assert (len(caught), len(aimlapi.requests)) == (1, 2)


def _typed(model: Any, strict: bool | None) -> Any:
    text = "It is 21 degrees in Paris. Call Report with it."
    if isinstance(model, ChatKimi):
        return model.with_structured_output(Report, strict=strict).invoke(text)
    return model.structured_predict(Report, PromptTemplate(text), llm_kwargs={"strict": strict})


@pytest.mark.parametrize("given", ["yes", 1, {}])
def test_strict_that_is_no_switch_is_refused_before_any_call(framework: Driver, own: Any, given: Any) -> None:
    kimi = own("vllm")
    model = framework.make(**where("vllm", kimi))
    with pytest.raises(ValueError, match="strict .*must be True or False"):
        _with_strict(model, given)
    shape = {"type": "json_schema", "json_schema": {"name": "report", "schema": {"type": "object"}, "strict": given}}
    with pytest.raises(MessageError, match="strict of 'report' must be True or False"):
        framework.ask(model, "Hi", response_format=shape)
    assert kimi.requests == []


def _with_strict(model: Any, strict: bool) -> None:
    if isinstance(model, ChatKimi):
        model.bind_tools([get_weather], strict=strict).invoke(ASKED)
    else:
        from llama_index.core.tools import FunctionTool

        model.chat_with_tools([FunctionTool.from_defaults(get_weather)], ASKED, strict=strict)


# --------------------------------------------------------------------------------------- continuing a message

BEGUN = "The code is 4711. What is the code?"


def _continue(model: Any, **call: Any) -> str:
    if isinstance(model, ChatKimi):
        return str(model.invoke([HumanMessage(BEGUN), prefill("The code is")], **call).text)
    begun = ChatMessage(role="assistant", content="The code is", additional_kwargs={"partial": True})
    return str(model.chat([ChatMessage(role="user", content=BEGUN), begun], **call).message.content)


def test_what_continues_a_message_on_vllm_is_no_thought(framework: Driver, own: Any) -> None:
    kimi = own("vllm")
    assert "4711" in _continue(framework.make(**where("vllm", kimi)))
    body = kimi.requests[-1].body
    assert body["continue_final_message"] is True
    assert body["chat_template_kwargs"] == {"thinking": False, "enable_thinking": False}


def test_thinking_that_was_asked_for_stays_where_a_message_is_continued_with_a_warning(
    framework: Driver, own: Any
) -> None:
    kimi = own("vllm")
    model = framework.make(**where("vllm", kimi), thinking=True, empty_answer="keep")
    with pytest.warns(KimiWarning, match="What continues a message comes as reasoning"):
        _continue(model, on_unsupported="warn")
    assert kimi.requests[-1].body["chat_template_kwargs"] == {"thinking": True, "enable_thinking": True}


# ------------------------------------------------------------------------------------------------------- limits


def test_a_fifth_stop_sequence_raises_before_any_io_on_vllm(driver: Driver, own: Any) -> None:
    kimi = own("vllm")
    model = driver.make(**where("vllm", kimi))
    with pytest.raises(ConfigError, match="takes at most 4 stop sequences, not 5"):
        driver.ask(model, "Hello", stop=["one1", "two2", "three3", "four4", "five5"])
    assert kimi.requests == []
    assert driver.ask(model, "Hello", stop=["one1", "two2", "three3", "four4"]).text


@pytest.mark.parametrize("host", ["llama-cpp", "generic"])
def test_a_picture_that_llama_server_cannot_read_is_no_overload(driver: Driver, own: Any, host: str) -> None:
    kimi = own("llama-cpp")
    model = driver.make(**where(host, kimi))
    with pytest.raises(BadRequestError, match=r"image input is not supported.*start it with a projector") as raised:
        driver.ask(model, [Message("user", (TextPart("What is this?"), ImagePart(PIXEL)))])
    assert (raised.value.status_code, len(kimi.requests)) == (500, 1)


@pytest.mark.parametrize("host", ["vllm", "sglang"])
def test_a_picture_from_a_tool_is_looked_at_once(way: Driver, own: Any, host: str) -> None:
    kimi = own(host)
    talk = Talk(way, [take_photo])
    with pytest.warns(KimiWarning, match="went into a user message behind it"):
        answer = talk.say(way.make(**where(host, kimi)), "Call take_photo and say which colour the wall has.")
    assert (talk.calls, "red" in answer, len(kimi.requests)) == (["take_photo"], True, 2)
