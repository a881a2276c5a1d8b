"""Uploaded files, kept in memory."""

from __future__ import annotations

import re
import time
import uuid
from dataclasses import dataclass
from typing import Any

from kimi_core.emulator.refusal import invalid, not_found

#: Moonshot docs, files: the purposes, ≤ 100 MB a file, ≤ 1000 files a user.
PURPOSES = ("file-extract", "image", "video", "batch")
_LARGEST, _MOST = 100 * 1024 * 1024, 1000


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One uploaded file."""

    id: str
    filename: str
    purpose: str
    data: bytes
    created_at: int

    def as_json(self) -> dict[str, Any]:
        """The file object of the API."""
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
        """Store a file, or refuse it."""
        if purpose not in PURPOSES:
            raise invalid(f"Invalid purpose: only {', '.join(map(repr, PURPOSES))} accepted")
        if not data:
            raise invalid("File size is zero, please confirm and re-upload")
        if len(data) > _LARGEST:
            raise invalid("File size is too large, the maximum is 100 MB")
        if len(self._files) >= _MOST:
            raise invalid("Too many uploaded files, please delete unused files and retry")
        stored = StoredFile(f"file-{uuid.uuid4().hex[:20]}", filename, purpose, data, int(time.time()))
        self._files[stored.id] = stored
        return stored

    def get(self, id: str) -> StoredFile:
        """The file of an id, or 404."""
        found = self._files.get(id)
        if found is None:
            raise not_found(f"file {id} not found")
        return found

    def all(self) -> list[StoredFile]:
        """Every file, oldest first."""
        return list(self._files.values())

    def remove(self, id: str) -> None:
        """Delete a file, or 404."""
        del self._files[self.get(id).id]


def read_form(content_type: str, body: bytes) -> dict[str, tuple[str | None, bytes]]:
    """The fields of a ``multipart/form-data`` body: name -> (file name, data).

    Starlette reads forms only with one more package installed; two fields do not justify it.
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
