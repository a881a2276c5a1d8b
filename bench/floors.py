"""What a framework itself takes: classes that convert nothing and know one request.

They are as thin as a class of the framework can be that goes through the SDK: the framework's own methods, one raw
request of the SDK with a body that was written before, and an answer made of the parsed JSON. No class that goes the
framework's own way costs less, unless it leaves out the SDK; what `ChatKimi` and `KimiLLM` take beyond it is their own.
"""

from __future__ import annotations

import json
from typing import Any

import llama_index.core.base.llms.types as li
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from llama_index.core.llms.callbacks import llm_chat_callback
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from openai import OpenAI

from kimi_core.transport import clients


def posted(client: Any, content: bytes) -> dict[str, Any]:
    """Send a body that is ready; return the answer's message."""
    headers = {"Content-Type": "application/json"}
    response = client.post(
        "/chat/completions", content=content, cast_to=clients.library().Response, options={"headers": headers}
    )
    return json.loads(response.content)["choices"][0]["message"]


class LangChainFloor(BaseChatModel):
    """The least of a chat model of LangChain."""

    client: Any
    content: bytes

    @property
    def _llm_type(self) -> str:
        return "floor"

    def bind_tools(self, tools: Any, **options: Any) -> Runnable[Any, Any]:
        return self.bind(tools=tools)

    def _generate(self, messages: list[BaseMessage], *_: Any, **options: Any) -> ChatResult:
        said = posted(self.client, self.content)
        calls = [
            {"name": call["function"]["name"], "args": json.loads(call["function"]["arguments"]), "id": call["id"]}
            for call in said.get("tool_calls", ())
        ]
        return ChatResult(generations=[ChatGeneration(message=AIMessage(said["content"], tool_calls=calls))])


class LlamaIndexFloor(FunctionCallingLLM):
    """The least of an LLM of LlamaIndex that calls functions."""

    client: Any
    content: bytes

    @property
    def metadata(self) -> li.LLMMetadata:
        return li.LLMMetadata(is_function_calling_model=True, is_chat_model=True)

    @llm_chat_callback()
    def chat(self, messages: Any, **options: Any) -> li.ChatResponse:
        said = posted(self.client, self.content)
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

    complete = stream_complete = stream_chat = _unused
    acomplete = achat = astream_complete = astream_chat = _unused


def floors(url: str, content: bytes) -> tuple[LangChainFloor, LlamaIndexFloor]:
    """Return the least of a class in each framework, for a host and a body."""
    client = OpenAI(base_url=url, api_key="k", max_retries=0)
    return LangChainFloor(client=client, content=content), LlamaIndexFloor(client=client, content=content)
