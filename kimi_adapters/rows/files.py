"""Files of rows: JSON Lines and Parquet. Neither is ever held as a whole."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from kimi_core.errors import ConfigError
from kimi_core.quoting import in_short, quoted

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
            names = Counter(file.schema_arrow.names)
            if twice := [name for name, times in names.items() if times > 1]:
                raise ConfigError(f"{in_short(path)} has more than one column {quoted(twice[0])}.")
            return Shape(file.metadata.num_rows, tuple(names))
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
        try:
            yield from _exact(batch).to_pylist()
        except ValueError as error:  # nanoseconds in a column of columns, without pandas
            raise ConfigError(f"{in_short(path)} cannot be read: {in_short(error)}.") from None


def _exact(batch: Any) -> Any:
    """Return rows in which times of nanoseconds, which Python does not have, are texts, and durations numbers."""
    import pyarrow as pa  # type: ignore[import-untyped]

    for place, field in enumerate(batch.schema):
        if pa.types.is_temporal(field.type) and getattr(field.type, "unit", "") == "ns":
            whole = pa.types.is_duration(field.type)
            column = batch.column(place).cast(pa.int64() if whole else pa.string())
            batch = batch.set_column(place, field.name, column)
    return batch


def _lines(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line, parse_float=_finite)
            except (ValueError, RecursionError) as error:
                raise ConfigError(f"Line {number} of {in_short(path)} is no JSON: {in_short(error)}.") from None
            if not isinstance(row, dict):
                raise ConfigError(f"Line {number} of {in_short(path)} is no JSON object.")
            yield row


def _finite(text: str) -> float:
    """Read a number; one that would be written as `Infinity`, which is no JSON, is an error."""
    if math.isinf(number := float(text)):
        raise ValueError(f"the number {in_short(text)} is out of range")
    return number


def write(path: Path, like: Path, added: Mapping[str, str], outcome: Callable[[int], Row]) -> None:
    """Write the rows of a file with what is added to each; the new file takes its place when it is whole.

    Args:
        path: The file. Where it is a link, what it leads to is written.
        like: Where the rows come from. Columns from Parquet to Parquet stay exactly as they are.
        added: The columns that are added, with their types: `text`, `json`, `number` or `usage`. What is JSON in
            lines is its text in a Parquet file, whose columns have one type.
        outcome: Returns what is added to a row, by its number.

    Raises:
        ConfigError: If the rows cannot be written as Parquet.
        OSError: If the file cannot be written.
    """
    path = path.resolve()
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with beside.open("wb") as file:
            if is_parquet(path):
                _write_parquet(file, like, added, outcome)
            else:
                for number, row in enumerate(read(like)):
                    file.write(json_line({**row, **outcome(number)}))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def check(source: Path, target: Path, added: Mapping[str, str], used: Iterable[str]) -> None:
    """Raise where the rows of one file could not be asked about, or written to the other.

    Args:
        source: The file of rows.
        target: The file that they are written to.
        added: The columns that are added.
        used: The columns that are asked about.

    Raises:
        ConfigError: If columns from Parquet have bytes, which neither a question nor JSON has, or lines have no types
            in common.
    """
    if not is_parquet(source):
        if is_parquet(target):
            with open(os.devnull, "wb") as nowhere:
                _write_parquet(nowhere, source, added, lambda number: dict.fromkeys(added))
        return
    raw = [field.name for field in _parquet().ParquetFile(source).schema_arrow if _has_bytes(field.type)]
    for name in raw:
        if name in used:
            raise ConfigError(f"The column {quoted(name)} holds bytes, which cannot stand in a prompt.")
    if raw and not is_parquet(target):
        raise ConfigError(f"The column {quoted(raw[0])} holds bytes, which JSON does not have. Write .parquet instead.")


def _has_bytes(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return _has_bytes(kind.value_type)
    of_bytes = ("is_binary", "is_large_binary", "is_fixed_size_binary", "is_binary_view")
    return any(getattr(pa.types, is_one)(kind) for is_one in of_bytes) or any(
        _has_bytes(kind.field(place).type) for place in range(kind.num_fields)
    )


def _write_parquet(file: Any, like: Path, added: Mapping[str, str], outcome: Callable[[int], Row]) -> None:
    import pyarrow as pa

    as_text = [name for name, kind in added.items() if kind == "json"]
    try:
        known, new = _known(like), _added(added)
        with _parquet().ParquetWriter(file, schema := pa.schema([*known, *new], known.metadata)) as writer:
            number = 0
            for table in _tables(like, known):
                rows = [outcome(number + place) for place in range(table.num_rows)]
                for row in rows:
                    row.update({name: _as_text(row[name]) for name in as_text})
                columns = pa.Table.from_pylist(rows, new).columns
                writer.write_table(pa.Table.from_arrays([*table.columns, *columns], schema=schema))
                number += table.num_rows
    except (pa.ArrowException, OverflowError, UnicodeError) as error:
        raise ConfigError(
            f"The rows have no common types, which a Parquet file needs: {in_short(error)}. Write .jsonl instead."
        ) from None


def _batches(rows: Iterator[Row], size: int) -> Iterator[list[Row]]:
    while some := [*islice(rows, size)]:
        yield some


def _tables(like: Path, schema: Any) -> Iterator[Any]:
    """Yield the rows of a file as tables."""
    import pyarrow as pa

    if is_parquet(like):
        for batch in _parquet().ParquetFile(like).iter_batches(_AT_ONCE):
            yield pa.Table.from_batches([batch])
        return
    for rows in _batches(read(like), _AT_ONCE):
        yield pa.Table.from_pylist(rows, schema)


def json_line(row: Row) -> bytes:
    """Return a row as a line. Halves of characters, which UTF-8 does not have, are escaped as they were."""
    try:
        return json.dumps(row, ensure_ascii=False, default=str).encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(row, default=str).encode() + b"\n"


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json_line(value).decode().rstrip("\n")


def _added(added: Mapping[str, str]) -> Any:
    """Return the types of the columns that are added."""
    import pyarrow as pa

    usage = pa.struct([(name, pa.int64()) for name in USAGE])
    kinds = {"text": pa.string(), "json": pa.string(), "number": pa.float64(), "usage": usage}
    return pa.schema([(name, kinds[kind]) for name, kind in added.items()])


def _known(like: Path) -> Any:
    """Return the types of a file's columns: those of Parquet, or those that its lines have all together."""
    import pyarrow as pa

    if is_parquet(like):
        return _parquet().ParquetFile(like).schema_arrow
    known = pa.schema([])
    for rows in _batches(read(like), _AT_ONCE):
        columns = dict.fromkeys(name for row in rows for name in row)
        found = pa.table({name: pa.array([row.get(name) for row in rows]) for name in columns}).schema
        known = pa.unify_schemas([known, found], promote_options="permissive")
    return known


USAGE: Final = ("input_tokens", "output_tokens", "total_tokens", "cached_tokens", "reasoning_tokens")
"""The tokens of an answer that are written; those of `kimi_core.Usage`."""


def _parquet() -> Any:
    import pyarrow.parquet as pq  # type: ignore[import-untyped]  # of an extra

    return pq
