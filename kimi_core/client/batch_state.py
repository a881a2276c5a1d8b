"""The small file by which a batch survives the death of the program that asked for it.

It says which batches were created for which inputs, and nothing of what is in them: no message, no answer and no key.
It is written before and after each step that cannot be taken twice, as a whole or not at all.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from kimi_core.errors import ConfigError
from kimi_core.file_locks import lock
from kimi_core.quoting import in_short, quoted

_VERSION: Final = 1
_NAMES: Final = {"host": "host", "address": "address", "model": "model", "inputs": "number of inputs"}
"""What a file is about, and how that is called when it is another one; after these the inputs themselves."""


@dataclass(slots=True)
class Part:
    """One batch of a job.

    Attributes:
        key: What it is found by among the batches of the account.
        inputs: The places of its inputs.
        file: The file of its requests; None until it is uploaded.
        batch: Its id; None until it is known to be created.
        reported: Whether a call has returned what came of it.
        resumed: Whether it was begun by another call.
    """

    key: str
    inputs: list[int]
    file: str | None = None
    batch: str | None = None
    reported: bool = False
    resumed: bool = field(default=False, compare=False)


class BatchState:
    """The batches of one job, in a file if it has one.

    Attributes:
        parts: Its batches, oldest first.
    """

    def __init__(self, path: Path | None, about: Mapping[str, Any]) -> None:
        """Go on with the job in a file, or begin one.

        Args:
            path: The file; None keeps nothing.
            about: What the job is: host, address, model, number of inputs, and a fingerprint of these.

        Raises:
            ConfigError: If the file is of another job, or no such file, or another program has it.
        """
        self._path, self._about = path, dict(about)
        self._job = uuid.uuid4().hex[:16]
        self.parts: list[Part] = []
        self._held: IO[str] | None = None
        if path is not None:
            self._held = _locked(path)
            try:
                self._read(path)
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Let another program have the file. One that was never written is taken away."""
        held, self._held = self._held, None
        if held is not None and self._path is not None:
            if os.fstat(held.fileno()).st_size == 0:
                self._path.resolve().unlink(missing_ok=True)
            held.close()

    def add(self, inputs: Iterable[int]) -> Part:
        """Return a new part for some inputs. It is not written yet."""
        made = Part(f"{self._job}-{len(self.parts)}", list(inputs))
        self.parts.append(made)
        return made

    def save(self) -> None:
        """Write the file, where there is one: another takes its place in one step. What a link leads to is written.

        Raises:
            ConfigError: If it cannot be written.
        """
        if self._path is None:
            return
        parts = [
            {
                "key": part.key,
                "inputs": ranges(part.inputs),
                "file": part.file,
                "batch": part.batch,
                "reported": part.reported,
            }
            for part in self.parts
        ]
        whole = {"version": _VERSION, **self._about, "job": self._job, "batches": parts}
        path = self._path.resolve()
        beside = path.with_name(f".{path.name}.{os.getpid()}.new")
        try:
            with ExitStack() as stack:
                file = stack.enter_context(beside.open("w", encoding="utf-8"))
                json.dump(whole, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
                lock(file)  # before it takes the place of the one that is held
                beside.replace(path)
                if self._held is not None:
                    self._held.close()
                    self._held = file
                    stack.pop_all()
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise ConfigError(f"state={in_short(self._path)} cannot be written: {in_short(error)}.") from None

    def _read(self, path: Path) -> None:
        try:
            data = path.read_bytes()
            if not data:
                return
            found = json.loads(data)
            version, about = found["version"], {name: found[name] for name in self._about}
            parts = [
                Part(p["key"], places_in(p["inputs"]), p["file"], p["batch"], p["reported"], resumed=True)
                for p in found["batches"]
            ]
            job = str(found["job"])
        except FileNotFoundError:
            return
        except OSError as error:
            raise ConfigError(f"state={in_short(path)} cannot be read: {in_short(error)}.") from None
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
            raise ConfigError(f"state={in_short(path)} is no file of a batch's state. Give another path.") from None
        if version != _VERSION:
            raise ConfigError(f"state={in_short(path)} is of another version of this package. Give another path.")
        self._compare(path, about)
        self._job, self.parts = job, parts

    def _compare(self, path: Path, about: Mapping[str, Any]) -> None:
        for name, called in _NAMES.items():
            if about[name] != self._about[name]:
                raise ConfigError(
                    f"state={in_short(path)} is of another batch: its {called} is {quoted(about[name])}, not "
                    f"{quoted(self._about[name])}. Give another path, or what it was begun with."
                )
        if about != self._about:
            raise ConfigError(
                f"state={in_short(path)} is of another batch: its inputs or options are not the same. Give another "
                "path, or what it was begun with."
            )


def _locked(path: Path) -> IO[str] | None:
    """Return a file, made if it is not there, that this program alone has; None where it cannot be opened.

    Raises:
        ConfigError: If another has it.
    """
    while True:
        file = None
        try:
            file = path.open("a", encoding="utf-8")
            lock(file)
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        except BlockingIOError:
            if file is not None:
                file.close()
            raise ConfigError(
                f"Another program is at the batches of state={in_short(path)}. Wait for it, or give another path."
            ) from None
        except FileNotFoundError:
            if file is None:  # there is no such folder
                return None
        except OSError:  # said where it is read or written
            return None
        file.close()  # another program has put a new one in its place meanwhile


def ranges(places: Sequence[int]) -> list[list[int]]:
    """Return places as pairs of first and last."""
    found: list[list[int]] = []
    for place in places:
        if found and found[-1][1] == place - 1:
            found[-1][1] = place
        else:
            found.append([place, place])
    return found


def places_in(pairs: Iterable[Sequence[int]]) -> list[int]:
    """Return the places of `ranges`."""
    return [place for first, last in pairs for place in range(first, last + 1)]
