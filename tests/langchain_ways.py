"""How tests ask a LangChain model, whole and streamed, and what they have its host send."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import reduce
from operator import add as plus
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from kimi_adapters.local_server import LocalKimi

Ask = Callable[[Any, Any], AIMessage]


def invoked(model: Any, said: Any) -> AIMessage:
    """The answer of `invoke`."""
    return model.invoke(said)


def streamed(model: Any, said: Any) -> AIMessage:
    """The sum of `stream`."""
    return reduce(plus, model.stream(said))


def astreamed(model: Any, said: Any) -> AIMessage:
    """The sum of `astream`."""

    async def collect() -> list[Any]:
        return [chunk async for chunk in model.astream(said)]

    return reduce(plus, asyncio.run(collect()))


async def ask(model: Any, mode: str, said: Any = "Weather?") -> Any:
    """The answer in one of LangChain's modes."""
    match mode:
        case "invoke":
            return model.invoke(said)
        case "ainvoke":
            return await model.ainvoke(said)
        case "stream":
            return reduce(plus, model.stream(said))
        case "astream":
            return reduce(plus, [chunk async for chunk in model.astream(said)])
        case "events":
            return model.stream_events(said, version="v3").output
        case "aevents":
            return await (await model.astream_events(said, version="v3"))
    raise ValueError(mode)


def plain(blocks: Any) -> list[dict[str, Any]]:
    """Blocks without the indexes by which they were merged."""
    return [{key: value for key, value in block.items() if key != "index"} for block in blocks]


# Modes decode the same events, which `test_streams.py` shows: a whole answer and an async stream are enough for all four.
ways = pytest.mark.parametrize("ask", [invoked, astreamed])
streams = pytest.mark.parametrize("ask", [streamed, astreamed])

CALL = {"name": "add", "arguments": {"a": 1, "b": 2}, "id": "add_0"}


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def sent(kimi: LocalKimi) -> Any:
    """The body of the last request."""
    return kimi.requests[-1].body


def frames(*deltas: dict[str, Any], finish: str = "stop", **last: Any) -> list[Any]:
    """Frames of a stream with these deltas, and more in the last frame's choice."""
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "kimi-k2.6"}
    made = [{**head, "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    return [*made, {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish, **last}]}]
