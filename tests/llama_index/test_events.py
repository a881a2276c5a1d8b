"""What LlamaIndex's callbacks, counters and instrumentation see of a call."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.instrumentation.events.exception import ExceptionEvent
from llama_index.core.instrumentation.events.llm import (
    LLMChatEndEvent,
    LLMChatInProgressEvent,
    LLMChatStartEvent,
    LLMCompletionEndEvent,
    LLMCompletionStartEvent,
)

from kimi_core import APIError
from kimi_core.emulator import LocalKimi
from llama_index_kimi import KimiLLM

ASKED = [ChatMessage(role="user", content="Hi")]


async def collect(stream: Any) -> list[Any]:
    return [response async for response in await stream]


WAYS: dict[str, Callable[[KimiLLM], list[Any]]] = {
    "chat": lambda llm: [llm.chat(ASKED)],
    "achat": lambda llm: [asyncio.run(llm.achat(ASKED))],
    "stream_chat": lambda llm: list(llm.stream_chat(ASKED)),
    "astream_chat": lambda llm: asyncio.run(collect(llm.astream_chat(ASKED))),
    "complete": lambda llm: [llm.complete("Hi")],
    "acomplete": lambda llm: [asyncio.run(llm.acomplete("Hi"))],
    "stream_complete": lambda llm: list(llm.stream_complete("Hi")),
    "astream_complete": lambda llm: asyncio.run(collect(llm.astream_complete("Hi"))),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_call_begins_and_ends_once(llm: KimiLLM, events: list[Any], spans: list[Any], way: str) -> None:
    WAYS[way](llm)
    assert len(spans) == 1
    kinds = Counter(type(event) for event in events)
    chats = (kinds[LLMChatStartEvent], kinds[LLMChatEndEvent])
    completions = (kinds[LLMCompletionStartEvent], kinds[LLMCompletionEndEvent])
    assert (chats, completions) == (((0, 0), (1, 1)) if "complete" in way else ((1, 1), (0, 0)))


@pytest.mark.parametrize("way", ["stream_chat", "astream_chat"])
def test_each_response_of_a_stream_is_told(llm: KimiLLM, events: list[Any], way: str) -> None:
    responses = WAYS[way](llm)
    told = [event.response for event in events if isinstance(event, LLMChatInProgressEvent)]
    assert told == responses
    ended = next(event for event in events if isinstance(event, LLMChatEndEvent))
    assert ended.response == responses[-1]


@pytest.mark.parametrize("way", WAYS)
def test_token_counters_give_the_hosts_numbers(make: Callable[..., KimiLLM], kimi: LocalKimi, way: str) -> None:
    counter = TokenCountingHandler(tokenizer=lambda text: [0] * 1000)
    llm = make(callback_manager=CallbackManager([counter]))
    kimi.enqueue(text="Hello.", usage={"prompt_tokens": 31, "completion_tokens": 7, "total_tokens": 38})
    WAYS[way](llm)
    counted = counter.llm_token_counts
    assert [(c.prompt_token_count, c.completion_token_count) for c in counted] == [(31, 7)]


def test_a_broken_stream_is_told(llm: KimiLLM, kimi: LocalKimi, events: list[Any]) -> None:
    kimi.cut_stream_after(3)
    with pytest.raises(APIError):
        list(llm.stream_chat(ASKED))
    assert any(isinstance(event, ExceptionEvent) for event in events)


def test_the_start_of_a_call_says_which_model(llm: KimiLLM, events: list[Any]) -> None:
    llm.chat(ASKED, max_tokens=50)
    started = next(event for event in events if isinstance(event, LLMChatStartEvent))
    assert started.model_dict["model"] == "kimi-k2.6"
    assert started.additional_kwargs == {"max_tokens": 50}
