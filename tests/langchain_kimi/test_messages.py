"""Messages: every standard block, those of other providers, and conversations that others began."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_ways import ask

from kimi_adapters.local_server import LocalKimi
from kimi_core import (
    DocumentPart,
    ImagePart,
    KimiClient,
    KimiWarning,
    Message,
    MessageError,
    Request,
    TextPart,
    ToolCall,
    VideoPart,
)
from kimi_core.media import parts
from langchain_kimi import ChatKimi, prefill
from langchain_kimi._messages_in import to_messages

MODES = ["invoke", "ainvoke", "stream", "astream"]
GIF = base64.b64decode("R0lGODlhAQABAAAAACH5BAEAAAAALAAAAAABAAEAAAIBAAA=")
GIF64 = base64.b64encode(GIF).decode()
GIF_URL = f"data:image/gif;base64,{GIF64}"
MP4 = b"\0\0\0\x18ftypmp42" + b"\0" * 16
MP4_URL = f"data:video/mp4;base64,{base64.b64encode(MP4).decode()}"
PDF64 = base64.b64encode(b"%PDF-1.4 x").decode()
PDF_URL = f"data:application/pdf;base64,{PDF64}"


def told(*messages: Any) -> list[Message]:
    """Return what the core gets, normalized."""
    return list(parts.normalized(to_messages(messages)))


# ---------------------------------------------------------------------------------------------------- blocks

BLOCKS: list[tuple[Any, Any]] = [
    # text
    ("x", TextPart("x")),
    ({"type": "text", "text": "x", "index": 0, "annotations": [], "cache_control": {"type": "x"}}, TextPart("x")),
    ({"type": "text-plain", "text": "x", "mime_type": "text/plain"}, TextPart("x")),
    ({"type": "input_text", "text": "x"}, TextPart("x")),
    ({"text": "x"}, TextPart("x")),
    # pictures
    ({"type": "image", "base64": GIF64, "mime_type": "image/gif"}, ImagePart(GIF_URL)),
    ({"type": "image", "base64": GIF64, "mime_type": "image/png"}, ImagePart(GIF_URL)),
    ({"type": "image", "base64": GIF}, ImagePart(GIF_URL)),
    ({"type": "image", "url": GIF_URL}, ImagePart(GIF_URL)),
    ({"type": "image", "file_id": "f1"}, ImagePart("ms://f1")),
    ({"type": "image", "file_id": "ms://f1"}, ImagePart("ms://f1")),
    ({"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": GIF64}}, ImagePart(GIF_URL)),
    ({"type": "image", "source": {"type": "url", "url": GIF_URL}}, ImagePart(GIF_URL)),
    ({"type": "image_url", "image_url": {"url": GIF_URL, "detail": "low"}}, ImagePart(GIF_URL)),
    ({"type": "image_url", "image_url": GIF_URL}, ImagePart(GIF_URL)),
    ({"type": "input_image", "image_url": GIF_URL}, ImagePart(GIF_URL)),
    ({"type": "media", "mime_type": "image/gif", "data": GIF64}, ImagePart(GIF_URL)),
    ({"type": "file", "base64": GIF64, "mime_type": "image/gif"}, ImagePart(GIF_URL)),
    ({"type": "non_standard", "value": {"type": "image_url", "image_url": GIF_URL}}, ImagePart(GIF_URL)),
    # videos
    ({"type": "video", "base64": MP4, "mime_type": "video/mp4"}, VideoPart(MP4_URL)),
    ({"type": "video", "file_id": "f2"}, VideoPart("ms://f2")),
    ({"type": "video", "url": "ms://f2"}, VideoPart("ms://f2")),
    ({"type": "video_url", "video_url": {"url": "ms://f2"}}, VideoPart("ms://f2")),
    ({"type": "video_url", "video_url": "ms://f2"}, VideoPart("ms://f2")),
    ({"type": "media", "mime_type": "video/mp4", "file_uri": "ms://f2"}, VideoPart("ms://f2")),
    # documents
    (
        {"type": "file", "base64": PDF64, "mime_type": "application/pdf", "filename": "a.pdf"},
        DocumentPart(PDF_URL, "a.pdf", "application/pdf"),
    ),
    (
        {"type": "file", "base64": PDF64, "mime_type": "application/pdf", "extras": {"filename": "a.pdf"}},
        DocumentPart(PDF_URL, "a.pdf", "application/pdf"),
    ),
    ({"type": "file", "url": "https://x.example/a.pdf"}, DocumentPart("https://x.example/a.pdf")),
    ({"type": "file", "file": {"file_data": PDF_URL, "filename": "a.pdf"}}, DocumentPart(PDF_URL, "a.pdf")),
    ({"type": "input_file", "file_data": PDF_URL, "filename": "a.pdf"}, DocumentPart(PDF_URL, "a.pdf")),
    ({"type": "input_file", "file_url": "https://x.example/a.pdf"}, DocumentPart("https://x.example/a.pdf")),
    (
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": PDF64},
            "title": "A",
        },
        DocumentPart(PDF_URL, "A", "application/pdf"),
    ),
    (
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Hi"}, "title": "A"},
        DocumentPart("data:text/plain;charset=utf-8;base64,SGk=", "A"),
    ),
    (
        {"type": "text-plain", "base64": "SGk=", "mime_type": "text/plain"},
        DocumentPart("data:text/plain;base64,SGk=", None, "text/plain"),
    ),
]


@pytest.mark.parametrize(("block", "part"), BLOCKS, ids=str)
def test_every_block_becomes_its_part(block: Any, part: Any) -> None:
    before = copy.deepcopy(block)
    (message,) = told(HumanMessage([block, "?"]))
    assert message.content == (part, TextPart("?"))
    assert block == before


def test_a_local_picture_is_sent_inline(model: ChatKimi, kimi: LocalKimi, tmp_path: Path) -> None:
    path = tmp_path / "dot.gif"
    path.write_bytes(GIF)
    for block in (
        {"type": "image", "path": path},
        {"type": "image", "url": path},
        {"type": "image_url", "image_url": {"url": path}},
        {"type": "file", "path": path, "mime_type": "image/gif"},
        {"type": "media", "path": path, "mime_type": "image/gif"},
    ):
        model.invoke([HumanMessage([block, "What is this?"])])
        assert kimi.requests[-1].body["messages"][0]["content"][0]["image_url"]["url"] == GIF_URL


def test_a_local_document_of_text_is_sent_as_text(model: ChatKimi, kimi: LocalKimi, tmp_path: Path) -> None:
    (tmp_path / "note.md").write_text("The shop opened in May.")
    block = {"type": "file", "path": tmp_path / "note.md"}
    model.invoke([HumanMessage([block, "When did the shop open?"])])
    assert "The shop opened in May." in str(kimi.requests[-1].body["messages"])
    assert model.get_num_tokens_from_messages([HumanMessage([block])]) > 10


REFUSED = [
    ({"type": "audio", "base64": "x", "mime_type": "audio/wav"}, "Audio cannot be sent to Kimi"),
    ({"type": "input_audio", "input_audio": {"data": "x", "format": "wav"}}, "Audio cannot be sent to Kimi"),
    ({"type": "file", "base64": "x", "mime_type": "audio/wav"}, "Audio cannot be sent to Kimi"),
    ({"type": "media", "mime_type": "audio/wav", "data": "x"}, "Audio cannot be sent to Kimi"),
    ({"type": "file", "file_id": "f1"}, "cannot be sent to Kimi without base64, url or path"),
    ({"type": "image"}, "needs one of url, base64, file_id or path"),
    ({"type": "image_url"}, "needs a URL"),
    ({"type": "image", "base64": "!", "mime_type": "image/png"}, "not base64"),
    ({"type": "unheard_of"}, "'unheard_of' cannot be sent to Kimi"),
    ({"a": 1, "b": 2}, "cannot be sent to Kimi"),
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("block", "words"), REFUSED, ids=str)
async def test_what_cannot_be_told_raises_before_any_io(
    model: ChatKimi, kimi: LocalKimi, block: Any, words: str, mode: str
) -> None:
    with pytest.raises(MessageError, match=words):
        await ask(model, mode, [HumanMessage([block])])
    assert kimi.requests == []


# ------------------------------------------------------------------------------------------------- messages


class Marked(str):
    """A text as template engines and numpy make it, whose `str` is something else."""

    def __str__(self) -> str:
        return "not this"


def test_texts_of_a_subclass_are_sent_as_texts(model: ChatKimi, kimi: LocalKimi) -> None:
    calls = [{"name": "look", "args": {}, "id": "c1"}]
    plain = [
        SystemMessage("Be kind."),
        HumanMessage("Look."),
        AIMessage("I look.", tool_calls=calls, additional_kwargs={"reasoning_content": "Look first."}),
        ToolMessage("done", tool_call_id="c1"),
    ]
    marked = copy.deepcopy(plain)
    for message in marked:
        message.content = Marked(message.content)  # assigned, and so not made a text by pydantic
    for conversation in (plain, marked, marked):
        model.invoke(conversation)
    assert kimi.requests[0].body == kimi.requests[1].body == kimi.requests[2].body


def test_names_are_sent(model: ChatKimi, kimi: LocalKimi) -> None:
    model.invoke([SystemMessage("S", name="rules"), HumanMessage("Hello", name="ada")])
    assert kimi.requests[-1].body["messages"] == snapshot(
        [
            {"role": "system", "content": "S", "name": "rules"},
            {"role": "user", "content": "Hello", "name": "ada"},
        ]
    )


@pytest.mark.parametrize(
    ("role", "wire"),
    [
        ("system", "system"),
        ("developer", "system"),
        ("user", "user"),
        ("human", "user"),
        ("assistant", "assistant"),
        ("ai", "assistant"),
        ("model", "assistant"),
    ],
)
def test_roles_are_the_three_that_kimi_knows(role: str, wire: str) -> None:
    assert told(ChatMessage("x", role=role)) == [Message(wire, "x")]


@pytest.mark.parametrize("role", ["tool", "critic"])
def test_another_role_raises(role: str) -> None:
    with pytest.raises(MessageError, match=f"no role '{role}'"):
        told(ChatMessage("x", role=role))


def test_a_message_that_removes_another_raises() -> None:
    with pytest.raises(MessageError, match=r"RemoveMessage cannot be sent to a model. It changes the state"):
        told(RemoveMessage("1"))


def test_chunks_are_read_as_messages() -> None:
    chunk = AIMessageChunk("Hi", additional_kwargs={"reasoning_content": "Hm."}) + AIMessageChunk("!")
    (message,) = told(chunk)
    assert (message.content, message.reasoning.text) == ("Hi!", "Hm.")


def test_nothing_else_of_additional_kwargs_is_sent(model: ChatKimi, kimi: LocalKimi) -> None:
    model.invoke([HumanMessage("Hello", additional_kwargs={"lc_source": "x", "secret": "y"})])
    assert kimi.requests[-1].body["messages"] == [{"role": "user", "content": "Hello"}]


def test_a_tools_artifact_and_status_are_not_sent(model: ChatKimi, kimi: LocalKimi) -> None:
    said = AIMessage(
        "", tool_calls=[{"name": "f", "args": {}, "id": "f:0"}], additional_kwargs={"reasoning_content": "."}
    )
    result = ToolMessage("No.", tool_call_id="f:0", status="error", artifact={"big": "x"}, name="f")
    model.invoke([HumanMessage("?"), said, result])
    assert kimi.requests[-1].body["messages"][-1] == {"role": "tool", "tool_call_id": "f:0", "content": "No."}


def test_a_tools_result_may_hold_a_picture() -> None:
    result = ToolMessage(
        [{"type": "text", "text": "See"}, {"type": "image", "base64": GIF64, "mime_type": "image/gif"}],
        tool_call_id="f:0",
    )
    assert told(result)[0].content == (TextPart("See"), ImagePart(GIF_URL))


@pytest.mark.filterwarnings("ignore:The conversation was repaired .* pictures in a tool")
@pytest.mark.parametrize("tool_media", [True, False])
def test_pictures_of_tools_go_inline_or_behind(
    make: Callable[..., ChatKimi], kimi: LocalKimi, tool_media: bool
) -> None:
    model = make(overrides={"tools.media_results": tool_media})
    call = {"name": "look", "args": {}, "id": "look_0"}
    turn = AIMessage("", tool_calls=[call], additional_kwargs={"reasoning_content": "I look."})
    picture = {"type": "image", "base64": GIF64, "mime_type": "image/gif"}
    result = ToolMessage([{"type": "text", "text": "Here:"}, picture], tool_call_id="look_0")
    model.invoke([HumanMessage("Look."), turn, result])
    messages = kimi.requests[-1].body["messages"]
    assert ("image_url" in json.dumps(messages[2])) is tool_media
    assert "image_url" in json.dumps(messages)
    assert model.profile is not None
    assert model.profile["image_tool_message"] is tool_media


def test_a_tools_result_of_an_unknown_form_is_sent_as_json() -> None:
    result = ToolMessage([{"type": "text", "text": "See"}, {"rows": [1, 2], "total": 2}], tool_call_id="f:0")
    assert told(result)[0].content == (TextPart("See"), TextPart('{"rows": [1, 2], "total": 2}'))


def test_the_callers_messages_are_not_changed(model: ChatKimi) -> None:
    said = [
        SystemMessage([{"type": "text", "text": "S", "cache_control": {"type": "ephemeral"}}]),
        HumanMessage([{"type": "image", "base64": GIF64, "mime_type": "image/gif"}, "?"]),
        AIMessage(
            [{"type": "thinking", "thinking": "Hm."}, {"type": "tool_use", "id": "f:0", "name": "f", "input": {}}],
            tool_calls=[{"name": "f", "args": {}, "id": "f:0"}],
        ),
        ToolMessage([{"type": "text", "text": "1"}], tool_call_id="f:0"),
    ]
    before = [message.model_dump() for message in said]
    model.invoke(said)
    assert [message.model_dump() for message in said] == before


# ------------------------------------------------------------------------------------------ other providers

CALL = {"name": "find", "args": {"a": 1}, "id": "c1"}
FOREIGN: dict[str, tuple[AIMessage, tuple[str, str]]] = {
    "DeepSeek": (
        AIMessage("I look.", tool_calls=[CALL], additional_kwargs={"reasoning_content": "Hm."}),
        ("I look.", "Hm."),
    ),
    "Anthropic": (
        AIMessage(
            [
                {"type": "thinking", "thinking": "Hm.", "signature": "sig"},
                {"type": "redacted_thinking", "data": "xyz"},
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "c1", "name": "find", "input": {"a": 1}},
            ],
            tool_calls=[CALL],
        ),
        ("I look.", "Hm."),
    ),
    "Anthropic, calls in the content alone": (
        AIMessage(
            [
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "c1", "name": "find", "input": CALL["args"]},
            ]
        ),
        ("I look.", " "),
    ),
    "OpenAI": (AIMessage("I look.", tool_calls=[CALL], additional_kwargs={"refusal": None}), ("I look.", " ")),
    "OpenAI, raw calls": (
        AIMessage(
            "I look.",
            additional_kwargs={
                "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"a": 1}'}}]
            },
        ),
        ("I look.", " "),
    ),
    "OpenAI Responses": (
        AIMessage(
            [
                {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]},
                {"type": "output_text", "text": "I look.", "annotations": []},
                {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "find", "arguments": '{"a": 1}'},
            ],
            tool_calls=[CALL],
        ),
        ("I look.", "Hm."),
    ),
    "v1": (
        AIMessage(
            content_blocks=[
                {"type": "reasoning", "reasoning": "Hm."},
                {"type": "text", "text": "I look."},
                {"type": "tool_call", **CALL},
            ]
        ),
        ("I look.", "Hm."),
    ),
    "OpenAI Responses, reasoning as it is": (
        AIMessage(
            [
                {
                    "type": "reasoning",
                    "id": "rs_1",
                    "summary": [],
                    "content": [{"type": "reasoning_text", "text": "Hm."}],
                },
                {"type": "text", "text": "I look.", "id": "msg_1", "annotations": [], "phase": "commentary"},
                {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "find", "arguments": '{"a": 1}'},
            ],
            tool_calls=[CALL],
            response_metadata={"model_provider": "openai"},
        ),
        ("I look.", "Hm."),
    ),
    "OpenAI Responses, as of langchain-openai 0.3": (
        AIMessage(
            "I look.",
            tool_calls=[CALL],
            additional_kwargs={
                "reasoning": {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
                "__openai_function_call_ids__": {"c1": "fc_1"},
            },
        ),
        ("I look.", "Hm."),
    ),
    "OpenAI, a refusal": (
        AIMessage("", tool_calls=[CALL], additional_kwargs={"refusal": "I look."}),
        ("I look.", " "),
    ),
    "OpenAI, audio": (
        AIMessage(
            "",
            tool_calls=[CALL],
            additional_kwargs={"audio": {"id": "audio_1", "data": "UklGRg==", "transcript": "I look."}},
        ),
        ("I look.", " "),
    ),
    "Anthropic, streamed": (
        AIMessageChunk(
            [
                {"type": "thinking", "thinking": "Hm.", "signature": "sig", "index": 0},
                {"type": "text", "text": "I look.", "index": 1},
                {"type": "tool_use", "id": "c1", "name": "find", "input": {}, "partial_json": '{"a": 1}', "index": 2},
            ],
            tool_call_chunks=[{"name": "find", "args": '{"a": 1}', "id": "c1", "index": 2}],
            response_metadata={"model_provider": "anthropic"},
        ),
        ("I look.", "Hm."),
    ),
    "Anthropic, after what it has dropped": (
        AIMessage(
            [
                {"type": "compaction", "content": "I look."},
                {"type": "tool_use", "id": "c1", "name": "find", "input": {"a": 1}},
            ]
        ),
        ("I look.", " "),
    ),
    "Google": (
        AIMessage(
            [
                {"type": "thinking", "thinking": "Hm.", "signature": "sig"},
                {"type": "text", "text": "I look.", "extras": {"signature": "sig"}},
            ],
            tool_calls=[CALL],
            additional_kwargs={
                "function_call": {"name": "find", "arguments": '{"a": 1}'},
                "__gemini_function_call_thought_signatures__": {"c1": "sig"},
            },
            response_metadata={"model_provider": "google_genai"},
        ),
        ("I look.", "Hm."),
    ),
    "Mistral": (
        AIMessage(
            [
                {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
                {"type": "text", "text": "I look.", "reference_ids": [1]},
            ],
            tool_calls=[CALL],
            additional_kwargs={
                "tool_calls": [{"id": "c1", "function": {"name": "find", "arguments": '{"a": 1}'}, "index": 0}]
            },
        ),
        ("I look.", "Hm."),
    ),
    "Cohere": (
        AIMessage(
            "I look.",
            tool_calls=[CALL],
            additional_kwargs={
                "id": "x",
                "tool_plan": "I look.",
                "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"a": 1}'}}],
            },
        ),
        ("I look.", " "),
    ),
    "xAI, Ollama, Fireworks, OpenRouter": (
        AIMessage(
            "I look.",
            tool_calls=[CALL],
            additional_kwargs={
                "reasoning_content": "Hm.",
                "reasoning_details": [{"type": "reasoning.text", "text": "Hm.", "signature": "s"}],
                "citations": ["https://example.com"],
            },
        ),
        ("I look.", "Hm."),
    ),
    "Bedrock's models of Anthropic": (
        AIMessage("I look.", tool_calls=[CALL], additional_kwargs={"thinking": {"text": "Hm.", "signature": "s"}}),
        ("I look.", "Hm."),
    ),
    "Bedrock, guarded": (
        AIMessage(
            [
                {"type": "reasoning_content", "reasoning_content": {"redacted_content": "xyz"}},
                {"type": "guard_content", "guard_content": {"type": "text", "text": "I look."}},
                {"type": "tool_use", "id": "c1", "name": "find", "input": {"a": 1}},
            ]
        ),
        ("I look.", " "),
    ),
    "v1, with what it does not know": (
        AIMessage(
            content_blocks=[
                {"type": "reasoning", "reasoning": "Hm.", "extras": {"signature": "s"}},
                {"type": "non_standard", "value": {"type": "redacted_thinking", "data": "xyz"}},
                {
                    "type": "text",
                    "text": "I look.",
                    "annotations": [{"type": "citation", "url": "https://example.com"}],
                },
                {"type": "tool_call", **CALL},
            ],
            response_metadata={"model_provider": "anthropic", "output_version": "v1"},
        ),
        ("I look.", "Hm."),
    ),
    "Groq": (AIMessage("I look.", tool_calls=[CALL], additional_kwargs={"reasoning": "Hm."}), ("I look.", "Hm.")),
    "Bedrock": (
        AIMessage(
            [
                {"type": "reasoning_content", "reasoning_content": {"text": "Hm.", "signature": "s"}},
                {"type": "text", "text": "I look."},
            ],
            tool_calls=[CALL],
        ),
        ("I look.", "Hm."),
    ),
}


@pytest.mark.parametrize(("said", "expected"), FOREIGN.values(), ids=FOREIGN)
@pytest.mark.filterwarnings("ignore:The conversation was repaired:kimi_core.KimiWarning")
def test_another_providers_turn_is_taken(
    model: ChatKimi, kimi: LocalKimi, said: AIMessage, expected: tuple[str, str]
) -> None:
    model.invoke([HumanMessage("?"), said, ToolMessage("1", tool_call_id="c1")], thinking=True)
    sent = kimi.requests[-1].body["messages"][1]
    assert (sent["content"], sent["reasoning_content"]) == expected
    assert sent["tool_calls"] == [
        {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"a": 1}'}}
    ]
    assert kimi.errors == []


@pytest.mark.filterwarnings("ignore:The conversation was repaired:kimi_core.KimiWarning")
def test_openais_functions_of_old_are_calls_and_results(model: ChatKimi, kimi: LocalKimi) -> None:
    said = AIMessage("", additional_kwargs={"function_call": {"name": "find", "arguments": '{"a": 1}'}})
    model.invoke([HumanMessage("?"), said, FunctionMessage("1", name="find")])
    _, turn, result = kimi.requests[-1].body["messages"]
    assert turn["tool_calls"][0]["function"] == {"name": "find", "arguments": '{"a": 1}'}
    assert (result["tool_call_id"], result["content"]) == (turn["tool_calls"][0]["id"], "1")
    assert kimi.errors == []


@pytest.mark.filterwarnings("ignore:The conversation was repaired:kimi_core.KimiWarning")
def test_anthropics_results_in_a_user_message_are_results(model: ChatKimi, kimi: LocalKimi) -> None:
    use = {"type": "tool_use", "id": "c1", "name": "find", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "1"}]}
    model.invoke([HumanMessage("?"), AIMessage([use]), HumanMessage([result, {"type": "text", "text": "And now?"}])])
    messages = kimi.requests[-1].body["messages"]
    assert [m["role"] for m in messages] == ["user", "assistant", "tool", "user"]
    assert kimi.errors == []


SERVER_BLOCKS = [
    {"type": "server_tool_call", "id": "s1", "name": "web_search", "args": {"q": "x"}},
    {"type": "server_tool_result", "tool_call_id": "s1", "status": "success", "output": "…"},
    {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []},
    {"type": "image_generation_call", "id": "i1", "result": "…"},
]


CUSTOM = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c1", "name": "run_code", "input": "print(1)"}


@pytest.mark.filterwarnings("ignore:The conversation was repaired:kimi_core.KimiWarning")
def test_a_call_of_openais_tool_of_free_text_is_a_call(model: ChatKimi, kimi: LocalKimi) -> None:
    called = {"name": "run_code", "args": {"__arg1": "print(1)"}, "id": "c1"}
    history = [HumanMessage("?"), AIMessage([CUSTOM], tool_calls=[called]), ToolMessage("1", tool_call_id="c1")]
    model.invoke(history)
    (call,) = kimi.requests[-1].body["messages"][1]["tool_calls"]
    assert call["function"] == {"name": "run_code", "arguments": '{"__arg1": "print(1)"}'}
    assert kimi.errors == []


@pytest.mark.filterwarnings("ignore:The conversation was repaired:kimi_core.KimiWarning")
def test_a_call_that_another_model_left_without_a_name_is_left_out(model: ChatKimi, kimi: LocalKimi) -> None:
    call = {"name": None, "args": '{"a":', "id": "c1", "error": "cut"}
    history = [HumanMessage("?"), AIMessage("Hm", invalid_tool_calls=[call]), ToolMessage("no", tool_call_id="c1")]
    model.invoke([*history, HumanMessage("And?")])
    assert [m["content"] for m in kimi.requests[-1].body["messages"]] == ["?", "Hm", "And?"]
    assert kimi.errors == []


MADE = {
    "audio": {"type": "audio", "base64": "UklGRg==", "mime_type": "audio/wav"},
    "a file": {"type": "file", "base64": "UEsDBA==", "mime_type": "application/zip", "filename": "a.zip"},
    "Bedrock's document": {"type": "document", "document": {"name": "a", "format": "pdf", "source": {"bytes": "JQ=="}}},
    "Bedrock's video in a bucket": {"type": "video", "source": {"type": "s3Location", "data": {"uri": "s3://a/b.mp4"}}},
    "a broken picture": {"type": "image_url", "image_url": {}},
}


@pytest.mark.parametrize("block", MADE.values(), ids=MADE)
def test_what_another_model_made_and_kimi_cannot_read_is_sent_as_text(
    model: ChatKimi, kimi: LocalKimi, block: Any
) -> None:
    history = [HumanMessage("?"), AIMessage([{"type": "text", "text": "Here:"}, block]), HumanMessage("And?")]
    with pytest.warns(KimiWarning, match="or another model wrote"):
        model.invoke(history)
    first, second = kimi.requests[-1].body["messages"][1]["content"]
    assert first["text"] == "Here:"
    assert "was left out: it cannot be read here" in second["text"]
    assert kimi.errors == []


EMBEDDED = {
    "a text": ({"type": "resource", "resource": {"uri": "a://b", "text": "High at noon."}}, "High at noon."),
    "a PDF": (
        {"type": "resource", "resource": {"uri": "a://b", "mimeType": "application/pdf", "blob": "JVBERi0xLjQKAAo="}},
        "[a document was left out: it cannot be read here (application/pdf)]",
    ),
    "a link": (
        {"type": "resource_link", "uri": "a://b", "name": "tides"},
        '{"type": "resource_link", "uri": "a://b", "name": "tides"}',
    ),
    "a wrapped object": ({"type": "non_standard", "value": {"rows": [1]}}, '{"rows": [1]}'),
}


@pytest.mark.parametrize(("block", "text"), EMBEDDED.values(), ids=EMBEDDED)
@pytest.mark.filterwarnings("ignore:.*cannot take what a tool returned:kimi_core.KimiWarning")
def test_what_an_mcp_server_embeds_is_sent(model: ChatKimi, kimi: LocalKimi, block: Any, text: str) -> None:
    said = AIMessage("", tool_calls=[CALL], additional_kwargs={"reasoning_content": "."})
    model.invoke([HumanMessage("?"), said, ToolMessage([block], tool_call_id="c1")])
    assert kimi.requests[-1].body["messages"][-1]["content"] == [{"type": "text", "text": text}]
    assert kimi.errors == []


@pytest.mark.parametrize("block", SERVER_BLOCKS, ids=lambda block: block["type"])
def test_another_providers_own_tools_are_left_out_with_a_warning(model: ChatKimi, kimi: LocalKimi, block: Any) -> None:
    history = [HumanMessage("?"), AIMessage([block, {"type": "text", "text": "Found."}]), HumanMessage("And?")]
    with pytest.warns(KimiWarning, match=f"{block['type']}.*left out"):
        model.invoke(history)
    assert kimi.requests[-1].body["messages"][1] == {"role": "assistant", "content": "Found."}
    model.invoke(history)  # said once


def test_left_out_blocks_are_not_said_when_nothing_is_to_be_said(kimi: LocalKimi) -> None:
    model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, on_unsupported="ignore")
    model.invoke([HumanMessage("?"), AIMessage([SERVER_BLOCKS[0], "Found."]), HumanMessage("And?")])


def test_reasoning_details_come_and_go_as_they_are() -> None:
    details = [{"type": "reasoning.encrypted", "data": "xyz"}]
    v0 = AIMessage("x", additional_kwargs={"reasoning_content": "Hm.", "reasoning_details": details})
    block = {"type": "reasoning", "reasoning": "Hm.", "extras": {"reasoning_details": details}}
    v1 = AIMessage([block, {"type": "text", "text": "x"}])
    for message in told(v0, v1):
        assert (message.reasoning.text, list(message.reasoning.details)) == ("Hm.", details)


@pytest.mark.parametrize("version", ["v0", "v1"])
def test_a_turn_that_did_not_think_is_no_turn_that_lost_its_reasoning(kimi: LocalKimi, version: str) -> None:
    """Its calls go back without a warning, even when the next turn thinks."""
    model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, output_version=version)
    kimi.enqueue(tool_calls=[{"name": "find", "arguments": {}}])
    said = model.invoke("?", thinking=False)
    (message,) = told(said)
    assert message.reasoning is not None
    assert (message.reasoning.text, message.reasoning.details) == ("", ())


_json = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda x: st.lists(x, max_size=3))
_foreign_block = st.text(max_size=5) | st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "thinking", "tool_use", "server_tool_call", "citation", "refusal", "x"])},
    optional={"text": st.text(max_size=5), "thinking": _json, "id": st.text(max_size=3), "name": st.text(max_size=3)},
)


@given(content=st.lists(_foreign_block, max_size=4))
def test_no_assistant_content_is_refused(content: list[Any]) -> None:
    left_out: dict[str, None] = {}
    (message,) = to_messages([AIMessage(content)], left_out)
    assert message.role == "assistant"
    unknown = {block["type"] for block in content if isinstance(block, dict)} - {
        *("text", "thinking", "tool_use", "refusal")
    }
    assert set(left_out) == unknown


_KEYS = st.sampled_from(["url", "data", "base64", "type", "text", "mime_type", "source", "file", "path", "extras"])
_odd = st.recursive(_json, lambda x: st.dictionaries(_KEYS, x, max_size=3), max_leaves=5)
_odd_block = st.text(max_size=5) | st.builds(
    lambda kind, rest: {**rest, "type": kind},
    st.sampled_from(["text", "image", "image_url", "audio", "file", "document", "media", "refusal", "resource", "x"]),
    st.dictionaries(_KEYS | st.sampled_from(["image_url", "resource", "refusal", "filename"]), _odd, max_size=3),
)


@given(content=st.lists(_odd_block, max_size=3))
def test_no_result_of_a_tool_is_refused_whatever_it_looks_like(content: list[Any]) -> None:
    (result,) = to_messages([ToolMessage(content, tool_call_id="c1")])
    history = [Message("user", "?"), Message("assistant", tool_calls=(ToolCall("c1", "find", "{}"),)), result]
    request = Request(messages=history, model="kimi-k3")
    client = KimiClient(host="moonshot", api_key="k", on_unsupported="ignore", fetch_media=False)
    _, wire = client.prepare(client.attached(request))
    assert wire.body["messages"][-1]["content"]


# -------------------------------------------------------------------------------------------------- prefill

MEMO = "Harbour Coffee opened its second shop in May.\n\nWhen did the second shop open?"


def test_a_prefill_is_a_partial_message(model: ChatKimi, kimi: LocalKimi) -> None:
    message = prefill("Harbour Coffee opened", name="clerk")
    assert isinstance(message, AIMessage)
    model.invoke([("user", MEMO), message])
    assert kimi.requests[-1].body["messages"][-1] == {
        "role": "assistant",
        "content": "Harbour Coffee opened",
        "name": "clerk",
        "partial": True,
    }


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("version", ["v0", "v1"])
async def test_the_answer_to_a_prefill_is_what_comes_after_it(kimi: LocalKimi, version: str, mode: str) -> None:
    model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, output_version=version)
    answer = await ask(model, mode, [("user", MEMO), prefill("Harbour Coffee opened")])
    assert answer.text == " its second shop in May."


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("version", ["v0", "v1"])
async def test_the_answer_begins_with_the_prefill_when_it_is_included(kimi: LocalKimi, version: str, mode: str) -> None:
    model = ChatKimi(base_url=kimi.base_url, api_key=kimi.api_key, output_version=version, include_prefill=True)
    answer = await ask(model, mode, [("user", MEMO), prefill("Harbour Coffee opened")])
    assert answer.text == "Harbour Coffee opened its second shop in May."
    assert [b["type"] for b in answer.content_blocks][-1] == "text"


def test_an_included_prefill_can_be_asked_for_in_one_call(model: ChatKimi) -> None:
    said = [("user", MEMO), prefill("Harbour Coffee opened")]
    assert model.invoke(said, include_prefill=True).text == "Harbour Coffee opened its second shop in May."
    assert model.bind(include_prefill=True).invoke(said).text == "Harbour Coffee opened its second shop in May."


@pytest.mark.parametrize("mode", MODES)
async def test_an_included_prefill_is_there_when_nothing_comes_after_it(
    model: ChatKimi, kimi: LocalKimi, mode: str
) -> None:
    kimi.enqueue(tool_calls=[{"name": "find", "arguments": {}}], unchecked=True)
    answer = await ask(model.bind(include_prefill=True), mode, [("user", "?"), prefill("I look it up.")])
    assert answer.text == "I look it up."
    assert len(answer.tool_calls) == 1


def test_nothing_is_included_where_nothing_was_begun(model: ChatKimi) -> None:
    plain = model.invoke("Hello").text
    assert model.invoke("Hello", include_prefill=True).text == plain


def test_a_cut_answer_is_continued(model: ChatKimi, kimi: LocalKimi) -> None:
    kimi.enqueue(text="Harbour Coffee", finish_reason="length")
    cut = model.invoke(MEMO)
    whole = model.invoke([("user", MEMO), prefill(cut.text)], include_prefill=True)
    assert whole.text.startswith("Harbour Coffee")
    assert len(whole.text) > len(cut.text)
