"""Words that users bring along from LlamaIndex's other integrations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.tools import FunctionTool

from kimi_adapters.local_server import LocalKimi
from kimi_core import UnknownOptionError
from llama_index_kimi import KimiLLM

ASKED = [ChatMessage(role="user", content="Hi")]


def test_an_option_that_means_nothing_is_answered_per_call_too(llm: KimiLLM, kimi: LocalKimi) -> None:
    with pytest.raises(UnknownOptionError, match="Give safety_identifier"):
        llm.chat(ASKED, user="me")
    assert kimi.requests == []


EXPECTED = [
    "model",
    "api_key",
    "api_base",
    "temperature",
    "max_tokens",
    "timeout",
    "max_retries",
    "default_headers",
    "additional_kwargs",
    "http_client",
    "async_http_client",
    "context_window",
    "is_function_calling_model",
    "system_prompt",
    "callback_manager",
    "pydantic_program_mode",
    "output_parser",
    "strict",
    "messages_to_prompt",
    "completion_to_prompt",
    "query_wrapper_prompt",
    "rate_limiter",
    "top_p",
    "stop",
    "seed",
    "logprobs",
    "top_logprobs",
    "reasoning_effort",
    "parallel_tool_calls",
    "extra_body",
]


@pytest.mark.parametrize("word", EXPECTED)
def test_an_option_that_users_expect_is_taken(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOONSHOT_API_KEY", "k")
    assert KimiLLM(**{"model": "kimi-k2.6", word: "kimi-k3" if word == "model" else None})


def test_only_the_model_may_be_given_without_its_name() -> None:
    assert KimiLLM("kimi-k3", api_key="k").model == "kimi-k3"
    with pytest.raises(TypeError):
        KimiLLM("kimi-k3", "moonshot")  # type: ignore[misc]


# -------------------------------------------------------------------------------------------- additional_kwargs


def test_metadata_knows_a_limit_of_additional_kwargs() -> None:
    assert KimiLLM(api_key="k", additional_kwargs={"max_tokens": 700}).metadata.num_output == 700
    assert KimiLLM(api_key="k", additional_kwargs={"max_completion_tokens": 700}).metadata.num_output == 700
    assert KimiLLM(api_key="k", additional_kwargs={"x": 1}, max_tokens=900).metadata.num_output == 900


@pytest.mark.parametrize(
    ("mine", "call", "sent"),
    [
        ({"additional_kwargs": {"top_p": 0.1}}, {}, 0.1),
        ({"additional_kwargs": {"top_p": 0.1}, "top_p": 0.2}, {}, 0.2),
        ({"additional_kwargs": {"top_p": 0.1}, "top_p": 0.2}, {"additional_kwargs": {"top_p": 0.3}}, 0.3),
        ({"additional_kwargs": {"top_p": 0.1}}, {"top_p": 0.4, "additional_kwargs": {"top_p": 0.3}}, 0.4),
    ],
)
def test_the_nearer_option_wins(
    make: Callable[..., KimiLLM], kimi: LocalKimi, mine: dict[str, Any], call: dict[str, Any], sent: float
) -> None:
    kimi.enqueue(text="Hello", unchecked=True)
    make(host="generic", **mine).chat(ASKED, **call)
    assert kimi.requests[-1].body["top_p"] == sent


def test_the_additional_kwargs_of_an_object_stay_as_they_are(make: Callable[..., KimiLLM], kimi: LocalKimi) -> None:
    mine: dict[str, Any] = {"x": {"y": 1}}
    kimi.enqueue(text="Hello", unchecked=True)
    llm = make(host="generic", additional_kwargs=mine)
    llm.chat(ASKED, additional_kwargs={"x": {"z": 2}})
    assert llm.additional_kwargs == mine == {"x": {"y": 1}}


# ------------------------------------------------------------------------------------------------------- strict


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


ADD = FunctionTool.from_defaults(add)


def said(kimi: LocalKimi) -> Any:
    return [tool["function"].get("strict") for tool in kimi.requests[-1].body["tools"]]


def test_nothing_is_said_about_strictness_by_default(llm: KimiLLM, kimi: LocalKimi) -> None:
    llm.chat_with_tools([ADD], "Add 1 and 2.")
    assert said(kimi) == [None]


@pytest.mark.parametrize("strict", [True, False])
def test_tools_can_be_strict(make: Callable[..., KimiLLM], kimi: LocalKimi, strict: bool) -> None:
    make(strict=strict).chat_with_tools([ADD], "Add 1 and 2.")
    assert said(kimi) == [strict]


def test_strictness_can_be_told_for_one_call(make: Callable[..., KimiLLM], kimi: LocalKimi) -> None:
    make(strict=True).chat_with_tools([ADD], "Add 1 and 2.", strict=False)
    assert said(kimi) == [False]


def test_what_a_tool_says_itself_goes_before(make: Callable[..., KimiLLM], kimi: LocalKimi) -> None:
    own = ADD.metadata.to_openai_tool()
    own["function"] |= {"name": "add_loosely", "strict": False}
    make(strict=True).chat([ChatMessage(content="Add 1 and 2.")], tools=[own, ADD])
    assert said(kimi) == [False, True]
