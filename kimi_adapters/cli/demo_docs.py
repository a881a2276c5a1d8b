"""The documents that questions are answered from: files of the user's, or this project's own."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import kimi_core

_SUFFIXES = frozenset({".md", ".txt", ".rst"})
_FENCE = re.compile(r"(^```.*?^```)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[([^\]]+)\]\([^)\s]*\)")
#: A line break inside a paragraph: the line is no heading, and the next one begins with a plain word.
_SOFT_BREAK = re.compile(r"^((?!#).*\S)\n(?=[A-Za-z(“\"']|`[^`])", re.MULTILINE)
_HEADING = re.compile(r"^(?:#{1,6} |```)", re.MULTILINE)
#: Passages are this long at most, so that a few of them fit into any prompt.
_LONGEST = 1200
_SHORTEST = 60
#: With fewer characters of prose than this, the docstrings are read as well.
_ENOUGH = 10_000
_ROOT = Path(kimi_core.__file__).parents[1]
_OWN_QUESTION = "Why is the reasoning sent back in a tool loop?"


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document, and the path of the file that it is from."""

    text: str
    source: str


@dataclass(frozen=True, slots=True)
class Library:
    """Passages, and a question to ask about them."""

    passages: list[Passage]
    question: str

    @property
    def size(self) -> str:
        """How much there is to read."""
        return f"{len(self.passages)} passages of {len({passage.source for passage in self.passages})} files"


def library(docs: Path | None = None, question: str | None = None) -> Library:
    """Return the passages of a file or folder; of this project's own documents when there is none.

    Raises:
        ValueError: If there is nothing to read.
    """
    texts = list(_texts(docs) if docs else own_texts(_ROOT))
    passages = [Passage(piece, source) for source, text in texts for piece in _split(_unwrapped(text))]
    if not passages:
        raise ValueError(f"No .md, .txt or .rst text in {docs}.")
    return Library(passages, question or (_about(passages[0]) if docs else _OWN_QUESTION))


def _about(first: Passage) -> str:
    """Return a question that a text must be able to answer: about its own title."""
    title = first.text.strip().splitlines()[0].strip("# ").rstrip(".:")
    return f"What do the documents say about {title}?"


def _texts(path: Path) -> Iterator[tuple[str, str]]:
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    for file in files:
        if file.is_file() and (file == path or file.suffix.lower() in _SUFFIXES):
            yield file.name if file == path else file.relative_to(path).as_posix(), file.read_text("utf-8", "replace")


def own_texts(root: Path) -> list[tuple[str, str]]:
    """Return README and docs of a checkout; without one, the installed package's README and docstrings."""
    if (root / "pyproject.toml").is_file():
        texts = [(f"docs/{name}", text) for name, text in _texts(root / "docs")]
        texts.append(("README.md", (root / "README.md").read_text("utf-8")))
    else:
        readme = "".join(metadata.metadata("kimi-adapters").get_all("Description") or ())
        return [("README.md", readme), *_docstrings()]
    enough = sum(len(text) for _, text in texts) >= _ENOUGH
    return texts if enough else [*texts, *_docstrings()]


def _docstrings() -> Iterator[tuple[str, str]]:
    for package in ("kimi_core", "langchain_kimi", "llama_index_kimi"):
        for file in sorted((_ROOT / package).rglob("*.py")):
            if found := list(_docs_of(ast.parse(file.read_text("utf-8")))):
                yield file.relative_to(_ROOT).as_posix(), "\n\n".join(found)


def _docs_of(module: ast.Module) -> Iterator[str]:
    """Yield the docstrings of a module and of its public classes."""
    public = [node for node in module.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
    documented: list[ast.Module | ast.ClassDef] = [module, *public]
    for node in documented:
        if text := ast.get_docstring(node):
            yield text if isinstance(node, ast.Module) else f"# {node.name}\n{text}"


def _unwrapped(text: str) -> str:
    """Put each paragraph of a Markdown text on one line and links as their words; leave code as it is."""
    pieces = _FENCE.split(text)
    for at in range(0, len(pieces), 2):
        pieces[at] = _SOFT_BREAK.sub(r"\1 ", _LINK.sub(r"\1", pieces[at]))
    return "".join(pieces)


def _split(text: str) -> Iterator[str]:
    """Yield a text cut at its headings and, where a section is long, between its paragraphs."""
    for section in _sections(text):
        piece = ""
        for paragraph in section.split("\n\n"):
            if piece and len(piece) + len(paragraph) > _LONGEST:
                yield piece.strip()
                piece = ""
            piece += paragraph[:_LONGEST] + "\n\n"
        if len(piece.strip()) >= _SHORTEST:
            yield piece.strip()


def _sections(text: str) -> Iterator[str]:
    """Yield the pieces between headings. A `#` in a code block is none."""
    start, fenced = 0, False
    for match in _HEADING.finditer(text):
        if match[0] == "```":
            fenced = not fenced
        elif not fenced and match.start() > start:
            yield text[start : match.start()]
            start = match.start()
    yield text[start:]
