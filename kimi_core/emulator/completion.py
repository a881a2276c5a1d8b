"""A finished answer in Moonshot's JSON: whole, or as the chunks of a stream."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kimi_core.emulator import manner, tokens
from kimi_core.emulator.reply import Call, Reply

JsonObject = dict[str, Any]

#: A delta is about a token long: a short word with the blanks before it, or a part of a long one.
_PIECE = re.compile(r"\s*+\S{1,8}|\s+")
_ARGUMENT_PIECE = 16
#: Arguments of megabytes come in larger pieces, so that no call has more deltas than this.
_MOST_PIECES = 8192


@dataclass(frozen=True, slots=True)
class Completion:
    """A reply with everything that the body around it needs.

    Attributes:
        id: The id of the completion.
        created: Unix time.
        model: The id of the model as answered.
        reply: The reply; every call has an id.
        prompt_tokens: Tokens of the prompt.
        cached_tokens: Those of them that were in the cache.
        usd: What it costs.
    """

    id: str
    created: int
    model: str
    reply: Reply
    prompt_tokens: int
    cached_tokens: int
    usd: float

    @property
    def usage(self) -> JsonObject:
        """The usage object."""
        if self.reply.usage is not None:
            return self.reply.usage
        spent = self.reply.tokens
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": spent,
            "total_tokens": self.prompt_tokens + spent,
            "cached_tokens": self.cached_tokens,
            "completion_tokens_details": {"reasoning_tokens": tokens.count(self.reply.reasoning)},
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens},
        }

    def body(self) -> JsonObject:
        """The answer to a request without ``stream``."""
        reply = self.reply
        message: JsonObject = {
            "role": "assistant",
            "content": manner.text(reply),
            **manner.reasoning(reply, reply.reasoning, last=True),
        }
        if reply.calls and reply.calls_as == "tool_calls":
            message["tool_calls"] = [_call(call) for call in reply.calls]
        choice = {"index": 0, "message": message, "finish_reason": reply.finish_reason}
        return {**self._head("chat.completion"), "choices": [choice], "usage": self.usage}

    def chunks(self, *, usage_in_choice: bool, include_usage: bool) -> list[JsonObject]:
        """The answer to a request with ``stream``."""
        head = self._head("chat.completion.chunk")
        made = [{**head, "choices": [_choice(delta)]} for delta in _deltas(self.reply)]
        last = _choice({}, self.reply.finish_reason)
        if usage_in_choice:
            last["usage"] = self.usage
        made.append({**head, "choices": [last]})
        if include_usage:
            made.append({**head, "choices": [], "usage": self.usage})
        return made

    def _head(self, kind: str) -> JsonObject:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


def pieces(text: str) -> list[str]:
    """A text in pieces about a token long."""
    return _PIECE.findall(text)


def _choice(delta: JsonObject, finish: str | None = None) -> JsonObject:
    return {"index": 0, "delta": delta, "finish_reason": finish}


def _call(call: Call) -> JsonObject:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": call.type, "function": function}


def _deltas(reply: Reply) -> Iterator[JsonObject]:
    """The deltas in the order of the real host: role, reasoning, its empty end, text, tool calls."""
    yield {"role": "assistant", "content": ""}
    if reply.reasoning and (keys := manner.reasoning(reply, "", last=True)):
        for piece in pieces(reply.reasoning):
            yield manner.reasoning(reply, piece)
        yield keys
    for piece in pieces(manner.text(reply)):
        yield {"content": piece}
    for index, call in enumerate(reply.calls if reply.calls_as == "tool_calls" else ()):
        yield from _call_deltas(index, call)


def _call_deltas(index: int, call: Call) -> Iterator[JsonObject]:
    """The first delta of a call has its id and name; the others have only arguments."""
    opening = {
        "index": index,
        "id": call.id,
        "type": call.type,
        "function": {"name": call.name, "arguments": ""},
    }
    yield {"tool_calls": [opening]}
    length = max(_ARGUMENT_PIECE, -(-len(call.arguments) // _MOST_PIECES))
    for at in range(0, len(call.arguments), length):
        piece = call.arguments[at : at + length]
        yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
