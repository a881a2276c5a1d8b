"""The examples run as their first lines say, without a key and without a warning."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from example_scripts import EXAMPLES, Scripts


def test_an_agent_asks_before_it_ships_and_goes_on_in_another_run(scripts: Scripts) -> None:
    asked = scripts.run("agent_with_checkpoints.py", "orders.sqlite")
    assert asked.endswith("May I call ship_to with {'city': 'Oslo'}? Run again with yes, or a reason not to.\n")
    assert "Shipped to Oslo." not in asked

    rejected = scripts.run("agent_with_checkpoints.py", "orders.sqlite", "The harbour is closed.")
    assert "with reason: The harbour is closed." in rejected
    assert "Shipped to Oslo." not in rejected


def test_a_deep_agent_writes_a_note(scripts: Scripts) -> None:
    shown = scripts.run("deep_agent.py")
    assert shown.endswith("Files: {'/note.md': 'The ship is in'}\n")
    assert shown.count("calls:") == 3
    assert shown.count("thinks:") == 4


def test_an_agent_uses_the_tool_of_an_mcp_server(scripts: Scripts) -> None:
    assert "The result of get_weather: It is sunny in Paris." in scripts.run("mcp_agent.py")


def test_the_evaluation_runs_offline() -> None:
    """This project's configuration of pytest forbids it the network."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", "examples/langsmith_eval"],
        cwd=EXAMPLES.parent,
        env={**os.environ, "LANGSMITH_TRACING": "false", "LANGSMITH_TEST_TRACKING": "false"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "3 passed" in done.stdout


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.py")), ids=lambda path: path.name)
def test_an_example_holds_no_key(path: Path) -> None:
    assert "sk-" not in path.read_text("utf-8")
