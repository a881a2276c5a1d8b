"""What hosts really send: the decoder keeps apart what belongs apart, and reads usage wherever it stands."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimi_core import APIError, DecodeError, OverloadedError, Reasoning, Response, ToolCall, Usage, resolve
from kimi_core.codecs import WireRequest
from kimi_core.codecs.chat_stream import ChatStreamDecoder
from kimi_core.errors import QuotaExceededError
from kimi_core.events import ReasoningDelta, TextDelta, reduce
from kimi_core.hosts.registry import HOSTS


def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


def calls(*deltas: dict[str, Any]) -> dict[str, Any]:
    return chunk({"tool_calls": list(deltas)})


def delta(index: int | None = None, id: str | None = None, name: str | None = None, args: Any = None) -> dict[str, Any]:
    function = {k: v for k, v in (("name", name), ("arguments", args)) if v is not None}
    known = {k: v for k, v in (("index", index), ("id", id)) if v is not None}
    return {**known, "function": function}


def read(
    *frames: Any,
    host: str = "moonshot",
    model: str = "kimi-k2.6",
    headers: dict[str, str] | None = None,
    body: dict[str, Any] | None = None,
    thinks: bool | None = None,
    **facts: Any,
) -> Response:
    wire = WireRequest(path="", body=body or {}, thinks=thinks)
    decoder = ChatStreamDecoder(resolve(HOSTS[host], model, facts), wire, headers or {})
    events = [event for frame in frames for event in decoder.feed(frame)]
    return reduce([*events, *decoder.end()])


USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "cached_tokens": 4}
END = chunk({}, "tool_calls")
A = ToolCall("f:0", "fa", '{"x":1}')
B = ToolCall("f:1", "fb", '{"y":2}')


@pytest.mark.parametrize(
    "deltas",
    [
        [{"content": None, "refusal": "I cannot."}],
        [{"role": "assistant", "content": "", "refusal": None}, {"refusal": "I "}, {"refusal": "cannot."}],
        [{"content": "", "refusal": "I "}, {"content": None, "refusal": "cannot."}],
        [{"content": [{"type": "refusal", "refusal": "I cannot."}]}],
        [{"content": [{"type": "refusal", "refusal": None}, {"type": "text", "text": ""}], "refusal": "I cannot."}],
    ],
    ids=["whole", "OpenAI's stream", "beside content", "a part", "a part that is none"],
)
def test_a_refusal_is_read_wherever_it_is(deltas: list[dict[str, Any]]) -> None:
    response = read(*map(chunk, deltas), chunk({}, "stop"))
    assert (response.text, response.refusal, response.tool_calls) == ("", "I cannot.", ())


def test_text_calls_and_a_refusal_in_one_delta_are_all_kept() -> None:
    response = read(chunk({"content": "So. ", "refusal": "No.", "tool_calls": [delta(0, "f:0", "fa", "{}")]}, "stop"))
    assert (response.text, response.refusal, response.tool_calls[0].name) == ("So. ", "No.", "fa")


@pytest.mark.parametrize(("odd", "kept"), [({"why": "harm"}, '{"why": "harm"}'), (["No."], '["No."]'), (True, "true")])
def test_a_refusal_that_is_no_text_is_kept_as_json(odd: Any, kept: str) -> None:
    assert read(chunk({"refusal": odd}, "stop")).refusal == kept


FORMS = {
    "indexed": [
        calls(delta(0, "f:0", "fa", "")),
        calls(delta(0, args='{"x"')),
        calls(delta(1, "f:1", "fb", "")),
        calls(delta(0, args=":1}")),
        calls(delta(1, args='{"y":2}')),
    ],
    "no index at all": [
        calls(delta(None, "f:0", "fa", "")),
        calls(delta(None, args='{"x":1}')),
        calls(delta(None, "f:1", "fb", "")),
        calls(delta(None, args='{"y":2}')),
    ],
    "index 0 for every call": [
        calls(delta(0, "f:0", "fa", '{"x"')),
        calls(delta(0, args=":1}")),
        calls(delta(0, "f:1", "fb", '{"y":2}')),
    ],
    "id and name on every piece": [
        calls(delta(0, "f:0", "fa", '{"x"')),
        calls(delta(0, "f:0", "fa", ":1}")),
        calls(delta(1, "f:1", "fb", '{"y":2}')),
    ],
    "both whole in one chunk": [calls(delta(0, "f:0", "fa", '{"x":1}'), delta(1, "f:1", "fb", '{"y":2}'))],
    "arguments before the name": [
        calls(delta(0, "f:0", args='{"x"')),
        calls(delta(0, name="fa", args=":1}")),
        calls(delta(1, "f:1", "fb", '{"y":2}')),
    ],
    "interleaved without index, by id": [
        calls(delta(None, "f:0", "fa", '{"x"')),
        calls(delta(None, "f:1", "fb", '{"y"')),
        calls(delta(None, "f:0", args=":1}")),
        calls(delta(None, "f:1", args=":2}")),
    ],
}


STOP = chunk({}, "stop")


@pytest.mark.parametrize("form", FORMS, ids=lambda f: f.replace(" ", "-"))
def test_calls_are_kept_apart_however_the_host_counts_them(form: str) -> None:
    assert read(*FORMS[form], END).tool_calls == (A, B)


def test_a_name_on_every_piece_without_ids_is_one_call() -> None:
    pieces = [calls(delta(0, name="fa", args='{"x"')), calls(delta(0, name="fa", args=":1}"))]
    again = [calls(delta(0, name="fa", args='{"x":2}'))]
    assert [c.arguments for c in read(*pieces, *again, END).tool_calls] == ['{"x":1}', '{"x":2}']


@pytest.mark.parametrize("frame", [{"choices": ["x"]}, chunk("x"), calls("x"), calls({"function": "x"})])  # type: ignore[arg-type]
def test_a_frame_of_another_protocol_is_named(frame: Any) -> None:
    with pytest.raises(DecodeError):
        read(frame)


def test_usage_that_is_no_number_does_not_break_the_answer() -> None:
    usage = {"prompt_tokens": "n/a", "completion_tokens": 5}
    assert read(chunk({"content": "x"}, "stop", usage=usage)).usage.total_tokens == 5


def test_a_price_on_an_ordinary_chunk_is_read() -> None:
    meta = {"usage": {"usd_spent": 0.5}}
    assert read(chunk({"content": "x"}, "stop"), chunk({}, meta=meta), host="aimlapi").cost_usd == 0.5


def test_an_error_in_a_stream_is_as_final_as_over_http() -> None:
    with pytest.raises(APIError) as caught:
        read({"error": {"message": "request reached TPD rate limit", "type": "rate_limit_reached_error"}})
    assert (caught.value.status_code, caught.value.is_retryable) == (429, False)


@pytest.mark.parametrize("frame", [{}, None, {"type": "ping"}, {"id": "x", "usage": USAGE}])
def test_harmless_frames_do_not_break_a_stream(frame: Any) -> None:
    response = read(chunk({"content": "Hello"}), frame, chunk({}, "stop"), frame)
    assert response.text == "Hello"
    assert bool(response.usage) is ("usage" in (frame or {}))


def test_a_character_cut_in_two_is_put_together() -> None:
    response = read(chunk({"content": "a \ud83d"}), chunk({"content": "\ude00 b"}), chunk({}, "stop"))
    assert response.text == "a 😀 b"
    assert read(chunk({"content": "a \ud83d"}), chunk({}, "stop")).text == "a \ufffd"


def test_an_id_that_is_a_number_becomes_text() -> None:
    assert read(calls(delta(0, 7, "fa", "{}")), END).tool_calls[0].id == "7"  # type: ignore[arg-type]


def test_arguments_as_an_object_become_text() -> None:
    (call,) = read(calls(delta(0, "f:0", "fa", {"x": 1})), END).tool_calls
    assert json.loads(call.arguments) == {"x": 1}


def test_a_host_without_ids_gets_kimis_own_form() -> None:
    assert [c.id for c in read(calls(delta(0, name="fa", args="{}")), END).tool_calls] == ["functions.fa:0"]


def test_a_call_whose_name_never_came_is_shown() -> None:
    assert read(calls(delta(0, "f:0", args="{}")), END).tool_calls == (ToolCall("f:0", "", "{}"),)


def test_finish_stop_with_calls_is_a_tool_turn() -> None:
    response = read(calls(delta(0, "f:0", "fa", "{}")), chunk({}, "stop"))
    assert (response.finish_reason, response.raw_finish_reason) == ("tool_calls", "stop")


def test_an_unknown_finish_reason_is_other_and_kept() -> None:
    response = read(chunk({"content": "x"}), chunk({}, "unexpected_state"))
    assert (response.finish_reason, response.raw_finish_reason) == ("other", "unexpected_state")


END_WITH_USAGE = {"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": USAGE}]}


@pytest.mark.parametrize(
    "frames",
    [
        [chunk({}, "stop", usage=USAGE)],
        [END_WITH_USAGE],
        [chunk({}, "stop"), {"id": "c", "choices": [], "usage": USAGE}],
        [END_WITH_USAGE, {"id": "c", "choices": [], "usage": USAGE}],
        [chunk({}, "stop"), chunk({}, None, usage=USAGE)],
    ],
    ids=["at the top", "in the choice", "in a chunk of its own", "twice", "with an empty delta"],
)
def test_usage_is_read_where_it_is_and_never_added_up(frames: list[Any]) -> None:
    assert read(chunk({"content": "x"}), *frames).usage == Usage(10, 5, 15, cached_tokens=4, raw=USAGE)


def test_a_second_finish_chunk_changes_nothing() -> None:
    end = chunk({}, "stop", usage=USAGE)
    assert read(chunk({"content": "x"}), end, end) == read(chunk({"content": "x"}), end)


@pytest.mark.parametrize("nothing", [{}, None])
def test_usage_that_says_nothing_does_not_wipe_what_was_said(nothing: Any) -> None:
    response = read(chunk({"content": "x"}), END_WITH_USAGE, {"id": "c", "choices": [], "usage": nothing})
    assert response.usage == Usage(10, 5, 15, cached_tokens=4, raw=USAGE)


def test_parts_of_usage_that_are_null_count_as_not_said() -> None:
    """vLLM sends null details unless it is configured to count."""
    usage = {"prompt_tokens": 10, "completion_tokens": None, "total_tokens": None, "prompt_tokens_details": None}
    assert read(chunk({"content": "x"}, "stop", usage=usage)).usage == Usage(10, 0, 10, raw=usage)


def test_a_finish_reason_of_another_type_is_other() -> None:
    response = read(chunk({"content": "x"}), chunk({}, {"type": "x"}))  # type: ignore[arg-type]
    assert response.finish_reason == "other"


WRITTEN = {"prompt_tokens": 1000, "completion_tokens": 10, "prompt_tokens_details": {"cached_tokens": 300, "cache_write_tokens": 500}}  # fmt: skip


@pytest.mark.parametrize(("options", "price"), [({}, 3.0), ({"ttl": "5m"}, 3.0), ({"ttl": "1h"}, 6.0)])
def test_what_is_put_into_the_cache_has_its_own_price(options: dict[str, str], price: float) -> None:
    body = {"prompt_cache_options": options} if options else {}
    response = read(chunk({"content": "x"}, "stop", usage=WRITTEN), model="kimi-k3", body=body)
    assert response.usage.cache_write_tokens == 500
    assert response.cost_usd == pytest.approx((300 * 0.3 + 500 * price + 200 * 3.0 + 10 * 15.0) / 1e6)


def test_where_writing_has_no_price_it_costs_what_input_does() -> None:
    response = read(chunk({"content": "x"}, "stop", usage=WRITTEN))
    assert response.cost_usd == pytest.approx((300 * 0.16 + 700 * 0.95 + 10 * 4.0) / 1e6)


def test_more_written_than_there_was_to_write_is_clamped() -> None:
    usage = {**WRITTEN, "prompt_tokens_details": {"cached_tokens": 900, "cache_write_tokens": 500}}
    assert read(chunk({"content": "x"}, "stop", usage=usage)).usage.cache_write_tokens == 100


def test_more_reasoning_than_output_tokens_is_clamped() -> None:
    """Seen live: 6001 of 6000."""
    usage = {"prompt_tokens": 1, "completion_tokens": 6000, "completion_tokens_details": {"reasoning_tokens": 6001}}
    assert read(chunk({"content": "x"}, "stop", usage=usage)).usage.reasoning_tokens == 6000


def test_null_placeholders_are_skipped() -> None:
    """Some builds of vLLM send `reasoning_content: null` beside `reasoning`."""
    response = read(chunk({"reasoning_content": None, "reasoning": "so", "content": None}), END, host="vllm")
    assert response.reasoning.text == "so"
    assert response.reasoning.key == "reasoning"


def test_the_same_reasoning_under_two_keys_is_read_once() -> None:
    """A gateway in front of a newer vLLM."""
    response = read(chunk({"reasoning_content": "so", "reasoning": "so"}), STOP, host="generic")
    assert response.reasoning == Reasoning("so", "reasoning_content")


def item(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "reasoning.text", "text": text, **more}


SIGNED = {"type": "reasoning.text", "text": None, "signature": "sig", "index": 0}
ENCRYPTED = {"type": "reasoning.encrypted", "data": "YQ==", "index": 1}


def test_details_are_put_together_by_their_index() -> None:
    """OpenRouter: `reasoning_details` in deltas, beside the same text as `reasoning`."""
    pieces = [chunk({"reasoning": t, "reasoning_details": [item(t, index=0)]}) for t in ("Let me ", "see.")]
    response = read(*pieces, chunk({"reasoning_details": [SIGNED, ENCRYPTED]}), STOP, host="generic")
    whole = {**item("Let me see.", index=0), "signature": "sig"}
    assert response.reasoning == Reasoning("Let me see.", "reasoning", (whole, ENCRYPTED))


def test_details_alone_are_read_as_text() -> None:
    summary = {"type": "reasoning.summary", "summary": "Short.", "index": 1}
    details = [item("Long. ", index=0), summary, ENCRYPTED]
    response = read(chunk({"reasoning_details": details}), STOP, host="generic")
    assert response.reasoning == Reasoning("Long. Short.", "reasoning_details", tuple(details))


def test_details_that_repeat_what_was_streamed_are_not_read_again() -> None:
    frames = [chunk({"reasoning": "Let me see."}), chunk({"reasoning_details": [item("Let me see.", index=0)]})]
    assert read(*frames, STOP, host="generic").reasoning.text == "Let me see."


def test_encrypted_reasoning_is_kept_though_it_says_nothing() -> None:
    response = read(chunk({"content": "x", "reasoning_details": [ENCRYPTED]}), STOP, host="generic")
    assert response.reasoning == Reasoning("", None, (ENCRYPTED,))


def test_details_without_an_index_grow_from_chunk_to_chunk_only() -> None:
    whole = [item("a"), item("b")]
    assert read(chunk({"reasoning_details": whole}), STOP, host="generic").reasoning.details == tuple(whole)
    split = [chunk({"reasoning_details": [one]}) for one in whole]
    assert read(*split, STOP, host="generic").reasoning.details == (item("ab"),)


@pytest.mark.parametrize("odd", ["text", {"a": 1}, ["x", None], [{"text": 7}]])
def test_details_of_an_odd_shape_do_not_break_the_answer(odd: Any) -> None:
    assert read(chunk({"content": "x", "reasoning_details": odd}), STOP, host="generic").text == "x"


def test_details_are_not_looked_for_where_the_host_has_none() -> None:
    assert read(chunk({"content": "x", "reasoning_details": [item("no")]}), STOP).reasoning is None


def test_cost_comes_from_the_last_chunk_on_aimlapi() -> None:
    meta = {"usage": {"credits_used": 1, "usd_spent": 0.0051005}}
    response = read(chunk({"content": "x"}, "stop"), {"choices": [], "usage": USAGE, "meta": meta}, host="aimlapi")
    assert (response.cost_usd, response.cost_is_estimate) == (0.0051005, False)
    assert response.extra == {"meta": meta}


def test_cost_comes_from_a_header_when_the_body_has_none() -> None:
    response = read(chunk({"content": "x"}, "stop"), host="aimlapi", headers={"x-aimlapi-usd-spent": "0.25"})
    assert response.cost_usd == 0.25


def test_a_price_from_the_table_is_an_estimate() -> None:
    response = read(chunk({"content": "x"}, "stop", usage=USAGE))
    assert response.cost_usd == pytest.approx((6 * 0.95 + 4 * 0.16 + 5 * 4.0) / 1e6)
    assert response.cost_is_estimate


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        ({"error": {"message": "The engine is overloaded", "type": "engine_overloaded_error"}}, OverloadedError),
        ({"error": {"message": "no", "type": "exceeded_current_quota_error", "code": 429}}, QuotaExceededError),
        ({"errors": [{"code": "x", "message": "no"}]}, APIError),
        ({"message": "Unauthorized", "statusCode": "401"}, APIError),
        ({"error": {"message": "boom"}, "choices": [{"index": 0, "delta": {}}]}, APIError),
    ],
)
def test_an_error_inside_the_stream_is_raised_as_its_kind(frame: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        read(chunk({"content": "x"}), frame)


PIECES = st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=8)


@given(texts=PIECES, thoughts=PIECES, arguments=st.lists(PIECES, max_size=4), data=st.data())
def test_any_order_of_interleaved_deltas_gives_the_same_calls(texts, thoughts, arguments, data) -> None:  # type: ignore[no-untyped-def]
    """Deltas of several calls may interleave as they like; each call keeps its own order."""
    queues = [
        [delta(i, f"id{i}", f"name{i}", pieces[0]), *(delta(i, args=p) for p in pieces[1:])]
        for i, pieces in enumerate(arguments)
    ]
    frames = [chunk({"reasoning_content": t}) for t in thoughts] + [chunk({"content": t}) for t in texts]
    while any(queues):
        queue = data.draw(st.sampled_from([q for q in queues if q]))
        frames.append(calls(queue.pop(0)))
    response = read(*frames, END)
    assert response.text == "".join(texts)
    assert response.reasoning.text == "".join(thoughts)
    assert {c.id: c.arguments for c in response.tool_calls} == {
        f"id{i}": "".join(pieces) if "".join(pieces).strip() not in ("", "null") else ""
        for i, pieces in enumerate(arguments)
    }


# ------------------------------------------------------------------------------------------------ several at once

_PIECES = st.sampled_from(["", "a", "b c", "<think>", "</think>", "東", "\ud83d", "\uddfc", '{"'])
_FRAMES = st.lists(
    st.one_of(
        st.builds(lambda text: chunk({"content": text}), _PIECES),
        st.builds(lambda text: chunk({"reasoning_content": text}), _PIECES),
        st.builds(lambda text: chunk({"content": text, "reasoning_content": text}), _PIECES),
        st.builds(lambda i, text: calls(delta(i, None, None, text)), st.integers(0, 1), _PIECES),
        st.builds(lambda i: calls(delta(i, f"f:{i}", "look", "")), st.integers(0, 1)),
        st.builds(lambda text: chunk({"refusal": text}), _PIECES),
        st.just(chunk({"role": "assistant", "content": ""})),
        st.just({"id": "c", "choices": [], "usage": USAGE}),
        st.just(None),
    ),
    max_size=12,
)


@given(_FRAMES, st.sets(st.integers(1, 12)), st.sampled_from(["moonshot", "vllm", "openrouter"]))
def test_frames_that_are_read_together_say_what_they_say_apart(frames: list[Any], cuts: set[int], host: str) -> None:
    frames = [*frames, END]
    apart, together = (
        ChatStreamDecoder(resolve(HOSTS[host], "kimi-k2.6", {}), WireRequest(path="", body={}), {}) for _ in range(2)
    )
    one_by_one = [event for frame in frames for event in apart.feed(frame)]
    merged: list[Any] = []
    bounds = [0, *sorted(cut for cut in cuts if cut < len(frames)), len(frames)]
    for begin, end in zip(bounds, bounds[1:], strict=False):
        some: list[Any] = []
        together.feed_all(frames[begin:end], some)
        merged += some
    assert reduce([*merged, *together.end()]) == reduce([*one_by_one, *apart.end()])
    assert len(merged) <= len(one_by_one)


def test_deltas_of_one_kind_that_are_read_together_are_one() -> None:
    decoder = ChatStreamDecoder(resolve(HOSTS["moonshot"], "kimi-k2.6", {}), WireRequest(path="", body={}), {})
    texts = [{"reasoning_content": "a"}, {"reasoning_content": "b"}, {"content": "c"}, {"content": "d"}]
    events: list[Any] = []
    decoder.feed_all([chunk(one) for one in texts], events)
    assert events[1:] == [ReasoningDelta("ab", "reasoning_content"), TextDelta("cd")]
