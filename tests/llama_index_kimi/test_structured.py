"""Structured answers: objects instead of text."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import json
from collections.abc import Callable
from typing import Any, Literal, TypedDict

import pytest
from llama_index.core import Document, SummaryIndex
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.instrumentation.events.llm import (
    LLMChatEndEvent,
    LLMChatStartEvent,
    LLMStructuredPredictEndEvent,
    LLMStructuredPredictInProgressEvent,
    LLMStructuredPredictStartEvent,
)
from llama_index.core.prompts import ChatPromptTemplate, PromptTemplate
from llama_index.core.types import PydanticProgramMode
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, RootModel, computed_field, field_validator

from kimi_adapters.local_server import LocalKimi
from kimi_core import HOSTS, ConfigError, StructuredOutputError, TruncatedError
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
def test_the_host_is_sent_the_schema_and_thinking_stays(llm: KimiLLM, kimi: LocalKimi, ask: Ask) -> None:
    ask(llm)
    body = kimi.requests[-1].body
    assert body["response_format"]["type"] == "json_schema"
    assert body["response_format"]["json_schema"]["name"] == "Person"
    assert {"tools", "tool_choice", "thinking"}.isdisjoint(body)
    assert kimi.errors == []


@pytest.mark.parametrize("ask", WAYS)
def test_where_the_host_has_no_schemas_a_tool_gives_the_object(
    make: Callable[..., KimiLLM], kimi: LocalKimi, ask: Ask
) -> None:
    llm = make(overrides={"structured.ways": ("function_calling",)})
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
def test_options_of_calls_and_of_programs_are_taken(llm: KimiLLM, kimi: LocalKimi, ask: Ask) -> None:
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


def test_a_strict_class_takes_what_json_can_hold(llm: KimiLLM, kimi: LocalKimi) -> None:
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


class Aliased(BaseModel):
    full_name: str = Field(alias="fullName")
    born: int = Field(validation_alias=AliasChoices("birthYear", "year"))


@pytest.mark.parametrize("ask", STREAMS)
def test_growing_objects_have_their_fields_under_their_names(llm: KimiLLM, kimi: LocalKimi, ask: Ask) -> None:
    kimi.enqueue(text='{"fullName": "Ada Lovelace", "birthYear": 1815}')
    *growing, last = ask(llm, Aliased)
    assert {one.full_name for one in growing} >= {None, "Ada"}
    assert (last.full_name, last.born) == ("Ada Lovelace", 1815)


class Careless(BaseModel):
    tags: list[str]

    @field_validator("tags")
    @classmethod
    def third(cls, tags: list[str]) -> list[str]:
        return [tags[2]]


@pytest.mark.parametrize("ask", STREAMS)
def test_a_validator_that_expects_whole_values_does_not_end_a_stream(llm: KimiLLM, kimi: LocalKimi, ask: Ask) -> None:
    kimi.enqueue(text='{"tags": ["a", "b", "c"]}')
    assert ask(llm, Careless)[-1].tags == ["c"]


class Sheet(TypedDict):
    x: int


@pytest.mark.parametrize("ask", WAYS)
@pytest.mark.parametrize("cls", [Sheet, list[Person], {"type": "object"}])
def test_what_is_no_pydantic_class_is_refused_before_any_call(
    llm: KimiLLM, kimi: LocalKimi, ask: Ask, cls: Any
) -> None:
    with pytest.raises(ConfigError, match="output_cls must be a pydantic class"):
        ask(llm, cls)
    assert kimi.requests == []


# --------------------------------------------------------------------------------------------- structured LLM


ASKED = [ChatMessage(content="Who was Ada? Answer like {this}.")]


async def collected(stream: Any) -> list[Any]:
    return [response async for response in await stream]


CHATS: dict[str, Callable[..., list[Any]]] = {
    "chat": lambda llm, **words: [llm.chat(ASKED, **words)],
    "achat": lambda llm, **words: [asyncio.run(llm.achat(ASKED, **words))],
    "stream_chat": lambda llm, **words: list(llm.stream_chat(ASKED, **words)),
    "astream_chat": lambda llm, **words: asyncio.run(collected(llm.astream_chat(ASKED, **words))),
}
COMPLETIONS: dict[str, Callable[..., list[Any]]] = {
    "complete": lambda llm, **words: [llm.complete(ASKED[0].content, **words)],
    "acomplete": lambda llm, **words: [asyncio.run(llm.acomplete(ASKED[0].content, **words))],
    "stream_complete": lambda llm, **words: list(llm.stream_complete(ASKED[0].content, **words)),
    "astream_complete": lambda llm, **words: asyncio.run(collected(llm.astream_complete(ASKED[0].content, **words))),
}
ALL = CHATS | COMPLETIONS


@pytest.mark.parametrize("call", ALL.values(), ids=ALL)
def test_a_structured_llm_answers_with_objects_and_keeps_what_they_cost(
    llm: KimiLLM, kimi: LocalKimi, call: Any
) -> None:
    kimi.enqueue(text=json.dumps(ADA), reasoning="I know her.")
    response = call(llm.as_structured_llm(Person))[-1]
    assert response.raw == Person(**ADA)
    assert response.additional_kwargs["finish_reason"] == "stop"
    assert response.additional_kwargs["total_tokens"] > 0
    assert kimi.requests[-1].body["messages"] == [{"role": "user", "content": "Who was Ada? Answer like {this}."}]


@pytest.mark.parametrize("call", CHATS.values(), ids=CHATS)
def test_the_message_of_a_structured_llm_has_the_reasoning_and_the_json(
    llm: KimiLLM, kimi: LocalKimi, call: Any
) -> None:
    kimi.enqueue(text=f"```json\n{json.dumps(ADA)}\n```", reasoning="I know her.")
    thought, said = call(llm.as_structured_llm(Person))[-1].message.blocks
    assert (thought.content, json.loads(said.text)) == ("I know her.", ADA)


@pytest.mark.parametrize("call", [ALL["stream_chat"], ALL["astream_chat"], ALL["stream_complete"]])
def test_a_structured_llm_streams_objects_that_grow(llm: KimiLLM, kimi: LocalKimi, call: Any) -> None:
    kimi.enqueue(text=json.dumps(ADA))
    names = [response.raw.name or "" for response in call(llm.as_structured_llm(Person))]
    assert len(names) > 3
    assert all(after.startswith(before) for before, after in itertools.pairwise(names))


@pytest.mark.parametrize("call", ALL.values(), ids=ALL)
def test_a_structured_llm_is_counted_once(make: Callable[..., KimiLLM], kimi: LocalKimi, call: Any) -> None:
    kimi.enqueue(text=json.dumps(ADA), usage={"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30})
    counter = TokenCountingHandler(tokenizer=str.split)
    manager = CallbackManager([counter])
    call(make(callback_manager=manager).as_structured_llm(Person, callback_manager=manager))
    assert counter.total_llm_token_count == 30


@pytest.mark.parametrize("call", ALL.values(), ids=ALL)
def test_events_of_a_structured_llm_come_once(llm: KimiLLM, events: list[Any], call: Any) -> None:
    call(llm.as_structured_llm(Person))
    kinds = [type(event) for event in events]
    for kind in (LLMStructuredPredictStartEvent, LLMStructuredPredictEndEvent, LLMChatStartEvent, LLMChatEndEvent):
        assert kinds.count(kind) == 1


def shown(seen: Any) -> str:
    """All that a tracer could write down of something."""
    return repr(seen) + (seen.model_dump_json(fallback=repr) if isinstance(seen, BaseModel) else "")


@pytest.mark.parametrize("call", ALL.values(), ids=ALL)
@pytest.mark.parametrize("mode", [PydanticProgramMode.DEFAULT, PydanticProgramMode.FUNCTION])
@pytest.mark.filterwarnings("ignore:The `json` method is deprecated")
def test_a_key_for_one_call_of_a_structured_llm_is_not_in_traces(
    make: Callable[..., KimiLLM], kimi: LocalKimi, events: list[Any], spans: list[Any], mode: Any, call: Any
) -> None:
    llm = make(pydantic_program_mode=mode, api_key="sk-of-nobody").as_structured_llm(Person)
    if mode != PydanticProgramMode.DEFAULT:
        kimi.enqueue(text="", tool_calls=[{"name": "Person", "arguments": ADA}], unchecked=True)
    call(llm, api_key=kimi.api_key, extra_headers={"X-Token": "canary"})
    assert len(spans) > 1
    text = " ".join(map(shown, [*spans, *events]))
    assert "Who was Ada?" in text
    assert kimi.api_key not in text
    assert "canary" not in text
    assert kimi.requests[-1].headers["x-token"] == "canary"


@pytest.mark.parametrize("call", CHATS.values(), ids=CHATS)
@pytest.mark.filterwarnings("ignore:The `json` method is deprecated")
def test_a_structured_llm_goes_by_another_program_too(make: Callable[..., KimiLLM], kimi: LocalKimi, call: Any) -> None:
    llm = make(pydantic_program_mode=PydanticProgramMode.FUNCTION)
    assert isinstance(call(llm.as_structured_llm(Person))[-1].raw, Person)
    assert kimi.requests[-1].body["tools"][0]["function"]["name"] == "Person"


@pytest.mark.parametrize("call", [ALL["chat"], ALL["achat"], ALL["complete"], ALL["acomplete"]])
def test_a_repaired_answer_of_a_structured_llm_has_the_usage_of_both(llm: KimiLLM, kimi: LocalKimi, call: Any) -> None:
    kimi.enqueue(
        text="Ada", usage={"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12, "cached_tokens": 4}
    )
    kimi.enqueue(text=json.dumps(ADA), usage={"prompt_tokens": 30, "completion_tokens": 5, "total_tokens": 35})
    (response,) = call(llm.as_structured_llm(Person), repair=True)
    facts = response.additional_kwargs
    assert [facts[f"{kind}_tokens"] for kind in ("prompt", "completion", "total", "cached")] == [40, 7, 47, 4]
    assert facts["cost_usd"] == pytest.approx(cost(10, 2, 4) + cost(30, 5, 0))


def cost(prompt: int, completion: int, cached: int) -> float:
    price = HOSTS["moonshot"].usage.prices["kimi-k2.6"]
    return ((prompt - cached) * price.input + cached * price.cached + completion * price.output) / 1e6


@pytest.mark.parametrize("ask", [whole, awhole])
def test_repair_is_a_field_that_a_call_may_switch_off(make: Callable[..., KimiLLM], kimi: LocalKimi, ask: Ask) -> None:
    llm = make(repair=True)
    kimi.enqueue(text="Ada")
    kimi.enqueue(text=json.dumps(ADA))
    assert ask(llm) == [Person(**ADA)]
    kimi.enqueue(text="Ada")
    with pytest.raises(StructuredOutputError):
        ask(llm, llm_kwargs={"repair": False})
    assert len(kimi.requests) == 3


def test_an_agents_answer_in_a_class_is_repaired_too(make: Callable[..., KimiLLM], kimi: LocalKimi) -> None:
    llm = make(repair=True)
    for text in ("Ada Lovelace was 36.", "Ada", json.dumps(ADA)):
        kimi.enqueue(text=text)

    async def run() -> Any:
        return await FunctionAgent(llm=llm, output_cls=Person).run("Who was Ada?")

    assert asyncio.run(run()).structured_response == ADA
    assert kimi.errors == []


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
def test_events_are_about_the_object_and_the_call(llm: KimiLLM, events: list[Any], ask: Ask) -> None:
    objects = ask(llm)
    kinds = [type(event) for event in events]
    assert kinds.count(LLMStructuredPredictStartEvent) == 1
    assert kinds.count(LLMChatStartEvent) == 1
    assert kinds.count(LLMStructuredPredictInProgressEvent) == (len(objects) if ask in STREAMS else 0)
    assert all(event.model_dump_json() for event in events if isinstance(event, LLMChatStartEvent))
    ended = [event for event in events if isinstance(event, LLMStructuredPredictEndEvent)]
    assert [event.output for event in ended] == objects[-1:]
    assert next(e for e in events if isinstance(e, LLMChatEndEvent)).response.raw["usage"]["total_tokens"] > 0


class Renamed(BaseModel):
    text: str = Field(alias="theText")


class Told(BaseModel):
    text: str = Field(validation_alias="theText")


class Counted(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: str

    @computed_field
    @property
    def length(self) -> int:
        return len(self.text)


@pytest.mark.parametrize("output_cls", [Renamed, Told, Counted])
def test_the_text_of_a_structured_llm_is_json_that_its_class_reads(llm: KimiLLM, output_cls: type[BaseModel]) -> None:
    structured = llm.as_structured_llm(output_cls)
    responses = [structured.chat(ASKED), *structured.stream_chat(ASKED)]
    for response in (responses[0], responses[-1]):
        assert output_cls.model_validate_json(response.message.content) == response.raw


@pytest.mark.parametrize("output_cls", [Renamed, Counted])
async def test_an_agents_answer_is_an_object_whatever_its_fields_are_called(
    llm: KimiLLM, output_cls: type[BaseModel]
) -> None:
    answer = await FunctionAgent(llm=llm, tools=[], output_cls=output_cls).run("Say hello")
    assert isinstance(answer.get_pydantic_model(output_cls), output_cls)


def test_an_engine_answers_with_an_object_whatever_its_fields_are_called(llm: KimiLLM) -> None:
    index = SummaryIndex.from_documents([Document(text="Ada wrote the first program.")])
    answer = index.as_query_engine(llm=llm.as_structured_llm(Renamed)).query("Who wrote it?")
    assert isinstance(answer.response, Renamed)


class Ada(BaseModel):
    kind: Literal["ada"]
    born: int


class Either(RootModel[Ada | Renamed]):
    pass


def test_a_growing_root_holds_what_has_come(llm: KimiLLM, kimi: LocalKimi) -> None:
    kimi.enqueue(text='{"kind": "ada", "born": 1815}')
    growing = list(llm.stream_structured_predict(Either, PROMPT, who="Ada"))
    assert {"kind": "ada"} in [partial.root for partial in growing]
    assert growing[-1] == Either(Ada(kind="ada", born=1815))
