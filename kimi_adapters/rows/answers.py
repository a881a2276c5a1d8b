"""What stands beside a row: its answer, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kimi_adapters.rows.files import USAGE
from kimi_core import structured_output
from kimi_core.errors import (
    APIError,
    AuthenticationError,
    BudgetExceededError,
    ConfigError,
    DecodeError,
    NotFoundError,
    OutputError,
    PermissionDeniedError,
    QuotaExceededError,
    RefusedError,
    StreamError,
)
from kimi_core.types import Response

ADDED: Final = {"answer": "text", "reasoning": "text", "usage": "usage", "cost_usd": "number", "error": "text"}
"""The columns that are added, and what they hold; see `files.write`."""


_FATAL: Final = (
    AuthenticationError,
    PermissionDeniedError,
    NotFoundError,
    QuotaExceededError,
    BudgetExceededError,
    ConfigError,
)
"""Errors that every other row would meet as well."""
ALIKE: Final = 20
"""When so many rows failed and none was answered, the others are not asked: something is wrong with all of them."""


def columns(prefix: str, schema: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the names of the columns that are added, with what they hold."""
    kinds = {**ADDED, "answer": "json"} if schema else ADDED
    return {prefix + name: kind for name, kind in kinds.items()}


def of_response(response: Response, schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the outcome of a row that was answered.

    An answer that does not fit the schema is an error, beside what it has cost.
    """
    usage, error = response.usage, None
    answer: Any = response.text
    if schema is not None:
        try:
            answer = _value(response, schema)
        except OutputError as problem:
            error = problem
    return {
        "answer": answer,
        "reasoning": response.reasoning.text if response.reasoning else None,
        "usage": {name: getattr(usage, name) for name in USAGE} if usage else None,
        "cost_usd": response.cost_usd,
        "error": f"{type(error).__name__}: {error}" if error else None,
    }


def of_error(error: Exception) -> dict[str, Any]:
    """Return the outcome of a row that failed."""
    return {**dict.fromkeys(ADDED), "error": f"{type(error).__name__}: {error}"}


def may_pass(error: Exception) -> bool:
    """Return whether a row that failed like this may be answered when it is asked again."""
    if isinstance(error, APIError):
        return error.is_retryable or isinstance(error, (DecodeError, StreamError))
    return isinstance(error, OutputError) and not isinstance(error, RefusedError)


def is_fatal(error: Exception) -> bool:
    """Return whether every other row would meet this error as well."""
    return isinstance(error, _FATAL)


def _value(response: Response, schema: Mapping[str, Any]) -> Any:
    if response.refusal:
        raise structured_output.refused(response.refusal, response.model, response.host, response.finish_reason)
    text = response.tool_calls[0].arguments if response.tool_calls else response.text
    return structured_output.read(text, lambda value: structured_output.checked(value, schema), response.finish_reason)
