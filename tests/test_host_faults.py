"""Whatever a host sends comes out as an answer or as an error of ours; of a stream with what came before."""

from __future__ import annotations

import contextlib
import copy
import json
import time
from typing import Any

import pytest
from drivers import STREAMED, Answer, Driver, by_name, in_turn
from odd_values import (
    DEEP,
    FULL,
    HUGE,
    NESTED,
    ODD,
    USAGE,
    as_chunk,
    ask,
    enqueue,
    frame,
    paths,
    spelled,
    with_value,
)

from kimi_adapters.local_server import LocalKimi
from kimi_core import HOSTS, KimiClient, KimiError, KimiWarning, Message, Request
from kimi_core.codecs.error_mapping import error_from_status
from kimi_core.errors import APIError, InternalServerError
from kimi_core.hosts.profile import resolve
from kimi_core.transport.stream import parsed_json

# ------------------------------------------------------------------------------------------- bodies and frames

FAULTS: dict[str, tuple[tuple[Any, ...], Any]] = {
    "an id that is a number": (("id",), 7),
    "an id that is half a character": (("id",), "\ud83d"),
    "an id of endless digits": (("id",), HUGE),
    "a model that is a list": (("model",), [{}]),
    "a time that is text": (("created",), "now"),
    "a fingerprint that is an object": (("system_fingerprint",), {"a": 1}),
    "a choice that is null": (("choices", 0), None),
    "choices that are an object": (("choices",), {"a": 1}),
    "an index that is infinite": (("choices", 0, "index"), float("inf")),
    "a finish reason that is a list": (("choices", 0, "finish_reason"), [1]),
    "a message that is text": (("choices", 0, "message"), "x"),
    "content that is a number": (("choices", 0, "message", "content"), 7),
    "content nested without end": (("choices", 0, "message", "content"), DEEP),
    "reasoning that is an object": (("choices", 0, "message", "reasoning_content"), {"a": 1}),
    "details nested with halves": (("choices", 0, "message", "reasoning_details"), NESTED),
    "a refusal that is a number": (("choices", 0, "message", "refusal"), 7),
    "calls that are text": (("choices", 0, "message", "tool_calls"), "x"),
    "an index of a call of digits": (("choices", 0, "message", "tool_calls", 0, "index"), 5_000 * "9"),
    "a name that is a number": (("choices", 0, "message", "tool_calls", 0, "function", "name"), 7),
    "a name of endless digits": (("choices", 0, "message", "tool_calls", 0, "function", "name"), HUGE),
    "arguments that are a list": (("choices", 0, "message", "tool_calls", 0, "function", "arguments"), [NESTED]),
    "log probabilities that are text": (("choices", 0, "logprobs"), "x"),
    "log probabilities of another shape": (("choices", 0, "logprobs", "content"), {"a": 1}),
    "a token that is null": (("choices", 0, "logprobs", "content", 0), None),
    "a probability that is text": (("choices", 0, "logprobs", "content", 0, "top_logprobs", 0, "logprob"), "x"),
    "usage that is null": (("usage",), None),
    "tokens that are not a number": (("usage", "prompt_tokens"), float("nan")),
    "a price that is infinite": (("cost",), float("inf")),
    "another field nested without end": (("other",), DEEP),
    "no object at all": ((), 7),
}


@in_turn("fault", FAULTS)
@pytest.mark.filterwarnings("ignore::kimi_core.KimiWarning")
def test_an_odd_value_is_answered_or_typed_and_nothing_is_lost(
    driver: Driver, kimi: LocalKimi, fault: tuple[tuple[Any, ...], Any]
) -> None:
    enqueue(driver, kimi, with_value(FULL, *fault))
    came = ask(driver, kimi)
    if isinstance(came, KimiError) and driver.streams:
        assert came.partial.text.startswith("Hello ")
    elif isinstance(came, Answer):
        assert came.text.startswith("Hello " if driver.streams else "") or came.tool_calls
    json.dumps(came.text if isinstance(came, Answer) else str(came), ensure_ascii=False).encode()
    assert len(kimi.requests) == 1


SOME = ["moonshot", "openrouter", "aimlapi", "vllm"]
"""Every value is put at every place for two of them."""


@pytest.mark.parametrize("host", SOME)
def test_any_odd_value_at_any_place_is_decoded_or_a_typed_error(host: str) -> None:
    client = KimiClient(host=host, api_key="k", base_url="http://127.0.0.1:9/v1")
    plan, wire = client.prepare(Request(messages=[Message("user", "Hello")], model="kimi-k2.6"))
    for path in paths(FULL):
        for odd in ODD[SOME.index(host) % 2 :: 2]:
            whole = with_value(FULL, path, odd)
            with contextlib.suppress(APIError):
                client.pipeline.decode(plan, wire, parsed(whole), {})
            stream = client.pipeline.stream(plan, wire, {})
            with contextlib.suppress(APIError):
                for event in stream.feed([parsed(as_chunk(whole)), frame({}, "stop")]):
                    stream.add(event)
                list(stream.ending())


def parsed(whole: Any) -> Any:
    try:
        return parsed_json(spelled(whole))
    except ValueError:  # which the transport makes a typed error
        return None


@pytest.mark.parametrize("driver", STREAMED, **by_name)
def test_a_second_answer_in_a_stream_is_not_mixed_into_the_first_and_warns(driver: Driver, kimi: LocalKimi) -> None:
    both = frame({"content": "two"})
    both["choices"].append({"index": 1, "delta": {"content": "ones"}})
    chunks = [frame({"content": "One "}), frame({"content": "Another"}, index=1), both, frame({}, "stop", usage=USAGE)]
    kimi.enqueue(sse=chunks, unchecked=True)
    with pytest.warns(KimiWarning, match="sent more than one answer"):
        came = ask(driver, kimi)
    assert (came.text, came.finish_reason, came.total_tokens) == ("One two", "stop", 8)


def test_choices_without_an_index_are_one_answer(driver: Driver, kimi: LocalKimi) -> None:
    whole = copy.deepcopy(FULL)
    del whole["choices"][0]["index"]
    enqueue(driver, kimi, whole)
    assert ask(driver, kimi).text == ("Hello there" if driver.streams else "there")


# ------------------------------------------------------------------------------------------ halves of characters

HALVES = ("Ha \ud83d", "\ude00 ha \ude00, \ud83d")
JOINED = "Ha \U0001f600 ha �, �"


@pytest.mark.parametrize("driver", STREAMED, **by_name)
@pytest.mark.parametrize("field", ["content", "reasoning_content", "refusal"])
def test_halves_of_characters_are_joined_across_deltas(driver: Driver, kimi: LocalKimi, field: str) -> None:
    sse = [f"data: {json.dumps(frame({field: half}))}\n\n" for half in HALVES]
    sse += [f"data: {json.dumps(frame({'content': 'Yes.'}))}\n\n" if field != "content" else ": nothing\n\n"]
    kimi.enqueue(sse=[*sse, frame({}, "stop", usage=USAGE)], unchecked=True)
    came = ask(driver, kimi)
    if field == "refusal":
        assert JOINED in repr(came.native)
    else:
        assert (came.text if field == "content" else came.reasoning) == JOINED


def test_halves_are_joined_in_details_of_reasoning() -> None:
    with LocalKimi(dialect="openrouter") as kimi:
        client = KimiClient(host="openrouter", base_url=kimi.base_url, api_key=kimi.api_key)
        items = [[{"type": "reasoning.text", "text": half, "index": 0}] for half in HALVES]
        sse = [f"data: {json.dumps(frame({'reasoning_details': item}))}\n\n" for item in items]
        kimi.enqueue(sse=[*sse, frame({"content": "Yes."}, "stop")], unchecked=True)
        stream = client.stream(Request(messages=[Message("user", "Hello")], model="kimi-k2.6"))
        *said, end = list(stream)
        assert "".join(event.text for event in said if type(event).__name__ == "ReasoningDelta") == JOINED
        assert end.reasoning_details[0]["text"] == JOINED


def test_halves_in_ids_names_and_other_fields_can_be_written(driver: Driver, kimi: LocalKimi) -> None:
    whole = with_value(FULL, ("choices", 0, "message", "tool_calls", 0, "id"), "look\ud83d")
    whole = with_value(whole, ("choices", 0, "message", "tool_calls", 0, "function", "name"), "lo\ud83dok")
    whole |= {"id": "c\ud83d", "other": {"a\ud83d": ["\ude00"]}}
    enqueue(driver, kimi, whole)
    came = ask(driver, kimi)
    assert [(call["name"], call["id"]) for call in came.tool_calls] == [("lo�ok", "look�")]
    repr(came.native).encode()


# --------------------------------------------------------------------------------------------------- error bodies

MOONSHOT = resolve(HOSTS["moonshot"], "kimi-k2.6", {})
ERRORS: dict[str, Any] = {
    "a code that is no number": {"error": {"message": "busy", "code": "²³"}},
    "a code of digits": {"error": {"message": "busy", "code": 5_000 * "9"}},
    "a code of endless digits": {"error": {"message": "busy", "code": HUGE, "type": HUGE}},
    "a code that is infinite": {"error": {"message": "busy", "code": float("inf"), "status": float("nan")}},
    "a message nested without end": {"error": {"message": DEEP}},
    "a message nested with halves": {"error": {"message": NESTED}},
    "a message of halves": {"error": {"message": "busy \ud83d"}},
    "errors that are numbers": {"errors": 7},
    "a list": [{"error": [1, 2]}],
    "lists without end": DEEP,
}


@in_turn(
    "status,said", {f"{name}-{status}": (status, said) for name, said in ERRORS.items() for status in (200, 400, 500)}
)
def test_an_odd_error_is_a_typed_error(driver: Driver, kimi: LocalKimi, said: Any, status: int) -> None:
    kimi.enqueue(raw=spelled(said).encode(), content_type="application/json", status=status, unchecked=True)
    came = ask(driver, kimi)
    assert isinstance(came, APIError)
    str(came).encode()


@in_turn("said", ERRORS, among=STREAMED)
def test_an_odd_error_in_a_stream_is_a_typed_error_with_what_came(driver: Driver, kimi: LocalKimi, said: Any) -> None:
    begin = f"data: {json.dumps(frame({'content': 'Hello '}))}\n\n"
    kimi.enqueue(sse=[begin, f"data: {spelled(said)}\n\n"], unchecked=True)
    came = ask(driver, kimi)
    assert isinstance(came, APIError)
    assert came.partial.text == "Hello "


@pytest.mark.parametrize("wait", ["nan", "inf", "-1", "1e400", "²³", 5_000 * "9", "soon"])
def test_a_pause_that_is_none_is_not_waited_for(wait: str) -> None:
    assert error_from_status(429, {}, {"retry-after": wait}, MOONSHOT).retry_after is None


@pytest.mark.parametrize(
    "page",
    ["<title>", "<title", "<style>", "<script></style>", "<", "<a", "<h1></title>", "\\", "&#1", "%25", "sk-test\\"],
)
def test_reading_an_error_page_takes_no_more_than_its_length(page: str) -> None:
    text = f"<html> sk-test-\\ {page * (400_000 // len(page))}"
    began = time.process_time()
    error_from_status(502, text, {}, MOONSHOT)
    client = KimiClient(api_key='sk-test-"\\123456789', host="moonshot")
    client.pipeline._redactor.scrub(InternalServerError(text))
    assert time.process_time() - began < 10  # it was minutes


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("<html><title>502 Bad\n Gateway</title><body>nginx</body></html>", "502 Bad Gateway"),
        ("<!doctype html><style>b {}</style><h1>Not <b>found</b></h1> Go away", "Not found"),
        ("<body><script>if (a < b) {}</script>5 < 6 <p>apples</body>", "5 < 6 apples"),
        ("<html><title></title><body>It is <i>down</i>.<script>never closed", "It is down."),
    ],
)
def test_an_error_page_is_shown_by_its_title_or_its_text(page: str, said: str) -> None:
    assert f": {said}" in str(error_from_status(502, page, {}, MOONSHOT))


def test_a_number_of_many_digits_in_a_page_hides_no_key_and_stops_nothing() -> None:
    client = KimiClient(api_key="sk-secret-123456", host="moonshot")
    text = client.pipeline._redactor.text(f"&#{5_000 * '1'};&#{5_000 * '0'}1; sk-secret-12&#51;456")
    assert "[redacted]" in text
    assert "456" not in text


@pytest.mark.parametrize("status", [200, 307, 404, 502])
def test_headers_of_any_bytes_are_read(driver: Driver, kimi: LocalKimi, status: int) -> None:
    odd = {"x-request-id": "\xff\xe9", "location": "/\xe9\xff?q", "retry-after": "\xb2\xb3"}
    kimi.enqueue(json=FULL, headers=odd, status=status, unchecked=True)
    came = ask(driver, kimi)
    if status == 200:
        assert came.text == "there"
    else:
        assert isinstance(came, APIError)
        assert came.response.status_code == (404 if status == 307 else status)  # the redirect is followed


def test_a_cookie_that_no_request_can_carry_is_not_kept(driver: Driver, kimi: LocalKimi) -> None:
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key, max_retries=0)
    kimi.enqueue(text="One.", headers={"set-cookie": "odd=\xff; Path=/"})
    kimi.enqueue(text="Two.", headers={"set-cookie": "sound=1; Path=/"})
    kimi.enqueue(text="Three.")
    assert [driver.ask(model, "Hello").text for _ in range(3)] == ["One.", "Two.", "Three."]
    if not driver.mode.startswith("a"):  # other calls of `asyncio.run` have other clients
        assert kimi.requests[-1].headers["cookie"] == "sound=1"


@pytest.mark.parametrize("said", [{"message": "no"}, {"detail": "no"}])
def test_a_message_in_place_of_an_answer_is_an_error_and_no_end_of_a_stream(
    driver: Driver, kimi: LocalKimi, said: dict[str, str]
) -> None:
    kimi.enqueue(json=said, unchecked=True)
    came = ask(driver, kimi)
    assert type(came).__name__ == "APIError"
    assert "HTTP 200 with an error: no" in str(came)
