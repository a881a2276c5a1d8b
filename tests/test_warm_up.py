"""`warm_up` and `awarm_up`: the first question waits neither for imports nor for a connection."""

from __future__ import annotations

import asyncio
import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from kimi_adapters.local_server import LocalKimi
from kimi_core import AsyncKimiClient, KimiClient, Message, Request
from langchain_kimi import ChatKimi
from llama_index_kimi import KimiLLM

KEY = "sk-canary-warm"
ANSWER = {
    "id": "1",
    "model": "kimi-k2.6",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi."}, "finish_reason": "stop"}],
}


class Counting(http.server.ThreadingHTTPServer):
    """Counts connections and keeps what was asked.

    Attributes:
        connections: How many there were.
        asked: Method and headers of each request.
        elsewhere: Where a `HEAD` is redirected to.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.connections = 0
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.elsewhere = ""
        self.base_url = f"http://127.0.0.1:{self.server_port}/v1"

    def get_request(self) -> Any:
        self.connections += 1
        return super().get_request()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Counting

    def do_HEAD(self) -> None:
        self.server.asked.append(("HEAD", dict(self.headers)))
        self.send_response(302 if self.server.elsewhere else 404)
        if self.server.elsewhere:
            self.send_header("Location", self.server.elsewhere)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        self.server.asked.append(("POST", dict(self.headers)))
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps(ANSWER).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def host() -> Iterator[Counting]:
    with Counting() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def options(base_url: str) -> dict[str, Any]:
    headers = {"X-Secret": KEY}
    return {"host": "moonshot", "base_url": base_url, "api_key": KEY, "default_headers": headers, "max_retries": 0}


REQUEST = Request(messages=[Message("user", "Hi")], model="kimi-k2.6")


def by_client(base_url: str) -> list[Any]:
    client = KimiClient(**options(base_url))
    return [client.warm_up(), client.complete(REQUEST).text]


def by_async_client(base_url: str) -> list[Any]:
    client = AsyncKimiClient(**options(base_url))

    async def both() -> list[Any]:
        return [await client.warm_up(), (await client.complete(REQUEST)).text]

    return asyncio.run(both())


def by_langchain(base_url: str) -> list[Any]:
    model = ChatKimi(**options(base_url))
    return [model.warm_up(), model.invoke("Hi").text]


def by_langchain_async(base_url: str) -> list[Any]:
    model = ChatKimi(**options(base_url))

    async def both() -> list[Any]:
        return [await model.awarm_up(), (await model.ainvoke("Hi")).text]

    return asyncio.run(both())


def by_llama_index(base_url: str) -> list[Any]:
    llm = KimiLLM(**options(base_url))
    return [llm.warm_up(), llm.complete("Hi").text]


def by_llama_index_async(base_url: str) -> list[Any]:
    llm = KimiLLM(**options(base_url))

    async def both() -> list[Any]:
        return [await llm.awarm_up(), (await llm.acomplete("Hi")).text]

    return asyncio.run(both())


WAYS = [by_client, by_async_client, by_langchain, by_langchain_async, by_llama_index, by_llama_index_async]
in_every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)


@in_every_way
def test_the_first_call_takes_the_connection_that_is_open(host: Counting, way: Any) -> None:
    assert way(host.base_url) == [True, "Hi."]
    assert [method for method, _ in host.asked] == ["HEAD", "POST"]
    assert host.connections == 1


@in_every_way
def test_no_key_and_no_header_of_the_user_goes_along(host: Counting, way: Any) -> None:
    way(host.base_url)
    (_, headers), (_, later) = host.asked
    assert KEY not in str(headers)
    assert KEY in str(later)


def test_a_redirect_to_another_origin_is_not_followed(host: Counting) -> None:
    with LocalKimi() as other:
        host.elsewhere = other.base_url
        assert KimiClient(**options(host.base_url)).warm_up()
        assert other.requests == []


@in_every_way
def test_where_nobody_answers_the_first_call_says_so(way: Any) -> None:
    """And not the attempt to be ready for it."""
    with Counting() as gone:
        pass
    with pytest.raises(Exception, match="could not be reached|Connection error") as raised:
        way(gone.base_url)
    assert "warm_up" not in "".join(entry.name for entry in raised.traceback)


def test_a_client_that_cannot_be_made_is_no_error_of_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "nonsense://127.0.0.1")
    assert KimiClient(host="moonshot", api_key=KEY).warm_up() is False


LATER = """
import sys
from kimi_core import KimiClient, Message, Request
client = KimiClient(base_url={url!r}, api_key={key!r})
request = Request(messages=[Message("user", "Hi")], model="kimi-k2.6")
assert client.warm_up()
before = set(sys.modules)
client.complete(request), [*client.stream(request)]
print(sorted(set(sys.modules) - before))
"""


def test_the_first_call_imports_nothing_more(kimi: LocalKimi) -> None:
    code = LATER.format(url=kimi.base_url, key=kimi.api_key)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr
