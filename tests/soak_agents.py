"""The conversations of `make soak`: agents, streams and structured output of both frameworks, sync and async."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from langchain.agents import create_agent
from llama_index.core import PromptTemplate
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel

from langchain_kimi import ChatKimi
from llama_index_kimi import KimiLLM

TASK = "Call roll_red and roll_blue in parallel, 2 times one after the other. Then say that you are done."
SAID = "The code is 4711. What is the code?"
LONG = f"Repeat: {'the harbour lies still and the ships wait for the wind ' * 10}"


class Person(BaseModel):
    """A person."""

    name: str
    age: int


def roll_red() -> str:
    """Roll the red die."""
    return "The red die shows 3."


def roll_blue() -> str:
    """Roll the blue die."""
    return "The blue die shows 5."


TOOLS: list[Any] = [roll_red, roll_blue]
ASKED: Any = {"messages": [{"role": "user", "content": TASK}]}


class Conversations:
    """Runs one conversation after the other; every one of them may end in an error.

    Half of them use models that all agents share, the other half make their own.
    """

    def __init__(self, **where: Any) -> None:
        self._where = where
        self._chat, self._llm = ChatKimi(**where), KimiLLM(**where)
        self.sync: Mapping[str, Callable[[random.Random], object]] = {
            "LangGraph agent": self._agent,
            "LangGraph agent, streamed": self._agent_stream,
            "LangChain stream": self._stream,
            "LangChain structured": self._structured,
            "LlamaIndex tool": self._llama_tool,
            "LlamaIndex stream": self._llama_stream,
            "LlamaIndex structured": self._llama_structured,
        }
        self.asynchronous: Mapping[str, Callable[[random.Random], Coroutine[Any, Any, object]]] = {
            "LangGraph agent, async": self._aagent,
            "LangGraph agent, streamed, async": self._aagent_stream,
            "LangChain stream, async": self._astream,
            "LangChain structured, async": self._astructured,
            "LlamaIndex agent, async": self._llama_agent,
            "LlamaIndex stream, async": self._llama_astream,
            "LlamaIndex structured, async": self._llama_astructured,
        }

    def _model(self, rng: random.Random) -> ChatKimi:
        return self._chat if rng.random() < 0.5 else ChatKimi(**self._where)

    def _llama(self, rng: random.Random) -> KimiLLM:
        return self._llm if rng.random() < 0.5 else KimiLLM(**self._where)

    # ---------------------------------------------------------------------------------------------- LangChain

    def _agent(self, rng: random.Random) -> object:
        return create_agent(self._model(rng), TOOLS).invoke(ASKED)

    async def _aagent(self, rng: random.Random) -> object:
        return await create_agent(self._model(rng), TOOLS).ainvoke(ASKED)

    def _agent_stream(self, rng: random.Random) -> object:
        return [0 for _ in create_agent(self._model(rng), TOOLS).stream(ASKED, stream_mode="messages")]

    async def _aagent_stream(self, rng: random.Random) -> object:
        return [0 async for _ in create_agent(self._model(rng), TOOLS).astream(ASKED, stream_mode="messages")]

    def _stream(self, rng: random.Random) -> object:
        most = rng.choice([3, 10_000])  # a third of a stream's readers go away
        with contextlib.closing(self._model(rng).stream(LONG)) as stream:  # type: ignore[type-var]
            return [0 for _, _ in zip(range(most), stream, strict=False)]

    async def _astream(self, rng: random.Random) -> object:
        most, read = rng.choice([3, 10_000]), 0
        async with contextlib.aclosing(self._model(rng).astream(LONG)) as stream:  # type: ignore[type-var]
            async for _ in stream:
                read += 1
                if read == most:
                    break
        return read

    def _structured(self, rng: random.Random) -> object:
        return self._model(rng).with_structured_output(Person).invoke("Ada Lovelace was 36.")

    async def _astructured(self, rng: random.Random) -> object:
        return await self._model(rng).with_structured_output(Person).ainvoke("Ada Lovelace was 36.")

    # --------------------------------------------------------------------------------------------- LlamaIndex

    def _llama_tool(self, rng: random.Random) -> object:
        tools = [FunctionTool.from_defaults(roll_red)]
        return self._llama(rng).predict_and_call(tools, "Call roll_red.", error_on_no_tool_call=True)

    async def _llama_agent(self, rng: random.Random) -> object:
        handler = FunctionAgent(tools=TOOLS, llm=self._llama(rng)).run(TASK)
        async for _ in handler.stream_events():
            pass
        return await handler

    def _llama_stream(self, rng: random.Random) -> object:
        most = rng.choice([3, 10_000])
        with contextlib.closing(self._llama(rng).stream_chat([ChatMessage(LONG)])) as stream:  # type: ignore[type-var]
            return [0 for _, _ in zip(range(most), stream, strict=False)]

    async def _llama_astream(self, rng: random.Random) -> object:
        most, read = rng.choice([3, 10_000]), 0
        async with contextlib.aclosing(await self._llama(rng).astream_chat([ChatMessage(LONG)])) as stream:  # type: ignore[type-var]
            async for _ in stream:
                read += 1
                if read == most:
                    break
        return read

    def _llama_structured(self, rng: random.Random) -> object:
        return self._llama(rng).structured_predict(Person, PromptTemplate("Ada Lovelace was 36."))

    async def _llama_astructured(self, rng: random.Random) -> object:
        return await self._llama(rng).astructured_predict(Person, PromptTemplate("Ada Lovelace was 36."))
