"""Thinking x tool choice x sampling x structured output."""

from __future__ import annotations

from typing import Any

import pytest

from kimi_core import (
    HOSTS,
    ConfigError,
    Message,
    MessageError,
    Options,
    OutputFormat,
    Request,
    Thinking,
    Tool,
    ToolChoice,
    UnsupportedError,
    resolve,
)
from kimi_core.request.plan import Plan
from kimi_core.request.policy import plan

TOOLS = (Tool("look", parameters={"type": "object"}), Tool("find", parameters={"type": "object"}))
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


def decide(model: str = "kimi-k2.6", host: str = "moonshot", thinking: bool | None = None, **more: Any) -> Plan:
    options = Options(thinking=Thinking(thinking), **more.pop("options", {}))
    request = Request(messages=[Message("user", "Hi")], model=model, options=options, **more)
    return plan(request, resolve(HOSTS[host], model))


def forced(name: str | None = None) -> dict[str, Any]:
    return {"tools": TOOLS, "tool_choice": ToolChoice("named", name) if name else ToolChoice("required")}


AUTO, REQUIRED, LOOK = ToolChoice("auto"), ToolChoice("required"), ToolChoice("named", "look")
OFF = ({"thinking": {"type": "disabled"}},)


@pytest.mark.parametrize(
    ("model", "host", "thinking", "choice", "sent", "patches", "noted"),
    [
        # unset and switchable: off for this call
        ("kimi-k2.6", "moonshot", None, None, REQUIRED, OFF, False),
        ("kimi-k2.6", "moonshot", None, "look", LOOK, OFF, False),
        # asked for: auto, checked, repaired
        ("kimi-k2.6", "moonshot", True, "look", AUTO, ({"thinking": {"type": "enabled"}},), True),
        # switched off: forced as asked
        ("kimi-k2.6", "moonshot", False, "look", LOOK, OFF, False),
        # always thinks: auto
        ("kimi-k2.7-code", "moonshot", None, "look", AUTO, (), True),
        # K3: `required` is legal; a name is `required` with one tool
        ("kimi-k3", "moonshot", None, None, REQUIRED, (), False),
        ("kimi-k3", "moonshot", None, "look", REQUIRED, (), False),
        # no switch on the host
        ("kimi-k2.6", "aimlapi", None, "look", AUTO, (), True),
        # a host that takes everything
        ("kimi-k2.6", "vllm", None, "look", LOOK, (), False),
    ],
)
def test_forcing_a_tool_goes_as_far_as_the_model_allows(
    model: str, host: str, thinking: Any, choice: Any, sent: ToolChoice, patches: Any, noted: bool
) -> None:
    decided = decide(model, host, thinking, **forced(choice))
    assert decided.request.tool_choice == sent
    assert decided.patches == patches
    assert bool(decided.notes) is noted
    assert decided.must_call == (frozenset({choice}) if noted else frozenset())


def test_k3_is_offered_the_named_tool_alone() -> None:
    assert [t.name for t in decide("kimi-k3", **forced("look")).request.tools] == ["look"]


@pytest.mark.parametrize("mode", ["auto", "none"])
def test_auto_and_none_change_nothing(mode: Any) -> None:
    decided = decide(tools=TOOLS, tool_choice=ToolChoice(mode))
    assert decided.request.tool_choice == ToolChoice(mode)
    assert decided.patches == ()


def test_forcing_without_tools_raises() -> None:
    """400: `required` with no tools."""
    with pytest.raises(ConfigError, match="needs tools"):
        decide(tool_choice=REQUIRED)


def test_forcing_an_unknown_tool_raises_with_a_hint() -> None:
    with pytest.raises(ConfigError, match=r"'lok'.*Did you mean 'look'"):
        decide(**forced("lok"))


@pytest.mark.parametrize(
    ("thinking", "temperature", "noted"), [(True, 1.0, False), (None, 1.0, False), (False, 0.6, False), (True, 0.0, True), (False, 1.0, True)]
)  # fmt: skip
def test_pinned_sampling_is_never_sent(thinking: Any, temperature: float, noted: bool) -> None:
    """400 `invalid temperature: only 1 is allowed for this model` (0.6 without thinking)."""
    decided = decide(thinking=thinking, options={"temperature": temperature})
    assert decided.request.options.temperature is None
    assert bool(decided.notes) is noted


def test_sampling_is_free_on_other_hosts() -> None:
    assert decide(host="vllm", options={"temperature": 0.3}).request.options.temperature == 0.3


@pytest.mark.parametrize("option", [{"seed": 7}, {"parallel_tool_calls": False}])
def test_options_that_moonshot_would_ignore_are_said(option: dict[str, Any]) -> None:
    decided = decide(options=option)
    assert len(decided.notes) == 1
    assert getattr(decided.request.options, next(iter(option))) is None


def test_asking_for_the_default_says_nothing() -> None:
    assert decide(options={"parallel_tool_calls": True, "n": 1, "presence_penalty": 0}).notes == ()


def test_no_more_answers_are_asked_for_than_the_host_gives_in_one_call() -> None:
    assert decide(options={"n": 2}).request.options.n is None
    assert decide(host="vllm", options={"n": 2}).request.options.n == 2


@pytest.mark.parametrize(
    ("stop", "match"), [(("a",) * 6, "at most 5 stop sequences"), (("ü" * 17,), "at most 32 bytes")]
)
def test_stop_limits_are_checked_before_any_io(stop: tuple[str, ...], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        decide(options={"stop": stop})


@pytest.mark.parametrize("asked", [{"mode": "implicit", "ttl": "1h"}, {"ttl": "5m"}, {"mode": "implicit"}])
def test_cache_options_are_sent_where_the_host_has_them(asked: dict[str, str]) -> None:
    decided = decide(options={"prompt_cache_options": asked})
    assert decided.request.options.prompt_cache_options == asked
    assert decided.notes == ()


@pytest.mark.parametrize("host", ["aimlapi", "vllm", "generic"])
def test_cache_options_are_left_out_where_the_host_has_none(host: str) -> None:
    decided = decide(host=host, options={"prompt_cache_options": {"ttl": "1h"}})
    assert decided.request.options.prompt_cache_options is None
    assert "no such option" in decided.notes[0].text


@pytest.mark.parametrize("asked", [{"ttl": "2h"}, {"mode": "explicit"}, {"breakpoint": "x"}])
def test_cache_options_that_the_host_refuses_raise_before_any_io(asked: dict[str, str]) -> None:
    """400 `invalid prompt_cache_options`."""
    with pytest.raises(ConfigError, match="'5m' or '1h'"):
        decide(options={"prompt_cache_options": asked})


@pytest.mark.parametrize("method", ["auto", "json_schema"])
def test_structured_output_takes_the_best_way(method: Any) -> None:
    assert decide(output=OutputFormat(method, SCHEMA, "person")).request.output.method == "json_schema"


def test_structured_output_by_a_tool_forces_it() -> None:
    decided = decide(output=OutputFormat("function_calling", SCHEMA, "person"))
    assert decided.request.tool_choice == ToolChoice("named", "person")
    assert decided.patches == OFF


def test_without_a_schema_it_is_a_json_object() -> None:
    assert decide(output=OutputFormat("auto")).request.output.method == "json_object"


def test_a_partial_message_and_json_object_do_not_go_together() -> None:
    request = Request(
        messages=[Message("user", "x"), Message("assistant", "{", partial=True)],
        model="kimi-k2.6",
        output=OutputFormat("json_object"),
    )
    with pytest.raises(UnsupportedError, match="json_object"):
        plan(request, resolve(HOSTS["moonshot"], "kimi-k2.6"))


def test_more_tools_than_the_host_takes_raise() -> None:
    tools = tuple(Tool(f"tool_{i}") for i in range(129))
    with pytest.raises(ConfigError, match="at most 128 tools"):
        decide(tools=tools)


def test_two_tools_of_one_name_raise() -> None:
    with pytest.raises(ConfigError, match="Two tools are called 'look'"):
        decide(tools=(*TOOLS, Tool("look")))


def test_an_empty_last_message_of_the_user_raises_where_none_is_taken() -> None:
    request = Request(messages=[Message("user", "x"), Message("assistant", "y"), Message("user")], model="kimi-k2.6")
    with pytest.raises(MessageError, match=r"Message 2 \(user\) is empty"):
        plan(request, resolve(HOSTS["moonshot"], "kimi-k2.6"))
    plan(request, resolve(HOSTS["vllm"], "kimi-k2.6"))


@pytest.mark.parametrize("role", ["user", "system"])
def test_an_earlier_empty_message_does_not_stop_the_call(role: Any) -> None:
    plan(
        Request(messages=[Message(role), Message("user", "x")], model="kimi-k2.6"),
        resolve(HOSTS["moonshot"], "kimi-k2.6"),
    )


def test_vllm_switches_k3_off() -> None:
    assert decide("kimi-k3", "vllm", False).patches == ({"reasoning_effort": "none"},)


def test_keep_while_thinking_is_off_is_said() -> None:
    request = Request(
        messages=[Message("user", "x")], model="kimi-k2.6", options=Options(thinking=Thinking(False, keep="all"))
    )
    assert "keep" in plan(request, resolve(HOSTS["moonshot"], "kimi-k2.6")).notes[0].text
