"""Fireworks AI: ``api.fireworks.ai/inference/v1``, which refuses every field that it does not know."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from kimi_adapters.local_server.checks.output import stream_options_have_a_stream
from kimi_adapters.local_server.exchange import HttpCall
from kimi_adapters.local_server.models import FIREWORKS_MODELS, ModelSpec
from kimi_adapters.local_server.refusal import Refusal
from kimi_adapters.local_server.request import ChatRequest
from kimi_adapters.local_server.vllm import (
    VLLM,
    choice_has_tools,
    messages_are_given,
    prompt_fits,
    sampling_is_possible,
)

JsonObject = dict[str, Any]

_BODY = {
    "model", "messages", "tools", "tool_choice", "parallel_tool_calls", "max_tokens", "max_completion_tokens",
    "temperature", "top_p", "top_k", "min_p", "n", "stop", "stream", "stream_options", "response_format", "seed",
    "presence_penalty", "frequency_penalty", "repetition_penalty", "logprobs", "top_logprobs", "logit_bias", "user",
    "reasoning_effort", "reasoning_history", "thinking", "prompt_cache_key", "metadata", "service_tier",
}  # fmt: skip
_MESSAGE = {"role", "content", "name", "tool_calls", "tool_call_id", "reasoning_content"}
_EFFORTS = ("low", "medium", "high", "max", "none")


def _bad(message: str) -> Refusal:
    return Refusal(400, "invalid_request_error", message)


def _adopt(body: JsonObject) -> JsonObject:
    for field, value in _unknown(body):
        # Flowise#2866, midscene#1322
        raise _bad(f"Extra inputs are not permitted, field: '{field}', value: {str(value)[:200]}")
    if body.get("reasoning_effort") is not None and body.get("thinking") is not None:
        raise _bad("reasoning_effort and thinking cannot be given together")
    effort = body.get("reasoning_effort")
    if effort is not None and effort not in _EFFORTS and not isinstance(effort, int):
        raise _bad(f"Invalid reasoning_effort: {effort!r}")
    asked = body.get("response_format")
    if body.get("tools") and isinstance(asked, dict) and asked.get("type") in ("json_object", "json_schema"):
        raise _bad("You cannot specify response format and function call at the same time")
    return body


def _unknown(body: JsonObject) -> Iterator[tuple[str, Any]]:
    """Yield each field that its request schema does not have, in the body and in the messages, with its value."""
    yield from ((key, value) for key, value in body.items() if key not in _BODY)
    messages = body.get("messages")
    for at, message in enumerate(messages if isinstance(messages, list) else ()):
        if isinstance(message, dict):
            yield from ((f"messages[{at}].{key}", value) for key, value in message.items() if key not in _MESSAGE)


def _thinks(body: JsonObject, spec: ModelSpec) -> bool:
    option = body.get("thinking")
    disabled = isinstance(option, dict) and option.get("type") == "disabled"
    return spec.thinking == "always" or not (disabled or body.get("reasoning_effort") == "none")


def _error(refusal: Refusal, call: HttpCall) -> tuple[JsonObject, str]:
    error = {"object": "error", "type": refusal.type, "code": refusal.type, "message": refusal.message}
    return {"error": error}, "application/json"


def _no_videos(request: ChatRequest) -> None:
    for message in request.messages:
        content = message.get("content")
        if isinstance(content, list) and any(
            isinstance(part, dict) and part.get("type") == "video_url" for part in content
        ):
            raise _bad("This model does not support video input")


FIREWORKS = replace(
    VLLM,
    name="fireworks",
    host="api.fireworks.ai",
    models=FIREWORKS_MODELS,
    adopt=_adopt,
    unknown_model=lambda id: Refusal(404, "NOT_FOUND", f"Model not found, inaccessible, and/or not deployed: {id}"),
    no_key=Refusal(401, "UNAUTHORIZED", "The API key you provided is invalid."),
    wrong_key=Refusal(401, "UNAUTHORIZED", "The API key you provided is invalid."),
    error=_error,
    checks=(
        messages_are_given,
        _no_videos,
        choice_has_tools,
        sampling_is_possible,
        prompt_fits,
        stream_options_have_a_stream,
    ),
    thinks=_thinks,
    reasoning_as="reasoning_content",
    finish=lambda reply, request: reply,
)
