"""Conversations in a database: what one process began, others go on with."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from kimi_adapters.local_server import LocalKimi
from kimi_core import KimiWarning

SCRIPT = Path(__file__).parent / "checkpointed.py"
PLAIN = (str, int, float, bool, type(None))


class Conversation:
    """Steps of one conversation, in several processes, in which every warning is an error."""

    def __init__(self, kimi: LocalKimi, database: Path) -> None:
        self.kimi = kimi
        self.database = database
        self.after: list[dict[str, Any]] = []

    def go_on(self, *processes: list[tuple[str, str, dict[str, Any]]]) -> None:
        """Take steps, each list of them in a process of its own."""
        # LangGraph reads nothing but its own and LangChain's types back, when it is told to be strict.
        where = {"MOONSHOT_BASE_URL": self.kimi.base_url, "MOONSHOT_API_KEY": self.kimi.api_key}
        done = subprocess.run(
            [sys.executable, "-W", "error", str(SCRIPT), str(self.database), json.dumps(processes)],
            env={**os.environ, **where, "LANGGRAPH_STRICT_MSGPACK": "true", "LANGSMITH_TRACING": "false"},
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        self.after += map(json.loads, done.stdout.splitlines())

    @property
    def messages(self) -> list[BaseMessage]:
        with SqliteSaver.from_conn_string(str(self.database)) as saver:
            saved = saver.get_tuple({"configurable": {"thread_id": "order"}})
            assert saved
            return list(saved.checkpoint["channel_values"]["messages"])


@pytest.fixture(scope="module")
def conversation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Conversation]:
    """Streamed up to an interrupt, answered asynchronously, continued by another model."""
    with LocalKimi() as kimi:
        talk = Conversation(kimi, tmp_path_factory.mktemp("talk") / "conversations.sqlite")
        asked = {"say": "Call look_up for the order HC-2041, then call ship_to with the city."}
        talk.go_on(
            [("stream", "kimi-k2.6", asked)],
            [
                ("ainvoke", "kimi-k2.6", {"resume": {"decisions": [{"type": "approve"}]}}),
                ("astream", "kimi-k3", {"say": "Call look_up for the order HC-9."}),
            ],
        )
        yield talk


@pytest.fixture
def wire(conversation: Conversation, wire_of: Any) -> Any:
    return wire_of(conversation.kimi)


def test_an_interrupt_is_answered_in_another_process(conversation: Conversation) -> None:
    paused, answered, _ = conversation.after
    assert paused["waiting"] == ["ship_to"]
    assert answered == {"last": "The result of ship_to: Shipped to Oslo.", "messages": 6, "waiting": []}


def test_another_model_goes_on_with_the_conversation(conversation: Conversation, wire: Any) -> None:
    assert conversation.after[2] == {
        "last": "The result of look_up: Order HC-9 goes to Oslo.",
        "messages": 10,
        "waiting": [],
    }
    assert [body["model"] for body in wire.bodies] == ["kimi-k2.6"] * 3 + ["kimi-k3"] * 2


def test_every_process_sends_what_the_ones_before_sent(wire: Any) -> None:
    """Reasoning included; the host finds its cached prefix."""
    sent = [body["messages"] for body in wire.bodies]
    for before, after in zip(sent, sent[1:], strict=False):
        assert after[: len(before)] == before
    assert wire.called == ["look_up", "ship_to", "look_up"]
    wire.check_loop()


def test_what_is_stored_are_langchains_messages_of_plain_values(conversation: Conversation) -> None:
    messages = conversation.messages
    assert len(messages) == 10
    for message in messages:
        assert type(message).__module__.startswith("langchain_core.messages.")
        assert strangers(message.model_dump()) == []
    assert all(m.additional_kwargs["reasoning_content"] for m in messages if isinstance(m, AIMessage))


def strangers(value: Any) -> list[Any]:
    """What JSON has no words for, subclasses of its own types included."""
    if type(value) is dict:
        return [found for inner in value.values() for found in strangers(inner)]
    if type(value) is list:
        return [found for inner in value for found in strangers(inner)]
    return [] if type(value) in PLAIN else [value]


def test_no_key_is_stored(conversation: Conversation) -> None:
    stored = b"".join(path.read_bytes() for path in conversation.database.parent.iterdir())
    assert b"HC-2041" in stored
    assert conversation.kimi.api_key.encode() not in stored


# ------------------------------------------------------------------------------------- pictures and documents


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg=="
PDF = base64.b64encode(b"%PDF-1.4\n\0").decode()


@tool
def get_report(day: str) -> list[dict[str, str]]:
    """Hand out the report of a day."""
    return [
        {"type": "text", "text": "Report:"},
        {"type": "file", "base64": PDF, "mime_type": "application/pdf"},
        {"type": "image", "base64": PIXEL, "mime_type": "image/png"},
    ]


def turns(folder: Path) -> list[Any]:
    """What a user says, with the answers of the model: pictures and documents from everywhere, and odd whitespace."""
    (folder / "wall.png").write_bytes(base64.b64decode(PIXEL))
    (folder / "note.md").write_text("14 m")
    seen = [{"type": "image", "path": folder / "wall.png"}, {"type": "file", "path": folder / "note.md"}]
    linked = [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}]
    called = {"tool_calls": [{"name": "get_report", "arguments": '{"day" :"\\u00fc" }'}], "reasoning": "  Hm.\n\n"}
    cut = {"tool_calls": [{"name": "get_report", "arguments": '{"day": '}], "text": " Let me see.\n"}
    text = {"type": "text", "text": "What is it?"}
    return [
        ([*seen, text], [called, {"text": "A wall.", "reasoning": "A wall?"}]),
        ([*linked, text], [cut]),
        ("Go on.", [{"text": "Yes."}]),
    ]


@pytest.mark.parametrize("version", ["v0", "v1"])
@pytest.mark.parametrize("way", ["invoke", "stream", "ainvoke", "astream"])
async def test_a_thread_with_pictures_and_documents_goes_on_in_the_same_bytes(
    make: Any, kimi: LocalKimi, tmp_path: Path, way: str, version: str
) -> None:
    """Each turn with a model and a connection to the database of its own."""
    database, thread = str(tmp_path / "talk.sqlite"), {"configurable": {"thread_id": "1"}}
    with warnings.catch_warnings(action="ignore", category=KimiWarning):  # of what was left out, each time anew
        for said, answers in turns(tmp_path):
            for answer in answers:
                kimi.enqueue(**answer)
            given: Any = {"messages": [HumanMessage(said)]}
            model = make(output_version=version)
            if way in ("ainvoke", "astream"):
                async with AsyncSqliteSaver.from_conn_string(database) as saver:
                    agent = create_agent(model, [get_report], checkpointer=saver)
                    if way == "ainvoke":
                        await agent.ainvoke(given, thread)
                    else:
                        _ = [part async for part in agent.astream(given, thread, stream_mode="messages")]
            else:
                with SqliteSaver.from_conn_string(database) as saver:
                    agent = create_agent(model, [get_report], checkpointer=saver)
                    _ = agent.invoke(given, thread) if way == "invoke" else list(agent.stream(given, thread))
    sent = [json.dumps(request.body["messages"], ensure_ascii=False) for request in kimi.requests]
    assert len(sent) == 4
    for before, after in pairwise(sent):
        assert after.startswith(before[:-1])
