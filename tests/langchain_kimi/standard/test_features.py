"""Features of LangChain's table that its suite has no test for, on every model."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage

from kimi_adapters.local_server import LocalKimi
from langchain_kimi import ChatKimi
from tests.langchain_kimi.standard.modes import MODELS, RUNS, Run

MP4 = base64.b64encode(b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + bytes(64)).decode()
TOKEN = {"token": "Yes", "logprob": -0.01, "bytes": [89, 101, 115], "top_logprobs": []}


class NoThreads(ThreadPoolExecutor):
    """Takes no work: what LangChain does for models without async methods of their own needs a thread."""

    def submit(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("an async call went to a thread")


class Features:
    """What one model can do, in the first of its runs."""

    run: Run

    @pytest.fixture(autouse=True)
    def _server(self, serve: Callable[..., LocalKimi]) -> None:
        self.kimi = serve()
        self.kimi.reset()

    def made(self, **params: Any) -> ChatKimi:
        where = {"base_url": self.kimi.base_url, "api_key": self.kimi.api_key}
        return ChatKimi(model=self.run.model.id, **where, **params)

    @pytest.mark.parametrize(
        "block",
        [
            {"type": "video", "base64": MP4, "mime_type": "video/mp4"},
            {"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{MP4}"}},
        ],
        ids=["standard", "moonshot"],
    )
    def test_video_inputs(self, block: dict[str, Any]) -> None:
        self.made().invoke([HumanMessage([{"type": "text", "text": "What happens in this video?"}, block])])
        sent = self.kimi.requests[-1].body["messages"][0]["content"][1]
        assert sent == {"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{MP4}"}}

    def test_every_delta_of_the_host_is_a_chunk(self) -> None:
        chunks = [chunk.text for chunk in self.made().stream("Tell me a joke about cats.") if chunk.text]
        frames = [frame["choices"][0]["delta"] for frame in self.kimi.requests[-1].response if frame["choices"]]
        assert chunks == [delta["content"] for delta in frames if delta.get("content")]
        assert len(chunks) > 5

    def test_async_calls_need_no_thread(self) -> None:
        async def call(model: ChatKimi) -> tuple[str, str]:
            await model.ainvoke("Hello")  # with the first call the SDK looks in a thread which platform this is
            asyncio.get_running_loop().set_default_executor(NoThreads())
            whole = await model.ainvoke("Hello")
            streamed = [chunk.text async for chunk in model.astream("Hello")]
            return whole.text, "".join(streamed)

        whole, streamed = asyncio.run(call(self.made()))
        assert whole == streamed != ""

    def test_reasoning_is_a_block(self) -> None:
        assert [block["type"] for block in self.made().invoke("Hello").content_blocks] == ["reasoning", "text"]

    def test_log_probabilities(self) -> None:
        choice = {"index": 0, "message": {"role": "assistant", "content": "Yes"}, "finish_reason": "stop"}
        self.kimi.enqueue(json={"id": "1", "choices": [{**choice, "logprobs": {"content": [TOKEN]}}]})
        answer = self.made(logprobs=True, top_logprobs=0, on_unsupported="error").invoke("Really?")
        assert self.kimi.requests[-1].body["logprobs"] is True
        assert answer.response_metadata["logprobs"] == {"content": [TOKEN]}

    def test_log_probabilities_of_a_stream(self) -> None:
        spoken = {"index": 0, "delta": {"content": "Yes"}, "logprobs": {"content": [TOKEN]}, "finish_reason": None}
        last = {"index": 0, "delta": {}, "finish_reason": "stop"}
        self.kimi.enqueue(sse=[{"id": "1", "choices": [choice]} for choice in (spoken, last)])
        first, *rest = self.made(logprobs=True, on_unsupported="error").stream("Really?")
        whole: AIMessageChunk = sum(rest, start=first)
        assert whole.response_metadata["logprobs"] == {"content": [TOKEN]}


for _model in MODELS:
    _run = next(run for run in RUNS if run.model is _model)
    globals()[f"{_run.cls}Features"] = type(f"{_run.cls}Features", (Features,), {"run": _run})
