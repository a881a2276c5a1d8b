"""Our errors are LangChain's as well, so that its retries, fallbacks and summarisation know them."""

from __future__ import annotations

from langchain_core import exceptions as lc

from kimi_core import errors as err

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


def register() -> None:
    """Add LangChain's classes to what is raised. Done once, when this package is imported."""
    for error, base in _BASES:
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


def as_parser_error(error: err.OutputError) -> err.OutputError:
    """The same error as one that LangChain's parsers could have raised."""
    cls = OutputTruncatedError if isinstance(error, err.TruncatedError) else OutputFormatError
    return cls(str(error), text=error.text, finish_reason=error.finish_reason)
