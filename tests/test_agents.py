"""Long tool loops with the frameworks' own agents, against the strict server: not one refusal."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from langchain.agents import create_agent
from llama_index.core.agent.workflow import AgentStream, FunctionAgent, ToolCallResult

from kimi_adapters.local_server import LocalKimi
from langchain_kimi import ChatKimi
from llama_index_kimi import KimiLLM

TASK = "Call roll_red and roll_blue in parallel, 25 times one after the other. Then say that you are done."
TURNS = 25


def tools() -> list[Any]:
    red, blue = itertools.cycle((3, 1, 6)), itertools.cycle((2, 5))

    def roll_red() -> str:
        """Roll the red die."""
        return f"The red die shows {next(red)}."

    def roll_blue() -> str:
        """Roll the blue die."""
        return f"The blue die shows {next(blue)}."

    return [roll_red, roll_blue]


def check(kimi: LocalKimi, model: str) -> None:
    """Nothing was refused, every turn called both tools, and reasoning went back with each of them."""
    assert kimi.errors == []
    last = kimi.requests[-1].body
    turns = [m for m in last["messages"] if m.get("tool_calls")]
    assert len(turns) == TURNS
    assert len(kimi.requests) == TURNS + 1
    for turn in turns:
        assert [c["function"]["name"] for c in turn["tool_calls"]] == ["roll_red", "roll_blue"]
        assert turn["reasoning_content"].strip()
    assert "thinking" not in last
    assert last["model"] == model


@pytest.mark.parametrize("model", ["kimi-k2.6", "kimi-k3"])
async def test_langchains_agent_streams_25_turns_with_parallel_calls(kimi: LocalKimi, model: str) -> None:
    chat = ChatKimi(model=model, base_url=kimi.base_url, api_key=kimi.api_key)
    agent = create_agent(chat, tools())
    told = {"messages": [{"role": "user", "content": TASK}]}
    pieces = 0
    async for _ in agent.astream(told, {"recursion_limit": 200}, stream_mode="messages"):
        pieces += 1
    assert pieces > TURNS
    check(kimi, model)


def test_langchains_agent_invokes_25_turns_with_parallel_calls(kimi: LocalKimi) -> None:
    agent = create_agent(ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key), tools())
    result = agent.invoke({"messages": [{"role": "user", "content": TASK}]}, {"recursion_limit": 200})
    assert result["messages"][-1].text
    check(kimi, "kimi-k2.6")


@pytest.mark.parametrize("model", ["kimi-k2.6", "kimi-k3"])
async def test_llama_indexs_agent_streams_25_turns_with_parallel_calls(kimi: LocalKimi, model: str) -> None:
    llm = KimiLLM(model=model, base_url=kimi.base_url, api_key=kimi.api_key)
    agent = FunctionAgent(tools=tools(), llm=llm)
    handler = agent.run(TASK, max_iterations=100)
    thought, results = "", 0
    async for event in handler.stream_events():
        if isinstance(event, AgentStream):
            thought += event.thinking_delta or ""
        results += isinstance(event, ToolCallResult)
    assert str(await handler)
    assert thought
    assert results == 2 * TURNS
    check(kimi, model)


async def test_kept_thinking_goes_through_the_loop_as_well(kimi: LocalKimi) -> None:
    kept = {"type": "enabled", "keep": "all"}
    agent = create_agent(ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, thinking=kept), tools())
    await agent.ainvoke({"messages": [{"role": "user", "content": TASK}]}, {"recursion_limit": 200})
    assert kimi.errors == []
    assert all(r.body["thinking"] == kept for r in kimi.requests)
