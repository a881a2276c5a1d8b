"""LlamaIndex's agents, end to end, on a server as strict as the host."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import pytest
from llama_index.core.agent.workflow import (
    AgentStream,
    AgentWorkflow,
    CodeActAgent,
    FunctionAgent,
    ReActAgent,
)
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, TextBlock, ThinkingBlock
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.memory import BaseMemory, ChatMemoryBuffer, Memory
from llama_index.core.program.function_program import get_function_tool
from llama_index.core.tools import FunctionTool
from llama_index.core.workflow import JsonSerializer
from pydantic import BaseModel

from kimi_adapters.local_server import LocalKimi
from kimi_core import BadRequestError
from llama_index_kimi import KimiLLM

pytestmark = [
    pytest.mark.filterwarnings("ignore::pydantic.PydanticDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:is_running called from within a step"),
]

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


T = TypeVar("T")


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
    with pytest.warns(UserWarning, match="repaired"), pytest.warns(UserWarning, match="stopped after thinking"):
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


# --------------------------------------------------------------------------- what LlamaIndex itself leaves undone


@pytest.mark.parametrize("kept", [ChatMemoryBuffer.from_defaults, Memory.from_defaults], ids=["buffer", "memory"])
def test_a_tool_turn_comes_back_whole_from_every_memory(
    llm: KimiLLM, kimi: LocalKimi, kept: Callable[..., BaseMemory]
) -> None:
    memory, dice = kept(token_limit=50_000), Dice()
    agent = lambda: FunctionAgent(llm=llm, tools=dice.tools)  # noqa: E731
    ask(agent, "Call roll_red and roll_blue in parallel 2 times.", memory=memory)
    ask(agent, "Thanks. Who are you?", memory=memory)
    if isinstance(memory, Memory):  # else the garbage collector closes its database
        asyncio.run(memory.sql_store._async_engine.dispose())
    first, second = (request.body["messages"] for request in kimi.requests[-2:])
    assert second[: len(first)] == first  # not a byte differs, so that the host finds its cached prefix
    assert kimi.errors == []


def test_an_agent_that_must_stop_early_says_what_it_has(llm: KimiLLM, kimi: LocalKimi) -> None:
    dice = Dice()
    for _ in range(2):
        kimi.enqueue(reasoning="Again.", tool_calls=[{"name": "roll_red", "arguments": {}}])
    kimi.enqueue(text="One roll so far.")
    answer, _ = ask(
        lambda: FunctionAgent(llm=llm, tools=dice.tools, early_stopping_method="generate"),
        "Roll for ever.",
        max_iterations=2,
    )
    assert (str(answer), kimi.errors) == ("One roll so far.", [])
    assert kimi.requests[-1].body["messages"][-1]["role"] == "system"


def test_a_code_agent_hands_over(llm: KimiLLM, kimi: LocalKimi) -> None:
    dice = Dice()
    arguments = {"to_agent": "roller", "reason": "It can roll."}
    kimi.enqueue(text="Not me.", reasoning="Hm.", tool_calls=[{"name": "handoff", "arguments": arguments}])
    kimi.enqueue(reasoning="Me.", tool_calls=[{"name": "roll_red", "arguments": {}}])
    kimi.enqueue(text="Rolled.")

    async def execute(code: str) -> str:
        return code

    def team() -> AgentWorkflow:
        coder = CodeActAgent(
            name="coder", description="Codes.", llm=llm, tools=[], code_execute_fn=execute, can_handoff_to=["roller"]
        )
        roller = FunctionAgent(name="roller", description="Rolls.", llm=llm, tools=dice.tools)
        return AgentWorkflow(agents=[coder, roller], root_agent="coder")

    with pytest.warns(UserWarning, match="repaired"):  # the code agent forgets its call, and keeps the result
        answer, _ = ask(team, "Roll the red die.")
    assert (str(answer), dice.red, kimi.errors) == ("Rolled.", 1, [])


def test_a_model_that_calls_no_functions_reasons_and_acts(make: Callable[..., KimiLLM], kimi: LocalKimi) -> None:
    dice = Dice()
    llm = make(is_function_calling_model=False)
    kimi.enqueue(text="Thought: I roll.\nAction: roll_red\nAction Input: {}")
    kimi.enqueue(text="Thought: I can answer without using any more tools.\nAnswer: Rolled.")
    workflow = lambda: AgentWorkflow.from_tools_or_functions(dice.tools, llm=llm)  # noqa: E731
    answer, _ = ask(workflow, "Roll the red die.")
    assert (str(answer), dice.red, kimi.errors) == ("Rolled.", 1, [])
    assert all("tools" not in request.body for request in kimi.requests)


def test_an_agent_may_call_one_tool_at_a_time(llm: KimiLLM, kimi: LocalKimi) -> None:
    dice = Dice()
    both = [{"name": "roll_red", "arguments": {}}, {"name": "roll_blue", "arguments": {}}]
    kimi.enqueue(reasoning="Both.", tool_calls=both)
    kimi.enqueue(text="Rolled.")
    _, streamed = ask(
        lambda: FunctionAgent(llm=llm, tools=dice.tools, allow_parallel_tool_calls=False), "Roll both dice."
    )
    assert (dice.red, dice.blue, kimi.errors) == (1, 0, [])
    assert max(len(event.tool_calls) for event in streamed) == 1


class Box(BaseModel, Generic[T]):
    """Something in a box."""

    content: T


def test_an_agent_finds_a_tool_whose_name_no_host_takes(llm: KimiLLM, kimi: LocalKimi) -> None:
    kimi.enqueue(reasoning="In.", tool_calls=[{"name": "Box_int", "arguments": {"content": 7}}])
    answer, _ = ask(lambda: FunctionAgent(llm=llm, tools=[get_function_tool(Box[int])]), "Put 7 into the box.")
    sent = [request.body["tools"][0]["function"]["name"] for request in kimi.requests]
    assert len({*sent}) == 1
    assert [call.tool_name for call in answer.tool_calls] == ["Box[int]"]
    assert kimi.errors == []


def test_a_tool_that_changes_its_arguments_changes_no_message(llm: KimiLLM, kimi: LocalKimi) -> None:
    def sort(numbers: list[int]) -> str:
        """Sort numbers."""
        numbers.sort()
        return str(numbers)

    kimi.enqueue(reasoning="Sort.", tool_calls=[{"name": "sort", "arguments": '{"numbers":[3,1,2]}'}])
    ask(lambda: FunctionAgent(llm=llm, tools=[sort]), "Sort 3, 1 and 2.")
    called = kimi.requests[-1].body["messages"][1]["tool_calls"][0]
    assert called["function"]["arguments"] == '{"numbers":[3,1,2]}'


def test_a_tool_that_fails_is_reported_to_the_model(llm: KimiLLM, kimi: LocalKimi) -> None:
    def roll_gold() -> str:
        """Roll the gold die."""
        raise LookupError("there is no gold die")

    kimi.enqueue(reasoning="Gold.", tool_calls=[{"name": "roll_gold", "arguments": {}}])
    kimi.enqueue(text="There is none.")
    answer, _ = ask(lambda: FunctionAgent(llm=llm, tools=[roll_gold]), "Roll the gold die.")
    assert "there is no gold die" in kimi.requests[-1].body["messages"][-1]["content"]
    assert (str(answer), kimi.errors) == ("There is none.", [])


def test_a_refusal_ends_the_run_as_the_error_it_is(llm: KimiLLM, kimi: LocalKimi) -> None:
    kimi.fail(status=400, type="content_filter")
    with pytest.raises(BadRequestError):
        ask(lambda: FunctionAgent(llm=llm, tools=Dice().tools), "Hi")


def test_reasoning_tokens_are_on_the_thinking_block_that_memory_counts(llm: KimiLLM, kimi: LocalKimi) -> None:
    memory = ChatMemoryBuffer.from_defaults(token_limit=50_000)
    usage = {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21}
    kimi.enqueue(text="Hi.", reasoning="Hm.", usage={**usage, "completion_tokens_details": {"reasoning_tokens": 8}})
    ask(lambda: FunctionAgent(llm=llm, tools=Dice().tools), "Hi", memory=memory)
    (thought,) = (block for m in memory.get_all() for block in m.blocks if isinstance(block, ThinkingBlock))
    assert thought.num_tokens == thought.estimate_tokens() == 8


def test_a_conversation_of_another_model_goes_on(llm: KimiLLM, kimi: LocalKimi) -> None:
    noted = {"id": "call_1", "type": "function", "function": {"name": "roll_red", "arguments": "{}"}}
    memory = ChatMemoryBuffer.from_defaults(
        token_limit=50_000,
        chat_history=[
            ChatMessage(role="user", content="Roll the red die."),
            ChatMessage(role="assistant", content="", additional_kwargs={"tool_calls": [noted]}),
            ChatMessage(role="tool", content="red 1", additional_kwargs={"tool_call_id": "call_1"}),
            ChatMessage(role="assistant", content="It shows 1."),
        ],
    )
    with pytest.warns(UserWarning, match="had no reasoning"):
        ask(lambda: FunctionAgent(llm=llm, tools=Dice().tools), "Thanks.", memory=memory)
    assert kimi.errors == []
