"""One table of conversations: what each looks like on the wire, from both frameworks in every mode.

Streamed requests differ by `stream` and `stream_options` alone, which are checked apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from drivers import Driver, in_every_mode
from inline_snapshot import snapshot

from kimi_adapters.local_server import LocalKimi
from kimi_core import ImagePart, Message, Reasoning, TextPart, ToolCall, VideoPart

PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg=="
CLIP = "data:video/mp4;base64,AAAAGGZ0eXBpc29tAAAAAGlzb21tcDQy"


def get_weather(city: str) -> str:
    """Say what the weather is like in a city."""
    return f"Sunny in {city}."


CALL = ToolCall("functions.get_weather:0", "get_weather", '{"city": "Paris"}')
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Say what the weather is like in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@dataclass
class Case:
    """A conversation in, and the body it becomes."""

    name: str
    messages: list[Message]
    wire: Any
    tools: list[Any] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    call: dict[str, Any] = field(default_factory=dict)


CASES = [
    Case(
        "text",
        [Message("user", "Hello")],
        snapshot({"model": "kimi-k2.6", "messages": [{"role": "user", "content": "Hello"}]}),
    ),
    Case(
        "system",
        [Message("system", "Be brief."), Message("user", "Hello"), Message("assistant", "Hi."), Message("user", "Bye")],
        snapshot(
            {
                "model": "kimi-k2.6",
                "messages": [
                    {"role": "system", "content": "Be brief."},
                    {"role": "user", "content": "Hello"},
                    {"role": "assistant", "content": "Hi."},
                    {"role": "user", "content": "Bye"},
                ],
            }
        ),
    ),
    Case(
        "image",
        [Message("user", (TextPart("What is this?"), ImagePart(PIXEL)))],
        snapshot(
            {
                "model": "kimi-k2.6",
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "text", "text": "What is this?"},
                            {"type": "image_url", "image_url": {"url": PIXEL}},
                        ],
                    }
                ],
            }
        ),
    ),
    Case(
        "video",
        [Message("user", (TextPart("What happens?"), VideoPart(CLIP)))],
        snapshot(
            {
                "model": "kimi-k2.6",
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "text", "text": "What happens?"},
                            {"type": "video_url", "video_url": {"url": CLIP}},
                        ],
                    }
                ],
            }
        ),
    ),
    Case(
        "tools",
        [Message("user", "What is the weather in Paris?")],
        snapshot(
            {
                "model": "kimi-k2.6",
                "messages": [{"role": "user", "content": "What is the weather in Paris?"}],
                "tools": [TOOL],
            }
        ),
        tools=[get_weather],
    ),
    Case(
        "forced tool, thinking unset: off for this call",
        [Message("user", "What is the weather in Paris?")],
        snapshot(
            {
                "model": "kimi-k2.6",
                "messages": [{"role": "user", "content": "What is the weather in Paris?"}],
                "tools": [TOOL],
                "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
                "thinking": {"type": "disabled"},
            }
        ),
        tools=[get_weather],
        call={"tool_choice": "get_weather"},
    ),
    Case(
        "forced tool on K3: required",
        [Message("user", "What is the weather in Paris?")],
        snapshot(
            {
                "model": "kimi-k3",
                "messages": [{"role": "user", "content": "What is the weather in Paris?"}],
                "tools": [TOOL],
                "tool_choice": "required",
            }
        ),
        tools=[get_weather],
        options={"model": "kimi-k3"},
        call={"tool_choice": "get_weather"},
    ),
    Case(
        "tool turn: reasoning goes back, empty content is left out",
        [
            Message("user", "What is the weather in Paris?"),
            Message("assistant", reasoning=Reasoning("I need the tool."), tool_calls=(CALL,)),
            Message("tool", "Sunny.", tool_call_id=CALL.id),
        ],
        snapshot(
            {
                "model": "kimi-k2.6",
                "messages": [
                    {"role": "user", "content": "What is the weather in Paris?"},
                    {
                        "role": "assistant",
                        "reasoning_content": "I need the tool.",
                        "tool_calls": [
                            {
                                "id": "functions.get_weather:0",
                                "type": "function",
                                "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'},
                            }
                        ],
                    },
                    {"role": "tool", "tool_call_id": "functions.get_weather:0", "content": "Sunny."},
                ],
                "tools": [TOOL],
            }
        ),
        tools=[get_weather],
    ),
    Case(
        "foreign tool turn: one space stands in for the reasoning",
        [
            Message("user", "What is the weather in Paris?"),
            Message("assistant", "Let me see.", tool_calls=(CALL,)),
            Message("tool", "Sunny.", tool_call_id=CALL.id),
        ],
        snapshot(
            {
                "model": "kimi-k2.6",
                "messages": [
                    {"role": "user", "content": "What is the weather in Paris?"},
                    {
                        "role": "assistant",
                        "content": "Let me see.",
                        "reasoning_content": " ",
                        "tool_calls": [
                            {
                                "id": "functions.get_weather:0",
                                "type": "function",
                                "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'},
                            }
                        ],
                    },
                    {"role": "tool", "tool_call_id": "functions.get_weather:0", "content": "Sunny."},
                ],
            }
        ),
    ),
    Case(
        "options",
        [Message("user", "Hello")],
        snapshot(
            {
                "model": "kimi-k2.6",
                "messages": [{"role": "user", "content": "Hello"}],
                "prompt_cache_key": "session-1",
                "safety_identifier": "user-hash",
                "max_completion_tokens": 500,
                "stop": ["END"],
                "thinking": {"type": "enabled", "keep": "all"},
                "prompt_cache_options": {"ttl": "1h"},
            }
        ),
        options={
            "max_tokens": 500,
            "stop": "END",
            "prompt_cache_key": "session-1",
            "safety_identifier": "user-hash",
            "thinking": {"type": "enabled", "keep": "all"},
            "extra_body": {"prompt_cache_options": {"ttl": "1h"}},
        },
    ),
]


def untitled(value: Any) -> Any:
    """Without the titles that only one of the frameworks gives to a tool's parameters."""
    if isinstance(value, dict):
        return {k: untitled(v) for k, v in value.items() if k != "title"}
    return [untitled(v) for v in value] if isinstance(value, list) else value


@in_every_mode
@pytest.mark.filterwarnings("ignore:The conversation was repaired")
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name.replace(" ", "-"))
def test_the_wire_is_the_same_from_both_frameworks_in_every_mode(driver: Driver, kimi: LocalKimi, case: Case) -> None:
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key, **case.options)
    driver.ask(model, case.messages, tools=case.tools, **case.call)
    assert kimi.errors == [], kimi.errors[-1].error
    (request,) = kimi.requests
    body = untitled(request.body)
    streamed = {key: body.pop(key) for key in ("stream", "stream_options") if key in body}
    assert streamed == ({"stream": True, "stream_options": {"include_usage": True}} if driver.streams else {})
    assert body == case.wire


def test_a_repair_warns_once(driver: Driver, kimi: LocalKimi) -> None:
    case = next(c for c in CASES if c.name.startswith("foreign"))
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key)
    with pytest.warns(UserWarning, match="no reasoning") as caught:
        driver.ask(model, case.messages)
        driver.ask(model, case.messages)
    assert len(caught) == 1


def test_a_picture_where_none_is_read_raises_before_any_io(driver: Driver, aimlapi: LocalKimi) -> None:
    model = driver.make(host="aimlapi", base_url=aimlapi.base_url, api_key=aimlapi.api_key)
    with pytest.raises(ValueError, match=r"moonshot/kimi-k2-6 on aimlapi takes no image .*overrides="):
        driver.ask(model, [Message("user", (TextPart("What is this?"), ImagePart(PIXEL)))])
    assert aimlapi.requests == []


def test_an_http_picture_where_none_is_fetched_raises_before_any_io(driver: Driver, kimi: LocalKimi) -> None:
    """Moonshot does not fetch URLs: 400 `unsupported image url`."""
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key, fetch_media=False)
    with pytest.raises(ValueError, match="takes no http URL for an image"):
        driver.ask(model, [Message("user", (ImagePart("https://example.com/a.png"),))])
    assert kimi.requests == []
