"""Moonshot's own platform: ``api.moonshot.ai/v1``."""

from __future__ import annotations

from typing import Any

from kimi_adapters.local_server.dialect import Dialect
from kimi_adapters.local_server.exchange import HttpCall
from kimi_adapters.local_server.models import MOONSHOT_MODELS, ModelSpec
from kimi_adapters.local_server.refusal import Refusal, not_found

JsonObject = dict[str, Any]

#: Moonshot's page of the search: 401 and 403 come "with no body".
_SILENT = ("/v1/tools/search",)


def _error(refusal: Refusal, call: HttpCall) -> tuple[JsonObject | None, str]:
    if call.path in _SILENT and refusal.status in (401, 403):
        return None, "application/json"
    return {"error": {"message": refusal.message, "type": refusal.type}}, "application/json"


def _unknown_model(id: str) -> Refusal:
    # Live answer, vercel/ai fixture "moonshotai-error-without-code-live".
    return not_found(f"Not found the model {id} or Permission denied")


def _model_entry(spec: ModelSpec) -> JsonObject:
    """Return the fields of Moonshot's OpenAPI file and those that kimi-code reads."""
    listed: JsonObject = {
        "id": spec.id,
        "object": "model",
        "created": spec.created,
        "owned_by": "moonshot",
        "display_name": spec.display_name,
        "context_length": spec.context,
        "supports_image_in": True,
        "supports_video_in": True,
        "supports_reasoning": True,
        "supports_tool_use": True,
        "supports_thinking_type": "both" if spec.thinking == "toggle" else "only",
    }
    if spec.effort:
        efforts = {"support": True, "valid_efforts": ["low", "high", "max"], "default_effort": "max"}
        listed["think_efforts"] = efforts
    return listed


def _headers(call: HttpCall) -> dict[str, str]:
    limits = {"x-ratelimit-limit": "300", "x-ratelimit-remaining": "299", "x-ratelimit-reset": "60"}
    return {"x-trace-id": call.id, "x-request-id": call.id, **limits}


MOONSHOT = Dialect(
    name="moonshot",
    host="api.moonshot.ai",
    models=MOONSHOT_MODELS,
    # Unknown top-level fields are silently ignored, so the body goes on as it is.
    adopt=lambda body: body,
    unknown_model=_unknown_model,
    no_key=Refusal(401, "incorrect_api_key_error", "Incorrect API key provided"),
    wrong_key=Refusal(401, "invalid_authentication_error", "Invalid Authentication"),
    error=_error,
    model_entry=_model_entry,
    open_paths=(),
    body=lambda body, completion: body,
    chunks=lambda chunks, completion: chunks,
    headers=_headers,
    cost_headers=lambda completion: {},
    retry_after=True,
    # Moonshot's guide, use-batch-api: "Batch API supports both the kimi-k2.6 and kimi-k2.5 models".
    batch_models=("kimi-k2.6", "kimi-k2.5"),
)
