"""Answers in JSON: for a response schema, and for JSON mode."""

from __future__ import annotations

import json
import re
from typing import Any

from kimi_adapters.local_server.rules import numbers
from kimi_adapters.local_server.rules.answers import say
from kimi_adapters.local_server.rules.fill import Filler
from kimi_adapters.local_server.rules.mentions import Mentions
from kimi_adapters.local_server.rules.view import View

JsonObject = dict[str, Any]

_OF_KEYS = re.compile(r"\b(?:keys?|fields?|properties|attributes)\b", re.IGNORECASE)
_QUOTED_KEY = re.compile(r"[\"'`]([A-Za-z_]\w*)[\"'`]")
_PLAIN_KEYS = re.compile(
    r"\b(?:keys?|fields?|properties)\b\s*:?\s*((?:[A-Za-z_]\w*)(?:\s*,\s*[A-Za-z_]\w*)*(?:\s*,?\s+and\s+[A-Za-z_]\w*)?)",
    re.IGNORECASE,
)
_MOST_TRIES = 50


def fill_schema(view: View, schema: JsonObject) -> str:
    """Return JSON text that is valid for a schema."""
    filler = Filler(_material(view), schema, question=view.question, more=view.result_text)
    return json.dumps(filler.value(schema), ensure_ascii=False)


def fill_object(view: View) -> str:
    """Return JSON text for JSON mode, with the schema or the keys that the prompt names, else with ``answer``."""
    prompt = f"{view.system}\n{view.asked}"
    schema = _schema_in(prompt)
    if schema is not None:
        return fill_schema(view, schema)
    keys = _keys_in(prompt)
    if keys:
        told = Mentions(view.asked)
        typed = {key: {} if numbers.told(key, told) is None else {"type": "number"} for key in keys}
        return fill_schema(view, {"type": "object", "properties": typed, "required": keys})
    return json.dumps({"answer": say(view).text}, ensure_ascii=False)


def _material(view: View) -> str:
    """Return the text to take values from: the request without the schema and the keys that it may quote."""
    text = f"{view.given}\n{view.question}" if view.given else view.asked
    for sentence in _key_sentences(text):
        text = text.replace(sentence, _QUOTED_KEY.sub(" ", sentence))
    for start, end, _ in _objects_in(text):
        text = text[:start] + " " * (end - start) + text[end:]
    return text


def _objects_in(text: str) -> list[tuple[int, int, JsonObject]]:
    found: list[tuple[int, int, JsonObject]] = []
    at = text.find("{")
    for _ in range(_MOST_TRIES):
        if at < 0:
            break
        try:
            value, end = json.JSONDecoder().raw_decode(text, at)
        except ValueError:
            end = at + 1
        else:
            found.append((at, end, value))
        at = text.find("{", end)
    return found


def _schema_in(text: str) -> JsonObject | None:
    values = [value for _, _, value in _objects_in(text)]
    schema = next((value for value in values if isinstance(value.get("properties"), dict)), None)
    example = next((value for value in values if value and "properties" not in value), None)
    if schema is not None or example is None:
        return schema
    return {"type": "object", "properties": {key: _like(value) for key, value in example.items()}}


def _like(value: Any) -> JsonObject:
    if isinstance(value, list):
        return {"type": "array", "items": _like(value[0]) if value else {}}
    if isinstance(value, dict):
        return {"type": "object", "properties": {key: _like(inner) for key, inner in value.items()}}
    kinds = ((bool, "boolean"), (int, "integer"), (float, "number"))
    return {"type": next((name for kind, name in kinds if isinstance(value, kind)), "string")}


def _key_sentences(text: str) -> list[str]:
    return [piece for piece in re.split(r"[.\n]", text) if _OF_KEYS.search(piece)]


def _keys_in(text: str) -> list[str]:
    for sentence in _key_sentences(text):
        quoted = _QUOTED_KEY.findall(sentence)
        if quoted:
            return list(dict.fromkeys(quoted))
        plain = _PLAIN_KEYS.search(sentence)
        if plain is not None:
            return list(dict.fromkeys(re.findall(r"\b(?!and\b)[A-Za-z_]\w*", plain[1])))
    return []
