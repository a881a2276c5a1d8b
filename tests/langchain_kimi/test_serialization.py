"""Messages go through checkpoints, and used models through copies and pickles."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_ways import CALL, Ask, add, ways
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from kimi_adapters.local_server import LocalKimi
from langchain_kimi import ChatKimi


@ways
@pytest.mark.parametrize("version", ["v0", "v1"])
def test_messages_are_plain_and_survive_a_checkpoint(
    make: Callable[..., ChatKimi], kimi: LocalKimi, ask: Ask, version: str
) -> None:
    kimi.enqueue(reasoning="I add.", text="So:", tool_calls=[CALL])
    message = ask(make(output_version=version).bind_tools([add]), "What is 1 + 2?")
    assert type(message) in (AIMessage, AIMessageChunk)
    serde = JsonPlusSerializer()
    assert serde.loads_typed(serde.dumps_typed(message)) == message
    json.dumps(message.model_dump())


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_used_model_is_copied_and_pickled(model: ChatKimi, copied: Callable[[Any], Any]) -> None:
    model.invoke("Hello")
    assert copied(model).invoke("Hello").text
