"""A budget holds for every call that is made with it, in both frameworks, whole and streamed."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from drivers import STREAMED, WHOLE, Driver, by_name
from langchain_core.exceptions import ModelError
from langchain_core.load import dumps

from kimi_adapters.local_server import LocalKimi
from kimi_core import (
    HOSTS,
    Address,
    AgentSwarm,
    Budget,
    BudgetExceededError,
    ConfigError,
    HostSpec,
    KimiClient,
    Message,
    Request,
    Spent,
    TextDelta,
    held_stream,
    reservations,
    web_search,
)
from kimi_core.errors import APIError
from kimi_core.openai_shapes import to_tool
from langchain_kimi import ChatKimi
from llama_index_kimi import KimiLLM

USAGE = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}
COST = (10 * 0.95 + 20 * 4.0) / 1_000_000
LONG = "word " * 400


def make(driver: Driver, server: LocalKimi, **words: Any) -> Any:
    return driver.make(base_url=server.base_url, api_key=server.api_key, **words)


def enqueue_bare(driver: Driver, server: LocalKimi, text: str) -> None:
    """An answer of which the host says neither usage nor price."""
    choice: dict[str, Any] = {"index": 0, "finish_reason": "stop"}
    said, bare = {"role": "assistant", "content": text}, {"id": "c", "model": "kimi-k2.6"}
    if driver.streams:
        server.enqueue(sse=[{**bare, "choices": [{**choice, "delta": said}]}], unchecked=True)
    else:
        server.enqueue(json={**bare, "choices": [{**choice, "message": said}]}, unchecked=True)


@pytest.fixture(params=STREAMED, ids=[d.name for d in STREAMED])
def streamed(request: pytest.FixtureRequest) -> Driver:
    return request.param


def test_what_a_call_cost_is_counted(driver: Driver, kimi: LocalKimi) -> None:
    budget = Budget(usd=1.0)
    kimi.enqueue(text="Yes.", usage=USAGE)
    driver.ask(make(driver, kimi, budget=budget), "Hello")
    assert budget.spent == Spent(usd=round(COST, 9), tokens=30, steps=1)


@pytest.mark.parametrize("limit", [{"usd": COST}, {"tokens": 30}, {"steps": 1}], ids=["usd", "tokens", "steps"])
def test_a_call_is_not_made_when_a_limit_is_reached(driver: Driver, kimi: LocalKimi, limit: dict[str, Any]) -> None:
    model = make(driver, kimi, budget=Budget(**limit))
    kimi.enqueue(text="Yes.", usage=USAGE)
    driver.ask(model, "Hello")
    with pytest.raises(BudgetExceededError, match=f"budget's {next(iter(limit))} are spent") as caught:
        driver.ask(model, "Hello")
    assert caught.value.spent == Spent(usd=round(COST, 9), tokens=30, steps=1)
    assert len(kimi.requests) == 1


def test_a_budget_can_be_given_for_one_call(driver: Driver, kimi: LocalKimi) -> None:
    budget = Budget(steps=1)
    model = make(driver, kimi)
    driver.ask(model, "Hello", budget=budget)
    with pytest.raises(BudgetExceededError):
        driver.ask(model, "Hello", budget=budget)
    driver.ask(model, "Hello")
    assert len(kimi.requests) == 2


def test_the_price_is_the_hosts_own_where_it_says_one(driver: Driver, aimlapi: LocalKimi) -> None:
    budget = Budget(usd=1.0)
    answer = driver.ask(make(driver, aimlapi, host="aimlapi", budget=budget), "Hello")
    assert answer.cost_usd
    assert budget.spent.usd == pytest.approx(answer.cost_usd)


def test_retries_are_steps(driver: Driver, kimi: LocalKimi) -> None:
    budget = Budget(steps=2)
    kimi.fail(5, headers={"Retry-After": "0"})
    with pytest.raises(BudgetExceededError, match="not asked again"):
        driver.ask(make(driver, kimi, budget=budget, max_retries=4), "Hello")
    assert budget.spent.steps == len(kimi.requests) == 2


def test_a_stream_is_stopped_where_the_tokens_end(streamed: Driver, kimi: LocalKimi) -> None:
    budget = Budget(tokens=60)
    kimi.enqueue(text=LONG)
    with pytest.raises(BudgetExceededError, match="was stopped: the budget's tokens are spent") as caught:
        streamed.ask(make(streamed, kimi, budget=budget), "Hello")
    came = caught.value.partial.text
    assert LONG.startswith(came)
    assert 200 < len(came) < 260
    assert budget.spent.tokens == 60  # what the stream is thought to have cost stays counted
    assert budget.spent.usd > 0


def test_a_stream_is_stopped_where_the_money_ends(streamed: Driver, kimi: LocalKimi) -> None:
    budget = Budget(usd=100 * 4.0 / 1_000_000)
    kimi.enqueue(text=LONG)
    with pytest.raises(BudgetExceededError) as caught:
        streamed.ask(make(streamed, kimi, budget=budget), "Hello")
    assert 380 < len(caught.value.partial.text) < 440


def test_reasoning_and_tool_arguments_are_tokens_as_well(kimi: LocalKimi) -> None:
    client = KimiClient(base_url=kimi.base_url, api_key=kimi.api_key, budget=Budget(tokens=50))
    kimi.enqueue(reasoning=LONG, text="Yes.")
    with pytest.raises(BudgetExceededError) as caught:
        list(client.stream(Request(messages=[Message("user", "Hello")], model="kimi-k2.6")))
    assert not caught.value.partial.text
    assert len(caught.value.partial.reasoning.text) >= 190


def test_a_stopped_stream_closes_its_connection() -> None:
    with LocalKimi(chunk_delay=0.002) as kimi:
        client = KimiClient(base_url=kimi.base_url, api_key=kimi.api_key, budget=Budget(tokens=20))
        kimi.enqueue(text=LONG)
        events = client.stream(Request(messages=[Message("user", "Hello")], model="kimi-k2.6"))
        with pytest.raises(BudgetExceededError):
            list(events)
        connections = [c for c in _pool(client) if not c.is_idle() and not c.is_closed()]
        assert connections == []


def _pool(client: KimiClient) -> list[Any]:
    from kimi_core.transport import clients

    return list(clients.client(client.settings)._transport._pool.connections)


def test_the_estimate_of_a_stream_gives_way_to_what_the_host_says(streamed: Driver, kimi: LocalKimi) -> None:
    budget = Budget(tokens=10_000)
    kimi.enqueue(text=LONG, usage=USAGE)
    streamed.ask(make(streamed, kimi, budget=budget), "Hello")
    assert budget.spent == Spent(usd=round(COST, 9), tokens=30, steps=1)


def test_a_stream_that_nobody_reads_to_its_end_stays_counted(kimi: LocalKimi) -> None:
    budget = Budget(tokens=10_000)
    client = KimiClient(base_url=kimi.base_url, api_key=kimi.api_key, budget=budget)
    kimi.enqueue(text=LONG)
    events = client.stream(Request(messages=[Message("user", "Hello, you")], model="kimi-k2.6"))
    said = 0
    for event in events:
        said += len(event.text) if isinstance(event, TextDelta) else 0
        if said > 100:
            break
    events.close()
    assert budget.spent.tokens == pytest.approx(said / 4 + 2, abs=1)


def test_one_budget_is_shared_by_both_frameworks(kimi: LocalKimi) -> None:
    budget = Budget(steps=2)
    words: Any = {"base_url": kimi.base_url, "api_key": kimi.api_key, "budget": budget}
    model, llm = ChatKimi(**words), KimiLLM(**words)
    model.invoke("Hello")
    llm.complete("Hello")
    for ask in (model.invoke, llm.complete):
        with pytest.raises(BudgetExceededError):
            ask("Hello")


def test_threads_share_it_to_the_last_step(kimi: LocalKimi) -> None:
    budget = Budget(steps=5)
    model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, budget=budget)
    refused: list[BudgetExceededError] = []

    def ask() -> None:
        try:
            model.invoke("Hello")
        except BudgetExceededError as error:
            refused.append(error)

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(refused), len(kimi.requests), budget.spent.steps) == (7, 5, 5)


async def test_concurrent_async_calls_share_it(kimi: LocalKimi) -> None:
    model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, budget=Budget(steps=3))
    done = await asyncio.gather(*(model.ainvoke("Hello") for _ in range(6)), return_exceptions=True)
    assert sum(isinstance(one, BudgetExceededError) for one in done) == 3
    assert len(kimi.requests) == 3


def test_rounds_with_server_tools_are_steps(kimi: LocalKimi) -> None:
    for stream in (False, True):
        kimi.reset()
        budget = Budget(steps=1)
        client = KimiClient(base_url=kimi.base_url, api_key=kimi.api_key, budget=budget)
        kimi.enqueue(tool_calls=[{"name": "$web_search", "arguments": {"q": "tea"}, "type": "builtin_function"}])
        request = Request(messages=[Message("user", "Search tea")], model="kimi-k3", tools=(to_tool(web_search()),))
        with pytest.raises(BudgetExceededError) as caught:
            list(client.stream(request)) if stream else client.complete(request)
        assert budget.spent.steps == len(kimi.requests) == 1
        assert caught.value.partial.steps[0].calls[0].call.name == "$web_search"


def test_a_turn_of_a_stream_with_server_tools_is_settled(kimi: LocalKimi) -> None:
    budget = Budget(tokens=10_000)
    client = KimiClient(base_url=kimi.base_url, api_key=kimi.api_key, budget=budget)
    call = {"name": "$web_search", "arguments": {"q": "tea"}, "type": "builtin_function"}
    kimi.enqueue(tool_calls=[call], usage=USAGE)
    kimi.enqueue(text="Tea.", usage=USAGE)
    request = Request(messages=[Message("user", "Search tea")], model="kimi-k3", tools=(to_tool(web_search()),))
    list(client.stream(request))
    assert (budget.spent.tokens, budget.spent.steps) == (60, 2)


def test_an_answer_of_which_no_host_said_what_it_cost_is_estimated(driver: Driver, kimi: LocalKimi) -> None:
    budget = Budget(tokens=400)
    model = make(driver, kimi, budget=budget)
    enqueue_bare(driver, kimi, LONG)
    driver.ask(model, "Hello")
    assert budget.spent.tokens == len(LONG) // 4 + 1
    assert budget.spent.usd > 0
    with pytest.raises(BudgetExceededError):
        driver.ask(model, "Hello")


# -------------------------------------------------------------------------------------------------- many at once

COSTLY = {"prompt_tokens": 10, "completion_tokens": 61_900, "total_tokens": 61_910}
COSTLY_USD = (10 * 0.95 + 61_900 * 4.0) / 1_000_000


def at_once(driver: Driver, model: Any, count: int, **call: Any) -> list[Any]:
    """Ask many times at once, in tasks or threads; return answers and errors."""
    with ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(driver.ask, model, "Hello", **call) for _ in range(count)]
    return [future.exception() or future.result() for future in futures]


def test_many_calls_at_once_spend_no_more_than_the_limit_and_one_answer(driver: Driver) -> None:
    with LocalKimi(delay=0.05) as kimi:
        budget = Budget(usd=0.25)
        for _ in range(50):
            kimi.enqueue(text="Yes.", usage=COSTLY)
        came = at_once(driver, make(driver, kimi, budget=budget), 50)
        assert budget.spent.usd < 0.25 + COSTLY_USD + 0.001
        refused = [one for one in came if isinstance(one, BudgetExceededError)]
        assert len(came) - len(refused) == len([r for r in kimi.requests if r.path.endswith("/chat/completions")])
        assert len(refused) == 48


async def test_many_tasks_at_once_spend_no_more_than_the_limit_and_one_answer() -> None:
    with LocalKimi(delay=0.05) as kimi:
        budget = Budget(usd=0.25)
        for _ in range(50):
            kimi.enqueue(text="Yes.", usage=COSTLY)
        model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, budget=budget)
        came = await asyncio.gather(*(model.ainvoke("Hello") for _ in range(50)), return_exceptions=True)
        assert sum(isinstance(one, BudgetExceededError) for one in came) == 48
        assert budget.spent.usd == pytest.approx(2 * COSTLY_USD)


def test_calls_that_fit_run_at_once_and_all_of_them_are_answered(driver: Driver) -> None:
    with LocalKimi(delay=0.3) as kimi:
        model = make(driver, kimi, budget=Budget(usd=1.0), max_tokens=1000)
        came = at_once(driver, model, 10)
        assert all(getattr(one, "text", "") for one in came)
        assert kimi.allowance.most_at_once > 1


def test_calls_that_do_not_fit_wait_and_are_answered(driver: Driver, kimi: LocalKimi) -> None:
    budget = Budget(usd=0.2)  # one answer of the length that Moonshot gives unasked fits in, two do not
    came = at_once(driver, make(driver, kimi, budget=budget), 8)
    assert all(getattr(one, "text", "") for one in came)
    assert budget.spent.steps == 8


def test_a_call_by_itself_is_made_as_long_as_there_is_something_left(driver: Driver, kimi: LocalKimi) -> None:
    budget = Budget(usd=0.0005, tokens=200)
    assert driver.ask(make(driver, kimi, budget=budget), "Hello").text


@pytest.mark.parametrize("driver", WHOLE, **by_name)
def test_a_call_that_failed_keeps_nothing_back(driver: Driver, kimi: LocalKimi) -> None:
    model = make(driver, kimi, budget=Budget(usd=0.2), max_retries=0)
    kimi.fail(2, status=500, type="server_error")
    kimi.enqueue(json={"neither": "answer"}, unchecked=True)
    for _ in range(3):
        with pytest.raises(APIError):
            driver.ask(model, "Hello")
    assert all(getattr(one, "text", "") for one in at_once(driver, model, 3))


async def test_a_cancelled_call_keeps_nothing_back() -> None:
    with LocalKimi(delay=0.3) as kimi:
        model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, budget=Budget(usd=0.2))
        tasks = [asyncio.create_task(model.ainvoke("Hello")) for _ in range(3)]
        await asyncio.sleep(0.1)
        for task in tasks:  # one is under way, the others wait for it
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        kimi.delay = 0
        assert (await model.ainvoke("Hello")).text


async def test_a_blocking_call_in_an_event_loop_does_not_wait_for_what_it_blocks() -> None:
    with LocalKimi(delay=0.2) as kimi:
        model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, budget=Budget(usd=0.2))
        task = asyncio.create_task(model.ainvoke("Hello"))
        await asyncio.sleep(0.05)
        assert model.invoke("Hello").text
        assert (await task).text


def test_who_waits_in_vain_is_told(driver: Driver) -> None:
    with LocalKimi(delay=1.0) as kimi:
        patience = {"timeouts.answer": 0.3, "timeouts.chunk": 10}
        model = make(driver, kimi, budget=Budget(usd=0.2), overrides=patience, timeout=10)
        came = at_once(driver, model, 2)
        (refused,) = [one for one in came if isinstance(one, BudgetExceededError)]
        assert "in 0.3 seconds none of them ended" in str(refused)


def test_a_call_within_a_stream_does_not_wait_for_it(driver: Driver, kimi: LocalKimi) -> None:
    budget = Budget(usd=0.2)
    client = KimiClient(base_url=kimi.base_url, api_key=kimi.api_key, budget=budget)
    answers = []
    for event in client.stream(Request(messages=[Message("user", "Hello")], model="kimi-k2.6")):
        if isinstance(event, TextDelta) and not answers:
            answers.append(driver.ask(make(driver, kimi, budget=budget), "Hello").text)
    assert answers[0]


async def test_a_task_that_is_begun_within_a_stream_does_not_wait_for_it(kimi: LocalKimi) -> None:
    model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, budget=Budget(usd=0.2))
    async for _ in model.astream("Hello"):
        both = await asyncio.gather(model.ainvoke("Hello"), model.ainvoke("Hello"))
        break
    assert all(one.text for one in both)


def test_a_stream_that_is_closed_or_dropped_keeps_nobody_waiting(kimi: LocalKimi) -> None:
    client = KimiClient(base_url=kimi.base_url, api_key=kimi.api_key, budget=Budget(usd=0.2))
    request = Request(messages=[Message("user", "Hello")], model="kimi-k2.6")
    with ThreadPoolExecutor() as pool:
        for end in (lambda events: events.close(), lambda events: None):
            events = client.stream(request)
            next(events)
            end(events)
            del events
            assert pool.submit(client.complete, request).result(5).text


def test_a_call_in_another_thread_does_not_wait_for_a_stream_that_waits_for_it(
    streamed: Driver, kimi: LocalKimi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_stream, "LONGEST_REST", 0.2)
    client = KimiClient(base_url=kimi.base_url, api_key=kimi.api_key, budget=Budget(usd=0.2))
    request = Request(messages=[Message("user", "Hello")], model="kimi-k2.6")
    with ThreadPoolExecutor() as pool:
        events = client.stream(request)
        next(events)
        assert pool.submit(streamed.ask, make(streamed, kimi, budget=client.settings.budget), "Hello").result(10).text
        assert [event for event in events if isinstance(event, TextDelta)]
    assert client.settings.budget is not None
    assert client.settings.budget.spent.steps == 2


async def test_streams_that_are_begun_together_can_be_read_one_after_the_other(
    kimi: LocalKimi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_stream, "LONGEST_REST", 0.2)
    llm = KimiLLM(base_url=kimi.base_url, api_key=kimi.api_key, budget=Budget(usd=0.2))
    streams = await asyncio.wait_for(asyncio.gather(*(llm.astream_complete("Hello") for _ in range(3))), 15)
    texts = [[response.text async for response in stream][-1] for stream in streams]
    assert all(texts)


class Stream:
    rests_since: float | None = None


def test_a_stream_rests_when_nobody_has_read_it_for_a_while_and_not_while_its_host_is_slow() -> None:
    stream, held = Stream(), reservations.Reservation(0, reservations.Amount(1), lambda number: None)
    assert not held.stream.rests  # it is being opened
    held.stream.of(stream)
    assert not held.stream.rests  # somebody waits for the host
    stream.rests_since = time.monotonic()
    assert not held.stream.rests
    stream.rests_since -= held_stream.LONGEST_REST
    assert held.stream.rests


@pytest.mark.parametrize("total", [0, 1, -30, "many", None])
def test_a_total_below_its_parts_credits_nothing(driver: Driver, kimi: LocalKimi, total: Any) -> None:
    budget = Budget(tokens=1000)
    kimi.enqueue(text="Yes.", usage={**USAGE, "total_tokens": total})
    driver.ask(make(driver, kimi, budget=budget), "Hello")
    assert budget.spent.tokens == 30


def test_where_only_the_host_knows_the_price_calls_go_one_by_one_until_one_is_known() -> None:
    with LocalKimi(dialect="aimlapi", delay=0.1) as kimi:
        budget = Budget(usd=1.0)
        client = KimiClient(host="aimlapi", base_url=kimi.base_url, api_key=kimi.api_key, budget=budget)
        request = Request(messages=[Message("user", "Hello")], model="kimi-k2.6")
        with ThreadPoolExecutor(6) as pool:
            assert all(response.text for response in pool.map(client.complete, 6 * [request]))
        assert budget.spent.steps == 6


# ------------------------------------------------------------------------------------------------------- prices

UNPRICED = HostSpec(name="bare", title="Bare", address=Address(key_required=False))


def test_dollars_need_a_price(driver: Driver, kimi: LocalKimi) -> None:
    model = make(driver, kimi, host=UNPRICED, budget=Budget(usd=1))
    with pytest.raises(ConfigError, match="cannot be kept for kimi-k2.6 on bare: the host reports no price"):
        driver.ask(model, "Hello")
    assert kimi.requests == []


def test_a_price_of_the_users_own_will_do(driver: Driver, kimi: LocalKimi) -> None:
    prices = {"kimi-k2.6": HOSTS["moonshot"].usage.prices["kimi-k2.6"]}
    budget = Budget(usd=1)
    driver.ask(make(driver, kimi, host=UNPRICED, budget=budget, overrides={"usage.prices": prices}), "Hello")
    assert budget.spent.usd > 0


def test_a_price_that_was_to_come_and_did_not_ends_it(driver: Driver, kimi: LocalKimi) -> None:
    model = make(driver, kimi, host="aimlapi", model="kimi-k2.6", budget=Budget(usd=1), max_retries=0)
    kimi.enqueue(text="Yes.", unchecked=True)
    driver.ask(model, "Hello")
    with pytest.raises(ConfigError, match="reported no price"):
        driver.ask(model, "Hello")


def test_an_answer_with_neither_price_nor_usage_ends_it_too(driver: Driver, kimi: LocalKimi) -> None:
    model = make(driver, kimi, host="aimlapi", model="kimi-k2.6", budget=Budget(usd=1), max_retries=0)
    enqueue_bare(driver, kimi, "Yes.")
    driver.ask(model, "Hello")
    with pytest.raises(ConfigError, match="reported no price"):
        driver.ask(model, "Hello")


@pytest.mark.parametrize(
    "words", [{}, {"usd": 0}, {"usd": -1}, {"tokens": 1.5}, {"steps": True}, {"usd": "1"}, {"tokens": 0}]
)
def test_limits_that_are_none_raise(words: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="budget"):
        Budget(**words)


def test_what_is_no_budget_raises_at_construction(framework: Driver) -> None:
    with pytest.raises(ConfigError, match="budget must be an instance of Budget, got float"):
        framework.make(api_key="k", budget=0.5)


# ------------------------------------------------------------------------------------------------ copies, dumps


@pytest.mark.parametrize("make_copy", [copy.copy, copy.deepcopy, lambda model: model.model_copy()])
@pytest.mark.parametrize("cls", [ChatKimi, KimiLLM])
def test_copies_share_the_budget(kimi: LocalKimi, cls: Any, make_copy: Any) -> None:
    budget = Budget(steps=3)
    model = cls(base_url=kimi.base_url, api_key=kimi.api_key, budget=budget)
    for one in (model, make_copy(model)):
        one.invoke("Hello") if cls is ChatKimi else one.complete("Hello")
    assert budget.spent.steps == 2


@pytest.mark.parametrize("cls", [ChatKimi, KimiLLM])
def test_a_pickle_has_a_copy_with_what_was_spent(kimi: LocalKimi, cls: Any) -> None:
    budget = Budget(steps=3)
    model = cls(base_url=kimi.base_url, api_key=kimi.api_key, budget=budget)
    model.invoke("Hello") if cls is ChatKimi else model.complete("Hello")
    again = pickle.loads(pickle.dumps(model))
    again.invoke("Hello") if cls is ChatKimi else again.complete("Hello")
    assert (budget.spent.steps, again.budget.spent.steps) == (1, 2)


def test_an_error_about_it_can_be_pickled_and_is_langchains() -> None:
    budget = Budget(steps=1)
    with LocalKimi() as kimi:
        model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, budget=budget)
        model.invoke("Hello")
        with pytest.raises(ModelError) as caught:
            model.invoke("Hello")
    again = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(again, BudgetExceededError)
    assert (again.spent.steps, again.is_retryable) == (1, False)


def test_dumps_do_not_have_it(kimi: LocalKimi) -> None:
    words: Any = {"base_url": kimi.base_url, "api_key": kimi.api_key, "budget": Budget(usd=4711)}
    model, llm = ChatKimi(**words), KimiLLM(**words)
    for said in (dumps(model), model.model_dump(), llm.to_dict(), llm.to_json()):
        assert "4711" not in str(said)
        assert "budget" not in str(said).lower()


def test_it_says_what_is_left_to_read(kimi: LocalKimi) -> None:
    budget = Budget(usd=1.5, steps=7)
    ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, budget=budget)
    assert repr(budget) == "<Budget(usd=1.5, steps=7), spent: 0 USD, 0 tokens, 0 steps>"
    assert not budget.is_used_up


# --------------------------------------------------------------------------------------------------------- swarm


def test_a_swarm_goes_out_as_the_guide_has_it_and_is_said_to_be_unconfirmed(driver: Driver, kimi: LocalKimi) -> None:
    model = make(driver, kimi, agent=AgentSwarm(max_agents=30, max_steps=4000))
    with pytest.warns(UserWarning, match="agent swarm is unconfirmed"):
        driver.ask(model, "Hello")
    driver.ask(model, "Hello", agent={"type": "swarm", "max_agents": 10})
    assert [r.body["agent"] for r in kimi.requests] == [
        {"type": "swarm", "max_agents": 30, "max_steps": 4000},
        {"type": "swarm", "max_agents": 10},
    ]


def test_a_swarm_that_the_user_knows_of_is_sent_without_a_warning(driver: Driver, kimi: LocalKimi) -> None:
    model = make(driver, kimi, agent=AgentSwarm(), on_unsupported="error", overrides={"tools.agent_swarm": "yes"})
    driver.ask(model, "Hello")
    assert kimi.requests[-1].body["agent"] == {"type": "swarm"}


def test_a_host_without_swarms_is_not_sent_one(driver: Driver, aimlapi: LocalKimi) -> None:
    model = make(driver, aimlapi, host="aimlapi", agent=AgentSwarm(max_agents=5), on_unsupported="error")
    with pytest.raises(ConfigError, match="agent is not sent to moonshot/kimi-k2-6 on aimlapi"):
        driver.ask(model, "Hello")
    with pytest.warns(UserWarning, match="it has no agent swarm"):
        driver.ask(model, "Hello", on_unsupported="warn")
    assert [("agent" in r.body) for r in aimlapi.requests] == [False]


@pytest.mark.parametrize(
    "agent",
    [AgentSwarm(max_agents=301), AgentSwarm(max_steps=0), {"max_steps": 4001}, {"type": "army"}, {"agents": 3}, 30],
)
def test_a_swarm_beyond_the_limits_raises_at_construction(framework: Driver, agent: Any) -> None:
    with pytest.raises(ConfigError, match="agent"):
        framework.make(api_key="k", agent=agent)


def test_a_swarm_survives_dumps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOONSHOT_API_KEY", "k")  # a dict has no key
    model, llm = ChatKimi(api_key="k", agent=AgentSwarm(max_agents=3)), KimiLLM(api_key="k", agent={"max_agents": 3})
    assert '"agent": {"max_agents": 3}' in dumps(model)
    assert KimiLLM.from_dict(llm.to_dict()).agent == AgentSwarm(max_agents=3)
