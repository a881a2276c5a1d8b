"""Server tools in a call: the client runs them, asks again, and hands on one answer; whole, streamed, sync, async."""

from __future__ import annotations

import asyncio
import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

import kimi_core as core
from kimi_adapters.local_server import LocalKimi
from kimi_core import (
    AsyncKimiClient,
    Finished,
    KimiClient,
    Message,
    Options,
    Request,
    Response,
    ResponseBuilder,
    ServerCall,
    ServerToolCall,
    ServerToolResult,
    ServerToolTurn,
    ServerToolTurnEnded,
    Started,
    TextDelta,
    Thinking,
    Tool,
    ToolCallDelta,
    ToolChoice,
)
from kimi_core.openai_shapes import to_tool
from kimi_core.transport import clients

SEARCH = to_tool(core.web_search())
WEB = to_tool(core.formula("moonshot/web-search:latest"))
DATE = to_tool(core.formula("moonshot/date:latest"))
BASE64 = to_tool(core.formula("moonshot/base64:latest"))
PING = Tool("ping", "Ping", {"type": "object", "properties": {}})
FIBERS = "/v1/formulas/moonshot/date:latest/fibers"


def given_to(kimi: LocalKimi, **more: Any) -> dict[str, Any]:
    return {"host": "moonshot", "base_url": kimi.base_url, "api_key": kimi.api_key, **more}


def ask(text: str, *tools: Tool, model: str = "kimi-k3", **more: Any) -> Request:
    return Request(messages=[Message("user", text)], model=model, tools=tools, **more)


def streamed(kimi: LocalKimi, request: Request, **more: Any) -> Response:
    builder = ResponseBuilder()
    for event in KimiClient(**given_to(kimi, **more)).stream(request):
        builder.add(event)
    return builder.response()


async def astreamed(kimi: LocalKimi, request: Request, **more: Any) -> Response:
    builder = ResponseBuilder()
    async for event in await AsyncKimiClient(**given_to(kimi, **more)).stream(request):
        builder.add(event)
    return builder.response()


Way = Callable[..., Response]
WAYS: dict[str, Way] = {
    "complete": lambda kimi, request, **more: KimiClient(**given_to(kimi, **more)).complete(request),
    "stream": streamed,
    "acomplete": lambda kimi, request, **more: asyncio.run(AsyncKimiClient(**given_to(kimi, **more)).complete(request)),
    "astream": lambda kimi, request, **more: asyncio.run(astreamed(kimi, request, **more)),
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    return WAYS[request.param]


def chats(kimi: LocalKimi) -> list[dict[str, Any]]:
    return [r.body for r in kimi.requests if r.path.endswith("/chat/completions")]


def days(n: int) -> dict[str, Any]:
    """A call of the date formula that gives `n days`."""
    end = f"2026-01-{n + 1:02}"
    return {"name": "date", "arguments": {"operation": "between", "date1": "2026-01-01", "date2": end}}


BUILTIN = {"name": "$web_search", "type": "builtin_function", "arguments": {"search_result": {"search_id": "s"}}}


# ------------------------------------------------------------------------------------------------- the loop


def test_the_builtin_search_is_answered_with_its_own_arguments(kimi: LocalKimi, way: Way) -> None:
    response = way(kimi, ask("How long does the ferry take?", SEARCH))
    assert "25 minutes" in response.text
    (step,) = response.steps
    assert step.calls[0].output == step.calls[0].call.arguments
    said, result = chats(kimi)[-1]["messages"][-2:]
    assert said["tool_calls"][0]["type"] == "builtin_function"
    assert said["reasoning_content"] == step.reasoning.text  # type: ignore[union-attr]
    assert result == {
        "role": "tool",
        "tool_call_id": step.calls[0].call.id,
        "name": "$web_search",
        "content": step.calls[0].call.arguments,
    }


def test_a_formula_is_offered_as_its_functions_and_run_by_the_host(kimi: LocalKimi, way: Way) -> None:
    response = way(kimi, ask("Use web_search: how tall is the lighthouse?", WEB))
    assert "41 metres" in response.text
    assert response.tool_calls == ()
    assert [r.path for r in kimi.requests] == [
        "/v1/formulas/moonshot/web-search:latest/tools",
        "/v1/chat/completions",
        "/v1/formulas/moonshot/web-search:latest/fibers",
        "/v1/chat/completions",
    ]
    (call,) = response.steps[0].calls
    assert kimi.requests[2].body == {"name": "web_search", "arguments": call.call.arguments}
    assert call.output is not None
    assert call.output.startswith("----MOONSHOT ENCRYPTED BEGIN----")
    assert [tool["function"]["name"] for tool in chats(kimi)[0]["tools"]] == ["web_search"]


def test_what_goes_over_the_wire_in_the_second_round(kimi: LocalKimi) -> None:
    kimi.enqueue(text="Let me see.", reasoning="Two.", tool_calls=[days(3), days(4)])
    KimiClient(**given_to(kimi)).complete(ask("How many days?", DATE))
    assert chats(kimi)[1]["messages"] == snapshot(
        [
            {"role": "user", "content": "How many days?"},
            {
                "role": "assistant",
                "content": "Let me see.",
                "reasoning_content": "Two.",
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
        ]
    )


def test_the_events_come_in_order_with_one_beginning_and_one_end(kimi: LocalKimi) -> None:
    kimi.enqueue(text="So.", tool_calls=[BUILTIN, days(2)])
    kimi.enqueue(text="Done.")
    events = list(KimiClient(**given_to(kimi)).stream(ask("Go.", SEARCH, DATE)))
    assert [type(event) for event in events] == [
        Started,
        TextDelta,
        ServerToolCall,
        ServerToolCall,
        ServerToolResult,
        ServerToolResult,
        ServerToolTurnEnded,
        TextDelta,
        Finished,
    ]
    calls = [event for event in events if isinstance(event, ServerToolCall)]
    assert [(event.call.name, event.position) for event in calls] == [("$web_search", 0), ("date", 1)]
    results = [event for event in events if isinstance(event, ServerToolResult)]
    assert [(event.name, event.output, event.failed) for event in results][1] == ("date", "2 days", False)


def test_usage_and_cost_are_summed_and_given_once(kimi: LocalKimi, way: Way) -> None:
    kimi.enqueue(tool_calls=[days(1)])
    kimi.enqueue(tool_calls=[days(2)])
    response = way(kimi, ask("Go.", DATE))
    # The log has whole bodies, or the frames of streams.
    logged = [r.response for r in kimi.requests if r.path.endswith("/chat/completions")]
    told = [frames[-1]["usage"] if isinstance(frames, list) else frames["usage"] for frames in logged]
    assert len(told) == 3
    assert response.usage is not None
    assert response.usage.input_tokens == sum(usage["prompt_tokens"] for usage in told)
    assert response.usage.output_tokens == sum(usage["completion_tokens"] for usage in told)
    assert response.usage.reasoning_tokens == sum(u["completion_tokens_details"]["reasoning_tokens"] for u in told)
    fresh = sum(usage["prompt_tokens"] - usage["cached_tokens"] for usage in told)
    cached = sum(usage["cached_tokens"] for usage in told)
    output = response.usage.output_tokens
    assert response.cost_usd == pytest.approx((fresh * 3 + cached * 0.3 + output * 15) / 1e6)
    assert response.cost_is_estimate


def test_the_price_that_a_host_says_is_summed_as_well(aimlapi: LocalKimi) -> None:
    client = KimiClient(host="aimlapi", base_url=aimlapi.base_url, api_key=aimlapi.api_key)
    response = client.complete(ask("How long does the ferry take?", SEARCH))
    said = [r.response["meta"]["usage"]["usd_spent"] for r in aimlapi.requests]
    assert response.cost_usd == pytest.approx(sum(said))
    assert not response.cost_is_estimate


def test_a_formula_is_resolved_once_for_each_client(kimi: LocalKimi) -> None:
    client = KimiClient(**given_to(kimi))
    for made in (client, client, client.derived(max_retries=0)):
        made.complete(ask("Hello", DATE))
    assert [r.method for r in kimi.requests] == ["GET", "POST", "POST", "POST"]


def test_a_plain_call_loads_nothing_of_server_tools_and_no_retry_library(kimi: LocalKimi) -> None:
    code = (
        "import sys; from kimi_core import *;"
        f"client = KimiClient(host='moonshot', base_url={kimi.base_url!r}, api_key={kimi.api_key!r});"
        "client.complete(Request(messages=[Message('user', 'Hello')], model='kimi-k3', tools=(Tool('ping'),)));"
        "unused = {'kimi_core.client.tool_loop', 'kimi_core.endpoints.server_tools', 'tenacity'};"
        "print([*unused.intersection(sys.modules)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr


# --------------------------------------------------------------------------------------- any course it can take

TURN = st.fixed_dictionaries(
    {
        "text": st.sampled_from(["", "I look."]),
        "reasoning": st.sampled_from(["Hm.", "I need it."]),
        "tool_calls": st.lists(st.sampled_from([days(1), days(2), BUILTIN]), min_size=1, max_size=2),
    }
)
LAST = st.fixed_dictionaries(
    {
        "text": st.sampled_from(["Done.", "So it is."]),
        "reasoning": st.sampled_from(["Hm.", "I know."]),
        "tool_calls": st.lists(
            st.sampled_from([days(1), BUILTIN, {"name": "ping", "arguments": {}}]), max_size=4
        ).filter(lambda calls: not calls or any(call["name"] == "ping" for call in calls)),
    }
)


@given(turns=st.lists(TURN, max_size=3), last=LAST)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_course_gives_the_same_answer_in_every_way(
    kimi: LocalKimi, turns: list[dict[str, Any]], last: dict[str, Any]
) -> None:
    request = ask("Go.", SEARCH, DATE, PING)
    seen: dict[str, Any] = {}
    for name, way in WAYS.items():
        kimi.reset()
        for turn in (*turns, last):
            kimi.enqueue(**turn)
        response = way(kimi, request)
        assert len(chats(kimi)) == len(turns) + 1
        seen[name] = (response.text, response.reasoning, response.tool_calls, response.steps, response.finish_reason)
        seen[name] += (response.usage and response.usage.output_tokens,)
    assert all(what == seen["complete"] for what in seen.values())
    assert response.text == last["text"]
    assert [call.name for call in response.tool_calls] == ["ping"] * len(response.tool_calls)
    assert len([step for step in response.steps if not step.open]) == len(turns)
    goes_on_with_the_same_prefix(kimi, request, response)


def goes_on_with_the_same_prefix(kimi: LocalKimi, request: Request, response: Response) -> None:
    """What the host saw before comes first when the conversation goes on, so that its cache is hit."""
    before = chats(kimi)[-1]["messages"]
    results = [Message("tool", "pong", tool_call_id=call.id) for call in response.tool_calls]
    conversation = [*request.messages, response.message, *results, Message("user", "And now?")]
    KimiClient(**given_to(kimi), on_unsupported="error").complete(
        Request(messages=conversation, model="kimi-k3", tools=request.tools)
    )
    after = next(body for body in chats(kimi)[::-1] if body["messages"][-1]["role"] == "user")["messages"]
    assert after[: len(before)] == before
    assert kimi.errors == []


# --------------------------------------------------------------------------------------- beside the user's tools


def test_calls_of_both_kinds_in_one_turn(kimi: LocalKimi, way: Way) -> None:
    pings = [{"name": "ping", "arguments": {"n": n}} for n in (1, 2)]
    kimi.enqueue(text="Both.", reasoning="Hm.", tool_calls=[BUILTIN, pings[0], days(2), pings[1]])
    request = ask("Go.", SEARCH, DATE, PING)
    response = way(kimi, request)
    assert [call.arguments for call in response.tool_calls] == ['{"n": 1}', '{"n": 2}']
    assert (response.text, response.finish_reason) == ("Both.", "tool_calls")
    (step,) = response.steps
    assert step.open
    assert [(call.position, call.output) for call in step.calls][1] == (2, "2 days")

    results = [Message("tool", "pong", tool_call_id=call.id) for call in response.tool_calls]
    kimi.enqueue(text="Done.")
    more = Request(messages=[*request.messages, response.message, *results], model="kimi-k3", tools=request.tools)
    assert way(kimi, more).text == "Done."
    said, *answers = chats(kimi)[-1]["messages"][1:]
    assert said["content"] == "Both."
    assert [call["id"] for call in said["tool_calls"]] == ["$web_search_0", "ping_1", "date_2", "ping_3"]
    assert [(answer["tool_call_id"], answer["content"]) for answer in answers] == snapshot(
        [
            ("$web_search_0", '{"search_result": {"search_id": "s"}}'),
            ("ping_1", "pong"),
            ("date_2", "2 days"),
            ("ping_3", "pong"),
        ]
    )


def test_the_users_calls_are_counted_from_zero_whatever_is_between(kimi: LocalKimi) -> None:
    kimi.enqueue(tool_calls=[BUILTIN, {"name": "ping", "arguments": {"a": 1}}, days(1), {"name": "ping"}])
    events = list(KimiClient(**given_to(kimi)).stream(ask("Go.", SEARCH, DATE, PING)))
    deltas = [event for event in events if isinstance(event, ToolCallDelta)]
    assert [delta.index for delta in deltas if delta.name] == [0, 1]
    assert "".join(delta.arguments for delta in deltas if delta.index == 0) == '{"a": 1}'
    assert [type(event) for event in events[-5:]] == [
        ServerToolCall,
        ServerToolCall,
        ServerToolResult,
        ServerToolResult,
        Finished,
    ]


def test_a_conversation_that_lost_the_users_call_still_pairs_calls_and_results(kimi: LocalKimi) -> None:
    kimi.enqueue(tool_calls=[{"name": "ping"}, days(2)])
    response = KimiClient(**given_to(kimi)).complete(ask("Go.", DATE, PING))
    cut = replace(response.message, tool_calls=())
    conversation = [Message("user", "Go."), cut, Message("user", "And?")]
    KimiClient(**given_to(kimi)).complete(Request(messages=conversation, model="kimi-k3"))
    assert [m["role"] for m in chats(kimi)[-1]["messages"]] == ["user", "assistant", "tool", "user"]


def test_a_forced_server_tool_is_not_forced_again(kimi: LocalKimi, way: Way) -> None:
    kimi.enqueue(tool_calls=[days(3)])
    request = ask("Go.", DATE, model="kimi-k2.6", tool_choice=ToolChoice("named", "date"))
    assert "3 days" in way(kimi, request).text
    assert [body["tool_choice"] for body in chats(kimi)] == [{"type": "function", "function": {"name": "date"}}, "auto"]


def test_a_required_call_is_met_by_a_server_tool(kimi: LocalKimi, way: Way) -> None:
    kimi.enqueue(tool_calls=[days(3)])
    assert "3 days" in way(kimi, ask("Go.", DATE, PING, tool_choice=ToolChoice("required"))).text
    assert [body["tool_choice"] for body in chats(kimi)] == ["required", "auto"]


THINKS = Options(thinking=Thinking(enabled=True))


@pytest.mark.filterwarnings("ignore:tool_choice:kimi_core.KimiWarning")
def test_a_server_tool_may_come_before_the_call_that_has_to_be(kimi: LocalKimi, way: Way) -> None:
    kimi.enqueue(reasoning="Hm.", tool_calls=[days(3)])
    kimi.enqueue(reasoning="Now.", tool_calls=[{"name": "ping"}])
    named = ask("Go.", DATE, PING, model="kimi-k2.6", tool_choice=ToolChoice("named", "ping"), options=THINKS)
    response = way(kimi, named)
    assert [call.name for call in response.tool_calls] == ["ping"]
    assert len(chats(kimi)) == 2


@pytest.mark.filterwarnings("ignore:tool_choice:kimi_core.KimiWarning")
def test_a_call_that_had_to_be_and_never_came_is_an_error(kimi: LocalKimi, way: Way) -> None:
    kimi.enqueue(reasoning="Hm.", tool_calls=[days(3)])
    for _ in range(2):
        kimi.enqueue(reasoning="No.", text="I will not.")
    named = ask("Go.", DATE, PING, model="kimi-k2.6", tool_choice=ToolChoice("named", "ping"), options=THINKS)
    with pytest.raises(core.ToolNotCalledError, match="ping"):
        way(kimi, named)


# ----------------------------------------------------------------------------------------------- limits and ends


def test_the_rounds_are_limited(kimi: LocalKimi, way: Way) -> None:
    for n in range(1, 4):
        kimi.enqueue(text=f"Turn {n}.", tool_calls=[days(n)])
    with pytest.raises(core.ServerRoundsError, match=r"max_server_rounds=2") as caught:
        way(kimi, ask("Go.", DATE, max_server_rounds=2))
    partial = caught.value.partial
    assert partial is not None
    assert [step.text for step in partial.steps] == ["Turn 1.", "Turn 2.", ""]
    assert partial.steps[-1] == ServerToolTurn(
        calls=(ServerCall(partial.steps[-1].calls[0].call, position=0),), open=True
    )
    assert (partial.text, caught.value.text) == ("Turn 3.", "Turn 3.")
    assert partial.usage is not None
    assert len([r for r in kimi.requests if r.path == FIBERS]) == 2


def test_an_answer_that_was_given_up_can_be_gone_on_with(kimi: LocalKimi) -> None:
    for n in range(1, 3):
        kimi.enqueue(tool_calls=[days(n)])
    client = KimiClient(**given_to(kimi))
    with pytest.raises(core.ServerRoundsError) as caught:
        client.complete(ask("Go.", DATE, max_server_rounds=1))
    assert caught.value.partial is not None
    conversation = [Message("user", "Go."), caught.value.partial.message, Message("user", "Enough.")]
    with pytest.warns(core.KimiWarning, match="a tool call without a result"):
        client.complete(Request(messages=conversation, model="kimi-k3"))
    assert kimi.errors == []


def test_errors_of_server_tools_survive_pickling(kimi: LocalKimi) -> None:
    kimi.enqueue(tool_calls=[days(1)])
    kimi.enqueue(tool_calls=[days(2)])
    with pytest.raises(core.ServerRoundsError) as rounds:
        KimiClient(**given_to(kimi)).complete(ask("Go.", DATE, max_server_rounds=1))
    with pytest.raises(core.FormulaError) as failed:
        KimiClient(**given_to(kimi)).run_formula("moonshot/date:latest", "date", {"operation": "?"})
    for error in (rounds.value, failed.value):
        copy = pickle.loads(pickle.dumps(error))
        assert str(copy) == str(error)
        assert copy.partial == error.partial
    assert pickle.loads(pickle.dumps(failed.value)).reason == "unsupported operation: ?"


def test_no_rounds_hand_the_calls_on(kimi: LocalKimi, way: Way) -> None:
    kimi.enqueue(tool_calls=[BUILTIN, days(1)])
    response = way(kimi, ask("Go.", SEARCH, DATE, max_server_rounds=0))
    assert [(call.name, call.type) for call in response.tool_calls] == [
        ("$web_search", "builtin_function"),
        ("date", "function"),
    ]
    assert response.steps == ()


@pytest.mark.parametrize("most", [-1, True, "8", None])
def test_rounds_are_counted_in_whole_numbers(kimi: LocalKimi, most: Any) -> None:
    with pytest.raises(core.ConfigError, match="max_server_rounds must be"):
        KimiClient(**given_to(kimi)).complete(ask("Go.", SEARCH, max_server_rounds=most))
    assert kimi.requests == []


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_calls_of_a_turn_that_was_cut_are_not_run(kimi: LocalKimi, way: Way, reason: str) -> None:
    kimi.enqueue(tool_calls=[{"name": "date", "arguments": '{"operation": "betw'}], finish_reason=reason)
    response = way(kimi, ask("Go.", DATE))
    assert response.finish_reason == reason
    assert response.steps[0].calls[0].output is None
    assert not [r for r in kimi.requests if r.path == FIBERS]


def test_the_model_may_go_on_with_a_message_that_the_user_began(kimi: LocalKimi) -> None:
    kimi.enqueue(text=" two.", tool_calls=[days(2)])
    messages = [Message("user", "Count."), Message("assistant", "One,", partial=True)]
    KimiClient(**given_to(kimi)).complete(Request(messages=messages, model="kimi-k3", tools=(DATE,)))
    assert [(m["role"], m.get("content")) for m in chats(kimi)[-1]["messages"]] == [
        ("user", "Count."),
        ("assistant", "One, two."),
        ("tool", "2 days"),
    ]


# ------------------------------------------------------------------------------------------------------- faults


def test_the_model_reads_that_a_function_failed(kimi: LocalKimi, way: Way) -> None:
    kimi.enqueue(tool_calls=[{"name": "base64_decode", "arguments": {"data": "!"}}, days(1)])
    response = way(kimi, ask("Go.", BASE64, DATE))
    bad, good = response.steps[0].calls
    assert (bad.output, bad.failed) == ("data is not valid base64", True)
    assert (good.output, good.failed) == ("1 days", False)
    assert [m["content"] for m in chats(kimi)[-1]["messages"][-2:]] == ["data is not valid base64", "1 days"]


def test_a_failure_of_the_host_is_told_as_well(kimi: LocalKimi, way: Way) -> None:
    kimi.enqueue(tool_calls=[days(1)])
    kimi.fail(status=500, type="server_error", path=FIBERS)
    (call,) = way(kimi, ask("Go.", DATE), max_retries=0).steps[0].calls
    assert call.failed
    assert call.output is not None
    assert "HTTP 500" in call.output


def test_a_run_is_tried_again_when_waiting_helps(kimi: LocalKimi, way: Way) -> None:
    kimi.enqueue(tool_calls=[days(1)])
    kimi.fail(status=429, type="rate_limit_reached_error", path=FIBERS)
    assert way(kimi, ask("Go.", DATE)).steps[0].calls[0].output == "1 days"


@pytest.mark.parametrize(
    ("status", "type", "error"),
    [
        (401, "invalid_authentication_error", core.AuthenticationError),
        (403, "permission_denied_error", core.PermissionDeniedError),
        (429, "exceeded_current_quota_error", core.QuotaExceededError),
    ],
)
def test_a_refusal_that_is_not_the_tools_own_is_raised(
    kimi: LocalKimi, way: Way, status: int, type: str, error: type[core.APIError]
) -> None:
    kimi.enqueue(text="One moment.", tool_calls=[days(1)])
    kimi.fail(status=status, type=type, path=FIBERS)
    with pytest.raises(error) as caught:
        way(kimi, ask("Go.", DATE))
    partial = caught.value.partial
    assert partial is not None
    assert (partial.text, partial.finish_reason) == ("One moment.", None)
    assert partial.usage is not None
    assert partial.steps[0].calls[0].output is None


def test_an_error_in_a_later_round_has_the_earlier_ones(kimi: LocalKimi, way: Way) -> None:
    kimi.enqueue(text="First.", tool_calls=[days(1)])
    kimi.enqueue(json={"error": {"message": "no", "type": "content_filter"}}, status=400)
    with pytest.raises(core.ContentFilterError) as caught:
        way(kimi, ask("Go.", DATE))
    partial = caught.value.partial
    assert partial is not None
    assert [(step.text, step.open) for step in partial.steps] == [("First.", False)]
    assert partial.usage is not None


def test_a_stream_that_breaks_off_keeps_all_that_came(kimi: LocalKimi) -> None:
    kimi.enqueue(text="First.", tool_calls=[days(1)])
    kimi.enqueue(text="And then it", unchecked=True)
    builder = ResponseBuilder()

    def read() -> None:
        for event in KimiClient(**given_to(kimi)).stream(ask("Go.", DATE)):
            builder.add(event)
            if isinstance(event, ServerToolTurnEnded):
                kimi.cut_stream_after(3)

    with pytest.raises(core.APIConnectionError) as caught:
        read()
    assert caught.value.partial is not None
    assert [step.text for step in caught.value.partial.steps] == ["First."]
    assert caught.value.partial.text == builder.response().text != ""


@pytest.mark.parametrize("way", [WAYS["stream"], WAYS["astream"]], ids=["stream", "astream"])
def test_a_stream_that_breaks_within_a_call_keeps_the_call(kimi: LocalKimi, way: Way) -> None:
    kimi.enqueue(tool_calls=[days(1)])
    kimi.cut_stream_after(3)
    with pytest.raises(core.APIConnectionError) as caught:
        way(kimi, ask("Go.", DATE))
    assert caught.value.partial is not None
    (step,) = caught.value.partial.steps
    assert (step.open, step.calls[0].call.name, step.calls[0].output) == (True, "date", None)


def test_a_first_round_that_is_refused_has_no_partial(kimi: LocalKimi, way: Way) -> None:
    kimi.fail(status=403, type="permission_denied_error")
    with pytest.raises(core.PermissionDeniedError) as caught:
        way(kimi, ask("Go.", SEARCH))
    assert caught.value.partial is None


def test_closing_the_stream_closes_the_connection_that_is_open(kimi: LocalKimi) -> None:
    client = KimiClient(**given_to(kimi, timeout=3.5))
    kimi.enqueue(tool_calls=[days(1)])
    kimi.enqueue(text="word " * 500)
    events = client.stream(ask("Go.", DATE))
    next(event for event in events if isinstance(event, TextDelta))
    events.close()
    pool = clients.client(client.settings)._transport._pool  # type: ignore[attr-defined]
    assert all(connection.is_idle() or connection.is_closed() for connection in pool.connections)


def test_closing_an_async_stream_closes_the_connection_that_is_open(kimi: LocalKimi) -> None:
    async def main() -> None:
        client = AsyncKimiClient(**given_to(kimi, timeout=3.5))
        kimi.enqueue(tool_calls=[days(1)])
        kimi.enqueue(text="word " * 500)
        events = await client.stream(ask("Go.", DATE))
        async for event in events:
            if isinstance(event, TextDelta):
                break
        await events.aclose()
        pool = (await clients.async_client(client.settings))._transport._pool  # type: ignore[attr-defined]
        assert all(connection.is_idle() or connection.is_closed() for connection in pool.connections)

    asyncio.run(main())


def test_the_key_never_goes_into_a_result(kimi: LocalKimi, way: Way) -> None:
    kimi.enqueue(
        tool_calls=[
            {"name": "rethink", "arguments": {"thought": f"the key is {kimi.api_key}"}},
            {"name": "fetch", "arguments": {"url": f"https://x.example/{kimi.api_key}"}},
        ]
    )
    tools = [to_tool(core.formula(f"moonshot/{name}:latest")) for name in ("rethink", "fetch")]
    response = way(kimi, ask("Go.", *tools))
    outputs = [call.output for call in response.steps[0].calls]
    assert outputs == ['{"thought": "the key is [redacted]"}', "failed to fetch https://x.example/[redacted]"]


# ------------------------------------------------------------------------------------------------ what is refused


def test_unasked_thinking_is_switched_off_beside_the_builtin_search_with_a_warning(kimi: LocalKimi, way: Way) -> None:
    with pytest.warns(core.KimiWarning, match=r"does not think in calls that offer \$web_search.*unconfirmed"):
        assert way(kimi, ask("How long does the ferry take?", SEARCH, model="kimi-k2.6")).text
    assert [body["thinking"] for body in chats(kimi)] == [{"type": "disabled"}] * 2
    assert kimi.errors == []


def test_thinking_that_was_asked_for_stays_and_the_risk_is_said(kimi: LocalKimi) -> None:
    request = ask("Go.", SEARCH, model="kimi-k2.6", options=THINKS)
    with (
        pytest.warns(core.KimiWarning, match=r"may refuse \$web_search"),
        pytest.raises(core.BadRequestError, match="incompatible with thinking"),
    ):
        KimiClient(**given_to(kimi)).complete(request)


@pytest.mark.parametrize(
    ("model", "more", "options"),
    [
        ("kimi-k3", {}, Options()),
        ("kimi-k2.6", {"overrides": {"tools.builtin_with_thinking": True}}, Options()),
        ("kimi-k2.6", {}, Options(thinking=Thinking(enabled=False))),
    ],
)
def test_nothing_is_said_where_nothing_is_in_doubt(
    kimi: LocalKimi, model: str, more: dict[str, Any], options: Options
) -> None:
    kimi.enqueue(text="Yes.", unchecked=True)
    client = KimiClient(**given_to(kimi, on_unsupported="error", **more))
    assert client.complete(ask("Go.", SEARCH, model=model, options=options)).text == "Yes."


def test_a_later_turn_that_thinks_is_not_told_that_reasoning_was_lost(kimi: LocalKimi) -> None:
    client = KimiClient(**given_to(kimi))
    off = Options(thinking=Thinking(enabled=False))
    response = client.complete(ask("How long does the ferry take?", SEARCH, model="kimi-k2.6", options=off))
    conversation = [Message("user", "How long?"), response.message, Message("user", "Thanks")]
    assert client.complete(Request(messages=conversation, model="kimi-k2.6")).text
    assert chats(kimi)[-1]["messages"][1]["reasoning_content"] == " "


@pytest.mark.parametrize("tool", [SEARCH, DATE], ids=["builtin", "formula"])
def test_a_host_without_such_tools_is_not_asked(kimi: LocalKimi, way: Way, tool: Tool) -> None:
    with pytest.raises(core.UnsupportedError, match="vllm"):
        way(kimi, ask("Go.", tool), host="vllm")
    assert kimi.requests == []


def test_mistakes_are_found_before_a_formula_is_asked_for(kimi: LocalKimi, way: Way) -> None:
    with pytest.raises(core.ConfigError, match="stop"):
        way(kimi, ask("Go.", DATE, options=Options(stop=("x",) * 9)))
    assert kimi.requests == []


def test_a_tool_of_the_users_with_the_name_of_a_formulas_is_refused(kimi: LocalKimi) -> None:
    with pytest.raises(core.ConfigError, match="Two tools are called 'date'"):
        KimiClient(**given_to(kimi)).complete(ask("Go.", DATE, Tool("date")))


def test_what_a_formula_offers_is_not_known_without_asking(kimi: LocalKimi) -> None:
    with pytest.raises(core.ConfigError, match="prepare"):
        KimiClient(**given_to(kimi)).prepare(ask("Go.", DATE))


def test_tokens_are_counted_without_asking_for_formulas(kimi: LocalKimi) -> None:
    client = KimiClient(**given_to(kimi))
    assert client.count_tokens(ask("Go.", DATE, SEARCH)) == client.count_tokens(ask("Go."))
    assert len(kimi.requests) == 2


def test_a_conversation_with_steps_can_move_to_another_host(kimi: LocalKimi) -> None:
    response = KimiClient(**given_to(kimi)).complete(ask("How long does the ferry take?", SEARCH))
    kimi.enqueue(text="Yes.", unchecked=True)
    conversation = [Message("user", "How long?"), response.message, Message("user", "Sure?")]
    KimiClient(host="vllm", base_url=kimi.base_url, api_key=kimi.api_key).complete(
        Request(messages=conversation, model="kimi-k3")
    )
    assert json.dumps(chats(kimi)[-1]).count("builtin_function") == 0
    assert [m["role"] for m in chats(kimi)[-1]["messages"]] == ["user", "assistant", "tool", "assistant", "user"]
