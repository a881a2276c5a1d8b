"""Streams put together again: what has come so far, as it is shown and as it is returned."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

from kimi_adapters.notebook import reading
from kimi_adapters.notebook.agent_run import AgentRun
from kimi_adapters.notebook.entries import Entry, Thought
from kimi_core.events import Event, ResponseBuilder

_EVENTS = get_args(Event)


class Collected:
    """What has come of one stream.

    LangChain's chunks add up to messages, `(chunk, metadata)` and `{node: {"messages": […]}}` of LangGraph included.
    LlamaIndex's responses hold everything so far, and its agents' events make a conversation. The core's events make a
    response; pieces of text a text.
    """

    def __init__(self) -> None:
        self._messages: list[Any] = []
        self._chunks: list[Any] = []
        self._several = False
        self._builder: ResponseBuilder | None = None
        self._text: list[str] = []
        self._latest: Any = None
        self._run: AgentRun | None = None
        self._thoughts: list[str] = []

    def add(self, item: Any) -> None:
        """Take one item in.

        Raises:
            ConfigError: If it is of no stream that can be shown.
        """
        if isinstance(item, tuple) and len(item) == 2 and reading.is_langchain(item[0]):
            self._several, item = True, item[0]
        if reading.is_langchain(item):
            self._add_message(item)
        elif isinstance(item, _EVENTS):
            self._builder = self._builder or ResponseBuilder()
            self._builder.add(item)
        elif isinstance(item, str):
            self._text.append(item)
        elif isinstance(item, dict):
            self._add_state(item)
        elif reading.is_event(item):
            self._run = self._run or AgentRun()
            self._run.add(item)
        else:
            self._add_response(item)

    def is_empty(self) -> bool:
        """Return whether nothing has come."""
        came = (self._messages, self._chunks, self._builder, self._text, self._run)
        return not any(came) and self._latest is None

    def whole(self) -> Any:
        """Return what all items together are; None when nothing came."""
        self._merge()
        if self._messages:
            return self._messages if self._several else self._messages[-1]
        if self._run:
            return self._run.output
        if self._builder:
            return self._builder.response()
        return "".join(self._text) if self._text else self._latest

    def entries(self) -> list[Entry]:
        """Return what is shown of it."""
        if self._run:
            return self._run.entries()
        found = [] if self.is_empty() else reading.entries(self.whole())
        if (thought := "".join(self._thoughts)).strip():
            found = [replace(found[0], parts=(Thought(thought), *found[0].parts))]
        return found

    def _add_response(self, response: Any) -> None:
        """Take in what holds everything so far."""
        if self._latest is None:
            reading.entries(response)  # what it is, before anything else comes
        self._latest = response
        if hasattr(response, "text"):  # a completion holds all of the text, and of the reasoning only what is new
            self._thoughts.append(response.additional_kwargs.get("thinking_delta", ""))

    def _add_message(self, message: Any) -> None:
        is_chunk = type(message).__name__.endswith("Chunk")
        if is_chunk and self._chunks:
            ids = {self._chunks[-1].id, message.id} - {None}  # a model may give none
            if len(ids) > 1:
                self._merge(ended=True)
        if is_chunk:
            self._chunks.append(message)
        else:
            self._merge(ended=True)
            self._messages.append(message)

    def _add_state(self, state: dict[str, Any]) -> None:
        """Take messages of LangGraph's `values` or `updates` in."""
        self._several = True
        if isinstance(state.get("messages"), list):
            self._messages = list(state["messages"])
            return
        for update in state.values():
            if isinstance(update, dict) and isinstance(update.get("messages"), list):
                self._messages += update["messages"]

    def _merge(self, *, ended: bool = False) -> None:
        """Add the chunks up. The message under way is last, and later chunks are added to it."""
        if self._chunks:
            first, *rest = self._chunks
            merged = first + rest if rest else first
            if self._messages and self._messages[-1] is first:
                self._messages.pop()
            self._messages.append(merged)
            self._chunks = [] if ended else [merged]
        elif ended:
            self._chunks = []
