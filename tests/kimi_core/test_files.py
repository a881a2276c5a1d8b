"""The host's files: uploaded, listed, read, deleted; large media and documents by way of them."""

from __future__ import annotations

import asyncio
import base64
import inspect
import io
import logging
import pickle
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from file_server import FileServer
from hypothesis import assume, given
from hypothesis.strategies import binary, text

import kimi_core as core
from kimi_adapters.local_server import LocalKimi
from kimi_core import (
    AsyncKimiClient,
    DocumentPart,
    ImagePart,
    KimiClient,
    Message,
    Request,
    TextPart,
    ToolCall,
    VideoPart,
)
from kimi_core.attachments import attachments, fetch
from kimi_core.cache import UPLOADED, Cache
from kimi_core.endpoints import files
from kimi_core.endpoints.balance import Balance
from kimi_core.media import data_urls, documents
from kimi_core.media.data_urls import MediaError

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)
MP4 = b"\0\0\0\x18ftypmp42" + bytes(8)
PDF = b"%PDF-1.4\n1 0 obj<</Length 44>>stream\nBT (The harbour is 14 m deep.) Tj ET\nendstream endobj\n%%EOF"
CANARY = "sk-canary-9f3b1c77e5d24a60"


class Facade:
    """A client of either kind, called the same way."""

    def __init__(self, made: Any) -> None:
        self.made = made

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.made, name)
        if name == "files":
            return Facade(found)
        return _waited(found) if inspect.iscoroutinefunction(found) else found


def _waited(method: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        return asyncio.run(method(*args, **kwargs))

    return call


@pytest.fixture(params=[KimiClient, AsyncKimiClient], ids=["sync", "async"])
def make(request: pytest.FixtureRequest, kimi: LocalKimi) -> Callable[..., Any]:
    def made(**more: Any) -> Any:
        given = {"host": "moonshot", "base_url": kimi.base_url, "api_key": kimi.api_key, "max_retries": 0, **more}
        return Facade(request.param(**given))

    return made


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    for memory in (UPLOADED, attachments._extracted, fetch._fetched):
        memory.clear()


def ask(*parts: Any, model: str = "kimi-k2.6") -> Request:
    return Request(messages=[Message("user", (*parts, TextPart("What is it?")))], model=model)


def image(data: bytes = PNG) -> ImagePart:
    return ImagePart(data_urls.to_data_url(data, "image/png"))


def video(data: bytes = MP4) -> VideoPart:
    return VideoPart(data_urls.to_data_url(data, "video/mp4"))


def content(kimi: LocalKimi) -> Any:
    return kimi.requests[-1].body["messages"][-1]["content"]


_ID = re.compile(r"/c[0-9a-v]{19}\b.*")


def paths(kimi: LocalKimi) -> list[str]:
    return [f"{r.method} {_ID.sub('', r.path)}" for r in kimi.requests]


# ------------------------------------------------------------------------------------------------- the files


def test_a_file_is_uploaded_listed_shown_read_and_deleted(make: Any, kimi: LocalKimi, tmp_path: Path) -> None:
    (tmp_path / "größe.txt").write_text("14 m\r\ntief", "utf-8", newline="")
    made = make()
    file = made.files.upload(tmp_path / "größe.txt", purpose="file-extract")
    assert (file.filename, file.bytes, file.purpose, file.status) == ("größe.txt", 10, "file-extract", "ok")
    assert file.created_at
    assert file.url == f"ms://{file.id}"
    assert made.files.list() == [file]
    assert made.files.retrieve(file.id) == made.files.retrieve(file.url) == file
    assert made.files.content(file.id) == "14 m\r\ntief"
    assert made.files.delete(file.id) is None
    assert made.files.list() == []


def test_a_file_object_is_frozen_and_can_be_pickled(make: Any) -> None:
    file = make().files.upload(PNG, purpose="image")
    with pytest.raises(AttributeError):
        file.id = "other"
    assert pickle.loads(pickle.dumps(file)) == file


def test_bytes_and_open_files_are_uploaded_under_a_name(make: Any, kimi: LocalKimi, tmp_path: Path) -> None:
    (tmp_path / "dot.png").write_bytes(PNG)
    made = make()
    with (tmp_path / "dot.png").open("rb") as opened:
        uploaded = [made.files.upload(source, purpose="image") for source in (opened, PNG, io.BytesIO(PNG))]
    uploaded.append(made.files.upload(str(tmp_path / "dot.png"), purpose="image", filename='a "b".png'))
    assert [file.filename for file in uploaded[:3]] == ["dot.png", "upload.png", "upload.png"]
    assert [stored.data for stored in kimi.files.all()] == [PNG] * 4


def test_a_name_that_cannot_be_sent_does_not_break_the_upload(make: Any) -> None:
    assert make().files.upload(PNG, purpose="image", filename="half \ud83d.png").filename == "half ?.png"


BAD: dict[str, tuple[Any, type[Exception], str]] = {
    "not there": ("/nowhere/at/all.png", MediaError, "does not exist"),
    "a folder": ("/", MediaError, "is a directory"),
    "empty": (b"", core.MessageError, "upload is empty"),
    "text mode": (io.StringIO("x"), core.ConfigError, "opened in binary mode, not StringIO"),
    "no file": (5, core.ConfigError, "not int"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_file_raises_before_any_io(make: Any, kimi: LocalKimi, case: str) -> None:
    source, error, words = BAD[case]
    with pytest.raises(error, match=words):
        make().files.upload(source, purpose="image")
    assert kimi.requests == []


def test_an_unknown_purpose_raises_before_any_io(make: Any, kimi: LocalKimi) -> None:
    with pytest.raises(core.UnsupportedError, match=r"purpose 'file-extrac'. Did you mean 'file-extract'\?.*video"):
        make().files.upload(PNG, purpose="file-extrac")
    assert kimi.requests == []


def test_a_file_that_is_too_large_raises_before_any_io(make: Any, kimi: LocalKimi) -> None:
    with pytest.raises(core.MessageError, match=r"a\.png has 70 bytes; moonshot takes files up to 50"):
        make(overrides={"media.file_limit": 50}).files.upload(PNG, purpose="image", filename="a.png")
    assert kimi.requests == []


@pytest.mark.parametrize("host", ["aimlapi", "vllm", "generic"])
def test_a_host_without_files_is_named(make: Any, kimi: LocalKimi, host: str) -> None:
    made = make(host=host)
    for call in (
        lambda: made.files.list(),
        lambda: made.files.upload(PNG, purpose="image"),
        lambda: made.files.delete("x"),
    ):
        with pytest.raises(core.UnsupportedError, match=rf"host='{host}'\) keeps no files"):
            call()
    assert kimi.requests == []


def test_a_spec_of_ones_own_may_have_files(make: Any, kimi: LocalKimi) -> None:
    made = make(host="generic", overrides={"endpoints.files": "/files", "media.file_purposes": ("image",)})
    assert made.files.upload(PNG, purpose="image").bytes == len(PNG)


def test_the_id_cannot_lead_elsewhere(make: Any, kimi: LocalKimi) -> None:
    made = make()
    with pytest.raises(core.NotFoundError):
        made.files.retrieve("../models")
    with pytest.raises(core.ConfigError, match="id is needed"):
        made.files.delete("")
    assert [r.path for r in kimi.requests] == ["/v1/files/../models"]  # as the server decodes `..%2Fmodels`


def test_a_picture_has_no_text_to_read(make: Any) -> None:
    made = make()
    file = made.files.upload(PNG, purpose="image")
    with pytest.raises(core.UnsupportedError, match="is no text but image/png"):
        made.files.content(file.id)


def test_a_batch_file_is_read_as_it_is(make: Any) -> None:
    made = make()
    file = made.files.upload(b'{"content": 1}\n{"content": 2}\n', purpose="batch", filename="b.jsonl")
    assert made.files.content(file.id) == '{"content": 1}\n{"content": 2}\n'


def test_what_the_host_refuses_is_our_error_and_names_no_model(make: Any) -> None:
    with pytest.raises(core.NotFoundError) as caught:
        make().files.retrieve("file-gone")
    assert str(caught.value) == "moonshot answered HTTP 404 (resource_not_found_error): file file-gone not found."
    assert caught.value.host == "moonshot"
    assert caught.value.model == ""


def test_an_answer_that_is_about_something_else_is_said(make: Any, kimi: LocalKimi) -> None:
    made = make(overrides={"endpoints.files": "/users/me/balance"})
    with pytest.raises(core.DecodeError, match="not about files"):
        made.files.list()


def test_an_upload_is_tried_again_with_the_same_bytes(make: Any, kimi: LocalKimi) -> None:
    kimi.fail(2, status=503, type="server_unavailable", path="/v1/files")
    file = make(max_retries=2).files.upload(io.BytesIO(PNG), purpose="image", filename="a.png")
    assert [r.status for r in kimi.requests] == [503, 503, 200]
    assert kimi.files.get(file.id).data == PNG


def test_an_unreachable_host_is_our_error(make: Any) -> None:
    with pytest.raises(core.APIConnectionError, match=r"^moonshot could not be reached"):
        make(base_url="http://127.0.0.1:9/v1").files.upload(PNG, purpose="image")


def test_the_key_is_in_no_error_about_files(make: Any, kimi: LocalKimi) -> None:
    kimi.fail(1, status=401, type="invalid_authentication_error", message=f"no {CANARY}", path="/v1/files")
    kimi.api_key, before = CANARY, kimi.api_key
    try:
        with pytest.raises(core.AuthenticationError) as caught:
            make().files.upload(PNG, purpose="image")
    finally:
        kimi.api_key = before
    assert CANARY not in str(caught.value) + repr(vars(caught.value)) + str(pickle.dumps(caught.value))


def test_no_key_raises_before_any_io(make: Any, kimi: LocalKimi) -> None:
    with pytest.raises(core.MissingKeyError):
        make(api_key="").files.list()
    assert kimi.requests == []


def test_the_balance_is_known_where_it_can_be_asked_for(make: Any, kimi: LocalKimi) -> None:
    assert make().balance() == Balance(available=49.58894, voucher=46.58893, cash=3.00001)
    with pytest.raises(core.UnsupportedError, match="no endpoint for the balance"):
        make(host="vllm").balance()
    with pytest.raises(core.DecodeError, match="no balance"):
        make(overrides={"endpoints.balance": "/models"}).balance()


# ----------------------------------------------------------------------------------------------- large media


def test_media_stay_inline_as_long_as_they_fit(make: Any, kimi: LocalKimi) -> None:
    assert make().complete(ask(image(), video())).text
    assert paths(kimi) == ["POST /v1/chat/completions"]


def test_what_makes_a_request_too_large_is_uploaded(make: Any, kimi: LocalKimi) -> None:
    """What came first stays inline: what was sent in earlier turns must be sent again as it was."""
    made = make(overrides={"media.inline_limit": 200})
    made.complete(ask(image(), video(MP4 + bytes(300)), image(PNG + b"2")))
    urls = [part[part["type"]]["url"] for part in content(kimi)[:3]]
    assert [url[:5] for url in urls] == ["data:", "ms://", "ms://"]
    stored = kimi.files.get(urls[1].removeprefix("ms://"))
    assert (stored.purpose, stored.filename, len(stored.data)) == ("video", "upload.mp4", 320)
    assert kimi.requests[-1].status == 200


def test_everything_is_uploaded_when_that_is_asked_for(make: Any, kimi: LocalKimi) -> None:
    answer = make(upload_media=True).complete(ask(image()))
    assert "PNG" in answer.text
    assert [stored.purpose for stored in kimi.files.all()] == ["image"]


def test_nothing_is_uploaded_when_that_is_asked_for(make: Any, kimi: LocalKimi) -> None:
    make(upload_media=False, overrides={"media.inline_limit": 10}).complete(ask(image()))
    assert paths(kimi) == ["POST /v1/chat/completions"]


def test_nothing_is_uploaded_to_a_host_without_files(make: Any, kimi: LocalKimi) -> None:
    kimi.enqueue(text="A dot.", unchecked=True)
    make(host="vllm", upload_media=True).complete(ask(image()))
    assert paths(kimi) == ["POST /v1/chat/completions"]


def test_the_same_content_is_uploaded_once(make: Any, kimi: LocalKimi) -> None:
    request = ask(image(), image())
    make(upload_media=True).complete(request)
    first = content(kimi)
    make(upload_media=True).complete(request)
    assert content(kimi) == first
    assert len(kimi.files.all()) == 1


def test_an_upload_belongs_to_its_account(make: Any, kimi: LocalKimi) -> None:
    make(upload_media=True).complete(ask(image()))
    kimi.api_key, before = "sk-another-account", kimi.api_key
    try:
        make(upload_media=True, api_key="sk-another-account").complete(ask(image()))
    finally:
        kimi.api_key = before
    assert len(kimi.files.all()) == 2


@pytest.mark.parametrize("gone", ["by us", "by others"])
def test_what_was_deleted_is_uploaded_again(make: Any, kimi: LocalKimi, gone: str) -> None:
    made = make(upload_media=True)
    made.complete(ask(image()))
    (stored,) = kimi.files.all()
    if gone == "by us":
        made.files.delete(stored.id)
    else:
        kimi.files.remove(stored.id)
        with pytest.raises(core.BadRequestError, match=f"file {stored.id} not found"):
            made.complete(ask(image()))
    assert made.complete(ask(image())).text
    assert [file.id != stored.id for file in kimi.files.all()] == [True]


def test_a_stream_and_a_count_upload_as_well(kimi: LocalKimi) -> None:
    made = KimiClient(host="moonshot", base_url=kimi.base_url, api_key=kimi.api_key, upload_media=True)
    assert list(made.stream(ask(image())))
    made.count_tokens(ask(video()))
    assert [stored.purpose for stored in kimi.files.all()] == ["image", "video"]


def test_an_async_stream_and_count_upload_as_well(kimi: LocalKimi) -> None:
    made = AsyncKimiClient(host="moonshot", base_url=kimi.base_url, api_key=kimi.api_key, upload_media=True)

    async def both() -> None:
        assert [event async for event in await made.stream(ask(image()))]
        await made.count_tokens(ask(video()))

    asyncio.run(both())
    assert [stored.purpose for stored in kimi.files.all()] == ["image", "video"]


def test_mistakes_are_found_before_anything_is_uploaded(make: Any, kimi: LocalKimi) -> None:
    made = make(upload_media=True)
    with pytest.raises(core.ConfigError):
        made.complete(replace(ask(image()), tool_choice=core.ToolChoice("named", "nothing")))
    assert kimi.requests == []


def test_preparing_does_no_io(make: Any, kimi: LocalKimi) -> None:
    _, wire = make(upload_media=True).prepare(ask(image()))
    assert wire.body["messages"][0]["content"][0]["image_url"]["url"].startswith("data:image/png")
    assert kimi.requests == []


def test_a_request_without_parts_is_handed_back(make: Any) -> None:
    request = Request(messages=[Message("user", "Hello")], model="kimi-k2.6")
    assert make(upload_media=True).attached(request) is request
    request = ask(image())
    assert make().attached(request) is request


def test_uploads_are_said_in_the_log(make: Any, kimi: LocalKimi, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="kimi_core")
    make(upload_media=True).complete(ask(image()))
    (stored,) = kimi.files.all()
    assert f"uploaded the image as ms://{stored.id} to moonshot" in caplog.text


@pytest.mark.parametrize("word", ["fetch_media", "upload_media", "documents"])
def test_an_option_that_is_none_of_the_choices_is_refused(word: str) -> None:
    for value in ("yes", 1, None, "Public"):
        with pytest.raises(core.ConfigError, match=f"{word} must be '"):
            KimiClient(api_key="k", **{word: value})


# ------------------------------------------------------------------------------------- what the local server refuses


@pytest.mark.parametrize(
    ("purpose", "data", "words"),
    [
        ("file-extract", PNG, "with purpose 'file-extract' cannot be used as image"),
        ("batch", PNG, "with purpose 'batch' cannot be used as image"),
        ("image", b"just words", "unsupported image format: text/plain"),
    ],
)
def test_what_is_no_uploaded_picture_is_refused(kimi: LocalKimi, purpose: Any, data: bytes, words: str) -> None:
    made = KimiClient(host="moonshot", base_url=kimi.base_url, api_key=kimi.api_key)
    file = made.files.upload(data, purpose=purpose, filename="a.jsonl" if purpose == "batch" else None)
    with pytest.raises(core.BadRequestError, match=words):
        made.complete(ask(ImagePart(file.url)))


def test_more_files_than_an_account_has_room_for_are_refused(kimi: LocalKimi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kimi_adapters.local_server.files._ROOM", 100)
    made = KimiClient(host="moonshot", base_url=kimi.base_url, api_key=kimi.api_key)
    made.files.upload(PNG, purpose="image")
    with pytest.raises(core.BadRequestError, match="the maximum is 10 GB"):
        made.files.upload(PNG, purpose="image")


# ------------------------------------------------------------------------------------------------- documents


def text_part(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


PLAIN = {
    "notes.md": b"# Notes",
    "data.json": b'{"depth": 14}',
    "a.csv": b"a,b",
    "main.ts": b"const depth = 14",
    "Makefile": b"all:",
    "page.html": b"<p>14 m</p>",
    "bom.txt": "\ufefftief".encode("utf-16"),
}


@pytest.mark.parametrize("name", PLAIN)
def test_plain_text_is_sent_as_text(make: Any, kimi: LocalKimi, name: str) -> None:
    assert make().complete(ask(documents.load(PLAIN[name], name))).text
    text = PLAIN[name].decode("utf-16") if name == "bom.txt" else PLAIN[name].decode()
    assert content(kimi) == [text_part(f"Document {name!r}:\n\n{text}"), text_part("What is it?")]
    assert paths(kimi) == ["POST /v1/chat/completions"]


def test_a_document_without_a_name_is_its_text(make: Any, kimi: LocalKimi) -> None:
    make().complete(ask(documents.load(b"14 m")))
    assert content(kimi)[0] == text_part("14 m")


@given(text())
def test_any_text_is_sent_as_it_is(said: str) -> None:
    assume(said.strip() and not said.startswith(("%PDF-", "%!PS", "{\\rtf", "\ufeff")))
    assume("\0" not in said)
    assert documents.text_of(documents.load(said.encode(), mime="text/plain")) == said
    assert documents.text_of(documents.load(said.encode())) == said


@given(binary(min_size=1))
def test_any_bytes_are_a_text_or_none(data: bytes) -> None:
    try:
        told = documents.text_of(documents.load(data))
    except MediaError:
        assert not data.decode("utf-8-sig").strip()
    else:
        assert told is None or told.strip()


def test_the_charset_of_a_text_is_honoured() -> None:
    part = DocumentPart(data_urls.to_data_url("tief: größer".encode("latin-1"), "text/plain;charset=latin-1"))
    assert documents.text_of(part) == "tief: größer"


def test_a_text_that_is_none_is_said(make: Any, kimi: LocalKimi) -> None:
    with pytest.raises(MediaError, match=r"a\.txt is called text/plain and is no text in UTF-8"):
        make().complete(ask(documents.load(b"\xff\xff\xfe", "a.txt")))
    with pytest.raises(MediaError, match=r"a\.txt has no text in it"):
        make().complete(ask(documents.load(b"  ", "a.txt")))
    with pytest.raises(MediaError, match=r"a\.txt is empty"):
        documents.load(b"", "a.txt")


def test_other_documents_are_an_error_that_names_the_way(make: Any, kimi: LocalKimi) -> None:
    with pytest.raises(core.UnsupportedError, match=r"a\.pdf is application/pdf: documents='extract' uploads it"):
        make().complete(ask(documents.load(PDF, "a.pdf")))
    with pytest.raises(core.UnsupportedError, match="document is application/octet-stream: extract its text"):
        make(host="vllm", documents="extract").complete(ask(documents.load(b"\0\1")))
    with pytest.raises(core.UnsupportedError, match="by its ms address: extract its text"):
        make().complete(ask(DocumentPart("ms://file-abc")))
    assert kimi.requests == []


def test_the_extracted_text_is_a_system_message_before_the_users(make: Any, kimi: LocalKimi) -> None:
    messages = [
        Message("system", "Be brief."),
        Message("user", "Hello"),
        Message("assistant", "Hello."),
        Message("user", (TextPart("How deep is it?"), documents.load(PDF, "harbour.pdf"))),
    ]
    answer = make(documents="extract").complete(Request(messages=messages, model="kimi-k2.6"))
    assert "14 m" in answer.text
    assert kimi.requests[-1].body["messages"][2:] == [
        {"role": "assistant", "content": "Hello."},
        {"role": "system", "content": "Document 'harbour.pdf':\n\nThe harbour is 14 m deep."},
        {"role": "user", "content": [text_part("How deep is it?")]},
    ]
    assert messages[3].content[1].filename == "harbour.pdf", "what was handed over is as it was"


def test_a_packed_pdf_is_read_by_the_local_server(kimi: LocalKimi) -> None:
    packed = zlib.compress(rb"BT (14 \(fourteen\) m) Tj ET")
    data = b"%PDF-1.4\nstream\n" + packed + b"\nendstream"
    assert kimi.files.add("a.pdf", "file-extract", data).text == "14 (fourteen) m"


def test_a_document_is_extracted_once_and_its_file_does_not_stay(make: Any, kimi: LocalKimi) -> None:
    request = ask(documents.load(PDF, "a.pdf"))
    made = make(documents="extract")
    made.complete(request)
    made.complete(request)
    assert paths(kimi) == [
        "POST /v1/files",
        "GET /v1/files",
        "DELETE /v1/files",
        "POST /v1/chat/completions",
        "POST /v1/chat/completions",
    ]
    assert kimi.requests[-1].body == kimi.requests[-2].body
    assert kimi.files.all() == []


def test_the_file_does_not_stay_when_its_text_cannot_be_had(make: Any, kimi: LocalKimi) -> None:
    made = make(documents="extract")
    with pytest.raises(MediaError, match="scan.pdf has no text in it"):
        made.complete(ask(documents.load(b"%PDF-1.4 a scan", "scan.pdf")))
    assert kimi.files.all() == []


def test_a_tools_document_stays_where_it_was(make: Any, kimi: LocalKimi) -> None:
    """A result follows its call at once: nothing can be between."""
    call = ToolCall("functions.read:0", "read", "{}")
    messages = [
        Message("user", "Read it."),
        Message("assistant", "", core.Reasoning("Hm."), (call,)),
        Message("tool", (documents.load(PDF, "a.pdf"), documents.load(b"14", "b.txt")), tool_call_id=call.id),
    ]
    make(documents="extract").complete(Request(messages=messages, model="kimi-k2.6", tools=(core.Tool("read"),)))
    assert content(kimi) == [
        text_part("Document 'a.pdf':\n\nThe harbour is 14 m deep."),
        text_part("Document 'b.txt':\n\n14"),
    ]


def test_a_message_that_is_only_a_document_needs_a_question(make: Any, kimi: LocalKimi) -> None:
    request = Request(messages=[Message("user", (documents.load(PDF, "a.pdf"),))], model="kimi-k2.6")
    with pytest.raises(core.MessageError, match="nothing but a.pdf: add to it what you want to know"):
        make(documents="extract").complete(request)
    assert kimi.requests == []


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer() as running:
        yield running


def test_a_document_by_http_is_fetched_and_read(make: Any, kimi: LocalKimi, server: FileServer) -> None:
    text = server.add("/notes.md", b"The harbour is 14 m deep.", headers={"Content-Type": "text/markdown"})
    pdf = server.add("/the%20harbour.pdf", PDF, headers={"Content-Type": "application/pdf"})
    made = make(fetch_media=True, documents="extract")
    made.complete(ask(DocumentPart(text), DocumentPart(pdf)))
    assert [m["role"] for m in kimi.requests[-1].body["messages"]] == ["system", "user"]
    assert kimi.requests[-1].body["messages"][0]["content"].startswith("Document 'the harbour.pdf':")
    assert content(kimi)[0] == text_part("Document 'notes.md':\n\nThe harbour is 14 m deep.")
    with pytest.raises(core.UnsupportedError, match="by its http address: with fetch_media='public' a call fetches it"):
        make(fetch_media=False).complete(ask(DocumentPart(text)))


# ---------------------------------------------------------------------------------------------------- memory


def test_memory_lets_go_of_what_was_used_longest_ago() -> None:
    memory: Cache[str] = Cache(6, len)
    for key, value in (("a", "aa"), ("b", "bb"), ("c", "cc")):
        memory.put(key, value)
    assert memory.get("a") == "aa"
    memory.put("d", "dd")
    assert [memory.get(key) for key in "abcd"] == ["aa", None, "cc", "dd"]


def test_memory_keeps_the_last_whatever_its_size() -> None:
    memory: Cache[str] = Cache(6, len)
    memory.put("a", "a")
    memory.put("large", "x" * 100)
    assert (memory.get("a"), memory.get("large")) == (None, "x" * 100)
    memory.put("b", "b")
    assert (memory.get("large"), memory.get("b")) == (None, "b")


def test_both_kinds_of_files_have_the_same_face() -> None:
    def surface(cls: type) -> dict[str, list[str]]:
        methods = {n: m for n, m in inspect.getmembers(cls, inspect.isfunction) if not n.startswith("_")}
        return {n: list(inspect.signature(m).parameters) for n, m in methods.items()}

    assert surface(files.Files) == surface(files.AsyncFiles)
