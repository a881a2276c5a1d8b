"""What the rules answer, before it is put into a host's JSON."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from kimi_adapters.local_server import tokens
from kimi_adapters.local_server.request import ChatRequest

#: Where the reasoning of an answer is. Moonshot: ``reasoning_content``. vLLM since 2026: ``reasoning``. Gateways:
#: ``both`` (LiteLLM), ``details`` (OpenRouter: ``reasoning`` and the array ``reasoning_details``). Servers without a
#: reasoning parser leave it in the text: ``tags``, or ``lone_tag`` where the opening tag is part of the prompt
#: (transformers serve: ``thought</think>answer``). llama.cpp's ``deepseek-legacy`` does both: ``tags_and_key``.
ReasoningAs = Literal["reasoning_content", "reasoning", "both", "details", "tags", "lone_tag", "tags_and_key"]

#: Where tool calls are: in their field, or in the text in the tokens of Kimi's template, as servers send them whose
#: tool parser fails (vllm#28543, vllm#34955, MoonshotAI/Kimi-K2#89), with the finish reason ``stop``.
CallsAs = Literal["tool_calls", "tokens"]


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call.

    Attributes:
        name: The tool.
        arguments: The arguments as JSON text.
        id: The call's id; made in the model's format when absent.
        type: ``function`` or ``builtin_function``.
    """

    name: str
    arguments: str
    id: str | None = None
    type: str = "function"


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer.

    Attributes:
        text: The visible text.
        reasoning: The thought before it.
        calls: The tool calls after it.
        finish: The finish reason; follows from the calls when absent.
        usage: A usage object to send as it is; counted when absent.
        reasoning_as: Where its reasoning is; None for where the server puts it.
        calls_as: Where its calls are.
        refusal: The text of a refusal in place of an answer.
    """

    text: str = ""
    reasoning: str = ""
    calls: tuple[Call, ...] = ()
    finish: str | None = None
    usage: dict[str, Any] | None = None
    reasoning_as: ReasoningAs | None = None
    calls_as: CallsAs = "tool_calls"
    refusal: str = ""

    @property
    def finish_reason(self) -> str:
        """The finish reason as sent."""
        return self.finish or ("tool_calls" if self.calls and self.calls_as == "tool_calls" else "stop")

    @property
    def tokens(self) -> int:
        """The tokens of everything in it."""
        spoken = sum(map(tokens.count, (self.reasoning, self.text, self.refusal)))
        return spoken + sum(tokens.count(call.name) + tokens.count(call.arguments) for call in self.calls)


def with_ids(reply: Reply, request: ChatRequest) -> Reply:
    """Return the same reply with an id on every call, in the model's format."""
    made = 0
    if request.model.call_ids == "functions":
        made = sum(len(message.get("tool_calls") or []) for message in request.messages)
    form = "functions.{name}:{at}" if request.model.call_ids == "functions" else "{name}_{at}"
    calls = [
        call if call.id is not None else replace(call, id=form.format(name=call.name, at=at))
        for at, call in enumerate(reply.calls, made)
    ]
    return replace(reply, calls=tuple(calls))


def limited(reply: Reply, request: ChatRequest) -> Reply:
    """Cut a reply at the first stop string and at the token limit."""
    return _until_limit(_until_stop(reply, request.stops), request.max_tokens or request.model.output)


def _until_stop(reply: Reply, stops: list[str]) -> Reply:
    found = [at for at in (reply.text.find(stop) for stop in stops) if at >= 0]
    return replace(reply, text=reply.text[: min(found)], calls=(), finish="stop") if found else reply


def _until_limit(reply: Reply, limit: int) -> Reply:
    """Cut a reply at the token limit. Reasoning counts first, so a small limit leaves no text."""
    if reply.tokens <= limit:
        return reply
    reasoning = tokens.cut(reply.reasoning, limit)
    left = limit - tokens.count(reasoning)
    text = tokens.cut(reply.text, left)
    return replace(reply, reasoning=reasoning, text=text, calls=(), finish="length")
