"""Hosts and models are specs: one spec is enough for both frameworks."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from drivers import Driver

from kimi_adapters.local_server import LocalKimi
from kimi_core import (
    HOSTS,
    MODELS,
    Address,
    ConfigError,
    HostSpec,
    KimiWarning,
    ModelIds,
    ModelSpec,
    ThinkingRules,
    resolve,
)


def test_a_host_is_one_spec(driver: Driver, kimi: LocalKimi, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = HostSpec(
        name="acme",
        title="ACME Inference",
        address=Address(base_url=kimi.base_url, key_env=("ACME_API_KEY",)),
        models=ModelIds(ids={"kimi-k2.6": "acme/kimi-26"}),
        thinking=ThinkingRules(off={"reasoning": {"enabled": False}}),
    )
    monkeypatch.setitem(HOSTS, "acme", spec)
    monkeypatch.setenv("ACME_API_KEY", kimi.api_key)
    kimi.enqueue(text="From ACME.", unchecked=True)
    model = driver.make(host="acme", thinking=False, max_tokens=9)
    assert driver.ask(model, "Hello").text == "From ACME."
    body = kimi.requests[-1].body
    assert (body["model"], body["reasoning"], body["max_tokens"]) == ("acme/kimi-26", {"enabled": False}, 9)


def look(city: str) -> str:
    """Look a city up."""
    return city


PLAIN = """
plain = HostSpec(
    name="plain",
    title="Plain Inference",
    address=Address(base_url="BASE_URL", key_env=("PLAIN_API_KEY",)),
)
"""

K9 = """
    ModelSpec(
        id="kimi-k9", spellings="kimi-k9", context=9_000_000, default_output=90_000, thinking="always"
    ),
"""


def test_a_plain_host_takes_six_lines_at_most(driver: Driver, kimi: LocalKimi, monkeypatch: pytest.MonkeyPatch) -> None:
    names: dict[str, Any] = {"HostSpec": HostSpec, "Address": Address}
    exec(PLAIN.replace("BASE_URL", kimi.base_url), names)
    assert len(PLAIN.strip().splitlines()) <= 6
    monkeypatch.setitem(HOSTS, "plain", names["plain"])
    monkeypatch.setenv("PLAIN_API_KEY", kimi.api_key)
    assert driver.ask(driver.make(host="plain"), "Hello").text
    answer = driver.ask(driver.make(host="plain", thinking=True), "Look Oslo up.", tools=[look])
    assert [call["name"] for call in answer.tool_calls] == ["look"]
    assert kimi.errors == []


def test_a_model_takes_three_lines(driver: Driver, kimi: LocalKimi, monkeypatch: pytest.MonkeyPatch) -> None:
    (spec,) = eval(f"({K9})", {"ModelSpec": ModelSpec})
    assert len(K9.strip().splitlines()) <= 3
    monkeypatch.setitem(MODELS, "kimi-k9", spec)
    kimi.enqueue(text="Nine.", unchecked=True)
    model = driver.make(model="kimi-k9", base_url=kimi.base_url, api_key=kimi.api_key)
    assert driver.ask(model, "Hello").text == "Nine."
    assert kimi.requests[-1].body["model"] == "kimi-k9"


def test_a_spec_of_ones_own_needs_no_registration(driver: Driver, kimi: LocalKimi) -> None:
    spec = dataclasses.replace(
        HOSTS["moonshot"],
        name="proxy",
        address=dataclasses.replace(HOSTS["moonshot"].address, base_url=kimi.base_url, domains=()),
    )
    assert driver.ask(driver.make(host=spec, api_key=kimi.api_key), "Hello").text


def test_the_address_in_a_spec_of_ones_own_holds(
    driver: Driver, kimi: LocalKimi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOONSHOT_BASE_URL", "https://elsewhere.example/v1")
    spec = dataclasses.replace(
        HOSTS["moonshot"], address=dataclasses.replace(HOSTS["moonshot"].address, base_url=kimi.base_url)
    )
    assert driver.ask(driver.make(host=spec, api_key=kimi.api_key), "Hello").text


def test_a_model_is_one_spec(driver: Driver, kimi: LocalKimi, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = ModelSpec(
        id="kimi-k9", spellings="kimi-k9", context=9_000_000, default_output=90_000, thinking="always", efforts=("low", "wild")
    )  # fmt: skip
    monkeypatch.setitem(MODELS, "kimi-k9", spec)
    kimi.enqueue(text="Nine.", unchecked=True)
    model = driver.make(
        model="kimi-k9",
        base_url=kimi.base_url,
        api_key=kimi.api_key,
        reasoning_effort="wild",
        overrides={"thinking.effort_field": "reasoning_effort"},
    )
    assert driver.ask(model, "Hello").text == "Nine."
    assert kimi.requests[-1].body["reasoning_effort"] == "wild"
    window = model.profile["max_input_tokens"] if driver.framework == "langchain" else model.metadata.context_window
    assert window == 9_000_000


def test_an_unknown_model_passes_through_with_one_warning(driver: Driver, kimi: LocalKimi) -> None:
    kimi.enqueue(text="Yes.", unchecked=True)
    with pytest.warns(KimiWarning, match=rf"No spec knows the model 'new-{driver.name}'"):
        model = driver.make(model=f"new-{driver.name}", base_url=kimi.base_url, api_key=kimi.api_key)
        driver.ask(model, "Hello")
    assert kimi.requests[-1].body["model"] == f"new-{driver.name}"


@pytest.mark.parametrize("spec", HOSTS.values(), ids=list(HOSTS))
def test_a_host_spec_names_where_its_facts_come_from(spec: HostSpec) -> None:
    assert spec.source
    assert HOSTS[spec.name] is spec
    assert set(spec.per_model) <= set(MODELS)
    assert set(spec.models.ids) <= set(MODELS)
    assert set(spec.usage.prices) <= set(MODELS)


@pytest.mark.parametrize("spec", HOSTS.values(), ids=list(HOSTS))
def test_a_host_spec_can_be_resolved_for_every_model(spec: HostSpec) -> None:
    for model in MODELS:
        profile = resolve(spec, model)
        assert profile.model.id == model
        for patch in (profile.host.thinking.on, profile.host.thinking.off, profile.host.thinking.keep):
            assert patch is None or all(isinstance(key, str) for key in patch)


@pytest.mark.parametrize("spec", MODELS.values(), ids=list(MODELS))
def test_a_model_spec_names_where_its_facts_come_from(spec: ModelSpec) -> None:
    assert spec.source
    assert MODELS[spec.id] is spec


SPELLINGS = {
    "moonshot/kimi-k2-6": "kimi-k2.6",
    "moonshotai/Kimi-K2.6": "kimi-k2.6",
    "moonshotai-kimi-k2-6": "kimi-k2.6",
    "moonshotai:kimi@k2.6": "kimi-k2.6",
    "accounts/fireworks/models/kimi-k2p6": "kimi-k2.6",
    "@cf/moonshotai/kimi-k2.7-code": "kimi-k2.7-code",
    "moonshot/kimi-k2-7-code-highspeed": "kimi-k2.7-code-highspeed",
    "moonshotai/Kimi-K3": "kimi-k3",
    "kimi-k3.1-pro-highspeed": "kimi-k3.1-pro-highspeed",
    "global.moonshotai.kimi-k3.1": "kimi-k3.1-pro",
    "k3": "kimi-k3",
    "k2p6": "kimi-k2.6",
    "kimi-for-coding": "kimi-k3",
    "kimi-for-coding-highspeed": "kimi-k2.7-code-highspeed",
    "hf:moonshotai/Kimi-K2.6": "kimi-k2.6",
    "moonshotai/chat-completion/models/Kimi-K2_6": "kimi-k2.6",
    "FW-Kimi-K2.7-Code": "kimi-k2.7-code",
}


@pytest.mark.parametrize(("spelling", "family"), SPELLINGS.items())
def test_every_hosts_spelling_finds_its_family(spelling: str, family: str) -> None:
    from kimi_core.hosts.models import find

    assert find(spelling) is MODELS[family]


def test_a_name_in_place_of_a_tuple_of_names_is_an_error_and_not_its_letters() -> None:
    with pytest.raises(ConfigError, match=r"key_env of an Address must be a tuple: \('ACME_API_KEY',\)"):
        Address(base_url="https://api.acme.example/v1", key_env="ACME_API_KEY")  # type: ignore[arg-type]


def test_a_mapping_in_place_of_a_group_is_an_error(framework: Driver) -> None:
    address = {"base_url": "https://api.acme.example/v1"}
    with pytest.raises(ConfigError, match="address of a HostSpec must be its Address, not dict"):
        framework.make(host=HostSpec(name="acme", title="ACME", address=address), api_key="k")  # type: ignore[arg-type]
