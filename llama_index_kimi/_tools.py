"""Tool calling: offering tools, reading the calls of a response, and making them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole, ToolCallBlock
from llama_index.core.chat_engine.types import AgentChatResponse
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools.types import BaseTool, ToolOutput

from kimi_core.quoting import bounded, quoted
from kimi_core.structured_output import parse_partial
from kimi_core.types import JsonObject, ToolCall
from llama_index_kimi._messages_in import read_arguments
from llama_index_kimi._offers import to_tool_dict
from llama_index_kimi._recorded_calls import recorded_calls
from llama_index_kimi._tracing import traced


class ToolCalling(FunctionCallingLLM):
    """The part of `KimiLLM` that is about tools."""

    @traced
    def _prepare_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        tool_required: bool = False,
        tool_choice: str | JsonObject | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Arguments for `chat`. A tool choice wins over `tool_required`; without tools neither means anything."""
        prepared = {**kwargs, "messages": _conversation(chat_history, user_msg)}
        if tools:
            prepared["tools"] = [to_tool_dict(tool) for tool in tools]
            prepared["allow_parallel_tool_calls"] = allow_parallel_tool_calls
            if choice := tool_choice or ("required" if tool_required else None):
                prepared["tool_choice"] = choice
        return prepared

    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        """The calls that a response asks for; of an unfinished one, as much of their arguments as can be read.

        Raises:
            ValueError: There are none, and that is an error.
        """
        found = _selections(response)
        if error_on_no_tool_call and not found:
            raise ValueError(
                "Expected at least one tool call, but the model made none. "
                f"It answered: {(response.message.content or '')[:200]!r}"
            )
        return found

    @traced
    def predict_and_call(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        error_on_no_tool_call: bool = True,
        error_on_tool_error: bool = False,
        **kwargs: Any,
    ) -> AgentChatResponse:
        """Have the model choose a tool, and call it."""
        if not self.metadata.is_function_calling_model:
            return super().predict_and_call(tools, user_msg, chat_history, verbose, **_reacting(kwargs))
        response = self.chat_with_tools(tools, user_msg, chat_history, verbose, allow_parallel_tool_calls, **kwargs)
        calls = self.get_tool_calls_from_response(response, error_on_no_tool_call)
        own = _callable(tools)
        outputs = [_call(call, own, verbose) for call in calls]
        return _to_agent_response(response, outputs, error_on_tool_error)

    @traced
    async def apredict_and_call(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        error_on_no_tool_call: bool = True,
        error_on_tool_error: bool = False,
        **kwargs: Any,
    ) -> AgentChatResponse:
        """See `predict_and_call`. Several calls are made at once."""
        if not self.metadata.is_function_calling_model:
            return await super().apredict_and_call(tools, user_msg, chat_history, verbose, **_reacting(kwargs))
        response = await self.achat_with_tools(
            tools, user_msg, chat_history, verbose, allow_parallel_tool_calls, **kwargs
        )
        calls = self.get_tool_calls_from_response(response, error_on_no_tool_call)
        own = _callable(tools)
        outputs = await asyncio.gather(*[_acall(call, own, verbose) for call in calls])
        return _to_agent_response(response, outputs, error_on_tool_error)


def _reacting(words: JsonObject) -> JsonObject:
    """With what LlamaIndex's agent needs when it prompts for a tool: it takes no None, which it is given otherwise."""
    from llama_index.core.agent.react.formatter import ReActChatFormatter
    from llama_index.core.agent.react.output_parser import ReActOutputParser

    return {"react_chat_formatter": ReActChatFormatter(), "output_parser": ReActOutputParser(), **words}


def _conversation(history: Sequence[ChatMessage] | None, user_msg: str | ChatMessage | None) -> list[ChatMessage]:
    """A new list: the caller's stays as it is."""
    if user_msg is None:
        return [*(history or ())]
    if isinstance(user_msg, str):
        user_msg = ChatMessage(role=MessageRole.USER, content=user_msg)
    return [*(history or ()), user_msg]


# ---------------------------------------------------------------------------------------------------- reading


def _selections(response: ChatResponse) -> list[ToolSelection]:
    message = response.message
    blocks = [block for block in message.blocks if isinstance(block, ToolCallBlock)]
    if not blocks:
        recorded = recorded_calls(message.additional_kwargs)
        return [_selection(call.id, call.name, call.arguments, True) for call in recorded if isinstance(call, ToolCall)]
    finished = "finish_reason" in response.additional_kwargs
    return [_selection(b.tool_call_id or "", b.tool_name, b.tool_kwargs, finished) for b in blocks]


def _selection(id_: str, name: str, arguments: JsonObject | str, finished: bool) -> ToolSelection:
    """Of an unfinished answer as much as can be read; of a finished one all or nothing.

    A tool must not be run with half of its arguments.
    """
    if isinstance(arguments, str):
        value = read_arguments(arguments) if finished else parse_partial(arguments)
        arguments = value if isinstance(value, dict) else {}
    else:
        arguments = deepcopy(arguments)  # a tool may change what it is given; the message goes back as it came
    return ToolSelection(tool_id=id_, tool_name=name, tool_kwargs=arguments)


# ---------------------------------------------------------------------------------------------------- calling


def _callable(tools: Sequence[BaseTool]) -> list[BaseTool]:
    """Without those that are dicts: of the host's own, the calls never come here."""
    return [tool for tool in tools if not isinstance(tool, Mapping)]


def _call(call: ToolSelection, tools: Sequence[BaseTool], verbose: bool) -> ToolOutput:
    from llama_index.core.tools.calling import call_tool_with_selection

    return _missing(call, tools) or call_tool_with_selection(call, tools, verbose=verbose)


async def _acall(call: ToolSelection, tools: Sequence[BaseTool], verbose: bool) -> ToolOutput:
    from llama_index.core.tools.calling import acall_tool_with_selection

    return _missing(call, tools) or await acall_tool_with_selection(call, tools, verbose=verbose)


def _missing(call: ToolSelection, tools: Sequence[BaseTool]) -> ToolOutput | None:
    """What is said of a tool that was never offered: models now and then call one."""
    names = [str(tool.metadata.name) for tool in tools]
    if call.tool_name in names:
        return None
    text = f"There is no tool {quoted(call.tool_name)}. The tools are: {', '.join(names)}."
    return ToolOutput(
        content=text, tool_name=call.tool_name, raw_input=call.tool_kwargs, raw_output=text, is_error=True
    )


def _to_agent_response(
    response: ChatResponse, outputs: Iterable[ToolOutput], error_on_tool_error: bool
) -> AgentChatResponse:
    """What the tools said; what the model said when it called none."""
    sources = list(outputs)
    text = "\n\n".join(output.content for output in sources)
    if error_on_tool_error and any(output.is_error for output in sources):
        raise ValueError(bounded(text))
    return AgentChatResponse(response=text if sources else response.message.content or "", sources=sources)
