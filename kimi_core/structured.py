"""Reading a structured answer: lenient about its wrapping, strict about what is in it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json, to_jsonable_python

from kimi_core.errors import StructuredOutputError, TruncatedError

_encode = json.JSONEncoder(ensure_ascii=False).encode
_FENCE = re.compile(r"^\s*```[a-zA-Z]*\s*\n(.*?)\n?\s*```\s*$", re.DOTALL)


def dump(value: Any) -> str:
    """JSON text of a value, spaced the way Kimi itself writes tool arguments."""
    try:
        return _encode(value)
    except TypeError:  # dates and the like, which only pydantic knows
        return _encode(to_jsonable_python(value))


def parse_json(text: str, finish_reason: str | None = None) -> Any:
    """The JSON value that an answer is.

    A code fence around it is taken off; control characters inside strings are tolerated, since models write them.

    Raises:
        TruncatedError: The answer was cut by the token limit.
        StructuredOutputError: It is no JSON. Both carry the raw text.
    """
    body = match.group(1) if (match := _FENCE.match(text)) else text
    try:
        return json.loads(body, strict=False)
    except ValueError as error:
        raise failure(text, finish_reason, f"it is not JSON: {error}") from None


def parse_partial(text: str) -> Any:
    """As much of a JSON value as an unfinished answer holds; None when nothing can be said yet.

    Strings grow from call to call and never shrink, so that a reader sees monotone values.
    """
    body = re.sub(r"^\s*```[a-zA-Z]*\s*", "", text)
    try:
        return from_json(body, allow_partial="trailing-strings") if body.strip() else None
    except ValueError:
        return None


def check(value: Any, schema: Mapping[str, Any], text: str, finish_reason: str | None = None) -> Any:
    """A value that has the types, values and keys that a schema asks for, where there is no class to validate it.

    References and unions are left to the host's constrained decoding.

    Raises:
        StructuredOutputError: It has not.
    """
    if wrong := _mismatch(value, schema, "the answer"):
        raise failure(text, finish_reason, wrong)
    return value


_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def _mismatch(value: Any, schema: Mapping[str, Any], where: str) -> str:
    """What is wrong with a value, in words; empty when nothing is."""
    named = schema.get("type")
    if isinstance(named, str) and not _is(value, named):
        return f"{where} is {type(value).__name__}, not {named}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{where} is none of {schema['enum']}"
    if isinstance(value, list) and isinstance(items := schema.get("items"), Mapping):
        return next((w for i, v in enumerate(value) if (w := _mismatch(v, items, f"{where}[{i}]"))), "")
    if isinstance(value, dict):
        return _missing(value, schema, where) or next(
            (
                w
                for k, s in schema.get("properties", {}).items()
                if k in value and (w := _mismatch(value[k], s, f"{where}.{k}"))
            ),
            "",
        )
    return ""


def _is(value: Any, named: str) -> bool:
    if isinstance(value, bool):
        return named == "boolean"
    return isinstance(value, _TYPES.get(named, (object,)))


def _missing(value: dict[str, Any], schema: Mapping[str, Any], where: str) -> str:
    missing = [key for key in schema.get("required", ()) if key not in value]
    return f"{where} lacks {', '.join(missing)}" if missing else ""


def failure(text: str, finish_reason: str | None, why: str) -> StructuredOutputError | TruncatedError:
    """The error for an answer that does not fit."""
    if finish_reason == "length":
        return TruncatedError(
            "The answer was cut by the token limit before it was complete. Thinking counts against max_tokens: "
            f"raise it (16000 or more), or switch thinking off. It began: {text[:200]!r}",
            text=text,
            finish_reason=finish_reason,
        )
    return StructuredOutputError(
        f"The answer does not fit the schema: {why}. The answer: {text[:500]!r}",
        text=text,
        finish_reason=finish_reason,
    )
