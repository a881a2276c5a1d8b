"""The arguments of a tool call, as JSON text."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

from kimi_adapters.local_server.rules import kinds, schema
from kimi_adapters.local_server.rules.fill import Filler
from kimi_adapters.local_server.rules.mentions import Mentions
from kimi_adapters.local_server.rules.selection import Tool
from kimi_adapters.local_server.rules.view import View, json_in
from kimi_adapters.local_server.words import all_words

JsonObject = dict[str, Any]

_STEPS = frozenset(all_words("step i index n number round turn iteration page count attempt call k x"))
_ITEMS = frozenset(all_words("path file filename name item id url document doc key title uri page"))
_FILE_LIKE = re.compile(r"[\w~./-]*[\w-]+\.[A-Za-z][A-Za-z0-9]{0,5}|[\w~.-]*/[\w~./-]+")
_LONGEST_PATH = 300
_NAMING = ("name", "path", "file", "filename", "id", "title", "url", "key")


def arguments(
    tool: Tool, text: str, *, question: str = "", more: str = "", about: str = "", step: int | None = None
) -> str:
    """Return the arguments of one call, filled from a text.

    Args:
        tool: The tool.
        text: The text to take values from.
        question: The question in it.
        more: The results so far, for what the text does not give.
        about: The whole request.
        step: The value of parameters that count calls.
    """
    literal = _literal(tool, text)
    filler = Filler(text, tool.parameters, question=question, more=more, about=about, every=tool.is_form)
    made: JsonObject = filler.value({**tool.parameters, "type": "object"})
    if literal is not None:
        made = {**made, **literal}
    if step is not None:
        made.update({name: step for name in tool.properties if _counts(tool, name)})
    return json.dumps(made, ensure_ascii=False)


def _counts(tool: Tool, name: str) -> bool:
    plain = schema.resolved(tool.properties[name], tool.parameters)
    return schema.kind(plain) in ("integer", "number") and bool(_STEPS & set(all_words(name)))


def _literal(tool: Tool, text: str) -> JsonObject | None:
    """Return the arguments of a call that the text writes out: ``magic_function(3)``, ``add(a=1, b=2)``."""
    match = re.search(rf"(?<!\w){re.escape(tool.name)}\(([^()]*)\)", text)
    if match is None or not match[1].strip():
        return None
    try:
        call = ast.parse(f"f({match[1]})", mode="eval").body
        if not isinstance(call, ast.Call):
            return None
        positional = dict(zip(tool.properties, map(ast.literal_eval, call.args), strict=False))
        return {
            **positional,
            **{item.arg: ast.literal_eval(item.value) for item in call.keywords if item.arg},
        }
    except (SyntaxError, ValueError):
        return None


def call_lists(tool: Tool, view: View, text: str) -> list[str]:
    """Return the arguments of each call to make of a tool now: one per listed item or place, else a single one.

    Args:
        tool: The tool.
        view: The conversation.
        text: The piece of the request that speaks of the tool.
    """
    several = _over_items(tool, view) or _over_places(tool, view, text)
    if several:
        return several
    elsewhere = view.result_text if text == view.asked else f"{view.asked}\n\n{view.result_text}"
    return [arguments(tool, text, question=view.question, more=elsewhere, about=view.asked)]


def _over_items(tool: Tool, view: View) -> list[str]:
    """Return the arguments of one call for each item that the last results list."""
    name = _only_string(tool)
    if name is None or not _ITEMS & set(all_words(name)) or not view.turns:
        return []
    found = [item for result in view.turns[-1] for item in items(result.text)]
    if Mentions(view.asked).paths and not re.search(r"\b(?:each|every|all|them)\b", view.asked, re.I):
        return []
    return [json.dumps({name: item}, ensure_ascii=False) for item in dict.fromkeys(found)]


def _over_places(tool: Tool, view: View, text: str) -> list[str]:
    """Return the arguments of one call for each of several places: ``the weather in Paris and Rome``."""
    name = _only_string(tool)
    finder = kinds.finder(name) if name is not None else None
    if name is None or finder is None or view.turns:
        return []
    found = Mentions(text).places
    if len(found) < 2 or not set(found) <= set(finder(Mentions(text))):
        return []
    common = json.loads(arguments(tool, text, question=view.question))
    return [json.dumps({**common, name: place}, ensure_ascii=False) for place in found]


def _only_string(tool: Tool) -> str | None:
    """Return the one required parameter when it is a string, else None."""
    if len(tool.required) != 1:
        return None
    plain = schema.resolved(tool.properties[tool.required[0]], tool.parameters)
    return tool.required[0] if schema.kind(plain) == "string" and "enum" not in plain else None


def items(text: str) -> list[str]:
    """Return the items that a tool result lists: a JSON list, or file names."""
    value = json_in(text)
    if isinstance(value, dict):
        value = next((inner for inner in value.values() if isinstance(inner, list)), None)
    if isinstance(value, list):
        return [found for one in value if (found := _item(one)) is not None]
    lines = [line.strip().lstrip("-*• ").strip() for line in text.splitlines() if line.strip()]
    if lines and all(len(line) <= _LONGEST_PATH and _FILE_LIKE.fullmatch(line) for line in lines):
        return lines
    return Mentions(text).paths


def _item(one: Any) -> str | None:
    if isinstance(one, str):
        return one
    if isinstance(one, dict):
        return next((one[key] for key in _NAMING if isinstance(one.get(key), str)), None)
    return None
