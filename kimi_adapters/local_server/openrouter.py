"""OpenRouter: ``openrouter.ai/api/v1``, here with Moonshot as the only upstream.

It takes options of its own, hands the call on with Moonshot's, and wraps Moonshot's errors.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from kimi_adapters.local_server.completion import Completion
from kimi_adapters.local_server.dialect import Dialect
from kimi_adapters.local_server.exchange import Frame, HttpCall
from kimi_adapters.local_server.models import OPENROUTER_MODELS, ModelSpec
from kimi_adapters.local_server.refusal import Refusal

JsonObject = dict[str, Any]

_UPSTREAM = "Moonshot AI"
_EFFORTS = ("xhigh", "high", "medium", "low", "minimal", "none")
#: What Moonshot gets of the body; the rest is OpenRouter's own, or unknown there.
_HANDED_ON = (
    "model", "stream", "stream_options", "tools", "tool_choice", "response_format", "stop", "temperature", "top_p",
    "max_tokens", "max_completion_tokens", "presence_penalty", "frequency_penalty", "n",
)  # fmt: skip
_PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJg"
    "gg=="
)
_COMMENT = ": OPENROUTER PROCESSING\n\n"


def own(status: int, message: str) -> Refusal:
    """Return a refusal by the gateway itself, not by the operator of the model."""
    return Refusal(status, "", message, own=True)


def _adopt(body: JsonObject) -> JsonObject:
    """Return the body as Moonshot gets it."""
    handed = {key: body[key] for key in _HANDED_ON if key in body}
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise own(400, 'Input required: specify "prompt" or "messages"')
    return {**handed, **_thinking(body), "messages": [_message(one) for one in messages]}


def _thinking(body: JsonObject) -> JsonObject:
    """Translate its ``reasoning`` object, or the alias ``reasoning_effort``, into Moonshot's ``thinking``."""
    asked = body.get("reasoning")
    asked = asked if isinstance(asked, dict) else {}
    effort = asked.get("effort", body.get("reasoning_effort"))
    if effort is not None and effort not in _EFFORTS:
        raise own(400, f"Invalid reasoning effort: {effort}")
    off = effort == "none" or asked.get("enabled") is False
    if off and OPENROUTER_MODELS[str(body["model"])].thinking == "always":
        raise own(400, "Reasoning is mandatory for this endpoint and cannot be disabled.")
    return {"thinking": {"type": "disabled"}} if off else {}


def _message(message: Any) -> Any:
    """Return a message with its reasoning under Moonshot's key, and its pictures fetched."""
    if not isinstance(message, dict):
        return message
    kept = {key: value for key, value in message.items() if key not in ("reasoning", "reasoning_details")}
    thoughts = [
        _said(message.get("reasoning_details")) or None,
        message.get("reasoning"),
        kept.get("reasoning_content"),
    ]
    if any(thought is not None for thought in thoughts):  # an empty one is handed on like any other
        kept["reasoning_content"] = next(filter(None, thoughts), "")
    if isinstance(message.get("content"), list):
        kept["content"] = [_part(part) for part in message["content"]]
    return kept


def _said(details: Any) -> str:
    """Return the text of reasoning details, which must come back as they were sent."""
    if details is None:
        return ""
    if not isinstance(details, list) or not all(isinstance(one, dict) and _is_detail(one) for one in details):
        raise own(400, "Invalid input: messages.reasoning_details")
    return "".join(one.get("text") or one.get("summary") or "" for one in details)


def _is_detail(item: JsonObject) -> bool:
    field = {"reasoning.text": "text", "reasoning.summary": "summary", "reasoning.encrypted": "data"}
    wanted = field.get(str(item.get("type")))
    return wanted is not None and isinstance(item.get(wanted), str) and bool(item[wanted])


def _part(part: Any) -> Any:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "video_url":
        raise own(404, "No endpoints found that support video input")
    if kind != "image_url":
        return part
    given = part.get("image_url")
    url = str(given.get("url", "") if isinstance(given, dict) else given)
    # It fetches pictures; here it gets one pixel, whatever is there.
    return {"type": kind, "image_url": {"url": _PIXEL if url.startswith("http") else url}}


def _error(refusal: Refusal, call: HttpCall) -> tuple[JsonObject, str]:
    error: JsonObject = {"message": refusal.message, "code": refusal.status}
    if not refusal.own and refusal.type:
        raw = json.dumps({"error": {"message": refusal.message, "type": refusal.type}})
        error |= {"message": "Provider returned error", "metadata": {"raw": raw, "provider_name": _UPSTREAM}}
    return {"error": error, "user_id": "user_local"}, "application/json"


def _model_entry(spec: ModelSpec) -> JsonObject:
    prompt, completion = (f"{price / 1_000_000:.8f}" for price in spec.price[1:])
    return {
        "id": spec.id,
        "canonical_slug": spec.answers_as,
        "name": f"MoonshotAI: {spec.display_name}",
        "created": spec.created,
        "context_length": spec.context,
        "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]},
        "pricing": {"prompt": prompt, "completion": completion},
    }


def _body(body: JsonObject, completion: Completion) -> JsonObject:
    message = {"refusal": None, **body["choices"][0]["message"]}
    choice = {**body["choices"][0], "message": message, "native_finish_reason": body["choices"][0]["finish_reason"]}
    return {**body, **_named(completion), "choices": [choice], "usage": _usage(body["usage"], completion)}


def _chunks(chunks: list[JsonObject], completion: Completion) -> Sequence[Frame]:
    """Put comments where the upstream is silent, and the cost into the last chunk."""
    named: list[Frame] = [{**chunk, **_named(completion)} for chunk in chunks]
    if "usage" in chunks[-1]:
        named[-1] = {**chunks[-1], **_named(completion), "usage": _usage(chunks[-1]["usage"], completion)}
    return [_COMMENT, *named[:1], _COMMENT, *named[1:]]


def _named(completion: Completion) -> JsonObject:
    return {"id": completion.id.replace("chatcmpl", "gen"), "provider": _UPSTREAM}


def _usage(usage: JsonObject, completion: Completion) -> JsonObject:
    plain = {key: value for key, value in usage.items() if key != "cached_tokens"}
    return {**plain, "cost": completion.usd, "is_byok": False, "cost_details": {"upstream_inference_cost": None}}


def _stream_error(error: Mapping[str, Any]) -> JsonObject:
    """Return an error as a chunk with a finish reason of its own; the status stays 200 once a stream has begun."""
    upstream = {"code": error.get("code", 502), "message": error.get("message", "Upstream error")}
    choice = {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": "error"}
    return {
        "id": "gen-local",
        "object": "chat.completion.chunk",
        "provider": _UPSTREAM,
        "error": upstream,
        "choices": [choice],
    }


OPENROUTER = Dialect(
    name="openrouter",
    host="openrouter.ai",
    models=OPENROUTER_MODELS,
    adopt=_adopt,
    unknown_model=lambda id: own(400, f"{id} is not a valid model ID"),
    no_key=own(401, "No auth credentials found"),
    wrong_key=own(401, "User not found."),
    error=_error,
    model_entry=_model_entry,
    open_paths=("/v1/models",),
    body=_body,
    chunks=_chunks,
    headers=lambda call: {"x-generation-id": f"gen-{call.id}"},
    cost_headers=lambda completion: {},
    retry_after=True,
    reasoning_as="details",
    usage_in_choice=False,
    stream_error=_stream_error,
)
