"""Models that a host serves no more: said once, with what it serves instead."""

from __future__ import annotations

import datetime as dt
import warnings

import pytest
from drivers import Driver

from kimi_adapters.local_server import LocalKimi
from kimi_core import HOSTS, MODELS, KimiWarning
from langchain_kimi import ChatKimi

GONE = [
    ("together", "kimi-k2.6", "2026-08-19; it serves kimi-k3: give model='kimi-k3'"),
    ("together", "moonshotai/Kimi-K2.6", "2026-08-19; it serves kimi-k3"),
    ("nvidia", "kimi-k2.6", "2026-07-07; give another model"),
    ("deepinfra", "kimi-k2.5", "2026-09-07; it serves kimi-k3"),
    ("moonshot", "kimi-k2.5", "2026-08-31; it serves kimi-k2.6"),
]


@pytest.mark.parametrize(("host", "model", "words"), GONE)
def test_a_retired_model_warns_once_and_is_asked_all_the_same(
    way: Driver, kimi: LocalKimi, host: str, model: str, words: str
) -> None:
    made = way.make(host=host, model=model, base_url=kimi.base_url, api_key=kimi.api_key)
    with pytest.warns(KimiWarning, match=f"does not serve .* any more, since {words}") as caught:
        for _ in range(2):
            kimi.enqueue(text="Yes.", unchecked=True)
            assert way.ask(made, "Hello").text == "Yes."
    assert len(caught) == 1


@pytest.mark.parametrize(
    ("host", "model", "more"),
    [
        ("together", "kimi-k3", {}),
        ("moonshot", "kimi-k2.6", {}),
        ("openrouter", "kimi-k2.5", {}),
        ("together", "kimi-k2.6", {"overrides": {"models.retired": {}}}),
        ("together", "kimi-k2.6", {"on_unsupported": "ignore"}),
    ],
)
def test_a_model_that_is_served_is_not_warned_of(
    framework: Driver, kimi: LocalKimi, host: str, model: str, more: dict[str, object]
) -> None:
    kimi.enqueue(text="Yes.", unchecked=True)
    made = framework.make(host=host, model=model, base_url=kimi.base_url, api_key=kimi.api_key, **more)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert framework.ask(made, "Hello").text == "Yes."


def test_every_retirement_names_families_and_a_day_that_is_past() -> None:
    ends = [(model, end) for spec in HOSTS.values() for model, end in spec.models.retired.items()]
    assert len(ends) >= 8
    for model, end in ends:
        assert model in MODELS
        assert end.instead in (*MODELS, "")
        assert end.day < dt.date(2026, 11, 29)


def test_langchains_profile_says_that_a_model_is_retired_on_its_host() -> None:
    gone = ChatKimi(host="together", model="kimi-k2.6", api_key="k").profile
    here = ChatKimi(host="moonshot", model="kimi-k2.6", api_key="k").profile
    assert (gone or {}).get("status") == "deprecated"
    assert (here or {}).get("status") == "active"


def test_a_spec_of_ones_own_given_as_plain_data_can_retire_a_model(kimi: LocalKimi) -> None:
    ends = {"kimi-k2.6": {"day": "2026-01-02", "instead": "kimi-k3"}}
    spec = {"name": "acme", "title": "Acme", "address.base_url": kimi.base_url, "models.retired": ends}
    kimi.enqueue(text="Yes.", unchecked=True)
    with pytest.warns(KimiWarning, match="Acme does not serve kimi-k2.6 any more, since 2026-01-02; it serves kimi-k3"):
        ChatKimi(host=spec, api_key=kimi.api_key).invoke("Hello")  # type: ignore[arg-type]
