"""The dialect of AI/ML API: its schema, its three error bodies, its cost fields."""

from __future__ import annotations

import pytest

USER = {"role": "user", "content": "Hello"}
CALL = {"id": "functions.ping:0", "type": "function", "function": {"name": "ping", "arguments": "{}"}}
CALLING = {"role": "assistant", "content": "", "reasoning_content": "Ping.", "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "functions.ping:0", "content": "ok"}


def test_an_answer_names_the_model_as_its_operator_does(aimlapi):
    assert aimlapi.chat().json["model"] == "kimi-k2.6"


def test_an_answer_has_its_cost_in_the_body_and_in_headers(aimlapi):
    reply = aimlapi.chat()
    spent = reply.json["meta"]["usage"]
    assert spent["usd_spent"] > 0
    assert spent["credits_used"] == round(spent["usd_spent"] * 2_000_000)
    assert reply.headers["x-aimlapi-credits-used"] == str(spent["credits_used"])
    assert float(reply.headers["x-aimlapi-usd-spent"]) == pytest.approx(spent["usd_spent"])


def test_usage_has_three_counts(aimlapi):
    assert list(aimlapi.chat().json["usage"]) == ["prompt_tokens", "completion_tokens", "total_tokens"]


def test_options_of_a_stream_without_one_are_refused(aimlapi):
    assert aimlapi.chat(stream_options={"include_usage": True}).status == 400


@pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": True}}])
def test_a_stream_has_its_cost_in_the_last_chunk_and_not_in_headers(aimlapi, options):
    reply = aimlapi.stream(**options)
    assert [at for at, frame in enumerate(reply.frames) if "meta" in frame] == [len(reply.frames) - 1]
    assert reply.frames[-1]["meta"]["usage"]["credits_used"] > 0
    assert "x-aimlapi-usd-spent" not in reply.headers


@pytest.mark.parametrize(
    "body",
    [
        {"thinking": {"type": "disabled"}},
        {"temperature": 0.2},
        {"enable_thinking": False},
        {"banana": 1},
        {"max_completion_tokens": 1},
    ],
)
def test_unknown_fields_are_silently_dropped_and_without_effect(aimlapi, body):
    plain, changed = aimlapi.chat(), aimlapi.chat(**body)
    assert changed.status == 200
    assert changed.message == plain.message
    assert changed.message["reasoning_content"]


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        ({"messages": []}, "messages"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"seed": 0}, "seed"),
        ({"stop": list("abcde")}, "stop"),
        ({"tool_choice": "any"}, "tool_choice"),
        ({"messages": [{"role": "system", "content": "x", "partial": False}, USER]}, "'partial'"),
        ({"messages": [USER, CALLING, {**RESULT, "extra": 1}]}, "'extra'"),
        (
            {"tools": [{"type": "function", "function": {"name": "ping", "strict": True, "parameters": {}}}]},
            "'strict'",
        ),
    ],
)
def test_a_body_outside_the_schema_is_refused_with_a_problem(aimlapi, body, hint):
    reply = aimlapi.send("POST", "/v1/chat/completions", {"model": "moonshot/kimi-k2-6", "messages": [USER], **body})
    assert reply.status == 400
    assert reply.headers["content-type"] == "application/problem+json"
    assert set(reply.json) == {"title", "status", "message", "instance", "requestId", "timestamp", "error"}
    assert reply.json["message"].startswith("Body validation error!")
    assert hint in reply.json["message"]
    assert reply.error["message"] == reply.json["message"]


def test_what_the_operator_refuses_comes_in_the_operators_shape(aimlapi):
    messages = [USER, {**CALLING, "reasoning_content": ""}, RESULT]
    reply = aimlapi.chat(messages)
    assert reply.status == 400
    assert reply.error == {
        "message": "thinking is enabled but reasoning_content is missing in assistant tool call message at index 1",
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }


def test_a_forced_choice_is_refused_because_thinking_cannot_be_switched_off(aimlapi, tool):
    body = {"tool_choice": "required", "thinking": {"type": "disabled"}}
    reply = aimlapi.chat(tools=[tool("ping")], **body)
    assert reply.error["message"] == "tool_choice 'required' is incompatible with thinking enabled"


def test_assistant_messages_may_carry_their_reasoning(aimlapi):
    assert aimlapi.chat([USER, CALLING, RESULT]).status == 200


def test_a_wrong_key_is_a_problem(aimlapi):
    reply = aimlapi.send("POST", "/v1/chat/completions", {}, {"authorization": "Bearer no"})
    assert (reply.status, reply.json["status"]) == (401, 401)
    assert reply.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("model", ["kimi-k2.6", "moonshot/kimi-k9"])
def test_an_unknown_model_is_not_found(aimlapi, model):
    reply = aimlapi.chat(model=model)
    assert (reply.status, reply.json["status"]) == (404, 404)


def test_too_many_requests_come_in_the_legacy_body_without_retry_after(aimlapi):
    aimlapi.kimi.fail()
    reply = aimlapi.chat()
    assert reply.status == 429
    assert set(reply.json) == {"message", "path", "requestId", "statusCode", "timestamp"}
    assert reply.json["statusCode"] == "429"
    assert "retry-after" not in reply.headers


def test_no_credits_left_is_a_problem(aimlapi):
    aimlapi.kimi.fail(status=403, type="ForbiddenException", message="You've run out of credits.")
    reply = aimlapi.chat()
    assert (reply.status, reply.error["message"]) == (403, "You've run out of credits.")


def test_a_limit_that_leaves_no_text_is_refused(aimlapi):
    reply = aimlapi.chat(max_tokens=3)
    assert (reply.status, reply.error["message"]) == (400, "max_tokens or model output limit was reached")


def test_the_model_list_needs_no_key_and_has_its_own_shape(aimlapi):
    reply = aimlapi.send("GET", "/v1/models", headers={"authorization": ""})
    assert reply.status == 200
    assert {"id", "type", "info", "features", "endpoints"} == set(reply.json["data"][0])
    assert "moonshot/kimi-k2-6" in [spec["id"] for spec in reply.json["data"]]


def test_every_answer_has_an_inference_id_and_no_rate_limit_headers(aimlapi):
    headers = aimlapi.chat().headers
    assert headers["x-inference-id"]
    assert not [name for name in headers if "ratelimit" in name]


@pytest.mark.parametrize(("sent", "kept"), [("order-8f21c4", True), ("bad id", False), ("a" * 129, False)])
def test_a_client_request_id_comes_back_when_it_is_well_formed(aimlapi, sent, kept):
    reply = aimlapi.send("GET", "/v1/models", headers={"x-client-request-id": sent})
    assert (reply.headers.get("x-client-request-id") == sent) is kept


def test_effort_reaches_k3(aimlapi):
    low, high = (
        aimlapi.chat(model="moonshot/kimi-k3", reasoning_effort=effort).message["reasoning_content"]
        for effort in ("low", "max")
    )
    assert len(low) < len(high)
