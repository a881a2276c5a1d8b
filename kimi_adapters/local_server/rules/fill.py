"""Makes a value for a JSON Schema out of what a text mentions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kimi_adapters.local_server.refusal import invalid
from kimi_adapters.local_server.rules import kinds, numbers, schema, strings
from kimi_adapters.local_server.rules.mentions import Mentions
from kimi_adapters.local_server.rules.segments import list_after, segments
from kimi_adapters.local_server.words import all_words

JsonObject = dict[str, Any]

#: No text gives more than this; it only stops a schema that asks for depth without end.
_DEEPEST = 12
#: No schema that ends is as deep as this.
_ENDLESS = 200
_NO_VALUE = "Invalid request: no value satisfies the schema."


class Filler:
    """Fills schemas from one text; what one property has taken, the next does not take again.

    Attributes:
        text: The text, usually the last user message.
        question: The question in it, for properties such as ``query``.
        more: Further text, to fall back on: the results of tools.
        about: The whole request; its words say which numbers of the results are meant.
        every: Whether optional properties are filled without evidence for them.
    """

    def __init__(
        self,
        text: str,
        root: JsonObject,
        *,
        question: str = "",
        more: str = "",
        about: str = "",
        every: bool = True,
    ) -> None:
        self.mentions = Mentions(text)
        self.text = self.mentions.text
        self.root = root
        self.question = question or self.text
        self.later = Mentions(more)
        self.more = self.later.text
        self.about = about or text
        self.every = every
        self._used: set[str] = set()
        self._used_numbers = 0

    def value(self, given: Any, name: str = "", open_refs: tuple[str, ...] = ()) -> Any:
        """Return a value that is valid for a schema.

        Raises:
            Refusal: If there is none, which hosts that take any JSON Schema find out no earlier.
        """
        if len(open_refs) > _ENDLESS:
            raise invalid(_NO_VALUE)
        ref = given.get("$ref") if isinstance(given, dict) else None
        path = (*open_refs, ref or name)
        plain = self._branch(schema.resolved(given, self.root), name, path)
        if "enum" in plain:
            if not plain["enum"]:
                raise invalid(_NO_VALUE)
            return strings.mentioned(plain["enum"], self.text)
        makers: dict[str, Callable[[JsonObject, str, tuple[str, ...]], Any]] = {
            "object": self._object,
            "array": self._array,
            "string": self._string,
            "integer": self._number,
            "number": self._number,
            "boolean": self._boolean,
        }
        maker = makers.get(schema.kind(plain))
        return maker(plain, name, path) if maker is not None else None

    def _branch(self, plain: JsonObject, name: str, path: tuple[str, ...]) -> JsonObject:
        """Return the branch of a union that the text speaks of, or null when the text gives nothing."""
        found = schema.branches(plain, self.root)
        if len(found) == 1:
            return found[0] if "anyOf" not in found[0] else self._branch(found[0], name, path)
        full = [branch for branch in found if not schema.is_null(branch)]
        null = next((branch for branch in found if schema.is_null(branch)), None)
        closed = full
        if len(path) > _DEEPEST:  # a branch was chosen again and again: only one that refers to nothing ends it
            closed = [branch for branch in full if not schema.refs(branch)]
        elif len(path) > 1:
            closed = [branch for branch in full if not schema.refs(branch) & set(path)]
        if null is not None and (not closed or self._is_missing(name, full[0])):
            return null
        chosen = max(closed or full, key=self._fits)
        return self._branch(chosen, name, path) if "anyOf" in chosen else chosen

    def _is_missing(self, name: str, branch: JsonObject) -> bool:
        if strings.denied(name, self.text):
            return True
        finder = kinds.finder(name)
        if finder is None or schema.kind(branch) != "string" or "enum" in branch:
            return False
        return not finder(self.mentions) and self.mentions.pair(name) is None

    def _fits(self, branch: JsonObject) -> int:
        named = " ".join([str(branch.get("title", "")), *branch.get("properties", {})])
        fixed = [
            str(value)
            for inner in branch.get("properties", {}).values()
            for value in schema.resolved(inner, self.root).get("enum", ())
        ]
        spoken = self.mentions.stems & set(all_words(" ".join([named, *fixed])))
        return len(spoken)

    def _object(self, plain: JsonObject, name: str, path: tuple[str, ...]) -> JsonObject:
        properties = plain.get("properties", {})
        required = set(plain.get("required", ()))
        made = {}
        for key, inner in properties.items():
            again = isinstance(inner, dict) and schema.refs(inner) & set(path)
            wanted = key in required or (self.every and not again and len(path) < _DEEPEST)
            if wanted or self.is_evident(inner, key):
                made[key] = self.value(inner, key, path)
        rest = plain.get("additionalProperties")
        if not properties and isinstance(rest, dict):
            return {key: self.value(rest, key, path) for key, _ in self.mentions.written_pairs[:8]}
        return made

    def is_evident(self, inner: Any, name: str) -> bool:
        """Return whether the text itself gives a value for a property."""
        plain = schema.resolved(inner, self.root)
        if self.mentions.pair(name) is not None and len(name) > 1:
            return True
        if "enum" in plain:
            return strings.is_mentioned(plain["enum"], self.text)
        if schema.kind(plain) == "boolean":
            return numbers.truth(name, self.mentions) is not None
        return schema.kind(plain) in ("integer", "number") and any(True for _ in self.mentions.near(name))

    def _string(self, plain: JsonObject, name: str, path: tuple[str, ...]) -> str:
        return strings.fitted(self._text(plain, name), plain)

    def _text(self, plain: JsonObject, name: str) -> str:
        """Return the first there is: a pair, a format, a mention of the kind, a quotation, the question, a guess."""
        told = self.mentions.pair(name) or self.mentions.quoted_beside(name) if len(name) > 1 else None
        if told is not None:
            self._used.add(told)
            return told
        shaped = strings.of_format(plain, self.mentions, self.later)
        if shaped is not None:
            return shaped
        finder = kinds.finder(name)
        candidates = [*finder(self.mentions), *finder(self.later)] if finder is not None else []
        taken = self.take(candidates) or self.take(self.mentions.quoted)
        if taken is not None:
            return taken
        if kinds.is_asking(name):
            return self.question
        beside = self.mentions.beside(name)
        return beside if beside is not None else strings.guess(name, plain, self.text, self.question, self.more)

    def take(self, candidates: Sequence[str]) -> str | None:
        """Take the first candidate that no other property has taken."""
        for one in candidates:
            if one not in self._used:
                self._used.add(one)
                return one
        return None

    def _number(self, plain: JsonObject, name: str, path: tuple[str, ...]) -> float | int:
        whole = schema.kind(plain) == "integer"
        found = numbers.told(name, self.mentions)
        if found is None:
            found = self._next_number(whole)
        return numbers.fitted(1 if found is None else found, plain, whole=whole)

    def _next_number(self, whole: bool) -> float | int | None:
        mentioned = [*self.mentions.numbers, *self.later.numbers]
        usable = [one for one in mentioned if not whole or float(one).is_integer()]
        if self._used_numbers >= len(usable):
            return None
        self._used_numbers += 1
        return usable[self._used_numbers - 1]

    def _boolean(self, plain: JsonObject, name: str, path: tuple[str, ...]) -> bool:
        return bool(numbers.truth(name, self.mentions))

    def _array(self, plain: JsonObject, name: str, path: tuple[str, ...]) -> list[Any]:
        if isinstance(plain.get("prefixItems"), list):
            return [self.value(item, f"{name}_{at}", path) for at, item in enumerate(plain["prefixItems"])]
        given = plain.get("items", {})
        items = schema.resolved(given, self.root)
        least, most = plain.get("minItems", 0), plain.get("maxItems", 20)
        if (schema.refs(given) & set(path) or len(path) > _DEEPEST) and not least:
            return []
        made = self._items(items, given, name, path)[:most]
        while len(made) < max(least, min(1, most) if self.every else 0):
            made.append(self.value(given, name, path))
        return made

    def _items(self, items: JsonObject, given: Any, name: str, path: tuple[str, ...]) -> list[Any]:
        kind = schema.kind(items)
        if kind in ("integer", "number"):
            return self._all_numbers(items, kind == "integer")
        if kind == "object" or "anyOf" in items:
            pieces = list_after(name, self.text) or segments(self.text, self.question)
            return [self._sub(piece).value(given, name, path) for piece in pieces]
        if "enum" in items:
            return [value for value in items["enum"] if strings.is_mentioned([value], self.text)]
        if kind != "string":
            return []
        finder = kinds.finder(name)
        found = list_after(name, self.text) or (finder(self.mentions) if finder else []) or self.mentions.quoted
        return [strings.fitted(one, items) for one in found or list_after("", self.text) or self.mentions.names]

    def _sub(self, text: str) -> Filler:
        question = self.question if text == self.text else text
        return Filler(text, self.root, question=question, every=self.every)

    def _all_numbers(self, items: JsonObject, whole: bool) -> list[Any]:
        source = self.mentions.numbers or numbers.labelled(self.about, self.more) or self.later.numbers
        usable = [one for one in source if not whole or float(one).is_integer()]
        return [numbers.fitted(one, items, whole=whole) for one in usable]
