"""Over real HTTP: what is tried again, what is raised, and that clients belong to their loops."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import openai
import pytest
from pydantic import SecretStr

import kimi_core as core
from kimi_adapters.local_server import LocalKimi
from kimi_core import AsyncKimiClient, KimiClient, Message, Options, Request
from kimi_core.transport.transport import _address

HELLO = Request(messages=[Message("user", "Hello")], model="kimi-k2.6")
HEAD = {"id": "c", "object": "chat.completion.chunk", "model": "kimi-k2.6"}


def client(kimi: LocalKimi, **more: Any) -> KimiClient:
    return KimiClient(host="moonshot", base_url=kimi.base_url, api_key=more.pop("api_key", kimi.api_key), **more)


def aclient(kimi: LocalKimi, **more: Any) -> AsyncKimiClient:
    return AsyncKimiClient(host="moonshot", base_url=kimi.base_url, api_key=kimi.api_key, **more)


async def _acollect(made: AsyncKimiClient) -> None:
    async for _ in await made.stream(HELLO):
        pass


WAYS: dict[str, Callable[[LocalKimi, int], Any]] = {
    "complete": lambda kimi, n: client(kimi, max_retries=n).complete(HELLO),
    "stream": lambda kimi, n: list(client(kimi, max_retries=n).stream(HELLO)),
    "acomplete": lambda kimi, n: asyncio.run(aclient(kimi, max_retries=n).complete(HELLO)),
    "astream": lambda kimi, n: asyncio.run(_acollect(aclient(kimi, max_retries=n))),
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Callable[[LocalKimi, int], Any]:
    return WAYS[request.param]


@pytest.mark.parametrize(
    ("status", "type"),
    [(429, "engine_overloaded_error"), (429, "rate_limit_reached_error"), (500, "server_error"), (503, "server_unavailable")],
)  # fmt: skip
def test_what_passes_is_tried_again(kimi: LocalKimi, way: Any, status: int, type: str) -> None:
    kimi.fail(2, status=status, type=type, headers={"Retry-After": "0"})
    way(kimi, 2)
    assert [r.status for r in kimi.requests] == [status, status, 200]


@pytest.mark.parametrize(
    ("status", "type", "error"),
    [
        (429, "exceeded_current_quota_error", core.QuotaExceededError),
        (400, "content_filter", core.ContentFilterError),
        (403, "permission_denied_error", core.PermissionDeniedError),
    ],
)
def test_what_does_not_pass_is_raised_at_once(kimi: LocalKimi, way: Any, status: int, type: str, error: Any) -> None:
    kimi.fail(3, status=status, type=type)
    with pytest.raises(error):
        way(kimi, 2)
    assert len(kimi.requests) == 1


def test_the_attempts_are_counted(kimi: LocalKimi, way: Any) -> None:
    kimi.fail(9, headers={"Retry-After": "0"})
    with pytest.raises(core.OverloadedError):
        way(kimi, 1)
    assert len(kimi.requests) == 2


def test_retry_after_is_honoured(kimi: LocalKimi) -> None:
    kimi.fail(1, headers={"Retry-After": "0.4"})
    before = time.monotonic()
    client(kimi, max_retries=1).complete(HELLO)
    assert time.monotonic() - before >= 0.4


def test_a_host_that_asks_for_too_long_is_not_waited_for(kimi: LocalKimi) -> None:
    kimi.fail(1, headers={"Retry-After": "3600"})
    with pytest.raises(core.OverloadedError) as caught:
        client(kimi, max_retries=3).complete(HELLO)
    assert caught.value.retry_after == 3600


def test_a_daily_limit_is_not_retried(kimi: LocalKimi) -> None:
    kimi.fail(3, type="rate_limit_reached_error", message="request reached TPD rate limit, current:1, limit:1")
    with pytest.raises(core.RateLimitError):
        client(kimi, max_retries=2).complete(HELLO)
    assert len(kimi.requests) == 1


@pytest.mark.parametrize(
    ("fault", "ours", "theirs"),
    [
        ({"status": 429}, core.OverloadedError, openai.RateLimitError),
        ({"status": 500, "type": "server_error"}, core.InternalServerError, openai.InternalServerError),
        ({"status": 403, "type": "permission_denied_error"}, core.PermissionDeniedError, openai.PermissionDeniedError),
        (
            {
                "status": 400,
                "type": "invalid_request_error",
                "message": "Your request exceeded model token limit: 262144",
            },
            core.ContextOverflowError,
            openai.BadRequestError,
        ),
    ],
)
def test_errors_are_ours_and_the_sdks(kimi: LocalKimi, way: Any, fault: Any, ours: Any, theirs: Any) -> None:
    kimi.fail(1, **fault)
    with pytest.raises(ours) as caught:
        way(kimi, 0)
    assert isinstance(caught.value, theirs)
    assert caught.value.status_code == fault["status"]
    assert "kimi-k2.6 on moonshot" in str(caught.value)
    assert caught.value.response.status_code == fault["status"]


def test_a_wrong_key_says_what_to_do(kimi: LocalKimi) -> None:
    with pytest.raises(core.AuthenticationError, match="three separate spaces") as caught:
        client(kimi, api_key="sk-wrong").complete(HELLO)
    assert caught.value.request_id


def test_no_connection_is_named(way: Any) -> None:
    nowhere = LocalKimi()
    nowhere.port = 9
    with pytest.raises(core.APIConnectionError, match="could not be reached") as caught:
        way(nowhere, 0)
    assert isinstance(caught.value, openai.APIConnectionError)


def test_no_answer_in_time_is_a_timeout(kimi: LocalKimi) -> None:
    kimi.delay = 1.0
    try:
        with pytest.raises(core.APITimeoutError, match="in time"):
            client(kimi, timeout=0.2, max_retries=0).complete(HELLO)
    finally:
        kimi.delay = 0.0


def test_a_page_instead_of_json_is_named(kimi: LocalKimi) -> None:
    kimi.enqueue(raw=b"<html>Bad gateway</html>", content_type="text/html")
    with pytest.raises(core.DecodeError, match="text/html instead of JSON"):
        client(kimi).complete(HELLO)


@pytest.mark.parametrize("name", ["stream", "astream"])
def test_a_stream_that_breaks_off_carries_what_came(kimi: LocalKimi, name: str) -> None:
    kimi.enqueue(text="one two three four five", reasoning="hm")
    kimi.cut_stream_after(5)
    kimi.chunk_delay = 0.02  # a reset connection may swallow what was not read yet
    try:
        with pytest.raises((core.APIConnectionError, core.StreamError)) as caught:
            WAYS[name](kimi, 2)
    finally:
        kimi.chunk_delay = 0.0
    assert caught.value.partial is not None
    assert caught.value.partial.text or caught.value.partial.reasoning
    assert len(kimi.requests) == 1, "not repeated once something was delivered"


@pytest.mark.parametrize("name", ["stream", "astream"])
def test_a_stream_that_ends_early_is_no_success(kimi: LocalKimi, name: str) -> None:
    chunk = {**HEAD, "choices": [{"index": 0, "delta": {"content": "Half"}, "finish_reason": None}]}
    kimi.enqueue(sse=[chunk])
    with pytest.raises(core.StreamError, match="before it was finished") as caught:
        WAYS[name](kimi, 0)
    assert caught.value.partial.text == "Half"


@pytest.mark.parametrize("name", ["stream", "astream"])
def test_an_error_inside_a_stream_is_its_kind_with_what_came(kimi: LocalKimi, name: str) -> None:
    kimi.enqueue(text="one two three", reasoning="hm")
    kimi.error_in_stream_after(4)
    with pytest.raises(core.OverloadedError, match="inside the stream") as caught:
        WAYS[name](kimi, 0)
    assert caught.value.partial is not None


@pytest.mark.parametrize("name", ["stream", "astream"])
def test_a_frame_that_is_not_json_is_named(kimi: LocalKimi, name: str) -> None:
    kimi.enqueue(sse=["data: {oops\n\n"])
    with pytest.raises(core.StreamError, match="not JSON"):
        WAYS[name](kimi, 0)


@pytest.mark.parametrize("name", ["stream", "astream"])
def test_a_frame_that_is_not_json_is_named_although_the_host_says_done(kimi: LocalKimi, name: str) -> None:
    """All in one network read, after an answer that looks complete."""
    chunk = {**HEAD, "choices": [{"index": 0, "delta": {"content": "Half"}, "finish_reason": "stop"}]}
    kimi.enqueue(chunks=[f"data: {json.dumps(chunk)}\n\ndata: {{oops\n\ndata: [DONE]\n\n".encode()])
    with pytest.raises(core.StreamError, match="not JSON") as caught:
        WAYS[name](kimi, 0)
    assert caught.value.partial.text == "Half"


@pytest.mark.parametrize(
    ("given", "whole", "streamed"),
    [
        ({}, (10, 3600, 3600, 3600), (10, 900, 3600, 3600)),
        ({"timeout": 20}, (20, 20, 20, 20), (20, 20, 20, 20)),
        ({"timeout": 20, "chunk_timeout": 5}, (20, 20, 20, 20), (20, 5, 20, 20)),
        ({"timeout": openai.Timeout(60, read=2)}, (60, 2, 60, 60), (60, 2, 60, 60)),
        ({"timeout": openai.Timeout(60, read=2), "chunk_timeout": 3}, (60, 2, 60, 60), (60, 3, 60, 60)),
    ],
)
def test_each_step_of_a_request_has_its_timeout(kimi: LocalKimi, given: Any, whole: Any, streamed: Any) -> None:
    seen: list[dict[str, float]] = []
    hooks = {"request": [lambda request: seen.append(request.extensions["timeout"])]}
    with openai.DefaultHttpxClient(event_hooks=hooks) as http:
        made = client(kimi, http_client=http, **given)
        made.complete(HELLO)
        [*made.stream(HELLO)]
    steps = ("connect", "read", "write", "pool")
    assert [tuple(timeouts[step] for step in steps) for timeouts in seen] == [whole, streamed]


def test_one_object_serves_many_event_loops(kimi: LocalKimi) -> None:
    """Ten runs, ten requests: nothing is sent twice because a loop had closed."""
    made = aclient(kimi)
    for _ in range(10):
        asyncio.run(made.complete(HELLO))
    assert [r.status for r in kimi.requests] == [200] * 10


def test_clients_are_closed_with_their_loop(kimi: LocalKimi) -> None:
    from kimi_core.transport import clients

    made = aclient(kimi)
    asyncio.run(made.complete(HELLO))
    gc.collect()
    assert len(clients._loops) == 0


def test_clients_of_blocking_calls_are_closed_with_the_program(
    kimi: LocalKimi, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kimi_core.transport import clients

    monkeypatch.setattr(clients, "_clients", OrderedDict())
    with openai.DefaultHttpxClient() as own:
        for chosen in ({}, {"http_client": own}):
            KimiClient(base_url=kimi.base_url, api_key=kimi.api_key, **chosen).complete(HELLO)
        clients._close_all()
        assert [client.is_closed for client in clients._clients.values()] == [
            True,
            False,
        ]  # whose own it is closes it


def test_objects_with_the_same_settings_share_a_client(kimi: LocalKimi) -> None:
    from kimi_core.transport import clients

    one, two = client(kimi), client(kimi)
    assert clients.client(one.settings) is clients.client(two.settings)


def test_nothing_of_openais_environment_is_sent(kimi: LocalKimi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-secret")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Leak: secret")
    KimiClient(host="moonshot", base_url=kimi.base_url + "/", api_key=kimi.api_key, timeout=7).complete(HELLO)
    from kimi_core.transport import clients

    clients._forget_all()
    client(kimi).complete(HELLO)
    headers = kimi.requests[-1].headers
    assert "secret" not in str(headers)
    assert headers["user-agent"].startswith("kimi-adapters/")


def test_headers_of_the_user_are_sent_and_the_call_wins(kimi: LocalKimi) -> None:
    made = client(kimi, default_headers={"X-One": "1", "X-Two": "1"})
    made.complete(Request(messages=HELLO.messages, model="kimi-k2.6", options=Options(extra_headers={"X-Two": "2"})))
    assert (kimi.requests[-1].headers["x-one"], kimi.requests[-1].headers["x-two"]) == ("1", "2")


def test_the_users_own_http_client_is_used(kimi: LocalKimi) -> None:
    seen = []

    class Spy(openai.DefaultHttpxClient):
        def send(self, request: Any, **more: Any) -> Any:
            seen.append(request.url)
            return super().send(request, **more)

    with Spy() as http:
        client(kimi, http_client=http).complete(HELLO)
    assert len(seen) == 1


def test_the_host_counts_tokens_and_lists_models(kimi: LocalKimi) -> None:
    made = client(kimi)
    assert made.count_tokens(HELLO) > 0
    assert "kimi-k2.6" in [m["id"] for m in made.models()]
    assert asyncio.run(aclient(kimi).count_tokens(HELLO)) == made.count_tokens(HELLO)
    assert asyncio.run(aclient(kimi).models()) == made.models()


def test_closing_a_stream_early_gives_the_connection_back(kimi: LocalKimi) -> None:
    kimi.enqueue(text="word " * 500)
    events = client(kimi).stream(HELLO)
    next(events)
    events.close()
    assert client(kimi).complete(HELLO).text


def test_lone_surrogates_do_not_break_the_request(kimi: LocalKimi) -> None:
    request = Request(messages=[Message("user", "broken \ud83d text")], model="kimi-k2.6")
    assert client(kimi).complete(request).finish_reason == "stop"


def test_a_body_without_an_answer_is_named(kimi: LocalKimi) -> None:
    kimi.enqueue(json={"id": "x", "choices": []})
    with pytest.raises(core.DecodeError):
        client(kimi).complete(HELLO)


def test_a_stream_that_nobody_begins_gives_its_connection_back(kimi: LocalKimi) -> None:
    from kimi_core.transport import clients

    made = client(kimi, timeout=3)
    events = made.stream(HELLO)
    events.close()
    pool = clients.client(made.settings)._transport._pool
    assert all(connection.is_idle() or connection.is_closed() for connection in pool.connections)


def test_the_users_own_async_client_outlives_a_loop(kimi: LocalKimi) -> None:
    loop, http = asyncio.new_event_loop(), openai.DefaultAsyncHttpxClient()
    loop.run_until_complete(aclient(kimi, http_async_client=http).complete(HELLO))
    loop.run_until_complete(loop.shutdown_asyncgens())  # what asyncio.run does at its end
    assert not http.is_closed
    loop.run_until_complete(http.aclose())
    loop.close()


def test_many_threads_with_loops_of_their_own(kimi: LocalKimi) -> None:
    from concurrent.futures import ThreadPoolExecutor

    made = aclient(kimi)
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: asyncio.run(made.complete(HELLO)), range(36)))
    assert len(answers) == len(kimi.requests) == 36


def test_errors_made_before_the_sdk_was_there_do_not_stay() -> None:
    import subprocess
    import sys

    code = (
        "import pickle, kimi_core.errors as e; pickle.loads(pickle.dumps(e.RateLimitError('x')));"
        "import openai; print(issubclass(e.raised_class(e.RateLimitError), openai.RateLimitError))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "True"


def test_a_timeout_that_may_be_billed_twice_is_not_repeated(aimlapi: LocalKimi) -> None:
    aimlapi.delay = 1.0
    try:
        with pytest.raises(core.APITimeoutError) as caught:
            KimiClient(host="aimlapi", base_url=aimlapi.base_url, api_key=aimlapi.api_key, timeout=0.2).complete(HELLO)
    finally:
        aimlapi.delay = 0.0
    assert not caught.value.is_retryable


def test_out_of_credits_on_aimlapi_is_a_quota(aimlapi: LocalKimi) -> None:
    aimlapi.fail(1, status=403, type="permission_denied_error")
    with pytest.raises(core.QuotaExceededError):
        KimiClient(host="aimlapi", base_url=aimlapi.base_url, api_key=aimlapi.api_key).complete(HELLO)


def test_an_answer_eaten_by_thinking_is_said(kimi: LocalKimi) -> None:
    kimi.enqueue(text="", reasoning="Hm.", finish_reason="length")
    with pytest.warns(core.KimiWarning, match="used up by thinking"):
        client(kimi).complete(HELLO)


def test_nothing_is_taken_to_another_host_and_all_is_kept_on_the_same(kimi: LocalKimi) -> None:
    made = client(kimi, default_headers={"X-Token": "t"})
    same = made.derived(host="moonshot", max_retries=7).settings
    assert (same.base_url, same.api_key, same.default_headers) == (
        kimi.base_url,
        made.settings.api_key,
        {"X-Token": SecretStr("t")},
    )
    other = made.derived(host="vllm").settings
    assert (other.api_key, other.default_headers) == (None, {})


def test_what_was_sent_does_not_change_what_will_be(kimi: LocalKimi) -> None:
    tool = core.Tool("look", parameters={"type": "object", "properties": {"a": {"type": "string"}}})
    request = Request(messages=HELLO.messages, model="kimi-k2.6", tools=(tool,))
    made = client(kimi)
    _, first = made.prepare(request)
    first.body["tools"][0]["function"]["parameters"]["properties"].clear()
    assert made.prepare(request)[1].body["tools"][0]["function"]["parameters"]["properties"] == {
        "a": {"type": "string"}
    }


@pytest.mark.parametrize("name", ["stream", "astream"])
def test_a_whole_body_instead_of_a_stream_is_read(kimi: LocalKimi, name: str) -> None:
    message = {"role": "assistant", "content": "All at once."}
    kimi.enqueue(json={"id": "x", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
    WAYS[name](kimi, 0)
    kimi.enqueue(json={"error": {"message": "model is loading", "type": "engine_overloaded_error"}})
    with pytest.raises(core.OverloadedError, match="model is loading"):
        WAYS[name](kimi, 0)
    kimi.enqueue(raw=b"<html>login</html>", content_type="text/html")
    with pytest.raises(core.DecodeError, match="Check base_url"):
        WAYS[name](kimi, 0)


def test_an_endpoint_with_an_address_of_its_own_is_asked_there(kimi: LocalKimi) -> None:
    elsewhere = {"endpoints.chat": f"{kimi.base_url}/chat/completions"}
    there = KimiClient(
        host="moonshot", base_url="http://127.0.0.1:9/v1", api_key=kimi.api_key, overrides=elsewhere, max_retries=0
    )
    there.complete(HELLO)
    assert [request.path for request in kimi.requests] == ["/v1/chat/completions"]


def test_an_id_that_looks_like_an_address_is_asked_for_at_the_host() -> None:
    assert _address("https://host/v1/", "/files/https://evil/x") == "https://host/v1/files/https://evil/x"
