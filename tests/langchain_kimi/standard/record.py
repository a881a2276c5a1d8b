"""The record of what passed and what was skipped, from which the documentation's feature table is made.

Every run compares its own results with it, so the table cannot say what the tests do not. `make features` writes it.
"""

from __future__ import annotations

import json
from pathlib import Path

from tests.langchain_kimi.standard.modes import RUNS

PATH = Path(__file__).parents[3] / "docs" / "features.json"
MARKS = {"passed": "+", "skipped": "-"}
NOT_RUN = " "


class Record:
    """Outcomes by test and run: `+` passed, `-` skipped, a blank where the test is not part of the run."""

    def __init__(self, tests: dict[str, str] | None = None) -> None:
        self.runs = [run.name for run in RUNS]
        self.tests = tests or {}

    @classmethod
    def load(cls) -> Record:
        """The record as committed; empty when there is none for these runs."""
        found = json.loads(PATH.read_text("utf-8")) if PATH.exists() else {}
        record = cls()
        if found.get("runs") == record.runs:
            record.tests = found["tests"]
        return record

    def mark(self, test: str, run: str) -> str:
        """What is recorded of a test in a run."""
        return self.tests.get(test, NOT_RUN * len(self.runs))[self.runs.index(run)]

    def note(self, test: str, run: str, outcome: str) -> None:
        """Record an outcome. Of several with different parameters the worst counts."""
        at = self.runs.index(run)
        marks = list(self.tests.get(test, NOT_RUN * len(self.runs)))
        marks[at] = max(marks[at], MARKS[outcome])
        self.tests[test] = "".join(marks)

    def save(self) -> None:
        """Write it."""
        content = {"runs": self.runs, "tests": dict(sorted(self.tests.items()))}
        PATH.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
