"""What hosts do to answers is undone alike in both frameworks, sync and async, streamed and not."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any, get_args

import openai
import pytest
from drivers import STREAMED, WHOLE, Answer, Driver, by_name
from langchain_core.messages import HumanMessage, ToolMessage
from llama_index.core.base.llms.types import ChatMessage

from kimi_adapters.local_server import LocalKimi
from kimi_adapters.local_server.reply import ReasoningAs
from kimi_core import (
    HOSTS,
    APIError,
    APITimeoutError,
    BadRequestError,
    ConfigError,
    KimiWarning,
    OverloadedError,
    ReasoningRules,
)

THOUGHT = "The user wants a yes. So be it."


def look(city: str) -> str:
    """Look a city up."""
    return city


def make(driver: Driver, kimi: LocalKimi, host: Any = "moonshot", **more: Any) -> Any:
    return driver.make(host=host, base_url=kimi.base_url, api_key=kimi.api_key, **more)


def go_on(driver: Any, model: Any, first: Answer) -> None:
    """The next turn, with the first answer handed back as it came, and a result for each of its calls."""
    ids = [call["id"] for call in first.tool_calls]
    if driver.framework == "langchain":
        results = [ToolMessage("ok", tool_call_id=id) for id in ids]
        driver._run(model, [HumanMessage("Look."), first.native, *results], {})
    else:
        answers = [ChatMessage(role="tool", content="ok", additional_kwargs={"tool_call_id": id}) for id in ids]
        driver._run(model, "chat", [ChatMessage(role="user", content="Look."), first.native.message, *answers], {})


# ---------------------------------------------------------------------------------------------------- reasoning


@pytest.mark.parametrize("form", get_args(ReasoningAs))
def test_reasoning_is_the_same_wherever_the_host_puts_it(driver: Driver, kimi: LocalKimi, form: ReasoningAs) -> None:
    kimi.enqueue(text="Yes < no.", reasoning=THOUGHT, reasoning_as=form)
    facts = {"reasoning.think_tags": "opened"} if form == "lone_tag" else {}
    answer = driver.ask(make(driver, kimi, "generic", overrides=facts), "Say yes.")
    assert (answer.text, answer.reasoning) == ("Yes < no.", THOUGHT)


DETAILS = [
    {"type": "reasoning.text", "text": THOUGHT, "format": "unknown", "index": 0},
    {"type": "reasoning.encrypted", "data": "bG9jYWw=", "format": "unknown", "index": 1},
]
KEYS = ("reasoning", "reasoning_content", "reasoning_details")


@pytest.mark.parametrize(
    ("facts", "sent"),
    [
        ({"reasoning.key_out": "observed"}, {"reasoning": THOUGHT, "reasoning_details": DETAILS}),
        ({"reasoning.key_out": "reasoning_details"}, {"reasoning_details": DETAILS}),
        ({"reasoning.key_out": "reasoning_content"}, {"reasoning_content": THOUGHT}),
        ({"reasoning.keys_in": ("reasoning",)}, {"reasoning": THOUGHT}),
    ],
    ids=["observed", "details", "a key", "no details"],
)
def test_details_go_back_as_they_came_where_the_spec_has_it(
    driver: Driver, kimi: LocalKimi, facts: dict[str, Any], sent: dict[str, Any]
) -> None:
    """OpenRouter wants `reasoning_details` back "unmodified"; the local server checks none of it."""
    kimi.enqueue(reasoning=THOUGHT, reasoning_as="details", tool_calls=[{"name": "look"}])
    kimi.enqueue(text="Done.", unchecked=True)
    model = make(driver, kimi, "generic", overrides=facts)
    go_on(driver, model, driver.ask(model, "Look.", tools=[look]))
    message = kimi.requests[-1].body["messages"][1]
    assert {key: message[key] for key in KEYS if key in message} == sent


def test_without_details_their_host_gets_the_text(driver: Driver, kimi: LocalKimi) -> None:
    reasoning = ReasoningRules(keys_in=("reasoning", "reasoning_details"), key_out="reasoning_details")
    spec = dataclasses.replace(HOSTS["generic"], name="router", reasoning=reasoning)
    kimi.enqueue(reasoning=THOUGHT, reasoning_as="reasoning", tool_calls=[{"name": "look"}])
    kimi.enqueue(text="Done.", unchecked=True)
    model = make(driver, kimi, spec)
    go_on(driver, model, driver.ask(model, "Look.", tools=[look]))
    assert kimi.requests[-1].body["messages"][1]["reasoning"] == THOUGHT


def test_a_turn_for_which_thinking_was_switched_off_is_sent_back_in_silence(driver: Driver, kimi: LocalKimi) -> None:
    """The blank in place of its reasoning repairs nothing: there was none."""
    model = make(driver, kimi)
    first = driver.ask(model, "Look Oslo up.", tools=[look], tool_choice="look")
    assert kimi.requests[-1].body["thinking"] == {"type": "disabled"}
    assert (bool(first.tool_calls), first.reasoning) == (True, "")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        go_on(driver, model, first)
    assert kimi.requests[-1].body["messages"][1]["reasoning_content"] == " "
    assert kimi.errors == []


# ------------------------------------------------------------------------------------------------- leaked calls

CALL = {"name": "look", "arguments": {"city": "Oslo"}, "id": "functions.look:0"}


@pytest.mark.parametrize("host", ["vllm", "generic"])
def test_calls_that_leak_into_the_text_are_recovered(driver: Driver, kimi: LocalKimi, host: str) -> None:
    kimi.enqueue(text="I look.", tool_calls=[CALL], calls_as="tokens", unchecked=True)
    answer = driver.ask(make(driver, kimi, host), "Look Oslo up.", tools=[look])
    assert answer.text == "I look."
    assert answer.tool_calls == [{"name": "look", "args": {"city": "Oslo"}, "id": "functions.look:0"}]


TAKEN_OUT = "tool_choice='none' was asked for"


@pytest.fixture
def llama() -> Any:
    with LocalKimi("llama-cpp") as kimi:
        yield kimi


def marks_of(driver: Driver, answer: Answer) -> Any:
    return answer.native.response_metadata if driver.framework == "langchain" else answer.native.raw


def test_calls_that_were_not_to_be_made_are_no_part_of_the_text(driver: Driver, llama: LocalKimi) -> None:
    """llama-server with `tool_choice: "none"` looks for no calls, and leaves the model's tokens where they are."""
    model = make(driver, llama, "llama-cpp")
    with pytest.warns(KimiWarning, match=TAKEN_OUT) as caught:
        for _ in range(2):
            llama.enqueue(text="Oslo it is. 1 < 2", reasoning=THOUGHT, tool_calls=[CALL])
            answer = driver.ask(model, "Look Oslo up.", tools=[look], tool_choice="none")
            assert (answer.text, answer.tool_calls, answer.reasoning) == ("Oslo it is. 1 < 2", [], THOUGHT)
            assert answer.finish_reason == "stop"
            assert marks_of(driver, answer)["withheld_calls"] == (
                "<|tool_calls_section_begin|><|tool_call_begin|>functions.look:0<|tool_call_argument_begin|>"
                '{"city": "Oslo"}<|tool_call_end|><|tool_calls_section_end|>'
            )
    assert len(caught) == 1
    assert llama.requests[-1].body["tool_choice"] == "none"
    assert len(llama.requests) == 2


def test_an_answer_that_was_nothing_but_such_calls_is_empty_and_not_asked_for_again(
    driver: Driver, llama: LocalKimi
) -> None:
    llama.enqueue(reasoning=THOUGHT, tool_calls=[CALL])
    with pytest.warns(KimiWarning, match=TAKEN_OUT) as caught:
        answer = driver.ask(make(driver, llama, "llama-cpp"), "Look Oslo up.", tools=[look], tool_choice="none")
    assert (answer.text, answer.tool_calls, len(caught), len(llama.requests)) == ("", [], 1, 1)


@pytest.mark.parametrize("choice", ["none", "auto"])
def test_an_answer_without_such_calls_has_no_mark(driver: Driver, llama: LocalKimi, choice: str) -> None:
    llama.enqueue(text="Oslo it is.")
    answer = driver.ask(make(driver, llama, "llama-cpp"), "Look.", tools=[look], tool_choice=choice)
    assert (answer.text, "withheld_calls" in marks_of(driver, answer)) == ("Oslo it is.", False)


def test_tokens_in_moonshots_text_are_text(driver: Driver, kimi: LocalKimi) -> None:
    kimi.enqueue(tool_calls=[CALL], calls_as="tokens")
    answer = driver.ask(make(driver, kimi), "Look Oslo up.", tools=[look])
    assert answer.text.startswith("<|tool_calls_section_begin|>")
    assert answer.tool_calls == []


# ------------------------------------------------------------------------------------------------ empty answers

SPENT = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def only_thought(kimi: LocalKimi, n: int = 1) -> None:
    for _ in range(n):
        kimi.enqueue(reasoning=THOUGHT, usage=SPENT)


@pytest.mark.parametrize("driver", WHOLE, **by_name)
def test_a_whole_answer_that_is_only_reasoning_is_asked_for_once_more(driver: Driver, kimi: LocalKimi) -> None:
    """MoonshotAI/kimi-code#520."""
    only_thought(kimi)
    kimi.enqueue(text="Yes.", usage=SPENT)
    answer = driver.ask(make(driver, kimi), "Say yes.")
    assert (answer.text, answer.total_tokens) == ("Yes.", 30)
    assert answer.cost_usd == pytest.approx(2 * (10 * 0.95 + 5 * 4.0) / 1e6)
    assert len(kimi.requests) == 2


def test_an_answer_that_stays_empty_is_kept_with_one_warning(driver: Driver, kimi: LocalKimi) -> None:
    """Of a stream the reasoning was handed on already, so it is not asked for again."""
    only_thought(kimi, 4)
    model = make(driver, kimi)
    with pytest.warns(KimiWarning, match="stopped after thinking") as caught:
        answers = [driver.ask(model, "Say yes.") for _ in range(2)]
    assert {(a.text, a.reasoning) for a in answers} == {("", THOUGHT)}
    assert len(caught) == 1
    assert len(kimi.requests) == (2 if driver.streams else 4)


def test_reasoning_is_promoted_where_that_is_wanted(driver: Driver, kimi: LocalKimi) -> None:
    only_thought(kimi)
    answer = driver.ask(make(driver, kimi, empty_answer="promote"), "Say yes.")
    assert (answer.text, answer.reasoning) == (THOUGHT, THOUGHT)
    native = answer.native
    marks = native.response_metadata if driver.framework == "langchain" else native.raw
    assert marks["promoted_reasoning"] is True
    assert len(kimi.requests) == 1


def test_an_answer_with_text_is_not_promoted(driver: Driver, kimi: LocalKimi) -> None:
    kimi.enqueue(text="Yes.", reasoning=THOUGHT)
    assert driver.ask(make(driver, kimi, empty_answer="promote"), "Say yes.").text == "Yes."


def test_an_empty_answer_is_handed_on_where_that_is_wanted(driver: Driver, kimi: LocalKimi) -> None:
    only_thought(kimi)
    answer = driver.ask(make(driver, kimi), "Say yes.", empty_answer="keep")
    assert (answer.text, answer.reasoning) == ("", THOUGHT)
    assert len(kimi.requests) == 1


@pytest.mark.parametrize("odd", ["length", "content_filter"])
def test_an_answer_that_was_cut_is_not_asked_for_again(driver: Driver, kimi: LocalKimi, odd: str) -> None:
    kimi.enqueue(reasoning=THOUGHT, finish_reason=odd)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        driver.ask(make(driver, kimi), "Say yes.")
    assert len(kimi.requests) == 1


def test_a_value_that_empty_answer_does_not_take_raises_before_any_io(driver: Driver, kimi: LocalKimi) -> None:
    with pytest.raises(ConfigError, match="'retry', 'promote' or 'keep'"):
        driver.ask(make(driver, kimi), "Say yes.", empty_answer="again")
    assert kimi.requests == []


# ------------------------------------------------------------------------------------------------ only X is allowed

FREE = {"sampling.pinned": False}


def test_an_option_that_the_host_refuses_by_name_is_left_out(driver: Driver, kimi: LocalKimi) -> None:
    """400 `invalid temperature: only 1 is allowed for this model`."""
    with pytest.warns(KimiWarning, match="only 1 is allowed.*asked again without temperature"):
        answer = driver.ask(make(driver, kimi, overrides=FREE, temperature=0.3), "Hello")
    assert answer.text
    assert ["temperature" in r.body for r in kimi.requests] == [True, False]


def test_each_refused_option_is_left_out_once(driver: Driver, kimi: LocalKimi) -> None:
    model = make(driver, kimi, overrides=FREE, temperature=0.3, top_p=0.1, frequency_penalty=1)
    with pytest.warns(KimiWarning, match="asked again without") as caught:
        driver.ask(model, "Hello")
    assert [r.status for r in kimi.requests] == [400, 400, 400, 200]
    assert len(caught) == 3


def test_a_host_that_goes_on_refusing_is_not_asked_for_ever(driver: Driver, kimi: LocalKimi) -> None:
    kimi.fail(
        9, status=400, type="invalid_request_error", message="invalid temperature: only 1 is allowed for this model"
    )
    with pytest.warns(KimiWarning), pytest.raises(BadRequestError, match="only 1 is allowed"):
        driver.ask(make(driver, kimi, overrides=FREE, temperature=0.3), "Hello")
    assert len(kimi.requests) == 2


@pytest.mark.parametrize(
    "more",
    [
        {"overrides": FREE, "temperature": 0.3, "on_unsupported": "error"},
        {"overrides": {**FREE, "errors.refused_option": None}, "temperature": 0.3},
        {"extra_body": {"temperature": 0.3}},
    ],
    ids=["errors are wanted", "the spec has no such text", "the user's own body"],
)
def test_the_refusal_is_raised_where_nothing_may_be_left_out(
    driver: Driver, kimi: LocalKimi, more: dict[str, Any]
) -> None:
    with pytest.raises(BadRequestError, match="only 1 is allowed"):
        driver.ask(make(driver, kimi, **more), "Hello")
    assert len(kimi.requests) == 1


# ---------------------------------------------------------------------------------------------------- silence

HEAD = {"id": "c", "model": "kimi-k2.6"}
SAID = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hel"}}]}\n\n'


SOON = 0.2


@pytest.fixture
def silent(kimi: LocalKimi, monkeypatch: pytest.MonkeyPatch) -> LocalKimi:
    """The local server, which sends one piece of a stream and then nothing for longer than anybody waits here."""
    monkeypatch.setattr(kimi, "chunk_delay", 10)
    return kimi


@pytest.mark.parametrize("driver", STREAMED, **by_name)
def test_a_stream_that_falls_silent_is_given_up_with_what_came(driver: Driver, silent: LocalKimi) -> None:
    silent.enqueue(chunks=[SAID, SAID])
    with pytest.raises(APITimeoutError, match="fell silent") as caught:
        driver.ask(make(driver, silent, chunk_timeout=SOON), "Hello")
    assert caught.value.partial.text == "Hel"
    assert len(silent.requests) == 1


@pytest.mark.parametrize("driver", STREAMED, **by_name)
@pytest.mark.parametrize(
    "more",
    [{"overrides": {"timeouts.chunk": SOON}}, {"timeout": SOON}, {"timeout": 9, "chunk_timeout": SOON}],
    ids=["of the row", "of the whole", "of both"],
)
def test_silence_is_measured_by_what_was_said_about_it(driver: Driver, silent: LocalKimi, more: dict[str, Any]) -> None:
    silent.enqueue(chunks=[SAID, SAID])
    with pytest.raises(APITimeoutError):
        driver.ask(make(driver, silent, **more, max_retries=0), "Hello")


@pytest.mark.parametrize("driver", STREAMED, **by_name)
def test_a_pause_that_is_allowed_breaks_nothing(
    driver: Driver, kimi: LocalKimi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kimi, "chunk_delay", 0.1)
    end = b'data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    kimi.enqueue(chunks=[SAID, end])
    hasty = openai.Timeout(9, read=0.01)
    assert driver.ask(make(driver, kimi, timeout=hasty, chunk_timeout=9), "Hello").text == "Hel"


@pytest.mark.parametrize("wrong", [0, -1, "9", True])
def test_a_silence_that_is_no_time_raises_at_construction(framework: Driver, wrong: Any) -> None:
    with pytest.raises(ConfigError, match="chunk_timeout"):
        framework.make(api_key="k", chunk_timeout=wrong)


# ------------------------------------------------------------------------------------------- errors with HTTP 200

OVERLOADED = {"error": {"message": "The engine is currently overloaded", "type": "engine_overloaded_error"}}


def test_an_error_with_http_200_is_tried_again(driver: Driver, kimi: LocalKimi) -> None:
    kimi.enqueue(json=OVERLOADED, headers={"retry-after": "0"})
    kimi.enqueue(text="Hello.")
    assert driver.ask(make(driver, kimi), "Hello").text == "Hello."
    assert len(kimi.requests) == 2


def test_an_error_with_http_200_is_raised_as_its_kind(driver: Driver, kimi: LocalKimi) -> None:
    kimi.enqueue(json=OVERLOADED, headers={"x-trace-id": "t1"})
    with pytest.raises(OverloadedError, match="HTTP 200 with an error") as caught:
        driver.ask(make(driver, kimi, max_retries=0), "Hello")
    assert caught.value.request_id == "t1"


def test_a_key_in_an_error_with_http_200_is_taken_out(driver: Driver, kimi: LocalKimi) -> None:
    kimi.enqueue(json={"error": {"message": f"bad key {kimi.api_key}", "type": "odd"}})
    with pytest.raises(APIError) as caught:
        driver.ask(make(driver, kimi), "Hello")
    assert kimi.api_key not in f"{caught.value}{caught.value.body}"


# -------------------------------------------------------------------------------------------------- cache options


def test_what_was_put_into_the_cache_is_counted_and_priced(driver: Driver, kimi: LocalKimi) -> None:
    details = {"cached_tokens": 300, "cache_write_tokens": 500}
    kimi.enqueue(text="Yes.", usage={**SPENT, "prompt_tokens": 1000, "prompt_tokens_details": details})
    model = make(driver, kimi, model="kimi-k3", prompt_cache_options={"mode": "implicit", "ttl": "1h"})
    answer = driver.ask(model, "Say yes.")
    assert kimi.requests[-1].body["prompt_cache_options"] == {"mode": "implicit", "ttl": "1h"}
    assert answer.cost_usd == pytest.approx((300 * 0.3 + 500 * 6.0 + 200 * 3.0 + 5 * 15.0) / 1e6)
    if driver.framework == "langchain":
        assert answer.native.usage_metadata["input_token_details"] == {"cache_read": 300, "cache_creation": 500}
    else:
        assert answer.native.additional_kwargs["cache_write_tokens"] == 500
