"""Pictures and videos by http, in both frameworks: fetched here and sent inline, since Moonshot fetches none."""

from __future__ import annotations

import base64
import pickle
import threading
from collections.abc import Iterator
from typing import Any, cast

import pytest
from drivers import DRIVERS, Driver
from file_server import FileServer
from langchain_core.messages import HumanMessage
from llama_index.core.base.llms.types import ChatMessage, DocumentBlock

from kimi_adapters.local_server import LocalKimi
from kimi_core import ImagePart, Message, Reasoning, TextPart, ToolCall, VideoPart
from kimi_core.attachments import fetch
from kimi_core.cache import UPLOADED
from kimi_core.media.data_urls import MediaError

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)
PNG_URL = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
MP4 = b"\0\0\0\x18ftypmp42" + bytes(8)
CANARY = "sk-canary-9f3b1c77e5d24a60"
ASYNC = [d for d in DRIVERS if d.mode in ("ainvoke", "astream")]


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    fetch._fetched.clear()
    UPLOADED.clear()


@pytest.fixture
def files() -> Iterator[FileServer]:
    with FileServer() as server:
        yield server


def make(driver: Driver, kimi: LocalKimi, **more: Any) -> Any:
    given = {"base_url": kimi.base_url, "api_key": kimi.api_key, "host": "moonshot", "fetch_media": True, **more}
    return driver.make(**given)


def seen(*parts: Any) -> list[Message]:
    return [Message("user", (*parts, TextPart("What is it?")))]


def sent(kimi: LocalKimi, message: int = 0) -> list[str]:
    """The addresses of the pictures and videos in a message as it was sent last."""
    content = kimi.requests[-1].body["messages"][message]["content"]
    return [part[part["type"]]["url"] for part in content if part["type"] != "text"]


def test_a_picture_by_http_is_sent_inline(driver: Driver, kimi: LocalKimi, files: FileServer) -> None:
    files.add("/moved.png", status=302, headers={"Location": "/a.png"})
    url = files.add("/a.png", PNG, headers={"Content-Type": "image/jpeg"})
    answer = driver.ask(make(driver, kimi), seen(ImagePart(url), ImagePart(files.url("/moved.png"))))
    assert "PNG" in answer.text
    assert sent(kimi) == [PNG_URL, PNG_URL]


def test_a_video_by_http_is_sent_inline(driver: Driver, kimi: LocalKimi, files: FileServer) -> None:
    answer = driver.ask(make(driver, kimi), seen(VideoPart(files.add("/a", MP4))))
    assert "MP4" in answer.text
    assert sent(kimi)[0].startswith("data:video/mp4;base64,")


BROKEN = "http://["
MESSAGES: dict[str, list[Any]] = {
    "langchain": [HumanMessage([{"type": "file", "url": BROKEN, "mime_type": "application/pdf"}])],
    "llama_index": [ChatMessage(role="user", blocks=[DocumentBlock(url=BROKEN)])],
}


def test_an_address_that_is_none_raises_before_the_host_is_asked(driver: Driver, kimi: LocalKimi) -> None:
    what = () if driver.framework == "langchain" else ("chat",)
    with pytest.raises(MediaError, match="is no http address"):
        cast(Any, driver)._run(make(driver, kimi, documents="extract"), *what, MESSAGES[driver.framework], {})
    assert kimi.requests == []


def test_by_default_only_public_addresses_are_asked(driver: Driver, kimi: LocalKimi, files: FileServer) -> None:
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key)
    assert model.fetch_media == "public"
    with pytest.raises(MediaError, match=r"127\.0\.0\.1, which is no public address"):
        driver.ask(model, seen(ImagePart(files.add("/a.png", PNG))))
    assert files.requests == []
    assert kimi.requests == []


def test_nothing_is_fetched_when_that_is_said(driver: Driver, kimi: LocalKimi, files: FileServer) -> None:
    """The host's own answer would be 400 `unsupported image url`."""
    url = files.add("/a.png", PNG)
    with pytest.raises(ValueError, match=r"takes no http URL for an image.*fetch_media='public'"):
        driver.ask(make(driver, kimi, fetch_media=False), seen(ImagePart(url)))
    assert files.requests == []
    assert kimi.requests == []


def test_a_call_may_say_what_is_fetched(driver: Driver, kimi: LocalKimi, files: FileServer) -> None:
    model = make(driver, kimi, fetch_media=False)
    assert driver.ask(model, seen(ImagePart(files.add("/a.png", PNG))), fetch_media=True).text
    assert sent(kimi) == [PNG_URL]


def test_a_host_that_fetches_gets_the_address(driver: Driver, kimi: LocalKimi, files: FileServer) -> None:
    kimi.enqueue(text="A dot.", unchecked=True)
    url = files.add("/a.png", PNG)
    driver.ask(make(driver, kimi, host="vllm"), seen(ImagePart(url)))
    assert sent(kimi) == [url]
    assert files.requests == []


def test_nothing_is_fetched_for_a_model_that_reads_no_pictures(
    driver: Driver, aimlapi: LocalKimi, files: FileServer
) -> None:
    with pytest.raises(ValueError, match="takes no image"):
        driver.ask(make(driver, aimlapi, host="aimlapi"), seen(ImagePart(files.add("/a.png", PNG))))
    assert files.requests == []


def test_nothing_is_fetched_for_a_call_that_is_wrong(driver: Driver, kimi: LocalKimi, files: FileServer) -> None:
    with pytest.raises(ValueError, match="stop"):
        driver.ask(make(driver, kimi), seen(ImagePart(files.add("/a.png", PNG))), stop=["x" * 33])
    assert files.requests == []


def test_every_turn_of_a_loop_sends_the_same_bytes(driver: Driver, kimi: LocalKimi, files: FileServer) -> None:
    files.add("/a.png", PNG)
    url = files.add("/a.png", PNG + b"changed in between")
    call = ToolCall("functions.look:0", "look", "{}")
    history = seen(ImagePart(url))
    model = make(driver, kimi)
    for _ in range(3):
        driver.ask(model, history)
        assert sent(kimi) == [PNG_URL]
        history = [
            *history,
            Message("assistant", "", Reasoning("Hm."), (call,)),
            Message("tool", "nothing", tool_call_id=call.id),
        ]
    assert files.asked("/a.png") == 1


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "gone": ({"status": 404}, "answered HTTP 404"),
    "a page": ({"data": b"<html>", "headers": {"Content-Type": "text/html"}}, "text/html, which Kimi does not take"),
    "a video": ({"data": MP4}, "is video/mp4: send it as a video, not as an image"),
    "too large": ({"data": PNG + bytes(200)}, "larger than the 150 bytes"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_sent_raises_before_the_host_is_asked(
    driver: Driver, kimi: LocalKimi, files: FileServer, case: str
) -> None:
    served, words = BAD[case]
    url = files.add("/a.png", **served)
    with pytest.raises(MediaError, match=words) as caught:
        driver.ask(make(driver, kimi, overrides={"media.file_limit": 150}), seen(ImagePart(url)))
    assert "/a.png" in str(caught.value)
    assert kimi.requests == []


def test_the_key_and_the_headers_stay_with_the_host(
    driver: Driver, kimi: LocalKimi, files: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", f"X-Custom: {CANARY}")
    url = files.add("/a.png", PNG)
    with LocalKimi(api_key=CANARY) as secret:
        given = {"default_headers": {"X-Token": CANARY}, "extra_headers": {"X-More": CANARY}}
        driver.ask(make(driver, secret, **given), seen(ImagePart(url)))
    assert len(files.requests) == 1
    assert CANARY not in str(files.requests)
    assert "authorization" not in files.requests[0][1]


@pytest.mark.parametrize("driver", ASYNC, ids=[d.name for d in ASYNC], indirect=False)
def test_several_pictures_are_fetched_at_a_time(driver: Driver, kimi: LocalKimi, files: FileServer) -> None:
    """Each is answered only when the other was asked for as well."""
    both = threading.Barrier(2)
    urls = [files.add(f"/{name}.png", PNG, before=lambda: both.wait(20)) for name in "ab"]
    assert driver.ask(make(driver, kimi), seen(*map(ImagePart, urls))).text


def test_large_media_are_uploaded_once(driver: Driver, kimi: LocalKimi, files: FileServer) -> None:
    model = make(driver, kimi, overrides={"media.inline_limit": 50, "media.file_limit": 1000})
    url = files.add("/a.mp4", MP4 + bytes(100))
    for _ in range(2):
        assert "MP4" in driver.ask(model, seen(VideoPart(url))).text
    (stored,) = kimi.files.all()
    assert sent(kimi) == [f"ms://{stored.id}"]


def test_the_options_can_be_given_for_a_call(driver: Driver, kimi: LocalKimi) -> None:
    driver.ask(make(driver, kimi), seen(ImagePart(PNG_URL)), upload_media=True)
    assert len(kimi.files.all()) == 1


def test_the_options_travel_with_a_pickled_model(driver: Driver, kimi: LocalKimi, files: FileServer) -> None:
    model = make(driver, kimi, upload_media=True, documents="extract")
    again = pickle.loads(pickle.dumps(model))
    assert (again.fetch_media, again.upload_media, again.documents) == (True, True, "extract")
    assert driver.ask(again, seen(ImagePart(files.add("/a.png", PNG)))).text
    assert len(kimi.files.all()) == 1


def test_a_value_of_no_meaning_is_refused(framework: Driver) -> None:
    with pytest.raises(ValueError, match="fetch_media must be 'public' or a valid boolean"):
        framework.make(api_key="k", fetch_media="private")
