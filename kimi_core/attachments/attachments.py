"""Making a request's media and documents what its host takes: read, fetched, uploaded, or extracted.

What is to be done is worked out without I/O, in steps that `run` follows, and is the same in every
turn of a conversation: what was sent inline stays inline, and the same content becomes the same bytes, id or text.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias

from kimi_core.attachments import fetch
from kimi_core.attachments.fetch import What
from kimi_core.cache import UPLOADED, Cache
from kimi_core.endpoints.files import AsyncFiles
from kimi_core.errors import BadRequestError, KimiError, MessageError, RequestTooLargeError
from kimi_core.hosts import addresses
from kimi_core.hosts.profile import Profile
from kimi_core.media import data_urls, documents, left_out, local_files
from kimi_core.quoting import listed
from kimi_core.settings import Settings
from kimi_core.transport.drivers import Driver
from kimi_core.types import (
    DocumentPart,
    FilePart,
    ImagePart,
    LeftOutPart,
    Message,
    Part,
    Request,
    Role,
    TextPart,
    VideoPart,
)

LIMIT: Final = 100 * 1024 * 1024
"""Most bytes that are fetched for a host of which no limit is known."""
AT_ONCE: Final = 8
"""How many things an async client does at a time for one request."""

_log = logging.getLogger("kimi_core")
_extracted: Cache[str] = Cache(64 * 1024 * 1024, len)
# A dead address in a tool's result would be waited for in every turn, and might be there in one and not in the next.
_given_up: Cache[bool] = Cache(1000, fresh=3600)

Do: TypeAlias = Literal["read", "fetch", "upload", "extract"]


@dataclass(frozen=True, slots=True)
class Job:
    """One thing to do. `read` and `fetch` give a `data:` URL, `upload` a file's id, `extract` a text.

    Attributes:
        do: What is to be done.
        part: With what.
        lenient: The caller did not write it: when it fails, a text for the model replaces it.
    """

    do: Do
    part: Part
    lenient: bool = False


Done: TypeAlias = str | LeftOutPart
"""What came of a job."""
Steps: TypeAlias = Generator[tuple[Job, ...], Sequence[Done], Request]
"""Yields what is to be done next, is sent the results, and returns the request."""


def steps(request: Request, profile: Profile, settings: Settings) -> Steps:
    """Yield what has to be done before a request can be encoded, nothing if there is nothing; return the request."""
    for do, find in _FIND.items():
        found = list(find(request.messages, profile, settings))
        if found:
            own = set(_parts(message for message in request.messages if message.role in ("user", "system")))
            jobs = tuple(Job(do, part, part not in own) for part in dict.fromkeys(found))  # the same thing is done once
            results = dict(zip((job.part for job in jobs), (yield jobs), strict=True))
            done = {id(part): results[part] for part in found}
            request = replace(request, messages=tuple(_replaced(request.messages, done)))
    return request


def dry_run(request: Request, profile: Profile, settings: Settings) -> Request:
    """Return the request with placeholders for what is yet to be done; unchanged when that is nothing. No I/O."""
    return _driven(steps(request, profile, settings), lambda jobs: [_STAND_INS[job.do] for job in jobs])


_INLINE: Final = "data:text/plain;base64,eA=="
_STAND_INS: Final[Mapping[Do, str]] = {"read": _INLINE, "fetch": _INLINE, "upload": "file", "extract": "text"}


# ------------------------------------------------------------------------------------------- what is to be done


def _parts(messages: Iterable[Message]) -> Iterator[Part]:
    for message in messages:
        if not isinstance(message.content, str):
            yield from message.content


def _to_read(messages: Iterable[Message], profile: Profile, settings: Settings) -> Iterator[Part]:
    """Yield files of this machine. What a tool or a model names is none of them: it was left out before (`parts`)."""
    for message in messages:
        if not isinstance(message.content, str) and message.role in ("user", "system"):
            yield from (part for part in message.content if isinstance(part, FilePart))


def _to_fetch(messages: Iterable[Message], profile: Profile, settings: Settings) -> Iterator[Part]:
    """Yield media by http for hosts that fetch none; documents by http for all."""
    if settings.fetch_media is False:
        return
    inline = "data" in profile.host.media.urls and "http" not in profile.host.media.urls
    for part in _parts(messages):
        wanted = isinstance(part, DocumentPart) or (inline and _what(part) in profile.media)
        if (
            wanted
            and not isinstance(part, TextPart | FilePart)
            and part.url[:8].lower().startswith(("http://", "https://"))
        ):
            yield part


def _to_upload(messages: Iterable[Message], profile: Profile, settings: Settings) -> Iterator[Part]:
    """Yield inline media, from the one on with which the request would be too large."""
    host = profile.host
    if host.endpoints.files is None or "ms" not in host.media.urls or settings.upload_media is False:
        return
    room = 0 if settings.upload_media is True else host.media.inline_limit
    for part in _parts(messages):
        if isinstance(part, ImagePart | VideoPart) and part.url[:5].lower() == "data:":
            if room is not None and len(part.url) > room and _what(part) in host.media.file_purposes:
                yield part
            elif room is not None:
                room -= len(part.url)


def _to_extract(messages: Iterable[Message], profile: Profile, settings: Settings) -> Iterator[Part]:
    if settings.documents != "extract" or "file-extract" not in profile.host.media.file_purposes:
        return
    for part in _parts(messages):
        if isinstance(part, DocumentPart) and documents.is_inline(part) and documents.text_of(part) is None:
            yield part


_Finder: TypeAlias = Callable[[Iterable[Message], Profile, Settings], Iterator[Part]]
_FIND: Final[Mapping[Do, _Finder]] = {
    "read": _to_read,
    "fetch": _to_fetch,
    "upload": _to_upload,
    "extract": _to_extract,
}


def _what(part: Part) -> What:
    if isinstance(part, FilePart):
        return part.kind
    return "image" if isinstance(part, ImagePart) else "video" if isinstance(part, VideoPart) else "document"


# ------------------------------------------------------------------------------------------- what comes of it


def _replaced(messages: Iterable[Message], done: Mapping[int, Done]) -> Iterator[Message]:
    for message in messages:
        content = message.content
        if isinstance(content, str) or not any(id(part) in done for part in content):
            yield message
        else:
            yield from _rewritten(message, content, done)


def _rewritten(message: Message, content: tuple[Part, ...], done: Mapping[int, Done]) -> Iterator[Message]:
    """Yield a message with its parts replaced, after the texts of documents that a user handed over.

    "The content of file-extract goes into a system message". A result of a tool must follow its call at once, so
    there the text takes the document's place.
    """
    parts: list[Part] = []
    for part in content:
        became = _became(part, done[id(part)], message.role) if id(part) in done else part
        if became is not part and isinstance(became, TextPart) and message.role == "user":
            yield Message("system", became.text)
        else:
            parts.append(became)
    if not parts:
        names = listed((documents.shown(part) for part in content if isinstance(part, DocumentPart)), " and ")
        raise MessageError(f"A message is nothing but {names}: add to it what you want to know.")
    yield replace(message, content=tuple(parts))


def _became(part: Part, result: Done, role: Role) -> Part:
    if isinstance(result, LeftOutPart):
        return result
    try:
        return _filled(part, result)
    except MessageError:  # a scan, of which nothing could be extracted
        if role in ("user", "system"):
            raise
        return left_out.of_part(part)


def _filled(part: Part, result: str) -> Part:
    if isinstance(part, FilePart):
        return _judged(local_files.to_part(part, result))
    if isinstance(part, ImagePart | VideoPart):
        return replace(part, url=result if result.startswith("data:") else f"ms://{result}")
    if isinstance(part, DocumentPart) and result.startswith("data:") and not documents.is_inline(part):
        name = part.filename or addresses.last_name(part.url)
        return _judged(replace(part, url=result, filename=name or None))
    return TextPart(documents.titled(result, part)) if isinstance(part, DocumentPart) else part


def _judged(part: Part) -> Part:
    """Return a part; a document that was read or fetched as the type that its bytes show."""
    return documents.normalized(part) if isinstance(part, DocumentPart) else part


# ------------------------------------------------------------------------------------------------ doing it


async def run(todo: Steps, files: AsyncFiles, profile: Profile, settings: Settings, driver: Driver) -> Request:
    """Do everything; several things at a time, where the driver can.

    Raises:
        MediaError: If something could not be read or fetched, or is nothing that Kimi takes.
        APIError: If the host refused an upload, or failed.
    """
    doer = _Doer(files, profile, settings, driver)
    try:
        jobs = next(todo)
        while True:
            results = [_or_raised(outcome) async for outcome in driver.outcomes(doer.done, jobs, AT_ONCE)]
            jobs = todo.send(results)
    except StopIteration as end:
        made: Request = end.value
        return made


_REFUSALS: Final = (MessageError, BadRequestError, RequestTooLargeError)
"""What is wrong with the thing itself, and not with host, key or connection."""


def _driven(todo: Steps, do: Callable[[tuple[Job, ...]], Sequence[Done]]) -> Request:
    try:
        jobs = next(todo)
        while True:
            jobs = todo.send(do(jobs))
    except StopIteration as end:
        made: Request = end.value
        return made


def _or_raised(result: Done | BaseException) -> Done:
    if isinstance(result, BaseException):
        raise result
    return result


class _Doer:
    def __init__(self, files: AsyncFiles, profile: Profile, settings: Settings, driver: Driver) -> None:
        self._files, self._profile, self._settings, self._driver = files, profile, settings, driver
        key = settings.api_key.get_secret_value() if settings.api_key else ""
        self._account = hashlib.sha256(f"{settings.base_url}\n{key}".encode()).digest()

    async def done(self, job: Job) -> Done:
        """Do one thing. What no user wrote and cannot be had is left out, and not tried again."""
        if not job.lenient:
            return await self._do(job)
        attempt = self._settings.fetch_media, *self._key(job.do, job.part)
        if _given_up.get(attempt) is not None:
            return left_out.of_part(job.part)
        try:
            return await self._do(job)
        except _REFUSALS as error:
            _log.debug("left out: %s", error)
            _given_up.put(attempt, True)
            return left_out.of_part(job.part)

    async def _do(self, job: Job) -> str:
        what, compute = _what(job.part), self._driver.compute
        match job:
            case Job("read", FilePart() as part):
                return await compute(local_files.load, part, self._settings.local_files, self._rules(part.kind).limit)
            case Job("fetch", (ImagePart() | VideoPart() | DocumentPart()) as part):
                return await fetch.fetch(part.url, what, self._rules(what), self._driver)
            case Job("upload", part):
                return await self._upload(part, what)
        return await self._extract(job.part)

    def _key(self, purpose: str, part: Any) -> tuple[bytes, str, bytes]:
        return self._account, purpose, hashlib.sha256(part.url.encode()).digest()

    def _rules(self, what: What) -> fetch.Rules:
        host = self._profile.host
        uploads = host.endpoints.files is not None and (what == "document" or self._settings.upload_media is not False)
        inline = (
            host.media.inline_limit * 3 // 4 if host.media.inline_limit else None
        )  # base64 takes four bytes for three
        limit = host.media.file_limit if uploads else inline
        return fetch.Rules(self._settings.fetch_media is True, limit or LIMIT, self._settings.max_retries)

    async def _upload(self, part: Any, what: Any) -> str:
        key = await self._driver.compute(self._key, what, part)
        known = UPLOADED.get(key)
        if known is not None:
            return known
        _, data = await self._driver.compute(data_urls.from_data_url, part.url)
        id = (await self._files.upload(data, purpose=what)).id
        UPLOADED.put(key, id)
        _log.debug("uploaded the %s as ms://%s to %s", what, id, self._profile.host.name)
        return id

    async def _extract(self, part: Any) -> str:
        key = await self._driver.compute(self._key, "file-extract", part)
        known = _extracted.get(key)
        if known is not None:
            return known
        _, data = await self._driver.compute(data_urls.from_data_url, part.url)
        file = await self._files.upload(data, purpose="file-extract", filename=documents.name_of(part))
        try:
            text = await self._files.content(file.id)
        finally:
            with contextlib.suppress(KimiError):  # an account keeps 1000 files at most, and this one has served
                await self._files.delete(file.id)
        _log.debug("%s extracted %d characters of %s", self._profile.host.name, len(text), documents.shown(part))
        _extracted.put(key, text)
        return text
