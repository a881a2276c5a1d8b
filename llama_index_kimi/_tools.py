"""Tools: offered ones, calls as messages and responses record them, and making the calls."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole, ToolCallBlock
from llama_index.core.chat_engine.types import AgentChatResponse
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools.types import BaseTool, ToolOutput

from kimi_core import openai_shapes
from kimi_core.errors import ConfigError, MessageError, ToolNotCalledError
from kimi_core.media.left_out import stand_in
from kimi_core.quoting import bounded, quoted
from kimi_core.structured_output import dump, parse_partial, switch
from kimi_core.tool_arguments import parse_arguments
from kimi_core.types import JsonObject, LeftOutPart, Tool, ToolCall

# --------------------------------------------------------------------------------------------------- offering


def to_tool_dicts(tools: Any) -> list[JsonObject]:
    """Convert a list of tools; see `to_tool_dict`.

    Raises:
        ConfigError: If it is no list. An iterator would be used up by the first who looks.
    """
    if not isinstance(tools, Sequence) or isinstance(tools, str | bytes):
        raise ConfigError(f"tools must be a list of tools, got {quoted(tools)}.")
    return [to_tool_dict(tool) for tool in tools]


def to_tool_dict(tool: Any) -> JsonObject:
    """Convert a tool to OpenAI's form, under its own name: the core maps to and fro what the host cannot take.

    Raises:
        MessageError: If it is neither a tool nor a dict.
    """
    if isinstance(tool, Mapping):
        return dict(tool)
    metadata = getattr(tool, "metadata", None)
    if metadata is None:
        raise MessageError(
            f"{quoted(tool)} is no tool. Make one of a function with FunctionTool.from_defaults(function)."
        )
    function = {
        "name": metadata.get_name(),
        "description": metadata.description,
        "parameters": metadata.get_parameters_dict(),
    }
    return {"type": "function", "function": function}


def to_tools(tools: Any, *strict: bool | None) -> tuple[Tool, ...]:
    """Convert LlamaIndex's tools, or those in OpenAI's form, to the core's.

    Args:
        tools: The tools.
        *strict: Whether arguments are constrained to the schema, for tools that do not set it themselves: the first
            that is not None holds.

    Raises:
        ConfigError: If they are no list, or `strict` is neither True, False nor None.
        MessageError: If one of them is neither.
    """
    converted = tuple(map(openai_shapes.to_tool, to_tool_dicts(tools)))
    wish = next((value for given in strict if (value := switch("strict", given)) is not None), None)
    if wish is None:
        return converted
    return tuple(
        replace(tool, strict=wish) if tool.strict is None and tool.type == "function" else tool for tool in converted
    )


def to_conversation(history: Sequence[ChatMessage] | None, user_msg: str | ChatMessage | None) -> list[ChatMessage]:
    """Return history and message as a new list: the caller's stays as it is.

    Raises:
        MessageError: If one of them is no conversation.
    """
    if isinstance(history, str | bytes | ChatMessage) or not isinstance(history, Iterable | None):
        raise MessageError(f"chat_history must be a list of messages, not {type(history).__name__}.")
    if not isinstance(user_msg, str | ChatMessage | None):
        raise MessageError(f"user_msg must be text or a ChatMessage, not {type(user_msg).__name__}.")
    if isinstance(user_msg, str):
        user_msg = ChatMessage(role=MessageRole.USER, content=user_msg)
    return [*(history or ()), *([user_msg] if user_msg is not None else [])]


# ---------------------------------------------------------------------------------------------------- reading


def read_arguments(text: str) -> JsonObject | str:
    """Return arguments as an object, or the text itself when it is none."""
    try:
        return parse_arguments(text)
    except ValueError:
        return text


def selections_of(response: ChatResponse, error_on_no_tool_call: bool) -> list[ToolSelection]:
    """Return the calls of a response; of an unfinished one, as much of their arguments as can be read.

    Raises:
        ToolNotCalledError: If there are none, and that is an error.
    """
    found = _selections(response)
    if error_on_no_tool_call and not found:
        text = response.message.content or ""
        said = f"Expected at least one tool call, but the model made none. It answered: {text[:200]!r}"
        raise ToolNotCalledError(said, text=text)
    return found


def _selections(response: ChatResponse) -> list[ToolSelection]:
    message = response.message
    blocks = [block for block in message.blocks if isinstance(block, ToolCallBlock)]
    if not blocks:
        recorded = recorded_calls(message.additional_kwargs)
        return [_selection(call.id, call.name, call.arguments, True) for call in recorded if isinstance(call, ToolCall)]
    finished = "finish_reason" in response.additional_kwargs
    return [_selection(b.tool_call_id or "", b.tool_name, b.tool_kwargs, finished) for b in blocks]


def _selection(id_: str, name: str, arguments: JsonObject | str, finished: bool) -> ToolSelection:
    """Read of an unfinished answer as much as can be read, of a finished one all or nothing.

    A tool must not be run with half of its arguments.
    """
    if isinstance(arguments, str):
        value = read_arguments(arguments) if finished else parse_partial(arguments)
        arguments = value if isinstance(value, dict) else {}
    else:
        arguments = deepcopy(arguments)  # a tool may change what it is given; the message goes back as it came
    return ToolSelection(tool_id=id_, tool_name=name, tool_kwargs=arguments)


# ------------------------------------------------------------------ calls that other integrations have recorded

# OpenAI's Responses have `call_id` beside an id of the item, Bedrock `toolUseId`, LlamaIndex's own selection `tool_id`.
_IDS = ("call_id", "toolUseId", "tool_use_id", "tool_call_id", "tool_id", "id")
_NAMES = ("name", "tool_name")
# OpenAI and Ollama, Anthropic and Bedrock, Google, Cohere, LlamaIndex's own selection.
_ARGUMENTS = ("arguments", "input", "args", "parameters", "tool_kwargs")
_WRAPPERS = ("function", "toolUse", "tool_use", "function_call", "functionCall")


def recorded_calls(kwargs: Mapping[str, Any]) -> tuple[ToolCall | LeftOutPart, ...]:
    """Return the calls in a message's `additional_kwargs`; for what is no call, a text about it.

    Raises:
        MessageError: If they come as an iterator, which only a program can have put there.
    """
    return tuple(_recorded_call(call) or stand_in("a tool call") for call in _recorded(kwargs))


def _recorded(kwargs: Mapping[str, Any]) -> Iterable[Any]:
    recorded = kwargs.get("tool_calls")
    if isinstance(recorded, Mapping):
        return (recorded,)
    if isinstance(recorded, Iterator):
        raise MessageError("tool_calls of a message must be a list: an iterator is used up by the first call.")
    if isinstance(recorded, Iterable) and not isinstance(recorded, str):
        return recorded
    legacy = kwargs.get("function_call")  # OpenAI's before there were several
    return (legacy,) if legacy else (recorded,) if recorded else ()


def _recorded_call(call: Any) -> ToolCall | None:
    """Read a call in the shape of any provider, as a dict or as its SDK's object; None when it is no call."""
    if hasattr(call, "model_dump"):
        call = call.model_dump()
    if not isinstance(call, Mapping):
        return None
    inner: Mapping[str, Any] = next((call[key] for key in _WRAPPERS if isinstance(call.get(key), Mapping)), {})
    known: JsonObject = {**call, **{key: value for key, value in inner.items() if value is not None}}
    name = _first(known, _NAMES)
    if not isinstance(name, str) or not name:
        return None
    arguments = _first(known, _ARGUMENTS)
    text = arguments if isinstance(arguments, str) else dump(arguments) if arguments else ""
    kind = "builtin_function" if call.get("type") == "builtin_function" else "function"
    return ToolCall(str(_first(known, _IDS) or ""), name, text, kind)


def _first(known: JsonObject, keys: tuple[str, ...]) -> Any:
    return next((known[key] for key in keys if known.get(key) is not None), None)


def answered_call_id(kwargs: Mapping[str, Any]) -> str | None:
    """Return the id of the call that a tool's message answers, as far as it has one."""
    known = (kwargs.get(key) for key in ("tool_call_id", *_IDS[:-1]))
    found = next((id_ for id_ in known if isinstance(id_, str | int)), None)
    return None if found is None else str(found)


def match_recorded(calls: Iterable[tuple[str | None, str]], recorded: Iterable[ToolCall]) -> Iterator[ToolCall | None]:
    """Yield what was recorded of each call.

    Args:
        calls: Id and name of each; one without an id is the next of its name.
        recorded: What was recorded.
    """
    waiting = list(recorded)
    for id_, name in calls:
        found = next((call for call in waiting if (call.id == id_ if id_ else call.name == name)), None)
        if found is not None:
            waiting.remove(found)
        yield found


# ---------------------------------------------------------------------------------------------------- calling


def with_react_defaults(kwargs: JsonObject) -> JsonObject:
    """Return arguments with what LlamaIndex's agent needs when it prompts for a tool: it takes no None there."""
    from llama_index.core.agent.react.formatter import ReActChatFormatter
    from llama_index.core.agent.react.output_parser import ReActOutputParser

    return {"react_chat_formatter": ReActChatFormatter(), "output_parser": ReActOutputParser(), **kwargs}


def call_tool(call: ToolSelection, tools: Sequence[BaseTool], verbose: bool) -> ToolOutput:
    """Make a call that the model asked for."""
    from llama_index.core.tools.calling import call_tool_with_selection

    own = [tool for tool in tools if not isinstance(tool, Mapping)]  # calls of the host's own never come here
    return _missing(call, own) or call_tool_with_selection(call, own, verbose=verbose)


async def acall_tool(call: ToolSelection, tools: Sequence[BaseTool], verbose: bool) -> ToolOutput:
    """See `call_tool`."""
    from llama_index.core.tools.calling import acall_tool_with_selection

    own = [tool for tool in tools if not isinstance(tool, Mapping)]
    return _missing(call, own) or await acall_tool_with_selection(call, own, verbose=verbose)


called = list
"""Makes several calls, one after the other."""


async def acalled(calls: Iterable[Awaitable[ToolOutput]]) -> list[ToolOutput]:
    """Make several calls at once."""
    return await asyncio.gather(*calls)


def _missing(call: ToolSelection, tools: Sequence[BaseTool]) -> ToolOutput | None:
    """Return the answer to a call of a tool that was never offered: models now and then make one."""
    names = [str(tool.metadata.name) for tool in tools]
    if call.tool_name in names:
        return None
    text = f"There is no tool {quoted(call.tool_name)}. The tools are: {', '.join(names)}."
    return ToolOutput(
        content=text, tool_name=call.tool_name, raw_input=call.tool_kwargs, raw_output=text, is_error=True
    )


def to_agent_response(
    response: ChatResponse, outputs: list[ToolOutput], error_on_tool_error: bool
) -> AgentChatResponse:
    """Return what the tools answered, or what the model did when it called none.

    Raises:
        ValueError: If a tool failed, and that is an error.
    """
    text = "\n\n".join(output.content for output in outputs)
    if error_on_tool_error and any(output.is_error for output in outputs):
        raise ValueError(bounded(text))
    return AgentChatResponse(response=text if outputs else response.message.content or "", sources=outputs)
