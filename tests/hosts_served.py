"""The hosts that the local server speaks for, and a conversation that goes on in a framework's own messages."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from drivers import Driver, LangChain
from langchain_core.messages import HumanMessage, ToolMessage
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, TextBlock, ToolCallBlock
from llama_index.core.tools import FunctionTool

from kimi_adapters.local_server import LocalKimi


@dataclass(frozen=True)
class Served:
    """One host as the local server imitates it.

    Attributes:
        name: How a test calls it.
        host: The host's spec.
        behaviour: Arguments of the local server.
        media: What it reads.
    """

    name: str
    host: str
    behaviour: dict[str, Any] = field(default_factory=dict)
    media: tuple[str, ...] = ("image", "video")

    def start(self) -> LocalKimi:
        dialect: Any = self.host
        return LocalKimi(dialect, **self.behaviour).start()

    def where(self, kimi: LocalKimi) -> dict[str, Any]:
        """Return the options of the constructor."""
        return {"host": self.host, "base_url": kimi.base_url, "api_key": kimi.api_key}


SERVED = [
    Served("moonshot", "moonshot"),
    Served("aimlapi", "aimlapi", media=()),
    Served("kimi-code", "kimi-code", {"admits": ["kimi-adapters/"]}),
    Served("openrouter", "openrouter", media=("image",)),
    Served("fireworks", "fireworks", media=("image",)),
    Served("vllm", "vllm"),
    Served("vllm-both-keys", "vllm", {"reasoning_as": "both"}),
    Served("vllm-think-tags", "vllm", {"reasoning_as": "tags"}),
    Served("sglang", "sglang"),
]

# Its own protocol is not of this shape (see test_runware.py); conversations come from it and go to it all the same.
RUNWARE = Served("runware", "runware", media=("image",))

PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg=="


class Talk:
    """A conversation in a framework's own messages, with tools that are run, whatever model goes on with it."""

    def __init__(self, driver: Driver, tools: list[Callable[..., Any]]) -> None:
        self.driver = driver
        self.tools = {tool.__name__: tool for tool in tools}
        self.history: list[Any] = []
        self.calls: list[str] = []

    def say(self, model: Any, text: str, picture: str | None = None) -> str:
        """One question, and the answer after all calls."""
        self.history.append(self._user(text, picture))
        while True:
            message, calls = self._turn(model)
            self.history.append(message)
            if not calls:
                return message.text if isinstance(self.driver, LangChain) else str(message.content)
            for id, name, arguments in calls:
                self.calls.append(name)
                self.history.append(self._result(id, name, self.tools[name](**arguments)))

    def _user(self, text: str, picture: str | None) -> Any:
        if isinstance(self.driver, LangChain):
            shown = [{"type": "image_url", "image_url": {"url": picture}}] if picture else []
            return HumanMessage([{"type": "text", "text": text}, *shown] if shown else text)
        blocks = [TextBlock(text=text), *([ImageBlock(url=picture)] if picture else [])]
        return ChatMessage(role="user", blocks=blocks)

    def _turn(self, model: Any) -> tuple[Any, list[tuple[str, str, dict[str, Any]]]]:
        driver: Any = self.driver
        if isinstance(driver, LangChain):
            message = driver._run(model.bind_tools(list(self.tools.values())), self.history, {})
            return message, [(c["id"], c["name"], c["args"]) for c in message.tool_calls]
        tools = [FunctionTool.from_defaults(tool, description=tool.__doc__) for tool in self.tools.values()]
        asked = {"chat_history": self.history, "tools": tools, "allow_parallel_tool_calls": True}
        message = driver._run(model, "chat_with_tools", (), asked).message
        calls = [b for b in message.blocks if isinstance(b, ToolCallBlock)]
        return message, [(str(b.tool_call_id), b.tool_name, dict(b.tool_kwargs)) for b in calls]  # type: ignore[arg-type]

    def _result(self, id: str, name: str, shown: Any) -> Any:
        """What a tool gave: text, or a picture."""
        picture = isinstance(shown, str) and shown.startswith("data:")
        if isinstance(self.driver, LangChain):
            content: Any = [{"type": "image_url", "image_url": {"url": shown}}] if picture else str(shown)
            return ToolMessage(content, tool_call_id=id, name=name)
        blocks: list[Any] = [ImageBlock(url=shown)] if picture else [TextBlock(text=str(shown))]
        return ChatMessage(role="tool", blocks=blocks, additional_kwargs={"tool_call_id": id, "name": name})


def said(body: Any) -> str:
    """A request as text, to look for words in it."""
    return json.dumps(body, ensure_ascii=False)
