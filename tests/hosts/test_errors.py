"""Whatever a host calls its errors, they are the same classes."""

from __future__ import annotations

from typing import Any

import pytest
from drivers import DRIVERS, Driver
from hosts_served import Served

from kimi_adapters.local_server import LocalKimi
from kimi_core import Message, ToolCall, errors

CALL = ToolCall("functions.get_weather:0", "get_weather", '{"city": "Paris"}')
ASKED = Message("user", "What is the weather in Paris?")

FAULTS: dict[str, tuple[dict[str, Any], type[errors.APIError]]] = {
    "quota": (
        {"status": 429, "type": "exceeded_current_quota_error", "message": "You exceeded your current token quota"},
        errors.QuotaExceededError,
    ),
    "no credits": (
        {"status": 402, "type": "payment_required", "message": "Insufficient credits"},
        errors.QuotaExceededError,
    ),
    "overloaded": ({"status": 429, "type": "engine_overloaded_error"}, errors.OverloadedError),
    "rate limit": ({"status": 429, "type": "rate_limit_reached_error"}, errors.RateLimitError),
    "high risk": ({"status": 400, "type": "content_filter"}, errors.ContentFilterError),
    "server": ({"status": 500, "type": "server_error"}, errors.InternalServerError),
    "gone": ({"status": 503, "type": "server_unavailable"}, errors.InternalServerError),
    "not allowed": ({"status": 403, "type": "forbidden", "message": "Not for you"}, errors.PermissionDeniedError),
    "too large": ({"status": 413, "type": "too_large", "message": "Too large"}, errors.RequestTooLargeError),
    "overflow": (
        {"status": 400, "type": "bad", "message": "This model's maximum context length is 2048 tokens"},
        errors.ContextOverflowError,
    ),
    "missing": ({"status": 404, "type": "not_found", "message": "No such model"}, errors.NotFoundError),
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda name: name.replace(" ", "-"))
def test_an_error_is_of_the_same_class_on_every_host(
    framework: Driver, served: Served, server: LocalKimi, fault: str
) -> None:
    given, expected = FAULTS[fault]
    if served.host == "aimlapi" and given["status"] == 403:
        expected = errors.QuotaExceededError  # its way to say that the credits are gone
    server.fail(**given)
    with pytest.raises(expected) as caught:
        framework.ask(framework.make(**served.where(server), max_retries=0), "Hello")
    assert server.api_key not in str(caught.value)


def test_a_wrong_key_is_said_on_every_host(framework: Driver, served: Served, server: LocalKimi) -> None:
    where = {**served.where(server), "api_key": "sk-wrong"}
    with pytest.raises(errors.AuthenticationError, match="Check the API key|belong together"):
        framework.ask(framework.make(**where), "Hello")


def test_an_error_inside_a_stream_is_raised_with_what_had_come(served: Served, server: LocalKimi) -> None:
    driver = next(d for d in DRIVERS if d.name == "langchain-stream")
    server.error_in_stream_after(5, {"message": "The engine is currently overloaded", "code": 429})
    with pytest.raises(errors.OverloadedError):
        driver.ask(driver.make(**served.where(server)), "Tell me about experts.")


def test_what_a_gateways_upstream_said_is_shown(framework: Driver) -> None:
    with LocalKimi("openrouter") as kimi:
        model = framework.make(
            host="openrouter",
            base_url=kimi.base_url,
            api_key=kimi.api_key,
            overrides={"reasoning.required": False},
            max_retries=0,
        )
        turn = [ASKED, Message("assistant", "", None, (CALL,)), Message("tool", "Sunny.", tool_call_id=CALL.id)]
        with pytest.raises(errors.BadRequestError, match="Provider returned error: .*reasoning_content is missing"):
            framework.ask(model, turn)


def test_credits_that_are_bound_for_now_are_waited_for(framework: Driver) -> None:
    with LocalKimi("openrouter") as kimi:
        model = framework.make(host="openrouter", base_url=kimi.base_url, api_key=kimi.api_key)
        bound = {"status": 402, "type": "", "message": "Budget in flight"}
        kimi.fail(1, **bound, headers={"retry-after": "0"})
        assert framework.ask(model, "Hello").text
        kimi.fail(1, **bound)
        with pytest.raises(errors.QuotaExceededError):
            framework.ask(model, "Hello")
        assert len(kimi.requests) == 3


def test_a_host_that_takes_only_some_clients_is_not_deceived(framework: Driver) -> None:
    with LocalKimi("kimi-code") as kimi:
        model = framework.make(host="kimi-code", base_url=kimi.base_url, api_key=kimi.api_key)
        with pytest.raises(errors.PermissionDeniedError, match="takes only the clients on its list"):
            framework.ask(model, "Hello")
        assert kimi.requests[-1].headers["user-agent"].startswith("kimi-adapters/")


def test_an_error_inside_a_choice_is_raised(framework: Driver) -> None:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": ""},
        "finish_reason": "error",
        "error": {"code": 429, "message": "Upstream is overloaded"},
    }
    with LocalKimi("openrouter") as kimi:
        kimi.enqueue(json={"id": "gen-1", "object": "chat.completion", "choices": [choice]})
        model = framework.make(host="openrouter", base_url=kimi.base_url, api_key=kimi.api_key, max_retries=0)
        with pytest.raises(errors.OverloadedError, match="Upstream is overloaded"):
            framework.ask(model, "Hello")


def test_input_that_a_gateway_flagged_is_a_content_filter_error(framework: Driver) -> None:
    with LocalKimi("openrouter") as kimi:
        kimi.fail(status=403, type="", message="moonshotai/kimi-k2.6 requires moderation. Your input was flagged")
        model = framework.make(host="openrouter", base_url=kimi.base_url, api_key=kimi.api_key)
        with pytest.raises(errors.ContentFilterError):
            framework.ask(model, "Hello")
