"""What is seen of an error: its words, and the user's own frames."""

from __future__ import annotations

import asyncio
import traceback
from typing import Any

import openai
import pytest
from drivers import Driver

from kimi_adapters.local_server import LocalKimi
from kimi_core import AsyncKimiClient, AuthenticationError, ConfigError, KimiClient, KimiError

OURS = ("kimi_core", "langchain_kimi", "llama_index_kimi")
BELOW = ("openai", "httpx", "httpx2", "httpcore", "httpcore2", "tenacity")


def modules(error: BaseException) -> list[str]:
    """The packages whose frames an error shows."""
    return [frame.f_globals["__name__"].partition(".")[0] for frame, _ in traceback.walk_tb(error.__traceback__)]


def test_a_wrong_key_shows_few_frames_of_ours_and_none_of_the_sdks(driver: Driver, kimi: LocalKimi) -> None:
    with pytest.raises(AuthenticationError) as caught:
        driver.ask(driver.make(base_url=kimi.base_url, host="moonshot", api_key="sk-wrong"), "Hello")
    seen = modules(caught.value)
    assert sum(name in OURS for name in seen) <= 4
    assert not set(seen) & set(BELOW)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


MISTAKES: dict[str, dict[str, Any]] = {
    "a model id": {"model": "moonshotai/kimi-k2.6"},
    "an option": {"temprature": 1},
    "a value": {"thinking": "on"},
    "a host": {"host": "moonshine"},
    "a key": {"api_key": "Bearer sk"},
    "a fact": {"overrides": {"contxt": 5}},
    "a fallback host": {"fallback_hosts": [{"host": "vllm", "overrides": {"contxt": 5}}]},
}


@pytest.mark.parametrize("given", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_at_construction_shows_few_frames_of_ours(
    driver: Driver, kimi: LocalKimi, given: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError) as caught:
        driver.ask(driver.make(**{"base_url": kimi.base_url, "host": "moonshot", "api_key": "k", **given}), "Hello")
    assert sum(name in OURS for name in modules(caught.value)) <= 4
    assert kimi.requests == []


@pytest.mark.parametrize("given", [{"host": "moonshine"}, {"temprature": 1}], ids=str)
def test_a_mistake_in_a_copy_shows_few_frames_of_ours(framework: Driver, given: dict[str, Any]) -> None:
    model = framework.make(api_key="k")
    with pytest.raises(ConfigError) as caught:
        model.model_copy(update=given)
    assert sum(name in OURS for name in modules(caught.value)) <= 4


def test_a_broken_stream_shows_no_frames_of_the_sdk(driver: Driver, kimi: LocalKimi) -> None:
    frame = {"id": "1", "choices": [{"index": 0, "delta": {"content": "a"}}]}
    kimi.enqueue(sse=[frame], cut=True, unchecked=True)
    with pytest.raises(KimiError) as caught:
        driver.ask(driver.make(base_url=kimi.base_url, host="moonshot", api_key=kimi.api_key, max_retries=0), "Hello")
    seen = modules(caught.value)
    assert sum(name in OURS for name in seen) <= 4
    assert not set(seen) & set(BELOW)


ENVIRONMENTS: dict[str, tuple[dict[str, str], str]] = {
    "no such certificates": ({"SSL_CERT_FILE": "/no/such.pem"}, r"SSL_CERT_FILE='/no/such\.pem'"),
    "no certificates in it": ({"SSL_CERT_FILE": __file__}, r"SSL_CERT_FILE='.*test_tracebacks\.py'"),
    "a proxy that needs a package": ({"ALL_PROXY": "socks5://me:canary@127.0.0.1:9"}, r"socksio.* in ALL_PROXY"),
    "a proxy of no known kind": ({"HTTPS_PROXY": "ftp://me:canary@127.0.0.1:9"}, "address in HTTPS_PROXY"),
    "a proxy that is no address": ({"https_proxy": "me:canary"}, "address in https_proxy"),
}


@pytest.mark.parametrize("what", ENVIRONMENTS)
def test_what_is_wrong_with_the_environment_is_said(
    driver: Driver, kimi: LocalKimi, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    environment, words = ENVIRONMENTS[what]
    model = driver.make(base_url=kimi.base_url, host="moonshot", api_key=f"sk-{what}-{driver.name}")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=words) as caught:
        driver.ask(model, "Hello")
    assert "canary" not in "".join(traceback.format_exception(caught.value))


def test_a_client_that_the_sdk_does_not_take_is_said(kimi: LocalKimi) -> None:
    given = {"base_url": kimi.base_url, "host": "moonshot", "api_key": kimi.api_key}
    wrong: Any = openai.DefaultAsyncHttpxClient()
    with pytest.raises(ConfigError, match="HTTP client of type .*http_async_client what"):
        KimiClient(**given, http_client=wrong).models()
    with pytest.raises(ConfigError, match="HTTP client of type object"):
        asyncio.run(AsyncKimiClient(**given, http_async_client=object()).models())
