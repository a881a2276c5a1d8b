"""A call ends at its deadline, whatever the host sends meanwhile, in both frameworks."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from drivers import DRIVERS, STREAMED, WHOLE, Driver, by_name, in_turn
from slow_server import HEAD, SlowServer, frame, slow_server

from kimi_adapters.local_server import LocalKimi
from kimi_core import Budget, ConfigError, ImagePart, KimiClient, Message, Request, TextPart
from kimi_core.attachments import fetch
from kimi_core.errors import APITimeoutError, MessageError

SOON = 0.4
PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 20
HEADERS = (HEAD[:10], b"x")
BODY = (HEAD + b"application/json\r\n\r\n{", b" ")
STREAM = (HEAD + b"text/event-stream\r\n\r\n" + frame("Hello"), b" ")
COMMENTS = (STREAM[0], b": ping\n\n")
TOKENS = (STREAM[0], frame(" there"))


@pytest.fixture(scope="module", autouse=True)
def _all_is_loaded(_moonshot: LocalKimi) -> None:
    """Call once by each driver: the first call would spend its time on what it loads."""
    for driver in DRIVERS:
        driver.ask(driver.make(base_url=_moonshot.base_url, api_key=_moonshot.api_key), "Hello")


@pytest.fixture
def slow() -> Iterator[SlowServer]:
    with slow_server() as server:
        yield server


def made(driver: Driver, server: SlowServer, **options: Any) -> Any:
    return driver.make(base_url=f"{server.address}/v1", api_key="sk-slow", **options)


def late(driver: Driver, model: Any) -> APITimeoutError:
    with pytest.raises(APITimeoutError, match="deadline") as caught:
        driver.ask(model, "Hello")
    return caught.value


OPTIONS = {"deadline": "deadline", "attempt_deadline": "attempt_deadline"}


@in_turn("option", OPTIONS)
def test_slow_headers_end_at_the_deadline(driver: Driver, slow: SlowServer, option: str) -> None:
    slow.begin, slow.drip = HEADERS
    error = late(driver, made(driver, slow, max_retries=0, **{option: SOON}))
    assert f"{option}=" in str(error)
    assert slow.asked == 1


@in_turn("option", OPTIONS, among=WHOLE)
def test_a_dripping_body_ends_at_the_deadline(driver: Driver, slow: SlowServer, option: str) -> None:
    slow.begin, slow.drip = BODY
    late(driver, made(driver, slow, max_retries=0, **{option: SOON}))
    assert slow.asked == 1


SENT = {"half a frame": STREAM, "comments": COMMENTS, "tokens": TOKENS}


@in_turn(
    "option,sent", {f"{sent}-{option}": (option, SENT[sent]) for option in OPTIONS for sent in SENT}, among=STREAMED
)
def test_a_stream_ends_at_the_deadline_with_what_came(
    driver: Driver, slow: SlowServer, option: str, sent: tuple[bytes, bytes]
) -> None:
    slow.begin, slow.drip = sent
    error = late(driver, made(driver, slow, max_retries=0, **{option: SOON}))
    assert error.partial.text.startswith("Hello")
    assert slow.asked == 1


@pytest.mark.parametrize("driver", STREAMED, **by_name)
def test_a_silent_stream_ends_at_the_deadline_and_not_a_timeout_later(driver: Driver, slow: SlowServer) -> None:
    slow.begin, slow.pause = STREAM[0], 30
    assert late(driver, made(driver, slow, deadline=SOON, chunk_timeout=20)).partial.text == "Hello"


@pytest.mark.usefixtures("no_pauses")
def test_an_attempt_that_is_late_is_repeated_and_a_call_is_not(driver: Driver, slow: SlowServer) -> None:
    slow.begin, slow.drip = HEADERS
    late(driver, made(driver, slow, max_retries=1, attempt_deadline=0.2, overrides={"timeouts.retry": True}))
    assert slow.asked == 2
    late(driver, made(driver, slow, max_retries=5, deadline=0.2))
    time.sleep(0.3)
    assert slow.asked == 3


def test_the_deadline_holds_for_all_attempts_together(driver: Driver, kimi: LocalKimi) -> None:
    kimi.fail(9, headers={"Retry-After": "5"})
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key, deadline=SOON)
    error = late(driver, model)
    assert not error.is_retryable
    time.sleep(0.2)
    assert len(kimi.requests) == 1


def test_the_deadline_holds_for_the_fallback_hosts_together(driver: Driver, slow: SlowServer) -> None:
    slow.begin, slow.drip = HEADERS
    spare = {"host": "vllm", "base_url": f"{slow.address}/v1", "api_key": "sk-slow"}
    model = made(driver, slow, deadline=2 * SOON, attempt_deadline=SOON, max_retries=0, fallback_hosts=[spare])
    late(driver, model)
    assert slow.asked == 2


def test_a_call_that_is_in_time_is_answered(driver: Driver, kimi: LocalKimi) -> None:
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key, deadline=20, attempt_deadline=10)
    assert driver.ask(model, "Say hello").text
    assert driver.ask(model, "Say hello", deadline=30).text


def test_a_deadline_holds_for_one_call(driver: Driver, slow: SlowServer) -> None:
    slow.begin, slow.drip = HEADERS
    with pytest.raises(APITimeoutError, match="deadline"):
        driver.ask(made(driver, slow, max_retries=0), "Hello", deadline=0.2)


def test_what_waits_for_a_budget_waits_no_longer_than_the_deadline(driver: Driver) -> None:
    with LocalKimi(delay=1.0) as kimi:
        budget = Budget(usd=0.2)
        other = KimiClient(base_url=kimi.base_url, api_key=kimi.api_key, budget=budget)
        request = Request(messages=[Message("user", "Hello")], model="kimi-k2.6")
        thread = threading.Thread(target=other.complete, args=(request,))
        thread.start()
        time.sleep(0.1)
        late(driver, driver.make(base_url=kimi.base_url, api_key=kimi.api_key, budget=budget, deadline=SOON))
        thread.join()
        assert len(kimi.requests) == 1


def test_a_call_that_was_late_keeps_nobody_waiting_for_the_budget(driver: Driver, slow: SlowServer) -> None:
    slow.begin, slow.drip = HEADERS
    budget = Budget(tokens=30_000)  # less than one answer may have, so that there is room for one call alone
    late(driver, made(driver, slow, deadline=0.2, budget=budget))
    with LocalKimi() as kimi:
        model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key, budget=budget, deadline=5)
        assert driver.ask(model, "Say hello").text


@pytest.mark.parametrize("sent", [HEADERS, (HEAD + b"image/png\r\n\r\n", b"x")], ids=["headers", "body"])
def test_a_slow_picture_ends_at_the_deadline(
    driver: Driver, slow: SlowServer, kimi: LocalKimi, sent: tuple[bytes, bytes]
) -> None:
    slow.begin, slow.drip = sent
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key, fetch_media=True, deadline=SOON)
    with pytest.raises(APITimeoutError, match="deadline"):
        driver.ask(model, [Message("user", (TextPart("Look."), ImagePart(f"{slow.address}/a.png")))])
    assert kimi.requests == []


def test_a_picture_has_a_deadline_of_its_own(
    driver: Driver, slow: SlowServer, kimi: LocalKimi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "WHOLE", SOON)
    slow.begin, slow.drip = HEADERS
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key, fetch_media=True)
    with pytest.raises(MessageError, match=r"could not be fetched within 0\.4 seconds"):
        driver.ask(model, [Message("user", (TextPart("Look."), ImagePart(f"{slow.address}/b.png")))])


def test_no_further_picture_is_fetched_after_the_deadline(slow: SlowServer, kimi: LocalKimi) -> None:
    """The thread that fetches them cannot be stopped; it ends with the picture that it is at."""
    slow.begin, slow.drip, slow.pause = HEAD + b"image/png\r\nContent-Length: %d\r\n\r\n" % len(PNG), PNG, 0.25
    client = KimiClient(base_url=kimi.base_url, api_key=kimi.api_key, fetch_media=True, deadline=SOON)
    pictures = [ImagePart(f"{slow.address}/{number}.png") for number in range(8)]
    with pytest.raises(APITimeoutError, match="deadline"):
        client.complete(Request(messages=[Message("user", (TextPart("Look."), *pictures))], model="kimi-k2.6"))
    begun = slow.asked
    time.sleep(3 * slow.pause)
    assert slow.asked <= begun + 1  # one may be on its way to the server
    assert kimi.requests == []


async def test_a_task_that_is_cancelled_from_outside_is_not_late(slow: SlowServer) -> None:
    slow.begin, slow.drip = BODY
    driver = next(one for one in WHOLE if one.mode == "ainvoke")
    task = asyncio.create_task(made(driver, slow, deadline=20).ainvoke("Hello"))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), "soon"])
@pytest.mark.parametrize("option", ["deadline", "attempt_deadline"])
def test_a_deadline_that_is_none_is_an_error(framework: Driver, option: str, seconds: Any) -> None:
    with pytest.raises(ConfigError, match=option):
        framework.make(api_key="k", **{option: seconds})
