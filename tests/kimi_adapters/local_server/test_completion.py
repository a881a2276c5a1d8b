"""The shapes of answers: whole bodies, streams, usage, ids, limits, partial mode."""

from __future__ import annotations

import time

import pytest

OFF = {"type": "disabled"}
WORDS = "alpha beta gamma delta"


def joined(frames, key):
    deltas = [frame["choices"][0]["delta"] for frame in frames if frame["choices"]]
    return "".join(delta.get(key) or "" for delta in deltas)


def test_a_whole_body_has_exactly_the_fields_of_the_real_one(moonshot):
    body = moonshot.chat().json
    assert list(body) == ["id", "object", "created", "model", "choices", "usage"]
    assert (body["object"], body["model"]) == ("chat.completion", "kimi-k2.6")
    assert body["id"].startswith("chatcmpl-")
    assert abs(body["created"] - time.time()) < 10
    assert list(body["choices"][0]) == ["index", "message", "finish_reason"]
    assert list(body["choices"][0]["message"]) == ["role", "content", "reasoning_content"]
    assert list(body["usage"]) == [
        "prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens",
        "completion_tokens_details", "prompt_tokens_details",
    ]  # fmt: skip


def test_usage_adds_up_and_counts_the_reasoning(moonshot):
    usage = moonshot.chat().json["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert 0 < usage["completion_tokens_details"]["reasoning_tokens"] < usage["completion_tokens"]


def test_without_thinking_the_reasoning_is_an_empty_text(moonshot):
    reply = moonshot.chat(thinking=OFF)
    assert reply.message["reasoning_content"] == ""
    assert reply.json["usage"]["completion_tokens_details"]["reasoning_tokens"] == 0


def test_the_same_request_gets_the_same_reply(moonshot):
    first, second = (moonshot.chat("Tell me a joke about cats.").json for _ in range(2))
    for body in (first, second):
        del body["id"], body["created"]
    assert first == second


def test_a_refusal_is_in_a_field_of_its_own_beside_no_content(moonshot):
    moonshot.kimi.enqueue(refusal="I cannot help with that.")
    message = moonshot.chat().message
    assert (message["content"], message["refusal"]) == (None, "I cannot help with that.")
    moonshot.kimi.enqueue(refusal="I cannot help with that.")
    deltas = [frame["choices"][0]["delta"] for frame in moonshot.stream().frames]
    assert deltas[0] == {"role": "assistant", "content": "", "refusal": None}
    assert [list(delta) for delta in deltas[1:]] == [*[["refusal"]] * 5, []]


def test_a_stream_goes_role_reasoning_its_end_text_finish(moonshot):
    frames = moonshot.stream().frames
    deltas = [frame["choices"][0]["delta"] for frame in frames]
    keys = ["+".join(delta) for delta in deltas]
    assert deltas[0] == {"role": "assistant", "content": ""}
    end = keys.index("content", 1)
    assert set(keys[1:end]) == {"reasoning_content"}
    assert deltas[end - 1] == {"reasoning_content": ""}
    assert set(keys[end:-1]) == {"content"}
    assert deltas[-1] == {}
    assert [frame["choices"][0]["finish_reason"] for frame in frames[:-1]] == [None] * (len(frames) - 1)
    assert frames[-1]["choices"][0]["finish_reason"] == "stop"


def test_a_stream_says_the_same_as_a_whole_body(moonshot):
    whole, frames = moonshot.chat(), moonshot.stream().frames
    assert joined(frames, "content") == whole.text
    assert joined(frames, "reasoning_content") == whole.message["reasoning_content"]


def test_a_stream_ends_with_done_and_has_the_type_of_an_event_stream(moonshot):
    reply = moonshot.stream()
    assert reply.lines[-1] == "[DONE]"
    assert reply.headers["content-type"].startswith("text/event-stream")


def test_every_chunk_of_a_stream_has_the_same_head(moonshot):
    heads = {(frame["id"], frame["object"], frame["created"], frame["model"]) for frame in moonshot.stream().frames}
    assert len(heads) == 1
    assert next(iter(heads))[1] == "chat.completion.chunk"


def test_a_stream_without_thinking_has_no_reasoning(moonshot):
    frames = moonshot.stream(thinking=OFF).frames
    assert not any("reasoning_content" in frame["choices"][0]["delta"] for frame in frames)


def test_usage_of_a_stream_is_in_the_finish_chunk_only(moonshot):
    frames = moonshot.stream().frames
    assert [at for at, frame in enumerate(frames) if "usage" in frame["choices"][0]] == [len(frames) - 1]
    assert not any("usage" in frame for frame in frames)


def test_include_usage_adds_a_chunk_without_choices(moonshot):
    frames = moonshot.stream(stream_options={"include_usage": True}).frames
    assert frames[-1]["choices"] == []
    assert frames[-1]["usage"] == frames[-2]["choices"][0]["usage"]


def test_usage_in_the_choice_can_be_switched_off(moonshot):
    moonshot.kimi.usage_in_choice = False
    try:
        frames = moonshot.stream().frames
    finally:
        moonshot.kimi.usage_in_choice = True
    assert not any("usage" in choice for frame in frames for choice in frame["choices"])


def test_a_streamed_tool_call_opens_with_id_and_name_and_goes_on_with_arguments(moonshot, tool):
    weather = tool("get_weather", "Get the weather", location="string")
    frames = moonshot.stream("What is the weather in San Francisco, CA?", tools=[weather]).frames
    deltas = [frame["choices"][0]["delta"] for frame in frames]
    first, *rest = [delta["tool_calls"][0] for delta in deltas if "tool_calls" in delta]
    assert first == {
        "index": 0,
        "id": "functions.get_weather:0",
        "type": "function",
        "function": {"name": "get_weather", "arguments": ""},
    }
    assert all(set(one) == {"index", "function"} and set(one["function"]) == {"arguments"} for one in rest)
    assert "".join(one["function"]["arguments"] for one in rest) == '{"location": "San Francisco, CA"}'
    assert frames[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_text_can_come_before_tool_calls(moonshot, tool):
    moonshot.kimi.text_before_tools = True
    try:
        reply = moonshot.chat("Use ping.", tools=[tool("ping")])
    finally:
        moonshot.kimi.text_before_tools = False
    assert reply.text == "I will call ping."
    assert reply.calls == [("ping", {})]


def test_call_ids_of_k2_count_through_the_conversation(moonshot, tool):
    tools = [tool("ping"), tool("pong")]
    call = {"id": "functions.ping:0", "type": "function", "function": {"name": "ping", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "Use ping, then pong."},
        {"role": "assistant", "content": "", "reasoning_content": "Ping.", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "functions.ping:0", "content": "ok"},
    ]
    reply = moonshot.chat(messages, tools=tools)
    assert reply.message["tool_calls"][0]["id"] == "functions.pong:1"


def test_call_ids_of_k3_begin_anew_in_each_turn(moonshot, tool):
    tools = [tool("ping"), tool("pong")]
    call = {"id": "ping_0", "type": "function", "function": {"name": "ping", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "Use ping, then pong."},
        {"role": "assistant", "content": "", "reasoning_content": "Ping.", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "ping_0", "content": "ok"},
    ]
    reply = moonshot.chat(messages, tools=tools, model="kimi-k3")
    assert reply.message["tool_calls"][0]["id"] == "pong_0"


@pytest.mark.parametrize("stop", ["gamma", ["nothing", "gamma"]])
def test_a_stop_string_ends_the_text_before_it(moonshot, stop):
    reply = moonshot.chat(f'Reply with "{WORDS}"', stop=stop)
    assert reply.text == "alpha beta "
    assert reply.json["choices"][0]["finish_reason"] == "stop"


def test_a_limit_cuts_the_text(moonshot):
    reply = moonshot.chat(f'Reply with "{WORDS}"', max_completion_tokens=2, thinking=OFF)
    assert reply.text == "alpha be"
    assert reply.json["choices"][0]["finish_reason"] == "length"


def test_a_small_limit_is_eaten_by_the_reasoning(moonshot):
    reply = moonshot.chat(max_tokens=5)
    assert reply.text == ""
    assert reply.message["reasoning_content"]
    assert reply.json["choices"][0]["finish_reason"] == "length"
    assert reply.json["usage"]["completion_tokens"] == 5


def test_max_completion_tokens_wins_over_its_old_name(moonshot):
    reply = moonshot.chat(max_tokens=5, max_completion_tokens=1000)
    assert reply.json["choices"][0]["finish_reason"] == "stop"


def test_partial_mode_goes_on_and_does_not_repeat(moonshot):
    whole = moonshot.chat("Tell me a joke about cats.").text
    messages = [
        {"role": "user", "content": "Tell me a joke about cats."},
        {"role": "assistant", "content": whole[:20], "partial": True},
    ]
    assert moonshot.chat(messages).text == whole[20:]


def test_a_long_prompt_is_cached_from_the_second_time_on(moonshot):
    long = "The quick brown fox jumps over the lazy dog. " * 50
    first, second = (moonshot.chat(long, prompt_cache_key="s").json["usage"] for _ in range(2))
    assert first["cached_tokens"] == 0
    assert second["cached_tokens"] == second["prompt_tokens"] > 256
    assert second["prompt_tokens_details"] == {"cached_tokens": second["cached_tokens"]}


def test_the_common_beginning_of_a_longer_conversation_is_cached(moonshot):
    system = {"role": "system", "content": "Be kind. " * 200}
    moonshot.chat([system, {"role": "user", "content": "one"}])
    usage = moonshot.chat([system, {"role": "user", "content": "two"}]).json["usage"]
    assert 0 < usage["cached_tokens"] < usage["prompt_tokens"]


@pytest.mark.parametrize("body", [{"prompt_cache_key": "other"}, {"thinking": OFF}, {"model": "kimi-k3"}])
def test_another_key_mode_or_model_shares_no_cache(moonshot, body):
    long = "The quick brown fox jumps over the lazy dog. " * 50
    moonshot.chat(long)
    assert moonshot.chat(long, **body).json["usage"]["cached_tokens"] == 0


def test_the_same_message_with_its_keys_in_another_order_is_another_prompt(moonshot):
    message = {"role": "user", "content": "word " * 400, "name": "me"}
    moonshot.chat([message])
    assert moonshot.chat([dict(reversed(message.items()))]).json["usage"]["cached_tokens"] == 0
    assert moonshot.chat([message]).json["usage"]["cached_tokens"] > 0


def test_a_short_prompt_is_never_cached(moonshot):
    moonshot.chat("hi")
    assert moonshot.chat("hi").json["usage"]["cached_tokens"] == 0


def test_less_effort_thinks_less(moonshot):
    low, high = (
        moonshot.chat(model="kimi-k3", reasoning_effort=effort).message["reasoning_content"]
        for effort in ("low", "max")
    )
    assert 0 < len(low) < len(high)


def test_ten_thousand_chunks_arrive(moonshot):
    moonshot.kimi.enqueue(text="word " * 10_000)
    assert len(moonshot.stream().frames) == 10_003


def test_chunks_can_come_slowly(moonshot):
    moonshot.kimi.enqueue(text="a b c")
    moonshot.kimi.chunk_delay = 0.02
    try:
        started = time.perf_counter()
        moonshot.stream()
    finally:
        moonshot.kimi.chunk_delay = 0.0
    assert time.perf_counter() - started >= 0.08


def test_an_answer_can_be_delayed(moonshot):
    moonshot.kimi.delay = 0.05
    try:
        started = time.perf_counter()
        moonshot.chat()
    finally:
        moonshot.kimi.delay = 0.0
    assert time.perf_counter() - started >= 0.05
