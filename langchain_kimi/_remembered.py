"""LangChain's messages that were converted before, and what is read of them."""

from __future__ import annotations

from operator import itemgetter
from typing import Any, Final

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from kimi_core.remembered import BREAK, Remembered
from kimi_core.server_tool_record import TURNS

_BLOCKS: Final = frozenset(("text", "reasoning", "tool_call"))
"""Blocks of answers that are converted without a warning, each by itself."""

_said = itemgetter("type", "name", "content")
_result = itemgetter("type", "name", "content", "tool_call_id")


def _read_said(message: BaseMessage) -> tuple[Any, ...] | None:
    read = _said(message.__dict__)
    return read if type(read[2]) is str else None


def _read_result(message: BaseMessage) -> tuple[Any, ...] | None:
    read = _result(message.__dict__)
    return read if type(read[2]) is str else None


def _read_answer(message: BaseMessage) -> list[Any] | None:
    read = message.__dict__
    content, kwargs, metadata = read["content"], read["additional_kwargs"], read["response_metadata"]
    if read["invalid_tool_calls"] != [] or TURNS in kwargs or (type(content) is not str and not _is_own(content)):
        return None
    provider, key = metadata.get("model_provider"), metadata.get("reasoning_key", BREAK)
    row = [read["type"], read["name"], content, provider, key, *kwargs, *kwargs.values()]
    for call in read["tool_calls"]:
        args = call["args"]
        row += (BREAK, call["name"], call["id"], *args, *args.values())
    return row


def _is_own(content: Any) -> bool:
    return type(content) is list and all(type(block) is dict and block.get("type") in _BLOCKS for block in content)


MESSAGES: Final[Remembered[BaseMessage]] = Remembered(
    {
        HumanMessage: _read_said,
        SystemMessage: _read_said,
        ToolMessage: _read_result,
        AIMessage: _read_answer,
        AIMessageChunk: _read_answer,
    }
)
