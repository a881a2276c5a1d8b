"""A stream and a whole body give the same message, however the bytes are cut."""

from __future__ import annotations

import json
from typing import Any

import pytest
from drivers import STREAMED, Answer, Driver, in_every_mode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kimi_adapters.local_server import LocalKimi
from kimi_core import KimiClient, Message, OverloadedError, Request, Tool
from kimi_core.events import Finished, ReasoningDelta, TextDelta, reduce

# Reasoning, text with wide characters, two parallel calls interleaved, usage in the choice and at the end.
USAGE = {
    "prompt_tokens": 213,
    "completion_tokens": 99,
    "total_tokens": 312,
    "cached_tokens": 200,
    "completion_tokens_details": {"reasoning_tokens": 46},
    "prompt_tokens_details": {"cached_tokens": 200},
}
HEAD = {"id": "chatcmpl-7117", "object": "chat.completion.chunk", "created": 1787685033, "model": "kimi-k2.6"}


def _call(index: int, **function: str) -> dict[str, Any]:
    first = {"id": f"functions.look:{index}", "type": "function"} if "name" in function else {}
    return {"tool_calls": [{"index": index, **first, "function": function}]}


DELTAS: list[dict[str, Any]] = [
    {"role": "assistant", "content": ""},
    {"reasoning_content": "Der Nutzer "},
    {"reasoning_content": "fragt nach 東京 🗼."},
    {"reasoning_content": ""},
    {"content": "Ich schaue "},
    {"content": "nach – 少々お待ちください 👀."},
    _call(0, name="look", arguments=""),
    _call(1, name="look", arguments=""),
    _call(0, arguments='{"city": "東'),
    _call(1, arguments='{"city": '),
    _call(0, arguments='京"}'),
    _call(1, arguments='"São Paulo 🌆"}'),
]
CHUNKS = [
    *({**HEAD, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in DELTAS),
    {**HEAD, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls", "usage": USAGE}]},
    {**HEAD, "choices": [], "usage": USAGE},
]
RECORDED = b": ping\n\n" + b"".join(f"data: {json.dumps(c, ensure_ascii=False)}\n\n".encode() for c in CHUNKS)
RECORDED += b"data: [DONE]\n\n"
BODY = {
    **HEAD,
    "object": "chat.completion",
    "choices": [
        {
            "index": 0,
            "finish_reason": "tool_calls",
            "message": {
                "role": "assistant",
                "content": "Ich schaue nach – 少々お待ちください 👀.",
                "reasoning_content": "Der Nutzer fragt nach 東京 🗼.",
                "tool_calls": [
                    {
                        "id": f"functions.look:{i}",
                        "type": "function",
                        "function": {"name": "look", "arguments": json.dumps({"city": city})},
                    }
                    for i, city in enumerate(("東京", "São Paulo 🌆"))
                ],
            },
        }
    ],
    "usage": USAGE,
}


def look(city: str) -> str:
    """Look a city up."""
    return city


def ask(driver: Driver, kimi: LocalKimi) -> Answer:
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key, max_retries=0)
    return driver.ask(model, "Look Tokyo and São Paulo up.", tools=[look])


@in_every_mode
def test_a_whole_body_and_a_stream_give_the_same_message(driver: Driver, kimi: LocalKimi) -> None:
    kimi.enqueue(chunks=[RECORDED]) if driver.streams else kimi.enqueue(json=BODY)
    answer = ask(driver, kimi)
    assert answer == Answer(
        text="Ich schaue nach – 少々お待ちください 👀.",
        reasoning="Der Nutzer fragt nach 東京 🗼.",
        tool_calls=[
            {"name": "look", "args": {"city": "東京"}, "id": "functions.look:0"},
            {"name": "look", "args": {"city": "São Paulo 🌆"}, "id": "functions.look:1"},
        ],
        finish_reason="tool_calls",
        model="kimi-k2.6",
        input_tokens=213,
        output_tokens=99,
        total_tokens=312,
        cached_tokens=200,
        reasoning_tokens=46,
        cost_usd=(13 * 0.95 + 200 * 0.16 + 99 * 4.0) / 1e6,
    )


@pytest.mark.parametrize("driver", STREAMED, ids=lambda d: d.name)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.sets(st.integers(1, len(RECORDED) - 1), max_size=40))
def test_any_split_of_the_bytes_gives_the_same_message(driver: Driver, kimi: LocalKimi, cuts: set[int]) -> None:
    bounds = [0, *sorted(cuts), len(RECORDED)]
    pieces = [RECORDED[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]
    kimi.enqueue(chunks=[RECORDED])
    whole = ask(driver, kimi)
    kimi.enqueue(chunks=pieces)
    assert ask(driver, kimi) == whole


@pytest.mark.parametrize("driver", STREAMED, ids=lambda d: d.name)
def test_a_stream_cut_by_every_byte_gives_the_same_message(driver: Driver, kimi: LocalKimi) -> None:
    kimi.enqueue(chunks=[RECORDED])
    whole = ask(driver, kimi)
    kimi.enqueue(chunks=[RECORDED[i : i + 1] for i in range(len(RECORDED))])
    assert ask(driver, kimi) == whole


LOOK = Tool("look", "Look a city up.", {"type": "object", "properties": {"city": {"type": "string"}}})
SEARCH = Tool("$web_search", type="builtin_function")


@pytest.mark.parametrize(
    ("words", "tools"),
    [({}, (LOOK,)), ({}, (LOOK, SEARCH)), ({"fallback_hosts": [{"host": "aimlapi", "api_key": "k"}]}, (LOOK,))],
    ids=["alone", "with server tools", "with a fallback host"],
)
def test_the_last_event_has_the_whole_response(words: dict[str, Any], tools: tuple[Any, ...], kimi: LocalKimi) -> None:
    kimi.enqueue(chunks=[RECORDED])
    client = KimiClient(base_url=kimi.base_url, api_key=kimi.api_key, on_unsupported="ignore", **words)
    events = list(client.stream(Request(messages=[Message("user", "Look.")], model="kimi-k2.6", tools=tools)))
    assert isinstance(events[-1], Finished)
    assert events[-1].response == reduce(events)
    assert events[-1].response.text == "Ich schaue nach – 少々お待ちください 👀."


def test_who_changes_an_event_changes_no_answer(kimi: LocalKimi) -> None:
    kimi.enqueue(text="Hello there", reasoning="A greeting.")
    client = KimiClient(base_url=kimi.base_url, api_key=kimi.api_key)
    for event in client.stream(Request(messages=[Message("user", "Hello")], model="kimi-k2.6")):
        if isinstance(event, TextDelta | ReasoningDelta):
            event.text = "?"
    assert isinstance(event, Finished)
    response = event.response
    assert (response.text, response.reasoning and response.reasoning.text) == ("Hello there", "A greeting.")


# ---------------------------------------------------------------------------------------- one network read


@pytest.mark.parametrize("driver", STREAMED, ids=lambda d: d.name)
def test_deltas_of_one_network_read_are_handed_on_as_one(driver: Driver) -> None:
    with LocalKimi(coalesce=1000) as kimi:
        model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key)
        merged = driver.pieces(model, "Tell me a story in some words.")
        apart = driver.pieces(model, "Tell me a story in some words.", merge_deltas=False)
    assert len(merged) <= 5 < 20 < len(apart)
    assert "".join(merged) == "".join(apart)


@pytest.mark.parametrize("driver", STREAMED, ids=lambda d: d.name)
@pytest.mark.parametrize("merge", [True, False])
def test_what_came_in_one_read_with_an_error_is_not_lost(driver: Driver, kimi: LocalKimi, merge: bool) -> None:
    error = {"error": {"message": "The engine is overloaded", "type": "engine_overloaded_error"}}
    texts = [{**HEAD, "choices": [{"index": 0, "delta": {"content": text}}]} for text in ("Hel", "lo")]
    kimi.enqueue(chunks=[b"".join(f"data: {json.dumps(frame)}\n\n".encode() for frame in (*texts, error))])
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key, max_retries=0, merge_deltas=merge)
    seen: list[str] = []
    with pytest.raises(OverloadedError) as raised:
        driver.pieces(model, "Hello", into=seen)
    assert "".join(seen) == "Hello"
    assert raised.value.partial is not None
    assert raised.value.partial.text == "Hello"
