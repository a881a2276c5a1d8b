"""Faults of the connection, and of HTTP itself."""

from __future__ import annotations

from .fault import (
    ANSWERED,
    ENCRYPTED,
    HELLO,
    LATE,
    NO_ANSWER,
    REFUSED,
    UNREACHED,
    Fault,
    chunk,
    head,
    response,
    spelled,
)

WHOLE = spelled(HELLO)
ALERT = bytes.fromhex("15030300020246")
"""What a TLS server says to a client that speaks no TLS."""

CONNECTIONS = (
    Fault("nobody listens", UNREACHED, UNREACHED, address=REFUSED),
    Fault("`https://` to a server that speaks HTTP", UNREACHED, UNREACHED, address=ENCRYPTED),
    Fault("closed without an answer", UNREACHED, UNREACHED, then="close"),
    Fault("reset without an answer", UNREACHED, UNREACHED, then="reset"),
    Fault("silence", LATE, LATE, then="stall"),
    Fault("a TLS alert", UNREACHED, UNREACHED, ALERT, then="close"),
    Fault("random bytes", UNREACHED, UNREACHED, bytes(range(256)), then="close"),
    Fault("zeros", UNREACHED, UNREACHED, bytes(5_000), then="close"),
    Fault("HTTP/2's first frame", UNREACHED, UNREACHED, bytes.fromhex("000000040000000000"), then="close"),
    Fault("the greeting of a mail server", UNREACHED, UNREACHED, b"220 mail ESMTP\r\n", then="close"),
    Fault("half a status line", UNREACHED, UNREACHED, b"HTTP/1.1 20", then="close"),
    Fault("half a status line, then a reset", UNREACHED, UNREACHED, b"HTTP/1.1 20", then="reset"),
    Fault("half a status line, then silence", LATE, LATE, b"HTTP/1.1 20", then="stall"),
    Fault("half of the headers", UNREACHED, UNREACHED, b"HTTP/1.1 200 OK\r\nContent-Ty", then="close"),
    Fault("half of the headers, then a reset", UNREACHED, UNREACHED, b"HTTP/1.1 200 OK\r\nContent-Ty", then="reset"),
    Fault("half of the headers, then silence", LATE, LATE, b"HTTP/1.1 200 OK\r\nContent-Ty", then="stall"),
    Fault("a status line without a reason", ANSWERED, ANSWERED, response(HELLO, "200"), came="Hello there"),
    Fault("a status that is no number", UNREACHED, UNREACHED, response(HELLO, "²³ OK"), then="close"),
    Fault("a status of four digits", UNREACHED, UNREACHED, response(HELLO, "2000 OK"), then="close"),
    Fault("status 0", UNREACHED, UNREACHED, response(HELLO, "000 OK"), then="close"),
    Fault("HTTP/9.9", ANSWERED, ANSWERED, response(HELLO).replace(b"/1.1", b"/9.9"), came="Hello there"),
    Fault("HTTP/1.0", ANSWERED, ANSWERED, response(HELLO).replace(b"/1.1", b"/1.0"), "close", "Hello there"),
    Fault("lines that end in LF alone", ANSWERED, ANSWERED, response(HELLO).replace(b"\r", b""), came="Hello there"),
    Fault(
        "two answers at once",
        ANSWERED,
        ANSWERED,
        2 * response(HELLO, "200 OK", "Connection: close"),
        then="close",
        came="Hello there",
    ),
    Fault(
        "an early hint before the answer",
        ANSWERED,
        ANSWERED,
        head("103 Early Hints") + response(HELLO),
        came="Hello there",
    ),
    Fault(
        "100 Continue before the answer",
        ANSWERED,
        ANSWERED,
        head("100 Continue", kind="") + response(HELLO),
        came="Hello there",
    ),
    Fault("a change of protocols", UNREACHED, UNREACHED, head("101 Switching Protocols", "Upgrade: x"), then="close"),
)

BODIES_OF_HTTP = (
    Fault("a length longer than the body", UNREACHED, UNREACHED, response(HELLO, length=len(WHOLE) + 9), then="close"),
    Fault(
        "a length longer than the body, then silence", LATE, LATE, response(HELLO, length=len(WHOLE) + 9), then="stall"
    ),
    Fault(
        "a length longer than the body, then a reset",
        UNREACHED,
        UNREACHED,
        response(HELLO, length=len(WHOLE) + 9),
        then="reset",
    ),
    Fault(
        "a length shorter than the body",
        NO_ANSWER,
        NO_ANSWER,
        response(HELLO, "200 OK", "Connection: close", length=len(WHOLE) - 9),
        then="close",
    ),
    Fault(
        "a length that is no number", UNREACHED, UNREACHED, head("200 OK", "Content-Length: many") + WHOLE, then="close"
    ),
    Fault("a negative length", UNREACHED, UNREACHED, head("200 OK", "Content-Length: -1") + WHOLE, then="close"),
    Fault(
        "two lengths",
        UNREACHED,
        UNREACHED,
        head("200 OK", "Content-Length: 1", "Content-Length: 2") + WHOLE,
        then="close",
    ),
    Fault("no length", ANSWERED, ANSWERED, head() + WHOLE, then="close", came="Hello there"),
    Fault("no length and no end", LATE, LATE, head() + WHOLE, then="stall"),
    Fault(
        "a chunk of no number",
        UNREACHED,
        UNREACHED,
        head("200 OK", "Transfer-Encoding: chunked") + b"xyz\r\n" + WHOLE,
        then="close",
    ),
    Fault(
        "chunks without the last",
        UNREACHED,
        UNREACHED,
        head("200 OK", "Transfer-Encoding: chunked") + chunk(WHOLE),
        then="close",
    ),
    Fault(
        "half a chunk",
        UNREACHED,
        UNREACHED,
        head("200 OK", "Transfer-Encoding: chunked") + chunk(WHOLE)[:50],
        then="close",
    ),
    Fault(
        "a chunk without its line end",
        UNREACHED,
        UNREACHED,
        head("200 OK", "Transfer-Encoding: chunked") + chunk(WHOLE)[:-2] + chunk(b""),
        then="close",
    ),
    Fault(
        "an unknown transfer encoding",
        UNREACHED,
        UNREACHED,
        head("200 OK", "Transfer-Encoding: braille") + WHOLE,
        then="close",
    ),
    Fault("gzip that is none", UNREACHED, UNREACHED, response(HELLO, "200 OK", "Content-Encoding: gzip")),
    Fault("deflate that is none", UNREACHED, UNREACHED, response(HELLO, "200 OK", "Content-Encoding: deflate")),
    Fault(
        "an unknown content encoding",
        ANSWERED,
        ANSWERED,
        response(HELLO, "200 OK", "Content-Encoding: braille"),
        came="Hello there",
    ),
)
