"""A key-value store in an SQLite file, for LlamaIndex's cache and its document store.

LlamaIndex's own store is a dict that is written as one file when the program says so. This one has on the disk what was
put, and takes it from many processes.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import Any

from llama_index.core.storage.kvstore.types import DEFAULT_BATCH_SIZE, DEFAULT_COLLECTION, BaseKVStore

_TABLE = "CREATE TABLE IF NOT EXISTS kept (collection, key, value, PRIMARY KEY (collection, key)) WITHOUT ROWID"


class SQLiteKVStore(BaseKVStore):
    """Keeps values in a file; a pickle of it has only the path."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._database = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.execute(_TABLE)

    def __reduce__(self) -> tuple[Any, ...]:
        return (SQLiteKVStore, (self.path,))

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def put(self, key: str, val: dict[str, Any], collection: str = DEFAULT_COLLECTION) -> None:
        """Keep a value."""
        self.put_all([(key, val)], collection)

    def put_all(
        self,
        kv_pairs: Iterable[tuple[str, dict[str, Any]]],
        collection: str = DEFAULT_COLLECTION,
        batch_size: int = DEFAULT_BATCH_SIZE,
    ) -> None:
        """Keep values, all of them or none."""
        rows = [(collection, key, json.dumps(value)) for key, value in kv_pairs]
        self._database.execute("BEGIN IMMEDIATE")
        try:
            self._database.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", rows)
        finally:
            self._database.execute("COMMIT")

    def get(self, key: str, collection: str = DEFAULT_COLLECTION) -> dict[str, Any] | None:
        """Return a value, None where there is none."""
        query = "SELECT value FROM kept WHERE collection = ? AND key = ?"
        found = self._database.execute(query, (collection, key)).fetchone()
        return json.loads(found[0]) if found else None

    def get_all(self, collection: str = DEFAULT_COLLECTION) -> dict[str, dict[str, Any]]:
        """Return all values of a collection."""
        rows = self._database.execute("SELECT key, value FROM kept WHERE collection = ?", (collection,))
        return {key: json.loads(value) for key, value in rows}

    def delete(self, key: str, collection: str = DEFAULT_COLLECTION) -> bool:
        """Forget a value."""
        query = "DELETE FROM kept WHERE collection = ? AND key = ?"
        return self._database.execute(query, (collection, key)).rowcount > 0

    async def aput(self, key: str, val: dict[str, Any], collection: str = DEFAULT_COLLECTION) -> None:
        """Keep a value."""
        self.put(key, val, collection)

    async def aput_all(
        self,
        kv_pairs: Iterable[tuple[str, dict[str, Any]]],
        collection: str = DEFAULT_COLLECTION,
        batch_size: int = DEFAULT_BATCH_SIZE,
    ) -> None:
        """Keep values, all of them or none."""
        self.put_all(kv_pairs, collection)

    async def aget(self, key: str, collection: str = DEFAULT_COLLECTION) -> dict[str, Any] | None:
        """Return a value, None where there is none."""
        return self.get(key, collection)

    async def aget_all(self, collection: str = DEFAULT_COLLECTION) -> dict[str, dict[str, Any]]:
        """Return all values of a collection."""
        return self.get_all(collection)

    async def adelete(self, key: str, collection: str = DEFAULT_COLLECTION) -> bool:
        """Forget a value."""
        return self.delete(key, collection)
