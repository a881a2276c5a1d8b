"""What holds for every stream, however the host cuts it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, TextBlock, ThinkingBlock, ToolCallBlock

from kimi_core import Usage
from kimi_core.events import Event, Finished, ReasoningDelta, Started, TextDelta, ToolCallDelta, reduce
from llama_index_kimi._messages_in import to_messages
from llama_index_kimi._messages_out import to_chat_response
from llama_index_kimi._streaming import StreamResponses

pieces = st.lists(st.text(min_size=1, max_size=12), max_size=6)
arguments = st.one_of(
    pieces,
    st.dictionaries(st.text(max_size=5), st.text(max_size=30) | st.integers(), max_size=4)
    .map(lambda value: json.dumps(value, ensure_ascii=False))
    .flatmap(lambda text: st.lists(st.integers(0, len(text)), max_size=6).map(lambda cuts: cut(text, cuts))),
)
usages = st.none() | st.builds(Usage, st.integers(0, 99), st.integers(0, 99), st.integers(0, 198))


def cut(text: str, at: list[int]) -> list[str]:
    bounds = [0, *sorted(at), len(text)]
    return [text[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]


@st.composite
def streams(draw: Any) -> list[Event]:
    """Reasoning and text in turns, then calls whose arguments may come in turns as well."""
    events: list[Event] = [Started("id", "kimi-k2.6", 1)]
    for thought, said in draw(st.lists(st.tuples(pieces, pieces), max_size=3)):
        events += [ReasoningDelta(text, "reasoning_content") for text in thought]
        events += [TextDelta(text) for text in said]
    called = draw(st.lists(arguments, max_size=3))
    events += [ToolCallDelta(i, "", f"f:{i}", "f") for i in range(len(called))]
    rest = [[ToolCallDelta(i, text) for text in texts if text] for i, texts in enumerate(called)]
    while any(rest):
        turn = draw(st.sampled_from([deltas for deltas in rest if deltas]))
        events.append(turn.pop(0))
    end = Finished("tool_calls" if called else "stop", "stop", draw(usages))
    end.response = reduce([*events, end])
    return [*events, end]


def responses(events: list[Event], **words: Any) -> Iterator[ChatResponse]:
    maker = StreamResponses(**words)
    return (response for event in events if (response := maker.add(event)) is not None)


@given(streams())
def test_the_last_response_is_that_of_a_whole_body(events: list[Event]) -> None:
    *_, last = responses(events)
    assert last == to_chat_response(reduce(events)).model_copy(update={"delta": ""})


@given(streams())
def test_deltas_add_up(events: list[Event]) -> None:
    text = thought = ""
    for response in responses(events):
        text += response.delta or ""
        thought += response.additional_kwargs.get("thinking_delta", "")
        said = [block.text for block in response.message.blocks if isinstance(block, TextBlock)]
        thoughts = [block.content for block in response.message.blocks if isinstance(block, ThinkingBlock)]
        assert said == [text]
        assert "".join(thoughts) == thought


@given(streams())
def test_what_was_handed_out_stays_as_it_was(events: list[Event]) -> None:
    kept = [(response, response.model_dump_json()) for response in responses(events)]
    assert all(response.model_dump_json() == dumped for response, dumped in kept)


@given(streams())
def test_arguments_never_shrink_and_are_noted_as_a_list(events: list[Event]) -> None:
    so_far: list[str] = []
    for response in responses(events):
        noted = response.message.additional_kwargs.get("tool_calls", [])
        blocks = [block for block in response.message.blocks if isinstance(block, ToolCallBlock)]
        texts = [call["function"]["arguments"] for call in noted]
        assert len(noted) == len(blocks)
        assert all(now.startswith(then) for now, then in zip(texts, so_far, strict=False))
        so_far = texts


@given(streams())
def test_one_call_is_handed_on_where_one_is_wanted(events: list[Event]) -> None:
    for response in responses(events, single_call=True):
        assert sum(isinstance(block, ToolCallBlock) for block in response.message.blocks) <= 1
        assert len(response.message.additional_kwargs.get("tool_calls", [])) <= 1


@given(streams())
def test_every_response_survives_json_and_can_be_sent_back(events: list[Event]) -> None:
    for response in responses(events):
        message = ChatMessage.model_validate_json(response.message.model_dump_json())
        assert message == response.message
        assert to_messages([message]) == to_messages([response.message])
        assert json.loads(json.dumps(response.raw)) == response.raw
        assert json.loads(json.dumps(response.additional_kwargs)) == response.additional_kwargs


def test_a_call_that_is_over_is_read_once() -> None:
    call = [ToolCallDelta(0, "", "f:0", "f"), ToolCallDelta(0, '{"a": 1}')]
    another = [ToolCallDelta(1, "", "f:1", "f"), ToolCallDelta(1, '{"b": '), ToolCallDelta(1, "2}")]
    made = list(responses([Started(), *call, *another]))
    blocks = [[block for block in response.message.blocks if isinstance(block, ToolCallBlock)] for response in made]
    assert blocks[1][0].tool_kwargs == '{"a": 1}'
    over = [both[0] for both in blocks if len(both) == 2]
    assert len({id(block) for block in over}) == 1
    assert over[0].tool_kwargs == {"a": 1}
