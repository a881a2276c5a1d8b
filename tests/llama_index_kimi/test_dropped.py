"""Streams that are left before their end: what the host sees of it."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.callbacks import CallbackManager, LlamaDebugHandler
from llama_index.core.prompts import PromptTemplate
from pydantic import BaseModel

from llama_index_kimi import KimiLLM

ASKED = [ChatMessage(role="user", content="Hi")]
SOON = 3.0


class Person(BaseModel):
    """Somebody."""

    name: str


class TalkativeHost:
    """Begins to answer, and waits until the client hangs up."""

    def __init__(self) -> None:
        self.hung_up = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"

    def stop(self) -> None:
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection, suppress(ConnectionError):
            connection.settimeout(SOON)
            request = connection.recv(65_536)
            while b"\r\n\r\n" not in request:
                request += connection.recv(65_536)
            connection.sendall(HEAD + FRAME * 3)
            with suppress(TimeoutError):
                while connection.recv(65_536):
                    pass
                self.hung_up.set()
            return
        self.hung_up.set()


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
CHUNK = b"data: " + json.dumps({"id": "1", "choices": [{"index": 0, "delta": {"content": "{"}}]}).encode() + b"\n\n"
FRAME = f"{len(CHUNK):x}\r\n".encode() + CHUNK + b"\r\n"


@pytest.fixture
def host() -> Iterator[TalkativeHost]:
    made = TalkativeHost()
    yield made
    made.stop()


@pytest.fixture(params=[False, True], ids=["no handler", "a handler that keeps everything"])
def llm(request: pytest.FixtureRequest, host: TalkativeHost) -> KimiLLM:
    handlers: list[Any] = [LlamaDebugHandler(print_trace_on_end=False)] if request.param else []
    return KimiLLM(base_url=host.base_url, api_key="k", callback_manager=CallbackManager(handlers))


# --------------------------------------------------------------------------------------------------------- sync


SYNC: dict[str, Callable[[KimiLLM], Any]] = {
    "stream_chat": lambda llm: llm.stream_chat(ASKED),
    "stream_complete": lambda llm: llm.stream_complete("Hi"),
    "stream_chat_with_tools": lambda llm: llm.stream_chat_with_tools([], "Hi"),
}


@pytest.mark.parametrize("open_stream", SYNC.values(), ids=list(SYNC))
def test_the_host_sees_that_a_stream_is_closed(
    llm: KimiLLM, host: TalkativeHost, open_stream: Callable[[KimiLLM], Any]
) -> None:
    stream = open_stream(llm)
    next(stream)
    stream.close()
    assert host.hung_up.wait(SOON)


def test_the_host_sees_that_a_loop_is_left(llm: KimiLLM, host: TalkativeHost) -> None:
    for _ in llm.stream_chat(ASKED):
        break
    assert host.hung_up.wait(SOON)


UNWANTED: dict[str, Callable[[KimiLLM], Any]] = {
    "stream_chat": lambda llm: llm.stream_chat(ASKED),
    "stream_structured_predict": lambda llm: llm.stream_structured_predict(Person, PromptTemplate("Hi")),
    "structured llm": lambda llm: llm.as_structured_llm(Person).stream_chat(ASKED),
}


@pytest.mark.parametrize("open_stream", UNWANTED.values(), ids=list(UNWANTED))
def test_the_host_sees_that_a_stream_is_not_wanted_at_all(
    llm: KimiLLM, host: TalkativeHost, open_stream: Callable[[KimiLLM], Any]
) -> None:
    open_stream(llm)
    assert host.hung_up.wait(SOON)


def test_the_host_sees_that_text_is_not_wanted_any_more(llm: KimiLLM, host: TalkativeHost) -> None:
    tokens = llm.stream(PromptTemplate("Hi"))
    next(tokens)
    tokens.close()  # type: ignore[attr-defined]
    assert host.hung_up.wait(SOON)


# -------------------------------------------------------------------------------------------------------- async


async def closed(stream: Any) -> None:
    opened = await stream
    await anext(opened)
    await opened.aclose()


async def broken_off(stream: Any) -> None:
    async for _ in await stream:
        break


async def not_wanted(stream: Any) -> None:
    await stream


async def raised_in(stream: Any) -> None:
    with suppress(LookupError):
        async for _ in await stream:
            raise LookupError


async def iterate(stream: Any, reached: asyncio.Event, pause: float) -> None:
    n = 0
    async for _ in await stream:
        n += 1
        if n == 3 or pause:
            reached.set()
        await asyncio.sleep(pause)


async def cancelled(stream: Any, pause: float = 0) -> None:
    reached = asyncio.Event()
    task = asyncio.create_task(iterate(stream, reached, pause))
    await reached.wait()
    await asyncio.sleep(0.01)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def cancelled_between(stream: Any) -> None:
    await cancelled(stream, pause=10)


LEFT = [closed, broken_off, not_wanted, raised_in, cancelled, cancelled_between]
ASYNC: dict[str, Callable[[KimiLLM], Any]] = {
    "astream_chat": lambda llm: llm.astream_chat(ASKED),
    "astream_complete": lambda llm: llm.astream_complete("Hi"),
    "astream_chat_with_tools": lambda llm: llm.astream_chat_with_tools([], "Hi"),
}


@pytest.mark.parametrize("leave", LEFT)
@pytest.mark.parametrize("open_stream", ASYNC.values(), ids=list(ASYNC))
def test_the_host_sees_that_an_async_stream_is_left(
    llm: KimiLLM, host: TalkativeHost, open_stream: Callable[[KimiLLM], Any], leave: Callable[[Any], Any]
) -> None:
    async def run() -> bool:
        await leave(open_stream(llm))
        return await asyncio.to_thread(host.hung_up.wait, SOON)  # while the event loop still runs

    assert asyncio.run(run())


@pytest.mark.parametrize("leave", [not_wanted, cancelled_between])
def test_the_host_sees_that_a_growing_object_is_left(
    llm: KimiLLM, host: TalkativeHost, leave: Callable[[Any], Any]
) -> None:
    async def run() -> bool:
        stream = llm.astream_structured_predict(Person, PromptTemplate("Hi"))
        await leave(stream)
        return await asyncio.to_thread(host.hung_up.wait, SOON)

    assert asyncio.run(run())
