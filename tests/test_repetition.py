"""Answers that have fallen into a loop: ended by `stop_repetition`, wherever the loop is, and nowhere without it."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from drivers import STREAMED, WHOLE, Answer, Driver, by_name, in_every_mode
from hypothesis import given
from hypothesis import strategies as st
from odd_values import frame
from slow_server import HEAD, slow_server

from kimi_adapters.local_server import LocalKimi
from kimi_core import Budget, ConfigError, RepetitionError
from kimi_core.call_options import Repetition
from kimi_core.client.repetition import repeated
from kimi_core.options import parse_repetition

LOOP = "and once more, "
LONG = "It began. " + 400 * LOOP
"""Well beyond what counts as a loop."""
PLACES: dict[str, dict[str, Any]] = {
    "text": {"text": LONG},
    "reasoning": {"reasoning": LONG},
    "arguments of a call": {"tool_calls": [{"name": "look", "arguments": '{"city": "' + LONG}]},
}


def look(city: str) -> str:
    """Look."""
    return city


def ask(driver: Driver, kimi: LocalKimi, *, call: dict[str, Any] | None = None, **options: Any) -> Answer:
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key, empty_answer="keep", **options)
    return driver.ask(model, "Hello", tools=[look], **(call or {}))


@in_every_mode
@pytest.mark.parametrize("place", PLACES)
def test_a_loop_is_a_typed_error_with_what_came(driver: Driver, kimi: LocalKimi, place: str) -> None:
    kimi.enqueue(**PLACES[place], finish_reason="length")
    with pytest.raises(RepetitionError, match=f"the {place} end") as caught:
        ask(driver, kimi, stop_repetition=True)
    came = caught.value.partial
    assert came is not None
    ends = {"text": came.text, "reasoning": came.reasoning.text if came.reasoning else ""}
    ended = ends.get(place) or came.tool_calls[0].arguments
    assert "It began. " in ended
    assert ended.endswith(caught.value.pattern)
    assert sorted(caught.value.pattern) == sorted(LOOP)
    assert len(kimi.requests) == 1


@in_every_mode
def test_nothing_is_looked_for_without_the_option(driver: Driver, kimi: LocalKimi) -> None:
    kimi.enqueue(text=LONG, finish_reason="length")
    assert ask(driver, kimi).text == LONG


def test_a_call_switches_it_on_and_off(driver: Driver, kimi: LocalKimi) -> None:
    kimi.enqueue(text=LONG)
    assert ask(driver, kimi, stop_repetition=True, call={"stop_repetition": False}).text == LONG
    kimi.enqueue(text=LONG)
    with pytest.raises(RepetitionError):
        ask(driver, kimi, call={"stop_repetition": {"min_count": 10}})


def test_a_mapping_says_what_a_loop_is(driver: Driver, kimi: LocalKimi) -> None:
    kimi.enqueue(text=LONG)
    assert ask(driver, kimi, stop_repetition={"min_count": 100}).text == LONG
    kimi.enqueue(text="Ho, " + 40 * "ho, ")
    with pytest.raises(RepetitionError):
        ask(driver, kimi, stop_repetition={"min_pattern_size": 10, "min_count": 3})


def test_it_is_sent_to_no_host(driver: Driver, kimi: LocalKimi) -> None:
    ask(driver, kimi, stop_repetition=True)
    assert "repetition" not in json.dumps(kimi.requests[-1].body)


@pytest.mark.parametrize("driver", STREAMED, **by_name)
def test_a_stream_without_end_is_left(driver: Driver) -> None:
    with slow_server() as server:
        server.begin = HEAD + b"text/event-stream\r\n\r\n" + frame_of("It began. ")
        server.drip, server.pause = 10 * frame_of(LOOP), 0.0
        model = driver.make(base_url=f"{server.address}/v1", api_key="k", stop_repetition=True)
        pieces: list[str] = []
        with pytest.raises(RepetitionError) as caught:
            driver.pieces(model, "Hello", into=pieces)
        assert caught.value.partial is not None
        assert "".join(pieces) == caught.value.partial.text  # what was found last has been handed on
        assert server.asked == 1


def frame_of(text: str) -> bytes:
    return f"data: {json.dumps(frame({'content': text}))}\n\n".encode()


@pytest.mark.parametrize("driver", STREAMED, **by_name)
def test_a_stream_ends_where_the_loop_is_one(driver: Driver, kimi: LocalKimi) -> None:
    kimi.enqueue(text="It was, and it was, and it was. " + 20 * "x ")
    kimi.loop_in_stream_after(8, repeat=4, times=50)
    with pytest.raises(RepetitionError) as caught:
        ask(driver, kimi, stop_repetition={"min_pattern_size": 50}, merge_deltas=False)
    assert caught.value.partial is not None
    assert "x" not in caught.value.partial.text


@pytest.mark.parametrize("driver", WHOLE, **by_name)
def test_a_whole_answer_that_has_left_its_loop_is_one(driver: Driver, kimi: LocalKimi) -> None:
    kimi.enqueue(text=LONG + "But then it went on.", reasoning=LONG)
    assert ask(driver, kimi, stop_repetition=True).text.endswith("went on.")


@pytest.mark.parametrize("driver", WHOLE, **by_name)
def test_one_of_several_answers_in_a_loop_is_the_error_of_all(driver: Driver, kimi: LocalKimi) -> None:
    kimi.enqueue(text="Short.")
    kimi.enqueue(text=LONG)
    with pytest.raises(RepetitionError):
        ask(driver, kimi, stop_repetition=True, n=2)


@pytest.mark.parametrize("driver", STREAMED, **by_name)
def test_the_budget_counts_what_came(driver: Driver, kimi: LocalKimi) -> None:
    budget = Budget(tokens=1_000_000)
    kimi.enqueue(text=LONG)
    with pytest.raises(RepetitionError):
        ask(driver, kimi, stop_repetition=True, budget=budget)
    assert budget.spent.tokens > 0


def test_no_fallback_host_is_asked(driver: Driver, kimi: LocalKimi, aimlapi: LocalKimi) -> None:
    kimi.enqueue(text=LONG)
    there = {"host": "aimlapi", "base_url": aimlapi.base_url, "api_key": aimlapi.api_key}
    with pytest.raises(RepetitionError):
        ask(driver, kimi, stop_repetition=True, fallback_hosts=[there])
    assert (len(kimi.requests), len(aimlapi.requests)) == (1, 0)


def test_the_error_can_be_pickled(framework: Driver, kimi: LocalKimi) -> None:
    kimi.enqueue(text=LONG)
    with pytest.raises(RepetitionError) as caught:
        ask(framework, kimi, stop_repetition=True)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again).__name__, again.pattern) == ("RepetitionError", caught.value.pattern)
    assert not again.is_retryable


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("yes", "must be True, False or a mapping"),
        ({"min_size": 3}, "has no key 'min_size'"),
        ({"min_count": 1}, "min_count must be a whole number from 2 on"),
        ({"min_pattern_size": 0}, "min_pattern_size must be a whole number from 1 on"),
        ({"max_pattern_size": True}, "max_pattern_size must be"),
        ({"min_count": 2.5}, "min_count must be"),
        ({"max_pattern_size": 10**6}, "at most 1,000,000 characters"),
    ],
    ids=str,
)
def test_what_is_no_loop_raises_before_any_io(framework: Driver, kimi: LocalKimi, wrong: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        ask(framework, kimi, stop_repetition=wrong)
    assert kimi.requests == []


# ----------------------------------------------------------------------------------------------- what a loop is

SMALL = Repetition(min_pattern_size=4, max_pattern_size=30, min_count=3)


@given(st.text("ab ", max_size=60), st.text("abc", min_size=1, max_size=30), st.integers(0, 29))
def test_what_is_said_again_and_again_is_found(before: str, pattern: str, rest: int) -> None:
    times = 2 + SMALL.min_count * max(len(pattern), SMALL.min_pattern_size) // len(pattern)
    found = repeated(before + times * pattern + pattern[: rest % len(pattern)], SMALL)
    assert found
    assert len(pattern) % len(found) == 0


@given(st.text("ab", max_size=200))
def test_what_is_found_is_there(text: str) -> None:
    if found := repeated(text, SMALL):
        size = SMALL.min_count * max(len(found), SMALL.min_pattern_size)
        assert (size * found)[-size:] == text[-size:]
        assert len(found) <= SMALL.max_pattern_size


@pytest.mark.parametrize("least", [True, {"min_pattern_size": 1, "min_count": 5, "max_pattern_size": 100}], ids=str)
def test_text_that_goes_on_is_no_loop(least: Any) -> None:
    limits = parse_repetition(least)
    assert limits
    counted = "".join(f"{n}. It is item {n}.\n" for n in range(3_000))
    assert not any(repeated(counted[:at], limits) for at in range(0, len(counted), 61))
