"""What a test has the server do next: canned answers and faults."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kimi_adapters.local_server.exchange import Answer, Frame, events, parsed, whole
from kimi_adapters.local_server.refusal import Refusal
from kimi_adapters.local_server.reply import Call, Reply

#: The sentences of Moonshot's error page, for faults that name no message.
FAULT_MESSAGES = {
    "engine_overloaded_error": "The engine is currently overloaded, please try again later",
    "rate_limit_reached_error": (
        "Your account local-user<ak-local> request reached max request per minute, current:4, limit:3"
    ),
    "exceeded_current_quota_error": (
        "You exceeded your current token quota: <org-local> 0, please check your account balance"
    ),
    "permission_denied_error": "The API you are accessing is not open",
    "content_filter": "The request was rejected because it was considered high risk",
    "server_error": "Internal server error, please try again later",
    "server_unavailable": "The service is temporarily unavailable, please try again later",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """An error for the next request."""

    refusal: Refusal
    headers: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class StreamFault:
    """What happens to the next stream after some frames: an error frame, the end of the connection, or a loop."""

    after: int
    error: Mapping[str, Any] | None
    repeat: int = 0
    times: int = 0

    def spoil(
        self, frames: Sequence[Frame], coalesce: int, frame: Callable[[Mapping[str, Any]], dict[str, Any]]
    ) -> Answer:
        """Return the stream with the fault in it; `frame` makes the frame of an error."""
        kept = list(frames[: self.after])
        if self.repeat:
            return events([*kept, *kept[-self.repeat :] * self.times, *frames[self.after :]], coalesce=coalesce)
        if self.error is None:
            return events(kept, done=False, cut=True, coalesce=coalesce)
        return events([*kept, frame(self.error)], done=False, coalesce=coalesce)


@dataclass(frozen=True, slots=True)
class Canned:
    """A prepared answer: a whole body, frames, raw bytes, or a reply that is rendered as the request asks."""

    body: Any = None
    frames: Sequence[Frame] | None = None
    chunks: Sequence[bytes] | None = None
    reply: Reply | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str | None = None
    done: bool = True
    cut: bool = False
    unchecked: bool = False

    def answer(self) -> Answer:
        """Return the answer of a body, frames or raw bytes; a reply is rendered elsewhere."""
        answer = self._shaped()
        answer.status = self.status
        answer.headers.update(self.headers)
        answer.content_type = self.content_type or answer.content_type
        answer.cut = self.cut
        answer.error = error_sentence(answer.logged) if self.status >= 400 else None
        return answer

    def _shaped(self) -> Answer:
        if self.frames is not None:
            return events(self.frames, done=self.done)
        if self.chunks is not None:
            data = b"".join(self.chunks)
            return Answer(self.chunks, streamed=True, logged=_raw_log(data), content_type="text/event-stream")
        return whole(self.body)


def canned_calls(calls: Sequence[Mapping[str, Any]]) -> tuple[Call, ...]:
    """Read tool calls as a test writes them, with arguments as an object or as raw text."""
    return tuple(
        Call(
            name=call["name"],
            arguments=_as_text(call.get("arguments", {})),
            id=call.get("id"),
            type=call.get("type", "function"),
        )
        for call in calls
    )


def _as_text(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def error_sentence(body: Any) -> str:
    """Return the message of an error body of any shape."""
    error = body.get("error") if isinstance(body, dict) else None
    found = error.get("message") if isinstance(error, dict) else error
    return str(found or (body.get("message") if isinstance(body, dict) else body))


def _raw_log(data: bytes) -> Any:
    if b"data:" not in data:
        return parsed(data)
    lines = data.decode("utf-8", "replace").splitlines()
    values = (parsed(line[5:].strip()) for line in lines if line.startswith("data:"))
    return [value for value in values if value is not None]


class Script:
    """The queue of canned answers and the faults that are armed."""

    def __init__(self) -> None:
        self.canned: deque[Canned] = deque()
        self.faults: deque[Fault] = deque()
        self.elsewhere: dict[str, deque[Fault]] = {}
        self.stream_faults: deque[StreamFault] = deque()

    def clear(self) -> None:
        """Forget all canned answers and faults."""
        self.canned.clear()
        self.faults.clear()
        self.elsewhere.clear()
        self.stream_faults.clear()
