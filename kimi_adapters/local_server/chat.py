"""``POST /v1/chat/completions``."""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from kimi_adapters.local_server import exchange, rules
from kimi_adapters.local_server.checks import check
from kimi_adapters.local_server.completion import Completion
from kimi_adapters.local_server.exchange import Answer, Frame, HttpCall
from kimi_adapters.local_server.models import ModelRow
from kimi_adapters.local_server.refusal import Refusal, invalid
from kimi_adapters.local_server.reply import Reply, limited, with_ids
from kimi_adapters.local_server.request import ChatRequest, JsonObject
from kimi_adapters.local_server.script import Canned, Fault
from kimi_adapters.local_server.server import Emulator


def chat(emulator: Emulator, call: HttpCall) -> Answer:
    """Answer a chat request: a fault that is armed, else a refusal, else a canned answer, else the rules."""
    emulator.dialect.admit(call, emulator.admits)
    body = call.json()
    if emulator.script.faults:
        return failed(emulator, call, emulator.script.faults)
    canned = emulator.script.canned[0] if emulator.script.canned else None
    request = _unchecked(emulator, body) if canned and canned.unchecked else _checked(emulator, body)
    if canned is not None:
        emulator.script.canned.popleft()
        return _canned(emulator, request, canned)
    return _ruled(emulator, request)


def refused(emulator: Emulator, refusal: Refusal, call: HttpCall) -> Answer:
    """The error answer of a refusal, in the host's shape."""
    body, content_type = emulator.dialect.error(refusal, call)
    answer = Answer([], refusal.status) if body is None else exchange.whole(body, refusal.status)
    answer.content_type = content_type
    answer.error = refusal.message
    return answer


def failed(emulator: Emulator, call: HttpCall, faults: deque[Fault]) -> Answer:
    """The answer of the next fault that is armed."""
    fault = faults.popleft()
    answer = refused(emulator, fault.refusal, call)
    says_when = emulator.dialect.retry_after and fault.refusal.status in (429, 503)
    answer.headers.update(fault.headers if fault.headers is not None else {"retry-after": "0"} if says_when else {})
    return answer


def _checked(emulator: Emulator, body: JsonObject) -> ChatRequest:
    row = _model(emulator, body)
    request = _request(emulator, emulator.dialect.adopt(body), row)
    check(request, emulator.dialect.checks)
    return request


def _model(emulator: Emulator, body: JsonObject) -> ModelRow:
    id = body.get("model")
    if not isinstance(id, str) or not id:
        raise invalid("Invalid request: model is required")
    if id not in emulator.dialect.models:
        raise emulator.dialect.unknown_model(id)
    return emulator.dialect.models[id]


def _unchecked(emulator: Emulator, body: JsonObject) -> ChatRequest:
    models = emulator.dialect.models
    row = models.get(str(body.get("model"))) or next(iter(models.values()))
    return _request(emulator, body, row)


def _request(emulator: Emulator, body: JsonObject, row: ModelRow) -> ChatRequest:
    return ChatRequest(body, row, emulator.think and emulator.dialect.thinks(body, row), emulator.files)


def _canned(emulator: Emulator, request: ChatRequest, canned: Canned) -> Answer:
    if canned.reply is None:
        if canned.frames is not None and emulator.script.stream_faults:
            return spoiled(emulator, canned.frames)
        return canned.answer()
    answer = _rendered(emulator, request, canned.reply, *_further(emulator, request))
    answer.status, answer.cut = canned.status, answer.cut or canned.cut
    answer.headers.update(canned.headers)
    return answer


def _further(emulator: Emulator, request: ChatRequest) -> list[Reply]:
    """The canned replies for the other choices, as far as there are any."""
    queue, found = emulator.script.canned, list[Reply]()
    while queue and (reply := queue[0].reply) is not None and len(found) + 1 < _count(emulator, request):
        found.append(reply)
        queue.popleft()
    return found


def _count(emulator: Emulator, request: ChatRequest) -> int:
    """How many choices the answer has."""
    return max(1, min(request.answers, emulator.dialect.most_answers))


def _ruled(emulator: Emulator, request: ChatRequest) -> Answer:
    reply = limited(rules.answer(request, text_before_tools=emulator.text_before_tools), request)
    refusal = emulator.dialect.empty_length
    if refusal and not request.stream and reply.finish == "length" and not reply.text:
        raise invalid(refusal)
    return _rendered(emulator, request, *[reply] * _count(emulator, request))


def _rendered(emulator: Emulator, request: ChatRequest, *replies: Reply) -> Answer:
    reply, *others = (_finished(emulator, request, reply) for reply in replies)
    completion = replace(completed(emulator, request, reply), others=tuple(others))
    if not request.stream:
        body = emulator.dialect.body(completion.body(), completion)
        return exchange.whole(body, headers=emulator.dialect.cost_headers(completion))
    chunks = completion.chunks(usage_in_choice=emulator.usage_in_choice, include_usage=request.include_usage)
    frames: list[Frame] = list(emulator.dialect.chunks(chunks, completion))
    if emulator.script.stream_faults:
        return spoiled(emulator, frames)
    return exchange.events(frames, coalesce=emulator.coalesce)


def _finished(emulator: Emulator, request: ChatRequest, reply: Reply) -> Reply:
    reply = emulator.dialect.finish(with_ids(reply, request), request)
    return reply if reply.reasoning_as is not None else replace(reply, reasoning_as=emulator.reasoning_as)


def spoiled(emulator: Emulator, frames: Sequence[Frame]) -> Answer:
    """The next stream fault that is armed, in a stream."""
    fault = emulator.script.stream_faults.popleft()
    return fault.spoil(frames, emulator.coalesce, emulator.dialect.stream_error)


def completed(emulator: Emulator, request: ChatRequest, reply: Reply) -> Completion:
    """A reply with its tokens and its price."""
    cached = emulator.cache.hit(request)
    hit, miss, output = request.model.price
    spent = cached * hit + (request.prompt_tokens - cached) * miss + reply.tokens * output
    return Completion(
        id=f"chatcmpl-{uuid.uuid4().hex[:24]}",
        created=int(time.time()),
        model=request.model.answers_as,
        reply=reply,
        prompt_tokens=request.prompt_tokens,
        cached_tokens=cached,
        usd=spent / 1_000_000,
    )
