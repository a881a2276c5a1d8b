"""Middleware around Kimi: retries, fallbacks, limits and edits, each with what the server really answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import (
    ClearToolUsesEdit,
    ContextEditingMiddleware,
    LLMToolSelectorMiddleware,
    ModelCallLimitMiddleware,
    ModelFallbackMiddleware,
    ModelRetryMiddleware,
    ToolCallLimitMiddleware,
    ToolRetryMiddleware,
)
from langchain_core.exceptions import ContextOverflowError
from langchain_core.messages import AIMessage

from kimi_adapters.local_server import LocalKimi
from kimi_core import APIConnectionError, AuthenticationError, KimiError, QuotaExceededError
from langchain_kimi import ChatKimi

AT_ONCE: dict[str, Any] = {"initial_delay": 0.0, "backoff_factor": 0.0}
ASKED = {"messages": [{"role": "user", "content": "Call get_weather for Paris."}]}
FIVE_TIMES = {"messages": [{"role": "user", "content": "Call get_weather for Paris 5 times, one after the other."}]}


def get_weather(city: str) -> str:
    """Say what the weather is like in a city."""
    return f"It is sunny in {city}."


def agent(model: ChatKimi, *middleware: Any) -> Any:
    return create_agent(model, [get_weather], middleware=middleware)


async def run(way: str, made: Any) -> list[Any]:
    """The messages of a run, whichever way it is run."""
    match way:
        case "invoke":
            return list(made.invoke(ASKED)["messages"])
        case "ainvoke":
            return list((await made.ainvoke(ASKED))["messages"])
        case "stream":
            parts = list(made.stream(ASKED, stream_mode=["messages", "values"]))
        case _:
            parts = [part async for part in made.astream(ASKED, stream_mode=["messages", "values"])]
    return list(parts[-1][1]["messages"])


WAYS = ("invoke", "ainvoke", "stream", "astream")
FAULTS = [
    (429, "engine_overloaded_error"),
    (429, "rate_limit_reached_error"),
    (500, "server_error"),
    (503, "server_unavailable"),
]

# ------------------------------------------------------------------------------------------------------ retries


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("status", "kind"), FAULTS)
async def test_what_passes_with_time_is_retried(
    make: Callable[..., ChatKimi], wire: Any, way: str, status: int, kind: str
) -> None:
    wire.kimi.fail(2, status=status, type=kind)
    messages = await run(way, agent(make(), ModelRetryMiddleware(max_retries=2, **AT_ONCE)))

    assert "It is sunny in Paris" in messages[-1].text
    assert [entry.status for entry in wire.kimi.requests] == [status, status, 200, 200]


@pytest.mark.parametrize("way", WAYS)
async def test_an_empty_account_is_not_retried(make: Callable[..., ChatKimi], kimi: LocalKimi, way: str) -> None:
    """Moonshot says so with the status of a rate limit."""
    kimi.fail(1, status=429, type="exceeded_current_quota_error")
    with pytest.raises(QuotaExceededError, match="check your account balance"):
        await run(way, agent(make(), ModelRetryMiddleware(**AT_ONCE)))
    assert len(kimi.requests) == 1


async def test_a_wrong_key_is_not_retried(make: Callable[..., ChatKimi], kimi: LocalKimi) -> None:
    with pytest.raises(AuthenticationError):
        await run("ainvoke", agent(make(api_key="sk-wrong"), ModelRetryMiddleware(**AT_ONCE)))
    assert len(kimi.requests) == 1


@pytest.mark.parametrize("way", ["stream", "astream"])
async def test_a_stream_that_breaks_off_is_asked_for_again(make: Callable[..., ChatKimi], wire: Any, way: str) -> None:
    wire.kimi.cut_stream_after(6)
    messages = await run(way, agent(make(), ModelRetryMiddleware(**AT_ONCE)))
    assert "It is sunny in Paris" in messages[-1].text
    assert [type(message).__name__ for message in messages] == ["HumanMessage", "AIMessage", "ToolMessage", "AIMessage"]
    wire.check_loop()


async def test_a_stream_that_breaks_off_is_an_error_without_retries(make: Callable[..., ChatKimi], wire: Any) -> None:
    wire.kimi.cut_stream_after(6)
    with pytest.raises(APIConnectionError):
        await run("astream", agent(make()))


async def test_what_does_not_pass_becomes_a_message_without_the_key(make: Callable[..., ChatKimi], wire: Any) -> None:
    wire.kimi.fail(3, status=500, type="server_error")
    messages = await run("invoke", agent(make(), ModelRetryMiddleware(max_retries=2, **AT_ONCE)))
    assert messages[-1].text.startswith("Model call failed after 3 attempts with InternalServerError")
    assert wire.kimi.api_key not in messages[-1].text


# ---------------------------------------------------------------------------------------------------- fallbacks


@pytest.mark.parametrize("way", WAYS)
async def test_another_kimi_takes_over(make: Callable[..., ChatKimi], wire: Any, way: str) -> None:
    wire.kimi.fail(1, status=429, type="exceeded_current_quota_error")
    messages = await run(way, agent(make(), ModelFallbackMiddleware(make("kimi-k3"))))

    assert "It is sunny in Paris" in messages[-1].text
    assert [body["model"] for body in wire.bodies] == ["kimi-k2.6", "kimi-k3", "kimi-k2.6"]
    assert wire.turns[0]["reasoning_content"].strip()


async def test_another_host_takes_over_in_the_middle_of_a_loop(
    make: Callable[..., ChatKimi], wire: Any, aimlapi: LocalKimi
) -> None:
    def weather_while_the_host_goes_down(city: str) -> str:
        """Say what the weather is like in a city."""
        wire.kimi.fail(1, status=503, type="server_unavailable")
        return f"It is sunny in {city}."

    fallback = ChatKimi(host="aimlapi", base_url=aimlapi.base_url, api_key=aimlapi.api_key)
    made = create_agent(make(), [weather_while_the_host_goes_down], middleware=[ModelFallbackMiddleware(fallback)])
    asked = {"messages": [{"role": "user", "content": "Call weather_while_the_host_goes_down for Paris."}]}
    answer = (await made.ainvoke(asked))["messages"][-1]

    assert "It is sunny in Paris" in answer.text
    assert answer.response_metadata["host"] == "aimlapi"
    assert aimlapi.errors == []
    (sent,) = [m for m in aimlapi.requests[-1].body["messages"] if m.get("tool_calls")]
    assert sent["reasoning_content"] == wire.kimi.requests[0].response["choices"][0]["message"]["reasoning_content"]


# ------------------------------------------------------------------------------------------------------- limits


async def test_tool_calls_over_the_limit_are_answered_with_an_error(model: ChatKimi, wire: Any) -> None:
    asked = {"messages": [{"role": "user", "content": "Call get_weather for Paris 3 times, one after the other."}]}
    await agent(model, ToolCallLimitMiddleware(run_limit=2)).ainvoke(asked)

    assert wire.results == ["It is sunny in Paris."] * 2 + [
        "Tool call limit exceeded. Do not make additional tool calls."
    ]
    wire.check_loop()


@pytest.mark.parametrize(
    "limit",
    [ToolCallLimitMiddleware(run_limit=2, exit_behavior="end"), ModelCallLimitMiddleware(run_limit=3)],
    ids=["tools", "models"],
)
def test_a_conversation_goes_on_after_a_limit_ended_a_run(model: ChatKimi, wire: Any, limit: Any) -> None:
    """The limit speaks in the model's place, without reasoning; the host must take that in the next turn."""
    made = agent(model, limit)
    ended = made.invoke(FIVE_TIMES)["messages"]
    assert "limit" in ended[-1].text
    assert wire.called == ["get_weather"] * 2

    made.invoke({"messages": [*ended, {"role": "user", "content": "Hello"}]})
    assert len(wire.turns) == 3
    wire.check_loop()


def test_a_tool_that_fails_is_run_again(model: ChatKimi, wire: Any) -> None:
    tries = iter([OSError("The station is down."), OSError("The station is down."), "It is sunny."])

    def get_weather_now(city: str) -> str:
        """Say what the weather is like in a city."""
        said = next(tries)
        if isinstance(said, OSError):
            raise said
        return said

    made = create_agent(model, [get_weather_now], middleware=[ToolRetryMiddleware(**AT_ONCE)])
    made.invoke({"messages": [{"role": "user", "content": "Call get_weather_now for Paris."}]})
    assert wire.results == ["It is sunny."]
    wire.check_loop()


async def test_a_tool_that_keeps_failing_is_reported_to_the_model(model: ChatKimi, wire: Any) -> None:
    async def get_weather_now(city: str) -> str:
        """Say what the weather is like in a city."""
        raise OSError("The station is down.")

    made = create_agent(model, [get_weather_now], middleware=[ToolRetryMiddleware(max_retries=1, **AT_ONCE)])
    await made.ainvoke({"messages": [{"role": "user", "content": "Call get_weather_now for Paris."}]})
    assert "failed after 2 attempts" in wire.results[0]
    wire.check_loop()


# ------------------------------------------------------------------------------------------------------ context


def test_an_overflow_is_langchains_own_error_and_not_retried(model: ChatKimi, kimi: LocalKimi) -> None:
    long = {"messages": [{"role": "user", "content": "word " * 1_100_000}]}
    with pytest.raises(ContextOverflowError, match="exceeded model token limit") as caught:
        agent(model, ModelRetryMiddleware(**AT_ONCE)).invoke(long)
    assert isinstance(caught.value, KimiError)
    assert len(kimi.requests) == 1


def test_old_tool_results_are_cleared_and_reasoning_stays(model: ChatKimi, wire: Any) -> None:
    edit = ClearToolUsesEdit(trigger=100, keep=1, clear_tool_inputs=True)
    agent(model, ContextEditingMiddleware(edits=[edit])).invoke(FIVE_TIMES)

    assert wire.results == ["[cleared]"] * 4 + ["It is sunny in Paris."]
    assert [call["function"]["arguments"] for turn in wire.turns for call in turn["tool_calls"]][:2] == ["{}", "{}"]
    wire.check_loop()


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_a_selector_narrows_the_tools(model: ChatKimi, wire: Any, way: str) -> None:
    """It asks the model itself, with a schema that is a union of constants."""

    def send_mail(to: str) -> str:
        """Send a mail to a person."""
        return f"Sent to {to}."

    wire.kimi.enqueue(text='{"tools": ["get_weather"]}', reasoning="Weather is asked for.")
    made = create_agent(model, [get_weather, send_mail], middleware=[LLMToolSelectorMiddleware(max_tools=1)])
    messages = await run(way, made)

    assert "It is sunny in Paris" in messages[-1].text
    assert wire.bodies[0]["response_format"]["type"] == "json_schema"
    assert wire.offered(1) == ["get_weather"]
    assert wire.kimi.errors == []


def test_an_answer_of_another_maker_does_not_break_the_next_turn(model: ChatKimi, wire: Any) -> None:
    """Middleware may put messages of its own into the conversation: no reasoning, no metadata."""
    talk = [*ASKED["messages"], AIMessage("I cannot say."), {"role": "user", "content": "Call get_weather for Rome."}]
    agent(model).invoke({"messages": talk})
    assert wire.results == ["It is sunny in Rome."]
    assert wire.kimi.errors == []
