"""Changes recursive schemas so that Moonshot's validator accepts that their recursion ends.

To the validator (MoonshotAI/walle) an array ends only where its items end, although it may be empty, and an object
where any of its required properties ends. Later versions want all of them to end. The result here ends in both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from kimi_core.schema.errors import NoValueError, SchemaError
from kimi_core.schema.union import Atom, read, write

_ENDLESS: Final = "it requires itself without end. Make a step of the recursion optional."


class _Rule(NamedTuple):
    """The rule by which the recursion of a schema ends."""

    empty_arrays: bool
    required: Callable[[Iterable[bool]], bool]


_LENIENT: Final = _Rule(empty_arrays=True, required=any)
_STRICT: Final = _Rule(empty_arrays=False, required=all)


def let_end(root: Atom, definitions: Mapping[str, Atom]) -> None:
    """Remove from `required`, in place, properties whose recursion does not end; a note keeps that they are required.

    Nothing changes where the recursion of the root ends already.

    Raises:
        NoValueError: If the schema requires itself without end, so that it has no finite value.
        SchemaError: If it has one, lists in lists, and Moonshot's validator finds none.
    """
    if not definitions:
        return
    if not _ends(root, _ending(definitions, _LENIENT), _LENIENT):
        raise NoValueError((), _ENDLESS)
    endless = False
    while not endless and not _ends(root, ending := _ending(definitions, _STRICT), _STRICT):
        blocked = list(_blocked(root, definitions, ending, set()))
        # Lists of itself first: where they are optional, what leads to them has an end as well.
        lists = [(node, name) for node, name in blocked if _ends(node["properties"][name], ending, _LENIENT)]
        # What only leads into the recursion (the one argument that an answer is) stays required.
        own = [(node, name) for node, name in lists if _leads_back(node, name, definitions)]
        for node, name in (own or lists or blocked)[:1]:  # the outermost alone: what is inside is then not looked at
            _make_optional(node, name)
        endless = not blocked
    if endless:
        raise SchemaError((), _ENDLESS)


def _leads_back(node: Atom, name: str, definitions: Mapping[str, Atom]) -> bool:
    """Return whether an object is, or is written like, one that a property of it leads to."""
    waiting, seen = [node["properties"][name]], set()
    while waiting:
        inner = waiting.pop()
        if inner == node:
            return True
        if "$ref" in inner and (target := inner["$ref"].removeprefix("#/$defs/")) not in seen:
            seen.add(target)
            waiting.append(definitions[target])
        waiting += [*inner.get("anyOf", ()), *inner.get("properties", {}).values()]
        waiting += [inner["items"]] if "items" in inner else []
    return False


def _make_optional(node: Atom, name: str) -> None:
    node["required"] = [other for other in node["required"] if other != name]
    if not node["required"]:
        del node["required"]
    choice = read(node["properties"][name])
    choice.notes = ["required"]
    node["properties"] = {**node["properties"], name: write(choice)}


def _ending(definitions: Mapping[str, Atom], rule: _Rule) -> set[str]:
    """Return the names of the definitions whose recursion ends."""
    ending: set[str] = set()
    while more := {n for n, node in definitions.items() if n not in ending and _ends(node, ending, rule)}:
        ending |= more
    return ending


def _ends(node: Atom, ending: set[str], rule: _Rule) -> bool:
    if "$ref" in node:
        return node["$ref"].removeprefix("#/$defs/") in ending
    if "anyOf" in node:
        return any(_ends(branch, ending, rule) for branch in node["anyOf"])
    if "items" in node:
        may_be_empty = rule.empty_arrays and not node.get("minItems")
        return may_be_empty or _ends(node["items"], ending, rule)
    required = node.get("required", ())
    return not required or rule.required(_ends(node["properties"][name], ending, rule) for name in required)


def _blocked(
    node: Atom, definitions: Mapping[str, Atom], ending: set[str], seen: set[str]
) -> Iterator[tuple[Atom, str]]:
    """Yield every object that the node needs, with the name of each required property that keeps it from ending."""
    if _ends(node, ending, _STRICT):
        return
    needed: list[Atom] = []
    if "$ref" in node:
        name = node["$ref"].removeprefix("#/$defs/")
        needed = [] if name in seen else [definitions[name]]
        seen.add(name)
    elif "anyOf" in node:
        needed = node["anyOf"]
    elif "items" in node:
        needed = [node["items"]]
    else:
        for name in node["required"]:
            if not _ends(node["properties"][name], ending, _STRICT):
                yield node, name
                needed.append(node["properties"][name])
    for inner in needed:
        yield from _blocked(inner, definitions, ending, seen)
