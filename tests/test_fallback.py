"""When a host fails, the next one answers: anew, or from where the stream broke off."""

from __future__ import annotations

import copy
import logging
import pickle
from typing import Any

import pytest
from drivers import STREAMED, Answer, Driver
from langchain_core._api import LangChainBetaWarning
from langchain_core.load import dumps, loads
from langchain_core.tracers.run_collector import RunCollectorCallbackHandler
from slow_server import HEAD as HEAD_OF_STREAM
from slow_server import frame, slow_server

from kimi_adapters.local_server import LocalKimi
from kimi_core import (
    HOSTS,
    Address,
    APIConnectionError,
    APIError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    Budget,
    ConfigError,
    HostSpec,
    ImagePart,
    InternalServerError,
    KimiClient,
    Message,
    MissingKeyError,
    OverloadedError,
    QuotaExceededError,
    RateLimitError,
    Request,
    TextPart,
    web_search,
)
from kimi_core.openai_shapes import to_tool
from langchain_kimi import ChatKimi
from llama_index_kimi import KimiLLM

HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1787685033, "model": "kimi-k2.6"}
FALLBACK_KEY = "sk-canary-4711"
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg=="


@pytest.fixture(params=STREAMED, ids=[d.name for d in STREAMED])
def streamed(request: pytest.FixtureRequest) -> Driver:
    return request.param


@pytest.fixture
def fallback() -> Any:
    """Another server in Moonshot's dialect, so one that can continue."""
    with LocalKimi(api_key=FALLBACK_KEY) as kimi:
        yield kimi


def place(server: LocalKimi, **words: Any) -> dict[str, Any]:
    return {"host": server.dialect.name, "base_url": server.base_url, "api_key": server.api_key, **words}


def make(driver: Driver, server: LocalKimi, *others: LocalKimi, **words: Any) -> Any:
    return driver.make(**place(server), fallback_hosts=[place(o) for o in others], **{"max_retries": 0, **words})


def told(answer: Answer) -> dict[str, Any]:
    """What the answer says about where it is from."""
    native = answer.native
    facts = native.raw if hasattr(native, "raw") else native.response_metadata
    return {"host": facts.get("host"), "fallbacks": facts.get("fallbacks")}


def delta(**said: Any) -> dict[str, Any]:
    return {**HEAD, "choices": [{"index": 0, "delta": said, "finish_reason": None}]}


def broken(*deltas: dict[str, Any]) -> dict[str, Any]:
    """A stream that breaks off after some deltas, as words of `enqueue`."""
    return {"sse": [delta(role="assistant"), *deltas], "done": False, "cut": True}


FAILURES: list[tuple[dict[str, Any], type[APIError]]] = [
    ({"status": 429, "type": "engine_overloaded_error"}, OverloadedError),
    ({"status": 429, "type": "rate_limit_reached_error"}, RateLimitError),
    ({"status": 429, "type": "exceeded_current_quota_error"}, QuotaExceededError),
    ({"status": 500, "type": "server_error"}, InternalServerError),
    ({"status": 529, "type": "overloaded"}, OverloadedError),
]


@pytest.mark.parametrize(("failure", "error"), FAILURES, ids=[f"{f['status']}-{f['type']}" for f, _ in FAILURES])
def test_the_next_host_answers_when_one_fails(
    driver: Driver, kimi: LocalKimi, aimlapi: LocalKimi, failure: dict[str, Any], error: type[APIError]
) -> None:
    kimi.fail(1, **failure)
    aimlapi.enqueue(text="Here I am.", usage={"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7})
    answer = driver.ask(make(driver, kimi, aimlapi), "Hello")
    assert (answer.text, answer.total_tokens) == ("Here I am.", 7)
    said = told(answer)
    assert said["host"] == "aimlapi"
    assert [f["host"] for f in said["fallbacks"]] == ["moonshot"]
    assert said["fallbacks"][0]["error"].startswith(f"{error.__name__}: kimi-k2.6 on moonshot answered HTTP")
    assert aimlapi.requests[-1].body["model"] == "moonshot/kimi-k2-6"


def test_a_host_that_cannot_be_reached_is_passed_over(driver: Driver, kimi: LocalKimi) -> None:
    model = driver.make(base_url="http://127.0.0.1:9/v1", api_key="k", max_retries=0, fallback_hosts=[place(kimi)])
    said = told(driver.ask(model, "Hello"))
    assert said["host"] == "moonshot"
    assert said["fallbacks"][0]["error"].startswith("APIConnectionError")


def test_a_host_that_is_too_late_is_passed_over(driver: Driver, aimlapi: LocalKimi) -> None:
    with LocalKimi(delay=0.2) as slow:
        model = make(driver, slow, aimlapi, timeout=0.05)
        answer = driver.ask(model, "Hello", fallback_hosts=[place(aimlapi, timeout=20)])
    assert told(answer)["fallbacks"][0]["error"].startswith("APITimeoutError")


def test_headers_of_a_call_do_not_go_to_another_host(driver: Driver, kimi: LocalKimi, fallback: LocalKimi) -> None:
    kimi.fail(1, status=503)
    driver.ask(
        make(driver, kimi, fallback, extra_headers={"X-Team": FALLBACK_KEY}), "Hello", extra_headers={"X-Two": "2"}
    )
    assert kimi.requests[-1].headers["x-two"] == "2"
    assert not {"x-team", "x-two"} & fallback.requests[-1].headers.keys()


def test_headers_of_a_call_go_along_to_the_same_host_once_more(driver: Driver, kimi: LocalKimi) -> None:
    kimi.fail(1, status=503)
    driver.ask(make(driver, kimi, kimi, extra_headers={"X-Team": "one"}), "Hello")
    assert kimi.requests[-1].headers["x-team"] == "one"


@pytest.mark.parametrize("model", [5, "", " "])
def test_a_fallback_model_that_is_no_name_is_an_error_at_construction(framework: Driver, model: Any) -> None:
    with pytest.raises(ConfigError, match=r"fallback_hosts\[0\]: model must be a model's name"):
        framework.make(api_key="k", fallback_hosts=[{"host": "vllm", "model": model}])


def test_media_beside_server_tools_are_uploaded_where_they_are_sent(driver: Driver, fallback: LocalKimi) -> None:
    with LocalKimi() as first:  # what was uploaded to it is remembered, so it is one of its own
        first.enqueue(status=503, json={"error": {"type": "engine_overloaded_error", "message": "busy"}})
        model = make(driver, first, fallback, upload_media=True, thinking=False, server_tools=["$web_search"])
        driver.ask(model, [Message("user", (TextPart("What is this?"), ImagePart(PIXEL)))])
    assert "/v1/files" in [r.path for r in fallback.requests]
    assert fallback.requests[-1].error is None


def test_retries_come_first(driver: Driver, kimi: LocalKimi, aimlapi: LocalKimi) -> None:
    kimi.fail(2, headers={"Retry-After": "0"})
    answer = driver.ask(make(driver, kimi, aimlapi, max_retries=2), "Hello")
    assert (told(answer), len(kimi.requests), aimlapi.requests) == ({"host": "moonshot", "fallbacks": None}, 3, [])


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        ({"status": 401, "type": "invalid_authentication_error"}, AuthenticationError),
        ({"status": 400, "type": "invalid_request_error"}, BadRequestError),
        ({"status": 400, "type": "content_filter"}, BadRequestError),
    ],
    ids=["key", "request", "filter"],
)
def test_a_wrong_request_or_key_is_not_taken_elsewhere(
    driver: Driver, kimi: LocalKimi, aimlapi: LocalKimi, failure: dict[str, Any], error: type[APIError]
) -> None:
    kimi.fail(1, **failure)
    with pytest.raises(error):
        driver.ask(make(driver, kimi, aimlapi), "Hello")
    assert aimlapi.requests == []


def test_the_last_error_is_raised_when_all_fail(driver: Driver, kimi: LocalKimi, aimlapi: LocalKimi) -> None:
    kimi.fail(1)
    aimlapi.fail(1, status=500, type="server_error")
    with pytest.raises(InternalServerError, match="on aimlapi"):
        driver.ask(make(driver, kimi, aimlapi), "Hello")


def test_the_third_is_asked_after_the_second(
    driver: Driver, kimi: LocalKimi, aimlapi: LocalKimi, fallback: LocalKimi
) -> None:
    kimi.fail(1)
    aimlapi.fail(1)
    answer = driver.ask(make(driver, kimi, aimlapi, fallback), "Hello")
    assert [f["host"] for f in told(answer)["fallbacks"]] == ["moonshot", "aimlapi"]
    assert len(fallback.requests) == 1


def test_a_host_that_cannot_be_asked_this_is_passed_over(
    driver: Driver, kimi: LocalKimi, aimlapi: LocalKimi, fallback: LocalKimi
) -> None:
    """AI/ML API takes no logprobs, which is an error here."""
    kimi.fail(1)
    answer = driver.ask(make(driver, kimi, aimlapi, fallback, on_unsupported="error"), "Hello", logprobs=True)
    first, second = told(answer)["fallbacks"]
    assert (first["host"], second["host"], aimlapi.requests) == ("moonshot", "aimlapi", [])
    assert second["error"].startswith("UnsupportedError: logprobs=True is not sent")


def test_fallback_hosts_can_be_given_for_one_call(driver: Driver, kimi: LocalKimi, aimlapi: LocalKimi) -> None:
    model = driver.make(**place(kimi), max_retries=0)
    kimi.fail(2)
    assert told(driver.ask(model, "Hello", fallback_hosts=[place(aimlapi)]))["host"] == "aimlapi"
    with pytest.raises(OverloadedError):
        driver.ask(model, "Hello")


def test_none_for_one_call(driver: Driver, kimi: LocalKimi, aimlapi: LocalKimi) -> None:
    kimi.fail(1)
    with pytest.raises(OverloadedError):
        driver.ask(make(driver, kimi, aimlapi), "Hello", fallback_hosts=[])


def test_one_line_is_logged_without_a_key(
    driver: Driver, kimi: LocalKimi, fallback: LocalKimi, caplog: pytest.LogCaptureFixture
) -> None:
    kimi.fail(1, message=f"busy with {kimi.api_key}")
    with caplog.at_level(logging.DEBUG, logger="kimi_core"):
        driver.ask(make(driver, kimi, fallback), "Hello")
    said = [r for r in caplog.records if r.name == "kimi_core.client.fallback"]
    assert [r.levelno for r in said] == [logging.WARNING]
    assert said[0].getMessage().startswith("moonshot failed, moonshot is next: OverloadedError")
    assert not [r for r in caplog.records if kimi.api_key in r.getMessage() or FALLBACK_KEY in r.getMessage()]


# -------------------------------------------------------------------------------------- a stream that has begun


def test_a_broken_stream_is_continued(streamed: Driver, kimi: LocalKimi, fallback: LocalKimi) -> None:
    kimi.enqueue(**broken(delta(content="The ship "), delta(content="came ")))
    fallback.enqueue(text="in at noon.", usage={"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14})
    answer = streamed.ask(make(streamed, kimi, fallback, max_tokens=100), "When did it come?")
    assert (answer.text, answer.total_tokens, answer.finish_reason) == ("The ship came in at noon.", 14, "stop")
    assert told(answer)["fallbacks"][0]["error"].startswith("APIConnectionError")
    asked = fallback.requests[-1].body
    assert asked["messages"] == [
        {"role": "user", "content": "When did it come?"},
        {"role": "assistant", "content": "The ship came ", "partial": True},
    ]
    assert asked["max_completion_tokens"] == 97  # what is left of it, at four characters a token


def test_a_stream_that_breaks_is_resumed_by_its_own_host(streamed: Driver, kimi: LocalKimi) -> None:
    kimi.enqueue(**broken(delta(content="The ship "), delta(content="came ")))
    kimi.enqueue(text="in at noon.")
    answer = streamed.ask(streamed.make(**place(kimi), resume="auto"), "When did it come?")
    assert (answer.text, answer.finish_reason) == ("The ship came in at noon.", "stop")
    known = answer.native.raw if streamed.framework == "llama_index" else answer.native.response_metadata
    assert known["resumed"] == [{"at": 14, "error": "APIConnectionError"}]
    assert not known.get("fallbacks")
    assert kimi.requests[-1].body["messages"] == [
        {"role": "user", "content": "When did it come?"},
        {"role": "assistant", "content": "The ship came ", "partial": True},
    ]


def test_log_probabilities_of_all_parts_come_with_a_resumed_stream(streamed: Driver, kimi: LocalKimi) -> None:
    def part(token: str) -> dict[str, Any]:
        made = delta(content=token)
        made["choices"][0]["logprobs"] = {"content": [{"token": token, "logprob": -0.1, "top_logprobs": []}]}
        return made

    kimi.enqueue(**broken(part("One "), part("two ")))
    kimi.enqueue(**broken(part("three ")))
    last = part("four")
    last["choices"][0]["finish_reason"] = "stop"
    kimi.enqueue(sse=[last])
    answer = streamed.ask(streamed.make(**place(kimi), resume="auto", logprobs=True), "Count.")
    known = answer.native.raw if streamed.framework == "llama_index" else answer.native.response_metadata
    assert [told["token"] for told in known["logprobs"]["content"]] == ["One ", "two ", "three ", "four"]


def test_a_stream_is_resumed_twice_at_most(streamed: Driver, kimi: LocalKimi) -> None:
    for text in ("One, ", "two, ", "three, ", "four"):
        kimi.enqueue(**broken(delta(content=text)))
    with pytest.raises(APIConnectionError) as raised:
        streamed.ask(streamed.make(**place(kimi), resume="auto", max_retries=0), "Count.")
    assert raised.value.partial is not None
    assert raised.value.partial.text == "One, two, three, "
    assert len(kimi.requests) == 3


def test_a_stream_without_text_or_with_calls_is_not_resumed(streamed: Driver, kimi: LocalKimi) -> None:
    call = {"index": 0, "id": "a", "type": "function", "function": {"name": "look", "arguments": "{"}}
    for begun in ([delta(reasoning_content="Hm")], [delta(content="I look."), delta(tool_calls=[call])]):
        kimi.enqueue(**broken(*begun))
        with pytest.raises(APIConnectionError):
            streamed.ask(streamed.make(**place(kimi), resume="auto", max_retries=0), "Look.")
    assert len(kimi.requests) == 2


def test_a_host_that_cannot_continue_is_left_for_the_fallback_host(streamed: Driver, kimi: LocalKimi) -> None:
    with LocalKimi(dialect="openrouter") as other:
        other.enqueue(**broken(delta(content="One, ")))
        kimi.enqueue(text="two.")
        there = {"base_url": other.base_url, "api_key": other.api_key}
        model = streamed.make(**there, resume="auto", fallback_hosts=[place(kimi)], max_retries=0)
        answer = streamed.ask(model, "Count.")
    assert answer.text == "One, two."
    assert told(answer)["fallbacks"][0]["host"] == "openrouter"


def test_a_host_that_refuses_to_go_on_leaves_it_to_the_fallback_host(
    streamed: Driver, kimi: LocalKimi, fallback: LocalKimi
) -> None:
    kimi.enqueue(**broken(delta(content="One, ")))
    kimi.enqueue(status=400, json={"error": {"message": "no partial here", "type": "invalid_request_error"}})
    fallback.enqueue(text="two.")
    assert streamed.ask(make(streamed, kimi, fallback, resume="auto"), "Count.").text == "One, two."


def test_a_stream_that_cannot_be_resumed_says_how_it_broke_and_why(streamed: Driver, kimi: LocalKimi) -> None:
    """Moonshot continues no JSON object; the answer is asked for once and kept."""
    kimi.enqueue(**broken(delta(content='{"n": ')))
    model = streamed.make(**place(kimi), resume="auto", max_retries=0)
    with pytest.raises(APIConnectionError, match="broke off the stream") as caught:
        streamed.ask(model, "JSON, please.", response_format={"type": "json_object"})
    assert caught.value.partial.text == '{"n": '
    assert [note.partition(":")[0] for note in caught.value.__notes__] == ["Asked to go on, it could not"]
    assert len(kimi.requests) == 1


@pytest.mark.parametrize("words", [{"resume": "auto"}, {"fallback": True}])
def test_nobody_is_asked_to_go_on_after_the_deadline(
    streamed: Driver, words: dict[str, Any], kimi: LocalKimi, caplog: pytest.LogCaptureFixture
) -> None:
    with slow_server() as slow:
        slow.begin, slow.drip = HEAD_OF_STREAM + b"text/event-stream\r\n\r\n" + frame("The ship "), b": x\n\n"
        others = {"fallback_hosts": [place(kimi)]} if "fallback" in words else words
        model = streamed.make(
            host="moonshot", base_url=slow.address, api_key="k", deadline=0.5, max_retries=0, **others
        )
        with pytest.raises(APITimeoutError, match="had not finished its answer at its deadline") as caught:
            streamed.ask(model, "Well?")
        assert (caught.value.partial.text, slow.asked, kimi.requests) == ("The ship ", 1, [])
    assert not [r for r in caplog.records if r.name == "kimi_core.client.fallback"]


def test_an_answer_that_the_user_began_goes_on_from_both(
    streamed: Driver, kimi: LocalKimi, fallback: LocalKimi
) -> None:
    kimi.enqueue(**broken(delta(content="ship ")))
    fallback.enqueue(text="came.")
    request = Request(
        messages=[Message("user", "Well?"), Message("assistant", "The ", partial=True)], model="kimi-k2.6"
    )
    client = KimiClient(**place(kimi), max_retries=0, fallback_hosts=[place(fallback)])
    assert "".join(getattr(e, "text", "") for e in client.stream(request)) == "ship came."
    assert fallback.requests[-1].body["messages"][-1]["content"] == "The ship "


def test_vllms_way_of_continuing_is_used_there(streamed: Driver, kimi: LocalKimi, fallback: LocalKimi) -> None:
    kimi.enqueue(**broken(delta(content="One, ")))
    fallback.enqueue(text="two.", unchecked=True)
    model = streamed.make(
        **place(kimi), max_retries=0, fallback_hosts=[place(fallback, host="vllm", model="Kimi-K2.6-int4")]
    )
    answer = streamed.ask(model, "Count")
    body = fallback.requests[-1].body
    assert (answer.text, told(answer)["host"], body["model"]) == ("One, two.", "vllm", "Kimi-K2.6-int4")
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)


def test_an_error_inside_a_stream_is_taken_elsewhere_too(
    streamed: Driver, kimi: LocalKimi, fallback: LocalKimi
) -> None:
    overloaded = {"error": {"message": "The engine is currently overloaded", "type": "engine_overloaded_error"}}
    kimi.enqueue(sse=[delta(content="One, "), overloaded], done=False)
    fallback.enqueue(text="two.")
    answer = streamed.ask(make(streamed, kimi, fallback), "Count")
    assert answer.text == "One, two."
    assert told(answer)["fallbacks"][0]["error"].startswith("OverloadedError")


def test_before_the_first_text_the_question_is_asked_anew(
    streamed: Driver, kimi: LocalKimi, aimlapi: LocalKimi
) -> None:
    """Nothing but thinking has come: there is nothing to continue, and any host will do."""
    kimi.enqueue(**broken(delta(reasoning_content="Hm.")))
    aimlapi.enqueue(text="Yes.", reasoning="Easy.")
    answer = streamed.ask(make(streamed, kimi, aimlapi), "Well?")
    assert (answer.text, answer.reasoning) == ("Yes.", "Hm.Easy.")
    assert [m["role"] for m in aimlapi.requests[-1].body["messages"]] == ["user"]


def test_the_error_is_raised_where_the_next_host_cannot_continue(
    streamed: Driver, kimi: LocalKimi, aimlapi: LocalKimi
) -> None:
    kimi.enqueue(**broken(delta(content="The ship ")))
    with pytest.raises(APIConnectionError, match="moonshot broke off") as caught:
        streamed.ask(make(streamed, kimi, aimlapi), "Well?")
    assert caught.value.partial.text == "The ship "
    assert aimlapi.requests == []


def test_a_host_that_can_continue_is_found_behind_one_that_cannot(
    streamed: Driver, kimi: LocalKimi, aimlapi: LocalKimi, fallback: LocalKimi
) -> None:
    kimi.enqueue(**broken(delta(content="The ship ")))
    fallback.enqueue(text="came.")
    answer = streamed.ask(make(streamed, kimi, aimlapi, fallback), "Well?")
    assert answer.text == "The ship came."
    assert [f["host"] for f in told(answer)["fallbacks"]] == ["moonshot", "aimlapi"]


def test_the_error_is_raised_when_tool_calls_have_begun(streamed: Driver, kimi: LocalKimi, fallback: LocalKimi) -> None:
    def look(city: str) -> str:
        """Look a city up."""
        return city

    call = {"index": 0, "id": "look:0", "type": "function", "function": {"name": "look", "arguments": '{"ci'}}
    kimi.enqueue(**broken(delta(content="I look."), delta(tool_calls=[call])))
    with pytest.raises(APIConnectionError) as caught:
        streamed.ask(make(streamed, kimi, fallback), "Look Paris up", tools=[look])
    assert (caught.value.partial.text, caught.value.partial.tool_calls[0].name) == ("I look.", "look")
    assert fallback.requests == []


def test_all_that_came_is_in_the_error_when_the_rest_breaks_too(
    streamed: Driver, kimi: LocalKimi, fallback: LocalKimi
) -> None:
    kimi.enqueue(**broken(delta(content="One, ")))
    fallback.enqueue(**broken(delta(content="two, ")))
    with pytest.raises(APIConnectionError) as caught:
        streamed.ask(make(streamed, kimi, fallback), "Count")
    assert caught.value.partial.text == "One, two, "


def test_what_a_failed_part_cost_is_added(streamed: Driver, kimi: LocalKimi, fallback: LocalKimi) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}
    kimi.enqueue(**broken(delta(content="One, "), {**HEAD, "choices": [], "usage": usage}))
    fallback.enqueue(text="two.", usage={"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15})
    budget = Budget(tokens=1000)
    answer = streamed.ask(make(streamed, kimi, fallback, budget=budget), "Count")
    assert (answer.text, answer.input_tokens, answer.output_tokens) == ("One, two.", 22, 5)
    assert answer.cost_usd == pytest.approx((22 * 0.95 + 5 * 4.0) / 1_000_000)
    assert (budget.spent.tokens, budget.spent.steps) == (27, 2)


@pytest.mark.parametrize("words", [{}, {"resume": "auto"}])
def test_what_a_broken_turn_with_server_tools_cost_is_in_the_error(kimi: LocalKimi, words: dict[str, Any]) -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}
    call = {"name": "$web_search", "arguments": {"q": "tea"}, "type": "builtin_function"}
    kimi.enqueue(tool_calls=[call], usage=usage)
    for _ in range(3):
        kimi.enqueue(**broken({**delta(content="Tea "), "usage": usage}))
    request = Request(messages=[Message("user", "Search tea")], model="kimi-k3", tools=(to_tool(web_search()),))
    with pytest.raises(APIConnectionError) as caught:
        list(KimiClient(**place(kimi), max_retries=0, **words).stream(request))
    assert caught.value.partial.usage.total_tokens == 14 * len(kimi.requests)


def test_rounds_with_server_tools_go_on_elsewhere(kimi: LocalKimi, fallback: LocalKimi) -> None:
    call = {"name": "$web_search", "arguments": {"q": "tea"}, "type": "builtin_function"}
    request = Request(messages=[Message("user", "Search tea")], model="kimi-k3", tools=(to_tool(web_search()),))
    for stream in (False, True):
        kimi.reset()
        kimi.fail(1)
        fallback.enqueue(tool_calls=[call])
        kimi.enqueue(text="Tea it is.")
        client = KimiClient(**place(kimi), max_retries=0, fallback_hosts=[place(fallback)])
        end = list(client.stream(request))[-1] if stream else client.complete(request)
        assert ([f["host"] for f in end.fallbacks], end.host) == (["moonshot"], "moonshot")
        assert len(fallback.requests) == 1 + stream


# ---------------------------------------------------------------------------------------------- models and keys


@pytest.mark.parametrize("model", ["kimi-k2.6", "moonshot/kimi-k2-6"])
def test_a_model_is_spelt_as_each_host_does(driver: Driver, kimi: LocalKimi, aimlapi: LocalKimi, model: str) -> None:
    aimlapi.fail(1)
    driver.ask(make(driver, aimlapi, kimi, model=model), "Hello")
    assert (aimlapi.requests[-1].body["model"], kimi.requests[-1].body["model"]) == ("moonshot/kimi-k2-6", "kimi-k2.6")


def test_a_name_alone_takes_the_hosts_own_key_and_address(
    driver: Driver, kimi: LocalKimi, aimlapi: LocalKimi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIMLAPI_API_KEY", aimlapi.api_key)
    monkeypatch.setenv("AIMLAPI_BASE_URL", aimlapi.base_url)
    model = driver.make(**place(kimi), max_retries=0, fallback_hosts=["aimlapi"])
    monkeypatch.delenv("AIMLAPI_API_KEY")  # the environment is read once
    kimi.fail(2)
    assert told(driver.ask(model, "Hello"))["host"] == "aimlapi"
    assert told(driver.ask(model, "Hello", timeout=30))["host"] == "aimlapi"


def test_a_spec_of_ones_own_will_do(driver: Driver, kimi: LocalKimi, fallback: LocalKimi) -> None:
    spec = HostSpec(name="mine", title="Mine", address=Address(base_url=fallback.base_url, key_required=False))
    fallback.enqueue(text="Yes.", unchecked=True)
    kimi.fail(1)
    keyed = {"host": spec, "api_key": FALLBACK_KEY}
    answer = driver.ask(driver.make(**place(kimi), max_retries=0, fallback_hosts=[keyed]), "Hello")
    assert told(answer)["host"] == "mine"


def test_headers_and_facts_of_the_first_host_stay_there(driver: Driver, kimi: LocalKimi, fallback: LocalKimi) -> None:
    words: Any = {"default_headers": {"X-Secret": "1"}, "overrides": {"partial.message": None}}
    kimi.fail(1)
    driver.ask(make(driver, kimi, fallback, **words), "Hello")
    assert kimi.requests[-1].headers["x-secret"] == "1"
    assert "x-secret" not in fallback.requests[-1].headers
    assert fallback.requests[-1].status == 200  # with a key of its own


@pytest.mark.parametrize(
    ("hosts", "error", "words"),
    [
        (["aimlapi"], MissingKeyError, r"fallback_hosts\[0\]: No API key for AI/ML API"),
        (["vllm", "moonshott"], ConfigError, r"fallback_hosts\[1\]: There is no host 'moonshott'"),
        ("aimlapi", ConfigError, "must be a list of hosts"),
        ([{"api_key": "k"}], ConfigError, "names no host"),
        ([{"host": "vllm", "api_kee": "k"}], ConfigError, "there is no option 'api_kee'"),
        ([{"host": "vllm", "fallback_hosts": []}], ConfigError, "there is no option 'fallback_hosts'"),
        ([3], ConfigError, "not int"),
        (["generic"], ConfigError, r"fallback_hosts\[0\]: .*has no address"),
    ],
)
def test_what_is_wrong_with_a_fallback_host_is_found_at_construction(
    framework: Driver, hosts: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        framework.make(api_key="k", fallback_hosts=hosts)


# ------------------------------------------------------------------------------------------------ copies, dumps


@pytest.mark.parametrize("cls", [ChatKimi, KimiLLM])
@pytest.mark.parametrize(
    "again",
    [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m)), lambda m: m.model_copy()],
    ids=["deep", "pickle", ""],
)
def test_copies_and_pickles_keep_them(cls: Any, again: Any, kimi: LocalKimi, fallback: LocalKimi) -> None:
    model = again(cls(**place(kimi), max_retries=0, fallback_hosts=[place(fallback)]))
    kimi.fail(1)
    model.invoke("Hello") if cls is ChatKimi else model.complete("Hello")
    assert len(fallback.requests) == 1


@pytest.mark.parametrize("cls", [ChatKimi, KimiLLM])
def test_a_key_of_the_environment_is_not_pickled(
    cls: Any, kimi: LocalKimi, monkeypatch: pytest.MonkeyPatch, fallback: LocalKimi
) -> None:
    monkeypatch.setenv("AIMLAPI_API_KEY", FALLBACK_KEY)
    pickled = pickle.dumps(cls(**place(kimi), fallback_hosts=["aimlapi"]))
    assert FALLBACK_KEY.encode() not in pickled
    monkeypatch.setenv("AIMLAPI_API_KEY", "sk-another-key")
    again = pickle.loads(pickled)
    client = again._client
    assert client._calls._fallback(0).settings.api_key.get_secret_value() == "sk-another-key"


@pytest.mark.parametrize("cls", [ChatKimi, KimiLLM])
def test_a_copy_can_have_others_or_none(cls: Any, kimi: LocalKimi, fallback: LocalKimi) -> None:
    model = cls(**place(kimi), max_retries=0).model_copy(update={"fallback_hosts": [place(fallback)]})
    none = model.model_copy(update={"fallback_hosts": None})
    kimi.fail(2)
    model.invoke("Hello") if cls is ChatKimi else model.complete("Hello")
    with pytest.raises(OverloadedError):
        none.invoke("Hello") if cls is ChatKimi else none.complete("Hello")
    assert len(fallback.requests) == 1


def test_dumps_name_them_without_keys(kimi: LocalKimi, fallback: LocalKimi) -> None:
    hosts = [place(fallback, default_headers={"X-Token": "4711-token"}, timeout=5)]
    model, llm = (cls(**place(kimi), fallback_hosts=hosts) for cls in (ChatKimi, KimiLLM))
    for said in (
        dumps(model),
        str(model.model_dump()),
        repr(model),
        str(llm.to_dict()),
        repr(llm),
        str(model._identifying_params),
    ):
        assert "4711" not in said
    assert llm.to_dict()["fallback_hosts"] == [{"host": "moonshot", "base_url": fallback.base_url, "timeout": 5}]
    said = (
        dumps(model)
        .replace(fallback.base_url, "http://localhost:8000/v1")
        .replace('{"host": "moonshot"', '{"host": "vllm"')
    )
    with pytest.warns(LangChainBetaWarning):
        again = loads(
            said, secrets_map={"MOONSHOT_API_KEY": "k"}, allowed_objects=[ChatKimi], valid_namespaces=["langchain_kimi"]
        )
    assert again.fallback_hosts[0]["host"] is HOSTS["vllm"]


def test_traces_do_not_see_keys(kimi: LocalKimi, fallback: LocalKimi) -> None:
    collector = RunCollectorCallbackHandler()
    kimi.fail(1)
    ChatKimi(**place(kimi), max_retries=0).invoke(
        "Hello", fallback_hosts=[place(fallback)], config={"callbacks": [collector]}
    )
    assert FALLBACK_KEY not in str(collector.traced_runs[0].__dict__)
