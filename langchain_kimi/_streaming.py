"""The core's events as LangChain's chunks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, closing
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.messages.tool import ToolCallChunk, invalid_tool_call, tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk

from kimi_core import server_tool_record
from kimi_core.errors import short_traceback
from kimi_core.events import (
    Event,
    Finished,
    ReasoningDelta,
    RefusalDelta,
    ServerToolCall,
    ServerToolResult,
    ServerToolTurnEnded,
    TextDelta,
    ToolCallDelta,
)
from kimi_core.types import JsonObject, Reasoning, Response, ToolCall
from langchain_kimi import _calls, _server_tools
from langchain_kimi._json_escapes import Escaper, HalfEscapes
from langchain_kimi._messages_in import PROVIDER
from langchain_kimi._messages_out import (
    CALL_INDEX,
    REASONING_INDEX,
    SERVER_TOOL_INDEX,
    TEXT_INDEX,
    MessageFormat,
    close_arguments,
    original_arguments,
    parse_calls,
    reasoning_block,
    to_kwargs,
    to_metadata,
    to_usage,
)

if TYPE_CHECKING:
    from langchain_kimi.chat_models import ChatKimi

_new, _set = object.__new__, object.__setattr__

COALESCE = 256
GROWTH = 16
PATIENCE = 0.25
"""When arguments of a tool call are handed on: as soon as there are so many characters, and one part in so many of what
was handed on before; or so many seconds after the last, so that who reads along sees them arrive.

LangChain parses the partial JSON of a message whenever chunks are added up (0.4 ms for 100 characters), all of it each
time. Pieces of one size would make that grow with the square of the length; pieces that grow make it linear.
"""


# ---------------------------------------------------------------------------------------------- light chunks


class ChunkTemplate:
    """Makes chunks of text, of reasoning, and of the middle of a tool call's arguments, as copies of one.

    A stream makes thousands, and LangChain keeps them all until it ends. Validation costs twice what the rest of a
    chunk does, and every object less spares the garbage collector (12 of 36 µs a chunk at 10,000 chunks). Each copy
    has its own lists and dicts. They share the set of given field names, which is the same for all of a kind.
    """

    def __init__(self, turn: int | None = None) -> None:
        """Prepare.

        Args:
            turn: None for strings as content. For standard blocks, of which turn of an answer they are: the first,
                unless server tools run.
        """
        self.metadata = {"model_provider": PROVIDER, **({} if turn is None else {"output_version": "v1"})}
        indexes = {"text": TEXT_INDEX, "reasoning": REASONING_INDEX}
        self.indexes = {} if turn is None else {kind: index.format(turn) for kind, index in indexes.items()}
        message = AIMessageChunk(content="", id=None, additional_kwargs={}, response_metadata=self.metadata)
        self._message = message.__dict__
        call = AIMessageChunk(content="", tool_call_chunks=[tool_call_chunk(args="x")], response_metadata=self.metadata)
        self._call_names = {*call.model_fields_set}
        self._fresh = [(k, type(v)) for k, v in message.__dict__.items() if type(v) in (list, dict) and not v]
        self._chunk = ChatGenerationChunk(message=message, text="").__dict__
        self._names = {*message.model_fields_set, *ChatGenerationChunk.model_fields}

    def make(self, kind: Literal["text", "reasoning", "refusal"], piece: str) -> ChatGenerationChunk:
        """Return a chunk of text, of reasoning, or of a refusal."""
        fields, chunk = self._message.copy(), self._chunk.copy()
        for name, fresh in self._fresh:
            fields[name] = fresh()
        fields["response_metadata"] = self.metadata.copy()
        if kind == "refusal":
            fields["additional_kwargs"] = {"refusal": piece} if piece else {}
        elif self.indexes:
            fields["content"] = [{"type": kind, kind: piece, "index": self.indexes[kind]}]
        elif kind == "text":
            fields["content"] = piece
        else:
            fields["additional_kwargs"] = {"reasoning_content": piece}
        chunk["text"] = piece if kind == "text" else ""
        chunk["message"] = message = _new(AIMessageChunk)
        made = _new(ChatGenerationChunk)
        for one, known, extra in ((message, fields, {}), (made, chunk, None)):
            _set(one, "__dict__", known)
            _set(one, "__pydantic_fields_set__", self._names)
            _set(one, "__pydantic_extra__", extra)
            _set(one, "__pydantic_private__", None)
        return made

    def arguments(self, part: ToolCallChunk, content: Any) -> ChatGenerationChunk:
        """Return a chunk of arguments that cannot begin an object.

        LangChain's validator would parse them, and then keep them as an invalid call.
        """
        made = self.make("text", "")
        fields = made.message.__dict__
        fields["content"] = content
        fields["tool_call_chunks"] = [part]
        fields["invalid_tool_calls"] = [
            invalid_tool_call(name=part["name"], args=part["args"], id=part["id"], error=None)
        ]
        _set(made.message, "__pydantic_fields_set__", self._call_names)
        return made


TEMPLATES = {False: ChunkTemplate(), True: ChunkTemplate(0)}


# ------------------------------------------------------------------------------------------ chunks of a stream


class ChunkMaker:
    """Makes the chunks of one stream.

    Metadata and usage come on the last chunk alone: LangChain adds up what it finds on several.
    """

    def __init__(self, message_format: MessageFormat) -> None:
        self._message_format = message_format
        self._template = TEMPLATES[message_format.v1]
        self._prefill = message_format.prefill
        self._key: str | None = None
        self._call: ToolCallDelta | None = None
        self._pending: list[str] = []
        self._size = self._sent = 0
        self._since = 0.0
        self._escapers: dict[int, Escaper] = {}
        self._halves: dict[int, HalfEscapes] = {}

    def feed(self, event: Event) -> list[ChatGenerationChunk]:
        """Return the chunks that are ready after one event."""
        if type(event) is TextDelta:
            chunk = self._template.make("text", self._prefill + event.text)
            self._prefill = ""
        elif type(event) is ReasoningDelta:
            chunk = self._template.make("reasoning", event.text)
            self._key = event.key
        elif type(event) is RefusalDelta:
            chunk = self._template.make("refusal", event.text)
        elif type(event) is ToolCallDelta:
            return self._tool_call(event)
        else:
            return self._ending(event.response) if type(event) is Finished else []
        return [*self._flush(), chunk] if self._call else [chunk]

    def _unsent(self) -> list[ChatGenerationChunk]:
        """Return what is continued, when no text follows it."""
        text, self._prefill = self._prefill, ""
        return [self._template.make("text", text)] if text else []

    def _tool_call(self, delta: ToolCallDelta) -> list[ChatGenerationChunk]:
        if delta.index and self._message_format.single_call:
            return []
        ready = self._unsent()
        if self._call and self._call.index != delta.index:
            ready += self._flush()
        if self._call is None:
            self._call = delta
        self._pending.append(delta.arguments)
        self._size += len(delta.arguments)
        return [*ready, *self._flush(hold=self._message_format.merge)] if delta.name or self._is_due() else ready

    def _is_due(self) -> bool:
        """Return whether the arguments that are held back are to be handed on."""
        enough = max(COALESCE, self._sent // GROWTH)
        return not self._message_format.merge or self._size >= enough or monotonic() - self._since >= PATIENCE

    def _flush(self, *, hold: bool = False) -> list[ChatGenerationChunk]:
        """Return what is held back of arguments. With `hold` their end stays, so that what follows begins no object."""
        call, arguments = self._call, "".join(self._pending)
        if call is None:
            return []
        begun = not call.name and self._sent > 0
        self._call, self._since = None, monotonic()
        self._pending.clear()
        if hold and (end := _last_cut(arguments)):
            arguments, rest = arguments[:end], arguments[end:]
            self._call = ToolCallDelta(call.index, rest)
            self._pending.append(rest)
        self._size = sum(map(len, self._pending))
        self._sent = self._sent + len(arguments) if begun else len(arguments)
        if call.index in self._halves or "\\" in arguments:
            arguments = self._halves.setdefault(call.index, HalfEscapes()).feed(arguments)
        if self._message_format.events:
            arguments = self._escapers.setdefault(call.index, Escaper()).feed(arguments)
        if hold and not begun and (end := _last_cut(arguments[: COALESCE + 1])):  # LangChain parses the beginning
            rest = arguments[end:]
            return [self._call_chunk(call, arguments[:end]), self._call_chunk(ToolCallDelta(call.index, rest), rest)]
        return [self._call_chunk(call, arguments)]

    def _call_chunk(self, call: ToolCallDelta, arguments: str) -> ChatGenerationChunk:
        part = tool_call_chunk(name=call.name, args=arguments, id=call.id, index=call.index)
        block = {"type": "tool_call_chunk", "id": call.id, "name": call.name, "args": arguments}
        index = CALL_INDEX.format(call.index)
        content = (
            [{**{k: v for k, v in block.items() if v is not None}, "index": index}] if self._message_format.v1 else ""
        )
        if arguments and arguments.lstrip()[:1] != "{":
            return self._template.arguments(part, content)
        metadata = self._template.metadata.copy()
        message = AIMessageChunk(content=content, tool_call_chunks=[part], response_metadata=metadata)
        return ChatGenerationChunk(message=message)

    def _ending(self, response: Response) -> list[ChatGenerationChunk]:
        v1 = self._message_format.v1
        ready = self._flush() if self._call else []
        if self._prefill:
            ready += self._unsent()
        kwargs: JsonObject = {}
        if calls := response.tool_calls[: 1 if self._message_format.single_call else None]:
            closings, kwargs = self._closings(calls)
            ready += closings
        content: Any = [] if v1 else ""
        details = response.reasoning.details if response.reasoning else ()
        if details and v1:
            content = [{**reasoning_block("", details), "index": self._template.indexes["reasoning"]}]
        elif details:
            kwargs = {**to_kwargs(Reasoning("", details=details)), **kwargs}
        message = AIMessageChunk(
            content=content,
            additional_kwargs=kwargs,
            usage_metadata=to_usage(response.usage),
            response_metadata=to_metadata(response, self._message_format),
            chunk_position="last",
        )
        return [*ready, ChatGenerationChunk(message=message)]

    def _closings(self, calls: Sequence[ToolCall]) -> tuple[list[ChatGenerationChunk], JsonObject]:
        """Return what ends the arguments of calls, and those that the chunks do not have to the letter."""
        valid, invalid = parse_calls(calls)
        broken, events = {call["id"] for call in invalid}, self._message_format.events
        ends = {i: halves.rest() for i, halves in self._halves.items()}
        for i, call in enumerate(calls):
            if call.id in broken:
                ends[i] = ends.get(i, "") + close_arguments(call.arguments, events=events)
        closings = [self._call_chunk(ToolCallDelta(i, end), end) for i, end in ends.items() if end]
        return closings, original_arguments(calls, valid, broken if closings or events else ())


def _last_cut(arguments: str) -> int:
    """Return the last place at which arguments can be cut so that the rest cannot begin an object; 0 for none.

    LangChain parses a piece that can, and takes it for the beginning of a call.
    """
    return len(arguments.rstrip("{ \t\r\n")) - 1 if arguments.strip("{ \t\r\n") else 0


class ServerToolChunkMaker(ChunkMaker):
    """A `ChunkMaker` of a stream in which server tools are run: it keeps the turns of an answer apart."""

    def __init__(self, message_format: MessageFormat) -> None:
        super().__init__(message_format)
        self._turn = 0
        self._begin()

    def _begin(self) -> None:
        """Begin a turn."""
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls = self._blocks = 0

    def feed(self, event: Event) -> list[ChatGenerationChunk]:
        match event:
            case TextDelta():
                self._text.append(self._prefill + event.text)
            case ReasoningDelta():
                self._reasoning.append(event.text)
            case ServerToolCall():
                return [*self._flush(), *self._unsent(), self._server_call(event)]
            case ServerToolResult():
                return [self._server_result(event)]
            case ServerToolTurnEnded():
                return self._turned(event)
            case Finished() if self._calls and not self._message_format.v1:
                return [self._record({"open": True}), *super().feed(event)]
        return super().feed(event)

    def _unsent(self) -> list[ChatGenerationChunk]:
        self._text.append(self._prefill)
        return super()._unsent()

    def _server_call(self, event: ServerToolCall) -> ChatGenerationChunk:
        place = self._calls
        self._calls += 1
        if self._message_format.v1:
            return self._block(_server_tools.call_block(event.call, event.position, place))
        return self._record({"calls": [server_tool_record.to_call(event.call, event.position, place)]})

    def _server_result(self, event: ServerToolResult) -> ChatGenerationChunk:
        if self._message_format.v1:
            return self._block(_server_tools.result_block(event.id, event.output, failed=event.failed))
        return self._record({"results": [server_tool_record.to_result(event.id, event.output, failed=event.failed)]})

    def _turned(self, event: ServerToolTurnEnded) -> list[ChatGenerationChunk]:
        """End a turn that another one follows."""
        reasoning = Reasoning("".join(self._reasoning), self._key, event.reasoning_details)
        if not self._message_format.v1:
            chunks = [self._record(server_tool_record.to_end("".join(self._text), reasoning))]
        elif origin := server_tool_record.to_origin(reasoning):
            block = {**_server_tools.thought_block(reasoning), "reasoning": "", "extras": origin}
            chunks = [self._chunk([{**block, "index": self._template.indexes["reasoning"]}])]
        else:
            chunks = []
        self._key = None
        self._turn += 1
        self._begin()
        if self._message_format.v1:
            self._template = ChunkTemplate(self._turn)
        return chunks

    def _block(self, block: JsonObject) -> ChatGenerationChunk:
        self._blocks += 1
        return self._chunk([{**block, "index": SERVER_TOOL_INDEX.format(self._turn, self._blocks - 1)}])

    def _record(self, piece: JsonObject) -> ChatGenerationChunk:
        return self._chunk("", {server_tool_record.TURNS: [{"index": self._turn, **piece}]})

    def _chunk(self, content: Any, kwargs: JsonObject | None = None) -> ChatGenerationChunk:
        metadata = self._template.metadata.copy()
        message = AIMessageChunk(content=content, additional_kwargs=kwargs or {}, response_metadata=metadata)
        return ChatGenerationChunk(message=message)


# --------------------------------------------------------------------------------------------------- one stream


def chunks(
    model: ChatKimi,
    /,
    messages: list[BaseMessage],
    stop: list[str] | None = None,
    run_manager: CallbackManagerForLLMRun | None = None,
    **kwargs: Any,
) -> Iterator[ChatGenerationChunk]:
    """Ask for an answer, and yield it chunk by chunk."""
    with short_traceback:
        client, request, message_format = _calls.prepare(
            model, model._client, messages, stop, kwargs, stream=True, run_manager=run_manager
        )
        feed = (ServerToolChunkMaker if message_format.served else ChunkMaker)(message_format).feed
        with closing(client.stream(request, **_calls.hooks(model, run_manager))) as events:
            for event in events:
                for chunk in feed(event):
                    if run_manager:
                        run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                    yield chunk


async def achunks(
    model: ChatKimi,
    /,
    messages: list[BaseMessage],
    stop: list[str] | None = None,
    run_manager: AsyncCallbackManagerForLLMRun | None = None,
    **kwargs: Any,
) -> AsyncIterator[ChatGenerationChunk]:
    """See `chunks`."""
    with short_traceback:
        client, request, message_format = _calls.prepare(
            model, model._aclient, messages, stop, kwargs, stream=True, run_manager=run_manager
        )
        feed = (ServerToolChunkMaker if message_format.served else ChunkMaker)(message_format).feed
        async with aclosing(await client.stream(request, **_calls.ahooks(model, run_manager))) as events:
            async for event in events:
                for chunk in feed(event):
                    if run_manager:
                        await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                    yield chunk
