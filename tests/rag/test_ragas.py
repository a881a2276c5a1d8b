"""ragas as it is, with the models of both frameworks as its judge."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("ragas_scores.py")
FULL = pytest.approx(1.0)
METRICS = {
    "faithfulness": FULL,
    "answer_relevancy": pytest.approx(1 / 3, abs=0.05),  # two of three questions are far from the one that was asked
    "context_precision": FULL,
    "context_recall": FULL,
    "critic": FULL,
    "correctness": FULL,
    "evaluate": [0, 1],
}


@pytest.mark.timeout(300)  # its import alone takes many seconds
def test_ragas_measures_with_both_frameworks_and_gets_three_answers_where_it_sets_n() -> None:
    code = f"import runpy, sys; sys.path.insert(0, {str(SCRIPT.parents[2])!r}); runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=280, check=True)
    assert "Exception ignored" not in run.stderr  # it leaves event loops behind that nobody closes
    scores = json.loads(run.stdout)
    assert scores == {
        **{
            f"{host} {name} {metric}": score
            for host in ("moonshot", "vllm")
            for name in ("langchain", "llama_index")
            for metric, score in METRICS.items()
        },
        "moonshot questions": [["Qqq?", "When did the second shop open?", "Zzz?"], [None, None, None]],
        "vllm questions": [["Qqq?", "When did the second shop open?", "Zzz?"], [3]],
    }
