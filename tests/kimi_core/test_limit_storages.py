"""What counts limits counts the same in memory and in a Redis."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from redis import Redis

from kimi_core.hosts.groups import RateLimits
from kimi_core.limiting.asks import PARTS, TRAVEL, Ask, Delay, Outcome, Storage
from kimi_core.limiting.headers import LONGEST_PAUSE, pause_of_headers
from kimi_core.limiting.memory import Memory
from kimi_core.limiting.shared import Shared

RULES = RateLimits()
Make = Callable[..., Ask]


@pytest.fixture(params=["memory", "redis"])
def storage(request: pytest.FixtureRequest) -> Storage:
    if request.param == "memory":
        return Memory()
    return Shared(SecretStr(request.getfixturevalue("redis")), "redis://…")


@pytest.fixture
def ask() -> Make:
    """Makes what is asked at a place of this test's own."""
    place = uuid.uuid4().hex

    def make(
        requests: int = 0, minute: int = 0, day: int = 0, at_once: int = 0, tokens: int = 0, span: float = 60
    ) -> Ask:
        return Ask(place, (requests, minute, day, at_once), tokens, span)

    return make


def end(storage: Storage, ask: Ask, **outcome: Any) -> None:
    """End a request, and wait until that is known."""
    storage.end(ask, Outcome(**outcome))
    settle(storage)


def settle(storage: Storage) -> None:
    if isinstance(storage, Shared):
        done = threading.Event()
        storage._keeper.do(done.set)
        done.wait()


def why(storage: Storage, ask: Ask) -> str:
    """What a request waits for; it does not wait any longer."""
    delay = storage.take(ask)
    if delay is not None:
        end(storage, ask, sent=False)
    return delay.limit if delay else ""


def test_the_same_request_is_counted_once(storage: Storage, ask: Make) -> None:
    one = ask(at_once=2)
    assert storage.take(one) is None
    if isinstance(storage, Shared):  # a client repeats a script whose answer was lost
        assert storage.take(one) is None
    assert why(storage, ask(at_once=2)) == ""


def test_one_at_the_same_time(storage: Storage, ask: Make) -> None:
    one = ask(at_once=1)
    assert storage.take(one) is None
    assert why(storage, ask(at_once=1)) == "concurrency"
    end(storage, one)
    assert why(storage, ask(at_once=1)) == ""


def test_a_minute_runs_from_the_answer_where_that_comes_soon(storage: Storage, ask: Make) -> None:
    one, second = ask(requests=1), ask(requests=1)
    assert storage.take(one) is None
    delay = storage.take(second)
    assert delay is not None
    assert delay.seconds <= 60 + 60 / PARTS + TRAVEL
    end(storage, one, age=0.0)
    delay = storage.take(second)
    assert delay is not None
    assert delay.seconds <= 60 + 60 / PARTS


def test_a_request_that_was_not_sent_does_not_count(storage: Storage, ask: Make) -> None:
    one = ask(requests=1, minute=10, day=10, at_once=1, tokens=10)
    assert storage.take(one) is None
    end(storage, one, sent=False)
    assert why(storage, ask(requests=1, minute=10, day=10, at_once=1, tokens=10)) == ""


@pytest.mark.parametrize("window", ["minute", "day"])
def test_real_tokens_are_counted_in_place_of_those_held_back(storage: Storage, ask: Make, window: str) -> None:
    limit = {window: 100}
    one = ask(tokens=90, **limit)
    assert storage.take(one) is None
    assert why(storage, ask(tokens=20, **limit)) == f"tokens_per_{window}"
    end(storage, one, age=0.0, tokens=30)
    assert why(storage, ask(tokens=80, **limit)) == f"tokens_per_{window}"
    assert why(storage, ask(tokens=70, **limit)) == ""


def test_where_the_host_counts_what_was_asked_only_the_day_counts_less(storage: Storage, ask: Make) -> None:
    one = ask(minute=100, day=100, tokens=90)
    assert storage.take(one) is None
    end(storage, one, age=0.0, tokens=30, asked=True)
    assert why(storage, ask(minute=100, tokens=20)) == "tokens_per_minute"
    assert why(storage, ask(day=100, tokens=70)) == ""


def test_a_pause_holds_for_all(storage: Storage, ask: Make) -> None:
    one = ask(at_once=5)
    assert storage.take(one) is None
    storage.pause(one, 20.0)
    storage.pause(one, 10.0)  # a shorter one changes nothing
    settle(storage)
    delay = storage.take(ask(at_once=5))
    assert delay is not None
    assert (delay.limit, delay.seconds > 15) == ("host", True)


def test_those_who_wait_come_in_the_order_of_arrival(redis: str, ask: Make) -> None:
    programs = [Shared(SecretStr(redis), "redis://…") for _ in range(8)]
    first, *waiting = [ask(at_once=1) for _ in range(9)]
    assert programs[0].take(first) is None
    for program, one in zip(programs, waiting, strict=True):
        assert program.take(one) is not None
    end(programs[0], first)
    came: list[int] = []
    while len(came) < 8:
        for number in reversed(range(8)):  # the last ones ask first
            if number not in came and programs[number].take(waiting[number]) is None:
                came.append(number)
                end(programs[number], waiting[number])
    assert came == list(range(8))


def test_one_that_waits_and_asks_no_more_is_forgotten(redis: str, ask: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kimi_core.limiting.shared.PATIENCE", 0.2)
    storage = Shared(SecretStr(redis), "redis://…")
    first, gone, behind = ask(at_once=1), ask(at_once=1), ask(at_once=1)
    assert storage.take(first) is None
    assert storage.take(gone) is not None
    end(storage, first)
    while (delay := storage.take(behind)) is not None:
        assert delay == Delay(0.1, "turn")
        threading.Event().wait(0.05)


def test_a_lease_is_renewed_as_long_as_its_process_lives(
    redis: str, ask: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kimi_core.limiting.shared.LEASE", 0.3)
    storage = Shared(SecretStr(redis), "redis://…")
    monkeypatch.setattr("kimi_core.limiting.shared.LEASE", 30.0)
    one = ask(at_once=1)
    leases = f"kimi-adapters:{{{one.place}}}:leases"
    assert storage.take(one) is None
    with Redis.from_url(redis) as connection:
        first = connection.zscore(leases, one.id)
        while connection.zscore(leases, one.id) == first:
            threading.Event().wait(0.02)
    end(storage, one)


def test_a_request_that_was_given_up_is_not_sent_by_a_late_thread(redis: str, ask: Make) -> None:
    storage = Shared(SecretStr(redis), "redis://…")
    late = ask(at_once=1)
    end(storage, late, sent=False)
    assert storage.take(late) is not None
    assert why(storage, ask(at_once=1)) == ""


STEPS = st.tuples(st.integers(0, 60), st.integers(0, 60), st.booleans(), st.booleans(), st.booleans())


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=st.lists(STEPS, max_size=12))
def test_a_redis_decides_as_memory_does(redis: str, steps: list[tuple[int, int, bool, bool, bool]]) -> None:
    place, numbers = uuid.uuid4().hex, (6, 100, 150, 3)
    both: tuple[Storage, Storage] = (Memory(), Shared(SecretStr(redis), "redis://…"))
    under_way: list[list[Ask]] = []
    for held, came, sent, asked, ends in steps:
        asks = [Ask(place, numbers, held) for _ in both]
        said = [why(storage, ask) for storage, ask in zip(both, asks, strict=True)]
        assert said[0] == said[1]
        if not said[0]:
            under_way.append(asks)
        if ends and under_way:
            known: dict[str, Any] = {"tokens": came, "asked": asked, "age": 0.0} if sent else {}
            for storage, ask in zip(both, under_way.pop(0), strict=True):
                end(storage, ask, sent=sent, **known)


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, 40), st.integers(0, 40), st.booleans()), max_size=20),
)
def test_no_window_is_ever_fuller_than_its_limit(asked: list[tuple[int, int, int, bool]]) -> None:
    storage, under_way = Memory(), []
    for _, held, came, kept in asked:
        one = Ask("place", (8, 100, 100, 3), held)
        if storage.take(one) is None:
            under_way.append((one, came))
        if not kept and under_way:
            ending, tokens = under_way.pop(0)
            storage.end(ending, Outcome(age=0.0, tokens=min(tokens, ending.tokens)))
        place = storage._places["place"]
        assert [sum(parts.values()) <= most for parts, most in zip(place.windows, (8, 100, 100), strict=True)] == [
            True
        ] * 3
        assert all(amount >= 0 for parts in place.windows for amount in parts.values())
        assert len(place.held) <= 3


@pytest.mark.parametrize(
    ("left", "reset", "seconds"),
    [
        ("0", "30", 30.0),
        ("0", "1m30s", LONGEST_PAUSE),
        ("0", "250ms", 0.25),
        ("0", "12.5s", 12.5),
        ("0", "99999999", LONGEST_PAUSE),
        ("1", "30", 0.0),
        ("0", None, 0.0),
        ("0", "soon", 0.0),
        ("0", "-5", 0.0),
        ("nan", "30", 0.0),
        (None, "30", 0.0),
        ("0", "1m soon", 0.0),
    ],
)
def test_headers_say_how_long_nothing_is_left(left: str | None, reset: str | None, seconds: float) -> None:
    headers = {"x-ratelimit-remaining": left, "x-ratelimit-reset": reset}
    assert pause_of_headers({name: value for name, value in headers.items() if value is not None}, RULES) == seconds


@pytest.mark.parametrize("unit", [1, 1000])
def test_a_reset_may_be_a_moment(unit: int) -> None:
    at = str(int((time.time() + 40) * unit))
    assert 30 < pause_of_headers({"x-ratelimit-remaining": "0", "x-ratelimit-reset": at}, RULES) <= 40


@given(st.text(), st.text())
def test_no_header_breaks_anything(left: str, reset: str) -> None:
    pause = pause_of_headers({"x-ratelimit-remaining": left, "x-ratelimit-reset": reset}, RULES)
    assert 0 <= pause <= LONGEST_PAUSE
