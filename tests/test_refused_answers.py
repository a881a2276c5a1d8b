"""What a model says in place of an answer is kept, handed on, sent back, and no empty answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from drivers import DRIVERS, INVOKED, STREAMED, WHOLE, Answer, Driver, by_name
from langchain_core.messages import AIMessage, HumanMessage
from llama_index.core.base.llms.types import ChatMessage

from kimi_adapters.local_server import LocalKimi
from kimi_core import APIError, KimiClient, Message, Request
from langchain_kimi import ChatKimi
from llama_index_kimi import KimiLLM

NO = "I'm sorry, but I cannot help with that."


def look(city: str) -> str:
    """Look a city up."""
    return city


def make(driver: Driver, kimi: LocalKimi, **words: Any) -> Any:
    return driver.make(**{"host": kimi.dialect.name, "base_url": kimi.base_url, "api_key": kimi.api_key, **words})


def message_of(answer: Answer) -> Any:
    return answer.native if isinstance(answer.native, AIMessage) else answer.native.message


def refusal_of(answer: Answer) -> Any:
    return message_of(answer).additional_kwargs.get("refusal")


def ask_why(driver: Any, model: Any, refused: Any) -> None:
    """The next question, behind a message that is handed back as it came."""
    if driver.framework == "langchain":
        driver._run(model, [HumanMessage("Do it."), refused, HumanMessage("Why?")], {})
    else:
        user = [ChatMessage(role="user", content=text) for text in ("Do it.", "Why?")]
        driver._run(model, "chat", [user[0], refused, user[1]], {})


@pytest.fixture
def vllm() -> Any:
    with LocalKimi("vllm") as kimi:
        yield kimi


# ---------------------------------------------------------------------------------------------- what comes back


@pytest.mark.parametrize("text", ["", "Of course. First"], ids=["alone", "beside text"])
def test_a_refusal_is_kept_on_the_message(driver: Driver, kimi: LocalKimi, text: str) -> None:
    kimi.enqueue(text=text, refusal=NO)
    answer = driver.ask(make(driver, kimi), "Do it.")
    assert (answer.text, refusal_of(answer), answer.finish_reason) == (text, NO, "stop")


def test_a_refusal_that_is_null_leaves_nothing(driver: Driver, vllm: LocalKimi) -> None:
    """vLLM's messages always have the field."""
    answer = driver.ask(make(driver, vllm), "Hello")
    assert answer.text
    assert "refusal" not in message_of(answer).additional_kwargs


@pytest.mark.parametrize("mode", ["invoke", "stream"])
def test_messages_of_standard_blocks_keep_it_as_well(kimi: LocalKimi, mode: str) -> None:
    model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, output_version="v1")
    kimi.enqueue(refusal=NO, reasoning="Hm.")
    driver = next(d for d in DRIVERS if d.name == f"langchain-{mode}")
    answer = driver.ask(model, "Do it.")
    assert (refusal_of(answer), answer.text, answer.native.content[0]["reasoning"]) == (NO, "", "Hm.")
    ask_why(driver, model, answer.native)
    assert kimi.requests[-1].body["messages"][1]["content"] == NO


def test_a_streamed_refusal_grows(kimi: LocalKimi) -> None:
    kimi.enqueue(refusal=NO)
    llm = KimiLLM(base_url=kimi.base_url, api_key=kimi.api_key)
    seen = [r.message.additional_kwargs.get("refusal", "") for r in llm.stream_chat([ChatMessage(content="Do it.")])]
    assert len(set(seen)) > 3
    assert seen == sorted(seen, key=len)
    assert seen[-1] == NO


@pytest.mark.parametrize("stream", [False, True])
def test_a_completion_says_it_too(kimi: LocalKimi, stream: bool) -> None:
    llm = KimiLLM(base_url=kimi.base_url, api_key=kimi.api_key)
    kimi.enqueue(refusal=NO)
    completion = list(llm.stream_complete("Do it."))[-1] if stream else llm.complete("Do it.")
    assert (completion.text, completion.additional_kwargs["refusal"]) == ("", NO)


@pytest.mark.parametrize("driver", WHOLE, **by_name)
def test_each_of_several_answers_has_its_own(driver: Driver, vllm: LocalKimi) -> None:
    vllm.enqueue(text="Yes.")
    vllm.enqueue(refusal=NO)
    model = make(driver, vllm, n=2)
    if driver.framework == "llama_index":
        assert driver.ask(model, "Do it.").native.additional_kwargs["alternatives"] == [NO]
    else:
        asked = model.generate if driver.mode == "invoke" else lambda said: asyncio.run(model.agenerate(said))
        yes, no = asked([[HumanMessage("Do it.")]]).generations[0]
        assert (yes.text, no.message.additional_kwargs) == ("Yes.", {"refusal": NO})


def test_it_is_kept_where_server_tools_are_on_offer(driver: Driver, kimi: LocalKimi) -> None:
    kimi.enqueue(refusal=NO)
    assert refusal_of(driver.ask(make(driver, kimi, server_tools=["$web_search"], thinking=False), "Do it.")) == NO


def test_without_a_framework_it_is_on_the_response_and_on_its_message(kimi: LocalKimi) -> None:
    kimi.enqueue(refusal=NO)
    request = Request(messages=[Message("user", "Do it.")], model="kimi-k2.6")
    response = KimiClient(base_url=kimi.base_url, api_key=kimi.api_key).complete(request)
    assert (response.text, response.refusal, response.message.refusal) == ("", NO, NO)


# ------------------------------------------------------------------------------------------------- no empty answer


def test_an_answer_that_only_refuses_is_not_asked_for_again(driver: Driver, kimi: LocalKimi) -> None:
    kimi.enqueue(refusal=NO, reasoning="That would do harm.")
    answer = driver.ask(make(driver, kimi), "Do it.")
    assert (refusal_of(answer), answer.reasoning) == (NO, "That would do harm.")
    assert len(kimi.requests) == 1


def test_its_reasoning_is_not_made_its_text(driver: Driver, kimi: LocalKimi) -> None:
    kimi.enqueue(refusal=NO, reasoning="That would do harm.")
    answer = driver.ask(make(driver, kimi, empty_answer="promote"), "Do it.")
    assert (answer.text, refusal_of(answer)) == ("", NO)


@pytest.mark.filterwarnings("ignore:tool_choice 'look' is not sent")
def test_a_tool_that_could_not_be_forced_is_not_asked_for_again(driver: Driver, kimi: LocalKimi) -> None:
    kimi.enqueue(refusal=NO)
    model = make(driver, kimi, model="kimi-k2.7-code")
    answer = driver.ask(model, "Look Oslo up.", tools=[look], tool_choice="look")
    assert (refusal_of(answer), len(kimi.requests)) == (NO, 1)


@pytest.mark.parametrize("driver", STREAMED, **by_name)
def test_what_another_host_cannot_continue_is_not_asked_of_it(driver: Driver, kimi: LocalKimi) -> None:
    kimi.enqueue(refusal=NO)
    kimi.cut_stream_after(3)
    fallback = {"host": "moonshot", "base_url": kimi.base_url, "api_key": kimi.api_key}
    with pytest.raises(APIError) as caught:
        driver.ask(make(driver, kimi, fallback_hosts=[fallback], max_retries=0), "Do it.")
    assert caught.value.partial is not None
    assert caught.value.partial.refusal
    assert NO.startswith(caught.value.partial.refusal)
    assert len(kimi.requests) == 1


# ------------------------------------------------------------------------------------------------- what goes back


@pytest.mark.parametrize(
    ("text", "sent"), [("", NO), ("Of course. First", f"Of course. First\n{NO}")], ids=["alone", "beside text"]
)
def test_it_goes_back_as_text_where_the_host_has_no_field_for_it(
    driver: Driver, kimi: LocalKimi, text: str, sent: str
) -> None:
    """400 `the message at position 1 with role 'assistant' must not be empty` otherwise."""
    kimi.enqueue(text=text, refusal=NO)
    model = make(driver, kimi, thinking=False)
    ask_why(driver, model, message_of(driver.ask(model, "Do it.")))
    assert kimi.requests[-1].body["messages"][1] == {"role": "assistant", "content": sent}
    assert kimi.errors == []


@pytest.mark.parametrize(("text", "content"), [("", None), ("Of course. First", "Of course. First")])
def test_it_goes_back_under_its_name_where_the_spec_has_it(
    driver: Driver, vllm: LocalKimi, text: str, content: str | None
) -> None:
    vllm.enqueue(text=text, refusal=NO)
    model = make(driver, vllm, overrides={"messages.takes_refusal": True})
    ask_why(driver, model, message_of(driver.ask(model, "Do it.")))
    assert vllm.requests[-1].body["messages"][1] == {"role": "assistant", "content": content, "refusal": NO}


@pytest.mark.parametrize("driver", INVOKED, **by_name)
@pytest.mark.parametrize("odd", [None, "", 7, ["no"], {"why": "no"}])
def test_what_is_no_refusal_in_a_foreign_message_is_left_alone(driver: Driver, kimi: LocalKimi, odd: Any) -> None:
    said: dict[str, Any] = {"content": "I will not.", "additional_kwargs": {"refusal": odd}}
    foreign = AIMessage(**said) if driver.framework == "langchain" else ChatMessage(role="assistant", **said)
    ask_why(driver, make(driver, kimi), foreign)
    assert kimi.requests[-1].body["messages"][1] == {"role": "assistant", "content": "I will not."}
