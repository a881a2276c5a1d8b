"""Frames, bodies and conversations of any form, by the million: only errors of ours may come of them.

    python tests/fuzz.py --frames 1000000 --conversations 100000 --seed 1

Everything runs in this process and without I/O: from the bytes of a stream to the chunks of both frameworks, and from
the messages of both frameworks to the bytes of a request. An error of another kind is printed with what caused it, and
the seed of the case that makes it again.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, TextBlock, ThinkingBlock, ToolCallBlock
from odd_values import CALL, DEEP, FULL, HUGE, NESTED, ODD, USAGE, as_chunk, frame, paths, spelled, with_value
from pydantic import ValidationError

from kimi_core import HOSTS, KimiClient, KimiError, Message, Options, Request, Tool
from kimi_core.transport.stream import FrameReader
from langchain_kimi._messages_in import to_messages as from_langchain
from langchain_kimi._messages_out import MessageFormat, to_result
from langchain_kimi._streaming import ChunkMaker
from llama_index_kimi._messages_in import to_messages as from_llama_index
from llama_index_kimi._messages_out import to_chat_response
from llama_index_kimi._streaming import StreamResponses

PARTS: list[dict[str, Any]] = [
    frame({"role": "assistant", "content": ""}),
    frame({"content": "Hello "}),
    frame({"content": "<think>Hm.</think> there <|tool_calls_section_begin|>"}),
    frame({"reasoning_content": "Hm. "}),
    frame({"reasoning": "Hm. ", "reasoning_details": [{"type": "reasoning.text", "text": "Hm.", "index": 0}]}),
    frame({"tool_calls": [CALL]}),
    frame({"tool_calls": [{"index": 0, "function": {"arguments": '{"city": "Os'}}]}),
    frame({"tool_calls": [{"index": 1, "id": "b", "function": {"name": "look", "arguments": ""}}]}),
    frame({"refusal": "I cannot."}),
    frame({}, "stop", usage=USAGE),
    frame({}, "tool_calls"),
    {**frame({}), "choices": [], "usage": USAGE},
    {"error": {"message": "overloaded", "type": "engine_overloaded_error", "code": 429}},
    as_chunk(FULL),
]
SMALL = [value for value in ODD if value not in (DEEP, HUGE, NESTED)]
LINE_ENDS = [b"\n", b"\r\n", b"\r"]
TOOL = Tool("look", "Look.", {"type": "object", "properties": {"city": {"type": "string"}}})


class Fuzzer:
    """Makes cases from a seed, and runs them."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.failed = 0
        self._clients = [
            KimiClient(host=spec, api_key="sk-fuzz", base_url=spec.address.base_url or "http://127.0.0.1:9/v1")
            for spec in HOSTS.values()
            if spec.codec == "chat" and "{" not in (spec.address.base_url or "")
        ]

    def run(self, what: str, count: int, case: Callable[[random.Random], int]) -> int:
        """Run cases of one kind until so many frames or conversations are through; return how many were."""
        done, number, began = 0, 0, time.monotonic()
        while done < count:
            seed = f"{what}-{self.seed}-{number}"
            number += 1
            try:
                done += case(random.Random(seed))
            except (KimiError, ValidationError):
                done += 1
            except Exception:
                done += 1
                self.failed += 1
                if self.failed <= 20:
                    print(f"\n{seed}", file=sys.stderr)
                    traceback.print_exc(limit=-4)
        print(f"{what}: {done:,} in {time.monotonic() - began:.0f} s")
        return done

    # -------------------------------------------------------------------------------------- what a host sends

    def stream(self, rng: random.Random) -> int:
        """Read a stream of odd frames, its bytes cut anywhere, into the chunks of both frameworks."""
        client, plan, wire = self._asked(rng)
        frames = [self._odd(rng, rng.choice(PARTS)) for _ in range(rng.randint(1, 12))]
        answer = client.pipeline.stream(plan, wire, {"x-request-id": rng.choice(["a", "²³"])})
        chunks, responses = ChunkMaker(MessageFormat(host="fuzz", v1=rng.random() < 0.5)), StreamResponses()
        reader = FrameReader()
        for read in _cut(rng, b"".join(_event(rng, one) for one in frames)):
            if ready := reader.feed(read):
                for event in answer.feed(ready):
                    answer.add(event)
                    chunks.feed(event)
                    responses.add(event)
            if reader.ended:
                break
        try:
            reader.close()
        except ValueError:  # the transport makes a StreamError of it
            return len(frames)
        for event in answer.ending():
            chunks.feed(event)
            responses.add(event)
        return len(frames)

    def body(self, rng: random.Random) -> int:
        """Read a whole odd body into the messages of both frameworks."""
        client, plan, wire = self._asked(rng)
        try:
            body = json.loads(spelled(self._odd(rng, FULL)))
        except (ValueError, RecursionError):  # the transport reads it, and refuses what is nested too deeply
            return 1
        response = client.pipeline.decode(plan, wire, body, {})
        to_result(response, MessageFormat(host="fuzz", v1=rng.random() < 0.5))
        to_chat_response(response)
        return 1

    def _asked(self, rng: random.Random) -> tuple[KimiClient, Any, Any]:
        client = rng.choice(self._clients)
        request = Request(messages=[Message("user", "Hello")], model="kimi-k2.6", tools=(TOOL,), options=Options())
        return client, *client.prepare(request, stream=True)

    def _odd(self, rng: random.Random, whole: Any) -> Any:
        for _ in range(rng.choice([0, 0, 1, 1, 2, 3])):
            odd = rng.choice(ODD if rng.random() < 0.01 else SMALL)
            whole = with_value(whole, rng.choice([*paths(whole)]), copy.deepcopy(odd))
        return whole

    # ---------------------------------------------------------------------------------- what a conversation holds

    def conversation(self, rng: random.Random) -> int:
        """Prepare the request for an odd conversation of either framework."""
        make, convert = rng.choice([(self._langchain, from_langchain), (self._llama_index, from_llama_index)])
        said = [make(rng) for _ in range(rng.randint(1, 8))]
        messages = convert(said)
        client = rng.choice(self._clients)
        model = rng.choice(["kimi-k2.6", "kimi-k3", "kimi-k2.7-code"])
        _, wire = client.prepare(Request(messages=messages, model=model, tools=(TOOL,)), stream=rng.random() < 0.5)
        json.dumps(wire.body)
        return 1

    def _langchain(self, rng: random.Random) -> Any:
        content: Any = rng.choice(["Hello", "", [self._block(rng) for _ in range(rng.randint(0, 3))]])
        match rng.randint(0, 3):
            case 0:
                return SystemMessage(content)
            case 1:
                return HumanMessage(content, name=rng.choice([None, "", "Ann"]))
            case 2:
                calls = [
                    {"name": rng.choice(["look", ""]), "args": rng.choice([{}, {"a": rng.choice(SMALL)}]), "id": id_}
                    for id_ in rng.choices(["a", "b", "", None], k=rng.randint(0, 2))
                ]
                kwargs = rng.choice(
                    [{}, {"reasoning_content": rng.choice(["Hm.", "", None, 7])}, {"tool_calls": [CALL]}]
                )
                return AIMessage(content, tool_calls=calls, additional_kwargs=kwargs)
            case _:
                return ToolMessage(content, tool_call_id=rng.choice(["a", "b", ""]))

    def _block(self, rng: random.Random) -> Any:
        kinds = ["text", "image", "image_url", "reasoning", "file", "tool_use", "video", "thinking", "document", "odd"]
        keys = ["text", "url", "base64", "reasoning", "image_url", "mime_type", "source", "data", "name", "id", "path"]
        values: Sequence[Any] = [
            "Hello",
            "https://example.org/a.png",
            "data:image/png;base64,aGk=",
            {"url": "x"},
            *SMALL,
        ]
        filled = {key: rng.choice(values) for key in rng.sample(keys, rng.randint(0, 3))}
        return {"type": rng.choice(kinds), **filled}

    def _llama_index(self, rng: random.Random) -> Any:
        blocks: list[Any] = [
            rng.choice(
                [
                    TextBlock(text=rng.choice(["Hello", "", "\ud83d"])),
                    ThinkingBlock(content=rng.choice(["Hm.", None])),
                    ImageBlock(image=rng.choice([b"", b"\x89PNG\r\n\x1a\n", b"text"])),
                    ToolCallBlock(
                        tool_call_id=rng.choice(["a", None, ""]),
                        tool_name=rng.choice(["look", ""]),
                        tool_kwargs=rng.choice([{}, "{", '{"city": "Oslo"}', {"a": float("nan")}]),
                    ),
                ]
            )
            for _ in range(rng.randint(0, 3))
        ]
        kwargs = rng.choice([{}, {"tool_call_id": rng.choice(["a", "", 7, None])}, {"tool_calls": rng.choice(SMALL)}])
        return ChatMessage(
            role=rng.choice(["system", "user", "assistant", "tool"]), blocks=blocks, additional_kwargs=kwargs
        )


def _event(rng: random.Random, value: Any) -> bytes:
    end = rng.choice(LINE_ENDS) if rng.random() < 0.2 else b"\n"
    before = b": ping" + end if rng.random() < 0.1 else b""
    return before + b"data: " + spelled(value).encode("utf-8", "surrogatepass") + end + end


def _cut(rng: random.Random, text: bytes) -> list[bytes]:
    places = sorted(rng.choices(range(len(text) + 1), k=rng.choice([0, 0, 1, 5])))
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--conversations", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    fuzzer = Fuzzer(asked.seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fuzzer.run("frames", asked.frames, fuzzer.stream)
        fuzzer.run("bodies", asked.frames // 10, fuzzer.body)
        fuzzer.run("conversations", asked.conversations, fuzzer.conversation)
    print(f"{fuzzer.failed} untyped errors, seed {asked.seed}")
    return 1 if fuzzer.failed else 0


if __name__ == "__main__":
    sys.exit(main())
