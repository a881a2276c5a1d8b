"""Files of this machine, in both frameworks: the program's own paths open one, and no text in a message does."""

from __future__ import annotations

import base64
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from drivers import Driver
from langchain.agents import create_agent
from langchain_core.load import dumps
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from llama_index.core.base.llms.types import ChatMessage as LlamaMessage
from llama_index.core.base.llms.types import (
    CitableBlock,
    CitationBlock,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    ToolCallBlock,
    VideoBlock,
)

from kimi_adapters.local_server import LocalKimi
from kimi_core import FilePart, KimiError, KimiWarning, Message, TextPart
from kimi_core.media.data_urls import MediaError
from langchain_kimi import ChatKimi
from llama_index_kimi import KimiLLM

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
CANARY = "canary-7d1c"
SECRET = "secret.png"


@pytest.fixture
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that would be taken for a picture; it is also below the home and the working directory."""
    path = tmp_path / SECRET
    path.write_bytes(PNG + CANARY.encode())
    (tmp_path / "secret.txt").write_text(CANARY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return path


def given(kimi: LocalKimi) -> dict[str, Any]:
    return {"base_url": kimi.base_url, "api_key": kimi.api_key}


def leaks(kimi: LocalKimi) -> bool:
    """Whether any request has the file in it, as text or in base64."""
    said = json.dumps([request.body for request in kimi.requests])
    return CANARY in said or base64.b64encode(PNG[:60]).decode() in said


# ------------------------------------------------------------------------------------------- what is read


def test_the_programs_own_path_is_read(driver: Driver, kimi: LocalKimi, secret: Path) -> None:
    said = Message("user", (FilePart(secret, "image"), FilePart(secret.with_suffix(".txt"), "document")))
    driver.ask(driver.make(**given(kimi)), [said])
    picture, document = kimi.requests[-1].body["messages"][0]["content"]
    assert picture["image_url"]["url"].startswith("data:image/png;base64,iVBORw0KGgo")
    assert document["text"] == f"Document 'secret.txt':\n\n{CANARY}"


@pytest.mark.parametrize("where", ["made", "called"])
def test_only_allowed_folders_are_read(driver: Driver, kimi: LocalKimi, secret: Path, where: str) -> None:
    said = [Message("user", (FilePart(secret, "image"), TextPart("What is it?")))]
    for folders, words in ((False, "local_files is False"), ([str(secret.parent / "uploads")], "below none of them")):
        made, call = ({"local_files": folders}, {}) if where == "made" else ({}, {"local_files": folders})
        with pytest.raises(MediaError, match=words):
            driver.ask(driver.make(**given(kimi), **made), said, **call)
    assert kimi.requests == []
    driver.ask(driver.make(**given(kimi), local_files=[str(secret.parent)]), said)
    assert "image_url" in str(kimi.requests[-1].body)


def test_what_is_called_a_picture_and_is_none_is_not_sent(driver: Driver, kimi: LocalKimi, secret: Path) -> None:
    secret.write_text(CANARY)
    for kind in ("image", "video"):
        with pytest.raises(MediaError, match=r"secret\.png is of no known format"):
            driver.ask(driver.make(**given(kimi)), [Message("user", (FilePart(secret, kind),))])  # type: ignore[arg-type]
    assert kimi.requests == []


def test_the_setting_goes_with_copies_and_dumps(tmp_path: Path) -> None:
    model = ChatKimi(api_key="k", local_files=[tmp_path])
    assert model.model_copy(update={"thinking": False})._client.settings.local_files == (str(tmp_path),)
    assert pickle.loads(pickle.dumps(model))._client.settings.local_files == (str(tmp_path),)
    assert json.loads(dumps(model))["kwargs"]["local_files"] == [str(tmp_path)]
    llm = KimiLLM(api_key="k", local_files=[tmp_path])
    assert llm.model_copy()._client.settings.local_files == (str(tmp_path),)
    assert KimiLLM.from_dict(llm.to_dict(), api_key="k")._client.settings.local_files == (str(tmp_path),)


# ---------------------------------------------------------------------------------- what opens no file: text


SPELLED = ["{path}", "{uri}", "file:{path}", "FILE://localhost{path}", "secret.png", "./secret.png", "~/secret.png"]


def spelled(how: str, path: Path) -> str:
    return how.format(path=path, uri=path.as_uri())


BLOCKS: list[Any] = [
    *({"type": kind, "path": ...} for kind in ("file", "document", "image", "video", "text-plain", "input_file")),
    *({"type": kind, "url": ...} for kind in ("file", "document", "image", "video", "text-plain")),
    {"type": "media", "mime_type": "image/png", "path": ...},
    {"type": "media", "mime_type": "application/pdf", "file_uri": ...},
    {"type": "file", "mime_type": "image/png", "path": ...},
    {"type": "file", "file": {"path": ...}},
    {"type": "input_file", "file_url": ...},
    {"type": "image_url", "image_url": ...},
    {"type": "image_url", "image_url": {"url": ...}},
    {"type": "input_image", "image_url": ...},
    {"type": "video_url", "video_url": {"url": ...}},
    {"type": "image", "source": {"type": "url", "url": ...}},
    {"type": "image", "source": {"type": "file", "path": ...}},
    {"type": "document", "source": {"type": "file", "path": ...}},
    {"type": "non_standard", "value": {"type": "file", "path": ...}},
    {"type": "non_standard", "value": {"type": "non_standard", "value": {"type": "image", "path": ...}}},
]


def filled(block: Any, place: Any) -> Any:
    if block is ...:
        return place
    return {key: filled(value, place) for key, value in block.items()} if isinstance(block, dict) else block


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_text_of_a_users_message_opens_no_file(kimi: LocalKimi, secret: Path, block: Any) -> None:
    model = ChatKimi(**given(kimi))
    for how in SPELLED:
        content = [filled(block, spelled(how, secret)), {"type": "text", "text": "What is it?"}]
        for message in (HumanMessage(content), ("user", content), {"role": "user", "content": content}):
            with pytest.raises(KimiError, match="no address"):
                model.invoke([message])
    assert kimi.requests == []


@pytest.mark.parametrize("block", BLOCKS, ids=str)
@pytest.mark.parametrize("role", ["tool", "assistant", "user tool_result"])
def test_text_of_a_tool_or_a_model_opens_no_file_and_stops_nothing(
    kimi: LocalKimi, secret: Path, block: Any, role: str
) -> None:
    content: list[Any] = [{"type": "text", "text": "ok"}, filled(block, str(secret))]
    call = {"name": "look", "args": {}, "id": "look:0"}
    thought = {"reasoning_content": "Hm."}
    said: list[Any] = {
        "tool": [
            AIMessage("", tool_calls=[call], additional_kwargs=thought),
            ToolMessage(content, tool_call_id="look:0"),
        ],
        "assistant": [AIMessage(content), HumanMessage("And?")],
        "user tool_result": [
            AIMessage("", tool_calls=[call], additional_kwargs=thought),
            HumanMessage([{"type": "tool_result", "tool_use_id": "look:0", "content": content}]),
        ],
    }[role]
    with pytest.warns(KimiWarning, match="left out") as warned:
        assert ChatKimi(**given(kimi)).invoke([HumanMessage("Look."), *said]).text
    assert len(warned) == 1
    assert "was left out" in str(kimi.requests[-1].body["messages"]) or role == "assistant"
    assert not leaks(kimi)


def test_a_path_object_in_a_tools_result_or_a_models_message_is_not_read(kimi: LocalKimi, secret: Path) -> None:
    content: Any = [{"type": "image", "path": secret}]
    call = {"name": "look", "args": {}, "id": "look:0"}
    answer = AIMessage(content, tool_calls=[call], additional_kwargs={"reasoning_content": "Hm."})
    with pytest.warns(KimiWarning, match="left out"):
        ChatKimi(**given(kimi)).invoke([HumanMessage("Look."), answer, ToolMessage(content, tool_call_id="look:0")])
    assert not leaks(kimi)


def test_counting_tokens_reads_no_file_of_a_tools_result(kimi: LocalKimi, secret: Path) -> None:
    content: Any = [{"type": "file", "path": secret.with_suffix(".txt")}]
    model, result = ChatKimi(**given(kimi), local_files=False), ToolMessage(content, tool_call_id="look:0")
    assert model.get_num_tokens_from_messages([result]) > 0
    with pytest.raises(MediaError, match="local_files is False"):
        model.get_num_tokens_from_messages([HumanMessage(content)])


def test_counting_tokens_reads_no_more_of_a_file_than_can_be_sent(kimi: LocalKimi, secret: Path) -> None:
    with secret.open("ab") as file:
        file.truncate(100 * 1024 * 1024 + 1)
    with pytest.raises(MediaError, match="is larger than the 104,857,600 bytes"):
        ChatKimi(**given(kimi)).get_num_tokens_from_messages([HumanMessage([{"type": "image", "path": secret}])])


def test_a_system_message_may_hold_the_programs_path(kimi: LocalKimi, secret: Path) -> None:
    document = {"type": "file", "path": secret.with_suffix(".txt")}
    ChatKimi(**given(kimi)).invoke([SystemMessage([document]), HumanMessage("What does it say?")])
    assert leaks(kimi)


@pytest.mark.parametrize("way", ["invoke", "stream"])
def test_an_agent_goes_on_when_a_tool_names_a_file(kimi: LocalKimi, secret: Path, way: str) -> None:
    def read_web(page: str) -> Any:
        """Read a page of the web."""
        return [{"type": "text", "text": "ok"}, {"type": "file", "path": str(secret.with_suffix(".txt"))}]

    kimi.enqueue(tool_calls=[{"name": "read_web", "arguments": {"page": "a"}}])
    agent = create_agent(ChatKimi(**given(kimi)), [read_web])
    said: Any = {"messages": [("user", "Read page a.")]}
    with pytest.warns(KimiWarning, match="left out"):
        agent.invoke(said) if way == "invoke" else list(agent.stream(said, stream_mode="messages"))
    assert len(kimi.requests) == 2
    assert "was left out: " in str(kimi.requests[-1].body["messages"])
    assert not leaks(kimi)


# -------------------------------------------------------------------------------------------- LlamaIndex


LLAMA_BLOCKS = [
    lambda path: ImageBlock(path=path),
    lambda path: VideoBlock(path=path),
    lambda path: DocumentBlock(path=path),
    lambda path: DocumentBlock(path=str(path)),
    lambda path: ImageBlock(url=path.as_uri()),
    lambda path: VideoBlock(url=path.as_uri()),
    lambda path: DocumentBlock(url=path.as_uri()),
    lambda path: DocumentBlock(url=str(path)),
    lambda path: CitableBlock(title="t", source="s", content=[DocumentBlock(path=path)]),
    lambda path: CitationBlock(cited_content=ImageBlock(path=path), source="s", title="t", additional_location_info={}),
]


@pytest.mark.parametrize("make", LLAMA_BLOCKS)
@pytest.mark.parametrize("role", ["tool", "function", "assistant", "chatbot", "system", "developer"])
def test_a_path_in_another_message_than_the_users_opens_no_file(
    kimi: LocalKimi, secret: Path, make: Any, role: str
) -> None:
    llm, block = KimiLLM(**given(kimi)), make(secret)
    called = ToolCallBlock(tool_call_id="look:0", tool_name="look", tool_kwargs={})
    asked = LlamaMessage(
        role="assistant",
        blocks=[called],
        additional_kwargs={"reasoning_content": "Hm."},
    )
    message = LlamaMessage(
        role=role, blocks=[TextBlock(text="ok"), block], additional_kwargs={"tool_call_id": "look:0"}
    )
    history = [asked, message] if role in ("tool", "function") else [message, LlamaMessage(content="And?")]
    if role in ("system", "developer"):
        with pytest.raises(MediaError, match="is no address"):
            llm.chat(history)
        assert kimi.requests == []
    else:
        with pytest.warns(KimiWarning, match="left out") as warned:
            llm.chat([LlamaMessage(content="Look."), *history])
        assert len(warned) == 1
        assert not leaks(kimi)


@pytest.mark.parametrize("kind", [ImageBlock, VideoBlock, DocumentBlock])
def test_a_file_address_opens_no_file_of_a_user_either(kimi: LocalKimi, secret: Path, kind: Any) -> None:
    with pytest.raises(MediaError, match="is no address"):
        KimiLLM(**given(kimi)).chat([LlamaMessage(blocks=[kind(url=secret.as_uri())])])
    assert kimi.requests == []
