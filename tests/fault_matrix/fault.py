"""A fault of a host as data: the bytes it sends, and what must come of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Then: TypeAlias = Literal["go on", "close", "reset", "stall"]
"""What becomes of the connection: it is kept, closed, reset, or nothing more comes on it until the client leaves."""

REFUSED, ENCRYPTED = "refused", "encrypted"
"""Where a call goes that does not reach the server as it should: a port that nobody listens at, and `https://`."""


@dataclass(frozen=True)
class Outcome:
    """What comes of a call.

    Attributes:
        what: The class of the error, or `answered`.
        requests: How many requests are sent, by a client that may repeat one once.
    """

    what: str
    requests: int = 1


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        name: What the host does, as a reader of the table sees it.
        whole: What comes of a call for a whole answer; None where there is no such call.
        streamed: The same for a stream.
        sends: The bytes of the response.
        then: What becomes of the connection after them.
        came: All that arrives of an answer, before the error if there is one: reasoning, text and calls. It must be in
            the answer, or in the error's `partial`; there is none where a whole answer was asked for and none came.
        address: Where the call goes, if not to the server.
        with_openai_2: What comes of it there, where its HTTP library makes something else of it.
    """

    name: str
    whole: Outcome | None
    streamed: Outcome | None
    sends: bytes = b""
    then: Then = "go on"
    came: str = ""
    address: str = ""
    with_openai_2: Outcome | None = None


ANSWERED = Outcome("answered")
UNREACHED = Outcome("APIConnectionError", 2)
"""Nothing of an answer has come, so the request is sent again."""
LATE = Outcome("APITimeoutError", 2)
NO_ANSWER = Outcome("DecodeError")
BROKEN = Outcome("APIConnectionError")
SILENT = Outcome("APITimeoutError")
UNFINISHED = Outcome("StreamError")
"""In a stream: what has come stays, and nothing is sent again."""


# ----------------------------------------------------------------------------------------------------- what is sent


def spelled(value: Any) -> bytes:
    """A body or frame as it is sent: bytes as they are, anything else as JSON."""
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def head(status: str = "200 OK", *headers: str, kind: str = "application/json") -> bytes:
    """The head of a response."""
    lines = [f"HTTP/1.1 {status}", *([f"Content-Type: {kind}"] if kind else []), *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def response(
    body: Any, status: str = "200 OK", *headers: str, kind: str = "application/json", length: int | None = None
) -> bytes:
    """A response with a body of a stated length."""
    content = spelled(body)
    return head(status, *headers, f"Content-Length: {len(content) if length is None else length}", kind=kind) + content


def chunk(content: bytes) -> bytes:
    """A chunk of a body, as HTTP/1.1 frames it; the last one where it is empty."""
    return f"{len(content):x}\r\n".encode() + content + b"\r\n"


def event(frame: Any) -> bytes:
    """An event of a stream."""
    return b"data: " + spelled(frame) + b"\n\n"


EVENTS = "text/event-stream"
STREAM_HEAD = head("200 OK", "Transfer-Encoding: chunked", kind=EVENTS)
DONE = b"data: [DONE]\n\n"


def stream(*events: bytes) -> bytes:
    """A response with these events, each in a chunk of its own, and a proper end."""
    return STREAM_HEAD + b"".join(map(chunk, [*events, b""]))


def frame(delta: Any, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """A frame of a stream."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "kimi-k2.6",
        "choices": [choice],
        **more,
    }


def body(message: Any, finish: str = "stop", **more: Any) -> dict[str, Any]:
    """A whole answer."""
    choice = {"index": 0, "message": message, "finish_reason": finish}
    known = {"id": "c", "object": "chat.completion", "created": 1, "model": "kimi-k2.6", "choices": [choice]}
    return {**known, "usage": USAGE, **more}


def call(arguments: str, index: Any = 0, id_: Any = "look:0", name: Any = "look") -> dict[str, Any]:
    """A tool call, or a piece of one."""
    return {"index": index, "id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


USAGE = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
HELLO = body({"role": "assistant", "content": "Hello there"})
BEGIN = event(frame({"role": "assistant", "content": ""}))
TEXT = event(frame({"content": "Hello "}))
MORE = event(frame({"content": "there"}))
END = event(frame({}, "stop", usage=USAGE))


def each(*groups: Iterable[Fault]) -> tuple[Fault, ...]:
    """All faults of several tables."""
    return tuple(fault for group in groups for fault in group)
