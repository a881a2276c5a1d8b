"""The chunks of a stream in which server tools are run."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk

from kimi_core import server_tool_record
from kimi_core.events import (
    Event,
    Finished,
    ReasoningDelta,
    ServerToolCall,
    ServerToolResult,
    ServerToolTurnEnded,
    TextDelta,
)
from kimi_core.types import JsonObject, Reasoning
from langchain_kimi._messages_out import MessageFormat
from langchain_kimi._streaming import BlockTemplate, ChunkMaker
from langchain_kimi._turns import call_block, result_block, thought_block

# The blocks of each turn have indexes of their own, so that LangChain does not merge them with those before.
_SERVED_INDEX = "lc_st_{}_{}"


class ServedChunkMaker(ChunkMaker):
    """A `ChunkMaker` that tells the turns of an answer apart."""

    def __init__(self, message_format: MessageFormat) -> None:
        super().__init__(message_format)
        self._turn = 0
        self._begin()

    def _begin(self) -> None:
        """Begin a turn."""
        self._said: list[str] = []
        self._thought: list[str] = []
        self._calls = self._blocks = 0

    def feed(self, event: Event) -> list[ChatGenerationChunk]:
        match event:
            case TextDelta():
                self._said.append(self._prefill + event.text)
            case ReasoningDelta():
                self._thought.append(event.text)
            case ServerToolCall():
                return [*self._flush(), *self._unsaid(), self._server_call(event)]
            case ServerToolResult():
                return [self._server_result(event)]
            case ServerToolTurnEnded():
                return self._turned(event)
            case Finished() if self._calls and not self._message_format.v1:
                return [self._record({"open": True}), *super().feed(event)]
        return super().feed(event)

    def _unsaid(self) -> list[ChatGenerationChunk]:
        self._said.append(self._prefill)
        return super()._unsaid()

    def _server_call(self, event: ServerToolCall) -> ChatGenerationChunk:
        place = self._calls
        self._calls += 1
        if self._message_format.v1:
            return self._block(call_block(event.call, event.position, place))
        return self._record({"calls": [server_tool_record.to_call(event.call, event.position, place)]})

    def _server_result(self, event: ServerToolResult) -> ChatGenerationChunk:
        if self._message_format.v1:
            return self._block(result_block(event.id, event.output, failed=event.failed))
        return self._record({"results": [server_tool_record.to_result(event.id, event.output, failed=event.failed)]})

    def _turned(self, event: ServerToolTurnEnded) -> list[ChatGenerationChunk]:
        """The end of a turn that another one follows."""
        reasoning = Reasoning("".join(self._thought), self._key, event.reasoning_details)
        if not self._message_format.v1:
            chunks = [self._record(server_tool_record.to_end("".join(self._said), reasoning))]
        elif origin := server_tool_record.to_origin(reasoning):
            block = {**thought_block(reasoning), "reasoning": "", "extras": origin}
            chunks = [self._chunk([{**block, "index": self._template.reasoning_index}])]
        else:
            chunks = []
        self._key = None
        self._turn += 1
        self._begin()
        if self._message_format.v1:
            self._template = BlockTemplate(self._turn)
        return chunks

    def _block(self, block: JsonObject) -> ChatGenerationChunk:
        self._blocks += 1
        return self._chunk([{**block, "index": _SERVED_INDEX.format(self._turn, self._blocks - 1)}])

    def _record(self, piece: JsonObject) -> ChatGenerationChunk:
        return self._chunk("", {server_tool_record.TURNS: [{"index": self._turn, **piece}]})

    def _chunk(self, content: Any, kwargs: JsonObject | None = None) -> ChatGenerationChunk:
        metadata = self._template.metadata.copy()
        message = AIMessageChunk(content=content, additional_kwargs=kwargs or {}, response_metadata=metadata)
        return ChatGenerationChunk(message=message)
