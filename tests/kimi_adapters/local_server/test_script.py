"""Canned answers, faults and the log."""

from __future__ import annotations

import http.client
import json
import socket

import pytest

BODY = {"id": "x", "choices": []}


def raw(client, body=None, **headers):
    """The bytes of a response as they come off the wire, up to the end of the connection."""
    data = json.dumps(body or {"model": "kimi-k2.6", "messages": [{"role": "user", "content": "Hi"}]}).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {len(data)}\r\n"
        f"authorization: Bearer {client.kimi.api_key}\r\n\r\n"
    )
    pieces = []
    with socket.create_connection((client.kimi.host, client.kimi.port), timeout=10) as connection:
        connection.sendall(head.encode() + data)
        while piece := connection.recv(65536):
            pieces.append(piece)
    return b"".join(pieces)


def test_a_whole_body_is_sent_as_it_is(moonshot):
    moonshot.kimi.enqueue(json=BODY, headers={"X-Mine": "1"})
    reply = moonshot.chat()
    assert (reply.status, reply.json, reply.headers["x-mine"]) == (200, BODY, "1")


def test_a_whole_body_is_sent_to_a_stream_request_too(moonshot):
    moonshot.kimi.enqueue(json=BODY)
    reply = moonshot.stream()
    assert (reply.headers["content-type"], reply.json) == ("application/json", BODY)


def test_an_error_body_is_sent_and_logged_as_an_error(moonshot):
    moonshot.kimi.enqueue(json={"error": {"message": "Nope", "type": "x"}}, status=418)
    assert moonshot.chat().status == 418
    assert moonshot.kimi.errors[0].error == "Nope"


def test_answers_are_used_in_order_and_then_the_rules(moonshot):
    moonshot.kimi.enqueue(text="one")
    moonshot.kimi.enqueue(text="two")
    assert [moonshot.chat().text for _ in range(3)] == [
        "one",
        "two",
        "Hello! I am a local Kimi emulator. How can I help you?",
    ]


def test_frames_are_sent_as_they_are(moonshot):
    moonshot.kimi.enqueue(sse=[{"a": 1}, ": comment\n\n", b"data: [2]\n\n"])
    assert moonshot.stream().data == b'data: {"a":1}\n\n: comment\n\ndata: [2]\n\ndata: [DONE]\n\n'
    assert moonshot.kimi.requests[-1].response == [{"a": 1}, [2]]


def test_done_can_be_left_out(moonshot):
    moonshot.kimi.enqueue(sse=[{"a": 1}], done=False)
    assert moonshot.stream().data == b'data: {"a":1}\n\n'


def test_raw_bytes_are_sent_with_their_type(moonshot):
    moonshot.kimi.enqueue(raw=b"<html>", content_type="text/html", status=502)
    reply = moonshot.chat()
    assert (reply.status, reply.data, reply.headers["content-type"]) == (502, b"<html>", "text/html")


def test_pieces_arrive_in_exactly_these_pieces(moonshot):
    text = "data: 你好\n\n".encode()
    moonshot.kimi.enqueue(chunks=[text[:7], text[7:]])
    wire = raw(moonshot)
    assert b"7\r\n" + text[:7] + b"\r\n7\r\n" + text[7:] + b"\r\n0\r\n\r\n" in wire


def test_a_cut_body_ends_without_its_last_chunk(moonshot):
    moonshot.kimi.enqueue(raw=b"data: {", cut=True)
    assert not raw(moonshot).endswith(b"0\r\n\r\n")


def test_a_cut_whole_body_is_incomplete_for_a_client(moonshot):
    moonshot.kimi.enqueue(json=BODY, cut=True)
    with pytest.raises(http.client.IncompleteRead):
        moonshot.chat()


@pytest.mark.parametrize("stream", [False, True])
def test_a_reply_is_rendered_as_the_request_asks(moonshot, stream):
    moonshot.kimi.enqueue(
        text="Look.",
        reasoning="Hm.",
        tool_calls=[{"name": "a", "arguments": {"x": "é"}}, {"name": "b", "arguments": "{broken", "id": "mine"}],
    )
    reply = moonshot.chat(stream=stream)
    calls = {}
    if not stream:
        assert (reply.text, reply.message["reasoning_content"]) == ("Look.", "Hm.")
        calls = {call["id"]: call["function"]["arguments"] for call in reply.message["tool_calls"]}
    for frame in reply.frames if stream else ():
        for call in frame["choices"][0]["delta"].get("tool_calls", ()):
            opened = list(calls)[call["index"]] if call["index"] < len(calls) else call["id"]
            calls[opened] = calls.get(opened, "") + call["function"]["arguments"]
    assert calls == {"functions.a:0": '{"x": "é"}', "mine": "{broken"}


def test_finish_reason_and_usage_can_be_given(moonshot):
    moonshot.kimi.enqueue(text="x", finish_reason="unexpected_state", usage={"prompt_tokens": 1})
    body = moonshot.chat().json
    assert body["choices"][0]["finish_reason"] == "unexpected_state"
    assert body["usage"] == {"prompt_tokens": 1}


def test_a_bad_request_is_refused_and_leaves_the_queue_alone(moonshot):
    moonshot.kimi.enqueue(text="kept")
    assert moonshot.chat(temperature=0).status == 400
    assert moonshot.chat().text == "kept"


def test_an_unchecked_answer_is_given_to_anything(moonshot):
    moonshot.kimi.enqueue(text="fine", unchecked=True)
    assert moonshot.chat(temperature=0, model="nope").text == "fine"


def test_the_next_requests_fail_and_then_no_more(moonshot):
    moonshot.kimi.fail(2)
    replies = [moonshot.chat() for _ in range(3)]
    assert [reply.status for reply in replies] == [429, 429, 200]
    assert replies[0].headers["retry-after"] == "0"
    assert replies[0].error == {
        "message": "The engine is currently overloaded, please try again later",
        "type": "engine_overloaded_error",
    }


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("rate_limit_reached_error", "request reached max request"),
        ("exceeded_current_quota_error", "please check your account balance"),
        ("something_new", "something_new"),
    ],
)
def test_a_fault_has_the_sentence_of_its_type(moonshot, kind, words):
    moonshot.kimi.fail(type=kind)
    assert words in moonshot.chat().error["message"]


def test_a_fault_can_be_anything(moonshot):
    moonshot.kimi.fail(status=503, type="server_unavailable", message="Gone", headers={"Retry-After": "7"})
    reply = moonshot.chat()
    assert (reply.status, reply.error["message"], reply.headers["retry-after"]) == (503, "Gone", "7")


def test_a_stream_is_cut_after_some_frames(moonshot):
    moonshot.kimi.cut_stream_after(3)
    with pytest.raises(http.client.IncompleteRead) as caught:
        moonshot.stream()
    assert caught.value.partial.count(b"data: ") == 3
    assert len(moonshot.kimi.requests[-1].response) == 3
    assert moonshot.stream().lines[-1] == "[DONE]"


def test_an_error_comes_in_a_stream_after_some_frames(moonshot):
    moonshot.kimi.error_in_stream_after(2, {"message": "Sorry", "type": "server_error"})
    reply = moonshot.stream()
    assert len(reply.frames) == 3
    assert reply.frames[-1] == {"error": {"message": "Sorry", "type": "server_error"}}
    assert "[DONE]" not in reply.lines


def test_a_fault_for_streams_waits_for_a_stream(moonshot):
    moonshot.kimi.error_in_stream_after(0)
    assert moonshot.chat().status == 200
    assert moonshot.stream().frames[0]["error"]["type"] == "engine_overloaded_error"


def test_a_fault_spoils_canned_frames_too(moonshot):
    moonshot.kimi.enqueue(sse=[{"a": 1}, {"a": 2}])
    moonshot.kimi.error_in_stream_after(1, {"message": "x"})
    assert moonshot.stream().frames == [{"a": 1}, {"error": {"message": "x"}}]


def test_the_log_has_requests_and_answers_in_order(moonshot):
    moonshot.send("GET", "/v1/models")
    reply = moonshot.chat("Hello")
    first, second = moonshot.kimi.requests
    assert (first.method, first.path, first.body, first.status) == ("GET", "/v1/models", None, 200)
    assert second.body["messages"] == [{"role": "user", "content": "Hello"}]
    assert second.response == reply.json
    assert second.error is None


def test_the_log_keeps_no_key(moonshot):
    moonshot.chat()
    (entry,) = moonshot.kimi.requests
    assert entry.headers["authorization"] == "Bearer [redacted]"
    assert moonshot.kimi.api_key not in repr(entry)


def test_the_log_has_the_frames_of_a_stream(moonshot):
    reply = moonshot.stream()
    assert moonshot.kimi.requests[0].response == reply.frames


def test_refusals_are_in_the_log_as_errors(moonshot):
    moonshot.chat(temperature=0)
    moonshot.chat()
    (error,) = moonshot.kimi.errors
    assert (error.status, error.error) == (400, "invalid temperature: only 1 is allowed for this model")


def test_reset_forgets_everything(moonshot):
    moonshot.kimi.enqueue(text="x")
    moonshot.kimi.fail()
    moonshot.kimi.cut_stream_after(0)
    moonshot.chat()
    moonshot.kimi.reset()
    assert moonshot.kimi.requests == []
    assert "Hello!" in moonshot.chat().text
    assert moonshot.stream().lines[-1] == "[DONE]"
