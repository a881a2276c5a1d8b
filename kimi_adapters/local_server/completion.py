"""A finished answer in Moonshot's JSON: whole, or as the chunks of a stream."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from kimi_adapters.local_server import message_format, tokens
from kimi_adapters.local_server.reply import Call, Reply

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
        others: Further replies, where several were asked for (`n`).
    """

    id: str
    created: int
    model: str
    reply: Reply
    prompt_tokens: int
    cached_tokens: int
    usd: float
    others: tuple[Reply, ...] = ()

    @property
    def replies(self) -> tuple[Reply, ...]:
        """All replies."""
        return (self.reply, *self.others)

    @property
    def usage(self) -> JsonObject:
        """The usage object."""
        if self.reply.usage is not None:
            return self.reply.usage
        spent = sum(reply.tokens for reply in self.replies)
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": spent,
            "total_tokens": self.prompt_tokens + spent,
            "cached_tokens": self.cached_tokens,
            "completion_tokens_details": {
                "reasoning_tokens": sum(tokens.count(reply.reasoning) for reply in self.replies)
            },
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens},
        }

    def body(self) -> JsonObject:
        """Return the body that answers a request without ``stream``."""
        choices = [
            {"index": at, "message": _message(reply), "finish_reason": reply.finish_reason}
            for at, reply in enumerate(self.replies)
        ]
        return {**self._head("chat.completion"), "choices": choices, "usage": self.usage}

    def chunks(self, *, usage_in_choice: bool, include_usage: bool) -> list[JsonObject]:
        """Return the chunks that answer a request with ``stream``; several choices take turns, chunk by chunk."""
        head = self._head("chat.completion.chunk")
        usage = {"usage": self.usage} if usage_in_choice else {}
        choices = [_choices(at, reply, usage) for at, reply in enumerate(self.replies)]
        made = [{**head, "choices": [one]} for turn in zip_longest(*choices) for one in turn if one is not None]
        if include_usage:
            made.append({**head, "choices": [], "usage": self.usage})
        return made

    def _head(self, kind: str) -> JsonObject:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


def pieces(text: str) -> list[str]:
    """Split a text into pieces of about a token each."""
    return _PIECE.findall(text)


def _message(reply: Reply) -> JsonObject:
    message: JsonObject = {
        "role": "assistant",
        "content": message_format.text(reply),
        **message_format.reasoning(reply, reply.reasoning, last=True),
    }
    if reply.refusal:
        # OpenAI's reference: `content` and `refusal` of a message are each text or null.
        message |= {"content": message["content"] or None, "refusal": reply.refusal}
    if reply.calls and reply.calls_as == "tool_calls":
        message["tool_calls"] = [_call(call) for call in reply.calls]
    return message


def _choices(at: int, reply: Reply, usage: JsonObject) -> Iterator[JsonObject]:
    """Yield one choice in the pieces in which it is streamed; ``usage`` is in the last."""
    for delta in _deltas(reply):
        yield {"index": at, "delta": delta, "finish_reason": None}
    yield {"index": at, "delta": {}, "finish_reason": reply.finish_reason, **usage}


def _call(call: Call) -> JsonObject:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": call.type, "function": function}


def _deltas(reply: Reply) -> Iterator[JsonObject]:
    """Yield the deltas in the order of the real host: role, reasoning, its empty end, text, refusal, tool calls."""
    yield {"role": "assistant", "content": "", **({"refusal": None} if reply.refusal else {})}
    if reply.reasoning and (keys := message_format.reasoning(reply, "", last=True)):
        for piece in pieces(reply.reasoning):
            yield message_format.reasoning(reply, piece)
        yield keys
    for piece in pieces(message_format.text(reply)):
        yield {"content": piece}
    for piece in pieces(reply.refusal):  # OpenAI's reference: `delta.refusal`, beside no content
        yield {"refusal": piece}
    for index, call in enumerate(reply.calls if reply.calls_as == "tool_calls" else ()):
        yield from _call_deltas(index, call)


def _call_deltas(index: int, call: Call) -> Iterator[JsonObject]:
    """Yield the deltas of a call: the first has its id and name, the others have only arguments."""
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
