"""Maps what a host answered to the error that is raised.

The status counts first, then the host's own type, then its message: a 500 that mentions "policy" is not a content
filter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from kimi_core import errors as err
from kimi_core.codecs.json_values import count, first, retry_after
from kimi_core.hosts.addresses import is_same_origin, shown
from kimi_core.hosts.common import SHORTEN
from kimi_core.hosts.groups import ErrorRule
from kimi_core.hosts.profile import Profile
from kimi_core.quoting import in_short

_MESSAGE = ("error.message", "errors.0.message", "message", "detail", "error", "msg")
_TYPE = ("error.type", "errors.0.code", "error.name", "type", "title")
_CODE = ("error.code", "errors.0.code", "code", "statusCode", "status")
_PARAM = ("error.param", "errors.0.parameter", "param")

_OVERFLOW = (
    r"exceeded model token limit|token length too long|exceeds? the model|context.?length|context_?window|"
    r"maximum context length"
)
_NO_BALANCE = "The account has no balance left: recharge it in the host's console. Waiting does not help."
_GENERAL = (
    ErrorRule(
        error=err.ContentFilterError,
        status=400,
        kind="content_filter",
        advice="The host judged the input or the answer as high risk; rephrase it.",
    ),
    ErrorRule(error=err.ContentFilterError, status=400, message="considered high risk"),
    ErrorRule(
        error=err.ContextOverflowError,
        status=400,
        message=_OVERFLOW,
        advice=SHORTEN,
    ),
    ErrorRule(
        error=err.ContextOverflowError, status=400, kind=r"\w*context\w*(size|length|exceeded)\w*", advice=SHORTEN
    ),
    ErrorRule(
        error=err.BadRequestError,
        status=400,
        message="reasoning_content is missing",
        advice="Hand assistant messages back as they came: they carry the reasoning the host wants to see again.",
    ),
    ErrorRule(
        error=err.QuotaExceededError,
        status=429,
        message=r"exceeded your current (token )?quota|check your account balance|insufficient balance|"
        r"recharge your account|please recharge|in arrears",
        advice=_NO_BALANCE,
    ),
    ErrorRule(error=err.OverloadedError, status=429, message="overloaded"),
    ErrorRule(error=err.OverloadedError, status=529),
    # By their type alone, since an error inside an answer has no status of its own.
    ErrorRule(error=err.RateLimitError, status=429, kind=r"rate_limit\w*"),
    ErrorRule(error=err.InternalServerError, status=500, kind="server_error|unexpected_output"),
    ErrorRule(error=err.InternalServerError, status=503, kind="server_unavailable"),
    ErrorRule(error=err.BadRequestError, status=400, kind="invalid_request_error"),
    ErrorRule(error=err.QuotaExceededError, status=402, advice="The account has no credits left."),
    ErrorRule(
        error=err.AuthenticationError,
        status=401,
        advice="Check the API key, and that it belongs to this host.",
    ),
    ErrorRule(error=err.BadRequestError, status=400),
    ErrorRule(error=err.PermissionDeniedError, status=403),
    ErrorRule(error=err.NotFoundError, status=404),
    ErrorRule(error=err.APITimeoutError, status=408),
    ErrorRule(error=err.ConflictError, status=409),
    ErrorRule(error=err.RequestTooLargeError, status=413, advice="Send less, or upload large media as files."),
    ErrorRule(error=err.BadRequestError, status=422),
    ErrorRule(error=err.APIStatusError, status=425, retry=True),  # "Too Early": the same request may be sent again
    ErrorRule(error=err.RateLimitError, status=429),
)


def error_from_status(
    status: int, body: Any, headers: Mapping[str, str], profile: Profile, *, address: str = ""
) -> err.APIError:
    """Return the error for an HTTP error status.

    Args:
        status: The status.
        body: The body of the response.
        headers: Its headers.
        profile: Host and model.
        address: Where the request went, when that is known.
    """
    rule = _rule(status, body, profile, headers)
    error = rule.error if rule else (err.InternalServerError if status >= 500 else err.APIStatusError)
    advice = _misplaced(status, address, profile) or (rule.advice if rule else "")
    made = _make(error, body, profile, what=f"HTTP {status}", advice=advice)
    made.status_code = status
    return _with_retry(_with_headers(made, headers, profile), rule)


def redirected(status: int, base: str, target: str, profile: Profile) -> err.APIError:
    """Return the error for a redirect that is not followed."""
    if is_same_origin(base, target):
        why = "It was not followed: that takes 307 or 308, and at most three of them. Give it as base_url"
    else:
        why = (
            "It was not followed, since the conversation, key and headers would go there: only redirects at the same "
            "address (scheme, name and port) are. If that is the host, give it as base_url"
        )
    return err.make(
        err.APIStatusError,
        f"{profile.where} answered HTTP {status}, a redirect to {shown(target)}. {why}.",
        host=profile.host.name,
        model=profile.model_id,
        status_code=status,
    )


def _misplaced(status: int, address: str, profile: Profile) -> str:
    """Return what a 404 can mean when base_url has another path than the host's, or than most servers have."""
    given, own = urlsplit(address), profile.host.address.base_url or "/v1"
    if status != 404 or not given.path.endswith(profile.host.endpoints.chat):
        return ""
    known = urlsplit(own)
    if given.hostname == known.hostname and "{" not in own and given.path != known.path + profile.host.endpoints.chat:
        return f"base_url has another path than the host's own, which is {own}."
    if not re.search(r"/v\d", own) or re.search(r"/v\d", given.path):
        return ""
    return "base_url does not end with /v1, as that of most servers does: try it with /v1."


def _with_headers(made: err.APIError, headers: Mapping[str, str], profile: Profile) -> err.APIError:
    made.request_id = next(
        (found for h in profile.host.errors.id_headers if (found := headers.get(h))), made.request_id
    )
    made.retry_after = retry_after(headers)
    return made


def _with_retry(made: err.APIError, rule: ErrorRule | None) -> err.APIError:
    if rule and rule.retry is not None:
        made.is_retryable = rule.retry
    return made


def error_in_frame(frame: Any, profile: Profile) -> err.APIError:
    """Return the error for an error object inside a stream, or for a frame that is no answer at all."""
    return _error_inside(frame, profile, err.StreamError, "an error inside the stream")


def complains(frame: Mapping[str, Any]) -> bool:
    """Return whether a frame or body without choices is an error; keep-alive frames and lone usage are not."""
    return "usage" not in frame and ("message" in frame or "detail" in frame)


def error_in_body(body: Any, headers: Mapping[str, str], profile: Profile) -> err.APIError:
    """Return the error for an error object that came with HTTP 200 in place of an answer."""
    made = _error_inside(body, profile, err.APIError, "HTTP 200 with an error")
    return _with_headers(made, headers, profile)


def _error_inside(frame: Any, profile: Profile, otherwise: type[err.APIError], what: str) -> err.APIError:
    if not isinstance(frame, dict) or first(frame, ("error", "errors", "message", "detail")) is None:
        return not_an_answer(frame, profile)
    status = next((s for p in _CODE if (s := _as_status(first(frame, (p,))))), 0)
    rule = _rule(status, frame, profile) or _by_type(frame, profile)
    kind = rule.error if rule else (err.InternalServerError if status >= 500 else otherwise)
    made = _make(kind, frame, profile, what=what, advice=rule.advice if rule else "")
    made.status_code = status or (rule.status if rule else None)
    return _with_retry(made, rule)


MALFORMED = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What comes of reading a body or a frame that is not of the host's protocol."""


def not_an_answer(frame: Any, profile: Profile) -> err.APIError:
    """Return the error for a body or a frame that is not of the host's protocol."""
    return err.make(
        err.DecodeError,
        f"{profile.where} answered something that is not a chat completion: {in_short(frame)!r}. "
        "Check base_url and host.",
        host=profile.host.name,
        model=profile.model_id,
        body=frame,
    )


def _as_status(code: Any) -> int:
    """Return a code that is an HTTP status, else 0."""
    number = count(code) or 0
    return number if 400 <= number < 600 else 0


def _rules(profile: Profile) -> Iterator[ErrorRule]:
    yield from profile.host.errors.rules
    yield from _GENERAL


def _rule(status: int, body: Any, profile: Profile, headers: Mapping[str, str] | None = None) -> ErrorRule | None:
    type_, code, message = _parts(body)
    came = headers or {}
    fitting = (r for r in _rules(profile) if r.status in (status, None) and _fits(r, type_, code, message))
    return next((r for r in fitting if r.header is None or r.header in came), None)


def _by_type(body: Any, profile: Profile) -> ErrorRule | None:
    """Find a rule by the host's type or message alone, since inside a stream there is no status."""
    type_, code, message = _parts(body)
    without_status = (r for r in _rules(profile) if (r.kind or r.message) and r.header is None)
    return next((r for r in without_status if _fits(r, type_, code, message)), None)


def _fits(rule: ErrorRule, type_: str, code: str, message: str) -> bool:
    by_type = rule.kind is None or any(re.fullmatch(rule.kind, label, re.IGNORECASE) for label in (type_, code))
    return by_type and (rule.message is None or re.search(rule.message, message, re.IGNORECASE) is not None)


def _parts(body: Any) -> tuple[str, str, str]:
    """Return the host's type, code and message."""
    if isinstance(body, list) and body and isinstance(body[0], dict):
        body = body[0]  # gateways wrap the object in an array
    if not isinstance(body, dict):
        return "", "", _text(body)
    upstream = first(body, ("error.metadata.raw",))  # what a gateway was answered, whole
    texts = (_text(found) for found in (first(body, _MESSAGE), upstream) if found)
    return _label(first(body, _TYPE)), _label(first(body, _CODE)), ": ".join(texts)


def _label(found: Any) -> str:
    """Return a type or code as text, whatever it is: rules and readers look at its beginning alone."""
    return in_short(found, 1_000) if found else ""


def _text(found: Any) -> str:
    """Return a message as one line, also that of a proxy's page or of a list of errors about fields."""
    match found:
        case str():
            return _of_page(found) if _PAGE.search(found) else found
        case list():
            return "; ".join(map(_text, found))
        case {"msg": str(text), "loc": list(place)}:  # FastAPI
            return f"{'.'.join(map(str, place))}: {text}"
        case {"msg": str(text)} | {"message": str(text)}:
            return text
    return str(found or "")


_PAGE = re.compile(r"<(!doctype|html|head|body)\b", re.IGNORECASE)
_TAG = re.compile(r"<(/?\w*+)[^<>]*+>")  # possessive, and no search for a closing tag: it is linear for any page
_HEADINGS, _UNSEEN = ("title", "h1"), ("style", "script")
_LONGEST_PAGE = 100_000
"""Characters of a page that are read: its message is at its beginning."""


def _of_page(page: str) -> str:
    """Return the title of an HTML page, or its text."""
    begin, *rest = _TAG.split(page[:_LONGEST_PAGE])
    shown, title, unseen = [begin], 0, ""
    for tag, text in zip(rest[::2], rest[1::2], strict=True):
        name = tag.lower()
        if unseen or name in _UNSEEN:
            unseen = "" if name == f"/{unseen}" else unseen or name
        elif name in _HEADINGS:
            title = title or len(shown)
        elif name[1:] in _HEADINGS and title and (found := _one_line(shown[title:])):
            return found
        if not unseen:
            shown.append(text)
    return _one_line(shown)


def _one_line(texts: Iterable[str]) -> str:
    return " ".join(" ".join(texts).split())


def _make(
    error: type[err.APIError],
    body: Any,
    profile: Profile,
    *,
    what: str,
    advice: str,
) -> err.APIError:
    type_, code, message = _parts(body)
    kind = f" ({in_short(type_)})" if type_ else ""
    text = f"{profile.where} answered {what}{kind}: {in_short(message, 1_000) or 'no message'}"
    param = first(body, _PARAM) if isinstance(body, dict) else None
    argument = _argument(param, profile.host.errors.arguments) if isinstance(param, str) else None
    if argument:
        advice = f"{advice} The argument is `{argument}`.".lstrip()
    return err.make(
        error,
        f"{text.rstrip('. ')}.{' ' + advice if advice else ''}",
        host=profile.host.name,
        model=profile.model_id,
        type=type_ or None,
        code=code or None,
        param=argument or param,
        body=body,
        request_id=first(body, profile.host.errors.id_paths),
    )


def _argument(param: str, arguments: Mapping[str, str]) -> str | None:
    """Return the user's name of the option that an error is about, also of a part of it (`messages[0].content`)."""
    steps = re.findall(r"[.\[]?[^.\[]+", param) if arguments else []
    parents = ("".join(steps[:n]) for n in range(len(steps), 0, -1))
    return next((arguments[parent] for parent in parents if parent in arguments), None)
