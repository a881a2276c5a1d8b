"""The thinking option on every model: what goes over the wire, and what is said when it cannot be done."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from drivers import Driver, in_turn

from kimi_adapters.local_server import LocalKimi
from kimi_core import MODELS, KimiClient, KimiWarning, Message, Options, Request, UnsupportedError
from kimi_core.options import parse_thinking

ENABLED = {"type": "enabled"}
DISABLED = {"type": "disabled"}
KEPT = {"type": "enabled", "keep": "all"}
OPTIONS: dict[str, Any] = {"unset": None, "on": True, "off": False, "keep": KEPT}

# Moonshot's documentation of `thinking`: K2.6 toggles; K2.7 refuses `disabled`; K2.5 refuses `keep`; K3 takes none
# of it. None: nothing is sent. A string: nothing of the option is sent, and a warning has the reason.
WIRE: dict[str, dict[str, Any]] = {
    "kimi-k3.1-pro": {"unset": None, "on": None, "off": "always thinks", "keep": None},
    "kimi-k3.1-pro-highspeed": {"unset": None, "on": None, "off": "always thinks", "keep": None},
    "kimi-k3": {"unset": None, "on": None, "off": "always thinks", "keep": None},
    "kimi-k2.7-code": {"unset": None, "on": ENABLED, "off": "always thinks", "keep": KEPT},
    "kimi-k2.7-code-highspeed": {"unset": None, "on": ENABLED, "off": "always thinks", "keep": KEPT},
    "kimi-k2.6": {"unset": None, "on": ENABLED, "off": DISABLED, "keep": KEPT},
    "kimi-k2.5": {"unset": None, "on": ENABLED, "off": DISABLED, "keep": "there is no such option"},
    "kimi-k2-thinking": {"unset": None, "on": ENABLED, "off": "always thinks", "keep": "there is no such option"},
}
CELLS = [(model, option, wire) for model, spec in WIRE.items() for option, wire in spec.items()]
LIVE = [cell for cell in CELLS if cell[0] not in ("kimi-k2.5", "kimi-k2-thinking")]


def request(model: str, thinking: Any) -> Request:
    return Request(
        messages=[Message("user", "Hi")], model=model, options=Options(thinking=parse_thinking(thinking, None))
    )


def test_every_model_spec_has_its_line_in_the_table() -> None:
    assert list(WIRE) == list(MODELS)


@pytest.mark.parametrize(("model", "option", "wire"), CELLS)
def test_the_wire_is_what_the_documentation_says(model: str, option: str, wire: Any) -> None:
    client = KimiClient(api_key="k", overrides={"models.retired": {}})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _, sent = client.prepare(request(model, OPTIONS[option]))
        client.prepare(request(model, OPTIONS[option]))
    said = [str(w.message) for w in caught]
    if isinstance(wire, str):
        assert len(said) == 1, "warned once"
        assert wire in said[0]
        assert model in said[0]
    else:
        assert said == []
        assert sent.body.get("thinking") == wire


@pytest.mark.parametrize(("model", "option", "wire"), [cell for cell in CELLS if isinstance(cell[2], str)])
def test_on_unsupported_error_raises_before_any_io(model: str, option: str, wire: str) -> None:
    client = KimiClient(
        api_key="k",
        base_url="http://127.0.0.1:9",
        host="moonshot",
        on_unsupported="error",
        overrides={"models.retired": {}},
    )
    with pytest.raises(UnsupportedError, match=wire):
        client.complete(request(model, OPTIONS[option]))


@in_turn("model,option,wire", {f"{model}-{option}": (model, option, wire) for model, option, wire in LIVE})
@pytest.mark.filterwarnings("ignore::kimi_core.KimiWarning")
def test_the_host_takes_every_option_from_both_frameworks(
    driver: Driver, kimi: LocalKimi, model: str, option: str, wire: Any
) -> None:
    asked = driver.make(model=model, base_url=kimi.base_url, api_key=kimi.api_key, thinking=OPTIONS[option])
    answer = driver.ask(asked, "Hello")
    assert answer.text
    assert kimi.errors == []
    assert kimi.requests[-1].body.get("thinking") == (None if isinstance(wire, str) else wire)
    thinks = wire != DISABLED
    assert bool(answer.reasoning) is thinks


@pytest.mark.parametrize("off", [{"thinking": False}, {"reasoning_effort": "none"}], ids=["thinking", "effort"])
@pytest.mark.parametrize("model", ["kimi-k3", "kimi-k3.1-pro"])
def test_no_thinking_where_the_model_always_thinks_becomes_the_least_with_a_warning(
    driver: Driver, kimi: LocalKimi, model: str, off: dict[str, Any]
) -> None:
    asked = driver.make(model=model, base_url=kimi.base_url, api_key=kimi.api_key, **off)
    with pytest.warns(KimiWarning, match=r"always thinks\. It is sent reasoning_effort='low'") as caught:
        driver.ask(asked, "Hello")
        driver.ask(asked, "Hello")
    assert len(caught) == 1, "the reasoning that comes is no news"
    assert [(r.body["reasoning_effort"], "thinking" in r.body) for r in kimi.requests] == [("low", False)] * 2


def test_an_effort_that_was_asked_for_stays_where_thinking_cannot_be_switched_off(
    driver: Driver, kimi: LocalKimi
) -> None:
    asked = driver.make(model="kimi-k3", base_url=kimi.base_url, api_key=kimi.api_key, reasoning_effort="high")
    with pytest.warns(KimiWarning, match="always thinks"):
        driver.ask(asked, "Hello", thinking=False)
    assert kimi.requests[-1].body["reasoning_effort"] == "high"


@pytest.mark.parametrize("off", [{"thinking": False}, {"reasoning_effort": "none"}], ids=["thinking", "effort"])
def test_an_answer_that_was_thought_about_all_the_same_warns_once(
    driver: Driver, kimi: LocalKimi, off: dict[str, Any]
) -> None:
    """Moonshot ignores the variables of a template that other servers take for a switch."""
    asked = driver.make(host="generic", base_url=kimi.base_url, api_key=kimi.api_key, **off)
    with pytest.warns(KimiWarning, match=r"kimi-k2\.6 on generic thought although thinking=False") as caught:
        assert driver.ask(asked, "Hello").reasoning
        driver.ask(asked, "Hello")
    assert len(caught) == 1
    assert kimi.requests[-1].body["chat_template_kwargs"] == {"thinking": False, "enable_thinking": False}


def test_thinking_that_nobody_forbade_is_no_news(driver: Driver, kimi: LocalKimi) -> None:
    assert driver.ask(driver.make(host="generic", base_url=kimi.base_url, api_key=kimi.api_key), "Hello").reasoning


@pytest.mark.parametrize("value", [True, False, None, KEPT, DISABLED])
def test_the_call_wins_over_the_constructor(driver: Driver, kimi: LocalKimi, value: Any) -> None:
    asked = driver.make(base_url=kimi.base_url, api_key=kimi.api_key, thinking=True)
    driver.ask(asked, "Hello", thinking=value)
    expected = {True: ENABLED, False: DISABLED, None: ENABLED}[value] if not isinstance(value, dict) else value
    assert kimi.requests[-1].body["thinking"] == expected


@pytest.mark.parametrize(
    ("effort", "sent"), [("low", "low"), ("high", "high"), ("max", "max"), ("medium", "high"), ("minimal", "low")]
)
def test_effort_is_said_to_models_that_have_levels(driver: Driver, kimi: LocalKimi, effort: str, sent: str) -> None:
    asked = driver.make(model="kimi-k3", base_url=kimi.base_url, api_key=kimi.api_key, reasoning_effort=effort)
    driver.ask(asked, "Hello")
    assert kimi.requests[-1].body["reasoning_effort"] == sent
    assert "thinking" not in kimi.requests[-1].body


@pytest.mark.parametrize("model", ["kimi-k2.6", "kimi-k2.7-code"])
def test_an_effort_that_may_change_nothing_is_sent_with_a_warning(driver: Driver, kimi: LocalKimi, model: str) -> None:
    asked = driver.make(model=model, base_url=kimi.base_url, api_key=kimi.api_key, reasoning_effort="max")
    with pytest.warns(KimiWarning, match="Whether reasoning_effort changes anything .* is unconfirmed") as caught:
        driver.ask(asked, "Hello")
        driver.ask(asked, "Hello")
    assert len(caught) == 1
    assert [(one.body["reasoning_effort"], one.status) for one in kimi.requests] == [("max", 200)] * 2


def test_effort_is_not_sent_beside_a_thinking_option(driver: Driver, kimi: LocalKimi) -> None:
    """400 `cannot specify both 'thinking' and 'reasoning_effort'`."""
    asked = driver.make(base_url=kimi.base_url, api_key=kimi.api_key, thinking=True, reasoning_effort="high")
    with pytest.warns(KimiWarning, match="the host refuses it beside `thinking`"):
        driver.ask(asked, "Hello")
    assert "reasoning_effort" not in kimi.requests[-1].body


def test_no_switch_on_a_host_warns_and_is_not_ignored(driver: Driver, aimlapi: LocalKimi) -> None:
    asked = driver.make(host="aimlapi", base_url=aimlapi.base_url, api_key=aimlapi.api_key, thinking=False)
    with pytest.warns(KimiWarning, match=r"thinking=False is not sent .* the host has no switch"):
        driver.ask(asked, "Hello")
    assert "thinking" not in aimlapi.requests[-1].body


@pytest.mark.parametrize("wrong", ["yes", 1.5, {"type": "on"}, {"mode": "enabled"}])
def test_a_wrong_value_raises_at_construction(framework: Driver, wrong: Any) -> None:
    with pytest.raises(ValueError, match="thinking"):
        framework.make(api_key="k", thinking=wrong)
