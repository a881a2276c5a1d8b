"""How thinking is switched on a host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Patch: TypeAlias = Mapping[str, Any]
"""A JSON merge patch for the request body."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ThinkingRules:
    """How thinking is switched, and how an effort is asked for.

    Attributes:
        default: Whether it thinks when no thinking option is sent; None when unknown.
        on: Patch that switches thinking on; None when there is none.
        off: Patch that switches it off; None when it cannot be switched off.
        keep: Patch for `keep="all"`; None when it has no such option.
        least: The effort that is sent for no thinking where a model always thinks; None: none is sent.
        effort_field: Where the effort goes in the body, as a dotted path; None when it has none.
        effort_words: Other names that users know for its levels.
        effort_alone: It refuses an effort beside another thinking option.
        effort_heeded: Whether the effort is known to change anything; where it is not, it is sent with a warning.
    """

    default: bool | None = None
    # Template variables are what self-hosted servers understand; sent only when the user asks.
    on: Patch | None = field(
        default_factory=lambda: {"chat_template_kwargs": {"thinking": True, "enable_thinking": True}}
    )
    off: Patch | None = field(
        default_factory=lambda: {"chat_template_kwargs": {"thinking": False, "enable_thinking": False}}
    )
    keep: Patch | None = field(default_factory=lambda: {"chat_template_kwargs": {"preserve_thinking": True}})
    least: str | None = None
    effort_field: str | None = "reasoning_effort"
    effort_words: Mapping[str, str] = field(default_factory=dict)
    effort_alone: bool = False
    effort_heeded: bool = True
