"""What is shown of a conversation, independent of a framework."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Thought:
    """What the model thought."""

    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """What somebody wrote, as Markdown."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call.

    Attributes:
        name: The tool.
        arguments: As JSON, or as much of it as has come.
    """

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Result:
    """What a tool returned.

    Attributes:
        name: The tool; empty where the message does not have it.
        text: What it returned.
        failed: Whether it failed.
    """

    name: str
    text: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture in a message.

    Attributes:
        data: Its bytes, where the message holds them.
        path: Its file, where code has named one.
        about: The text in its place when it cannot be shown.
    """

    data: bytes | None = None
    path: Path | None = None
    about: str = "picture"


@dataclass(frozen=True, slots=True)
class Note:
    """The text about a part that is not shown."""

    text: str


Part: TypeAlias = Thought | Text | Call | Result | Picture | Note


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known about an answer; None where it is not.

    Attributes:
        model: Who answered, by the host's name for it.
        host: Whose endpoint it was.
        input_tokens: Tokens of the prompt, cached ones included.
        cached_tokens: Those that came from the host's cache.
        output_tokens: Tokens generated, reasoning included.
        reasoning_tokens: Those that were thinking.
        cost_usd: The price in US dollars.
        cost_is_estimate: Whether it was computed from a table.
        finish_reason: Why the answer ended.
    """

    model: str | None = None
    host: str | None = None
    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_usd: float | None = None
    cost_is_estimate: bool = False
    finish_reason: str | None = None

    def __post_init__(self) -> None:
        """Leave out what is of another type: metadata of a message can hold anything."""
        for name in ("model", "host", "finish_reason"):
            if not isinstance(getattr(self, name), str):
                object.__setattr__(self, name, None)
        for name in ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens", "cost_usd"):
            if not isinstance(getattr(self, name), int | float):
                object.__setattr__(self, name, None)


@dataclass(frozen=True, slots=True)
class Entry:
    """One message.

    Attributes:
        role: Who speaks: `assistant`, `user`, `system` or `tool`.
        parts: What the message holds, in order.
        facts: What is known about it, for an answer.
    """

    role: str
    parts: tuple[Part, ...]
    facts: Facts = field(default_factory=Facts)


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a stream took, in seconds.

    Attributes:
        total: From the start to its end, or until now.
        first: From the start to its first piece.
    """

    total: float
    first: float | None = None
