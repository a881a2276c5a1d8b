"""What hosts say when they refuse, whatever the envelope, as the error that it means."""

from __future__ import annotations

from typing import Any

import pytest

import kimi_core as core
from kimi_core import HOSTS, resolve
from kimi_core.codecs.error_mapping import error_from_status, error_in_body, error_in_frame

OVERFLOWS = [
    "Input token length too long",
    "prompt tokens + max_tokens exceeds the model specification",
    "Invalid request: Your request exceeded model token limit: 262144 (requested: 300000)",
    "This model's maximum context length is 2048 tokens",
    "litellm.ContextWindowExceededError: litellm.BadRequestError: too long",
]


def refused(status: int, body: Any, host: str = "moonshot", headers: dict[str, str] | None = None) -> core.APIError:
    return error_from_status(status, body, headers or {}, resolve(HOSTS[host], "kimi-k2.6"))


def said(message: str, type: str = "", **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": type, **more}}


def kind(error: core.APIError) -> type:
    return error.documented or type(error)


@pytest.mark.parametrize("host", ["moonshot", "generic"])
@pytest.mark.parametrize("message", OVERFLOWS)
def test_too_long_conversations_are_one_error_whatever_the_message(message: str, host: str) -> None:
    error = refused(400, said(message, "invalid_request_error"), host)
    assert kind(error) is core.ContextOverflowError
    assert "Shorten or summarise" in str(error)


@pytest.mark.parametrize("type", ["exceed_context_size_error", "context_length_exceeded"])
def test_too_long_conversations_are_known_by_their_type_as_well(type: str) -> None:
    """llama.cpp."""
    assert kind(refused(400, said("the request exceeds the available size", type), "generic")) is (
        core.ContextOverflowError
    )


CASES = [
    # 429 is many things
    (429, "The engine is currently overloaded, please try again later", "engine_overloaded_error", core.OverloadedError, True),
    (429, "Your account u<ak> request reached TPM rate limit, current:9, limit:8", "rate_limit_reached_error", core.RateLimitError, True),
    (429, "Your account u<ak> request reached TPD rate limit, current:9, limit:8", "rate_limit_reached_error", core.RateLimitError, False),
    (429, "You exceeded your current token quota: <org> 0, please check your account balance", "exceeded_current_quota_error", core.QuotaExceededError, False),
    (429, "Your account org is suspended due to insufficient balance, please recharge your account", "", core.QuotaExceededError, False),
    (429, "We're receiving too many requests at the moment", "", core.RateLimitError, True),
    (402, "unable to verify your membership benefits", "", core.QuotaExceededError, False),
    # and the others
    (403, "no open api access", "permission_denied_error", core.PermissionDeniedError, False),
    (529, "overloaded", "", core.OverloadedError, True),
    (503, "", "server_unavailable", core.InternalServerError, True),
    (504, "", "gateway", core.InternalServerError, True),
    (499, "", "client_closed_request", core.APIStatusError, False),
    (400, "The request was rejected because it was considered high risk", "content_filter", core.ContentFilterError, False),
]  # fmt: skip


@pytest.mark.parametrize(("status", "message", "type", "error", "retryable"), CASES)
def test_a_refusal_is_the_error_that_it_means(
    status: int, message: str, type: str, error: type, retryable: bool
) -> None:
    made = refused(status, said(message, type))
    assert (kind(made), made.is_retryable, made.status_code) == (error, retryable, status)


OF_KIMI_CODE = [
    (429, "You've reached your usage limit for this period", "rate_limit_error", core.QuotaExceededError, False),
    (429, "kimi monthly usage limit", "", core.QuotaExceededError, False),
    (403, "You've reached your 5-hour usage limit. Try again later", "permission_denied_error", core.QuotaExceededError, False),
    (403, "You've reached your concurrent request limit", "permission_denied_error", core.RateLimitError, False),
    (403, "Kimi For Coding is currently only available for Coding Agents", "access_terminated_error", core.PermissionDeniedError, False),
    (400, "total message size 3000000 exceeds limit 2097152", "invalid_request_error", core.ContextOverflowError, False),
]  # fmt: skip


@pytest.mark.parametrize(("status", "message", "type", "error", "retryable"), OF_KIMI_CODE)
def test_what_kimi_code_says_of_its_plans_is_the_error_that_it_means(
    status: int, message: str, type: str, error: type, retryable: bool
) -> None:
    made = refused(status, said(message, type), "kimi-code")
    assert (kind(made), made.is_retryable, made.status_code) == (error, retryable, status)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("Unauthorized", "Unauthorized"),
        ({"error": "Unauthorized"}, "Unauthorized"),
        ([{"error": {"message": "Not today", "status": "X"}}], "Not today"),
        ({"detail": "Not Found"}, "Not Found"),
        ({"detail": [{"loc": ["body", "n"], "msg": "is odd"}, {"msg": "and so on"}]}, "body.n: is odd; and so on"),
        ({"object": "error", "message": "flat", "code": 400}, "flat"),
        ("<html><head><title>502 Bad Gateway</title></head><body><h1>no</h1></body></html>", "502 Bad Gateway"),
        ("<!DOCTYPE html><body><style>a{}</style><p>Come\n back</p></body>", "Come back"),
        ("", "no message"),
        (None, "no message"),
        ([], "no message"),
        ({"error": None}, "no message"),
    ],
)
def test_the_words_are_found_in_any_envelope(body: Any, words: str) -> None:
    error = refused(500, body)
    assert str(error) == f"kimi-k2.6 on moonshot answered HTTP 500: {words}."
    assert error.body == body


def test_a_page_of_a_proxy_is_not_quoted_whole() -> None:
    page = f"<html><title>504</title><body>{'x' * 5000}</body></html>"
    assert len(str(refused(504, page))) < 100


INSIDE = [
    (said("no", "engine_overloaded_error"), core.OverloadedError, True),
    (said("slow down", "rate_limit_reached_error"), core.RateLimitError, True),
    (said("it was considered high risk", "content_filter"), core.ContentFilterError, False),
    (said("Your request exceeded model token limit: 1", "invalid_request_error"), core.ContextOverflowError, False),
    (said("odd", "invalid_request_error"), core.BadRequestError, False),
    (said("crashed", "server_error"), core.InternalServerError, True),
    (said("crashed", code=502), core.InternalServerError, True),
    (said("too many", code=429), core.RateLimitError, True),
]


@pytest.mark.parametrize(("body", "error", "retryable"), INSIDE)
def test_an_error_without_a_status_is_known_by_its_type(body: Any, error: type, retryable: bool) -> None:
    profile = resolve(HOSTS["moonshot"], "kimi-k2.6")
    for made in (error_in_frame(body, profile), error_in_body(body, {}, profile)):
        assert (kind(made), made.is_retryable) == (error, retryable)


def test_an_error_with_http_200_says_so_and_has_its_headers() -> None:
    profile = resolve(HOSTS["moonshot"], "kimi-k2.6")
    error = error_in_body(said("no"), {"x-trace-id": "t1", "retry-after": "3"}, profile)
    assert str(error) == "kimi-k2.6 on moonshot answered HTTP 200 with an error: no."
    assert (error.request_id, error.retry_after) == ("t1", 3.0)


PATHS = [
    ("moonshot", "https://api.moonshot.ai/anthropic", "which is https://api.moonshot.ai/v1."),
    ("openrouter", "https://openrouter.ai/v1", "which is https://openrouter.ai/api/v1."),
    ("fireworks", "https://api.fireworks.ai/v1", "which is https://api.fireworks.ai/inference/v1."),
    ("moonshot", "https://api.moonshot.ai/v1", ""),
    ("moonshot", "https://proxy.example.com/kimi/v2", ""),
    ("cloudflare", "https://api.cloudflare.com/client/v4/accounts/1/ai/v1", ""),
]


@pytest.mark.parametrize(("host", "base_url", "advice"), PATHS)
def test_a_404_at_a_hosts_name_with_another_path_names_the_hosts_own(host: str, base_url: str, advice: str) -> None:
    profile = resolve(HOSTS[host], "kimi-k2.6")
    made = error_from_status(404, said("Not found"), {}, profile, address=base_url + profile.host.endpoints.chat)
    assert ("base_url" in str(made)) is bool(advice)
    assert advice in str(made)
