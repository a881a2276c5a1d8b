"""The core's events as LlamaIndex's responses, each of which holds everything so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)

from kimi_core.events import (
    Event,
    Finished,
    ReasoningDelta,
    RefusalDelta,
    ResponseBuilder,
    ServerToolCall,
    ServerToolResult,
    ServerToolTurnEnded,
    Started,
    TextDelta,
    ToolCallDelta,
)
from kimi_core.server_tool_record import TURNS
from kimi_core.types import JsonObject, Reasoning, ToolCall
from llama_index_kimi._messages_in import read_arguments, to_call_dict, to_chat_response, to_thinking

if TYPE_CHECKING:
    from llama_index_kimi._turns import TurnsMaker

GROWTH = 64
"""Arguments are handed on whenever they have grown by one part in so many.

Every response holds all of them so far, so that handing on each token of a long text would copy it over and over.
"""


class ResponseMaker:
    """Makes the responses of one stream. What was handed out is never changed, but finished pieces are shared."""

    __slots__ = (
        "_blocks",
        "_builder",
        "_calls",
        "_raw",
        "_refusal",
        "_single",
        "_text",
        "_thinking",
        "_thought",
        "_turns",
    )

    def __init__(self, *, single_call: bool = False) -> None:
        """Begin.

        Args:
            single_call: Hand on the first tool call only.
        """
        self._builder = ResponseBuilder()
        self._single = single_call
        self._thought = ""
        self._thinking: list[ThinkingBlock] = []
        self._text = ""
        self._refusal = ""
        self._blocks: list[Any] = [TextBlock(text="")]
        self._calls: list[_Call] = []
        self._raw: JsonObject = {}
        self._turns: TurnsMaker | None = None

    def feed(self, event: Event) -> ChatResponse | None:
        """The response after one event; None when there is nothing new to show."""
        kind = type(event)
        if kind is TextDelta:
            self._builder.add(event)
            return self._more_text(event.text)  # type: ignore[union-attr]
        if kind is ReasoningDelta:
            self._builder.add(event)
            return self._more_reasoning(event)  # type: ignore[arg-type]
        return self._rare(event)

    def _rare(self, event: Event) -> ChatResponse | None:
        if isinstance(event, ToolCallDelta):
            if self._single and event.index > 0:
                return None
            self._builder.add(event)
            return self._more_call(event)
        self._builder.add(event)
        if isinstance(event, Finished):
            return self._last()
        if isinstance(event, ServerToolCall | ServerToolResult | ServerToolTurnEnded):
            return self._more_served(event)
        if isinstance(event, RefusalDelta):
            self._refusal += event.text
            return ChatResponse(message=self._message(), delta="", raw=self._raw)
        if isinstance(event, Started):
            self._raw = {"id": event.id, "model": event.model, "created": event.created}
        return None

    def _more_text(self, delta: str) -> ChatResponse:
        self._text += delta
        self._blocks = [*self._thinking, TextBlock(text=self._text)]
        return ChatResponse(message=self._message(), delta=delta, raw=self._raw)

    def _more_reasoning(self, event: ReasoningDelta) -> ChatResponse:
        self._thought += event.text
        self._thinking = [to_thinking(Reasoning(self._thought, event.key))]
        self._blocks = [*self._thinking, self._blocks[-1]]
        return ChatResponse(
            message=self._message(),
            delta="",
            raw=self._raw,
            additional_kwargs={"thinking_delta": event.text},
        )

    def _more_call(self, delta: ToolCallDelta) -> ChatResponse | None:
        if delta.index == len(self._calls):
            if self._calls:
                self._calls[-1].close_arguments()
            self._calls.append(_Call(delta))
        if not self._calls[delta.index].grow(delta.arguments):
            return None
        return ChatResponse(message=self._message(), delta="", raw=self._raw)

    def _more_served(self, event: ServerToolCall | ServerToolResult | ServerToolTurnEnded) -> ChatResponse:
        if self._turns is None:
            from llama_index_kimi._turns import TurnsMaker  # with the first server tool

            self._turns = TurnsMaker()
        self._turns.add(event, self._text, self._thought)
        return ChatResponse(message=self._message(), delta="", raw=self._raw)

    def _message(self) -> ChatMessage:
        if not (self._calls or self._turns or self._refusal):
            return ChatMessage(role=MessageRole.ASSISTANT, blocks=self._blocks)
        kwargs: JsonObject = {"tool_calls": [call.wire for call in self._calls]} if self._calls else {}
        if self._refusal:
            kwargs["refusal"] = self._refusal
        if self._turns is not None:
            kwargs[TURNS] = self._turns.record
        return ChatMessage(
            role=MessageRole.ASSISTANT,
            blocks=[*self._blocks, *(call.block for call in self._calls)],
            additional_kwargs=kwargs,
        )

    def _last(self) -> ChatResponse:
        response = to_chat_response(self._builder.response())
        response.delta = ""
        return response


class _Call:
    """A call in the making. Its arguments stay text until the next call begins or the stream has ended."""

    __slots__ = ("_first", "_pending", "_size", "block", "wire")

    def __init__(self, first: ToolCallDelta) -> None:
        self._first = first
        self._pending: list[str] = []
        self._size = 0
        self._show("")

    def grow(self, arguments: str) -> bool:
        """Take more arguments in; whether there is enough new to be shown."""
        self._pending.append(arguments)
        self._size += len(arguments)
        shown = self._shown
        if shown and self._size - len(shown) < len(shown) // GROWTH:
            return False
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
