"""Reasoning that comes back."""

from __future__ import annotations

import pytest
from llama_index.core.llms.function_calling import FunctionCallingLLM

from kimi_adapters.local_server import LocalKimi
from llama_index_conformance.base import (
    CHAT,
    LLMUnderTest,
    Way,
    each,
    each_stream,
    frames,
    said,
    thoughts,
)


class Thinking(LLMUnderTest):
    """Reasoning is a thinking block, however it came."""

    @each(CHAT)
    def test_reasoning_is_a_thinking_block(self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way) -> None:
        kimi.enqueue(text="Paris.", reasoning="France, so Paris.")
        assert thoughts(ask(llm, said("The capital of France?"))[-1]) == ["France, so Paris."]

    @each_stream
    def test_thinking_deltas_are_the_reasoning(self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way) -> None:
        kimi.enqueue(text="Paris.", reasoning="France, so it must be Paris.")
        responses = ask(llm, said("The capital of France?"))
        deltas = "".join(response.additional_kwargs.get("thinking_delta") or "" for response in responses)
        assert deltas == "France, so it must be Paris."

    def test_the_first_reasoning_of_an_async_stream_is_kept(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        kimi.enqueue(
            sse=frames({"reasoning_content": "First. "}, {"reasoning_content": "Second."}, {"content": "Paris."})
        )
        assert thoughts(CHAT["astream"](llm, said("The capital of France?"))[-1]) == ["First. Second."]

    @pytest.mark.parametrize("key", ["reasoning", "reasoning_content"])
    @each_stream
    def test_reasoning_is_read_under_either_key(
        self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way, key: str
    ) -> None:
        kimi.enqueue(sse=frames({key: "France, so "}, {key: "Paris."}, {"content": "Paris."}))
        assert thoughts(ask(llm, said("The capital of France?"))[-1]) == ["France, so Paris."]

    @each(CHAT)
    def test_an_answer_that_is_only_reasoning_is_no_empty_answer(self, kimi: LocalKimi, ask: Way) -> None:
        kimi.enqueue(text="", reasoning="It is Paris.")
        llm = self.make(kimi, empty_answer="promote")
        assert "It is Paris." in (ask(llm, said("The capital of France?"))[-1].message.content or "")
