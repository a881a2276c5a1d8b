"""What a host takes as messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kimi_core.hosts.groups.thinking import Patch


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MessageRules:
    """What a host takes as messages.

    Attributes:
        takes_empty: Whether user and system messages may be empty.
        takes_refusal: Whether `refusal` of an assistant's message is read. Where not, a refusal goes back as its text.
        empty_content: How an assistant turn without text is written: without `content`, or with null.
        size_limit: Most bytes that all messages together may have as JSON; None when unknown.
    """

    takes_empty: bool = True
    takes_refusal: bool = False
    empty_content: Literal["omit", "null"] = "null"
    size_limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PartialRules:
    """How the model is made to continue a message that was begun.

    Attributes:
        message: Patch for the last message when the model is to continue it; None when it has no such mode.
        body: Patch for the body for the same.
        with_json: Whether it may be combined with `json_object`.
        with_thinking: Whether it may be combined with thinking. Where not, thinking that was left open is switched
            off for such a call.
    """

    message: Patch | None = None
    body: Patch | None = None
    with_json: bool = True
    with_thinking: bool = True
