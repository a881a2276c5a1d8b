"""Copies, pickles and dumps; and that no key is in any of them."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import openai
import pytest
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.callbacks import CallbackManager, LlamaDebugHandler
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel, SecretStr

from kimi_adapters.local_server import LocalKimi
from kimi_core import Address, APIError, ConfigError, HostSpec
from llama_index_kimi import KimiLLM

ASKED = [ChatMessage(role="user", content="Hi")]
CANARY = "sk-canary-4711"


def test_a_key_that_was_given_survives_a_pickle(llm: KimiLLM) -> None:
    again = pickle.loads(pickle.dumps(llm))
    assert again.chat(ASKED).message.content


def test_a_used_object_can_be_pickled(llm: KimiLLM) -> None:
    llm.chat(ASKED)
    assert pickle.loads(pickle.dumps(llm)).chat(ASKED).message.content


ELSEWHERE = """
import pickle, sys
llm = pickle.loads(sys.stdin.buffer.read())
print(llm.complete("Hi").raw["model"], llm.to_dict().get("api_key"))
"""


def test_another_process_goes_on_with_the_key(llm: KimiLLM) -> None:
    llm.chat(ASKED)
    ran = subprocess.run([sys.executable, "-c", ELSEWHERE], input=pickle.dumps(llm), capture_output=True, check=True)
    assert ran.stdout.decode().split() == ["kimi-k2.6", "None"]


def test_a_key_from_the_environment_is_read_again(kimi: LocalKimi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOONSHOT_API_KEY", CANARY)
    pickled = pickle.dumps(KimiLLM(host="moonshot", base_url=kimi.base_url))
    assert CANARY.encode() not in pickled
    monkeypatch.setenv("MOONSHOT_API_KEY", kimi.api_key)
    assert pickle.loads(pickled).chat(ASKED).message.content


def test_options_and_a_spec_of_ones_own_survive_a_pickle(kimi: LocalKimi) -> None:
    spec = HostSpec(name="mine", title="Mine", address=Address(base_url=kimi.base_url))
    llm = KimiLLM("kimi-k3", host=spec, api_key="k", max_tokens=9, system_prompt="x", default_headers={"a": "b"})
    again = pickle.loads(pickle.dumps(llm))
    assert again.to_dict() == llm.to_dict()
    assert (again.host, again.max_tokens, again.default_headers) == ("mine", 9, {"a": SecretStr("b")})


def test_a_pickle_that_would_lose_the_http_client_is_an_error() -> None:
    with openai.DefaultHttpxClient() as client, pytest.raises(TypeError, match="http_client"):
        pickle.dumps(KimiLLM(api_key="k", http_client=client))


def test_a_pickle_says_nothing_on_the_log(llm: KimiLLM, caplog: pytest.LogCaptureFixture) -> None:
    llm.chat(ASKED)
    caplog.clear()
    pickle.dumps(llm)
    assert caplog.records == []


def test_a_used_object_can_be_copied(llm: KimiLLM) -> None:
    llm.chat(ASKED)
    for copied in (copy.copy(llm), copy.deepcopy(llm), llm.model_copy()):
        assert copied.chat(ASKED).message.content


def test_a_deep_copy_shares_nothing_that_can_change() -> None:
    llm = KimiLLM(api_key="k", extra_body={"a": [1]})
    copied = copy.deepcopy(llm)
    copied.max_tokens = 5
    assert copied.extra_body is not llm.extra_body
    assert llm.max_tokens is None


def test_a_changed_copy_calls_with_what_was_changed(llm: KimiLLM, kimi: LocalKimi) -> None:
    changed = llm.model_copy(update={"model": "kimi-k3", "max_tokens": 77})
    changed.chat(ASKED)
    body = kimi.requests[-1].body
    assert (body["model"], body["max_completion_tokens"]) == ("kimi-k3", 77)
    assert (llm.model, llm.max_tokens) == ("kimi-k2.6", None)


def test_a_copy_that_is_to_call_elsewhere_does(llm: KimiLLM) -> None:
    with LocalKimi(api_key="sk-other") as other:
        moved = llm.model_copy(
            update={"api_base": other.base_url, "api_key": "sk-other", "default_headers": {"x": "y"}}
        )
        for one in (moved, pickle.loads(pickle.dumps(moved))):
            one.chat(ASKED)
            assert other.requests[-1].headers["x"] == "y"
        assert moved.base_url == other.base_url
        assert len(other.requests) == 2
        assert "sk-other" not in repr(moved)
    assert llm.chat(ASKED).message.content


def test_a_copy_takes_no_key_to_another_host(llm: KimiLLM) -> None:
    moved = llm.model_copy(update={"host": "aimlapi"})
    assert (moved.host, moved.api_key) == ("aimlapi", None)


def test_a_copy_without_its_key_looks_for_one_anew(llm: KimiLLM, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOONSHOT_API_KEY", CANARY)
    moved = llm.model_copy(update={"host": "moonshot", "api_key": None})
    assert moved.api_key == SecretStr(CANARY)


@pytest.mark.parametrize("update", [{"temprature": 1}, {"max_retries": -1}])
def test_a_copy_with_a_wrong_option_or_value_is_an_error(llm: KimiLLM, update: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        llm.model_copy(update=update)


def test_an_object_with_an_http_client_can_be_copied() -> None:
    with openai.DefaultHttpxClient() as client:
        llm = KimiLLM(api_key="k", http_client=client)
        assert copy.deepcopy(llm)._client.settings.http_client is client


def test_an_object_comes_back_from_its_dict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIMLAPI_API_KEY", "k")  # a dict has no key
    llm = KimiLLM(model="kimi-k3", host="aimlapi", reasoning_effort="low", stop=["x"], system_prompt="Be kind.")
    again = KimiLLM.from_dict(llm.to_dict())
    assert again.to_dict() == llm.to_dict()
    assert KimiLLM.from_json(llm.to_json()).to_dict() == llm.to_dict()


def test_a_timeout_of_the_sdk_can_be_dumped() -> None:
    assert json.loads(KimiLLM(api_key="k", timeout=openai.Timeout(5)).to_json())["timeout"] is None
    assert json.loads(KimiLLM(api_key="k", timeout=5).to_json())["timeout"] == 5


@pytest.fixture
def secretive(kimi: LocalKimi) -> KimiLLM:
    return KimiLLM(
        base_url=kimi.base_url,
        api_key=CANARY,
        default_headers={"Authorization": f"Bearer {CANARY}"},
        extra_headers={"x-key": CANARY},
        max_retries=0,
    )


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        lambda llm: str(llm.to_dict()),
        lambda llm: llm.to_json(),
        lambda llm: llm.model_dump_json(),
        lambda llm: str(llm.dict()),
        lambda llm: str(llm.to_payload()),
        lambda llm: repr(llm._client.settings),
        lambda llm: str(llm.metadata),
    ],
)
def test_the_key_is_in_no_representation(secretive: KimiLLM, show: Callable[[KimiLLM], str]) -> None:
    assert CANARY not in show(secretive)


def test_the_key_is_in_no_error(secretive: KimiLLM) -> None:
    with pytest.raises(APIError) as caught:
        secretive.chat(ASKED)
    seen: BaseException | None = caught.value
    while seen is not None:
        assert CANARY not in repr(seen) + str(seen) + repr(vars(seen))
        seen = seen.__cause__ or seen.__context__


def test_the_key_is_in_no_event(secretive: KimiLLM, events: list[Any]) -> None:
    with pytest.raises(APIError):
        secretive.chat(ASKED)
    with pytest.raises(APIError):
        secretive.predict(PromptTemplate("Hi"))
    assert events
    assert not any(CANARY in repr(event) for event in events)


class Person(BaseModel):
    """A person."""

    name: str


def add(a: int) -> int:
    """Add."""
    return a


async def drain(stream: Any) -> None:
    async for _ in await stream:
        pass


TOOLS = [FunctionTool.from_defaults(add)]
PROMPT = PromptTemplate("Ada")
CALLS: dict[str, Callable[..., Any]] = {
    "chat": lambda llm, **w: llm.chat(ASKED, **w),
    "stream_chat": lambda llm, **w: list(llm.stream_chat(ASKED, **w)),
    "achat": lambda llm, **w: asyncio.run(llm.achat(ASKED, **w)),
    "astream_chat": lambda llm, **w: asyncio.run(drain(llm.astream_chat(ASKED, **w))),
    "complete": lambda llm, **w: llm.complete("Hi", **w),
    "stream_complete": lambda llm, **w: list(llm.stream_complete("Hi", **w)),
    "acomplete": lambda llm, **w: asyncio.run(llm.acomplete("Hi", **w)),
    "astream_complete": lambda llm, **w: asyncio.run(drain(llm.astream_complete("Hi", **w))),
    "chat_with_tools": lambda llm, **w: llm.chat_with_tools(TOOLS, "Add 1", **w),
    "structured_predict": lambda llm, **w: llm.structured_predict(Person, PROMPT, llm_kwargs=w),
    "stream_structured_predict": lambda llm, **w: list(llm.stream_structured_predict(Person, PROMPT, llm_kwargs=w)),
    "astream_structured_predict": lambda llm, **w: asyncio.run(
        drain(llm.astream_structured_predict(Person, PROMPT, llm_kwargs=w))
    ),
    "astructured_predict": lambda llm, **w: asyncio.run(llm.astructured_predict(Person, PROMPT, w)),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=list(CALLS))
def test_a_key_given_for_one_call_works_and_is_in_no_trace(
    kimi: LocalKimi, events: list[Any], spans: list[Any], call: Callable[..., Any]
) -> None:
    debug = LlamaDebugHandler(print_trace_on_end=False)
    llm = KimiLLM(base_url=kimi.base_url, api_key="wrong", callback_manager=CallbackManager([debug]))
    headers = {"x-mine": "header-4711"}
    call(llm, api_key=kimi.api_key, default_headers=headers, extra_headers={"x-more": "header-4711"})
    assert kimi.errors == []
    assert (kimi.requests[-1].headers["x-mine"], kimi.requests[-1].headers["x-more"]) == ("header-4711",) * 2
    told = repr(events) + repr(spans) + repr([event.payload for event in debug.get_events()])
    assert len(events) > 1
    assert len(spans) > 0
    assert kimi.api_key not in told
    assert "header-4711" not in told


def test_a_secret_string_is_a_key_too(kimi: LocalKimi) -> None:
    llm = KimiLLM(base_url=kimi.base_url, api_key=SecretStr(kimi.api_key))
    assert llm.chat(ASKED).message.content


def test_a_payload_says_what_traces_need() -> None:
    payload = KimiLLM(api_key="k", temperature=0.6, extra_body={"mine": 1}).to_payload()
    assert payload["class_name"] == "Kimi_LLM"
    assert (payload["model"], payload["model_name"], payload["host"]) == ("kimi-k2.6", "kimi-k2.6", "moonshot")
    assert payload["temperature"] == 0.6
    assert "mine" not in str(payload)
