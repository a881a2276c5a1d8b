"""The install lines of a guide bring everything that its examples import."""

from __future__ import annotations

import ast
import re
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from pytest_examples import find_examples

PAGES = Path(__file__).parent.parent / "docs" / "pages"
GUIDES = """agents-langgraph agents-llama-index cost-and-caching deployment long-agents mcp pictures-and-video rag
    testing-your-agent tracing"""
OURS = {"kimi_core", "kimi_adapters", "langchain_kimi", "llama_index_kimi"}
BY_MODULE = metadata.packages_distributions()


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def installed_by(lines: list[str]) -> set[str]:
    """The distributions that some install lines bring, with all that these require."""
    todo = [Requirement(word.strip("\"'")) for line in lines for word in line.split()]
    done: set[tuple[str, frozenset[str]]] = set()
    while todo:
        wanted = todo.pop()
        key = (plain(wanted.name), frozenset(wanted.extras))
        if key in done:
            continue
        done.add(key)
        for line in metadata.requires(wanted.name) or []:
            needed = Requirement(line)
            extras = ({"extra": extra} for extra in ("", *wanted.extras))
            if needed.marker is None or any(needed.marker.evaluate(extra) for extra in extras):
                todo.append(needed)
    return {name for name, _ in done}


def imported(page: Path) -> set[str]:
    trees = [ast.parse(block.source) for block in find_examples(page)]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    plainly = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plainly | {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}


def distributions(module: str) -> set[str]:
    """The distributions that a module may be of."""
    top, *rest = module.split(".")
    if top in OURS:
        return {"kimi-adapters"}
    if top == "llama_index":  # many distributions share the name
        return {"llama-index-core"} if rest[:1] in ([], ["core"]) else {plain("-".join([top, *rest[:2]]))}
    return {plain(name) for name in BY_MODULE.get(top, [])}


@pytest.mark.parametrize("guide", GUIDES.split())
def test_a_guide_says_what_to_install(guide: str) -> None:
    page = PAGES / f"{guide}.md"
    lines = re.findall(r"pip install ((?:\"?[a-z][\w,\[\]-]*\"? ?)+)", page.read_text("utf-8"))
    assert lines
    brought = installed_by(lines)
    others = {name for name in imported(page) if name.partition(".")[0] not in sys.stdlib_module_names}
    assert others
    assert {name for name in others if not distributions(name) & brought} == set()
