"""What LangSmith's own client sends about a call: enough to bill and debug it, and nothing secret."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from deepagents import create_deep_agent
from langchain.agents import create_agent
from langchain.agents.middleware import ModelFallbackMiddleware, ModelRetryMiddleware
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import get_usage_metadata_callback
from langchain_core.tracers.langchain import LangChainTracer, wait_for_all_tracers
from langgraph.checkpoint.memory import InMemorySaver
from langsmith import Client
from langsmith.run_helpers import tracing_context

from kimi_adapters.local_server import LocalKimi
from kimi_core import APIConnectionError, AuthenticationError, ContextOverflowError, QuotaExceededError
from langchain_kimi import ChatKimi

CANARY = "canary-9f3b1c77e5d24a60"
KEY = f"sk-{CANARY}"
MEMO = "The ship came in on Monday, late, with coffee and some cocoa on board. " * 30
ASKED = f"{MEMO}\n\nWhen did the ship come in?"


class LangSmith(ThreadingHTTPServer):
    """Takes what LangSmith's client sends to `/runs`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: list[bytes] = []
        self.runs: dict[str, dict[str, Any]] = {}

    def take(self, body: bytes) -> None:
        """Note a run, or what became of it: a PATCH comes over its POST."""
        self.bodies.append(body)
        run = json.loads(body)
        self.runs.setdefault(run["id"], {}).update(run)

    @property
    def calls(self) -> list[dict[str, Any]]:
        """The runs of models, in their order."""
        return sorted(
            (run for run in self.runs.values() if run["run_type"] == "llm"), key=lambda run: run["start_time"]
        )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # the head and the body are written apart, and the second would wait 40 ms
    server: LangSmith

    def do_POST(self) -> None:
        self.server.take(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(202)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_PATCH = do_POST

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def langsmith() -> Iterator[LangSmith]:
    with LangSmith() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@contextmanager
def traced(langsmith: LangSmith) -> Iterator[None]:
    """All that happens inside is traced; it has been sent when this ends."""
    url = f"http://127.0.0.1:{langsmith.server_port}"
    client = Client(api_url=url, api_key="lsv2-local", auto_batch_tracing=False)
    try:
        with tracing_context(enabled=True, client=client, project_name="tests"):
            yield
    finally:
        wait_for_all_tracers()
        client.close()


@pytest.fixture
def server() -> Iterator[LocalKimi]:
    """A host whose only key is the canary."""
    with LocalKimi(api_key=KEY) as kimi:
        yield kimi


@pytest.fixture
def make(server: LocalKimi) -> Callable[..., ChatKimi]:
    def made(**options: Any) -> ChatKimi:
        return ChatKimi(**{"base_url": server.base_url, "api_key": KEY, "max_retries": 0} | options)

    return made


async def ask(model: ChatKimi, way: str, text: str = ASKED, /, **call: Any) -> Any:
    match way:
        case "invoke":
            return model.invoke(text, **call)
        case "ainvoke":
            return await model.ainvoke(text, **call)
        case "stream":
            chunks = list(model.stream(text, **call))
        case _:
            chunks = [chunk async for chunk in model.astream(text, **call)]
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    return whole


WAYS = ("invoke", "ainvoke", "stream", "astream")
each_way = pytest.mark.parametrize("way", WAYS)


def names_of(run: dict[str, Any]) -> list[str]:
    return [event["name"] for event in run["events"]]


# ---------------------------------------------------------------------------------------------- what a run says


@each_way
@pytest.mark.parametrize("name", ["kimi-k2.6", "kimi-k3"])
async def test_a_run_names_provider_model_and_host(
    make: Callable[..., ChatKimi], langsmith: LangSmith, way: str, name: str
) -> None:
    with traced(langsmith):
        await ask(make(model=name), way)
    (run,) = langsmith.calls
    metadata = run["extra"]["metadata"]
    assert (metadata["ls_provider"], metadata["ls_model_name"], metadata["ls_model_type"]) == ("moonshot", name, "chat")
    assert metadata["host"] == "moonshot"
    assert metadata["lc_versions"]["kimi-adapters"]
    assert run["serialized"]["id"] == ["langchain_kimi", "chat_models", "ChatKimi"]


@each_way
async def test_a_run_names_the_model_and_limits_of_the_call(
    make: Callable[..., ChatKimi], langsmith: LangSmith, way: str
) -> None:
    with traced(langsmith):
        await ask(make(), way, model="kimi-k3", max_tokens=500, stop=["x"])
    metadata = langsmith.calls[0]["extra"]["metadata"]
    assert (metadata["ls_model_name"], metadata["ls_max_tokens"], metadata["ls_stop"]) == ("kimi-k3", 500, ["x"])


@each_way
async def test_usage_has_its_cached_and_reasoning_tokens(
    make: Callable[..., ChatKimi], langsmith: LangSmith, way: str
) -> None:
    """The second call finds the prefix of the first in the host's cache."""
    with traced(langsmith):
        await ask(make(), way)
        answer = await ask(make(), way)
    first, second = (run["extra"]["metadata"]["usage_metadata"] for run in langsmith.calls)
    assert first["input_token_details"]["cache_read"] == 0
    assert second == answer.usage_metadata
    assert second["input_token_details"]["cache_read"] > 256
    assert 0 < second["output_token_details"]["reasoning"] < second["output_tokens"]


@each_way
async def test_the_answer_is_there_with_its_reasoning(
    make: Callable[..., ChatKimi], langsmith: LangSmith, way: str
) -> None:
    with traced(langsmith):
        answer = await ask(make(), way)
    message = langsmith.calls[0]["outputs"]["generations"][0][0]["message"]["kwargs"]
    assert message["content"] == answer.content
    assert message["additional_kwargs"]["reasoning_content"] == answer.additional_kwargs["reasoning_content"]
    assert message["response_metadata"]["cost_usd"] > 0


@each_way
async def test_a_stream_records_when_its_first_token_came(
    make: Callable[..., ChatKimi], langsmith: LangSmith, way: str
) -> None:
    with traced(langsmith):
        await ask(make(), way)
    streamed = ["new_token"] if "stream" in way else []
    (run,) = langsmith.calls
    assert names_of(run) == ["start", *streamed, "end"]
    assert sorted(event["time"] for event in run["events"]) == [event["time"] for event in run["events"]]


@each_way
async def test_a_call_that_streams_inside_records_when_its_first_token_came(
    make: Callable[..., ChatKimi], langsmith: LangSmith, way: str
) -> None:
    with traced(langsmith):
        await ask(make(streaming=True), way)
    assert names_of(langsmith.calls[0]) == ["start", "new_token", "end"]


# ---------------------------------------------------------------------------------------------------------- cost


def costs_of(run: dict[str, Any]) -> dict[str, float]:
    return {name: value for name, value in run["extra"]["metadata"]["usage_metadata"].items() if "cost" in name}


@each_way
@pytest.mark.parametrize("streaming", [None, True], ids=["as asked", "streams inside"])
async def test_the_cost_reaches_langsmith_on_request(
    make: Callable[..., ChatKimi], langsmith: LangSmith, way: str, streaming: bool | None
) -> None:
    """LangSmith reads `total_cost` off the usage of a run; the price of kimi-k2.6 is estimated in parts."""
    with traced(langsmith):
        answer = await ask(make(cost_in_usage=True, streaming=streaming), way)
    (run,) = langsmith.calls
    costs = costs_of(run)
    assert costs["total_cost"] == answer.response_metadata["cost_usd"] > 0
    assert costs["input_cost"] + costs["output_cost"] == pytest.approx(costs["total_cost"])
    assert run["extra"]["metadata"]["usage_metadata"] == {**answer.usage_metadata, **costs}


@each_way
async def test_the_usage_of_a_message_has_no_cost(
    make: Callable[..., ChatKimi], langsmith: LangSmith, way: str
) -> None:
    """LangChain adds usage up: `Unknown value types: … Only dict and int values are supported.`"""
    model = make(cost_in_usage=True)
    with traced(langsmith), get_usage_metadata_callback() as total:
        first, second = [await ask(model, way) for _ in range(2)]
    for name, count in total.usage_metadata["kimi-k2.6"].items():
        if not isinstance(count, dict):
            assert count == first.usage_metadata[name] + second.usage_metadata[name]
            assert type(count) is int
    assert all("cost" not in name for name in first.usage_metadata)
    assert [bool(costs_of(run)) for run in langsmith.calls] == [True, True]


@each_way
@pytest.mark.parametrize("asked", [True, False])
async def test_the_call_says_whether_its_cost_reaches_langsmith(
    make: Callable[..., ChatKimi], langsmith: LangSmith, way: str, asked: bool
) -> None:
    with traced(langsmith):
        await ask(make(cost_in_usage=not asked), way, cost_in_usage=asked)
    assert bool(costs_of(langsmith.calls[0])) is asked


@pytest.mark.parametrize("way", ["invoke", "astream"])
async def test_the_cost_of_an_agents_calls_reaches_langsmith(
    make: Callable[..., ChatKimi], langsmith: LangSmith, way: str
) -> None:
    made = create_agent(make(cost_in_usage=True), [get_weather])
    told: Any = {"messages": [{"role": "user", "content": "Call get_weather for Paris."}]}
    with traced(langsmith):
        if way == "invoke":
            made.invoke(told)
        else:
            assert [part async for part in made.astream(told, stream_mode="messages")]
    assert [costs_of(run)["total_cost"] > 0 for run in langsmith.calls] == [True, True]
    assert len({run["trace_id"] for run in langsmith.runs.values()}) == 1
    assert {run["parent_run_id"] is None for run in langsmith.calls} == {False}


@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
async def test_the_cost_of_typed_events_reaches_langsmith(make: Callable[..., ChatKimi], langsmith: LangSmith) -> None:
    model = make(cost_in_usage=True)
    with traced(langsmith):
        said = model.stream_events("Hello", version="v3")
        assert list(said.text)
        asynchronous = await model.astream_events("Hello", version="v3")
        assert [text async for text in asynchronous.text]
        assert [event async for event in model.astream_events("Hello", version="v2")]
    assert [costs_of(run)["total_cost"] > 0 for run in langsmith.calls] == [True] * 3


class OwnTracer(LangChainTracer):
    """A tracer of the user's own."""

    def _on_chat_model_start(self, run: Any) -> None:
        run.tags = [*(run.tags or []), "mine"]
        super()._on_chat_model_start(run)


@each_way
async def test_a_tracer_of_the_users_own_learns_the_cost(
    make: Callable[..., ChatKimi], langsmith: LangSmith, way: str
) -> None:
    client = Client(api_url=f"http://127.0.0.1:{langsmith.server_port}", api_key="k", auto_batch_tracing=False)
    await ask(make(cost_in_usage=True), way, ASKED, config={"callbacks": [OwnTracer(client=client)]})
    client.close()
    (run,) = langsmith.calls
    assert "mine" in run["tags"]
    assert costs_of(run)["total_cost"] > 0


@each_way
async def test_without_langsmith_callbacks_stay_as_they_are(make: Callable[..., ChatKimi], way: str) -> None:
    with get_usage_metadata_callback() as total:
        answer = await ask(make(cost_in_usage=True), way)
    assert total.usage_metadata == {"kimi-k2.6": answer.usage_metadata}


async def test_what_a_cache_answers_costs_nothing(server: LocalKimi, langsmith: LangSmith) -> None:
    model = ChatKimi(base_url=server.base_url, api_key=KEY, cost_in_usage=True, cache=InMemoryCache())
    with traced(langsmith):
        first, second = model.invoke("Hello"), model.invoke("Hello")
    assert len(server.requests) == 1
    assert [costs_of(run)["total_cost"] for run in langsmith.calls] == [first.response_metadata["cost_usd"], 0]
    assert set(costs_of(langsmith.calls[1]).values()) == {0}
    assert second.response_metadata["cost_usd"] == 0


@each_way
async def test_cost_is_not_in_the_usage_otherwise(
    make: Callable[..., ChatKimi], langsmith: LangSmith, way: str
) -> None:
    """LangChain adds usage up, and can only add integers."""
    with traced(langsmith), get_usage_metadata_callback() as total:
        for _ in range(2):
            await ask(make(), way)
    for run in langsmith.calls:
        assert not [key for key in run["extra"]["metadata"]["usage_metadata"] if "cost" in key]
    assert len(total.usage_metadata) == 1


async def test_the_cost_that_a_host_reports_is_the_one_that_langsmith_gets(
    aimlapi: LocalKimi, langsmith: LangSmith
) -> None:
    model = ChatKimi(host="aimlapi", base_url=aimlapi.base_url, api_key=aimlapi.api_key, cost_in_usage=True)
    with traced(langsmith):
        answer = await ask(model, "ainvoke", "Hello")
    assert answer.response_metadata["cost_is_estimate"] is False
    usage = langsmith.calls[0]["extra"]["metadata"]["usage_metadata"]
    assert usage["total_cost"] == answer.response_metadata["cost_usd"]
    assert "input_cost" not in usage


# -------------------------------------------------------------------------------------------------------- errors


@each_way
async def test_a_refused_call_is_an_error_with_the_hosts_message(
    make: Callable[..., ChatKimi], server: LocalKimi, langsmith: LangSmith, way: str
) -> None:
    server.fail(1, status=429, type="exceeded_current_quota_error")
    with traced(langsmith), pytest.raises(QuotaExceededError):
        await ask(make(), way)
    (run,) = langsmith.calls
    assert "kimi-k2.6 on moonshot answered HTTP 429 (exceeded_current_quota_error)" in run["error"]
    assert "check your account balance" in run["error"]
    assert names_of(run)[-1] == "error"


@pytest.mark.parametrize("way", ["stream", "astream"])
async def test_what_a_broken_stream_said_so_far_is_there(
    make: Callable[..., ChatKimi], server: LocalKimi, langsmith: LangSmith, way: str
) -> None:
    server.cut_stream_after(12)
    with traced(langsmith), pytest.raises(APIConnectionError):
        await ask(make(), way)
    (run,) = langsmith.calls
    assert names_of(run) == ["start", "new_token", "error"]
    assert "reasoning_content" in str(run["outputs"]["generations"])


async def test_an_overflow_is_an_error_of_its_own(
    make: Callable[..., ChatKimi], server: LocalKimi, langsmith: LangSmith
) -> None:
    server.fail(
        1,
        status=400,
        type="invalid_request_error",
        message="Your request exceeded model token limit: 262144 (requested: 269030)",
    )
    with traced(langsmith), pytest.raises(ContextOverflowError):
        await ask(make(), "invoke")
    assert langsmith.calls[0]["error"].startswith("ContextOverflowError(")


# --------------------------------------------------------------------------------------------------------- secrets


SECRETS: dict[str, dict[str, Any]] = {
    "none but the key": {},
    "key of the call": {"api_key": KEY},
    "headers of the call": {"extra_headers": {"X-Token": CANARY}, "default_headers": {"X-Other": CANARY}},
}


def check_nothing_secret(langsmith: LangSmith) -> None:
    assert langsmith.calls
    assert [body for body in langsmith.bodies if CANARY.encode() in body] == []


@each_way
@pytest.mark.parametrize("call", SECRETS.values(), ids=SECRETS)
async def test_no_key_or_header_is_in_a_trace(
    make: Callable[..., ChatKimi], langsmith: LangSmith, way: str, call: dict[str, Any]
) -> None:
    headers = {"default_headers": {"X-Gateway": CANARY}, "extra_headers": {"X-More": CANARY}}
    with traced(langsmith):
        await ask(make(**headers), way, **call)
    check_nothing_secret(langsmith)


@each_way
async def test_no_key_is_in_the_trace_of_a_refusal_that_quotes_it(
    make: Callable[..., ChatKimi], server: LocalKimi, langsmith: LangSmith, way: str
) -> None:
    said = {"message": f"Incorrect API key provided: {KEY}", "type": "invalid_authentication_error"}
    server.enqueue(json={"error": said}, status=401)
    with traced(langsmith), pytest.raises(AuthenticationError, match="redacted"):
        await ask(make(), way)
    check_nothing_secret(langsmith)


def get_weather(city: str) -> str:
    """Say what the weather is like in a city."""
    return f"It is sunny in {city}."


def plain_agent(model: ChatKimi) -> Any:
    around = [ModelRetryMiddleware(initial_delay=0.0), ModelFallbackMiddleware(model)]
    return create_agent(model, [get_weather], middleware=around, checkpointer=InMemorySaver())


def deep_agent(model: ChatKimi) -> Any:
    return create_deep_agent(
        model, [get_weather], middleware=[ModelRetryMiddleware(initial_delay=0.0)], checkpointer=InMemorySaver()
    )


@pytest.mark.parametrize("way", ["invoke", "astream"])
@pytest.mark.parametrize("agent", [plain_agent, deep_agent])
async def test_no_key_is_in_the_trace_of_an_agent(
    make: Callable[..., ChatKimi], server: LocalKimi, langsmith: LangSmith, agent: Any, way: str
) -> None:
    """Every middleware is a run of its own, with the model among its inputs."""
    made = agent(make(default_headers={"X-Gateway": CANARY}, extra_headers={"X-More": CANARY}))
    told: Any = {"messages": [{"role": "user", "content": "Call get_weather for Paris."}]}
    thread: Any = {"configurable": {"thread_id": "t"}}
    server.fail(1, status=500, type="server_error")
    with traced(langsmith):
        if way == "invoke":
            made.invoke(told, thread)
        else:
            assert [part async for part in made.astream(told, thread, stream_mode="messages")]

    assert [run["name"] for run in langsmith.runs.values() if "ModelRetryMiddleware" in run["name"]]
    assert [bool(run.get("error")) for run in langsmith.calls] == [True, False, False]
    assert {run["extra"]["metadata"]["ls_provider"] for run in langsmith.calls} == {"moonshot"}
    assert len({run["trace_id"] for run in langsmith.runs.values()}) == 1
    check_nothing_secret(langsmith)
