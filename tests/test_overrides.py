"""Facts of the user's own, given in `overrides`: of the type that the spec has, or an error when a model is made."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from drivers import Driver

from kimi_adapters.local_server import LocalKimi
from kimi_core import Address, HostSpec, KimiClient, SamplingRules, resolve
from kimi_core.errors import ConfigError
from kimi_core.hosts import patches

ODD: list[Any] = [
    [1],
    {"a": [1]},
    {1: 2},
    [None],
    [[]],
    5,
    -1,
    "x",
    float("nan"),
    b"x",
    object(),
    {1},
    "\ud800",
    10**400,
]
"""Values of every type; each field takes some of them at most."""

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a name that is no text": ({5: 1}, "^overrides must be .*{5: 1}"),
    "a name without its group": ({"thinking_off": None}, "no fact 'thinking_off'.* Did you mean 'thinking.off'"),
    "a group as a whole": ({"tools": {"limit": 5}}, "no fact 'tools'.* named by group and field"),
    "a yes or no as text": ({"usage.stream_options": "no"}, r"^usage\.stream_options of .* boolean"),
    "a yes or no as a number": ({"sampling.pinned": 1}, r"^sampling\.pinned of .* boolean"),
    "a number as text": ({"sampling.stop_limit": "4"}, r"^sampling\.stop_limit of .* integer"),
    "a text as a number": ({"endpoints.count_tokens": 5}, r"^endpoints\.count_tokens of .* string"),
    "a patch": ({"thinking.off": "off"}, r"^thinking\.off of .* dictionary"),
    "a way that does not exist": (
        {"structured.ways": ("json",)},
        r"^structured\.ways\.0 of .*'json_schema', 'function_calling'",
    ),
    "a medium that does not exist": ({"media.kinds": {"smells"}}, r"^media\.kinds\.0 of .*'image' or 'video'"),
    "a protocol that does not exist": ({"codec": "soap"}, "^codec of .*'chat' or 'runware'"),
    "a price": ({"usage.prices": {"kimi-k2.6": 1}}, r"^usage\.prices\.kimi-k2\.6 of "),
    "a pattern that is none": ({"models.id_form": "("}, r"^models\.id_form of .* no regular expression, missing \)"),
    "a pattern of an error": (
        {"errors.rules": [{"error": "APIError", "kind": "("}]},
        r"^errors\.rules\.0\.kind of .* no regular exp",
    ),
    "a silence": ({"timeouts.chunk": float("nan")}, "^chunk_timeout must be .*nan"),
    "a fact about one model": ({"per_model": {"kimi-k3": {"contxt": 5}}}, "'contxt'.* Did you mean 'context'"),
    "a fact about the other endpoint": ({"compatible": {"endpoints.chat": 5}}, r"^endpoints\.chat of .* string"),
    "an option that is refused": (
        {"sampling.refuses": {"temprature": "no"}},
        "'temprature'. Did you mean 'temperature'",
    ),
    "an option that a model refuses": (
        {"per_model": {"kimi-k3": {"sampling.refuses": {"sed": ""}}}},
        "'sed'. Did you mean 'seed'",
    ),
}


@pytest.mark.parametrize(("facts", "words"), WRONG.values(), ids=WRONG)
def test_a_fact_of_a_wrong_type_is_an_error_when_a_model_is_made(
    framework: Driver, facts: dict[Any, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        framework.make(api_key="k", overrides=facts)


@pytest.mark.parametrize(
    "name", ["name", "address.base_url", "address.key_env", "address.key_required", "address.foreign_keys"]
)
def test_a_fact_by_which_the_host_is_found_is_an_error_and_not_dropped(framework: Driver, name: str) -> None:
    with pytest.raises(ConfigError, match=rf"'{name}'.*base_url=…"):
        framework.make(api_key="k", overrides={name: "https://llm.example.com/v1"})


def test_a_fact_about_a_fallback_host_is_looked_at_when_a_model_is_made(framework: Driver) -> None:
    there = {"host": "vllm", "overrides": {"sampling.stop_limit": "4"}}
    with pytest.raises(ConfigError, match=r"^fallback_hosts\[0\]: sampling\.stop_limit of .* integer"):
        framework.make(api_key="k", fallback_hosts=[there])


@pytest.mark.parametrize("name", sorted(patches.HOST_FACTS | patches.MODEL_FACTS))
def test_a_fact_of_any_type_is_taken_or_a_typed_error(name: str) -> None:
    for odd in ODD:
        with contextlib.suppress(ConfigError):
            KimiClient(api_key="k", overrides={name: odd}).profile("kimi-k2.6")


@pytest.mark.filterwarnings("ignore:top_p")
def test_facts_of_one_group_do_not_touch_its_others(framework: Driver, kimi: LocalKimi) -> None:
    model = framework.make(
        base_url=kimi.base_url, api_key=kimi.api_key, overrides={"sampling.max_tokens_field": "most"}
    )
    kimi.enqueue(text="Yes.", unchecked=True)
    framework.ask(model, "Hello", max_tokens=9, top_p=0.1)  # sampling is still pinned
    body = kimi.requests[-1].body
    assert (body["most"], "max_completion_tokens" in body, body.get("top_p")) == (9, False, None)


def test_lists_are_taken_for_tuples_and_sets(framework: Driver, kimi: LocalKimi) -> None:
    facts = {
        "structured.ways": ["function_calling"],
        "media.kinds": ["image"],
        "media": ["image"],
        "as_of": "2026-01-01",
    }
    model = framework.make(base_url=kimi.base_url, api_key=kimi.api_key, overrides=facts)
    assert framework.ask(model, "Hello").text


def test_a_host_that_refuses_an_option_that_does_not_exist_is_an_error(framework: Driver) -> None:
    mine = HostSpec(
        name="mine",
        title="Mine",
        address=Address(base_url="http://127.0.0.1:9/v1"),
        sampling=SamplingRules(refuses={"top_k": "Leave it out."}),
    )
    with pytest.raises(ConfigError, match="no option 'top_k'. Did you mean 'top_p'"):
        framework.make(host=mine, api_key="k")
    with pytest.raises(ConfigError, match="'top_k'"):
        resolve(mine, "kimi-k2.6")
