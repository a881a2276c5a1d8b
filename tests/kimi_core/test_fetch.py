"""Fetching media by http: what is fetched, what is refused, and what a stranger's server gets to see."""

from __future__ import annotations

import asyncio
import base64
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from file_server import FileServer

from kimi_core.attachments import fetch
from kimi_core.attachments.fetch import FetchError, Rules
from kimi_core.media.data_urls import MediaError
from kimi_core.transport.drivers import ASYNCIO, BLOCKING
from kimi_core.transport.waiting import wait

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)
PNG_URL = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
ANYWHERE = Rules(anywhere=True, limit=1_000_000, retries=0)
PUBLIC = replace(ANYWHERE, anywhere=False)

Fetch = Callable[..., str]


@pytest.fixture(autouse=True)
def nothing_fetched_yet() -> None:
    fetch._fetched.clear()


@pytest.fixture
def files() -> Iterator[FileServer]:
    with FileServer() as server:
        yield server


def blocking(url: str, *more: Any) -> str:
    return wait(fetch.fetch(url, *more, BLOCKING))


def in_a_loop(url: str, *more: Any) -> str:
    return asyncio.run(fetch.fetch(url, *more, ASYNCIO))


@pytest.fixture(params=[blocking, in_a_loop], ids=["sync", "async"])
def get(request: pytest.FixtureRequest) -> Fetch:
    return request.param


@pytest.fixture
def here_is_public(monkeypatch: pytest.MonkeyPatch) -> None:
    """No public address can be reached in a test: 127.0.0.1 and ::1 take their place."""
    monkeypatch.setattr(fetch, "is_public", lambda address: address in ("127.0.0.1", "::1"))


def test_a_file_becomes_a_data_url_of_the_type_that_its_bytes_have(files: FileServer, get: Fetch) -> None:
    url = files.add("/a.jpg", PNG, headers={"Content-Type": "image/jpeg"})
    assert get(url, "image", ANYWHERE) == PNG_URL


def test_the_servers_type_holds_where_the_bytes_do_not_show_it(files: FileServer, get: Fetch) -> None:
    url = files.add("/v", b"\x01\x02\x03", headers={"Content-Type": "video/mp4; codecs=x"})
    assert get(url, "video", ANYWHERE).startswith("data:video/mp4;base64,")


def test_redirects_are_followed(files: FileServer, get: Fetch) -> None:
    files.add("/end.png", PNG)
    files.add("/middle", status=307, headers={"Location": files.url("/end.png")})
    assert get(files.add("/start", status=302, headers={"Location": "middle"}), "image", ANYWHERE) == PNG_URL


def test_redirects_come_to_an_end(files: FileServer, get: Fetch) -> None:
    url = files.add("/round", status=302, headers={"Location": "/round"})
    with pytest.raises(FetchError, match="one redirect too many"):
        get(url, "image", ANYWHERE)
    assert files.asked("/round") == fetch.MOST_REDIRECTS + 1


@pytest.mark.parametrize("onward", ["file:///etc/passwd", "ftp://127.0.0.1/a.png", "http://[::1"])
def test_redirects_lead_to_http_only(files: FileServer, get: Fetch, onward: str) -> None:
    url = files.add("/out", status=302, headers={"Location": onward})
    with pytest.raises(FetchError, match=r"is no http address|could not be fetched"):
        get(url, "image", ANYWHERE)


PRIVATE = [
    "127.0.0.1", "localhost", "[::1]", "10.0.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
    "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "[fd00::1]", "[fe80::1]", "user:secret@127.0.0.1",
]  # fmt: skip


@pytest.mark.parametrize("host", PRIVATE)
def test_private_addresses_are_refused_however_they_are_written(files: FileServer, get: Fetch, host: str) -> None:
    files.add("/a.png", PNG)
    with pytest.raises(FetchError, match=r"no public address.*fetch_media=True") as caught:
        get(files.url("/a.png", host), "image", PUBLIC)
    assert "secret" not in str(caught.value)
    assert files.requests == []


@pytest.mark.usefixtures("here_is_public")
def test_every_redirect_is_judged_anew(files: FileServer, get: Fetch) -> None:
    files.add("/a.png", PNG)
    assert get(files.url("/a.png"), "image", PUBLIC) == PNG_URL
    url = files.add("/inwards", status=302, headers={"Location": files.url("/a.png", "127.0.0.2")})
    with pytest.raises(FetchError, match=r"127\.0\.0\.2, which is no public address"):
        get(url, "image", PUBLIC)


@pytest.mark.usefixtures("here_is_public")
def test_what_was_judged_is_what_is_connected_to(
    files: FileServer, get: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that is resolved twice may be another address the second time (DNS rebinding)."""
    files.add("/a.png", PNG)
    found = [(2, 1, 6, "", ("127.0.0.1", files.port))]

    async def resolved(place: Any, driver: Any) -> Any:
        return found

    monkeypatch.setattr(fetch, "_resolve", resolved)
    assert get(files.url("/a.png", "cdn.example"), "image", PUBLIC) == PNG_URL
    assert files.requests[0][1]["host"] == f"cdn.example:{files.port}"


@pytest.mark.usefixtures("here_is_public")
def test_addresses_are_tried_in_turn(files: FileServer, get: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    files.add("/a.png", PNG)
    monkeypatch.setattr(fetch, "_public", lambda target, found: ["::1", "127.0.0.1"])  # nobody listens at the first
    assert get(files.url("/a.png", "localhost"), "image", PUBLIC) == PNG_URL


@pytest.mark.usefixtures("here_is_public")
def test_public_files_are_fetched_past_the_environments_proxy(
    files: FileServer, get: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would resolve the name once more, and may be inside."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    url = files.add("/a.png", PNG)
    assert get(url, "image", PUBLIC) == PNG_URL
    with pytest.raises(FetchError, match="could not be fetched"):
        get(url, "image", ANYWHERE)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("64:ff9b::808:808", True),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
        ("2002:808:808::", True),
        ("::ffff:10.1.2.3", False),
        ("::ffff:8.8.8.8", True),
        ("fec0::1", False),
        ("fe80::1%eth0", False),
        ("ff02::1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("192.0.2.1", False),
        ("2001:db8::1", False),
        ("::", False),
    ],
)
def test_public_is_what_the_open_internet_routes(address: str, public: bool) -> None:
    assert fetch.is_public(address) is public


@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "unannounced"])
def test_what_is_too_large_is_refused(files: FileServer, get: Fetch, chunked: bool) -> None:
    url = files.add("/big.png", PNG + bytes(5000), chunked=chunked)
    with pytest.raises(FetchError, match=r"larger than the 2,000 bytes"):
        get(url, "image", replace(ANYWHERE, limit=2000))


def test_a_page_is_no_picture(files: FileServer, get: Fetch) -> None:
    url = files.add("/login", b"<html>Log in</html>", headers={"Content-Type": "text/html"})
    with pytest.raises(MediaError, match=r"/login' is text/html, which Kimi does not take as an image"):
        get(url, "image", ANYWHERE)


def test_an_empty_file_is_named(files: FileServer, get: Fetch) -> None:
    with pytest.raises(MediaError, match="is empty"):
        get(files.add("/nothing.png"), "image", ANYWHERE)


def test_a_document_is_taken_as_it_is(files: FileServer, get: Fetch) -> None:
    url = files.add("/a", b"%PDF-1.4", headers={"Content-Type": 'application/pdf; name="a,b.pdf"'})
    assert get(url, "document", ANYWHERE) == "data:application/pdf;base64,JVBERi0xLjQ="
    url = files.add("/b.csv?x=1".partition("?")[0], b"a,b", headers={"Content-Type": "application/octet-stream"})
    assert get(url, "document", ANYWHERE) == "data:text/csv;base64,YSxi"


@pytest.mark.parametrize("status", [403, 404, 410])
def test_what_is_not_there_raises_at_once(files: FileServer, get: Fetch, status: int) -> None:
    url = files.add("/gone.png", status=status)
    with pytest.raises(FetchError, match=f"answered HTTP {status}"):
        get(url, "image", replace(ANYWHERE, retries=3))
    assert files.asked("/gone.png") == 1


def test_what_passes_is_tried_again(files: FileServer, get: Fetch) -> None:
    for status in (503, 429, 500):
        files.add("/busy.png", status=status, headers={"Retry-After": "0"})
    url = files.add("/busy.png", PNG)
    assert get(url, "image", replace(ANYWHERE, retries=3)) == PNG_URL


def test_a_server_that_is_not_there_is_said(get: Fetch) -> None:
    with pytest.raises(FetchError, match=r"'http://127.0.0.1:9/a.png' could not be fetched") as caught:
        get("http://127.0.0.1:9/a.png", "image", ANYWHERE)
    assert caught.value.is_retryable


def test_a_name_that_does_not_exist_is_not_asked_for_again(get: Fetch) -> None:
    with pytest.raises(FetchError, match="could not be fetched") as caught:
        get("http://nowhere.invalid/a.png", "image", PUBLIC)
    assert not caught.value.is_retryable


@pytest.mark.parametrize("url", ["http:///a.png", "http://h:99999/a.png", "http://h:x/", "https://[::1/a", "http://" + "a" * 70 + ".example/"])  # fmt: skip
def test_what_is_no_address_is_said(get: Fetch, url: str) -> None:
    with pytest.raises(FetchError, match=r"is no http address|could not be fetched"):
        get(url, "image", PUBLIC)


def test_a_file_is_fetched_once(files: FileServer, get: Fetch) -> None:
    files.add("/a.png", PNG)
    url = files.add("/a.png", b"another one by now")
    assert get(url, "image", ANYWHERE) == get(url, "image", ANYWHERE) == PNG_URL
    assert files.asked("/a.png") == 1


def test_after_a_while_a_file_is_fetched_again(files: FileServer, get: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch._fetched, "_fresh", -1.0)
    url = files.add("/a.png", PNG)
    get(url, "image", ANYWHERE)
    get(url, "image", ANYWHERE)
    assert files.asked("/a.png") == 2


def test_what_was_fetched_from_inside_is_not_handed_to_those_who_may_not(files: FileServer, get: Fetch) -> None:
    url = files.add("/a.png", PNG)
    get(url, "image", ANYWHERE)
    with pytest.raises(FetchError, match="no public address"):
        get(url, "image", PUBLIC)


def test_failures_are_not_remembered(files: FileServer, get: Fetch) -> None:
    url = files.add("/late.png", status=404)
    with pytest.raises(FetchError):
        get(url, "image", ANYWHERE)
    files.files["/late.png"] = []
    files.add("/late.png", PNG)
    assert get(url, "image", ANYWHERE) == PNG_URL


def test_secrets_of_an_address_are_in_no_message_and_no_log(
    files: FileServer, get: Fetch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="kimi_core")
    files.add("/a.png", PNG)
    files.add("/b.html", b"<html>")
    get(f"{files.url('/a.png', 'me:pass-canary@127.0.0.1')}?sig=canary", "image", ANYWHERE)
    with pytest.raises(MediaError) as caught:
        get(f"{files.url('/b.html', 'me:pass-canary@127.0.0.1')}?sig=canary", "image", ANYWHERE)
    said = str(caught.value) + "".join(r.getMessage() for r in caplog.records if r.name == "kimi_core")
    assert "/a.png" in said
    assert "canary" not in said
    assert files.requests[0][0] == "/a.png?sig=canary", "the server gets it"


def test_a_server_sees_who_asks_and_nothing_else(files: FileServer, get: Fetch) -> None:
    files.add("/end.png", PNG)
    url = files.add("/start", status=302, headers={"Location": "/end.png", "Set-Cookie": "a=b"})
    get(url, "image", ANYWHERE)
    for _, headers in files.requests:
        assert headers.pop("user-agent").startswith("kimi-adapters/")
        assert set(headers) <= {"host", "accept", "accept-encoding", "connection", "cookie"}


def test_fetching_does_not_block_the_loop(files: FileServer) -> None:
    """Each is answered only when the other was asked for as well."""
    both = threading.Barrier(2)
    urls = [files.add(f"/{name}.png", PNG, before=lambda: both.wait(20)) for name in "ab"]

    async def at_once() -> list[str]:
        return await asyncio.gather(*(fetch.fetch(url, "image", ANYWHERE, ASYNCIO) for url in urls))

    assert asyncio.run(at_once()) == [PNG_URL, PNG_URL]
