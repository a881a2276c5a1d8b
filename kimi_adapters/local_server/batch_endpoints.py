"""The endpoints of batches, and what brings a batch from one state to the next."""

from __future__ import annotations

import re
from typing import Any

from kimi_adapters.local_server import batch_lines, exchange
from kimi_adapters.local_server.batches import Batch, LineScript
from kimi_adapters.local_server.chat import let_in, refused
from kimi_adapters.local_server.exchange import Answer, HttpCall, parsed
from kimi_adapters.local_server.refusal import Refusal, invalid, no_such_path
from kimi_adapters.local_server.server import KimiServer

JsonObject = dict[str, Any]

_HOUR = 3600
#: Moonshot's API reference, batch-create: at least 12 hours, at most 7 days.
_SHORTEST, _LONGEST = 12 * _HOUR, 7 * 24 * _HOUR
#: The same: up to 16 pairs, keys up to 64 characters, values up to 512.
_PAIRS, _KEY, _VALUE = 16, 64, 512
_EXPIRED = {
    "code": "batch_expired",
    "message": "This request could not be executed before the completion window expired.",
}


def create(kimi: KimiServer, call: HttpCall) -> Answer:
    """Answer ``POST /v1/batches``."""
    _open(kimi, call)
    body = call.json()
    id = body.get("input_file_id")
    if not isinstance(id, str) or not id:
        raise invalid("Invalid request: input_file_id is required")
    if body.get("endpoint", batch_lines.URL) != batch_lines.URL:
        raise invalid(f"Invalid request: endpoint must be {batch_lines.URL}")
    window, metadata = str(body.get("completion_window")), body.get("metadata")
    seconds = _seconds(window)
    _check_metadata(metadata)
    if kimi.files.get(id).purpose != "batch":
        raise invalid(f"Invalid request: the purpose of file {id} must be batch")
    return exchange.whole(kimi.batches.add(id, window, seconds, metadata).as_json())


def _seconds(window: str) -> int:
    found = re.fullmatch(r"([1-9]\d{0,3})([hd])", window)
    if found is None:
        raise invalid("Invalid request: completion_window must be like 12h or 3d")
    seconds = int(found[1]) * (_HOUR if found[2] == "h" else 24 * _HOUR)
    if not _SHORTEST <= seconds <= _LONGEST:
        raise invalid("Invalid request: completion_window must be between 12h and 7d")
    return seconds


def _check_metadata(given: Any) -> None:
    if given is None:
        return
    if not isinstance(given, dict) or len(given) > _PAIRS:
        raise invalid(f"Invalid request: metadata must be an object of at most {_PAIRS} pairs")
    for key, value in given.items():
        if len(key) > _KEY or not isinstance(value, str) or len(value) > _VALUE:
            raise invalid(f"Invalid request: metadata keys have at most {_KEY} characters, values at most {_VALUE}")


def show(kimi: KimiServer, call: HttpCall) -> Answer:
    """Answer ``GET /v1/batches/{id}``; by itself a batch is one step further each time."""
    _open(kimi, call)
    batch = kimi.batches.get(call.path.removeprefix("/v1/batches/"))
    if kimi.batches.by_itself:
        step(kimi, batch)
    return exchange.whole(batch.as_json())


def listed(kimi: KimiServer, call: HttpCall) -> Answer:
    """Answer ``GET /v1/batches``: newest first, in pages."""
    _open(kimi, call)
    page, more = kimi.batches.page(call.query.get("after", ""), call.query.get("limit", ""))
    return exchange.whole({"object": "list", "data": [batch.as_json() for batch in page], "has_more": more})


def cancel(kimi: KimiServer, call: HttpCall) -> Answer:
    """Answer ``POST /v1/batches/{id}/cancel``."""
    _open(kimi, call)
    id = call.path.removeprefix("/v1/batches/").removesuffix("/cancel")
    return exchange.whole(kimi.batches.cancel(id).as_json())


def _open(kimi: KimiServer, call: HttpCall) -> None:
    if not kimi.dialect.batch_models:
        raise no_such_path(call.method, call.path)


# ------------------------------------------------------------------------------------------------------- steps


def step(kimi: KimiServer, batch: Batch) -> None:
    """Bring a batch one step further; one past its window expires."""
    store = kimi.batches
    if not batch.is_over and store.now() >= batch.expires_at:
        left = batch.requests[batch.done :]
        batch.outcomes += [batch_lines.result(one["custom_id"], None, _EXPIRED) for one in left]
        _end(kimi, batch, "expired")
    elif batch.status == "validating":
        _validate(kimi, batch)
    elif batch.status == "in_progress":
        _work(kimi, batch)
    elif batch.status == "finalizing":
        _end(kimi, batch, "completed")
    elif batch.status == "cancelling":
        _end(kimi, batch, "cancelled")


def _validate(kimi: KimiServer, batch: Batch) -> None:
    requests, batch.problems = batch_lines.read(kimi.files.get(batch.input_file_id).data, kimi.dialect.batch_models)
    if kimi.batches.refusal:
        batch.problems = [{"code": "invalid_request", "message": kimi.batches.refusal, "param": None, "line": None}]
        kimi.batches.refusal = ""
    if not batch.problems:
        batch.requests = requests
    kimi.batches.move(batch, "failed" if batch.problems else "in_progress")


def _work(kimi: KimiServer, batch: Batch) -> None:
    pace = kimi.batches.pace
    until = len(batch.requests) if pace is None else batch.done + pace
    for request in batch.requests[batch.done : until]:
        outcome = _outcome(kimi, request)
        batch.outcomes += [] if outcome is None else [outcome]
        batch.done += 1
    if batch.done == len(batch.requests):
        kimi.batches.move(batch, "finalizing")


def _outcome(kimi: KimiServer, request: JsonObject) -> JsonObject | None:
    """Return what comes of one request: what a test has prepared for it, else what chat answers."""
    id: str = request["custom_id"]
    script = kimi.batches.scripts.pop(id, None)
    if script is None:
        script = _answered(kimi, request["body"])
    return None if script.lost else batch_lines.result(id, script.status, script.body)


def _answered(kimi: KimiServer, body: JsonObject) -> LineScript:
    call = HttpCall("POST", batch_lines.URL, {}, exchange.dump({**body, "stream": False}))
    try:
        answer = let_in(kimi, call)
    except Refusal as refusal:
        answer = refused(kimi, refusal, call)
    return LineScript(answer.status, parsed(b"".join(answer.pieces)))


def _end(kimi: KimiServer, batch: Batch, status: Any) -> None:
    """Write the result files, and end a batch."""
    if batch.answered:
        data = batch_lines.written(batch.answered)
        batch.output_file_id = kimi.files.keep(f"{batch.id}_output.jsonl", "batch_output", data).id
    if batch.failed:
        data = batch_lines.written(batch.failed)
        batch.error_file_id = kimi.files.keep(f"{batch.id}_error.jsonl", "batch_output", data).id
    kimi.batches.move(batch, status)
