"""Batches of requests: what a host is asked, and what it tells of them. No I/O here.

A batch is a file of lines, each with a request and an id (`custom_id`). The host works through it within a window of
hours, and leaves its answers in two files: one of lines that were answered, one of lines that failed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import quote, urlencode

from pydantic_core import from_json

from kimi_core import errors as err
from kimi_core.codecs import WireRequest
from kimi_core.codecs.error_mapping import error_from_status
from kimi_core.codecs.json_values import count
from kimi_core.endpoints.paths import path_of
from kimi_core.hosts.patches import patched
from kimi_core.hosts.profile import Profile
from kimi_core.quoting import in_short, listed, quoted
from kimi_core.types import JsonObject

Status: TypeAlias = Literal[
    "validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"
]

_OVER: Final = frozenset({"failed", "completed", "expired", "cancelled"})
_TEXTS: Final = ("input_file_id", "output_file_id", "error_file_id", "completion_window")
_PAIRS, _KEY, _VALUE = 16, 64, 512


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchObject:
    """What a host knows about a batch.

    Attributes:
        id: Its id.
        status: Its state, as the host writes it: `validating`, `in_progress`, `finalizing`, then `completed`, `failed`
            (its file was wrong), `expired` (its window is over), `cancelling` or `cancelled`.
        input_file_id: The file of its requests.
        output_file_id: The file of its answers; empty while there is none.
        error_file_id: The file of the requests that failed; empty while there is none.
        completion_window: How long it may take (`24h`).
        created_at: Unix time in seconds; None when the host does not report it.
        expires_at: When its window is over, likewise.
        total: How many requests it has; 0 until they are validated.
        completed: How many of them were answered.
        failed: How many of them failed.
        metadata: What it was created with.
        errors: Why it failed, as far as the host says.
    """

    id: str
    status: str
    input_file_id: str = ""
    output_file_id: str = ""
    error_file_id: str = ""
    completion_window: str = ""
    created_at: int | None = None
    expires_at: int | None = None
    total: int = 0
    completed: int = 0
    failed: int = 0
    metadata: Mapping[str, str] = field(default_factory=dict)
    errors: tuple[str, ...] = ()

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status in _OVER


@dataclass(frozen=True, slots=True)
class BatchLine:
    """What came of one request of a batch.

    Attributes:
        custom_id: The id of its line.
        status_code: The HTTP status of its answer; None when the batch has an error in place of one.
        body: The answer, or the error.
        request_id: The host's id of the request, for its support.
    """

    custom_id: str
    status_code: int | None
    body: Any
    request_id: str = ""


# ------------------------------------------------------------------------------------------------ what is sent


def path(profile: Profile, id: str | None = None, *, cancel: bool = False) -> str:
    """Return the path of all batches, or of one.

    Raises:
        UnsupportedError: If the host has no batches.
        ConfigError: If the id is empty.
    """
    place = path_of("batches", profile, "has no batches")
    if id is None:
        return place
    if not isinstance(id, str) or not id:
        raise err.ConfigError(f"A batch's id is needed, not {quoted(id)}.")
    return f"{place}/{quote(id, safe='')}{'/cancel' if cancel else ''}"


def page(profile: Profile, limit: int, after: str | None) -> str:
    """Return the path of a page of the list of batches."""
    asked = {"limit": limit, **({"after": after} if after else {})}
    return f"{path(profile)}?{urlencode(asked)}"


def content_path(profile: Profile, file: str) -> str:
    """Return the path of what is in a file."""
    return f"{path_of('files', profile, 'keeps no files')}/{quote(file, safe='')}/content"


def creation(file: str, window: str, metadata: Mapping[str, str], profile: Profile) -> WireRequest:
    """Return the request that creates a batch."""
    body: JsonObject = {
        "input_file_id": file,
        "endpoint": profile.host.batches.url,
        "completion_window": window,
    }
    return WireRequest(path=path(profile), body={**body, "metadata": dict(metadata)} if metadata else body)


def check_window(window: str | None, profile: Profile) -> str:
    """Return the window to ask for: that of a call, or the host's own.

    Raises:
        ConfigError: If it is none, or the host takes no such window.
    """
    if window is None:
        return profile.host.batches.window
    found = re.fullmatch(r"([1-9]\d{0,3})([hd])", window) if isinstance(window, str) else None
    shortest, longest = profile.host.batches.hours
    if found is None or not shortest <= int(found[1]) * (1 if found[2] == "h" else 24) <= longest:
        allowed = f"{shortest}h" if shortest == longest else f"{shortest}h to {longest}h, or in days (`3d`)"
        raise err.ConfigError(f"completion_window must be {allowed} on {profile.host.name}, got {quoted(window)}.")
    return window


def check_metadata(given: Mapping[str, str] | None, own: int = 0) -> dict[str, str]:
    """Return metadata for a batch; `own` pairs of ours come to it.

    Raises:
        ConfigError: If they are too many or too long, or no texts.
    """
    pairs = dict(given or {})
    most = _PAIRS - own
    short = all(
        isinstance(k, str) and isinstance(v, str) and len(k) <= _KEY and len(v) <= _VALUE for k, v in pairs.items()
    )
    if len(pairs) > most or not short:
        raise err.ConfigError(
            f"metadata of a batch are at most {most} pairs of texts, names of {_KEY} and values of {_VALUE} characters."
        )
    return pairs


def check_model(profile: Profile) -> None:
    """See that a model takes part in batches here, and that there are any.

    Raises:
        UnsupportedError: If not.
    """
    path(profile)
    path_of("files", profile, "keeps no files, which the requests of a batch are")
    models = profile.host.batches.models
    if models is not None and profile.model.id not in models:
        raise err.UnsupportedError(
            f"{profile.where} is not served in batches: {listed(models)} are. Give one of these, or "
            "overrides={'batches.models': None} if it is served by now."
        )


def at_batch_price(profile: Profile) -> Profile:
    """Return the facts with the prices of batches."""
    share, prices = profile.host.batches.price, profile.host.usage.prices
    if share == 1.0 or not prices:
        return profile
    reduced = {family: price.at(share) for family, price in prices.items()}
    return replace(profile, host=patched(profile.host, {"usage.prices": reduced}))


# ------------------------------------------------------------------------------------------------ what comes back


def read(body: Any, profile: Profile) -> BatchObject:
    """Return the batch in a host's answer.

    Raises:
        DecodeError: If it is none.
    """
    if not isinstance(body, Mapping) or not isinstance(body.get("id"), str) or not isinstance(body.get("status"), str):
        raise _nonsense(body, profile)
    counts, metadata = body.get("request_counts"), body.get("metadata")
    counted = counts if isinstance(counts, Mapping) else {}
    texts: dict[str, Any] = {name: str(body.get(name) or "") for name in _TEXTS}
    numbers: dict[str, Any] = {name: count(counted.get(name)) or 0 for name in ("total", "completed", "failed")}
    return BatchObject(
        id=body["id"],
        status=body["status"],
        **texts,
        created_at=count(body.get("created_at")),
        expires_at=count(body.get("expires_at")),
        **numbers,
        metadata={str(k): str(v) for k, v in metadata.items()} if isinstance(metadata, Mapping) else {},
        errors=tuple(_reasons(body.get("errors"))),
    )


def read_page(body: Any, profile: Profile) -> tuple[list[BatchObject], bool]:
    """Return the batches of a page, and whether there are more.

    Raises:
        DecodeError: If it is no page of batches.
    """
    found = body.get("data") if isinstance(body, Mapping) else None
    if not isinstance(found, list):
        raise _nonsense(body, profile)
    return [read(one, profile) for one in found], bool(found) and body.get("has_more") is True


def _reasons(errors: Any) -> Iterator[str]:
    found = errors.get("data") if isinstance(errors, Mapping) else errors
    for one in found if isinstance(found, list) else ():
        if isinstance(one, Mapping):
            place = f"line {one['line']}: " if count(one.get("line")) else ""
            yield f"{place}{in_short(one.get('message') or one.get('code') or 'no reason')}"


def read_line(data: bytes, profile: Profile) -> BatchLine:
    """Return what a line of a file of results holds.

    Raises:
        DecodeError: If it is no result.
    """
    try:
        found = from_json(data)
        id, response = found["custom_id"], found.get("response")
        if response is None:
            return BatchLine(str(id), None, found.get("error"))
        return BatchLine(str(id), int(response["status_code"]), response["body"], str(response.get("request_id") or ""))
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        shown = in_short(data.decode("utf-8", "replace"))
        raise err.make(
            err.DecodeError,
            f"{profile.where} has a line in a batch's results that is none: {shown!r}.",
            host=profile.host.name,
        ) from None


def headers_of(line: BatchLine, profile: Profile) -> dict[str, str]:
    """Return the headers that an answer of its own would have had, as far as they are known: the id of the request."""
    return {name: line.request_id for name in profile.host.errors.id_headers[:1] if line.request_id}


def error_of(line: BatchLine, batch: BatchObject, profile: Profile) -> err.APIError:
    """Return the error that came of a request."""
    if line.status_code is not None:
        return error_from_status(line.status_code, line.body, headers_of(line, profile), profile)
    given = line.body if isinstance(line.body, Mapping) else {}
    why = given.get("message") or given.get("code") or "no reason is given"
    return unanswered(batch, profile, f"it says: {in_short(why, 500)}", code=str(given.get("code") or "") or None)


def unanswered(batch: BatchObject, profile: Profile, why: str, *, code: str | None = None) -> err.BatchError:
    """Return the error of a request that a batch has left without an answer."""
    return err.make(
        err.BatchError,
        f"{profile.where} did not answer this request of batch {in_short(batch.id)}, which {_ended(batch)}: "
        f"{why.rstrip('. ')}. The same call asks for it again, if it had a `state`; else ask for this input anew.",
        host=profile.host.name,
        model=profile.model_id,
        batch_id=batch.id,
        batch_status=batch.status,
        code=code,
    )


_SAID = {
    "expired": "expired (its completion_window was over)",
    "cancelled": "was cancelled",
    "failed": "failed as a whole",
    "completed": "is completed",
}


def _ended(batch: BatchObject) -> str:
    return _SAID.get(batch.status, f"is {in_short(batch.status)}")


def reasons(batch: BatchObject) -> str:
    """Return why a batch has left requests without an answer."""
    if batch.status == "failed":
        return (
            listed(batch.errors, "; ") or "the host does not say why; look at its lines, and at the file of its errors"
        )
    if batch.status == "completed":
        return "the line is in neither of its files"
    return "a longer completion_window gives it more time" if batch.status == "expired" else "its time was not enough"


def _nonsense(body: Any, profile: Profile) -> err.DecodeError:
    text = f"{profile.where} answered something that is no batch: {in_short(body)!r}. Check base_url and host."
    return err.make(err.DecodeError, text, host=profile.host.name, body=body)
