"""What LlamaIndex's callbacks, counters and instrumentation see of a call."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.events import BaseEvent
from llama_index.core.instrumentation.events.exception import ExceptionEvent
from llama_index.core.instrumentation.events.llm import (
    LLMChatEndEvent,
    LLMChatInProgressEvent,
    LLMChatStartEvent,
    LLMCompletionEndEvent,
    LLMCompletionInProgressEvent,
    LLMCompletionStartEvent,
)
from llama_index.core.llms import callbacks
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index_instrumentation.dispatcher import instrument_tags

from kimi_adapters.local_server import LocalKimi
from kimi_core import APIError
from llama_index_kimi import KimiLLM
from llama_index_kimi._messages_out import to_completion

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
def test_each_response_of_a_stream_is_an_event(llm: KimiLLM, events: list[Any], way: str) -> None:
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


def test_a_broken_stream_is_an_event(llm: KimiLLM, kimi: LocalKimi, events: list[Any]) -> None:
    kimi.cut_stream_after(3)
    with pytest.raises(APIError):
        list(llm.stream_chat(ASKED))
    assert any(isinstance(event, ExceptionEvent) for event in events)


def test_the_start_of_a_call_says_which_model(llm: KimiLLM, events: list[Any]) -> None:
    llm.chat(ASKED, max_tokens=50)
    started = next(event for event in events if isinstance(event, LLMChatStartEvent))
    assert started.model_dict["model"] == "kimi-k2.6"
    assert started.additional_kwargs == {"max_tokens": 50}


# ------------------------------------------------------------------------- as LlamaIndex's own wrappers tell of it


class Plainly(KimiLLM):
    """LlamaIndex's wrappers make events of its calls as they are."""

    @llm_chat_callback()
    def stream_chat(self, messages: Any, **kwargs: Any) -> Any:
        return self._stream(messages, kwargs)

    @llm_chat_callback()
    async def astream_chat(self, messages: Any, **kwargs: Any) -> Any:
        return await self._astream(messages, kwargs)

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        return (to_completion(response) for response in self._stream([ChatMessage(content=prompt)], kwargs))


def told(events: list[Any]) -> list[Any]:
    """Events without what differs from call to call."""
    said = [(type(event), event.model_dump(exclude={"id_", "timestamp", "span_id"})) for event in events]
    events.clear()
    for _, fields in said:
        response = fields.get("response") or {}
        for passing in ("id", "created"):
            (response.get("raw") or {}).pop(passing, None)
    return said


@pytest.mark.parametrize("way", ["stream_chat", "astream_chat", "stream_complete"])
@pytest.mark.parametrize("cut", [False, True], ids=["whole", "broken"])
def test_llama_indexes_own_wrappers_tell_the_same(kimi: LocalKimi, events: list[Any], way: str, cut: bool) -> None:
    both = []
    for cls in (KimiLLM, Plainly):
        llm = cls(base_url=kimi.base_url, api_key=kimi.api_key)
        if cut:
            kimi.cut_stream_after(3)
        with contextlib.suppress(APIError):
            WAYS[way](llm)
        both.append([kind_and_fields for kind_and_fields in told(events) if kind_and_fields[0] is not ExceptionEvent])
    assert both[0] == both[1]
    assert len(both[0]) > 2


def test_the_span_of_the_call_is_told_with_every_response(llm: KimiLLM, events: list[Any]) -> None:
    list(llm.stream_chat(ASKED))
    assert len({event.span_id for event in events}) == 1
    assert events[0].span_id


def test_a_conversation_is_validated_once_and_not_for_every_response(llm: KimiLLM, events: list[Any]) -> None:
    asked = [*ASKED, ChatMessage(role="assistant", content="Hello."), *ASKED]
    list(llm.stream_chat(asked))
    told = [event.messages for event in events if isinstance(event, LLMChatInProgressEvent)]
    assert len(told) > 1
    assert all(messages == asked and messages is not asked for messages in told)
    assert all(a is b for messages in told for a, b in zip(messages, asked, strict=True))


@pytest.mark.parametrize("way", ["stream_chat", "astream_chat", "stream_complete", "astream_complete"])
def test_no_event_is_made_of_a_response_that_nobody_listens_to(
    llm: KimiLLM, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    made: list[type] = []
    real = BaseEvent.__init__
    monkeypatch.setattr(
        BaseEvent, "__init__", lambda self, **fields: (made.append(type(self)), real(self, **fields))[1]
    )
    assert len(WAYS[way](llm)) > 2
    assert len(made) == 2


def test_a_listener_that_comes_late_is_told_the_rest(llm: KimiLLM, request: pytest.FixtureRequest) -> None:
    responses = llm.stream_chat(ASKED)
    next(responses)
    events: list[Any] = request.getfixturevalue("events")
    rest = list(responses)
    assert [event.response for event in events if isinstance(event, LLMChatInProgressEvent)] == rest


def test_a_listener_of_llama_indexes_own_dispatcher_is_told(llm: KimiLLM, events: list[Any]) -> None:
    handler = get_dispatcher().event_handlers.pop()  # the one that `events` has put to the root
    callbacks.dispatcher.add_event_handler(handler)
    try:
        list(llm.stream_complete("Hi"))
    finally:
        callbacks.dispatcher.event_handlers.remove(handler)
        get_dispatcher().add_event_handler(handler)
    assert any(isinstance(event, LLMCompletionInProgressEvent) for event in events)


def test_tags_of_the_caller_are_on_every_event(llm: KimiLLM, events: list[Any]) -> None:
    with instrument_tags({"task": "weather"}):
        list(llm.stream_chat(ASKED))
    assert all(event.tags == {"task": "weather"} for event in events)


def test_tags_are_no_trouble_when_nobody_listens(llm: KimiLLM) -> None:
    with instrument_tags({"task": "weather"}):
        assert list(llm.stream_chat(ASKED))


@pytest.mark.parametrize("way", ["stream_chat", "astream_chat"])
def test_cached_and_reasoning_tokens_are_in_events(llm: KimiLLM, kimi: LocalKimi, events: list[Any], way: str) -> None:
    usage = {"prompt_tokens": 30, "completion_tokens": 12, "total_tokens": 42, "cached_tokens": 20}
    kimi.enqueue(text="Hello.", usage={**usage, "completion_tokens_details": {"reasoning_tokens": 5}})
    WAYS[way](llm)
    ended = next(event for event in events if isinstance(event, LLMChatEndEvent)).response
    assert ended.raw["usage"]["prompt_tokens_details"]["cached_tokens"] == 20
    assert ended.raw["usage"]["completion_tokens_details"]["reasoning_tokens"] == 5
