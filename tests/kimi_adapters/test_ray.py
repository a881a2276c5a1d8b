"""`AskRows`, what runs in the workers of Ray Data, without Ray."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest
from example_scripts import EXAMPLES

from kimi_adapters.local_server import LocalKimi
from kimi_adapters.ray import AskRows
from kimi_core import HOSTS, AuthenticationError, ConfigError, InternalServerError, Limits
from langchain_kimi import ChatKimi
from llama_index_kimi import KimiLLM

PROMPT = "The code is {code}. What is the code?"
ROOT = EXAMPLES.parent
Make = Callable[..., Any]


@pytest.fixture(params=[ChatKimi, KimiLLM])
def model(request: pytest.FixtureRequest, kimi: LocalKimi) -> Make:
    return partial(request.param, base_url=kimi.base_url, api_key=kimi.api_key)


def rows(*codes: int | None) -> pa.Table:
    return pa.table({"id": [f"row {number}" for number in range(len(codes))], "code": codes})


async def test_each_row_has_its_answer_beside_it(model: Make, kimi: LocalKimi) -> None:
    answered = (await AskRows(model, PROMPT, system="Be brief.")(rows(4711, 815))).to_pylist()
    assert [(row["id"], row["code"], row["answer"], row["error"]) for row in answered] == [
        ("row 0", 4711, "The code is 4711.", None),
        ("row 1", 815, "The code is 815.", None),
    ]
    response = next(one.response for one in kimi.requests if "4711" in one.body["messages"][1]["content"])
    usage, message = response["usage"], response["choices"][0]["message"]
    assert answered[0]["reasoning"] == message["reasoning_content"]
    assert answered[0]["usage"] == {
        "input_tokens": usage["prompt_tokens"],
        "output_tokens": usage["completion_tokens"],
        "total_tokens": usage["total_tokens"],
        "cached_tokens": usage.get("cached_tokens", 0),
        "reasoning_tokens": usage["completion_tokens_details"]["reasoning_tokens"],
    }
    price = HOSTS["moonshot"].usage.prices["kimi-k2.6"]
    paid = (usage["prompt_tokens"] * price.input + usage["completion_tokens"] * price.output) / 1e6
    assert answered[0]["cost_usd"] == pytest.approx(paid)
    assert [message["role"] for message in kimi.requests[0].body["messages"]] == ["system", "user"]


async def test_a_row_that_cannot_be_asked_has_an_error_in_its_place(model: Make) -> None:
    answered = (await AskRows(model, PROMPT)(rows(1, None))).to_pylist()
    assert [row["error"] for row in answered] == [None, "ValueError: the column 'code' is empty"]


async def test_an_error_that_may_pass_is_asked_again_and_is_the_rows_at_last(model: Make, kimi: LocalKimi) -> None:
    kimi.fail(5, status=500)
    ask = AskRows(partial(model, max_retries=0), PROMPT, tries=3)
    assert (await ask(rows(1)))["error"][0].as_py().startswith("InternalServerError")
    assert len(kimi.requests) == 3
    assert (await ask(rows(1)))["error"][0].as_py() is None


async def test_what_every_row_would_meet_is_raised(model: Make) -> None:
    with pytest.raises(AuthenticationError):
        await AskRows(partial(model, api_key="wrong"), PROMPT)(rows(1, 2))


async def test_when_the_first_twenty_fail_the_others_are_not_asked(model: Make, kimi: LocalKimi) -> None:
    kimi.fail(100, status=500)
    with pytest.raises(InternalServerError):
        await AskRows(partial(model, max_retries=0), PROMPT, concurrency=1, tries=1)(rows(*range(30)))
    assert len(kimi.requests) == 20


async def test_what_was_answered_before_a_death_is_not_asked_again(
    model: Make, kimi: LocalKimi, tmp_path: Path
) -> None:
    kept = tmp_path / "disk" / "answers.sqlite"
    first = await AskRows(model, PROMPT, kept=kept)(rows(1, 2))
    assert await AskRows(model, PROMPT, kept=kept)(rows(1, 2, 3)) != first
    assert sorted(one.body["messages"][0]["content"] for one in kimi.requests) == [
        f"The code is {code}. What is the code?" for code in (1, 2, 3)
    ]
    again = await AskRows(model, PROMPT, kept=kept)(rows(1, 2))
    assert again == first
    assert kimi.api_key.encode() not in b"".join(file.read_bytes() for file in kept.parent.iterdir())


async def test_an_error_that_may_pass_is_not_kept(model: Make, kimi: LocalKimi, tmp_path: Path) -> None:
    kimi.fail(1, status=500)
    ask = AskRows(partial(model, max_retries=0), PROMPT, tries=1, kept=tmp_path / "answers.sqlite")
    assert (await ask(rows(1)))["error"][0].as_py() is not None
    assert (await ask(rows(1)))["answer"][0].as_py() == "The code is 1."


async def test_another_question_to_the_same_row_is_asked(model: Make, kimi: LocalKimi, tmp_path: Path) -> None:
    kept = tmp_path / "answers.sqlite"
    await AskRows(model, PROMPT, kept=kept)(rows(1))
    await AskRows(model, PROMPT, kept=kept)(rows(2))
    assert len(kimi.requests) == 2


async def test_no_more_rows_than_asked_for_are_under_way(model: Make, kimi: LocalKimi) -> None:
    await AskRows(model, PROMPT, concurrency=3)(rows(*range(20)))
    assert kimi.allowance.most_at_once <= 3


@pytest.mark.parametrize(
    ("given", "table", "told"),
    [
        ({"prompt": "{cod}?"}, rows(1), "There is no column 'cod'"),
        ({"prompt": PROMPT, "id_column": "key"}, rows(1), "no column 'key' to tell them apart"),
        ({"prompt": PROMPT}, rows(1).append_column("answer", [["x"]]), "have a column 'answer' already"),
        ({"prompt": PROMPT, "concurrency": 0}, rows(1), "concurrency is a number from 1, got 0"),
        ({"prompt": PROMPT, "tries": 0}, rows(1), "tries is a number from 1, got 0"),
    ],
)
async def test_what_cannot_be_asked_is_said_before_anything_is(
    given: dict[str, Any], table: pa.Table, told: str, kimi: LocalKimi
) -> None:
    make = partial(ChatKimi, base_url=kimi.base_url, api_key=kimi.api_key)
    with pytest.raises(ConfigError, match=told):
        await AskRows(make, **given)(table)
    assert kimi.requests == []


# ------------------------------------------------------------------------------------------------- the plan on paper


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(EXAMPLES / "ray")
    return importlib.import_module("plan")


@pytest.mark.parametrize("shown", ["table", "costs"])
def test_the_page_has_the_plans_figures(plan: ModuleType, shown: str) -> None:
    assert getattr(plan, shown)(plan.Plan()) in (ROOT / "docs" / "pages" / "scaling-out.md").read_text()


def test_what_it_costs_is_tokens_times_price(plan: ModuleType) -> None:
    price = HOSTS["moonshot"].usage.prices["kimi-k2.6"]
    row = 400 * price.cached + 100 * price.input + 150 * price.output
    assert plan.Plan().usd() == pytest.approx(100 * row)  # a hundred million rows, prices for a million tokens


@pytest.mark.parametrize("tier", range(1, 6))
def test_what_is_simulated_agrees_with_what_the_limits_let_through(plan: ModuleType, tier: int) -> None:
    asked, limits = plan.Plan(), Limits.moonshot_tier(tier)
    assert plan.simulated(asked, limits) == pytest.approx(min(plan.bound(asked, limits).values()), rel=0.05)


def test_workers_that_are_too_slow_hold_it_up(plan: ModuleType) -> None:
    asked = plan.Plan(workers=1, concurrency=1000, cpu_ms=60.0)
    rows, why = plan.rate(asked, Limits.moonshot_tier(5))
    assert why == "CPU of the workers"
    assert rows == pytest.approx(1000 * 0.95, rel=0.05)
