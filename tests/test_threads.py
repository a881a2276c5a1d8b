"""Threads that have gone on, or came from elsewhere: what the caller did not write becomes text, and stops nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from drivers import DRIVERS, Driver, by_name
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, TextBlock, ThinkingBlock, ToolCallBlock

from kimi_adapters.local_server import LocalKimi
from kimi_core import KimiWarning
from kimi_core.media.data_urls import MediaError
from kimi_core.tool_arguments import as_object, without_constants

ENDS = pytest.mark.parametrize(
    "driver", [driver for driver in DRIVERS if driver.mode in ("invoke", "astream")], **by_name
)


def ask(driver: Driver, kimi: LocalKimi, langchain: list[Any], llama_index: list[Any], **options: Any) -> None:
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key, max_retries=0, **options)
    if driver.framework == "langchain":
        driver._run(model, langchain, {})  # type: ignore[attr-defined]
    else:
        driver._run(model, "chat", llama_index, {})  # type: ignore[attr-defined]


def sent(kimi: LocalKimi) -> list[dict[str, Any]]:
    assert kimi.errors == []
    messages: list[dict[str, Any]] = kimi.requests[-1].body["messages"]
    return messages


# ------------------------------------------------------------------------------------- messages that were continued


@ENDS
def test_a_message_that_was_once_to_be_continued_goes_without_the_wish(driver: Driver, kimi: LocalKimi) -> None:
    begun = {"partial": True}
    with pytest.warns(KimiWarning, match="once to continue") as warned:
        ask(
            driver,
            kimi,
            [HumanMessage("Count."), AIMessage("One,", additional_kwargs=begun), AIMessage(" two."), HumanMessage("?")],
            [
                ChatMessage(content="Count."),
                ChatMessage(role="assistant", content="One,", additional_kwargs=begun),
                ChatMessage(role="assistant", content=" two."),
                ChatMessage(content="?"),
            ],
        )
    assert len(warned) == 1
    assert [message.get("partial") for message in sent(kimi)] == [None] * 4
    assert [message["content"] for message in sent(kimi)] == ["Count.", "One,", " two.", "?"]


@ENDS
def test_the_last_message_is_continued_whatever_came_before(driver: Driver, kimi: LocalKimi) -> None:
    begun = {"partial": True}
    with pytest.warns(KimiWarning, match="once to continue"):
        ask(
            driver,
            kimi,
            [HumanMessage("a"), AIMessage("b", additional_kwargs=begun), AIMessage("c", additional_kwargs=begun)],
            [
                ChatMessage(content="a"),
                ChatMessage(role="assistant", content="b", additional_kwargs=begun),
                ChatMessage(role="assistant", content="c", additional_kwargs=begun),
            ],
        )
    assert [message.get("partial") for message in sent(kimi)] == [None, None, True]


@ENDS
def test_an_empty_message_that_was_once_to_be_continued_is_left_out(driver: Driver, kimi: LocalKimi) -> None:
    begun = {"partial": True}
    with pytest.warns(KimiWarning, match="The conversation was repaired"):
        ask(
            driver,
            kimi,
            [HumanMessage("a"), AIMessage("", additional_kwargs=begun), HumanMessage("b")],
            [
                ChatMessage(content="a"),
                ChatMessage(role="assistant", content="", additional_kwargs=begun),
                ChatMessage(content="b"),
            ],
        )
    assert [message["content"] for message in sent(kimi)] == ["a", "b"]


# ---------------------------------------------------------------------------------------------- files of others

FOREIGN = ["file-abc123", "file_011CNha8iCJcU1wXNR6q4V8w", "https://a.example/b.png"]
INLINE = "data:image/png;base64,AAAA"
OWN = "clg681objj8g9m7n4je0"
WITH_FOREIGN = pytest.mark.parametrize(
    ("driver", "id"),
    [
        pytest.param(driver, id, id=f"{driver.name}-{id[:8]}")
        for driver in DRIVERS
        if driver.mode in ("invoke", "astream")
        # LlamaIndex itself takes no such address.
        for id in (*FOREIGN, *((INLINE,) if driver.framework == "langchain" else ()))
    ],
)


def picture(id: str) -> tuple[dict[str, Any], ImageBlock]:
    return {"type": "image", "file_id": id}, ImageBlock(url="ms://none" if id == INLINE else f"ms://{id}")


def thread(id: str, where: str) -> tuple[list[Any], list[Any]]:
    block, llama = picture(id)
    if where == "assistant":
        return (
            [HumanMessage("Draw."), AIMessage([block, {"type": "text", "text": "Here."}]), HumanMessage("Go on.")],
            [
                ChatMessage(content="Draw."),
                ChatMessage(role="assistant", blocks=[llama, TextBlock(text="Here.")]),
                ChatMessage(content="Go on."),
            ],
        )
    call = {"name": "look", "args": {}, "id": "look:0"}
    asked = AIMessage("", tool_calls=[call], additional_kwargs={"reasoning_content": "Hm."})
    calls = [ThinkingBlock(content="Hm."), ToolCallBlock(tool_call_id="look:0", tool_name="look", tool_kwargs={})]
    answered = ChatMessage(role="tool", blocks=[llama], additional_kwargs={"tool_call_id": "look:0"})
    return (
        [HumanMessage("Look."), asked, ToolMessage([block], tool_call_id="look:0")],
        [ChatMessage(content="Look."), ChatMessage(role="assistant", blocks=calls), answered],
    )


@WITH_FOREIGN
@pytest.mark.parametrize("where", ["tool", "assistant"])
def test_a_file_of_another_provider_is_sent_as_text(driver: Driver, kimi: LocalKimi, id: str, where: str) -> None:
    with pytest.warns(KimiWarning, match="an image was left out") as warned:
        ask(driver, kimi, *thread(id, where))
    assert len(warned) == 1
    told = json.dumps(sent(kimi))
    assert "was left out" in told
    assert "image_url" not in told
    assert "base64" not in told


@ENDS
@pytest.mark.parametrize("where", ["tool", "assistant"])
def test_a_file_of_the_hosts_own_is_sent_as_it_is(driver: Driver, kimi: LocalKimi, where: str) -> None:
    png = b"\x89PNG\r\n\x1a\n" + bytes(30)
    stored = kimi.files.add("a.png", "image", png)
    ask(driver, kimi, *thread(stored.id, where))
    assert f"ms://{stored.id}" in json.dumps(sent(kimi))
    assert len(stored.id) == len(OWN)


@WITH_FOREIGN
def test_the_users_own_file_is_sent_as_it_is_or_refused_when_it_can_be_none(
    driver: Driver, kimi: LocalKimi, id: str
) -> None:
    block, llama = picture(id)
    asked = [HumanMessage([block])], [ChatMessage(role="user", blocks=[llama])]
    if id.startswith("file"):
        with pytest.raises(Exception, match=f"file {id} not found"):
            ask(driver, kimi, *asked)
        assert kimi.requests[-1].body["messages"][0]["content"][0]["image_url"]["url"] == f"ms://{id}"
    else:
        with pytest.raises(MediaError, match="is no id of an uploaded file"):
            ask(driver, kimi, *asked)
        assert kimi.requests == []


# ---------------------------------------------------------------------------------- arguments that are no JSON


def called(args: Any) -> tuple[list[Any], list[Any]]:
    """A thread with a call of these arguments: an object, or the text that a model wrote."""
    thought = {"reasoning_content": "Hm."}
    if isinstance(args, str):
        invalid = {"name": "look", "args": args, "id": "look:0", "error": None, "type": "invalid_tool_call"}
        asked = AIMessage("", invalid_tool_calls=[invalid], additional_kwargs=thought)
    else:
        asked = AIMessage("", tool_calls=[{"name": "look", "args": args, "id": "look:0"}], additional_kwargs=thought)
    block = ToolCallBlock(tool_call_id="look:0", tool_name="look", tool_kwargs=args)
    answered = ChatMessage(role="tool", content="No.", additional_kwargs={"tool_call_id": "look:0"})
    return (
        [HumanMessage("Look."), asked, ToolMessage("No.", tool_call_id="look:0")],
        [
            ChatMessage(content="Look."),
            ChatMessage(role="assistant", blocks=[ThinkingBlock(content="Hm."), block]),
            answered,
        ],
    )


def arguments(kimi: LocalKimi) -> str:
    text: str = sent(kimi)[1]["tool_calls"][0]["function"]["arguments"]
    return text


NO_NUMBERS: list[tuple[Any, str]] = [
    ({"a": float("inf"), "b": [float("nan"), 1.5]}, '{"a": "Infinity", "b": ["NaN", 1.5]}'),
    ('{"a": -Infinity, "é": "NaN"}', '{"a": "-Infinity", "é": "NaN"}'),
]


@ENDS
@pytest.mark.parametrize(("args", "written"), NO_NUMBERS)
def test_numbers_that_json_does_not_know_are_written_as_text(
    driver: Driver, kimi: LocalKimi, args: Any, written: str
) -> None:
    with pytest.warns(KimiWarning, match="what JSON cannot hold is sent as text") as warned:
        ask(driver, kimi, *called(args))
    assert len(warned) == 1
    assert arguments(kimi) == written


@ENDS
@pytest.mark.parametrize("args", [{"q": "NaN or Infinity"}, '{"q": "Infinity', '{"city": "Os'])
def test_other_arguments_go_to_moonshot_as_the_model_wrote_them(driver: Driver, kimi: LocalKimi, args: Any) -> None:
    ask(driver, kimi, *called(args))
    assert arguments(kimi) == (args if isinstance(args, str) else json.dumps(args))


@pytest.fixture(scope="module", params=["llama-cpp", "sglang", "vllm"])
def reader(request: pytest.FixtureRequest) -> Iterator[LocalKimi]:
    """A server that reads the arguments of earlier calls."""
    with LocalKimi(dialect=request.param) as kimi:
        yield kimi


MALFORMED = {
    '{"city": "Os': '{"invalid_arguments": "{\\"city\\": \\"Os"}',
    '["Oslo"]': '{"invalid_arguments": "[\\"Oslo\\"]"}',
    '{"text": "a\nb"}': '{"text": "a\\nb"}',
    '{"a": NaN}': '{"a": "NaN"}',
    '{"a": 1e999}': '{"a": "1e999"}',
}


@ENDS
@pytest.mark.parametrize(("text", "written"), MALFORMED.items(), ids=range(len(MALFORMED)))
def test_a_server_that_reads_arguments_gets_an_object(
    driver: Driver, reader: LocalKimi, text: str, written: str
) -> None:
    reader.reset()
    with pytest.warns(KimiWarning, match="the arguments of an earlier call were no JSON object"):
        ask(driver, reader, *called(text), host=reader.dialect.name)
    assert arguments(reader) == written


@pytest.mark.parametrize("text", ["", "{}", '{"a": 1}', '{"a": "NaN"}', ' {"a": [1e300]}\n'])
def test_arguments_that_are_an_object_stay_the_very_text(text: str) -> None:
    assert as_object(text) is text
    assert without_constants(text) is text


@pytest.mark.parametrize("text", ["null", "  ", "null\n"])
def test_no_arguments_are_an_empty_object_for_a_server_that_reads_them(text: str) -> None:
    assert as_object(text) == "{}"


@pytest.mark.parametrize("text", ["[" * 5000, '{"a":' * 5000, '{"a":' * 5000 + "1" + "}" * 5000, '{"a": "\\ud800"}'])
def test_arguments_that_no_parser_reads_become_text_that_all_read(text: str) -> None:
    read = json.loads(as_object(text).encode())
    assert read in ({"invalid_arguments": text}, {"a": "�"})
