"""Messages for which server tools were run. Pure.

Text and reasoning of all turns stand in a message's blocks, as they were streamed; the record beside them (see
`kimi_core.server_tool_record`) says which turn they are of, and what was called.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from llama_index.core.base.llms.types import ChatMessage

from kimi_core import server_tool_record
from kimi_core.events import ServerToolCall, ServerToolResult, ServerToolTurnEnded
from kimi_core.server_tool_record import TURNS
from kimi_core.types import JsonObject, Message, Reasoning, Response, ServerToolTurn


def told_apart(message: Message, record: Any) -> Message:
    """A message of the core's whose text and reasoning are of all turns, with its turns told apart.

    Raises:
        MessageError: The record is none.
    """
    content, reasoning = message.content, message.reasoning
    text = content if isinstance(content, str) else ""
    told = server_tool_record.read(record, text, reasoning.text if reasoning else "")
    last = replace(reasoning, text=told.thought) if reasoning else None
    return replace(message, content=told.text if text else content, reasoning=last, steps=told.steps)


def joined(response: Response) -> Response:
    """An answer with the text and reasoning of all its turns."""
    steps = response.steps
    text, reasoning = (
        server_tool_record.to_text(steps, response.text),
        server_tool_record.to_reasoning(steps, response.reasoning),
    )
    return replace(response, text=text, reasoning=reasoning)


def last_text(message: ChatMessage) -> str:
    """What was said in the last turn: the answer, without what was said before server tools were called."""
    content, record = message.content or "", message.additional_kwargs.get(TURNS)
    return server_tool_record.read(record, content, "").text if record else content


def to_raw(steps: Sequence[ServerToolTurn]) -> list[JsonObject]:
    """The turns in full, for `raw`."""
    return [
        {**turn, "text": step.text, "reasoning": step.reasoning.text if step.reasoning else ""}
        for turn, step in zip(server_tool_record.to_record(steps), steps, strict=True)
    ]


class TurnsMaker:
    """The record of one stream. What was handed out is never changed."""

    def __init__(self) -> None:
        self.record: list[JsonObject] = []
        self._turn = 0
        self._text = self._thought = 0

    def add(self, event: ServerToolCall | ServerToolResult | ServerToolTurnEnded, text: str, thought: str) -> None:
        """Take one event in.

        Args:
            event: The event.
            text: What was said so far, in all turns.
            thought: What was thought so far.
        """
        match event:
            case ServerToolCall():
                place = len(self._now().get("calls", ()))
                self._more("calls", server_tool_record.to_call(event.call, event.position, place))
            case ServerToolResult():
                self._more("results", server_tool_record.to_result(event.id, event.output, failed=event.failed))
            case ServerToolTurnEnded():
                end = server_tool_record.to_end(text[self._text :], Reasoning(thought[self._thought :]))
                self.record = [*self.record[:-1], {**self._now(), **end}]
                self._turn, self._text, self._thought = self._turn + 1, len(text), len(thought)

    def _more(self, what: str, piece: JsonObject) -> None:
        now = self._now()
        self.record = [*self.record[: self._turn], {**now, what: [*now.get(what, ()), piece]}]

    def _now(self) -> JsonObject:
        return self.record[self._turn] if len(self.record) > self._turn else {"index": self._turn}
