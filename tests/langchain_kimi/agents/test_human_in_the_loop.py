"""A person between the model's calls and the tools: approve, edit, reject, respond."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from langchain_kimi import ChatKimi

ASKED = {"messages": [{"role": "user", "content": "Call send_mail to ada@example.org, saying that the ship is in."}]}
THREAD: Any = {"configurable": {"thread_id": "mail"}}


@pytest.fixture
def sent() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def agent(model: ChatKimi, sent: list[tuple[str, str]]) -> Any:
    def send_mail(to: str, text: str) -> str:
        """Send a mail."""
        sent.append((to, text))
        return f"Sent to {to}."

    review = HumanInTheLoopMiddleware(interrupt_on={"send_mail": True})
    return create_agent(model, [send_mail], middleware=[review], checkpointer=InMemorySaver())


def decide(**decision: Any) -> Command[Any]:
    return Command(resume={"decisions": [decision]})


async def start(agent: Any, way: str) -> dict[str, Any]:
    """Run up to the interrupt; what the person is asked."""
    if way == "invoke":
        paused = agent.invoke(ASKED, THREAD)
    elif way == "ainvoke":
        paused = await agent.ainvoke(ASKED, THREAD)
    else:
        paused = [part async for _, part in agent.astream(ASKED, THREAD, stream_mode=["messages", "values"])][-1]
    (interrupt,) = paused["__interrupt__"]
    (request,) = interrupt.value["action_requests"]
    return dict(request)


async def resume(agent: Any, way: str, command: Command[Any]) -> list[Any]:
    if way == "invoke":
        return list(agent.invoke(command, THREAD)["messages"])
    if way == "ainvoke":
        return list((await agent.ainvoke(command, THREAD))["messages"])
    parts = [part async for part in agent.astream(command, THREAD, stream_mode=["messages", "values"])]
    return list(parts[-1][1]["messages"])


pytestmark = pytest.mark.parametrize("way", ["invoke", "ainvoke", "astream"])


async def test_an_approved_call_is_made(agent: Any, wire: Any, sent: Any, way: str) -> None:
    asked = await start(agent, way)
    assert asked["name"] == "send_mail"
    assert sent == []

    messages = await resume(agent, way, decide(type="approve"))
    assert [to for to, _ in sent] == ["ada@example.org"]
    assert "Sent to ada@example.org" in messages[-1].text
    wire.check_loop()


async def test_an_edited_call_is_made_as_the_person_wants_it(agent: Any, wire: Any, sent: Any, way: str) -> None:
    await start(agent, way)
    edited = {"name": "send_mail", "args": {"to": "bob@example.org", "text": "Not yet."}}
    await resume(agent, way, decide(type="edit", edited_action=edited))

    assert sent == [("bob@example.org", "Not yet.")]
    assert "a human reviewer replaced this tool call" in wire.results[0]
    wire.check_loop()


async def test_a_rejected_call_is_not_made_and_the_model_is_told_why(
    agent: Any, wire: Any, sent: Any, way: str
) -> None:
    await start(agent, way)
    await resume(agent, way, decide(type="reject", message="No mails today."))

    assert sent == []
    assert wire.results == ["User rejected the tool call for `send_mail` with reason: No mails today."]
    wire.check_loop()


async def test_a_person_can_answer_in_the_tools_place(agent: Any, wire: Any, sent: Any, way: str) -> None:
    await start(agent, way)
    await resume(agent, way, decide(type="respond", message="I told her myself."))

    assert sent == []
    assert wire.results == ["I told her myself."]
    wire.check_loop()
