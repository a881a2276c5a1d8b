"""Answers in a class."""

from __future__ import annotations

from llama_index.core.llms.function_calling import FunctionCallingLLM

from kimi_adapters.local_server import LocalKimi
from llama_index_conformance.base import (
    ASK,
    PREDICT,
    City,
    LLMUnderTest,
    Way,
    each,
    said,
    sent,
)


class Structured(LLMUnderTest):
    """An answer is an object, thinking or not."""

    @each(PREDICT)
    def test_an_object_is_predicted(self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way) -> None:
        found = ask(llm, City, ASK, city="Alora, a city named Alora with 4100 people")[-1]
        assert found == City(name="Alora", people=4100)

    def test_objects_come_by_schema_without_being_asked_to(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        llm.structured_predict(City, ASK, city="Alora with 4100 people")
        assert sent(kimi)["response_format"]["type"] == "json_schema"

    @each(PREDICT)
    def test_the_system_prompt_is_kept_for_objects(self, kimi: LocalKimi, ask: Way) -> None:
        llm = self.make(kimi, system_prompt="Be exact.")
        ask(llm, City, ASK, city="Alora with 4100 people")
        assert sent(kimi)["messages"][0] == {"role": "system", "content": "Be exact."}

    def test_unfinished_arguments_are_read_as_they_grow(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        kimi.enqueue(text='{"name": "Alora", "people": 4100}')
        found = [one.name for one in llm.stream_structured_predict(City, ASK, city="Alora")]
        known = [name for name in found if name]
        assert found[-1] == "Alora"
        assert all("Alora".startswith(name) for name in known)
        assert known == sorted(known, key=len)

    def test_a_structured_llm_chats(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        response = llm.as_structured_llm(City).chat(said("Alora is a city named Alora with 4100 people."))
        assert response.raw == City(name="Alora", people=4100)
