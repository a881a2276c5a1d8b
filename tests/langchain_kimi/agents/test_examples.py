"""The examples run as their first lines say, without a key and without a warning."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[3] / "examples"
#: Whoever wants out of this machine ends here.
NOWHERE = dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY"), "http://127.0.0.1:9") | {"NO_PROXY": "127.0.0.1,localhost"}


def python(folder: Path, *args: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", *args],
        cwd=folder,
        env={**os.environ, **NOWHERE, "LANGSMITH_TRACING": "false", "LANGSMITH_TEST_TRACKING": "false"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


def test_an_agent_asks_before_it_ships_and_goes_on_in_another_process(tmp_path: Path) -> None:
    script = str(EXAMPLES / "agent_with_checkpoints.py")
    asked = python(tmp_path, script, "orders.sqlite")
    assert asked.endswith("May I call ship_to with {'city': 'Oslo'}? Run again with yes, or a reason not to.\n")
    assert "Shipped to Oslo." not in asked

    rejected = python(tmp_path, script, "orders.sqlite", "The harbour is closed.")
    assert "with reason: The harbour is closed." in rejected
    assert "Shipped to Oslo." not in rejected


def test_a_deep_agent_writes_a_note(tmp_path: Path) -> None:
    shown = python(tmp_path, str(EXAMPLES / "deep_agent.py"))
    assert shown.endswith("Files: {'/note.md': 'The ship is in'}\n")
    assert shown.count("calls:") == 3
    assert shown.count("thinks:") == 4


def test_an_agent_uses_the_tool_of_an_mcp_server(tmp_path: Path) -> None:
    assert "The result of get_weather: It is sunny in Paris." in python(tmp_path, str(EXAMPLES / "mcp_agent.py"))


def test_the_evaluation_runs_offline() -> None:
    """This project's configuration of pytest forbids it the network."""
    assert "3 passed" in python(
        EXAMPLES.parent, "-m", "pytest", "-q", "-p", "no:cacheprovider", "examples/langsmith_eval"
    )


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.py")), ids=lambda path: path.name)
def test_an_example_holds_no_key(path: Path) -> None:
    assert "sk-" not in path.read_text("utf-8")
