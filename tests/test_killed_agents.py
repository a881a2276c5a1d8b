"""Agents of both frameworks that are ended by SIGKILL, and go on in another process."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from killed_agent import recipe

from kimi_adapters.local_server import LocalKimi
from kimi_core import OverloadedError
from llama_index_kimi import KimiLLM

SCRIPT = Path(__file__).parent / "killed_agent.py"
WAYS = ["langgraph", "llama_index"]
CASES = [
    *itertools.product(WAYS, ["tool", "model", "answer"]),
    ("langgraph_async", "answer"),
    ("llama_index", "beside"),
]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Any]:
    """By way and place of the kill: the signal; what was answered before it; the exit code after it, the answer, and how
    often the tool ran."""
    with LocalKimi() as kimi:
        done = subprocess.run(
            [sys.executable, str(SCRIPT), str(tmp_path_factory.mktemp("killed")), json.dumps(CASES)],
            env={**os.environ, "MOONSHOT_BASE_URL": kimi.base_url, "MOONSHOT_API_KEY": kimi.api_key},
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert done.stderr == ""
        assert kimi.errors == []
        return dict(zip(CASES, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.parametrize(("way", "place"), [case for case in CASES if case[1] in ("model", "answer")])
def test_a_killed_agent_goes_on_and_no_tool_runs_twice(outcomes: Any, way: str, place: str) -> None:
    assert outcomes[way, place] == [signal.SIGKILL, "", 0, "The result of ship_to: Shipped to Oslo.", 1]


@pytest.mark.parametrize("way", WAYS)
def test_a_tool_that_was_killed_at_its_end_runs_again(outcomes: Any, way: str) -> None:
    """The documentation says so, and what to do about it."""
    assert outcomes[way, "tool"] == [signal.SIGKILL, "", 0, "The result of ship_to: Shipped to Oslo.", 2]


def test_a_tool_that_ended_does_not_run_again_when_the_one_beside_it_was_killed(outcomes: Any) -> None:
    *how, answer, runs = outcomes["llama_index", "beside"]
    assert how == [signal.SIGKILL, "", 0]
    assert "Order HC-7 is packed." in answer
    assert runs == 1


# ------------------------------------------------------------------------------------------ KeptAgent without a kill


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The page's code as a module: the file of a conversation names its classes."""
    module = ModuleType("kept_agent")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(recipe(), module.__dict__)
    return module


async def test_a_kept_agent_goes_on_after_an_error_and_remembers(
    kept: ModuleType, kimi: LocalKimi, tmp_path: Path
) -> None:
    runs: list[str] = []

    def look_up(order: str) -> str:
        """Look up an order."""
        runs.append(order)
        return f"Order {order} goes to Oslo."

    async def answer(question: str) -> str:
        llm = KimiLLM(base_url=kimi.base_url, api_key=kimi.api_key, max_retries=0)
        agent = kept.KeptAgent(llm=llm, tools=[look_up], file=tmp_path / "conversation.json")
        return str(await agent.answer(question))

    kimi.enqueue(tool_calls=[{"name": "look_up", "arguments": {"order": "HC-7"}}], reasoning="I look.")
    kimi.enqueue(status=429, json={"error": {"type": "engine_overloaded_error", "message": "The engine is busy"}})
    with pytest.raises(OverloadedError):
        await answer("Call look_up for order HC-7.")
    assert await answer("Call look_up for order HC-7.") == "The result of look_up: Order HC-7 goes to Oslo."
    assert runs == ["HC-7"]
    await answer("Thanks.")
    assert [m["role"] for m in kimi.requests[-1].body["messages"]][:5] == [
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
    ]
