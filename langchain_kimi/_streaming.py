"""The core's events as LangChain's chunks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

from langchain_core.messages import AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk

from kimi_core.events import Event, Finished, ReasoningDelta, RefusalDelta, ResponseBuilder, TextDelta, ToolCallDelta
from kimi_core.types import JsonObject, Reasoning, Response
from langchain_kimi._messages_in import PROVIDER
from langchain_kimi._messages_out import (
    MessageFormat,
    close_arguments,
    original_arguments,
    parse_calls,
    reasoning_block,
    to_kwargs,
    to_metadata,
    to_refusal,
    to_usage,
)
from langchain_kimi._strict import Escaper, HalfEscapes

_M = TypeVar("_M")

COALESCE = 256
"""Characters of tool arguments that are handed on at once.

LangChain parses the partial JSON of every chunk as it is made (0.4 ms for 100 characters), so that handing on
single tokens costs more than everything else together.
"""

# Blocks of a stream carry string indexes: with the host's numbers a text and a tool call would both be 0, and
# LangChain would merge them.
REASONING_INDEX = "lc_rs_{}"
TEXT_INDEX = "lc_txt_{}"
CALL_INDEX = "lc_tc_{}"


class ChunkMaker:
    """Makes the chunks of one stream.

    Metadata and usage come on the last chunk alone: LangChain adds up what it finds on several.
    """

    def __init__(self, message_format: MessageFormat) -> None:
        self._message_format = message_format
        self._template: ChunkTemplate = _templates[message_format.v1]
        self._builder = ResponseBuilder()
        self._prefill = message_format.prefill
        self._key: str | None = None
        self._call: ToolCallDelta | None = None
        self._pending: list[str] = []
        self._size = 0
        self._escapers: dict[int, Escaper] = {}
        self._halves: dict[int, HalfEscapes] = {}

    def feed(self, event: Event) -> list[ChatGenerationChunk]:
        """Chunks that are ready after one event."""
        if type(event) is TextDelta:
            text = event.text
            if self._prefill:
                text, self._prefill = self._prefill + text, ""
            return [*self._flush(), self._template.text(text)]
        if type(event) is ReasoningDelta:
            self._key = event.key
            return [*self._flush(), self._template.reasoning(event.text)]
        if type(event) is ToolCallDelta:
            return self._tool_call(event)
        if type(event) is RefusalDelta:
            return [*self._flush(), self._template.refusal(event.text)]
        self._builder.add(event)
        return [*self._flush(), *self._unsaid(), *self._ends()] if type(event) is Finished else []

    def _unsaid(self) -> list[ChatGenerationChunk]:
        """What is continued, when nothing else is said."""
        text, self._prefill = self._prefill, ""
        return [self._template.text(text)] if text else []

    def _tool_call(self, delta: ToolCallDelta) -> list[ChatGenerationChunk]:
        if delta.index and self._message_format.single_call:
            return []
        self._builder.add(delta)
        ready = self._unsaid()
        if self._call and self._call.index != delta.index:
            ready += self._flush()
        if self._call is None:
            self._call = delta
        self._pending.append(delta.arguments)
        self._size += len(delta.arguments)
        return [*ready, *self._flush()] if self._size >= COALESCE or delta.name else ready

    def _flush(self) -> list[ChatGenerationChunk]:
        call, arguments = self._call, "".join(self._pending)
        if call is None:
            return []
        self._call, self._size = None, 0
        self._pending.clear()
        if call.index in self._halves or "\\" in arguments:
            arguments = self._halves.setdefault(call.index, HalfEscapes()).feed(arguments)
        if self._message_format.events:
            arguments = self._escapers.setdefault(call.index, Escaper()).feed(arguments)
        return [self._call_chunk(call, arguments)]

    def _call_chunk(self, call: ToolCallDelta, arguments: str) -> ChatGenerationChunk:
        part = tool_call_chunk(name=call.name, args=arguments, id=call.id, index=call.index)
        block = {"type": "tool_call_chunk", "id": call.id, "name": call.name, "args": arguments}
        index = CALL_INDEX.format(call.index)
        content = (
            [{**{k: v for k, v in block.items() if v is not None}, "index": index}] if self._message_format.v1 else ""
        )
        message = AIMessageChunk(
            content=content,
            tool_call_chunks=[part],
            response_metadata=self._template.metadata.copy(),
        )
        return ChatGenerationChunk(message=message)

    def _ends(self) -> list[ChatGenerationChunk]:
        """The last chunks."""
        response = self._builder.response()
        valid, invalid = parse_calls(response.tool_calls)
        broken, events = {call["id"] for call in invalid}, self._message_format.events
        ends = {i: halves.rest() for i, halves in self._halves.items()}
        for i, call in enumerate(response.tool_calls):
            if call.id in broken:
                ends[i] = ends.get(i, "") + close_arguments(call.arguments, events=events)
        seals = [self._call_chunk(ToolCallDelta(i, end), end) for i, end in ends.items() if end]
        return [
            *seals,
            self._last(response, original_arguments(response.tool_calls, valid, broken if seals or events else ())),
        ]

    def _last(self, response: Response, kwargs: JsonObject) -> ChatGenerationChunk:
        content: Any = [] if self._message_format.v1 else ""
        details = response.reasoning.details if response.reasoning else ()
        if details and self._message_format.v1:
            content = [{**reasoning_block("", details), "index": self._template.reasoning_index}]
        elif details:
            kwargs = {**to_kwargs(Reasoning("", details=details)), **kwargs}
        if self._key is not None:  # the text went out with its chunks
            response = replace(response, reasoning=Reasoning("", self._key))
        message = AIMessageChunk(
            content=content,
            additional_kwargs=kwargs,
            usage_metadata=to_usage(response.usage),
            response_metadata=to_metadata(response, self._message_format),
            chunk_position="last",
        )
        return ChatGenerationChunk(message=message)


class ChunkTemplate:
    """Makes light chunks: copies of one that was validated, each with its own lists and dicts.

    A stream makes thousands, and LangChain keeps them all until it ends. Validation costs twice what the rest of a
    chunk does, and every object less spares the garbage collector (12 of 36 µs a chunk at 10,000 chunks). The set
    of given field names is the one thing that copies share; it is the same for all of them.
    """

    reasoning_index = ""
    """The index of blocks of reasoning; only where there are blocks."""

    def __init__(self, metadata: dict[str, str]) -> None:
        self.metadata = metadata
        message = AIMessageChunk(content="", id=None, additional_kwargs={}, response_metadata=metadata)
        self._message = message.__dict__
        self._fresh = [(k, type(v)) for k, v in message.__dict__.items() if type(v) in (list, dict) and not v]
        self._chunk = ChatGenerationChunk(message=message, text="").__dict__
        self._names = {*message.model_fields_set, *ChatGenerationChunk.model_fields}

    def text(self, text: str) -> ChatGenerationChunk:
        """A chunk of text."""
        return self._make(text, text, {})

    def reasoning(self, text: str) -> ChatGenerationChunk:
        """A chunk of reasoning."""
        return self._make("", "", {"reasoning_content": text})

    def refusal(self, text: str) -> ChatGenerationChunk:
        """A chunk of a refusal."""
        return self._make("", self._message["content"], to_refusal(text))

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


def chunk_maker(message_format: MessageFormat) -> ChunkMaker:
    """What makes the chunks of a stream."""
    if not message_format.served:
        return ChunkMaker(message_format)
    from langchain_kimi._server_tools import ServedChunkMaker  # with the first server tool

    return ServedChunkMaker(message_format)


_set = object.__setattr__
_templates = {
    False: ChunkTemplate({"model_provider": PROVIDER}),
    True: BlockTemplate(),
}
