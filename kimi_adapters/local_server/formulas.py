"""Moonshot's formula tools: what each offers, and what its functions do.

Names and parameters are those of the real host's declarations (2026-08), the descriptions are this server's. Of the
twelve formulas on Moonshot's page, this server has those whose answers can be computed. The others are answered like
`quickjs` and `code-runner`, which the real host lists but does not have (`formula not found`).
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from kimi_adapters.local_server import web
from kimi_adapters.local_server.refusal import not_found

JsonObject = dict[str, Any]
#: A function returns the output of a fiber; it raises `Failed` when the fiber fails.
Function = Callable[[JsonObject], str]

#: The day it always is here, so that answers stay the same.
NOW = dt.datetime(2026, 6, 22, 12, 0, 0)
_MOST_RESULTS = 5


class Failed(Exception):
    """A function that could not do what it was asked for."""


def _web_search(given: JsonObject) -> str:
    return web.as_text(web.find(_text(given, "query"), _MOST_RESULTS))


def _date(given: JsonObject) -> str:
    match given.get("operation"):
        case "time":
            return NOW.strftime(str(given.get("format") or "%Y-%m-%d %H:%M:%S"))
        case "between":
            return f"{(_day(given, 'date2') - _day(given, 'date1')).days} days"
        case "add" | "subtract" as operation:
            days = dt.timedelta(days=int(given.get("days") or 0))
            moved = _day(given, "date") + (days if operation == "add" else -days)
            return moved.strftime("%Y-%m-%d")
    raise Failed(f"unsupported operation: {given.get('operation')}")


def _day(given: JsonObject, key: str) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(_text(given, key))
    except ValueError:
        raise Failed(f"invalid date: {given.get(key)}") from None


def _encode(given: JsonObject) -> str:
    return base64.b64encode(_text(given, "data").encode()).decode()


def _decode(given: JsonObject) -> str:
    try:
        return base64.b64decode(_text(given, "data"), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise Failed("data is not valid base64") from None


#: Each unit with its dimension, and how much of the dimension's first unit it is.
_UNITS = {
    "m": ("length", 1.0), "km": ("length", 1000.0), "cm": ("length", 0.01), "ft": ("length", 0.3048),
    "mile": ("length", 1609.344), "kg": ("mass", 1.0), "g": ("mass", 0.001), "lb": ("mass", 0.45359237),
    "second": ("time", 1.0), "minute": ("time", 60.0), "hour": ("time", 3600.0),
}  # fmt: skip


def _convert(given: JsonObject) -> str:
    names = [_text(given, "from_unit"), _text(given, "to_unit")]
    value = given.get("value")
    units = [_UNITS.get(name) for name in names]
    if units[0] is None or units[1] is None or units[0][0] != units[1][0] or not isinstance(value, int | float):
        raise Failed(f"cannot convert {value} from {names[0]} to {names[1]}")
    return f"{float(value)} {names[0]} = {value * units[0][1] / units[1][1]:.2f} {names[1]}"


def _rethink(given: JsonObject) -> str:
    return json.dumps({"thought": _text(given, "thought")}, ensure_ascii=False)


def _fetch(given: JsonObject) -> str:
    url = _text(given, "url")
    page = web.page_at(url)
    if page is None:
        raise Failed(f"failed to fetch {url}")
    text = f"URL: {page.url}\nTitle: {page.title}\n\n{page.text}"
    return text[: int(given.get("max_length") or 5000)]


def _text(given: JsonObject, key: str) -> str:
    value = given.get(key)
    if not isinstance(value, str) or not value:
        raise Failed(f"{key} is required")
    return value


def _declared(name: str, description: str, required: list[str], **properties: str | JsonObject) -> JsonObject:
    """Return the declaration of a function tool; a property is a type or a schema."""
    shapes = {key: {"type": kind} if isinstance(kind, str) else kind for key, kind in properties.items()}
    parameters = {"type": "object", "properties": shapes, "required": required}
    function = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": function}


_CLASSES = ["all", "academic", "social", "library", "finance", "code", "ecommerce", "medical"]
_OPERATIONS = ["time", "convert", "between", "add", "subtract"]

#: Each formula's declaration, and its functions by name.
FORMULAS: Mapping[str, tuple[list[JsonObject], Mapping[str, Function]]] = {
    "moonshot/web-search:latest": (
        [
            _declared(
                "web_search",
                "Search the web for information",
                ["query"],
                query="string",
                classes={"type": "array", "items": {"type": "string", "enum": _CLASSES}},
            )
        ],
        {"web_search": _web_search},
    ),
    "moonshot/date:latest": (
        [
            _declared(
                "date",
                "Tell the date and time and calculate with dates",
                ["operation"],
                operation={"type": "string", "enum": _OPERATIONS},
                date="string",
                date1="string",
                date2="string",
                days="integer",
                format={"type": "string", "default": "%Y-%m-%d %H:%M:%S"},
                zone="string",
                from_zone="string",
                to_zone="string",
            )
        ],
        {"date": _date},
    ),
    "moonshot/base64:latest": (
        [
            _declared("base64_encode", "Encode a text as base64", ["data"], data="string", encoding="string"),
            _declared("base64_decode", "Decode a base64 text", ["data"], data="string", encoding="string"),
        ],
        {"base64_encode": _encode, "base64_decode": _decode},
    ),
    "moonshot/convert:latest": (
        [
            _declared(
                "convert",
                "Convert a value between units",
                ["value", "from_unit", "to_unit"],
                value="number",
                from_unit="string",
                to_unit="string",
            )
        ],
        {"convert": _convert},
    ),
    "moonshot/rethink:latest": (
        [_declared("rethink", "Write a thought down; it returns nothing new", ["thought"], thought="string")],
        {"rethink": _rethink},
    ),
    "moonshot/fetch:latest": (
        [
            _declared(
                "fetch",
                "Fetch a URL and give its text",
                ["url"],
                url={"type": "string", "format": "uri", "minLength": 1, "title": "Url"},
                max_length={"type": "integer", "default": 5000, "exclusiveMinimum": 0, "title": "Max Length"},
                start_index={"type": "integer", "default": 0, "minimum": 0},
                raw={"type": "boolean", "default": False},
            )
        ],
        {"fetch": _fetch},
    ),
    # The one formula that declares no functions but a plug-in that has them.
    "moonshot/excel:latest": (
        [
            {
                "type": "_plugin",
                "_plugin": {
                    "name": "excel",
                    "description": "Analyse Excel and CSV files",
                    "functions": [_declared("read_file", "Describe a file", ["file_id"], file_id="string")["function"]],
                },
            }
        ],
        {},
    ),
}

#: Formulas whose results only the model is to read.
_SEALED = frozenset({"moonshot/web-search:latest"})


def tools(uri: str) -> JsonObject:
    """Return the body of ``GET /v1/formulas/{uri}/tools``.

    Raises:
        Refusal: If there is no such formula.
    """
    if uri not in FORMULAS:
        raise not_found("formula not found")
    return {"object": "list", "tools": FORMULAS[uri][0]}


def fiber(uri: str, body: JsonObject) -> JsonObject:
    """Return the body of ``POST /v1/formulas/{uri}/fibers``; a run that fails is answered with 200 as well.

    Raises:
        Refusal: If there is no such formula.
    """
    if uri not in FORMULAS:
        raise not_found("formula not found")
    about = {"id": f"fiber-{uuid.uuid4().hex[:20]}", "object": "fiber", "formula": uri}
    context: JsonObject = {"input": json.dumps(body, ensure_ascii=False)}
    function = FORMULAS[uri][1].get(str(body.get("name")))
    if function is None:
        return {**about, "status": "failed", "context": context, "error": f"function {body.get('name')} not found"}
    try:
        output = function(_arguments(body))
    except Failed as failed:
        return {**about, "status": "failed", "context": {**context, "error": str(failed)}}
    key, text = ("encrypted_output", web.sealed(output)) if uri in _SEALED else ("output", output)
    return {**about, "status": "succeeded", "context": {**context, key: text}}


def _arguments(body: JsonObject) -> JsonObject:
    try:
        given = json.loads(body["arguments"])
    except (KeyError, TypeError, ValueError):
        given = None
    if not isinstance(given, dict):
        raise Failed("arguments must be the JSON text of an object")
    return given
