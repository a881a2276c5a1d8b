"""Thinking as an option, on a model that can be switched."""

from __future__ import annotations

import pytest
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.llms.function_calling import FunctionCallingLLM

from kimi_adapters.local_server import LocalKimi
from llama_index_conformance.base import (
    ASK,
    PREDICT,
    City,
    LLMUnderTest,
    Way,
    each,
    said,
    sent,
)


class ThinkingOption(LLMUnderTest):
    """Thinking can be switched, and nothing else breaks."""

    def test_thinking_is_switched_for_one_call(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        llm.chat(said("Hello"), thinking=False)
        assert sent(kimi)["thinking"] == {"type": "disabled"}
        llm.chat(said("Hello"))
        assert "thinking" not in sent(kimi)

    def test_a_wrong_value_of_thinking_is_refused(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        with pytest.raises(ValueError, match="thinking"):
            llm.chat(said("Hello"), thinking="off")

    @pytest.mark.parametrize("thinking", [None, False])
    def test_no_temperature_is_sent_that_is_refused(self, kimi: LocalKimi, thinking: bool | None) -> None:
        options = {} if thinking is None else {"thinking": thinking}
        assert self.make(kimi, **options).chat(said("Hello")).message.content
        assert kimi.errors == []

    @each(PREDICT)
    @pytest.mark.parametrize("thinking", [None, True, False])
    def test_objects_come_whether_it_thinks_or_not(self, kimi: LocalKimi, ask: Way, thinking: bool | None) -> None:
        llm = self.make(kimi, **({} if thinking is None else {"thinking": thinking}))
        assert ask(llm, City, ASK, city="Alora, a city named Alora with 4100 people")[-1].people == 4100
        assert kimi.errors == []

    def test_objects_keep_thinking_usage_and_the_limit(self, kimi: LocalKimi) -> None:
        counter = TokenCountingHandler()
        llm = self.make(kimi, thinking=True, max_tokens=5000, callback_manager=CallbackManager([counter]))
        llm.structured_predict(City, ASK, city="Alora with 4100 people")
        assert sent(kimi)["thinking"] == {"type": "enabled"}
        assert 5000 in (sent(kimi).get("max_tokens"), sent(kimi).get("max_completion_tokens"))
        assert counter.llm_token_counts[0].total_token_count > 0
