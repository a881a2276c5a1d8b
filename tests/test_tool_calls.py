"""Tool calls are put together by all that a host says of them, whatever shape it sends them in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from drivers import DRIVERS, PAIRWISE, Driver, by_name, in_turn
from hypothesis import given
from hypothesis import strategies as st
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage, ToolMessage
from llama_index.core.base.llms.types import ChatMessage, ToolCallBlock
from tool_call_shapes import DEEP, OSLO, SHAPES, Shape, call

from kimi_adapters.local_server import LocalKimi
from kimi_core import APIError, DecodeError, Response, resolve
from kimi_core.codecs import WireRequest
from kimi_core.codecs.chat import ChatCodec
from kimi_core.events import reduce
from kimi_core.hosts.registry import HOSTS
from kimi_core.tool_arguments import parse_arguments
from langchain_kimi import ChatKimi
from langchain_kimi._json_escapes import HalfEscapes

HEAD = {"id": "c", "created": 1787685033, "model": "kimi-k2.6"}


def body(calls: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "tool_calls": calls}, "finish_reason": "tool_calls"}
    return {**HEAD, "object": "chat.completion", "choices": [choice]}


def frames(arrays: Any) -> list[dict[str, Any]]:
    head = {**HEAD, "object": "chat.completion.chunk"}
    told = [{"index": 0, "delta": {"tool_calls": array}, "finish_reason": None} for array in arrays]
    return [
        {**head, "choices": [choice]} for choice in [*told, {"index": 0, "delta": {}, "finish_reason": "tool_calls"}]
    ]


def send(kimi: LocalKimi, driver: Driver, shape: Shape) -> None:
    """The next answer, in bytes: the server's own writer knows neither halves of characters nor NaN."""
    if driver.streams:
        kimi.enqueue(chunks=["".join(f"data: {json.dumps(f)}\n\n" for f in frames(shape.arrays)).encode()])
    else:
        kimi.enqueue(raw=json.dumps(body(shape.whole)).encode(), content_type="application/json")


def look(city: str = "") -> str:
    """Look a city up."""
    return city


def look_up(city: str = "") -> str:
    """Look a city up in a book."""
    return city


def ping() -> str:
    """Say that you are there."""
    return "pong"


def model(driver: Driver, kimi: LocalKimi) -> Any:
    return driver.make(base_url=kimi.base_url, api_key=kimi.api_key, max_retries=0, thinking=False)


def ask(driver: Driver, kimi: LocalKimi) -> list[tuple[str, Any, str | None]]:
    """Names, arguments and ids of an answer's calls, those that cannot be made last; their arguments as text."""
    native = driver.ask(model(driver, kimi), "Look.", tools=[look, look_up, ping]).native
    if driver.framework == "langchain":
        valid = [(c["name"], c["args"], c["id"]) for c in native.tool_calls]
        return [*valid, *((c["name"] or "", c["args"], c["id"]) for c in native.invalid_tool_calls)]
    blocks = [b for b in native.message.blocks if isinstance(b, ToolCallBlock)]
    calls = [(b.tool_name, b.tool_kwargs if b.tool_name else json.dumps(b.tool_kwargs), b.tool_call_id) for b in blocks]
    return sorted(calls, key=lambda c: isinstance(c[1], str))


@in_turn("shape", {shape.name.replace(" ", "-"): shape for shape in SHAPES if shape.whole is not None})
def test_the_calls_of_every_shape_are_those_that_were_meant(driver: Driver, shape: Shape, kimi: LocalKimi) -> None:
    meant(driver, shape, kimi)


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape.whole is None], ids=lambda shape: shape.name)
@pytest.mark.parametrize("driver", [driver for driver in PAIRWISE if driver.streams], **by_name)
def test_the_calls_of_a_shape_that_only_streams_have(driver: Driver, shape: Shape, kimi: LocalKimi) -> None:
    meant(driver, shape, kimi)


def meant(driver: Driver, shape: Shape, kimi: LocalKimi) -> None:
    send(kimi, driver, shape)
    calls = ask(driver, kimi)
    # LangChain takes arguments of a stream that look cut for whole ones, unless they end otherwise.
    told = [(name, args.rstrip(']}"') if isinstance(args, str) else args) for name, args, _ in calls]
    assert told == [(name, args.rstrip(']}"') if isinstance(args, str) else args) for name, args in shape.calls]
    if shape.ids is not None:
        assert [id_ for _, _, id_ in calls] == shape.ids
    assert len({id_ for _, _, id_ in calls}) == len(calls)


def decoded(arrays: Any, *, whole: Any = None) -> Response:
    wire = WireRequest(path="", body={"tools": [{"function": {"name": name}} for name in ("look", "look_up", "ping")]})
    profile = resolve(HOSTS["moonshot"], "kimi-k2.6", {})
    if whole is not None:
        return reduce(ChatCodec().decode(body(whole), wire, profile, {}))
    decoder = ChatCodec().decoder(wire, profile, {})
    events = [event for frame in frames(arrays) for event in decoder.feed(frame)]
    return reduce([*events, *decoder.end()])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.just("\ud83d"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
ARGUMENTS = st.dictionaries(st.text(max_size=6), VALUES, max_size=4).map(
    lambda value: json.dumps(value, ensure_ascii=True)
)
REPEATED = {
    "index": lambda i: {"index": i},
    "index and id": lambda i: {"index": i, "id": f"x{i}"},
    "id": lambda i: {"id": f"x{i}"},
    "index and name": lambda i: {"index": i, "name": "look"},
    "index, id and name": lambda i: {"index": i, "id": f"x{i}", "name": "look"},
    "id and name": lambda i: {"id": f"x{i}", "name": "look"},
    "index 0 and id": lambda i: {"index": 0, "id": f"x{i}"},
}
"""What each piece of a call says besides its arguments."""


def cut(data: st.DataObject, text: str) -> list[str]:
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=8))
    bounds = [0, *sorted(cuts), len(text)]
    return [text[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]


@given(texts=st.lists(ARGUMENTS, min_size=1, max_size=3), form=st.sampled_from(sorted(REPEATED)), data=st.data())
def test_any_split_of_arguments_gives_the_calls_of_the_whole_body(
    texts: list[str], form: str, data: st.DataObject
) -> None:
    """Pieces of several calls come in any order, as long as those of each call keep theirs."""
    signs = REPEATED[form]
    known = [{"id": f"x{i}"} if "id" in signs(i) else {} for i in range(len(texts))]
    whole_body = decoded(None, whole=[call("look", text, **known[i]) for i, text in enumerate(texts)])
    begins = [[call(args=piece, **{"name": "look", **signs(i)}) for piece in [""]] for i in range(len(texts))]
    queues = [
        [*begins[i], *(call(args=piece, **signs(i)) for piece in cut(data, text))] for i, text in enumerate(texts)
    ]
    arrays = [[queue.pop(0)] for queue in queues]  # calls begin in their order
    while any(queues):
        arrays.append([data.draw(st.sampled_from([queue for queue in queues if queue])).pop(0)])
    streamed = decoded(arrays).tool_calls
    assert streamed == whole_body.tool_calls


@given(text=ARGUMENTS, data=st.data())
def test_any_split_of_one_calls_arguments_needs_no_sign(text: str, data: st.DataObject) -> None:
    pieces = cut(data, text)
    expected = decoded(None, whole=[call("look", text)]).tool_calls
    assert decoded([[call("look", "")], *([call(args=piece)] for piece in pieces)]).tool_calls == expected


@given(text=st.text(alphabet='\\ud83De0"ax', max_size=30) | ARGUMENTS, data=st.data())
def test_arguments_that_langchain_reads_in_pieces_are_those_of_the_whole(text: str, data: st.DataObject) -> None:
    halves = HalfEscapes()
    told = "".join([*map(halves.feed, cut(data, text)), halves.rest()])
    try:
        expected = parse_arguments(text)
    except ValueError:
        return
    assert json.loads(told or "{}") == expected


@pytest.mark.parametrize("mode", ["invoke", "stream"])
def test_a_body_with_arguments_nested_beyond_reading_is_a_typed_error(mode: str, kimi: LocalKimi) -> None:
    driver = next(d for d in DRIVERS if d.name == f"langchain-{mode}")
    sent = json.dumps(
        body([call("look", "DEEP", "a")]) if mode == "invoke" else frames([[call("look", "DEEP", "a")]])[0]
    )
    sent = sent.replace('"DEEP"', DEEP)
    kimi.enqueue(raw=sent.encode()) if mode == "invoke" else kimi.enqueue(chunks=[f"data: {sent}\n\n".encode()])
    with pytest.raises(APIError):
        ask(driver, kimi)


@pytest.mark.parametrize("arguments", ['{"city": "Os', DEEP, '{"city": "\\ud83d"}'], ids=lambda a: a[:10])
def test_arguments_go_back_as_the_model_wrote_them(arguments: str, driver: Driver, kimi: LocalKimi) -> None:
    send(kimi, driver, Shape("", [], [call("look", arguments, "a")], [[call("look", arguments, "a")]]))
    made = model(driver, kimi)
    native = driver.ask(made, "Look.", tools=[look]).native
    if driver.framework == "langchain":
        made.invoke([HumanMessage("Look."), native, ToolMessage("No.", tool_call_id="a"), HumanMessage("Again.")])
    else:
        result = ChatMessage(role="tool", content="No.", additional_kwargs={"tool_call_id": "a"})
        made.chat([ChatMessage("Look."), native.message, result, ChatMessage("Again.")])
    (sent,) = kimi.requests[-1].body["messages"][1]["tool_calls"]
    assert sent["function"]["arguments"] == arguments


def test_two_calls_with_one_id_are_both_run_by_an_agent(kimi: LocalKimi) -> None:
    kimi.enqueue(json=body([call("look", OSLO, "a", type="function"), call("look", '{"city": "Rome"}', "a")]))
    agent = create_agent(ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, thinking=False), [look])
    messages = agent.invoke({"messages": [("user", "Look Oslo and Rome up.")]})["messages"]
    assert [m.content for m in messages if m.type == "tool"] == ["Oslo", "Rome"]
    sent = [m for m in kimi.requests[-1].body["messages"] if m["role"] == "tool"]
    assert [(m["tool_call_id"], m["content"]) for m in sent] == [("a", "Oslo"), ("a_2", "Rome")]


def test_a_call_that_is_in_the_text_and_in_its_field_is_one() -> None:
    leaked = "<|tool_calls_section_begin|><|tool_call_begin|>functions.look:0<|tool_call_argument_begin|>" + OSLO
    leaked += "<|tool_call_end|><|tool_calls_section_end|>"
    wire = WireRequest(path="", body={"tools": [{"function": {"name": "look"}}]})
    answer = body([call("look", OSLO, "functions.look:0")])
    answer["choices"][0]["message"]["content"] = leaked
    response = reduce(ChatCodec().decode(answer, wire, resolve(HOSTS["vllm"], "kimi-k2.6", {}), {}))
    assert [(c.id, c.arguments) for c in response.tool_calls] == [("functions.look:0", OSLO)]


def test_a_whole_message_at_the_end_of_a_stream_says_nothing_again() -> None:
    frames_ = frames([[call("look", OSLO, "a", 0)]])
    del frames_[-1]["choices"][0]["delta"]
    del frames_[-1]["object"]
    frames_[-1]["choices"][0]["message"] = {"tool_calls": [call("look", OSLO, "a")]}
    decoder = ChatCodec().decoder(WireRequest(path="", body={}), resolve(HOSTS["moonshot"], "kimi-k2.6", {}), {})
    events = [event for frame in frames_ for event in decoder.feed(frame)]
    assert len(reduce([*events, *decoder.end()]).tool_calls) == 1


def test_a_tool_whose_name_is_a_number_is_found() -> None:
    wire = WireRequest(path="", body={"tools": [{"type": "function", "function": {"name": "7"}}]})
    response = reduce(ChatCodec().decode(body([call(7, "{}")]), wire, resolve(HOSTS["moonshot"], "kimi-k2.6", {}), {}))
    assert response.tool_calls[0].name == "7"


def test_something_that_is_no_list_of_calls_is_named(kimi: LocalKimi) -> None:
    kimi.enqueue(json=body({"look": OSLO}))
    with pytest.raises(DecodeError):
        ask(DRIVERS[0], kimi)
