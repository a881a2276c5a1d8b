"""What several calls of one answer have cost is added up in one way; what a host did not say takes nothing away."""

from __future__ import annotations

from typing import Any

import pytest
from drivers import WHOLE, Driver
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from kimi_adapters.local_server import LocalKimi
from kimi_core import Usage
from kimi_core.usage import Bill
from langchain_kimi import ChatKimi
from llama_index_kimi import KimiLLM

USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "cached_tokens": 4}
PRICE = (6 * 0.95 + 4 * 0.16 + 5 * 4.0) / 1e6


def body(message: dict[str, Any], usage: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
    return {"id": "c", "model": "kimi-k2.6", "choices": [choice], **({"usage": usage} if usage else {})}


THOUGHT = {"content": "", "reasoning_content": "Let me see."}


@pytest.mark.parametrize("driver", WHOLE, ids=lambda d: d.name)
@pytest.mark.parametrize("usages", [(USAGE, None), (None, USAGE)], ids=["the second says none", "the first says none"])
def test_an_answer_that_was_asked_for_again_costs_what_is_known_of_both(
    usages: tuple[Any, Any], driver: Driver, kimi: LocalKimi
) -> None:
    kimi.enqueue(json=body(THOUGHT, usages[0]))
    kimi.enqueue(json=body({"content": "Yes."}, usages[1]))
    answer = driver.ask(driver.make(base_url=kimi.base_url, api_key=kimi.api_key), "Really?")
    assert len(kimi.requests) == 2
    assert (answer.text, answer.input_tokens, answer.output_tokens, answer.cached_tokens) == ("Yes.", 10, 5, 4)
    assert answer.cost_usd == pytest.approx(PRICE)


COUNTS: list[tuple[Any, tuple[int, int, int, int | None] | None]] = [
    ({"prompt_tokens": 12.0, "completion_tokens": 3.0, "total_tokens": 15.0}, (12, 3, 15, None)),
    ({"prompt_tokens": "12", "completion_tokens": "3", "cached_tokens": "7"}, (12, 3, 15, 7)),
    ({"prompt_tokens": None, "completion_tokens": 3, "total_tokens": None}, (0, 3, 3, None)),
    ({"prompt_tokens": float("inf"), "completion_tokens": 3}, (0, 3, 3, None)),
    ({"prompt_tokens": float("nan"), "completion_tokens": 3}, (0, 3, 3, None)),
    ({"prompt_tokens": -5, "completion_tokens": 3, "cached_tokens": -1}, (0, 3, 3, None)),
    ({"prompt_tokens": True, "completion_tokens": 3, "cached_tokens": []}, (0, 3, 3, None)),
    ({"prompt_tokens": [1], "completion_tokens": {}, "total_tokens": "many"}, None),
    ({}, None),
    ([1], None),
    ("many", None),
]


@pytest.mark.parametrize(("usage", "counted"), COUNTS, ids=[str(usage) for usage, _ in COUNTS])
def test_usage_is_whole_numbers_and_what_is_no_number_was_not_counted(
    usage: Any, counted: Any, driver: Driver, kimi: LocalKimi
) -> None:
    enqueue(kimi, driver, usage=usage)
    answer = driver.ask(driver.make(base_url=kimi.base_url, api_key=kimi.api_key), "Really?")
    found = (answer.input_tokens, answer.output_tokens, answer.total_tokens, answer.cached_tokens)
    assert found == (counted or (None, None, None, None))
    assert all(type(number) is int for number in found if number is not None)


@pytest.mark.parametrize("cost", [-1, float("inf"), float("nan"), True, "much", []])
def test_a_price_that_is_none_is_not_taken_for_one(cost: Any, driver: Driver, kimi: LocalKimi) -> None:
    enqueue(kimi, driver, usage={**USAGE, "cost": cost})
    overrides = {"usage.cost_paths": ("usage.cost",), "usage.prices": {}}
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key, overrides=overrides)
    assert driver.ask(model, "Really?").cost_usd is None


def enqueue(kimi: LocalKimi, driver: Driver, usage: Any) -> None:
    whole = {**body({"content": "Yes."}, None), "usage": usage}
    if driver.streams:
        choices = [{"index": 0, "delta": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}]
        kimi.enqueue(sse=[{**whole, "choices": choices}])
    else:
        kimi.enqueue(json=whole)


class City(BaseModel):
    """A city."""

    name: str


@pytest.mark.parametrize("usages", [(USAGE, None), (None, USAGE), (USAGE, USAGE)])
def test_a_repaired_answer_costs_what_is_known_of_both_in_langchain(usages: tuple[Any, Any], kimi: LocalKimi) -> None:
    kimi.enqueue(json=body({"content": "{}"}, usages[0]))
    kimi.enqueue(json=body({"content": '{"name": "Oslo"}'}, usages[1]))
    model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key)
    raw = model.with_structured_output(City, include_raw=True, repair=True).invoke("A city.")["raw"]
    times = sum(usage is not None for usage in usages)
    assert raw.usage_metadata["total_tokens"] == 15 * times
    assert raw.usage_metadata["input_token_details"] == {"cache_read": 4 * times}
    assert raw.response_metadata["cost_usd"] == pytest.approx(PRICE * times)


@pytest.mark.parametrize("usages", [(USAGE, None), (None, USAGE), (USAGE, USAGE)])
def test_a_repaired_answer_costs_what_is_known_of_both_in_llama_index(usages: tuple[Any, Any], kimi: LocalKimi) -> None:
    kimi.enqueue(json=body({"content": "{}"}, usages[0]))
    kimi.enqueue(json=body({"content": '{"name": "Oslo"}'}, usages[1]))
    llm = KimiLLM(base_url=kimi.base_url, api_key=kimi.api_key, repair=True).as_structured_llm(City)
    response = llm.complete("A city.")
    times = sum(usage is not None for usage in usages)
    assert response.additional_kwargs["total_tokens"] == 15 * times
    assert response.additional_kwargs["cost_usd"] == pytest.approx(PRICE * times)


COUNT = st.integers(0, 1000)
SOME = st.none() | COUNT
USAGES = st.builds(Usage, COUNT, COUNT, COUNT, SOME, SOME, cache_write_tokens=SOME)
# Whole dollars: sums of fractions depend on their order.
BILLS = st.builds(Bill, st.none() | USAGES, st.none() | COUNT.map(float))


def known(bill: Bill) -> tuple[Any, ...]:
    return bill.usage, bill.cost_usd


@given(a=BILLS, b=BILLS, c=BILLS)
def test_bills_add_up_alike_in_any_order(a: Bill, b: Bill, c: Bill) -> None:
    assert known((a + b) + c) == known(a + (b + c))
    assert known(a + b) == known(b + a)


@given(bill=BILLS)
def test_a_bill_that_says_nothing_changes_none(bill: Bill) -> None:
    assert bill + Bill() == bill == Bill() + bill


@given(a=BILLS, b=BILLS)
def test_what_is_known_of_one_is_never_lost(a: Bill, b: Bill) -> None:
    both = a + b
    assert (both.usage is None) == (a.usage is b.usage is None)
    assert both.cost_usd == (None if a.cost_usd is b.cost_usd is None else (a.cost_usd or 0) + (b.cost_usd or 0))


def test_a_price_that_lacks_a_part_is_an_estimate() -> None:
    tokens = Usage(1, 1, 2)
    assert (Bill(tokens, 1.0) + Bill(tokens)).cost_is_estimate
    assert not (Bill(tokens, 1.0) + Bill(tokens, 1.0)).cost_is_estimate


TOKENS = [{"token": t, "logprob": -0.1, "bytes": list(t.encode()), "top_logprobs": []} for t in ("Ye", "s", ".")]


def test_log_probabilities_have_the_frameworks_own_shape(driver: Driver, kimi: LocalKimi) -> None:
    if driver.streams:
        choices = [{"index": 0, "delta": {"content": t["token"]}, "logprobs": {"content": [t]}} for t in TOKENS]
        choices.append({"index": 0, "delta": {}, "finish_reason": "stop", "logprobs": None})
        kimi.enqueue(sse=[{"id": "c", "model": "kimi-k2.6", "choices": [choice]} for choice in choices])
    else:
        answer = body({"content": "Yes."}, None)
        answer["choices"][0]["logprobs"] = {"content": TOKENS}
        kimi.enqueue(json=answer)
    native = driver.ask(driver.make(base_url=kimi.base_url, api_key=kimi.api_key, logprobs=True), "Really?").native
    if driver.framework == "langchain":
        assert native.response_metadata["logprobs"] == {"content": TOKENS}
    else:
        assert [[(p.token, p.logprob) for p in at] for at in native.logprobs] == [[(t["token"], -0.1)] for t in TOKENS]
        assert native.raw["logprobs"] == {"content": TOKENS}
