"""What tests of agents share: models on the local server, and a look at what went over the wire."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kimi_adapters.local_server import LocalKimi
from kimi_adapters.local_server.log import RecordedRequest
from langchain_kimi import ChatKimi

MODELS = ("kimi-k2.6", "kimi-k3")
"""One model whose thinking can be switched, and one that always thinks."""


class Wire:
    """What the server was asked."""

    def __init__(self, kimi: LocalKimi) -> None:
        self.kimi = kimi

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [entry.body for entry in self.kimi.requests]

    @property
    def last(self) -> list[dict[str, Any]]:
        """The messages of the last request."""
        messages: list[dict[str, Any]] = self.bodies[-1]["messages"]
        return messages

    @property
    def turns(self) -> list[dict[str, Any]]:
        """The assistant turns with tool calls, as they were sent back last."""
        return [message for message in self.last if message.get("tool_calls")]

    @property
    def results(self) -> list[Any]:
        """The contents of tool results, as they were sent last."""
        return [message["content"] for message in self.last if message["role"] == "tool"]

    @property
    def called(self) -> list[str]:
        """The names of all tools called so far."""
        return [call["function"]["name"] for turn in self.turns for call in turn["tool_calls"]]

    def offered(self, at: int = -1) -> list[str]:
        """The names of the tools that a request offered."""
        return [tool["function"]["name"] for tool in self.bodies[at].get("tools", ())]

    def check_loop(self) -> None:
        """Nothing was refused, and every tool turn went back with the very reasoning that it came with."""
        assert self.kimi.errors == []
        thought = [reasoning_of(entry) for entry in self.kimi.requests]
        for turn in self.turns:
            assert turn["reasoning_content"].strip()
            assert turn["reasoning_content"] in thought


def reasoning_of(entry: RecordedRequest) -> str:
    """The reasoning of an answer, whole or streamed."""
    frames = entry.response if isinstance(entry.response, list) else [entry.response]
    choices = [frame["choices"][0] for frame in frames if isinstance(frame, dict) and frame.get("choices")]
    said = [choice.get("delta") or choice.get("message") or {} for choice in choices]
    return "".join(one.get("reasoning_content") or "" for one in said)


@pytest.fixture(scope="session")
def wire_of() -> type[Wire]:
    """For servers other than the shared one."""
    return Wire


@pytest.fixture
def wire(kimi: LocalKimi) -> Wire:
    return Wire(kimi)


@pytest.fixture
def make(kimi: LocalKimi) -> Callable[..., ChatKimi]:
    """Makes models on the local server; without retries of their own, so that those of agents are seen."""

    def made(model: str = "kimi-k2.6", **options: Any) -> ChatKimi:
        return ChatKimi(
            **{"model": model, "base_url": kimi.base_url, "api_key": kimi.api_key, "max_retries": 0} | options
        )

    return made


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest, make: Callable[..., ChatKimi]) -> ChatKimi:
    return make(request.param)
