"""What a host sends is read to a limit, in whatever encoding, and comments are no sign of life."""

from __future__ import annotations

import gzip
import json

import httpx
import openai
import pytest
from drivers import STREAMED, Driver, in_turn
from odd_values import ask, frame

from kimi_adapters.local_server import LocalKimi
from kimi_core import KimiClient, Message, Request
from kimi_core.errors import APIError, APITimeoutError, DecodeError, InternalServerError, StreamError
from kimi_core.transport import reply, stream


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bodies, pages and frames may have a hundredth of what they may have."""
    for module, name in ((reply, "MOST"), (reply, "MOST_OF_ERROR"), (stream, "MOST_OF_FRAME")):
        monkeypatch.setattr(module, name, getattr(module, name) // 100)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_body_without_end_is_read_to_a_limit(driver: Driver, kimi: LocalKimi, packed: bool) -> None:
    blank = 64 * 1024 * b" "
    pieces = [gzip.compress(100 * blank)] if packed else 100 * [blank]
    headers = {"Content-Encoding": "gzip"} if packed else {}
    kimi.enqueue(chunks=pieces, content_type="application/json", headers=headers, unchecked=True)
    came = ask(driver, kimi)
    assert isinstance(came, DecodeError)
    assert "a body of more than" in str(came)


@pytest.mark.usefixtures("small")
def test_an_error_page_without_end_is_read_to_a_limit_and_shown(driver: Driver, kimi: LocalKimi) -> None:
    page = b"<html><title>Bad gateway</title>" + 2_000_000 * b"x"
    kimi.enqueue(raw=page, content_type="text/html", status=502, unchecked=True)
    came = ask(driver, kimi)
    assert isinstance(came, InternalServerError)
    assert ": Bad gateway" in str(came)
    assert len(came.body) < 20_000


@pytest.mark.usefixtures("small")
@in_turn("piece", {"a line": b"data: x", "lines": b"data: x\n", "comments": b": x\n\n"}, among=STREAMED)
def test_a_frame_without_end_is_read_to_a_limit(driver: Driver, kimi: LocalKimi, piece: bytes) -> None:
    begin = f"data: {json.dumps(frame({'content': 'Hello '}))}\n\n".encode()
    kimi.enqueue(chunks=[begin, *30 * [20_000 // len(piece) * piece]], unchecked=True)
    came = ask(driver, kimi)
    assert isinstance(came, StreamError)
    assert "bytes" in str(came)
    assert came.partial.text == "Hello "


CHARSETS = ["hex", "undefined", "rot13", "idna", "zip", "nothing", "utf-16"]


@in_turn("charset,status", {f"{charset}-{n}": (charset, n) for charset in CHARSETS for n in (200, 400, 502)})
def test_a_body_in_no_encoding_is_a_typed_error(driver: Driver, kimi: LocalKimi, charset: str, status: int) -> None:
    page = b"<html>down \xff\xfe</html>"
    kimi.enqueue(raw=page, content_type=f"text/html; charset={charset}", status=status, unchecked=True)
    assert isinstance(ask(driver, kimi), APIError)


@in_turn("comment", {"ping": b": ping\n\n", "empty": b":\n\n"}, among=STREAMED)
def test_comments_are_no_sign_of_life(driver: Driver, comment: bytes) -> None:
    with LocalKimi(chunk_delay=0.05) as kimi:
        begin = f"data: {json.dumps(frame({'content': 'Hello '}))}\n\n".encode()
        kimi.enqueue(chunks=[begin, *40 * [comment]], unchecked=True)
        came = ask(driver, kimi, chunk_timeout=0.5)
        assert isinstance(came, APITimeoutError)
        assert came.partial.text == "Hello "


def test_hooks_of_the_users_http_client_may_read_the_body(kimi: LocalKimi) -> None:
    seen: list[bytes] = []
    http = openai.DefaultHttpxClient(event_hooks={"response": [lambda response: seen.append(response.read())]})
    client = KimiClient(base_url=kimi.base_url, api_key=kimi.api_key, http_client=http, max_retries=0)
    request = Request(messages=[Message("user", "Hello")], model="kimi-k2.6")
    with http:
        assert client.complete(request).text.encode() in seen[0]
        kimi.fail(1)
        with pytest.raises(APIError):
            client.complete(request)


def test_a_client_of_httpx_serves_with_either_major_of_the_sdk(driver: Driver, kimi: LocalKimi) -> None:
    closing = httpx.Limits(max_keepalive_connections=0)  # a connection that is kept outlives the event loop of its call
    with httpx.Client() as http:
        clients = {"http_client": http, "http_async_client": httpx.AsyncClient(limits=closing)}
        model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key, max_retries=0, **clients)
        assert driver.ask(model, "The code is 4711. What is the code?").text == "The code is 4711."
