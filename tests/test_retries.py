"""Attempts that are made again: which, after what pause, and who hears of them."""

from __future__ import annotations

import datetime as dt
import logging
import traceback
from email.utils import format_datetime
from typing import Any

import pytest
from drivers import STREAMED, Driver, by_name
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.rate_limiters import BaseRateLimiter
from llama_index.core.rate_limiter import BaseRateLimiter as LlamaIndexRateLimiter
from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.event_handlers import BaseEventHandler

from kimi_adapters.local_server import LocalKimi
from kimi_core import APIStatusError, InternalServerError, KimiWarning, OverloadedError, web_search
from kimi_core.codecs.json_values import retry_after
from langchain_kimi import ChatKimi
from llama_index_kimi import KimiLLM
from llama_index_kimi._retries import LLMRetryEvent

NOW = {"retry-after": "0"}


def make(driver: Driver, kimi: LocalKimi, **options: Any) -> Any:
    return driver.make(base_url=kimi.base_url, api_key=kimi.api_key, **options)


def metadata(answer: Any) -> Any:
    native = answer.native
    return native.raw if hasattr(native, "raw") else native.response_metadata


def date(seconds: float) -> str:
    return format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds), usegmt=True)


def test_attempts_that_failed_are_in_the_metadata_and_in_the_log(
    driver: Driver, kimi: LocalKimi, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "kimi_core.retry")
    kimi.fail(status=500, type="server_error", headers=NOW)
    kimi.fail(status=429, headers=NOW)
    answer = driver.ask(make(driver, kimi), "Hello")
    assert metadata(answer)["retries"] == [
        {"error": "InternalServerError", "status_code": 500, "pause": 0.0},
        {"error": "OverloadedError", "status_code": 429, "pause": 0.0},
    ]
    assert [record.message for record in caplog.records if record.name == "kimi_core.retry"] == [
        "kimi-k2.6 on moonshot: attempt 1 of 3 failed with InternalServerError (HTTP 500); the next one in 0.0 s",
        "kimi-k2.6 on moonshot: attempt 2 of 3 failed with OverloadedError (HTTP 429); the next one in 0.0 s",
    ]


def test_an_answer_at_the_first_attempt_has_no_retries(driver: Driver, kimi: LocalKimi) -> None:
    assert not metadata(driver.ask(make(driver, kimi), "Hello")).get("retries")


def test_the_error_of_the_last_attempt_says_how_many_there_were(driver: Driver, kimi: LocalKimi) -> None:
    kimi.fail(3, headers=NOW)
    with pytest.raises(OverloadedError) as raised:
        driver.ask(make(driver, kimi), "Hello")
    assert "This was the last of 3 attempts." in "".join(traceback.format_exception(raised.value))
    assert len(kimi.requests) == 3


def test_what_came_too_early_is_sent_again(driver: Driver, kimi: LocalKimi) -> None:
    kimi.fail(status=425, type="too_early", headers=NOW)
    assert driver.ask(make(driver, kimi), "Hello").text
    kimi.fail(status=425, type="too_early", headers=NOW)
    with pytest.raises(APIStatusError):
        driver.ask(make(driver, kimi, max_retries=0), "Hello")


def test_a_host_that_gives_a_date_is_waited_for_until_then(driver: Driver, kimi: LocalKimi) -> None:
    kimi.fail(status=503, type="server_error", headers={"retry-after": date(-5)})
    assert metadata(driver.ask(make(driver, kimi), "Hello"))["retries"][0]["pause"] == 0.0
    kimi.fail(status=503, type="server_error", headers={"retry-after": date(4000)})
    with pytest.raises(InternalServerError) as raised:
        driver.ask(make(driver, kimi), "Hello")
    assert 3900 < (raised.value.retry_after or 0) <= 4000


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "1.5", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "Sun, 06 Nov 1994 08:49:37 GMT"}, 0),
        ({"retry-after": "Sunday, 06-Nov-94 08:49:37 GMT"}, 0),
        ({}, None),
    ],
    ids=str,
)
def test_the_pause_is_read_from_seconds_and_dates(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


@given(st.text(max_size=40))
def test_any_text_is_a_pause_or_none(text: str) -> None:
    found = retry_after({"retry-after": text})
    assert found is None or found >= 0


# ------------------------------------------------------------------------------------------------- who hears of it


@pytest.mark.parametrize("mode", ["invoke", "ainvoke"])
async def test_langchains_callbacks_hear_of_retries(kimi: LocalKimi, mode: str) -> None:
    heard: list[str] = []

    class Handler(BaseCallbackHandler):
        def on_retry(self, retry_state: Any, **_: Any) -> None:
            heard.append(type(retry_state.outcome.exception()).__name__)

    class AsyncHandler(AsyncCallbackHandler):
        async def on_retry(self, retry_state: Any, **_: Any) -> None:
            heard.append(type(retry_state.outcome.exception()).__name__)

    model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key)
    kimi.fail(2, headers=NOW)
    if mode == "invoke":
        model.invoke("Hello", config={"callbacks": [Handler()]})
    else:
        await model.ainvoke("Hello", config={"callbacks": [AsyncHandler()]})
    assert heard == ["OverloadedError", "OverloadedError"]


def test_the_first_attempt_is_part_of_the_time_that_callbacks_hear_of() -> None:
    heard: list[tuple[float, float]] = []

    class Handler(BaseCallbackHandler):
        def on_retry(self, retry_state: Any, **_: Any) -> None:
            told = retry_state.retry_object.statistics["delay_since_first_attempt"]
            heard.append((retry_state.seconds_since_start, told))

    with LocalKimi(delay=0.2) as slow:
        slow.fail(2, headers=NOW)
        model = ChatKimi(base_url=slow.base_url, api_key=slow.api_key)
        model.invoke("Hello", config={"callbacks": [Handler()]})
    assert [since >= 0.1 * attempt for attempt, times in enumerate(heard, 1) for since in times] == [True] * 4


@pytest.mark.parametrize("mode", ["chat", "achat", "stream_chat", "astream_chat"])
async def test_llama_index_emits_an_event_for_a_retry(kimi: LocalKimi, mode: str) -> None:
    heard: list[Any] = []

    class Handler(BaseEventHandler):
        def handle(self, event: Any, **_: Any) -> None:
            heard.append(event)

    dispatcher, handler = get_dispatcher(), Handler()
    dispatcher.add_event_handler(handler)
    try:
        llm = KimiLLM(base_url=kimi.base_url, api_key=kimi.api_key)
        kimi.fail(headers=NOW)
        match mode:
            case "chat":
                llm.complete("Hello")
            case "achat":
                await llm.acomplete("Hello")
            case "stream_chat":
                list(llm.stream_complete("Hello"))
            case _:
                [_ async for _ in await llm.astream_complete("Hello")]
    finally:
        dispatcher.event_handlers.remove(handler)
    (event,) = (event for event in heard if isinstance(event, LLMRetryEvent))
    assert (event.error, event.status_code, event.attempt, event.pause) == ("OverloadedError", 429, 1, 0.0)


class Limiter(BaseRateLimiter):
    """Counts who waits for it."""

    waited = 0

    def acquire(self, *, blocking: bool = True) -> bool:
        self.waited += 1
        return True

    async def aacquire(self, *, blocking: bool = True) -> bool:
        return self.acquire()


class LlamaIndexLimiter(LlamaIndexRateLimiter):
    """The same in LlamaIndex."""

    waited = 0

    def acquire(self, num_tokens: int = 0) -> None:
        self.waited += 1

    async def async_acquire(self, num_tokens: int = 0) -> None:
        self.acquire()


def test_a_retry_waits_for_the_rate_limiter(driver: Driver, kimi: LocalKimi) -> None:
    limiter: Any = Limiter() if driver.framework == "langchain" else LlamaIndexLimiter()
    kimi.fail(2, headers=NOW)
    driver.ask(make(driver, kimi, rate_limiter=limiter), "Hello")
    assert limiter.waited == 3 == len(kimi.requests)


OVERLOADED = {"error": {"message": "The engine is overloaded", "type": "engine_overloaded_error"}}


def check_that_a_retry_was_waited_for(driver: Driver, kimi: LocalKimi, **options: Any) -> None:
    limiter: Any = Limiter() if driver.framework == "langchain" else LlamaIndexLimiter()
    kimi.enqueue(status=429, json=OVERLOADED, headers=NOW)
    kimi.enqueue(text="it is.")
    answer = driver.ask(make(driver, kimi, rate_limiter=limiter, thinking=False, **options), "Tea?")
    assert answer.text.endswith("it is.")
    assert [r["error"] for r in metadata(answer)["retries"]] == ["OverloadedError"]
    assert limiter.waited == 2


def test_a_retry_in_a_later_turn_with_server_tools_waits_for_it_too(driver: Driver, kimi: LocalKimi) -> None:
    kimi.enqueue(tool_calls=[{"name": "$web_search", "arguments": {"q": "tea"}, "type": "builtin_function"}])
    check_that_a_retry_was_waited_for(driver, kimi, server_tools=[web_search()])


@pytest.mark.parametrize("driver", STREAMED, **by_name)
def test_a_retry_in_a_stream_that_is_continued_waits_for_it_too(driver: Driver, kimi: LocalKimi) -> None:
    head = {"id": "a", "object": "chat.completion.chunk", "created": 1, "model": "kimi-k2.6"}
    kimi.enqueue(sse=[{**head, "choices": [{"index": 0, "delta": {"content": "Tea "}}]}], done=False, cut=True)
    check_that_a_retry_was_waited_for(driver, kimi, resume="auto")


def test_retries_from_outside_warn_when_the_model_retries_too(kimi: LocalKimi) -> None:
    model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key)
    with pytest.warns(KimiWarning, match="may take 9 requests"):
        model.with_retry()
    with pytest.warns(KimiWarning, match="may take 15 requests"):
        ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key).bind(stop=["x"]).with_retry(stop_after_attempt=5)


def test_retries_from_outside_alone_do_not_warn(kimi: LocalKimi) -> None:
    kimi.fail(headers=NOW)
    alone = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, max_retries=0).with_retry()
    assert alone.invoke("Hello").text


def test_retries_of_langchains_own_middleware_do_not_warn(kimi: LocalKimi) -> None:
    middleware = pytest.importorskip("langchain.agents.middleware")
    model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key)
    assert middleware.SummarizationMiddleware(model).model is model  # a warning would be an error
