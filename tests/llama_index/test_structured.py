"""Structured answers: objects instead of text."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.instrumentation.events.llm import (
    LLMChatEndEvent,
    LLMChatStartEvent,
    LLMStructuredPredictEndEvent,
    LLMStructuredPredictInProgressEvent,
    LLMStructuredPredictStartEvent,
)
from llama_index.core.prompts import ChatPromptTemplate, PromptTemplate
from llama_index.core.types import PydanticProgramMode
from pydantic import BaseModel, ConfigDict, Field

from kimi_core import StructuredOutputError, TruncatedError
from kimi_core.emulator import LocalKimi
from llama_index_kimi import KimiLLM


class Person(BaseModel):
    """A person."""

    name: str = Field(description="Full name")
    age: int
    tags: list[str] = []


ADA = {"name": "Ada Lovelace", "age": 36, "tags": ["mathematician", "poet's daughter"]}
PROMPT = PromptTemplate("Who was {who}?")


def whole(llm: KimiLLM, cls: Any = Person, **words: Any) -> list[Any]:
    return [llm.structured_predict(cls, PROMPT, who="Ada", **words)]


def awhole(llm: KimiLLM, cls: Any = Person, **words: Any) -> list[Any]:
    return [asyncio.run(llm.astructured_predict(cls, PROMPT, who="Ada", **words))]


def streamed(llm: KimiLLM, cls: Any = Person, **words: Any) -> list[Any]:
    return list(llm.stream_structured_predict(cls, PROMPT, who="Ada", **words))


def astreamed(llm: KimiLLM, cls: Any = Person, **words: Any) -> list[Any]:
    async def collect() -> list[Any]:
        return [o async for o in await llm.astream_structured_predict(cls, PROMPT, who="Ada", **words)]

    return asyncio.run(collect())


WAYS = [whole, awhole, streamed, astreamed]
STREAMS = [streamed, astreamed]
Ask = Callable[..., list[Any]]


@pytest.mark.parametrize("ask", WAYS)
def test_the_answer_is_an_object_of_the_class(llm: KimiLLM, kimi: LocalKimi, ask: Ask) -> None:
    kimi.enqueue(text=json.dumps(ADA), reasoning="I know her.")
    assert ask(llm)[-1] == Person(**ADA)


@pytest.mark.parametrize("ask", WAYS)
def test_the_host_is_told_the_schema_and_thinking_stays(llm: KimiLLM, kimi: LocalKimi, ask: Ask) -> None:
    ask(llm)
    body = kimi.requests[-1].body
    assert body["response_format"]["type"] == "json_schema"
    assert body["response_format"]["json_schema"]["name"] == "Person"
    assert {"tools", "tool_choice", "thinking"}.isdisjoint(body)
    assert kimi.errors == []


@pytest.mark.parametrize("ask", WAYS)
def test_where_the_host_has_no_schemas_a_tool_stands_for_the_object(
    make: Callable[..., KimiLLM], kimi: LocalKimi, ask: Ask
) -> None:
    llm = make(overrides={"structured": ("function_calling",)})
    assert isinstance(ask(llm)[-1], Person)
    assert kimi.requests[-1].body["tools"][0]["function"]["name"] == "Person"
    assert kimi.errors == []


@pytest.mark.parametrize("ask", WAYS)
def test_the_system_prompt_is_part_of_the_question(make: Callable[..., KimiLLM], kimi: LocalKimi, ask: Ask) -> None:
    ask(make(system_prompt="Be exact."))
    assert [(m["role"], m["content"]) for m in kimi.requests[-1].body["messages"]] == [
        ("system", "Be exact."),
        ("user", "Who was Ada?"),
    ]


@pytest.mark.parametrize("ask", WAYS)
def test_options_and_words_of_programs_are_taken(llm: KimiLLM, kimi: LocalKimi, ask: Ask) -> None:
    words = {
        "max_tokens": 999,
        "tool_choice": "required",
        "tool_required": True,
        "allow_parallel_tool_calls": False,
    }
    ask(llm, llm_kwargs=words)
    assert kimi.requests[-1].body["max_completion_tokens"] == 999
    assert words["tool_required"] is True, "the caller's dict stays as it is"


@pytest.mark.parametrize("ask", WAYS)
def test_an_answer_that_does_not_fit_says_so_with_its_text(llm: KimiLLM, kimi: LocalKimi, ask: Ask) -> None:
    kimi.enqueue(text='{"name": "Ada", "age": "unknown"}')
    with pytest.raises(StructuredOutputError, match="age") as caught:
        ask(llm)
    assert caught.value.text == '{"name": "Ada", "age": "unknown"}'
    assert caught.value.finish_reason == "stop"


@pytest.mark.parametrize("ask", WAYS)
def test_an_answer_that_was_cut_says_so(llm: KimiLLM, kimi: LocalKimi, ask: Ask) -> None:
    kimi.enqueue(text='{"name": "Ada Love', finish_reason="length")
    with pytest.raises(TruncatedError) as caught:
        ask(llm)
    assert caught.value.text == '{"name": "Ada Love'


def test_a_fence_around_the_object_is_tolerated(llm: KimiLLM, kimi: LocalKimi) -> None:
    kimi.enqueue(text=f"```json\n{json.dumps(ADA)}\n```")
    assert whole(llm) == [Person(**ADA)]


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)
    born: dt.date


def test_a_strict_class_takes_what_json_can_say(llm: KimiLLM, kimi: LocalKimi) -> None:
    kimi.enqueue(text='{"born": "1815-12-10"}')
    assert whole(llm, Strict) == [Strict(born=dt.date(1815, 12, 10))]


# -------------------------------------------------------------------------------------------------- streaming


@pytest.mark.parametrize("ask", STREAMS)
def test_a_stream_of_objects_only_grows(llm: KimiLLM, kimi: LocalKimi, ask: Ask) -> None:
    kimi.enqueue(text=json.dumps(ADA))
    dumps = [o.model_dump(exclude_unset=True) for o in ask(llm)]
    assert len(dumps) > 3
    for before, after in itertools.pairwise(dumps):
        assert set(before) <= set(after)
        assert after.get("name", "").startswith(before.get("name", ""))
        assert len(after.get("tags", [])) >= len(before.get("tags", []))


@pytest.mark.parametrize("ask", STREAMS)
def test_the_last_object_is_of_the_class(llm: KimiLLM, kimi: LocalKimi, ask: Ask) -> None:
    kimi.enqueue(text=json.dumps(ADA))
    first, *_, last = ask(llm)
    assert type(last) is Person
    assert type(first).__name__ == "FlexiblePerson"


@pytest.mark.parametrize("ask", STREAMS)
def test_partial_objects_are_all_of_one_class(llm: KimiLLM, kimi: LocalKimi, ask: Ask) -> None:
    kimi.enqueue(text=json.dumps(ADA))
    kimi.enqueue(text=json.dumps(ADA))
    assert len({type(o) for o in [*ask(llm), *ask(llm)]}) == 2


@pytest.mark.parametrize("ask", STREAMS)
def test_a_long_object_is_not_read_for_every_token(llm: KimiLLM, kimi: LocalKimi, ask: Ask) -> None:
    kimi.enqueue(text=json.dumps({**ADA, "tags": ["a tag"] * 2000}))
    objects = ask(llm)
    assert len(objects) < 1500
    assert len(objects[-1].tags) == 2000


class Nothing(BaseModel):
    """Has no fields."""


@pytest.mark.parametrize("ask", STREAMS)
def test_a_stream_has_at_least_one_object(llm: KimiLLM, kimi: LocalKimi, ask: Ask) -> None:
    kimi.enqueue(text="{}")
    assert ask(llm, Nothing)[-1] == Nothing()


# --------------------------------------------------------------------------------------------- structured LLM


def test_a_structured_llm_answers_with_objects(llm: KimiLLM, kimi: LocalKimi) -> None:
    for _ in range(4):
        kimi.enqueue(text=json.dumps(ADA))
    structured = llm.as_structured_llm(Person)
    asked = [ChatMessage(content="Who was Ada? Answer like {this}.")]
    assert structured.chat(asked).raw == Person(**ADA)
    assert asyncio.run(structured.achat(asked)).raw == Person(**ADA)
    assert structured.complete("Who was Ada?").raw == Person(**ADA)
    assert kimi.requests[0].body["messages"][0]["content"] == "Who was Ada? Answer like {this}."


@pytest.mark.filterwarnings("ignore:The `json` method is deprecated")
def test_a_structured_llm_streams_objects(llm: KimiLLM, kimi: LocalKimi) -> None:
    kimi.enqueue(text=json.dumps(ADA))
    assert list(llm.as_structured_llm(Person).stream_chat([ChatMessage(content="Ada?")]))[-1].raw == Person(**ADA)


def test_chat_templates_keep_their_messages(llm: KimiLLM, kimi: LocalKimi) -> None:
    prompt = ChatPromptTemplate([ChatMessage(role="system", content="Be {how}."), ChatMessage(content="Ada?")])
    llm.structured_predict(Person, prompt, how="brief")
    assert [m["content"] for m in kimi.requests[-1].body["messages"]] == ["Be brief.", "Ada?"]


@pytest.mark.parametrize("ask", WAYS)
def test_another_program_mode_leads_to_llama_indexes_programs(
    make: Callable[..., KimiLLM], kimi: LocalKimi, ask: Ask
) -> None:
    llm = make(pydantic_program_mode=PydanticProgramMode.FUNCTION)
    assert isinstance(ask(llm)[-1], Person)
    assert kimi.requests[-1].body["tools"][0]["function"]["name"] == "Person"
    assert kimi.errors == []


def test_a_class_can_be_asked_for_in_a_chat(llm: KimiLLM, kimi: LocalKimi) -> None:
    kimi.enqueue(text=json.dumps(ADA))
    response = llm.chat([ChatMessage(content="Ada?")], response_format=Person)
    assert Person.model_validate_json(response.message.content or "") == Person(**ADA)
    assert kimi.requests[-1].body["response_format"]["type"] == "json_schema"


# ----------------------------------------------------------------------------------------------------- events


@pytest.mark.parametrize("ask", WAYS)
def test_events_tell_of_the_object_and_of_the_call(llm: KimiLLM, events: list[Any], ask: Ask) -> None:
    objects = ask(llm)
    kinds = [type(event) for event in events]
    assert kinds.count(LLMStructuredPredictStartEvent) == 1
    assert kinds.count(LLMChatStartEvent) == 1
    assert kinds.count(LLMStructuredPredictInProgressEvent) == (len(objects) if ask in STREAMS else 0)
    assert all(event.model_dump_json() for event in events if isinstance(event, LLMChatStartEvent))
    ended = [event for event in events if isinstance(event, LLMStructuredPredictEndEvent)]
    assert [event.output for event in ended] == objects[-1:]
    assert next(e for e in events if isinstance(e, LLMChatEndEvent)).response.raw["usage"]["total_tokens"] > 0
