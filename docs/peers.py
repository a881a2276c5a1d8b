"""The tables about other classes, from the record of their options and of what they do with Kimi (docs/peers.json).

Part of `docs/generate.py`. `tests/test_peers.py` holds the record to the classes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from kimi_core.option_hints import hint
from kimi_core.options import ALIASES, CONNECTION, OPTIONS
from langchain_kimi import ChatKimi
from llama_index_kimi import KimiLLM

Table = Callable[[Iterable[str], Iterable[Iterable[object]]], str]
RECORD: dict[str, Any] = json.loads((Path(__file__).parent / "peers.json").read_text("utf-8"))
_CODE = re.compile(  # an option with its value, a name with an underscore, the word that is to be given
    r"(?<![`\w.])(?:[a-z_.]+=(?:\{[^}]*\}+|'[^']*'|\[[^]]*\]|\w+)"
    r"|[a-z]+(?:_[a-z]+)+(?:\.[a-z_]+)*|(?<=Give )[a-z]+(?=[.,:; ]))"
)


def _here(peer: str) -> set[str]:
    ours = KimiLLM if peer == "OpenAILike" else ChatKimi
    return {*ours.model_fields, *CONNECTION, *OPTIONS, "model"}


def same(peer: str) -> str:
    """The options of a class that have the same name here."""
    return ", ".join(f"`{word}`" for word in RECORD["options"][peer]["options"] if word in _here(peer)) + "."


def renamed(table: Table, peer: str) -> str:
    """The other options of a class, and what there is here; those with one answer in one row."""
    answers: dict[str, list[str]] = {}
    for word in RECORD["options"][peer]["options"]:
        if word not in _here(peer):
            answer = (
                f"Goes on working, as `{ALIASES[word]}`."
                if word in ALIASES
                else _CODE.sub(r"`\g<0>`", hint(word) or "")
            )
            answers.setdefault(answer, []).append(f"`{word}`")
    return table((f"option of `{peer}`", "here"), ((", ".join(words), answer) for answer, words in answers.items()))


def langchain(table: Table) -> str:
    """What each class of LangChain does with Kimi."""
    rows = RECORD["langchain"]
    names = list(next(iter(rows.values())))
    marks = ((question, *("✓" if row[name] else "✗" for name in names)) for question, row in rows.items())
    return table(("", *(f"`{name}`" for name in names)), marks)


def versions() -> str:
    """Which versions the record is of."""
    return ", ".join(f"{one['package']} {one['version']}" for one in RECORD["options"].values()) + "."


def tables(table: Table) -> dict[str, Callable[[], str]]:
    """The tables by their names."""
    named = {"chat-openai": "ChatOpenAI", "chat-moonshot": "ChatMoonshot", "moonshot-chat": "MoonshotChat"}
    found: dict[str, Callable[[], str]] = {"peers-langchain": lambda: langchain(table), "peers-versions": versions}
    for name, peer in (named | {"open-ai-like": "OpenAILike"}).items():
        found[f"from-{name}-same"] = partial(same, peer)
        found[f"from-{name}"] = partial(renamed, table, peer)
    return found
