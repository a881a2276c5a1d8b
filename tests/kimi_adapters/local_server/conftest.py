"""A running local Kimi for each dialect, and a client that speaks plain HTTP to it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from kimi_adapters.local_server import LocalKimi

JsonObject = dict[str, Any]
DEFAULT_MODELS = {
    "moonshot": "kimi-k2.6",
    "aimlapi": "moonshot/kimi-k2-6",
    "runware": "moonshotai:kimi@k2.6",
    "kimi-code": "kimi-for-coding",
    "openrouter": "moonshotai/kimi-k2.6",
    "fireworks": "accounts/fireworks/models/kimi-k2p6",
    "vllm": "moonshotai/Kimi-K2.6",
    "sglang": "moonshotai/Kimi-K2.6",
    "llama-cpp": "moonshotai/Kimi-K2.6",
}


@dataclass
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    data: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.data)

    @property
    def message(self) -> JsonObject:
        return self.json["choices"][0]["message"]

    @property
    def text(self) -> str:
        return self.message["content"]

    @property
    def calls(self) -> list[tuple[str, Any]]:
        """The tool calls as (name, parsed arguments)."""
        functions = [call["function"] for call in self.message.get("tool_calls", [])]
        return [(function["name"], json.loads(function["arguments"])) for function in functions]

    @property
    def error(self) -> JsonObject:
        return self.json["error"]

    @property
    def lines(self) -> list[str]:
        """The data lines of a stream."""
        return [line[6:] for line in self.data.decode().splitlines() if line.startswith("data: ")]

    @property
    def frames(self) -> list[JsonObject]:
        return [json.loads(line) for line in self.lines if line != "[DONE]"]


class Client:
    """Plain HTTP to one local Kimi."""

    def __init__(self, kimi: LocalKimi) -> None:
        self.kimi = kimi
        self.model = DEFAULT_MODELS[kimi.dialect.name]

    def send(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection = http.client.HTTPConnection(self.kimi.host, self.kimi.port, timeout=60)
        try:
            key = {"authorization": f"Bearer {self.kimi.api_key}"}
            connection.request(method, path, data, {**key, **(headers or {})})
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, found, response.read())
        finally:
            connection.close()

    def chat(self, messages: str | list[JsonObject] = "Hello", **body: Any) -> Reply:
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        return self.send("POST", "/v1/chat/completions", {"model": self.model, "messages": messages, **body})

    def stream(self, messages: str | list[JsonObject] = "Hello", **body: Any) -> Reply:
        return self.chat(messages, stream=True, **body)

    def loop(
        self, asked: str, tools: list[JsonObject], run: Callable[[str, Any], str], most: int = 12, **body: Any
    ) -> tuple[list[list[tuple[str, Any]]], str]:
        """Run an agent loop: the calls of each turn, and the last answer."""
        messages: list[JsonObject] = [{"role": "user", "content": asked}]
        turns: list[list[tuple[str, Any]]] = []
        for _ in range(most):
            reply = self.chat(messages, tools=tools, **body)
            assert reply.status == 200, reply.data
            if not reply.calls:
                return turns, reply.text
            turns.append(reply.calls)
            messages.append(reply.message)
            messages += [
                {"role": "tool", "tool_call_id": call["id"], "content": run(name, arguments)}
                for call, (name, arguments) in zip(reply.message["tool_calls"], reply.calls, strict=True)
            ]
        raise AssertionError(f"no end after {most} turns: {turns}")


@pytest.fixture(scope="session")
def _moonshot() -> Iterator[LocalKimi]:
    with LocalKimi() as kimi:
        yield kimi


@pytest.fixture(scope="session")
def _aimlapi() -> Iterator[LocalKimi]:
    with LocalKimi(dialect="aimlapi") as kimi:
        yield kimi


@pytest.fixture
def moonshot(_moonshot: LocalKimi) -> Client:
    """A client of a Moonshot that remembers nothing of earlier tests."""
    _moonshot.reset()
    return Client(_moonshot)


@pytest.fixture
def aimlapi(_aimlapi: LocalKimi) -> Client:
    """A client of an AI/ML API that remembers nothing of earlier tests."""
    _aimlapi.reset()
    return Client(_aimlapi)


@pytest.fixture(scope="session")
def client_of() -> type[Client]:
    """The client, for servers that a test starts itself."""
    return Client


@pytest.fixture(scope="session")
def tool() -> Callable[..., JsonObject]:
    """Makes a function tool; a parameter is a type name or a schema."""

    def make(name: str, description: str = "", /, required: list[str] | None = None, **parameters: Any) -> JsonObject:
        properties = {key: {"type": kind} if isinstance(kind, str) else kind for key, kind in parameters.items()}
        schema = {
            "type": "object",
            "properties": properties,
            "required": list(properties) if required is None else required,
        }
        return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}

    return make
