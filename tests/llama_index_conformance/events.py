"""The events of instrumentation and callbacks."""

from __future__ import annotations

from typing import Any

import pytest
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.instrumentation.events.llm import (
    LLMChatEndEvent,
    LLMChatStartEvent,
    LLMCompletionEndEvent,
    LLMCompletionStartEvent,
)
from llama_index.core.llms.function_calling import FunctionCallingLLM

from kimi_adapters.local_server import LocalKimi
from llama_index_conformance.base import (
    CHAT,
    COMPLETE,
    LLMUnderTest,
    Way,
    each,
    said,
)


class Events(LLMUnderTest):
    """One call is one pair of events."""

    @each(CHAT)
    def test_a_chat_is_one_event(self, llm: FunctionCallingLLM, kimi: LocalKimi, events: list[Any], ask: Way) -> None:
        ask(llm, said("Hello"))
        assert sum(isinstance(event, LLMChatStartEvent) for event in events) == 1
        assert sum(isinstance(event, LLMChatEndEvent) for event in events) == 1

    @each(COMPLETE)
    def test_a_completion_is_one_event(
        self, llm: FunctionCallingLLM, kimi: LocalKimi, events: list[Any], ask: Way
    ) -> None:
        ask(llm, "Hello")
        assert sum(isinstance(event, LLMCompletionStartEvent) for event in events) == 1
        assert sum(isinstance(event, LLMCompletionEndEvent) for event in events) == 1
        assert not any(isinstance(event, LLMChatStartEvent) for event in events)

    @each(CHAT)
    def test_an_error_is_told_to_callbacks(self, kimi: LocalKimi, ask: Way) -> None:
        counter = TokenCountingHandler()
        llm = self.make(kimi, callback_manager=CallbackManager([counter]), max_retries=0)
        kimi.fail(1, status=401, type="invalid_authentication_error")
        with pytest.raises(Exception, match="(?i)auth|key|401"):
            ask(llm, said("Hello"))
