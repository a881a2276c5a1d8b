"""What was said is converted and written once, and what was changed since is sent as it is now."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from drivers import Driver, LangChain, in_every_mode
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from llama_index.core.base.llms.types import ChatMessage, TextBlock, ThinkingBlock, ToolCallBlock
from pydantic_core import to_json

from kimi_adapters.local_server import LocalKimi
from kimi_core import ImagePart, KimiClient, Message, Reasoning, Request, TextPart, ToolCall
from kimi_core.codecs import messages as wire_messages
from kimi_core.media import data_urls, parts
from kimi_core.remembered import Remembered
from kimi_core.request import history
from kimi_core.transport import transport
from langchain_kimi import ChatKimi, _messages_in
from llama_index_kimi import KimiLLM
from llama_index_kimi import _messages_in as _llama_index_in

PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg=="
ARGS = {"path": "a.py", "lines": [1, 40, {"deep": 1}], "all": True, "n": 1}
OURS = {"model_provider": "moonshot", "reasoning_key": "reasoning_content"}


def langchain_talk() -> list[BaseMessage]:
    def call(n: int) -> Any:
        return {"name": "read", "args": copy.deepcopy(ARGS), "id": f"functions.read:{n}", "type": "tool_call"}

    blocks = [{"type": "reasoning", "reasoning": "So."}, {"type": "text", "text": "Done."}, call(2)]
    thought = {"reasoning_content": "Hm.", "arguments": {"functions.read:1": '{"path":"a.py"}'}}
    return [
        SystemMessage("Be brief."),
        HumanMessage([{"type": "text", "text": "Look."}, {"type": "image_url", "image_url": {"url": PIXEL}}]),
        AIMessage("", tool_calls=[call(0)], additional_kwargs={"reasoning_content": "Hm."}, response_metadata={**OURS}),
        ToolMessage("one", tool_call_id="functions.read:0"),
        AIMessage("Ok.", tool_calls=[{**call(1), "args": {"path": "a.py"}}], additional_kwargs=thought),
        ToolMessage([{"type": "text", "text": "two"}], tool_call_id="functions.read:1"),
        AIMessage(blocks, tool_calls=[call(2)], response_metadata={**OURS, "output_version": "v1"}),
        ToolMessage("three", tool_call_id="functions.read:2", artifact=object()),
        AIMessage("Fine.", additional_kwargs={"reasoning_details": [{"type": "reasoning.text", "text": "Hm."}]}),
        HumanMessage("Thanks."),
    ]


def llama_index_talk() -> list[ChatMessage]:
    def call(n: int, kwargs: Any) -> ToolCallBlock:
        return ToolCallBlock(tool_call_id=f"functions.read:{n}", tool_name="read", tool_kwargs=copy.deepcopy(kwargs))

    function = {"name": "read", "arguments": '{"path":"a.py"}'}
    recorded = [{"id": "functions.read:1", "type": "function", "function": function}]
    known = {"reasoning_key": "reasoning_content"}
    return [
        ChatMessage(role="system", content="Be brief."),
        ChatMessage(role="user", blocks=[TextBlock(text="Look."), TextBlock(text="Now.")]),
        ChatMessage(
            role="assistant", blocks=[ThinkingBlock(content="Hm.", additional_information=known), call(0, ARGS)]
        ),
        ChatMessage(role="tool", content="one", additional_kwargs={"tool_call_id": "functions.read:0"}),
        ChatMessage(
            role="assistant",
            blocks=[ThinkingBlock(content="So."), TextBlock(text="Ok."), call(1, {"path": "a.py"})],
            additional_kwargs={"tool_calls": recorded},
        ),
        ChatMessage(role="tool", content="two", additional_kwargs={"tool_call_id": "functions.read:1"}),
        ChatMessage(role="assistant", blocks=[ThinkingBlock(content="So."), call(2, '{"path": "b.py"}')]),
        ChatMessage(role="tool", content="three", additional_kwargs={"tool_call_id": "functions.read:2"}),
        ChatMessage(role="user", content="Thanks."),
    ]


@dataclass
class Framework:
    name: str
    talk: Callable[[], list[Any]]
    convert: Callable[[Any], list[Message]]
    memory: Remembered[Any]
    ask: Callable[[LocalKimi], Callable[[Any], Any]]


FRAMEWORKS = [
    Framework(
        "langchain",
        langchain_talk,
        _messages_in.to_messages,
        _messages_in.MESSAGES,
        lambda kimi: ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key).invoke,
    ),
    Framework(
        "llama_index",
        llama_index_talk,
        _llama_index_in.to_messages,
        _llama_index_in.MESSAGES,
        lambda kimi: KimiLLM(base_url=kimi.base_url, api_key=kimi.api_key).chat,
    ),
]
in_both = pytest.mark.parametrize("framework", FRAMEWORKS, ids=lambda framework: framework.name)
CLIENT = KimiClient(host="moonshot", api_key="x", on_unsupported="ignore")


def body_of(messages: Any, client: KimiClient = CLIENT, **asked: Any) -> bytes:
    """The bytes that a call sends."""
    _, wire = client.pipeline.prepare(Request(messages=messages, model="kimi-k2.6", **asked))
    return transport.json_bytes(wire.body, wire.written)


def outcome(framework: Framework, messages: Any) -> Any:
    try:
        return body_of(framework.convert(messages))
    except Exception as error:  # of whatever kind: a changed message may be none any more
        return type(error)


# ------------------------------------------------------------------------------------------- what was changed is sent

VALUES: list[Any] = [1, True, 1.0, 0, -0.0, None, "", "1", "Hm.", "read", [], {}, [1], {"a": 1}, {"path": "a.py"}]


def places(value: Any) -> Iterator[Any]:
    """Every dict and list in a value, those of objects included."""
    if isinstance(value, BaseMessage | ChatMessage | TextBlock | ThinkingBlock | ToolCallBlock):
        value = value.__dict__
    if isinstance(value, dict | list):
        yield value
        for inner in list(value.values()) if isinstance(value, dict) else value:
            yield from places(inner)


def changed(place: Any, data: st.DataObject, *, fields: bool) -> None:
    """Change something in a dict or list; the fields of an object stay the same ones."""
    keys = list(place) if isinstance(place, dict) else range(len(place))
    ways = ["add"] if not fields else []
    ways += ["set", "equal"] if keys else []
    ways += ["delete", "turn"] if keys and not fields else []
    match data.draw(st.sampled_from(ways)):
        case "add":
            value = data.draw(st.sampled_from(VALUES))
            if isinstance(place, dict):
                place[data.draw(st.sampled_from(["more", "name", "text", "partial", "refusal"]))] = value
            else:
                place.append(value)
        case "set":
            place[data.draw(st.sampled_from(keys))] = copy.deepcopy(data.draw(st.sampled_from(VALUES)))
        case "equal":  # another object, which is equal but perhaps not the same on the wire
            key = data.draw(st.sampled_from(keys))
            place[key] = float(place[key]) if type(place[key]) is int else copy.copy(place[key])
        case "delete":
            del place[data.draw(st.sampled_from(keys))]
        case "turn":
            if isinstance(place, dict):
                items = list(place.items())[::-1]
                place.clear()
                place.update(items)
            else:
                place.reverse()


@in_both
@given(data=st.data())
def test_what_was_changed_anywhere_is_sent_as_a_new_conversation_would_be(
    framework: Framework, data: st.DataObject
) -> None:
    messages = framework.talk()
    for _ in range(3):
        before = outcome(framework, messages)
    assert isinstance(before, bytes)
    message = data.draw(st.sampled_from(messages))
    found = list(places(message))
    at = data.draw(st.integers(0, len(found) - 1))
    is_object = found[at] is message.__dict__ or "block_type" in found[at]
    changed(found[at], data, fields=is_object)
    again = outcome(framework, messages)
    assert again == outcome(framework, [copy.copy(message) for message in messages])
    assert again == outcome(framework, messages)


@pytest.mark.parametrize("value", [True, 1.0], ids=repr)
@in_both
def test_a_number_that_is_merely_equal_is_sent_as_it_is(framework: Framework, value: Any) -> None:
    messages = framework.talk()
    for _ in range(3):
        framework.convert(messages)
    args = next(place for place in places(messages[2]) if "path" in place)
    args["n"] = value
    assert json.loads(framework.convert(messages)[2].tool_calls[0].arguments)["n"] is value or value == 1.0
    assert json.dumps(value) in framework.convert(messages)[2].tool_calls[0].arguments.rpartition('"n": ')[2]


def unknown(_: Any) -> list[Message]:
    """Converts into nothing: whatever becomes of a message was remembered."""
    return []


@in_both
def test_the_messages_of_a_conversation_are_remembered(framework: Framework) -> None:
    messages = framework.talk()
    framework.convert(messages)
    framework.convert(messages)
    known = [next(iter(framework.memory.converted([message], unknown)), None) for message in messages]
    plain = [i for i, message in enumerate(messages) if isinstance(message, ChatMessage) or message.type != "human"]
    assert [i for i in plain if known[i] is None and i not in (5, 8)] == []
    assert [a is b for a, b in zip(framework.convert(messages), known, strict=True) if b is not None] != []


# ------------------------------------------------------------------------------------------- bytes


@in_both
def test_joined_bytes_are_those_of_the_whole_body(framework: Framework) -> None:
    messages = framework.convert(framework.talk())
    first = body_of(messages)
    for _ in range(3):
        _, wire = CLIENT.pipeline.prepare(Request(messages=messages, model="kimi-k2.6"))
        assert transport.json_bytes(wire.body, wire.written) == to_json(wire.body) == first
    assert wire.written
    assert len(list(filter(None, wire.written.texts))) >= len(messages) - 3  # joined, in fact


def test_each_host_gets_its_own_from_the_same_messages() -> None:
    answer = Message("assistant", "", Reasoning("Hm."), (ToolCall("1", "look", "{}"),))
    messages = [Message("user", "Hi"), answer, Message("tool", "x", tool_call_id="1"), Message("user", "So?")]
    hosts = ["moonshot", "openrouter", "nvidia", "vllm", "moonshot"]
    clients = [KimiClient(host=host, api_key="x", on_unsupported="ignore") for host in hosts]
    kept = [body_of(messages, client) for _ in range(3) for client in clients]
    fresh = [body_of(copy.deepcopy(messages), client) for client in clients]
    assert kept == fresh * 3
    assert len(set(fresh)) > 1


def test_arguments_that_one_host_takes_are_repaired_for_another() -> None:
    answer = Message("assistant", "", Reasoning("Hm."), (ToolCall("1", "look", "oops"),))
    messages = [Message("user", "Hi"), answer, Message("tool", "x", tool_call_id="1")]
    rules = [{}, {"tools.reads_arguments": True}] * 3
    bodies = [body_of(messages, KimiClient(api_key="x", on_unsupported="ignore", overrides=rule)) for rule in rules]
    assert [b"invalid_arguments" in body for body in bodies] == [False, True] * 3


def test_a_renamed_tool_is_renamed_in_what_was_said_before_as_well() -> None:
    call = ToolCall("1", "look", "{}")
    plain = [Message("user", "Hi"), Message("assistant", "", Reasoning("Hm."), (call,))]
    plain += [Message("tool", "x", tool_call_id="1"), Message("user", "So?")]
    odd = Message("assistant", "", Reasoning("Hm."), (ToolCall("2", "look at", "{}"),))
    both = [*plain, odd, Message("tool", "x", tool_call_id="2"), Message("user", "So?")]
    for _ in range(3):
        assert body_of(both) == body_of(copy.deepcopy(both))
        assert body_of(plain) == body_of(copy.deepcopy(plain))


@pytest.mark.parametrize("text", ["\ud83d", "x" * 1_100_000], ids=["half a character", "too long to be kept"])
def test_what_cannot_be_joined_is_written_as_a_whole(text: str) -> None:
    messages = [Message("user", "Hi"), Message("assistant", text), Message("user", "So?")]
    sent = {body_of(messages) for _ in range(3)}
    assert sent == {body_of(copy.deepcopy(messages))}


PICTURE, LONG_PICTURE = ("data:image/png;base64," + "iVBORw0KGgoA" * times for times in (1, 9_000))
TEXT = st.text(max_size=9) | st.sampled_from(['"content":null', '"url":""}}', "\ud83d", "x" * 110_000])
PARTS = st.lists(
    st.builds(TextPart, TEXT) | st.builds(ImagePart, st.sampled_from([PICTURE, LONG_PICTURE])), min_size=1, max_size=4
).map(tuple)
ASKED = st.builds(Message, st.just("user"), PARTS | TEXT.filter(bool), name=st.none() | st.just("Ada"))


@given(st.lists(ASKED, min_size=1, max_size=4), st.booleans())
def test_a_body_with_long_pictures_is_to_the_letter_as_it_would_be_without_a_shorter_way(
    asked: list[Message], with_tools: bool
) -> None:
    if with_tools:
        call, result = ToolCall("1", "look", "{}"), (TextPart("a"), ImagePart(LONG_PICTURE))
        asked = [*asked, Message("assistant", "", Reasoning("Hm."), (call,)), Message("tool", result, tool_call_id="1")]
    shown = repr(asked)
    is_shorter = LONG_PICTURE in shown and repr("\ud83d")[1:-1] not in shown
    for _ in range(3):
        _, wire = CLIENT.pipeline.prepare(Request(messages=parts.normalized(asked), model="kimi-k2.6"))
        assert wire.written
        assert not is_shorter or any(isinstance(text, tuple) for text in wire.written.texts)
        assert transport.json_bytes(wire.body, wire.written) == transport.json_bytes(wire.body)


def test_a_long_picture_is_looked_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    real = data_urls._is_strict
    monkeypatch.setattr(data_urls, "_is_strict", lambda url, begin=0: looked.append(begin) or real(url, begin))
    asked = [Message("user", (TextPart("What?"), ImagePart(LONG_PICTURE)))]
    assert len({body_of(parts.normalized(asked)) for _ in range(3)}) == 1
    assert len(looked) == 1


def test_a_long_picture_is_not_written_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    monkeypatch.setattr(wire_messages, "to_json", lambda value: written.append(to_json(value)) or written[-1])
    body = body_of(parts.normalized([Message("user", (TextPart("What?"), ImagePart(LONG_PICTURE)))]))
    assert len(body) > len(LONG_PICTURE)
    assert sum(map(len, written)) < 1_000


def test_what_prepare_shows_may_be_changed_without_being_sent() -> None:
    request = Request(messages=[Message("user", "Hi")], model="kimi-k2.6")
    for _ in range(3):
        _, wire = CLIENT.prepare(request)
        wire.body["messages"][0]["content"] = "changed"
    assert CLIENT.prepare(request)[1].body["messages"] == [{"role": "user", "content": "Hi"}]
    assert b"changed" not in body_of(request.messages)


def test_extra_body_replaces_the_messages_all_the_same() -> None:
    request = Request(messages=[Message("user", "Hi")], model="kimi-k2.6")
    other = [{"role": "user", "content": "Hello"}]
    request = Request(
        messages=request.messages, model="kimi-k2.6", options=request.options.changed(extra_body={"messages": other})
    )
    for _ in range(3):
        _, wire = CLIENT.pipeline.prepare(request)
        assert json.loads(transport.json_bytes(wire.body, wire.written))["messages"] == other


# ------------------------------------------------------------------------------------------- the host's cache


def answered(driver: Driver, model: Any, talk: list[Any], **call: Any) -> Any:
    """Ask with a framework's own messages; return its own answer."""
    if isinstance(driver, LangChain):
        return driver._run(model, talk, call)
    return driver._run(model, "chat", talk, call).message  # type: ignore[attr-defined]


def result(driver: Driver, id_: str, text: str) -> Any:
    if isinstance(driver, LangChain):
        return ToolMessage(text, tool_call_id=id_)
    return ChatMessage(role="tool", content=text, additional_kwargs={"tool_call_id": id_})


def restored(talk: list[Any]) -> list[Any]:
    """As a checkpoint gives it back."""
    if isinstance(talk[0], ChatMessage):
        return [ChatMessage.model_validate_json(message.model_dump_json()) for message in talk]
    stored = JsonPlusSerializer()
    return [stored.loads_typed(stored.dumps_typed(message)) for message in talk]


SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
SHAPE = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA}}
READ = {"type": "function", "function": {"name": "read", "parameters": {"type": "object", "properties": {}}}}


@in_every_mode
def test_every_body_begins_with_the_messages_of_the_one_before(
    driver: Driver, kimi: LocalKimi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the byte, so that the host finds what it has cached: restored, by another model object, with a schema."""
    sent: list[bytes] = []
    real = transport.json_bytes
    monkeypatch.setattr(transport, "json_bytes", lambda *body: sent.append(real(*body)) or sent[-1])
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key)
    talk: list[Any] = [HumanMessage("Größe?") if isinstance(driver, LangChain) else ChatMessage(content="Größe?")]
    for step in range(8):
        shape = {"response_format": SHAPE} if step in (3, 6) else {}
        texts = ['{"n": 1.0, "b":[true]}', '{"a": 1,\n"b": "\\u00e9"}']
        calls = [
            {"name": "read", "arguments": text, "id": f"functions.read:{2 * step + i}"} for i, text in enumerate(texts)
        ]
        kimi.enqueue(text='{"a": 1}', reasoning=f"Schritt {step} …", tool_calls=[] if shape else calls)
        talk.append(answered(driver, model, talk, tools=[READ], **shape))
        talk += [] if shape else [result(driver, call["id"], f"Ergebnis {step} ✓") for call in calls]
        talk = restored(talk) if step == 4 else talk
        model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key) if step == 5 else model
    assert kimi.errors == []
    begins = [b'{"model":"kimi-k2.6","messages":' + to_json(json.loads(body)["messages"])[:-1] for body in sent]
    assert len(begins) == 8
    for begin, body in zip(begins, sent[1:], strict=False):
        assert body.startswith(begin + b",{")


HASHED = """
from kimi_core import KimiClient, Message, OutputFormat, Request, Tool
from kimi_core.codecs.messages import json_bytes
names = [f"look.{name}" for name in ("up", "down", "around")]
leaf = {"$ref": "#/$defs/leaf"}
schema = {"type": "object", "properties": dict.fromkeys(("a", "b", "$ref", "c"), leaf), "$defs": {"leaf": {"enum": ["x", 1]}}}
request = Request(
    messages=[Message("user", "Hi")],
    model="kimi-k2.6",
    tools=tuple(Tool(name, "Looks.", schema) for name in names),
    output=OutputFormat("json_schema", schema),
)
_, wire = KimiClient(host="moonshot", api_key="x", on_unsupported="ignore").pipeline.prepare(request)
print(json_bytes(wire.body, wire.written).hex())
"""


def test_the_bytes_do_not_depend_on_the_process() -> None:
    def sent(seed: str) -> str:
        env = {**os.environ, "PYTHONHASHSEED": seed}
        return subprocess.run(
            [sys.executable, "-c", HASHED], env=env, capture_output=True, text=True, check=True
        ).stdout

    one = sent("1")
    assert b"response_format" in bytes.fromhex(one)
    assert one == sent("2")


# ------------------------------------------------------------------------------------------- how often


@in_both
def test_every_message_is_written_once_and_converted_twice(
    framework: Framework, kimi: LocalKimi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many steps come after it."""
    counts: Counter[str] = Counter()

    def counted(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def count(*args: Any) -> Any:
            counts[name] += 1
            return real(*args)

        return count

    for name in ("_plain", "_tool"):  # an assistant's is a plain one with more
        monkeypatch.setattr(
            wire_messages.MessageEncoder, name, counted("encoded", getattr(wire_messages.MessageEncoder, name))
        )
    monkeypatch.setattr(wire_messages, "_text", counted("dumped", wire_messages._text))
    monkeypatch.setattr(history, "_arguments", counted("arguments", history._arguments))
    for module in (_messages_in, _llama_index_in):
        for key, convert in module._CONVERTERS.items():
            monkeypatch.setitem(module._CONVERTERS, key, counted("converted", convert))  # type: ignore[arg-type]
    ask, talk = framework.ask(kimi), framework.talk()[:1]
    for _ in range(12):
        talk += framework.talk()[2:4]  # an answer with a call, and its result
        ask(talk)
    assert counts["converted"] == counts["encoded"] == 2 * len(talk) - 2  # the second time it is remembered
    assert counts["dumped"] <= len(talk)
    assert counts["arguments"] <= 2 * 12


@in_both
def test_nothing_is_remembered_longer_than_the_message_lives(framework: Framework) -> None:
    messages = framework.talk()
    for _ in range(3):
        framework.convert(messages)
    ids = {id(message) for message in messages}
    assert framework.memory._kept.keys() & ids
    messages.clear()
    assert not framework.memory._kept.keys() & ids


def test_only_so_many_are_remembered() -> None:
    memory: Remembered[HumanMessage] = Remembered({HumanMessage: lambda message: (message.content,)}, most=3)
    messages = [HumanMessage(str(i)) for i in range(5)]
    for _ in range(2):
        memory.converted(messages[-3:], lambda message: Message("user", str(message.content)))
    memory.converted(messages[:2], lambda _: Message("user", ""))
    assert len(memory) == 3
    known = [memory.converted([message], unknown) != [] for message in messages]
    assert known == [False, False, False, False, True]
