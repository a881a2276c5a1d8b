"""What several hosts' specs have in common: Moonshot's own models behave alike wherever Moonshot serves them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kimi_core.hosts.groups import ChoiceMode, ThinkingRules

# 400 `tool_choice 'required' is incompatible with thinking enabled` / `'specified' is incompatible …`
THINKING_CHOICES: frozenset[ChoiceMode] = frozenset({"auto", "none"})
# K3 takes `required` while it thinks (vercel/ai fixture moonshotai-k3-required-tool-choice), never a name.
K3_CHOICES: frozenset[ChoiceMode] = frozenset({"auto", "none", "required"})
# What other libraries call K3's levels.
K3_EFFORTS = {"minimal": "low", "medium": "high", "xhigh": "max"}
# Older pages advise to switch thinking off for `$web_search`, the one of 2026-09 allows both together: unconfirmed.
K26 = {"tools.builtin_with_thinking": False}

EMPTY_RESULT = "Tool output is empty."
"""What Moonshot's own clients write (kimi-cli `soul/message.py`, kimi-code `toolResultRender.ts`), since its reference
says that content must not be empty; no 400 for the role `tool` is on record."""

SHORTEN = "Shorten or summarise the conversation, or use a model with a larger context."
"""What to do when the context is too long."""

WEIGHTS = {
    "kimi-k3": "moonshotai/Kimi-K3",
    "kimi-k2.7-code": "moonshotai/Kimi-K2.7-Code",
    "kimi-k2.6": "moonshotai/Kimi-K2.6",
    "kimi-k2.5": "moonshotai/Kimi-K2.5",
}
"""The ids of the open weights on Hugging Face, which hosts take over."""
SLUGS = {family: id.lower() for family, id in WEIGHTS.items()}
"""The same in lower case, as gateways write them."""

ENABLED = ThinkingRules(on={"reasoning": {"enabled": True}}, off={"reasoning": {"enabled": False}})
"""Thinking is switched by OpenRouter's field."""
TYPED = ThinkingRules(on={"thinking": {"type": "enabled"}}, off={"thinking": {"type": "disabled"}})
"""Thinking is switched by Moonshot's field."""
QWEN = ThinkingRules(on={"enable_thinking": True}, off={"enable_thinking": False})
"""Thinking is switched by the field that hosts have for Qwen's models."""
BY_EFFORT = ThinkingRules(on={}, off={"reasoning_effort": "none"})
"""Thinking is the default, and off is an effort."""
FIXED = ThinkingRules(on={}, off=None, keep=None, effort_field=None)
"""No switch is known."""


def switches(thinking: ThinkingRules) -> dict[str, Any]:
    """Return a patch that switches thinking as those rules do."""
    return {"thinking.on": thinking.on, "thinking.off": thinking.off}


def levels(*efforts: str) -> dict[str, Mapping[str, Any]]:
    """Return facts per model: the effort levels that a host gives to the families that have none at Moonshot."""
    return {family: {"efforts": efforts} for family in ("kimi-k2.5", "kimi-k2.6", "kimi-k2.7-code")}
