"""A host that costs as little as possible: answers are made once and sent as ready bytes.

What is wanted is written in the request: `[[short]]`, `[[stream]]`, `[[live]]`, `[[arguments]]`, `[[person]]`. Streams
come as hosts send them, one HTTP chunk an event, of which the network delivers many at a time; those of a live one are
sent a millisecond apart.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys

WANTED = re.compile(rb"\[\[(\w+)\]\]")
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
HEAD = {"id": "chatcmpl-1", "created": 1790000000, "model": "kimi-k2.6"}
USAGE = {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}
PERSON = '{"name": "Ada Lovelace", "age": 36, "tags": ["mathematics", "poetry"]}'
DELTAS = 2000
PIECE = '"some words of a file that is written, of a hundred characters, as a model streams them to us now", '


def whole(message: dict[str, object], reason: str) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": "", **message}, "finish_reason": reason}
    body = json.dumps({**HEAD, "object": "chat.completion", "choices": [choice], "usage": USAGE}).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def stream(deltas: list[dict[str, object]], reason: str) -> bytes:
    choices: list[dict[str, object]] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": reason, "usage": USAGE})
    events = [json.dumps({**HEAD, "object": "chat.completion.chunk", "choices": [choice]}) for choice in choices]
    frames = [f"data: {event}\n\n".encode() for event in [*events, "[DONE]"]]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(frame), frame) for frame in frames)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + chunks + b"0\r\n\r\n"


def call(arguments: str, name: str | None = None) -> dict[str, object]:
    first = {"id": "functions.write:0", "type": "function"} if name else {}
    return {"index": 0, **first, "function": {**({"name": name} if name else {}), "arguments": arguments}}


LIVE: list[dict[str, object]] = [{"role": "assistant", "content": ""}, *({"content": " words"} for _ in range(500))]
THOUGHTS: list[dict[str, object]] = [{"reasoning_content": " thinking"}] * (DELTAS * 3 // 4)
WORDS: list[dict[str, object]] = [{"content": " words"}] * (DELTAS // 4)
ARGUMENTS = ['{"lines": [', *[PIECE] * 1000, '"end"]}']
ANSWERS = {
    b"short": whole({"content": "Hello."}, "stop"),
    b"stream": stream([{"role": "assistant", "content": ""}, *THOUGHTS, *WORDS], "stop"),
    b"live": stream(LIVE, "stop"),
    b"arguments": stream(
        [
            {"role": "assistant", "reasoning_content": "I write it.", "tool_calls": [call("", "write")]},
            *({"tool_calls": [call(text)]} for text in ARGUMENTS),
        ],
        "tool_calls",
    ),
    b"person": whole({"tool_calls": [{**call(PERSON, "Person"), "id": "Person:0"}]}, "tool_calls"),
}


class Host(asyncio.Protocol):
    """Answers each request on a connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.came = bytearray()
        self.whole = 0

    def data_received(self, data: bytes) -> None:
        self.came += data
        if not self.whole and (end := self.came.find(b"\r\n\r\n")) >= 0:
            length = LENGTH.search(self.came, 0, end)
            self.whole = end + 4 + (int(length[1]) if length else 0)
        if self.whole and len(self.came) >= self.whole:
            wanted = WANTED.search(self.came, 0, 10_000)
            name = bytes(wanted[1]) if wanted else b"short"
            self.came.clear()
            self.whole = 0
            if name == b"live":
                self.sending = asyncio.ensure_future(self.send(ANSWERS[name].split(b"\n\n\r\n")))
            else:
                self.transport.write(ANSWERS[name])

    async def send(self, chunks: list[bytes]) -> None:
        """Send chunks one by one."""
        for chunk in chunks[:-1]:
            self.transport.write(chunk + b"\n\n\r\n")
            await asyncio.sleep(0.001)
        self.transport.write(chunks[-1])


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Host, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)  # until the parent is gone


if __name__ == "__main__":
    asyncio.run(main())
