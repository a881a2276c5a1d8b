"""The messages of a probe: short questions whose answers show how a host behaves."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kimi_core.types import JsonObject

Messages = list[JsonObject]


def user(content: Any) -> Messages:
    """Return a conversation of one question."""
    return [{"role": "user", "content": content}]


def _function(name: str, description: str, **properties: JsonObject) -> JsonObject:
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


_CITY = {"type": "string", "description": "The city"}
WEATHER = _function("get_weather", "The weather in a city right now", city=_CITY)
CLOCK = _function("get_time", "The time of day in a city right now", city=_CITY)
TABLE = _function(
    "book_table",
    "Book a table in a restaurant",
    restaurant={"type": "string", "description": "Its name"},
    people={"type": "integer", "description": "How many people"},
)
CAMERA = _function("take_photo", "Take a photo", place={"type": "string", "description": "What to photograph"})
TOOLS = [WEATHER, CLOCK]

THINK = user("What is 17 * 23? Answer with the number only.")
ASK_WEATHER = user("What is the weather in Paris right now?")
HELLO = user("Say hello.")
COUNT = user("Count from 1 to 30.")
PROSE = user("Write one sentence about the sea.")
PROSE_ON_JSON = user("Write one sentence about JSON.")
SILENT_SYSTEM: Messages = [{"role": "system", "content": ""}, *HELLO]

ANSWER_SCHEMA: JsonObject = {
    "type": "object",
    "properties": {"mood": {"type": "string", "enum": ["calm", "lively"]}, "count": {"type": "integer"}},
    "required": ["mood", "count"],
    "additionalProperties": False,
}
UNFLAVOURED: JsonObject = {
    "type": "object",
    "properties": {"word": {"type": "string", "anyOf": [{"type": "string"}]}},
    "required": ["word"],
}
"""A schema that the standard knows and Moonshot's flavour does not."""


def json_schema(schema: JsonObject) -> JsonObject:
    """Return the patch that asks for an answer that follows a schema."""
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}}


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _square(side: int, colour: bytes) -> str:
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    specs = zlib.compress((b"\0" + colour * side) * side)
    data = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", specs) + _chunk(b"IEND", b"")
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


RED = _square(64, b"\xff\x00\x00")
PUBLIC = "https://upload.wikimedia.org/wikipedia/commons/4/47/PNG_transparency_demonstration_1.png"
"""A picture of dice, which anybody may fetch."""


def picture(url: str, text: str) -> list[JsonObject]:
    """Return content of a picture and a text."""
    return [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": url}}]


LOOK = user(picture(RED, "What colour is this picture? Answer with one word."))
LOOK_THERE = user(picture(PUBLIC, "What game pieces are in this picture? Answer with one word."))

THOUGHT = "The user asks for the weather in Paris. I have a tool for it, so I call it with this city. " * 3


def called(name: str, arguments: str) -> JsonObject:
    """Return an assistant turn with a call, as Kimi writes it."""
    call = {"id": f"functions.{name}:0", "type": "function", "function": {"name": name, "arguments": arguments}}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def answered(asked: Messages, turn: JsonObject, result: Any) -> Messages:
    """Return a conversation in which every call of a turn got the same result."""
    results = [{"role": "tool", "tool_call_id": call["id"], "content": result} for call in turn["tool_calls"]]
    return [*asked, turn, *results]


@dataclass(frozen=True, slots=True)
class Task:
    """A question that needs certain calls.

    Attributes:
        name: What it is about.
        text: The question.
        calls: The calls that are right, as name and arguments; none when it needs no tool.
    """

    name: str
    text: str
    calls: tuple[tuple[str, Mapping[str, Any]], ...] = field(default=())


TASKS = (
    Task("the right tool of several", "What time is it in Tokyo right now?", (("get_time", {"city": "Tokyo"}),)),
    Task(
        "two calls at once",
        "What is the weather in Rome and in Oslo right now?",
        (("get_weather", {"city": "Rome"}), ("get_weather", {"city": "Oslo"})),
    ),
    Task(
        "arguments of two types",
        'Book a table for 4 people in the restaurant "Aurora".',
        (("book_table", {"restaurant": "Aurora", "people": 4}),),
    ),
    Task("no tool when none is needed", "Say hello."),
)
"""Whether a host calls tools as the model does: triggered when needed, with arguments that fit the schema."""
