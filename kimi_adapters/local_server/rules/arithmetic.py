"""Finds sums in a text and works them out."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

_WORDS = (
    (r"\bplus\b", "+"),
    (r"\bminus\b", "-"),
    (r"\b(?:times|multiplied by)\b", "*"),
    (r"\b(?:divided by|over)\b", "/"),
    (r"\bto the power of\b|\^", "**"),
    (r"[×·]", "*"),
    (r"(?<=\d)\s*x\s*(?=\d)", "*"),
    (r"[÷]", "/"),
    (r"[−–](?=\s*\d)", "-"),
    (r"(?<=\d),(?=\d{3}\b)", ""),
)
_EXPRESSION = re.compile(r"(?<![\w.])(?:\([(\s]{0,9})?-?\d[\d\s.+*/()%-]*[\d)](?![\w])")
_BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_SIGNS: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_LARGEST = 1e15
_DATE = re.compile(r"\d{1,4}-\d{1,2}-\d{1,4}")


def expression(text: str) -> str | None:
    """Return the first sum in a text, with plain operators, or None when there is none."""
    plain = text
    for pattern, sign in _WORDS:
        plain = re.sub(pattern, sign, plain, flags=re.IGNORECASE)
    for match in _EXPRESSION.finditer(plain):
        found = " ".join(match[0].split())
        if not _DATE.fullmatch(found) and value(found) is not None and re.search(r"\d\s*[)\s]*[-+*/%]", found):
            return found
    return None


def value(text: str) -> float | int | None:
    """Work out a sum; return None when the text is no sum or the result is too large."""
    try:
        result = _evaluate(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError, ZeroDivisionError, OverflowError, RecursionError, MemoryError):
        return None
    return int(result) if isinstance(result, float) and result.is_integer() else round(result, 10)


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of a sum; an operand is a number, or the place of the step whose result it is.

    Attributes:
        sign: The operator.
        left: The first operand.
        right: The second.
    """

    sign: str
    left: Operand
    right: Operand


@dataclass(frozen=True, slots=True)
class Operand:
    """A number, or the result of an earlier step."""

    number: float | int | None = None
    step: int = -1


def steps(text: str) -> list[Step]:
    """Return the operations of a sum, the inner ones first; none when it has others than + - * /."""
    made: list[Step] = []

    def walk(node: ast.expr) -> Operand:
        if isinstance(node, ast.BinOp):
            left, right = walk(node.left), walk(node.right)
            made.append(Step(_SIGNS[type(node.op)], left, right))
            return Operand(step=len(made) - 1)
        return Operand(number=_evaluate(node))

    try:
        walk(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError, KeyError, RecursionError):
        return []
    return made


def _evaluate(node: ast.expr) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_evaluate(node.operand)
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        left, right = _evaluate(node.left), _evaluate(node.right)
        if isinstance(node.op, ast.Pow) and (abs(right) > 64 or abs(left) > 1e6):
            raise ValueError("too large")
        result = _BINARY[type(node.op)](left, right)
        if isinstance(result, complex) or abs(result) > _LARGEST:
            raise ValueError("too large")
        return result
    raise ValueError("not a sum")
