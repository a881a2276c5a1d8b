"""`examples/ray`: rows through Ray itself, with faults of the host, a worker killed and the driver killed."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from example_scripts import EXAMPLES

if importlib.util.find_spec("ray") is None:
    pytest.skip("Ray is not installed: `make test-ray` has it", allow_module_level=True)


@pytest.mark.usefixtures("redis")  # whose program it starts
@pytest.mark.timeout(300)
@pytest.mark.parametrize("framework", ["langchain"])
def test_each_row_is_in_the_output_once_after_a_worker_and_the_driver_were_killed(framework: str) -> None:
    command = [
        sys.executable,
        EXAMPLES / "ray" / "run.py",
        "--rows",
        "60",
        "--rows-per-block",
        "5",
        "--delay",
        "0.3",
        "--lines",
    ]
    most = ["--concurrency", "4", "--requests-per-minute", "1000"]
    done = subprocess.run(
        [*command, *most, "--framework", framework], capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout[done.stdout.rindex("\n{\n") :])
    assert (told["rows"], told["different"], told["errors"]) == (60, 60, 0)
    assert "killed a worker\n" in done.stdout
    assert "killed the driver\n" in done.stdout
    host = told["host"]
    assert (host["questions"], host["refused_by_limits"]) == (60, 0)
    assert host["most_at_once"] <= 4
    assert told["asked_twice_by_kills"] <= 8  # those that were being asked: four at each kill


@pytest.mark.timeout(300)
def test_documents_that_are_ingested_twice_are_in_the_store_once(tmp_path: Path) -> None:
    command = [sys.executable, EXAMPLES / "llama_index_scale" / "on_ray.py", tmp_path, "--documents", "2"]
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True, timeout=140, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "; 40 in the store\n" in done.stdout  # Ray may have something to say behind it
