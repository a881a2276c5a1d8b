"""What a host takes as tools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from kimi_core.hosts.groups.pattern import Pattern

ChoiceMode: TypeAlias = Literal["auto", "none", "required", "named"]
ALL_CHOICES: frozenset[ChoiceMode] = frozenset({"auto", "none", "required", "named"})
"""Every mode of a tool choice."""
MOONSHOT_NAMES = r"[a-zA-Z_][a-zA-Z0-9\-_]{2,63}"
"""The tool names that Moonshot takes, as a regular expression."""
OPENAI_NAMES = r"[a-zA-Z0-9_\-]{1,64}"
"""The tool names that OpenAI documents; compatible servers take them."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ToolRules:
    """What a host takes as tools, and what it does with calls and results.

    Attributes:
        limit: Most tools it takes.
        names: Regular expression of legal tool names.
        choices_thinking: Legal tool choices while thinking.
        choices_instant: Legal tool choices while not thinking.
        send_strict: Whether a tool may carry `strict`.
        forced_strict: Whether the arguments of a forced call are held to the schema only with `strict`: it is then sent
            with every function that does not set it.
        builtin: Whether it knows `builtin_function` tools.
        builtin_with_thinking: Whether the model can think in calls that offer them.
        own: Types of tools that it runs itself, within one call (`search`).
        agent_swarm: Whether it takes `agent` (an `AgentSwarm`) in the body; `unconfirmed` sends it with a warning.
        leaked_calls: Whether tool calls in the template's own tokens (`<|tool_calls_section_begin|>…`) are read out of
            text and reasoning. Only when tools are on offer; with `tool_choice="none"` they are taken out for good.
        reads_arguments: It reads the arguments of earlier calls as JSON, and refuses a conversation in which some are
            no object; they are written as one.
        empty_result: Stands for a tool's empty result where content must not be empty; None leaves it empty.
        media_results: Whether a tool's result may hold pictures; else they go into a user message behind it.
    """

    limit: int | None = None
    names: Pattern = OPENAI_NAMES
    choices_thinking: frozenset[ChoiceMode] = ALL_CHOICES
    choices_instant: frozenset[ChoiceMode] = ALL_CHOICES
    send_strict: bool = False
    forced_strict: bool = False
    builtin: bool = False
    builtin_with_thinking: bool = True
    own: tuple[str, ...] = ()
    agent_swarm: Literal["no", "unconfirmed", "yes"] = "no"
    leaked_calls: bool = True
    reads_arguments: bool = False
    empty_result: str | None = None
    media_results: bool = False
