"""A canary key: it is in no repr, text, error, log, dict, trace or accidental pickle."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback
from typing import Any

import pytest
from drivers import DRIVERS, Driver
from langchain_core.load import dumps
from langchain_core.tracers.run_collector import RunCollectorCallbackHandler

from kimi_core import APIError, ConfigError, KimiClient
from kimi_core.emulator import LocalKimi

CANARY = "sk-canary-9f3b1c77e5d24a60"
HEADER = "Bearer-canary-4c1d"
INVOKED = [d for d in DRIVERS if d.mode == "invoke"]


@pytest.fixture(params=INVOKED, ids=[d.framework for d in INVOKED])
def framework(request: pytest.FixtureRequest) -> Driver:
    return request.param


def make(framework: Driver, **more: Any) -> Any:
    return framework.make(api_key=CANARY, default_headers={"X-Gateway-Token": HEADER}, **more)


def deep(value: Any, seen: set[int] | None = None) -> str:
    """Everything that can be read off an object by its attributes, as one text."""
    seen = seen if seen is not None else set()
    if id(value) in seen or isinstance(value, type):
        return ""
    seen.add(id(value))
    if isinstance(value, dict):
        return " ".join(deep(v, seen) for pair in value.items() for v in pair)
    if isinstance(value, list | tuple | set):
        return " ".join(deep(v, seen) for v in value)
    return repr(value) + " " + deep(getattr(value, "__dict__", {}), seen)


@pytest.mark.parametrize(
    "words",
    [
        {"api_key": [CANARY]},
        {"api_key": CANARY.encode()},
        {"api_key": lambda: CANARY},
        {"default_headers": [("Authorization", CANARY)]},
        {"extra_headers": [("Authorization", CANARY)]},
        {"extra_headers": CANARY},
    ],
)
def test_what_is_no_key_and_no_headers_is_not_quoted(framework: Driver, words: dict[str, Any]) -> None:
    """A clear error, and nothing of what was given: it is a secret in another form."""
    with pytest.raises(ValueError, match="api_key|eaders") as raised:
        framework.make(**{"api_key": "k", **words})
    assert CANARY not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("word", ["api_key", "default_headers"])
def test_not_in_the_error_when_a_frozen_field_is_set(framework: Driver, word: str) -> None:
    model = framework.make(api_key="k")
    with pytest.raises(ConfigError, match=f"{word} is frozen") as raised:
        setattr(model, word, CANARY if word == "api_key" else {"X-Gateway-Token": CANARY})
    assert CANARY not in "".join(traceback.format_exception(raised.value))


def test_not_in_repr_str_or_dicts(framework: Driver) -> None:
    model = make(framework)
    dumped = model.model_dump()
    texts = [repr(model), str(model), f"{model!r}", repr(dumped), json.dumps(dumped, default=str)]
    texts += [model.to_json() if framework.framework == "llama_index" else dumps(model)]
    if framework.framework == "llama_index":
        texts += [json.dumps(model.to_dict(), default=str), json.dumps(model.to_payload(), default=str)]
    else:
        texts += [str(model._identifying_params), str(model.asdict()), str(model._get_ls_params())]
    for text in texts:
        assert CANARY not in str(text)
        assert HEADER not in str(text)


def test_not_in_the_clients_repr() -> None:
    client = KimiClient(api_key=CANARY, default_headers={"X-Gateway-Token": HEADER})
    for text in (repr(client), repr(client.settings), repr(vars(client))):
        assert CANARY not in text
        assert HEADER not in text


ECHO = f"Incorrect API key provided: {CANARY}"
HOW: dict[str, Any] = {
    "refused": {"json": {"error": {"message": ECHO, "type": "invalid_authentication_error"}}, "status": 401},
    "refused with it everywhere": {
        "json": {"error": {"message": "m", "code": CANARY, "param": CANARY, "type": CANARY, CANARY: 1}},
        "status": 401,
    },
    "refused with a page": {"raw": f"<html>{CANARY}</html>".encode(), "content_type": "text/html", "status": 502},
    "a page": {"raw": f"<html>{CANARY}</html>".encode(), "content_type": "text/html"},
    "an error in the body": {"json": {"error": {"message": ECHO}}},
    "an error in the stream": {"sse": [{"error": {"message": ECHO}}]},
    "a frame that is not JSON": {"sse": [f"data: {{{CANARY}\n\n"]},
}


@pytest.mark.parametrize("how", [*HOW, "unreachable"])
def test_not_in_errors_or_what_hangs_on_them(driver: Driver, how: str) -> None:
    with LocalKimi(api_key=CANARY) as kimi:
        base_url = kimi.base_url
        if how == "unreachable":
            base_url = "http://127.0.0.1:9/v1"
        else:
            kimi.enqueue(**HOW[how])
        with pytest.raises(APIError) as caught:
            driver.ask(driver.make(api_key=CANARY, base_url=base_url, max_retries=0, host="moonshot"), "Hello")
    error = caught.value
    said = "".join(traceback.format_exception(error))
    for text in (str(error), repr(error), said, deep(error), str(pickle.dumps(error))):
        assert CANARY not in text


def test_errors_survive_pickling(kimi: LocalKimi) -> None:
    client = KimiClient(host="moonshot", base_url=kimi.base_url, api_key=CANARY)
    with pytest.raises(APIError) as caught:
        client.models()
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is type(caught.value)
    assert (str(again), again.status_code, again.host) == (str(caught.value), 401, "moonshot")


def test_not_in_logs(framework: Driver, kimi: LocalKimi, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(APIError):
        framework.ask(make(framework, base_url=kimi.base_url), "Hello")
    assert CANARY not in caplog.text
    assert caplog.text, "there was something to leak into"


def test_not_in_langchains_traces(kimi: LocalKimi) -> None:
    model = make(INVOKED[0], base_url=kimi.base_url)
    runs = RunCollectorCallbackHandler()
    with pytest.raises(APIError):
        model.invoke("Hello", config={"callbacks": [runs]})
    assert runs.traced_runs
    text = " ".join(str(run.model_dump() if hasattr(run, "model_dump") else run.dict()) for run in runs.traced_runs)
    assert CANARY not in text
    assert HEADER not in text


@pytest.mark.parametrize("mode", ["invoke", "stream"])
def test_a_key_for_one_call_is_not_in_langchains_traces(kimi: LocalKimi, mode: str) -> None:
    model = INVOKED[0].make(base_url=kimi.base_url, host="moonshot")
    runs = RunCollectorCallbackHandler()
    call = {"api_key": kimi.api_key, "default_headers": {"X-Gateway-Token": HEADER}, "config": {"callbacks": [runs]}}
    result = getattr(model, mode)("Hello", **call)
    assert result if mode == "invoke" else list(result)
    text = " ".join(str(run.model_dump() if hasattr(run, "model_dump") else run.dict()) for run in runs.traced_runs)
    assert "Hello" in text
    assert kimi.api_key not in text
    assert HEADER not in text


def test_a_key_of_the_environment_is_not_pickled_but_read_again(
    framework: Driver, monkeypatch: pytest.MonkeyPatch, kimi: LocalKimi
) -> None:
    monkeypatch.setenv("MOONSHOT_API_KEY", CANARY)
    pickled = pickle.dumps(framework.make(host="moonshot", base_url=kimi.base_url))
    assert CANARY.encode() not in pickled
    monkeypatch.setenv("MOONSHOT_API_KEY", kimi.api_key)
    assert framework.ask(pickle.loads(pickled), "Hello").text


def test_a_key_of_the_environment_is_not_sent_to_an_unknown_address(
    driver: Driver, kimi: LocalKimi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOONSHOT_API_KEY", kimi.api_key)
    model = driver.make(base_url=kimi.base_url)
    for unsure in (model, pickle.loads(pickle.dumps(model))):
        with pytest.raises(ValueError, match="only when you say whose address it is, for instance host='moonshot'"):
            driver.ask(unsure, "Hello")
    assert kimi.requests == []
    assert driver.ask(driver.make(host="moonshot", base_url=kimi.base_url), "Hello").text


def test_an_address_of_another_known_host_is_refused(driver: Driver) -> None:
    with pytest.raises(ValueError, match="use host='moonshot-cn'"):
        driver.make(host="moonshot", base_url="https://api.moonshot.cn/v1", api_key=CANARY)


def test_a_key_that_was_given_travels_with_a_model_that_is_pickled_on_purpose(
    framework: Driver, kimi: LocalKimi
) -> None:
    model = framework.make(base_url=kimi.base_url, api_key=kimi.api_key)
    framework.ask(model, "Hello")
    assert framework.ask(pickle.loads(pickle.dumps(model)), "Hello").text
    assert framework.ask(copy.deepcopy(model), "Hello").text


def test_a_key_is_never_taken_to_another_host(driver: Driver, kimi: LocalKimi, aimlapi: LocalKimi) -> None:
    model = driver.make(api_key=CANARY, base_url=kimi.base_url)
    with pytest.raises(ValueError, match="No API key for AI/ML API"):
        driver.ask(model, "Hello", host="aimlapi", base_url=aimlapi.base_url)
    assert aimlapi.requests == []


def test_a_key_is_never_taken_to_a_known_address_of_another_host(driver: Driver, kimi: LocalKimi) -> None:
    model = driver.make(api_key=CANARY, base_url=kimi.base_url)
    with pytest.raises(ValueError, match="No API key for AI/ML API"):
        driver.ask(model, "Hello", base_url="https://api.aimlapi.com/v1")


@pytest.mark.parametrize("key", ["sk-canary-1\u00e9", "sk-canary-\n1"])
def test_a_key_that_cannot_be_sent_raises_without_being_quoted(framework: Driver, kimi: LocalKimi, key: str) -> None:
    with pytest.raises(ValueError, match="characters that cannot be sent") as caught:
        framework.make(base_url=kimi.base_url, api_key=key)
    assert "canary" not in repr(caught.value)


def test_white_space_around_a_key_is_no_part_of_it(driver: Driver, kimi: LocalKimi) -> None:
    assert driver.ask(driver.make(base_url=kimi.base_url, api_key=f" {kimi.api_key}\n"), "Hello").text


def test_a_header_that_cannot_be_sent_raises_without_being_quoted(driver: Driver, kimi: LocalKimi) -> None:
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key)
    for word in ("default_headers", "extra_headers"):
        with pytest.raises(ValueError, match="'X-Token' has characters") as caught:
            driver.ask(model, "Hello", **{word: {"X-Token": "canary\u00e9"}})
        assert "canary" not in repr(caught.value)


def test_headers_of_a_model_do_not_go_to_another_host(driver: Driver, kimi: LocalKimi, aimlapi: LocalKimi) -> None:
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key, extra_headers={"X-Gateway": HEADER})
    there = {"host": "aimlapi", "base_url": aimlapi.base_url, "api_key": aimlapi.api_key}
    driver.ask(model, "Hello", **there, extra_headers={"X-Own": "own"})
    driver.ask(model.model_copy(update=there), "Hello")
    driver.ask(model.model_copy(update={"max_tokens": 500}), "Hello", timeout=20)
    assert "x-gateway" not in aimlapi.requests[0].headers
    assert aimlapi.requests[0].headers["x-own"] == "own"
    assert "x-gateway" not in aimlapi.requests[1].headers
    assert "x-gateway" in kimi.requests[-1].headers


def test_a_password_in_an_address_raises_without_being_quoted(framework: Driver) -> None:
    with pytest.raises(ValueError, match="user name or a password") as caught:
        framework.make(base_url="http://me:canary@127.0.0.1:9/v1", api_key="sk-x")
    assert "canary" not in repr(caught.value)


def test_a_key_of_the_environment_is_not_sent_over_plain_http(
    framework: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOONSHOT_API_KEY", CANARY)
    model = framework.make(base_url="http://api.moonshot.ai/v1")
    with pytest.raises(ValueError, match="only when you say whose address it is"):
        framework.ask(model, "Hello")
