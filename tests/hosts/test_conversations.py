"""One word changes: the same conversations on every host that the local server speaks for, from both frameworks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from drivers import DRIVERS, Driver
from hosts_served import PIXEL, Served
from inline_snapshot import snapshot

from kimi_adapters.local_server import LocalKimi
from kimi_core import HOSTS, ImagePart, Message, Reasoning, TextPart, ToolCall, VideoPart

CLIP = "data:video/mp4;base64,AAAAGGZ0eXBpc29tAAAAAGlzb21tcDQy"
TWO = [d for d in DRIVERS if d.name in ("langchain-astream", "llama_index-invoke")]


def get_weather(city: str) -> str:
    """Say what the weather is like in a city."""
    return f"Sunny in {city}."


# ----------------------------------------------------------------------------------------------------- the table


@dataclass
class Case:
    """A conversation, and what must come of it."""

    name: str
    messages: list[Message]
    tools: list[Any] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    call: dict[str, Any] = field(default_factory=dict)
    calls: list[str] | None = None
    thinks: bool | None = None
    shows: str = ""


CALL = ToolCall("functions.get_weather:0", "get_weather", '{"city": "Paris"}')
FOREIGN = ToolCall("call_abc123", "get_weather", '{"city": "Paris"}')
ASKED = Message("user", "What is the weather in Paris?")
CASES = [
    Case("text", [Message("user", "The code is 4711. What is the code?")]),
    Case("system", [Message("system", "Be brief."), Message("user", "Hi"), Message("assistant", "Hi."), ASKED]),
    Case("image", [Message("user", (TextPart("What is this?"), ImagePart(PIXEL)))], shows="image"),
    Case("video", [Message("user", (TextPart("What is this?"), VideoPart(CLIP)))], shows="video"),
    Case("tools", [ASKED], tools=[get_weather], calls=["get_weather"]),
    Case(
        "parallel tools",
        [Message("user", "What is the weather in Paris and in Oslo?")],
        tools=[get_weather],
        calls=["get_weather", "get_weather"],
    ),
    Case("forced tool", [ASKED], tools=[get_weather], call={"tool_choice": "get_weather"}, calls=["get_weather"]),
    Case("thinking on", [ASKED], options={"thinking": True}, thinks=True),
    Case("thinking off", [ASKED], options={"thinking": False}, thinks=False),
    Case(
        "tool turn",
        [
            ASKED,
            Message("assistant", "", Reasoning("I look."), (CALL,)),
            Message("tool", "Sunny.", tool_call_id=CALL.id),
        ],
        tools=[get_weather],
    ),
    Case(
        "foreign history",
        [ASKED, Message("assistant", "", None, (FOREIGN,)), Message("tool", "Sunny.", tool_call_id=FOREIGN.id)],
        tools=[get_weather],
    ),
]
WIRE: dict[str, Any] = {
    "moonshot": snapshot(
        {
            "text": {"model": "kimi-k2.6"},
            "system": {"model": "kimi-k2.6"},
            "image": {"model": "kimi-k2.6"},
            "video": {"model": "kimi-k2.6"},
            "tools": {"model": "kimi-k2.6"},
            "parallel tools": {"model": "kimi-k2.6"},
            "forced tool": {
                "model": "kimi-k2.6",
                "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
                "thinking": {"type": "disabled"},
            },
            "thinking on": {"model": "kimi-k2.6", "thinking": {"type": "enabled"}},
            "thinking off": {"model": "kimi-k2.6", "thinking": {"type": "disabled"}},
            "tool turn": {
                "model": "kimi-k2.6",
                "assistant": [{"role": "assistant", "reasoning_content": "I look.", "tool_calls": 1}],
            },
            "foreign history": {
                "model": "kimi-k2.6",
                "assistant": [{"role": "assistant", "reasoning_content": " ", "tool_calls": 1}],
            },
        }
    ),
    "aimlapi": snapshot(
        {
            "text": {"model": "moonshot/kimi-k2-6"},
            "system": {"model": "moonshot/kimi-k2-6"},
            "tools": {"model": "moonshot/kimi-k2-6"},
            "parallel tools": {"model": "moonshot/kimi-k2-6"},
            "forced tool": {"model": "moonshot/kimi-k2-6", "tool_choice": "auto"},
            "thinking on": {"model": "moonshot/kimi-k2-6"},
            "thinking off": {"model": "moonshot/kimi-k2-6"},
            "tool turn": {
                "model": "moonshot/kimi-k2-6",
                "assistant": [
                    {
                        "role": "assistant",
                        "content": None,
                        "reasoning_content": "I look.",
                        "tool_calls": 1,
                    }
                ],
            },
            "foreign history": {
                "model": "moonshot/kimi-k2-6",
                "assistant": [
                    {
                        "role": "assistant",
                        "content": None,
                        "reasoning_content": " ",
                        "tool_calls": 1,
                    }
                ],
            },
        }
    ),
    "kimi-code": snapshot(
        {
            "text": {"model": "k2p6"},
            "system": {"model": "k2p6"},
            "image": {"model": "k2p6"},
            "video": {"model": "k2p6"},
            "tools": {"model": "k2p6"},
            "parallel tools": {"model": "k2p6"},
            "forced tool": {
                "model": "k2p6",
                "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
                "thinking": {"type": "disabled"},
            },
            "thinking on": {"model": "k2p6", "thinking": {"type": "enabled"}},
            "thinking off": {"model": "k2p6", "thinking": {"type": "disabled"}},
            "tool turn": {
                "model": "k2p6",
                "assistant": [{"role": "assistant", "reasoning_content": "I look.", "tool_calls": 1}],
            },
            "foreign history": {
                "model": "k2p6",
                "assistant": [{"role": "assistant", "reasoning_content": " ", "tool_calls": 1}],
            },
        }
    ),
    "openrouter": snapshot(
        {
            "text": {"model": "moonshotai/kimi-k2.6"},
            "system": {"model": "moonshotai/kimi-k2.6"},
            "image": {"model": "moonshotai/kimi-k2.6"},
            "tools": {"model": "moonshotai/kimi-k2.6", "provider": {"require_parameters": True}},
            "parallel tools": {"model": "moonshotai/kimi-k2.6", "provider": {"require_parameters": True}},
            "forced tool": {
                "model": "moonshotai/kimi-k2.6",
                "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
                "reasoning": {"enabled": False},
                "provider": {"require_parameters": True},
            },
            "thinking on": {
                "model": "moonshotai/kimi-k2.6",
                "reasoning": {"enabled": True},
                "provider": {"require_parameters": True},
            },
            "thinking off": {
                "model": "moonshotai/kimi-k2.6",
                "reasoning": {"enabled": False},
                "provider": {"require_parameters": True},
            },
            "tool turn": {
                "model": "moonshotai/kimi-k2.6",
                "provider": {"require_parameters": True},
                "assistant": [{"role": "assistant", "reasoning": "I look.", "tool_calls": 1}],
            },
            "foreign history": {
                "model": "moonshotai/kimi-k2.6",
                "provider": {"require_parameters": True},
                "assistant": [{"role": "assistant", "reasoning": " ", "tool_calls": 1}],
            },
        }
    ),
    "fireworks": snapshot(
        {
            "text": {"model": "accounts/fireworks/models/kimi-k2p6"},
            "system": {"model": "accounts/fireworks/models/kimi-k2p6"},
            "image": {"model": "accounts/fireworks/models/kimi-k2p6"},
            "tools": {"model": "accounts/fireworks/models/kimi-k2p6"},
            "parallel tools": {"model": "accounts/fireworks/models/kimi-k2p6"},
            "forced tool": {
                "model": "accounts/fireworks/models/kimi-k2p6",
                "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
            },
            "thinking on": {"model": "accounts/fireworks/models/kimi-k2p6"},
            "thinking off": {"model": "accounts/fireworks/models/kimi-k2p6", "reasoning_effort": "none"},
            "tool turn": {
                "model": "accounts/fireworks/models/kimi-k2p6",
                "assistant": [
                    {
                        "role": "assistant",
                        "content": None,
                        "reasoning_content": "I look.",
                        "tool_calls": 1,
                    }
                ],
            },
            "foreign history": {
                "model": "accounts/fireworks/models/kimi-k2p6",
                "assistant": [{"role": "assistant", "content": None, "tool_calls": 1}],
            },
        }
    ),
    "vllm": snapshot(
        {
            "text": {"model": "moonshotai/Kimi-K2.6"},
            "system": {"model": "moonshotai/Kimi-K2.6"},
            "image": {"model": "moonshotai/Kimi-K2.6"},
            "video": {"model": "moonshotai/Kimi-K2.6"},
            "tools": {"model": "moonshotai/Kimi-K2.6"},
            "parallel tools": {"model": "moonshotai/Kimi-K2.6"},
            "forced tool": {
                "model": "moonshotai/Kimi-K2.6",
                "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
            },
            "thinking on": {
                "model": "moonshotai/Kimi-K2.6",
                "chat_template_kwargs": {"thinking": True, "enable_thinking": True},
            },
            "thinking off": {
                "model": "moonshotai/Kimi-K2.6",
                "chat_template_kwargs": {"thinking": False, "enable_thinking": False},
            },
            "tool turn": {
                "model": "moonshotai/Kimi-K2.6",
                "assistant": [
                    {
                        "role": "assistant",
                        "content": None,
                        "reasoning": "I look.",
                        "reasoning_content": "I look.",
                        "tool_calls": 1,
                    }
                ],
            },
            "foreign history": {
                "model": "moonshotai/Kimi-K2.6",
                "assistant": [{"role": "assistant", "content": None, "tool_calls": 1}],
            },
        }
    ),
    "sglang": snapshot(
        {
            "text": {"model": "moonshotai/Kimi-K2.6"},
            "system": {"model": "moonshotai/Kimi-K2.6"},
            "image": {"model": "moonshotai/Kimi-K2.6"},
            "video": {"model": "moonshotai/Kimi-K2.6"},
            "tools": {"model": "moonshotai/Kimi-K2.6"},
            "parallel tools": {"model": "moonshotai/Kimi-K2.6"},
            "forced tool": {
                "model": "moonshotai/Kimi-K2.6",
                "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
            },
            "thinking on": {
                "model": "moonshotai/Kimi-K2.6",
                "chat_template_kwargs": {"thinking": True, "enable_thinking": True},
            },
            "thinking off": {
                "model": "moonshotai/Kimi-K2.6",
                "chat_template_kwargs": {"thinking": False, "enable_thinking": False},
            },
            "tool turn": {
                "model": "moonshotai/Kimi-K2.6",
                "assistant": [
                    {
                        "role": "assistant",
                        "content": None,
                        "reasoning_content": "I look.",
                        "tool_calls": 1,
                    }
                ],
            },
            "foreign history": {
                "model": "moonshotai/Kimi-K2.6",
                "assistant": [{"role": "assistant", "content": None, "tool_calls": 1}],
            },
        }
    ),
}


def told(body: Any) -> dict[str, Any]:
    """What differs from host to host: all but the messages that are the user's and the tools."""
    rest = {key: value for key, value in body.items() if key not in ("messages", "tools", "stream", "stream_options")}
    turns = [message for message in body["messages"] if message["role"] == "assistant" and "tool_calls" in message]
    return {**rest, "assistant": [{**turn, "tool_calls": len(turn["tool_calls"])} for turn in turns]} if turns else rest


@pytest.mark.filterwarnings("ignore:thinking=False is not sent", "ignore:tool_choice 'get_weather' is not sent")
@pytest.mark.filterwarnings("ignore:The conversation was repaired")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_the_same_conversation_goes_to_every_host(way: Driver, served: Served, server: LocalKimi, case: Case) -> None:
    model = way.make(**served.where(server), **case.options)
    if case.shows and case.shows not in served.media:
        with pytest.raises(ValueError, match=f"takes no {case.shows}"):
            way.ask(model, case.messages)
        assert server.requests == []
        return
    answer = way.ask(model, case.messages, tools=case.tools, **case.call)
    assert server.errors == [], server.errors[-1].error
    assert told(server.requests[-1].body) == WIRE[served.host][case.name]
    assert answer.text or answer.tool_calls
    assert "<think>" not in answer.text
    assert case.calls is None or [call["name"] for call in answer.tool_calls] == case.calls
    can_be_off = HOSTS[served.host].thinking.off is not None
    assert case.thinks is None or bool(answer.reasoning) is (case.thinks or not can_be_off)
