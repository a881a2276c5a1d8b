"""Words, addresses and model ids that people bring from elsewhere are answered with what to say instead."""

from __future__ import annotations

from typing import Any

import pytest
from drivers import DRIVERS, Driver

from kimi_core import UnknownOptionError
from kimi_core.emulator import LocalKimi
from kimi_core.hints import INSTEAD, MEANT
from kimi_core.options import ALIASES, CONNECTION, OPTIONS
from langchain_kimi import ChatKimi
from llama_index_kimi import KimiLLM

FRAMEWORKS = [d for d in DRIVERS if d.mode == "invoke"]


@pytest.fixture(params=FRAMEWORKS, ids=[d.framework for d in FRAMEWORKS])
def framework(request: pytest.FixtureRequest) -> Driver:
    return request.param


def where(server: LocalKimi) -> dict[str, Any]:
    return {"base_url": server.base_url, "api_key": server.api_key}


CASES = [
    ("request_timeout", "Give timeout."),
    ("num_retries", "Give max_retries."),
    ("openai_api_key", "Give api_key."),
    ("moonshot_api_key", "Give api_key."),
    ("MOONSHOT_API_KEY", "Give api_key."),
    ("openai_api_base", "Give base_url."),
    ("custom_llm_provider", "Give host."),
    ("model_kwargs", "Give extra_body="),
    ("max_new_tokens", "Give max_tokens."),
    ("user", "Give safety_identifier."),
    ("num_return_sequences", "Give n."),
    ("enable_thinking", "Give thinking=True or thinking=False."),
    ("drop_params", "on_unsupported='ignore'"),
    ("functions", r"give tools=\[…\]"),
    ("function_call", "give tool_choice"),
    ("openai_proxy", "Give http_client"),
    ("is_chat_model", "always asked as a chat model"),
]


@pytest.mark.parametrize(("word", "advice"), CASES)
def test_a_word_from_elsewhere_is_answered_at_construction_and_per_call(
    framework: Driver, kimi: LocalKimi, word: str, advice: str
) -> None:
    with pytest.raises(UnknownOptionError, match=rf"no option '{word}'\. .*{advice}"):
        framework.make(**where(kimi), **{word: "sk-canary-4711"})
    with pytest.raises(UnknownOptionError, match=advice) as caught:
        framework.ask(framework.make(**where(kimi)), "Hello", **{word: "sk-canary-4711"})
    assert "canary" not in str(caught.value)
    assert kimi.requests == []


@pytest.mark.parametrize("word", ["max_completion_tokens", "stop_sequences", "api_base", "async_http_client"])
def test_a_word_that_means_the_same_is_understood(framework: Driver, word: str) -> None:
    value = {"max_completion_tokens": 9, "stop_sequences": ["x"], "api_base": "http://127.0.0.1:9/v1"}.get(word)
    made = framework.make(api_key="k", **{word: value})
    assert getattr(made, ALIASES[word], None) == value


def test_a_word_that_nobody_is_known_to_bring_has_the_nearest_one(framework: Driver) -> None:
    with pytest.raises(UnknownOptionError, match=r"Did you mean 'temperature'\?.*extra_body"):
        framework.make(api_key="k", temprature=1)


def test_no_word_of_the_table_is_a_word_here() -> None:
    both = {*CONNECTION, *OPTIONS, *ALIASES} | ({*ChatKimi.model_fields} & {*KimiLLM.model_fields})
    assert not both & {*MEANT, *INSTEAD}
    assert {*MEANT.values()} <= {*CONNECTION, *OPTIONS, "model", "tools", "tool_choice"}


@pytest.mark.parametrize("sentence", INSTEAD.values())
def test_an_advice_is_a_sentence(sentence: str) -> None:
    assert sentence[0].isupper()
    assert sentence.endswith(".")


@pytest.mark.parametrize("word", ["openai_api_key", "request_timeout", "api_base"])
def test_a_key_or_address_does_not_get_into_a_body(kimi: LocalKimi, word: str) -> None:
    with pytest.raises(Exception, match=word):
        KimiLLM(**where(kimi), additional_kwargs={word: "sk-canary-4711"})
    assert kimi.requests == []
