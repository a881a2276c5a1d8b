"""Replaces names of properties that Moonshot refuses, and restores them in what the model writes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kimi_core.schema.union import Atom

RESERVED_NAMES: Final = frozenset({"$defs", "$ref", "anyOf", "required", "additionalProperties"})
"""Names that no property may have (walle: `property name '$ref' is reserved for JSON Schema keywords`)."""

_FORBIDDEN: Final = re.compile(r"[$/{}]+")


def spell_names(root: Atom) -> dict[str, str]:
    """Rename, in place, the properties whose names the server refuses; return the original names.

    Those are the reserved ones, those with both braces (the server looks for a branch of that number), and in
    definitions those with a slash (`$defs property name 'a/b' cannot contain '/' character`).

    Returns:
        The author's names by the names sent. The same schema gives the same names, and no name sent is another
        property's anywhere in the schema.
    """
    objects = list(_objects(root, inside=False))
    used = {name for node, _ in objects for name in node["properties"]}
    illegal = dict.fromkeys(
        name for node, inside in objects for name in node["properties"] if _is_illegal(name, inside=inside)
    )
    if not illegal:
        return {}
    sent: dict[str, str] = {}
    for name in illegal:
        sent[name] = _spell(name, used)
        used.add(sent[name])
    for node, _ in objects:
        node["properties"] = {sent.get(name, name): child for name, child in node["properties"].items()}
        if "required" in node:
            node["required"] = [sent.get(name, name) for name in node["required"]]
    return {written: name for name, written in sent.items()}


def _is_illegal(name: str, *, inside: bool) -> bool:
    return name in RESERVED_NAMES or ("{" in name and "}" in name) or (inside and "/" in name)


def _spell(name: str, used: set[str]) -> str:
    spelled = _FORBIDDEN.sub("_", name).strip("_") or "property"
    while spelled in used or spelled in RESERVED_NAMES:
        spelled += "_"
    return spelled


def _objects(node: Atom, *, inside: bool) -> Iterator[tuple[Atom, bool]]:
    """Yield every object that declares properties, and whether it is in a definition."""
    for definition in node.get("$defs", {}).values():
        yield from _objects(definition, inside=True)
    if "properties" in node:
        yield node, inside
    further = node.get("additionalProperties")
    inner = [*node.get("properties", {}).values(), *node.get("anyOf", ()), node.get("items"), further]
    for child in inner:
        if isinstance(child, dict):
            yield from _objects(child, inside=inside)


@dataclass(frozen=True, slots=True)
class PropertyNames:
    """The names that a schema was sent with.

    Attributes:
        schema: The schema as it was sent.
        originals: The author's names by the names sent, where they differ.
    """

    schema: Mapping[str, Any]
    originals: Mapping[str, str]

    def sent(self, text: str) -> str:
        """Return JSON text with the author's names replaced by the names sent; nothing else in it changes."""
        return self._rewritten(text, {name: sent for sent, name in self.originals.items()})

    def received(self, begun: str = "") -> KeyRewriter:
        """Return a rewriter that restores the author's names in pieces of text; `begun` is what was before them."""
        rewriter = KeyRewriter(self.schema, self.originals, {})
        rewriter.feed(begun)
        rewriter.rest()
        return rewriter

    def _rewritten(self, text: str, sent: Mapping[str, str]) -> str:
        rewriter = KeyRewriter(self.schema, {}, sent)
        return rewriter.feed(text) + rewriter.rest()


@dataclass(slots=True)
class _Open:
    """An object or array that has begun: the schemas it may follow, and whether a key comes next."""

    nodes: list[Mapping[str, Any]]
    is_object: bool
    key_next: bool


class KeyRewriter:
    """Rewrites keys in JSON text that comes in pieces.

    Only keys of properties that the schema declares at that place are rewritten: an object of any names may have a key
    that happens to equal a name sent. Text before and after the JSON stays as it is, and so does what is not JSON. A
    key is held back until it is complete.
    """

    def __init__(self, schema: Mapping[str, Any], originals: Mapping[str, str], sent: Mapping[str, str]) -> None:
        """Prepare to rewrite.

        Args:
            schema: The schema as it was sent.
            originals: What to write for a key with a name that was sent.
            sent: What to write for a key with a name of the author's.
        """
        self._schema = schema
        self._originals = originals
        self._sent = sent
        self._open: list[_Open] = []
        self._next: list[Mapping[str, Any]] = [schema]
        self._key: list[str] | None = None
        self._in_string = False
        self._escaped = False

    def feed(self, piece: str) -> str:
        """Return what of the text so far can be passed on."""
        return "".join(map(self._take, piece))

    def rest(self) -> str:
        """Return what was held back of text that broke off."""
        held, self._key = "".join(self._key or ()), None
        return held

    def _take(self, character: str) -> str:
        if self._in_string:
            return self._inside_string(character)
        if character in "{[":
            self._begin(is_object=character == "{")
        elif self._open:
            return self._inside(character)
        return character

    def _begin(self, *, is_object: bool) -> None:
        nodes = list(self._resolved(self._next if self._open else [self._schema]))
        self._open.append(_Open(nodes, is_object, key_next=is_object))
        if not is_object:
            self._next = [node["items"] for node in nodes if "items" in node]

    def _inside(self, character: str) -> str:
        top = self._open[-1]
        if character in "}]":
            self._open.pop()
        elif character == ",":
            top.key_next = top.is_object
            self._next = [node["items"] for node in top.nodes if "items" in node]
        elif character == '"':
            self._in_string = True
            if top.key_next:
                self._key = ['"']
                return ""
        return character

    def _inside_string(self, character: str) -> str:
        ends = character == '"' and not self._escaped
        self._escaped = character == "\\" and not self._escaped
        self._in_string = not ends
        if self._key is None:
            return character
        self._key.append(character)
        return self._rewritten(self.rest()) if ends else ""

    def _rewritten(self, raw: str) -> str:
        top = self._open[-1]
        top.key_next = False
        try:
            key = json.loads(raw, strict=False)
        except ValueError:
            self._next = []
            return raw
        sent = self._sent.get(key, key)
        if not any(sent in node.get("properties", ()) for node in top.nodes):
            sent = key
        self._next = list(_children(top.nodes, sent))
        declared = any(sent in node.get("properties", ()) for node in top.nodes)
        written = self._originals.get(sent, sent) if declared else sent
        return raw if written == key else json.dumps(written, ensure_ascii=False)

    def _resolved(self, nodes: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        """Yield the nodes with references followed and alternatives one by one."""
        seen: set[int] = set()
        waiting = list(nodes)
        while waiting:
            node = waiting.pop(0)
            if id(node) in seen:
                continue
            seen.add(id(node))
            if "$ref" in node:
                waiting.append(self._schema["$defs"][node["$ref"].removeprefix("#/$defs/")])
            waiting += node.get("anyOf", ())
            yield node


def _children(nodes: Iterable[Mapping[str, Any]], key: str) -> Iterator[Mapping[str, Any]]:
    for node in nodes:
        child = node.get("properties", {}).get(key, node.get("additionalProperties"))
        if isinstance(child, Mapping):
            yield child
