"""The endpoint ``POST /v1/chat/completions``."""

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
from kimi_adapters.local_server.models import ModelSpec
from kimi_adapters.local_server.random_faults import error_of
from kimi_adapters.local_server.refusal import Refusal, invalid
from kimi_adapters.local_server.reply import Reply, limited, with_ids
from kimi_adapters.local_server.request import ChatRequest, JsonObject
from kimi_adapters.local_server.script import Canned, Fault
from kimi_adapters.local_server.server import KimiServer


def chat(kimi: KimiServer, call: HttpCall) -> Answer:
    """Answer a chat request that the limits let in."""
    kimi.dialect.admit(call, kimi.admits)
    try:
        kimi.allowance.enter()
    except Refusal as refusal:
        answer = refused(kimi, refusal, call)
        answer.headers.update(kimi.allowance.retry_after if kimi.dialect.retry_after else {})
        return answer
    try:
        answer = let_in(kimi, call)
    except BaseException:
        kimi.allowance.leave()
        raise
    answer.admitted = True
    return answer


def let_in(kimi: KimiServer, call: HttpCall) -> Answer:
    """Answer a chat request: by an armed or random fault, else a refusal, else a canned answer, else the rules."""
    body = call.json()
    if kimi.script.faults:
        return failed(kimi, call, kimi.script.faults)
    kind = kimi.random_faults.next()
    if error := error_of(kind):
        return failed(kimi, call, deque([error]))
    return kimi.random_faults.spoil(_answered(kimi, body, empty=kind == "empty"), kind)


def _answered(kimi: KimiServer, body: JsonObject, *, empty: bool) -> Answer:
    canned = kimi.script.canned[0] if kimi.script.canned else None
    request = _unchecked(kimi, body) if canned and canned.unchecked else _checked(kimi, body)
    if canned is not None:
        kimi.script.canned.popleft()
        return _canned(kimi, request, canned)
    if empty:
        return _rendered(kimi, request, Reply())
    return _ruled(kimi, request)


def refused(kimi: KimiServer, refusal: Refusal, call: HttpCall) -> Answer:
    """Return the error answer of a refusal, in the host's form."""
    body, content_type = kimi.dialect.error(refusal, call)
    answer = Answer([], refusal.status) if body is None else exchange.whole(body, refusal.status)
    answer.content_type = content_type
    answer.error = refusal.message
    return answer


def failed(kimi: KimiServer, call: HttpCall, faults: deque[Fault]) -> Answer:
    """Use up the next fault and return its error answer."""
    fault = faults.popleft()
    answer = refused(kimi, fault.refusal, call)
    says_when = kimi.dialect.retry_after and fault.refusal.status in (429, 503)
    answer.headers.update(fault.headers if fault.headers is not None else {"retry-after": "0"} if says_when else {})
    return answer


def _checked(kimi: KimiServer, body: JsonObject) -> ChatRequest:
    spec = _model(kimi, body)
    request = _request(kimi, kimi.dialect.adopt(body), spec)
    check(request, kimi.dialect.checks)
    return request


def _model(kimi: KimiServer, body: JsonObject) -> ModelSpec:
    id = body.get("model")
    if not isinstance(id, str) or not id:
        raise invalid("Invalid request: model is required")
    if id not in kimi.dialect.models:
        raise kimi.dialect.unknown_model(id)
    return kimi.dialect.models[id]


def _unchecked(kimi: KimiServer, body: JsonObject) -> ChatRequest:
    models = kimi.dialect.models
    spec = models.get(str(body.get("model"))) or next(iter(models.values()))
    return _request(kimi, body, spec)


def _request(kimi: KimiServer, body: JsonObject, spec: ModelSpec) -> ChatRequest:
    return ChatRequest(body, spec, kimi.think and kimi.dialect.thinks(body, spec), kimi.files)


def _canned(kimi: KimiServer, request: ChatRequest, canned: Canned) -> Answer:
    if canned.reply is None:
        if canned.frames is not None and kimi.script.stream_faults:
            return spoiled(kimi, canned.frames)
        return canned.answer()
    answer = _rendered(kimi, request, canned.reply, *_further(kimi, request))
    answer.status, answer.cut = canned.status, answer.cut or canned.cut
    answer.headers.update(canned.headers)
    return answer


def _further(kimi: KimiServer, request: ChatRequest) -> list[Reply]:
    """Take the canned replies for the other choices, as far as there are any."""
    queue, found = kimi.script.canned, list[Reply]()
    while queue and (reply := queue[0].reply) is not None and len(found) + 1 < _count(kimi, request):
        found.append(reply)
        queue.popleft()
    return found


def _count(kimi: KimiServer, request: ChatRequest) -> int:
    """Return how many choices the answer has."""
    return max(1, min(request.answers, kimi.dialect.most_answers))


def _ruled(kimi: KimiServer, request: ChatRequest) -> Answer:
    reply = limited(rules.answer(request, text_before_tools=kimi.text_before_tools), request)
    refusal = kimi.dialect.empty_length
    if refusal and not request.stream and reply.finish == "length" and not reply.text:
        raise invalid(refusal)
    return _rendered(kimi, request, *[reply] * _count(kimi, request))


def _rendered(kimi: KimiServer, request: ChatRequest, *replies: Reply) -> Answer:
    reply, *others = (_finished(kimi, request, reply) for reply in replies)
    completion = replace(completed(kimi, request, reply), others=tuple(others))
    if not request.stream:
        body = kimi.dialect.body(completion.body(), completion)
        return exchange.whole(body, headers=kimi.dialect.cost_headers(completion))
    chunks = completion.chunks(usage_in_choice=kimi.usage_in_choice, include_usage=request.include_usage)
    frames: list[Frame] = list(kimi.dialect.chunks(chunks, completion))
    if kimi.script.stream_faults:
        return spoiled(kimi, frames)
    return exchange.events(frames, coalesce=kimi.coalesce)


def _finished(kimi: KimiServer, request: ChatRequest, reply: Reply) -> Reply:
    reply = kimi.dialect.finish(with_ids(reply, request), request)
    return reply if reply.reasoning_as is not None else replace(reply, reasoning_as=kimi.reasoning_as)


def spoiled(kimi: KimiServer, frames: Sequence[Frame]) -> Answer:
    """Use up the next stream fault and return the stream with that fault in it."""
    fault = kimi.script.stream_faults.popleft()
    return fault.spoil(frames, kimi.coalesce, kimi.dialect.stream_error)


def completed(kimi: KimiServer, request: ChatRequest, reply: Reply) -> Completion:
    """Return a reply with its token counts and its price."""
    cached = kimi.cache.hit(request)
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
