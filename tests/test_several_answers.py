"""Several answers to one call (`n`): in one request where the host gives them, else side by side."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Barrier, Thread
from typing import Any

import pytest
from drivers import STREAMED, WHOLE, Driver
from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_core.messages import HumanMessage
from langchain_core.rate_limiters import BaseRateLimiter
from langchain_core.runnables import RunnableLambda
from langchain_core.tracers.langchain import _get_usage_metadata_from_generations
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.rate_limiter import BaseRateLimiter as LlamaIndexRateLimiter

from kimi_adapters.local_server import LocalKimi
from kimi_core import (
    AuthenticationError,
    Budget,
    BudgetExceededError,
    ConfigError,
    KimiClient,
    KimiWarning,
    Message,
    Options,
    Request,
    UnsupportedError,
)
from kimi_core.events import reduce
from langchain_kimi import ChatKimi
from llama_index_kimi import KimiLLM

USAGE = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}
TEXTS = ["One.", "Two.", "Three."]


@pytest.fixture(params=WHOLE, ids=[d.name for d in WHOLE])
def whole(request: pytest.FixtureRequest) -> Driver:
    return request.param


@pytest.fixture(params=STREAMED, ids=[d.name for d in STREAMED])
def streamed(request: pytest.FixtureRequest) -> Driver:
    return request.param


@pytest.fixture(scope="module")
def _vllm() -> Iterator[LocalKimi]:
    with LocalKimi("vllm") as server:
        yield server


@pytest.fixture
def vllm(_vllm: LocalKimi) -> LocalKimi:
    _vllm.reset()
    return _vllm


@pytest.fixture
def runware() -> Iterator[LocalKimi]:
    with LocalKimi("runware") as server:
        yield server


def where(server: LocalKimi) -> dict[str, Any]:
    return {"host": server.dialect.name, "base_url": server.base_url, "api_key": server.api_key}


def enqueue(server: LocalKimi, texts: list[str] = TEXTS, **more: Any) -> None:
    for text in texts:
        server.enqueue(text=text, **more)


def answers(driver: Driver, model: Any, **call: Any) -> list[str]:
    """The texts of all answers to one call, the first one first."""
    if driver.framework == "langchain":
        said = [[HumanMessage("Hello")]]
        whole = model.generate(said, **call) if driver.mode == "invoke" else asyncio.run(model.agenerate(said, **call))
        return [generation.text for generation in whole.generations[0]]
    answer = driver.ask(model, "Hello", **call)
    return [answer.text, *answer.native.additional_kwargs.get("alternatives", ())]


def bodies(server: LocalKimi) -> list[Any]:
    return [request.body for request in server.requests]


# ----------------------------------------------------------------------------------------------- in one request


@pytest.mark.parametrize("server", ["vllm", "sglang"])
def test_a_host_that_gives_several_answers_is_asked_once(whole: Driver, server: Any) -> None:
    with LocalKimi(server) as kimi:
        enqueue(kimi)
        assert answers(whole, whole.make(**where(kimi), n=3)) == TEXTS
        assert [body["n"] for body in bodies(kimi)] == [3]


def test_a_host_that_refuses_a_number_is_asked_for_each_answer(whole: Driver, vllm: LocalKimi) -> None:
    enqueue(vllm)
    with pytest.warns(KimiWarning, match=r"greedy sampling.*most_answers"):
        assert sorted(answers(whole, whole.make(**where(vllm)), n=3, temperature=0)) == sorted(TEXTS)
    assert [body.get("n") for body in bodies(vllm)] == [3, None, None, None]


def test_what_a_host_owes_that_gave_fewer_is_asked_for(whole: Driver, kimi: LocalKimi) -> None:
    enqueue(kimi, unchecked=True)  # takes `n` and does not look at it
    model = whole.make(**where(kimi), overrides={"sampling.most_answers": 8})
    assert sorted(answers(whole, model, n=3)) == sorted(TEXTS)
    assert [body.get("n") for body in bodies(kimi)] == [3, None, None]


# ------------------------------------------------------------------------------------------------- side by side


def test_on_a_host_that_gives_one_so_many_requests_are_made(whole: Driver, kimi: LocalKimi) -> None:
    enqueue(kimi)
    assert sorted(answers(whole, whole.make(**where(kimi)), n=3)) == sorted(TEXTS)
    first, *others = bodies(kimi)
    assert "n" not in first
    assert others == [first, first]


def test_n_may_be_assigned_to_a_finished_model(whole: Driver, kimi: LocalKimi) -> None:
    model = whole.make(**where(kimi))
    model.n = 2
    assert len(answers(whole, model)) == 2
    assert len(answers(whole, model, n=1)) == 1
    assert len(kimi.requests) == 3


class _AllAtOnce(BaseHTTPRequestHandler):
    """Answers no request before four are there."""

    there = Barrier(4, timeout=30)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.there.wait()
        message = {"role": "assistant", "content": "Yes."}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        body = json.dumps({"id": "1", "model": "kimi-k2.6", "choices": [choice]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""


def test_requests_for_several_answers_are_under_way_at_once(whole: Driver) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _AllAtOnce) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/v1"
        model = whole.make(base_url=address, api_key="k", host="moonshot", n=4, max_retries=0)
        assert len(answers(whole, model)) == 4
        server.shutdown()


def test_more_than_a_host_gives_at_once_is_asked_in_parts(whole: Driver, runware: LocalKimi) -> None:
    assert len(answers(whole, whole.make(**where(runware)), n=6)) == 6
    assert sorted(body[0].get("numberResults", 1) for body in bodies(runware)) == [2, 4]


def test_tokens_and_price_are_of_all_answers(whole: Driver, kimi: LocalKimi) -> None:
    for _ in range(4):
        kimi.enqueue(text="Yes.", usage=USAGE)
    model = whole.make(**where(kimi))
    one, two = whole.ask(model, "Hello"), whole.ask(model, "Hello", n=3)
    assert (two.input_tokens, two.output_tokens, two.total_tokens) == (30, 60, 90)
    assert two.cost_usd == pytest.approx(3 * (one.cost_usd or 0))


def test_the_seed_is_counted_up(whole: Driver, kimi: LocalKimi) -> None:
    model = whole.make(**where(kimi), seed=7, overrides={"sampling.refuses": {}})
    answers(whole, model, n=3)
    assert sorted(body["seed"] for body in bodies(kimi)) == [7, 8, 9]


def test_a_tool_of_the_hosts_own_is_run_for_each_answer(whole: Driver, kimi: LocalKimi) -> None:
    model = whole.make(**where(kimi), server_tools=["moonshot/date:latest"])
    assert len(answers(whole, model, n=2)) == 2
    assert len([request for request in kimi.requests if request.path.endswith("/tools")]) == 1


# ------------------------------------------------------------------------------------------------------- failures


def test_a_request_that_fails_is_repeated_by_itself(whole: Driver, kimi: LocalKimi) -> None:
    kimi.fail(1)
    assert len(answers(whole, whole.make(**where(kimi)), n=3)) == 3
    assert len(kimi.requests) == 4


def test_one_request_that_fails_for_good_fails_the_call(whole: Driver, kimi: LocalKimi) -> None:
    kimi.fail(1, status=401, type="invalid_authentication_error")
    with pytest.raises(AuthenticationError):
        answers(whole, whole.make(**where(kimi)), n=3)


def test_a_failed_call_leaves_no_request_behind(whole: Driver) -> None:
    with LocalKimi(delay=0.1) as kimi:
        kimi.fail(1, status=401, type="invalid_authentication_error")
        with pytest.raises(AuthenticationError):
            answers(whole, whole.make(**where(kimi)), n=40)
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("kimi-answer")]
        time.sleep(0.3)  # those that were left behind would come in this time
        assert len(kimi.requests) < 40


@pytest.mark.parametrize("make", [ChatKimi, KimiLLM])
async def test_a_cancelled_call_cancels_its_requests(make: Any) -> None:
    with LocalKimi(delay=5) as kimi:
        model = make(**where(kimi), n=3)
        call = model.ainvoke("Hello") if make is ChatKimi else model.acomplete("Hello")
        before = asyncio.all_tasks()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(call, 0.3)
        assert asyncio.all_tasks() <= before


def test_a_budget_counts_every_request(whole: Driver, kimi: LocalKimi) -> None:
    budget = Budget(steps=2)
    with pytest.raises(BudgetExceededError):
        answers(whole, whole.make(**where(kimi), budget=budget), n=3)
    assert budget.spent.steps == 2
    assert len(kimi.requests) <= 2


def test_each_answer_can_come_from_a_fallback_host(whole: Driver, kimi: LocalKimi, vllm: LocalKimi) -> None:
    kimi.fail(1, status=503, type="server_unavailable")
    model = whole.make(**where(kimi), max_retries=0, fallback_hosts=[where(vllm)])
    assert len(answers(whole, model, n=2)) == 2
    assert (len(kimi.requests), len(vllm.requests)) == (2, 1)


def test_a_fallback_host_that_gives_one_is_asked_for_each(whole: Driver, kimi: LocalKimi, vllm: LocalKimi) -> None:
    vllm.fail(1, status=503, type="server_unavailable")
    model = whole.make(**where(vllm), model="kimi-k2.6", max_retries=0, fallback_hosts=[where(kimi)])
    assert len(answers(whole, model, n=3)) == 3
    assert (len(vllm.requests), len(kimi.requests)) == (1, 3)


class Limiter(BaseRateLimiter):
    """Counts how often it was waited for."""

    waited = 0

    def acquire(self, *, blocking: bool = True) -> bool:
        self.waited += 1
        return True

    async def aacquire(self, *, blocking: bool = True) -> bool:
        return self.acquire(blocking=blocking)


class LlamaIndexLimiter(LlamaIndexRateLimiter):
    """The same in LlamaIndex."""

    waited = 0

    def acquire(self, num_tokens: int = 0) -> None:
        self.waited += 1

    async def async_acquire(self, num_tokens: int = 0) -> None:
        self.acquire(num_tokens)


def test_a_rate_limiter_is_waited_for_before_each_request(whole: Driver, kimi: LocalKimi) -> None:
    limiter: Any = Limiter() if whole.framework == "langchain" else LlamaIndexLimiter()
    answers(whole, whole.make(**where(kimi), rate_limiter=limiter), n=3)
    assert limiter.waited == len(kimi.requests) == 3


# --------------------------------------------------------------------------------------------------- in LangChain


@pytest.mark.parametrize("server", ["moonshot", "vllm", "runware"])
def test_who_adds_up_usage_counts_each_token_once(server: Any) -> None:
    with LocalKimi(server) as kimi:
        counter = UsageMetadataCallbackHandler()
        generations = ChatKimi(**where(kimi), n=2).generate([[HumanMessage("Hi")]], callbacks=[counter]).generations
        (counted,) = counter.usage_metadata.values()
        dumped = [[{**g.model_dump(), "message": {"kwargs": g.message.model_dump()}} for g in generations[0]]]
        assert _get_usage_metadata_from_generations(dumped) == counted


def test_invoke_gives_the_first_answer(vllm: LocalKimi) -> None:
    enqueue(vllm)
    assert ChatKimi(**where(vllm), n=3).invoke("Hello").text == "One."


@pytest.mark.parametrize("words", [{"streaming": True}, {}], ids=["streaming", "listener"])
def test_several_answers_are_asked_for_whole_whoever_listens(kimi: LocalKimi, words: dict[str, Any]) -> None:
    model = ChatKimi(**where(kimi), n=2, **words)

    async def step(question: str) -> str:
        return (await model.ainvoke(question)).text

    async def listened() -> list[str]:
        return [event["event"] async for event in RunnableLambda(step).astream_events("Hello")]

    assert "on_chat_model_end" in asyncio.run(listened())
    assert [body.get("stream") for body in bodies(kimi)] == [None, None]


# ---------------------------------------------------------------------------------------------------- in streams


@pytest.mark.parametrize("server", ["moonshot", "vllm", "runware"])
def test_several_answers_cannot_be_streamed(streamed: Driver, server: Any) -> None:
    with LocalKimi(server) as kimi:
        with pytest.raises(UnsupportedError, match=r"cannot stream n=2 answers.*n=1"):
            streamed.ask(streamed.make(**where(kimi), n=2), "Hello")
        assert kimi.requests == []
        assert streamed.ask(streamed.make(**where(kimi), n=2), "Hello", n=1).finish_reason == "stop"


def test_a_stream_into_which_the_user_brings_several_does_not_mix_them(streamed: Driver, vllm: LocalKimi) -> None:
    vllm.enqueue(text="One and two.", reasoning="First.")
    vllm.enqueue(text="Three and four.", reasoning="Second.")
    answer = streamed.ask(streamed.make(**where(vllm)), "Hello", extra_body={"n": 2})
    assert (answer.text, answer.reasoning) == ("One and two.", "First.")
    native = answer.native
    known = native.response_metadata if streamed.framework == "langchain" else native.additional_kwargs
    assert known["alternatives"] == ["Three and four."]


CALLS = [{"name": "look", "arguments": {"city": "Oslo"}, "id": "a"}]


def test_a_whole_body_of_several_answers_and_a_stream_are_the_same(vllm: LocalKimi) -> None:
    client = KimiClient(**where(vllm))
    request = Request(messages=[Message("user", "Hello")], model="kimi-k2.6", options=Options(extra_body={"n": 3}))
    found = []
    for ask in (client.complete, lambda asked: reduce(client.stream(asked))):
        vllm.enqueue(text="One.", reasoning="Hm.")
        vllm.enqueue(tool_calls=CALLS)
        vllm.enqueue(text="A longer third answer than the others.", finish_reason="length")
        response = ask(request)
        found.append([_said(response), *map(_said, response.alternatives), response.usage.total_tokens])
    assert found[0] == found[1]
    assert found[0][:3] == [
        ("One.", "Hm.", [], "stop"),
        ("", "", [("look", '{"city": "Oslo"}')], "tool_calls"),
        ("A longer third answer than the others.", "", [], "length"),
    ]


def _said(response: Any) -> tuple[Any, ...]:
    thought = response.reasoning.text if response.reasoning else ""
    calls = [(call.name, call.arguments) for call in response.tool_calls]
    return response.text, thought, calls, response.finish_reason


@pytest.mark.parametrize("indexes", [(0, 1), (1, 0), (None, None), (0, 0), ("0", "1")])
def test_choices_of_a_whole_body_are_kept_apart_however_they_are_numbered(
    vllm: LocalKimi, indexes: tuple[Any, ...]
) -> None:
    choices = [
        {"index": index, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        for index, text in zip(indexes, TEXTS, strict=False)
    ]
    vllm.enqueue(json={"id": "x", "model": "kimi", "choices": choices, "usage": USAGE})
    made = ChatKimi(**where(vllm), n=2).generate([[HumanMessage("Hello")]])
    assert [generation.text for generation in made.generations[0]] == TEXTS[:2]


def test_a_stream_in_which_one_of_several_answers_is_cut_is_not_finished(vllm: LocalKimi) -> None:
    head = {"id": "x", "model": "kimi", "object": "chat.completion.chunk"}
    vllm.enqueue(
        sse=[
            {**head, "choices": [{"index": 0, "delta": {"content": "One."}, "finish_reason": "stop"}]},
            {**head, "choices": [{"index": 1, "delta": {"content": "Tw"}, "finish_reason": None}]},
        ]
    )
    client = KimiClient(**where(vllm))
    request = Request(messages=[Message("user", "Hello")], model="kimi-k2.6", options=Options(extra_body={"n": 2}))
    with pytest.raises(Exception, match="ended the stream before it was finished"):
        list(client.stream(request))


# ---------------------------------------------------------------------------------------------- in LlamaIndex


def test_llama_index_gives_the_first_answer_and_the_others_beside_it(vllm: LocalKimi) -> None:
    enqueue(vllm)
    llm = KimiLLM(**where(vllm), n=3)
    response = llm.chat([ChatMessage(role="user", content="Hello")])
    assert (response.message.content, response.additional_kwargs["alternatives"]) == ("One.", ["Two.", "Three."])
    enqueue(vllm)
    completion = llm.complete("Hello")
    assert (completion.text, completion.additional_kwargs["alternatives"]) == ("One.", ["Two.", "Three."])


@pytest.mark.parametrize("n", [0, -3])
def test_fewer_than_one_answer_is_an_error(whole: Driver, kimi: LocalKimi, n: int) -> None:
    with pytest.raises(ConfigError, match="n must be greater than or equal to 1"):
        whole.ask(whole.make(**where(kimi)), "Hello", n=n)
    assert kimi.requests == []


def test_more_answers_than_a_call_is_for_are_an_error(whole: Driver, kimi: LocalKimi) -> None:
    with pytest.raises(ConfigError, match="n must be at most 128"):
        whole.ask(whole.make(**where(kimi)), "Hello", n=10**5000)
    assert kimi.requests == []
