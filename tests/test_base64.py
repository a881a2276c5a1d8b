"""base64 as people have it, in every field of both frameworks that takes it."""

from __future__ import annotations

import base64
import io
import textwrap
from typing import Any

import pytest
from drivers import Driver
from langchain_core.messages import HumanMessage
from llama_index.core.base.llms.types import ChatMessage, DocumentBlock, ImageBlock, VideoBlock

from kimi_adapters.local_server import LocalKimi
from kimi_core import ImagePart, KimiWarning, Message, Reasoning, TextPart, ToolCall, UnsupportedError
from kimi_core.media.data_urls import MediaError
from langchain_kimi import ChatKimi
from llama_index_kimi import KimiLLM

PNG = base64.b64decode("iVBORw0KGgo=") + b"\xfb\xef\xbe\xff\xff\xfe" * 30 + b"\0"
PNG64 = base64.b64encode(PNG).decode()
URL = f"data:image/png;base64,{PNG64}"
LINES = textwrap.fill(PNG64, 76)
SAFE = PNG64.translate(str.maketrans("+/", "-_")).rstrip("=")
TEXT64 = base64.b64encode(b"The wide world").decode()

PICTURES: list[Any] = [
    *(
        {"type": "image", "base64": text, "mime_type": "image/png"}
        for text in (PNG64, LINES, SAFE, URL, URL.upper()[:22] + PNG64)
    ),
    {"type": "image", "base64": PNG, "mime_type": "image/png"},
    {"type": "image", "base64": bytearray(PNG), "mime_type": "image/png"},
    {"type": "image", "url": SAFE},
    {"type": "image_url", "image_url": {"url": PNG64}},
    {"type": "image_url", "image_url": f"DATA:image/jpg;base64,{LINES}"},
    {"type": "input_image", "image_url": URL},
    {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": URL}},
    {"type": "media", "mime_type": "image/png", "data": LINES},
    {"type": "file", "base64": PNG64, "mime_type": "application/pdf"},
    {"type": "file", "file": {"file_data": PNG64, "filename": "a.pdf"}},
    {"type": "file", "file": {"file_data": f"DATA:application/pdf;base64,{PNG64}"}},
    {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": LINES}},
    ImageBlock(image=PNG),
    ImageBlock(image=io.BytesIO(PNG)),
    *(ImageBlock(image=text.encode()) for text in (PNG64, LINES, SAFE, URL)),
    ImageBlock(url=f"DATA:image/png;base64,{SAFE}"),
    DocumentBlock(data=PNG, document_mimetype="application/pdf"),
    DocumentBlock(data=URL.encode()),
    DocumentBlock(url=PNG64),
]


def ask(kimi: LocalKimi, block: Any, **given: Any) -> None:
    given = {"base_url": kimi.base_url, "api_key": kimi.api_key, **given}
    if isinstance(block, dict):
        ChatKimi(**given).invoke([HumanMessage([block, {"type": "text", "text": "What is it?"}])])
    else:
        KimiLLM(**given).chat([ChatMessage(blocks=[block]), ChatMessage(content="What is it?")])


def first(kimi: LocalKimi) -> Any:
    return kimi.requests[-1].body["messages"][0]["content"][0]


@pytest.mark.parametrize("block", PICTURES)
def test_a_picture_is_sent_in_one_form(kimi: LocalKimi, block: Any) -> None:
    ask(kimi, block)
    assert first(kimi) == {"type": "image_url", "image_url": {"url": URL}}


@pytest.mark.parametrize(
    "block",
    [
        {"type": "file", "file": {"file_data": TEXT64}},
        {"type": "file", "base64": TEXT64, "mime_type": "application/pdf"},
        {"type": "input_file", "file_data": f"data:application/pdf;base64,{TEXT64.rstrip('=')}"},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": TEXT64}},
        {"type": "file", "url": "data:,The%20wide%20world"},
        DocumentBlock(data=b"The wide world", document_mimetype="application/pdf"),
        DocumentBlock(data=io.BytesIO(b"The wide world"), document_mimetype="application/pdf"),
        DocumentBlock(url="data:text/plain,The%20wide%20world"),
    ],
)
def test_text_that_is_labelled_otherwise_is_sent_as_text(kimi: LocalKimi, block: Any) -> None:
    ask(kimi, block)
    assert first(kimi) == {"type": "text", "text": "The wide world"}


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({"type": "image_url", "image_url": {"url": "data:text/csv;base64,YSxi"}}, "is text/csv"),
        ({"type": "image", "base64": "YSxi", "mime_type": "text/csv"}, "is text/csv"),
        ({"type": "image", "base64": "!" * 10**6, "mime_type": "image/png"}, "is not base64"),
        ({"type": "image", "base64": "", "url": "A" * 10**6}, "no base64 of a known format"),
        ({"type": "file", "file": {"file_data": "!" * 10**6}}, "is not base64"),
        (ImageBlock(url="data:text/csv;base64,YSxi"), "is text/csv"),
        (ImageBlock(image=b"a,b", image_mimetype="text/csv"), "is text/csv"),
        (VideoBlock(url=f"data:video/mp4;base64,{'!' * 10**6}"), "is not base64"),
        (DocumentBlock(url="A" * 10**6), "no base64 of a known format"),
    ],
)
def test_what_cannot_be_sent_is_refused_before_it_is_and_without_repeating_it(
    kimi: LocalKimi, block: Any, words: str
) -> None:
    with pytest.raises(MediaError, match=words) as caught:
        ask(kimi, block)
    assert kimi.requests == []
    assert len(str(caught.value)) < 500


def test_an_address_of_megabytes_that_a_host_does_not_take_is_not_repeated(driver: Driver, kimi: LocalKimi) -> None:
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key)
    with pytest.raises(UnsupportedError, match="takes no s3 URL") as caught:
        driver.ask(model, [Message("user", (ImagePart("s3://" + "a" * 3_000_000),))])
    assert len(str(caught.value)) < 500


def test_a_broken_picture_in_a_tools_result_becomes_text_and_stops_nothing(driver: Driver, kimi: LocalKimi) -> None:
    call = ToolCall("look:0", "look", "{}")
    said = [
        Message("user", "What is it?"),
        Message("assistant", "", Reasoning("Hm."), (call,)),
        Message("tool", (TextPart("ok"), ImagePart("data:image/png;base64,AAAAA")), tool_call_id=call.id),
    ]
    with pytest.warns(KimiWarning, match="an image was left out") as warned:
        assert driver.ask(driver.make(base_url=kimi.base_url, api_key=kimi.api_key), said).text
    assert len(warned) == 1
    result = kimi.requests[-1].body["messages"][-1]["content"]
    assert result[-1]["text"] == "[an image was left out: it cannot be read here (image/png)]"
