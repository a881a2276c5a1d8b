"""Reading a structured answer: lenient about its wrapping, strict about what is in it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

from pydantic_core import from_json, to_jsonable_python

from kimi_core.errors import (
    ConfigError,
    MessageError,
    OutputError,
    RefusedError,
    StructuredOutputError,
    TruncatedError,
)
from kimi_core.quoting import bounded, in_short, quoted

T = TypeVar("T")

GROWTH = 128
"""A growing answer is read again when it has grown by one part in so many: reading costs what it is long."""

_MOST_REASONS = 5

_encode = json.JSONEncoder(ensure_ascii=False).encode


def dump(value: Any) -> str:
    """Return the JSON text of a value, spaced the way Kimi itself writes tool arguments.

    Raises:
        MessageError: If the value holds what JSON cannot express, or itself.
    """
    try:
        try:
            return _encode(value)
        except TypeError:  # dates and the like, which only pydantic knows
            return _encode(to_jsonable_python(value))
    except RecursionError:
        problem = "it holds itself, or too much inside one another"
    except ValueError as error:  # pydantic's, and that of bytes which are no text, are ValueErrors as well
        problem = str(error)
    raise MessageError(f"{quoted(value)} cannot be written as JSON: {problem}.")


# ---------------------------------------------------------------------------------------------- whole answers


def read(text: str, make: Callable[[Any], T], finish_reason: str | None = None) -> T:
    """Return what `make` makes of the JSON value that an answer is.

    Args:
        text: The answer, or the arguments of the tool call that gives it.
        make: Makes the instance; raises `ValueError` (pydantic's, for example) when the value does not fit.
        finish_reason: Why generation ended.

    Raises:
        RefusedError: If the host's filter withheld the answer, or a part of it.
        TruncatedError: If the answer was cut by the token limit.
        StructuredOutputError: If the answer is no JSON, or not what was asked for. All carry the raw text.
    """
    if finish_reason == "content_filter":
        raise failure(text, finish_reason, "it is not complete")
    value = parse_json(text, finish_reason)
    try:
        return make(value)
    except RecursionError:
        problem: ValueError = ValueError("it is nested too deeply")
    except ValueError as error:
        problem = error
    raise failure(text, finish_reason, _reasons(problem)) from problem


def parse_json(text: str, finish_reason: str | None = None) -> Any:
    """Return the JSON value that an answer is.

    Thoughts before it (`<think>`), a code fence and text around it are removed; control characters inside strings
    are tolerated, since models write them. Of several values none is chosen.

    Raises:
        TruncatedError, RefusedError, StructuredOutputError: If the answer cannot be read; see `read`.
    """
    try:
        value = _value(text)
        if finish_reason == "length" and type(value) in (int, float):
            raise ValueError("more digits may have followed")
    except (ValueError, RecursionError) as error:
        problem = ValueError(f"it is not JSON: {'nested too deeply' if isinstance(error, RecursionError) else error}")
    else:
        return value
    raise failure(text, finish_reason, str(problem)) from problem


def unwrapped(value: Any) -> Any:
    """Return the value inside the object that `kimi_core.schema.wrapped` describes; another value as it is."""
    return value["value"] if isinstance(value, dict) and value.keys() == {"value"} else value


def checked(value: Any, schema: Mapping[str, Any]) -> Any:
    """Return the value itself after a check against the schema, where there is no class to validate it.

    Raises:
        ValueError: If the value does not fit the schema; the text has the place and the reason.
    """
    from kimi_core.schema.instance import fault  # rarely needed

    if wrong := fault(value, schema):
        raise ValueError(bounded(wrong))
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


_decoder = json.JSONDecoder(strict=False, parse_constant=_refuse_constant)


def _value(text: str) -> Any:
    try:
        return _decoder.decode(text)
    except ValueError:
        body = _body(text)
    value, end = _decoder.raw_decode(body)
    rest = body[end:].strip("` \t\r\n")
    if rest and not isinstance(value, dict | list):
        raise ValueError("there is text after it")
    if "{" in rest or "[" in rest:
        raise ValueError("there is more than one JSON value in it")
    return value


_BEGIN = re.compile(r"```[a-zA-Z]*|[{\[]")


def _body(text: str) -> str:
    """Return the answer from where its JSON begins: after thoughts and text, inside a fence.

    Some servers leave the thoughts in the text, with or without their opening tag.
    """
    body = text.strip("\ufeff \t\r\n")
    if body[:1] in ("{", "[", '"'):
        return body
    if not body.startswith("```"):
        thoughts, closed, answer = body.partition("</think>")
        body = answer if closed else "" if thoughts.startswith("<think>") else thoughts
    begin = _BEGIN.search(body)
    if begin is None:
        return body.strip()
    return body[begin.end() if begin[0].startswith("`") else begin.start() :].strip()


def switch(name: str, value: Any) -> bool | None:
    """Return the value of an option that is on, off or unset.

    Raises:
        ConfigError: If the value is something else.
    """
    if value is None or isinstance(value, bool):
        return value
    raise ConfigError(f"{name} must be True or False, got {quoted(value)}.")


# ------------------------------------------------------------------------------------------- unfinished answers


class Growth:
    """Follows the value of an answer that grows."""

    __slots__ = ("_length", "_value")

    def __init__(self) -> None:
        self._length = 0
        self._value: Any = None

    def is_due(self, length: int) -> bool:
        """Return whether an answer of this length has grown enough to be read again."""
        return length - self._length > self._length // GROWTH

    def read(self, text: str) -> Any:
        """Return what the answer so far holds; None when that is nothing new."""
        self._length = len(text)
        value = parse_partial(text)
        if value is None or value == self._value:
            return None
        self._value = value
        return value


def parse_partial(text: str) -> Any:
    """Return as much of a JSON value as an unfinished answer holds; None when nothing can be read yet.

    From call to call texts, lists and objects grow and never shrink, and numbers come when they are whole, so that a
    reader sees monotone values.
    """
    body = _without_number(_body(text))
    try:
        return from_json(body, allow_partial="trailing-strings")
    except ValueError:
        return _lenient(body)


def _without_number(body: str) -> str:
    """Drop a number at the end, which may go on. At the end of a string its digits wait for what follows."""
    stem = body.rstrip("0123456789.eE+-")
    return stem if stem[-1:] in ("", ":", ",", "[", " ", "\t", "\r", "\n") else body


_STRING = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)  # whatever it meets it matches, so it is linear
_CONTROL = re.compile(r"[\x00-\x1f]")


def _lenient(body: str) -> Any:
    """Return the text with the control characters inside of strings escaped."""
    try:
        return from_json(_STRING.sub(_escaped, body), allow_partial="trailing-strings")
    except ValueError:
        return None


def _escaped(string: re.Match[str]) -> str:
    return _CONTROL.sub(lambda control: f"\\u{ord(control[0]):04x}", string[0])


# ---------------------------------------------------------------------------------------------------- errors


def refused(refusal: str, model: str | None, host: str | None, finish_reason: str | None) -> RefusedError:
    """Return the error for a refusal that came in place of an answer."""
    where = f"{in_short(model or 'The model')} on {in_short(host or 'the host')}"
    return RefusedError(
        f"{where} refused to answer. Asking the same again is unlikely to help: change what is asked. Its answer: "
        f"{quoted(refusal)}",
        text=refusal,
        finish_reason=finish_reason,
    )


def failure(text: str, finish_reason: str | None, why: str) -> OutputError:
    """Return the error for an answer that does not fit."""
    if finish_reason == "length":
        return TruncatedError(
            "The answer was cut by the token limit before it was complete. Thinking counts against max_tokens: "
            f"raise it (16000 or more), or switch thinking off. It began: {text[:200]!r}",
            text=text,
            finish_reason=finish_reason,
        )
    if finish_reason == "content_filter":
        return RefusedError(
            "The host's content filter withheld the answer, or the rest of it. Asking the same again is unlikely to "
            f"help: change what is asked. It began: {text[:200]!r}",
            text=text,
            finish_reason=finish_reason,
        )
    return StructuredOutputError(
        f"The answer does not fit the schema: {in_short(why, 1_000)}. The answer: {text[:500]!r}",
        text=text,
        finish_reason=finish_reason,
    )


def complaint(error: OutputError) -> str:
    """Return the message to the model about its answer when it is asked once more."""
    cause = error.__cause__
    why = _reasons(cause) if isinstance(cause, ValueError) else "it is not what was asked for"
    return f"That answer does not fit the schema: {why}. Give the whole answer once more, corrected."


def _reasons(problem: ValueError) -> str:
    """Return what is wrong as text; of pydantic's errors the place and the reason, without links."""
    listed = getattr(problem, "errors", None)
    if not callable(listed):
        return str(problem)
    reasons = [_reason(one) for one in listed()]
    more = [f"and {len(reasons) - _MOST_REASONS} more"] if len(reasons) > _MOST_REASONS else []
    return "; ".join([*reasons[:_MOST_REASONS], *more])


def _reason(one: Mapping[str, Any]) -> str:
    return f"{in_short('.'.join(map(str, one['loc']))) or 'the answer'}: {in_short(one['msg'])}"
