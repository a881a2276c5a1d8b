"""Every error this package raises.

The tree::

    KimiError
    ├── ConfigError (ValueError)            found before any I/O: a setting is missing or wrong
    │   ├── MissingKeyError                 no API key for this host
    │   ├── UnknownHostError                no such spec
    │   ├── UnknownOptionError (TypeError)  no such option
    │   └── UnsupportedError                this host or model cannot do what was asked
    ├── MessageError (ValueError)           found before any I/O: a message or schema cannot be expressed
    ├── APIError                            the host was asked, and this came of it
    │   ├── APIConnectionError              no connection, or it broke
    │   │   └── APITimeoutError             no answer in time
    │   ├── StreamError                     a stream ended before it was finished, or a frame made no sense
    │   ├── DecodeError                     the host answered something that is not its protocol
    │   ├── FormulaError                    a function of a formula tool was run and failed
    │   ├── BatchError                      a batch has left a request without an answer
    │   ├── BudgetExceededError             the user's own limit: not asked, or stopped on the way; never retried
    │   ├── LimitsError                     the user's own limits: not asked, for its turn would come too late
    │   ├── RepetitionError                 the model repeats itself, and `stop_repetition` ends that
    │   └── APIStatusError                  an HTTP error status
    │       ├── BadRequestError             400, 422: the request is wrong
    │       │   ├── ContextOverflowError    more tokens than the model takes
    │       │   └── ContentFilterError      refused as high risk
    │       ├── AuthenticationError         401: the key is wrong, or of another platform
    │       ├── PermissionDeniedError       403
    │       ├── NotFoundError               404: no such model for this account
    │       ├── ConflictError               409
    │       ├── RequestTooLargeError        413
    │       ├── RateLimitError              429: too many requests for now
    │       │   ├── OverloadedError         429: the engine is busy
    │       │   └── QuotaExceededError      429, 402, 403: no money or plan left; never retried
    │       └── InternalServerError         5xx
    └── OutputError (ValueError)            the answer is not what was asked for; `.text` has it
        ├── TruncatedError                  cut by the token limit
        ├── RefusedError                    withheld by the host's content filter, or refused by the model
        ├── StructuredOutputError           not an instance of the schema
        ├── ToolNotCalledError              a tool that had to be called was not
        └── ServerRoundsError               the model kept calling the host's own tools

What is raised for `APIError` and below also inherits the openai SDK's class of the same meaning, so that
existing `except openai.RateLimitError` clauses keep working; adapters add their framework's classes
(`add_base`). Those classes are put together, and the SDK imported, when the first error is raised.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from contextlib import ContextDecorator
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from kimi_core.quoting import bounded
from kimi_core.types import Response

if TYPE_CHECKING:
    from kimi_core.budget import Spent


class KimiError(Exception):
    """Base of everything this package raises. Its text is for a reader, and cut where it is longer than that."""

    def __init__(self, *args: object) -> None:
        super().__init__(*(bounded(arg) if isinstance(arg, str) else arg for arg in args))


class KimiWarning(UserWarning):
    """Something the user asked for was left out or changed; the text has what and why."""


_BETWEEN = ("kimi_core.", "langchain_kimi.", "llama_index_kimi.", "langchain_core.", "llama_index", "tenacity.")


def warn(text: str) -> None:
    """Warn at the user's own line, however many frames of ours and of the frameworks are between."""
    level, frame = 1, inspect.currentframe()
    while frame and f"{frame.f_globals.get('__name__', '')}.".startswith(_BETWEEN):
        level, frame = level + 1, frame.f_back
    warnings.warn(bounded(text), KimiWarning, stacklevel=level)


class _ShortTraceback(ContextDecorator):
    """A context or decorator that removes the frames below from the traceback of our errors: they do not help a reader.

    What they hold is not kept alive either, keys and requests among it. An error that is not ours is a mistake of this
    package, and keeps them.
    """

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, KimiError):
            error.__traceback__ = None


short_traceback = _ShortTraceback()


class ConfigError(KimiError, ValueError):
    """A setting is missing or wrong. Raised before any I/O."""


class MissingKeyError(ConfigError):
    """No API key was given and none of the host's environment variables is set."""


class UnknownHostError(ConfigError):
    """No spec of that name."""


class UnknownOptionError(ConfigError, TypeError):
    """An option of that name does not exist."""


class UnsupportedError(ConfigError):
    """This host or model cannot do what was asked. The message names host, model, option and the way out."""


class MessageError(KimiError, ValueError):
    """A message, file or schema cannot be expressed for this host. Raised before any I/O."""


class OutputError(KimiError, ValueError):
    """The answer is not what was asked for.

    Attributes:
        text: The raw text (or tool arguments) that did not fit.
        finish_reason: Why generation ended.
    """

    def __init__(self, message: str, *, text: str = "", finish_reason: str | None = None) -> None:
        super().__init__(message)
        self.text = text
        self.finish_reason = finish_reason

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore_output, (type(self), str(self), self.text, self.finish_reason)


class TruncatedError(OutputError):
    """The answer was cut by the token limit before it was complete."""


class RefusedError(OutputError):
    """The host's content filter withheld the answer, or the rest of it, or the model refused to give one."""


class StructuredOutputError(OutputError):
    """The answer is not an instance of the schema."""


class ToolNotCalledError(OutputError):
    """A tool that had to be called, but could not be forced, was not called."""


class ServerRoundsError(OutputError):
    """The model kept calling the host's own tools until `max_server_rounds` was used up.

    Attributes:
        partial: All turns so far; `partial.message` can be sent to go on from there.
    """

    partial: Response | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return (*super().__reduce__(), {"partial": self.partial})


class APIError(KimiError):
    """The host was asked, and it went wrong.

    Attributes:
        message: What happened, where, and what to do next.
        host: The host spec's name.
        model: The model id that was sent.
        status_code: HTTP status; None when there was no answer.
        type: The host's own error type (`engine_overloaded_error`), if any.
        code: The host's own error code, if any.
        request_id: The host's id of the request, for its support.
        retry_after: Seconds the host asks to wait, if it does.
        body: The host's error body, keys redacted.
        partial: What had arrived of a stream before it broke.
    """

    is_retryable: bool = False
    sdk_name: ClassVar[str] = "APIError"
    documented: ClassVar[type[APIError] | None] = None

    host: str = ""
    model: str = ""
    status_code: int | None = None
    type: str | None = None
    code: str | None = None
    param: str | None = None
    request_id: str | None = None
    retry_after: float | None = None
    body: object = None
    partial: Response | None = None

    def __init__(self, message: str, **details: Any) -> None:
        self.message = bounded(message)
        Exception.__init__(self, self.message)
        self.__dict__.update(details)

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        # By the documented class, and without the HTTP objects: they hold the key.
        details = {k: v for k, v in self.__dict__.items() if k not in ("message", "request", "response")}
        return _restore, (self.documented or type(self), self.message, details)


class APIConnectionError(APIError):
    """No connection to the host, or it broke."""

    is_retryable = True
    sdk_name = "APIConnectionError"


class APITimeoutError(APIConnectionError):
    """The host did not answer in time."""

    sdk_name = "APITimeoutError"


class StreamError(APIError):
    """A stream ended before it was finished, or a frame of it made no sense. `partial` has what came."""


class DecodeError(APIError):
    """The host answered something that is not its protocol."""

    sdk_name = "APIError"


class FormulaError(APIError):
    """A function of a formula tool was run and failed. `reason` has the host's message, `body` its object."""

    reason: str = ""


class BatchError(APIError):
    """A batch has left a request without an answer: it expired, was cancelled or failed, or has no line for it.

    Attributes:
        batch_id: The batch.
        batch_status: How it ended: `expired`, `cancelled`, `failed` or `completed`.
    """

    is_retryable = True
    batch_id: str = ""
    batch_status: str = ""


class BudgetExceededError(APIError):
    """What the user's `Budget` allows is spent: a call was not made, or a stream was stopped (`partial` has it).

    Attributes:
        spent: What was spent: `usd`, `tokens` and `steps`.
    """

    sdk_name = ""  # no error of the host's, so none of the SDK's
    spent: Spent


class LimitsError(APIError):
    """The user's own `Limits` did not let a request through: the wait was too long, or nobody could count it."""

    sdk_name = ""  # no error of the host's, so none of the SDK's


class RepetitionError(APIError):
    """The model repeats itself, and `stop_repetition` was given: no more was read, and `partial` has what came.

    Attributes:
        pattern: What is repeated.
    """

    sdk_name = ""  # no error of the host's, so none of the SDK's
    pattern: str = ""


class APIStatusError(APIError):
    """The host answered with an HTTP error status."""

    sdk_name = "APIStatusError"


class BadRequestError(APIStatusError):
    """The host refuses the request as it is."""

    sdk_name = "BadRequestError"


class ContextOverflowError(BadRequestError):
    """The conversation has more tokens than the model takes."""


class ContentFilterError(BadRequestError):
    """The host refuses the content as high risk."""


class AuthenticationError(APIStatusError):
    """The key is wrong, or belongs to another platform."""

    sdk_name = "AuthenticationError"


class PermissionDeniedError(APIStatusError):
    """The key may not do this."""

    sdk_name = "PermissionDeniedError"


class NotFoundError(APIStatusError):
    """No such model (for this account) or no such endpoint."""

    sdk_name = "NotFoundError"


class ConflictError(APIStatusError):
    """The host could not take the request just now (409)."""

    is_retryable = True
    sdk_name = "ConflictError"


class RequestTooLargeError(APIStatusError):
    """The request's body is larger than the host takes (413)."""


class RateLimitError(APIStatusError):
    """Too many requests or tokens for now."""

    is_retryable = True
    sdk_name = "RateLimitError"


class OverloadedError(RateLimitError):
    """The host's engine is busy."""


class QuotaExceededError(RateLimitError):
    """No money or plan left. Waiting does not help, so it is never retried."""

    is_retryable = False


class InternalServerError(APIStatusError):
    """The host failed."""

    is_retryable = True
    sdk_name = "InternalServerError"


_E = TypeVar("_E", bound=APIError)
_extra_bases: dict[type[APIError], type[Exception]] = {}


def add_base(error: type[APIError], base: type[Exception]) -> None:
    """Make what is raised for `error` (and for classes below it) a `base` as well.

    An adapter calls this once at import with its framework's class of the same meaning.
    """
    _extra_bases[error] = base
    _raised_class.cache_clear()


def raised_class(error: type[APIError]) -> type[APIError]:
    """Return the class that is really raised for `error`: ours, the SDK's and the frameworks' in one.

    Its name and module are ours, so `except kimi_core.RateLimitError` and tracebacks read as documented.
    """
    # Not before: no call needs it, and importing it takes longer than many.
    sdk = import_module("openai") if error.sdk_name else None
    if not hasattr(sdk, error.sdk_name or "__name__"):  # it is being imported
        sdk = None
    return _raised_class(error, sdk)  # type: ignore[arg-type]


@cache
def _raised_class(error: type[APIError], sdk: ModuleType | None, /) -> type[APIError]:
    candidates = [error, *([getattr(sdk, error.sdk_name)] if sdk and error.sdk_name else [])]
    candidates += [_extra_bases[ancestor] for ancestor in error.__mro__ if ancestor in _extra_bases][:1]
    # A base that another one already inherits would break the resolution order.
    bases = [b for i, b in enumerate(candidates) if not any(issubclass(o, b) for o in candidates[:i])]
    if len(bases) == 1:
        return error
    namespace = {"__module__": error.__module__, "__doc__": error.__doc__, "documented": error}
    return type(error.__name__, tuple(bases), namespace)


def make(error: type[_E], message: str, **details: Any) -> _E:
    """Return an instance of what is raised for `error`."""
    return cast(_E, raised_class(error)(message, **details))


def _restore(error: type[APIError], message: str, details: Mapping[str, Any]) -> APIError:
    return make(error, message, **details)


def _restore_output(error: type[OutputError], message: str, text: str, reason: str | None) -> OutputError:
    return error(message, text=text, finish_reason=reason)
