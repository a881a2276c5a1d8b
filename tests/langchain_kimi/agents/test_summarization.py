"""Summarisation by the model's own context window: long loops go on in short conversations."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import SummarizationMiddleware
from langchain_core.exceptions import ContextOverflowError
from langchain_core.messages import HumanMessage

from kimi_core import KimiError
from langchain_kimi import ChatKimi

TURNS = 12
ASKED = {"messages": [{"role": "user", "content": f"Call roll {TURNS} times, one after the other."}]}
SUMMARY = "Here is a summary of the conversation to date"


@pytest.fixture
def roll() -> Callable[[], str]:
    numbers = itertools.count(1)

    def roll() -> str:
        """Roll the die."""
        return f"Roll {next(numbers)}: a six, as always with this die, which we do not trust any more."

    return roll


def is_summary_request(body: dict[str, Any]) -> bool:
    return "tools" not in body


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream"])
async def test_a_loop_goes_on_in_a_shorter_conversation(
    make: Callable[..., ChatKimi], wire: Any, roll: Any, way: str
) -> None:
    """A fraction of the window triggers it, which the model's profile tells."""
    for i in range(TURNS):
        tokens = 100 * (i % 8 + 1)
        used = {"prompt_tokens": tokens - 10, "completion_tokens": 10, "total_tokens": tokens}
        wire.kimi.enqueue(tool_calls=[{"name": "roll"}], reasoning=f"Roll {i}.", usage=used)
        if tokens == 800:
            wire.kimi.enqueue(text="Eight sixes so far.", reasoning="I sum it up.")
    wire.kimi.enqueue(text="Done.", reasoning="Enough.")
    model = make(profile={"max_input_tokens": 1000})
    shorten = SummarizationMiddleware(model, trigger=("fraction", 0.8), keep=("messages", 4))
    agent = create_agent(model, [roll], middleware=[shorten])
    match way:
        case "invoke":
            messages = agent.invoke(ASKED)["messages"]
        case "ainvoke":
            messages = (await agent.ainvoke(ASKED))["messages"]
        case _:
            *_, (_, last) = agent.stream(ASKED, stream_mode=["messages", "values"])
            messages = last["messages"]

    assert messages[0].text == f"{SUMMARY}:\n\nEight sixes so far."
    assert messages[-1].text == "Done."
    assert [is_summary_request(body) for body in wire.bodies] == [False] * 8 + [True] + [False] * 5
    assert [len(body["messages"]) for body in wire.bodies] == [1, 3, 5, 7, 9, 11, 13, 15, 1, 5, 7, 9, 11, 13]
    wire.check_loop()


def test_the_profile_of_a_spec_is_enough(model: ChatKimi) -> None:
    window = {"kimi-k2.6": 262_144, "kimi-k3": 1_048_576}[model.model_name]
    middleware = SummarizationMiddleware(model, trigger=("fraction", 0.8), keep=("fraction", 0.3))
    assert middleware._get_profile_limits() == window


@pytest.mark.parametrize(("reported", "summarised"), [(200_000, False), (210_000, True)])
def test_what_the_host_reports_counts_more_than_an_estimate(
    make: Callable[..., ChatKimi], wire: Any, reported: int, summarised: bool
) -> None:
    """80 % of kimi-k2.6's window are 209,715 tokens. The messages are short: only the usage tells."""
    usage = {"prompt_tokens": reported - 10, "completion_tokens": 10, "total_tokens": reported}
    wire.kimi.enqueue(text="Hello.", reasoning="Hm.", usage=usage)
    model = make()
    shorten = SummarizationMiddleware(model, trigger=("fraction", 0.8), keep=("messages", 1))
    agent = create_agent(model, middleware=[shorten])
    first = agent.invoke({"messages": [{"role": "user", "content": "Hello"}]})["messages"]
    after = agent.invoke({"messages": [*first, HumanMessage("How are you?")]})["messages"]

    assert (SUMMARY in after[0].text) is summarised
    assert wire.kimi.errors == []


def test_a_summary_that_overflows_is_asked_for_again_with_less(
    make: Callable[..., ChatKimi], wire: Any, roll: Any
) -> None:
    model = make()
    shorten = SummarizationMiddleware(model, trigger=("messages", 8), keep=("messages", 2))
    agent = create_agent(model, [roll], middleware=[shorten])
    history = agent.invoke({"messages": [HumanMessage("Call roll 2 times.")]})["messages"]
    wire.kimi.fail(
        1,
        status=400,
        type="invalid_request_error",
        message="Your request exceeded model token limit: 262144 (requested: 269030)",
    )
    agent.invoke({"messages": [*history, HumanMessage("Thanks"), HumanMessage("Hello")]})

    overflowed, again, answer = wire.bodies[-3:]
    assert [entry.status for entry in wire.kimi.requests[-3:]] == [400, 200, 200]
    assert is_summary_request(overflowed)
    assert is_summary_request(again)
    assert len(str(again["messages"])) < len(str(overflowed["messages"]))
    assert SUMMARY in answer["messages"][0]["content"]


def test_a_summary_that_cannot_be_had_is_an_error(make: Callable[..., ChatKimi], wire: Any, roll: Any) -> None:
    model = make()
    agent = create_agent(
        model, [roll], middleware=[SummarizationMiddleware(model, trigger=("messages", 1), keep=("messages", 1))]
    )
    wire.kimi.fail(
        2,
        status=400,
        type="invalid_request_error",
        message="Your request exceeded model token limit: 262144 (requested: 269030)",
    )
    with pytest.raises(ContextOverflowError) as caught:
        agent.invoke({"messages": [HumanMessage("Hello"), HumanMessage("Hello?")]})
    assert isinstance(caught.value, KimiError)
