"""Sections of tool calls that a server left in the text, in the tokens of Kimi's template.

Both spellings are seen, and the end is missing where the answer was cut:
`<|tool_calls_section_begin|><|tool_call_begin|>functions.x:0<|tool_call_argument_begin|>{…}<|tool_call_end|>…`
"""

from __future__ import annotations

import re
from typing import Protocol

from kimi_core.events import Event

BEGINS = ("<|tool_calls_section_begin|>", "<|tool_call_section_begin|>")
"""The tokens of Kimi's template that begin a section of tool calls; servers without a parser leave them in the text."""
BEGIN = re.compile("|".join(map(re.escape, BEGINS)))
END = re.compile(r"<\|tool_calls?_section_end\|>")
_CALL = re.compile(
    r"<\|tool_call_begin\|>\s*(?P<id>(?:functions\.)?(?P<name>[^\s<]+?)(?::\d+)?)\s*"
    r"<\|tool_call_argument_begin\|>\s*(?P<arguments>.*?)\s*(?:<\|tool_call_end\|>|(?=<\|tool_call)|\Z)",
    re.DOTALL,
)
# Calls whatever they are named, cut off at any place, and the marks around them.
_MARKUP = re.compile(
    rf"(?:<\|tool_call_begin\|>.*?(?:<\|tool_call_end\|>|(?=<\|tool_call_begin\|>|{END.pattern})|\Z))"
    rf"|{BEGIN.pattern}|{END.pattern}",
    re.DOTALL,
)

WITHHELD = "withheld_calls"
"""Where an answer's `extra` has the sections that were taken out of an answer that was to call nothing."""


class CallReader(Protocol):
    """Receives the calls that were found."""

    def found(self, id_: str, name: str, arguments: str, events: list[Event]) -> None:
        """Receive one call; its arguments may be cut off."""


class SectionReader(Protocol):
    """Takes sections out of the text."""

    def read(self, section: str, events: list[Event]) -> str:
        """Read one section, and return what of it is text."""


class RecoveredCalls:
    """Passes the calls of sections on as if the server had sent them in their own field."""

    __slots__ = ("_calls",)

    def __init__(self, calls: CallReader) -> None:
        self._calls = calls

    def read(self, section: str, events: list[Event]) -> str:
        """Pass a section's calls on, and return the rest of it: all of it when it has no calls."""
        found = list(_CALL.finditer(section))
        if not found:
            return section
        for call in found:
            self._calls.found(call["id"], call["name"], call["arguments"], events)
        left = END.sub("", BEGIN.sub("", _CALL.sub("", section)))
        return left if left.strip() else ""


class WithheldCalls:
    """Takes sections out of an answer that was to call no tools.

    Attributes:
        text: What was taken out, unchanged.
    """

    __slots__ = ("text",)

    def __init__(self) -> None:
        self.text = ""

    def read(self, section: str, events: list[Event]) -> str:
        """Take out a section's calls, and return the rest of it: all of it when it has no calls."""
        left = _MARKUP.sub("", section)
        if not left.strip():
            self.text += section
            return ""
        if "<|tool_call_begin|>" not in section:
            return section
        self.text += "".join(found[0] for found in _MARKUP.finditer(section))
        return left
