"""Real pages that every machine has: what the modules of the standard library say of themselves."""

from __future__ import annotations

import ast
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from llama_index.core import Document

_LEFT_OUT = frozenset(
    {"distutils", "site-packages", "test", "tests", "idlelib", "lib2to3", "turtledemo", "encodings", "__pycache__"}
)
_LONG_ENOUGH, _LONG = 300, 4000


@cache
def pages() -> tuple[Document, ...]:
    """One page a module, read from its source: nothing is imported."""
    root = Path(sysconfig.get_paths()["stdlib"])
    found = ((path.relative_to(root), _page(path, path.relative_to(root))) for path in sorted(_files(root)))
    return tuple(
        Document(text=text[:_LONG], id_=name.as_posix(), metadata={"file_name": name.as_posix()})
        for name, text in found
        if len(text) >= _LONG_ENOUGH
    )


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name in _LEFT_OUT or path.name.startswith(("_", "config-")):
            continue
        if path.is_dir():
            yield from _files(path)
        elif path.suffix == ".py":
            yield path


def _page(path: Path, name: Path) -> str:
    tree = ast.parse(path.read_text("utf-8", "replace"))
    said = [f"# {'.'.join(name.with_suffix('').parts)}", ast.get_docstring(tree) or "", *_members(tree)]
    return "\n\n".join(text for text in said if text)


def _members(tree: ast.AST) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            if text := ast.get_docstring(node):
                yield f"## {node.name}\n\n{text}"
            if isinstance(node, ast.ClassDef):
                yield from _members(node)
