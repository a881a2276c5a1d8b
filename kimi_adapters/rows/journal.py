"""The file beside the output that remembers each answer, so that a run which was killed pays for none twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final

from kimi_adapters.rows.files import json_line
from kimi_core.client.batch_state import places_in, ranges
from kimi_core.errors import ConfigError
from kimi_core.file_locks import lock
from kimi_core.quoting import in_short

Record = dict[str, Any]

_VERSION: Final = 1


def digest(*parts: str) -> str:
    """Return a short fingerprint of texts, by which a row is recognised."""
    made = hashlib.blake2b(digest_size=8)
    for part in parts:
        made.update(part.encode("utf-8", "surrogatepass") + b"\0")
    return made.hexdigest()


class Journal:
    """The outcomes so far, a line each, written when they are known. Of a row with several lines the last holds.

    A line that a death has cut off is taken away. Only where the outcomes stand is kept in memory.

    Attributes:
        usd: What all outcomes have cost, those included that were asked for again.
        in_batches: The rows that were given to batches whose outcomes are not all written yet.
    """

    def __init__(self, path: Path, about: Mapping[str, Any]) -> None:
        """Go on with a journal, or begin one.

        Args:
            path: The file.
            about: What the run is: prompt, model, host and options.

        Raises:
            ConfigError: If the file is that of another run, or in use by another process.
        """
        self._path, self._about = path, {"version": _VERSION, **about}
        self._places: dict[int, tuple[int, bool]] = {}
        self.usd = 0.0
        self.in_batches: list[int] = []
        try:
            self._file = path.open("a+b")
        except OSError as error:
            raise ConfigError(f"The journal {in_short(path)} cannot be written: {in_short(error)}.") from None
        try:
            _lock(self._file, path)
            self._read()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Journal:
        """Return the journal."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file, and let another process have it."""
        self._file.close()

    @property
    def is_open(self) -> bool:
        """Whether there are rows that the same command would ask again."""
        return any(not final for _, final in self._places.values())

    def is_done(self, row: int) -> bool:
        """Return whether a row needs not be asked: it was answered, or failed in a way that stays."""
        return self._places.get(row, (0, False))[1]

    def add(self, row: int, record: Record, *, final: bool) -> None:
        """Write the outcome of a row.

        Args:
            row: Its number, from 0.
            record: The outcome.
            final: Whether it stays; otherwise the same command asks again.
        """
        self._places[row] = (self._put({"row": row, "final": final, **record}), final)

    def begin(self, rows: Sequence[int]) -> None:
        """Write that rows are given to batches; none says that all of their outcomes are written."""
        self._put({"in_batches": ranges(rows)})
        self.in_batches = [*rows]

    def _put(self, record: Record) -> int:
        self._file.seek(0, 2)
        place = self._file.tell()
        self._file.write(json_line(record))
        self._file.flush()
        return place

    def get(self, row: int) -> Record | None:
        """Return the outcome of a row; None while there is none."""
        if row not in self._places:
            return None
        self._file.seek(self._places[row][0])
        record: Record = json.loads(self._file.readline())
        del record["row"], record["final"]
        return record

    def remove(self) -> None:
        """Take the file away: all is written."""
        self._path.unlink(missing_ok=True)

    def _read(self) -> None:
        self._file.seek(0)
        head = self._file.readline()
        if not head.endswith(b"\n"):  # a new file, or one whose first line was cut off
            self._begin()
            return
        found = _parsed(head) or {}
        if found.get("version") != _VERSION:
            raise ConfigError(
                f"{in_short(self._path)} is no journal of this command. Move it away, or write elsewhere."
            )
        self._read_records()
        if self._places or self.in_batches:
            self._compare(found)
        elif found != self._about:
            self._begin()

    def _read_records(self) -> None:
        while line := self._file.readline():
            place = self._file.tell() - len(line)
            record = _parsed(line)
            if not line.endswith(b"\n"):
                self._file.truncate(place)
                return
            if record is None:  # what a machine that lost its power left: the row is asked again
                continue
            if "in_batches" in record:
                self.in_batches = places_in(record["in_batches"])
                continue
            self._places[record["row"]] = (place, record["final"])
            self.usd += record["cost_usd"] or 0.0

    def _begin(self) -> None:
        self._file.truncate(0)
        self._put(self._about)

    def _compare(self, found: Record) -> None:
        for name, value in self._about.items():
            if found.get(name) != value:
                raise ConfigError(
                    f"{in_short(self._path)} is of a run with another {name}. Give what it was begun with, or begin "
                    "anew with --overwrite."
                )


def forget(path: Path) -> None:
    """Take a journal away, if there is one.

    Raises:
        ConfigError: If another process is at its run.
    """
    if path.exists():
        with path.open("ab") as file:
            _lock(file, path)
            path.unlink(missing_ok=True)


def _lock(file: IO[bytes], path: Path) -> None:
    """Refuse a second process, where the platform can."""
    try:
        lock(file)
    except BlockingIOError:
        raise ConfigError(f"Another process is at this run: it holds {in_short(path)}.") from None


def _parsed(line: bytes) -> Record | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
