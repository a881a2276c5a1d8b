"""How much of the product one call goes through: no more than a reader can follow."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest
from llama_index.core.llms import ChatMessage

from kimi_adapters.local_server import LocalKimi
from langchain_kimi import ChatKimi
from llama_index_kimi import KimiLLM

OURS = ("kimi_core/", "langchain_kimi/", "llama_index_kimi/")
QUESTION = "What is the weather in Paris? Answer in a sentence, please, with some words."
MOST_FUNCTIONS, MOST_FILES = 100, 33
MOST_MOVES = 100, 5
"""Changes from one file to another: for the whole call, and for each piece of a stream."""


def ways(kimi: LocalKimi) -> dict[str, Callable[[], Sequence[Any]]]:
    model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key)
    llm = KimiLLM(base_url=kimi.base_url, api_key=kimi.api_key)
    asked = [ChatMessage(role="user", content=QUESTION)]
    return {
        "langchain-invoke": lambda: [model.invoke(QUESTION)],
        "langchain-stream": lambda: list(model.stream(QUESTION)),
        "llama_index-invoke": lambda: [llm.chat(asked)],
        "llama_index-stream": lambda: list(llm.stream_chat(asked)),
    }


@contextmanager
def watched() -> Iterator[list[tuple[str, str]]]:
    """Files and names of the product's functions, in the order in which they are gone into."""
    trail: list[tuple[str, str]] = []

    def watch(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and "<" not in code.co_name:
            places = (code.co_filename.find(f"/{root}") for root in OURS)
            if (at := max(places)) >= 0:
                trail.append((code.co_filename[at:], code.co_qualname))

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        yield trail
    finally:
        sys.setprofile(before)


@pytest.mark.parametrize("way", ["langchain-invoke", "langchain-stream", "llama_index-invoke", "llama_index-stream"])
def test_a_call_goes_through_no_more_than_a_reader_can_follow(
    way: str, kimi: LocalKimi, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "kimi_core.usage")  # another test may have asked for a line for each answer
    call = ways(kimi)[way]
    call()  # imports, and what is kept from then on
    with watched() as trail:
        pieces = call()
    assert len({name for _, name in trail}) > 50  # it was watched
    assert len(set(trail)) <= MOST_FUNCTIONS
    assert len({file for file, _ in trail}) <= MOST_FILES
    moves = sum(one[0] != next[0] for one, next in zip(trail, trail[1:], strict=False))
    assert moves <= MOST_MOVES[0] + MOST_MOVES[1] * len(pieces)
