"""Copies, pickles, event loops, and the key."""

from __future__ import annotations

import asyncio
import copy
import pickle
from typing import Any

import pytest
from llama_index.core.llms.function_calling import FunctionCallingLLM

from kimi_adapters.local_server import LocalKimi
from llama_index_conformance.base import (
    KEY,
    LLMUnderTest,
    said,
)


class Lifetime(LLMUnderTest):
    """An LLM outlives its calls and shows no key."""

    def test_it_is_pickled_after_use(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        llm.chat(said("Hello"))
        assert pickle.loads(pickle.dumps(llm)).chat(said("Hello")).message.content

    def test_it_is_copied_after_use(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        llm.chat(said("Hello"))
        assert copy.deepcopy(llm).chat(said("Hello")).message.content

    def test_ten_event_loops_make_ten_requests(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        async def ask() -> Any:
            return await llm.achat(said("Hello"))

        for _ in range(10):
            asyncio.run(ask())
        assert len(kimi.requests) == 10

    def test_the_key_is_nowhere_to_be_read(self, kimi: LocalKimi) -> None:
        llm = self.make(kimi, api_key=KEY)
        shown = [repr(llm), str(llm), llm.to_json(), str(llm.to_dict()), str(llm.to_payload()), llm.model_dump_json()]
        assert [text for text in shown if KEY in text] == []

    def test_the_key_is_in_no_event(self, kimi: LocalKimi, events: list[Any]) -> None:
        llm = self.make(kimi, api_key=KEY, max_retries=0)
        with pytest.raises(Exception, match="(?i)auth|key|401") as caught:
            llm.chat(said("Hello"))
        assert KEY not in str(caught.value)
        assert [event for event in events if KEY in event.model_dump_json(fallback=str)] == []
