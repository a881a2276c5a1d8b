from __future__ import annotations

import io
import json
import os
import re
from types import SimpleNamespace

import pytest
from rich.console import Console

from kimi_adapters.cli import demo, demo_docs
from kimi_adapters.cli.demo_target import target
from kimi_adapters.local_server import LocalKimi
from kimi_core.errors import MissingKeyError, UnknownHostError

SECTIONS = [section.title for section in demo._SECTIONS]
TITLES = {"LangChain": "ChatKimi in LangChain", "LlamaIndex": "KimiLLM in LlamaIndex"}


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    for name in [name for name in os.environ if name.endswith(("_API_KEY", "_BASE_URL", "_API_BASE"))]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def both(guard):
    """One run of the whole demonstration."""
    guarded = guard()
    done = guarded.kimi("demo")
    return SimpleNamespace(done=done, text=done.stdout, contacted=guarded.contacted)


@pytest.fixture(params=TITLES)
def part(request, both):
    """The part of it that is about one framework."""
    start = both.text.index(TITLES[request.param])
    return both.text[start:].partition("━\n")[2].partition("━")[0]


def section(text, title):
    """The lines of one section."""
    return text.partition(f"  {title}")[2].partition("\n\n")[0]


def test_every_section_of_every_framework_succeeds(both):
    assert both.done.returncode == 0
    assert all(both.text.count(title) == 2 for title in SECTIONS)
    assert both.text.count("✓") == 2 * len(SECTIONS)


def test_no_other_machine_is_contacted(both):
    assert both.contacted == ""


def test_the_frameworks_make_no_noise(both):
    assert both.done.stderr == ""


def test_the_output_fits_the_terminal(both):
    assert max(map(len, both.text.splitlines())) <= 80


def test_without_a_terminal_there_are_no_escapes(both):
    assert "\x1b" not in both.text


def test_it_is_said_that_a_local_emulator_answers(both):
    opening = " ".join(both.text.partition(SECTIONS[0])[0].replace("│", " ").split())

    assert "MOONSHOT_API_KEY is not set" in opening
    assert "it is an emulator: its replies come from rules, not from a model" in opening


def test_the_reasoning_is_shown_apart_from_the_answer(part):
    labels = re.findall(r"^  (\w+)", section(part, SECTIONS[0]), re.MULTILINE)

    assert labels == ["asks", "thinks", "answers", "checked"]


def test_the_agent_lists_reads_in_parallel_adds_and_gives_the_true_sum(part):
    shown = section(part, SECTIONS[1])

    assert re.findall(r"(list_files|read_file|add_numbers)\(", shown) == [
        "list_files",
        *["read_file"] * 4,
        "add_numbers",
    ]
    assert shown.count("thinks") == 4
    assert "517,862.65 is the true sum" in shown


def test_the_sources_of_an_answer_are_named_with_their_scores(part):
    shown = section(part, SECTIONS[4])

    assert re.search(r"reads +\d+ passages of \d+ files", shown)
    assert re.search(r"\d\.\d\d  \S+\.(?:md|py)", shown)
    assert re.search(r"\[\S+\.(?:md|py)\]", shown)


def test_the_bill_counts_calls_tokens_and_marks_costs_as_estimates(both):
    rows = [line.split() for line in both.text.splitlines() if re.match(r" (LangChain|LlamaIndex|total) ", line)]
    counts = [[int(cell.replace(",", "")) for cell in row[1:6]] for row in rows]

    assert [row[0] for row in rows] == ["LangChain", "LlamaIndex", "total"]
    assert [count[0] for count in counts] == [8, 8, 16]
    assert all(map(all, counts))
    assert [sum(column) for column in zip(*counts[:2], strict=True)] == counts[2]
    assert all(row[6] == "~" and re.fullmatch(r"\$0\.0\d\d\d", row[7]) for row in rows)
    assert "16 requests" in both.text


def test_with_a_key_the_host_is_called_and_no_server_started(kimi):
    with LocalKimi(api_key="sk-mine") as host:
        done = kimi("demo", "--framework", "langchain", "--base-url", host.base_url, MOONSHOT_API_KEY="sk-mine")

        assert done.returncode == 0
        assert len(host.requests) == 8
    assert "is an emulator" not in done.stdout
    assert "KimiLLM" not in done.stdout


def test_questions_are_answered_from_the_users_own_documents(kimi, tmp_path):
    (tmp_path / "bees.md").write_text(
        "# Bees\n\nA honey bee dances in the hive to show the others where to find nectar.\n"
    )
    (tmp_path / "ants.txt").write_text(
        "Ants\n\nAn ant lays a trail of scent from the food back to its nest, and others follow.\n"
    )

    done = kimi(
        "demo", "--framework", "llama-index", "--docs", str(tmp_path), "--question", "Why does a honey bee dance?"
    )

    shown = " ".join(section(done.stdout, SECTIONS[4]).split())
    assert done.returncode == 0
    assert "to show the others where to find nectar. [bees.md]" in shown
    assert "ChatKimi" not in done.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--host", "nowhere"], "no host 'nowhere'"),
        (["--base-url", "http://127.0.0.1:9/v1"], "set MOONSHOT_API_KEY"),
        (["--docs", "{empty}"], "No .md, .txt or .rst text"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(kimi, tmp_path, options, said):
    done = kimi("demo", *(option.format(empty=tmp_path) for option in options))

    assert done.returncode == 1
    assert said in " ".join(done.stdout.split())
    assert "Traceback" not in done.stderr


def test_json_has_what_each_part_asked_got_and_took_and_nothing_else_is_printed(kimi):
    done = kimi("demo", "--framework", "langchain", "--json")

    found = json.loads(done.stdout)
    answer, work, extract, *_ = found["parts"]
    assert (done.returncode, done.stderr, found["ok"], found["local"], found["refused"]) == (0, "", True, True, [])
    assert [(part["title"], part["outcome"]) for part in found["parts"]] == [(title, "checked") for title in SECTIONS]
    assert answer["asked"].endswith("Why did sales dip in August?")
    assert "roaster" in answer["answer"]
    assert [call["name"] for call in work["tool_calls"]] == ["list_files", *["read_file"] * 4, "add_numbers"]
    assert work["answer"] == "The result of add_numbers: 517862.65"
    assert extract["answer"]["order_id"] == "HC-2041"
    assert [part["calls"] for part in found["parts"]] == [1, 4, 1, 1, 1]
    assert all(part["output_tokens"] and part["cost_usd"] and part["cost_is_estimate"] for part in found["parts"])


def test_json_says_what_failed_and_what_it_was_refused(capsys):
    with target("moonshot", "kimi-k2.6") as where:
        where.local.fail(1, status=400, message="Not today.")
        code = demo.Demo(where, demo_docs.library(), Console(stderr=True)).print_json(["llama-index"])

    found = json.loads(capsys.readouterr().out)
    failed = found["parts"][0]
    assert (code, found["ok"], len(found["refused"])) == (1, False, 1)
    assert (failed["outcome"], failed["calls"], failed["cost_usd"], failed["answer"]) == ("failed", 0, None, "")
    assert "Not today." in failed["detail"]
    assert [part["outcome"] for part in found["parts"][1:]] == ["checked"] * 4


def test_with_json_an_error_leaves_standard_output_empty(kimi):
    done = kimi("demo", "--host", "nowhere", "--json")

    assert (done.returncode, done.stdout) == (1, "")
    assert "no host 'nowhere'" in " ".join(done.stderr.split())


def perform(where):
    """A demonstration of LangChain in this process: its exit code and what it showed."""
    console = Console(file=io.StringIO(), width=100)
    code = demo.Demo(where, demo_docs.library(), console).run(["langchain"])
    return code, console.file.getvalue()


def test_a_host_that_refuses_fails_every_section_and_its_key_is_not_shown(monkeypatch):
    monkeypatch.setenv("MOONSHOT_API_KEY", "sk-somebody-elses")
    with LocalKimi() as host, target("moonshot", "kimi-k2.6", host.base_url) as where:
        code, shown = perform(where)

    assert code == 1
    assert shown.count("✗ AuthenticationError") == len(SECTIONS)
    assert "sk-somebody-elses" not in shown


def test_a_task_that_a_host_cannot_do_is_skipped_and_says_why():
    with target("aimlapi", "kimi-k2.6") as where:
        code, shown = perform(where)

    assert code == 0
    assert re.search(r"skipped +\S.* takes no image", section(shown, SECTIONS[3]))
    assert shown.count("✓") == len(SECTIONS) - 1


def test_a_request_that_was_refused_fails_the_demonstration_even_if_a_retry_helped():
    with target("moonshot", "kimi-k2.6") as where:
        where.local.fail(1, status=429)
        code, shown = perform(where)

    assert code == 1
    assert shown.count("✓") == len(SECTIONS)
    assert "Refused: 429" in shown


def test_a_wrong_answer_fails_its_section_and_the_others_still_run():
    with target("moonshot", "kimi-k2.6") as where:
        where.local.enqueue(text="Because of the weather.")
        code, shown = perform(where)

    assert code == 1
    assert "✗ WrongAnswer: the memo blames the roaster" in shown
    assert "Failed: LangChain: An answer as it comes" in shown
    assert shown.count("✓") == len(SECTIONS) - 1


@pytest.mark.parametrize("host", ["moonshot", "moonshot-cn", "aimlapi"])
def test_without_a_key_a_local_server_takes_the_hosts_place(host):
    with target(host, "kimi-k2.6") as where:
        assert where.settings.host.name == host
        assert where.settings.base_url == where.local.base_url


def test_with_a_key_there_is_no_local_server(monkeypatch):
    monkeypatch.setenv("AIMLAPI_API_KEY", "sk-mine")

    with target("aimlapi", "kimi-k2.6") as where:
        assert where.local is None
        assert where.settings.base_url == "https://api.aimlapi.com/v1"


def test_a_host_that_wants_no_key_is_called_without_one():
    with target("vllm", "kimi-k2.6") as where:
        assert where.local is None
        assert where.options["api_key"] is None


def test_an_unknown_host_is_an_error():
    with pytest.raises(UnknownHostError), target("nowhere", "kimi-k2.6"):
        pass


def test_another_address_needs_a_key():
    with pytest.raises(MissingKeyError), target("moonshot", "kimi-k2.6", "http://127.0.0.1:9/v1"):
        pass


def test_the_local_server_answers_slowly_only_while_somebody_watches():
    with target("moonshot", "kimi-k2.6") as where:
        with where.live(True):
            assert where.local.chunk_delay > 0
        assert where.local.chunk_delay == 0
        with where.live(False):
            assert where.local.chunk_delay == 0
