"""Formulas in Markdown, which the notebook typesets, and dollars, which it must not.

A notebook typesets what stands between two dollars, so that "from $5 to $6" would be one formula. Here it is one by
Pandoc's rule: no space inside at either end, no digit behind it.
"""

from __future__ import annotations

import html
from typing import Any

_DELIMITERS = (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"))
_LONGEST = 2_000
"""Most characters of a formula, so that a text of nothing but openings is read in no time."""
_DOLLAR = '<span class="tex2jax_ignore">$</span>'


def use(renderer: Any) -> None:
    """Have a `MarkdownIt` leave formulas as they are, and keep other dollars from being typeset."""
    renderer.inline.ruler.before("escape", "formula", _formula)
    renderer.add_render_rule("formula", _shown_formula)
    renderer.add_render_rule("text", _shown_text)


def _formula(state: Any, silent: bool) -> bool:
    """Take one formula in, delimiters included; the signature is that of an inline rule."""
    for opening, closing in _DELIMITERS:
        if not state.src.startswith(opening, state.pos):
            continue
        start = state.pos + len(opening)
        end = state.src.find(closing, start, min(start + _LONGEST, state.posMax))
        behind = end + len(closing)
        if end <= start or (opening == "$" and not _is_one(state.src[start:end], state.src[behind : behind + 1])):
            continue
        if not silent:
            state.push("formula", "", 0).content = state.src[state.pos : behind]
        state.pos = behind
        return True
    return False


def _is_one(inside: str, behind: str) -> bool:
    """Return whether a text between two dollars is a formula."""
    return inside == inside.strip() and not inside.endswith("\\") and not behind.isdigit()


def _shown_formula(self: Any, tokens: Any, at: int, options: Any, env: Any) -> str:
    return html.escape(tokens[at].content)


def _shown_text(self: Any, tokens: Any, at: int, options: Any, env: Any) -> str:
    return html.escape(tokens[at].content).replace("$", _DOLLAR)
