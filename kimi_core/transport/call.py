"""One request as it is passed to the SDK: its method's arguments, headers and timeout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import SecretStr

from kimi_core import headers
from kimi_core.hosts.profile import Profile
from kimi_core.settings import Settings
from kimi_core.transport import clients

_JSON = {"Content-Type": "application/json"}


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
    """One request as it is passed to the SDK.

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


def arguments(call: Call, settings: Settings, profile: Profile, *, sync: bool) -> dict[str, Any]:
    """Return the arguments of the SDK's method."""
    address, key = profile.host.address, settings.api_key
    own: dict[str, Any] = {address.key_header: key} if address.key_header and key is not None else {}
    given = {} if call.content is None else dict(_JSON)
    if own or address.headers or settings.default_headers or call.headers:
        given = headers.revealed(headers.merged(own, address.headers, settings.default_headers, given, call.headers))
    if address.key_header or key is None:
        given.setdefault("Authorization", clients.omitted())
    patience = _patience(settings, profile, stream=call.stream)
    # Another origin would be sent the conversation, and all headers but `Authorization`: see `Transport`.
    options = {"headers": given, "timeout": patience, "follow_redirects": False}
    found: dict[str, Any] = {"options": options, "cast_to": clients.library().Response}  # of raw responses
    if call.content is not None:
        found["content"] = call.content
    if upload := call.upload:
        found |= {"body": upload.fields, "files": {"file": (upload.filename, upload.data, upload.mime)}}
        given["Content-Type"] = "multipart/form-data"  # the SDK puts the boundary in
    if call.stream:
        found |= {"cast_to": object, "stream": True, "stream_cls": clients.stream_class(sync=sync)}
    return found


def _patience(settings: Settings, profile: Profile, *, stream: bool) -> Any:
    """Return how long to wait: seconds, or the SDK's timeout.

    The HTTP library counts from one read of the socket to the next. So `chunk_timeout` holds for each piece of a
    stream, the first one included, and costs nothing per chunk.
    """
    given, known = settings.timeout, profile.host.timeouts
    if isinstance(given, Mapping):  # as a dumped model has it
        given = clients.timeout_of({"timeout": known.answer, **given})
    whole = known.answer if given is None else given
    silence = settings.chunk_timeout if stream else None
    if stream and silence is None and known.chunk is not None and isinstance(whole, int | float):
        silence = min(whole, known.chunk)
    if given is None:
        return clients.timeout(whole, silence)
    return given if silence is None else clients.with_silence(given, silence)
