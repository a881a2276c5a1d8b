"""What a stream gives while it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator

from llama_index.core.llms.function_calling import FunctionCallingLLM

from kimi_adapters.local_server import LocalKimi
from llama_index_conformance.base import (
    ADD,
    CALL,
    OTHER_CALL,
    LLMUnderTest,
    Way,
    calls,
    each_stream,
    said,
    texts,
)


class Streams(LLMUnderTest):
    """Every response holds what has come so far."""

    @each_stream
    def test_deltas_are_the_answer_alone(self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way) -> None:
        kimi.enqueue(text="It is Paris, of course.", reasoning="France, so Paris.")
        responses = ask(llm, said("The capital of France?"))
        assert "".join(response.delta or "" for response in responses) == "It is Paris, of course."

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

    @each_stream
    def test_text_before_a_call_streams_and_stays(self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way) -> None:
        kimi.enqueue(text="I will add.", tool_calls=[CALL])
        responses = ask(llm, said("Add."), tools=[ADD.metadata.to_openai_tool()])
        assert "".join(response.delta or "" for response in responses) == "I will add."
        assert texts(responses[-1]) == ["I will add."]
        assert calls(llm, responses[-1]) == [("add", {"a": 1, "b": 2})]
