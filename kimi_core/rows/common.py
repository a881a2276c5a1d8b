"""What several hosts' rows have in common: Moonshot's own models behave alike wherever Moonshot serves them."""

from __future__ import annotations

from kimi_core.host_row import ChoiceMode

# 400 `tool_choice 'required' is incompatible with thinking enabled` / `'specified' is incompatible …`
THINKING_CHOICES: frozenset[ChoiceMode] = frozenset({"auto", "none"})
# K3 takes `required` while it thinks (vercel/ai fixture moonshotai-k3-required-tool-choice), never a name.
K3_CHOICES: frozenset[ChoiceMode] = frozenset({"auto", "none", "required"})
K3_EFFORTS = {"minimal": "low", "medium": "high", "xhigh": "max"}
# Older pages say to switch thinking off for `$web_search`, the one of 2026-09 says that both go together: unconfirmed.
K26 = {"builtin_thinking": False}
