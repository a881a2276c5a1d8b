"""vLLM and SGLang with Kimi's weights: servers that people run themselves.

They check less than Moonshot does, do not know its options, and think by default.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kimi_adapters.local_server.checks import Check, history, output
from kimi_adapters.local_server.completion import Completion
from kimi_adapters.local_server.dialect import Dialect
from kimi_adapters.local_server.exchange import HttpCall
from kimi_adapters.local_server.models import WEIGHTS, ModelSpec
from kimi_adapters.local_server.refusal import Refusal
from kimi_adapters.local_server.reply import Reply
from kimi_adapters.local_server.request import ChatRequest

JsonObject = dict[str, Any]

#: The default of ``VLLM_MAX_N_SEQUENCES``; releases before it have 16384.
_MOST_ANSWERS = 64
_TYPES = {400: "BadRequestError", 401: "AuthenticationError", 404: "NotFoundError"}


def bad(message: str) -> Refusal:
    """Return a 400 ``BadRequestError``."""
    return Refusal(400, "BadRequestError", message)


# ----------------------------------------------------------------------------------------------------- checks


def messages_are_given(request: ChatRequest) -> None:
    """Refuse a request without messages, and messages without a role."""
    messages = request.body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise bad("1 validation error: {'type': 'missing', 'loc': ('body', 'messages'), 'msg': 'Field required'}")
    if not all(isinstance(one, dict) and isinstance(one.get("role"), str) for one in messages):
        raise bad(
            "1 validation error: {'type': 'missing', 'loc': ('body', 'messages', 'role'), 'msg': 'Field required'}"
        )


def tools_show_text_only(request: ChatRequest) -> None:
    """Refuse pictures in a tool's result (vllm#43203, which does not quote the sentence)."""
    for message in request.messages:
        content = message.get("content")
        if message["role"] != "tool" or not isinstance(content, list):
            continue
        if any(part.get("type") != "text" for part in content if isinstance(part, dict)):
            raise bad("tool message content only supports text content")


def parts_are_known(request: ChatRequest) -> None:
    """Refuse parts of an unknown type."""
    for message in request.messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            kind = part.get("type") if isinstance(part, dict) else part
            if kind not in ("text", "image_url", "video_url", "audio_url", "input_audio"):
                raise bad(f"Unknown part type: {kind}")


def tools_are_functions(request: ChatRequest) -> None:
    """Refuse tools that are no functions, such as `$web_search`."""
    tools = request.body.get("tools")
    for at, tool in enumerate(tools if isinstance(tools, list) else ()):
        if not isinstance(tool, dict) or tool.get("type") != "function" or not isinstance(tool.get("function"), dict):
            raise bad(
                "1 validation error: {'type': 'literal_error', 'loc': ('body', 'tools', "
                f"{at}, 'type'), 'msg': \"Input should be 'function'\"}}"
            )


def choice_has_tools(request: ChatRequest) -> None:
    """Refuse a choice without tools, and a name that is not among them. Thinking does not matter."""
    choice = request.body.get("tool_choice")
    if choice is None or choice == "none":
        return
    if not request.tools:
        raise bad("When using `tool_choice`, `tools` must be set.")
    if isinstance(choice, dict) and request.chosen_tool not in [one.get("name") for one in request.functions]:
        raise bad("The tool specified in `tool_choice` does not match any of the specified `tools`")
    if not isinstance(choice, dict) and choice not in ("auto", "required"):
        raise bad(f'Invalid value for `tool_choice`: {choice}! Only named tools, "none", "auto" or "required"')


def stops_are_few(request: ChatRequest) -> None:
    """Refuse more than four stop strings (vLLM 0.32.0, whose dump is longer)."""
    stop = request.body.get("stop")
    if isinstance(stop, list) and len(stop) > 4:
        raise bad(
            "1 validation error: {'type': 'too_long', 'loc': ('body', 'stop'), 'msg': "
            f"'List should have at most 4 items after validation, not {len(stop)}'}}"
        )


def continuing_is_said_whole(request: ChatRequest) -> None:
    """Refuse to continue a message unless `add_generation_prompt`, on by default, is switched off."""
    body = request.body
    if body.get("continue_final_message") is True and body.get("add_generation_prompt") is not False:
        raise bad(
            "1 validation error: {'type': 'value_error', 'loc': ('body',), 'msg': 'Value error, Cannot set both "
            "`continue_final_message` and `add_generation_prompt` to True.'}"
        )


def sampling_is_possible(request: ChatRequest) -> None:
    """Refuse values that no sampler takes."""
    temperature, top_p = request.body.get("temperature"), request.body.get("top_p")
    if temperature is not None and not (isinstance(temperature, int | float) and 0 <= temperature <= 2):
        raise bad(f"temperature must be non-negative and at most 2, got {temperature}.")
    if top_p is not None and not (isinstance(top_p, int | float) and 0 < top_p <= 1):
        raise bad(f"top_p must be in (0, 1], got {top_p}.")
    if request.max_tokens is not None and request.max_tokens < 1:
        raise bad(f"max_tokens must be at least 1, got {request.max_tokens}.")


def stream_options_have_a_stream(request: ChatRequest) -> None:
    """Refuse `stream_options` without `stream` (vLLM's `validate_stream_options`; seen live with 0.32).

    SGLang takes them (sgl-project/sglang#16068).
    """
    if request.body.get("stream_options") and not request.stream:
        raise bad("Stream options can only be defined when `stream=True`.")


def answers_can_differ(request: ChatRequest) -> None:
    """Refuse several answers under greedy sampling, and too many of them (vLLM's sampling parameters)."""
    n, temperature = request.answers, request.body.get("temperature")
    if n < 1:
        raise bad(f"n must be at least 1, got {n}.")
    if n > _MOST_ANSWERS:
        raise bad(
            f"n must be at most {_MOST_ANSWERS}, got {n}. To increase this limit, set the VLLM_MAX_N_SEQUENCES "
            "environment variable."
        )
    if n > 1 and temperature is not None and temperature < 1e-5:
        raise bad(f"n must be 1 when using greedy sampling, got {n}.")


def prompt_fits(request: ChatRequest) -> None:
    """Refuse more tokens than the context has."""
    asked = request.prompt_tokens + (request.max_tokens or 0)
    if asked > request.model.context:
        raise bad(
            f"This model's maximum context length is {request.model.context} tokens. However, you requested {asked} "
            "tokens. Please reduce the length of the messages or completion."
        )


def effort_is_known(request: ChatRequest) -> None:
    """Refuse efforts that K3 does not have; other models ignore them."""
    effort = request.body.get("reasoning_effort")
    if request.model.effort and effort not in (None, "none", "low", "high", "max"):
        raise bad("Kimi K3 supports thinking_effort values: low, high, max")


BOTH: tuple[Check, ...] = (
    messages_are_given,
    parts_are_known,
    tools_are_functions,
    choice_has_tools,
    sampling_is_possible,
    prompt_fits,
    history.calls_are_well_formed,
    output.content_is_harmless,
)


# --------------------------------------------------------------------------------------------------- thinking


def _template(body: JsonObject, spec: ModelSpec) -> bool:
    """Return whether the template lets the model think: either of two variables for it, or else the effort."""
    if spec.thinking == "always":
        return True
    given = body.get("chat_template_kwargs")
    known = [given[key] for key in ("thinking", "enable_thinking") if key in given] if isinstance(given, dict) else []
    return any(known) if known else body.get("reasoning_effort") != "none"


# ---------------------------------------------------------------------------------------------------- bodies


def _either_key(body: JsonObject) -> JsonObject:
    """Read the reasoning of earlier turns under both of its names, as vLLM does."""
    messages = body.get("messages")
    if not isinstance(messages, list):
        return body
    return {**body, "messages": [_renamed(one) if isinstance(one, dict) else one for one in messages]}


def _renamed(message: JsonObject) -> JsonObject:
    thought = message.get("reasoning_content") or message.get("reasoning")
    return {**message, "reasoning_content": thought} if thought else message


def _schema_wins(body: JsonObject) -> JsonObject:
    """Drop tools beside a response schema, since both decode by one grammar (vLLM 0.32.0, SGLang's own warning)."""
    asked = body.get("response_format")
    if not isinstance(asked, dict) or asked.get("type") != "json_schema":
        return body
    return {key: value for key, value in body.items() if key not in ("tools", "tool_choice")}


def _vllm(body: JsonObject) -> JsonObject:
    return _schema_wins(_continuing(_either_key(body)))


def _continuing(body: JsonObject) -> JsonObject:
    """Ignore Moonshot's `partial`; `continue_final_message` has the last message continued."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages) or not messages:
        return body
    plain = [{key: value for key, value in one.items() if key != "partial"} for one in messages]
    if body.get("continue_final_message") is True and plain[-1].get("role") == "assistant":
        plain[-1]["partial"] = True
    return {**body, "messages": plain}


# ---------------------------------------------------------------------------------------------------- answers


def _error(refusal: Refusal, call: HttpCall) -> tuple[JsonObject, str]:
    if refusal.status == 401:
        return {"error": "Unauthorized"}, "application/json"
    if refusal.own:
        return {"detail": "Not Found"}, "application/json"
    kind = _TYPES.get(refusal.status, refusal.type)
    error = {"message": refusal.message, "type": kind, "param": None, "code": refusal.status}
    return {"error": error}, "application/json"


def _flat(refusal: Refusal, call: HttpCall) -> tuple[JsonObject, str]:
    kind = _TYPES.get(refusal.status, refusal.type)
    error = {"message": refusal.message, "type": kind, "param": None, "code": refusal.status}
    return {"object": "error", **error}, "application/json"


def _model_entry(spec: ModelSpec) -> JsonObject:
    listed = {"id": spec.id, "object": "model", "created": spec.created, "owned_by": "vllm", "root": spec.id}
    return {**listed, "parent": None, "max_model_len": spec.context, "permission": []}


def _body(body: JsonObject, completion: Completion) -> JsonObject:
    choices = [{**one, "message": _message(one["message"]), "stop_reason": None} for one in body["choices"]]
    return {**body, "choices": choices, "usage": _usage(body["usage"])}


def _message(fields: JsonObject) -> JsonObject:
    message: JsonObject = {"refusal": None, "annotations": None, "audio": None, "function_call": None, "tool_calls": []}
    return {**message, **fields, "content": fields["content"] or None}


def _chunks(chunks: list[JsonObject], completion: Completion) -> list[JsonObject]:
    return [{**chunk, "usage": _usage(chunk["usage"])} if "usage" in chunk else chunk for chunk in chunks]


def _usage(usage: JsonObject) -> JsonObject:
    """Return usage without cached tokens, which only a flag of the server shows."""
    plain = {key: value for key, value in usage.items() if key != "cached_tokens"}
    return {**plain, "prompt_tokens_details": None}


def _named(reply: Reply, request: ChatRequest) -> Reply:
    """End a call that was chosen by name with the finish reason `stop`."""
    named = request.tool_choice == "specified" and reply.calls and reply.finish is None
    return replace(reply, finish="stop") if named else reply


def _last_word(reply: Reply, request: ChatRequest) -> Reply:
    """Take a whole answer that continues a message for reasoning while the model may think (vLLM 0.32.0)."""
    if request.partial is not None and request.thinking and not request.stream:
        return replace(reply, text="", reasoning=reply.text)
    return _named(reply, request)


VLLM = Dialect(
    name="vllm",
    host="a vLLM server",
    models=WEIGHTS,
    adopt=_vllm,
    unknown_model=lambda id: Refusal(404, "NotFoundError", f"The model `{id}` does not exist."),
    no_key=Refusal(401, "", "Unauthorized"),
    wrong_key=Refusal(401, "", "Unauthorized"),
    error=_error,
    model_entry=_model_entry,
    open_paths=(),
    body=_body,
    chunks=_chunks,
    headers=lambda call: {},
    cost_headers=lambda completion: {},
    retry_after=False,
    checks=(
        *BOTH,
        stream_options_have_a_stream,
        answers_can_differ,
        tools_show_text_only,
        effort_is_known,
        stops_are_few,
        continuing_is_said_whole,
    ),
    thinks=_template,
    reasoning_as="reasoning",
    usage_in_choice=False,
    most_answers=_MOST_ANSWERS,
    finish=_last_word,
)

SGLANG = replace(
    VLLM,
    name="sglang",
    host="an SGLang server",
    adopt=_schema_wins,
    error=_flat,
    checks=(*BOTH, history.arguments_are_objects),
    reasoning_as="reasoning_content",
    finish=lambda reply, request: reply,
)
