"""What the caller did not write does not stop a conversation: empty turns, results of tools, reasoning of others."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import pytest
from drivers import INVOKED, Driver
from file_server import FileServer
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from llama_index.core.base.llms.types import (
    AudioBlock,
    ChatMessage,
    CitableBlock,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    VideoBlock,
)
from PIL import Image

from kimi_adapters.local_server import LocalKimi
from kimi_core import ConfigError, KimiWarning, Message, MessageError, Reasoning, ToolCall

both = pytest.mark.parametrize("driver", INVOKED, ids=[driver.framework for driver in INVOKED])

USER = Message("user", "Look.")
CALLING = Message("assistant", reasoning=Reasoning("Hm."), tool_calls=(ToolCall("look:0", "look", "{}"),))
RESULT = Message("tool", "seen", tool_call_id="look:0")


def made(driver: Driver, kimi: LocalKimi, **options: Any) -> Any:
    return driver.make(base_url=kimi.base_url, api_key=kimi.api_key, **options)


def sent(kimi: LocalKimi) -> list[dict[str, Any]]:
    assert kimi.errors == []
    messages: list[dict[str, Any]] = kimi.requests[-1].body["messages"]
    return messages


# ------------------------------------------------------------------------------------------------- empty turns

EMPTY = {
    "system": ([Message("system", ""), USER], ["user"]),
    "system, among others": ([Message("system", "Be brief."), Message("system", ""), USER], ["system", "user"]),
    "an old turn of the user": ([Message("user", ""), Message("assistant", "Yes?"), USER], ["assistant", "user"]),
    "an assistant's": ([USER, Message("assistant", ""), USER], ["user", "user"]),
    "before results of tools": ([Message("system", ""), USER, CALLING, RESULT], ["user", "assistant", "tool"]),
}


@both
@pytest.mark.parametrize(("history", "roles"), EMPTY.values(), ids=EMPTY)
def test_an_empty_turn_is_left_out(driver: Driver, kimi: LocalKimi, history: list[Message], roles: list[str]) -> None:
    with pytest.warns(KimiWarning, match=r"left out; the host\s+answers 400"):
        driver.ask(made(driver, kimi), history)
    assert [message["role"] for message in sent(kimi)] == roles


def test_an_empty_turn_warns_once(driver: Driver, kimi: LocalKimi) -> None:
    model = made(driver, kimi)
    with pytest.warns(KimiWarning, match="a message without content"):
        driver.ask(model, [Message("system", ""), USER])
    driver.ask(model, [Message("system", ""), USER])
    assert len(kimi.requests) == 2


@both
@pytest.mark.parametrize(
    "history",
    [
        [Message("user", "")],
        [USER, Message("assistant", "Yes?"), Message("user", "")],
        [Message("system", "")],
        [Message("assistant", "")],
    ],
    ids=["alone", "after others", "nothing but an empty system", "nothing but an empty answer"],
)
@pytest.mark.filterwarnings("ignore:The conversation was repaired:kimi_core.KimiWarning")
def test_nothing_to_ask_is_an_error_before_any_io(driver: Driver, kimi: LocalKimi, history: list[Message]) -> None:
    with pytest.raises(MessageError, match="empty"):
        driver.ask(made(driver, kimi), history)
    assert kimi.requests == []


def test_an_empty_system_message_stays_where_the_host_takes_it(kimi: LocalKimi) -> None:
    kimi.enqueue(text="Yes.", unchecked=True)
    driver = INVOKED[0]
    driver.ask(made(driver, kimi, host="vllm"), [Message("system", ""), USER])
    assert [message["role"] for message in kimi.requests[-1].body["messages"]] == ["system", "user"]


# ------------------------------------------------------------------------------------- empty results of tools


def test_an_empty_result_is_sent_as_the_hosts_own_clients_do(driver: Driver, kimi: LocalKimi) -> None:
    with pytest.warns(KimiWarning, match="a tool's result was empty"):
        driver.ask(made(driver, kimi), [USER, CALLING, Message("tool", "", tool_call_id="look:0")])
    assert sent(kimi)[-1] == {"role": "tool", "tool_call_id": "look:0", "content": "Tool output is empty."}


@both
def test_an_empty_result_stays_empty_by_default(driver: Driver, kimi: LocalKimi) -> None:
    kimi.enqueue(text="Nothing.", unchecked=True)
    driver.ask(made(driver, kimi, host="vllm"), [USER, CALLING, Message("tool", "", tool_call_id="look:0")])
    assert kimi.requests[-1].body["messages"][-1]["content"] == ""


# -------------------------------------------------------------------------- results that the host cannot take


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


PDF = b"%PDF-1.4\n1 0 obj\n\x00"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"/>'
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt "

UNTAKEN: dict[str, tuple[dict[str, Any], Any, str]] = {
    "a PDF": (
        {"type": "file", "base64": b64(PDF), "mime_type": "application/pdf", "filename": "report.pdf"},
        DocumentBlock(data=PDF, title="report.pdf", document_mimetype="application/pdf"),
        "[a document was left out: it cannot be read here (named report.pdf, application/pdf)]",
    ),
    "a PDF without a name": (
        {"type": "file", "base64": b64(PDF), "mime_type": "application/pdf"},
        DocumentBlock(data=PDF, document_mimetype="application/pdf"),
        "[a document was left out: it cannot be read here (application/pdf)]",
    ),
    "an address of another scheme": (
        {"type": "file", "url": "harbour://tides/today", "mime_type": "application/pdf"},
        DocumentBlock(url="harbour://tides/today", document_mimetype="application/pdf", title="today"),
        "at harbour://tides/today)",
    ),
    "an address on this machine": (
        {"type": "image", "url": "http://127.0.0.1:9/tides.png", "mime_type": "image/png"},
        ImageBlock(url="http://127.0.0.1:9/tides.png"),
        "an image was left out: it cannot be read here (at http://127.0.0.1:9/tides.png)",
    ),
    "audio": (
        {"type": "audio", "base64": b64(WAV), "mime_type": "audio/wav"},
        AudioBlock(audio=WAV, format="audio/wav"),
        "[audio was left out: it cannot be read here (audio/wav)]",
    ),
    "an SVG": (
        {"type": "image", "base64": b64(SVG), "mime_type": "image/svg+xml"},
        ImageBlock(image=SVG, image_mimetype="image/svg+xml"),
        "[an image was left out: it cannot be read here (image/svg+xml)]",
    ),
    "a broken picture of a known type": (
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{b64(bytes(range(40)))}"}},
        ImageBlock(image=bytes(range(40)), image_mimetype="image/png"),
        "[an image was left out: it cannot be read here (image/png)]",
    ),
    "a broken picture": (
        {"type": "image", "base64": b64(b"no picture"), "mime_type": "image/x-unknown"},
        ImageBlock(image=b"no picture", image_mimetype="image/x-unknown"),
        "[an image was left out: it cannot be read here (image/x-unknown)]",
    ),
    "an empty picture": (
        {"type": "image", "base64": "", "mime_type": "image/png"},
        ImageBlock(image_mimetype="image/png"),
        "[an image was left out: it cannot be read here (image/png)]",
    ),
    "a video of no kind that is read": (
        {"type": "video", "base64": b64(b"OggS" + bytes(20)), "mime_type": "video/ogg"},
        VideoBlock(video=b"OggS" + bytes(20), video_mimetype="video/ogg"),
        "[a video was left out: it cannot be read here (video/ogg)]",
    ),
}


ERRORS = [name for name in UNTAKEN if name != "a broken picture of a known type"]


def returned(driver: Driver, case: tuple[dict[str, Any], Any, str]) -> Sequence[Any]:
    """A conversation in which a tool returned something, in the framework's own messages."""
    if driver.framework == "langchain":
        calling = AIMessage(
            "",
            tool_calls=[{"name": "look", "args": {}, "id": "look:0"}],
            additional_kwargs={"reasoning_content": "Hm."},
        )
        content: Any = [{"type": "text", "text": "Here:"}, case[0]]
        return [HumanMessage("Look."), calling, ToolMessage(content, tool_call_id="look:0")]
    blocks: list[Any] = [
        ThinkingBlock(content="Hm."),
        ToolCallBlock(tool_call_id="look:0", tool_name="look", tool_kwargs={}),
    ]
    return [
        ChatMessage(content="Look."),
        ChatMessage(role="assistant", blocks=blocks),
        ChatMessage(
            role="tool", blocks=[TextBlock(text="Here:"), case[1]], additional_kwargs={"tool_call_id": "look:0"}
        ),
    ]


def run(driver: Driver, model: Any, messages: Sequence[Any]) -> Any:
    args = ("chat", messages, {}) if driver.framework == "llama_index" else (messages, {})
    return driver._run(model, *args)  # type: ignore[attr-defined]


@both
@pytest.mark.parametrize("case", UNTAKEN.values(), ids=UNTAKEN)
def test_what_a_tool_returned_and_the_host_cannot_take_is_sent_as_text(
    driver: Driver, kimi: LocalKimi, case: tuple[dict[str, Any], Any, str]
) -> None:
    model = made(driver, kimi)
    with pytest.warns(KimiWarning, match="cannot take what a tool returned"):
        run(driver, model, returned(driver, case))
    first, second = sent(kimi)[-1]["content"]
    assert first == {"type": "text", "text": "Here:"}
    assert case[2] in second["text"]
    run(driver, model, returned(driver, case))  # one warning, and the same text each time
    assert kimi.requests[-1].body == kimi.requests[-2].body


def test_a_thread_goes_on_after_a_pdf_in_every_mode(driver: Driver, kimi: LocalKimi) -> None:
    with pytest.warns(KimiWarning, match="cannot take what a tool returned"):
        run(driver, made(driver, kimi), returned(driver, UNTAKEN["a PDF"]))
    assert "report.pdf" in sent(kimi)[-1]["content"][1]["text"]


@both
@pytest.mark.parametrize("case", [UNTAKEN[name] for name in ERRORS], ids=ERRORS)
def test_the_users_own_stays_an_error_before_any_io(
    driver: Driver, kimi: LocalKimi, case: tuple[dict[str, Any], Any, str]
) -> None:
    asked = HumanMessage(["Look.", case[0]]) if driver.framework == "langchain" else None
    with pytest.raises((MessageError, ConfigError)):
        run(driver, made(driver, kimi), [asked or ChatMessage(blocks=[TextBlock(text="Look."), case[1]])])
    assert kimi.requests == []


PAGE = b"%PDF-1.4\n1 0 obj<</Length 44>>stream\nBT (The harbour is 14 m deep.) Tj ET\nendstream endobj\n%%EOF"


def document(data: bytes) -> tuple[dict[str, Any], Any, str]:
    block = {"type": "file", "base64": b64(data), "mime_type": "application/pdf", "filename": "a.pdf"}
    return block, DocumentBlock(data=data, title="a.pdf", document_mimetype="application/pdf"), ""


def test_a_pdf_of_a_tool_is_extracted_where_that_is_asked_for(driver: Driver, kimi: LocalKimi) -> None:
    run(driver, made(driver, kimi, documents="extract"), returned(driver, document(PAGE)))
    assert "The harbour is 14 m deep." in sent(kimi)[-1]["content"][1]["text"]


def test_a_scan_of_a_tool_is_sent_as_text_though_extracting_was_asked_for(driver: Driver, kimi: LocalKimi) -> None:
    with pytest.warns(KimiWarning, match="cannot take what a tool returned"):
        run(driver, made(driver, kimi, documents="extract"), returned(driver, document(PDF)))
    assert sent(kimi)[-1]["content"][1]["text"].startswith(
        "[a document was left out: it cannot be read here (named a.pdf"
    )


@both
def test_an_address_that_could_not_be_fetched_is_not_asked_for_in_every_turn(driver: Driver, kimi: LocalKimi) -> None:
    with FileServer() as files:
        url = files.add(f"/{driver.framework}.png", b"Gone.", status=404)
        case = {"type": "image", "url": url}, ImageBlock(url=url), ""
        model = made(driver, kimi, fetch_media=True)
        with pytest.warns(KimiWarning, match="cannot take what a tool returned"):
            run(driver, model, returned(driver, case))
        run(driver, model, returned(driver, case))
        assert files.asked(f"/{driver.framework}.png") == 1
    assert kimi.requests[-1].body == kimi.requests[-2].body


@both
def test_a_picture_of_a_tool_is_sent_as_text_where_none_is_read(driver: Driver, aimlapi: LocalKimi) -> None:
    png = io.BytesIO()
    Image.new("RGB", (8, 8)).save(png, "png")
    case = (
        {"type": "image", "base64": b64(png.getvalue()), "mime_type": "image/png"},
        ImageBlock(image=png.getvalue()),
        "",
    )
    with pytest.warns(KimiWarning, match="cannot take what a tool returned"):
        run(driver, made(driver, aimlapi, host="aimlapi"), returned(driver, case))
    assert sent(aimlapi)[-1]["content"][1]["text"] == "[an image was left out: it cannot be read here (image/png)]"


def test_the_rest_of_something_citable_is_kept(kimi: LocalKimi) -> None:
    driver = next(driver for driver in INVOKED if driver.framework == "llama_index")
    report = DocumentBlock(data=PDF, title="report.pdf", document_mimetype="application/pdf")
    block = CitableBlock(title="Tides", source="s", content=[TextBlock(text="High at noon."), report])
    with pytest.warns(KimiWarning, match="cannot take what a tool returned"):
        run(driver, made(driver, kimi), returned(driver, ({}, block, "")))
    texts = [part["text"] for part in sent(kimi)[-1]["content"]]
    assert texts[:3] == ["Here:", "Tides", "High at noon."]
    assert "report.pdf" in texts[3]


# ---------------------------------------------------------------------- reasoning where that of all turns is kept

KEEP = {"type": "enabled", "keep": "all"}
FOREIGN = [USER, Message("assistant", "I see."), USER, CALLING, RESULT, Message("assistant", "Seen."), USER]


@pytest.mark.parametrize(
    "options",
    [{"thinking": KEEP}, {"model": "kimi-k2.7-code"}, {"model": "kimi-k3"}, {"model": "kimi-k3.1-pro"}],
    ids=["K2.6, asked to keep", "K2.7", "K3", "K3.1"],
)
@both
def test_every_answer_goes_back_with_its_reasoning_or_an_empty_one(
    driver: Driver, kimi: LocalKimi, options: dict[str, Any]
) -> None:
    driver.ask(made(driver, kimi, **options), FOREIGN)
    answers = [message for message in sent(kimi) if message["role"] == "assistant"]
    assert [message["reasoning_content"] for message in answers] == ["", "Hm.", ""]


@pytest.mark.parametrize("model", ["kimi-k2.7-code", "kimi-k3"])
@pytest.mark.parametrize(("host", "key"), [("aimlapi", "reasoning_content"), ("openrouter", "reasoning")])
@both
def test_every_answer_has_its_reasoning_at_gateways_that_may_ask_moonshot(
    driver: Driver, host: str, key: str, model: str
) -> None:
    with LocalKimi(dialect=host) as kimi:
        driver.ask(made(driver, kimi, host=host, model=model), FOREIGN)
        answers = [message for message in sent(kimi) if message["role"] == "assistant"]
    assert [message[key] for message in answers] == ["", "Hm.", ""]


@both
@pytest.mark.parametrize("thinking", [None, True, False])
def test_no_empty_reasoning_is_sent_where_none_is_asked_for(driver: Driver, kimi: LocalKimi, thinking: Any) -> None:
    driver.ask(made(driver, kimi, thinking=thinking), FOREIGN)
    assert [m.get("reasoning_content") for m in sent(kimi) if m["role"] == "assistant"] == [None, "Hm.", None]


@both
@pytest.mark.filterwarnings("ignore:.*keep='all'.* is not sent:kimi_core.KimiWarning")
def test_no_empty_reasoning_is_sent_while_thinking_is_off(driver: Driver, kimi: LocalKimi) -> None:
    driver.ask(made(driver, kimi, thinking={"type": "disabled", "keep": "all"}), FOREIGN)
    assert "reasoning_content" not in sent(kimi)[1]


def test_an_answer_without_reasoning_of_ones_own_goes_back_with_an_empty_one(driver: Driver, kimi: LocalKimi) -> None:
    """A live answer with `"reasoning_content": ""` is on record."""
    kimi.enqueue(text="I see.", reasoning="")
    model = made(driver, kimi, model="kimi-k3")
    answer = driver.ask(model, "Look.").native
    human, said = (
        (HumanMessage, answer)
        if driver.framework == "langchain"
        else (lambda text: ChatMessage(content=text), answer.message)
    )
    run(driver, model, [human("Look."), said, human("Again.")])
    assert sent(kimi)[1] == {"role": "assistant", "content": "I see.", "reasoning_content": ""}
