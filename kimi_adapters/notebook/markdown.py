"""Markdown that a model wrote as HTML in which nothing runs and nothing is loaded.

HTML in the text is shown as text. Links go to web and mail addresses only; pictures become links, because loading one
would tell its server what is in the address.
"""

from __future__ import annotations

import html
from functools import cache
from typing import Any

from kimi_adapters.notebook import formulas

_LINKS = ("http://", "https://", "mailto:")
_LONGEST = 200_000
_DEEPEST = 40
"""Levels of quotations and lists. What is deeper is left out by the parser, so that such a text stays as it is."""
_CODE = "padding: .5em .8em; margin: .5em 0; border-radius: 4px; overflow-x: auto; background: rgba(128, 128, 128, .12)"
"""The style of a block of code, on light and on dark pages: notebooks give it none in an output."""


def render(text: str) -> str:
    """Return a text as HTML: rendered where `markdown-it-py` is installed, else as it was written."""
    renderer = _renderer()
    if renderer is not None and len(text) <= _LONGEST:
        try:
            tokens = renderer.parse(text)
            if all(token.level < _DEEPEST - 1 for token in tokens):
                return f"<div>{renderer.renderer.render(tokens, renderer.options, {})}</div>"
        except Exception:  # a text that no parser is made for is still an answer
            return preformatted(text)
    return preformatted(text)


def prepare() -> None:
    """Import the parser, which takes longer than any drawing does."""
    _renderer()


def preformatted(text: str, style: str = "") -> str:
    """Return a text with its lines as they are, in the page's own font. Formulas in it are none."""
    return f'<div class="tex2jax_ignore" style="white-space: pre-wrap; {style}">{html.escape(text)}</div>'


@cache
def _renderer() -> Any:
    try:
        from markdown_it import MarkdownIt
    except ModuleNotFoundError:
        return None
    renderer = MarkdownIt("js-default", {"html": False, "linkify": False, "maxNesting": _DEEPEST})
    renderer.disable("image")
    renderer.validateLink = _is_harmless  # type: ignore[method-assign]
    renderer.add_render_rule("link_open", _link)
    renderer.add_render_rule("fence", _code)
    renderer.add_render_rule("code_block", _code)
    for cell in ("th_open", "td_open"):
        renderer.add_render_rule(cell, _cell)
    formulas.use(renderer)
    return renderer


def _is_harmless(url: str) -> bool:
    return url.strip().lower().startswith(_LINKS)


def _link(self: Any, tokens: Any, at: int, options: Any, env: Any) -> str:
    tokens[at].attrSet("target", "_blank")
    tokens[at].attrSet("rel", "noopener noreferrer nofollow")
    return str(self.renderToken(tokens, at, options, env))


def _code(self: Any, tokens: Any, at: int, options: Any, env: Any) -> str:
    return f'<pre style="{_CODE}"><code>{html.escape(tokens[at].content)}</code></pre>\n'


def _cell(self: Any, tokens: Any, at: int, options: Any, env: Any) -> str:
    """Align a cell that says nothing about it to the left: notebooks align tables to the right, for numbers."""
    if not tokens[at].attrGet("style"):
        tokens[at].attrSet("style", "text-align:left")
    return str(self.renderToken(tokens, at, options, env))
