"""The table in the documentation."""

from __future__ import annotations

import re
from pathlib import Path

from llama_index_conformance import SUBJECTS

PAGE = Path(__file__).parents[2] / "docs" / "pages" / "peers.md"


def test_the_documented_table_has_a_row_for_every_test() -> None:
    there = [name for subject in SUBJECTS for name in vars(subject) if name.startswith("test_")]
    assert re.findall(r"^\| `(test_\w+)`", PAGE.read_text("utf-8"), re.MULTILINE) == there
    assert len(set(there)) == len(there)
