"""One line of a batch: a request encoded like any other, and what came of it decoded like any answer. No I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import from_json, to_json, to_jsonable_python

from kimi_core import errors as err
from kimi_core.call_options import Options
from kimi_core.characters import without_halves
from kimi_core.codecs import WireRequest
from kimi_core.codecs.error_mapping import error_in_body
from kimi_core.codecs.messages import json_bytes
from kimi_core.endpoints import batches as endpoint
from kimi_core.endpoints.batches import BatchLine, BatchObject
from kimi_core.quoting import in_short, listed
from kimi_core.request.plan import Plan
from kimi_core.transport.redaction import Redactor
from kimi_core.types import Request, Response

if TYPE_CHECKING:
    from kimi_core.client.base_client import BaseClient

_ID: Final = "input-"
_AS_JSON: Final[dict[str, Any]] = {"bytes_mode": "base64", "inf_nan_mode": "strings", "serialize_unknown": True}


@dataclass(slots=True)
class Line:
    """One request of a batch.

    Attributes:
        place: Its place among the requests of the call.
        plan: What is sent, at the prices of batches.
        wire: The same as the host reads it; what it answers is read by both.
    """

    place: int
    plan: Plan
    wire: WireRequest


def id_of(place: int) -> str:
    """Return the `custom_id` of the request at a place."""
    return f"{_ID}{place}"


def line(client: BaseClient, request: Request, place: int) -> Line:
    """Encode a request.

    Raises:
        UnsupportedError: If it cannot be a line of a batch.
        ConfigError: If an option is wrong.
        MessageError: If a message cannot be expressed for this host.
    """
    _check(request)
    plan, wire = client.pipeline.prepare(request)
    endpoint.check_model(plan.profile)
    if plan.profile.host.codec != "chat" or wire.headers:
        raise err.UnsupportedError(f"{plan.profile.where} has a protocol of its own, of which there are no batches.")
    return Line(place, replace(plan, profile=endpoint.at_batch_price(plan.profile)), wire)


def _check(request: Request) -> None:
    """Raise for what only a call of its own can do."""
    own = [tool.name for tool in request.tools if tool.type != "function"]
    if own:
        raise err.UnsupportedError(
            f"The host's own tools ({listed(own)}) are run within a call, and a batch makes none. Leave them out, or "
            "make calls."
        )
    if (request.options.n or 1) > 1:
        raise err.UnsupportedError(
            f"n={request.options.n} answers cannot be asked for in a batch. Give the input as often as you want them."
        )
    if request.options.extra_headers:
        raise err.UnsupportedError(
            "extra_headers are of one call, and the lines of a batch have none. Give default_headers, which go with "
            "every request."
        )


def written(line: Line) -> bytes:
    """Return a line of the file of a batch.

    Raises:
        MessageError: If it is longer than the file may be.
    """
    rules = line.plan.profile.host.batches
    whole = {"custom_id": id_of(line.place), "method": "POST", "url": rules.url, "body": line.wire.body}
    data = json_bytes(whole) + b"\n"
    if len(data) > rules.size:
        raise err.MessageError(
            f"Input {line.place} has {len(data):,} bytes; the file of a batch may have {rules.size:,} on "
            f"{line.plan.profile.host.name}. Upload its media as files: upload_media=True."
        )
    return data


def fingerprint(requests: Iterable[Request | Exception]) -> str:
    """Return what tells requests from others, whoever encodes them; nothing can be read out of it."""
    Options.model_rebuild()  # to_json of pydantic 2.12.0 takes no class whose building was put off
    found = hashlib.sha256()
    for request in requests:
        shown = in_short(request) if isinstance(request, Exception) else request
        try:
            value = from_json(to_json(shown, **_AS_JSON))
        except ValueError:  # half a character
            value = without_halves(to_jsonable_python(shown, **_AS_JSON))
        found.update(to_json(_given(value)) + b"\n")
    return found.hexdigest()


def _given(value: Any) -> Any:
    """Return a JSON value without what is empty: a field that a later version brings changes nothing."""
    if isinstance(value, dict):
        kept = ((name, _given(one)) for name, one in value.items())
        return {name: one for name, one in kept if one not in (None, "", [], {})}
    return [_given(one) for one in value] if isinstance(value, list) else value


class Reader:
    """Reads what came of lines."""

    def __init__(self, client: BaseClient) -> None:
        """Read as a client does."""
        self._pipeline = client.pipeline
        self._redactor = Redactor(client.settings)

    def outcome(self, line: Line, came: BatchLine | None, batch: BatchObject, *, known: bool) -> Response | Exception:
        """Return the response to a line, or the error in its place.

        Args:
            line: What was asked.
            came: What is in the files of results; None for nothing.
            batch: The batch.
            known: Whether it was counted before.
        """
        try:
            return self._response(line, came, batch, known=known)
        except (err.APIError, err.OutputError) as error:
            error.__traceback__ = None
            error.add_note(f"This is what came of input {line.place}, in batch {in_short(batch.id)}.")
            return error

    def _response(self, line: Line, came: BatchLine | None, batch: BatchObject, *, known: bool) -> Response:
        profile = line.plan.profile
        if came is None:
            raise self._redactor.scrub(endpoint.unanswered(batch, profile, endpoint.reasons(batch)))
        if came.status_code is None or not 200 <= came.status_code < 300:
            raise self._redactor.scrub(endpoint.error_of(came, batch, profile))
        body, headers = came.body, endpoint.headers_of(came, profile)
        if isinstance(body, dict) and body.get("error") and not body.get("choices"):
            raise self._redactor.scrub(error_in_body(body, headers, profile))
        response = self._pipeline.decode(line.plan, line.wire, body, headers, known=known)
        return self._pipeline.final(line.plan, response)
