"""Answers that another host gives when the first one fails, or that the same one continues (`resume`).

`FallbackRun` decides and does no I/O. What a host sent before it failed does not come again: the next one is asked to
continue it, where it can.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, Container, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from kimi_core import errors as err
from kimi_core.asyncgens import begin
from kimi_core.budget import CHARACTERS
from kimi_core.client.tool_loop import summed_ends
from kimi_core.codecs import merging
from kimi_core.events import (
    Event,
    Finished,
    ReasoningDelta,
    RefusalDelta,
    ResponseBuilder,
    TextDelta,
    ToolCallDelta,
)
from kimi_core.hosts.profile import model_there
from kimi_core.transport import attempts
from kimi_core.transport.waiting import BEGUN
from kimi_core.types import JsonObject, Message, Request, Response, TextPart
from kimi_core.usage import bill_of, billed

if TYPE_CHECKING:
    from kimi_core.client.async_client import AsyncKimiClient

_log = logging.getLogger("kimi_core.client.fallback")

_PASSING = (err.RateLimitError, err.LimitsError, err.APIConnectionError, err.InternalServerError, err.StreamError)
"""The host's own troubles: overload, quota, rate limits, outages, timeouts. Another host would not refuse a wrong
request or key any less."""

RESUMED: Final = "resumed"
"""The key of the metadata under which the seams of a continued answer are."""
_MOST_RESUMED: Final = 2

_UNFIT = (err.ConfigError, err.MessageError)
"""What a host cannot be asked at all."""


class FallbackRun:
    """One answer, from the first of several hosts that gives it.

    Attributes:
        client: Whom to ask next.
        request: What to ask.
        attempts: The attempts of the call.
    """

    def __init__(self, client: AsyncKimiClient, request: Request) -> None:
        self.client = client
        self.request = request
        self.attempts = attempts.current()
        self._first = client
        self._asked = request
        self._index = 0
        self._failed: list[dict[str, str]] = []
        self._error: err.APIError | None = None
        self._spent: Finished | None = None
        self._builder = ResponseBuilder()
        self._text: list[str] = []
        self._characters = 0
        self._closed = False  # what was handed on leaves no other host anything to continue
        self._there = request  # what is asked of this host, from the beginning
        self._resumed: list[dict[str, Any]] = []
        self._logprobs: list[JsonObject] = []
        self._resuming = False  # asked to go on, and nothing has come yet

    def feed(self, event: Event) -> Event:
        """Take in an event of the answer, and return it as it is handed on."""
        self._resuming = False
        match event:
            case TextDelta(text=text):
                self._text.append(text)
                self._characters += len(text)
            case ReasoningDelta(text=text):
                self._characters += len(text)
            case ToolCallDelta() | RefusalDelta():
                self._closed = True
            case Finished():
                extra = {**event.extra, RESUMED: self._resumed} if self._resumed else event.extra
                logprobs = merging.logprobs([*self._logprobs, event.logprobs or {}])
                end = summed_ends(self._spent, event)
                event = replace(end, fallbacks=tuple(self._failed), extra=extra, logprobs=logprobs)
        self._builder.add(event)
        if type(event) is Finished:
            event.response = self._builder.response()
        return event

    def whole(self, response: Response) -> Response:
        """Return a whole answer as it is handed on."""
        return replace(response, fallbacks=tuple(self._failed)) if self._failed else response

    def next(self, error: err.KimiError) -> None:
        """Go on to the next host, after the one that was asked failed or cannot be asked this.

        Raises:
            KimiError: If no other host could help; the host's own error, with all that came.
        """
        if isinstance(error, err.APIError):
            self._add_broken(error.partial)
        if self._resuming and self._error is not None and not isinstance(error, _PASSING):
            self._error.add_note(f"Asked to go on, it could not: {type(error).__name__}: {error}")
        elif isinstance(error, err.APIError):
            self._error = error
        if self._error is None:
            raise error
        late = self._asked.until is not None and time.monotonic() >= self._asked.until
        if not late and self._is_resumable(error):
            self._resume(error)
            return
        self._failed.append({"host": self.client.settings.host.name, "error": f"{type(error).__name__}: {error}"})
        hosts = self._first.settings.fallback_hosts
        if late or self._closed or self._index == len(hosts) or not isinstance(self._error, _PASSING):
            raise self._standing(self._error) from None
        self._hop(hosts)
        failed = self._failed[-1]
        _log.warning("%s failed, %s is next: %s", failed["host"], self.client.settings.host.name, failed["error"])

    def _is_resumable(self, error: err.KimiError) -> bool:
        """Return whether this host is to continue its own answer, after it broke off with this error."""
        if self.client.settings.resume is None or not self._text or self._closed:
            return False
        if len(self._resumed) == _MOST_RESUMED or isinstance(error, err.QuotaExceededError):
            return False
        partial = self.client.profile(self.request.model).host.partial
        return isinstance(error, _PASSING) and (partial.message is not None or partial.body is not None)

    def _resume(self, error: err.KimiError) -> None:
        self._resuming = True
        text = "".join(self._text)
        self._resumed.append({"at": len(text), "error": type(error).__name__})
        self.request = _continued(self._there, text, self._characters)
        _log.warning(
            "%s broke off after %d characters and is asked to go on", self.client.settings.host.name, len(text)
        )

    def _add_broken(self, partial: Response | None) -> None:
        """Add what the part of the answer has cost, and its log probabilities, if the host reported them."""
        if partial is not None:
            self._logprobs += [partial.logprobs] if partial.logprobs else []
            self._spent = summed_ends(self._spent, billed(Finished(None, None), bill_of(partial)))

    def _standing(self, error: err.APIError) -> err.APIError:
        if self._characters or self._closed:
            end, logprobs = self._spent or Finished(None, None), merging.logprobs(self._logprobs)
            self._builder.add(replace(end, fallbacks=tuple(self._failed[:-1]), logprobs=logprobs))
            error.partial = self._builder.response()
        return error

    def _hop(self, hosts: Sequence[Mapping[str, Any]]) -> None:
        self._resuming = False
        model = model_there(self._first.profile(self._asked.model), hosts[self._index])
        self.client = self._first._fallback(self._index)
        options = self._asked.options
        if self.client.settings.base_url != self._first.settings.base_url:  # headers may hold what is not its business
            options = options.changed(extra_headers=None)
        self.request = self._there = replace(self._asked, model=model, options=options)
        self._index += 1
        if self._text:
            self.request = _continued(self.request, "".join(self._text), self._characters)


def _continued(request: Request, text: str, characters: int) -> Request:
    """Return the request for the rest of an answer that has begun."""
    *before, last = request.messages
    begun = Message("assistant", text, partial=True)
    if last.partial:  # the user had begun it
        before, begun = [*before], replace(last, content=_said(last) + text)
    else:
        before = [*before, last]
    limit = request.options.max_tokens
    left = None if limit is None else max(limit - characters // CHARACTERS, 1)
    options = request.options.changed(max_tokens=left, empty_answer="keep")  # the rest of an answer may be empty
    return replace(request, messages=(*before, begun), options=options)


def _said(message: Message) -> str:
    content = message.content
    return content if isinstance(content, str) else "".join(p.text for p in content if isinstance(p, TextPart))


# ------------------------------------------------------------------------------------------------ the loops


async def complete(client: AsyncKimiClient, request: Request, served: Container[str]) -> Response:
    """Return a whole answer, of the first host that gives one."""
    run = FallbackRun(client, request)
    while True:
        try:
            return run.whole(await run.client._complete_here(run.request, served))
        except (err.APIError, *_UNFIT) as error:
            run.next(error)


async def stream(client: AsyncKimiClient, request: Request) -> AsyncGenerator[Event]:
    """Return an answer in events, begun by the first host that can, and ended by the first that does."""
    run = FallbackRun(client, request)
    events = _events(run, await _opened(run))
    await begin(events)
    return events


async def _opened(run: FallbackRun) -> AsyncGenerator[Event]:
    while True:
        try:
            with attempts.resumed(run.attempts):
                events = run.client._events(*await run.client._open(run.request))
            await begin(events)
            return events
        except (err.APIError, *_UNFIT) as error:
            run.next(error)


async def _events(run: FallbackRun, turn: AsyncGenerator[Event]) -> AsyncGenerator[Event]:
    try:
        yield BEGUN
        while True:
            try:
                async for event in turn:
                    yield run.feed(event)
                return
            except err.APIError as error:
                run.next(error)
            turn = await _opened(run)
    finally:
        await turn.aclose()
