"""Files of rows: JSON Lines and Parquet. Neither is ever held as a whole."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kimi_core.errors import ConfigError
from kimi_core.quoting import in_short

Row = dict[str, Any]

_LINES: Final = (".jsonl", ".ndjson")
_PARQUET: Final = (".parquet", ".pq")
_AT_ONCE: Final = 1_000
"""Rows that are read from a Parquet file, or written to one, at a time."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a file has.

    Attributes:
        rows: How many rows.
        columns: The columns of a Parquet file, or of all lines.
    """

    rows: int
    columns: tuple[str, ...]


def check_suffix(path: Path) -> None:
    """Raise `ConfigError` if a file's name does not say of which kind it is."""
    if path.suffix.lower() not in (*_LINES, *_PARQUET):
        raise ConfigError(
            f"{in_short(path)} is neither JSON Lines nor Parquet by its name: it must end with "
            f"{', '.join((*_LINES, *_PARQUET))}."
        )


def is_parquet(path: Path) -> bool:
    """Return whether a file is one of Parquet by its name."""
    return path.suffix.lower() in _PARQUET


def shape_of(path: Path) -> Shape:
    """Return what a file has, after a look at all of it.

    Raises:
        ConfigError: If it cannot be read, or a line is no JSON object; the text has its number.
    """
    try:
        if is_parquet(path):
            file = _parquet().ParquetFile(path)
            return Shape(file.metadata.num_rows, tuple(file.schema_arrow.names))
        columns: dict[str, None] = {}
        rows = 0
        for row in _lines(path):
            rows += 1
            columns.update(dict.fromkeys(row))
        return Shape(rows, tuple(columns))
    except (OSError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{in_short(path)} cannot be read: {in_short(error)}.") from None


def read(path: Path) -> Iterator[Row]:
    """Yield the rows of a file.

    Raises:
        ConfigError: If a line is no JSON object.
        OSError: If the file cannot be read.
    """
    if not is_parquet(path):
        yield from _lines(path)
        return
    for batch in _parquet().ParquetFile(path).iter_batches(_AT_ONCE):
        yield from batch.to_pylist()


def _lines(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise ConfigError(f"Line {number} of {in_short(path)} is no JSON: {in_short(error)}.") from None
            if not isinstance(row, dict):
                raise ConfigError(f"Line {number} of {in_short(path)} is no JSON object.")
            yield row


@contextmanager
def written(path: Path, like: Path, added: Mapping[str, str]) -> Iterator[Callable[[Row], None]]:
    """Write a file of rows, which takes its place when it is whole.

    Args:
        path: The file.
        like: Where the rows come from: a Parquet file's types are kept.
        added: The columns that are added, with their types: `text`, `json`, `number` or `usage`. What is JSON in
            lines is its text in a Parquet file, whose columns have one type.

    Yields:
        What takes one row after the other.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with _rows_to(beside, path, like, added) as put:
            yield put
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def _rows_to(beside: Path, path: Path, like: Path, added: Mapping[str, str]) -> Iterator[Callable[[Row], None]]:
    if not is_parquet(path):
        with beside.open("w", encoding="utf-8") as file:
            yield lambda row: _put_line(file, row)
            file.flush()
            os.fsync(file.fileno())
        return
    schema = _schema(like, added)
    pending: list[Row] = []
    as_text = [name for name, kind in added.items() if kind == "json"]
    import pyarrow as pa  # type: ignore[import-untyped]

    with _parquet().ParquetWriter(beside, schema) as writer:

        def flush() -> None:
            writer.write_table(pa.Table.from_pylist(pending, schema))
            pending.clear()

        def put(row: Row) -> None:
            texts = {name: _as_text(row[name]) for name in as_text}
            pending.append({**row, **texts})
            if len(pending) == _AT_ONCE:
                flush()

        yield put
        if pending:
            flush()


def _put_line(file: Any, row: Row) -> None:
    file.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _schema(like: Path, added: Mapping[str, str]) -> Any:
    """Return the types of a Parquet file: those of the input, or those that its lines have all together."""
    import pyarrow as pa

    usage = pa.struct([(name, pa.int64()) for name in USAGE])
    kinds = {"text": pa.string(), "json": pa.string(), "number": pa.float64(), "usage": usage}
    if is_parquet(like):
        known = _parquet().read_schema(like)
    else:
        known = pa.schema([])
        rows: list[Row] = []
        for row in read(like):
            rows.append(row)
            if len(rows) == _AT_ONCE:
                known = _together(known, rows)
        known = _together(known, rows)
    return pa.schema([*known, *((name, kinds[kind]) for name, kind in added.items())])


def _together(known: Any, rows: list[Row]) -> Any:
    """Return the types so far and those of more rows; empties the rows.

    Raises:
        ConfigError: If a column has values of several types.
    """
    import pyarrow as pa

    try:
        columns = dict.fromkeys(name for row in rows for name in row)
        found = pa.table({name: pa.array([row.get(name) for row in rows]) for name in columns}).schema
        rows.clear()
        return pa.unify_schemas([known, found], promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise ConfigError(
            f"The rows have no common types, which a Parquet file needs: {in_short(error)}. Write .jsonl instead."
        ) from None


USAGE: Final = ("input_tokens", "output_tokens", "total_tokens", "cached_tokens", "reasoning_tokens")
"""The tokens of an answer that are written; those of `kimi_core.Usage`."""


def _parquet() -> Any:
    import pyarrow.parquet as pq  # type: ignore[import-untyped]  # of an extra

    return pq
