"""Both frameworks behind one face, sync and async, streamed and not, so that a case is written once.

A case says what is asked (`Message`, `Tool`, `ToolChoice` of the core serve as the neutral words); a driver asks
it through the public API of its framework, with that framework's own messages, and says what came back.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from llama_index.core.base.llms.types import (
    ChatMessage,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    VideoBlock,
)
from llama_index.core.tools import FunctionTool

from kimi_core import FilePart, ImagePart, Message, TextPart, structured_output
from langchain_kimi import ChatKimi
from llama_index_kimi import KimiLLM


@dataclass
class Answer:
    """What came back, in neutral words."""

    text: str
    reasoning: str = ""
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    finish_reason: str | None = None
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_usd: float | None = None
    native: Any = field(default=None, repr=False, compare=False)


class Driver:
    """One framework in one mode."""

    framework = ""
    mode = ""

    @property
    def name(self) -> str:
        return f"{self.framework}-{self.mode}"

    @property
    def streams(self) -> bool:
        return "stream" in self.mode

    def make(self, **options: Any) -> Any:
        """The model object, by the constructor words that both frameworks share."""
        raise NotImplementedError

    def ask(self, made: Any, said: str | Sequence[Message], /, tools: Sequence[Any] = (), **call: Any) -> Answer:
        """One call."""
        raise NotImplementedError

    def pieces(self, made: Any, said: str, /, into: list[str] | None = None, **call: Any) -> list[str]:
        """The texts of a stream's pieces, put `into` a list as they come."""
        texts = [] if into is None else into

        async def collect() -> None:
            async for piece in await _opened(self._pieces(made, said, call)):
                texts.append(self._text(piece))

        if self.mode == "astream":
            asyncio.run(collect())
        else:
            for piece in self._pieces(made, said, call):
                texts.append(self._text(piece))
        return texts

    def _pieces(self, made: Any, said: str, call: dict[str, Any]) -> Any:
        raise NotImplementedError

    def _text(self, piece: Any) -> str:
        raise NotImplementedError


async def _opened(stream: Any) -> Any:
    return await stream if hasattr(stream, "__await__") else stream


def _said(messages: str | Sequence[Message]) -> Sequence[Message]:
    return [Message("user", messages)] if isinstance(messages, str) else messages


# ---------------------------------------------------------------------------------------------------- LangChain


class LangChain(Driver):
    framework = "langchain"

    def __init__(self, mode: str) -> None:
        self.mode = mode

    def make(self, **options: Any) -> ChatKimi:
        return ChatKimi(**options)

    def ask(self, made: Any, said: str | Sequence[Message], /, tools: Sequence[Any] = (), **call: Any) -> Answer:
        if tools:
            made = made.bind_tools(tools, tool_choice=call.pop("tool_choice", None))
        return _from_langchain(self._run(made, [_to_langchain(m) for m in _said(said)], call))

    def _pieces(self, made: Any, said: str, call: dict[str, Any]) -> Any:
        return getattr(made, self.mode)(said, **call)

    def _text(self, piece: Any) -> str:
        return str(piece.text)

    def _run(self, model: Any, said: list[BaseMessage], call: dict[str, Any]) -> AIMessage:
        match self.mode:
            case "invoke":
                return model.invoke(said, **call)
            case "ainvoke":
                return asyncio.run(model.ainvoke(said, **call))
            case "stream":
                return _sum(list(model.stream(said, **call)))
            case _:
                return asyncio.run(_collect(model.astream(said, **call)))


async def _collect(stream: Any) -> AIMessage:
    return _sum([chunk async for chunk in stream])


def _sum(chunks: list[Any]) -> AIMessage:
    full = chunks[0]
    for chunk in chunks[1:]:
        full += chunk
    return full


def _to_langchain(message: Message) -> BaseMessage:
    content: Any = message.content
    if not isinstance(content, str):
        content = [_block(part) for part in content]
    match message.role:
        case "system":
            return SystemMessage(content)
        case "user":
            return HumanMessage(content, name=message.name)
        case "tool":
            return ToolMessage(content, tool_call_id=message.tool_call_id)
    calls = [
        {"name": c.name, "args": structured_output.parse_json(c.arguments), "id": c.id} for c in message.tool_calls
    ]
    kwargs: dict[str, Any] = {"reasoning_content": message.reasoning.text} if message.reasoning else {}
    return AIMessage(content, tool_calls=calls, additional_kwargs=kwargs)


def _block(part: Any) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    if isinstance(part, FilePart):
        return {"type": "file" if part.kind == "document" else part.kind, "path": part.path}
    kind = "image_url" if isinstance(part, ImagePart) else "video_url"
    return {"type": kind, kind: {"url": part.url}}


def _from_langchain(message: AIMessage) -> Answer:
    usage: Any = message.usage_metadata or {}
    meta = message.response_metadata
    return Answer(
        text=str(message.text),
        reasoning=message.additional_kwargs.get("reasoning_content", ""),
        tool_calls=[{"name": c["name"], "args": c["args"], "id": c["id"]} for c in message.tool_calls],
        finish_reason=meta.get("finish_reason"),
        model=meta.get("model_name"),
        input_tokens=usage.get("input_tokens"),
        output_tokens=usage.get("output_tokens"),
        total_tokens=usage.get("total_tokens"),
        cached_tokens=usage.get("input_token_details", {}).get("cache_read"),
        reasoning_tokens=usage.get("output_token_details", {}).get("reasoning"),
        cost_usd=meta.get("cost_usd"),
        native=message,
    )


# --------------------------------------------------------------------------------------------------- LlamaIndex


class LlamaIndex(Driver):
    framework = "llama_index"

    def __init__(self, mode: str) -> None:
        self.mode = mode

    def make(self, **options: Any) -> KimiLLM:
        return KimiLLM(**options)

    def ask(self, made: Any, said: str | Sequence[Message], /, tools: Sequence[Any] = (), **call: Any) -> Answer:
        history = [_to_llama_index(m) for m in _said(said)]
        if not tools:
            return _from_llama_index(self._run(made, "chat", history, call))
        call |= {
            "tools": [FunctionTool.from_defaults(t, description=t.__doc__) for t in tools],
            "allow_parallel_tool_calls": True,
        }
        return _from_llama_index(self._run(made, "chat_with_tools", (), {"chat_history": history, **call}))

    def _pieces(self, made: Any, said: str, call: dict[str, Any]) -> Any:
        return getattr(made, f"{self.mode}_chat")([ChatMessage(role="user", content=said)], **call)

    def _text(self, piece: Any) -> str:
        return str(piece.delta or "")

    def _run(self, model: Any, what: str, said: Sequence[Any], call: dict[str, Any]) -> Any:
        args = (said,) if said else ()
        match self.mode:
            case "invoke":
                return getattr(model, what)(*args, **call)
            case "ainvoke":
                return asyncio.run(_awaited(getattr(model, f"a{what}"), args, call))
            case "stream":
                return list(getattr(model, f"stream_{what}")(*args, **call))[-1]
            case _:
                return asyncio.run(_last(getattr(model, f"astream_{what}"), args, call))


async def _awaited(method: Any, args: Any, call: dict[str, Any]) -> Any:
    return await method(*args, **call)


async def _last(method: Any, args: Any, call: dict[str, Any]) -> Any:
    return [response async for response in await method(*args, **call)][-1]


def _to_llama_index(message: Message) -> ChatMessage:
    content = message.content
    parts = [TextPart(content)] if isinstance(content, str) else content
    blocks: list[Any] = [ThinkingBlock(content=message.reasoning.text)] if message.reasoning else []
    blocks += [_llama_block(part) for part in parts if not (isinstance(part, TextPart) and not part.text)]
    blocks += [
        ToolCallBlock(tool_call_id=c.id, tool_name=c.name, tool_kwargs=structured_output.parse_json(c.arguments))
        for c in message.tool_calls
    ]
    kwargs = {"tool_call_id": message.tool_call_id} if message.tool_call_id else {}
    return ChatMessage(role=message.role, blocks=blocks, additional_kwargs=kwargs)


def _llama_block(part: Any) -> Any:
    if isinstance(part, TextPart):
        return TextBlock(text=part.text)
    if isinstance(part, FilePart):
        return {"image": ImageBlock, "video": VideoBlock, "document": DocumentBlock}[part.kind](path=part.path)
    return ImageBlock(url=part.url) if isinstance(part, ImagePart) else VideoBlock(url=part.url)


def _from_llama_index(response: Any) -> Answer:
    blocks, known = response.message.blocks, response.additional_kwargs
    calls = [b for b in blocks if isinstance(b, ToolCallBlock)]
    return Answer(
        text="".join(b.text for b in blocks if isinstance(b, TextBlock)),
        reasoning="".join(b.content or "" for b in blocks if isinstance(b, ThinkingBlock)),
        tool_calls=[{"name": c.tool_name, "args": c.tool_kwargs, "id": c.tool_call_id} for c in calls],
        finish_reason=known.get("finish_reason"),
        model=response.raw.get("model"),
        input_tokens=known.get("prompt_tokens"),
        output_tokens=known.get("completion_tokens"),
        total_tokens=known.get("total_tokens"),
        cached_tokens=known.get("cached_tokens"),
        reasoning_tokens=known.get("reasoning_tokens"),
        cost_usd=known.get("cost_usd"),
        native=response,
    )


MODES = ("invoke", "ainvoke", "stream", "astream")
DRIVERS: list[Driver] = [framework(mode) for framework in (LangChain, LlamaIndex) for mode in MODES]
"""Every framework in every mode."""

INVOKED = [driver for driver in DRIVERS if driver.mode == "invoke"]
"""Either framework, for what is the same in all its modes: how a model is made, and what is refused before any I/O."""

PAIRWISE = [
    d
    for d in DRIVERS
    if d.name in ("langchain-invoke", "langchain-astream", "llama_index-ainvoke", "llama_index-stream")
]
"""Half of them, in which every two of framework, sync or async, whole or streamed meet."""

STREAMED = [driver for driver in DRIVERS if driver.streams]
WHOLE = [driver for driver in DRIVERS if not driver.streams]
by_name: dict[str, Any] = {"ids": lambda driver: driver.name}
"""How pytest names the drivers of a parametrised test."""


def in_turn(names: str, cases: Mapping[str, Any], among: Sequence[Driver] = DRIVERS) -> pytest.MarkDecorator:
    """Parametrise with a driver and a case, for what the core decides: each case by one of the pairs, which take turns.

    A pair are drivers in which all differs: the framework, sync or async, whole or streamed. So a case is met by both
    frameworks, sync and async, and (if `among` has both) whole and streamed, and the cases together by all drivers.
    """
    half = len(among) // 2
    turns = zip(cases.items(), itertools.cycle(zip(among[:half], among[: -half - 1 : -1], strict=True)), strict=False)
    return pytest.mark.parametrize(
        f"driver,{names}",
        [
            pytest.param(driver, *(case if "," in names else [case]), id=f"{driver.name}-{name}")
            for (name, case), pair in turns
            for driver in pair
        ],
    )


in_every_mode = pytest.mark.parametrize("driver", DRIVERS, **by_name)
"""For what is to be shown in all of them; the fixture `driver` is half of them."""
