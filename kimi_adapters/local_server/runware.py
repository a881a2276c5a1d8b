"""Runware: ``api.runware.ai/v1``, its error bodies, and what its compatible endpoint does differently from Moonshot's.

Its own protocol, arrays of tasks, is in `runware_tasks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kimi_adapters.local_server import media
from kimi_adapters.local_server.checks import conversation, history, output, parts, tools
from kimi_adapters.local_server.completion import Completion
from kimi_adapters.local_server.dialect import Dialect
from kimi_adapters.local_server.exchange import HttpCall
from kimi_adapters.local_server.models import RUNWARE_MODELS, ModelSpec
from kimi_adapters.local_server.refusal import Refusal
from kimi_adapters.local_server.request import ChatRequest

JsonObject = dict[str, Any]

#: The path of the native protocol.
TASKS = "/v1"
_MODEL_PAGE = "https://runware.ai/docs/models/moonshotai-kimi-k2-6"

#: Runware's codes for what the shared code of the server calls otherwise. Its page of errors names `invalidApiKey` and
#: `timeoutProvider` and says that codes vary; the others follow the categories of its SDK (`*Credits*`, `*RateLimit*`,
#: `contentPolicyViolation`, `noAvailableServer`, `inferenceError`, `invalid*`).
_CODES = {
    "engine_overloaded_error": "rateLimitExceeded",
    "rate_limit_reached_error": "rateLimitExceeded",
    "exceeded_current_quota_error": "insufficientCredits",
    "content_filter": "contentPolicyViolation",
    "server_error": "inferenceError",
    "server_unavailable": "noAvailableServer",
    "invalid_request_error": "invalidRequest",
    "resource_not_found_error": "notFound",
}


class TaskRefusal(Refusal):
    """A refusal in Runware's format.

    Attributes:
        fields: Further fields of the error object: ``parameter``, ``taskType``, ``taskUUID``, …
    """

    def __init__(self, code: str, message: str, *, status: int = 400, **fields: Any) -> None:
        super().__init__(status, code, message, own=True)
        self.fields = fields


def invalid_parameter(parameter: str, must: str, **facts: Any) -> TaskRefusal:
    """Return the refusal of a value, with facts such as its type and range (a real code: ``invalidWidth``)."""
    last = parameter.rpartition(".")[2]
    code = f"invalid{last[:1].upper()}{last[1:]}"
    message = f"Invalid value for '{parameter}' parameter. It must be {must}."
    return TaskRefusal(code, message, parameter=parameter, **facts, documentation=page_of(parameter))


def missing_parameter(parameter: str) -> TaskRefusal:
    """Return the refusal of a task that lacks a parameter."""
    last = parameter.rpartition(".")[2]
    message = f"Missing required parameter '{parameter}'."
    code = f"missing{last[:1].upper()}{last[1:]}"
    return TaskRefusal(code, message, parameter=parameter, documentation=page_of(parameter))


def unsupported_parameter(parameter: str) -> TaskRefusal:
    """Return the refusal of a parameter that the model's page does not list."""
    message = f"Unsupported use of '{parameter}' parameter. The selected model does not have it."
    return TaskRefusal("unsupportedParameter", message, parameter=parameter, documentation=page_of(parameter))


def page_of(parameter: str) -> str:
    """Return the address where a parameter is documented."""
    return f"{_MODEL_PAGE}#request-{parameter.replace('.', '-').lower()}"


def error_object(refusal: Refusal) -> JsonObject:
    """Return one element of ``errors``."""
    fields: Mapping[str, Any] = refusal.fields if isinstance(refusal, TaskRefusal) else {}
    return {"code": _CODES.get(refusal.type, refusal.type), "message": refusal.message, **fields}


def _error(refusal: Refusal, call: HttpCall) -> tuple[JsonObject, str]:
    """Return the body of an error; the compatible endpoint has the same."""
    return {"errors": [error_object(refusal)]}, "application/json"


# The page of errors: 401, with this body.
NO_KEY = TaskRefusal(
    "invalidApiKey",
    "Invalid API key. Get one at https://my.runware.ai/signup",
    status=401,
    parameter="apiKey",
    taskType="authentication",
)


def _unknown_model(id: str) -> Refusal:
    return invalid_parameter("model", f"the identifier of a model that is served, not {id!r}")


# ------------------------------------------------------------------------------------------ compatible endpoint


def _media_is_readable(request: ChatRequest) -> None:
    contents = (message.get("content") for message in request.messages)
    parts = (part for content in contents if isinstance(content, list) for part in content)
    for url in (media.url_of(part) for part in parts if part.get("type") in ("image_url", "video_url")):
        if not is_readable(url):
            raise invalid_parameter("messages", "made of readable media")


def is_readable(url: object) -> bool:
    """Return whether a picture or video can be read: by http (it is not fetched here), or from base64."""
    if not isinstance(url, str) or url.startswith(("http://", "https://")):
        return isinstance(url, str)
    try:
        return bool(media.data_of(url))
    except ValueError:
        return False


#: What any endpoint of this shape refuses. Nothing of Moonshot's own: sampling is free, a tool may be forced while the
#: model thinks (Runware's tool guide), reasoning need not come back, schemas are of no flavour, media come by http.
_CHECKS = (
    conversation.messages_are_given,
    conversation.roles_are_known,
    parts.parts_are_known,
    tools.tools_are_declared_well,
    tools.names_are_unique,
    history.calls_are_well_formed,
    history.calls_are_answered,
    output.response_format_is_legal,
    output.limit_is_positive,
    output.stream_options_have_a_stream,
    output.prompt_fits,
    output.content_is_harmless,
    _media_is_readable,
)


def _adopt(body: JsonObject) -> JsonObject:
    """Drop `thinking`, which is unknown here. That the effort `none` switches thinking off is unconfirmed."""
    kept = {key: value for key, value in body.items() if key != "thinking"}
    off = body.get("reasoning_effort") == "none" and "k3" not in str(body.get("model"))
    return {**kept, "thinking": {"type": "disabled"}} if off else kept


def _priced(usage: JsonObject, completion: Completion) -> JsonObject:
    """Return usage with its price (``usage.cost``) and without what only Moonshot has."""
    return {**{key: value for key, value in usage.items() if key != "cached_tokens"}, "cost": round(completion.usd, 9)}


def _body(body: JsonObject, completion: Completion) -> JsonObject:
    return {**body, "usage": _priced(body["usage"], completion)}


def _chunks(chunks: list[JsonObject], completion: Completion) -> list[JsonObject]:
    """Return the chunks with usage only in a chunk of its own, with the price."""
    return [_chunk(chunk, completion) for chunk in chunks]


def _chunk(chunk: JsonObject, completion: Completion) -> JsonObject:
    choices = [{key: value for key, value in choice.items() if key != "usage"} for choice in chunk["choices"]]
    usage = {"usage": _priced(chunk["usage"], completion)} if "usage" in chunk else {}
    return {**chunk, "choices": choices, **usage}


def _model_entry(spec: ModelSpec) -> JsonObject:
    """Return an element of the model list: id, sizes, modalities and prices per token."""
    _, fresh, output_price = spec.price
    return {
        "id": spec.id,
        "object": "model",
        "created": spec.created,
        "owned_by": "moonshotai",
        "context_length": spec.context,
        "max_output_tokens": spec.output,
        "input_modalities": ["text", "image", "video"],
        "pricing": {"prompt": f"{fresh / 1_000_000:.9f}", "completion": f"{output_price / 1_000_000:.9f}"},
    }


RUNWARE = Dialect(
    name="runware",
    host="api.runware.ai",
    models=RUNWARE_MODELS,
    adopt=_adopt,
    unknown_model=_unknown_model,
    no_key=NO_KEY,
    wrong_key=NO_KEY,
    error=_error,
    model_entry=_model_entry,
    # There the key may be in the first task instead.
    open_paths=(TASKS,),
    body=_body,
    chunks=_chunks,
    headers=lambda call: {},
    cost_headers=lambda completion: {},
    retry_after=True,
    checks=_CHECKS,
    tasks=True,
)
