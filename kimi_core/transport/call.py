"""One request as it is passed to the HTTP library: its headers, its body and how long it may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import SecretStr

from kimi_core import headers
from kimi_core.hosts.profile import Profile
from kimi_core.settings import Settings
from kimi_core.transport.clients import AGENT

_ALWAYS = {"Accept": "application/json", **AGENT}
_JSON = {"Content-Type": "application/json"}
STEPS = ("connect", "read", "write", "pool")
"""What the HTTP library waits for, each with a timeout of its own."""
LONGEST_CONNECT = 10.0
"""Seconds for a connection to be there, where nobody says how long a call may take."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to upload in a form.

    Attributes:
        fields: The other fields of the form.
        filename: The file's name.
        data: The file's bytes: an attempt that is repeated sends them again.
        mime: The file's MIME type.
    """

    fields: Mapping[str, str]
    filename: str
    data: bytes = field(repr=False)
    mime: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request.

    Attributes:
        content: The JSON that is sent; None where there is none.
        headers: Its own, beside those of the host, of the settings and of the content.
    """

    method: Literal["get", "post", "delete"]
    path: str
    content: bytes | None = None
    upload: Upload | None = None
    headers: Mapping[str, SecretStr] = field(default_factory=dict)
    stream: bool = False


def arguments(call: Call, settings: Settings, profile: Profile) -> dict[str, Any]:
    """Return what the HTTP library's `build_request` takes beside the method and the address."""
    address, own = profile.host.address, {}
    if settings.api_key is not None and (key := settings.api_key.get_secret_value()):
        own = {address.key_header: key} if address.key_header else {"Authorization": f"Bearer {key}"}
    content = {} if call.content is None else _JSON
    given = {**_ALWAYS, **own, **content}
    if address.headers or settings.default_headers or call.headers:
        groups = (address.headers, settings.default_headers, content, call.headers)
        given = headers.revealed(headers.merged(_ALWAYS, own, *groups))
    patience = _patience(settings, profile, stream=call.stream)
    found: dict[str, Any] = {"headers": given, "extensions": {"timeout": patience}}
    if call.content is not None:
        found["content"] = call.content
    if upload := call.upload:
        given.pop("Content-Type", None)  # the library's, which has the boundary between the parts
        found |= {"data": upload.fields, "files": {"file": (upload.filename, upload.data, upload.mime)}}
    return found


def _patience(settings: Settings, profile: Profile, *, stream: bool) -> dict[str, float | None]:
    """Return how long to wait for each step of a request, in seconds.

    The HTTP library counts from one read of the socket to the next. So `chunk_timeout` holds for each piece of a
    stream, the first one included, and costs nothing per chunk.
    """
    given, known = settings.timeout, profile.host.timeouts
    whole = known.answer if given is None else given
    silence = settings.chunk_timeout if stream else None
    if stream and silence is None and known.chunk is not None and isinstance(whole, int | float):
        silence = min(whole, known.chunk)
    if isinstance(whole, Mapping):  # as a dumped model has it
        found = {step: whole.get(step, whole.get("timeout", known.answer)) for step in STEPS}
    else:  # seconds, or an `openai.Timeout`
        found = {step: getattr(whole, step, whole) for step in STEPS}
    if given is None:
        found["connect"] = min(whole, LONGEST_CONNECT)
    if silence is not None:
        found["read"] = silence
    return found
