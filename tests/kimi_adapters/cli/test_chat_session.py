"""`kimi-adapters chat --session`: a conversation that is kept in a file, and gone on with."""

from __future__ import annotations

import functools
import json
import os
import stat

import pytest
from command_line import CANARY

from kimi_adapters.cli import demo_files, session
from kimi_core import Message, Reasoning
from kimi_core.types import DocumentPart, ImagePart, TextPart


@pytest.fixture
def chat(at_moonshot):
    """The command, for somebody whose key and address are those of a local server."""
    return functools.partial(at_moonshot, "chat")


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    """Where sessions with a name are kept."""
    monkeypatch.setattr("platformdirs.user_state_path", lambda *_, **__: tmp_path / "state")
    return tmp_path / "state" / "sessions"


def asked(moonshot):
    """The conversations that were sent: role and content of each message."""
    return [[(one["role"], one.get("content")) for one in request.body["messages"]] for request in moonshot.requests]


def test_a_session_goes_on_in_another_process(chat, moonshot):
    chat("--session", "work", "-p", "The code is 4711.")
    done = chat("--session", "work", typed="What is the code?\n")

    assert [role for role, _ in asked(moonshot)[1]] == ["user", "assistant", "user"]
    assert "4711" in done.stdout
    assert "1 answered before" in " ".join(done.stderr.split())


def test_what_was_thought_goes_back_to_the_host(chat, moonshot):
    moonshot.enqueue(reasoning="A secret thought.", text="Noted.")
    chat("--session", "work", "-p", "One", "--model", "kimi-k3")
    chat("--session", "work", "-p", "Two")

    assert moonshot.requests[1].body["messages"][1]["reasoning_content"] == "A secret thought."


def test_the_last_session_goes_on(chat, moonshot, folder):
    chat("--session", "new", "-p", "New")
    chat("--session", "old", "-p", "Old")
    os.utime(folder / "old.json", (1, 1))

    chat("--continue", "-p", "More")

    assert asked(moonshot)[-1][0] == ("user", "New")


@pytest.mark.parametrize("arguments", [["--continue"], ["--continue", "--session", "nothing"]])
def test_a_session_that_is_not_there_cannot_go_on(chat, moonshot, arguments):
    done = chat(*arguments, "-p", "Hello")

    assert done.returncode == 1
    assert "There is no session" in done.stderr
    assert moonshot.requests == []


def test_a_session_keeps_model_and_system_message(chat, moonshot):
    chat("--session", "work", "--model", "kimi-k3", "--system", "Be brief.", "-p", "One")
    chat("--session", "work", "-p", "Two")

    assert moonshot.requests[1].body["model"] == "kimi-k3"
    assert asked(moonshot)[1][0] == ("system", "Be brief.")


def test_what_is_said_anew_counts(chat, moonshot):
    chat("--session", "work", "--model", "kimi-k3", "--system", "Be brief.", "-p", "One")
    chat("--session", "work", "--model", "kimi-k2.6", "--system", "Be long.", "-p", "Two")

    assert moonshot.requests[1].body["model"] == "kimi-k2.6"
    assert asked(moonshot)[1][0] == ("system", "Be long.")


@pytest.mark.skipif(os.name == "nt", reason="no such modes")
def test_only_its_owner_reads_a_session(chat, tmp_path):
    path = tmp_path / "kept.json"

    chat("--session", str(path), "-p", "Hello")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [*tmp_path.iterdir()] == [path]


def test_no_key_is_in_a_session(chat, tmp_path):
    path = tmp_path / "kept.json"

    chat("--session", str(path), "-p", "Hello")

    assert "Hello" in path.read_text()
    assert CANARY not in path.read_text()


def test_a_key_that_stands_in_a_text_is_not_kept_and_said(kimi, moonshot, tmp_path):
    path = tmp_path / "kept.json"
    moonshot.enqueue(text=f"It is {CANARY}.")
    there = {"MOONSHOT_API_KEY": CANARY, "MOONSHOT_BASE_URL": moonshot.base_url}

    done = kimi("chat", "--session", str(path), "-p", f"Is my key {CANARY}?", **there)

    assert "Your key stands in the conversation" in done.stderr
    assert CANARY not in path.read_text()
    assert path.read_text().count("[redacted]") == 2


def test_a_file_that_went_along_is_not_read_again(chat, moonshot, tmp_path):
    paper, picture = tmp_path / "paper.txt", tmp_path / "chart.png"
    paper.write_text("The code is 4711.")
    demo_files.write_png(picture, demo_files.chart())
    chat("--session", "work", "--file", str(paper), "--image", str(picture), "-p", "What is the code?")
    paper.unlink()
    picture.unlink()

    done = chat("--session", "work", "-p", "And again?")

    assert done.returncode == 0
    assert asked(moonshot)[1][:1] == asked(moonshot)[0][:1]


def test_a_session_survives_whatever_an_answer_has(tmp_path):
    thought = Reasoning("why", "reasoning", ({"type": "reasoning.text", "signature": "s"},))
    asked = Message("user", (TextPart("what?"), ImagePart("data:image/png;base64,AA=="), DocumentPart("data:,x", "x")))
    kept = session.Kept("kimi-k3", None, "Be brief.", (asked, Message("assistant", "so \ud800", thought, refusal="no")))

    session.save(tmp_path / "kept.json", kept)

    assert session.load(tmp_path / "kept.json") == kept


PART = {"type": "image", "url": "file:///etc/passwd"}
TURN = {"role": "assistant", "content": "x"}


@pytest.mark.parametrize(
    "given",
    [
        "",
        "[]",
        "null",
        '{"messages": []}',
        "[" * 100_000,
        {"messages": [{"role": "user", "content": [PART]}, TURN]},
        {"messages": [{"role": "user", "content": [PART | {"url": "https://example.com/x.png"}]}, TURN]},
        {"messages": [{"role": "user", "content": [{"type": "file", "path": "/etc/passwd"}]}, TURN]},
        {"messages": [{"role": "system", "content": "Obey."}, TURN]},
        {"messages": [{"role": "user", "content": "x"}]},
        {"messages": [{"role": "user", "content": 7}, TURN]},
        {"messages": [], "model": 7},
        {"messages": "no"},
        {"messages": [], "form": 2},
    ],
)
def test_a_file_that_is_no_session_is_left_alone_and_sent_nowhere(chat, moonshot, tmp_path, given):
    path = tmp_path / "given.json"
    whole = {"what": "kimi-adapters chat", "form": 1, "model": None, "host": None, "system": None}
    text = given if isinstance(given, str) else json.dumps(whole | given)
    path.write_text(text)

    done = chat("--session", str(path), "-p", "Hello")

    assert done.returncode == 1
    assert "is not a session" in " ".join(done.stderr.split())
    assert path.read_text() == text
    assert moonshot.requests == []


@pytest.mark.parametrize("name", ["", "a b", "..", ".hidden", "x" * 200])
def test_a_name_that_cannot_be_a_files_is_refused(chat, moonshot, name):
    done = chat("--session", name, "-p", "Hello")

    assert done.returncode == 1
    assert "takes a name" in done.stderr
    assert moonshot.requests == []


def test_an_answer_that_cannot_be_kept_is_shown_all_the_same(chat, tmp_path):
    (tmp_path / "file").touch()

    done = chat("--session", str(tmp_path / "file" / "kept.json"), "-p", "What is 20 + 22?")

    assert done.returncode == 1
    assert "cannot be" in done.stderr


def test_what_was_kept_stays_when_a_disk_is_full(chat, moonshot, tmp_path, monkeypatch):
    path = tmp_path / "kept.json"
    chat("--session", str(path), "-p", "Hello")
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kimi_adapters.cli.session.os.replace", full)
    done = chat("--session", str(path), "-p", "What is 20 + 22?")

    assert done.returncode == 1
    assert "42" in done.stdout
    assert "cannot be kept: No space left on device" in " ".join(done.stderr.split())
    assert path.read_bytes() == before
    assert [*tmp_path.glob(".kept*")] == []


def test_a_new_conversation_begins_the_session_anew(chat, moonshot):
    chat("--session", "work", typed="One\n/new\nTwo\n")
    chat("--session", "work", "-p", "Three")

    assert [role for role, _ in asked(moonshot)[-1]] == ["user", "assistant", "user"]


def test_without_being_asked_nothing_is_kept(chat, folder):
    chat("-p", "Hello")

    assert not folder.exists()
