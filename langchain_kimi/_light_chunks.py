"""Light chunks: copies of one that was validated, each with its own lists and dicts.

A stream makes thousands, and LangChain keeps them all until it ends. Validation costs twice what the rest of a chunk
does, and every object less spares the garbage collector (12 of 36 µs a chunk at 10,000 chunks).
"""

from __future__ import annotations

from typing import Any, TypeVar

from langchain_core.messages import AIMessageChunk
from langchain_core.messages.tool import ToolCallChunk, invalid_tool_call, tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk

from langchain_kimi._messages_in import PROVIDER
from langchain_kimi._messages_out import REASONING_INDEX, TEXT_INDEX, to_refusal

_M = TypeVar("_M")


class ChunkTemplate:
    """Makes chunks of text, of reasoning, and of the middle of a tool call's arguments.

    The set of given field names is the one thing that copies share; it is the same for all of a kind.
    """

    reasoning_index = ""
    """The index of blocks of reasoning; only where there are blocks."""

    def __init__(self, metadata: dict[str, str]) -> None:
        self.metadata = metadata
        message = AIMessageChunk(content="", id=None, additional_kwargs={}, response_metadata=metadata)
        self._message = message.__dict__
        call = AIMessageChunk(content="", tool_call_chunks=[tool_call_chunk(args="x")], response_metadata=metadata)
        self._call_names = {*call.model_fields_set}
        self._fresh = [(k, type(v)) for k, v in message.__dict__.items() if type(v) in (list, dict) and not v]
        self._chunk = ChatGenerationChunk(message=message, text="").__dict__
        self._names = {*message.model_fields_set, *ChatGenerationChunk.model_fields}

    def text(self, text: str) -> ChatGenerationChunk:
        """Return a chunk of text."""
        return self._make(text, text, {})

    def reasoning(self, text: str) -> ChatGenerationChunk:
        """Return a chunk of reasoning."""
        return self._make("", "", {"reasoning_content": text})

    def refusal(self, text: str) -> ChatGenerationChunk:
        """Return a chunk of a refusal."""
        return self._make("", self._message["content"], to_refusal(text))

    def arguments(self, part: ToolCallChunk, content: Any) -> ChatGenerationChunk:
        """Return a chunk of arguments that cannot begin an object.

        LangChain's validator would parse them, and then keep them as an invalid call.
        """
        made = self._make("", content, {})
        fields = made.message.__dict__
        fields["tool_call_chunks"] = [part]
        fields["invalid_tool_calls"] = [
            invalid_tool_call(name=part["name"], args=part["args"], id=part["id"], error=None)
        ]
        _set(made.message, "__pydantic_fields_set__", self._call_names)
        return made

    def _make(self, text: str, content: Any, kwargs: dict[str, str]) -> ChatGenerationChunk:
        fields = self._message.copy()
        for name, kind in self._fresh:
            fields[name] = kind()
        fields["content"] = content
        fields["additional_kwargs"] = kwargs
        fields["response_metadata"] = self.metadata.copy()
        chunk = self._chunk.copy()
        chunk["text"] = text
        chunk["message"] = self._cast(AIMessageChunk, fields, {})
        return self._cast(ChatGenerationChunk, chunk, None)

    def _cast(self, cls: type[_M], fields: dict[str, Any], extra: dict[str, Any] | None) -> _M:
        made = cls.__new__(cls)
        _set(made, "__dict__", fields)
        _set(made, "__pydantic_fields_set__", self._names)
        _set(made, "__pydantic_extra__", extra)
        _set(made, "__pydantic_private__", None)
        return made


class BlockTemplate(ChunkTemplate):
    """The same with standard blocks as content: those of one turn of an answer, the first unless server tools run."""

    def __init__(self, turn: int = 0) -> None:
        super().__init__({"model_provider": PROVIDER, "output_version": "v1"})
        self.text_index, self.reasoning_index = TEXT_INDEX.format(turn), REASONING_INDEX.format(turn)

    def text(self, text: str) -> ChatGenerationChunk:
        return self._make(text, [{"type": "text", "text": text, "index": self.text_index}], {})

    def reasoning(self, text: str) -> ChatGenerationChunk:
        return self._make("", [{"type": "reasoning", "reasoning": text, "index": self.reasoning_index}], {})


_set = object.__setattr__
TEMPLATES = {
    False: ChunkTemplate({"model_provider": PROVIDER}),
    True: BlockTemplate(),
}
