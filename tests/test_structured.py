"""Structured output in both frameworks: by every method, on every kind of model, whole and streamed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from llama_index.core.prompts import PromptTemplate
from pydantic import BaseModel, Field

from kimi_core import KimiWarning, StructuredOutputError, ToolNotCalledError, TruncatedError
from kimi_core.emulator import LocalKimi
from langchain_kimi import ChatKimi
from llama_index_kimi import KimiLLM


class Address(BaseModel):
    city: str
    zip: str | None = None


class Person(BaseModel):
    """Facts about one person."""

    name: str = Field(description="Full name")
    age: int
    address: Address


TEXT = "Ada Lovelace, age: 36, lives in the city: London."
ADA = '{"name": "Ada Lovelace", "age": 36, "address": {"city": "London", "zip": null}}'


class LangChain:
    make = ChatKimi

    @staticmethod
    def ask(model: ChatKimi, **more: Any) -> Any:
        return model.with_structured_output(Person, **more).invoke(TEXT)

    @staticmethod
    def aask(model: ChatKimi, **more: Any) -> Any:
        return asyncio.run(model.with_structured_output(Person, **more).ainvoke(TEXT))

    @staticmethod
    def stream(model: ChatKimi, **more: Any) -> list[Any]:
        return list(model.with_structured_output(Person, **more).stream(TEXT))

    @staticmethod
    def astream(model: ChatKimi, **more: Any) -> list[Any]:
        async def collect() -> list[Any]:
            return [p async for p in model.with_structured_output(Person, **more).astream(TEXT)]

        return asyncio.run(collect())


class LlamaIndex:
    make = KimiLLM
    prompt = PromptTemplate(TEXT)

    @classmethod
    def ask(cls, model: KimiLLM, **more: Any) -> Any:
        return model.structured_predict(Person, cls.prompt, **more)

    @classmethod
    def aask(cls, model: KimiLLM, **more: Any) -> Any:
        return asyncio.run(model.astructured_predict(Person, cls.prompt, **more))

    @classmethod
    def stream(cls, model: KimiLLM, **more: Any) -> list[Any]:
        return list(model.stream_structured_predict(Person, cls.prompt, **more))

    @classmethod
    def astream(cls, model: KimiLLM, **more: Any) -> list[Any]:
        async def collect() -> list[Any]:
            return [p async for p in await model.astream_structured_predict(Person, cls.prompt, **more)]

        return asyncio.run(collect())


@pytest.fixture(params=[LangChain, LlamaIndex], ids=["langchain", "llama_index"])
def framework(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(params=["ask", "aask", "stream", "astream"])
def way(request: pytest.FixtureRequest) -> str:
    return request.param


def last(answer: Any) -> Any:
    return answer[-1] if isinstance(answer, list) else answer


@pytest.mark.parametrize("model", ["kimi-k2.6", "kimi-k2.7-code", "kimi-k3"])
@pytest.mark.parametrize("thinking", [None, True])
def test_an_object_comes_back_from_every_model(
    framework: Any, way: str, kimi: LocalKimi, model: str, thinking: Any
) -> None:
    made = framework.make(model=model, base_url=kimi.base_url, api_key=kimi.api_key, thinking=thinking)
    person = last(getattr(framework, way)(made))
    assert isinstance(person, Person)
    assert (person.name, person.age, person.address.city) == ("Ada Lovelace", 36, "London")
    assert kimi.errors == []
    assert kimi.requests[-1].body["response_format"]["type"] == "json_schema"
    assert "tool_choice" not in kimi.requests[-1].body


def test_streamed_objects_grow_and_never_shrink(framework: Any, kimi: LocalKimi) -> None:
    kimi.enqueue(text=ADA, unchecked=True)
    made = framework.make(base_url=kimi.base_url, api_key=kimi.api_key)
    names = [p.name or "" for p in framework.stream(made) if getattr(p, "name", None)]
    assert names[-1] == "Ada Lovelace"
    assert all(after.startswith(before) for before, after in zip(names, names[1:], strict=False))


def test_a_code_fence_around_the_answer_is_taken_off(framework: Any, way: str, kimi: LocalKimi) -> None:
    kimi.enqueue(text=f"```json\n{ADA}\n```", unchecked=True)
    made = framework.make(base_url=kimi.base_url, api_key=kimi.api_key)
    assert last(getattr(framework, way)(made)).age == 36


@pytest.mark.parametrize(
    ("text", "reason", "error"),
    [
        ('{"name": "Ada", "ag', "length", TruncatedError),
        ("", "length", TruncatedError),
        ("Ada is 36.", "stop", StructuredOutputError),
        ('{"name": "Ada"}', "stop", StructuredOutputError),
    ],
    ids=["cut", "eaten by thinking", "prose", "keys missing"],
)
@pytest.mark.filterwarnings("ignore:The answer of kimi-k2.6")
def test_an_answer_that_does_not_fit_is_a_typed_error(
    framework: Any, way: str, kimi: LocalKimi, text: str, reason: str, error: Any
) -> None:
    kimi.enqueue(text=text, reasoning="Hm.", finish_reason=reason, unchecked=True)
    made = framework.make(base_url=kimi.base_url, api_key=kimi.api_key)
    with pytest.raises(error) as caught:
        getattr(framework, way)(made)
    assert caught.value.text == text
    assert caught.value.finish_reason == reason


def test_a_tool_that_cannot_be_forced_is_asked_for_once_more(kimi: LocalKimi) -> None:
    """Thinking was asked for, so the tool cannot be forced; the first answer ignores it, the second uses it."""
    kimi.enqueue(text="I would rather talk.", reasoning="Hm.")
    kimi.enqueue(tool_calls=[{"name": "Person", "arguments": ADA}], reasoning="Now I call it.")
    model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, thinking=True)
    with pytest.warns(KimiWarning, match="incompatible with thinking"):
        person = model.with_structured_output(Person, method="function_calling").invoke(TEXT)
    assert person.age == 36
    assert len(kimi.requests) == 2
    assert [r.body["messages"] for r in kimi.requests] == [kimi.requests[0].body["messages"]] * 2, "nothing invented"


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_that_is_never_called_is_an_error(kimi: LocalKimi, streamed: bool) -> None:
    for _ in range(2):
        kimi.enqueue(text="I would rather talk.", reasoning="Hm.")
    model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, thinking=True, on_unsupported="ignore")
    bound = model.bind_tools([Person], tool_choice="Person")
    with pytest.raises(ToolNotCalledError, match="was to call Person and did not"):
        list(bound.stream(TEXT)) if streamed else bound.invoke(TEXT)
    assert len(kimi.requests) == (1 if streamed else 2)
