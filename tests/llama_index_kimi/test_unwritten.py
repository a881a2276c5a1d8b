"""What engines and agents of LlamaIndex send by themselves does not stop them: empty prompts, results of tools."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core import Document, SummaryIndex
from llama_index.core.agent.workflow import FunctionAgent, ReActAgent
from llama_index.core.base.llms.types import AudioBlock, ChatMessage, DocumentBlock, TextBlock
from llama_index.core.chat_engine import (
    CondensePlusContextChatEngine,
    ContextChatEngine,
    MultiModalCondensePlusContextChatEngine,
    SimpleChatEngine,
)
from llama_index.core.chat_engine.multi_modal_context import MultiModalContextChatEngine
from llama_index.core.llms.mock import MockLLM
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.tools import FunctionTool

from kimi_adapters.local_server import LocalKimi
from kimi_core import KimiWarning
from llama_index_kimi import KimiLLM

pytestmark = [
    pytest.mark.filterwarnings("ignore::pydantic.PydanticDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:is_running called from within a step"),
]


def retriever() -> Any:
    return SummaryIndex.from_documents([Document(text="The harbour opened in 1911.")]).as_retriever()


def memory() -> ChatMemoryBuffer:
    return ChatMemoryBuffer.from_defaults(token_limit=50_000)


ENGINES: dict[str, Callable[[KimiLLM], Any]] = {
    "simple": lambda llm: SimpleChatEngine.from_defaults(llm=llm, memory=memory(), system_prompt=""),
    "context": lambda llm: ContextChatEngine.from_defaults(retriever(), llm=llm, memory=memory(), system_prompt=""),
    "condense": lambda llm: CondensePlusContextChatEngine.from_defaults(
        retriever(), llm=llm, memory=memory(), system_prompt=""
    ),
    "pictures": lambda llm: MultiModalContextChatEngine.from_defaults(
        retriever(), multi_modal_llm=llm, memory=memory(), system_prompt=""
    ),
    "condense, pictures": lambda llm: MultiModalCondensePlusContextChatEngine.from_defaults(
        retriever(), multi_modal_llm=llm, memory=memory(), system_prompt=""
    ),
}


@pytest.mark.parametrize("model", ["kimi-k2.6", "kimi-k3"])
@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
@pytest.mark.filterwarnings("ignore:The conversation was repaired:kimi_core.KimiWarning")
def test_a_chat_engine_with_an_empty_prompt_answers_twice(
    make: Callable[..., KimiLLM], kimi: LocalKimi, engine: Callable[[KimiLLM], Any], model: str
) -> None:
    chat = engine(make(model=model))
    assert str(chat.chat("When did the harbour open?"))
    assert "".join(chat.stream_chat("And who are you?").response_gen)
    assert kimi.errors == []
    said = kimi.requests[-1].body["messages"]
    assert all(message["content"] for message in said)
    assert model != "kimi-k3" or all("reasoning_content" in m for m in said if m["role"] == "assistant")


def get_report() -> list[Any]:
    """Get the report on the tides."""
    return [TextBlock(text="The report:"), DocumentBlock(data=b"%PDF-1.4\n\0", title="report.pdf")]


def get_horn() -> list[Any]:
    """Get the sound of a ship's horn."""
    return [AudioBlock(audio=b"RIFF\x24\0\0\0WAVEfmt ", format="wav")]


def ask(agent: Any, question: str, kept: Any) -> str:
    async def run() -> str:
        return str(await agent.run(question, memory=kept))

    return asyncio.run(run())


@pytest.mark.parametrize(("tool", "told"), [(get_report, "report.pdf"), (get_horn, "audio was left out")])
def test_an_agent_goes_on_after_a_result_that_cannot_be_sent(
    llm: KimiLLM, kimi: LocalKimi, tool: Callable[[], Any], told: str
) -> None:
    kept = memory()
    with pytest.warns(KimiWarning, match="cannot take what a tool returned"):
        ask(FunctionAgent(llm=llm, tools=[tool]), f"Call {tool.__name__} once.", kept)
    before = kimi.requests[-1].body["messages"]
    assert told in str([message["content"] for message in before if message["role"] == "tool"])
    assert ask(FunctionAgent(llm=llm, tools=[tool]), "Thanks. Who are you?", kept)
    assert kimi.requests[-1].body["messages"][: len(before)] == before
    assert kimi.errors == []


def clear_desk() -> str:
    """Clear the desk."""
    return ""


def test_an_agent_goes_on_after_an_empty_result(llm: KimiLLM, kimi: LocalKimi) -> None:
    with pytest.warns(KimiWarning, match="a tool's result was empty"):
        ask(FunctionAgent(llm=llm, tools=[clear_desk]), "Call clear_desk once.", memory())
    assert kimi.requests[-1].body["messages"][-1]["content"] == "Tool output is empty."
    assert kimi.errors == []


@pytest.mark.filterwarnings("ignore:The conversation was repaired:kimi_core.KimiWarning")
def test_a_react_agent_with_an_empty_prompt_answers(llm: KimiLLM, kimi: LocalKimi) -> None:
    tool = FunctionTool.from_defaults(clear_desk)
    kimi.enqueue(text="Thought: I clear it.\nAction: clear_desk\nAction Input: {}")
    kimi.enqueue(text="Thought: I can answer without using any more tools.\nAnswer: Done.")
    assert ask(ReActAgent(llm=llm, tools=[tool], system_prompt=""), "Clear the desk.", memory()) == "Done."
    assert kimi.errors == []


def test_another_models_turn_in_memory_is_continued(llm: KimiLLM, kimi: LocalKimi) -> None:
    kept = memory()
    kept.put(ChatMessage(content="Hi"))
    kept.put(MockLLM().chat([ChatMessage(content="Hi")]).message)
    assert ask(FunctionAgent(llm=llm, tools=[clear_desk]), "Who are you?", kept)
    assert kimi.errors == []
