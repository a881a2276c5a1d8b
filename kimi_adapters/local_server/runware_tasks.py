"""``POST /v1``: Runware's own protocol, an array of tasks in, data and errors out.

The answers come from the same rules: a task is read as the chat request that it would be elsewhere. What no public
source shows is marked *unconfirmed*.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from kimi_adapters.local_server import exchange, rules, web
from kimi_adapters.local_server.chat import completed, failed, spoiled
from kimi_adapters.local_server.completion import Completion, pieces
from kimi_adapters.local_server.exchange import Answer, Frame, HttpCall, parsed
from kimi_adapters.local_server.refusal import Refusal, no_such_path
from kimi_adapters.local_server.reply import Call, Reply, limited, with_ids
from kimi_adapters.local_server.request import ChatRequest
from kimi_adapters.local_server.runware import NO_KEY, TaskRefusal, error_object, invalid_parameter
from kimi_adapters.local_server.runware_fields import check_task
from kimi_adapters.local_server.script import Canned
from kimi_adapters.local_server.server import KimiServer
from kimi_adapters.local_server.work import Work, deliver

JsonObject = dict[str, Any]

_PING = ": ping\n\n"
#: In canned answers this is replaced by the UUID of the requested task.
UUID_HERE = "{taskUUID}"


def tasks(kimi: KimiServer, call: HttpCall) -> Answer:
    """Answer ``POST /v1``: do every task of the array. One that fails leaves the others alone."""
    if not kimi.dialect.tasks:
        raise no_such_path(call.method, call.path)
    asked = _authenticated(kimi, call, _read(call))
    if kimi.script.faults:
        return failed(kimi, call, kimi.script.faults)
    if (canned := _whole(kimi)) is not None:
        return _filled(canned, asked)
    if any(task.get("deliveryMethod") == "stream" for task in asked):
        return _streamed(kimi, asked)
    return _answered([outcome for task in asked for outcome in _outcomes(kimi, task, asked)])


def _read(call: HttpCall) -> list[JsonObject]:
    body = parsed(call.data)
    if not isinstance(body, list) or not body or not all(isinstance(task, dict) for task in body):
        raise TaskRefusal("invalidArray", "The request body must be a JSON array of task objects.")
    return body


def _authenticated(kimi: KimiServer, call: HttpCall, asked: list[JsonObject]) -> list[JsonObject]:
    """Check the key, from the header or from a first task for it, and return the other tasks."""
    first = asked[0] if asked[0].get("taskType") == "authentication" else {}
    scheme, _, key = call.headers.get("authorization", "").partition(" ")
    given = first.get("apiKey") or (key.strip() if scheme.lower() == "bearer" else None)
    if given != kimi.api_key:
        raise NO_KEY
    return asked[1:] if first else asked


# --------------------------------------------------------------------------------------------------- outcomes


def _answered(outcomes: list[JsonObject]) -> Answer:
    """Return an answer with `data` and `errors`; without data its status is that of the first error."""
    errors = [outcome for outcome in outcomes if "code" in outcome]
    data = [outcome for outcome in outcomes if "code" not in outcome]
    statuses = [error.pop("_status", 400) for error in errors]
    body: JsonObject = {"data": data} if data or not errors else {}
    if errors:
        body["errors"] = errors
    answer = exchange.whole(body, 200 if data or not errors else statuses[0])
    answer.error = errors[0]["message"] if answer.status >= 400 else None
    return answer


def _outcomes(kimi: KimiServer, task: JsonObject, asked: list[JsonObject]) -> list[JsonObject]:
    """Return what comes of one task: items, and error objects (they have a code)."""
    try:
        if task.get("taskType") == "getResponse":
            return _asked_for(kimi, task)
        if sum(other.get("taskUUID") == task.get("taskUUID") for other in asked) > 1:
            raise TaskRefusal("conflictTaskUUID", "The taskUUID must be unique per task.", parameter="taskUUID")
        return _inferred(kimi, task)
    except Refusal as refusal:
        return [_error(refusal, task)]


def _error(refusal: Refusal, task: JsonObject) -> JsonObject:
    named: JsonObject = {key: task[key] for key in ("taskType", "taskUUID") if key in task}
    return {**named, **error_object(refusal), "_status": refusal.status}


def _asked_for(kimi: KimiServer, task: JsonObject) -> list[JsonObject]:
    work = kimi.work.get(str(task.get("taskUUID")))
    if work is None:
        raise TaskRefusal("taskNotFound", "There is no task with this taskUUID.", status=404, parameter="taskUUID")
    return [dict(item) for item in work.so_far()]


def _inferred(kimi: KimiServer, task: JsonObject) -> list[JsonObject]:
    request = _request(kimi, task)
    queued = task.get("deliveryMethod") == "async"
    if queued and task["taskUUID"] in kimi.work:  # asking again is "how a dropped result is recovered"
        return [_named(task)]
    results = [_result(kimi, task, request, at) for at in range(task.get("numberResults", 1))]
    if "webhookURL" in task:
        deliver(task["webhookURL"], [_sent(result) for result in results])
    if not queued:
        return results
    kimi.work[task["taskUUID"]] = Work(results, kimi.polls)
    return [_named(task)]


def _sent(result: JsonObject) -> JsonObject:
    """Return the body of a webhook: "each completed item triggers a separate webhook call"."""
    plain = {key: value for key, value in result.items() if key != "_status"}
    return {"errors": [plain]} if "code" in result else {"data": [plain]}


def _named(task: JsonObject) -> JsonObject:
    return {"taskType": "textInference", "taskUUID": task["taskUUID"]}


def _result(kimi: KimiServer, task: JsonObject, request: ChatRequest, at: int) -> JsonObject:
    canned = kimi.script.canned.popleft() if kimi.script.canned else None
    if canned is not None and canned.status >= 400:
        return _failure(canned, task)
    completion = completed(kimi, request, _reply(kimi, request, canned))
    item = {**_named(task), "text": completion.reply.text, **_spoken(completion.reply)}
    seed = task.get("seed", zlib.crc32(task["taskUUID"].encode()))  # "the unsigned 32-bit range"
    return {**item, "seed": seed + at, **_price(task, completion), "status": "success"}


def _failure(canned: Canned, task: JsonObject) -> JsonObject:
    fields = canned.body if isinstance(canned.body, dict) else {}
    fallback = {"code": "inferenceError", "message": "The inference failed."}
    return {**_named(task), **fallback, **fields, "status": "error", "_status": canned.status}


def _spoken(reply: Reply) -> JsonObject:
    """Return the fields beside the text."""
    fields: JsonObject = {"finishReason": reply.finish_reason}
    if reply.reasoning:
        fields["reasoningContent"] = reply.reasoning
    if reply.calls:
        fields["tools"] = _calls(reply.calls)
    return fields


def _calls(calls: tuple[Call, ...]) -> list[JsonObject]:
    """Return calls in the form in which messages carry them back (unconfirmed: no published answer type has calls)."""
    return [{"id": call.id, "name": call.name, "input": parsed(call.arguments)} for call in calls]


def _price(task: JsonObject, completion: Completion) -> JsonObject:
    """Return usage and cost, each only when it was asked for."""
    fields: JsonObject = {}
    if task.get("includeUsage"):
        fields["usage"] = _usage(completion)
    if task.get("includeCost"):
        fields["cost"] = round(completion.usd, 9)
    return fields


def _usage(completion: Completion) -> JsonObject:
    usage = completion.usage
    thought = usage.get("completion_tokens_details", {}).get("reasoning_tokens", 0)
    spent = usage["completion_tokens"]
    tokens = {
        "prompt": {"billableTokens": usage["prompt_tokens"] - completion.cached_tokens},
        "cache": {"billableTokens": completion.cached_tokens},
        "completion": {"textTokens": spent - thought, "reasoningTokens": thought},
    }
    return {
        "promptTokens": usage["prompt_tokens"],
        "completionTokens": spent,
        "totalTokens": usage["total_tokens"],
        "thinkingTokens": thought,
        "completionTokensDetails": {"reasoningTokens": thought},
        "costBreakdown": {"tokens": tokens, "total": round(completion.usd, 9)},
    }


# ------------------------------------------------------------------------------------------------ canned answers


def _whole(kimi: KimiServer) -> Canned | None:
    """Take the next canned answer if it is a whole one; the result of a task stays."""
    canned = kimi.script.canned[0] if kimi.script.canned else None
    if canned is None or canned.reply is not None or (canned.status >= 400 and canned.frames is None):
        return None
    return kimi.script.canned.popleft()


def _filled(canned: Canned, asked: list[JsonObject]) -> Answer:
    answer = canned.answer()
    uuid = str(asked[0].get("taskUUID", "")) if asked else ""
    answer.pieces = [piece.replace(UUID_HERE.encode(), uuid.encode()) for piece in answer.pieces]
    return answer


# --------------------------------------------------------------------------------------------------- streaming


def _streamed(kimi: KimiServer, asked: list[JsonObject]) -> Answer:
    task, *more = asked
    try:
        if more:
            raise invalid_parameter("deliveryMethod", "sync or async when there are several tasks")
        request = _request(kimi, task)
    except Refusal as refusal:
        return _answered([_error(refusal, task)])  # "an HTTP 4xx answers JSON, not SSE"
    canned = kimi.script.canned.popleft() if kimi.script.canned else None
    if canned is not None and canned.status >= 400:
        return _answered([_failure(canned, task)])
    completion = completed(kimi, request, _reply(kimi, request, canned))
    frames = list(_frames(task, completion))
    if kimi.script.stream_faults:
        return spoiled(kimi, frames)
    return exchange.events(frames, coalesce=kimi.coalesce)


def _frames(task: JsonObject, completion: Completion) -> Iterator[Frame]:
    """Yield deltas of reasoning and of text, a ping between them, and a last frame with what is known at the end."""
    reply, name = completion.reply, _named(task)
    for piece in pieces(reply.reasoning):
        yield {**name, "delta": {"reasoningContent": piece}, "finishReason": None}
    yield _PING
    for piece in pieces(reply.text):
        yield {**name, "delta": {"text": piece}, "finishReason": None}
    if reply.calls:
        yield {**name, "delta": {"tools": _calls(reply.calls)}, "finishReason": None}
    yield {**name, "delta": {}, "finishReason": reply.finish_reason, **_price(task, completion)}


# -------------------------------------------------------------------------------------------- asking the rules


def _request(kimi: KimiServer, task: JsonObject) -> ChatRequest:
    """Return a task as the chat request that it would be elsewhere.

    Raises:
        Refusal: If a field is wrong, or the model is unknown or not served by this protocol.
    """
    if task.get("taskType") != "textInference":
        raise invalid_parameter("taskType", "one of: authentication, textInference, getResponse", type="string")
    check_task(task)
    spec = kimi.dialect.models.get(task["model"])
    if spec is None:
        raise kimi.dialect.unknown_model(task["model"])
    if spec.thinking == "always":
        # Its page says that it has the compatible endpoints only.
        raise invalid_parameter("model", "a model of this protocol: this one is served by the compatible endpoints")
    thinks = kimi.think and task.get("settings", {}).get("thinkingLevel", "none") != "none"
    return ChatRequest(_chat_body(task), spec, thinks, kimi.files)


def _reply(kimi: KimiServer, request: ChatRequest, canned: Canned | None) -> Reply:
    if canned is not None and canned.reply is not None:
        return with_ids(canned.reply, request)
    reply = rules.answer(request, text_before_tools=kimi.text_before_tools)
    return with_ids(limited(reply, request), request)


def _chat_body(task: JsonObject) -> JsonObject:
    settings = task.get("settings", {})
    body: JsonObject = {"model": task["model"], "messages": list(_chat_messages(task))}
    if "maxTokens" in settings:
        body["max_completion_tokens"] = settings["maxTokens"]
    if "stopSequences" in settings:
        body["stop"] = settings["stopSequences"]
    if functions := [tool for tool in task.get("tools", ()) if tool["type"] == "function"]:
        body["tools"] = [_chat_tool(tool) for tool in functions]
        body["tool_choice"] = _CHOICES[task.get("toolChoice", {}).get("type", "auto")](task)
    if "jsonSchema" in task:
        shape = {"name": "output", "schema": _schema(task["jsonSchema"])}
        body["response_format"] = {"type": "json_schema", "json_schema": shape}
    return body


_CHOICES: dict[str, Callable[[JsonObject], Any]] = {
    "auto": lambda task: "auto",
    "any": lambda task: "required",
    "none": lambda task: "none",
    "tool": lambda task: {"type": "function", "function": {"name": task["toolChoice"]["name"]}},
}


def _chat_tool(tool: JsonObject) -> JsonObject:
    function = {"name": tool["name"], "description": tool.get("description", ""), "parameters": tool["schema"]}
    return {"type": "function", "function": function}


def _schema(given: Any) -> JsonObject:
    """Return the schema, also from its text and from OpenAI's wrapper, which is seen in the wild."""
    schema = parsed(given) if isinstance(given, str) else given
    if not isinstance(schema, dict):
        raise invalid_parameter("jsonSchema", "a JSON Schema object or string")
    wrapped = schema.get("schema")
    return wrapped if isinstance(wrapped, dict) else schema


def _chat_messages(task: JsonObject) -> Iterator[JsonObject]:
    """Yield the conversation; the task's media belong to its last user message."""
    system = [task.get("settings", {}).get("systemPrompt"), *_searched(task)]
    yield from ({"role": "system", "content": text} for text in system if text)
    messages = task["messages"]
    last = max((at for at, message in enumerate(messages) if message["role"] == "user"), default=-1)
    for at, message in enumerate(messages):
        yield _chat_message(message, task.get("inputs", {}) if at == last else {})


def _searched(task: JsonObject) -> Iterator[str]:
    """Yield what the provider's own search finds: it "enriches the response automatically"."""
    if any(tool["type"] == "search" for tool in task.get("tools", ())):
        asked = next((m["content"] for m in reversed(task["messages"]) if m["role"] == "user"), "")
        if found := web.find(asked, 3):
            yield web.as_text(found)


def _chat_message(message: JsonObject, inputs: JsonObject) -> JsonObject:
    if message["role"] == "tool":
        return {"role": "tool", "tool_call_id": message["id"], "content": message["content"]}
    if message.get("tools"):
        calls = [_chat_call(call) for call in message["tools"]]
        return {"role": "assistant", "content": message.get("content", ""), "tool_calls": calls}
    media = [*_media("image_url", inputs.get("images", ())), *_media("video_url", inputs.get("videos", ()))]
    if not media:
        return {"role": message["role"], "content": message["content"]}
    return {"role": message["role"], "content": [{"type": "text", "text": message["content"]}, *media]}


def _chat_call(call: JsonObject) -> JsonObject:
    function = {"name": call["name"], "arguments": json.dumps(call["input"])}
    return {"id": call["id"], "type": "function", "function": function}


def _media(kind: str, urls: Any) -> list[JsonObject]:
    return [{"type": kind, kind: {"url": url}} for url in urls]
