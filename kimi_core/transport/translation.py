"""Turns refusals of a host, and errors of the HTTP library, into our errors, with no reference to the original."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NoReturn, Self, TypeAlias

from pydantic_core import from_json

from kimi_core import errors as err
from kimi_core.cache import UPLOADED
from kimi_core.codecs.error_mapping import error_from_status, redirected
from kimi_core.hosts.profile import Profile
from kimi_core.quoting import in_short
from kimi_core.settings import Settings
from kimi_core.transport.deadlines import DeadlineError, SilenceError
from kimi_core.transport.redaction import Redactor
from kimi_core.transport.redirects import leads_to
from kimi_core.transport.reply import Reply

_GONE = (400, 404)
"""How hosts answer to an uploaded file that is there no more; the next call uploads it again."""

Phase: TypeAlias = Literal["send", "begin", "stream"]
"""A whole answer, the beginning of a stream, or its course."""

_LATE: dict[Phase, str] = {
    "send": "did not answer in time; raise timeout=…, or stream",
    "begin": "did not begin its answer in time; raise chunk_timeout=… (and timeout=…)",
    "stream": "fell silent in the middle of a stream: what arrived is in `.partial`. Call again, or raise "
    "chunk_timeout=… (and timeout=…)",
}


_PAST: dict[Phase, str] = {
    "send": "had not answered at its deadline; raise attempt_deadline=…, or stream",
    "begin": "had not begun its answer at its deadline; raise attempt_deadline=…",
    "stream": "had not finished its answer at its deadline: what arrived is in `.partial`. Raise deadline=… or "
    "attempt_deadline=…",
}


class Translation:
    """A context in which errors of the HTTP library become ours, and ours lose keys and headers that were echoed."""

    def __init__(self, settings: Settings, headers: Mapping[str, Any], profile: Profile, phase: Phase) -> None:
        self._settings = settings
        self._headers = headers
        self._profile = profile
        self._phase = phase

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, err.APIError):
            Redactor(self._settings, self._headers).scrub(error)
        elif isinstance(error, Exception) and not isinstance(error, err.KimiError):
            has_own = self._settings.http_client is not None or self._settings.http_async_client is not None
            translated = _translate(error, self._profile, self._phase, has_own=has_own)
            if translated is not None:
                _raise_alone(Redactor(self._settings, self._headers).error(translated, _request_of(error)))

    def refusal(self, reply: Reply) -> err.APIError:
        """Return the error for an answer with an error's status."""
        refused = _of_status(reply, self._profile)
        if refused.status_code in _GONE:
            UPLOADED.drop(lambda id: id in f"{refused} {refused.body}")
        return Redactor(self._settings, self._headers).error(refused, reply.response.request, reply)


def _raise_alone(error: err.APIError) -> NoReturn:
    """Raise an error without the library's as its context: that one's text and request may hold the key."""
    try:
        raise error
    finally:
        error.__context__ = None


def _translate(error: Exception, profile: Profile, phase: Phase, *, has_own: bool) -> err.APIError | None:
    """Return our error in place of another; None for one of the user's own code.

    The library lets a ValueError through where a name is none that can be looked up, or an address that a redirect
    leads to has no name. With a client of the user's own it may as well be of the code in that.
    """
    original = _of_aiohttp(error)
    if original is not None and not isinstance(original, TimeoutError):
        return _unreached(original, profile, phase)
    if isinstance(error, SilenceError) or _is_http(error, "TimeoutException"):
        late = broken(err.APITimeoutError, _LATE[phase], profile)
        late.is_retryable = profile.host.timeouts.retry
        return late
    if isinstance(error, DeadlineError):
        past = broken(err.APITimeoutError, _PAST[phase], profile)
        past.is_retryable = profile.host.timeouts.retry
        return past
    if phase == "stream" and isinstance(error, ValueError):
        return broken(err.StreamError, f"sent a frame that is not JSON: {in_short(error)}", profile)
    if _is_http(error, "RequestError") or (isinstance(error, ValueError) and not has_own):
        return _unreached(error, profile, phase)
    return None


def _unreached(error: BaseException, profile: Profile, phase: Phase) -> err.APIError:
    what = "broke off the stream" if phase == "stream" else "could not be reached"
    return broken(err.APIConnectionError, f"{what}: {in_short(str(error) or type(error).__name__, 500)}", profile)


def _of_aiohttp(error: BaseException | None) -> BaseException | None:
    """Return aiohttp's own error behind this one.

    What stands between it and the HTTP library lets some through, and takes a connection that was closed for a timeout.
    """
    while error is not None and not type(error).__module__.startswith("aiohttp."):
        error = error.__cause__
    return error


def _of_status(reply: Reply, profile: Profile) -> err.APIError:
    address = str(reply.response.request.url)
    target = leads_to(reply.response)
    if target is not None:
        return redirected(reply.status, address, target, profile)
    return error_from_status(reply.status, _body(reply), reply.headers, profile, address=address)


def _request_of(error: Exception) -> Any:
    """Return the request that failed, where the library's error has it."""
    try:
        return getattr(error, "request", None)
    except RuntimeError:  # its property raises where it was not set
        return None


def broken(kind: type[err.APIError], what: str, profile: Profile) -> err.APIError:
    """Return the error for an answer that did not come."""
    text = f"{profile.where} {what}."
    return err.make(kind, text, host=profile.host.name, model=profile.model_id)


def _is_http(error: Exception, name: str) -> bool:
    """Return whether this is an error of that name of the HTTP library, be it ours or that of the user's client."""
    return any(c.__name__ == name and c.__module__.startswith("httpx") for c in type(error).__mro__)


def _body(reply: Reply) -> Any:
    try:
        return from_json(reply.content)
    except ValueError:
        return reply.text
