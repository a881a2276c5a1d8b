"""What a framework and the HTTP library take themselves: classes that convert nothing and know one request.

They are as thin as a class of the framework can be: the framework's own methods, one request of the HTTP library with
a body that was written before, and an answer made of the parsed JSON. Of a stream they parse nothing: each read of the
network is one chunk, made before. Nothing is checked, no error is told, no header is anybody's own. What `ChatKimi` and
`KimiLLM` take beyond it is their own.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import llama_index.core.base.llms.types as li
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from llama_index.core.llms.callbacks import llm_chat_callback
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from pydantic import Field

from kimi_core.transport import clients

HEADERS = {"Content-Type": "application/json", "Authorization": "Bearer k"}


class Host:
    """One request to one address, ready to be sent again and again."""

    def __init__(self, url: str, content: bytes) -> None:
        self.client = clients.library().Client()
        self.asynchronous: Any = None
        """The asynchronous client, while an event loop has one."""
        self._url = f"{url}/chat/completions"
        self._content = content

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        limits = clients.library().Limits(max_connections=1000, max_keepalive_connections=100)
        async with clients.library().AsyncClient(limits=limits) as self.asynchronous:
            yield

    def request(self, client: Any) -> Any:
        return client.build_request("POST", self._url, content=self._content, headers=HEADERS)

    def message(self) -> dict[str, Any]:
        return said(self.client.send(self.request(self.client)))

    async def amessage(self) -> dict[str, Any]:
        return said(await self.asynchronous.send(self.request(self.asynchronous)))

    def reads(self) -> Iterator[bytes]:
        response = self.client.send(self.request(self.client), stream=True)
        try:
            yield from response.iter_raw()
        finally:
            response.close()

    async def areads(self) -> AsyncIterator[bytes]:
        response = await self.asynchronous.send(self.request(self.asynchronous), stream=True)
        try:
            async for data in response.aiter_raw():
                yield data
        finally:
            await response.aclose()


def said(response: Any) -> dict[str, Any]:
    """Return the message of an answer."""
    message: dict[str, Any] = json.loads(response.content)["choices"][0]["message"]
    return message


class LangChainFloor(BaseChatModel):
    """The least of a chat model of LangChain."""

    host: Any = Field(exclude=True)

    @property
    def _llm_type(self) -> str:
        return "floor"

    def bind_tools(self, tools: Any, **options: Any) -> Runnable[Any, Any]:
        return self.bind(tools=tools)

    def _generate(self, messages: list[BaseMessage], *_: Any, **options: Any) -> ChatResult:
        return result(self.host.message())

    async def _agenerate(self, messages: list[BaseMessage], *_: Any, **options: Any) -> ChatResult:
        return result(await self.host.amessage())

    def _stream(self, messages: list[BaseMessage], *_: Any, **options: Any) -> Iterator[ChatGenerationChunk]:
        return (chunk() for _ in self.host.reads())

    async def _astream(
        self, messages: list[BaseMessage], *_: Any, **options: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        async for _ in self.host.areads():
            yield chunk()


CHUNK = ChatGenerationChunk(message=AIMessageChunk(" words"))


def chunk() -> ChatGenerationChunk:
    """Return a chunk that was checked before: LangChain writes into what it is given, so each is one of its own."""
    made = copied(CHUNK)
    made.message = copied(CHUNK.message)
    return made


def copied(made: Any) -> Any:
    """Return a copy of an object of pydantic with nothing but its fields."""
    kind = type(made)
    other = kind.__new__(kind)
    object.__setattr__(other, "__dict__", {**made.__dict__})
    for name in ("__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__"):
        object.__setattr__(other, name, getattr(made, name))
    return other


def result(said: dict[str, Any]) -> ChatResult:
    """Return LangChain's result of a message."""
    calls = [
        {"name": call["function"]["name"], "args": json.loads(call["function"]["arguments"]), "id": call["id"]}
        for call in said.get("tool_calls", ())
    ]
    return ChatResult(generations=[ChatGeneration(message=AIMessage(said["content"], tool_calls=calls))])


class LlamaIndexFloor(FunctionCallingLLM):
    """The least of an LLM of LlamaIndex that calls functions."""

    host: Any = Field(exclude=True)

    @property
    def metadata(self) -> li.LLMMetadata:
        return li.LLMMetadata(is_function_calling_model=True, is_chat_model=True)

    @llm_chat_callback()
    def chat(self, messages: Any, **options: Any) -> li.ChatResponse:
        return response(self.host.message())

    @llm_chat_callback()
    async def achat(self, messages: Any, **options: Any) -> li.ChatResponse:
        return response(await self.host.amessage())

    @llm_chat_callback()
    def stream_chat(self, messages: Any, **options: Any) -> Iterator[li.ChatResponse]:
        return (copied(RESPONSE) for _ in self.host.reads())

    @llm_chat_callback()
    async def astream_chat(self, messages: Any, **options: Any) -> AsyncIterator[li.ChatResponse]:
        async def responses() -> AsyncIterator[li.ChatResponse]:
            async for _ in self.host.areads():
                yield copied(RESPONSE)

        return responses()

    def _prepare_chat_with_tools(
        self, tools: Any, user_msg: Any = None, chat_history: Any = None, *_: Any, **__: Any
    ) -> dict[str, Any]:
        return {"messages": [*(chat_history or []), *([user_msg] if user_msg else [])]}

    def get_tool_calls_from_response(self, response: Any, *_: Any, **__: Any) -> list[ToolSelection]:
        return [
            ToolSelection(tool_id=block.tool_call_id, tool_name=block.tool_name, tool_kwargs=block.tool_kwargs)
            for block in response.message.blocks
            if isinstance(block, li.ToolCallBlock)
        ]

    def _unused(self, *_: Any, **__: Any) -> Any:
        """Stand in for what the base class wants and nothing here calls."""
        raise NotImplementedError

    complete = stream_complete = acomplete = astream_complete = _unused


RESPONSE = li.ChatResponse(message=li.ChatMessage("words", role="assistant"), delta=" words")


def response(said: dict[str, Any]) -> li.ChatResponse:
    """Return LlamaIndex's response of a message."""
    blocks: list[Any] = [
        li.ToolCallBlock(
            tool_call_id=call["id"],
            tool_name=call["function"]["name"],
            tool_kwargs=json.loads(call["function"]["arguments"]),
        )
        for call in said.get("tool_calls", ())
    ]
    blocks += [li.TextBlock(text=said["content"])] if said["content"] else []
    return li.ChatResponse(message=li.ChatMessage(role="assistant", blocks=blocks))


def floors(url: str, content: bytes) -> tuple[LangChainFloor, LlamaIndexFloor]:
    """Return the least of a class in each framework, for a host and a body."""
    host = Host(url, content)
    return LangChainFloor(host=host), LlamaIndexFloor(host=host)
