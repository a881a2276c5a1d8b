"""Whether the packages that are installed are those that are supported."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from kimi_adapters.cli.doctor_causes import Check

_PACKAGE = "kimi-adapters"
_FRAMEWORKS = {"langchain-core": "langchain", "llama-index-core": "llama-index"}
"""What need not be there, and the extra that brings it."""
_REQUIREMENT = re.compile(r"""(?P<name>[\w.-]+)(?P<limits>[^;]*)(;.*extra == ['"](?P<extra>[\w-]+)['"])?""")
_LIMIT = re.compile(r"(>=|<)\s*([\d.]+)")


def examine() -> Iterator[Check]:
    """Yield what is installed: in order all at once, or each package that is not."""
    wanted = _wanted()
    found = {name: there for name in wanted if (there := _installed(name))}
    bad = [name for name in found if not _fits(found[name], wanted[name])]
    for name in bad:
        limits = ", ".join(f"{sign}{limit}" for sign, limit in wanted[name])
        text = f"{name} {found[name]} is not supported: it must be {limits}."
        extra = f"[{_FRAMEWORKS[name]}]" if name in _FRAMEWORKS else ""
        yield Check("versions", text, "version", f'pip install --upgrade "{_PACKAGE}{extra}" "{name}{_joined(limits)}"')
    if not bad:
        shown = ("openai", *_FRAMEWORKS)
        known = [f"{name} {found[name]}" for name in shown if name in found]
        yield Check("versions", ", ".join([f"{_PACKAGE} {_installed(_PACKAGE) or 'from a checkout'}", *known]))


def _joined(limits: str) -> str:
    return limits.replace(" ", "")


def _wanted() -> dict[str, list[tuple[str, str]]]:
    """Return what the package itself says that it needs; nothing when it is not installed but on the path."""
    try:
        lines = requires(_PACKAGE) or []
    except PackageNotFoundError:
        return {}
    parsed = [match for line in lines if (match := _REQUIREMENT.match(line))]
    return {
        one["name"]: _LIMIT.findall(one["limits"])
        for one in parsed
        if one["extra"] is None or one["extra"] == _FRAMEWORKS.get(one["name"])
    }


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _fits(found: str, limits: list[tuple[str, str]]) -> bool:
    there = _numbers(found)
    return all(there >= _numbers(limit) if sign == ">=" else there < _numbers(limit) for sign, limit in limits)


def _numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a release; `2.20` and `2.20.0` are the same."""
    release = re.match(r"\d+(\.\d+)*", version)
    numbers = [int(number) for number in release[0].split(".")] if release else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
