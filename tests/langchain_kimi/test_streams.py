"""What a stream of LangChain's chunks says, and how it ends when the host breaks it off."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from langchain_core.exceptions import (
    ModelConnectionError,
    ModelError,
    ModelTimeoutError,
)
from langchain_ways import CALL, Ask, add, frames, streams

from kimi_adapters.local_server import LocalKimi
from langchain_kimi import ChatKimi


@streams
@pytest.mark.parametrize("version", ["v0", "v1"])
def test_text_before_a_call_does_not_swallow_it(
    make: Callable[..., ChatKimi], kimi: LocalKimi, ask: Ask, version: str
) -> None:
    kimi.enqueue(reasoning="I add.", text="I will add.", tool_calls=[CALL])
    message = ask(make(output_version=version).bind_tools([add]), "What is 1 + 2?")
    assert [block["type"] for block in message.content_blocks] == ["reasoning", "text", "tool_call"]
    assert message.tool_calls[0]["args"] == {"a": 1, "b": 2}


@streams
def test_metadata_comes_once_even_if_the_host_says_it_twice(model: ChatKimi, kimi: LocalKimi, ask: Ask) -> None:
    answer = frames({"content": "Hi."})
    kimi.enqueue(sse=[*answer, answer[-1]])
    metadata = ask(model, "Hello").response_metadata
    assert (metadata["finish_reason"], metadata["model_name"]) == ("stop", "kimi-k2.6")


@streams
def test_a_stream_that_breaks_off_is_an_error_with_what_came(model: ChatKimi, kimi: LocalKimi, ask: Ask) -> None:
    kimi.enqueue(sse=frames({"content": "The first half"})[:1], done=False, cut=True)
    with pytest.raises(ModelConnectionError) as caught:
        ask(model, "Hello")
    assert caught.value.partial.text == "The first half"  # type: ignore[attr-defined]
    assert len(kimi.requests) == 1


@streams
def test_a_stream_without_an_end_is_no_success(model: ChatKimi, kimi: LocalKimi, ask: Ask) -> None:
    kimi.enqueue(sse=frames({"content": "The first half"})[:1], done=False)
    with pytest.raises(Exception, match="finish"):
        ask(model, "Hello")


@streams
def test_a_stream_that_falls_silent_ends(make: Callable[..., ChatKimi], ask: Ask) -> None:
    with LocalKimi(chunk_delay=2.0) as slow:
        model = make(base_url=slow.base_url, api_key=slow.api_key, timeout=0.2, max_retries=0)
        with pytest.raises(ModelTimeoutError):
            ask(model, "Hello")


def test_an_error_inside_a_stream_is_a_model_error(model: ChatKimi, kimi: LocalKimi) -> None:
    kimi.enqueue(sse=[{"error": {"message": "The engine is currently overloaded", "type": "engine_overloaded_error"}}])
    with pytest.raises(ModelError, match="overloaded"):
        list(model.stream("Hello"))
