"""The lines of a batch's files: those of its requests, checked, and those of what came of them."""

from __future__ import annotations

import uuid
from typing import Any

from kimi_adapters.local_server.exchange import dump, parsed

JsonObject = dict[str, Any]

#: Moonshot's guide, use-batch-api: "Each line must be a valid JSON object containing custom_id, method, url, and body".
_FIELDS = ("custom_id", "method", "url", "body")
URL = "/v1/chat/completions"
_MOST_PROBLEMS = 100


def read(data: bytes, models: tuple[str, ...]) -> tuple[list[JsonObject], list[JsonObject]]:
    """Return the requests of a file, and what is wrong with it: if anything is, none of them is answered.

    Args:
        data: The file.
        models: The models that take part in batches.
    """
    lines = [line for line in data.split(b"\n") if line.strip()]
    requests = [parsed(line) for line in lines]
    problems: list[JsonObject] = []
    seen: set[Any] = set()
    model: Any = None
    for number, request in enumerate(requests, 1):
        code, message, param = _problem(request, seen, model, models)
        if code:
            problems.append({"code": code, "message": message, "param": param, "line": number})
        elif model is None:
            model = request["body"]["model"]
        if isinstance(request, dict):
            seen.add(str(request.get("custom_id")))
    if not lines:
        problems.append({"code": "empty_file", "message": "The input file has no lines", "param": None, "line": None})
    return requests, problems[:_MOST_PROBLEMS]


def _problem(request: Any, seen: set[Any], model: Any, models: tuple[str, ...]) -> tuple[str, str, str | None]:
    """Return code, message and field of what is wrong with a line; empty when nothing is."""
    if not isinstance(request, dict):
        return "invalid_json_line", "This line is not a valid JSON object", None
    if absent := [name for name in _FIELDS if name not in request]:
        return "missing_required_parameter", f"Missing required parameter: '{absent[0]}'", absent[0]
    id, body = request["custom_id"], request["body"]
    if not isinstance(id, str) or not id:
        return "invalid_custom_id", "custom_id must be a non-empty string", "custom_id"
    if id in seen:
        return "duplicate_custom_id", f"The custom_id '{id[:64]}' for this request is a duplicate", "custom_id"
    if request["method"] != "POST":
        return "invalid_method", "method must be POST", "method"
    if request["url"] != URL:
        return "invalid_url", f"url must be {URL}", "url"
    named = body.get("model") if isinstance(body, dict) else None
    if named not in models:
        return "model_not_supported", f"The model '{str(named)[:64]}' is not supported in batches", "body.model"
    if model is not None and named != model:
        return "mismatched_model", "All requests in a batch must use the same model", "body.model"
    return "", "", None


def result(id: str, status: int | None, body: Any) -> JsonObject:
    """Return a line of a result file: a response, or (without a status) an error of the batch's own."""
    response = None if status is None else {"status_code": status, "request_id": uuid.uuid4().hex, "body": body}
    error = body if status is None else None
    return {"id": f"batch_req_{uuid.uuid4().hex[:24]}", "custom_id": id, "response": response, "error": error}


def written(lines: list[JsonObject]) -> bytes:
    """Return the lines as a file; the last comes first, since a host promises no order."""
    return b"".join(dump(line) + b"\n" for line in reversed(lines))
