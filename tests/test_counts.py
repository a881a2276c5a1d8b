"""What costs time is counted, not timed: parses of a stream, copies of a picture. Messages: `test_remembered.py`."""

from __future__ import annotations

import base64
import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, TextBlock

from kimi_core.transport import stream, transport
from kimi_core.transport.transport import Transport
from langchain_kimi import ChatKimi
from llama_index_kimi import KimiLLM

SIZE = 4_000_000
PICTURE = base64.b64decode(b"iVBORw0KGgoA" * (SIZE // 12))
URL = "data:image/png;base64," + base64.b64encode(PICTURE).decode()
ANSWER = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "A dot."}, "finish_reason": "stop"}]}


@pytest.mark.parametrize("count", [1, 50])
def test_the_events_of_one_read_take_one_parse(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[bytes] = []
    real = stream.from_json

    def parse(data: Any, **options: Any) -> Any:
        parsed.append(data)
        return real(data, **options)

    monkeypatch.setattr(stream, "from_json", parse)
    reader = stream.FrameReader()
    for _ in range(3):
        data = b"".join(b'data: {"n": %d}\n\n' % i for i in range(count))
        assert list(reader.feed(data)) == [{"n": i} for i in range(count)]
    assert len(parsed) == 3


def by_langchain() -> Callable[[], Any]:
    parts: list[Any] = [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": URL}}]
    model, asked = ChatKimi(host="moonshot", api_key="x"), [HumanMessage(parts)]
    return lambda: model.invoke(asked)


def by_llama_index() -> Callable[[], Any]:
    blocks = [TextBlock(text="What?"), ImageBlock(image=PICTURE)]
    llm, asked = KimiLLM(host="moonshot", api_key="x"), [ChatMessage(role="user", blocks=blocks)]
    return lambda: llm.chat(asked)


# The body itself, and what the framework hands over as bytes and is sent as text.
@pytest.mark.parametrize(
    ("make", "most"), [(by_langchain, 1.2), (by_llama_index, 2.2)], ids=["langchain", "llama_index"]
)
def test_a_picture_is_copied_no_more_often_than_needed(
    make: Callable[[], Callable[[], Any]], most: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted in the memory that a call takes at most, up to where the HTTP library has it."""

    async def once(self: Transport, call: Any, profile: Any) -> Any:
        assert len(call.content) > len(URL)
        return type("Reply", (), {"content": json.dumps(ANSWER).encode(), "headers": {}, "is_cut": False})()

    monkeypatch.setattr(transport.Transport, "_once", once)
    ask = make()
    ask()
    tracemalloc.start()
    ask()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < most * len(URL)
