"""Words, addresses and model ids that people bring from elsewhere are answered with what to say instead."""

from __future__ import annotations

from typing import Any

import pytest
from drivers import INVOKED, Driver
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI

from kimi_adapters.local_server import LocalKimi
from kimi_core import ConfigError, NotFoundError, UnknownOptionError
from kimi_core.option_hints import INSTEAD, MEANT, hint
from kimi_core.options import ALIASES, CONNECTION, OPTIONS
from langchain_kimi import ChatKimi
from llama_index_kimi import KimiLLM


@pytest.fixture(params=INVOKED, ids=[d.framework for d in INVOKED])
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
    ("anthropic_api_key", "Give api_key."),
    ("openaiApiKey", "Give api_key."),
    ("max_tokens_to_sample", "Give max_tokens."),
    ("default_request_timeout", "Give timeout."),
    ("cache_control", "prompt_cache_key"),
    ("default_query", "extra_body"),
]


@pytest.mark.parametrize(("word", "advice"), CASES)
def test_an_option_from_elsewhere_is_answered_at_construction_and_per_call(
    framework: Driver, kimi: LocalKimi, word: str, advice: str
) -> None:
    with pytest.raises(UnknownOptionError, match=rf"no option '{word}'\. .*{advice}"):
        framework.make(**where(kimi), **{word: "sk-canary-4711"})
    with pytest.raises(UnknownOptionError, match=advice) as caught:
        framework.ask(framework.make(**where(kimi)), "Hello", **{word: "sk-canary-4711"})
    assert "canary" not in str(caught.value)
    assert kimi.requests == []


@pytest.mark.parametrize("word", ["max_completion_tokens", "stop_sequences", "api_base", "async_http_client"])
def test_an_option_that_means_the_same_is_understood(framework: Driver, word: str) -> None:
    value = {"max_completion_tokens": 9, "stop_sequences": ["x"], "api_base": "http://127.0.0.1:9/v1"}.get(word)
    made = framework.make(api_key="k", **{word: value})
    assert getattr(made, ALIASES[word], None) == value


@pytest.mark.parametrize("other", [ChatOpenAI, ChatAnthropic])
def test_every_option_of_another_model_is_one_here_or_answered(framework: Driver, other: type[BaseChatModel]) -> None:
    aliases = {field.alias for field in other.model_fields.values() if field.alias}
    ours: Any = ChatKimi if framework.framework == "langchain" else KimiLLM
    known = {*CONNECTION, *OPTIONS, *ALIASES, *ours.model_fields, *BaseChatModel.model_fields, "model"}
    assert {word for word in {*other.model_fields, *aliases} - known if hint(word) is None} == set()


def test_an_option_of_no_other_class_has_the_nearest_one(framework: Driver) -> None:
    with pytest.raises(UnknownOptionError, match=r"Did you mean 'temperature'\?.*extra_body"):
        framework.make(api_key="k", temprature=1)


def test_no_option_of_the_table_is_an_option_here() -> None:
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


# --------------------------------------------------------------------------------------------------- model ids

IDS = [
    ("moonshot", "moonshotai/kimi-k2.6", r"no model 'moonshotai/kimi-k2.6'.*Did you mean 'kimi-k2.6'\?.*host="),
    ("moonshot", "kimi k2.6", r"no model 'kimi k2.6'.*Did you mean 'kimi-k2.6'"),
    ("moonshot", " kimi-k3 ", "Did you mean 'kimi-k3'"),
    ("moonshot", "Kimi-K2.6", "Did you mean 'kimi-k2.6'"),
    ("moonshot", "", "model is empty"),
    ("vllm", " moonshotai/Kimi-K2.6", "begins or ends with a blank: give 'moonshotai/Kimi-K2.6'"),
    ("vllm", "  ", "model is empty"),
    ("generic", "kimi-k2.6\n", "begins or ends with a blank"),
]


@pytest.mark.parametrize(("host", "model", "text"), IDS)
def test_an_id_that_no_model_of_the_host_can_have_is_an_error_before_any_io(
    framework: Driver, kimi: LocalKimi, host: str, model: str, text: str
) -> None:
    made = framework.make(host=host, **where(kimi))
    with pytest.raises(ConfigError, match=text):
        framework.ask(made, "Hello", model=model or "\t")
    with pytest.raises(ConfigError, match=text):
        framework.ask(framework.make(host=host, **where(kimi), model=model), "Hello")
    assert kimi.requests == []


@pytest.mark.parametrize("model", ["moonshotai/kimi-k2.6", "Kimi-K2.6", "my kimi-k2.6"])
def test_a_host_of_ones_own_has_ids_of_ones_own(framework: Driver, model: str) -> None:
    made = framework.make(host="vllm", base_url="http://127.0.0.1:9/v1", model=model, on_unsupported="ignore")
    assert getattr(made, "model_name", None) or made.model == model


def test_the_form_of_ids_can_be_said_otherwise(framework: Driver, kimi: LocalKimi) -> None:
    words = {"model": "team/kimi-k2.6", "overrides": {"models.id_form": None}}
    with pytest.raises(NotFoundError, match="team/kimi-k2.6"):
        framework.ask(framework.make(host="moonshot", **where(kimi), **words), "Hello")


def test_a_long_id_is_not_repeated_in_full(framework: Driver, kimi: LocalKimi) -> None:
    with pytest.raises(ConfigError) as caught:
        framework.ask(framework.make(host="moonshot", **where(kimi)), "Hello", model="x/" * 5000)
    assert len(str(caught.value)) < 400


# --------------------------------------------------------------------------------------------------- addresses

ADDRESSES = [
    ("https://api.moonshot.ai", r"lacks '/v1'.*'https://api.moonshot.ai/v1'"),
    ("https://api.moonshot.cn/", r"'https://api.moonshot.cn/v1'"),
    ("https://api.kimi.com/coding", r"'https://api.kimi.com/coding/v1'"),
    ("https://openrouter.ai/api", r"'https://openrouter.ai/api/v1'"),
    ("https://api.moonshot.ai/v1/chat/completions", r"ends with /chat/completions.*'https://api.moonshot.ai/v1'"),
    ("http://127.0.0.1:9/v1/chat/completions/", r"'http://127.0.0.1:9/v1'"),
]


@pytest.mark.parametrize(("base_url", "text"), ADDRESSES)
def test_an_address_that_is_certainly_too_short_or_too_long_is_an_error(
    framework: Driver, base_url: str, text: str
) -> None:
    with pytest.raises(ConfigError, match=text):
        framework.make(api_key="k", base_url=base_url)


def test_a_404_of_an_address_without_a_version_says_what_may_be_missing(driver: Driver, kimi: LocalKimi) -> None:
    made = driver.make(host="vllm", base_url=kimi.base_url.removesuffix("/v1"), api_key=kimi.api_key)
    with pytest.raises(NotFoundError, match="base_url does not end with /v1.*try it with /v1"):
        driver.ask(made, "Hello")


def test_a_404_of_an_address_with_a_version_says_nothing_of_it(framework: Driver, kimi: LocalKimi) -> None:
    kimi.fail(1, status=404, type="resource_not_found_error")
    with pytest.raises(NotFoundError) as caught:
        framework.ask(framework.make(host="moonshot", **where(kimi)), "Hello")
    assert "base_url" not in str(caught.value)
