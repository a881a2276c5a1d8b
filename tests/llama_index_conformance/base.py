"""How a class is put under test, the four ways to ask it, and what the host sends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, TextBlock, ThinkingBlock
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index_instrumentation.event_handlers import BaseEventHandler
from pydantic import BaseModel

from kimi_adapters.local_server import LocalKimi

KEY = "sk-canary-7f3a"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


class LLMUnderTest:
    """Subclass it, and say how the LLM is made."""

    def make(self, kimi: LocalKimi, **options: Any) -> FunctionCallingLLM:
        """An LLM on the given server.

        Args:
            kimi: Has `base_url` and `api_key`.
            **options: `callback_manager`, `system_prompt`, `max_retries` as LlamaIndex names them; and `thinking`
                (True or False), to be said in whatever way the class has.
        """
        raise NotImplementedError

    @pytest.fixture
    def llm(self, kimi: LocalKimi) -> FunctionCallingLLM:
        """With nothing set."""
        return self.make(kimi)

    @pytest.fixture(autouse=True)
    def no_event_loop(self) -> None:
        """LlamaIndex asks for the thread's event loop; one that Python then makes would never be closed."""
        asyncio.set_event_loop(None)

    @pytest.fixture
    def events(self) -> Iterator[list[Any]]:
        """The instrumentation events of a test, as they come."""
        dispatcher, recorder = get_dispatcher(), _Recorder()
        dispatcher.add_event_handler(recorder)
        _seen.clear()
        yield _seen
        dispatcher.event_handlers.remove(recorder)


class _Recorder(BaseEventHandler):
    def handle(self, event: Any, **kwargs: Any) -> None:
        _seen.append(event)


_seen: list[Any] = []

# --------------------------------------------------------------------------------------------------------- tools


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


ADD = FunctionTool.from_defaults(add)
CALL = {"name": "add", "arguments": {"a": 1, "b": 2}, "id": "add_0"}
OTHER_CALL = {"name": "add", "arguments": {"a": 3, "b": 4}, "id": "add_1"}

# ------------------------------------------------------------------------------------------------------- objects


class City(BaseModel):
    """A city."""

    name: str
    people: int


ASK = PromptTemplate("Tell me about {city}.")

# -------------------------------------------------------------------------------------------------------- frames


def frames(*deltas: dict[str, Any], finish: str = "stop") -> list[Any]:
    """Frames of a stream with these deltas."""
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "kimi-k2.6"}
    made = [{**head, "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    return [*made, {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}], "usage": usage}]


def tool_frames(*deltas: Any) -> list[Any]:
    """Frames of a stream whose tool calls come in exactly these deltas."""
    return frames(*({"tool_calls": delta} for delta in deltas), finish="tool_calls")


def named(index: int | None, id: str, arguments: str) -> dict[str, Any]:
    """A delta that begins a call of `add`."""
    place = {} if index is None else {"index": index}
    return {**place, "id": id, "type": "function", "function": {"name": "add", "arguments": arguments}}


# ---------------------------------------------------------------------------------------------------------- ways

Way = Callable[..., list[Any]]


def said(text: str) -> list[ChatMessage]:
    """One user message."""
    return [ChatMessage(role="user", content=text)]


def _called(name: str) -> Way:
    def way(llm: Any, *args: Any, **words: Any) -> list[Any]:
        return [getattr(llm, name)(*args, **words)]

    return way


def _awaited(name: str) -> Way:
    def way(llm: Any, *args: Any, **words: Any) -> list[Any]:
        async def ask() -> list[Any]:
            return [await getattr(llm, name)(*args, **words)]

        return asyncio.run(ask())

    return way


def _iterated(name: str) -> Way:
    def way(llm: Any, *args: Any, **words: Any) -> list[Any]:
        return list(getattr(llm, name)(*args, **words))

    return way


def _awaited_and_iterated(name: str) -> Way:
    def way(llm: Any, *args: Any, **words: Any) -> list[Any]:
        async def ask() -> list[Any]:
            return [item async for item in await getattr(llm, name)(*args, **words)]

        return asyncio.run(ask())

    return way


def ways(whole: str, stream: str) -> dict[str, Way]:
    """A method in its four ways; each gives everything that came, one item when it is not streamed."""
    return {
        "sync": _called(whole),
        "async": _awaited(f"a{whole}"),
        "stream": _iterated(stream),
        "astream": _awaited_and_iterated(f"a{stream}"),
    }


CHAT = ways("chat", "stream_chat")
COMPLETE = ways("complete", "stream_complete")
WITH_TOOLS = ways("chat_with_tools", "stream_chat_with_tools")
PREDICT = ways("structured_predict", "stream_structured_predict")


def each(table: dict[str, Way], name: str = "ask") -> pytest.MarkDecorator:
    """A test for each of the four ways."""
    return pytest.mark.parametrize(name, table.values(), ids=table.keys())


each_stream = pytest.mark.parametrize("ask", [CHAT["stream"], CHAT["astream"]], ids=["stream", "astream"])

# ------------------------------------------------------------------------------------------------------- reading


def texts(response: ChatResponse) -> list[str]:
    return [block.text for block in response.message.blocks if isinstance(block, TextBlock)]


def thoughts(response: ChatResponse) -> list[str]:
    return [block.content or "" for block in response.message.blocks if isinstance(block, ThinkingBlock)]


def calls(llm: FunctionCallingLLM, response: ChatResponse) -> list[tuple[str, Any]]:
    found = llm.get_tool_calls_from_response(response, error_on_no_tool_call=False)
    return [(call.tool_name, call.tool_kwargs) for call in found]


def sent(kimi: LocalKimi, index: int = -1) -> Any:
    """The body of a request as it came to the server."""
    return kimi.requests[index].body


def roles(messages: Sequence[Any]) -> list[str]:
    return [message["role"] for message in messages]
