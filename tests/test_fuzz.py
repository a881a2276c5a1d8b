"""A little of `make fuzz` in every run, and what it has found."""

from __future__ import annotations

import random
from typing import Any

import pytest
from fuzz import Fuzzer
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from kimi_adapters.local_server import LocalKimi
from langchain_kimi import ChatKimi

pytestmark = pytest.mark.filterwarnings("ignore::kimi_core.KimiWarning")


@pytest.mark.parametrize("what", ["stream", "body", "conversation"])
def test_odd_input_of_a_seed_ends_in_errors_of_ours(what: str) -> None:
    fuzzer = Fuzzer(seed=2)
    fuzzer.run(what, 1500, getattr(fuzzer, what))
    assert fuzzer.failed == 0


def test_a_case_is_the_same_for_its_seed() -> None:
    fuzzer = Fuzzer(seed=1)
    assert [repr(fuzzer._langchain(random.Random("7"))) for _ in range(2)] == [
        repr(fuzzer._langchain(random.Random("7")))
    ] * 2


@pytest.mark.parametrize("overrides", [{"tools.reads_arguments": True}, {"messages.size_limit": 10_000}], ids=str)
def test_half_a_character_in_a_recorded_call_or_a_message_is_sent_as_an_escape(
    kimi: LocalKimi, overrides: dict[str, Any]
) -> None:
    half = "\ud83d"
    said = AIMessage("", tool_calls=[{"name": "look", "args": {"a": half}, "id": "look:0"}])
    model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, overrides=overrides)
    kimi.enqueue(text="ok", unchecked=True)
    model.invoke([HumanMessage(f"Look. {half}"), said, ToolMessage("Seen.", tool_call_id="look:0")])
    assert kimi.requests[-1].body["messages"][0]["content"] == f"Look. {half}"
