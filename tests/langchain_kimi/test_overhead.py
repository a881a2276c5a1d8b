"""What is not done for every call, message or chunk; the figures are those of `make bench`."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from pydantic import BaseModel

from kimi_adapters.local_server import LocalKimi
from langchain_kimi import ChatKimi
from langchain_kimi._messages_in import to_messages


class _Calls:
    """Which functions of some modules are entered while something runs."""

    def __init__(self, *modules: str) -> None:
        self._modules = modules
        self.names: set[str] = set()

    def __enter__(self) -> set[str]:
        sys.setprofile(self._see)
        return self.names

    def _see(self, frame: Any, event: str, _: Any) -> None:
        if event == "call" and frame.f_globals.get("__name__", "").startswith(self._modules):
            self.names.add(f"{frame.f_globals['__name__']}.{frame.f_code.co_name}")

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)


def test_chunks_are_not_validated_one_by_one(model: ChatKimi, kimi: LocalKimi) -> None:
    kimi.enqueue(text=" word" * 400)
    made: list[str] = []
    original = BaseModel.__init__

    def count(self: BaseModel, **given: Any) -> None:
        made.append(type(self).__name__)
        original(self, **given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseModel, "__init__", count)
        assert len(list(model.stream("Hello"))) > 100
    assert made.count("AIMessageChunk") + made.count("ChatGenerationChunk") < 20


def test_blocks_are_not_looked_up_in_type_hints() -> None:
    said = HumanMessage([{"type": "text", "text": "Hello"}] * 20)
    with _Calls("langchain_core.messages") as entered:
        to_messages([said])
    assert "langchain_core.messages.content.is_data_content_block" not in entered
