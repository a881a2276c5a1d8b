"""LlamaIndex's agents, end to end, on a server as strict as the host."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core.agent.workflow import (
    AgentStream,
    AgentWorkflow,
    CodeActAgent,
    FunctionAgent,
    ReActAgent,
)
from llama_index.core.base.llms.types import ImageBlock, TextBlock
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.tools import FunctionTool
from llama_index.core.workflow import JsonSerializer
from pydantic import BaseModel

from kimi_core.emulator import LocalKimi
from llama_index_kimi import KimiLLM

pytestmark = [
    pytest.mark.filterwarnings("ignore::pydantic.PydanticDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:is_running called from within a step"),
]

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


class Dice:
    """Two dice that count their rolls."""

    def __init__(self) -> None:
        self.red = self.blue = 0

    def roll_red(self) -> str:
        """Roll the red die."""
        self.red += 1
        return f"red {self.red}"

    def roll_blue(self) -> str:
        """Roll the blue die."""
        self.blue += 1
        return f"blue {self.blue}"

    @property
    def tools(self) -> list[FunctionTool]:
        return [FunctionTool.from_defaults(self.roll_red), FunctionTool.from_defaults(self.roll_blue)]


async def run(agent: Any, question: str, **words: Any) -> tuple[Any, list[AgentStream]]:
    handler = agent.run(question, **words)
    streamed = [event async for event in handler.stream_events() if isinstance(event, AgentStream)]
    return await handler, streamed


def ask(agent: Callable[[], Any], question: str, **words: Any) -> tuple[Any, list[AgentStream]]:
    async def begin() -> tuple[Any, list[AgentStream]]:
        return await run(agent(), question, **words)

    return asyncio.run(begin())


KEEP = {"type": "enabled", "keep": "all"}


@pytest.mark.parametrize(
    ("thinking", "streaming"),
    [(None, True), (True, True), (KEEP, True), (True, False)],
    ids=["unset, streamed", "on, streamed", "kept, streamed", "on, whole"],
)
def test_a_loop_of_25_turns_with_parallel_calls_is_never_refused(
    make: Callable[..., KimiLLM], kimi: LocalKimi, thinking: Any, streaming: bool
) -> None:
    dice = Dice()
    question = "Call roll_red and roll_blue in parallel 25 times, then say done."
    llm = make(thinking=thinking)
    ask(
        lambda: FunctionAgent(llm=llm, tools=dice.tools, streaming=streaming),
        question,
        max_iterations=60,
    )
    assert (dice.red, dice.blue) == (25, 25)
    assert len(kimi.requests) == 26
    assert kimi.errors == []


def test_reasoning_is_sent_back_in_every_turn(llm: KimiLLM, kimi: LocalKimi) -> None:
    dice = Dice()
    question = "Call roll_red and roll_blue in parallel 4 times, then say done."
    ask(lambda: FunctionAgent(llm=llm, tools=dice.tools), question)
    said = [m for m in kimi.requests[-1].body["messages"] if m["role"] == "assistant"]
    assert len(said) == 4
    assert all(m["reasoning_content"] for m in said)


def test_thinking_reaches_the_stream_of_the_agent(llm: KimiLLM, kimi: LocalKimi) -> None:
    kimi.enqueue(text="All done.", reasoning="Nothing to roll.")
    _, streamed = ask(lambda: FunctionAgent(llm=llm, tools=Dice().tools), "Hi")
    assert "".join(event.thinking_delta or "" for event in streamed) == "Nothing to roll."
    assert "".join(event.delta for event in streamed) == "All done."


def test_a_conversation_goes_on_from_memory(llm: KimiLLM, kimi: LocalKimi) -> None:
    kept = ChatMemoryBuffer.from_defaults(token_limit=50_000)
    dice = Dice()
    agent = lambda: FunctionAgent(llm=llm, tools=dice.tools)  # noqa: E731
    ask(agent, "Call roll_red and roll_blue in parallel 2 times.", memory=kept)
    ask(agent, "Thanks. Who are you?", memory=kept)
    last = kimi.requests[-1].body["messages"]
    assert [m["role"] for m in last].count("tool") == 4
    assert all(m.get("reasoning_content") for m in last if m.get("tool_calls"))
    assert kimi.errors == []


def test_the_first_tool_can_be_named(make: Callable[..., KimiLLM], kimi: LocalKimi) -> None:
    llm, dice = make(thinking=False), Dice()
    agent = lambda: FunctionAgent(llm=llm, tools=dice.tools, initial_tool_choice="roll_blue")  # noqa: E731
    ask(agent, "Do something.")
    assert kimi.requests[0].body["tool_choice"]["function"]["name"] == "roll_blue"
    assert "tool_choice" not in kimi.requests[1].body
    assert (dice.blue, kimi.errors) == (1, [])


def test_a_tool_that_returns_directly_ends_a_parallel_turn(llm: KimiLLM, kimi: LocalKimi) -> None:
    dice = Dice()
    tools = [FunctionTool.from_defaults(tool.fn, return_direct=True) for tool in dice.tools]
    kept = ChatMemoryBuffer.from_defaults(token_limit=50_000)
    question = "Call roll_red and roll_blue in parallel."
    ask(lambda: FunctionAgent(llm=llm, tools=tools), question, memory=kept)
    with pytest.warns(UserWarning, match="repaired"):
        ask(lambda: FunctionAgent(llm=llm, tools=tools), "Thanks.", memory=kept)
    assert kimi.errors == []


def test_a_tool_that_was_never_offered_is_no_crash(llm: KimiLLM, kimi: LocalKimi) -> None:
    kimi.enqueue(reasoning="Hm.", tool_calls=[{"name": "roll_green", "arguments": {}}])
    kimi.enqueue(text="There is no such die.")
    answer, _ = ask(lambda: FunctionAgent(llm=llm, tools=Dice().tools), "Roll the green die.")
    assert str(answer) == "There is no such die."
    assert "roll_green" in kimi.requests[-1].body["messages"][-1]["content"]


def take_photo() -> list[Any]:
    """Take a photo."""
    return [TextBlock(text="Here."), ImageBlock(image=base64.b64decode(PNG))]


def test_a_picture_from_a_tool_is_seen(llm: KimiLLM, kimi: LocalKimi) -> None:
    ask(lambda: FunctionAgent(llm=llm, tools=[take_photo]), "Call take_photo once.")
    content = kimi.requests[-1].body["messages"][-1]["content"]
    assert [part["type"] for part in content] == ["text", "image_url"]
    assert kimi.errors == []


class Total(BaseModel):
    """How often the dice were rolled."""

    rolls: int


def test_an_agent_answers_with_an_object(llm: KimiLLM, kimi: LocalKimi) -> None:
    kimi.enqueue(text="7 rolls.")
    kimi.enqueue(text='{"rolls": 7}')
    answer, _ = ask(lambda: FunctionAgent(llm=llm, tools=Dice().tools, output_cls=Total), "How many rolls?")
    assert answer.get_pydantic_model(Total) == Total(rolls=7)


def test_agents_hand_over_to_each_other(llm: KimiLLM, kimi: LocalKimi) -> None:
    dice = Dice()
    arguments = {"to_agent": "roller", "reason": "It can roll."}
    kimi.enqueue(reasoning="Not me.", tool_calls=[{"name": "handoff", "arguments": arguments}])
    kimi.enqueue(reasoning="Me.", tool_calls=[{"name": "roll_red", "arguments": {}}])
    kimi.enqueue(text="Rolled.")

    def team() -> AgentWorkflow:
        asker = FunctionAgent(name="asker", description="Asks.", llm=llm, can_handoff_to=["roller"])
        roller = FunctionAgent(name="roller", description="Rolls.", llm=llm, tools=dice.tools)
        return AgentWorkflow(agents=[asker, roller], root_agent="asker")

    answer, _ = ask(team, "Roll the red die.")
    assert (str(answer), dice.red, kimi.errors) == ("Rolled.", 1, [])


def test_a_workflow_chooses_the_agent_that_calls_functions(llm: KimiLLM) -> None:
    workflow = AgentWorkflow.from_tools_or_functions(Dice().tools, llm=llm)
    assert isinstance(next(iter(workflow.agents.values())), FunctionAgent)


def test_a_react_agent_survives_an_empty_answer(llm: KimiLLM, kimi: LocalKimi) -> None:
    kimi.enqueue(text="", reasoning="Hm.")
    kimi.enqueue(text="Thought: I can answer.\nAnswer: Red.")
    with pytest.warns(UserWarning, match="repaired"):
        answer, _ = ask(lambda: ReActAgent(llm=llm, tools=Dice().tools), "Which colour?")
    assert str(answer) == "Red."
    assert kimi.errors == []


def test_a_code_agent_runs(llm: KimiLLM, kimi: LocalKimi) -> None:
    kimi.enqueue(text="<execute>\nprint(6 * 7)\n</execute>")
    kimi.enqueue(text="It is 42.")

    async def execute(code: str) -> str:
        return "42"

    answer, _ = ask(lambda: CodeActAgent(llm=llm, tools=[], code_execute_fn=execute), "What is 6 times 7?")
    assert str(answer) == "It is 42."
    assert kimi.errors == []


def test_a_chat_engine_streams(llm: KimiLLM, kimi: LocalKimi) -> None:
    kimi.enqueue(text="Hello to you.", reasoning="A greeting.")
    engine = SimpleChatEngine.from_defaults(
        llm=llm, memory=ChatMemoryBuffer.from_defaults(token_limit=50_000), system_prompt="Be kind."
    )
    assert "".join(engine.stream_chat("Hello").response_gen) == "Hello to you."
    assert "Kimi" in str(engine.chat("Who are you?"))
    assert kimi.errors == []


def test_messages_survive_a_stored_context(llm: KimiLLM, kimi: LocalKimi) -> None:
    kimi.enqueue(text="Rolling.", reasoning="I roll.", tool_calls=[{"name": "roll_red", "arguments": {}}])
    message = llm.chat_with_tools(Dice().tools, "Roll.").message
    store = JsonSerializer()
    assert store.deserialize(store.serialize(message)) == message
