"""Arguments of a tool call: the JSON text that a model wrote, as an object."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from pydantic_core import from_json

from kimi_core.characters import whole_characters, without_halves
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
        ValueError: If the text is no JSON object, holds what JSON does not know (`NaN`, `Infinity`, `1e999`), or is
            nested deeper than what reads messages can follow (about 200 levels).
    """
    try:
        value = from_json(text, allow_inf_nan=False)
    except (ValueError, TypeError) as error:
        _refuse_depth(error)
        value = _lenient(text)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"Arguments must be a JSON object, not {type(value).__name__}.")
    if _HUGE.search(text) and not _is_finite(value):
        raise ValueError("Arguments hold a number that is out of range.")
    return value


def as_object(text: str) -> str:
    """Return the arguments of an earlier call as the JSON text of an object, for hosts that read them.

    Args:
        text: As the model wrote it. Where it is an object already, or nothing, it comes back as it is; a number that
            JSON does not have becomes text, and what is no object is put into one as text.
    """
    if not text or _is_strict(text):
        return text
    try:
        value = _tolerant.decode(text)
        if isinstance(value, dict):
            return _dumped(without_halves(value))
    except (ValueError, RecursionError):
        pass
    return "{}" if text.strip() in ("", "null") else _dumped({UNREADABLE: whole_characters(text)})


def without_constants(text: str) -> str:
    """Return arguments with `NaN`, `Infinity` and `-Infinity` as text; the very text where none is in them."""
    if "NaN" not in text and "Infinity" not in text:
        return text
    try:
        json.loads(text, strict=False, parse_constant=_refuse_constant)
    except _ConstantError:
        return as_object(text)
    except (ValueError, RecursionError):
        pass
    return text


UNREADABLE = "invalid_arguments"
"""The key of the object into which arguments are put as text that are no object."""


def is_object(text: str) -> bool:
    """Return whether a text is a whole JSON object, be it one that cannot be used."""
    try:
        return isinstance(json.loads(text, strict=False), dict)
    except (ValueError, RecursionError):
        return False


def _lenient(text: str) -> Any:
    """Parse what the strict parser refuses: raw control characters, and halves of characters."""
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
        return without_halves(value)
    return value


_TOO_DEEP = "Arguments are nested too deeply."


def _refuse_depth(error: Exception) -> None:
    if "recursion limit" in str(error):
        raise ValueError(_TOO_DEEP) from None


class _ConstantError(ValueError):
    """A number that JSON does not know."""


def _refuse_constant(name: str) -> NoReturn:
    raise _ConstantError(f"{name} is no JSON number.")


_decoder = json.JSONDecoder(strict=False, parse_constant=_refuse_constant)


def _finite_or_text(number: str) -> float | str:
    value = float(number)
    return value if math.isfinite(value) else number


_tolerant = json.JSONDecoder(strict=False, parse_constant=str, parse_float=_finite_or_text)
_dumped = json.JSONEncoder(ensure_ascii=False).encode


def _is_strict(text: str) -> bool:
    """Return whether a text is an object for every parser."""
    try:
        value = from_json(text, allow_inf_nan=False)
    except (ValueError, TypeError):  # a text with half a character is no text to it
        return False
    return isinstance(value, dict) and (not _HUGE.search(text) or _is_finite(value))


def _is_finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)
