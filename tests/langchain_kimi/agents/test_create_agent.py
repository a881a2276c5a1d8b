"""Agents of `create_agent` in every way they can be run: the loop ends, and nothing is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langgraph.graph.state import CompiledStateGraph

from kimi_adapters.local_server import LocalKimi
from kimi_core import KimiWarning
from langchain_kimi import ChatKimi

ASKED = {
    "messages": [{"role": "user", "content": "Call look_up for the order HC-2041, then call ship_to with the city."}]
}


@tool
def look_up(order_id: str) -> str:
    """Look up an order."""
    return f"Order {order_id} goes to Oslo."


@tool
async def ship_to(city: str) -> str:
    """Ship an order to a city."""
    return f"Shipped to {city}."


@tool("ship_to")
def ship_to_sync(city: str) -> str:
    """Ship an order to a city."""
    return f"Shipped to {city}."


Agent = CompiledStateGraph[Any, Any, Any, Any]


def invoke(agent: Agent) -> list[BaseMessage]:
    return list(agent.invoke(ASKED)["messages"])


def stream(agent: Agent) -> list[BaseMessage]:
    return _from_updates(agent.stream(ASKED, stream_mode=["messages", "updates"]))


def values(agent: Agent) -> list[BaseMessage]:
    return list(list(agent.stream(ASKED, stream_mode="values"))[-1]["messages"])


def ainvoke(agent: Agent) -> list[BaseMessage]:
    return list(asyncio.run(agent.ainvoke(ASKED))["messages"])


def astream(agent: Agent) -> list[BaseMessage]:
    async def run() -> list[Any]:
        return [part async for part in agent.astream(ASKED, stream_mode=["messages", "updates"])]

    return _from_updates(asyncio.run(run()))


def astream_events(agent: Agent) -> list[BaseMessage]:
    async def run() -> list[Any]:
        return [event async for event in agent.astream_events(ASKED, version="v2")]

    last = asyncio.run(run())[-1]
    return list(last["data"]["output"]["messages"])


def _from_updates(parts: Any) -> list[BaseMessage]:
    return [
        message for mode, data in parts if mode == "updates" for node in data.values() for message in node["messages"]
    ]


WAYS = (invoke, stream, values, ainvoke, astream, astream_events)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_loop_of_two_tools_ends_without_a_refusal(way: Callable[[Agent], Any], model: ChatKimi, wire: Any) -> None:
    sync = way in (invoke, stream, values)
    messages = way(create_agent(model, [look_up, ship_to_sync if sync else ship_to]))

    assert wire.called == ["look_up", "ship_to"]
    assert wire.results == ["Order HC-2041 goes to Oslo.", "Shipped to Oslo."]
    assert "Shipped to Oslo" in messages[-1].text
    wire.check_loop()


def test_messages_stream_token_by_token_with_reasoning_and_calls(model: ChatKimi, kimi: LocalKimi) -> None:
    agent = create_agent(model, [look_up, ship_to_sync])
    chunks = [chunk for chunk, _ in agent.stream(ASKED, stream_mode="messages")]

    kinds = [block["type"] for chunk in chunks for block in chunk.content_blocks]
    assert {"reasoning", "tool_call_chunk", "text"} <= set(kinds)
    assert kinds.count("reasoning") > 10
    assert [chunk.content for chunk in chunks if isinstance(chunk, ToolMessage)] == [
        "Order HC-2041 goes to Oslo.",
        "Shipped to Oslo.",
    ]
    assert all(entry.body["stream"] for entry in kimi.requests)


async def test_events_are_about_models_and_tools(model: ChatKimi, wire: Any) -> None:
    agent = create_agent(model, [look_up, ship_to])
    events = [event async for event in agent.astream_events(ASKED, version="v2")]

    ended = [event for event in events if event["event"] == "on_chat_model_end"]
    assert len(ended) == len(wire.bodies) == 3
    assert all(event["data"]["output"].usage_metadata["output_tokens"] > 0 for event in ended)
    assert [e["name"] for e in events if e["event"] == "on_tool_end"] == ["look_up", "ship_to"]
    assert {e["metadata"]["ls_provider"] for e in ended} == {"moonshot"}
    wire.check_loop()


# LangGraph says so of its own method, whatever the model.
@pytest.mark.filterwarnings("ignore:The v3 streaming protocol on Pregel is experimental")
async def test_protocol_events_are_about_messages(model: ChatKimi, wire: Any) -> None:
    """`version="v3"` assembles messages with standard content; they go back all the same."""
    agent = create_agent(model, [look_up, ship_to])
    run = await agent.astream_events(ASKED, version="v3")
    texts, thoughts = [], []
    async for message in run.messages:
        thoughts.append(await message.reasoning)
        texts.append(await message.text)
    output = await run.output()

    assert "Shipped to Oslo" in texts[-1]
    assert all(thoughts)
    assert [block["type"] for block in output["messages"][1].content] == ["reasoning", "tool_call"]
    assert wire.called == ["look_up", "ship_to"]
    wire.check_loop()


def test_standard_content_goes_round_the_loop(make: Callable[..., ChatKimi], wire: Any) -> None:
    agent = create_agent(make(output_version="v1"), [look_up, ship_to_sync])
    messages = agent.invoke(ASKED)["messages"]

    assert [block["type"] for block in messages[1].content] == ["reasoning", "tool_call"]
    wire.check_loop()


def test_a_name_of_the_agent_goes_with_its_messages(model: ChatKimi, wire: Any) -> None:
    agent = create_agent(model, [look_up, ship_to_sync], name="shipper")
    assert {m.name for m in invoke(agent) if isinstance(m, AIMessage)} == {"shipper"}
    assert {turn["name"] for turn in wire.turns} == {"shipper"}
    wire.check_loop()


def test_a_second_question_continues_the_conversation(model: ChatKimi, wire: Any) -> None:
    agent = create_agent(model, [look_up, ship_to_sync], system_prompt="You ship orders.")
    first = agent.invoke(ASKED)["messages"]
    more = {"messages": [*first, {"role": "user", "content": "Call look_up for the order HC-9."}]}
    agent.invoke(more)

    assert wire.results[-1] == "Order HC-9 goes to Oslo."
    assert [message["role"] for message in wire.last if message["role"] == "system"] == ["system"]
    before = wire.bodies[2]["messages"]
    assert wire.last[: len(before)] == before
    wire.check_loop()


def test_no_message_of_the_caller_is_changed(model: ChatKimi) -> None:
    agent = create_agent(model, [look_up, ship_to_sync])
    first = agent.invoke(ASKED)["messages"]
    before = [message.model_dump() for message in first]
    agent.invoke({"messages": first})
    assert [message.model_dump() for message in first] == before


@pytest.mark.filterwarnings("ignore:The conversation was repaired:kimi_core.KimiWarning")
def test_an_empty_system_prompt_does_not_stop_the_loop(model: ChatKimi, wire: Any) -> None:
    create_agent(model, [look_up, ship_to_sync], system_prompt="").invoke(ASKED)
    assert wire.called == ["look_up", "ship_to"]
    assert [message["role"] for message in wire.last][:2] == ["user", "assistant"]
    wire.check_loop()


@pytest.mark.filterwarnings("ignore:The conversation was repaired:kimi_core.KimiWarning")
def test_a_template_whose_rules_are_empty_is_answered(model: ChatKimi, wire: Any) -> None:
    template = ChatPromptTemplate.from_messages([("system", "{rules}"), ("user", "{question}")])
    assert (template | model).invoke({"rules": "", "question": "Who are you?"}).text
    assert wire.last == [{"role": "user", "content": "Who are you?"}]


@tool
def look_at(order_id: str) -> list[dict[str, Any]]:
    """Look at the papers of an order."""
    return [{"type": "file", "base64": "JVBERi0xLjQKAA==", "mime_type": "application/pdf", "filename": "papers.pdf"}]


@pytest.mark.parametrize("mode", ["invoke", "ainvoke", "stream", "astream"])
def test_a_pdf_of_a_tool_does_not_stop_the_loop(model: ChatKimi, wire: Any, mode: str) -> None:
    agent = create_agent(model, [look_at])
    asked: Any = {"messages": [{"role": "user", "content": "Call look_at for the order HC-2041."}]}

    async def drain() -> None:
        async for _ in agent.astream(asked, stream_mode="messages"):
            pass

    with pytest.warns(KimiWarning, match="cannot take what a tool returned"):
        match mode:
            case "invoke":
                agent.invoke(asked)
            case "ainvoke":
                asyncio.run(agent.ainvoke(asked))
            case "stream":
                list(agent.stream(asked, stream_mode="messages"))
            case _:
                asyncio.run(drain())
    ((part,),) = wire.results
    assert part["text"] == "[a document was left out: it cannot be read here (named papers.pdf, application/pdf)]"
    wire.check_loop()
