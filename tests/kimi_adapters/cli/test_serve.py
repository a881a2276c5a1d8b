from __future__ import annotations

import http.client
import json
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from typing import get_args

import pytest

from kimi_adapters.cli.app import DialectOption
from kimi_adapters.local_server.server import DialectName


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(port, path, key, body=None):
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/{path}",
        data=json.dumps(body).encode() if body else None,
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)


def wait_for(port):
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nobody listens on {port}")


@pytest.fixture
def server(guarded):
    """`kimi-adapters serve` with some options; ended by Ctrl-C."""
    started = []

    def start(*options):
        port = free_port()
        command = [sys.executable, "-m", "kimi_adapters", "serve", "--port", str(port), *options]
        env = guarded.environment()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
        started.append(process)
        wait_for(port)
        return process, port

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=10)


def interrupt(process):
    process.send_signal(signal.SIGINT)
    return process.communicate(timeout=10)[0]


def test_it_answers_on_its_port(server):
    _, port = server()

    answer = ask(
        port,
        "chat/completions",
        "sk-local-kimi",
        {"model": "kimi-k2.6", "messages": [{"role": "user", "content": "What is 20 + 22?"}]},
    )

    assert "42" in answer["choices"][0]["message"]["content"]


def test_a_share_of_the_answers_goes_wrong(server):
    """With a share of 1 the first is silent in its middle, and the second no JSON."""
    _, port = server("--fault-rate", "1")
    body = {"model": "kimi-k2.6", "messages": [{"role": "user", "content": "What is 20 + 22?"}]}
    silent = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    silent.request("POST", "/v1/chat/completions", json.dumps(body), {"Authorization": "Bearer sk-local-kimi"})
    assert silent.getresponse().status == 200

    with pytest.raises(json.JSONDecodeError):
        ask(port, "chat/completions", "sk-local-kimi", body)

    silent.close()


def test_it_takes_the_key_that_it_was_given(server):
    _, port = server("--api-key", "sk-mine")

    assert ask(port, "models", "sk-mine")["data"]
    with pytest.raises(urllib.request.HTTPError) as caught:
        ask(port, "models", "sk-local-kimi")
    with caught.value as refused:
        assert refused.status == 401


def test_it_speaks_the_dialect_that_was_asked_for(server):
    _, port = server("--dialect", "aimlapi")

    assert any(model["id"] == "moonshot/kimi-k2-6" for model in ask(port, "models", "sk-local-kimi")["data"])


def test_it_lets_the_clients_in_that_it_was_told_of(server):
    _, port = server("--dialect", "kimi-code", "--admit", "Python-urllib/")
    body = {"model": "kimi-for-coding", "messages": [{"role": "user", "content": "What is 20 + 22?"}]}

    assert ask(port, "chat/completions", "sk-local-kimi", body)["model"] == "kimi-for-coding"


def test_it_says_where_it_is_and_that_it_is_an_emulator_and_stops_cleanly(server):
    process, port = server("--dialect", "aimlapi", "--api-key", "sk-mine")

    shown = interrupt(process)

    assert process.returncode == 0
    assert f'"base_url": "http://127.0.0.1:{port}/v1"' in shown
    assert '"host": "aimlapi"' in shown
    assert '"api_key": "sk-mine"' in shown
    assert "ChatKimi(**where)" in shown
    assert "KimiLLM(**where)" in shown
    assert "emulator" in shown
    assert "rules" in shown


def test_it_says_in_one_line_of_json_how_to_reach_it(server):
    process, port = server("--json")

    said = json.loads(interrupt(process))

    assert said["environment"] == {"MOONSHOT_BASE_URL": said["base_url"], "MOONSHOT_API_KEY": "sk-local-kimi"}
    assert said["base_url"] == f"http://127.0.0.1:{port}/v1"


def test_a_port_that_is_taken_is_said_plainly(kimi):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = kimi("serve", "--port", str(port))

    assert done.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_dialect_of_the_local_server_is_on_offer():
    assert {option.value for option in DialectOption} == set(get_args(DialectName))


def test_an_unknown_dialect_is_refused_with_the_known_ones(kimi):
    done = kimi("serve", "--dialect", "nobody")

    assert done.returncode == 2
    assert "moonshot" in done.stderr
    assert "aimlapi" in done.stderr


def test_an_address_that_others_reach_needs_a_flag(kimi):
    done = kimi("serve", "--host", "0.0.0.0")

    assert done.returncode == 2
    assert "can be reached from other machines" in done.stderr
    assert "--open-to-network" in done.stderr


def test_it_answers_by_a_name_that_was_allowed(server):
    _, port = server("--host", "0.0.0.0", "--open-to-network", "--allow-host", "kimi")
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/models", headers={"Authorization": "Bearer sk-local-kimi", "Host": f"kimi:{port}"}
    )

    with urllib.request.urlopen(request, timeout=10) as response:
        assert response.status == 200


def test_the_variables_that_it_prints_point_a_program_at_it(server, guarded):
    process, port = server("--api-key", "sk-mine of my own", "--dialect", "aimlapi")
    code = (
        "from langchain_kimi import ChatKimi; from llama_index_kimi import KimiLLM;"
        "print(ChatKimi(host='aimlapi').invoke('What is 20 + 22?').text, KimiLLM(host='aimlapi').complete('6 * 7 = ?'))"
    )
    exports = [f"export AIMLAPI_BASE_URL=http://127.0.0.1:{port}/v1", "export AIMLAPI_API_KEY='sk-mine of my own'"]
    command = "\n".join([*exports, f'{shlex.quote(sys.executable)} -c "{code}"'])

    ran = subprocess.run(["sh", "-c", command], env=guarded.environment(), capture_output=True, text=True, check=True)

    assert ran.stdout.count("42") == 2
    printed = [line.strip() for line in interrupt(process).splitlines()]
    assert [line for line in printed if line.startswith("export")] == exports
