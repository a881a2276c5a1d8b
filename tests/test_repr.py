"""What `repr` says of models, settings and servers: in one line what matters, and nothing secret."""

from __future__ import annotations

import io

import pytest
from drivers import Driver
from rich.console import Console
from rich.pretty import pprint

from kimi_adapters.local_server import LocalKimi
from kimi_core import HOSTS, Address, Budget, HostSpec, KimiClient, make_settings
from langchain_kimi import ChatKimi

CANARY = "sk-canary-0123456789"


@pytest.fixture(name="name")
def class_name(framework: Driver) -> str:
    return {"langchain": "ChatKimi", "llama_index": "KimiLLM"}[framework.framework]


def test_a_model_is_its_model_and_host(framework: Driver, name: str) -> None:
    assert repr(framework.make(host="moonshot", api_key=CANARY)) == f"{name}(model='kimi-k2.6', host='moonshot')"


def test_options_that_were_set_are_shown(framework: Driver, name: str) -> None:
    model = framework.make(model="kimi-k3", host="moonshot", api_key=CANARY, max_tokens=900, local_files=[])
    assert repr(model) == f"{name}(model='kimi-k3', host='moonshot', local_files=(), max_tokens=900)"


def test_an_address_is_shown_when_it_is_not_the_hosts_own(framework: Driver, kimi: LocalKimi) -> None:
    assert f"base_url='{kimi.base_url}'" in repr(framework.make(base_url=kimi.base_url, host="moonshot", api_key="x"))


def test_no_key_and_no_header_is_shown(framework: Driver) -> None:
    there = {"host": "aimlapi", "api_key": CANARY, "default_headers": {"X-There": CANARY}}
    model = framework.make(
        host="moonshot",
        api_key=CANARY,
        default_headers={"X-One": CANARY},
        extra_headers={"X-Two": CANARY},
        fallback_hosts=[there],
        overrides={"address.headers": {"X-Fact": CANARY}},
    )
    console = Console(file=io.StringIO(), width=200)
    pprint(model, console=console)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    for text in (repr(model), str(model), printed, repr(model._client), repr(model._client.settings)):
        assert "X-One" not in text
        assert CANARY not in text
        assert "fallback_hosts=['aimlapi']" in text


def test_a_long_value_is_shown_in_short(framework: Driver) -> None:
    model = framework.make(host="moonshot", api_key=CANARY, extra_body={"note": "long " * 1_000}, stop=["x" * 30] * 5)
    assert len(repr(model)) < 500
    assert "\n" not in repr(model)


def test_a_host_of_ones_own_is_shown_by_its_name(framework: Driver) -> None:
    spec = HostSpec(name="mine", title="Mine", address=Address(base_url="https://a.example/v1"))
    assert "(model='kimi-k2.6', host='mine'" in repr(framework.make(host=spec, api_key=CANARY))


def test_a_budget_is_shown_with_what_was_spent(framework: Driver) -> None:
    shown = repr(framework.make(host="moonshot", api_key=CANARY, budget=Budget(usd=0.5)))
    assert "budget=<Budget(usd=0.5), spent: 0 USD, 0 tokens, 0 steps>" in shown


def test_what_is_bound_is_shown_in_one_line() -> None:
    def get_weather(city: str) -> str:
        """Say what the weather is like."""
        return city

    bound = ChatKimi(host="moonshot", api_key=CANARY).bind_tools([get_weather]).bind(stop=["x"], api_key=CANARY)
    assert repr(bound) == (
        "Binding(bound=ChatKimi(model='kimi-k2.6', host='moonshot'), "
        "kwargs={'tools': ['get_weather'], 'stop': ['x'], 'api_key': SecretStr('**********')})"
    )


def test_settings_and_clients_say_where_calls_go() -> None:
    settings = make_settings(host="moonshot", api_key=CANARY, timeout=5)
    assert repr(settings) == "Settings(host='moonshot', timeout=5)"
    assert repr(KimiClient(settings)) == "<KimiClient: Settings(host='moonshot', timeout=5)>"


def test_a_spec_says_whose_it_is() -> None:
    shown = repr(HOSTS["moonshot"])
    assert shown.startswith("<HostSpec 'moonshot', 'Moonshot AI, international', base_url='https://api.moonshot.ai/v1'")


def test_a_local_server_says_where_it_listens() -> None:
    kimi = LocalKimi("aimlapi", api_key=CANARY)
    assert repr(kimi) == "<LocalKimi 'aimlapi': not running>"
    with kimi:
        assert repr(kimi) == f"<LocalKimi 'aimlapi': {kimi.base_url}, 0 requests>"
