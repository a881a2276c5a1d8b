"""Streams: the core's events as LlamaIndex's responses, each of which holds everything so far.

Here is as well what LlamaIndex's callback wrapper does not do for a stream: close it, and save the events of its pieces
when nobody listens.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing, closing, suppress
from contextvars import ContextVar
from time import monotonic
from types import FunctionType, SimpleNamespace
from typing import Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)
from llama_index.core.instrumentation.events.llm import LLMChatInProgressEvent, LLMCompletionInProgressEvent
from llama_index.core.llms.callbacks import dispatcher
from llama_index_instrumentation.event_handlers import NullEventHandler

from kimi_core import server_tool_record
from kimi_core.asyncgens import begin, finalized
from kimi_core.errors import short_traceback
from kimi_core.events import (
    Event,
    Finished,
    ReasoningDelta,
    RefusalDelta,
    ServerToolCall,
    ServerToolResult,
    ServerToolTurnEnded,
    Started,
    TextDelta,
    ToolCallDelta,
)
from kimi_core.server_tool_record import TURNS
from kimi_core.types import JsonObject, Reasoning, ToolCall
from llama_index_kimi._messages_out import REASONING_KEY, to_call_dict, to_chat_response, to_completion
from llama_index_kimi._tools import read_arguments

GROWTH = 64
PATIENCE = 0.25
"""Arguments are handed on whenever they have grown by one part in so many, or so many seconds have passed.

Every response holds all of them so far, so that handing on each token of a long text would copy it over and over.
"""

# -------------------------------------------------------------------------------------------------- responses


def start(events: Generator[Event], single_call: bool, merge: bool) -> ChatResponseGen:
    """Start a stream, and return its responses. See `StreamResponses`."""
    builder = StreamResponses(single_call=single_call, merge=merge)
    builder.add(next(events))  # a generator that was begun closes its connection even when nobody iterates it
    begun = _responses(builder, events)
    if (streams := _opened.get()) is not None:
        streams.append(begun)
    return begun


async def astart(events: AsyncGenerator[Event], single_call: bool, merge: bool) -> ChatResponseAsyncGen:
    """See `start`."""
    builder = StreamResponses(single_call=single_call, merge=merge)
    builder.add(await anext(events))
    begun = _aresponses(builder, events)
    if (streams := _opened.get()) is not None:
        streams.append(begun)
    return begun


def _responses(builder: StreamResponses, events: Generator[Event]) -> ChatResponseGen:
    with closing(events):
        for event in events:
            response = builder.add(event)
            if response is not None:
                yield response


async def _aresponses(builder: StreamResponses, events: AsyncGenerator[Event]) -> ChatResponseAsyncGen:
    async with aclosing(events):
        async for event in events:
            response = builder.add(event)
            if response is not None:
                yield response


def completions(chat: ChatResponseGen) -> CompletionResponseGen:
    """Yield the responses of a stream as completions."""
    with closing(chat):
        for response in chat:
            yield to_completion(response)


async def acompletions(chat: ChatResponseAsyncGen) -> CompletionResponseAsyncGen:
    """See `completions`."""
    async with aclosing(chat):
        async for response in chat:
            yield to_completion(response)


class StreamResponses:
    """Makes the responses of one stream. What was handed out is never changed, but finished pieces are shared."""

    __slots__ = (
        "_blocks",
        "_calls",
        "_growth",
        "_raw",
        "_refusal",
        "_single",
        "_text",
        "_thinking",
        "_thought",
        "_turns",
    )

    def __init__(self, *, single_call: bool = False, merge: bool = True) -> None:
        """Begin.

        Args:
            single_call: Hand on the first tool call only.
            merge: Hand on tool arguments in growing pieces, and not each as it came.
        """
        self._growth = GROWTH if merge else sys.maxsize
        self._single = single_call
        self._thought = ""
        self._thinking: list[ThinkingBlock] = []
        self._text = ""
        self._refusal = ""
        self._blocks: list[Any] = [TextBlock(text="")]
        self._calls: list[_GrowingCall] = []
        self._raw: JsonObject = {}
        self._turns: _GrowingTurns | None = None

    def add(self, event: Event) -> ChatResponse | None:
        """Take one event in, and return the response after it; None when there is nothing new to show."""
        delta, more = "", {}
        match event:
            case TextDelta():
                delta = event.text
                self._text += delta
                self._blocks = [*self._thinking, TextBlock(text=self._text)]
            case ReasoningDelta():
                self._thought += event.text
                known = {REASONING_KEY: event.key} if event.key else {}
                self._thinking = [ThinkingBlock(content=self._thought, num_tokens=None, additional_information=known)]
                self._blocks = [*self._thinking, self._blocks[-1]]
                more = {"additional_kwargs": {"thinking_delta": event.text}}
            case ToolCallDelta():
                if (self._single and event.index > 0) or not self._grow(event):
                    return None
            case RefusalDelta():
                self._refusal += event.text
            case ServerToolCall() | ServerToolResult() | ServerToolTurnEnded():
                self._turns = self._turns or _GrowingTurns()
                self._turns.add(event, self._text, self._thought)
            case Started():
                self._raw = {"id": event.id, "model": event.model, "created": event.created}
                return None
            case Finished(response=whole):
                response = to_chat_response(whole, single_call=self._single)
                response.delta = ""
                return response
            case _:
                return None
        if self._calls or self._turns or self._refusal:
            message = self._message()
        else:
            message = ChatMessage(role=MessageRole.ASSISTANT, blocks=self._blocks)
        return ChatResponse(message=message, delta=delta, raw=self._raw, **more)

    def _grow(self, delta: ToolCallDelta) -> bool:
        """Take more of a call in; return whether there is enough new to be shown."""
        if delta.index == len(self._calls):
            if self._calls:
                self._calls[-1].close_arguments()
            self._calls.append(_GrowingCall(delta, self._growth))
        return self._calls[delta.index].grow(delta.arguments)

    def _message(self) -> ChatMessage:
        """Return a message with calls, turns or a refusal."""
        known = {
            "tool_calls": [call.wire for call in self._calls],
            "refusal": self._refusal,
            TURNS: self._turns and self._turns.record,
        }
        return ChatMessage(
            role=MessageRole.ASSISTANT,
            blocks=[*self._blocks, *(call.block for call in self._calls)],
            additional_kwargs={name: value for name, value in known.items() if value},
        )


class _GrowingCall:
    """A call in the making. Its arguments stay text until the next call begins or the stream has ended."""

    __slots__ = ("_first", "_growth", "_pending", "_since", "_size", "block", "wire")

    def __init__(self, first: ToolCallDelta, growth: int) -> None:
        self._first = first
        self._growth = growth
        self._pending: list[str] = []
        self._size = 0
        self._since = monotonic()
        self._show("")

    def grow(self, arguments: str) -> bool:
        """Take more arguments in; return whether there is enough new to be shown."""
        self._pending.append(arguments)
        self._size += len(arguments)
        shown = len(self._shown)
        if shown and self._size - shown < shown // self._growth and monotonic() - self._since < PATIENCE:
            return False
        self._since = monotonic()
        self._show(self._all())
        return True

    def close_arguments(self) -> None:
        """Show all of it: agents read every call of every response, and need not parse this one again."""
        arguments = self._all()
        self._show(arguments, read_arguments(arguments))

    @property
    def _shown(self) -> str:
        arguments: str = self.wire["function"]["arguments"]
        return arguments

    def _all(self) -> str:
        arguments = "".join([self._shown, *self._pending])
        self._pending.clear()
        return arguments

    def _show(self, arguments: str, read: JsonObject | str | None = None) -> None:
        call = ToolCall(self._first.id or "", self._first.name or "", arguments, self._first.type)
        self.wire = to_call_dict(call)
        kwargs = arguments if read is None else read
        self.block = ToolCallBlock(tool_call_id=call.id, tool_name=call.name, tool_kwargs=kwargs)


class _GrowingTurns:
    """The record of the turns with server tools of one stream. What was handed out is never changed."""

    def __init__(self) -> None:
        self.record: list[JsonObject] = []
        self._turn = 0
        self._text = self._thought = 0

    def add(self, event: ServerToolCall | ServerToolResult | ServerToolTurnEnded, text: str, thought: str) -> None:
        """Take one event in.

        Args:
            event: The event.
            text: The text so far, of all turns.
            thought: The reasoning so far.
        """
        turn: JsonObject = self.record[self._turn] if len(self.record) > self._turn else {"index": self._turn}
        match event:
            case ServerToolCall():
                calls = turn.get("calls", ())
                more = {"calls": [*calls, server_tool_record.to_call(event.call, event.position, len(calls))]}
            case ServerToolResult():
                result = server_tool_record.to_result(event.id, event.output, failed=event.failed)
                more = {"results": [*turn.get("results", ()), result]}
            case ServerToolTurnEnded():
                more = server_tool_record.to_end(text[self._text :], Reasoning(thought[self._thought :]))
        self.record = [*self.record[: self._turn], {**turn, **more}]
        if isinstance(event, ServerToolTurnEnded):
            self._turn, self._text, self._thought = self._turn + 1, len(text), len(thought)


# ---------------------------------------------------------------------------------------------------- closing
#
# LlamaIndex's callback wrapper iterates a stream and leaves closing it to the garbage collector. A callback handler
# that keeps what it is told keeps the error of the dropped stream, its traceback and with it the stream: the connection
# stays open, and the host goes on generating. So a call records what it opened, and that is closed with the wrapper.

_opened: ContextVar[list[Any] | None] = ContextVar("opened", default=None)
"""The streams that are closed with the call that is being made."""


def closing_streams(wrapped: Any) -> Any:
    """Return a method in LlamaIndex's callback wrapper such that what it opens is closed with what it returns."""

    @functools.wraps(wrapped)
    def call(*args: Any, **kwargs: Any) -> Any:
        opened: list[Any] = []
        token = _opened.set(opened)
        try:
            made = wrapped(*args, **kwargs)
            return _closing(made, [*opened]) if isinstance(made, Generator) else made
        finally:
            _opened.reset(token)
            opened.clear()

    @functools.wraps(wrapped)
    async def acall(*args: Any, **kwargs: Any) -> Any:
        opened: list[Any] = []
        token = _opened.set(opened)
        try:
            made = await wrapped(*args, **kwargs)
            return finalized(_closing_async(made, [*opened])) if isinstance(made, AsyncGenerator) else made
        finally:
            _opened.reset(token)
            opened.clear()  # the event loop keeps copies of the context, and so this list

    return acall if inspect.iscoroutinefunction(wrapped) else call


def _closing(made: Generator[Any], opened: list[Any]) -> Generator[Any]:
    """Yield what a stream yields; close it afterwards, and what was opened for it."""
    try:
        with short_traceback, closing(made):
            yield from made
    finally:
        for one in opened:
            one.close()


async def _closing_async(made: AsyncGenerator[Any], opened: list[Any]) -> AsyncGenerator[Any]:
    """See `_closing`. What has been begun is closed here, and not by the event loop."""
    try:
        with short_traceback:
            async with aclosing(made):
                with suppress(StopAsyncIteration):
                    yield await begin(made)
                async for piece in made:
                    yield piece
    finally:
        for one in opened:
            await one.aclose()


# ----------------------------------------------------------------------------------------- events of the pieces
#
# LlamaIndex makes an event of every piece, whether anybody listens or not, and validates the whole conversation anew
# for each: 0.2 ms a piece after a thousand turns, five times what all the rest of a piece costs. Here an event is made
# when somebody listens, and it takes the conversation over as it was validated when the call began.


def events_when_heard(wrapped: Any) -> Any:
    """Return a method in LlamaIndex's callback wrapper with another way to make the event of a piece.

    What comes back is a copy of the wrapper that finds the functions below under the names of the events' classes.
    LlamaIndex itself stays as it is; should it stop using these names, its own way is back.
    """
    names = wrapped.__globals__ | _EVENTS
    copied = FunctionType(wrapped.__code__, names, wrapped.__name__, wrapped.__defaults__, wrapped.__closure__)
    return functools.update_wrapper(copied, wrapped)


def _event_if_heard(kind: Callable[..., Any], **about: Any) -> Any:
    """Return the event of a piece; a placeholder when nobody listens: all that is done with it is adding tags."""
    asked: Any = dispatcher
    while not any(type(handler) is not NullEventHandler for handler in asked.event_handlers):
        asked = asked.parent if asked.propagate else None
        if asked is None:
            return SimpleNamespace(tags={})
    if kind is not LLMChatInProgressEvent:
        return kind(**about)
    event = kind(**{**about, "messages": []})
    event.messages = [*about["messages"]]
    return event


_EVENTS: dict[str, Callable[..., Any]] = {
    kind.__name__: functools.partial(_event_if_heard, kind)
    for kind in (LLMChatInProgressEvent, LLMCompletionInProgressEvent)
}
