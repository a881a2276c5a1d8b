"""Tokens, as the host counts them."""

from __future__ import annotations

from llama_index.core.base.llms.types import (
    ThinkingBlock,
)
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.llms.function_calling import FunctionCallingLLM

from kimi_adapters.local_server import LocalKimi
from llama_index_conformance.base import (
    CHAT,
    LLMUnderTest,
    Way,
    each,
    each_stream,
    said,
    sent,
)


class Usage(LLMUnderTest):
    """What the host counted is what is read."""

    @each(CHAT)
    def test_usage_is_in_raw(self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way) -> None:
        raw = ask(llm, said("The capital of France?"))[-1].raw
        usage = dict(raw)["usage"]
        assert (usage if isinstance(usage, dict) else usage.model_dump())["completion_tokens"] > 0

    @each(CHAT)
    def test_tokens_are_counted_as_the_host_counts(self, kimi: LocalKimi, ask: Way) -> None:
        counter = TokenCountingHandler()
        llm = self.make(kimi, callback_manager=CallbackManager([counter]))
        kimi.enqueue(text="Hi.", usage={"prompt_tokens": 11, "completion_tokens": 22, "total_tokens": 33})
        ask(llm, said("Hello"))
        [count] = counter.llm_token_counts
        assert (count.prompt_token_count, count.completion_token_count) == (11, 22)

    @each_stream
    def test_streams_ask_for_usage(self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way) -> None:
        ask(llm, said("Hello"))
        assert sent(kimi)["stream_options"] == {"include_usage": True}

    @each(CHAT)
    def test_streams_report_usage_with_cached_and_reasoning_tokens(self, kimi: LocalKimi, ask: Way) -> None:
        counter = TokenCountingHandler()
        llm = self.make(kimi, callback_manager=CallbackManager([counter]))
        usage = {"prompt_tokens": 11, "completion_tokens": 22, "total_tokens": 33, "cached_tokens": 4}
        usage["completion_tokens_details"] = {"reasoning_tokens": 9}  # type: ignore[assignment]
        kimi.enqueue(text="Hi.", usage=usage)
        raw = dict(ask(llm, said("Hello"))[-1].raw)["usage"]
        read = raw if isinstance(raw, dict) else raw.model_dump()
        assert counter.llm_token_counts[0].total_token_count == 33
        assert read["prompt_tokens_details"]["cached_tokens"] == 4
        assert read["completion_tokens_details"]["reasoning_tokens"] == 9

    def test_thinking_says_how_many_tokens_it_took(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        usage = {"prompt_tokens": 1, "completion_tokens": 9, "total_tokens": 10}
        usage["completion_tokens_details"] = {"reasoning_tokens": 7}  # type: ignore[assignment]
        kimi.enqueue(text="Paris.", reasoning="France, so Paris.", usage=usage)
        [thought] = [b for b in llm.chat(said("The capital?")).message.blocks if isinstance(b, ThinkingBlock)]
        assert thought.num_tokens == 7
