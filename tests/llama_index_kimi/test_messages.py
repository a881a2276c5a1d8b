"""Messages of LlamaIndex, as the host gets them, and back."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llama_index.core.base.llms.types import (
    AudioBlock,
    CacheControl,
    CachePoint,
    ChatMessage,
    CitableBlock,
    CitationBlock,
    DocumentBlock,
    ImageBlock,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    VideoBlock,
)
from llama_index.core.llms.llm import ToolSelection
from openai.types.chat import ChatCompletionMessageToolCall as OpenAICall

from kimi_adapters.local_server import LocalKimi
from kimi_core import (
    ConfigError,
    FilePart,
    ImagePart,
    KimiWarning,
    MessageError,
    Reasoning,
    Response,
    TextPart,
    ToolCall,
    Usage,
    VideoPart,
)
from kimi_core.media import parts
from kimi_core.types import DocumentPart
from llama_index_kimi import KimiLLM
from llama_index_kimi._messages_in import to_messages
from llama_index_kimi._messages_out import to_message, to_usage

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PNG_URL = "data:image/png;base64," + base64.b64encode(PNG).decode()
MP4 = bytes.fromhex("000000186674797069736f6d0000020069736f6d69736f32") + bytes(64)
MP4_URL = "data:video/mp4;base64," + base64.b64encode(MP4).decode()


def convert(*blocks: Any, role: str = "user", **kwargs: Any) -> Any:
    return parts.normalized(to_messages([ChatMessage(role=role, blocks=list(blocks), additional_kwargs=kwargs)]))[0]


# ------------------------------------------------------------------------------------------------------ roles

CALLED = [
    ToolCallBlock(tool_call_id="add:0", tool_name="add", tool_kwargs={"a": 1}),
    ToolCallBlock(tool_call_id="sub:1", tool_name="sub", tool_kwargs={"a": 2}),
]


def result(text: str, role: str = "function", **kwargs: Any) -> ChatMessage:
    return ChatMessage(role=role, content=text, additional_kwargs=kwargs)


@pytest.mark.parametrize(
    "results",
    [
        [result("one", name="add"), result("two", name="sub")],
        [result("two", name="sub"), result("one", name="add")],
        [result("one"), result("two")],
        [result("two", role="tool", tool_call_id="sub:1"), result("one")],
    ],
    ids=["by name", "by name, out of order", "by place", "one by id"],
)
def test_a_result_without_an_id_answers_the_call_it_follows(
    llm: KimiLLM, kimi: LocalKimi, results: list[ChatMessage]
) -> None:
    turn = ChatMessage(role="assistant", blocks=[ThinkingBlock(content="I do both."), *CALLED])
    llm.chat([ChatMessage(content="Hi"), turn, *results])
    answers = kimi.requests[-1].body["messages"][2:]
    assert {answer["tool_call_id"]: answer["content"] for answer in answers} == {"add:0": "one", "sub:1": "two"}
    assert kimi.errors == []


def test_a_result_that_answers_no_call_is_left_out_with_a_warning(llm: KimiLLM, kimi: LocalKimi) -> None:
    turn = ChatMessage(role="assistant", blocks=[ThinkingBlock(content="I add."), *CALLED[:1]])
    said = [ChatMessage(content="Hi"), turn, result("one"), result("after"), result("another", name="mul")]
    with pytest.warns(KimiWarning, match="a tool result that no call asked for was left out"):
        llm.chat(said)
    assert [m["content"] for m in kimi.requests[-1].body["messages"] if m["role"] == "tool"] == ["one"]


def test_a_function_turn_of_old_is_taken_by_the_host(llm: KimiLLM, kimi: LocalKimi) -> None:
    turn = ChatMessage(role="assistant", blocks=[ThinkingBlock(content="I add."), *CALLED[:1]])
    llm.chat([ChatMessage(content="Add."), turn, result("41", name="add")])
    assert kimi.requests[-1].body["messages"][2] == {"role": "tool", "tool_call_id": "add:0", "content": "41"}


@pytest.mark.parametrize("role", ["system", "developer", "user", "tool", "function"])
def test_reasoning_of_anybody_but_the_assistant_is_left_out_with_a_warning(role: str) -> None:
    with pytest.warns(KimiWarning, match="only an assistant's message"):
        message = convert(ThinkingBlock(content="Hm."), TextBlock(text="x"), role=role)
    assert (message.reasoning, message.content) == (None, (TextPart("x"),))


@pytest.mark.parametrize("role", ["system", "user", "tool"])
def test_a_call_of_anybody_but_the_assistant_is_an_error(role: str) -> None:
    with pytest.raises(MessageError, match="call of 'add' is in a message that is no assistant's"):
        convert(*CALLED[:1], role=role)


@pytest.mark.parametrize(
    ("role", "core"),
    [
        ("system", "system"),
        ("developer", "system"),
        ("user", "user"),
        ("assistant", "assistant"),
        ("chatbot", "assistant"),
        ("model", "assistant"),
        ("tool", "tool"),
        ("function", "tool"),
    ],
)
def test_every_role_becomes_one_that_kimi_knows(role: str, core: str) -> None:
    assert convert(TextBlock(text="x"), role=role).role == core


def test_no_role_is_forgotten() -> None:
    assert [convert(TextBlock(text="x"), role=role.value).role for role in MessageRole]


def test_names_and_partial_messages_are_passed_on() -> None:
    message = convert(TextBlock(text="Once"), role="assistant", partial=True, name="Teller")
    assert (message.name, message.partial) == ("Teller", True)


# ------------------------------------------------------------------------------------------------------- text


def test_several_texts_are_joined_as_llama_index_does() -> None:
    message = ChatMessage(blocks=[TextBlock(text="a"), TextBlock(text="b")])
    assert to_messages([message])[0].content == message.content == "a\nb"


def test_a_message_without_blocks_is_empty_text() -> None:
    assert convert(role="assistant").content == ""


def test_an_empty_text_among_parts_is_left_out() -> None:
    assert convert(TextBlock(text=""), ImageBlock(url=PNG_URL)).content == (ImagePart(PNG_URL),)


def test_a_cache_point_is_ignored() -> None:
    point = CachePoint(cache_control=CacheControl(type="ephemeral"))
    assert convert(TextBlock(text="a"), point).content == "a"


def test_a_citation_is_sent_as_its_text() -> None:
    block = CitationBlock(cited_content="the moon", source="s", title="t", additional_location_info={})
    assert convert(TextBlock(text="a"), block).content == (TextPart("a"), TextPart("the moon"))


def test_something_citable_is_sent_as_its_content() -> None:
    block = CitableBlock(title="Moon", source="s", content="It is round.")
    assert convert(block).content == (TextPart("Moon"), TextPart("It is round."))


def test_audio_is_a_clear_error(llm: KimiLLM, kimi: LocalKimi) -> None:
    with pytest.raises(MessageError, match="block of type 'audio'.*write down what audio says"):
        llm.chat([ChatMessage(blocks=[AudioBlock(audio=b"RIFF")])])
    assert kimi.requests == []


# ------------------------------------------------------------------------------------------------------ media


@pytest.mark.parametrize(
    "block",
    [
        ImageBlock(image=PNG),
        ImageBlock(image=io.BytesIO(PNG)),
        ImageBlock(url=PNG_URL),
        ImageBlock(image=PNG, image_mimetype="image/png"),
    ],
    ids=["bytes", "stream", "url", "bytes with a type"],
)
def test_a_picture_goes_inline(block: ImageBlock) -> None:
    assert convert(block).content == (ImagePart(PNG_URL),)


def test_a_picture_is_read_from_its_path(tmp_path: Path) -> None:
    path = tmp_path / "dot.png"
    path.write_bytes(PNG)
    assert convert(ImageBlock(path=path)).content == (FilePart(path, "image"),)


def test_a_video_without_a_type_is_recognised_by_its_data() -> None:
    assert convert(VideoBlock(video=MP4)).content == (VideoPart(MP4_URL),)


def test_a_video_is_read_from_its_path(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(MP4)
    assert convert(VideoBlock(path=path)).content == (FilePart(path, "video"),)


def test_what_the_data_is_goes_before_what_it_is_called() -> None:
    assert convert(ImageBlock(image=PNG, image_mimetype="image/jpeg")).content == (ImagePart(PNG_URL),)


def test_an_uploaded_file_keeps_its_address() -> None:
    content = convert(VideoBlock(url="ms://file-abc"), ImageBlock(url="ms://file-xyz")).content
    assert content == (VideoPart("ms://file-abc"), ImagePart("ms://file-xyz"))


def test_a_web_address_is_refused_before_it_is_sent(llm: KimiLLM, kimi: LocalKimi) -> None:
    with pytest.raises(ConfigError, match="bytes or path"):
        llm.chat([ChatMessage(blocks=[ImageBlock(url="https://example.com/dot.png")])], fetch_media=False)
    assert kimi.requests == []


class Note(ThinkingBlock):
    """A block of somebody's own."""


def test_blocks_of_ones_own_count_as_what_they_extend() -> None:
    assert convert(Note(content="why"), role="assistant").reasoning == Reasoning("why")


def test_data_that_nobody_recognises_asks_for_its_type() -> None:
    with pytest.raises(MessageError, match="need their MIME type"):
        convert(ImageBlock(image=b"nothing known"))


def test_a_block_without_anything_is_an_error() -> None:
    with pytest.raises(MessageError, match="needs one of"):
        convert(ImageBlock())


def test_pictures_and_videos_reach_the_host(llm: KimiLLM, kimi: LocalKimi) -> None:
    kimi.enqueue(text="A dot.", unchecked=True)
    blocks = [TextBlock(text="What is it?"), ImageBlock(image=PNG), VideoBlock(video=MP4)]
    llm.chat([ChatMessage(blocks=blocks)])
    assert kimi.requests[-1].body["messages"][0]["content"] == [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": PNG_URL}},
        {"type": "video_url", "video_url": {"url": MP4_URL}},
    ]


def test_a_picture_in_a_tool_result_reaches_the_host(llm: KimiLLM, kimi: LocalKimi) -> None:
    called = ToolCallBlock(tool_call_id="look:0", tool_name="look", tool_kwargs={})
    seen = [TextBlock(text="This:"), ImageBlock(image=PNG)]
    llm.chat(
        [
            ChatMessage(content="Look."),
            ChatMessage(role="assistant", blocks=[ThinkingBlock(content="So."), called]),
            ChatMessage(role="tool", blocks=seen, additional_kwargs={"tool_call_id": "look:0"}),
        ]
    )
    result = kimi.requests[-1].body["messages"][2]
    assert result["tool_call_id"] == "look:0"
    assert [part["type"] for part in result["content"]] == ["text", "image_url"]


@pytest.mark.parametrize("wish", [{"detail": "low"}, {"fps": 2}])
def test_a_wish_that_no_host_knows_is_left_out_with_a_warning(wish: dict[str, Any]) -> None:
    with pytest.warns(KimiWarning, match=f"{next(iter(wish))}=.* of a block is not sent"):
        assert convert(VideoBlock(video=MP4, **wish)).content == (VideoPart(MP4_URL),)


# -------------------------------------------------------------------------------------------------- documents

MEMO = b"# Memo\nSales dipped in August."


@pytest.mark.parametrize(
    "block",
    [
        DocumentBlock(data=MEMO, title="memo.md"),
        DocumentBlock(data=io.BytesIO(MEMO), title="memo.md"),
        DocumentBlock(url="data:text/markdown;base64," + base64.b64encode(MEMO).decode(), title="memo.md"),
    ],
    ids=["bytes", "stream", "url"],
)
def test_a_document_of_text_is_sent_as_its_text(llm: KimiLLM, kimi: LocalKimi, block: DocumentBlock) -> None:
    llm.chat([ChatMessage(blocks=[TextBlock(text="What happened?"), block])])
    assert kimi.requests[-1].body["messages"][0]["content"] == [
        {"type": "text", "text": "What happened?"},
        {"type": "text", "text": "Document 'memo.md':\n\n# Memo\nSales dipped in August."},
    ]


@pytest.mark.parametrize("spelled", [str, Path])
def test_a_document_is_read_from_its_file(llm: KimiLLM, kimi: LocalKimi, tmp_path: Path, spelled: Any) -> None:
    (tmp_path / "memo.md").write_bytes(MEMO)
    llm.chat([ChatMessage(blocks=[DocumentBlock(path=spelled(tmp_path / "memo.md"))])])
    assert kimi.requests[-1].body["messages"][0]["content"] == [
        {"type": "text", "text": "Document 'memo.md':\n\n# Memo\nSales dipped in August."}
    ]


def test_a_document_on_the_web_keeps_its_address() -> None:
    url = "https://example.com/a%20b/report%201.pdf?x=1"
    assert convert(DocumentBlock(url=url)).content == (DocumentPart(url, "report 1.pdf"),)


def test_a_document_without_a_title_has_no_name() -> None:
    (part,) = convert(DocumentBlock(data=MEMO)).content
    assert part.filename is None


def test_a_document_inside_something_citable_is_sent_too() -> None:
    content = convert(CitableBlock(title="Memo", source="s", content=[DocumentBlock(data=MEMO)])).content
    assert [type(part) for part in content] == [TextPart, DocumentPart]


def test_a_document_that_is_no_text_says_what_to_do(llm: KimiLLM, kimi: LocalKimi) -> None:
    with pytest.raises(ConfigError, match="documents='extract'"):
        llm.chat([ChatMessage(blocks=[DocumentBlock(data=b"%PDF-1.4 \0", title="a.pdf")])])
    assert kimi.requests == []


@pytest.mark.parametrize(("block", "field"), [(DocumentBlock(), "data"), (VideoBlock(), "video")])
def test_an_empty_block_says_what_it_needs(block: Any, field: str) -> None:
    with pytest.raises(MessageError, match=f"needs one of {field}, path or url"):
        convert(block)


# ----------------------------------------------------------------------------------------- reasoning and calls


def test_reasoning_goes_back_with_the_message_it_belongs_to(llm: KimiLLM, kimi: LocalKimi) -> None:
    kimi.enqueue(text="Hello.", reasoning="They greet me.")
    first = [ChatMessage(content="Hi")]
    answer = llm.chat(first).message
    llm.chat([*first, answer, ChatMessage(content="Who are you?")])
    assert kimi.requests[-1].body["messages"][1] == {
        "role": "assistant",
        "content": "Hello.",
        "reasoning_content": "They greet me.",
    }


def test_several_thinking_blocks_are_one_reasoning() -> None:
    message = convert(ThinkingBlock(content="a"), ThinkingBlock(), ThinkingBlock(content="b"), role="assistant")
    assert message.reasoning == Reasoning("a\nb")


def test_the_wire_key_of_reasoning_is_remembered_across_json() -> None:
    answer = to_message(Response(text="x", reasoning=Reasoning("why", "reasoning")))
    again = ChatMessage.model_validate_json(answer.model_dump_json())
    assert to_messages([again])[0].reasoning == Reasoning("why", "reasoning")


def test_reasoning_that_an_older_integration_left_is_found() -> None:
    message = convert(TextBlock(text="x"), role="assistant", reasoning_content="why")
    assert message.reasoning == Reasoning("why")


ARGUMENTS = '{"b":  2, "a": 1}'
NOTED = {"id": "f:0", "type": "function", "function": {"name": "f", "arguments": ARGUMENTS}}


@pytest.mark.parametrize("noted", [NOTED, OpenAICall.model_validate(NOTED)], ids=["dict", "openai object"])
def test_calls_that_an_older_integration_left_are_found(noted: Any) -> None:
    message = ChatMessage(role="assistant", content="", additional_kwargs={"tool_calls": [noted]})
    assert to_messages([message])[0].tool_calls == (ToolCall("f:0", "f", ARGUMENTS),)


# What integrations of LlamaIndex leave in `additional_kwargs["tool_calls"]`, and the id that the result then has.
LEFT = {
    "OpenAI": ({"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"a": 1}'}}, "c1"),
    "OpenAI's Responses": ({"id": "fc_1", "call_id": "c1", "name": "find", "arguments": '{"a": 1}'}, "c1"),
    "Anthropic": ({"id": "c1", "type": "tool_use", "name": "find", "input": {"a": 1}}, "c1"),
    "Bedrock": ({"toolUseId": "c1", "name": "find", "input": {"a": 1}}, "c1"),
    "Bedrock, as its API has it": ({"toolUse": {"toolUseId": "c1", "name": "find", "input": {"a": 1}}}, "c1"),
    "Ollama": ({"function": {"name": "find", "arguments": {"a": 1}}}, "find"),
    "Google": ({"id": None, "name": "find", "args": {"a": 1}}, "find"),
    "Cohere": ({"name": "find", "parameters": {"a": 1}}, None),
    "LlamaIndex's selection": (ToolSelection(tool_id="c1", tool_name="find", tool_kwargs={"a": 1}), "c1"),
}


@pytest.mark.parametrize(("left", "answered"), LEFT.values(), ids=LEFT)
@pytest.mark.filterwarnings("ignore:The conversation was repaired:kimi_core.KimiWarning")
def test_calls_and_results_of_another_integration_are_sent(
    llm: KimiLLM, kimi: LocalKimi, left: Any, answered: str | None
) -> None:
    calling = ChatMessage(role="assistant", content="I look.", additional_kwargs={"tool_calls": [left]})
    kwargs = {} if answered is None else {"tool_call_id": answered}
    answer = ChatMessage(role="tool", content="one", additional_kwargs=kwargs)
    llm.chat([ChatMessage(content="Look."), calling, answer])
    _, turn, told = kimi.requests[-1].body["messages"]
    (call,) = turn["tool_calls"]
    assert call["function"] == {"name": "find", "arguments": '{"a": 1}'}
    assert (told["tool_call_id"], told["content"]) == (call["id"], "one")
    assert kimi.errors == []


@pytest.mark.parametrize("named", [[0, 1], [1, 0]], ids=["in order", "out of order"])
@pytest.mark.filterwarnings("ignore:The conversation was repaired:kimi_core.KimiWarning")
def test_calls_without_ids_are_answered_by_the_tools_name(llm: KimiLLM, kimi: LocalKimi, named: list[int]) -> None:
    """As from Ollama, whose calls have no ids and whose results have the tool's name for one."""
    calls = [ToolCallBlock(tool_name=name, tool_kwargs={"n": n}) for n, name in enumerate(("add", "sub"))]
    results = [result(f"{name}!", role="tool", tool_call_id=name) for name in ("add", "sub")]
    llm.chat([ChatMessage(content="Go."), ChatMessage(role="assistant", blocks=calls), *(results[n] for n in named)])
    _, turn, *told = kimi.requests[-1].body["messages"]
    ids = [call["id"] for call in turn["tool_calls"]]
    assert [(one["tool_call_id"], one["content"]) for one in told] == list(zip(ids, ["add!", "sub!"], strict=True))
    assert kimi.errors == []


@pytest.mark.filterwarnings("ignore:The conversation was repaired:kimi_core.KimiWarning")
def test_two_calls_of_one_tool_without_ids_are_answered_in_order(llm: KimiLLM, kimi: LocalKimi) -> None:
    calls = [ToolCallBlock(tool_name="add", tool_kwargs={"n": n}) for n in (1, 2)]
    results = [result(text, role="tool", tool_call_id="add") for text in ("one", "two")]
    llm.chat([ChatMessage(content="Go."), ChatMessage(role="assistant", blocks=calls), *results])
    assert [m["content"] for m in kimi.requests[-1].body["messages"][2:]] == ["one", "two"]
    assert kimi.errors == []


def test_a_result_with_the_id_of_no_call_answers_the_call_before_it_with_a_warning(
    llm: KimiLLM, kimi: LocalKimi
) -> None:
    turn = ChatMessage(role="assistant", blocks=[ThinkingBlock(content="I add."), *CALLED[:1]])
    with pytest.warns(KimiWarning, match="it was taken for the result of the call before it"):
        llm.chat([ChatMessage(content="Add."), turn, result("41", role="tool", tool_call_id="call_77")])
    assert kimi.requests[-1].body["messages"][2] == {"role": "tool", "tool_call_id": "add:0", "content": "41"}


@pytest.mark.filterwarnings("ignore:The conversation was repaired:kimi_core.KimiWarning")
def test_openais_function_of_old_is_a_call(llm: KimiLLM, kimi: LocalKimi) -> None:
    kwargs = {"function_call": {"name": "find", "arguments": '{"a": 1}'}}
    turn = ChatMessage(role="assistant", content=None, additional_kwargs=kwargs)
    llm.chat([ChatMessage(content="Look."), turn, result("one", name="find")])
    assert kimi.requests[-1].body["messages"][1]["tool_calls"][0]["function"] == kwargs["function_call"]
    assert kimi.requests[-1].body["messages"][2]["content"] == "one"
    assert kimi.errors == []


@pytest.mark.parametrize(
    "left", [{"id": "c1"}, "look()", 7, {"id": "c1", "function": "look"}, {"function": {"arguments": "{}"}}], ids=str
)
def test_what_is_no_call_is_sent_as_text(llm: KimiLLM, kimi: LocalKimi, left: Any) -> None:
    turn = ChatMessage(role="assistant", content="I look.", additional_kwargs={"tool_calls": [left]})
    with pytest.warns(KimiWarning, match="cannot take what a tool returned or another model wrote"):
        llm.chat([ChatMessage(content="Look."), turn, ChatMessage(content="And?")])
    said = kimi.requests[-1].body["messages"][1]["content"]
    assert [part["text"] for part in said] == ["I look.", "[a tool call was left out: it cannot be read here]"]


def test_arguments_go_back_in_the_models_own_text() -> None:
    call = ToolCallBlock(tool_call_id="f:0", tool_name="f", tool_kwargs={"a": 1, "b": 2})
    assert convert(call, role="assistant", tool_calls=[NOTED]).tool_calls[0].arguments == ARGUMENTS


def test_arguments_that_were_edited_are_sent_as_edited() -> None:
    call = ToolCallBlock(tool_call_id="f:0", tool_name="f", tool_kwargs={"a": 9})
    arguments = convert(call, role="assistant", tool_calls=[NOTED]).tool_calls[0].arguments
    assert json.loads(arguments) == {"a": 9}


def test_arguments_that_are_no_object_stay_text() -> None:
    message = to_message(Response(tool_calls=(ToolCall("f:0", "f", '{"a": '),)))
    assert message.blocks[-1].tool_kwargs == '{"a": '
    assert to_messages([message])[0].tool_calls == (ToolCall("f:0", "f", '{"a": '),)


def test_no_arguments_are_an_empty_object() -> None:
    assert to_message(Response(tool_calls=(ToolCall("f:0", "f", ""),))).blocks[-1].tool_kwargs == {}


def test_control_characters_in_arguments_are_tolerated() -> None:
    message = to_message(Response(tool_calls=(ToolCall("f:0", "f", '{"a": "x\ny"}'),)))
    assert message.blocks[-1].tool_kwargs == {"a": "x\ny"}


def test_the_result_of_a_call_names_it() -> None:
    message = convert(TextBlock(text="3"), role="tool", tool_call_id="f:0", name="f")
    assert (message.tool_call_id, message.name, message.content) == ("f:0", "f", "3")


# ------------------------------------------------------------------------------------------------- properties

texts = st.text(max_size=30)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
arguments = st.dictionaries(texts, json_values, max_size=3).map(json.dumps)
calls = st.lists(st.builds(ToolCall, texts, texts.filter(bool), arguments | texts), max_size=3).map(
    lambda found: tuple(ToolCall(f"{i}:{c.id}", c.name, c.arguments) for i, c in enumerate(found))
)
reasonings = st.none() | st.builds(Reasoning, st.text(min_size=1, max_size=30), st.sampled_from([None, "reasoning"]))
answers = st.builds(Response, text=texts, reasoning=reasonings, tool_calls=calls)


@given(answers)
def test_an_answer_comes_back_through_json_as_it_was(answer: Response) -> None:
    message = ChatMessage.model_validate_json(to_message(answer).model_dump_json())
    sent = to_messages([message])[0]
    unthought = Reasoning("") if answer.tool_calls else None  # a turn that calls tools says that it did not think
    assert sent.reasoning == (answer.reasoning or unthought)
    assert (sent.content, sent.tool_calls) == (answer.text, answer.tool_calls)


@given(answers)
def test_a_message_is_json_all_through(answer: Response) -> None:
    message = to_message(answer)
    assert json.loads(json.dumps(message.additional_kwargs)) == message.additional_kwargs


counts = st.integers(0, 10**9)
details = st.none() | st.fixed_dictionaries({"audio_tokens": counts})


@given(counts, counts, st.none() | counts, st.none() | counts, details)
def test_usage_is_whole_whatever_the_host_left_out(
    prompt: int, completion: int, cached: int | None, reasoning: int | None, sent: Any
) -> None:
    raw = {"prompt_tokens": None, "prompt_tokens_details": sent, "completion_tokens_details": None}
    usage = to_usage(Usage(prompt, completion, prompt + completion, cached, reasoning, raw))
    assert usage["prompt_tokens"] + usage["completion_tokens"] == usage["total_tokens"] == prompt + completion
    assert (usage["prompt_tokens_details"] or {}).get("cached_tokens") == cached
    assert (usage["completion_tokens_details"] or {}).get("reasoning_tokens") == reasoning
    assert (sent or {}).items() <= (usage["prompt_tokens_details"] or {}).items()


def test_what_is_no_message_is_a_clear_error() -> None:
    with pytest.raises(MessageError, match="Message 1 is no ChatMessage of LlamaIndex, but dict"):
        to_messages([ChatMessage("Hi"), {"role": "user", "content": "Hi"}])


def test_calls_in_a_tuple_and_ids_that_are_numbers_are_taken() -> None:
    call = {"id": 5, "type": "function", "function": {"name": "add", "arguments": "{}"}}
    called = ChatMessage(role="assistant", additional_kwargs={"tool_calls": (call,)})
    result = ChatMessage(role="tool", content="3", additional_kwargs={"tool_call_id": 5})
    made = to_messages([called, result])
    assert (made[0].tool_calls[0].id, made[1].tool_call_id) == ("5", "5")
