"""Answers that are known and not yet written, in a file that all workers of a machine share."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any, Final

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS answers (row TEXT, mark TEXT, outcome TEXT, PRIMARY KEY (row, mark)) WITHOUT ROWID
"""
_PATIENCE: Final = 60
"""Seconds that a worker waits for another one's write."""


class Kept:
    """The outcomes of rows, by their id and a fingerprint of what was asked. Each is in the file when `add` returns.

    It survives that processes are killed; after a power cut the last ones may be missing. SQLite must lock the file:
    it belongs on a disk of the machine, not on a network's.
    """

    def __init__(self, path: Path) -> None:
        """Open a file, or make it with its folder.

        Raises:
            OSError: If the folder cannot be made.
            sqlite3.Error: If the file cannot be opened, or is none of SQLite's.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        # A worker is made in one thread, and asks in another.
        self._file = sqlite3.connect(path, _PATIENCE, isolation_level=None, check_same_thread=False)
        for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=NORMAL", _TABLE):
            self._file.execute(statement)

    def get(self, row: str, mark: str) -> dict[str, Any] | None:
        """Return the outcome of a row; None while there is none.

        Args:
            row: Its id.
            mark: The fingerprint of what is asked.
        """
        found = self._file.execute("SELECT outcome FROM answers WHERE row = ? AND mark = ?", (row, mark)).fetchone()
        return json.loads(found[0]) if found else None

    def add(self, row: str, mark: str, outcome: dict[str, Any]) -> None:
        """Keep the outcome of a row; the last one holds."""
        self._file.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?)", (row, mark, json.dumps(outcome)))

    def close(self) -> None:
        """Close the file."""
        self._file.close()
