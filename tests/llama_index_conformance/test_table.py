"""The table in the documentation."""

from __future__ import annotations

import re
from pathlib import Path

from llama_index_conformance import Complaints, Contract, KnownFailures

PAGE = Path(__file__).parents[2] / "docs" / "pages" / "compare.md"


def test_the_documented_table_has_a_row_for_every_test() -> None:
    there = [
        name for suite in (Contract, KnownFailures, Complaints) for name in vars(suite) if name.startswith("test_")
    ]
    assert re.findall(r"^\| `(test_\w+)`", PAGE.read_text("utf-8"), re.MULTILINE) == there
