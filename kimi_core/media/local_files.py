"""Reads files of this machine, only where the program asks for it.

A text in a message may be anybody's: a tool read it on the web, a client sent it, a model wrote it. So no text opens a
file. A path object does (`FilePart`), which no JSON can hold, and `local_files` restricts the files it may name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import BinaryIO, Final, TypeAlias

from kimi_core.media import data_urls, documents
from kimi_core.media.data_urls import MediaError
from kimi_core.types import DocumentPart, FilePart, ImagePart, Part, VideoPart

Allowed: TypeAlias = bool | Sequence[str]
"""All files, none, or those that lie below one of these folders."""

# Not every system has all of these. A pipe must not be waited for, nor a terminal become the process's own.
_READ: Final = os.O_RDONLY | sum(getattr(os, flag, 0) for flag in ("O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY"))
_STEP: Final = os.O_RDONLY | sum(getattr(os, flag, 0) for flag in ("O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC"))


def load(part: FilePart, allowed: Allowed = True, limit: int | None = None) -> str:
    """Return a file as a `data:` URL. Its bytes decide the type of a picture or video, not its name or label.

    Args:
        part: The file, and the kind of part to send it as.
        allowed: Which files may be read.
        limit: Most bytes.

    Raises:
        MediaError: If the file may not or cannot be read, is empty, larger than the limit, or nothing that Kimi takes.
    """
    path, data = read(part.path, allowed, limit)
    if part.kind != "document":
        return data_urls.load(data, part.kind, name=str(path))
    return documents.load(data, part.filename or path.name, part.mime).url


def to_part(part: FilePart, url: str) -> Part:
    """Return the part to send for a file, given its `data:` URL."""
    if part.kind == "image":
        return ImagePart(url)
    if part.kind == "video":
        return VideoPart(url)
    return DocumentPart(url, part.filename or Path(part.path).name, part.mime)


def read(path: str | PathLike[str], allowed: Allowed = True, limit: int | None = None) -> tuple[Path, bytes]:
    """Return the path and the bytes of a file; `~` is expanded.

    Raises:
        MediaError: If the file may not be read, does not exist, is no regular file, or is larger than the limit.
    """
    if "://" in os.fspath(path):
        raise MediaError(f"{_short(path)} is an address, and no path of a local file.")
    try:
        found = Path(path).expanduser()
        with _opened(found, allowed) as file:
            size = os.fstat(file.fileno()).st_size
            data = file.read() if limit is None else file.read(limit + 1) if size <= limit else b""
    except MediaError:
        raise
    except (OSError, ValueError, RuntimeError) as problem:
        reason = "does not exist" if isinstance(problem, FileNotFoundError) else f"cannot be read: {_reason(problem)}"
        raise MediaError(f"{_short(path)} {reason}.") from None
    if limit is not None and max(size, len(data)) > limit:
        raise MediaError(f"{_short(path)} is larger than the {limit:,} bytes that can be sent.")
    return found, data


def _reason(problem: Exception) -> str:
    return (problem.strerror if isinstance(problem, OSError) else None) or str(problem)


@contextmanager
def _opened(path: Path, allowed: Allowed) -> Iterator[BinaryIO]:
    """Open a regular file, and nothing else: a pipe or device might never end, or have side effects."""
    real, folder = _resolved(path, allowed)
    _demand_file(os.stat(real), path)
    number = os.open(real, _READ) if folder is None else _open_below(folder, real)
    with os.fdopen(number, "rb") as file:
        _demand_file(os.fstat(number), path)
        yield file


def _demand_file(known: os.stat_result, path: Path) -> None:
    if not S_ISREG(known.st_mode):
        what = "a directory" if S_ISDIR(known.st_mode) else "no regular file"
        raise MediaError(f"{_short(path)} is {what}.")


def _resolved(path: Path, allowed: Allowed) -> tuple[Path, Path | None]:
    """Return the path with links resolved and the allowed folder that holds it; if all are allowed, the path and None.

    A refusal does not reveal whether the file exists.
    """
    if allowed is True:
        return path, None
    real = Path(os.path.realpath(path))
    for folder in allowed or ():
        top = Path(os.path.realpath(folder))
        if top in real.parents:
            return real, top
    rule = "False: none is read" if allowed is False else "a list of folders, and it is below none of them"
    raise MediaError(f"{_short(path)} is not read: local_files is {rule}.")


def _open_below(folder: Path, real: Path) -> int:
    """Open a file folder by folder without following links: one may have been put there after the path was resolved."""
    if os.open not in os.supports_dir_fd:
        return os.open(real, _READ)
    *between, name = real.relative_to(folder).parts
    here = os.open(folder, _STEP)
    try:
        for step in between:
            below = os.open(step, _STEP, dir_fd=here)
            os.close(here)
            here = below
        return os.open(name, _READ | os.O_NOFOLLOW, dir_fd=here)
    finally:
        os.close(here)


def _short(path: str | PathLike[str]) -> str:
    text = os.fspath(path)
    return text if len(text) <= 200 else f"…{text[-199:]}"
