"""Files of this machine: which are read, and which never."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from kimi_adapters.local_server import LocalKimi
from kimi_core import ConfigError, FilePart, KimiClient, KimiWarning, Message, Reasoning, Request, TextPart, ToolCall
from kimi_core.media import local_files
from kimi_core.media.data_urls import MediaError

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PNG_URL = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"


@pytest.fixture
def png(tmp_path: Path) -> Path:
    path = tmp_path / "inside" / "a picture.png"
    path.parent.mkdir()
    path.write_bytes(PNG)
    return path


def load(path: Path, kind: str = "image", allowed: local_files.Allowed = True, limit: int | None = None) -> str:
    return local_files.load(FilePart(path, kind), allowed, limit)  # type: ignore[arg-type]


def refuse(path: Path, words: str, kind: str = "image", allowed: local_files.Allowed = True) -> str:
    with pytest.raises(MediaError, match=words) as caught:
        load(path, kind, allowed)
    return str(caught.value)


# ------------------------------------------------------------------------------------------------ what is read


def test_a_picture_is_read_from_its_file(png: Path) -> None:
    assert load(png) == PNG_URL


def test_a_file_of_the_home_directory_is_found(png: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(png.parent))
    assert load(Path("~") / png.name) == PNG_URL


def test_a_picture_is_one_by_its_bytes_whatever_it_is_called(tmp_path: Path) -> None:
    (tmp_path / "wrong.jpg").write_bytes(PNG)
    assert load(tmp_path / "wrong.jpg") == PNG_URL
    (tmp_path / "passwords.png").write_text("hunter2")
    refuse(tmp_path / "passwords.png", r"passwords\.png is of no known format")
    (tmp_path / "passwords.mp4").write_text("hunter2")
    refuse(tmp_path / "passwords.mp4", "is of no known format", kind="video")


def test_a_video_of_an_unusual_brand_is_known_by_those_it_is_compatible_with(tmp_path: Path) -> None:
    video = b"\0\0\0\x1cftypXAVC\x01\0\x1f\xffXAVCmp42iso2" + bytes(8)
    (tmp_path / "clip.mp4").write_bytes(video)
    assert load(tmp_path / "clip.mp4", "video").startswith("data:video/mp4;base64,")


def test_a_document_is_any_file_under_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "note.md").write_text("14 m")
    part = FilePart(tmp_path / "note.md", "document")
    made = local_files.to_part(part, local_files.load(part))
    assert (made.url, made.filename) == ("data:text/markdown;base64,MTQgbQ==", "note.md")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none.png", r"none\.png does not exist"),
        ("", "is a directory"),
        ("pipe", "is no regular file"),
        ("empty.png", r"empty\.png is empty"),
        ("a\0b.png", "cannot be read"),
    ],
)
def test_what_is_no_file_of_bytes_is_refused(tmp_path: Path, name: str, words: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty.png").touch()
    refuse(tmp_path / name, words)
    if "\0" not in name:
        (tmp_path / "link").symlink_to(tmp_path / name)
        refuse(tmp_path / "link", words.replace(r"none\.png", "link").replace(r"empty\.png", "link"))


def test_a_device_is_refused_before_it_is_opened() -> None:
    refuse(Path("/dev/zero"), "is no regular file", kind="document")


def test_the_home_of_nobody_is_refused() -> None:
    refuse(Path("~nobody-of-that-name/a.png"), "cannot be read")


def test_an_address_is_no_path(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="is an address, and no path of a local file"):
        local_files.read((tmp_path / "a.png").as_uri())


def test_no_more_than_can_be_sent_is_read(png: Path) -> None:
    assert load(png, limit=len(PNG)) == PNG_URL
    with pytest.raises(MediaError, match=f"is larger than the {len(PNG) - 1} bytes that can be sent"):
        load(png, limit=len(PNG) - 1)


def test_a_long_path_is_not_repeated_in_the_error(tmp_path: Path) -> None:
    assert len(refuse(tmp_path / ("a/" * 5000), "…")) < 400


# --------------------------------------------------------------------------------------------- allowed folders


def test_what_lies_below_an_allowed_folder_is_read(png: Path, tmp_path: Path) -> None:
    assert load(png, allowed=(str(tmp_path / "other"), str(tmp_path))) == PNG_URL
    (tmp_path / "link").symlink_to(png.parent)
    assert load(tmp_path / "link" / png.name, allowed=(str(png.parent),)) == PNG_URL
    assert load(png, allowed=(str(tmp_path / "link"),)) == PNG_URL


def test_what_lies_elsewhere_is_not_read_whichever_way_it_is_reached(png: Path, tmp_path: Path) -> None:
    inside, secret = png.parent, tmp_path / "secret.png"
    secret.write_bytes(PNG)
    (tmp_path / "inside-too").mkdir()
    (tmp_path / "inside-too" / "a.png").write_bytes(PNG)
    (inside / "file").symlink_to(secret)
    (inside / "folder").symlink_to(tmp_path)
    for path in (
        secret,
        inside / ".." / "secret.png",
        inside / "file",
        inside / "folder" / "secret.png",
        tmp_path / "inside-too" / "a.png",
        inside,
    ):
        refuse(path, "local_files is a list of folders, and it is below none of them", allowed=(str(inside),))


def test_nobody_learns_whether_a_file_elsewhere_exists(png: Path, tmp_path: Path) -> None:
    said = {
        refuse(path, "not read", allowed=(str(png.parent),)) for path in (tmp_path / "a", tmp_path, Path("/dev/null"))
    }
    assert {words.partition(" is ")[2] for words in said} == {
        "not read: local_files is a list of folders, and it is below none of them."
    }


@pytest.mark.parametrize("allowed", [False, ()])
def test_nothing_is_read_where_that_is_said(png: Path, allowed: local_files.Allowed) -> None:
    refuse(png, "is not read: local_files is", allowed=allowed)


@pytest.mark.parametrize("at", ["folder", "file"])
def test_a_link_that_appears_after_the_path_was_resolved_is_not_followed(
    png: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """What happens between two calls of the system cannot be provoked otherwise."""
    folder = png.parent / "sub"
    folder.mkdir()
    png.rename(folder / "a.png")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "a.png").write_bytes(PNG + b"secret")
    asked = os.stat

    def swapped(path: Path) -> os.stat_result:
        known = asked(path)
        if at == "folder":
            folder.rename(tmp_path / "away")
            folder.symlink_to(tmp_path / "secret")
        else:
            (folder / "a.png").unlink()
            (folder / "a.png").symlink_to(tmp_path / "secret" / "a.png")
        return known

    monkeypatch.setattr(local_files.os, "stat", swapped)
    with pytest.raises(MediaError, match="cannot be read"):
        load(folder / "a.png", allowed=(str(png.parent),))


# ------------------------------------------------------------------------------------------------- the setting


@pytest.mark.parametrize("given", ["folder", Path("folder"), [1], [""], ["a\0b"], 1, None, {"a": "b"}])
def test_the_setting_is_true_false_or_a_list_of_folders(given: object) -> None:
    with pytest.raises(ConfigError, match="local_files must be True, False or a list of folders"):
        KimiClient(api_key="k", local_files=given)


def test_folders_are_resolved_at_construction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/of/somebody")
    client = KimiClient(api_key="k", local_files=["uploads", Path("~/pictures")])
    monkeypatch.chdir("/")
    assert client.settings.local_files == (str(tmp_path / "uploads"), "/home/of/somebody/pictures")


# -------------------------------------------------------------------------------------------------- the client


def ask(kimi: LocalKimi, *messages: Message, **given: object) -> None:
    client = KimiClient(base_url=kimi.base_url, api_key=kimi.api_key, **given)
    client.complete(Request(messages=messages, model="kimi-k2.6"))


def test_the_client_reads_a_file_when_the_request_is_sent(kimi: LocalKimi, png: Path) -> None:
    ask(kimi, Message("user", (FilePart(png, "image"), TextPart("What is it?"))))
    assert kimi.requests[-1].body["messages"][0]["content"][0]["image_url"]["url"] == PNG_URL


def test_preparing_alone_reads_nothing_and_says_what_does(png: Path) -> None:
    request = Request(messages=[Message("user", (FilePart(png, "image"),))], model="kimi-k2.6")
    for host in ("moonshot", "runware"):
        with pytest.raises(ValueError, match=r"prepare what client\.attached\(request\) gives"):
            KimiClient(host=host, api_key="k").prepare(request)


@pytest.mark.parametrize("role", ["tool", "assistant"])
def test_files_of_a_tools_result_and_of_a_model_are_not_read(kimi: LocalKimi, png: Path, role: str) -> None:
    seen, call = (TextPart("Look:"), FilePart(png, "image")), ToolCall("look:0", "look", "{}")
    history = {
        "assistant": [Message("user", "Look."), Message("assistant", seen), Message("user", "What is it?")],
        "tool": [
            Message("user", "What is it?"),
            Message("assistant", "", Reasoning("Hm."), (call,)),
            Message("tool", seen, tool_call_id=call.id),
        ],
    }
    with pytest.warns(KimiWarning) as told:
        ask(kimi, *history[role])
    assert len(told) == 1
    assert "was left out" in str(told[0].message)
    (message,) = (m for m in kimi.requests[-1].body["messages"] if m["role"] == role and not m.get("tool_calls"))
    assert [part["text"] for part in message["content"]] == [
        "Look:",
        "[a file was left out: it cannot be read here (named a picture.png)]",
    ]
