"""The events of an agent of LlamaIndex as entries. By what they hold: nothing of LlamaIndex is imported."""

from __future__ import annotations

from typing import Any

from kimi_adapters.notebook import reading
from kimi_adapters.notebook.entries import Entry, Result, Text, Thought


class AgentRun:
    """What has come of `handler.stream_events()`.

    Attributes:
        output: The agent's last output; None before the first.
    """

    def __init__(self) -> None:
        self.output: Any = None
        self._entries: list[Entry] = []
        self._thought: list[str] = []
        self._text: list[str] = []

    def add(self, event: Any) -> None:
        """Take one event in. Those of a workflow that are no part of a conversation are left out."""
        match type(event).__name__:
            case "AgentStream":
                self._thought.append(event.thinking_delta or "")
                self._text.append(event.delta or "")
            case "AgentOutput":
                self.output = event
                self._entries += reading.entries(event)
                self._thought, self._text = [], []
            case "ToolCallResult":
                output = event.tool_output
                self._entries.append(Entry("tool", (Result(event.tool_name, str(output.content), output.is_error),)))

    def entries(self) -> list[Entry]:
        """Return what is shown of it."""
        parts = (Thought("".join(self._thought)), Text("".join(self._text)))
        begun = tuple(part for part in parts if part.text.strip())
        return [*self._entries, Entry("assistant", begun)] if begun else list(self._entries)
