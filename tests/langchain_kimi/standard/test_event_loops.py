"""One model serves any number of event loops."""

from __future__ import annotations

import asyncio

from kimi_adapters.local_server import LocalKimi
from langchain_kimi import ChatKimi


def test_ten_event_loops_make_exactly_ten_requests(kimi: LocalKimi) -> None:
    """A client of a loop that is closed fails, and SDKs repeat such calls in silence."""
    model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key)
    answers = [asyncio.run(model.ainvoke("What is 2 + 3?")) for _ in range(10)]
    assert ["5" in answer.text for answer in answers] == [True] * 10
    assert [entry.status for entry in kimi.requests] == [200] * 10


def test_ten_streams_in_ten_event_loops_make_exactly_ten_requests(kimi: LocalKimi) -> None:
    async def streamed() -> str:
        return "".join([chunk.text async for chunk in model.astream("What is 2 + 3?")])

    model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key)
    answers = [asyncio.run(streamed()) for _ in range(10)]
    assert ["5" in answer for answer in answers] == [True] * 10
    assert [entry.status for entry in kimi.requests] == [200] * 10
