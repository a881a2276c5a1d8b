"""Conversations that go on: tool loops, structured answers, from host to host, and on a host of one's own."""

from __future__ import annotations

import pytest
from drivers import Driver
from hosts_served import PIXEL, RUNWARE, SERVED, Served, Talk
from llama_index.core import PromptTemplate
from pydantic import BaseModel

from kimi_adapters.local_server import LocalKimi
from kimi_core import HOSTS, Address, HostSpec, ModelIds, ThinkingRules


def get_weather(city: str) -> str:
    """Say what the weather is like in a city."""
    return f"Sunny in {city}."


class Person(BaseModel):
    """A person."""

    name: str
    age: int


def test_a_long_tool_loop_ends_on_every_host(way: Driver, served: Served, server: LocalKimi) -> None:
    talk = Talk(way, [get_weather])
    model = way.make(**served.where(server))
    for city in ("Paris", "Oslo", "Lima", "Cairo", "Delhi", "Quito"):
        assert city in talk.say(model, f"What is the weather in {city}?")
    assert talk.calls == ["get_weather"] * 6
    assert server.errors == [], server.errors[-1].error
    # What was thought goes back under the key, and in the form, in which this host reads it.
    turns = [m for m in server.requests[-1].body["messages"] if m.get("tool_calls")]
    assert len(turns) == 6
    keys = {frozenset(key for key in turn if key.startswith("reasoning")) for turn in turns}
    assert keys == {frozenset(_ECHOED[served.name])}


_ECHOED = {
    "moonshot": ["reasoning_content"],
    "aimlapi": ["reasoning_content"],
    "kimi-code": ["reasoning_content"],
    "openrouter": ["reasoning_details"],
    "fireworks": ["reasoning_content"],
    "vllm": ["reasoning"],
    "vllm-both-keys": ["reasoning"],
    "vllm-think-tags": ["reasoning", "reasoning_content"],  # which one it reads is not known: it is sent under both
    "sglang": ["reasoning_content"],
}


@pytest.mark.filterwarnings("ignore:tool_choice 'Person' is not sent")
def test_structured_output_comes_from_every_host(framework: Driver, served: Served, server: LocalKimi) -> None:
    model = framework.make(**served.where(server))
    text = "Ada Lovelace was 36."
    if framework.framework == "langchain":
        found = model.with_structured_output(Person).invoke(text)
    else:
        found = model.structured_predict(Person, PromptTemplate("{text}"), text=text)
    assert found == Person(name="Ada Lovelace", age=36)
    assert server.errors == [], server.errors[-1].error


def take_photo() -> str:
    """Take a photo."""
    return PIXEL


def photographed(kimi: LocalKimi) -> None:
    """The model takes a photo and says what is on it. The requests are checked as always."""
    kimi.enqueue(reasoning="I take one.", tool_calls=[{"name": "take_photo"}])
    kimi.enqueue(text="A dot.", reasoning="I see it.")


@pytest.mark.filterwarnings("ignore:The conversation was repaired")
def test_a_picture_that_a_tool_took_is_seen_where_pictures_are(way: Driver, served: Served, server: LocalKimi) -> None:
    if "image" not in served.media:
        return
    talk = Talk(way, [take_photo])
    photographed(server)
    assert talk.say(way.make(**served.where(server)), "Take a photo.") == "A dot."
    assert talk.calls == ["take_photo"]
    assert server.errors == [], server.errors[-1].error
    last = server.requests[-1].body["messages"]
    shown = [
        m["role"] for m in last if isinstance(m.get("content"), list) and any("image_url" in p for p in m["content"])
    ]
    assert shown == (["tool"] if HOSTS[served.host].tools.media_results else ["user"])


# ----------------------------------------------------------------------------------------- conversations that hop


def test_a_conversation_hops_from_host_to_host(driver: Driver, running: dict[str, LocalKimi]) -> None:
    """Reasoning, ids and pictures are put into each host's own form; nothing is refused, nothing lost."""
    talk = Talk(driver, [get_weather, take_photo])
    route = ("moonshot", "openrouter", "vllm", "runware", "fireworks", "kimi-code", "moonshot")
    for name, city in zip(route, ("Paris", "Oslo", "Lima", "Rome", "Cairo", "Delhi", "Quito"), strict=True):
        kimi = running[name]
        kimi.reset()
        model = driver.make(
            **next(s for s in (*SERVED, RUNWARE) if s.name == name).where(kimi), on_unsupported="ignore"
        )
        assert city in talk.say(model, f"What is the weather in {city}?")
        assert "PNG" in talk.say(model, "What is this?", picture=PIXEL)
        photographed(kimi)
        assert talk.say(model, "Take a photo.") == "A dot."
        assert kimi.errors == [], (name, kimi.errors[-1].error)
    assert talk.calls == ["get_weather", "take_photo"] * 7
    messages = kimi.requests[-1].body["messages"]
    turns = [message for message in messages if message.get("tool_calls")]
    assert len(turns) == 14
    assert all(turn["reasoning_content"].strip() for turn in turns)
    assert all(not {"reasoning", "reasoning_details"} & turn.keys() for turn in turns)


# -------------------------------------------------------------------------------------------- a host of one's own

ACME = HostSpec(
    name="acme",
    title="ACME Inference",
    source="ACME's API reference",
    address=Address(domains=("api.acme.example",), key_env=("ACME_API_KEY",)),
    models=ModelIds(ids={"kimi-k2.6": "moonshotai/Kimi-K2.6"}),
    thinking=ThinkingRules(default=True, off={"reasoning_effort": "none"}),
)


def test_a_host_is_ten_lines_of_facts(driver: Driver, running: dict[str, LocalKimi]) -> None:
    kimi = running["sglang"]
    kimi.reset()
    talk = Talk(driver, [get_weather])
    model = driver.make(host=ACME, base_url=kimi.base_url, api_key=kimi.api_key)
    assert "Paris" in talk.say(model, "What is the weather in Paris?")
    answer = driver.ask(driver.make(host=ACME, base_url=kimi.base_url, api_key=kimi.api_key, thinking=False), "Hello")
    assert (answer.text != "", answer.reasoning) == (True, "")
    assert kimi.errors == []
