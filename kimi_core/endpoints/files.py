"""A host's files: uploaded once, referred to as `ms://<id>` (pictures, videos) or read back as text (documents)."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import PurePath
from typing import IO, TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import quote

from pydantic_core import from_json

from kimi_core.cache import UPLOADED
from kimi_core.codecs.json_values import count
from kimi_core.endpoints.paths import path_of
from kimi_core.errors import ConfigError, DecodeError, MessageError, UnsupportedError, make
from kimi_core.hosts.profile import Profile
from kimi_core.media import data_urls, local_files
from kimi_core.quoting import did_you_mean, in_short, quoted
from kimi_core.transport.call import Upload
from kimi_core.transport.waiting import wait
from kimi_core.types import JsonObject

if TYPE_CHECKING:
    from kimi_core.transport.transport import Transport

Source: TypeAlias = str | PathLike[str] | bytes | IO[bytes]
"""The path of a file, its bytes, or a file opened in binary mode."""

Purpose: TypeAlias = Literal["file-extract", "image", "video", "batch"]
"""What a file is for: its text is read back, or it is referred to in a message, or it holds a batch's requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileObject:
    """A file that a host keeps.

    Attributes:
        id: The host's id; in messages it is written `ms://<id>`.
        bytes: Its size.
        filename: Its name.
        purpose: What it was uploaded for.
        created_at: Unix time in seconds; None when the host does not report it.
        status: The host's name for its state.
        status_details: The host's text about that.
    """

    id: str
    bytes: int
    filename: str
    purpose: str
    created_at: int | None = None
    status: str = ""
    status_details: str = ""

    @property
    def url(self) -> str:
        """The URL for it in an `ImagePart` or `VideoPart`."""
        return f"ms://{self.id}"


class AsyncFiles:
    """The files of an account: `AsyncKimiClient.files`."""

    def __init__(self, transport: Transport, profile: Profile) -> None:
        self._transport = transport
        self._profile = profile

    async def upload(self, file: Source, *, purpose: Purpose, filename: str | None = None) -> FileObject:
        """See `Files.upload`."""
        path = _for(purpose, self._profile)
        made = await self._transport.driver.compute(form, file, purpose, filename, self._profile)
        body, _ = await self._transport.upload(path, made, self._profile)
        return file_in(body, self._profile)

    async def list(self) -> list[FileObject]:
        """See `Files.list`."""
        body, _ = await self._transport.get(_path(self._profile), self._profile)
        return _files(body, self._profile)

    async def retrieve(self, id: str) -> FileObject:
        """See `Files.retrieve`."""
        body, _ = await self._transport.get(_path(self._profile, id), self._profile)
        return file_in(body, self._profile)

    async def content(self, id: str) -> str:
        """See `Files.content`."""
        data, headers = await self._transport.read(f"{_path(self._profile, id)}/content", self._profile)
        return _text(data, headers, id)

    async def delete(self, id: str) -> None:
        """See `Files.delete`."""
        await self._transport.delete(_path(self._profile, id), self._profile)
        _forget(id)


class Files:
    """The files of an account: `KimiClient.files`."""

    def __init__(self, files: AsyncFiles) -> None:
        """Wrap files whose transport blocks."""
        self._files = files

    def upload(self, file: Source, *, purpose: Purpose, filename: str | None = None) -> FileObject:
        """Upload a file. It stays until it is deleted, and hosts limit how many an account may keep (Moonshot: 1000).

        Args:
            file: A path, bytes, or a file opened in binary mode. It is read whole.
            purpose: What it is for: `file-extract`, `image`, `video` or `batch`.
            filename: Its name; by default that of the file.

        Raises:
            UnsupportedError: If the host keeps no files, or none for this purpose.
            MessageError: If there is no such file, or it is empty or larger than the host takes.
            APIError: If the host refused or failed.
        """
        return wait(self._files.upload(file, purpose=purpose, filename=filename))

    def list(self) -> list[FileObject]:
        """Return every file of the account."""
        return wait(self._files.list())

    def retrieve(self, id: str) -> FileObject:
        """Return what the host knows about a file."""
        return wait(self._files.retrieve(id))

    def content(self, id: str) -> str:
        """Return the text of a file: extracted, for `file-extract`; the file itself, for files of text (batches).

        Raises:
            UnsupportedError: If it is a picture, a video or another file without text.
        """
        return wait(self._files.content(id))

    def delete(self, id: str) -> None:
        """Delete a file. Messages that refer to it are refused from then on."""
        wait(self._files.delete(id))


# ------------------------------------------------------------------------------------------------ what is sent


def form(file: Source, purpose: str, filename: str | None, profile: Profile) -> Upload:
    """Read a file, check it against the host's limit, and return the form that uploads it.

    Raises:
        MessageError: If there is no such file, or it is empty or larger than the host takes.
        ConfigError: If `file` is nothing that could be read.
    """
    found, data = _read(file)
    mime = data_urls.sniff(data) or (data_urls.guess_mime(filename or found) if filename or found else None)
    name = filename or found or f"upload{mimetypes.guess_extension(mime or '') or ''}"
    limit = profile.host.media.file_limit
    if not data:
        raise MessageError(f"{in_short(name)} is empty.")
    if limit is not None and len(data) > limit:
        raise MessageError(
            f"{in_short(name)} has {len(data):,} bytes; {profile.host.name} takes files up to {limit:,}."
        )
    # A name is text for people: what cannot be sent of it is replaced.
    shown = name.encode("utf-8", "replace").decode()
    return Upload({"purpose": purpose}, shown, data, mime or "application/octet-stream")


def _read(file: Any) -> tuple[str, bytes]:
    """Return name and bytes of a file."""
    if isinstance(file, bytes | bytearray | memoryview):
        return "", bytes(file)
    if isinstance(file, str | PathLike):
        path, data = local_files.read(file)
        return path.name, data
    read = file.read() if hasattr(file, "read") else None
    if not isinstance(read, bytes):
        raise ConfigError(f"A file must be a path, bytes, or opened in binary mode, not {type(file).__name__}.")
    name = getattr(file, "name", "")  # a number, for a file without one
    return PurePath(name).name if isinstance(name, str) else "", read


def _path(profile: Profile, id: str | None = None) -> str:
    """Return the path of all files, or of one."""
    path = path_of("files", profile, "keeps no files")
    if id is None:
        return path
    bare = id.removeprefix("ms://")
    if not bare:
        raise ConfigError("A file's id is needed, not an empty text.")
    return f"{path}/{quote(bare, safe='')}"


def _for(purpose: str, profile: Profile) -> str:
    path, known = _path(profile), profile.host.media.file_purposes
    if purpose not in known:
        raise UnsupportedError(
            f"{profile.host.name} takes no files with purpose {quoted(purpose)}.{did_you_mean(str(purpose), known)} "
            f"It takes: {', '.join(known) or 'none'}."
        )
    return path


# ------------------------------------------------------------------------------------------------ what comes back


def file_in(body: Any, profile: Profile) -> FileObject:
    """Return the file in a host's answer.

    Raises:
        DecodeError: If it is none.
    """
    if not isinstance(body, Mapping) or not isinstance(body.get("id"), str):
        raise _nonsense(body, profile)
    return _object(body)


def _files(body: Any, profile: Profile) -> list[FileObject]:
    listed = body.get("data") if isinstance(body, Mapping) else None
    if listed is None and isinstance(body, Mapping) and "data" in body:
        return []
    if not isinstance(listed, list):
        raise _nonsense(body, profile)
    return [file_in(one, profile) for one in listed]


def _object(body: Mapping[str, Any]) -> FileObject:
    return FileObject(
        id=body["id"],
        bytes=count(body.get("bytes")) or 0,
        filename=str(body.get("filename") or ""),
        purpose=str(body.get("purpose") or ""),
        created_at=body.get("created_at"),
        status=str(body.get("status") or ""),
        status_details=str(body.get("status_details") or ""),
    )


def _nonsense(body: Any, profile: Profile) -> DecodeError:
    text = f"{profile.where} answered something that is not about files: {in_short(body)!r}. Check base_url and host."
    return make(DecodeError, text, host=profile.host.name, body=body)


def _text(data: bytes, headers: Mapping[str, str], id: str) -> str:
    """Return the text in an answer: extracted text comes in JSON, beside the file's name and type."""
    kind = headers.get("content-type", "")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise UnsupportedError(f"The file {in_short(id)} is no text but {in_short(kind) or 'of an unknown type'}.")
    body = _json(text) if kind.startswith("application/json") else None
    return body["content"] if isinstance(body, dict) and isinstance(body.get("content"), str) else text


def _json(text: str) -> JsonObject | None:
    try:
        return from_json(text)  # type: ignore[no-any-return]
    except ValueError:
        return None


def _forget(id: str) -> None:
    bare = id.removeprefix("ms://")
    UPLOADED.drop(lambda known: known == bare)
