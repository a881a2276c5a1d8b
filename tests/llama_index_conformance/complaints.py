"""What users of LlamaIndex complain of with reasoning models and compatible hosts, one test or more for each."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from llama_index.core.agent.workflow import AgentStream, FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, TextBlock, ThinkingBlock, ToolCallBlock, VideoBlock
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.tools import FunctionTool

from kimi_adapters.local_server import LocalKimi
from llama_index_conformance.base import (
    ADD,
    CALL,
    CHAT,
    KEY,
    OTHER_CALL,
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
from llama_index_conformance.contract import ASK, CITY, City
from llama_index_conformance.known_failures import VIDEO, agent_answer, named, tool_frames


def frames(*deltas: dict[str, Any], finish: str = "stop") -> list[Any]:
    """Frames of a stream with these deltas."""
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "kimi-k2.6"}
    made = [{**head, "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    return [*made, {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}]


class Complaints(LLMUnderTest):
    """Numbered as in the list in the documentation."""

    def test_complaint_01_a_tool_turn_of_another_model_is_continued(
        self, llm: FunctionCallingLLM, kimi: LocalKimi
    ) -> None:
        blocks = [ToolCallBlock(tool_call_id="call_1", tool_name="add", tool_kwargs={"a": 1, "b": 2})]
        history = [
            *said("What is 1 + 2?"),
            ChatMessage(role="assistant", blocks=blocks),
            ChatMessage(role="tool", content="3", additional_kwargs={"tool_call_id": "call_1"}),
        ]
        llm.chat_with_tools([ADD], chat_history=history)
        assert kimi.errors == []

    @each(CHAT)
    def test_complaint_02_an_answer_that_is_only_reasoning_is_no_empty_answer(self, kimi: LocalKimi, ask: Way) -> None:
        kimi.enqueue(text="", reasoning="It is Paris.")
        llm = self.make(kimi, empty_answer="promote")
        assert "It is Paris." in (ask(llm, said("The capital of France?"))[-1].message.content or "")

    @each(PREDICT)
    @pytest.mark.parametrize("thinking", [None, True, False])
    def test_complaint_03_objects_come_whether_it_thinks_or_not(
        self, kimi: LocalKimi, ask: Way, thinking: bool | None
    ) -> None:
        llm = self.make(kimi, **({} if thinking is None else {"thinking": thinking}))
        assert ask(llm, City, ASK, city="Alora, a city named Alora with 4100 people")[-1].people == 4100
        assert kimi.errors == []

    def test_complaint_04_nothing_about_sampling_is_sent_by_default(
        self, llm: FunctionCallingLLM, kimi: LocalKimi
    ) -> None:
        llm.chat(said("Hello"))
        assert not {"temperature", "top_p", "n", "presence_penalty", "frequency_penalty"} & sent(kimi).keys()

    def test_complaint_05_thinking_reaches_the_stream_of_an_agent(
        self, llm: FunctionCallingLLM, kimi: LocalKimi
    ) -> None:
        kimi.enqueue(text="Paris.", reasoning="France, so Paris.")

        async def run() -> str:
            memory = ChatMemoryBuffer.from_defaults(token_limit=100_000)
            handler = FunctionAgent(tools=[ADD], llm=llm).run("The capital of France?", memory=memory)
            events = [event async for event in handler.stream_events() if isinstance(event, AgentStream)]
            await handler
            return "".join(event.thinking_delta or "" for event in events)

        assert asyncio.run(run()) == "France, so Paris."

    @pytest.mark.parametrize("key", ["reasoning", "reasoning_content"])
    @each_stream
    def test_complaint_06_reasoning_is_read_under_either_key(
        self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way, key: str
    ) -> None:
        kimi.enqueue(sse=frames({key: "France, so "}, {key: "Paris."}, {"content": "Paris."}))
        assert thoughts(ask(llm, said("The capital of France?"))[-1]) == ["France, so Paris."]

    def test_complaint_07_thinking_is_an_option_and_a_wrong_one_is_refused(
        self, llm: FunctionCallingLLM, kimi: LocalKimi
    ) -> None:
        llm.chat(said("Hello"), thinking=False)
        assert sent(kimi)["thinking"] == {"type": "disabled"}
        with pytest.raises(ValueError, match="thinking"):
            llm.chat(said("Hello"), thinking="off")

    def test_complaint_08_objects_keep_thinking_usage_and_the_limit(self, kimi: LocalKimi) -> None:
        counter = TokenCountingHandler()
        llm = self.make(kimi, thinking=True, max_tokens=5000, callback_manager=CallbackManager([counter]))
        llm.structured_predict(City, ASK, city="Alora with 4100 people")
        assert sent(kimi)["thinking"] == {"type": "enabled"}
        assert 5000 in (sent(kimi).get("max_tokens"), sent(kimi).get("max_completion_tokens"))
        assert counter.llm_token_counts[0].total_token_count > 0

    @each_stream
    def test_complaint_09_streams_ask_for_usage(self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way) -> None:
        ask(llm, said("Hello"))
        assert sent(kimi)["stream_options"] == {"include_usage": True}

    def test_complaint_10_thinking_says_how_many_tokens_it_took(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        usage = {"prompt_tokens": 1, "completion_tokens": 9, "total_tokens": 10}
        usage["completion_tokens_details"] = {"reasoning_tokens": 7}  # type: ignore[assignment]
        kimi.enqueue(text="Paris.", reasoning="France, so Paris.", usage=usage)
        [thought] = [b for b in llm.chat(said("The capital?")).message.blocks if isinstance(b, ThinkingBlock)]
        assert thought.num_tokens == 7

    def test_complaint_11_a_chat_engine_streams_answers_of_several_blocks(
        self, llm: FunctionCallingLLM, kimi: LocalKimi
    ) -> None:
        kimi.enqueue(text="Paris.", reasoning="France.")
        engine = SimpleChatEngine.from_defaults(llm=llm, memory=ChatMemoryBuffer.from_defaults(token_limit=100_000))
        assert "".join(engine.stream_chat("The capital of France?").response_gen) == "Paris."
        assert str(engine.chat("And now?"))

    def test_complaint_12_an_agent_takes_it_as_it_is(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        kimi.enqueue(text="Done.")
        assert asyncio.run(agent_answer(llm, "Hello")) == "Done."

    def test_complaint_13_overload_is_tried_again_and_a_wrong_key_is_not(
        self, llm: FunctionCallingLLM, kimi: LocalKimi
    ) -> None:
        kimi.fail(1)
        assert llm.chat(said("Hello")).message.content
        assert len(kimi.requests) == 2
        kimi.fail(1, status=401, type="invalid_authentication_error")
        with pytest.raises(Exception, match="(?i)auth|key|401"):
            llm.chat(said("Hello"))
        assert len(kimi.requests) == 3

    def test_complaint_14_no_event_loop_is_missed(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        async def ask() -> Any:
            return await llm.achat(said("Hello"))

        for _ in range(4):
            asyncio.run(ask())
        assert len(kimi.requests) == 4

    def test_complaint_15_unfinished_arguments_are_read_as_they_grow(
        self, llm: FunctionCallingLLM, kimi: LocalKimi
    ) -> None:
        kimi.enqueue(text=CITY)
        found = [one.name for one in llm.stream_structured_predict(City, ASK, city="Alora")]
        known = [name for name in found if name]
        assert found[-1] == "Alora"
        assert all("Alora".startswith(name) for name in known)
        assert known == sorted(known, key=len)

    @each(WITH_TOOLS)
    def test_complaint_16_parallel_calls_stay_apart(self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way) -> None:
        kimi.enqueue(tool_calls=[CALL, OTHER_CALL])
        response = ask(llm, [ADD], "Add.", allow_parallel_tool_calls=True)[-1]
        assert calls(llm, response) == [("add", {"a": 1, "b": 2}), ("add", {"a": 3, "b": 4})]
        assert sent(kimi).get("parallel_tool_calls", True) is not None

    def test_complaint_16_calls_without_ids_get_some(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        kimi.enqueue(sse=tool_frames([named(0, "", '{"a":1,"b":2}')], [named(1, "", '{"a":3,"b":4}')]))
        response = WITH_TOOLS["stream"](llm, [ADD], "Add.", allow_parallel_tool_calls=True)[-1]
        ids = [call.tool_id for call in llm.get_tool_calls_from_response(response)]
        assert all(ids)
        assert len(set(ids)) == 2

    def test_complaint_17_histories_that_agents_break_are_mended(
        self, llm: FunctionCallingLLM, kimi: LocalKimi
    ) -> None:
        call = ToolCallBlock(tool_call_id="add_0", tool_name="add", tool_kwargs={"a": 1, "b": 2})
        unanswered = ToolCallBlock(tool_call_id="add_1", tool_name="add", tool_kwargs={"a": 3, "b": 4})
        thought = ThinkingBlock(content="I add.")
        history = [
            *said("Add."),
            ChatMessage(role="assistant", blocks=[thought, call, unanswered]),
            ChatMessage(role="tool", content="3", additional_kwargs={"tool_call_id": "add_0"}),
            ChatMessage(role="assistant", content="3", additional_kwargs={"tool_call_id": "add_0"}),
            ChatMessage(role="assistant", content=""),
            ChatMessage(role="tool", content="lost", additional_kwargs={"tool_call_id": "gone"}),
            *said("Go on."),
        ]
        llm.chat(history)
        assert kimi.errors == []

    def test_complaint_18_a_video_is_sent(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        blocks = [TextBlock(text="What happens?"), VideoBlock(video=VIDEO)]
        llm.chat([ChatMessage(role="user", blocks=blocks)])
        assert sent(kimi)["messages"][0]["content"][1]["type"] == "video_url"

    def test_complaint_19_the_key_is_nowhere(self, kimi: LocalKimi) -> None:
        llm = self.make(kimi, api_key=KEY)
        assert KEY not in json.dumps([repr(llm), llm.to_json(), str(llm.to_payload()), str(llm.to_dict())])

    @each_stream
    def test_complaint_20_text_before_a_call_streams_and_stays(
        self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way
    ) -> None:
        kimi.enqueue(text="I will add.", tool_calls=[CALL])
        responses = ask(llm, said("Add."), tools=[ADD.metadata.to_openai_tool()])
        assert "".join(response.delta or "" for response in responses) == "I will add."
        assert texts(responses[-1]) == ["I will add."]
        assert calls(llm, responses[-1]) == [("add", {"a": 1, "b": 2})]

    def test_complaint_20_a_tool_whose_name_the_host_refuses_is_called(
        self, llm: FunctionCallingLLM, kimi: LocalKimi
    ) -> None:
        tool = FunctionTool.from_defaults(fn=ADD.fn, name="add numbers!", description="Adds a and b.")
        response = llm.chat_with_tools([tool], "Use add numbers! with a 1 and b 2.", tool_required=True)
        assert [name for name, _ in calls(llm, response)] == ["add numbers!"]
