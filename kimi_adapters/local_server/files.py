"""Uploaded files, kept in memory."""

from __future__ import annotations

import re
import time
import uuid
import zlib
from dataclasses import dataclass
from typing import Any

from kimi_adapters.local_server.refusal import invalid, not_found

#: Moonshot docs, files: the purposes, ≤ 100 MB a file, ≤ 1000 files and ≤ 10 GB a user.
PURPOSES = ("file-extract", "image", "video", "batch")
_LARGEST, _MOST, _ROOM = 100 * 1024 * 1024, 1000, 10 * 1024**3


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One uploaded file."""

    id: str
    filename: str
    purpose: str
    data: bytes
    created_at: int

    @property
    def text(self) -> str:
        """The text that is extracted from the file: its own, or the plain strings of a PDF."""
        return pdf_text(self.data) if self.data.startswith(b"%PDF-") else self.data.decode("utf-8", "replace")

    def as_json(self) -> dict[str, Any]:
        """Return the file object of the API."""
        return {
            "id": self.id,
            "object": "file",
            "bytes": len(self.data),
            "created_at": self.created_at,
            "filename": self.filename,
            "purpose": self.purpose,
            "status": "ok",
            "status_details": "",
        }


class FileStore:
    """All files of one server."""

    def __init__(self) -> None:
        self._files: dict[str, StoredFile] = {}

    def __contains__(self, id: object) -> bool:
        return id in self._files

    def clear(self) -> None:
        """Forget all files."""
        self._files.clear()

    def add(self, filename: str, purpose: str, data: bytes) -> StoredFile:
        """Store a file and return it.

        Raises:
            Refusal: If the purpose is unknown, the file is empty or too large, or there is no room for it.
        """
        if purpose not in PURPOSES:
            raise invalid(f"Invalid purpose: only {', '.join(map(repr, PURPOSES))} accepted")
        if not data:
            raise invalid("File size is zero, please confirm and re-upload")
        if purpose == "batch" and not filename.endswith(".jsonl"):
            # Moonshot's API reference, batch-create: "Must have .jsonl extension".
            raise invalid("Invalid file: the input file of a batch must have the extension .jsonl")
        if len(data) > _LARGEST:
            raise invalid("File size is too large, the maximum is 100 MB")
        if len(self._files) >= _MOST:
            raise invalid("Too many uploaded files, please delete unused files and retry")
        if sum(len(file.data) for file in self._files.values()) + len(data) > _ROOM:
            raise invalid("The uploaded files are too large together, the maximum is 10 GB")
        return self.keep(filename, purpose, data)

    def keep(self, filename: str, purpose: str, data: bytes) -> StoredFile:
        """Store a file without a look at it, as the host does with those that it makes itself."""
        stored = StoredFile(_new_id(), filename, purpose, data, int(time.time()))
        self._files[stored.id] = stored
        return stored

    def get(self, id: str) -> StoredFile:
        """Return the file of an id.

        Raises:
            Refusal: If there is no such file (404).
        """
        found = self._files.get(id)
        if found is None:
            raise not_found(f"file {id} not found")
        return found

    def all(self) -> list[StoredFile]:
        """Return every file, oldest first."""
        return list(self._files.values())

    def remove(self, id: str) -> None:
        """Delete a file.

        Raises:
            Refusal: If there is no such file (404).
        """
        del self._files[self.get(id).id]


def _new_id() -> str:
    """Make an id like the one on Moonshot's page: ``clg681objj8g9m7n4je0``."""
    number = uuid.uuid4().int
    return "c" + "".join(_DIGITS[(number >> 5 * place) % 32] for place in range(19))


_DIGITS = "0123456789abcdefghijklmnopqrstuv"


def pdf_text(data: bytes) -> str:
    """Return the strings that a PDF's pages show; nothing for scans and for fonts that are not encoded as text."""
    pages = [data, *(_inflated(packed) for packed in _STREAM.findall(data))]
    shown = [string for page in pages for string in _SHOWN.findall(page)]
    return "\n".join(_ESCAPED.sub(rb"\1", string).decode("latin-1") for string in shown)


_STREAM = re.compile(rb"stream\r?\n(.*?)\r?\nendstream", re.DOTALL)
_SHOWN = re.compile(rb"\(((?:[^\\()]|\\.)*)\)\s*(?:Tj|')", re.DOTALL)
_PAGE = 10 * 1024 * 1024
_ESCAPED = re.compile(rb"\\([\\()])")


def _inflated(packed: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(packed, _PAGE)
    except zlib.error:
        return b""


def read_form(content_type: str, body: bytes) -> dict[str, tuple[str | None, bytes]]:
    """Return the fields of a ``multipart/form-data`` body: name -> (file name, data).

    Starlette reads forms only with one more package installed; two fields do not justify it.

    Raises:
        Refusal: If the body is of another type or its boundary is missing.
    """
    boundary = re.search(r'boundary="?([^";]+)"?', content_type)
    if "multipart/form-data" not in content_type or boundary is None:
        raise invalid("Invalid request: a multipart/form-data body is expected")
    fields: dict[str, tuple[str | None, bytes]] = {}
    for piece in (b"\r\n" + body).split(b"\r\n--" + boundary[1].encode())[1:-1]:
        head, _, data = piece.partition(b"\r\n\r\n")
        about = head.decode("utf-8", "replace")
        name = re.search(r'\bname="([^"]*)"', about)
        filename = re.search(r'\bfilename="([^"]*)"', about)
        if name is not None:
            fields[name[1]] = (filename[1] if filename else None, data)
    return fields
