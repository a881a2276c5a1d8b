"""Annotations that programs resolve: LangChain does, to find out what returns a runnable.

Those for deepagents are in `langchain_kimi/agents/test_deepagents.py`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, get_type_hints

import pytest
from llama_index.core.llms.structured_llm import StructuredLLM
from pydantic import BaseModel

from kimi_adapters.local_server import LocalKimi
from kimi_core import AsyncKimiClient, KimiClient
from langchain_kimi import ChatKimi, prefill, register
from llama_index_kimi import KimiLLM

OURS = ("kimi_core", "langchain_kimi", "llama_index_kimi")


class City(BaseModel):
    """A city."""

    name: str


def get_weather(city: str) -> str:
    """Say what the weather is like in a city."""
    return f"It is sunny in {city}."


def public_methods(cls: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    """What a class offers of ours, whether it has it from itself or from a class of ours that it is made of."""
    for name in dir(cls):
        found = inspect.getattr_static(cls, name)
        function = getattr(found, "__func__", None) or getattr(found, "fget", None) or found
        if inspect.isfunction(function) and function.__module__.startswith(OURS) and not name.startswith("_"):
            yield name, function


CLASSES: list[type] = [
    ChatKimi,
    KimiLLM,
    type(KimiLLM(api_key="k").as_structured_llm(City)),
    KimiClient,
    AsyncKimiClient,
]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_annotations_of_public_methods_resolve(cls: type) -> None:
    resolved = {name: get_type_hints(method) for name, method in public_methods(cls)}
    assert len(resolved) > 1
    assert all("return" in hints for hints in resolved.values())


@pytest.mark.parametrize("function", [prefill, register])
def test_annotations_of_public_functions_resolve(function: Callable[..., Any]) -> None:
    assert "return" in get_type_hints(function)


def test_the_llm_for_objects_is_annotated_as_one() -> None:
    assert get_type_hints(KimiLLM.as_structured_llm)["return"] is StructuredLLM


@pytest.fixture
def with_spare(kimi: LocalKimi) -> Any:
    """A model that is overloaded, and one that answers in its place."""
    first, fallback = (
        ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, model=model, max_retries=0)
        for model in ("kimi-k2.6", "kimi-k3")
    )
    kimi.fail(1, status=429, type="engine_overloaded_error")
    return first.with_fallbacks([fallback])


def test_tools_are_bound_to_a_model_and_to_its_fallback(kimi: LocalKimi, with_spare: Any) -> None:
    answer = with_spare.bind_tools([get_weather]).invoke("Call get_weather for Paris.")
    assert [call["name"] for call in answer.tool_calls] == ["get_weather"]
    assert [request.body["tools"][0]["function"]["name"] for request in kimi.requests] == ["get_weather"] * 2


def test_a_schema_is_asked_of_a_model_and_of_its_fallback(kimi: LocalKimi, with_spare: Any) -> None:
    assert with_spare.with_structured_output(City).invoke("Alora is a city named Alora.") == City(name="Alora")
    assert [request.body["model"] for request in kimi.requests] == ["kimi-k2.6", "kimi-k3"]


@pytest.mark.parametrize("method", ["count_tokens", "get_num_tokens"])
def test_what_is_no_runnable_is_asked_of_the_model_itself(with_spare: Any, method: str) -> None:
    assert getattr(with_spare, method)("How many tokens?") > 0
