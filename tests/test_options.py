"""The options of both frameworks, at construction and per call; the call wins; unknown ones raise."""

from __future__ import annotations

import pickle
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from drivers import INVOKED, Driver
from pydantic import Field

from kimi_adapters.local_server import LocalKimi
from kimi_core import (
    HOSTS,
    Address,
    AuthenticationError,
    ConfigError,
    HostSpec,
    KimiWarning,
    MessageError,
    MissingKeyError,
    SamplingRules,
    UnknownHostError,
    UnknownOptionError,
)
from kimi_core.call_options import CallOptions
from kimi_core.connection_options import ConnectionOptions
from langchain_kimi import ChatKimi
from llama_index_kimi import KimiLLM

ROOT = Path(__file__).parent.parent
# A host that takes every option, so that each can be seen on the wire.
OPEN = HostSpec(
    name="open",
    title="Open",
    address=Address(key_required=False, base_url="http://127.0.0.1:9/v1"),
    sampling=SamplingRules(pinned=False),
)

# option, at construction, per call, how it is in the body for the constructor's and the call's value
WORDS = [
    ("max_tokens", 100, 200, {"max_tokens": 100}, {"max_tokens": 200}),
    ("temperature", 1.0, 0.5, {"temperature": 1.0}, {"temperature": 0.5}),
    ("top_p", 0.95, 0.5, {"top_p": 0.95}, {"top_p": 0.5}),
    ("stop", "END", ["A", "B"], {"stop": ["END"]}, {"stop": ["A", "B"]}),
    ("prompt_cache_key", "a", "b", {"prompt_cache_key": "a"}, {"prompt_cache_key": "b"}),
    ("safety_identifier", "a", "b", {"safety_identifier": "a"}, {"safety_identifier": "b"}),
    ("seed", 1, 2, {"seed": 1}, {"seed": 2}),
    ("presence_penalty", 0.1, 0.2, {"presence_penalty": 0.1}, {"presence_penalty": 0.2}),
    ("frequency_penalty", 0.1, 0.2, {"frequency_penalty": 0.1}, {"frequency_penalty": 0.2}),
    ("logprobs", True, False, {"logprobs": True}, {"logprobs": False}),
    ("top_logprobs", 1, 2, {"top_logprobs": 1}, {"top_logprobs": 2}),
    ("extra_body", {"a": 1}, {"b": 2}, {"a": 1}, {"a": 1, "b": 2}),
    ("model", "kimi-k2.6", "kimi-k3", {"model": "kimi-k2.6"}, {"model": "kimi-k3"}),
]


@pytest.mark.parametrize(("word", "first", "second", "wire_first", "wire_second"), WORDS, ids=[w[0] for w in WORDS])
def test_every_option_can_be_given_at_construction_and_per_call(
    driver: Driver, kimi: LocalKimi, word: str, first: Any, second: Any, wire_first: Any, wire_second: Any
) -> None:
    kimi.enqueue(text="ok", unchecked=True)
    kimi.enqueue(text="ok", unchecked=True)
    model = driver.make(host=OPEN, base_url=kimi.base_url, api_key=kimi.api_key, **{word: first})
    driver.ask(model, "Hello")
    driver.ask(model, "Hello", **{word: second})
    bodies = [r.body for r in kimi.requests]
    assert {k: bodies[0].get(k) for k in wire_first} == wire_first
    assert {k: bodies[1].get(k) for k in wire_second} == wire_second


def test_the_connection_can_be_changed_for_one_call(driver: Driver, kimi: LocalKimi) -> None:
    with LocalKimi(api_key="sk-other") as other:
        model = driver.make(host="moonshot", base_url=kimi.base_url, api_key=kimi.api_key)
        driver.ask(model, "Hello", base_url=other.base_url, api_key="sk-other", default_headers={"X-Here": "1"})
        assert other.requests[-1].headers["x-here"] == "1"
        assert kimi.requests == []
        driver.ask(model, "Hello")
        assert len(kimi.requests) == 1


def test_retries_can_be_changed_for_one_call(driver: Driver, kimi: LocalKimi) -> None:
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key, max_retries=0)
    kimi.fail(1, headers={"Retry-After": "0"})
    driver.ask(model, "Hello", max_retries=1)
    assert [r.status for r in kimi.requests] == [429, 200]


def test_a_host_can_be_changed_for_one_call(driver: Driver, kimi: LocalKimi, aimlapi: LocalKimi) -> None:
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key)
    driver.ask(model, "Hello", host="aimlapi", base_url=aimlapi.base_url, api_key=aimlapi.api_key)
    assert aimlapi.requests[-1].body["model"] == "moonshot/kimi-k2-6"


def test_on_unsupported_can_be_changed_for_one_call(driver: Driver, kimi: LocalKimi) -> None:
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key, temperature=0.3)
    with pytest.raises(ValueError, match="temperature=0.3 is not sent"):
        driver.ask(model, "Hello", on_unsupported="error")
    driver.ask(model, "Hello", on_unsupported="ignore")
    with pytest.warns(KimiWarning, match="temperature=0.3 is not sent"):
        driver.ask(model, "Hello")
    assert all("temperature" not in r.body for r in kimi.requests)


def test_none_for_one_call_leaves_what_holds(driver: Driver, kimi: LocalKimi) -> None:
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key, max_tokens=50)
    driver.ask(model, "Hello", max_tokens=None, base_url=None, timeout=None, thinking=None)
    assert kimi.requests[-1].body["max_completion_tokens"] == 50


def test_a_tool_choice_without_tools_is_not_dropped_silently(driver: Driver, kimi: LocalKimi) -> None:
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key)
    with pytest.raises(ValueError, match="needs tools"):
        driver.ask(model, "Hello", tool_choice="required")
    driver.ask(model, "Hello", tool_choice="auto")
    assert [("tool_choice" in r.body) for r in kimi.requests] == [False]


def test_a_warning_comes_once_for_each_object(driver: Driver, kimi: LocalKimi) -> None:
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key, temperature=0.3)
    with pytest.warns(KimiWarning) as caught:
        driver.ask(model, "Hello")
        driver.ask(model, "Hello")
    assert len(caught) == 1
    assert "temperature" not in kimi.requests[-1].body
    assert kimi.errors == []


def test_a_warning_points_at_the_users_line(framework: Driver, kimi: LocalKimi) -> None:
    model = framework.make(base_url=kimi.base_url, api_key=kimi.api_key, temperature=0.3)
    with pytest.warns(KimiWarning) as caught:
        framework.ask(model, "Hello")
    assert caught[0].filename.endswith("drivers.py")


@pytest.mark.parametrize("word", ["temprature", "thinkng", "banana"])
def test_an_unknown_option_raises_at_construction(framework: Driver, word: str) -> None:
    with pytest.raises(UnknownOptionError, match=f"There is no option '{word}'"):
        framework.make(api_key="k", **{word: 1})


def test_an_unknown_option_raises_per_call_with_a_hint(driver: Driver, kimi: LocalKimi) -> None:
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key)
    with pytest.raises(UnknownOptionError, match="Did you mean 'temperature'"):
        driver.ask(model, "Hello", temprature=0.5)
    assert kimi.requests == []


@pytest.fixture(params=INVOKED, ids=[d.framework for d in INVOKED])
def framework(request: pytest.FixtureRequest) -> Driver:
    return request.param


def test_moonshot_is_the_default_host(framework: Driver) -> None:
    model = framework.make(api_key="k")
    assert (model.host, model.base_url, model.model) == ("moonshot", "https://api.moonshot.ai/v1", "kimi-k2.6")


@pytest.mark.parametrize(
    ("base_url", "host"),
    [
        ("https://api.moonshot.cn/v1", "moonshot-cn"),
        ("https://api.aimlapi.com/v1/", "aimlapi"),
        ("http://localhost:8000/v1", "vllm"),
        ("https://proxy.example.com/v1", "moonshot"),
    ],
)
def test_a_known_base_url_picks_the_spec(framework: Driver, base_url: str, host: str) -> None:
    assert framework.make(api_key="k", base_url=base_url).host == host


@pytest.mark.parametrize("spec", [r for r in HOSTS.values() if r.address.key_env], ids=lambda r: r.name)
def test_keys_come_from_the_specs_environment(
    framework: Driver, spec: HostSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = {} if spec.address.base_url and "{" not in spec.address.base_url else {"base_url": "http://127.0.0.1:9/v1"}
    for name in reversed(spec.address.key_env):  # the first one set wins
        monkeypatch.setenv(name, f"key-of-{name}")
        assert framework.make(host=spec.name, **url).api_key.get_secret_value() == f"key-of-{name}"
    assert framework.make(host=spec.name, api_key="given", **url).api_key.get_secret_value() == "given"


def test_an_address_comes_from_the_environment(framework: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOONSHOT_BASE_URL", "https://proxy.example.com/v1/")
    assert framework.make(api_key="k").base_url == "https://proxy.example.com/v1"


def test_an_address_of_the_environment_picks_the_spec_as_well(
    framework: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOONSHOT_BASE_URL", "https://api.moonshot.cn/v1")
    assert framework.make(api_key="k").host == "moonshot-cn"


def test_an_address_of_the_environment_that_is_another_hosts_is_an_error(
    framework: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOONSHOT_API_KEY", "k")
    monkeypatch.setenv("MOONSHOT_BASE_URL", "https://openrouter.ai/api/v1")
    with pytest.raises(ConfigError, match=r"MOONSHOT_BASE_URL .* is OpenRouter's: use host='openrouter'"):
        framework.make(host="moonshot")


@pytest.mark.parametrize(
    "url",
    ["http://[bad", "http://localhost:99999/v1", "http://localhost:v1", "http://a b/v1", "http://a\x00b", "a.example/v1",
     "ftp://a.example/v1", "https://"],
)  # fmt: skip
def test_an_address_that_is_none_is_an_error_at_construction(framework: Driver, url: str) -> None:
    with pytest.raises(ConfigError, match=r"base_url must be an address"):
        framework.make(base_url=url, api_key="k")


def test_an_address_that_is_none_is_quoted_only_where_no_password_can_be_in_it(framework: Driver) -> None:
    with pytest.raises(ConfigError, match=r"base_url must be an address") as raised:
        framework.make(base_url="http://user:canary-4711@[bad", api_key="k")
    assert "4711" not in str(raised.value)


def test_space_around_an_address_does_not_matter(framework: Driver) -> None:
    assert (
        framework.make(base_url=" https://api.moonshot.ai/v1\n", api_key="k").base_url == "https://api.moonshot.ai/v1"
    )


@pytest.mark.parametrize("url", ["https://api.runware.ai/v1/", "https://API.runware.ai/v1"])
def test_two_specs_at_one_address_take_each_spelling_of_it(framework: Driver, url: str) -> None:
    assert framework.make(host="runware-compatible", base_url=url, api_key="k").host == "runware-compatible"


def test_what_says_where_calls_go_is_frozen(framework: Driver) -> None:
    model = framework.make(api_key="k")
    for word, value in (("host", "vllm"), ("base_url", "http://x"), ("api_key", "y"), ("max_retries", 9)):
        with pytest.raises(ValueError, match="frozen"):
            setattr(model, word, value)


@pytest.mark.parametrize(
    "words",
    [
        {"timeout": "soon"},
        {"timeout": 0},
        {"timeout": True},
        {"timeout": (1, 2, 3, 4)},
        {"timeout": Decimal(5)},
        {"timeout": int},
        {"deadline": Decimal(5)},
        {"base_url": 5},
        {"host": 5},
    ],
)
def test_a_connection_of_the_wrong_type_is_an_error_at_construction(framework: Driver, words: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(words))} must be"):
        framework.make(**{"api_key": "k", **words})


WRONG = [{"max_tokens": "5"}, {"temperature": Decimal(1)}, {"stop": 3}, {"thinking": "on"}, {"max_server_rounds": -1}]


@pytest.mark.parametrize("words", WRONG)
def test_a_wrong_value_for_a_copy_is_an_error_of_the_copying(framework: Driver, words: dict[str, Any]) -> None:
    model = framework.make(api_key="k")
    with pytest.raises(ConfigError, match=f"{next(iter(words))} must be"):
        model.model_copy(update=words)


@pytest.mark.parametrize("words", WRONG)
def test_a_wrong_value_that_is_assigned_is_an_error_of_the_assignment(framework: Driver, words: dict[str, Any]) -> None:
    model = framework.make(api_key="k")
    ((name, value),) = words.items()
    with pytest.raises(ConfigError, match=f"{name} must be"):
        setattr(model, name, value)
    assert getattr(model, name) is None


class OwnChat(ChatKimi):
    model_name: str = "kimi-k3"
    host: Any = "vllm"
    max_retries: int = 7
    default_headers: Any = Field(default_factory=lambda: {"X-Team": "blue"})


class OwnLLM(KimiLLM):
    model: str = "kimi-k3"
    host: str = "vllm"
    max_retries: int = 7
    default_headers: Any = Field(default_factory=lambda: {"X-Team": "blue"})


@pytest.mark.parametrize("cls", [OwnChat, OwnLLM])
def test_defaults_of_a_class_of_the_users_own_hold(cls: Any) -> None:
    model = cls()
    assert (model.host, model.max_retries, list(model.default_headers)) == ("vllm", 7, ["X-Team"])
    assert "kimi-k3" in repr(model)
    assert cls(host="moonshot", api_key="k", max_retries=1).max_retries == 1


def test_the_environment_is_not_read_after_construction(
    framework: Driver, kimi: LocalKimi, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = framework.make(base_url=kimi.base_url, api_key="")
    monkeypatch.setenv("MOONSHOT_API_KEY", kimi.api_key)
    with pytest.raises(MissingKeyError):
        framework.ask(model, "Hello")


NO_KEY = r"api_key=… or set MOONSHOT_API_KEY or MOONSHOTAI_API_KEY or KIMI_API_KEY"


@pytest.mark.parametrize("where", [{}, {"host": "moonshot"}, {"base_url": "https://api.moonshot.ai/v1"}])
def test_a_missing_key_is_noticed_at_construction(framework: Driver, where: dict[str, str]) -> None:
    with pytest.raises(MissingKeyError, match=NO_KEY):
        framework.make(**where)


def test_a_missing_key_names_a_variable_only_where_there_is_one(framework: Driver) -> None:
    own = HostSpec(name="own", title="Own", address=Address(base_url="https://own.example/v1"))
    with pytest.raises(MissingKeyError, match=r"^No API key for Own\. Pass api_key=…\.$"):
        framework.make(host=own)


def test_an_empty_key_leaves_it_to_the_call(driver: Driver, kimi: LocalKimi) -> None:
    keyless = driver.make(host="moonshot", base_url=kimi.base_url, api_key="")
    with pytest.raises(MissingKeyError, match=NO_KEY):
        driver.ask(keyless, "Hello")
    assert kimi.requests == []
    assert driver.ask(keyless, "Hello", api_key=kimi.api_key).text


def test_a_copy_and_a_pickle_without_a_key_leave_it_to_the_call(
    framework: Driver, kimi: LocalKimi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOONSHOT_API_KEY", kimi.api_key)
    model = framework.make(host="moonshot", base_url=kimi.base_url)
    monkeypatch.delenv("MOONSHOT_API_KEY")
    elsewhere = {"host": "openrouter", "base_url": None}
    for keyless in (pickle.loads(pickle.dumps(model)), model.model_copy(update=elsewhere)):
        with pytest.raises(MissingKeyError):
            framework.ask(keyless, "Hello")


def test_a_key_of_kimi_code_is_refused_before_it_is_sent(driver: Driver) -> None:
    with pytest.raises(ValueError, match="Kimi Code key"):
        driver.ask(driver.make(api_key="sk-kimi-123"), "Hello")


def test_no_key_is_sent_where_none_is_needed(driver: Driver, kimi: LocalKimi) -> None:
    model = driver.make(host="vllm", base_url=kimi.base_url, max_retries=0)
    with pytest.raises(AuthenticationError):  # the local server wants one; what counts is what was sent
        driver.ask(model, "Hello")
    assert "authorization" not in kimi.requests[-1].headers


def test_an_unknown_host_raises_with_a_hint(framework: Driver) -> None:
    with pytest.raises(UnknownHostError, match="Did you mean 'moonshot'"):
        framework.make(host="moonshoot", api_key="k")


def test_a_generic_host_needs_an_address(framework: Driver) -> None:
    with pytest.raises(ValueError, match="base_url"):
        framework.make(host="generic")


WRONG = [
    ("max_tokens", "12"),
    ("temperature", "hot"),
    ("n", "1"),
    ("stop", 123),
    ("stop", [1]),
    ("extra_body", "x"),
    ("extra_headers", "x"),
    ("logprobs", 3),
    ("max_tokens", True),
    ("thinking", {"type": ["x"]}),
    *((word, value) for word in ("host", "model") for value in (3, True, 1.5, b"x", ["a"], {"a": 1})),
]


@pytest.mark.parametrize(("word", "value"), WRONG, ids=str)
def test_a_value_of_the_wrong_type_raises_before_any_io(driver: Driver, kimi: LocalKimi, word: str, value: Any) -> None:
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key)
    with pytest.raises(ConfigError, match="Headers" if word == "extra_headers" else word):
        driver.ask(model, "Hello", **{word: value})
    assert kimi.requests == []


@pytest.mark.parametrize("n", [0, -1, True, 1.5, "3"])
def test_what_is_no_count_of_answers_raises_at_construction(framework: Driver, n: Any) -> None:
    with pytest.raises(ConfigError, match="n must be"):
        framework.make(api_key="k", n=n)


@pytest.mark.parametrize("name", [5, None, "", ["look"]])
def test_a_tool_without_a_name_of_text_raises_before_any_io(framework: Driver, kimi: LocalKimi, name: Any) -> None:
    model = framework.make(base_url=kimi.base_url, api_key=kimi.api_key)
    tools = [{"type": "function", "function": {"name": name}}]
    ask = model.invoke if framework.framework == "langchain" else model.complete
    with pytest.raises(MessageError, match="must have a function with a name"):
        ask("Hello", tools=tools)
    assert kimi.requests == []


@pytest.mark.parametrize("n", [0, -1])
def test_less_than_one_answer_raises_before_any_io(driver: Driver, kimi: LocalKimi, n: int) -> None:
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key)
    with pytest.raises(ValueError, match="n must be greater than or equal to 1"):
        driver.ask(model, "Hello", n=n)
    assert kimi.requests == []


# ------------------------------------------------------------------------------------------------- one table


def test_an_option_that_is_only_sent_is_in_the_table_and_where_it_is_sent() -> None:
    """Both classes have it, it is checked and documented, though no file but these two names it."""
    option = "safety_identifier"
    packages = ("kimi_core", "langchain_kimi", "llama_index_kimi")
    files = (file for package in packages for file in (ROOT / package).rglob("*.py"))
    naming = {file.relative_to(ROOT).as_posix() for file in files if option in file.read_text("utf-8")}
    facts = {name for name in naming if name.startswith("kimi_core/hosts/")} | {"kimi_core/option_hints.py"}
    assert naming - facts == {"kimi_core/call_options.py", "kimi_core/codecs/chat.py"}
    assert ChatKimi.model_fields[option].description == KimiLLM.model_fields[option].description


@pytest.mark.parametrize("cls", [ChatKimi, KimiLLM])
def test_both_classes_have_every_option_with_one_text(cls: type[ChatKimi | KimiLLM]) -> None:
    tables = {**CallOptions.model_fields, **ConnectionOptions.model_fields}
    assert {name: cls.model_fields[name].description for name in tables} == {
        name: field.description for name, field in tables.items()
    }
