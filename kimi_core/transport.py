"""The only I/O: the openai SDK, used at the level of bytes and dicts.

The SDK brings connection pools, authentication, timeouts, the SSE decoder and the error classes that users know.
Its typed models are not used: they cost ten times what the rest of a chunk does. It is imported when the first
call is made. Retrying is done here alone (the SDK's own is off), because only a host's row knows that a 429 is
three different things.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pydantic_core import PydanticSerializationError, from_json, to_json

from kimi_core import errors as err
from kimi_core import redact, retry, sdk
from kimi_core.classify import error_from_status, error_in_body
from kimi_core.codecs import WireRequest
from kimi_core.profile import Profile
from kimi_core.recent import UPLOADED
from kimi_core.settings import Settings, require_key
from kimi_core.types import Options

DONE = "[DONE]"
"""What ends a stream."""

_GONE = (400, 404)
"""How hosts answer to an uploaded file that is there no more; the next call uploads it again."""

if TYPE_CHECKING:
    from openai import AsyncStream, Stream

    from kimi_core.budget import Budget


@dataclass(frozen=True, slots=True)
class Upload:
    """A file in a form.

    Attributes:
        fields: What the form says beside the file.
        filename: The file's name.
        data: Its bytes: an attempt that is repeated sends them again.
        mime: Its MIME type.
    """

    fields: Mapping[str, str]
    filename: str
    data: bytes = field(repr=False)
    mime: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """One request as the SDK is asked for it."""

    method: Literal["get", "post", "delete"]
    path: str
    content: bytes | None = None
    upload: Upload | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    stream: bool = False


class Transport:
    """Sends requests for one `Settings`, synchronously."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def send(self, wire: WireRequest, profile: Profile, options: Options) -> tuple[Any, Mapping[str, str]]:
        """Ask for a whole body.

        Returns:
            The parsed JSON and the response's headers.

        Raises:
            APIError: Whatever went wrong, after the retries that made sense.
        """
        found = self._json(_posted(wire, options), profile)
        if wire.poll is None:
            return found
        again = _posted(replace(wire, body=wire.poll.body), options)
        return retry.until(wire.poll, found, lambda: self._json(again, profile), lambda: _unfinished(wire, profile))

    def open(self, wire: WireRequest, profile: Profile, options: Options) -> OpenStream:
        """Open a stream. Retried as long as nothing was delivered; what breaks later is raised."""
        call = _posted(wire, options, stream=True)
        stream = retry.call(self.settings.max_retries, lambda: self._begun(call, profile))
        return OpenStream(stream, self.settings, profile)

    def get(self, path: str, profile: Profile) -> tuple[Any, Mapping[str, str]]:
        """Ask for something that is not an answer."""
        return self._json(_Call(method="get", path=path), profile)

    def read(self, path: str, profile: Profile) -> tuple[bytes, Mapping[str, str]]:
        """Ask for something that need not be JSON."""
        response = self._tried(_Call(method="get", path=path), profile)
        return response.content, response.headers

    def delete(self, path: str, profile: Profile) -> tuple[Any, Mapping[str, str]]:
        """Have something deleted."""
        return self._json(_Call(method="delete", path=path), profile)

    def upload(self, path: str, upload: Upload, profile: Profile) -> tuple[Any, Mapping[str, str]]:
        """Send a file in a form."""
        return self._json(_Call(method="post", path=path, upload=upload), profile)

    def _json(self, call: _Call, profile: Profile) -> tuple[Any, Mapping[str, str]]:
        return retry.call(
            self.settings.max_retries, lambda: _received(self._once(call, profile), call, profile, self.settings)
        )

    def _begun(self, call: _Call, profile: Profile) -> Any:
        stream = self._once(call, profile)
        if whole := _whole(stream.response):
            with _translated(self.settings, profile, "begin"):
                whole.read()
            _received(whole, call, profile, self.settings)
        return stream

    def _tried(self, call: _Call, profile: Profile) -> Any:
        return retry.call(self.settings.max_retries, lambda: self._once(call, profile))

    def _once(self, call: _Call, profile: Profile) -> Any:
        require_key(self.settings)
        if self.settings.budget is not None:
            _count(self.settings.budget, call, profile)
        client = sdk.client(self.settings)
        with _translated(self.settings, profile, "begin" if call.stream else "send"):
            return getattr(client, call.method)(
                _address(call, self.settings), **_arguments(call, self.settings, profile, sync=True)
            )


class AsyncTransport:
    """Sends requests for one `Settings`, asynchronously; clients belong to the running event loop."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    async def send(self, wire: WireRequest, profile: Profile, options: Options) -> tuple[Any, Mapping[str, str]]:
        """See `Transport.send`."""
        found = await self._json(_posted(wire, options), profile)
        if wire.poll is None:
            return found
        again = _posted(replace(wire, body=wire.poll.body), options)
        return await retry.auntil(
            wire.poll, found, lambda: self._json(again, profile), lambda: _unfinished(wire, profile)
        )

    async def open(self, wire: WireRequest, profile: Profile, options: Options) -> OpenAsyncStream:
        """See `Transport.open`."""
        call = _posted(wire, options, stream=True)
        stream = await retry.acall(self.settings.max_retries, lambda: self._begun(call, profile))
        return OpenAsyncStream(stream, self.settings, profile)

    async def get(self, path: str, profile: Profile) -> tuple[Any, Mapping[str, str]]:
        """See `Transport.get`."""
        return await self._json(_Call(method="get", path=path), profile)

    async def read(self, path: str, profile: Profile) -> tuple[bytes, Mapping[str, str]]:
        """See `Transport.read`."""
        response = await self._tried(_Call(method="get", path=path), profile)
        return response.content, response.headers

    async def delete(self, path: str, profile: Profile) -> tuple[Any, Mapping[str, str]]:
        """See `Transport.delete`."""
        return await self._json(_Call(method="delete", path=path), profile)

    async def upload(self, path: str, upload: Upload, profile: Profile) -> tuple[Any, Mapping[str, str]]:
        """See `Transport.upload`."""
        return await self._json(_Call(method="post", path=path, upload=upload), profile)

    async def _json(self, call: _Call, profile: Profile) -> tuple[Any, Mapping[str, str]]:
        async def attempt() -> tuple[Any, Mapping[str, str]]:
            return _received(await self._once(call, profile), call, profile, self.settings)

        return await retry.acall(self.settings.max_retries, attempt)

    async def _begun(self, call: _Call, profile: Profile) -> Any:
        stream = await self._once(call, profile)
        if whole := _whole(stream.response):
            with _translated(self.settings, profile, "begin"):
                await whole.aread()
            _received(whole, call, profile, self.settings)
        return stream

    async def _tried(self, call: _Call, profile: Profile) -> Any:
        return await retry.acall(self.settings.max_retries, lambda: self._once(call, profile))

    async def _once(self, call: _Call, profile: Profile) -> Any:
        require_key(self.settings)
        if self.settings.budget is not None:
            _count(self.settings.budget, call, profile)
        client = await sdk.async_client(self.settings)
        with _translated(self.settings, profile, "begin" if call.stream else "send"):
            ask = getattr(client, call.method)
            return await ask(_address(call, self.settings), **_arguments(call, self.settings, profile, sync=False))


class OpenStream:
    """The frames of an open stream, parsed. Close it, or use it as a context manager."""

    def __init__(self, stream: Stream[object], settings: Settings, profile: Profile) -> None:
        self._stream = stream
        self._settings = settings
        self._profile = profile
        self.headers: Mapping[str, str] = stream.response.headers

    def __iter__(self) -> Iterator[Any]:
        with _translated(self._settings, self._profile, "stream"):
            if whole := _whole(self._stream.response):  # read when it was opened
                yield _parsed(whole, self._profile, self._settings)
                return
            # The SDK's own iterator would parse with the slower stdlib, and hide what stands around an error.
            for event in self._stream._iter_events():
                data = event.data
                if data.startswith(DONE):
                    break
                if data:
                    yield _json(data)

    def close(self) -> None:
        """Give the connection back."""
        self._stream.close()


class OpenAsyncStream:
    """The frames of an open stream, parsed."""

    def __init__(self, stream: AsyncStream[object], settings: Settings, profile: Profile) -> None:
        self._stream = stream
        self._settings = settings
        self._profile = profile
        self.headers: Mapping[str, str] = stream.response.headers

    async def __aiter__(self) -> AsyncIterator[Any]:
        with _translated(self._settings, self._profile, "stream"):
            if whole := _whole(self._stream.response):
                yield _parsed(whole, self._profile, self._settings)
                return
            async for event in self._stream._iter_events():
                data = event.data
                if data.startswith(DONE):
                    break
                if data:
                    yield _json(data)

    async def close(self) -> None:
        """Give the connection back."""
        await self._stream.close()


def _count(budget: Budget, call: _Call, profile: Profile) -> None:
    """Count an attempt to get an answer, if the budget allows it."""
    if call.path == profile.host.path:
        budget.step(profile)


def _posted(wire: WireRequest, options: Options, *, stream: bool = False) -> _Call:
    headers = {"Content-Type": "application/json", **wire.headers, **(options.extra_headers or {})}
    return _Call(method="post", path=wire.path, content=_bytes(wire.body), headers=headers, stream=stream)


def _address(call: _Call, settings: Settings) -> str:
    """The path, or `base_url` itself: the SDK would put a slash behind it."""
    return call.path or settings.base_url


def _arguments(call: _Call, settings: Settings, profile: Profile, *, sync: bool) -> dict[str, Any]:
    """Arguments of the SDK's method."""
    patience = _patience(settings, profile, stream=call.stream)
    arguments: dict[str, Any] = {"options": _options(settings, call.headers, patience), "cast_to": sdk.response_class()}
    if call.content is not None:
        arguments["content"] = call.content
    if upload := call.upload:
        arguments |= {"body": upload.fields, "files": {"file": (upload.filename, upload.data, upload.mime)}}
        arguments["options"]["headers"]["Content-Type"] = "multipart/form-data"  # the SDK puts the boundary in
    if call.stream:
        arguments |= {"cast_to": object, "stream": True, "stream_cls": sdk.stream_class(sync=sync)}
    return arguments


def _options(settings: Settings, headers: Mapping[str, str], patience: Any) -> dict[str, Any]:
    """The SDK's per-request options."""
    merged: dict[str, Any] = {**settings.host.headers, **settings.default_headers, **headers}
    own = settings.host.key_header
    if own and settings.api_key is not None:
        merged = {own: settings.api_key.get_secret_value(), **merged}
    if own or settings.api_key is None:
        merged.setdefault("Authorization", sdk.omitted())
    said = {"headers": merged, "timeout": patience}
    # On its way to another origin only `Authorization` is taken off a request, not a key in a header of the host's own.
    return {**said, "follow_redirects": False} if own else said


def _patience(settings: Settings, profile: Profile, *, stream: bool) -> Any:
    """How long to wait: seconds, or the SDK's object. The HTTP library counts from one read of the socket to the next.

    So what is said for chunks holds for the pieces of a stream, the first one included, and costs nothing per chunk.
    """
    given, host = settings.timeout, profile.host
    if isinstance(given, Mapping):  # as a dumped model has it
        given = sdk.timeout_of({"timeout": host.timeout, **given})
    patience = sdk.timeout(host.timeout) if given is None else given
    silence = settings.chunk_timeout
    if stream and silence is None and host.chunk_timeout is not None:
        total = host.timeout if given is None else given
        silence = min(total, host.chunk_timeout) if isinstance(total, int | float) else None
    return sdk.with_silence(patience, silence) if stream and silence is not None else patience


def _whole(response: Any) -> Any:
    """The response, if a host answered a request for a stream with a whole body or a page."""
    kind = response.headers.get("content-type", "")
    return response if kind.startswith(("application/json", "text/html")) else None


def _json(text: str | bytes) -> Any:
    with contextlib.suppress(ValueError):
        return from_json(text)
    try:
        return json.loads(text)  # half of a surrogate pair is JSON to the stdlib
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _bytes(body: Any) -> bytes:
    try:
        return to_json(body)
    except (PydanticSerializationError, UnicodeEncodeError):
        return json.dumps(body).encode()  # lone surrogates go as escapes


def _received(response: Any, call: _Call, profile: Profile, settings: Settings) -> tuple[Any, Mapping[str, str]]:
    """A whole body. A host that says its errors with HTTP 200 is understood here, where trying again is decided."""
    body = _parsed(response, profile, settings)
    if call.path == profile.host.path and isinstance(body, dict) and _failed(body):
        raise redact.scrub(error_in_body(body, response.headers, profile), settings.api_key)
    return body, response.headers


def _failed(body: Mapping[str, Any]) -> bool:
    """Whether a body is nothing but errors. Runware says them beside what went well."""
    return bool(body.get("error") or body.get("errors")) and not (body.get("choices") or body.get("data"))


def _unfinished(wire: WireRequest, profile: Profile) -> err.APIError:
    """The error for an answer that is not waited for any longer."""
    label, within = (wire.poll.label, wire.poll.within) if wire.poll else ("", 0.0)
    late = _broken(
        err.APITimeoutError,
        f"was still at work on {label} after {within:g} seconds. It goes on with it, and bills it",
        profile,
    )
    late.is_retryable = False  # type: ignore[misc]
    return late


def _parsed(response: Any, profile: Profile, settings: Settings) -> Any:
    try:
        return _json(response.content)
    except ValueError:
        kind = response.headers.get("content-type", "no content type")
        error = err.make(
            err.DecodeError,
            f"{profile.where} answered HTTP {response.status_code} with {kind} instead of JSON: "
            f"{response.text[:200]!r}. Check base_url.",
            host=profile.host.name,
            model=profile.model_id,
            status_code=response.status_code,
        )
        raise redact.scrub(error, settings.api_key) from None


_Phase: TypeAlias = Literal["send", "begin", "stream"]
"""A whole answer, the beginning of a stream, or its course."""

_LATE: dict[_Phase, str] = {
    "send": "did not answer in time; raise timeout=…, or stream",
    "begin": "did not begin its answer in time; raise chunk_timeout=… (and timeout=…)",
    "stream": "fell silent in the middle of a stream: what arrived is in `.partial`. Call again, or raise "
    "chunk_timeout=… (and timeout=…)",
}


@contextlib.contextmanager
def _translated(settings: Settings, profile: Profile, phase: _Phase) -> Iterator[None]:
    """Whatever the SDK or its HTTP library raises, as ours."""
    try:
        yield
    except err.KimiError:
        raise
    except Exception as error:
        translated = _translate(error, profile, phase)
        if translated is None:
            raise
        if translated.status_code in _GONE:
            UPLOADED.drop(lambda id: id in str(translated))
        # `from None`: the SDK's error is not shown, since its text may hold the key.
        raise redact.error(translated, error, settings.api_key) from None


def _translate(error: Exception, profile: Profile, phase: _Phase) -> err.APIError | None:
    openai = sys.modules["openai"]
    if isinstance(error, openai.APIStatusError):
        # The SDK unwraps {"error": …}; rows speak of the whole body.
        return error_from_status(error.status_code, _body(error), error.response.headers, profile)
    if isinstance(error, openai.APITimeoutError) or _is_http(error, "TimeoutException"):
        late = _broken(err.APITimeoutError, _LATE[phase], profile)
        late.is_retryable = profile.host.retry_timeouts  # type: ignore[misc]
        return late
    if phase == "stream" and isinstance(error, ValueError):
        return _broken(err.StreamError, f"sent a frame that is not JSON: {error}", profile)
    if isinstance(error, openai.APIConnectionError) or _is_http(error, "RequestError"):
        what = "broke off the stream" if phase == "stream" else "could not be reached"
        return _broken(err.APIConnectionError, f"{what}: {error.__cause__ or error}", profile)
    return None


def _broken(kind: type[err.APIError], what: str, profile: Profile) -> err.APIError:
    text = f"{profile.where} {what}."
    return err.make(kind, text, host=profile.host.name, model=profile.model_id)


def _is_http(error: Exception, name: str) -> bool:
    """Whether this is the HTTP library's own error of that name (openai 2.x lets it through mid-stream)."""
    return any(c.__name__ == name and c.__module__.startswith("httpx") for c in type(error).__mro__)


def _body(error: Any) -> Any:
    try:
        return from_json(error.response.content)
    except ValueError:
        return error.response.text
