"""Faults told by the status and the headers of a response."""

from __future__ import annotations

import gzip
from dataclasses import replace

from .fault import (
    ANSWERED,
    BEGIN,
    DONE,
    END,
    EVENTS,
    HELLO,
    MORE,
    NO_ANSWER,
    TEXT,
    UNFINISHED,
    UNREACHED,
    Fault,
    Outcome,
    response,
    spelled,
    stream,
)

NAMED = {
    400: "BadRequestError",
    401: "AuthenticationError",
    402: "QuotaExceededError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    408: "APITimeoutError",
    409: "ConflictError",
    413: "RequestTooLargeError",
    422: "BadRequestError",
    429: "RateLimitError",
    529: "OverloadedError",
}
AGAIN = {408, 409, 425, 429, *range(500, 600)}
"""What may be over in a moment, so that the request is sent again."""


def of_status(status: int) -> Outcome:
    what = NAMED.get(status, "InternalServerError" if status >= 500 else "APIStatusError")
    return Outcome(what, 2 if status in AGAIN else 1)


ERROR = {"error": {"message": "no", "type": "odd"}}
STATUSES = tuple(
    Fault(f"HTTP {status}", of_status(status), of_status(status), response(ERROR, f"{status} No", "Retry-After: 0"))
    for status in range(400, 600)
)

# ------------------------------------------------------------------------------------------------ other statuses

BAD, BUSY, DOWN, PLAIN = of_status(400), of_status(429), of_status(502), Outcome("APIStatusError")
NO_CONTENT = Outcome("DecodeError")
PAGE = b"<!doctype html><html><head><title>502 Bad Gateway</title></head><body><h1>nginx</h1></body></html>"
SOON = "Retry-After: 0"


def _page(name: str, status: str, outcome: Outcome, page: bytes = PAGE, kind: str = "text/html") -> Fault:
    return Fault(name, outcome, outcome, response(page, status, SOON, kind=kind))


PAGES = (
    _page("an HTML page with 200", "200 OK", NO_ANSWER),
    _page("an HTML page with 400", "400 Bad Request", BAD),
    _page("an HTML page with 403", "403 Forbidden", of_status(403)),
    _page("an HTML page with 502", "502 Bad Gateway", DOWN),
    _page("an HTML page that is called JSON, with 200", "200 OK", NO_ANSWER, kind="application/json"),
    _page("an HTML page that is called JSON, with 502", "502 Bad Gateway", DOWN, kind="application/json"),
    _page("a page of 1 MB with 502", "502 Bad Gateway", DOWN, PAGE + 1_000_000 * b"x"),
    _page("a page in gzip that is none, with 502", "502 Bad Gateway\r\nContent-Encoding: gzip", UNREACHED),
    _page("a page in gzip, with 502", "502 Bad Gateway\r\nContent-Encoding: gzip", DOWN, gzip.compress(PAGE)),
    _page("nothing with 500", "500 No", of_status(500), b""),
    _page("nothing with 400", "400 No", BAD, b""),
    _page("text with 503", "503 No", of_status(503), b"upstream connect error", "text/plain"),
    _page("bytes that are no text, with 500", "500 No", of_status(500), bytes(range(256)), "text/plain"),
    _page("JSON that is cut, with 429", "429 No", BUSY, b'{"error": {"mess', "application/json"),
    _page("`null` with 429", "429 No", BUSY, b"null", "application/json"),
    _page("a list with 400", "400 No", BAD, b'[{"error": {"message": "no"}}]', "application/json"),
    _page("100,000 brackets with 400", "400 No", BAD, 100_000 * b"[", "application/json"),
    _page(
        "a message that is an object, with 400", "400 No", BAD, b'{"error": {"message": {"a": 1}}}', "application/json"
    ),
    _page("half a character with 400", "400 No", BAD, b'{"error": {"message": "\\ud83d"}}', "application/json"),
    _page("a whole answer with 500", "500 No", of_status(500), spelled(HELLO), "application/json"),
    _page("a stream with 500", "500 No", of_status(500), TEXT + END + DONE, EVENTS),
    _page("no content (204)", "204 No Content", NO_CONTENT, b""),
    _page("reset content (205)", "205 Reset Content", NO_CONTENT, b""),
    Fault("created (201)", ANSWERED, ANSWERED, response(HELLO, "201 Created"), came="Hello there"),
    Fault("partial content (206)", ANSWERED, ANSWERED, response(HELLO, "206 Partial Content"), came="Hello there"),
)

# --------------------------------------------------------------------------------------------------- redirects


REPEATED = Outcome("APIStatusError", 4)
"""A redirect at the same address is followed three times."""


def _moved(name: str, status: str, *headers: str) -> Fault:
    return Fault(name, PLAIN, PLAIN, response(b"", status, *headers))


REDIRECTS = (
    _moved("301 to another host", "301 Moved", "Location: http://127.0.0.1:9/v1"),
    _moved("307 to another host", "307 Moved", "Location: http://127.0.0.1:9/v1"),
    _moved("308 to `file:`", "308 Moved", "Location: file:///etc/passwd"),
    _moved("302 to the same path", "302 Moved", "Location: /v1/chat/completions"),
    _moved("303 to the same path", "303 Moved", "Location: /v1/chat/completions"),
    Fault(
        "307 to the same path, again and again",
        REPEATED,
        REPEATED,
        response(b"", "307 Moved", "Location: /v1/chat/completions"),
    ),
    _moved("307 without a place", "307 Moved"),
    replace(_moved("307 to no address", "307 Moved", "Location: http://[:::/"), with_openai_2=UNREACHED),
    Fault("307 to bytes, again and again", REPEATED, REPEATED, response(b"", "307 Moved", "Location: \xff\xfe")),
    _moved("300 with a choice", "300 Choices"),
    _moved("304 not modified", "304 Not Modified"),
)

# ----------------------------------------------------------------------------------------------------- headers


def _pause(value: str, *, again: bool = True) -> Fault:
    """A pause that is asked for: none is longer than a moment, or it is not waited for."""
    outcome = Outcome("RateLimitError", 2 if again else 1)
    return Fault(f"`{value}` with 429", outcome, outcome, response(ERROR, "429 No", value))


def _headed(name: str, *headers: str) -> Fault:
    """Headers that change nothing of the answer beside them."""
    return Fault(name, ANSWERED, ANSWERED, response(HELLO, "200 OK", *headers), came="Hello there")


def _typed(kind: str) -> Fault:
    name = f"a whole answer as `{kind}`" if kind else "a whole answer of no type"
    return Fault(name, ANSWERED, ANSWERED, response(HELLO, kind=kind), came="Hello there")


HEADERS = (
    _pause("Retry-After: 0"),
    _pause("Retry-After: 0.01"),
    _pause("Retry-After: -5"),
    _pause("Retry-After: "),
    _pause("Retry-After: soon"),
    _pause("Retry-After: nan"),
    _pause("Retry-After: inf"),
    _pause("Retry-After: 1e400"),
    _pause("Retry-After: \xb2\xb3"),
    _pause("Retry-After: 61", again=False),
    _pause("Retry-After: 99999999999", again=False),
    _pause("Retry-After: Wed, 21 Oct 2015 07:28:00 GMT"),
    _pause("Retry-After: Wed, 21 Oct 2015 07:28:00"),
    _pause("Retry-After: Wed, 21 Oct 9015 07:28:00 GMT", again=False),
    _pause("Retry-After: Wed, 99 Oct 2015 07:28:00 GMT"),
    _pause("Retry-After-Ms: 5"),
    _pause("Retry-After-Ms: 99999999", again=False),
    _pause("Retry-After-Ms: soon"),
    _headed("a header of 60,000 characters", f"X-Odd: {60_000 * 'x'}"),
    _headed("a request id of bytes", "X-Request-Id: \xff\xe9"),
    _headed("a header twice", "X-Request-Id: a", "X-Request-Id: b"),
    _headed("`Retry-After` with an answer", "Retry-After: 99"),
    _headed("cookies", "Set-Cookie: a=b; Domain=example.org", "Set-Cookie: \xff"),
    _headed("limits that are no numbers", "X-Ratelimit-Remaining-Requests: many", "X-Ratelimit-Reset-Requests: \xb2"),
    Fault(
        "a header of 300,000 characters",
        UNREACHED,
        UNREACHED,
        response(HELLO, "200 OK", f"X-Odd: {300_000 * 'x'}"),
        then="close",
    ),
    Fault(
        "5,000 headers",
        UNREACHED,
        UNREACHED,
        response(HELLO, "200 OK", *(f"X-{n}: {40 * 'x'}" for n in range(5_000))),
        then="close",
    ),
    Fault("a header without a colon", UNREACHED, UNREACHED, response(HELLO, "200 OK", "odd"), then="close"),
    Fault("a header without a name", UNREACHED, UNREACHED, response(HELLO, "200 OK", ": odd"), then="close"),
    Fault("a zero byte in a header", UNREACHED, UNREACHED, response(HELLO, "200 OK", "X-Odd: \0"), then="close"),
)

TYPES = (
    *map(_typed, ["", "text/plain", "application/octet-stream", "image/png", "odd", "text/event-stream"]),
    *(
        Fault(f"a whole answer as `{kind}`", ANSWERED, ANSWERED, response(HELLO, kind=kind), came="Hello there")
        for kind in (
            "application/json; charset=utf-8",
            "application/json; charset=utf-16",
            "application/json; charset=odd",
            "text/html",
        )
    ),
    Fault("a stream as JSON", NO_ANSWER, NO_ANSWER, response(BEGIN + TEXT + END + DONE)),
    Fault(
        "a stream as plain text",
        NO_ANSWER,
        ANSWERED,
        response(BEGIN + TEXT + MORE + END + DONE, kind="text/plain"),
        came="Hello there",
    ),
    Fault(
        "a stream of no type",
        NO_ANSWER,
        ANSWERED,
        response(BEGIN + TEXT + MORE + END + DONE, kind=""),
        came="Hello there",
    ),
    Fault("an error as plain text", Outcome("APIError"), UNFINISHED, response(ERROR, kind="text/plain")),
    Fault("a stream where a whole answer was asked for", NO_ANSWER, None, stream(BEGIN, TEXT, MORE, END, DONE)),
)
