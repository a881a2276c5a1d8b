"""The options of the constructor and of calls, and what LlamaIndex learns about the model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core.base.llms.base import BaseLLM
from llama_index.core.base.llms.types import ChatMessage, MessageRole
from llama_index.core.callbacks import CallbackManager
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.prompts import PromptTemplate

from kimi_adapters.local_server import LocalKimi
from kimi_core import HOSTS, MODELS, Address, ConfigError, HostSpec, KimiWarning, UnknownHostError, UnknownOptionError
from kimi_core.options import CONNECTION, OPTIONS
from llama_index_kimi import KimiLLM

ASKED = [ChatMessage(role="user", content="Hi")]

# What a host without peculiarities is sent: word, a value of the constructor, one of the call, and what that becomes.
SENT: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "thinking": (False, True, {"chat_template_kwargs": {"thinking": True, "enable_thinking": True}}),
    "reasoning_effort": ("low", "high", {"reasoning_effort": "high"}),
    "max_tokens": (10, 20, {"max_tokens": 20}),
    "temperature": (0.1, 0.9, {"temperature": 0.9}),
    "top_p": (0.1, 0.9, {"top_p": 0.9}),
    "presence_penalty": (0.1, 0.9, {"presence_penalty": 0.9}),
    "frequency_penalty": (0.1, 0.9, {"frequency_penalty": 0.9}),
    "stop": (["a"], ["b", "c"], {"stop": ["b", "c"]}),
    "seed": (1, 2, {"seed": 2}),
    "logprobs": (False, True, {"logprobs": True}),
    "top_logprobs": (1, 2, {"top_logprobs": 2}),
    "parallel_tool_calls": (True, False, {"parallel_tool_calls": False}),
    "prompt_cache_key": ("a", "b", {"prompt_cache_key": "b"}),
    "safety_identifier": ("a", "b", {"safety_identifier": "b"}),
    "extra_body": ({"x": 1}, {"x": 2}, {"x": 2}),
    "additional_kwargs": ({"x": 1, "top_p": 0.1}, {"x": 2, "top_p": 0.9}, {"x": 2, "top_p": 0.9}),
}
UNSENT = {
    "n",
    "extra_headers",
    "prompt_cache_options",
    "empty_answer",
    "host_options",
    "agent",
    "merge_deltas",
    "stop_repetition",
}
# K3 has effort levels, K2.6 can switch thinking.
MODEL = {"thinking": "kimi-k2.6"}


@pytest.fixture
def plain(make: Callable[..., KimiLLM]) -> Callable[..., KimiLLM]:
    """Makes an LLM on a host without peculiarities."""
    return lambda **given: make(host="generic", model="kimi-k3", **given)


def test_every_option_is_in_the_table() -> None:
    assert {*OPTIONS, "additional_kwargs"} == {*SENT, *UNSENT}


BESIDE: dict[str, Any] = {
    "parallel_tool_calls": {"tools": [{"type": "function", "function": {"name": "look", "parameters": {}}}]}
}
"""What an option is sent beside, where it is not sent alone."""


@pytest.mark.parametrize("word", SENT)
def test_an_option_of_the_constructor_is_sent(plain: Any, kimi: LocalKimi, word: str) -> None:
    _, value, wire = SENT[word]
    kimi.enqueue(text="Hello", unchecked=True)
    plain(**{word: value}).chat(ASKED, model=MODEL.get(word, "kimi-k3"), **BESIDE.get(word, {}))
    body = kimi.requests[-1].body
    assert all(body[key] == sent for key, sent in wire.items())


@pytest.mark.parametrize("word", SENT)
@pytest.mark.parametrize("way", ["chat", "achat", "stream_chat", "astream_chat"])
def test_the_call_wins_over_the_constructor(plain: Any, kimi: LocalKimi, word: str, way: str) -> None:
    mine, given, wire = SENT[word]
    kimi.enqueue(text="Hello", unchecked=True)
    run(plain(**{word: mine}), way, model=MODEL.get(word, "kimi-k3"), **{word: given}, **BESIDE.get(word, {}))
    body = kimi.requests[-1].body
    assert all(body[key] == sent for key, sent in wire.items())


def test_cache_options_of_the_call_win_where_the_host_has_them(make: Callable[..., KimiLLM], kimi: LocalKimi) -> None:
    kimi.enqueue(text="Hello", unchecked=True)
    make(prompt_cache_options={"mode": "implicit", "ttl": "5m"}).chat(ASKED, prompt_cache_options={"ttl": "1h"})
    assert kimi.requests[-1].body["prompt_cache_options"]["ttl"] == "1h"


def test_a_body_of_the_call_is_added_to_that_of_the_constructor(plain: Any, kimi: LocalKimi) -> None:
    kimi.enqueue(text="Hello", unchecked=True)
    plain(extra_body={"x": 1, "y": 1}).chat(ASKED, extra_body={"x": 2})
    assert (kimi.requests[-1].body["x"], kimi.requests[-1].body["y"]) == (2, 1)


def run(llm: KimiLLM, way: str, **words: Any) -> None:
    if way == "chat":
        llm.chat(ASKED, **words)
    elif way == "stream_chat":
        list(llm.stream_chat(ASKED, **words))
    else:
        asyncio.run(arun(llm, way, words))


async def arun(llm: KimiLLM, way: str, words: dict[str, Any]) -> None:
    if way == "achat":
        await llm.achat(ASKED, **words)
    else:
        assert [response async for response in await llm.astream_chat(ASKED, **words)]


def test_by_default_nothing_is_sent_but_the_question(llm: KimiLLM, kimi: LocalKimi) -> None:
    llm.chat(ASKED)
    assert kimi.requests[-1].body == {
        "model": "kimi-k2.6",
        "messages": [{"role": "user", "content": "Hi"}],
    }


def test_an_option_that_was_set_later_holds(llm: KimiLLM, kimi: LocalKimi) -> None:
    llm.max_tokens = 77
    llm.chat(ASKED)
    assert kimi.requests[-1].body["max_completion_tokens"] == 77


def test_the_connection_cannot_be_set_later(llm: KimiLLM) -> None:
    with pytest.raises(ConfigError, match="frozen"):
        llm.base_url = "http://elsewhere"


def test_a_pinned_value_is_left_out_with_one_warning(make: Callable[..., KimiLLM], kimi: LocalKimi) -> None:
    llm = make(temperature=0.1)
    with pytest.warns(KimiWarning, match="temperature=0.1 is not sent"):
        llm.chat(ASKED)
    llm.chat(ASKED)
    assert "temperature" not in kimi.requests[-1].body


def test_headers_are_added_up(make: Callable[..., KimiLLM], kimi: LocalKimi) -> None:
    llm = make(default_headers={"x-a": "1", "x-b": "1"}, extra_headers={"x-b": "2", "x-c": "2"})
    llm.chat(ASKED, extra_headers={"x-c": "3"})
    headers = kimi.requests[-1].headers
    assert (headers["x-a"], headers["x-b"], headers["x-c"]) == ("1", "2", "3")


# ------------------------------------------------------------------------------------------------- connection


def test_the_host_is_moonshot_by_default() -> None:
    llm = KimiLLM(api_key="k")
    assert (llm.host, llm.base_url, llm.model) == ("moonshot", "https://api.moonshot.ai/v1", "kimi-k2.6")


def test_a_known_address_tells_the_host() -> None:
    assert KimiLLM(api_key="k", base_url="https://api.aimlapi.com/v1").host == "aimlapi"


def test_an_address_has_two_names() -> None:
    assert KimiLLM(api_key="k", api_base="https://api.moonshot.cn/v1/").base_url == "https://api.moonshot.cn/v1"


def test_a_spec_of_ones_own_is_a_host(kimi: LocalKimi) -> None:
    spec = HostSpec(name="mine", title="Mine", address=Address(base_url=kimi.base_url))
    llm = KimiLLM(host=spec, api_key=kimi.api_key)
    assert llm.host == "mine"
    assert llm.chat(ASKED).message.content


def test_a_host_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(UnknownHostError, match="Did you mean 'moonshot'"):
        KimiLLM(host="moonshott")


def test_a_call_can_go_to_another_host(llm: KimiLLM, aimlapi: LocalKimi) -> None:
    there = {"host": "aimlapi", "base_url": aimlapi.base_url, "api_key": aimlapi.api_key}
    llm.chat(ASKED, **there)
    list(llm.stream_chat(ASKED, **there))
    assert [request.body["model"] for request in aimlapi.requests] == ["moonshot/kimi-k2-6"] * 2
    assert llm.host == "moonshot"


@pytest.mark.parametrize("word", CONNECTION)
def test_every_option_of_the_connection_can_be_given_per_call(llm: KimiLLM, kimi: LocalKimi, word: str) -> None:
    values = {
        "host": HOSTS["moonshot"],
        "api_key": kimi.api_key,
        "base_url": kimi.base_url,
        "timeout": 30,
        "max_retries": 0,
        "default_headers": {"x-a": "1"},
        "on_unsupported": "ignore",
        "overrides": {"context": 5},
    }
    keep = {"base_url": kimi.base_url, "api_key": kimi.api_key} if word == "host" else {}
    assert llm.chat(ASKED, **{word: values.get(word), **keep}).message.content


def test_facts_can_be_overridden(make: Callable[..., KimiLLM], kimi: LocalKimi) -> None:
    make(overrides={"sampling.pinned": False}).chat(ASKED, temperature=1.0)
    assert kimi.requests[-1].body["temperature"] == 1.0


def test_what_is_asked_in_vain_can_be_an_error(make: Callable[..., KimiLLM]) -> None:
    with pytest.raises(ConfigError, match="seed"):
        make(on_unsupported="error").chat(ASKED, seed=1)


# ----------------------------------------------------------------------------------------------- unknown words


def test_an_unknown_option_is_an_error_of_the_constructor() -> None:
    with pytest.raises(UnknownOptionError, match=r"'temprature'\. Did you mean 'temperature'"):
        KimiLLM(temprature=1)


@pytest.mark.parametrize("way", ["chat", "achat", "stream_chat", "astream_chat"])
def test_an_unknown_option_is_an_error_of_the_call(llm: KimiLLM, kimi: LocalKimi, way: str) -> None:
    with pytest.raises(UnknownOptionError, match="Did you mean 'max_tokens'"):
        run(llm, way, max_token=1)
    assert kimi.requests == []


@pytest.mark.parametrize("given", [{"thinking": "yes"}, {"thinking": {"typ": "enabled"}}, {"max_retries": -1}])
def test_a_wrong_value_is_an_error_of_the_constructor(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        KimiLLM(**given)


@pytest.mark.parametrize("word", ["api_key", "api_base", "extra_headers", "timeout"])
def test_the_connection_does_not_belong_into_additional_kwargs(word: str) -> None:
    with pytest.raises(ConfigError, match=f"{word} is an argument of its own"):
        KimiLLM(additional_kwargs={word: "x"})


def test_an_extra_body_wins_over_additional_kwargs(plain: Any, kimi: LocalKimi) -> None:
    kimi.enqueue(text="Hello", unchecked=True)
    plain(additional_kwargs={"x": 1, "y": 1, "extra_body": {"y": 2, "z": 2}}, extra_body={"z": 3}).chat(ASKED)
    body = kimi.requests[-1].body
    assert (body["x"], body["y"], body["z"]) == (1, 2, 3)


# ----------------------------------------------------------------------------------------- what LlamaIndex asks


def test_it_is_a_function_calling_llm() -> None:
    assert issubclass(KimiLLM, FunctionCallingLLM)
    assert BaseLLM.__name__ in [base.__name__ for base in KimiLLM.__mro__]
    assert KimiLLM.class_name() == "Kimi_LLM"


@pytest.mark.parametrize("spec", MODELS.values(), ids=list(MODELS))
def test_metadata_is_that_of_the_models_spec(spec: Any) -> None:
    metadata = KimiLLM(model=spec.id, api_key="k").metadata
    assert (metadata.context_window, metadata.num_output) == (spec.context, 3072)
    assert (metadata.is_chat_model, metadata.is_function_calling_model) == (True, True)
    assert (metadata.model_name, metadata.system_role) == (spec.id, MessageRole.SYSTEM)


def test_metadata_follows_what_was_set() -> None:
    metadata = KimiLLM(api_key="k", max_tokens=500, context_window=9000, is_function_calling_model=False).metadata
    assert (metadata.num_output, metadata.context_window) == (500, 9000)
    assert metadata.is_function_calling_model is False


def test_every_inherited_field_is_taken() -> None:
    manager = CallbackManager([])
    llm = KimiLLM(
        api_key="k",
        callback_manager=manager,
        system_prompt="Be kind.",
        messages_to_prompt=lambda messages: "x",
        completion_to_prompt=lambda text: text,
        pydantic_program_mode="function",
        output_parser=None,
        query_wrapper_prompt=None,
        rate_limiter=None,
    )
    assert (llm.callback_manager, llm.system_prompt) == (manager, "Be kind.")


class Limiter:
    """Counts."""

    taken = 0

    def acquire(self) -> None:
        self.taken += 1


def test_a_rate_limiter_is_asked_before_each_call(make: Callable[..., KimiLLM]) -> None:
    limiter = Limiter()
    llm = make(rate_limiter=limiter)
    llm.chat(ASKED)
    list(llm.stream_complete("Hi"))
    assert limiter.taken == 2


def test_predict_puts_the_system_prompt_before(make: Callable[..., KimiLLM], kimi: LocalKimi) -> None:
    make(system_prompt="Be kind.").predict(PromptTemplate("Hello {who}"), who="you")
    assert [m["content"] for m in kimi.requests[-1].body["messages"]] == ["Be kind.", "Hello you"]


def test_the_environment_is_read_once(kimi: LocalKimi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOONSHOT_API_KEY", kimi.api_key)
    monkeypatch.setenv("MOONSHOT_BASE_URL", kimi.base_url)
    llm = KimiLLM()
    monkeypatch.setenv("MOONSHOT_API_KEY", "another")
    monkeypatch.setenv("MOONSHOT_BASE_URL", "http://127.0.0.1:9")
    assert llm.base_url == kimi.base_url
    assert llm.chat(ASKED).message.content
