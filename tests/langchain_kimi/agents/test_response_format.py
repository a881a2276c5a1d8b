"""`create_agent(response_format=…)`: each strategy gives a typed answer, whatever Kimi allows while it thinks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import (
    ProviderStrategy,
    StructuredOutputValidationError,
    ToolStrategy,
)
from pydantic import BaseModel

from kimi_adapters.local_server import LocalKimi
from kimi_core import KimiWarning, ToolNotCalledError
from langchain_kimi import ChatKimi

ASKED = {"messages": [{"role": "user", "content": "What is the weather in Paris? Use get_weather."}]}


class Weather(BaseModel):
    """The weather in a city."""

    city: str
    degrees: int


SCHEMA = {
    "title": "Weather",
    "type": "object",
    "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}},
    "required": ["city", "degrees"],
}
PARIS = Weather(city="Paris", degrees=21)
CALL = {"tool_calls": [{"name": "Weather", "arguments": PARIS.model_dump()}], "reasoning": "I know."}
TEXT = {"text": "It is 21 degrees.", "reasoning": "I know."}


def get_weather(city: str) -> str:
    """Say what the weather is like in a city."""
    return f"It is sunny in {city}, at 21 degrees."


@pytest.mark.parametrize("wanted", [Weather, ProviderStrategy(Weather), SCHEMA], ids=["auto", "provider", "schema"])
def test_the_host_constrains_the_answer_while_the_model_thinks(model: ChatKimi, wire: Any, wanted: Any) -> None:
    result = create_agent(model, [get_weather], response_format=wanted).invoke(ASKED)

    assert result["structured_response"] == (PARIS.model_dump() if wanted is SCHEMA else PARIS)
    assert [body["response_format"]["type"] for body in wire.bodies] == ["json_schema"] * 2
    assert [body["response_format"]["json_schema"]["name"] for body in wire.bodies] == ["Weather"] * 2
    assert not any("thinking" in body or "tool_choice" in body for body in wire.bodies)
    assert wire.called == ["get_weather"]
    wire.check_loop()


async def test_a_typed_answer_comes_from_an_async_stream_too(model: ChatKimi, wire: Any) -> None:
    agent = create_agent(model, [get_weather], response_format=Weather)
    parts = [part async for part in agent.astream(ASKED, stream_mode=["messages", "values"])]

    assert parts[-1][1]["structured_response"] == PARIS
    assert all(body["stream"] for body in wire.bodies)
    wire.check_loop()


def test_a_tool_gives_the_answer_with_thinking_switched_off(make: Callable[..., ChatKimi], wire: Any) -> None:
    """K2.6 lets nobody force a tool while it thinks, and LangChain forces one in every turn."""
    result = create_agent(make(), [get_weather], response_format=ToolStrategy(Weather)).invoke(ASKED)

    assert result["structured_response"] == PARIS
    assert [(b["tool_choice"], b["thinking"]) for b in wire.bodies] == [("required", {"type": "disabled"})] * 2
    assert wire.kimi.errors == []


def test_a_tool_gives_the_answer_of_a_model_that_always_thinks(make: Callable[..., ChatKimi], wire: Any) -> None:
    result = create_agent(make("kimi-k3"), [get_weather], response_format=ToolStrategy(Weather)).invoke(ASKED)

    assert result["structured_response"] == PARIS
    assert [body["tool_choice"] for body in wire.bodies] == ["required"] * 2
    wire.check_loop()


def test_thinking_that_was_asked_for_stays_and_the_call_is_asked_for(make: Callable[..., ChatKimi], wire: Any) -> None:
    wire.kimi.enqueue(**TEXT)
    wire.kimi.enqueue(**CALL)
    agent = create_agent(make(thinking=True), [], response_format=ToolStrategy(Weather))
    with pytest.warns(KimiWarning, match="forcing a tool is incompatible with thinking"):
        result = agent.invoke(ASKED)

    assert result["structured_response"] == PARIS
    assert [(b["tool_choice"], b["thinking"]) for b in wire.bodies] == [("auto", {"type": "enabled"})] * 2
    assert wire.bodies[0]["messages"] == wire.bodies[1]["messages"]


def test_an_agent_does_not_end_without_the_answer_it_was_to_give(make: Callable[..., ChatKimi], wire: Any) -> None:
    wire.kimi.enqueue(**TEXT)
    wire.kimi.enqueue(**TEXT)
    agent = create_agent(make("kimi-k2.7-code"), [], response_format=ToolStrategy(Weather))
    with pytest.warns(KimiWarning), pytest.raises(ToolNotCalledError, match="was to call Weather and did not"):
        agent.invoke(ASKED)


@pytest.mark.parametrize("thinking", [None, True])
@pytest.mark.filterwarnings("ignore:tool_choice 'required' is not sent:kimi_core.KimiWarning")
def test_arguments_that_do_not_fit_are_mended_in_the_next_turn(
    make: Callable[..., ChatKimi], wire: Any, thinking: bool | None
) -> None:
    wrong = {"name": "Weather", "arguments": {"city": "Paris", "degrees": "hot"}}
    wire.kimi.enqueue(tool_calls=[wrong], reasoning="Hot, I think.")
    wire.kimi.enqueue(**CALL)
    result = create_agent(make(thinking=thinking), [], response_format=ToolStrategy(Weather)).invoke(ASKED)

    assert result["structured_response"] == PARIS
    assert "Input should be a valid integer" in wire.results[0]
    wire.check_loop()


@pytest.mark.parametrize("text", ["no JSON", '{"city": "Pa', '{"city": "Paris"}'])
def test_an_answer_that_does_not_fit_is_the_agents_own_error(model: ChatKimi, kimi: LocalKimi, text: str) -> None:
    kimi.enqueue(text=text, reasoning="Hm.")
    with pytest.raises(StructuredOutputValidationError):
        create_agent(model, [], response_format=Weather).invoke(ASKED)


def test_the_profile_decides_and_a_host_without_schemas_gets_a_tool(make: Callable[..., ChatKimi], wire: Any) -> None:
    model = make(overrides={"structured.ways": ("function_calling",)})
    assert model.profile["structured_output"] is False
    result = create_agent(model, [get_weather], response_format=Weather).invoke(ASKED)

    assert result["structured_response"] == PARIS
    assert wire.offered() == ["get_weather", "Weather"]
    assert not any("response_format" in body for body in wire.bodies)
