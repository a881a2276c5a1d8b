"""Calls wait for their turn under `limits`, in both frameworks and all their ways, and the host never has to refuse one."""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from drivers import INVOKED, STREAMED, Driver, by_name
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.load import dumps, loads
from langchain_core.tracers.run_collector import RunCollectorCallbackHandler
from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.span_handlers import NullSpanHandler
from redis import Redis
from redis_server import PASSWORD, RedisServer
from test_retries import metadata

from kimi_adapters.local_server import LocalKimi
from kimi_core import (
    AsyncKimiClient,
    ConfigError,
    KimiClient,
    Limits,
    LimitsError,
    Message,
    Options,
    RateLimitError,
    Request,
    held_stream,
    web_search,
)
from kimi_core.limiting import asks, line, memory, shared, storages, turn
from langchain_kimi import ChatKimi
from llama_index_kimi import KimiLLM

ROOT = Path(__file__).parent.parent
KEY = "sk-canary-of-limits"
MINUTE = 0.5


@pytest.fixture(autouse=True)
def short_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asks, "MINUTE", MINUTE)
    monkeypatch.setattr(turn, "_LOOKS_AGAIN", 0.05)
    monkeypatch.setattr(shared, "_REST", 0.01)
    memory.MEMORY._places.clear()
    storages._known.clear()  # else a Redis that a test has emptied looks like one that was restarted


@pytest.fixture
def long_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of what does not go: no machine is so slow that this minute passes meanwhile."""
    monkeypatch.setattr(asks, "MINUTE", 60.0)


@pytest.fixture
def strict() -> Iterator[LocalKimi]:
    """A host of the lowest tier, with a short minute. Its address is its own, and so are the counts."""
    with LocalKimi(api_key=KEY, requests_per_minute=3, concurrency=1, minute=MINUTE) as server:
        yield server


@pytest.fixture(params=["memory", "redis"])
def storage(request: pytest.FixtureRequest) -> str:
    return "memory" if request.param == "memory" else request.getfixturevalue("redis")


def client(server: LocalKimi, limits: Any, **options: Any) -> KimiClient:
    return KimiClient(base_url=server.base_url, api_key=server.api_key, max_retries=0, limits=limits, **options)


def asked(text: str = "Hello", **options: Any) -> Request:
    return Request(messages=[Message("user", text)], model="kimi-k2.6", options=Options(**options))


def chats(server: LocalKimi) -> list[Any]:
    return [entry for entry in server.requests if entry.path == "/v1/chat/completions"]


def assert_never_over(server: LocalKimi, most: int, minute: float) -> None:
    assert server.errors == []
    came = [entry.at for entry in chats(server)]
    assert all(later - earlier >= minute for earlier, later in zip(came, came[most:], strict=False))


def left_of_the_minute(server: LocalKimi) -> float:
    """Return the seconds until the next request fits: none on a machine that was slow with those before it."""
    return max(0.0, chats(server)[0].at + MINUTE - time.monotonic())


def waited(answer: Any) -> float:
    return metadata(answer).get("limits_waited", 0.0)


# ------------------------------------------------------------------------------------------- every framework and mode


def test_the_host_has_nothing_to_refuse(driver: Driver, strict: LocalKimi, storage: str) -> None:
    limits = Limits.moonshot_tier(0, storage=storage)
    model = driver.make(base_url=strict.base_url, api_key=KEY, max_retries=0, limits=limits)
    first, *_ = [driver.ask(model, "Hello") for _ in range(3)]
    left = left_of_the_minute(strict)
    last = driver.ask(model, "Hello")
    assert_never_over(strict, 3, MINUTE)
    assert "limits_waited" not in metadata(first)
    assert waited(last) >= 0.8 * left


def test_one_at_a_time_waits_for_the_one_before(driver: Driver, storage: str) -> None:
    with LocalKimi(api_key=KEY, concurrency=1) as server:
        limits = Limits(concurrency=1, storage=storage)
        model = driver.make(base_url=server.base_url, api_key=KEY, max_retries=0, limits=limits)
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda _: driver.ask(model, "Hello"), range(6)))
        assert len(answers) == 6
        assert server.errors == []
        assert server.allowance.most_at_once == 1


def test_without_limits_the_same_host_refuses() -> None:
    with LocalKimi(api_key=KEY, requests_per_minute=3, concurrency=1) as server:
        unlimited = client(server, None)
        for _ in range(3):
            unlimited.complete(asked())
        with pytest.raises(RateLimitError, match="max request per minute"):
            unlimited.complete(asked())


def test_retries_wait_for_their_turn(driver: Driver, strict: LocalKimi) -> None:
    model = driver.make(base_url=strict.base_url, api_key=KEY, limits="tier0")
    for _ in range(2):
        driver.ask(model, "Hello")
    strict.fail(2, headers={"retry-after": "0"})
    left = left_of_the_minute(strict)
    answer = driver.ask(model, "Hello")
    assert [entry.error for entry in strict.errors] == [
        "The engine is currently overloaded, please try again later"
    ] * 2
    assert waited(answer) >= 0.8 * left


def test_rounds_with_server_tools_wait_for_their_turn(driver: Driver, strict: LocalKimi) -> None:
    model = driver.make(base_url=strict.base_url, api_key=KEY, max_retries=0, limits=Limits(concurrency=1))
    search = {"name": "$web_search", "arguments": {"query": "Oslo"}, "type": "builtin_function"}
    strict.enqueue(tool_calls=[search])
    strict.enqueue(text="Found.")
    answer = driver.ask(model, "Search for Oslo.", server_tools=[web_search()], thinking=False)
    assert answer.text == "Found."
    assert strict.errors == []


@pytest.mark.parametrize("framework", INVOKED, **by_name)
def test_limits_are_shared_by_all_models_with_the_same_key(framework: Driver, strict: LocalKimi) -> None:
    where = {"base_url": strict.base_url, "api_key": KEY, "max_retries": 0}
    models = [framework.make(**where, limits=Limits.moonshot_tier(0)) for _ in range(2)]
    models += [ChatKimi(**where, limits="tier0"), KimiLLM(**where, limits={"requests_per_minute": 3, "concurrency": 1})]
    for made in models:
        (made.invoke if isinstance(made, ChatKimi) else made.complete)("Hello")
    assert_never_over(strict, 3, MINUTE)


@pytest.mark.usefixtures("long_minute")
def test_limits_that_settings_are_given_later_hold(kimi: LocalKimi) -> None:
    settings = client(kimi, None).settings
    KimiClient(settings).complete(asked())  # whatever a call finds out about its settings is no part of a copy
    limited = KimiClient(settings.model_copy(update={"limits": Limits(requests_per_minute=1, max_wait=0)}))
    limited.complete(asked())
    with pytest.raises(LimitsError):
        limited.complete(asked())


@pytest.mark.usefixtures("long_minute")
def test_another_key_has_limits_of_its_own(kimi: LocalKimi) -> None:
    limits = Limits(requests_per_minute=1, max_wait=0)
    client(kimi, limits).complete(asked())
    with pytest.raises(LimitsError):
        client(kimi, limits).complete(asked())
    other = KimiClient(base_url=kimi.base_url, api_key="sk-other", limits=limits, max_retries=0)
    with pytest.raises(Exception, match="Invalid Authentication"):
        other.complete(asked())


@pytest.mark.usefixtures("long_minute")
def test_a_name_shares_the_limits_of_several_keys(kimi: LocalKimi) -> None:
    limits = Limits(requests_per_minute=1, max_wait=0, name="our organisation")
    client(kimi, limits).complete(asked())
    other = KimiClient(base_url=kimi.base_url, api_key="sk-other", limits=limits, max_retries=0)
    with pytest.raises(LimitsError):
        other.complete(asked())


# ---------------------------------------------------------------------------------------------------- many processes


def test_eight_processes_stay_below_the_limits_and_none_starves(redis: str) -> None:
    most, minute, calls = 12, 1.0, 4
    numbers = {"requests_per_minute": most, "concurrency": 3, "minute": minute}
    with LocalKimi(requests_per_minute=most, concurrency=3, minute=minute) as server:
        script = str(ROOT / "tests" / "limited_processes.py")
        command = [sys.executable, script, server.base_url, server.api_key, redis, str(calls), json.dumps(numbers)]
        done = subprocess.run(command, cwd=ROOT, env=_env(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert_never_over(server, most, minute)
        assert server.allowance.most_at_once <= 3
        names = [entry.body["messages"][0]["content"] for entry in chats(server)]
        assert {name: names.count(name) for name in names} == {f"process {number}": calls for number in range(8)}
    limits = Limits(concurrency=3, storage=redis)
    place = turn.place_of(client(server, limits).settings, limits)
    with Redis.from_url(redis) as connection:  # processes that have ended hold nothing, and need not be given up
        assert connection.exists(f"kimi-adapters:{{{place}}}:requests")
        assert connection.exists(*(f"kimi-adapters:{{{place}}}:{name}" for name in ("leases", "held", "queue"))) == 0


def test_a_process_that_was_killed_holds_nothing(redis: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "LEASE", 1.0)
    code = (
        "import sys; from kimi_core import *; from kimi_core.limiting import shared; shared.LEASE = 1.0\n"
        "limits = Limits(concurrency=1, storage=sys.argv[3])\n"
        "client = KimiClient(base_url=sys.argv[1], api_key=sys.argv[2], limits=limits)\n"
        "stream = client.stream(Request(messages=[Message('user', 'Hello')], model='kimi-k2.6'))\n"
        "next(stream); print('under way', flush=True); sys.stdin.read()\n"
    )
    with LocalKimi() as server:
        command = [sys.executable, "-c", code, server.base_url, server.api_key, redis]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, env=_env()) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"under way\n"
            limited = client(server, Limits(concurrency=1, storage=redis, max_wait=0.0))
            with pytest.raises(LimitsError):
                limited.complete(asked())
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert client(server, Limits(concurrency=1, storage=redis)).complete(asked()).text


def _env() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(ROOT)}


# ------------------------------------------------------------------------------------------------- the turn is given up


@pytest.mark.parametrize("driver", STREAMED, **by_name)
def test_a_dropped_stream_gives_its_turn_back(driver: Driver, kimi: LocalKimi, storage: str) -> None:
    limits = Limits(concurrency=1, storage=storage)
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key, max_retries=0, limits=limits)
    kimi.enqueue(text="word " * 50)
    if driver.mode == "stream":
        stream = driver._pieces(model, "Hello", {})
        next(iter(stream))
        stream.close()
    else:

        async def drop() -> None:
            stream = driver._pieces(model, "Hello", {})
            stream = await stream if hasattr(stream, "__await__") else stream
            await anext(stream)
            await stream.aclose()

        asyncio.run(drop())
    assert driver.ask(model, "Hello").text


async def test_a_cancelled_wait_leaves_the_line(kimi: LocalKimi, storage: str) -> None:
    limited = AsyncKimiClient(
        base_url=kimi.base_url, api_key=kimi.api_key, limits=Limits(concurrency=1, storage=storage), max_retries=0
    )
    stream = await limited.stream(asked())
    waiting = asyncio.create_task(limited.complete(asked("cancelled")))
    behind = asyncio.create_task(limited.complete(asked("behind")))
    await asyncio.sleep(0.2)
    waiting.cancel()
    async for _ in stream:
        pass
    assert (await behind).text
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert [entry.body["messages"][0]["content"] for entry in kimi.requests] == ["Hello", "behind"]


def test_a_task_whose_loop_does_not_run_holds_nobody_up(
    kimi: LocalKimi, storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "PATIENCE", 0.3)
    limits, loop = Limits(concurrency=1, storage=storage), asyncio.new_event_loop()
    stream = client(kimi, limits).stream(asked())
    next(stream)
    other = AsyncKimiClient(base_url=kimi.base_url, api_key=kimi.api_key, limits=limits)
    task = loop.create_task(other.complete(asked()))
    while not line.of_place(turn.place_of(other.settings, limits))._waiting:
        loop.run_until_complete(asyncio.sleep(0))
    stream.close()
    assert client(kimi, limits, deadline=20).complete(asked()).text  # while it may run again
    assert loop.run_until_complete(task).text
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


def test_a_deadline_ends_the_wait(driver: Driver, kimi: LocalKimi, storage: str) -> None:
    holder = client(kimi, Limits(concurrency=1, storage=storage))
    held = holder.stream(asked())
    limits = Limits(concurrency=1, storage=storage)
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key, limits=limits, deadline=0.2)
    caught: list[BaseException] = []

    def ask() -> None:  # not beside the stream: in a thread of its own
        try:
            driver.ask(model, "Hello")
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert "deadline of 0.2 seconds" in str(caught[0])
    assert len(kimi.requests) == 1
    list(held)
    assert holder.complete(asked()).text


@pytest.mark.parametrize("mode", ["threads", "tasks"])
def test_one_who_may_not_wait_is_let_through_where_there_is_room(
    kimi: LocalKimi, storage: str, long_minute: None, mode: str
) -> None:
    limits = Limits(requests_per_minute=60, concurrency=60, storage=storage, max_wait=0)
    made = client(kimi, limits)

    async def all_at_once() -> list[Any]:
        other = AsyncKimiClient(made.settings)
        return await asyncio.gather(*(other.complete(asked()) for _ in range(30)))

    if mode == "tasks":
        assert len(asyncio.run(all_at_once())) == 30
        return
    with ThreadPoolExecutor(30) as pool:
        assert len([*pool.map(lambda _: made.complete(asked()), range(30))]) == 30


def test_none_waits_behind_one_whom_the_limits_do_not_let_through(kimi: LocalKimi, storage: str) -> None:
    patient = client(kimi, Limits(concurrency=1, storage=storage))
    hurried = client(kimi, Limits(concurrency=1, storage=storage, max_wait=0.2))
    stream = patient.stream(asked())
    with ThreadPoolExecutor(1) as pool:  # not beside the stream: in a thread of its own
        first = pool.submit(patient.complete, asked("first"))
        place = line.of_place(turn.place_of(patient.settings, Limits(concurrency=1)))
        while not place.is_held_up:
            time.sleep(0.01)
        with ThreadPoolExecutor(1) as other, pytest.raises(LimitsError, match="for those that came before"):
            other.submit(hurried.complete, asked("second")).result()
        assert not first.done()
        stream.close()
        assert first.result().text


def test_a_call_beside_ones_own_stream_is_an_error_and_no_deadlock(
    kimi: LocalKimi, storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_stream, "LONGEST_REST", 0.05)
    limited = client(kimi, Limits(concurrency=1, storage=storage))
    stream = limited.stream(asked())
    with pytest.raises(LimitsError, match="a stream beside which it was begun"):
        limited.complete(asked())
    stream.close()
    assert limited.complete(asked()).text


async def test_a_blocking_call_in_an_event_loop_is_an_error_and_no_deadlock(kimi: LocalKimi, storage: str) -> None:
    limits = Limits(concurrency=1, storage=storage)
    limited = AsyncKimiClient(base_url=kimi.base_url, api_key=kimi.api_key, limits=limits, max_retries=0)
    stream = await limited.stream(asked())
    waiting = asyncio.create_task(limited.complete(asked("waiting")))
    await asyncio.sleep(0.1)
    with pytest.raises(LimitsError, match="blocks the event loop"):
        client(kimi, limits).complete(asked())
    async for _ in stream:
        pass
    assert (await waiting).text
    assert client(kimi, limits).complete(asked()).text


def test_the_line_is_kept(kimi: LocalKimi) -> None:
    limited = client(kimi, Limits(concurrency=1))
    stream = limited.stream(asked("first"))
    threads: list[threading.Thread] = []
    answers: list[Any] = []
    for number in range(5):
        threads.append(threading.Thread(target=lambda n=number: answers.append(limited.complete(asked(str(n))))))
        threads[-1].start()
        while len(_waiting(limited)) <= number:
            threads[-1].join(0.01)
    stream.close()
    for thread in threads:
        thread.join()
    assert [entry.body["messages"][0]["content"] for entry in kimi.requests] == ["first", "0", "1", "2", "3", "4"]
    assert all(answer.limits_waited > 0 for answer in answers)


def _waiting(limited: KimiClient) -> Any:
    assert limited.settings.limits is not None
    return turn.line._lines[turn.place_of(limited.settings, limited.settings.limits)]._waiting


# ------------------------------------------------------------------------------------------------------------- tokens

USAGE = {"prompt_tokens": 100, "completion_tokens": 100, "total_tokens": 200}


@pytest.mark.usefixtures("long_minute")
@pytest.mark.parametrize(("counts_asked", "fits"), [(False, True), (True, False)])
def test_tokens_are_held_back_and_then_counted_as_the_host_does(
    driver: Driver, kimi: LocalKimi, storage: str, counts_asked: bool, fits: bool
) -> None:
    limits = Limits(tokens_per_minute=1000, storage=storage, max_wait=0, name=f"{driver.name} {counts_asked}")
    facts = {"limits.counts_asked": counts_asked}
    where = {"base_url": kimi.base_url, "api_key": kimi.api_key, "limits": limits, "overrides": facts}
    model = driver.make(**where, max_tokens=600)
    kimi.enqueue(text="Yes.", usage=USAGE)
    driver.ask(model, "Hello")
    if storage != "memory":
        shared_keeper_is_idle(limits)
    if fits:
        driver.ask(model, "Hello")
    else:
        with pytest.raises(LimitsError, match="tokens_per_minute"):
            driver.ask(model, "Hello")


def shared_keeper_is_idle(limits: Limits) -> None:
    """Wait until the thread has told the Redis all that it was given."""
    from kimi_core.limiting.storages import storage_of

    done = threading.Event()
    storage_of(limits)._keeper.do(done.set)  # type: ignore[attr-defined]
    done.wait()


def test_an_answer_longer_than_the_limit_goes_alone(kimi: LocalKimi) -> None:
    assert client(kimi, Limits(tokens_per_minute=10)).complete(asked()).text


def test_a_refused_request_counts_no_tokens(kimi: LocalKimi, storage: str) -> None:
    limited = client(kimi, Limits(tokens_per_day=1000, storage=storage, max_wait=0))
    kimi.fail(status=500, type="server_error")
    with pytest.raises(Exception, match="Internal server error"):
        limited.complete(asked(max_tokens=900))
    assert limited.settings.limits is not None
    if storage != "memory":
        shared_keeper_is_idle(limited.settings.limits)
    assert limited.complete(asked(max_tokens=900)).text


# -------------------------------------------------------------------------------------------------- what the host says


@pytest.mark.usefixtures("long_minute")
def test_retry_after_holds_for_all_that_share_the_key(kimi: LocalKimi, storage: str) -> None:
    limits = Limits(requests_per_minute=1000, storage=storage, max_wait=0)
    kimi.fail(status=429, type="rate_limit_reached_error", headers={"retry-after": "30"})
    with pytest.raises(RateLimitError):
        client(kimi, limits).complete(asked())
    if storage != "memory":
        shared_keeper_is_idle(limits)
    with pytest.raises(LimitsError, match="the time that the host has asked for"):
        client(kimi, limits).complete(asked())
    assert len(kimi.requests) == 1


@pytest.mark.usefixtures("long_minute")
def test_nothing_left_holds_for_all_that_share_the_key(driver: Driver, kimi: LocalKimi) -> None:
    limits = Limits(requests_per_minute=1000, max_wait=0, name=driver.name)
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key, limits=limits, max_retries=0)
    kimi.enqueue(text="Yes.", headers={"x-ratelimit-remaining": "0", "x-ratelimit-reset": "30"})
    driver.ask(model, "Hello")
    with pytest.raises(LimitsError, match="the time that the host has asked for"):
        driver.ask(model, "Hello")


# --------------------------------------------------------------------------------------------------- the Redis is away


@pytest.fixture
def away() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.stop()


@pytest.fixture
def waits(caplog: pytest.LogCaptureFixture) -> Iterator[threading.Event]:
    """Set once the log says that a request waits."""
    caplog.set_level(logging.INFO, "kimi_core.limits")
    seen = threading.Event()

    def look(record: logging.LogRecord) -> bool:
        if "waits for" in record.getMessage():
            seen.set()
        return True

    caplog.handler.addFilter(look)
    yield seen
    caplog.handler.removeFilter(look)


def test_a_redis_that_is_away_is_waited_for(
    driver: Driver, kimi: LocalKimi, away: RedisServer, waits: threading.Event
) -> None:
    limits = Limits(requests_per_minute=3, storage=away.url)
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key, limits=limits)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(driver.ask, model, "Hello")
        assert waits.wait(60)
        away.start()
        assert metadata(answer.result())["limits_waited"] > 0


def test_a_redis_that_stays_away_is_an_error(
    driver: Driver, kimi: LocalKimi, away: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn, "LONGEST_AWAY", 0.05)
    limits = Limits(requests_per_minute=3, storage=away.url)
    with pytest.raises(LimitsError, match="cannot be reached") as caught:
        driver.ask(driver.make(base_url=kimi.base_url, api_key=kimi.api_key, limits=limits), "Hello")
    assert away.shown in str(caught.value)
    assert PASSWORD not in str(caught.value)
    assert kimi.requests == []


def test_all_who_wait_for_a_redis_wait_one_minute_together(
    kimi: LocalKimi, away: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn, "LONGEST_AWAY", 1.0)
    limited, seconds = Limits(concurrency=9, storage=away.url), []

    def ask() -> None:
        began = time.monotonic()
        with pytest.raises(LimitsError, match="cannot be reached"):
            client(kimi, limited).complete(asked())
        seconds.append(time.monotonic() - began)

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seconds) == 20
    assert max(seconds) < 20 * 1.0  # what it takes when each waits after the one before it


def test_it_raises_at_once_where_that_is_asked_for(kimi: LocalKimi, away: RedisServer) -> None:
    with pytest.raises(LimitsError, match="cannot be reached"):
        client(kimi, Limits(requests_per_minute=3, storage=away.url, when_away="raise")).complete(asked())


@pytest.mark.usefixtures("long_minute")
def test_it_goes_on_alone_where_that_is_asked_for(
    kimi: LocalKimi, away: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    limits = Limits(requests_per_minute=1, storage=away.url, when_away="local", max_wait=0)
    client(kimi, limits).complete(asked())
    assert f"{away.shown} cannot be reached; limits hold in this process alone" in caplog.text
    with pytest.raises(LimitsError, match="requests_per_minute"):
        client(kimi, limits).complete(asked())


def test_a_redis_that_was_emptied_is_followed_by_a_minute_of_rest(kimi: LocalKimi, away: RedisServer) -> None:
    limits = Limits(requests_per_minute=1000, storage=away.start().url, max_wait=0)
    client(kimi, limits).complete(asked())
    away.stop()
    away.start()
    asks.MINUTE = 30.0  # type: ignore[misc] - put back by the fixture
    with pytest.raises(LimitsError, match="the time that the host has asked for"):
        client(kimi, limits).complete(asked())


def test_a_wrong_password_is_an_error_that_does_not_show_it(kimi: LocalKimi, redis: str) -> None:
    limits = Limits(requests_per_minute=3, storage=redis.replace(PASSWORD, "wrong-canary"))
    with pytest.raises(ConfigError, match="refuses the user or password") as caught:
        client(kimi, limits).complete(asked())
    assert "wrong-canary" not in str(caught.value)


# ------------------------------------------------------------------------------------------- what is seen, what is kept


def test_waiting_is_in_the_log(
    kimi: LocalKimi, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, "kimi_core.limits")
    client(kimi, None).complete(asked())  # what a first call imports takes its time
    monkeypatch.setattr(asks, "MINUTE", 2.0)
    limited = client(kimi, Limits(requests_per_minute=3))
    for _ in range(4):
        limited.complete(asked())
    first, last = [record.message for record in caplog.records if record.name == "kimi_core.limits"]
    assert first == "kimi-k2.6 on moonshot: a request waits for the minute to pass (requests_per_minute)"
    assert re.match(r"kimi-k2\.6 on moonshot: a request has waited \d\.\d", last)


def test_neither_key_nor_password_is_kept_anywhere(framework: Driver, kimi: LocalKimi, redis: str) -> None:
    limits = Limits(requests_per_minute=5, storage=redis, name="canary-name")
    model = framework.make(base_url=kimi.base_url, api_key=kimi.api_key, limits=limits)
    framework.ask(model, "Hello")
    shown = [
        repr(model),
        str(model),
        repr(limits),
        repr(model.__dict__),
        dumps(model) if isinstance(model, ChatKimi) else "",
    ]
    shown += [repr(model.to_dict()) if isinstance(model, KimiLLM) else "", json.dumps(limits.plain())]
    shown.append(pickle.dumps(limits).decode("latin-1"))
    shown.append(pickle.dumps(model).decode("latin-1").replace(kimi.api_key, ""))  # a key that was given travels
    with Redis.from_url(redis) as connection:
        for key in connection.scan_iter():
            shown += [key.decode(), repr(connection.dump(key))]
    for text in shown:
        assert PASSWORD not in text
        assert kimi.api_key not in text
    assert not any("canary-name" in text for text in shown[-len(shown) + 9 :])


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://user:canary@host:1/0", "redis://host:1/0"),
        ("rediss://:canary@[::1]:6379", "rediss://[::1]:6379"),
        ("redis://host/0?password=canary", "redis://host/0"),
        ("redis://host/0#canary", "redis://host/0"),
        ("unix://user:canary@/run/redis.sock?db=0&password=canary", "unix:///run/redis.sock"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    limits = Limits(concurrency=1, storage=url)
    assert limits.storage == shown
    assert limits.plain()["storage"] == "env:KIMI_LIMITS_STORAGE"
    assert "canary" not in repr(limits)


@given(st.text(max_size=12), st.text(max_size=12), st.sampled_from(["redis", "rediss", "unix"]))
def test_no_password_is_shown_however_it_is_written(before: str, after: str, scheme: str) -> None:
    password = f"u:{before}canary{after}"
    try:
        shown = repr(
            Limits(concurrency=1, storage=f"{scheme}://{password}@{'/run/redis' if scheme == 'unix' else 'h'}")
        )
    except ConfigError as error:
        shown = str(error)
    assert "canary" not in shown


class SpanCollector(NullSpanHandler):
    seen: str = ""

    def span_enter(self, id_: str, bound_args: Any, *args: Any, **kwargs: Any) -> None:
        self.seen += repr(bound_args)


def test_traces_show_no_password(kimi: LocalKimi, redis: str) -> None:
    collector, spans, dispatcher = RunCollectorCallbackHandler(), SpanCollector(), get_dispatcher()
    limits: Any = {"requests_per_minute": 5, "storage": redis}
    model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key)
    model.invoke("Hello", limits=limits, config={"callbacks": [collector]})
    model.bind(limits=limits).invoke("Hello", config={"callbacks": [collector]})
    llm = KimiLLM(base_url=kimi.base_url, api_key=kimi.api_key)
    dispatcher.add_span_handler(spans)
    try:
        llm.complete("Hello", limits=limits)
    finally:
        dispatcher.span_handlers.remove(spans)
    assert "requests_per_minute" in spans.seen
    assert PASSWORD not in spans.seen + "".join(str(run.__dict__) for run in collector.traced_runs)


def revived(dumped: str) -> Any:
    known: dict[str, Any] = {"allowed_objects": [ChatKimi], "valid_namespaces": ["langchain_kimi"]}
    return loads(dumped, secrets_map={"MOONSHOT_API_KEY": "k"}, **known)


@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
def test_limits_come_back_from_a_dump(kimi: LocalKimi, monkeypatch: pytest.MonkeyPatch, redis: str) -> None:
    monkeypatch.setenv("MOONSHOT_API_KEY", "k")
    for limits in (Limits.moonshot_tier(0, max_wait=5), Limits(concurrency=2, storage="redis://127.0.0.1:1/0")):
        again = revived(dumps(ChatKimi(limits=limits)))
        assert again.limits == limits
        assert KimiLLM.from_dict(KimiLLM(limits=limits).to_dict()).limits == limits
    secret = Limits(concurrency=2, storage=redis)
    dumped = dumps(ChatKimi(limits=secret))
    monkeypatch.setenv("KIMI_LIMITS_STORAGE", redis)
    assert revived(dumped).limits == secret


@pytest.mark.parametrize("framework", INVOKED, **by_name)
def test_copies_and_pickles_have_the_same_limits(framework: Driver) -> None:
    model = framework.make(api_key="k", limits="tier1")
    for again in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert again.limits == Limits.moonshot_tier(1)


@pytest.mark.parametrize("framework", INVOKED, **by_name)
@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ("tier9", "moonshot has no tier 'tier9' \\(known: 'tier0', "),
        (3, "limits must be Limits, a mapping or a tier \\('tier0'\\)"),
        ({"rpm": 3}, "Limits have no 'rpm'"),
        ({"requests_per_minute": 0}, "must be a whole number above 0, got 0"),
        ({"requests_per_minute": True}, "must be a whole number above 0, got True"),
        ({}, "Limits need a limit"),
        ({"concurrency": 1, "storage": "http://canary@host"}, "a URL like redis://host:6379/0"),
        ({"concurrency": 1, "storage": "redis://:canary/x@host/0"}, "a URL like redis://host:6379/0"),
        ({"concurrency": 1, "storage": "redis://canary/x@host/0"}, "a URL like redis://host:6379/0"),
        ({"concurrency": 1, "storage": "redis://:canary?x@host/0"}, "a URL like redis://host:6379/0"),
        ({"concurrency": 1, "storage": "redis://:canary#x@host/0"}, "a URL like redis://host:6379/0"),
        ({"concurrency": 1, "storage": "redis://:1/canary"}, "a URL like redis://host:6379/0"),
        ({"concurrency": 1, "storage": "unix://:canary/x@/path"}, "a URL like redis://host:6379/0"),
        ({"concurrency": 1, "storage": "env:NOT_THERE"}, "'NOT_THERE', which is not set"),
        ({"concurrency": 1, "max_wait": float("nan")}, "max_wait of limits must be seconds"),
        ({"concurrency": 1, "when_away": "panic"}, "when_away of limits must be"),
    ],
)
def test_wrong_limits_are_an_error_before_any_call(framework: Driver, limits: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        framework.make(api_key="k", limits=limits)
    assert "canary" not in str(caught.value)


def test_another_host_has_no_tiers_that_are_known(framework: Driver) -> None:
    with pytest.raises(ConfigError, match=r"vllm has no tier 'tier0' \(known: none\)"):
        framework.make(host="vllm", base_url="http://127.0.0.1:1/v1", limits="tier0")


def test_limits_are_of_one_host(framework: Driver, kimi: LocalKimi, aimlapi: LocalKimi) -> None:
    there = {"host": "aimlapi", "base_url": aimlapi.base_url, "api_key": aimlapi.api_key}
    model = framework.make(
        base_url=kimi.base_url,
        api_key=kimi.api_key,
        fallback_hosts=[there],
        limits=Limits(requests_per_minute=1, max_wait=0, name=framework.name),
    )
    for _ in range(3):  # what would wait too long here is asked there
        framework.ask(model, "Hello")
    assert (len(kimi.requests), len(aimlapi.requests)) == (1, 2)


def test_the_package_redis_is_not_imported_before_it_is_needed() -> None:
    code = (
        "import sys; from kimi_core import KimiClient; KimiClient(api_key='k', limits='tier0')\n"
        "assert not {'redis', 'kimi_core.limiting'} & set(sys.modules), 'imported'"
    )
    done = subprocess.run([sys.executable, "-c", code], env=_env(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
