"""llama-server (llama.cpp) with Kimi's weights and template, as observed on the build 0c1e570."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kimi_adapters.local_server.checks.history import arguments_of, strict_json
from kimi_adapters.local_server.exchange import HttpCall
from kimi_adapters.local_server.models import WEIGHTS, ModelSpec
from kimi_adapters.local_server.refusal import Refusal
from kimi_adapters.local_server.reply import Reply
from kimi_adapters.local_server.request import ChatRequest
from kimi_adapters.local_server.vllm import BOTH, VLLM

JsonObject = dict[str, Any]

_SLOTS = 4
_TYPES = {400: "invalid_request_error", 401: "authentication_error", 404: "not_found_error", 500: "server_error"}


class _AnyId(dict[str, ModelSpec]):
    """The models of a server that has one loaded and answers to any id."""

    def __contains__(self, id: object) -> bool:
        return isinstance(id, str)

    def __missing__(self, id: str) -> ModelSpec:
        known = next((spec for name, spec in self.items() if name.rpartition("/")[2].lower() == id.lower()), None)
        return replace(known or next(iter(self.values())), id=id, answers_as=id)


def _reads_no_pictures(request: ChatRequest) -> None:
    """Refuse pictures, as a server without a projector does: with a 500, though a retry changes nothing."""
    for message in request.messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            kind = part.get("type") if isinstance(part, dict) else None
            if kind == "image_url":
                why = "if this is unexpected, you may need to provide the mmproj"
                raise Refusal(500, "server_error", f"image input is not supported - hint: {why}")


def _arguments_are_json(request: ChatRequest) -> None:
    """Refuse earlier calls whose arguments are no strict JSON, with a 500 as well (ggml-org/llama.cpp#25510)."""
    for text in arguments_of(request):
        try:
            strict_json(text)
        except ValueError as error:
            why = f"[json.exception.parse_error.101] {error}"
            raise Refusal(500, "server_error", f"Failed to parse tool call arguments as JSON: {why}") from None


def _slots_suffice(request: ChatRequest) -> None:
    """Refuse more answers than there are slots."""
    if request.answers > _SLOTS:
        message = "n_cmpl cannot be greater than the number of slots, please increase -np"
        raise Refusal(400, "invalid_request_error", message)


def _ignoring(body: JsonObject) -> JsonObject:
    """Drop what the server ignores: the effort, a response schema (with Kimi's template), the name of a chosen tool."""
    known = {key: value for key, value in body.items() if key != "reasoning_effort"}
    if isinstance(format_ := known.get("response_format"), dict) and format_.get("type") == "json_schema":
        del known["response_format"]
    if isinstance(known.get("tool_choice"), dict):
        known["tool_choice"] = "auto"
    return known


def _unread(reply: Reply, request: ChatRequest) -> Reply:
    """Leave calls in the text as the model's tokens with `tool_choice: "none"` (seen on 0c1e570)."""
    return replace(reply, calls_as="tokens") if request.tool_choice == "none" else reply


def _error(refusal: Refusal, call: HttpCall) -> tuple[JsonObject, str]:
    kind = _TYPES.get(refusal.status, refusal.type)
    return {"error": {"code": refusal.status, "message": refusal.message, "type": kind}}, "application/json"


LLAMA_CPP = replace(
    VLLM,
    name="llama-cpp",
    host="llama-server",
    models=_AnyId(WEIGHTS),
    adopt=_ignoring,
    no_key=Refusal(401, "", "Invalid API Key"),
    wrong_key=Refusal(401, "", "Invalid API Key"),
    error=_error,
    body=lambda body, completion: body,
    checks=(*BOTH, _reads_no_pictures, _arguments_are_json, _slots_suffice),
    most_answers=_SLOTS,
    reasoning_as="reasoning_content",
    finish=_unread,
)
