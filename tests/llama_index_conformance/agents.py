"""Agents and chat engines."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from llama_index.core.agent.workflow import AgentStream, FunctionAgent, ReActAgent
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.memory import ChatMemoryBuffer

from kimi_adapters.local_server import LocalKimi
from llama_index_conformance.base import (
    ADD,
    City,
    LLMUnderTest,
)


class Agents(LLMUnderTest):
    """A loop ends with its answer."""

    def test_an_agent_goes_through_a_loop(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        for index in range(5):
            call = {"name": "add", "arguments": {"a": index, "b": 1}, "id": f"add_{index}"}
            kimi.enqueue(reasoning=f"Step {index}.", tool_calls=[call])
        kimi.enqueue(text="Done.")

        async def run() -> str:
            agent = FunctionAgent(tools=[ADD], llm=llm)
            return str(await agent.run("Count.", memory=ChatMemoryBuffer.from_defaults(token_limit=100_000)))

        assert asyncio.run(run()) == "Done."
        assert kimi.errors == []

    def test_an_agent_answers_with_an_object(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        async def run() -> Any:
            agent = FunctionAgent(tools=[ADD], llm=llm, output_cls=City)
            memory = ChatMemoryBuffer.from_defaults(token_limit=100_000)
            return await agent.run("Alora is a city named Alora with 4100 people.", memory=memory)

        assert asyncio.run(run()).get_pydantic_model(City) == City(name="Alora", people=4100)

    # LlamaIndex's own: its ReAct parser asks the running workflow whether it runs
    @pytest.mark.filterwarnings("ignore:is_running called from within a step")
    @pytest.mark.filterwarnings("ignore:The answer of .* is empty")
    def test_an_agent_survives_an_answer_without_text(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        kimi.enqueue(text="", reasoning="I am not done.")
        kimi.enqueue(text="", reasoning="I am still not done.")
        for _ in range(3):
            kimi.enqueue(text="Thought: I can answer.\nAnswer: Paris.")

        async def run() -> str:
            agent = ReActAgent(tools=[ADD], llm=llm)
            return str(await agent.run("The capital?", memory=ChatMemoryBuffer.from_defaults(token_limit=100_000)))

        assert "Paris." in asyncio.run(run())
        assert kimi.errors == []

    def test_thinking_reaches_the_stream_of_an_agent(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        kimi.enqueue(text="Paris.", reasoning="France, so Paris.")

        async def run() -> str:
            memory = ChatMemoryBuffer.from_defaults(token_limit=100_000)
            handler = FunctionAgent(tools=[ADD], llm=llm).run("The capital of France?", memory=memory)
            events = [event async for event in handler.stream_events() if isinstance(event, AgentStream)]
            await handler
            return "".join(event.thinking_delta or "" for event in events)

        assert asyncio.run(run()) == "France, so Paris."

    def test_a_chat_engine_streams_answers_of_several_blocks(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        kimi.enqueue(text="Paris.", reasoning="France.")
        engine = SimpleChatEngine.from_defaults(llm=llm, memory=ChatMemoryBuffer.from_defaults(token_limit=100_000))
        assert "".join(engine.stream_chat("The capital of France?").response_gen) == "Paris."
        assert str(engine.chat("And now?"))
