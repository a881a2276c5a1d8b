"""LlamaIndex's messages that were converted before, and what is read of them."""

from __future__ import annotations

from typing import Any, Final

from llama_index.core.base.llms.types import ChatMessage, MessageRole, TextBlock, ThinkingBlock, ToolCallBlock

from kimi_core.remembered import BREAK, Remembered
from kimi_core.server_tool_record import TURNS

_OF_ASSISTANTS: Final = (MessageRole.ASSISTANT, MessageRole.CHATBOT, MessageRole.MODEL)


def _read(message: ChatMessage) -> list[Any] | None:
    read = message.__dict__
    role, kwargs = read["role"], read["additional_kwargs"]
    if TURNS in kwargs:
        return None
    row = [role, *kwargs, *kwargs.values()]
    for block in read["blocks"]:
        kind = type(block)
        if kind is TextBlock:
            row += (BREAK, "text", block.block_type, block.text)
        elif role not in _OF_ASSISTANTS:  # what is left out there is warned of each time
            return None
        elif kind is ThinkingBlock:
            known = block.additional_information
            row += (BREAK, "thinking", block.block_type, block.content, *known, *known.values())
        elif kind is ToolCallBlock:
            args = block.tool_kwargs
            row += (BREAK, "call", block.block_type, block.tool_call_id, block.tool_name)
            row += (*args, *args.values()) if type(args) is dict else ("as text", args, None)
        else:
            return None
    return row


MESSAGES: Final[Remembered[ChatMessage]] = Remembered({ChatMessage: _read})
