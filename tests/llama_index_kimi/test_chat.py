"""Asking and answering: sync and async, whole and streamed."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from typing import Any

import openai
import pytest
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)

from kimi_adapters.local_server import LocalKimi
from kimi_core import APIError, BadRequestError
from llama_index_kimi import KimiLLM

ASKED = [ChatMessage(role="user", content="Is it raining?")]
CALL = {"name": "look", "arguments": {"where": "outside", "how": "carefully"}}


def chat(llm: KimiLLM, **words: Any) -> list[ChatResponse]:
    return [llm.chat(ASKED, **words)]


def achat(llm: KimiLLM, **words: Any) -> list[ChatResponse]:
    return [asyncio.run(llm.achat(ASKED, **words))]


def stream_chat(llm: KimiLLM, **words: Any) -> list[ChatResponse]:
    return list(llm.stream_chat(ASKED, **words))


def astream_chat(llm: KimiLLM, **words: Any) -> list[ChatResponse]:
    async def collect() -> list[ChatResponse]:
        return [response async for response in await llm.astream_chat(ASKED, **words)]

    return asyncio.run(collect())


def complete(llm: KimiLLM) -> list[CompletionResponse]:
    return [llm.complete("Is it raining?")]


def acomplete(llm: KimiLLM) -> list[CompletionResponse]:
    return [asyncio.run(llm.acomplete("Is it raining?"))]


def stream_complete(llm: KimiLLM) -> list[CompletionResponse]:
    return list(llm.stream_complete("Is it raining?"))


def astream_complete(llm: KimiLLM) -> list[CompletionResponse]:
    async def collect() -> list[CompletionResponse]:
        return [response async for response in await llm.astream_complete("Is it raining?")]

    return asyncio.run(collect())


CHATS = [chat, achat, stream_chat, astream_chat]
STREAMS = [stream_chat, astream_chat]
COMPLETIONS = [complete, acomplete, stream_complete, astream_complete]

Ask = Callable[..., list[Any]]


@pytest.mark.parametrize("ask", CHATS)
def test_the_last_response_holds_reasoning_answer_and_calls(llm: KimiLLM, kimi: LocalKimi, ask: Ask) -> None:
    kimi.enqueue(text="I will look.", reasoning="Who knows?", tool_calls=[CALL, CALL])
    message = ask(llm, tools=[look_tool()])[-1].message
    thinking, text, *calls = message.blocks
    assert isinstance(thinking, ThinkingBlock)
    assert thinking.content == "Who knows?"
    assert text == TextBlock(text="I will look.")
    assert [call.tool_kwargs for call in calls] == [CALL["arguments"]] * 2
    assert len({call.tool_call_id for call in calls}) == 2


def look_tool() -> dict[str, Any]:
    properties = {"where": {"type": "string"}, "how": {"type": "string"}}
    parameters = {"type": "object", "properties": properties}
    return {"type": "function", "function": {"name": "look", "description": "Look.", "parameters": parameters}}


@pytest.mark.parametrize("ask", CHATS)
def test_the_last_response_has_usage_in_openais_form(llm: KimiLLM, kimi: LocalKimi, ask: Ask) -> None:
    usage = {"prompt_tokens": 30, "completion_tokens": 12, "total_tokens": 42, "cached_tokens": 20}
    details = {"completion_tokens_details": {"reasoning_tokens": 5}}
    kimi.enqueue(text="No.", reasoning="Sunny.", usage={**usage, **details})
    last = ask(llm)[-1]
    assert last.raw["usage"] == {**usage, **details, "prompt_tokens_details": {"cached_tokens": 20}}
    facts = last.additional_kwargs
    assert (facts["prompt_tokens"], facts["completion_tokens"], facts["total_tokens"]) == (30, 12, 42)
    assert (facts["cached_tokens"], facts["reasoning_tokens"], facts["finish_reason"]) == (20, 5, "stop")
    assert facts["cost_usd"] == pytest.approx((20 * 0.16 + 10 * 0.95 + 12 * 4.0) / 1e6)
    assert facts["cost_is_estimate"] is True
    assert last.message.blocks[0].num_tokens == 5


@pytest.mark.parametrize("ask", CHATS)
def test_the_envelope_says_who_answered(llm: KimiLLM, kimi: LocalKimi, ask: Ask) -> None:
    raw = ask(llm)[-1].raw
    assert raw["model"] == "kimi-k2.6"
    assert raw["id"]
    assert raw["finish_reason"] == "stop"


@pytest.mark.parametrize("ask", STREAMS)
def test_deltas_add_up_to_the_answer_and_hold_nothing_else(llm: KimiLLM, kimi: LocalKimi, ask: Ask) -> None:
    kimi.enqueue(text="No, not at all, no.", reasoning="I see the sun.", tool_calls=[CALL])
    responses = ask(llm, tools=[look_tool()])
    assert "".join(response.delta for response in responses) == "No, not at all, no."
    assert sum(bool(response.delta) for response in responses) > 1


@pytest.mark.parametrize("ask", STREAMS)
def test_thinking_deltas_add_up_to_the_thinking_block(llm: KimiLLM, kimi: LocalKimi, ask: Ask) -> None:
    kimi.enqueue(text="No.", reasoning="I see the sun, and the moon.")
    responses = ask(llm)
    deltas = [response.additional_kwargs.get("thinking_delta", "") for response in responses]
    assert "".join(deltas) == responses[-1].message.blocks[0].content == "I see the sun, and the moon."
    assert sum(map(bool, deltas)) > 1
    assert not any("thinking_delta" in response.message.additional_kwargs for response in responses)


@pytest.mark.parametrize("ask", STREAMS)
def test_every_response_of_a_stream_holds_everything_so_far(llm: KimiLLM, kimi: LocalKimi, ask: Ask) -> None:
    kimi.enqueue(text="One two three.", reasoning="Count on.")
    so_far = ""
    for response in ask(llm):
        so_far += response.delta
        assert response.message.content == so_far
        assert len([block for block in response.message.blocks if isinstance(block, TextBlock)]) == 1


def test_what_a_stream_handed_out_is_never_changed(llm: KimiLLM, kimi: LocalKimi) -> None:
    kimi.enqueue(text="One two three.", reasoning="Count on.", tool_calls=[CALL, CALL])
    kept, dumped = [], []
    for response in llm.stream_chat(ASKED, tools=[look_tool()]):
        kept.append(response)
        dumped.append(response.model_dump_json())
    assert [response.model_dump_json() for response in kept] == dumped


def test_the_thinking_block_is_shared_once_thinking_is_over(llm: KimiLLM, kimi: LocalKimi) -> None:
    kimi.enqueue(text="One two three four.", reasoning="Count on.")
    answers = [response.message.blocks[0] for response in llm.stream_chat(ASKED) if response.delta]
    assert len({id(block) for block in answers}) == 1


@pytest.mark.parametrize("ask", CHATS)
def test_tool_calls_are_noted_in_openais_shape_with_their_own_text(llm: KimiLLM, kimi: LocalKimi, ask: Ask) -> None:
    kimi.enqueue(tool_calls=[{"name": "look", "arguments": '{"where":  "up"}', "id": "look:7"}])
    message = ask(llm, tools=[look_tool()])[-1].message
    function = {"name": "look", "arguments": '{"where":  "up"}'}
    assert message.additional_kwargs == {"tool_calls": [{"id": "look:7", "type": "function", "function": function}]}


@pytest.mark.parametrize("ask", STREAMS)
def test_tool_calls_are_noted_while_they_stream(llm: KimiLLM, kimi: LocalKimi, ask: Ask) -> None:
    kimi.enqueue(tool_calls=[CALL])
    calling = [r for r in ask(llm, tools=[look_tool()]) if r.message.additional_kwargs.get("tool_calls")]
    assert all(isinstance(block.tool_kwargs, str) for r in calling[:-1] for block in r.message.blocks[1:])
    assert isinstance(calling[-1].message.blocks[-1], ToolCallBlock)


def test_long_arguments_are_handed_on_in_growing_pieces(llm: KimiLLM, kimi: LocalKimi) -> None:
    text = '{"content": "' + "x" * 40_000 + '"}'
    kimi.enqueue(sse=argument_frames([text[i : i + 10] for i in range(0, len(text), 10)]))
    responses = list(llm.stream_chat(ASKED, tools=[look_tool()]))
    assert len(responses) < 1500
    assert responses[-1].message.blocks[-1].tool_kwargs == {"content": "x" * 40_000}


def argument_frames(pieces: list[str]) -> list[dict[str, Any]]:
    first = {"index": 0, "id": "look:0", "type": "function", "function": {"name": "look", "arguments": ""}}
    deltas = [first, *({"index": 0, "function": {"arguments": piece}} for piece in pieces)]
    frames = [{"choices": [{"index": 0, "delta": {"tool_calls": [delta]}}]} for delta in deltas]
    return [*frames, {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}]


@pytest.mark.parametrize("ask", COMPLETIONS)
def test_a_completion_is_one_user_message(llm: KimiLLM, kimi: LocalKimi, ask: Ask) -> None:
    kimi.enqueue(text="No, it is not.", reasoning="Sunny.")
    last = ask(llm)[-1]
    assert str(last) == "No, it is not."
    assert last.additional_kwargs["finish_reason"] == "stop"
    assert last.raw["usage"]["total_tokens"] == last.additional_kwargs["total_tokens"]
    assert kimi.requests[-1].body["messages"] == [{"role": "user", "content": "Is it raining?"}]


@pytest.mark.parametrize("ask", [stream_complete, astream_complete])
def test_deltas_of_a_completion_add_up(llm: KimiLLM, kimi: LocalKimi, ask: Ask) -> None:
    kimi.enqueue(text="No, it is not.", reasoning="Sunny.")
    responses = ask(llm)
    assert "".join(response.delta for response in responses) == responses[-1].text == "No, it is not."


def test_an_async_stream_raises_a_refusal_when_it_is_awaited(llm: KimiLLM) -> None:
    with pytest.raises(BadRequestError):
        asyncio.run(refused(llm))


async def refused(llm: KimiLLM) -> None:
    await llm.astream_chat(ASKED, extra_body={"temperature": 5})


def test_a_sync_stream_raises_a_refusal_when_it_is_made(llm: KimiLLM) -> None:
    with pytest.raises(BadRequestError):
        llm.stream_chat(ASKED, extra_body={"temperature": 5})


@pytest.mark.parametrize("ask", STREAMS)
def test_a_broken_stream_raises_with_what_had_come(llm: KimiLLM, kimi: LocalKimi, ask: Ask) -> None:
    kimi.enqueue(text="One two three four five.", reasoning="Count.")
    kimi.cut_stream_after(6)
    with pytest.raises(APIError) as caught:
        ask(llm)
    assert caught.value.partial is not None
    assert "One two three four five.".startswith(caught.value.partial.text)


def test_one_object_serves_two_event_loops(llm: KimiLLM, kimi: LocalKimi) -> None:
    assert achat(llm)[0].message.content == astream_chat(llm)[-1].message.content
    assert len(kimi.requests) == 2


def test_a_stream_nobody_iterates_gives_its_connection_back(make: Callable[..., KimiLLM]) -> None:
    http = importlib.import_module(openai.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0])
    with http.Client(limits=http.Limits(max_connections=1)) as client:
        llm = make(http_client=client, max_retries=0, timeout=5)
        llm.stream_chat(ASKED)
        next(llm.stream_chat(ASKED))
        assert llm.chat(ASKED).message.content


def test_the_callers_messages_stay_as_they_are(llm: KimiLLM) -> None:
    asked = [
        ChatMessage(role="system", content="Be brief."),
        ChatMessage(role="assistant", blocks=[ThinkingBlock(content="x"), TextBlock(text="")]),
        *ASKED,
    ]
    before = [message.model_dump_json() for message in asked]
    with pytest.warns(UserWarning, match="was repaired"):
        llm.chat(asked)
    assert [message.model_dump_json() for message in asked] == before


def test_log_probabilities_come_as_llama_indexes(llm: KimiLLM, kimi: LocalKimi) -> None:
    top = [{"token": "No", "logprob": -0.1, "bytes": [78]}, {"token": "Yes", "logprob": -2.0, "bytes": None}]
    content = [{"token": "No", "logprob": -0.1, "bytes": [78], "top_logprobs": top}]
    message = {"role": "assistant", "content": "No"}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": {"content": content}}
    kimi.enqueue(json={"id": "1", "model": "kimi-k2.6", "choices": [choice]})
    logprobs = llm.chat(ASKED).logprobs
    assert logprobs is not None
    assert [(alternative.token, alternative.logprob) for alternative in logprobs[0]] == [
        ("No", -0.1),
        ("Yes", -2.0),
    ]


def test_an_async_stream_that_is_left_early_gives_its_connection_back(make: Callable[..., KimiLLM]) -> None:
    http = importlib.import_module(openai.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0])

    async def leave_early() -> str | None:
        async with http.AsyncClient(limits=http.Limits(max_connections=1)) as client:
            llm = make(async_http_client=client, max_retries=0, timeout=5)
            await llm.astream_chat(ASKED)
            async for _ in await llm.astream_chat(ASKED):
                break
            content: str | None = (await llm.achat(ASKED)).message.content
            return content

    assert asyncio.run(leave_early())
