"""Server tools in LlamaIndex: what a message keeps, streams, counters, memory, agents."""

from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from inline_snapshot import snapshot
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, TextBlock, ThinkingBlock, ToolCallBlock
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.memory import ChatMemoryBuffer, Memory
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel
from served_answers import answers
from served_answers import events as told

import kimi_core as core
from kimi_adapters.local_server import LocalKimi
from kimi_core import Reasoning, Response
from llama_index_kimi import KimiLLM
from llama_index_kimi._messages_in import to_messages
from llama_index_kimi._messages_out import to_chat_response
from llama_index_kimi._streaming import StreamResponses

DATE = "moonshot/date:latest"
GO = [ChatMessage(role="user", content="Go.")]
Make = Callable[..., KimiLLM]


def ping(x: str) -> str:
    """Ping."""
    return f"pong {x}"


PING = FunctionTool.from_defaults(ping)
OWN = {"name": "ping", "arguments": {"x": "1"}}


def days(n: int) -> dict[str, Any]:
    end = f"2026-01-{n + 1:02}"
    return {"name": "date", "arguments": {"operation": "between", "date1": "2026-01-01", "date2": end}}


def script(kimi: LocalKimi) -> None:
    kimi.enqueue(text="Let me see.", reasoning="Two.", tool_calls=[days(3), {"name": "date", "arguments": "{}"}])
    kimi.enqueue(text="Nearly.", reasoning="Both.", tool_calls=[OWN, days(6)])


@pytest.fixture
def llm(make: Make) -> KimiLLM:
    return make(model="kimi-k3", server_tools=[DATE])


def chats(kimi: LocalKimi) -> list[Any]:
    return [r.body["messages"] for r in kimi.requests if r.path.endswith("/chat/completions")]


# ----------------------------------------------------------------------------------------- messages and streams


def test_a_message_keeps_its_turns_as_plain_data(kimi: LocalKimi, llm: KimiLLM) -> None:
    script(kimi)
    response = llm.chat(GO, tools=[PING])
    assert response.message.additional_kwargs["server_turns"] == snapshot(
        [
            {
                "index": 0,
                "calls": [
                    {
                        "id": "date_0",
                        "name": "date",
                        "arguments": '{"operation": "between", "date1": "2026-01-01", "date2": "2026-01-04"}',
                    },
                    {"id": "date_1", "name": "date", "arguments": "{}"},
                ],
                "results": [
                    {"id": "date_0", "output": "3 days"},
                    {"id": "date_1", "output": "unsupported operation: None", "failed": True},
                ],
                "text": "Let me see.",
                "reasoning": 4,
                "reasoning_key": "reasoning_content",
            },
            {
                "index": 1,
                "calls": [
                    {
                        "id": "date_1",
                        "name": "date",
                        "arguments": '{"operation": "between", "date1": "2026-01-01", "date2": "2026-01-07"}',
                        "position": 1,
                    }
                ],
                "results": [{"id": "date_1", "output": "6 days"}],
                "open": True,
            },
        ]
    )
    assert [type(block) for block in response.message.blocks] == [ThinkingBlock, TextBlock, ToolCallBlock]
    assert response.message.content == "Let me see.Nearly."
    assert isinstance(response.raw, dict)
    assert [(turn["text"], turn["reasoning"]) for turn in response.raw["server_turns"]] == [
        ("Let me see.", "Two."),
        ("", ""),
    ]


def _from_json(message: ChatMessage) -> ChatMessage:
    return ChatMessage.model_validate_json(message.model_dump_json())


def _buffered(message: ChatMessage) -> ChatMessage:
    return ChatMemoryBuffer.from_defaults(chat_history=[message]).get()[0]


def _pickled(message: ChatMessage) -> ChatMessage:
    copied: ChatMessage = pickle.loads(pickle.dumps(message))
    return copied


@pytest.mark.parametrize("way", [_from_json, _buffered, _pickled])
def test_steps_survive_the_ways_that_messages_take(kimi: LocalKimi, llm: KimiLLM, way: Any) -> None:
    script(kimi)
    message = llm.chat(GO, tools=[PING]).message
    (said,) = to_messages([message])
    assert [len(step.calls) for step in said.steps] == [2, 1]
    assert to_messages([way(message)]) == [said]


def test_the_last_streamed_response_is_that_of_a_chat(kimi: LocalKimi, llm: KimiLLM) -> None:
    script(kimi)
    whole = llm.chat(GO, tools=[PING])
    script(kimi)
    *_, last = llm.stream_chat(GO, tools=[PING])
    assert last.message == whole.message
    assert last.raw["server_turns"] == whole.raw["server_turns"]  # type: ignore[index]
    assert last.raw["usage"]["completion_tokens"] == whole.raw["usage"]["completion_tokens"]  # type: ignore[index]


def test_calls_and_results_are_shown_as_they_happen_and_never_changed(kimi: LocalKimi, llm: KimiLLM) -> None:
    script(kimi)
    kept: list[tuple[ChatResponse, str]] = []
    seen: list[tuple[int, int]] = []
    text = ""
    for response in llm.stream_chat(GO, tools=[PING]):
        kept.append((response, response.model_dump_json()))
        record = response.message.additional_kwargs.get("server_turns", [])
        seen.append((sum(len(t["calls"]) for t in record), sum(len(t.get("results", ())) for t in record)))
        text += response.delta or ""
        assert response.message.content == text
    assert sorted(seen) == seen
    assert {(1, 0), (2, 0), (2, 1), (2, 2), (3, 2), (3, 3)} < {*seen}
    assert all(response.model_dump_json() == dumped for response, dumped in kept)


def test_a_text_that_was_changed_since_is_sent_as_it_is_now(kimi: LocalKimi, llm: KimiLLM) -> None:
    script(kimi)
    message = llm.chat(GO, tools=[PING]).message
    message.blocks = [TextBlock(text="[removed]")]
    (said,) = to_messages([message])
    assert (said.content, said.reasoning) == ("[removed]", None)
    assert [(step.text, step.reasoning) for step in said.steps] == [("", None), ("", None)]


def test_a_turn_without_text_is_not_given_those_of_the_turn_before(kimi: LocalKimi, llm: KimiLLM) -> None:
    kimi.enqueue(text="Let me see.", reasoning="Hm.", tool_calls=[days(1)])
    kimi.enqueue(tool_calls=[OWN])
    (said,) = to_messages([llm.chat(GO, tools=[PING]).message])
    assert (said.content, said.reasoning and said.reasoning.text) == ("", "")
    assert said.steps[0].text == "Let me see."


@pytest.mark.parametrize("record", [1, "x", [1], [{"calls": [{}]}]])
def test_a_record_that_is_none_is_refused(kimi: LocalKimi, llm: KimiLLM, record: Any) -> None:
    message = ChatMessage(role="assistant", content="Hello", additional_kwargs={"server_turns": record})
    with pytest.raises(core.MessageError, match="is no record of server tools"):
        llm.chat([*GO, message, *GO])
    assert kimi.requests == []


# ------------------------------------------------------------------------------------------------- the framework


@pytest.mark.parametrize("tool", [core.web_search(), core.formula("moonshot/web-search:latest")], ids=str)
def test_a_dict_among_the_tools_is_taken(kimi: LocalKimi, make: Make, tool: Any) -> None:
    response = make(model="kimi-k3").chat_with_tools([PING, tool], "How long does the ferry take?")
    assert "25 minutes" in (response.message.content or "")


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_predict_and_call_runs_the_users_tools_alone(kimi: LocalKimi, make: Make, mode: str) -> None:
    kimi.enqueue(tool_calls=[days(1), OWN])
    tools: Any = [core.formula(DATE), PING]
    llm = make(model="kimi-k3")
    said = llm.predict_and_call(tools, "Go.") if mode == "sync" else asyncio.run(llm.apredict_and_call(tools, "Go."))
    assert said.response == "pong 1"


@pytest.mark.parametrize("word", ["server_tools", "max_server_rounds"])
def test_additional_kwargs_are_no_place_for_them(make: Make, word: str) -> None:
    with pytest.raises(core.ConfigError, match=f"{word} is an argument of its own"):
        make(additional_kwargs={word: 1})


def test_counters_count_all_rounds_once(kimi: LocalKimi, make: Make) -> None:
    counter = TokenCountingHandler(tokenizer=str.split)
    llm = make(model="kimi-k3", server_tools=[DATE], callback_manager=CallbackManager([counter]))
    kimi.enqueue(tool_calls=[days(1)])
    llm.chat(GO)
    told = [r.response["usage"] for r in kimi.requests if r.path.endswith("/chat/completions")]
    assert len(told) == 2
    assert counter.prompt_llm_token_count == sum(usage["prompt_tokens"] for usage in told)
    assert counter.completion_llm_token_count == sum(usage["completion_tokens"] for usage in told)


def test_one_call_is_one_pair_of_events(kimi: LocalKimi, llm: KimiLLM, events: list[Any]) -> None:
    kimi.enqueue(tool_calls=[days(1)])
    llm.chat(GO)
    assert [type(event).__name__ for event in events] == ["LLMChatStartEvent", "LLMChatEndEvent"]


@pytest.mark.parametrize("kept", [ChatMemoryBuffer.from_defaults, Memory.from_defaults], ids=["buffer", "memory"])
@pytest.mark.parametrize("streaming", [True, False])
def test_an_agent_uses_them_beside_its_own_tools(
    kimi: LocalKimi, llm: KimiLLM, streaming: bool, kept: Callable[..., Any]
) -> None:
    memory = kept(token_limit=100_000)

    async def main() -> None:
        agent = FunctionAgent(tools=[PING], llm=llm, streaming=streaming)
        await agent.run("Go.", memory=memory)
        await agent.run("Sure?", memory=memory)
        if isinstance(memory, Memory):
            await memory.sql_store._async_engine.dispose()  # type: ignore[union-attr]

    script(kimi)
    kimi.enqueue(text="Done.", reasoning="All.")
    kimi.enqueue(text="Yes.")
    asyncio.run(main())
    asked = chats(kimi)
    assert len(asked) == 4
    for before, after in zip(asked, asked[1:], strict=False):
        assert after[: len(before)] == before
    assert [m["role"] for m in asked[-1]] == [
        *("user", "assistant", "tool", "tool", "assistant", "tool", "tool", "assistant", "user")
    ]
    assert kimi.errors == []


def test_a_chat_engine_that_streams_keeps_them(kimi: LocalKimi, llm: KimiLLM) -> None:
    kimi.enqueue(text="Let me see. ", tool_calls=[days(1)])
    kimi.enqueue(text="One day.")
    kimi.enqueue(text="Yes.")
    engine = SimpleChatEngine.from_defaults(llm=llm, memory=ChatMemoryBuffer.from_defaults(token_limit=100_000))
    assert "".join(engine.stream_chat("Go.").response_gen) == "Let me see. One day."
    engine.chat("Sure?")
    assert [(m["role"], m["content"]) for m in chats(kimi)[-1]] == [
        ("user", "Go."),
        ("assistant", "Let me see. "),
        ("tool", "1 days"),
        ("assistant", "One day."),
        ("user", "Sure?"),
    ]


class Length(BaseModel):
    """How long it takes."""

    days: int


@pytest.mark.parametrize("mode", ["whole", "stream"])
def test_what_was_said_before_is_no_part_of_an_object(kimi: LocalKimi, llm: KimiLLM, mode: str) -> None:
    kimi.enqueue(text='I look {"it": "up"}.', tool_calls=[days(3)], unchecked=True)
    kimi.enqueue(text='{"days": 3}')
    prompt = PromptTemplate("Go.")
    if mode == "whole":
        assert llm.structured_predict(Length, prompt) == Length(days=3)
    else:
        assert list(llm.stream_structured_predict(Length, prompt))[-1] == Length(days=3)


def test_an_llm_with_server_tools_survives_a_dump(make: Make) -> None:
    llm = make(server_tools=["$web_search", core.formula(DATE)], max_server_rounds=2)
    dumped = json.loads(llm.to_json())
    assert (dumped["server_tools"], dumped["max_server_rounds"]) == (["$web_search", core.formula(DATE)], 2)


# --------------------------------------------------------------------------------------- whatever an answer is


def responses(answer: Response) -> list[ChatResponse]:
    maker = StreamResponses()
    return [response for event in told(answer) if (response := maker.add(event)) is not None]


@given(answers())
def test_the_steps_of_a_message_are_those_of_the_answer(answer: Response) -> None:
    whole = to_chat_response(answer)
    (said,) = to_messages([whole.message])
    assert said.steps == answer.steps
    assert said.content == answer.text
    assert (said.reasoning or Reasoning("")) == (answer.reasoning or Reasoning(""))
    assert [call.id for call in said.tool_calls] == [call.id for call in answer.tool_calls]
    assert json.loads(json.dumps(whole.message.additional_kwargs)) == whole.message.additional_kwargs


@given(answers())
def test_whatever_is_streamed_ends_in_the_whole_message(answer: Response) -> None:
    *before, last = responses(answer)
    assert last.message == to_chat_response(answer).message
    if before and (shown := before[-1].message.additional_kwargs.get("server_turns")):
        assert [turn["calls"] for turn in shown] == [t["calls"] for t in last.message.additional_kwargs["server_turns"]]
