"""Starting, stopping, several at once."""

from __future__ import annotations

import ast
import copy
import http.client
import pickle
import re
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import uvicorn

from kimi_adapters import local_server
from kimi_adapters.local_server import LocalKimi, create_app


def test_it_starts_and_stops_and_leaves_no_thread():
    before = set(threading.enumerate())
    with LocalKimi() as kimi:
        assert kimi.base_url == f"http://127.0.0.1:{kimi.port}/moonshot/v1"
        assert set(threading.enumerate()) - before
    assert set(threading.enumerate()) == before


@pytest.mark.parametrize("dialect", ["moonshot", "vllm"])
def test_it_answers_with_its_dialect_in_the_path_and_without(client_of, dialect):
    with LocalKimi(dialect) as kimi:
        client = client_of(kimi)
        for path in ("/v1/models", f"/{dialect}/v1/models"):
            assert client.send("GET", path).status == 200
        assert client.send("GET", "/fireworks/v1/models").status == 404
        assert [request.path for request in kimi.requests][:2] == ["/v1/models"] * 2


def test_nobody_listens_after_the_end():
    with LocalKimi() as kimi:
        pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((kimi.host, kimi.port), timeout=1)


def test_it_stops_while_a_client_keeps_its_connection(client_of):
    kimi = LocalKimi().start()
    connection = http.client.HTTPConnection(kimi.host, kimi.port, timeout=5)
    connection.request("GET", "/")
    connection.getresponse().read()
    kimi.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((kimi.host, kimi.port), timeout=1)
    connection.close()


def test_it_stops_while_a_stream_is_running(client_of):
    kimi = LocalKimi(chunk_delay=1000).start()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(client_of(kimi).stream)
        while not kimi.requests:
            time.sleep(0.01)
        kimi.stop()
        assert isinstance(running.exception(timeout=60), http.client.IncompleteRead)


def dropped_stream(kimi):
    """Begins a stream, and goes away."""
    connection = http.client.HTTPConnection(kimi.host, kimi.port, timeout=5)
    body = '{"model": "kimi-k2.6", "stream": true, "messages": [{"role": "user", "content": "Hello"}]}'
    connection.request("POST", "/v1/chat/completions", body, {"Authorization": f"Bearer {kimi.api_key}"})
    assert connection.getresponse().status == 200
    connection.close()


def test_an_answer_that_nobody_waits_for_any_more_is_not_waited_for(monkeypatch):
    waited = []

    async def wait(*_):
        waited.append(True)

    monkeypatch.setattr(uvicorn.Server, "shutdown", wait)  # which gives clients a second
    kimi = LocalKimi(chunk_delay=1000).start()
    dropped_stream(kimi)
    kimi.stop()
    assert waited == []


def test_a_client_that_goes_away_leaves_nothing_in_the_log(caplog):
    with LocalKimi() as kimi:
        kimi.enqueue(text="word " * 3000)
        dropped_stream(kimi)
    assert caplog.messages == []


def test_it_can_be_started_again(client_of):
    kimi = LocalKimi()
    for _ in range(2):
        with kimi:
            assert client_of(kimi).chat().status == 200


def test_starting_twice_is_an_error():
    with LocalKimi() as kimi, pytest.raises(RuntimeError, match="already running"):
        kimi.start()


def test_stopping_twice_is_none():
    kimi = LocalKimi().start()
    kimi.stop()
    kimi.stop()


def test_a_taken_port_is_an_error_and_leaks_nothing():
    with LocalKimi() as kimi, pytest.raises(OSError, match="in use"):
        LocalKimi(port=kimi.port).start()


def test_several_run_at_once_and_know_nothing_of_each_other(client_of):
    with LocalKimi() as one, LocalKimi(dialect="aimlapi", api_key="other") as two:
        one.enqueue(text="only here")
        assert client_of(two).chat().json["model"] == "kimi-k2.6"
        assert client_of(one).chat().text == "only here"
        assert len(one.requests) == len(two.requests) == 1


def test_an_unknown_dialect_is_an_error():
    with pytest.raises(
        ValueError, match="dialect must be one of moonshot, aimlapi, kimi-code, openrouter, fireworks, vllm, sglang,"
    ):
        LocalKimi(dialect="openai")


@pytest.mark.parametrize("duplicate", [pickle.dumps, copy.copy, copy.deepcopy])
def test_it_is_neither_pickled_nor_copied(duplicate):
    with pytest.raises(TypeError, match="cannot be pickled"):
        duplicate(LocalKimi())


def test_a_hundred_requests_at_once_are_answered(client_of):
    with LocalKimi() as kimi, ThreadPoolExecutor(20) as pool:
        replies = list(pool.map(lambda _: client_of(kimi).chat("What is 2 + 3?"), range(100)))
    assert {reply.text for reply in replies} == {"2 + 3 = 5"}
    assert len(kimi.requests) == 100


def test_delays_of_parallel_requests_do_not_add_up(client_of):
    with LocalKimi(delay=1) as kimi, ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda _: client_of(kimi).chat(), range(10)))
        assert kimi.allowance.most_at_once > 1


def test_frames_can_share_a_piece(client_of):
    with LocalKimi(coalesce=1000) as kimi:
        assert client_of(kimi).stream().lines[-1] == "[DONE]"


def test_the_application_runs_without_local_kimi():
    assert [route.path for route in create_app().routes][:2] == ["/", "/v1/chat/completions"]


def test_the_emulator_imports_nothing_else_of_the_core():
    for path in Path(local_server.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not [name for name in names if re.match(r"(kimi_core|openai|PIL|httpx)", name)]


def test_serve_listens_in_the_foreground_until_interrupted():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    script = f"from kimi_adapters.local_server import serve; serve(port={port}, dialect='aimlapi')"
    with subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL) as process:
        try:
            assert _about(port)["stands_for"] == "api.aimlapi.com"
        finally:
            process.terminate()


def _about(port):
    import json

    for _ in range(200):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/")
            return json.loads(connection.getresponse().read())
        except ConnectionRefusedError:
            time.sleep(0.05)
        finally:
            connection.close()
    raise AssertionError("serve() does not answer")
