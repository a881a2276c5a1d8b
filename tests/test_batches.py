"""Batches in both frameworks: one call, answers in order, whatever becomes of the program that asked."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import get_usage_metadata_callback
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import HumanMessage
from langchain_core.rate_limiters import InMemoryRateLimiter
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.types import PydanticProgramMode
from pydantic import BaseModel

from kimi_adapters.local_server import LocalKimi
from kimi_core import (
    BadRequestError,
    BatchError,
    Budget,
    ConfigError,
    ContentFilterError,
    DecodeError,
    InternalServerError,
    OverloadedError,
    RateLimitError,
    StructuredOutputError,
    TruncatedError,
    UnknownOptionError,
    UnsupportedError,
)
from langchain_kimi import ChatKimi
from llama_index_kimi import KimiLLM

CANARY = "sk-canary-9f3b1c77e5d24a60"
MODELS = {"langchain": ChatKimi, "llama_index": KimiLLM}


class Code(BaseModel):
    """A code."""

    code: int


def question(number: int) -> str:
    return f"The code is {number}. What is the code?"


QUESTIONS = [question(number) for number in range(4)]
ANSWERS = [f"The code is {number}." for number in range(4)]


class Asked:
    """One framework in one mode."""

    def __init__(self, framework: str, mode: str, kimi: LocalKimi) -> None:
        self.framework, self.mode, self.kimi = framework, mode, kimi

    def make(self, **options: Any) -> Any:
        given = {"base_url": self.kimi.base_url, "api_key": self.kimi.api_key, "max_retries": 0, **options}
        return MODELS[self.framework](**given)

    def batch(self, inputs: Sequence[Any] = QUESTIONS, made: Any = None, **kwargs: Any) -> list[Any]:
        made = self.make() if made is None else made
        kwargs = {"poll_interval": 0, "progress": False, **kwargs}
        if (as_objects := kwargs.pop("objects", None)) is not None:
            kwargs["schema" if self.framework == "langchain" else "output_cls"] = as_objects
        if self.mode == "async":
            return asyncio.run(made.abatch_api(inputs, **kwargs))
        return made.batch_api(inputs, **kwargs)

    def said(self, text: str) -> Any:
        """A conversation of one message."""
        return [HumanMessage(text) if self.framework == "langchain" else ChatMessage(role="user", content=text)]


@pytest.fixture(params=[(f, m) for f in MODELS for m in ("sync", "async")], ids="-".join)
def asked(request: pytest.FixtureRequest, kimi: LocalKimi) -> Asked:
    return Asked(*request.param, kimi)


def text(answer: Any) -> Any:
    if isinstance(answer, Exception):
        return type(answer)
    return str(answer.text) if hasattr(answer, "usage_metadata") else answer.message.content


def texts(answers: Sequence[Any]) -> list[Any]:
    return [text(one) for one in answers]


def cost(answer: Any) -> float:
    metadata = getattr(answer, "response_metadata", None)
    return (answer.additional_kwargs if metadata is None else metadata)["cost_usd"]  # type: ignore[no-any-return]


def sent(kimi: LocalKimi) -> int:
    return sum(one.method == "POST" and one.path == "/v1/batches" for one in kimi.requests)


# ------------------------------------------------------------------------------------------------------ one call


def test_answers_come_in_order(asked: Asked) -> None:
    assert texts(asked.batch([*QUESTIONS[:3], asked.said(QUESTIONS[3])])) == ANSWERS
    assert sent(asked.kimi) == 1
    assert asked.kimi.errors == []


def test_a_line_has_what_a_call_sends(asked: Asked) -> None:
    model = asked.make(thinking=False, max_tokens=50)
    asked.batch([QUESTIONS[0]], model, stop=["§"])
    (batch,) = asked.kimi.batches.all()
    if asked.framework == "langchain":
        model.invoke(QUESTIONS[0], stop=["§"])
    else:
        model.chat(asked.said(QUESTIONS[0]), stop=["§"])
    assert batch.requests[0]["body"] == asked.kimi.requests[-1].body


def test_an_answer_costs_three_fifths_of_that_of_a_call(asked: Asked) -> None:
    budget = Budget(usd=1.0)
    model = asked.make(budget=budget, max_tokens=200)
    (batched,) = asked.batch([QUESTIONS[0]], model)
    assert budget.spent.usd == pytest.approx(cost(batched))
    called = model.invoke(QUESTIONS[0]) if asked.framework == "langchain" else model.chat(asked.said(QUESTIONS[0]))
    assert cost(batched) == pytest.approx(0.6 * cost(called))


def test_tools_are_called(asked: Asked) -> None:
    tool = {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Get the weather of a city.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
    (answer,) = asked.batch(["What is the weather in Oslo?"], tools=[tool])
    if asked.framework == "langchain":
        calls = [(call["name"], call["args"]) for call in answer.tool_calls]
    else:
        found = asked.make().get_tool_calls_from_response(answer)
        calls = [(call.tool_name, call.tool_kwargs) for call in found]
    assert calls == [("get_weather", {"city": "Oslo"})]


def test_objects_are_made(asked: Asked) -> None:
    assert asked.batch(objects=Code) == [Code(code=number) for number in range(4)]


def test_an_answer_that_does_not_fit_is_an_error_in_its_place(asked: Asked) -> None:
    asked.kimi.enqueue(text="no code")
    asked.kimi.enqueue(text='{"code": 1', finish_reason="length")
    answers = asked.batch(objects=Code, return_exceptions=True)
    assert isinstance(answers[0], StructuredOutputError)
    assert isinstance(answers[1], TruncatedError)
    assert answers[2:] == [Code(code=2), Code(code=3)]
    assert isinstance(answers[0], OutputParserException) is (asked.framework == "langchain")


def test_one_failed_line_is_one_error_in_its_place(asked: Asked) -> None:
    asked.kimi.script_line("input-1", status=429, type="engine_overloaded_error")
    assert texts(asked.batch(return_exceptions=True))[::2] == ANSWERS[::2]
    asked.kimi.script_line("input-1", status=429, type="engine_overloaded_error")
    with pytest.raises(OverloadedError):
        asked.batch()


def test_an_input_that_cannot_be_sent_is_an_error_in_its_place_or_stops_all(asked: Asked) -> None:
    inputs = [QUESTIONS[0], 5, [{"role": "user"}], QUESTIONS[3]]
    answers = asked.batch(inputs, return_exceptions=True)
    assert texts([answers[0], answers[3]]) == [ANSWERS[0], ANSWERS[3]]
    assert all(isinstance(one, Exception) for one in answers[1:3])
    asked.kimi.reset()
    with pytest.raises((ValueError, TypeError)):
        asked.batch(inputs)
    assert asked.kimi.requests == []


def test_nothing_is_asked_for_no_inputs(asked: Asked) -> None:
    assert asked.batch([]) == []
    assert asked.kimi.requests == []


@pytest.mark.parametrize(
    ("option", "error"),
    [
        ({"thinkin": True}, UnknownOptionError),
        ({"completion_window": "1h"}, ConfigError),
        ({"server_tools": ["$web_search"]}, UnsupportedError),
        ({"model": "kimi-k3"}, UnsupportedError),
        ({"n": 2}, UnsupportedError),
    ],
    ids=str,
)
def test_what_cannot_be_asked_raises_before_any_io(asked: Asked, option: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        asked.batch(**option)
    assert asked.kimi.requests == []


def test_inputs_may_be_gone_through_but_once(asked: Asked) -> None:
    assert texts(asked.batch(question for question in QUESTIONS)) == ANSWERS
    if asked.framework == "llama_index":
        assert texts(asked.batch([iter(asked.said(QUESTIONS[0]))])) == ANSWERS[:1]


@pytest.mark.parametrize("inputs", ["one text", b"bytes", {"a": "mapping"}, None, 5])
def test_what_is_no_list_of_inputs_raises_before_any_io(asked: Asked, inputs: Any) -> None:
    with pytest.raises(ConfigError, match="put a single one into a list"):
        asked.batch(inputs)
    assert asked.kimi.requests == []


def test_half_a_character_is_asked_in_a_batch_as_in_a_call(asked: Asked, tmp_path: Path) -> None:
    inputs = [f"\ud83d {QUESTIONS[0]}"]
    assert texts(asked.batch(inputs, state=tmp_path / "state.json")) == ANSWERS[:1]


def test_a_second_program_with_the_same_state_is_refused(asked: Asked, tmp_path: Path) -> None:
    state, refused = tmp_path / "state.json", []

    def watch(progress: Any) -> None:
        if not refused:
            with pytest.raises(ConfigError, match="Another program is at the batches") as caught:
                Asked(asked.framework, "sync", asked.kimi).batch(state=state)
            refused.append(caught.value)

    assert texts(asked.batch(state=state, progress=watch)) == ANSWERS
    assert len(refused) == len(asked.kimi.batches.all()) == 1
    assert texts(asked.batch(state=state)) == ANSWERS
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_a_link_leads_to_the_state_afterwards_as_well(asked: Asked, tmp_path: Path) -> None:
    link, state = tmp_path / "link.json", tmp_path / "state.json"
    link.symlink_to(state)
    assert texts(asked.batch(state=link)) == ANSWERS
    assert link.is_symlink()
    assert texts(asked.batch(state=state)) == ANSWERS
    assert len(asked.kimi.batches.all()) == 1


def test_a_key_of_the_call_is_used_and_shown_nowhere(asked: Asked, tmp_path: Path) -> None:
    with LocalKimi(api_key=CANARY) as kimi:
        other = Asked(asked.framework, asked.mode, kimi)
        model = other.make(api_key="sk-another-key")
        kimi.script_line("input-0", status=400, type="invalid_request_error", message=f"key {CANARY}")
        kimi.script_line("input-1", status=None, type="internal", message=f"key {CANARY}")
        state = tmp_path / "state.json"
        answers = other.batch(made=model, api_key=CANARY, state=state, return_exceptions=True)
        assert texts(answers)[2:] == ANSWERS[2:]
        shown = [state.read_text(), repr(model), *map(repr, answers), *(str(vars(one)) for one in answers[:2])]
        shown += [pickle.dumps(one).decode("latin-1") for one in answers[:2]]
        assert not any(CANARY in one for one in shown)
    assert asked.kimi.requests == []


def test_a_rate_limiter_is_not_asked_for_what_is_no_call(asked: Asked) -> None:
    if asked.framework == "langchain":
        limiter: Any = InMemoryRateLimiter(requests_per_second=0.0001)
        assert texts(asked.batch(made=asked.make(rate_limiter=limiter))) == ANSWERS


def test_what_was_left_unanswered_is_asked_again_by_the_same_call(asked: Asked, tmp_path: Path) -> None:
    def watch(progress: Any) -> None:
        if progress.completed:
            asked.kimi.batches.later = 8 * 24 * 3600

    asked.kimi.batches.pace = 2
    state = tmp_path / "state.json"
    first = asked.batch(state=state, progress=watch, return_exceptions=True)
    assert texts(first)[:2] == ANSWERS[:2]
    assert all(isinstance(one, BatchError) and one.batch_status == "expired" for one in first[2:])
    assert texts(asked.batch(state=state)) == ANSWERS
    assert [len(batch.requests) for batch in asked.kimi.batches.all()] == [2, 4]


def test_the_state_of_other_options_is_refused(asked: Asked, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    asked.batch(state=state)
    asked.kimi.log.entries.clear()
    with pytest.raises(ConfigError, match="its inputs or options are not the same"):
        asked.batch(state=state, max_tokens=50)
    assert asked.kimi.requests == []


# ---------------------------------------------------------------------------------------------- of one framework


@pytest.fixture(params=["sync", "async"])
def langchain(request: pytest.FixtureRequest, kimi: LocalKimi) -> Asked:
    return Asked("langchain", request.param, kimi)


@pytest.fixture(params=["sync", "async"])
def llama_index(request: pytest.FixtureRequest, kimi: LocalKimi) -> Asked:
    return Asked("llama_index", request.param, kimi)


def test_langchains_callbacks_hear_of_every_answer(langchain: Asked) -> None:
    with get_usage_metadata_callback() as counted:
        answers = langchain.batch(config={"tags": ["nightly"]})
    total = sum(answer.usage_metadata["total_tokens"] for answer in answers)
    assert counted.usage_metadata["kimi-k2.6"]["total_tokens"] == total


def test_what_is_bound_goes_along(langchain: Asked) -> None:
    langchain.batch(made=langchain.make().bind(max_tokens=77).with_config(tags=["a"]), stop=["§"])
    (batch,) = langchain.kimi.batches.all()
    body = batch.requests[0]["body"]
    assert (body["max_completion_tokens"], body["stop"]) == (77, ["§"])


def test_raw_answers_come_beside_objects(langchain: Asked) -> None:
    langchain.kimi.enqueue(text="no code")
    first, second = langchain.batch(QUESTIONS[:2], objects=Code, include_raw=True)
    assert isinstance(first["parsing_error"], StructuredOutputError)
    assert (second["parsed"], second["raw"].text) == (Code(code=1), '{"code": 1}')


def test_the_price_in_a_trace_is_that_of_batches(langchain: Asked) -> None:
    (answer,) = langchain.batch([QUESTIONS[0]], cost_in_usage=True)
    costs = answer.response_metadata["costs"]
    assert costs["total_cost"] == pytest.approx(costs["input_cost"] + costs["output_cost"])
    assert costs["output_cost"] == pytest.approx(0.6 * 4 * answer.usage_metadata["output_tokens"] / 1_000_000)


def test_llama_indexs_callbacks_hear_of_every_answer(llama_index: Asked) -> None:
    counter = TokenCountingHandler(tokenizer=str.split)
    answers = llama_index.batch(made=llama_index.make(callback_manager=CallbackManager([counter])))
    total = sum(answer.additional_kwargs["total_tokens"] for answer in answers)
    assert counter.total_llm_token_count == total


def test_a_second_try_cannot_be_had_in_a_batch(llama_index: Asked) -> None:
    with pytest.raises(UnsupportedError, match="repair=True asks a second time"):
        llama_index.batch(objects=Code, repair=True)
    llama_index.kimi.enqueue(text="no code")
    (answer,) = llama_index.batch(QUESTIONS[:1], llama_index.make(repair=True), objects=Code, return_exceptions=True)
    assert isinstance(answer, StructuredOutputError)


def test_a_program_of_llama_indexs_own_is_refused(llama_index: Asked) -> None:
    with pytest.raises(ConfigError, match="leave pydantic_program_mode at its default"):
        llama_index.batch(made=llama_index.make(pydantic_program_mode=PydanticProgramMode.LLM), objects=Code)


# ------------------------------------------------------------------------------------- a thousand, and two deaths

PROGRAM = """
import gc, os, signal, sys
import openai.resources.chat, {module}
from kimi_core.client.batch_run import BatchRun

base_url, key, state, *deaths = sys.argv[1:]
gc.freeze()  # what was imported is not looked through again in each process, nor copied for it
for where in deaths:
    if os.fork() == 0:
        break
    print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
else:
    sys.exit()


def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def dies_after(name, times):
    method, left = getattr(BatchRun, name), [times]

    async def dying(self, *args):
        made = await method(self, *args)
        left[0] -= 1
        if not left[0]:
            die()
        return made

    setattr(BatchRun, name, dying)


if where == "uploaded":
    dies_after("_uploaded", 1)
elif where == "created":
    dies_after("_create", 2)
model = {module}.{name}(base_url=base_url, api_key=key, overrides={{"batches.lines": {lines}}})
inputs = [f"The code is {{n}}. What is the code?" for n in range({inputs})]
watch = lambda seen: die() if where == "followed" and seen.completed else None
model.batch_api(inputs, state=state, poll_interval=0, progress=watch, return_exceptions=True)
"""

KINDS: dict[tuple[int, int], tuple[dict[str, Any], type[Exception]]] = {
    (0, 3): ({"status": 400, "type": "content_filter"}, ContentFilterError),
    (0, 5): ({"status": 400, "type": "invalid_request_error", "message": "bad"}, BadRequestError),
    (1, 10): ({"json": {"strange": True}}, DecodeError),
    (1, 11): ({"json": "no object"}, DecodeError),
    (1, 20): ({"status": 429, "type": "engine_overloaded_error"}, OverloadedError),
    (1, 21): ({"status": 429, "type": "rate_limit_reached_error"}, RateLimitError),
    (1, 30): ({"status": 500}, InternalServerError),
    (2, 1): ({"json": {"error": {"message": "busy", "type": "engine_overloaded_error"}}}, OverloadedError),
    (2, 2): ({"status": None, "type": "internal", "message": "It broke."}, BatchError),
    (2, 3): ({"lost": True}, BatchError),
}
"""What becomes of some lines, by the number of the batch and theirs in it, and the errors that come of it."""
STAYS = (ContentFilterError, BadRequestError, DecodeError)


def killed(asked: Asked, deaths: Sequence[str], state: Path, lines: int, inputs: int) -> None:
    """Let programs ask one after the other, and kill themselves; they are forked, so that all is imported once."""
    module, name = {"langchain": ("langchain_kimi", "ChatKimi"), "llama_index": ("llama_index_kimi", "KimiLLM")}[
        asked.framework
    ]
    code = PROGRAM.format(module=module, name=name, lines=lines, inputs=inputs)
    arguments = [asked.kimi.base_url, asked.kimi.api_key, str(state), *deaths]
    ended = subprocess.run([sys.executable, "-c", code, *arguments], check=False, capture_output=True, text=True)
    assert ended.stdout.split() == [str(-signal.SIGKILL)] * len(deaths), ended.stderr


@pytest.mark.parametrize(
    ("framework", "deaths", "inputs"),
    [("langchain", ("uploaded", "created"), 1000), ("llama_index", ("created", "followed"), 200)],
    ids=["langchain", "llama_index"],
)
def test_a_thousand_are_answered_in_order_though_their_program_was_killed_twice(
    framework: str, deaths: tuple[str, str], inputs: int, kimi: LocalKimi, tmp_path: Path
) -> None:
    asked, state, lines = Asked(framework, "sync", kimi), tmp_path / "state.json", inputs * 2 // 5
    errors = {part * lines + number: error for (part, number), (_, error) in KINDS.items()}
    for place, (script, _) in zip(errors, KINDS.values(), strict=True):
        kimi.script_line(f"input-{place}", **script)
    kimi.batches.pace = lines // 8
    killed(asked, deaths, state, lines, inputs)
    made = asked.make(overrides={"batches.lines": lines})
    questions = [question(number) for number in range(inputs)]
    done: list[int] = []

    def watch(progress: Any) -> None:
        (newest, *_) = kimi.batches.all()
        if newest.done >= lines // 4 and not done:
            newest.expires_at = 0
            done.append(newest.done)

    answers = asked.batch(questions, made, state=state, progress=watch, return_exceptions=True)
    expired = range(2 * lines + done[0], inputs)
    for place, answer in enumerate(answers):
        if place in expired:
            assert isinstance(answer, BatchError)
            assert answer.batch_status == "expired"
        elif place in errors:
            assert isinstance(answer, errors[place]), place
        else:
            assert text(answer) == f"The code is {place}."
    once = [one["custom_id"] for batch in kimi.batches.all() for one in batch.requests]
    assert sorted(once) == sorted(f"input-{number}" for number in range(inputs))

    answers = asked.batch(questions, made, state=state, return_exceptions=True)
    stay = {place for place, error in errors.items() if error in STAYS}
    for place, answer in enumerate(answers):
        if place in stay:
            assert isinstance(answer, errors[place]), place
        else:
            assert text(answer) == f"The code is {place}."
    assert len(kimi.batches.all()) == 4
    again = [one["custom_id"] for one in kimi.batches.all()[0].requests]
    assert sorted(again) == sorted(f"input-{place}" for place in {*errors, *expired} - stay)
    assert os.listdir(tmp_path) == ["state.json"]
