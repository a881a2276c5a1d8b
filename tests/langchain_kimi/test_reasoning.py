"""Reasoning comes as a block of its own and goes back where Kimi wants it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_ways import CALL, Ask, add, frames, sent, streams, ways

from kimi_adapters.local_server import LocalKimi
from kimi_core import KimiWarning
from langchain_kimi import ChatKimi


@ways
def test_reasoning_is_sent_back_on_tool_turns(model: ChatKimi, kimi: LocalKimi, ask: Ask) -> None:
    kimi.enqueue(reasoning="I add.", tool_calls=[CALL])
    bound = model.bind_tools([add])
    first = ask(bound, "What is 1 + 2?")
    ask(bound, [HumanMessage("What is 1 + 2?"), first, ToolMessage("3", tool_call_id="add_0")])
    assert sent(kimi)["messages"][1]["reasoning_content"] == "I add."


@ways
def test_reasoning_goes_back_from_blocks_too(make: Callable[..., ChatKimi], kimi: LocalKimi, ask: Ask) -> None:
    kimi.enqueue(reasoning="I add.", tool_calls=[CALL])
    bound = make(output_version="v1").bind_tools([add])
    first = ask(bound, "What is 1 + 2?")
    ask(bound, [HumanMessage("What is 1 + 2?"), first, ToolMessage("3", tool_call_id="add_0")])
    assert sent(kimi)["messages"][1]["reasoning_content"] == "I add."


def test_another_models_tool_turn_gets_a_placeholder(model: ChatKimi, kimi: LocalKimi) -> None:
    call = {"name": "add", "args": {"a": 1, "b": 2}, "id": "call_1"}
    history = [HumanMessage("1 + 2?"), AIMessage("", tool_calls=[call]), ToolMessage("3", tool_call_id="call_1")]
    with pytest.warns(KimiWarning, match="repaired"):
        model.bind_tools([add]).invoke(history)
    assert sent(kimi)["messages"][1]["reasoning_content"] == " "


@ways
def test_reasoning_is_a_block_before_the_text(model: ChatKimi, kimi: LocalKimi, ask: Ask) -> None:
    kimi.enqueue(text="Paris.", reasoning="France, so Paris.")
    blocks = ask(model, "The capital of France?").content_blocks
    assert [(block["type"], block.get("reasoning") or block.get("text")) for block in blocks] == [
        ("reasoning", "France, so Paris."),
        ("text", "Paris."),
    ]


@pytest.mark.parametrize("key", ["reasoning", "reasoning_content"])
@streams
def test_reasoning_is_read_under_either_key(model: ChatKimi, kimi: LocalKimi, ask: Ask, key: str) -> None:
    kimi.enqueue(sse=frames({key: "France, "}, {key: "so Paris."}, {"content": "Paris."}))
    assert ask(model, "The capital of France?").content_blocks[0]["reasoning"] == "France, so Paris."  # type: ignore[typeddict-item]


def test_thinking_of_earlier_turns_is_kept_on_request(make: Callable[..., ChatKimi], kimi: LocalKimi) -> None:
    model = make(thinking={"type": "enabled", "keep": "all"})
    first = model.invoke("What is 2 + 3?")
    model.invoke([HumanMessage("What is 2 + 3?"), first, HumanMessage("And 4 + 5?")])
    assert sent(kimi)["thinking"] == {"type": "enabled", "keep": "all"}
    assert sent(kimi)["messages"][1]["reasoning_content"] == first.additional_kwargs["reasoning_content"]


def test_reasoning_blocks_do_not_leak_into_the_content(model: ChatKimi, kimi: LocalKimi) -> None:
    blocks: Any = [
        {"type": "reasoning", "reasoning": "Hm."},
        {"type": "thinking", "thinking": "Hm.", "signature": "x"},
        {"type": "text", "text": "Paris."},
    ]
    model.invoke([HumanMessage("The capital of France?"), AIMessage(blocks), HumanMessage("Sure?")])
    assert sent(kimi)["messages"][1]["content"] == "Paris."
