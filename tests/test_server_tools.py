"""The host's own tools, run within a call: the same in both frameworks, sync and async, streamed and not."""

from __future__ import annotations

from typing import Any

import pytest
from drivers import Answer, Driver, LangChain
from inline_snapshot import snapshot
from langchain_core.messages import HumanMessage, ToolMessage
from llama_index.core.base.llms.types import ChatMessage

import kimi_core as core
from kimi_adapters.local_server import LocalKimi
from kimi_core import openai_shapes, options

DATE, BASE64, WEB = "moonshot/date:latest", "moonshot/base64:latest", "moonshot/web-search:latest"
FIBERS = f"/v1/formulas/{DATE}/fibers"


def ping(x: str) -> str:
    """Ping."""
    return f"pong {x}"


def days(n: int) -> dict[str, Any]:
    """A call of the date formula that gives `n days`."""
    end = f"2026-01-{n + 1:02}"
    return {"name": "date", "arguments": {"operation": "between", "date1": "2026-01-01", "date2": end}}


OWN = {"name": "ping", "arguments": {"x": "1"}}


def make(driver: Driver, kimi: LocalKimi, **words: Any) -> Any:
    return driver.make(**{"model": "kimi-k3", "base_url": kimi.base_url, "api_key": kimi.api_key, **words})


def go_on(driver: Driver, made: Any, before: Answer, *results: str) -> Any:
    """The same conversation continued: with results of the user's tools, or with another question."""
    answered = list(zip(results, [call["id"] for call in before.tool_calls], strict=True))
    if isinstance(driver, LangChain):
        told: list[Any] = [ToolMessage(result, tool_call_id=id_) for result, id_ in answered]
        return driver._run(made, [HumanMessage("Go."), before.native, *(told or [HumanMessage("And?")])], {})
    told = [ChatMessage(role="tool", content=r, additional_kwargs={"tool_call_id": id_}) for r, id_ in answered]
    said = [ChatMessage(role="user", content="Go."), before.native.message]
    return driver._run(made, "chat", [*said, *(told or [ChatMessage(role="user", content="And?")])], {})


def chats(kimi: LocalKimi) -> list[dict[str, Any]]:
    return [r.body for r in kimi.requests if r.path.endswith("/chat/completions")]


# ---------------------------------------------------------------------------------------------------- offering


@pytest.mark.parametrize("tool", ["$web_search", core.web_search(), WEB, core.formula(WEB)], ids=str)
def test_a_server_tool_is_offered_by_name_or_as_a_dict_and_run(driver: Driver, kimi: LocalKimi, tool: Any) -> None:
    answer = driver.ask(make(driver, kimi), "How long does the ferry take?", server_tools=[tool])
    assert "25 minutes" in answer.text
    assert answer.tool_calls == []
    assert answer.finish_reason == "stop"
    assert len(chats(kimi)) == 2


def test_server_tools_of_the_constructor_are_offered_beside_those_of_the_call(driver: Driver, kimi: LocalKimi) -> None:
    driver.ask(make(driver, kimi, server_tools=[DATE, "$web_search"]), "Hello", tools=[ping])
    names = [tool["function"]["name"] for tool in chats(kimi)[0]["tools"]]
    assert names == ["ping", "date", "$web_search"]


def test_a_call_can_do_without_the_server_tools_of_the_constructor(driver: Driver, kimi: LocalKimi) -> None:
    driver.ask(make(driver, kimi, server_tools=[DATE]), "Hello", server_tools=[])
    assert [r.path for r in kimi.requests] == ["/v1/chat/completions"]
    assert "tools" not in chats(kimi)[0]


def test_a_tool_that_is_given_twice_is_offered_once() -> None:
    search = openai_shapes.to_tool(core.web_search())
    assert options.parse_served({"server_tools": ["$web_search"]}, {}, (search,)) == {"tools": (search,)}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"server_tools": "$web_search"}, "server_tools must be a list"),
    ({"server_tools": ["date"]}, "'date' is no tool that a host runs"),
    ({"server_tools": [{"type": "function", "function": {"name": "f"}}]}, "no tool that a host runs"),
    ({"max_server_rounds": -1}, "max_server_rounds must be"),
    ({"max_server_rounds": True}, "max_server_rounds must be"),
]


@pytest.mark.parametrize(("words", "said"), WRONG, ids=str)
def test_wrong_options_are_refused_before_any_io(driver: Driver, kimi: LocalKimi, words: Any, said: str) -> None:
    with pytest.raises(core.ConfigError, match=said):
        make(driver, kimi, **words)
    with pytest.raises(core.ConfigError, match=said):
        driver.ask(make(driver, kimi), "Go.", **words)
    assert kimi.requests == []


@pytest.mark.parametrize("tool", ["$web_search", DATE])
def test_a_host_without_such_tools_is_not_asked(driver: Driver, kimi: LocalKimi, tool: str) -> None:
    with pytest.raises(core.UnsupportedError, match="vllm"):
        driver.ask(make(driver, kimi, host="vllm"), "Go.", server_tools=[tool])
    assert kimi.requests == []


# --------------------------------------------------------------------------------------------- what comes back


def test_usage_and_price_are_of_all_rounds_and_given_once(driver: Driver, kimi: LocalKimi) -> None:
    kimi.enqueue(text="One.", tool_calls=[days(1)])
    kimi.enqueue(text="Two.", tool_calls=[days(2)])
    answer = driver.ask(make(driver, kimi, server_tools=[DATE]), "Go.")
    logged = [r.response for r in kimi.requests if r.path.endswith("/chat/completions")]
    told = [frames[-1]["usage"] if isinstance(frames, list) else frames["usage"] for frames in logged]
    assert len(told) == 3
    assert answer.input_tokens == sum(usage["prompt_tokens"] for usage in told)
    assert answer.output_tokens == sum(usage["completion_tokens"] for usage in told)
    assert answer.cached_tokens == sum(usage["cached_tokens"] for usage in told)
    fresh = (answer.input_tokens or 0) - (answer.cached_tokens or 0)
    assert answer.cost_usd == pytest.approx((fresh * 3 + answer.cached_tokens * 0.3 + answer.output_tokens * 15) / 1e6)


def test_all_that_was_said_is_in_the_text(driver: Driver, kimi: LocalKimi) -> None:
    kimi.enqueue(text="Let me see. ", reasoning="Hm. ", tool_calls=[days(1)])
    kimi.enqueue(text="One day.", reasoning="Clear.")
    answer = driver.ask(make(driver, kimi, server_tools=[DATE]), "Go.")
    assert answer.text == "Let me see. One day."
    assert answer.reasoning == "Hm. Clear."


def test_the_calls_of_the_users_tools_alone_are_handed_on(driver: Driver, kimi: LocalKimi) -> None:
    kimi.enqueue(text="Both.", tool_calls=[days(1), OWN])
    answer = driver.ask(make(driver, kimi, server_tools=[DATE]), "Go.", tools=[ping])
    assert answer.tool_calls == [{"name": "ping", "args": {"x": "1"}, "id": "ping_1"}]
    assert [r.path for r in kimi.requests if r.method == "POST"] == ["/v1/chat/completions", FIBERS]


def test_no_rounds_hand_all_calls_on(driver: Driver, kimi: LocalKimi) -> None:
    kimi.enqueue(tool_calls=[days(1)])
    answer = driver.ask(make(driver, kimi, max_server_rounds=0), "Go.", server_tools=[DATE])
    assert [call["name"] for call in answer.tool_calls] == ["date"]


# ---------------------------------------------------------------------------------------------- the next turn


def test_the_next_turn_repeats_what_the_host_knows_to_the_letter(driver: Driver, kimi: LocalKimi) -> None:
    kimi.enqueue(text="Let me see.", reasoning="Two of them.", tool_calls=[days(3), days(4)])
    kimi.enqueue(text="Three and four.", reasoning="Clear.")
    kimi.enqueue(text="Yes.")
    made = make(driver, kimi, server_tools=[DATE])
    go_on(driver, made, driver.ask(made, "Go."))
    assert chats(kimi)[2]["messages"][: len(chats(kimi)[1]["messages"])] == chats(kimi)[1]["messages"]
    assert chats(kimi)[2]["messages"] == snapshot(
        [
            {"role": "user", "content": "Go."},
            {
                "role": "assistant",
                "content": "Let me see.",
                "reasoning_content": "Two of them.",
                "tool_calls": [
                    {
                        "id": "date_0",
                        "type": "function",
                        "function": {
                            "name": "date",
                            "arguments": '{"operation": "between", "date1": "2026-01-01", "date2": "2026-01-04"}',
                        },
                    },
                    {
                        "id": "date_1",
                        "type": "function",
                        "function": {
                            "name": "date",
                            "arguments": '{"operation": "between", "date1": "2026-01-01", "date2": "2026-01-05"}',
                        },
                    },
                ],
            },
            {"role": "tool", "tool_call_id": "date_0", "content": "3 days"},
            {"role": "tool", "tool_call_id": "date_1", "content": "4 days"},
            {"role": "assistant", "content": "Three and four.", "reasoning_content": "Clear."},
            {"role": "user", "content": "And?"},
        ]
    )


def test_the_builtin_search_goes_back_as_it_was(driver: Driver, kimi: LocalKimi) -> None:
    made = make(driver, kimi, server_tools=["$web_search"])
    go_on(driver, made, driver.ask(made, "Go: how long does the ferry take?"))
    first, second, third = (body["messages"] for body in chats(kimi)[:3])
    assert third[1 : len(second)] == second[1:]
    assert third[1]["tool_calls"][0]["type"] == "builtin_function"
    assert len(first) == 1


def test_calls_made_beside_the_users_own_wait_for_the_users_results(driver: Driver, kimi: LocalKimi) -> None:
    kimi.enqueue(reasoning="First.", tool_calls=[days(2)])
    kimi.enqueue(text="Both.", reasoning="Then.", tool_calls=[OWN, days(1)])
    kimi.enqueue(text="Done.")
    made = make(driver, kimi, server_tools=[DATE])
    before = driver.ask(made, "Go.", tools=[ping])
    go_on(driver, made, before, "pong 1")
    *_, begun, own, served = (messages := chats(kimi)[2]["messages"])
    assert messages[:3] == chats(kimi)[1]["messages"]
    assert (begun["content"], begun["reasoning_content"]) == ("Both.", "Then.")
    assert [call["function"]["name"] for call in begun["tool_calls"]] == ["ping", "date"]
    assert (own["tool_call_id"], own["content"]) == ("ping_0", "pong 1")
    assert (served["tool_call_id"], served["content"]) == ("date_1", "1 days")
    assert kimi.errors == []


def test_arguments_go_back_as_the_model_wrote_them(driver: Driver, kimi: LocalKimi) -> None:
    written = '{"operation":"time",  "format":"%Y"}'
    kimi.enqueue(tool_calls=[{"name": "date", "arguments": written}, {"name": "date", "arguments": '{"operation'}])
    kimi.enqueue(text="2026.")
    kimi.enqueue(text="Yes.")
    made = make(driver, kimi, server_tools=[DATE])
    go_on(driver, made, driver.ask(made, "Go."))
    assert chats(kimi)[2]["messages"][:4] == chats(kimi)[1]["messages"]
    assert chats(kimi)[2]["messages"][1]["tool_calls"][0]["function"]["arguments"] == written


# ----------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize("place", ["constructor", "call"])
def test_the_rounds_are_limited_and_the_error_has_what_came(driver: Driver, kimi: LocalKimi, place: str) -> None:
    for n in range(1, 4):
        kimi.enqueue(text=f"Turn {n}.", tool_calls=[days(n)])
    words = {"max_server_rounds": 2}
    made = make(driver, kimi, server_tools=[DATE], **(words if place == "constructor" else {}))
    with pytest.raises(core.ServerRoundsError, match="max_server_rounds=2") as caught:
        driver.ask(made, "Go.", **(words if place == "call" else {}))
    assert caught.value.partial is not None
    assert [step.text for step in caught.value.partial.steps] == ["Turn 1.", "Turn 2.", ""]


def test_the_model_reads_that_a_server_tool_failed(driver: Driver, kimi: LocalKimi) -> None:
    kimi.enqueue(tool_calls=[{"name": "base64_decode", "arguments": {"data": "!"}}])
    kimi.enqueue(text="It is broken.")
    kimi.enqueue(text="Yes.")
    made = make(driver, kimi, server_tools=[BASE64])
    go_on(driver, made, driver.ask(made, "Go."))
    assert chats(kimi)[2]["messages"][2]["content"] == "data is not valid base64"
