"""The rules of the house that a reader feels: short functions, twins that are alike, imports that go one way."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("kimi_core", "kimi_adapters", "langchain_kimi", "llama_index_kimi")

Function = ast.FunctionDef | ast.AsyncFunctionDef

# What does not keep a rule yet. Lists may only become shorter: what keeps the rule by now must be taken out.
TOO_LONG: set[str] = set()
UNLIKE: set[str] = set()
CIRCLES = {
    frozenset({"kimi_core.codecs", "kimi_core.codecs.chat", "kimi_core.codecs.runware.codec"}),
}
PACKAGE_CIRCLES: set[frozenset[str]] = set()


@cache
def sources() -> Mapping[str, ast.Module]:
    """The product's files, read."""
    files = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
    return {str(file.relative_to(ROOT)): ast.parse(file.read_text("utf-8")) for file in files}


def functions(scope: ast.AST) -> list[Function]:
    return [node for node in ast.walk(scope) if isinstance(node, Function)]


# -------------------------------------------------------------------------------------------------- functions


def lines(function: Function) -> int:
    """How long it is without its docstring: what a caller reads is as long as it has to be."""
    text = function.body[0] if ast.get_docstring(function, clean=False) is not None else None
    return function.end_lineno - function.lineno + 1 - (text.end_lineno - text.lineno + 1 if text else 0)  # type: ignore[operator]


def test_no_function_is_longer_than_45_lines() -> None:
    long = {
        f"{Path(file).name}: {one.name}"
        for file, tree in sources().items()
        for one in functions(tree)
        if lines(one) > 45
    }
    assert long == TOO_LONG


# ------------------------------------------------------------------------------------------------------ twins


class Synchronous(ast.NodeTransformer):
    """Takes async and await out."""

    def visit_Await(self, node: ast.Await) -> ast.AST:
        return self.visit(node.value)  # type: ignore[no-any-return]

    def visit_AsyncFor(self, node: ast.AsyncFor) -> ast.AST:
        return self.generic_visit(ast.For(**vars(node)))

    def visit_AsyncWith(self, node: ast.AsyncWith) -> ast.AST:
        return self.generic_visit(ast.With(**vars(node)))

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self.generic_visit(ast.FunctionDef(**vars(node)))

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        node.is_async = 0
        return self.generic_visit(node)


def twins() -> Iterator[tuple[str, ast.FunctionDef, ast.AsyncFunctionDef]]:
    """Functions that exist in pairs, `<name>` and `a<name>`."""
    for file, tree in sources().items():
        for scope in ast.walk(tree):
            if isinstance(scope, ast.Module | ast.ClassDef):
                named = {node.name: node for node in scope.body if isinstance(node, Function)}
                for name, one in named.items():
                    other = named.get(re.sub(r"^(_*)", r"\1a", name, count=1))
                    if isinstance(one, ast.FunctionDef) and isinstance(other, ast.AsyncFunctionDef):
                        yield f"{Path(file).name}: {getattr(scope, 'name', '')}.{name}".replace(": .", ": "), one, other


def parameters(function: Function) -> str:
    bare = ast.parse(ast.unparse(function)).body[0]
    for argument in ast.walk(bare.args):  # type: ignore[attr-defined]
        if isinstance(argument, ast.arg):
            argument.annotation = None
    return ast.unparse(bare.args)  # type: ignore[attr-defined]


def words(function: Function) -> list[str]:
    """Its body, without its docstring, word by word."""
    plain = Synchronous().visit(ast.parse(ast.unparse(function))).body[0]
    body = plain.body[1:] if ast.get_docstring(plain) is not None else plain.body
    text = ast.unparse(ast.Module(body, []))
    return [token.string for token in tokenize.generate_tokens(io.StringIO(text).readline)]


def alike(one: str, other: str) -> bool:
    """Whether they are the same word, or `close` and `aclose`, `Iterator` and `AsyncIterator`."""
    return one == other or other in (re.sub(r"^(['_]*)", r"\1a", one, count=1), f"Async{one}", f"async_{one}")


def unlike(one: Function, other: Function) -> bool:
    pairs = [*words(one)], [*words(other)]
    return len(pairs[0]) != len(pairs[1]) or not all(map(alike, *pairs))


def test_sync_and_async_twins_take_the_same() -> None:
    assert [name for name, one, other in twins() if parameters(one) != parameters(other)] == []


def test_sync_and_async_twins_do_the_same() -> None:
    assert {name for name, one, other in twins() if unlike(one, other)} == UNLIKE


@pytest.mark.parametrize(
    ("sync", "other", "same"),
    [
        ("return self.close()", "return await self.aclose()", True),
        ("for x in y:\n  yield x", "async for x in y:\n  yield x", True),
        ("return hasattr(x, 'close')", "return hasattr(x, 'aclose')", True),
        ("return 'open'", "return 'close'", False),
        ("with open(x) as y:\n  pass", "async with open(x) as y:\n  pass", True),
        ("x: Iterator[int] = [y for y in z]", "x: AsyncIterator[int] = [y async for y in z]", True),
        ("return self.close(1)", "return await self.aclose(2)", False),
        ("return 1", "await z()\n return 1", False),
    ],
)
def test_twins_are_compared_without_async_and_await(sync: str, other: str, same: bool) -> None:
    one, two = (ast.parse(f"{head} f():\n {body}").body[0] for head, body in (("def", sync), ("async def", other)))
    assert unlike(one, two) is not same  # type: ignore[arg-type]


# ---------------------------------------------------------------------------------------------------- circles


@cache
def imports() -> Mapping[str, frozenset[str]]:
    """Which module imports which of the product's at runtime, at the top or in a function."""
    graph = grimp.build_graph(*PACKAGES, exclude_type_checking_imports=True, cache_dir=None)
    return {module: frozenset(graph.find_modules_directly_imported_by(module)) for module in graph.modules}


def reached(graph: Mapping[str, frozenset[str]], start: str) -> set[str]:
    found: set[str] = set()
    left = [start]
    while left:
        new = graph.get(left.pop(), frozenset()) - found
        found |= new
        left += new
    return found


def circles(graph: Mapping[str, frozenset[str]]) -> set[frozenset[str]]:
    """The groups in which each imports every other, by whatever way."""
    ways = {name: reached(graph, name) for name in graph}
    rings = {frozenset(other for other in ways[name] if name in ways.get(other, ())) for name in graph}
    return {ring for ring in rings if ring}


def by_package(graph: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """The same for the parts that a package is made of: its folders, and the modules beside them."""

    def part(module: str) -> str:
        return ".".join(module.split(".")[:2])

    parts: dict[str, set[str]] = {}
    for module, found in graph.items():
        parts.setdefault(part(module), set()).update(part(one) for one in found if part(one) != part(module))
    return {name: frozenset(found) for name, found in parts.items()}


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circles(imports()) == CIRCLES


def test_no_packages_import_each_other_in_a_circle() -> None:
    assert circles(by_package(imports())) == PACKAGE_CIRCLES


def test_a_circle_is_found() -> None:
    graph = {"a": frozenset("b"), "b": frozenset("c"), "c": frozenset("a"), "d": frozenset("a")}
    assert circles(graph) == {frozenset("abc")}
