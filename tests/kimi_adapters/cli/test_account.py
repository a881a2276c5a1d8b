"""`kimi-adapters files`, `tokens` and `balance`: on a local server, over HTTP."""

from __future__ import annotations

import json

import pytest
from command_line import CANARY, answering

from kimi_adapters.cli import demo_files
from kimi_adapters.local_server import LocalKimi

# ----------------------------------------------------------------------------------------------------------- files


@pytest.fixture
def paper(tmp_path):
    path = tmp_path / "paper.txt"
    path.write_text("The code is 4711.")
    return path


def test_a_file_is_uploaded_listed_read_and_deleted(at_moonshot, paper):
    id = at_moonshot("files", "upload", str(paper)).stdout.strip()

    listed = at_moonshot("files", "list").stdout
    content = at_moonshot("files", "show", id, "--content").stdout
    deleted = at_moonshot("files", "delete", f"ms://{id}")
    left = at_moonshot("files", "list", "--json").stdout

    assert id in listed
    assert "paper.txt" in listed
    assert content == "The code is 4711."
    assert deleted.returncode == 0
    assert json.loads(left) == []


def test_the_bytes_say_what_a_file_is_for(at_moonshot, paper, tmp_path):
    picture = tmp_path / "chart.bin"
    demo_files.write_png(picture, demo_files.chart())

    made = json.loads(at_moonshot("files", "upload", str(paper), str(picture), "--json").stdout)

    assert [one["purpose"] for one in made] == ["file-extract", "image"]


def test_what_a_file_is_for_can_be_said(at_moonshot, tmp_path):
    lines = tmp_path / "batch.jsonl"
    lines.write_text('{"custom_id": "1"}\n')

    (made,) = json.loads(at_moonshot("files", "upload", str(lines), "--purpose", "batch", "--json").stdout)

    assert made["purpose"] == "batch"


def test_what_was_uploaded_before_a_failure_is_named(at_moonshot, paper, tmp_path):
    empty = tmp_path / "empty.txt"
    empty.touch()

    done = at_moonshot("files", "upload", str(paper), str(empty))

    assert done.returncode == 1
    assert done.stdout.strip()
    assert "empty.txt is empty" in done.stderr


def test_an_upload_shows_how_far_it_is(at_moonshot, paper):
    done = at_moonshot("files", "upload", str(paper), FORCE_COLOR="1", TERM="xterm")

    assert "paper.txt, 17 bytes" in done.stderr
    assert "\x1b" not in done.stdout


def test_what_the_host_knows_of_a_file_is_shown(at_moonshot, paper):
    id = at_moonshot("files", "upload", str(paper)).stdout.strip()

    shown, said = at_moonshot("files", "show", id).stdout, at_moonshot("files", "show", id, "--json").stdout

    assert "paper.txt" in shown
    assert json.loads(said)["bytes"] == 17


def test_deleting_goes_on_after_a_failure_and_says_it(at_moonshot, paper):
    id = at_moonshot("files", "upload", str(paper)).stdout.strip()

    done = at_moonshot("files", "delete", "nothing-of-mine", id, "--json")

    assert done.returncode == 1
    assert [one["deleted"] for one in json.loads(done.stdout)] == [False, True]


def test_a_file_of_a_host_that_keeps_none_is_said(at_moonshot, paper, kimi):
    done = kimi("files", "upload", str(paper), "--host", "openrouter", OPENROUTER_API_KEY=CANARY)

    assert (done.returncode, done.stdout) == (1, "")
    assert "keeps no files" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_a_name_of_a_file_cannot_steer_the_terminal(at_moonshot, arguments):
    file = {"id": "f1", "bytes": 1, "filename": "\x1b]0;title\x07\x9b2J", "purpose": "image", "created_at": 1e300}

    with answering("/v1/files", {"object": "list", "data": [file]}) as address:
        shown = at_moonshot("files", "list", *arguments, MOONSHOT_BASE_URL=address).stdout

    assert "0;title" in shown
    assert not {"\x1b", "\x07", "\x9b"} & {*shown}


# ---------------------------------------------------------------------------------------------------------- tokens


def test_the_host_counts_where_it_can(at_moonshot, moonshot):
    done = at_moonshot("tokens", "What is 20 + 22?")

    assert int(done.stdout) > 0
    assert "As Moonshot AI" in done.stderr
    assert [one.path for one in moonshot.requests] == ["/v1/tokenizers/estimate-token-count"]


def test_tokens_of_what_comes_through_a_pipe(at_moonshot, moonshot):
    at_moonshot("tokens", answers="A long text.")

    assert moonshot.requests[0].body["messages"] == [{"role": "user", "content": "A long text."}]


def test_tokens_of_a_document(at_moonshot, moonshot, paper):
    done = at_moonshot("tokens", "Sum it up.", "--file", str(paper), "--json")

    assert json.loads(done.stdout)["estimate"] is False
    assert "The code is 4711." in json.dumps(moonshot.requests[-1].body["messages"])


def test_without_such_an_endpoint_it_is_said_that_it_is_an_estimate(kimi, no_keys):
    done = kimi("tokens", "What is 20 + 22?", "--host", "openrouter", OPENROUTER_API_KEY=CANARY)

    assert int(done.stdout) > 0
    assert "An estimate" in done.stderr
    assert "no endpoint that counts" in done.stderr


def test_without_a_key_it_is_said_that_it_is_an_estimate(at_moonshot, moonshot):
    done = at_moonshot("tokens", "What is 20 + 22?", "--json", MOONSHOT_API_KEY=None)

    assert json.loads(done.stdout)["estimate"] is True
    assert moonshot.requests == []


def test_offline_no_host_is_asked(at_moonshot, moonshot):
    at_moonshot("tokens", "What is 20 + 22?", "--offline")

    assert moonshot.requests == []


def test_of_what_is_no_text_nothing_is_estimated(at_moonshot, tmp_path):
    scan = tmp_path / "scan.pdf"
    scan.write_bytes(b"%PDF-1.7 \xff\xfe")

    done = at_moonshot("tokens", "--offline", "--file", str(scan))

    assert (done.returncode, done.stdout) == (1, "")
    assert "is no text" in done.stderr


def test_nothing_has_no_tokens_to_count(at_moonshot, moonshot):
    done = at_moonshot("tokens", answers="")

    assert done.returncode == 2
    assert "Nothing is to be counted" in done.stderr


# --------------------------------------------------------------------------------------------------------- balance


def test_the_balance_is_said(at_moonshot):
    assert at_moonshot("balance").stdout.split() == ["available", "49.59", "voucher", "46.59", "cash", "3.00"]


def test_the_balance_is_json_for_programs(at_moonshot):
    assert json.loads(at_moonshot("balance", "--json").stdout)["available"] == 49.58894


def test_an_empty_balance_is_said_to_be_the_end(at_moonshot):
    owed = {"available_balance": -1, "voucher_balance": 0, "cash_balance": -1}

    with answering("/v1/users/me/balance", {"data": owed}) as address:
        assert "topped up" in at_moonshot("balance", MOONSHOT_BASE_URL=address).stderr


def test_a_host_without_balance_is_said(kimi, no_keys):
    with LocalKimi("openrouter", api_key=CANARY) as other:
        done = kimi("balance", "--host", "openrouter", "--base-url", other.base_url, OPENROUTER_API_KEY=CANARY)

    assert (done.returncode, done.stdout) == (1, "")
    assert "has no endpoint for the balance" in done.stderr
