"""Selects the tools that a request speaks of."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kimi_adapters.local_server.rules import arithmetic
from kimi_adapters.local_server.rules.mentions import Mentions
from kimi_adapters.local_server.rules.view import View
from kimi_adapters.local_server.words import all_words, is_wide, stem, words

JsonObject = dict[str, Any]

#: Words of tool names that say nothing about what the tool is for.
_GENERIC = frozenset(
    all_words("get set my tool tools function do run call use make fetch to the of for a an by with from api new")
)
#: The signs of a sum, and the words of tools that work them out.
OPERATORS = {
    "+": frozenset(all_words("add adder addition sum plus total")),
    "-": frozenset(all_words("subtract subtraction minus difference")),
    "*": frozenset(all_words("multiply multiplication times product")),
    "/": frozenset(all_words("divide division quotient")),
}
_ANY_OPERATOR = frozenset(all_words("calculate calculator calc math arithmetic expression evaluate"))
_SEARCHES = re.compile(r"search|retriev|look\s?up|knowledge|quer(?:y|ies)\b|find|handbook|faq|docs|document", re.I)
_QUESTION = re.compile(r"[?？]|^\s*(?:what|who|where|when|which|why|how|is|are|does|do|can|tell me|explain)\b", re.I)
_THE_TOOL = re.compile(r"\b(?:use|using|with|call)\s+(?:the|this|your|a)\s+tool\b", re.I)
_MANDATE = re.compile(r"\b(?:always|must|first|use|call|using)\b[^.\n]{0,60}$", re.I)


@dataclass(frozen=True, slots=True)
class Tool:
    """One function tool of a request."""

    name: str
    description: str
    parameters: JsonObject

    @classmethod
    def of(cls, function: JsonObject) -> Tool:
        """Return the tool of a function object."""
        parameters = function.get("parameters")
        return cls(
            str(function.get("name", "")),
            str(function.get("description") or ""),
            parameters if isinstance(parameters, dict) else {},
        )

    @property
    def required(self) -> list[str]:
        """The names of the required parameters."""
        return [name for name in self.parameters.get("required", ()) if name in self.properties]

    @property
    def properties(self) -> JsonObject:
        """The parameters by name."""
        found = self.parameters.get("properties")
        return found if isinstance(found, dict) else {}

    @property
    def is_form(self) -> bool:
        """Whether the name is that of a class: the frameworks' way to ask for an answer in a schema."""
        return re.fullmatch(r"[A-Z][A-Za-z0-9_]*", self.name) is not None and not self.name.isupper()

    @property
    def telling_words(self) -> set[str]:
        """The words of the name that say what the tool is for."""
        every = set(all_words(self.name))
        return (every - _GENERIC) or every


def named(tools: list[Tool], text: str) -> list[Tool]:
    """Return the tools whose names stand in a text, in the order of the text."""
    found = [(match.start(), tool) for tool in tools if (match := _name(tool).search(text)) is not None]
    return [tool for _, tool in sorted(found, key=lambda item: item[0])]


def _name(tool: Tool) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-]){re.escape(tool.name)}(?![\w-])")


def selected(view: View, tools: list[Tool]) -> list[Tool]:
    """Return the tools to call for a request, in the order in which it speaks of them.

    The first of these that finds a tool decides: names and their distinctive words, the system prompt, "use the tool",
    a sum, words of the descriptions, and for a question a tool that searches. A form waits until there is nothing else
    to call.
    """
    asked = view.asked
    forms = [tool for tool in tools if tool.is_form]
    tools = [tool for tool in tools if not tool.is_form]
    ways: tuple[Callable[[], list[Tool]], ...] = (
        lambda: _by_name_and_words(tools, asked),
        lambda: [] if is_small_talk(asked) else _mandated(tools, view.system),
        lambda: tools if len(tools) == 1 and _THE_TOOL.search(asked) else [],
        lambda: _by_sum(tools, asked),
        lambda: _by_description(tools, asked),
        lambda: _searching(tools, view) if _asks(view.question) else [],
        lambda: named(forms, asked) or ([] if is_small_talk(asked) else forms[:1]),
    )
    return next((found for found in (way() for way in ways) if found), [])


def _by_name_and_words(tools: list[Tool], asked: str) -> list[Tool]:
    positions = _positions(asked)
    found: list[tuple[int, Tool]] = []
    for tool in tools:
        literal = _name(tool).search(asked)
        telling = tool.telling_words
        hits = telling & set(positions)
        if literal is not None:
            found.append((literal.start(), tool))
        elif len(hits) > len(telling) / 2 or (hits and _is_fed(tool, hits)):
            found.append((min(positions[hit] for hit in hits), tool))
    literal_only = named(tools, asked)
    kept = [item for item in found if not literal_only or item[1] in literal_only or _is_extra(item[1], literal_only)]
    return [tool for _, tool in sorted(kept, key=lambda item: item[0])]


def _is_fed(tool: Tool, hits: set[str]) -> bool:
    """Return whether a tool takes a list of numbers and the request has its verb: ``add`` for ``add_numbers``."""
    verb = all_words(tool.name)[:1]
    return set(verb) <= hits and any(takes_numbers(schema) for schema in tool.properties.values())


def takes_numbers(schema: Any) -> bool:
    """Return whether a parameter is a list of numbers."""
    items = schema.get("items") if isinstance(schema, dict) else None
    return isinstance(items, dict) and items.get("type") in ("number", "integer")


def position(tool: Tool, text: str) -> int:
    """Return where a text begins to speak of a tool."""
    literal = _name(tool).search(text)
    if literal is not None:
        return literal.start()
    positions = _positions(text)
    return min((positions[word] for word in tool.telling_words & set(positions)), default=0)


def _is_extra(tool: Tool, literal: list[Tool]) -> bool:
    """Return whether a tool has words of its own, not just those of a tool that is called by name."""
    return not any(tool.telling_words <= other.telling_words for other in literal)


def _positions(text: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for match in re.finditer(r"[^\W_]+", text):
        for word in all_words(match[0]):
            found.setdefault(word, match.start())
    for path in Mentions(text).paths[:1]:
        found.setdefault(stem("file"), text.find(path))
    return found


def _mandated(tools: list[Tool], system: str) -> list[Tool]:
    found = []
    for tool in named(tools, system):
        match = _name(tool).search(system)
        if match is not None and _MANDATE.search(system[: match.start()]):
            found.append(tool)
    return found[:1]


def _by_sum(tools: list[Tool], asked: str) -> list[Tool]:
    total = arithmetic.expression(asked)
    if total is None:
        return []
    meant = _ANY_OPERATOR.union(*(spoken for sign, spoken in OPERATORS.items() if sign in total))
    return [tool for tool in tools if meant & set(all_words(f"{tool.name} {tool.description}"))][:1]


def _by_description(tools: list[Tool], asked: str) -> list[Tool]:
    """Return the one tool that shares most words with the request, two at least."""
    wanted = set(words(asked))
    scored = []
    for tool in tools:
        described = set(words(f"{tool.description[:300]} {' '.join(tool.properties)}"))
        shared = wanted & described
        score = len(shared) + len(wanted & tool.telling_words - described) + sum(map(is_wide, shared))
        scored.append((score, tool))
    score, best = max(scored, key=lambda item: item[0], default=(0, None))
    return [best] if best is not None and score >= 2 else []


def _searching(tools: list[Tool], view: View) -> list[Tool]:
    if arithmetic.expression(view.asked) or is_small_talk(view.asked) or len(view.given) > 200:
        return []
    return [tool for tool in tools if _SEARCHES.search(f"{tool.name} {tool.description[:200]}")][:1]


def _asks(question: str) -> bool:
    return _QUESTION.search(question) is not None


_SMALL_TALK = re.compile(
    r"\s*(?:hello|hi|hey|good (?:morning|evening|afternoon)|thanks?|thank you|bye|goodbye|"
    r"how are you|who are you|你好|您好)\b",
    re.IGNORECASE,
)


def is_small_talk(text: str) -> bool:
    """Return whether a text is a greeting or thanks and little more."""
    return _SMALL_TALK.match(text) is not None and len(text.split()) <= 6
