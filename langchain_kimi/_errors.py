"""Our errors are LangChain's as well, so that its retries, fallbacks and summarisation know them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_core import exceptions as lc

from kimi_core import errors as err

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

_BASES: tuple[tuple[type[err.APIError], type[Exception]], ...] = (
    (err.APIError, lc.ModelError),
    (err.APIConnectionError, lc.ModelConnectionError),
    (err.APITimeoutError, lc.ModelTimeoutError),
    (err.BadRequestError, lc.ModelInvalidRequestError),
    (err.ContextOverflowError, lc.ContextOverflowError),
    (err.AuthenticationError, lc.ModelAuthenticationError),
    (err.PermissionDeniedError, lc.ModelPermissionDeniedError),
    (err.NotFoundError, lc.ModelNotFoundError),
    (err.RateLimitError, lc.ModelRateLimitError),
    (err.InternalServerError, lc.ModelAPIError),
)


# `ModelRefusalError` came with langchain-core 1.7.5; it is no parser's error.
_Refusal: type[Exception] = getattr(lc, "ModelRefusalError", lc.ModelError)
_REFUSED: list[tuple[type[err.APIError], type[Exception]]] = []
if _Refusal is not lc.ModelError:

    class _RefusedRequestError(_Refusal, lc.ModelInvalidRequestError):  # type: ignore[misc,valid-type]
        """A refusal that came as an HTTP error is an invalid request still."""

        raw_message = None

    _REFUSED.append((err.ContentFilterError, _RefusedRequestError))


def register() -> None:
    """Add LangChain's classes to what is raised. Done once, when this package is imported."""
    for error, base in (*_BASES, *_REFUSED):
        err.add_base(error, base)


class OutputFormatError(err.StructuredOutputError, lc.OutputParserException):
    """An answer that does not fit its schema, as LangChain's parsers raise it."""

    def __init__(self, message: str, *, text: str = "", finish_reason: str | None = None) -> None:
        err.StructuredOutputError.__init__(self, message, text=text, finish_reason=finish_reason)
        self.observation = None
        self.llm_output = text
        self.send_to_llm = False


class OutputTruncatedError(err.TruncatedError, lc.OutputParserException):
    """An answer that was cut before it was complete, as LangChain's parsers raise it."""

    __init__ = OutputFormatError.__init__


class OutputRefusedError(err.RefusedError, _Refusal):  # type: ignore[misc,valid-type]
    """An answer that the host's filter withheld or the model refused, as LangChain's own integrations raise it."""

    def __init__(self, message: str, *, text: str = "", finish_reason: str | None = None) -> None:
        err.RefusedError.__init__(self, message, text=text, finish_reason=finish_reason)
        self.raw_message: BaseMessage | None = None


_PARSER_ERRORS: tuple[tuple[type[err.OutputError], type[err.OutputError]], ...] = (
    (err.TruncatedError, OutputTruncatedError),
    (err.RefusedError, OutputRefusedError),
    (err.OutputError, OutputFormatError),
)


def as_parser_error(error: err.OutputError, message: BaseMessage | None = None) -> err.OutputError:
    """Return the same error as one that LangChain's parsers could have raised about a message."""
    cls = next(raised for core, raised in _PARSER_ERRORS if isinstance(error, core))
    raised = cls(str(error), text=error.text, finish_reason=error.finish_reason)
    if isinstance(raised, OutputRefusedError):
        raised.raw_message = message
    return raised
