"""`kimi-adapters chat` as a user holds it: in a terminal, with one question, and through a pipe."""

from __future__ import annotations

import functools
import json
import re
import threading

import pytest
from command_line import CANARY

from kimi_adapters.cli import chat as cli_chat
from kimi_adapters.cli import demo_files
from kimi_adapters.cli.chat_view import View
from kimi_adapters.local_server import LocalKimi
from kimi_core import ReasoningDelta, TextDelta

pytestmark = pytest.mark.usefixtures("no_keys")


@pytest.fixture
def chat(at_moonshot):
    """The command, for somebody whose key and address are those of a local server."""
    return functools.partial(at_moonshot, "chat")


def asked(moonshot):
    """The conversations that were sent: role and text of each message."""
    return [[(one["role"], one.get("content")) for one in request.body["messages"]] for request in moonshot.requests]


def interrupted_at(monkeypatch, kind):
    """Ctrl-C when the first event of a kind was shown."""
    shown = View.show
    left = [1]

    def show(self, event):
        shown(self, event)
        if isinstance(event, kind) and left:
            left.pop()
            raise KeyboardInterrupt

    monkeypatch.setattr(View, "show", show)


# ------------------------------------------------------------------------------------------------- one question


def test_one_question_is_answered_on_standard_output_alone(chat):
    done = chat("-p", "What is 20 + 22?")

    assert done.returncode == 0
    assert done.stdout == "20 + 22 = 42\n"


def test_the_line_below_has_tokens_and_price(chat):
    done = chat("-p", "What is 20 + 22?")

    line = " ".join(done.stderr.split())
    assert re.search(
        r"kimi-k2.6 · moonshot · \d+ tokens in · \d+ out \(\d+ thinking\) · about \$0\.\d+ · [\d.]+ s", line
    )


def test_a_question_comes_through_a_pipe(chat):
    assert chat(answers="What is 20 + 22?\n").stdout == "20 + 22 = 42\n"


def test_a_question_is_about_what_comes_through_the_pipe(chat, moonshot):
    chat("-p", "Sum it up.", answers="A long text.\n")

    assert asked(moonshot) == [[("user", "Sum it up.\n\nA long text.")]]


def test_a_pipe_that_does_not_end_is_said(chat, monkeypatch):
    monkeypatch.setattr(cli_chat, "_PATIENCE", 0.0)
    monkeypatch.setattr(threading.Timer, "start", threading.Timer.run)  # its time is up before anything is read

    done = chat(answers="What is 20 + 22?")

    assert "Reading from the pipe" in done.stderr
    assert done.stdout == "20 + 22 = 42\n"


def test_a_question_that_is_given_is_answered_once_in_a_terminal_too(chat, moonshot):
    done = chat("-p", "What is 20 + 22?", typed="and this is not read\n")

    assert done.stdout == "20 + 22 = 42\n"
    assert len(moonshot.requests) == 1


@pytest.mark.parametrize("piped", ["", " \n"])
def test_nothing_is_no_question(chat, moonshot, piped):
    done = chat(answers=piped)

    assert done.returncode == 2
    assert "give -p" in done.stderr
    assert moonshot.requests == []


def test_what_the_host_refuses_is_said_and_fails(chat, moonshot):
    moonshot.fail(9, status=401, type="invalid_authentication_error", message=f"the key {CANARY} is wrong")

    done = chat("-p", "Hello")

    assert done.returncode == 1
    assert "HTTP 401" in done.stderr
    assert done.stdout == ""


def test_an_interrupted_question_has_the_exit_code_of_an_interruption(chat, monkeypatch):
    interrupted_at(monkeypatch, TextDelta)

    assert chat("-p", "What is 20 + 22?").returncode == 130


def test_an_answer_cannot_steer_the_terminal(chat, moonshot):
    moonshot.enqueue(text="\x1b[2Jred\x07")

    assert chat("-p", "Hello").stdout == "[2Jred\n"


def test_an_error_of_a_host_cannot_steer_the_terminal(chat, moonshot):
    moonshot.enqueue(status=400, json={"error": {"message": "\x1b]0;new title\x07", "type": "bad"}}, unchecked=True)

    done = chat("-p", "Hello")

    assert "]0;new title" in done.stderr
    assert "\x1b]" not in done.stderr


# ------------------------------------------------------------------------------------------------- conversations


def test_a_conversation_remembers(chat, moonshot):
    done = chat(typed="The code is 4711.\nWhat is the code?\n/exit\nnever asked\n")

    assert done.returncode == 0
    assert "4711" in done.stdout.rpartition("› ")[0].rpartition("› ")[2]
    first, second = asked(moonshot)
    assert first == [("user", "The code is 4711.")]
    assert [role for role, _ in second] == ["user", "assistant", "user"]


def test_the_end_of_the_input_ends_it(chat, moonshot):
    done = chat(typed="Hello\n")

    assert done.returncode == 0
    assert len(moonshot.requests) == 1


def test_the_sum_is_said_at_the_end_of_several_answers(chat):
    assert "2 answers · kimi-k2.6" in chat(typed="Hello\nWhat is 20 + 22?\n").stderr


def test_the_sum_is_of_the_answers_that_were_not_stopped(chat, monkeypatch):
    interrupted_at(monkeypatch, TextDelta)

    shown = chat(typed="Hello\nHello\nWhat is 20 + 22?\n").stderr

    assert "2 answers · kimi-k2.6 · moonshot · " in shown


def test_a_system_message_comes_first_in_every_turn(chat, moonshot):
    chat("--system", "Be brief.", typed="Hello\nHello again\n")

    assert [conversation[0] for conversation in asked(moonshot)] == [("system", "Be brief.")] * 2


def test_a_new_conversation_forgets(chat, moonshot):
    chat(typed="The code is 4711.\n/new\nWhat is the code?\n")

    assert asked(moonshot)[1] == [("user", "What is the code?")]


def test_an_unknown_command_is_not_asked(chat, moonshot):
    done = chat(typed="/quit\n/etc/hosts is what?\n")

    assert "There is no /quit" in done.stderr
    assert asked(moonshot) == [[("user", "/etc/hosts is what?")]]


def test_an_error_keeps_the_conversation_without_the_question(chat, moonshot):
    moonshot.enqueue(text="Noted.")
    moonshot.enqueue(status=400, json={"error": {"message": "considered high risk", "type": "content_filter"}})

    done = chat(typed="One\nTwo\nThree\n")

    assert done.returncode == 0
    assert "high risk" in done.stderr
    assert asked(moonshot)[-1] == [("user", "One"), ("assistant", "Noted."), ("user", "Three")]


def test_ctrl_c_stops_an_answer_and_keeps_the_session_with_what_came(chat, moonshot, monkeypatch):
    interrupted_at(monkeypatch, TextDelta)
    moonshot.enqueue(text="A very long answer that goes on.")

    done = chat(typed="Tell me.\nGo on.\n")

    assert done.returncode == 0
    assert "Stopped." in done.stderr
    (_, (_, kept), last) = asked(moonshot)[1]
    assert kept
    assert "A very long answer that goes on.".startswith(kept)
    assert last == ("user", "Go on.")


def test_ctrl_c_while_it_thinks_takes_the_question_back(chat, moonshot, monkeypatch):
    interrupted_at(monkeypatch, ReasoningDelta)

    chat(typed="One\nTwo\n")

    assert asked(moonshot)[1] == [("user", "Two")]


def test_ctrl_c_at_the_prompt_says_how_to_leave(chat, monkeypatch):
    lines = iter([KeyboardInterrupt, "/exit"])

    def typed(prompt):
        line = next(lines)
        if isinstance(line, str):
            return line
        raise line

    monkeypatch.setattr("builtins.input", typed)

    done = chat(typed="")

    assert done.returncode == 0
    assert "/exit or Ctrl-D ends" in done.stderr


def test_a_picture_goes_with_the_first_question(chat, moonshot, tmp_path):
    picture = tmp_path / "chart.png"
    demo_files.write_png(picture, demo_files.chart())

    chat("--image", str(picture), "--image", str(picture), typed="What is this?\nThank you.\n")

    (_, parts), *_, last = asked(moonshot)[1]
    assert [part["type"] for part in parts] == ["text", "image_url", "image_url"]
    assert last == ("user", "Thank you.")


def test_a_picture_that_is_not_there_is_said(chat, moonshot):
    done = chat("-p", "What is this?", "--image", "/nowhere.png")

    assert done.returncode == 2
    assert moonshot.requests == []


def test_a_document_goes_with_the_question(chat, moonshot, tmp_path):
    paper = tmp_path / "paper.txt"
    paper.write_text("The code is 4711.")

    done = chat("-p", "What is the code?", "--file", str(paper))

    assert "4711" in done.stdout
    assert "The code is 4711." in str(asked(moonshot))


def test_a_document_that_is_no_text_is_read_by_the_host(chat, moonshot, tmp_path):
    paper = tmp_path / "paper.pdf"
    paper.write_bytes(b"%PDF-1.4\n1 0 obj<</Length 44>>stream\nBT (The code is 4711.) Tj ET\nendstream endobj")

    done = chat("-p", "What is the code?", "--file", str(paper))

    assert done.returncode == 0
    assert moonshot.requests[0].path == "/v1/files"
    assert "4711" in done.stdout


def test_a_picture_among_the_documents_is_sent_as_a_picture(chat, moonshot, tmp_path):
    picture = tmp_path / "chart.bin"
    demo_files.write_png(picture, demo_files.chart())

    chat("-p", "What is this?", "--file", str(picture))

    ((_, parts),) = asked(moonshot)[0]
    assert [part["type"] for part in parts] == ["text", "image_url"]


def test_an_empty_document_is_said_before_anything_is_asked(chat, moonshot, tmp_path):
    empty = tmp_path / "empty.pdf"
    empty.touch()

    done = chat("-p", "What is this?", "--file", str(empty))

    assert done.returncode == 1
    assert "empty.pdf is empty" in done.stderr
    assert moonshot.requests == []


def test_one_answer_is_json_with_reasoning_tokens_and_price(chat, moonshot):
    moonshot.enqueue(reasoning="Six times seven.", text="Forty-two.")

    said = json.loads(chat("-p", "What is it?", "--json").stdout)

    assert said["text"] == "Forty-two."
    assert said["reasoning"] == "Six times seven."
    assert said["finish_reason"] == "stop"
    assert said["usage"]["output_tokens"] > 0
    assert said["cost_usd"] > 0


def test_an_answer_as_json_cannot_steer_the_terminal(chat, moonshot):
    moonshot.enqueue(text="\x1b[2Jred\x9b2J")

    done = chat("-p", "Hello", "--json")

    assert not {"\x1b", "\x9b"} & {*done.stdout}
    assert json.loads(done.stdout)["text"] == "\x1b[2Jred\x9b2J"


def test_a_conversation_is_no_json(chat, moonshot):
    done = chat("--json", typed="Hello\n")

    assert (done.returncode, done.stdout) == (2, "")
    assert "--json answers one question" in done.stderr


def test_a_failed_answer_leaves_standard_output_empty(chat, moonshot):
    moonshot.fail(9, status=401, type="invalid_authentication_error")

    done = chat("-p", "Hello", "--json")

    assert (done.returncode, done.stdout) == (1, "")


def test_a_warning_is_a_note_and_no_trace(chat, moonshot):
    done = chat("-p", "Hello", "--model", "kimi-k2.5")

    assert "does not serve kimi-k2.5 any more" in " ".join(done.stderr.split())
    assert "UserWarning" not in done.stderr
    assert "KimiWarning" not in done.stderr


# ----------------------------------------------------------------------------------------------------- thinking


def test_the_thinking_is_shown_in_a_terminal_and_folded_when_the_answer_begins(chat, moonshot):
    moonshot.enqueue(reasoning="Six times seven.", text="Forty-two.")

    shown = chat("-p", "What is it?", FORCE_COLOR="1", TERM="xterm").stdout

    thought, folded, answer = map(shown.index, ("Six times seven", "▸ thought for", "Forty-two."))
    assert thought < folded < answer
    assert "\x1b[2K" in shown[thought:folded]  # the thinking is wiped out


def test_where_nothing_was_thought_nothing_is_folded(chat, moonshot):
    moonshot.enqueue(text="Forty-two.")

    shown = chat("-p", "What is it?", FORCE_COLOR="1", TERM="xterm").stdout

    assert "Forty-two." in shown
    assert "▸" not in shown


def test_of_long_thinking_the_end_is_shown(chat, moonshot):
    moonshot.enqueue(reasoning="".join(f"line {n}\n" for n in range(100)), text="Done.")

    shown = chat("-p", "Think.", FORCE_COLOR="1", TERM="xterm").stdout

    last = shown[: shown.index("▸ thought")].rpartition("line 99")[0].rpartition("line 93")[2]
    assert "line 94" in last


def test_through_a_pipe_there_is_no_thinking(chat, moonshot):
    moonshot.enqueue(reasoning="Six times seven.", text="Forty-two.")

    done = chat("-p", "What is it?")

    assert done.stdout == "Forty-two.\n"
    assert "Six times" not in done.stderr


# ------------------------------------------------------------------------------------------------- without a key


def test_without_a_key_the_local_server_is_offered(kimi):
    done = kimi("chat", "-p", "Hello")

    assert done.returncode == 1
    assert "kimi-adapters chat --local" in " ".join(done.stderr.split())


def test_the_local_server_answers_without_a_key(kimi):
    done = kimi("chat", "--local", "-p", "What is 20 + 22?")

    assert done.returncode == 0
    assert "42" in done.stdout


def test_the_local_server_is_asked_even_with_a_key(chat, moonshot):
    chat("--local", "-p", "Hello")

    assert moonshot.requests == []


def test_a_conversation_with_the_local_server_says_that_no_model_answers(kimi):
    assert "rules, no model" in kimi("chat", "--local", typed="/exit\n").stderr


def test_a_host_that_no_local_server_imitates_is_said(kimi):
    done = kimi("chat", "--local", "--host", "together", "-p", "Hello")

    assert done.returncode == 1
    assert "No local server stands in for" in done.stderr


def test_another_host_and_address_are_asked(kimi):
    with LocalKimi("aimlapi", api_key=CANARY) as other:
        there = ("--host", "aimlapi", "--base-url", other.base_url, "--model", "kimi-k3")
        done = kimi("chat", *there, "-p", "What is 20 + 22?", AIMLAPI_API_KEY=CANARY)

        assert "42" in done.stdout
        assert other.requests[0].body["model"] == "moonshot/kimi-k3"
