"""What llama-index-core expects of an LLM that calls functions and thinks."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import CacheControl, CachePoint, ChatMessage, ImageBlock, TextBlock
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.instrumentation.events.llm import (
    LLMChatEndEvent,
    LLMChatStartEvent,
    LLMCompletionEndEvent,
    LLMCompletionStartEvent,
)
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.prompts import PromptTemplate
from pydantic import BaseModel

from kimi_adapters.local_server import LocalKimi
from llama_index_conformance.base import (
    ADD,
    CALL,
    CHAT,
    COMPLETE,
    KEY,
    OTHER_CALL,
    PIXEL,
    PREDICT,
    WITH_TOOLS,
    LLMUnderTest,
    Way,
    calls,
    each,
    each_stream,
    said,
    sent,
    texts,
    thoughts,
)


class City(BaseModel):
    """A city."""

    name: str
    people: int


ASK = PromptTemplate("Tell me about {city}.")
CITY = '{"name": "Alora", "people": 4100}'


class Contract(LLMUnderTest):
    """One behaviour each."""

    # ------------------------------------------------------------------------------------------------ answers

    @each(CHAT)
    def test_a_chat_is_answered(self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way) -> None:
        kimi.enqueue(text="Paris.")
        assert texts(ask(llm, said("The capital of France?"))[-1]) == ["Paris."]

    @each(COMPLETE)
    def test_a_prompt_is_completed(self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way) -> None:
        kimi.enqueue(text="Paris.")
        assert ask(llm, "The capital of France?")[-1].text == "Paris."

    @each(CHAT)
    def test_reasoning_is_a_thinking_block(self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way) -> None:
        kimi.enqueue(text="Paris.", reasoning="France, so Paris.")
        assert thoughts(ask(llm, said("The capital of France?"))[-1]) == ["France, so Paris."]

    @each_stream
    def test_deltas_are_the_answer_alone(self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way) -> None:
        kimi.enqueue(text="It is Paris, of course.", reasoning="France, so Paris.")
        responses = ask(llm, said("The capital of France?"))
        assert "".join(response.delta or "" for response in responses) == "It is Paris, of course."

    @each_stream
    def test_thinking_deltas_are_the_reasoning(self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way) -> None:
        kimi.enqueue(text="Paris.", reasoning="France, so it must be Paris.")
        responses = ask(llm, said("The capital of France?"))
        deltas = "".join(response.additional_kwargs.get("thinking_delta") or "" for response in responses)
        assert deltas == "France, so it must be Paris."

    @each_stream
    def test_every_response_holds_everything_so_far(self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way) -> None:
        kimi.enqueue(text="It is Paris, of course.", reasoning="France.")
        so_far = ""
        for response in ask(llm, said("The capital of France?")):
            so_far += response.delta or ""
            assert (response.message.content or "") == so_far

    @each_stream
    def test_what_was_yielded_is_not_changed_later(self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way) -> None:
        kimi.enqueue(reasoning="I add.", text="So:", tool_calls=[CALL, OTHER_CALL])
        gen = llm.stream_chat_with_tools([ADD], "Add.", allow_parallel_tool_calls=True)
        seen = [(response, response.model_dump_json(exclude={"raw"})) for response in gen]
        assert [response.model_dump_json(exclude={"raw"}) for response, _ in seen] == [dump for _, dump in seen]

    @each(CHAT)
    def test_an_answer_has_one_text_block(self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way) -> None:
        kimi.enqueue(text="One.\n\nTwo.", reasoning="I count.")
        assert texts(ask(llm, said("Count."))[-1]) == ["One.\n\nTwo."]

    @each(CHAT)
    def test_usage_is_in_raw(self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way) -> None:
        raw = ask(llm, said("The capital of France?"))[-1].raw
        usage = dict(raw)["usage"]
        assert (usage if isinstance(usage, dict) else usage.model_dump())["completion_tokens"] > 0

    @each(CHAT)
    def test_messages_survive_json(self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way) -> None:
        kimi.enqueue(reasoning="I add.", tool_calls=[CALL])
        message = ask(llm, said("1 + 2?"), tools=[ADD.metadata.to_openai_tool()])[-1].message
        assert ChatMessage.model_validate_json(message.model_dump_json()) == message
        json.dumps(message.additional_kwargs)

    @each(CHAT)
    def test_the_callers_messages_stay_as_they_were(self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way) -> None:
        messages = [ChatMessage(role="system", content="Be brief."), *said("Hello")]
        before = copy.deepcopy(messages)
        ask(llm, messages)
        assert messages == before

    def test_streams_are_generators(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        stream = llm.stream_chat(said("Hello"))
        assert isinstance(stream, Generator)
        stream.close()

        async def ask() -> bool:
            stream = await llm.astream_chat(said("Hello"))
            async for _ in stream:
                pass
            return isinstance(stream, AsyncGenerator)

        assert asyncio.run(ask())

    def test_an_async_stream_fails_where_it_is_awaited(self, kimi: LocalKimi) -> None:
        llm = self.make(kimi, max_retries=0)
        kimi.fail(1, status=401, type="invalid_authentication_error")

        async def ask() -> None:
            await llm.astream_chat(said("Hello"))

        with pytest.raises(Exception, match="(?i)auth|key|401"):
            asyncio.run(ask())

    # -------------------------------------------------------------------------------------------------- events

    @each(CHAT)
    def test_a_chat_is_one_event(self, llm: FunctionCallingLLM, kimi: LocalKimi, events: list[Any], ask: Way) -> None:
        ask(llm, said("Hello"))
        assert sum(isinstance(event, LLMChatStartEvent) for event in events) == 1
        assert sum(isinstance(event, LLMChatEndEvent) for event in events) == 1

    @each(COMPLETE)
    def test_a_completion_is_one_event(
        self, llm: FunctionCallingLLM, kimi: LocalKimi, events: list[Any], ask: Way
    ) -> None:
        ask(llm, "Hello")
        assert sum(isinstance(event, LLMCompletionStartEvent) for event in events) == 1
        assert sum(isinstance(event, LLMCompletionEndEvent) for event in events) == 1
        assert not any(isinstance(event, LLMChatStartEvent) for event in events)

    @each(CHAT)
    def test_tokens_are_counted_as_the_host_counts(self, kimi: LocalKimi, ask: Way) -> None:
        counter = TokenCountingHandler()
        llm = self.make(kimi, callback_manager=CallbackManager([counter]))
        kimi.enqueue(text="Hi.", usage={"prompt_tokens": 11, "completion_tokens": 22, "total_tokens": 33})
        ask(llm, said("Hello"))
        [count] = counter.llm_token_counts
        assert (count.prompt_token_count, count.completion_token_count) == (11, 22)

    @each(CHAT)
    def test_an_error_is_told_to_callbacks(self, kimi: LocalKimi, ask: Way) -> None:
        counter = TokenCountingHandler()
        llm = self.make(kimi, callback_manager=CallbackManager([counter]), max_retries=0)
        kimi.fail(1, status=401, type="invalid_authentication_error")
        with pytest.raises(Exception, match="(?i)auth|key|401"):
            ask(llm, said("Hello"))

    # -------------------------------------------------------------------------------------------------- objects

    def test_the_key_is_nowhere_to_be_read(self, kimi: LocalKimi) -> None:
        llm = self.make(kimi, api_key=KEY)
        shown = [repr(llm), str(llm), llm.to_json(), str(llm.to_dict()), str(llm.to_payload()), llm.model_dump_json()]
        assert [text for text in shown if KEY in text] == []

    def test_the_key_is_in_no_event(self, kimi: LocalKimi, events: list[Any]) -> None:
        llm = self.make(kimi, api_key=KEY, max_retries=0)
        with pytest.raises(Exception, match="(?i)auth|key|401") as caught:
            llm.chat(said("Hello"))
        assert KEY not in str(caught.value)
        assert [event for event in events if KEY in event.model_dump_json(fallback=str)] == []

    def test_it_is_pickled_after_use(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        llm.chat(said("Hello"))
        assert pickle.loads(pickle.dumps(llm)).chat(said("Hello")).message.content

    def test_it_is_copied_after_use(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        llm.chat(said("Hello"))
        assert copy.deepcopy(llm).chat(said("Hello")).message.content

    def test_ten_event_loops_make_ten_requests(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        async def ask() -> Any:
            return await llm.achat(said("Hello"))

        for _ in range(10):
            asyncio.run(ask())
        assert len(kimi.requests) == 10

    def test_metadata_is_the_models(self, llm: FunctionCallingLLM) -> None:
        metadata = llm.metadata
        assert metadata.is_chat_model
        assert metadata.is_function_calling_model
        assert metadata.context_window >= 200_000

    # ---------------------------------------------------------------------------------------------------- tools

    @each(WITH_TOOLS)
    def test_calls_are_read(self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way) -> None:
        kimi.enqueue(reasoning="I add.", tool_calls=[CALL, OTHER_CALL])
        response = ask(llm, [ADD], "Add.", allow_parallel_tool_calls=True)[-1]
        assert calls(llm, response) == [("add", {"a": 1, "b": 2}), ("add", {"a": 3, "b": 4})]

    @each(WITH_TOOLS)
    def test_text_before_a_call_is_kept(self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way) -> None:
        kimi.enqueue(text="I will add.", tool_calls=[CALL])
        response = ask(llm, [ADD], "Add.")[-1]
        assert texts(response) == ["I will add."]
        assert calls(llm, response) == [("add", {"a": 1, "b": 2})]

    @each(WITH_TOOLS)
    def test_one_call_where_parallel_ones_are_not_wanted(
        self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way
    ) -> None:
        kimi.enqueue(tool_calls=[CALL, OTHER_CALL])
        assert calls(llm, ask(llm, [ADD], "Add.")[-1]) == [("add", {"a": 1, "b": 2})]

    @each(WITH_TOOLS)
    def test_the_history_is_not_changed(self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way) -> None:
        history = said("Hello")
        ask(llm, [ADD], "Add 1 and 2.", chat_history=history)
        assert history == said("Hello")

    @each(WITH_TOOLS)
    def test_the_last_message_may_be_an_object(self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way) -> None:
        ask(llm, [ADD], user_msg=said("Add 1 and 2.")[0])
        assert sent(kimi)["messages"][-1]["content"] == "Add 1 and 2."

    @each(WITH_TOOLS)
    def test_a_required_tool_is_called(self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way) -> None:
        response = ask(llm, [ADD], "Hello, 1 and 2.", tool_required=True)[-1]
        assert [name for name, _ in calls(llm, response)] == ["add"]

    @each(WITH_TOOLS)
    def test_a_tool_is_chosen_by_name(self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way) -> None:
        response = ask(llm, [ADD], "Hello, 1 and 2.", tool_choice="add")[-1]
        assert [name for name, _ in calls(llm, response)] == ["add"]

    def test_a_tool_is_predicted_and_called(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        kimi.enqueue(tool_calls=[CALL])
        assert str(llm.predict_and_call([ADD], "What is 1 + 2?")) == "3"

    @each(WITH_TOOLS)
    def test_a_tool_turn_goes_on(self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way) -> None:
        kimi.enqueue(reasoning="I add.", tool_calls=[CALL])
        first = ask(llm, [ADD], "What is 1 + 2?")[-1].message
        result = ChatMessage(role="tool", content="3", additional_kwargs={"tool_call_id": "add_0"})
        ask(llm, [ADD], chat_history=[*said("What is 1 + 2?"), first, result])
        assert sent(kimi)["messages"][1]["reasoning_content"] == "I add."
        assert sent(kimi)["messages"][2]["tool_call_id"] == "add_0"

    # ------------------------------------------------------------------------------------------------ structured

    @each(PREDICT)
    def test_an_object_is_predicted(self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way) -> None:
        found = ask(llm, City, ASK, city="Alora, a city named Alora with 4100 people")[-1]
        assert found == City(name="Alora", people=4100)

    @each(PREDICT)
    def test_the_system_prompt_is_kept_for_objects(self, kimi: LocalKimi, ask: Way) -> None:
        llm = self.make(kimi, system_prompt="Be exact.")
        ask(llm, City, ASK, city="Alora with 4100 people")
        assert sent(kimi)["messages"][0] == {"role": "system", "content": "Be exact."}

    def test_a_structured_llm_chats(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        response = llm.as_structured_llm(City).chat(said("Alora is a city named Alora with 4100 people."))
        assert response.raw == City(name="Alora", people=4100)

    # --------------------------------------------------------------------------------------------------- blocks

    @each(CHAT)
    def test_a_picture_is_sent(self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way) -> None:
        blocks = [TextBlock(text="What is this?"), ImageBlock(image=PIXEL, image_mimetype="image/png")]
        ask(llm, [ChatMessage(role="user", blocks=blocks)])
        assert [part["type"] for part in sent(kimi)["messages"][0]["content"]] == ["text", "image_url"]

    def test_a_cache_point_is_no_error(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        point = CachePoint(cache_control=CacheControl(type="ephemeral"))
        llm.chat([ChatMessage(role="user", blocks=[TextBlock(text="Hello"), point])])
        assert kimi.errors == []

    # --------------------------------------------------------------------------------------------------- agents

    def test_an_agent_goes_through_a_loop(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        for index in range(5):
            call = {"name": "add", "arguments": {"a": index, "b": 1}, "id": f"add_{index}"}
            kimi.enqueue(reasoning=f"Step {index}.", tool_calls=[call])
        kimi.enqueue(text="Done.")

        async def run() -> str:
            agent = FunctionAgent(tools=[ADD], llm=llm)
            return str(await agent.run("Count.", memory=ChatMemoryBuffer.from_defaults(token_limit=100_000)))

        assert asyncio.run(run()) == "Done."
        assert kimi.errors == []

    def test_an_agent_answers_with_an_object(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        async def run() -> Any:
            agent = FunctionAgent(tools=[ADD], llm=llm, output_cls=City)
            memory = ChatMemoryBuffer.from_defaults(token_limit=100_000)
            return await agent.run("Alora is a city named Alora with 4100 people.", memory=memory)

        assert asyncio.run(run()).get_pydantic_model(City) == City(name="Alora", people=4100)
