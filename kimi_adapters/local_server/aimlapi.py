"""AI/ML API: ``api.aimlapi.com/v1``, a reseller with a schema, error bodies and cost fields of its own."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

from kimi_adapters.local_server.completion import Completion
from kimi_adapters.local_server.dialect import Dialect
from kimi_adapters.local_server.exchange import HttpCall
from kimi_adapters.local_server.models import AIMLAPI_MODELS, ModelSpec
from kimi_adapters.local_server.refusal import Refusal

JsonObject = dict[str, Any]

#: AI/ML API's page: the answer of 10,201 credits costs 0.0051005 USD.
_CREDITS_PER_USD = 2_000_000
#: What the schema of AI/ML API's page lists. Everything else at the top level is silently dropped.
_KNOWN = {
    "model", "messages", "max_tokens", "stream", "stream_options", "tools", "tool_choice",
    "parallel_tool_calls", "stop", "prediction", "seed", "response_format",
}  # fmt: skip
_CLOSED_MESSAGES = {
    "system": {"role", "content", "name"},
    "tool": {"role", "content", "tool_call_id", "name"},
}
_FUNCTION_KEYS = {"name", "description", "parameters"}
_CLIENT_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def own(status: int, type: str, message: str) -> Refusal:
    """Return a refusal by the gateway itself, not by the operator of the model."""
    return Refusal(status, type, message, own=True)


def _bad_body(hint: str) -> Refusal:
    return own(400, "BadRequestException", f"Body validation error! {hint}")


def _adopt(body: JsonObject) -> JsonObject:
    """Check a body against the gateway's schema, and return it without unknown top-level fields."""
    for check in _CHECKS:
        for hint in check(body):
            raise _bad_body(hint)
    known = _KNOWN | ({"reasoning_effort"} if "kimi-k3" in str(body.get("model")) else set())
    return {key: value for key, value in body.items() if key in known}


def _least_one(key: str) -> Callable[[JsonObject], Iterator[str]]:
    def check(body: JsonObject) -> Iterator[str]:
        value = body.get(key)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            yield f"Path: {key}. Expected: integer >= 1. Received: {value!r}"

    return check


def _few_stops(body: JsonObject) -> Iterator[str]:
    stop = body.get("stop")
    if isinstance(stop, list) and len(stop) > 4:
        yield f"Path: stop. Expected: at most 4 strings. Received: {len(stop)}"


def _messages_given(body: JsonObject) -> Iterator[str]:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        yield f"Path: messages. Expected: array. Received: {type(messages).__name__}"


def _closed_messages(body: JsonObject) -> Iterator[str]:
    """Yield a hint for each unknown key of a system or tool message; others may have more (reasoning, for example)."""
    for at, message in enumerate(body["messages"]):
        allowed = _CLOSED_MESSAGES.get(str(message.get("role"))) if isinstance(message, dict) else None
        for key in sorted(set(message) - allowed) if allowed else ():
            yield f"Path: messages[{at}]. Unrecognized key: {key!r}"


def _closed_functions(body: JsonObject) -> Iterator[str]:
    tools = body.get("tools")
    for at, tool in enumerate(tools if isinstance(tools, list) else ()):
        function = tool.get("function") if isinstance(tool, dict) else None
        for key in sorted(set(function) - _FUNCTION_KEYS) if isinstance(function, dict) else ():
            yield f"Path: tools[{at}].function. Unrecognized key: {key!r}"


def _tool_choice_known(body: JsonObject) -> Iterator[str]:
    choice = body.get("tool_choice")
    if choice is not None and not isinstance(choice, dict) and choice not in ("none", "auto", "required"):
        yield f"Path: tool_choice. Expected: none | auto | required. Received: {choice!r}"


_CHECKS: tuple[Callable[[JsonObject], Iterator[str]], ...] = (
    _messages_given,
    _least_one("max_tokens"),
    _least_one("seed"),
    _few_stops,
    _tool_choice_known,
    _closed_messages,
    _closed_functions,
)


def _error(refusal: Refusal, call: HttpCall) -> tuple[JsonObject, str]:
    """Return an error body, one of the three that AI/ML API has been seen to send, and its media type."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    if refusal.status == 429:
        # The legacy body: no "error", and the status is a string.
        legacy = {"message": refusal.message, "path": call.path, "requestId": call.id, "statusCode": "429"}
        return {**legacy, "timestamp": moment}, "application/json"
    if refusal.own or refusal.status in (401, 403):
        problem = {"title": refusal.type, "status": refusal.status, "message": refusal.message}
        about = {"instance": call.path, "requestId": call.id, "timestamp": moment}
        error = {"name": refusal.type, "message": refusal.message}
        return {**problem, **about, "error": error}, "application/problem+json"
    upstream = {"message": refusal.message, "type": refusal.type, "param": None, "code": None}
    return {"error": upstream}, "application/json"


def _model_entry(spec: ModelSpec) -> JsonObject:
    info = {"name": spec.display_name, "developer": "Moonshot", "contextLength": spec.context}
    return {
        "id": spec.id,
        "type": "chat-completion",
        "info": {**info, "maxTokens": spec.output},
        "features": ["openai/chat-completion", "openai/chat-completion.function"],
        "endpoints": ["/v1/chat/completions"],
    }


def _spent(completion: Completion) -> JsonObject:
    return {"credits_used": round(completion.usd * _CREDITS_PER_USD), "usd_spent": round(completion.usd, 9)}


def _body(body: JsonObject, completion: Completion) -> JsonObject:
    """Return the body with three counts in its usage and ``meta`` at the end, as on AI/ML API's page."""
    plain = {key: body["usage"][key] for key in _COUNTS if key in body["usage"]}
    return {**body, "usage": plain, "meta": {"usage": _spent(completion)}}


_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")


def _chunks(chunks: list[JsonObject], completion: Completion) -> list[JsonObject]:
    """Put the cost "in the final chunk under meta.usage" (AI/ML API docs, request tracing and cost)."""
    return [*chunks[:-1], {**chunks[-1], "meta": {"usage": _spent(completion)}}]


def _headers(call: HttpCall) -> dict[str, str]:
    """Return ids only: no rate limits, no Retry-After. A malformed client id is silently left out."""
    named = {"x-inference-id": call.id, "x-request-id": call.id}
    client = call.headers.get("x-client-request-id", "")
    return {**named, "x-client-request-id": client} if _CLIENT_ID.fullmatch(client) else named


def _cost_headers(completion: Completion) -> dict[str, str]:
    spent = _spent(completion)
    return {
        "x-aimlapi-credits-used": str(spent["credits_used"]),
        "x-aimlapi-usd-spent": f"{spent['usd_spent']:.9f}",
    }


AIMLAPI = Dialect(
    name="aimlapi",
    host="api.aimlapi.com",
    models=AIMLAPI_MODELS,
    adopt=_adopt,
    unknown_model=lambda id: own(404, "NotFoundException", f"Model {id!r} not found"),
    no_key=own(401, "UnauthorizedException", "No API key provided"),
    wrong_key=own(401, "UnauthorizedException", "Invalid API key provided"),
    error=_error,
    model_entry=_model_entry,
    open_paths=("/v1/models",),
    body=_body,
    chunks=_chunks,
    headers=_headers,
    cost_headers=_cost_headers,
    retry_after=False,
    empty_length="max_tokens or model output limit was reached",
)
