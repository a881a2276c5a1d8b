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
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticSerializationError, from_json, to_json

from kimi_core import errors as err
from kimi_core import redact, retry, sdk
from kimi_core.classify import error_from_status
from kimi_core.codecs import WireRequest
from kimi_core.profile import Profile
from kimi_core.settings import Settings, require_key
from kimi_core.types import Options

DONE = "[DONE]"
"""What ends a stream."""

if TYPE_CHECKING:
    from openai import AsyncStream, Stream


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
        response = retry.call(self.settings.max_retries, lambda: self._post(wire, profile, options, stream=False))
        return _parsed(response, profile, self.settings), response.headers

    def open(self, wire: WireRequest, profile: Profile, options: Options) -> OpenStream:
        """Open a stream. Retried as long as nothing was delivered; what breaks later is raised."""
        stream = retry.call(self.settings.max_retries, lambda: self._post(wire, profile, options, stream=True))
        return OpenStream(stream, self.settings, profile)

    def get(self, path: str, profile: Profile) -> tuple[Any, Mapping[str, str]]:
        """Ask for something that is not an answer."""
        response = retry.call(self.settings.max_retries, lambda: self._get(path, profile))
        return _parsed(response, profile, self.settings), response.headers

    def _get(self, path: str, profile: Profile) -> Any:
        require_key(self.settings)
        client = sdk.client(self.settings)
        with _translated(self.settings, profile):
            return client.get(path, cast_to=sdk.response_class(), options=_options(self.settings))  # type: ignore[call-overload]

    def _post(self, wire: WireRequest, profile: Profile, options: Options, *, stream: bool) -> Any:
        require_key(self.settings)
        client = sdk.client(self.settings)
        with _translated(self.settings, profile):
            return client.post(wire.path, **_arguments(wire, self.settings, options, stream=stream, sync=True))


class AsyncTransport:
    """Sends requests for one `Settings`, asynchronously; clients belong to the running event loop."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    async def send(self, wire: WireRequest, profile: Profile, options: Options) -> tuple[Any, Mapping[str, str]]:
        """See `Transport.send`."""
        response = await retry.acall(
            self.settings.max_retries, lambda: self._post(wire, profile, options, stream=False)
        )
        return _parsed(response, profile, self.settings), response.headers

    async def open(self, wire: WireRequest, profile: Profile, options: Options) -> OpenAsyncStream:
        """See `Transport.open`."""
        stream = await retry.acall(self.settings.max_retries, lambda: self._post(wire, profile, options, stream=True))
        return OpenAsyncStream(stream, self.settings, profile)

    async def get(self, path: str, profile: Profile) -> tuple[Any, Mapping[str, str]]:
        """See `Transport.get`."""
        response = await retry.acall(self.settings.max_retries, lambda: self._get(path, profile))
        return _parsed(response, profile, self.settings), response.headers

    async def _get(self, path: str, profile: Profile) -> Any:
        require_key(self.settings)
        client = await sdk.async_client(self.settings)
        with _translated(self.settings, profile):
            return await client.get(path, cast_to=sdk.response_class(), options=_options(self.settings))  # type: ignore[call-overload]

    async def _post(self, wire: WireRequest, profile: Profile, options: Options, *, stream: bool) -> Any:
        require_key(self.settings)
        client = await sdk.async_client(self.settings)
        with _translated(self.settings, profile):
            return await client.post(wire.path, **_arguments(wire, self.settings, options, stream=stream, sync=False))


class OpenStream:
    """The frames of an open stream, parsed. Close it, or use it as a context manager."""

    def __init__(self, stream: Stream[object], settings: Settings, profile: Profile) -> None:
        self._stream = stream
        self._settings = settings
        self._profile = profile
        self.headers: Mapping[str, str] = stream.response.headers

    def __iter__(self) -> Iterator[Any]:
        with _translated(self._settings, self._profile, streaming=True):
            if whole := _whole(self._stream.response):
                self._stream.response.read()
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
        with _translated(self._settings, self._profile, streaming=True):
            if whole := _whole(self._stream.response):
                await self._stream.response.aread()
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


def _arguments(wire: WireRequest, settings: Settings, options: Options, *, stream: bool, sync: bool) -> dict[str, Any]:
    """Arguments of the SDK's `post`."""
    headers = {"Content-Type": "application/json", **wire.headers, **(options.extra_headers or {})}
    arguments: dict[str, Any] = {"content": _bytes(wire.body), "options": _options(settings, headers)}
    if stream:
        return {**arguments, "cast_to": object, "stream": True, "stream_cls": sdk.stream_class(sync=sync)}
    return {**arguments, "cast_to": sdk.response_class()}


def _options(settings: Settings, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The SDK's per-request options."""
    merged: dict[str, Any] = {**settings.host.headers, **settings.default_headers, **(headers or {})}
    if settings.api_key is None:
        merged.setdefault("Authorization", sdk.omitted())
    timeout = sdk.timeout(settings.host.timeout) if settings.timeout is None else settings.timeout
    return {"headers": merged, "timeout": timeout}


def _whole(response: Any) -> Any:
    """The response, if a host answered a request for a stream with a whole body or a page."""
    kind = response.headers.get("content-type", "")
    return response if kind.startswith(("application/json", "text/html")) else None


def _json(text: str | bytes) -> Any:
    try:
        return from_json(text)
    except ValueError:
        return json.loads(text)  # half of a surrogate pair is JSON to the stdlib


def _bytes(body: Any) -> bytes:
    try:
        return to_json(body)
    except (PydanticSerializationError, UnicodeEncodeError):
        return json.dumps(body).encode()  # lone surrogates go as escapes


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


@contextlib.contextmanager
def _translated(settings: Settings, profile: Profile, *, streaming: bool = False) -> Iterator[None]:
    """Whatever the SDK or its HTTP library raises, as ours."""
    try:
        yield
    except err.KimiError:
        raise
    except Exception as error:
        translated = _translate(error, profile, streaming=streaming)
        if translated is None:
            raise
        # `from None`: the SDK's error is not shown, since its text may hold the key.
        raise redact.error(translated, error, settings.api_key) from None


def _translate(error: Exception, profile: Profile, *, streaming: bool) -> err.APIError | None:
    openai = sys.modules["openai"]
    if isinstance(error, openai.APIStatusError):
        # The SDK unwraps {"error": …}; rows speak of the whole body.
        return error_from_status(error.status_code, _body(error), error.response.headers, profile)
    if isinstance(error, openai.APITimeoutError) or _is_http(error, "TimeoutException"):
        late = _broken(err.APITimeoutError, "did not answer in time; raise timeout=…, or stream", profile)
        late.is_retryable = profile.host.retry_timeouts  # type: ignore[misc]
        return late
    if streaming and isinstance(error, ValueError):
        return _broken(err.StreamError, f"sent a frame that is not JSON: {error}", profile)
    if isinstance(error, openai.APIConnectionError) or _is_http(error, "RequestError"):
        what = "broke off the stream" if streaming else "could not be reached"
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
