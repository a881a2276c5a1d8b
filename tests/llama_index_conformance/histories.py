"""Conversations that others began or broke."""

from __future__ import annotations

from llama_index.core.base.llms.types import (
    ChatMessage,
    ThinkingBlock,
    ToolCallBlock,
)
from llama_index.core.llms.function_calling import FunctionCallingLLM

from kimi_adapters.local_server import LocalKimi
from llama_index_conformance.base import (
    ADD,
    LLMUnderTest,
    said,
)


class Histories(LLMUnderTest):
    """A conversation goes on."""

    def test_a_tool_turn_of_another_model_is_continued(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        blocks = [ToolCallBlock(tool_call_id="call_1", tool_name="add", tool_kwargs={"a": 1, "b": 2})]
        history = [
            *said("What is 1 + 2?"),
            ChatMessage(role="assistant", blocks=blocks),
            ChatMessage(role="tool", content="3", additional_kwargs={"tool_call_id": "call_1"}),
        ]
        llm.chat_with_tools([ADD], chat_history=history)
        assert kimi.errors == []

    def test_histories_that_agents_break_are_mended(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        call = ToolCallBlock(tool_call_id="add_0", tool_name="add", tool_kwargs={"a": 1, "b": 2})
        unanswered = ToolCallBlock(tool_call_id="add_1", tool_name="add", tool_kwargs={"a": 3, "b": 4})
        thought = ThinkingBlock(content="I add.")
        history = [
            *said("Add."),
            ChatMessage(role="assistant", blocks=[thought, call, unanswered]),
            ChatMessage(role="tool", content="3", additional_kwargs={"tool_call_id": "add_0"}),
            ChatMessage(role="assistant", content="3", additional_kwargs={"tool_call_id": "add_0"}),
            ChatMessage(role="assistant", content=""),
            ChatMessage(role="tool", content="lost", additional_kwargs={"tool_call_id": "gone"}),
            *said("Go on."),
        ]
        llm.chat(history)
        assert kimi.errors == []
