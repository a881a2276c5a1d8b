"""Sends requests to hosts, with the HTTP library that the openai SDK uses.

The library brings connections, their pools and their timeouts. The SDK's own way of a request is not gone: it takes
nearly as long as the library's, and all that it decides (headers, retries, what an error means) is decided here, from
the host's spec.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

from kimi_core import errors as err
from kimi_core.call_options import Options
from kimi_core.codecs import WireRequest
from kimi_core.codecs.error_mapping import complains, error_in_body
from kimi_core.codecs.messages import json_bytes
from kimi_core.headers import hidden, merged
from kimi_core.hosts.profile import Profile
from kimi_core.settings import Settings, require_key
from kimi_core.transport import retry
from kimi_core.transport.call import Call, Upload, arguments
from kimi_core.transport.drivers import Driver
from kimi_core.transport.file_lines import FileLines, Take
from kimi_core.transport.redaction import Redactor
from kimi_core.transport.redirects import followed
from kimi_core.transport.reply import Reply
from kimi_core.transport.stream import OpenStream, body_of, too_long
from kimi_core.transport.translation import Translation, broken

if TYPE_CHECKING:
    from kimi_core.limiting.turn import Turn

T = TypeVar("T")


class Transport:
    """Sends requests for one `Settings`."""

    def __init__(self, settings: Settings, driver: Driver) -> None:
        self.settings = settings
        self.driver = driver

    async def send(
        self, wire: WireRequest, profile: Profile, options: Options, turn: Turn | None = None
    ) -> tuple[Any, Mapping[str, str]]:
        """Send a request and return the whole answer.

        Args:
            wire: The request.
            profile: Who is asked.
            options: Its options.
            turn: What each attempt waits for; the last one has its turn until `Turn.end`.

        Returns:
            The parsed JSON and the response's headers.

        Raises:
            APIError: If the request fails, after the retries that make sense.
        """
        found = await self._json(_posted(wire, options), profile, turn)
        if wire.poll is None:
            return found
        again = _posted(replace(wire, body=wire.poll.body), options)
        from kimi_core.transport import repeats  # with the first answer that has to be asked for again

        return await repeats.until(
            self.driver, wire.poll, found, lambda: self._json(again, profile), lambda: _unfinished(wire, profile)
        )

    async def open(self, wire: WireRequest, profile: Profile, options: Options, turn: Turn | None = None) -> OpenStream:
        """Open a stream. Opening is retried, since nothing was delivered yet; errors in the stream are raised.

        See `send` for the arguments.
        """
        call = _posted(wire, options, stream=True)

        async def begun() -> OpenStream:
            began = time.monotonic()
            reply = await self._once(call, profile)
            if not reply.is_stream:
                _received(reply, call, profile, self.settings)
            opened = OpenStream(reply, call, self.settings, profile, self.driver)
            if self.settings.attempt_deadline is not None:
                opened.end_at(began, self.settings.attempt_deadline)
            if turn is not None:
                turn.answered(opened.headers)
            return opened

        attempt = begun if turn is None else partial(_in_turn, begun, turn, self.driver)
        return await retry.call(self.driver, self.settings.max_retries, attempt, lambda: profile.where)

    async def get(self, path: str, profile: Profile) -> tuple[Any, Mapping[str, str]]:
        """Get a JSON body that is not an answer of the model; return it with the response's headers."""
        return await self._json(Call(method="get", path=path), profile)

    async def read(self, path: str, profile: Profile) -> tuple[bytes, Mapping[str, str]]:
        """Get a body that need not be JSON; return its bytes with the response's headers."""
        call = Call(method="get", path=path)
        reply = await retry.call(
            self.driver, self.settings.max_retries, lambda: self._once(call, profile), lambda: profile.where
        )
        if reply.is_cut:
            raise too_long(profile)
        return reply.content, reply.headers

    async def read_lines(self, path: str, profile: Profile, take: Take, most: int) -> None:
        """Get a file of lines, of any length, and hand each to `take`, once; no more of them than `most`."""
        call = Call(method="get", path=path, stream=True)
        lines = FileLines(take, most, profile)

        async def attempt() -> None:
            reply = await self._once(call, profile)
            try:
                with Translation(self.settings, call.headers, profile, "send"):
                    await lines.read(reply, self.driver)
            finally:
                await self.driver.close(reply.response)

        await retry.call(self.driver, self.settings.max_retries, attempt, lambda: profile.where)

    async def delete(self, path: str, profile: Profile) -> tuple[Any, Mapping[str, str]]:
        """Delete something; return the JSON body and the response's headers."""
        return await self._json(Call(method="delete", path=path), profile)

    async def upload(self, path: str, upload: Upload, profile: Profile) -> tuple[Any, Mapping[str, str]]:
        """Upload a file in a form; return the JSON body and the response's headers."""
        return await self._json(Call(method="post", path=path, upload=upload), profile)

    async def _json(self, call: Call, profile: Profile, turn: Turn | None = None) -> tuple[Any, Mapping[str, str]]:
        async def answer() -> tuple[Any, Mapping[str, str]]:
            body, headers = _received(await self._once(call, profile), call, profile, self.settings)
            if turn is not None:
                turn.answered(headers)
            return body, headers

        attempt = answer if turn is None else partial(_in_turn, answer, turn, self.driver)
        return await retry.call(self.driver, self.settings.max_retries, attempt, lambda: profile.where)

    @cached_property
    def _ready(self) -> Settings:
        """The settings, with which calls can be made."""
        require_key(self.settings)
        return self.settings

    async def _once(self, call: Call, profile: Profile) -> Reply:
        settings = self._ready
        if settings.budget is not None and call.path == profile.host.endpoints.chat:
            settings.budget.step(profile)
        address = _address(settings.base_url, call.path)
        redirects = 0
        with Translation(settings, call.headers, profile, "begin" if call.stream else "send") as translation:
            while True:
                given = partial(arguments, call, settings, profile)
                ask = partial(self.driver.ask, settings, call.method, address, given, stream=call.stream)
                deadline = settings.attempt_deadline
                reply = await (ask() if deadline is None else self.driver.within(deadline, ask))
                if reply.response.is_success:
                    return reply
                target = followed(reply.response, redirects)
                if target is None:
                    raise translation.refusal(reply)
                address, redirects = target, redirects + 1


@lru_cache(maxsize=256)
def _address(base_url: str, path: str) -> str:
    """Return a whole address.

    Without a path it is the `base_url` as it stands. An endpoint elsewhere has a
    whole address of its own, from its beginning: what a host calls a file can stand further behind, and is no address.
    """
    if not path or path.startswith(("https://", "http://")):
        return path or base_url
    return f"{base_url.rstrip('/')}/{path.lstrip('/')}"


async def _in_turn(attempt: Callable[[], Coroutine[Any, Any, T]], turn: Turn, driver: Driver) -> T:
    """Make an attempt when it is its turn."""
    await turn.begin(driver)
    try:
        return await attempt()
    except BaseException as error:
        turn.failed(error)
        raise


def _posted(wire: WireRequest, options: Options, *, stream: bool = False) -> Call:
    """Return the call that posts a request."""
    given = options.extra_headers
    headers = hidden(merged(wire.headers, given or {})) if wire.headers or given else {}
    content = json_bytes(wire.body, wire.written)
    return Call(method="post", path=wire.path, content=content, headers=headers, stream=stream)


def _received(reply: Reply, call: Call, profile: Profile, settings: Settings) -> tuple[Any, Mapping[str, str]]:
    """Return a whole body and its headers; raise an error that came with HTTP 200, so that it can be retried."""
    with Translation(settings, call.headers, profile, "send"):
        body = body_of(reply, profile)
        if call.path != profile.host.endpoints.chat:  # not an answer of a model, whose text would stay as it is
            return Redactor(settings, call.headers).clean(body), reply.headers
        if isinstance(body, dict) and not body.get("choices") and _failed(body):
            raise error_in_body(body, reply.headers, profile)
        return body, reply.headers


def _failed(body: Mapping[str, Any]) -> bool:
    """Return whether a body without choices holds only errors. Runware sends errors beside results."""
    errors = body.get("error") or body.get("errors") or ("choices" not in body and complains(body))
    return bool(errors) and not body.get("data")


def _unfinished(wire: WireRequest, profile: Profile) -> err.APIError:
    """Return the error for an answer that is not waited for any longer."""
    label, within = (wire.poll.label, wire.poll.within) if wire.poll else ("", 0.0)
    late = broken(
        err.APITimeoutError,
        f"was still at work on {label} after {within:g} seconds. It goes on with it, and bills it",
        profile,
    )
    late.is_retryable = False
    return late
