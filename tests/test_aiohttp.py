"""Asynchronous calls by aiohttp: what holds for the SDK's own HTTP library holds for it as well."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import subprocess
import sys
import threading
from typing import Any

import pytest
from drivers import DRIVERS, Driver, by_name

from kimi_adapters.local_server import LocalKimi
from kimi_core import APIConnectionError, APITimeoutError, OverloadedError
from langchain_kimi import ChatKimi

ASYNC = [driver for driver in DRIVERS if driver.mode.startswith("a")]


def make(driver: Driver, kimi: LocalKimi, **options: Any) -> Any:
    where = {"base_url": kimi.base_url, "api_key": kimi.api_key, "async_transport": "aiohttp"}
    return driver.make(**{**where, **options})


@pytest.mark.parametrize("driver", ASYNC, **by_name)
def test_answers_come_by_aiohttp_in_one_event_loop_after_another(driver: Driver, kimi: LocalKimi) -> None:
    model = make(driver, kimi)
    assert [driver.ask(model, "Hello").text for _ in range(2)] == [driver.ask(make(driver, kimi), "Hello").text] * 2


@pytest.mark.parametrize("driver", ASYNC, **by_name)
def test_errors_are_the_same_by_aiohttp(driver: Driver, kimi: LocalKimi) -> None:
    kimi.fail(2, headers={"retry-after": "0"})
    assert driver.ask(make(driver, kimi), "Hello").text
    kimi.fail(headers={"retry-after": "0"})
    with pytest.raises(OverloadedError):
        driver.ask(make(driver, kimi, max_retries=0), "Hello")
    with pytest.raises(APIConnectionError):
        driver.ask(make(driver, kimi, max_retries=0, base_url="http://127.0.0.1:9/v1"), "Hello")


@pytest.mark.parametrize("driver", [ASYNC[0], ASYNC[-1]], **by_name)
def test_a_silent_host_times_out_by_aiohttp(driver: Driver) -> None:
    with LocalKimi(delay=5) as kimi, pytest.raises(APITimeoutError):
        driver.ask(make(driver, kimi, max_retries=0, timeout=0.2), "Hello")


BROKEN = {
    "closed": b"",
    "no http": b"garbage\r\n\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-",
    "a long head": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
    "no chunk": b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
}


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("driver", ASYNC, **by_name)
def test_a_connection_that_breaks_is_no_timeout_by_aiohttp(driver: Driver, answer: bytes) -> None:
    """It is tried again as well."""
    asked: list[bytes] = []

    def serve() -> None:
        with contextlib.suppress(OSError):  # closed below
            while True:
                connection, _ = listening.accept()
                with connection:
                    asked.append(connection.recv(100_000))
                    connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, daemon=True).start()
        where = {"base_url": f"http://127.0.0.1:{listening.getsockname()[1]}", "api_key": "sk-canary"}
        model = driver.make(**where, async_transport="aiohttp", max_retries=1)
        with pytest.raises(APIConnectionError, match=r"(reached|stream): \S") as caught:
            driver.ask(model, "Hello")
    assert not isinstance(caught.value, APITimeoutError)
    assert len(asked) == 2
    assert "sk-canary" not in repr(vars(caught.value))


async def test_a_cancelled_stream_by_aiohttp_gives_its_connection_back() -> None:
    with LocalKimi(chunk_delay=0.05) as kimi:
        model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, async_transport="aiohttp")

        async def read() -> None:
            async for _ in model.astream("Tell me something in many words."):
                pass

        for _ in range(3):
            task = asyncio.create_task(read())
            await asyncio.sleep(0.2)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert (await model.ainvoke("Hello")).text


def test_clients_of_aiohttp_are_closed_with_their_loop(kimi: LocalKimi) -> None:
    """aiohttp prints "Unclosed client session" when one is forgotten, and this suite takes warnings for errors."""
    model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, async_transport="aiohttp")
    for _ in range(2):
        asyncio.run(model.ainvoke("Hello"))
    gc.collect()


def test_a_missing_aiohttp_is_an_error_that_names_the_extra() -> None:
    code = """
import asyncio, sys
sys.modules["aiohttp"] = sys.modules["httpx_aiohttp"] = None
from langchain_kimi import ChatKimi
try:
    asyncio.run(ChatKimi(api_key="k", base_url="http://127.0.0.1:9/v1", async_transport="aiohttp").ainvoke("Hello"))
except ValueError as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == 'ConfigError async_transport="aiohttp" needs aiohttp: pip install "kimi-adapters[aiohttp]".\n'
