"""Ten findings about how chat models for compatible hosts are written today, each shown not to apply to `ChatKimi`.

What is a matter of time is shown by what is not done; the figures are those of `make bench`.
"""

from __future__ import annotations

import asyncio
import copy
import pickle
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ToolStrategy
from langchain_core.callbacks import get_usage_metadata_callback
from langchain_core.exceptions import ContextOverflowError, ModelConnectionError, ModelError
from langchain_core.messages import HumanMessage
from pydantic import BaseModel

from kimi_adapters.local_server import LocalKimi
from langchain_kimi import ChatKimi
from langchain_kimi._messages_in import to_messages

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
VIDEO = "AAAAGGZ0eXBtcDQyAAAAAG1wNDJpc29t"
CALL = {"name": "add", "arguments": {"a": 1, "b": 2}, "id": "add_0"}


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@pytest.fixture
def make(kimi: LocalKimi) -> Callable[..., ChatKimi]:
    return lambda **given: ChatKimi(**{"base_url": kimi.base_url, "api_key": kimi.api_key, **given})


@pytest.fixture
def model(make: Callable[..., ChatKimi]) -> ChatKimi:
    return make()


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


def test_finding_01_the_typed_path_of_the_sdk_is_never_entered(model: ChatKimi) -> None:
    with _Calls("openai._utils._transform", "openai.types", "openai._models") as entered:
        model.invoke("Hello")
        list(model.stream("Hello"))
    assert not {
        name for name in entered if name.endswith(("maybe_transform", "_transform_recursive", "construct_type"))
    }
    assert not {name for name in entered if name.startswith("openai.types")}


def test_finding_02_chunks_are_not_validated_one_by_one(model: ChatKimi, kimi: LocalKimi) -> None:
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


@pytest.mark.parametrize("version", ["v0", "v1"])
def test_finding_03_text_and_call_are_not_fused(make: Callable[..., ChatKimi], kimi: LocalKimi, version: str) -> None:
    kimi.enqueue(text="I will add.", tool_calls=[CALL])
    whole = None
    for chunk in make(output_version=version).bind_tools([add]).stream("Add."):
        whole = chunk if whole is None else whole + chunk
    assert whole is not None
    assert [block["type"] for block in whole.content_blocks] == ["text", "tool_call"]


def test_finding_04_no_loop_is_closed_under_a_client_and_nothing_is_sent_twice(
    model: ChatKimi, kimi: LocalKimi
) -> None:
    for _ in range(5):
        asyncio.run(model.ainvoke("Hello"))
    assert len(kimi.requests) == 5


def test_finding_05_blocks_are_not_looked_up_in_type_hints() -> None:
    said = HumanMessage([{"type": "text", "text": "Hello"}] * 20)
    with _Calls("langchain_core.messages") as entered:
        to_messages([said])
    assert "langchain_core.messages.content.is_data_content_block" not in entered


def test_finding_06_a_cut_stream_is_a_model_error(model: ChatKimi, kimi: LocalKimi) -> None:
    kimi.cut_stream_after(2)
    with pytest.raises(ModelConnectionError):
        list(model.stream("Tell me something long."))


def test_finding_06_an_error_inside_a_stream_is_a_model_error(model: ChatKimi, kimi: LocalKimi) -> None:
    kimi.enqueue(sse=[{"error": {"message": "The engine is currently overloaded", "type": "engine_overloaded_error"}}])
    with pytest.raises(ModelError, match="overloaded"):
        list(model.stream("Hello"))


def test_finding_06_an_overflow_is_mapped(model: ChatKimi, kimi: LocalKimi) -> None:
    message = "Your request exceeded model token limit: 262144 (requested: 269030)"
    kimi.fail(1, status=400, type="invalid_request_error", message=message)
    with pytest.raises(ContextOverflowError):
        model.invoke("Hello")


@pytest.mark.parametrize("kind", ["image", "video"])
def test_finding_07_standard_blocks_of_videos_and_files_are_sent(model: ChatKimi, kimi: LocalKimi, kind: str) -> None:
    data, mime = (PIXEL, "image/png") if kind == "image" else (VIDEO, "video/mp4")
    model.invoke([HumanMessage([{"type": kind, "base64": data, "mime_type": mime}])])
    assert kimi.requests[-1].body["messages"][0]["content"][0]["type"] == f"{kind}_url"
    (uploaded,) = to_messages([HumanMessage([{"type": kind, "file_id": "abc"}])])
    assert uploaded.content[0].url == "ms://abc"  # type: ignore[union-attr]


class City(BaseModel):
    """A city."""

    name: str
    people: int


def test_finding_08_an_agent_that_forces_tools_is_not_refused(model: ChatKimi, kimi: LocalKimi) -> None:
    agent = create_agent(model, [add], response_format=ToolStrategy(City))
    state = agent.invoke({"messages": [HumanMessage("Alora is a city named Alora with 4100 people.")]})
    assert state["structured_response"].people == 4100
    assert kimi.errors == []


def test_finding_09_costs_do_not_break_the_sums(model: ChatKimi) -> None:
    with get_usage_metadata_callback() as usage:
        first = model.invoke("Hello")
        model.invoke("Hello")
    assert isinstance(first.response_metadata["cost_usd"], float)
    assert all(isinstance(value, int | dict) for value in usage.usage_metadata["kimi-k2.6"].values())


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_finding_10_a_used_model_is_copied_and_pickled(model: ChatKimi, copied: Callable[[Any], Any]) -> None:
    model.invoke("Hello")
    assert copied(model).invoke("Hello").text


def test_the_documentation_names_each_complaint_and_finding_that_is_tested() -> None:
    here = Path(__file__).parent
    page = (here.parents[1] / "docs" / "pages" / "complaints.md").read_text("utf-8")
    told = set(re.findall(r"`(test_(?:complaint|finding)_\d\d)_…`", page))
    tested = {
        name
        for file in ("test_complaints.py", "test_findings.py")
        for name in re.findall(r"def (test_(?:complaint|finding)_\d\d)_", (here / file).read_text("utf-8"))
    }
    assert told == tested
    assert len(told) == 30
