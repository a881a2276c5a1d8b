"""A conversation as HTML: in the page's own colours, light or dark, and nothing in it runs."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence

from kimi_adapters.notebook import markdown, pictures, wording
from kimi_adapters.notebook.entries import Call, Entry, Note, Part, Picture, Result, Text, Thought, Timing

_DIM = "opacity: .7"
_INDENTED = "margin: .3em 0 .6em .3em; padding-left: .8em; border-left: 3px solid rgba(128, 128, 128, .45); opacity: .8"


def render(
    entries: Sequence[Entry],
    *,
    live: bool = False,
    timing: Timing | None = None,
    note: str = "",
    local_files: bool = True,
) -> str:
    """Return all of it.

    Args:
        entries: The messages.
        live: More is to come: what the model thinks is unfolded as long as nothing follows it.
        timing: How long it took, where that is known.
        note: The text at the end.
        local_files: Whether files are read for thumbnails.
    """
    shown = []
    for entry in entries:
        if len(entries) > 1:
            shown.append(f'<div style="margin-top: .8em; font-weight: 600; {_DIM}">{_escaped(entry.role)}</div>')
        for part in entry.parts:
            unfolded = live and entry is entries[-1] and part is entry.parts[-1]
            shown.append(_part(part, unfolded=unfolded, local_files=local_files))
    below = wording.below(entries, timing, note, live=live)
    shown += [f'<div style="margin-top: .5em; font-size: 85%; {_DIM}">{_escaped(line)}</div>' for line in below]
    return f'<div class="kimi-answer" style="color: inherit; overflow-wrap: anywhere">{"".join(shown)}</div>'


def _part(part: Part, *, unfolded: bool, local_files: bool) -> str:
    match part:
        case Thought(text=text):
            return _folded("Thinking", text, unfolded=unfolded)
        case Text(text=text):
            return markdown.render(wording.clean(text))
        case Call(arguments=arguments):
            return _folded(f"Call: {wording.call(part)}", _indented(arguments))
        case Result(name=name, text=text, failed=failed):
            what = f"{'Error' if failed else 'Result'} of {name or 'a tool'}"
            return _folded(f"{what}: {wording.in_short(text)}", text)
        case Picture():
            return pictures.render(part, local_files=local_files)
        case Note(text=text):
            return f'<div style="{_DIM}">[{_escaped(text)}]</div>'


def _folded(summary: str, text: str, *, unfolded: bool = False) -> str:
    head = f'<summary style="cursor: pointer; {_DIM}">{_escaped(summary)}</summary>'
    shown = wording.ending(text) if unfolded else wording.bounded(text)  # while it grows, its end is what is read
    body = markdown.preformatted(wording.clean(shown), _INDENTED)
    return f"<details{' open' if unfolded else ''}>{head}{body}</details>"


def _indented(arguments: str) -> str:
    try:
        return json.dumps(json.loads(arguments), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return arguments


def _escaped(text: str) -> str:
    return html.escape(wording.clean(text))
