"""What Kimi itself rules out is refused, and what the suites show is on record."""

from __future__ import annotations

import re
from typing import Any

import pytest
from langchain_core.tools import tool
from langchain_tests.integration_tests import ChatModelIntegrationTests

from docs.features import FEATURES
from kimi_adapters.local_server import LocalKimi
from kimi_core import BadRequestError, UnsupportedError
from langchain_kimi import ChatKimi
from tests.langchain_kimi.standard.modes import IMPOSSIBLE, MODES, POSSIBLE, RUNS, Impossible, pairs
from tests.langchain_kimi.standard.record import PATH, Record
from tests.langchain_kimi.standard.test_features import Features

each_impossible = pytest.mark.parametrize("case", IMPOSSIBLE, ids=lambda case: f"{case.model.id}: {case.what}")
STANDARD = {name for name in dir(ChatModelIntegrationTests) if name.startswith("test_")}
OWN = {name for name in dir(Features) if name.startswith("test_")}


@tool
def get_weather(city: str) -> str:
    """Say what the weather is like in a city."""
    return f"Sunny in {city}."


@each_impossible
def test_the_host_refuses_what_is_impossible(case: Impossible, kimi: LocalKimi) -> None:
    body: dict[str, Any] = {"thinking": {"type": "enabled" if case.params["thinking"] else "disabled"}}
    if case.forced:
        function = {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}
        body |= {"tools": [{"type": "function", "function": function}], "tool_choice": "required"}
    model = ChatKimi(model=case.model.id, base_url=kimi.base_url, api_key=kimi.api_key, extra_body=body)
    with pytest.raises(BadRequestError, match=re.escape(case.refusal)):
        model.invoke("Hello")


@each_impossible
def test_the_client_says_what_is_impossible_before_it_calls(case: Impossible, kimi: LocalKimi) -> None:
    where = {"base_url": kimi.base_url, "api_key": kimi.api_key, "on_unsupported": "error"}
    model = ChatKimi(model=case.model.id, **where, **case.params)
    asked = model.bind_tools([get_weather], tool_choice="any") if case.forced else model
    with pytest.raises(UnsupportedError, match=r"tool_choice 'required'" if case.forced else r"thinking=False"):
        asked.invoke("Hello")
    assert kimi.requests == []


def test_a_tool_choice_that_is_not_tested_is_impossible() -> None:
    unforced = {run.model for run in RUNS if not run.forces_tools}
    assert unforced == {case.model for case in IMPOSSIBLE if case.forced}


def test_every_two_things_that_can_meet_do_in_some_run() -> None:
    assert set().union(*map(pairs, RUNS)) == set().union(*map(pairs, POSSIBLE))


def test_no_run_could_be_left_out() -> None:
    for run in RUNS:
        assert pairs(run) - set().union(*(pairs(other) for other in RUNS if other is not run))


def test_every_mode_can_be_had_by_some_model() -> None:
    assert {run.mode.name for run in POSSIBLE} == {mode.name for mode in MODES}


# -------------------------------------------------------------------------------------------------- the record


def test_the_record_is_of_these_runs_and_these_tests() -> None:
    assert PATH.exists(), "run: make features"
    assert set(Record.load().tests) == STANDARD | OWN, "run: make features"


def test_every_test_of_the_suite_was_part_of_every_run() -> None:
    record = Record.load()
    assert {test for test in STANDARD if " " in record.tests[test]} == set()


def test_every_feature_rests_on_tests_and_every_test_on_a_feature() -> None:
    named = [test for feature in FEATURES for test in feature.tests]
    assert set(named) == STANDARD | OWN
    assert len(named) == len(set(named))


def test_no_test_is_expected_to_fail() -> None:
    """Overridden tests of the suite must be marked as expected failures; there are none."""
    from tests.langchain_kimi.standard import test_integration

    suites = [getattr(test_integration, run.cls) for run in RUNS]
    for suite in suites:
        assert {
            name for name in STANDARD if getattr(suite, name) is not getattr(ChatModelIntegrationTests, name)
        } == set()
