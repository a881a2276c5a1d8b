"""Redirects of a host: at its own address they are followed, to another nothing goes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from drivers import Driver
from file_server import FileServer

from kimi_core import APIError, APIStatusError, AsyncKimiClient, KimiClient, Message, Request
from kimi_core.hosts.addresses import is_same_origin, shown
from kimi_core.hosts.registry import HOSTS

CANARY = "sk-canary-9f3b1c77e5d24a60"
JSON = {"Content-Type": "application/json"}
ANSWER = json.dumps(
    {
        "id": "1",
        "model": "kimi-k2.6",
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Here."}, "finish_reason": "stop"}],
    }
).encode()
CHAT = "/v1/chat/completions"


@pytest.fixture
def host() -> Iterator[FileServer]:
    with FileServer() as server:
        yield server


@pytest.fixture
def elsewhere() -> Iterator[FileServer]:
    with FileServer() as server:
        server.add("/there", ANSWER, headers=JSON)
        yield server


def words(host: FileServer) -> dict[str, Any]:
    headers = {"X-Gateway-Token": CANARY}
    return {
        "host": "moonshot",
        "base_url": host.url("/v1"),
        "api_key": CANARY,
        "max_retries": 0,
        "default_headers": headers,
    }


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_none_is_followed_to_another_address(
    driver: Driver, host: FileServer, elsewhere: FileServer, status: int
) -> None:
    host.add(CHAT, status=status, headers={"Location": elsewhere.url(f"/there?token={CANARY}")})
    with pytest.raises(APIStatusError, match=f"HTTP {status}, a redirect to '{elsewhere.url('/there')}'") as caught:
        driver.ask(driver.make(**words(host)), "Hello")
    assert elsewhere.requests == []
    assert host.asked(CHAT) == 1
    assert "token" not in str(caught.value)
    assert (caught.value.status_code, caught.value.host) == (status, "moonshot")


@pytest.mark.parametrize("name", ["moonshot", "aimlapi", "vllm", "openrouter", "azure"])
def test_none_is_followed_whatever_the_host(host: FileServer, elsewhere: FileServer, name: str) -> None:
    host.add(f"/v1{HOSTS[name].endpoints.chat}", status=308, headers={"Location": elsewhere.url("/there")})
    client = KimiClient(**{**words(host), "host": name})
    with pytest.raises(APIStatusError, match="a redirect to"):
        client.complete(Request(messages=[Message("user", "Hello")], model="kimi-k2.6"))
    assert elsewhere.requests == []


def test_none_is_followed_by_a_client_of_the_users_own(driver: Driver, host: FileServer, elsewhere: FileServer) -> None:
    host.add(CHAT, status=307, headers={"Location": elsewhere.url("/there")})
    http_client = openai.DefaultHttpxClient(follow_redirects=True)
    http_async_client = openai.DefaultAsyncHttpxClient(follow_redirects=True)
    model = driver.make(**words(host), http_client=http_client, http_async_client=http_async_client)
    with http_client, pytest.raises(APIStatusError, match="a redirect to"):
        driver.ask(model, "Hello")
    assert elsewhere.requests == []


CALLS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "upload": ("/v1/files", lambda client: client.files.upload(b"text", purpose="file-extract", filename="a.txt")),
    "list": ("/v1/files", lambda client: client.files.list()),
    "content": ("/v1/files/f1/content", lambda client: client.files.content("f1")),
    "delete": ("/v1/files/f1", lambda client: client.files.delete("f1")),
    "balance": ("/v1/users/me/balance", lambda client: client.balance()),
    "models": ("/v1/models", lambda client: client.models()),
}


@pytest.mark.parametrize("what", CALLS)
@pytest.mark.parametrize("kind", [KimiClient, AsyncKimiClient])
def test_none_is_followed_by_other_calls(host: FileServer, elsewhere: FileServer, kind: Any, what: str) -> None:
    path, ask = CALLS[what]
    host.add(path, status=307, headers={"Location": elsewhere.url("/there")})
    client = kind(**words(host))
    with pytest.raises(APIStatusError, match="a redirect to"):
        ask(client) if kind is KimiClient else asyncio.run(_awaited(ask, client))
    assert elsewhere.requests == []


async def _awaited(ask: Callable[[Any], Any], client: Any) -> Any:
    return await ask(client)


@pytest.mark.parametrize("status", [307, 308])
def test_one_at_the_same_address_is_followed(driver: Driver, host: FileServer, status: int) -> None:
    host.add(CHAT, status=status, headers={"Location": "/v1/moved?at=1"})
    host.add("/v1/moved", ANSWER, headers=JSON)
    assert driver.ask(driver.make(**words(host)), "Hello").text == "Here."
    headers = host.requests[-1][1]
    assert (headers["authorization"], headers["x-gateway-token"]) == (f"Bearer {CANARY}", CANARY)


def test_one_that_would_make_a_get_of_a_post_is_not_followed(driver: Driver, host: FileServer) -> None:
    host.add(CHAT, status=302, headers={"Location": "/v1/moved"})
    host.add("/v1/moved", ANSWER, headers=JSON)
    with pytest.raises(APIStatusError, match="takes 307 or 308"):
        driver.ask(driver.make(**words(host)), "Hello")
    assert host.asked("/v1/moved") == 0


@pytest.mark.parametrize("location", ["//:99/", "//:99999999/there", "http://[::1", "http://", "http:///there"])
def test_one_to_an_address_that_is_none_is_an_error_of_ours(driver: Driver, host: FileServer, location: str) -> None:
    host.add(CHAT, status=307, headers={"Location": location})
    with pytest.raises(APIError) as caught:
        driver.ask(driver.make(**words(host)), "Hello")
    assert caught.value.__context__ is None


def test_a_circle_of_redirects_ends(driver: Driver, host: FileServer) -> None:
    host.add(CHAT, status=307, headers={"Location": CHAT})
    with pytest.raises(APIStatusError, match="at most three"):
        driver.ask(driver.make(**words(host)), "Hello")
    assert host.asked(CHAT) == 4


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("https://a.example/v2", True),
        ("https://a.example:443/", True),
        ("https://A.example/v2", True),
        ("http://a.example/v1", False),
        ("https://a.example:8443/v1", False),
        ("https://a.example.evil.example/v1", False),
        ("https://b.example@a.example/v1", False),
        ("https://b.example\\@a.example/v1", False),
        ("https://a.example\\.evil.example/v1", False),
        ("//a.example/v1", False),
        ("https://[a/v1", False),
    ],
)
def test_an_address_is_the_same_by_scheme_name_and_port(other: str, same: bool) -> None:
    assert is_same_origin("https://a.example/v1", other) is same


@pytest.mark.parametrize("address", ["https://me:pw@a.example/x?token=1", "//me:pw@[bad/x?token=1#token", "x?token=1"])
def test_an_address_is_shown_without_what_may_be_secret(address: str) -> None:
    assert "token" not in shown(address)
    assert "pw" not in shown(address)
