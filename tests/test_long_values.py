"""Long and strange values in every place: a typed error with a short text, in both frameworks, or an answer."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
from drivers import DRIVERS, Answer, Driver, by_name
from pydantic import ValidationError

from kimi_adapters.local_server import LocalKimi
from kimi_core import KimiError
from kimi_core.quoting import LONGEST

LONG = "q" * 100_000
INVOKED = [driver for driver in DRIVERS if driver.mode == "invoke"]
ENDS = [driver for driver in DRIVERS if driver.mode in ("invoke", "astream")]

OPTIONS: dict[str, dict[str, Any]] = {
    "a model id": {"model": LONG},
    "an address": {"base_url": LONG},
    "a path of an address": {"base_url": f"http://127.0.0.1:9/{LONG}?{LONG}"},
    "a host": {"host": LONG},
    "a host of another type": {"host": {LONG: LONG}},
    "a key": {"api_key": f"\u200b{LONG}"},
    "a key of another type": {"api_key": LONG.encode()},
    "a header's name": {"default_headers": {f"{LONG}é": "x"}},
    "a header's value": {"default_headers": {"x": f"{LONG}é"}},
    "headers of another type": {"default_headers": [(LONG, LONG)]},
    "headers of a call": {"extra_headers": {LONG: f"{LONG}é"}},
    "stops": {"stop": [LONG] * 3},
    "stops of another type": {"stop": {LONG: LONG}},
    "an extra body of another type": {"extra_body": [LONG]},
    "keys of an extra body": {"extra_body": {LONG: object()}},
    "thinking": {"thinking": LONG},
    "a key of thinking": {"thinking": {LONG: LONG}},
    "a type of thinking": {"thinking": {"type": LONG}},
    "an effort": {"reasoning_effort": LONG},
    "a fallback host": {"fallback_hosts": [LONG]},
    "a word of a fallback host": {"fallback_hosts": [{LONG: LONG, "host": "vllm"}]},
    "fallback hosts of another type": {"fallback_hosts": LONG},
    "a budget": {"budget": LONG},
    "a seed": {"seed": LONG},
    "a number of many digits": {"temperature": 10**100_000},
    "a limit": {"max_tokens": [LONG] * 100},
    "a timeout": {"timeout": LONG},
    "a fact": {"overrides": {LONG: LONG}},
    "facts of another type": {"overrides": LONG},
    "a host's own tool": {"server_tools": [LONG]},
    "a swarm": {"agent": {LONG: LONG}},
    "an option that does not exist": {LONG: LONG},
}


def check(ask: Callable[[], object], *more: type[Exception]) -> KimiError | Exception | None:
    """Ask, and hold what is raised and warned against what a reader can take."""
    error: Exception | None = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            ask()
        except (KimiError, *more) as raised:
            error = raised
    for text in [*(str(one.message) for one in caught), str(error)]:
        assert len(text) <= LONGEST
        assert "q" * 1000 not in text
    cause = error and error.__cause__
    assert cause is None or len(str(cause)) <= LONGEST
    return error


@pytest.mark.parametrize("driver", INVOKED, **by_name)
@pytest.mark.parametrize("given", OPTIONS.values(), ids=OPTIONS)
def test_a_long_option_of_the_constructor_is_not_repeated(
    driver: Driver, kimi: LocalKimi, given: dict[str, Any]
) -> None:
    words = {"base_url": kimi.base_url, "api_key": kimi.api_key, "max_retries": 0, **given}
    error = check(lambda: driver.ask(driver.make(**words), "Hello"), ValidationError)
    assert "api_key" not in given or "q" not in str(error).replace("requests", "")


def _function(name: str) -> Any:
    def tool() -> str:
        return ""

    tool.__name__ = name
    tool.__doc__ = LONG
    return tool


@pytest.mark.parametrize("driver", ENDS, **by_name)
@pytest.mark.parametrize("choice", [None, LONG], ids=["no choice", "a choice"])
def test_a_long_tool_is_not_repeated(driver: Driver, kimi: LocalKimi, choice: str | None) -> None:
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key)
    given = {"tool_choice": choice} if choice else {}
    check(lambda: driver.ask(model, "Hello", tools=[_function("f" + LONG), _function("g")], **given))


def _ask(driver: Driver, kimi: LocalKimi) -> Answer:
    return driver.ask(driver.make(base_url=kimi.base_url, api_key=kimi.api_key, max_retries=0), "Hello")


MB = "q" * 1_000_000
ANSWERS: dict[str, dict[str, Any]] = {
    "an error's words": {"status": 400, "json": {"error": {"message": MB, "type": MB, "code": MB, "param": MB}}},
    "a page": {"status": 502, "raw": f"<html><title>{MB}</title>{MB}</html>".encode(), "content_type": "text/html"},
    "a text": {"status": 500, "raw": MB.encode(), "content_type": MB[:1000]},
    "errors in errors": {"status": 400, "json": {"detail": [{"loc": [MB, MB], "msg": MB}] * 3}},
    "an error with HTTP 200": {"json": {"error": {"message": MB, "type": MB}}},
    "a body of nonsense": {"json": {MB: MB}},
    "a body that is no JSON": {"raw": MB.encode(), "content_type": "application/json"},
    "a reason to end": {"text": "Hi", "finish_reason": MB},
    # LangChain reads arguments that are no JSON anew from each of their ends, in quadratic time: these are short.
    "a tool's name": {"tool_calls": [{"name": MB, "arguments": "q" * 500}], "unchecked": True},
    "a body that is nested deeply": {"status": 400, "raw": b"[" * 900 + b"]" * 900, "content_type": "application/json"},
    "an error that is nested deeply": {
        "status": 400,
        "raw": b'{"error":{"message":' + b"[" * 5000 + b"]" * 5000 + b"}}",
        "content_type": "application/json",
    },
}


@pytest.mark.parametrize("driver", ENDS, **by_name)
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_a_host_that_says_a_lot_is_quoted_in_short(driver: Driver, kimi: LocalKimi, answer: dict[str, Any]) -> None:
    kimi.enqueue(**answer)
    check(lambda: _ask(driver, kimi))


@pytest.mark.parametrize("driver", INVOKED, **by_name)
def test_the_error_of_a_host_keeps_its_whole_body(driver: Driver, kimi: LocalKimi) -> None:
    kimi.enqueue(status=400, json={"error": {"message": MB}})
    error: Any = check(lambda: _ask(driver, kimi))
    assert error.body == {"error": {"message": MB}}


@pytest.mark.parametrize("driver", INVOKED, **by_name)
@pytest.mark.parametrize("key", ["Bearer sk-secret", "bearer sk-secret"])
def test_a_key_with_the_word_bearer_is_an_error_that_says_so(driver: Driver, kimi: LocalKimi, key: str) -> None:
    error = check(lambda: driver.make(base_url=kimi.base_url, api_key=key))
    assert "give the key alone" in str(error)
    assert "secret" not in str(error)


@pytest.mark.parametrize("driver", INVOKED, **by_name)
def test_a_key_with_a_character_that_is_not_seen_is_an_error_that_says_so(driver: Driver, kimi: LocalKimi) -> None:
    error = check(lambda: driver.make(base_url=kimi.base_url, api_key="sk-sec\u200bret"))
    assert "some that are not seen" in str(error)
    assert "sk-" not in str(error)


@pytest.mark.parametrize("driver", INVOKED, **by_name)
@pytest.mark.parametrize("host", ["moonshot", "vllm"])
def test_a_model_id_with_a_character_that_is_not_seen_is_an_error_that_shows_it(
    driver: Driver, kimi: LocalKimi, host: str
) -> None:
    words = {"host": host, "base_url": kimi.base_url, "api_key": kimi.api_key}
    error = check(lambda: driver.ask(driver.make(model="kimi-\u200bk2.6", **words), "Hello"))
    assert "'kimi-\\u200bk2.6'" in str(error)
    assert ("Did you mean 'kimi-k2.6'?" if host == "moonshot" else "is not seen") in str(error)
