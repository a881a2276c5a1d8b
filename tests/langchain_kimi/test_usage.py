"""Tokens and costs, in a message and summed over calls."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.callbacks import get_usage_metadata_callback
from langchain_ways import Ask, frames, sent, streams, ways

from kimi_adapters.local_server import LocalKimi
from langchain_kimi import ChatKimi

USAGE = {"prompt_tokens": 11, "completion_tokens": 22, "total_tokens": 33, "cached_tokens": 4}


@streams
@pytest.mark.parametrize("in_choice", [True, False])
def test_streams_report_usage_wherever_the_host_puts_it(
    model: ChatKimi, kimi: LocalKimi, ask: Ask, in_choice: bool
) -> None:
    answer = frames({"content": "Hi."}, **({"usage": USAGE} if in_choice else {}))
    kimi.enqueue(sse=answer if in_choice else [*answer, {**answer[0], "choices": [], "usage": USAGE}])
    usage = ask(model, "Hello").usage_metadata
    assert sent(kimi)["stream_options"] == {"include_usage": True}
    assert usage is not None
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (11, 22, 33)


@ways
@pytest.mark.parametrize(
    "told", [{"cached_tokens": 4}, {"prompt_tokens_details": {"cached_tokens": 4}}], ids=["top level", "nested"]
)
def test_cached_and_reasoning_tokens_are_kept(model: ChatKimi, kimi: LocalKimi, ask: Ask, told: dict[str, Any]) -> None:
    usage = {"prompt_tokens": 11, "completion_tokens": 22, "total_tokens": 33, **told}
    kimi.enqueue(text="Hi.", usage={**usage, "completion_tokens_details": {"reasoning_tokens": 9}})
    message = ask(model, "Hello")
    assert message.usage_metadata is not None
    assert message.usage_metadata["input_token_details"] == {"cache_read": 4}
    assert message.usage_metadata["output_token_details"] == {"reasoning": 9}
    assert message.response_metadata["token_usage"]["prompt_tokens"] == 11


@ways
def test_usage_is_summed_over_calls(model: ChatKimi, ask: Ask) -> None:
    with get_usage_metadata_callback() as usage:
        first, second = ask(model, "Hello"), ask(model, "Hello")
    total = sum(message.usage_metadata["total_tokens"] for message in (first, second))  # type: ignore[index]
    assert usage.usage_metadata["kimi-k2.6"]["total_tokens"] == total


def test_costs_do_not_break_the_sums(model: ChatKimi) -> None:
    with get_usage_metadata_callback() as usage:
        first = model.invoke("Hello")
        model.invoke("Hello")
    assert isinstance(first.response_metadata["cost_usd"], float)
    assert all(isinstance(value, int | dict) for value in usage.usage_metadata["kimi-k2.6"].values())


async def test_tokens_are_counted_here_or_by_the_host_also_in_an_event_loop(model: ChatKimi, kimi: LocalKimi) -> None:
    tools = [{"type": "function", "function": {"name": "look_up", "description": "Look a word up."}}]
    counted = {by_host: model.count_tokens("Hello", tools=tools, by_host=by_host) for by_host in (False, True)}
    asked = kimi.requests[-1].path
    assert asked.endswith("/estimate-token-count")
    assert counted == {
        by_host: await model.acount_tokens("Hello", tools=tools, by_host=by_host) for by_host in (False, True)
    }
    assert [call.path for call in kimi.requests] == [asked, asked]
    assert counted[True] > model.count_tokens("Hello", by_host=True)
