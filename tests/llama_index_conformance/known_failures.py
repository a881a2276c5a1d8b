"""Eighteen ways in which an LLM that was written for OpenAI breaks on Kimi. Here each is a test that passes."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import pytest
from llama_index.core.agent.workflow import FunctionAgent, ReActAgent
from llama_index.core.base.llms.types import CacheControl, CachePoint, ChatMessage, ImageBlock, TextBlock, VideoBlock
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.prompts import PromptTemplate

from kimi_adapters.local_server import LocalKimi
from llama_index_conformance.base import (
    ADD,
    CALL,
    CHAT,
    COMPLETE,
    KEY,
    PIXEL,
    WITH_TOOLS,
    LLMUnderTest,
    Way,
    calls,
    each,
    said,
    sent,
    thoughts,
)
from llama_index_conformance.contract import ASK, City

VIDEO = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + bytes(64)


def tool_frames(*deltas: Any) -> list[Any]:
    """Frames of a stream whose tool calls come in exactly these deltas."""
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "kimi-k2.6"}
    frames = [{**head, "choices": [{"index": 0, "delta": {"tool_calls": delta}}]} for delta in deltas]
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    end = {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}], "usage": usage}
    return [*frames, end]


def named(index: int | None, id: str, arguments: str) -> dict[str, Any]:
    """A delta that begins a call of `add`."""
    place = {} if index is None else {"index": index}
    return {**place, "id": id, "type": "function", "function": {"name": "add", "arguments": arguments}}


class KnownFailures(LLMUnderTest):
    """Numbered as in the list in the documentation."""

    @each(COMPLETE)
    def test_failure_01_complete_uses_the_chat_endpoint(
        self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way
    ) -> None:
        assert ask(llm, "Hello")[-1].text
        assert kimi.requests[-1].path == "/v1/chat/completions"

    def test_failure_02_metadata_is_right_without_help(self, llm: FunctionCallingLLM) -> None:
        metadata = llm.metadata
        assert (metadata.context_window, metadata.is_function_calling_model) == (262_144, True)

    @pytest.mark.parametrize("thinking", [None, False])
    def test_failure_03_no_temperature_is_sent_that_is_refused(self, kimi: LocalKimi, thinking: bool | None) -> None:
        options = {} if thinking is None else {"thinking": thinking}
        assert self.make(kimi, **options).chat(said("Hello")).message.content
        assert kimi.errors == []

    @each(WITH_TOOLS)
    def test_failure_04_reasoning_is_sent_back_in_tool_loops(
        self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way
    ) -> None:
        kimi.enqueue(reasoning="I add.", tool_calls=[CALL])
        first = ask(llm, [ADD], "What is 1 + 2?")[-1].message
        result = ChatMessage(role="tool", content="3", additional_kwargs={"tool_call_id": "add_0"})
        ask(llm, [ADD], chat_history=[*said("What is 1 + 2?"), first, result])
        assert sent(kimi)["messages"][1]["reasoning_content"] == "I add."

    @each(WITH_TOOLS)
    @pytest.mark.parametrize("forced", [{"tool_required": True}, {"tool_choice": "add"}], ids=["required", "named"])
    def test_failure_05_forced_tools_are_called_while_thinking_is_the_default(
        self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way, forced: dict[str, Any]
    ) -> None:
        assert calls(llm, ask(llm, [ADD], "1 and 2.", **forced)[-1])

    def test_failure_06_streamed_objects_are_never_blank(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        found = list(llm.stream_structured_predict(City, ASK, city="Alora, a city named Alora with 4100 people"))
        assert found[-1] == City(name="Alora", people=4100)

    def test_failure_07_objects_come_by_schema_without_being_asked_to(
        self, llm: FunctionCallingLLM, kimi: LocalKimi
    ) -> None:
        llm.structured_predict(City, ASK, city="Alora with 4100 people")
        assert sent(kimi)["response_format"]["type"] == "json_schema"

    def test_failure_08_thinking_is_switched_for_one_call(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        llm.chat(said("Hello"), thinking=False)
        assert sent(kimi)["thinking"] == {"type": "disabled"}
        llm.chat(said("Hello"))
        assert "thinking" not in sent(kimi)

    def test_failure_09_videos_cache_points_and_pictures_of_tools_are_sent(
        self, llm: FunctionCallingLLM, kimi: LocalKimi
    ) -> None:
        point = CachePoint(cache_control=CacheControl(type="ephemeral"))
        video = VideoBlock(video=VIDEO, video_mimetype="video/mp4")
        llm.chat([ChatMessage(role="user", blocks=[TextBlock(text="What is this?"), video, point])])
        assert [part["type"] for part in sent(kimi)["messages"][0]["content"]] == ["text", "video_url"]
        kimi.enqueue(reasoning="I look.", tool_calls=[CALL])
        first = llm.chat_with_tools([ADD], "Look.").message
        picture = [TextBlock(text="Here:"), ImageBlock(image=PIXEL, image_mimetype="image/png")]
        result = ChatMessage(role="tool", blocks=picture, additional_kwargs={"tool_call_id": "add_0"})
        llm.chat_with_tools([ADD], chat_history=[*said("Look."), first, result])
        assert "image_url" in str(sent(kimi)["messages"])

    @each(CHAT)
    def test_failure_10_streams_report_usage_with_cached_and_reasoning_tokens(self, kimi: LocalKimi, ask: Way) -> None:
        counter = TokenCountingHandler()
        llm = self.make(kimi, callback_manager=CallbackManager([counter]))
        usage = {"prompt_tokens": 11, "completion_tokens": 22, "total_tokens": 33, "cached_tokens": 4}
        usage["completion_tokens_details"] = {"reasoning_tokens": 9}  # type: ignore[assignment]
        kimi.enqueue(text="Hi.", usage=usage)
        raw = dict(ask(llm, said("Hello"))[-1].raw)["usage"]
        read = raw if isinstance(raw, dict) else raw.model_dump()
        assert counter.llm_token_counts[0].total_token_count == 33
        assert read["prompt_tokens_details"]["cached_tokens"] == 4
        assert read["completion_tokens_details"]["reasoning_tokens"] == 9

    def test_failure_11_the_first_reasoning_of_an_async_stream_is_kept(
        self, llm: FunctionCallingLLM, kimi: LocalKimi
    ) -> None:
        head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "kimi-k2.6"}
        deltas = [{"reasoning_content": "First. "}, {"reasoning_content": "Second."}, {"content": "Paris."}]
        frames = [{**head, "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
        frames.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        kimi.enqueue(sse=frames)
        assert thoughts(CHAT["astream"](llm, said("The capital of France?"))[-1]) == ["First. Second."]

    @pytest.mark.parametrize(
        "deltas",
        [
            [[named(0, "a", '{"a":1,"b":2}'), named(1, "b", '{"a":3,"b":4}')]],
            [
                [named(0, "a", '{"a":1,')],
                [named(1, "b", '{"a":3,')],
                [{"index": 0, "function": {"arguments": '"b":2}'}}],
                [{"index": 1, "function": {"arguments": '"b":4}'}}],
            ],
            [[named(0, "a", '{"a":1,"b":2}')], [named(0, "b", '{"a":3,"b":4}')]],
            [[named(None, "a", '{"a":1,"b":2}')], [named(None, "b", '{"a":3,"b":4}')]],
        ],
        ids=["in one chunk", "interleaved", "all of index 0", "without index"],
    )
    def test_failure_12_no_streamed_call_is_lost(
        self, llm: FunctionCallingLLM, kimi: LocalKimi, deltas: list[Any]
    ) -> None:
        kimi.enqueue(sse=tool_frames(*deltas))
        response = WITH_TOOLS["stream"](llm, [ADD], "Add.", allow_parallel_tool_calls=True)[-1]
        assert calls(llm, response) == [("add", {"a": 1, "b": 2}), ("add", {"a": 3, "b": 4})]

    # LlamaIndex's own: its ReAct parser asks the running workflow whether it runs
    @pytest.mark.filterwarnings("ignore:is_running called from within a step")
    @pytest.mark.filterwarnings("ignore:The answer of .* is empty")
    def test_failure_13_an_agent_survives_an_answer_without_text(
        self, llm: FunctionCallingLLM, kimi: LocalKimi
    ) -> None:
        kimi.enqueue(text="", reasoning="I am not done.")
        kimi.enqueue(text="", reasoning="I am still not done.")
        for _ in range(3):
            kimi.enqueue(text="Thought: I can answer.\nAnswer: Paris.")

        async def run() -> str:
            agent = ReActAgent(tools=[ADD], llm=llm)
            return str(await agent.run("The capital?", memory=ChatMemoryBuffer.from_defaults(token_limit=100_000)))

        assert "Paris." in asyncio.run(run())
        assert kimi.errors == []

    def test_failure_14_no_small_token_limit_is_set_unasked(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        llm.chat(said("Hello"))
        assert not {"max_tokens", "max_completion_tokens"} & sent(kimi).keys()

    @each(WITH_TOOLS)
    def test_failure_15_nothing_is_sent_that_nobody_asked_for(
        self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way
    ) -> None:
        ask(llm, [ADD], "Add 1 and 2.")
        assert "parallel_tool_calls" not in sent(kimi)

    def test_failure_16_a_quota_that_is_used_up_is_asked_once(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        kimi.fail(20, status=429, type="exceeded_current_quota_error")
        with pytest.raises(Exception, match="(?i)quota"):
            llm.chat(said("Hello"))
        assert len(kimi.requests) == 1

    def test_failure_17_loops_copies_keys_and_histories_are_safe(self, kimi: LocalKimi) -> None:
        llm = self.make(kimi)

        async def ask() -> Any:
            return await llm.achat(said("Hello"))

        asyncio.run(ask())
        asyncio.run(ask())
        copy.deepcopy(llm)
        history = said("Hello")
        llm.chat_with_tools([ADD], "Add 1 and 2.", chat_history=history)
        assert len(history) == 1
        assert KEY not in str(self.make(kimi, api_key=KEY).to_dict())

    def test_failure_18_a_prefix_is_continued_and_files_are_referred_to(
        self, llm: FunctionCallingLLM, kimi: LocalKimi
    ) -> None:
        prefix = ChatMessage(role="assistant", content="{", additional_kwargs={"partial": True})
        llm.chat([*said("Give me JSON."), prefix])
        assert sent(kimi)["messages"][-1]["partial"] is True
        llm.chat(
            [ChatMessage(role="user", blocks=[TextBlock(text="Hi"), ImageBlock(url="data:image/png;base64," + PIXEL)])]
        )
        assert kimi.errors == []


async def agent_answer(llm: FunctionCallingLLM, question: str) -> str:
    """What a function agent with one tool says."""
    agent = FunctionAgent(tools=[ADD], llm=llm)
    return str(await agent.run(question, memory=ChatMemoryBuffer.from_defaults(token_limit=100_000)))


__all__ = ["KnownFailures", "PromptTemplate", "agent_answer", "named", "tool_frames"]
