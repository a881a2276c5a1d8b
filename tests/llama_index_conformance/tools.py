"""Tools that are offered, chosen, forced and called."""

from __future__ import annotations

from typing import Any

import pytest
from llama_index.core.base.llms.types import (
    ChatMessage,
)
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.tools import FunctionTool

from kimi_adapters.local_server import LocalKimi
from llama_index_conformance.base import (
    ADD,
    CALL,
    OTHER_CALL,
    WITH_TOOLS,
    LLMUnderTest,
    Way,
    calls,
    each,
    named,
    said,
    sent,
    texts,
    tool_frames,
)


class Tools(LLMUnderTest):
    """Calls are those that the model made."""

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
    def test_parallel_calls_stay_apart(self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way) -> None:
        kimi.enqueue(tool_calls=[CALL, OTHER_CALL])
        response = ask(llm, [ADD], "Add.", allow_parallel_tool_calls=True)[-1]
        assert calls(llm, response) == [("add", {"a": 1, "b": 2}), ("add", {"a": 3, "b": 4})]
        assert sent(kimi).get("parallel_tool_calls", True) is not None

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
    def test_no_streamed_call_is_lost(self, llm: FunctionCallingLLM, kimi: LocalKimi, deltas: list[Any]) -> None:
        kimi.enqueue(sse=tool_frames(*deltas))
        response = WITH_TOOLS["stream"](llm, [ADD], "Add.", allow_parallel_tool_calls=True)[-1]
        assert calls(llm, response) == [("add", {"a": 1, "b": 2}), ("add", {"a": 3, "b": 4})]

    def test_calls_without_ids_get_some(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        kimi.enqueue(sse=tool_frames([named(0, "", '{"a":1,"b":2}')], [named(1, "", '{"a":3,"b":4}')]))
        response = WITH_TOOLS["stream"](llm, [ADD], "Add.", allow_parallel_tool_calls=True)[-1]
        ids = [call.tool_id for call in llm.get_tool_calls_from_response(response)]
        assert all(ids)
        assert len(set(ids)) == 2

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

    @each(WITH_TOOLS)
    @pytest.mark.parametrize("forced", [{"tool_required": True}, {"tool_choice": "add"}], ids=["required", "named"])
    def test_forced_tools_are_called_while_thinking_is_the_default(
        self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way, forced: dict[str, Any]
    ) -> None:
        assert calls(llm, ask(llm, [ADD], "1 and 2.", **forced)[-1])

    def test_a_tool_whose_name_the_host_refuses_is_called(self, llm: FunctionCallingLLM, kimi: LocalKimi) -> None:
        tool = FunctionTool.from_defaults(fn=ADD.fn, name="add numbers!", description="Adds a and b.")
        response = llm.chat_with_tools([tool], "Use add numbers! with a 1 and b 2.", tool_required=True)
        assert [name for name, _ in calls(llm, response)] == ["add numbers!"]

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

    @each(WITH_TOOLS)
    def test_parallel_tool_calls_is_not_sent_unasked(self, llm: FunctionCallingLLM, kimi: LocalKimi, ask: Way) -> None:
        ask(llm, [ADD], "Add 1 and 2.")
        assert "parallel_tool_calls" not in sent(kimi)
