"""Answers, and what is sent when nobody asked for more."""

from __future__ import annotations

import copy
import json

from llama_index.core.base.llms.types import (
    ChatMessage,
)
from llama_index.core.llms.function_calling import FunctionCallingLLM

from kimi_adapters.local_server import LocalKimi
from llama_index_conformance.base import (
    ADD,
    CALL,
    CHAT,
    COMPLETE,
    LLMUnderTest,
    Way,
    each,
    said,
    sent,
    texts,
)


class Chat(LLMUnderTest):
    """An answer is text, and nothing is sent that nobody asked for."""

    @each(CHAT)
    def test_a_chat_is_answered(self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way) -> None:
        kimi.enqueue(text="Paris.")
        assert texts(ask(llm, said("The capital of France?"))[-1]) == ["Paris."]

    @each(COMPLETE)
    def test_a_prompt_is_completed(self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way) -> None:
        kimi.enqueue(text="Paris.")
        assert ask(llm, "The capital of France?")[-1].text == "Paris."

    @each(COMPLETE)
    def test_complete_uses_the_chat_endpoint(self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way) -> None:
        assert ask(llm, "Hello")[-1].text
        assert kimi.requests[-1].path == "/v1/chat/completions"

    @each(CHAT)
    def test_an_answer_has_one_text_block(self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way) -> None:
        kimi.enqueue(text="One.\n\nTwo.", reasoning="I count.")
        assert texts(ask(llm, said("Count."))[-1]) == ["One.\n\nTwo."]

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

    def test_a_prefix_is_continued(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        prefix = ChatMessage(role="assistant", content="{", additional_kwargs={"partial": True})
        llm.chat([*said("Give me JSON."), prefix])
        assert sent(kimi)["messages"][-1]["partial"] is True

    def test_metadata_is_the_models(self, llm: FunctionCallingLLM) -> None:
        metadata = llm.metadata
        assert metadata.is_chat_model
        assert metadata.is_function_calling_model
        assert metadata.context_window >= 200_000

    def test_no_small_token_limit_is_set_unasked(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        llm.chat(said("Hello"))
        assert not {"max_tokens", "max_completion_tokens"} & sent(kimi).keys()

    def test_nothing_about_sampling_is_sent_by_default(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        llm.chat(said("Hello"))
        assert not {"temperature", "top_p", "n", "presence_penalty", "frequency_penalty"} & sent(kimi).keys()
