"""Arguments of a tool call: the JSON text that a model wrote, as an object."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from pydantic_core import from_json

from kimi_core.types import JsonObject

_HUGE = re.compile(r"\d[eE]\+?0*[1-9]\d\d|\d{309}")
"""What a number needs to have to be beyond a float's range."""


def parse_arguments(text: str) -> JsonObject:
    """Read the arguments of a call.

    Models write raw control characters into strings; these are tolerated. Half of a surrogate pair, which no file, host
    or database takes, becomes U+FFFD. Blank text and `null` mean no arguments.

    Args:
        text: As the model wrote it.

    Returns:
        The arguments, empty when there are none.

    Raises:
        ValueError: They are no JSON object, hold what JSON does not know (`NaN`, `Infinity`, `1e999`), or are nested
            deeper than what reads messages can follow (about 200 levels).
    """
    try:
        value = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        _refuse_depth(error)
        value = _lenient(text)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"Arguments must be a JSON object, not {type(value).__name__}.")
    if _HUGE.search(text) and not _is_finite(value):
        raise ValueError("Arguments hold a number that is out of range.")
    return value


def is_object(text: str) -> bool:
    """Whether a text is a whole JSON object, be it one that cannot be used."""
    try:
        return isinstance(json.loads(text, strict=False), dict)
    except (ValueError, RecursionError):
        return False


def whole_characters(text: str) -> str:
    """The text with pairs of surrogates put together, and U+FFFD for what has no other half."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _lenient(text: str) -> Any:
    """What the strict parser refuses: raw control characters, and halves of characters."""
    if not text.strip():
        return None
    try:
        value = _decoder.decode(text)
        written = json.dumps(value)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    try:
        from_json(written)
    except ValueError as error:
        _refuse_depth(error)
        return _without_halves(value)
    return value


_TOO_DEEP = "Arguments are nested too deeply."


def _refuse_depth(error: ValueError) -> None:
    if "recursion limit" in str(error):
        raise ValueError(_TOO_DEEP) from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number.")


_decoder = json.JSONDecoder(strict=False, parse_constant=_refuse_constant)


def _without_halves(value: Any) -> Any:
    if isinstance(value, str):
        return whole_characters(value)
    if isinstance(value, dict):
        return {whole_characters(key): _without_halves(item) for key, item in value.items()}
    return [_without_halves(item) for item in value] if isinstance(value, list) else value


def _is_finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)
