"""What is tried again, and where an error is raised."""

from __future__ import annotations

import asyncio

import pytest
from llama_index.core.llms.function_calling import FunctionCallingLLM

from kimi_adapters.local_server import LocalKimi
from llama_index_conformance.base import (
    LLMUnderTest,
    said,
)


class Errors(LLMUnderTest):
    """Only what may pass is tried again."""

    def test_an_async_stream_fails_where_it_is_awaited(self, kimi: LocalKimi) -> None:
        llm = self.make(kimi, max_retries=0)
        kimi.fail(1, status=401, type="invalid_authentication_error")

        async def ask() -> None:
            await llm.astream_chat(said("Hello"))

        with pytest.raises(Exception, match="(?i)auth|key|401"):
            asyncio.run(ask())

    def test_overload_is_tried_again_and_a_wrong_key_is_not(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        kimi.fail(1)
        assert llm.chat(said("Hello")).message.content
        assert len(kimi.requests) == 2
        kimi.fail(1, status=401, type="invalid_authentication_error")
        with pytest.raises(Exception, match="(?i)auth|key|401"):
            llm.chat(said("Hello"))
        assert len(kimi.requests) == 3

    def test_a_quota_that_is_used_up_is_asked_once(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        kimi.fail(20, status=429, type="exceeded_current_quota_error")
        with pytest.raises(Exception, match="(?i)quota"):
            llm.chat(said("Hello"))
        assert len(kimi.requests) == 1
