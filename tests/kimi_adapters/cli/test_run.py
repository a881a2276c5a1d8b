"""`kimi-adapters run`: every row of a file is asked once, whatever happens on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from inline_snapshot import snapshot

from kimi_adapters.local_server import LocalKimi
from kimi_adapters.rows.journal import Journal

CANARY = "sk-canary-4711"
SUM = "What is {a} + {b}?"


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    for name in [name for name in os.environ if name.endswith(("_API_KEY", "_BASE_URL", "_API_BASE"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def moonshot():
    with LocalKimi(api_key=CANARY) as local:
        yield local


@pytest.fixture
def run(kimi, moonshot, tmp_path, monkeypatch):
    """The command in the folder of the rows, for somebody whose key and address are those of a local server."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        given = {"MOONSHOT_API_KEY": CANARY, "MOONSHOT_BASE_URL": moonshot.base_url}
        done = kimi("run", *map(str, arguments), **given)
        assert CANARY not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return call


@pytest.fixture
def rows(tmp_path):
    """Writes the input."""

    def write(*given, name="in.jsonl"):
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in given))

    return write


def sums(number):
    return [{"a": place, "b": 1} for place in range(number)]


def output(tmp_path, name="out.jsonl"):
    return [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]


def prompts(moonshot):
    return [request.body["messages"][-1]["content"] for request in moonshot.requests]


def journal(tmp_path):
    return (tmp_path / "out.jsonl.journal").read_text()


# -------------------------------------------------------------------------------------------------- input, output


def test_a_row_keeps_its_columns_and_gets_its_answer(run, rows, tmp_path):
    rows({"id": "x", "a": 20, "b": 22, "more": {"deep": [1]}})

    assert run("in.jsonl", "out.jsonl", "-p", SUM).returncode == 0

    assert output(tmp_path) == snapshot(
        [
            {
                "id": "x",
                "a": 20,
                "b": 22,
                "more": {"deep": [1]},
                "answer": "20 + 22 = 42",
                "reasoning": "The user says: “What is 20 + 22?” There is a sum to work out: 20 + 22. Now I answer.",
                "usage": {
                    "input_tokens": 11,
                    "output_tokens": 24,
                    "total_tokens": 35,
                    "cached_tokens": 0,
                    "reasoning_tokens": 21,
                },
                "cost_usd": 0.00010645,
                "error": None,
            }
        ]
    )


def test_the_output_is_in_the_order_of_the_input(run, rows, tmp_path):
    rows(*sums(30))

    run("in.jsonl", "out.jsonl", "-p", SUM, "--concurrency", 8)

    assert [row["answer"] for row in output(tmp_path)] == [f"{a} + 1 = {a + 1}" for a in range(30)]


def test_parquet_keeps_the_types_of_its_columns(run, tmp_path):
    types = pa.schema(
        [("a", pa.int16()), ("b", pa.int64()), ("when", pa.timestamp("ms")), ("tags", pa.list_(pa.string()))]
    )
    pq.write_table(
        pa.table({"a": [1, 2], "b": [3, 4], "when": [0, 1], "tags": [["x"], []]}, types), tmp_path / "in.parquet"
    )

    assert run("in.parquet", "out.parquet", "-p", SUM).returncode == 0

    written = pq.read_table(tmp_path / "out.parquet")
    assert written.select(["a", "b", "when", "tags"]).equals(pq.read_table(tmp_path / "in.parquet"))
    assert written["answer"].to_pylist() == ["1 + 3 = 4", "2 + 4 = 6"]
    assert written["usage"][0].as_py()["reasoning_tokens"] > 0


def test_times_and_durations_of_nanoseconds_stay_whole(run, tmp_path):
    kinds = {"time": pa.time64("ns"), "when": pa.timestamp("ns"), "zone": pa.timestamp("ns", "Asia/Tokyo")}
    columns = {name: pa.array([1], kind) for name, kind in {**kinds, "duration": pa.duration("ns")}.items()}
    given = pa.table({"a": [1], **columns, "bytes": [b"\xff"]})
    pq.write_table(given, tmp_path / "in.parquet")
    pq.write_table(given.drop_columns(["bytes"]), tmp_path / "lines.parquet")

    run("in.parquet", "out.parquet", "-p", "{a}")
    run("lines.parquet", "out.jsonl", "-p", "{a}")

    written = pq.read_table(tmp_path / "out.parquet")
    assert written.select(given.column_names).equals(given)
    assert output(tmp_path)[0].items() >= {
        ("time", "00:00:00.000000001"),
        ("when", "1970-01-01 00:00:00.000000001"),
        ("duration", 1),
    }


@pytest.mark.parametrize(
    ("columns", "arguments", "said"),
    [
        ({"a": [b"x"]}, ("out.parquet", "-p", "{a}"), "'a' holds bytes, which cannot stand in a prompt"),
        ({"a": [1], "b": [[b"x"]]}, ("out.jsonl", "-p", "{a}"), "'b' holds bytes, which JSON does not have"),
        ({"a": [1], "b": [{"c": b"x"}]}, ("out.jsonl", "-p", "{a}"), "'b' holds bytes, which JSON does not have"),
    ],
)
def test_bytes_are_refused_where_they_would_become_something_else(run, tmp_path, moonshot, columns, arguments, said):
    pq.write_table(pa.table(columns), tmp_path / "in.parquet")

    done = run("in.parquet", *arguments)

    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert moonshot.requests == []


def test_two_columns_of_one_name_are_refused(run, tmp_path):
    pq.write_table(pa.table([[1], [2]], names=["a", "a"]), tmp_path / "in.parquet")

    assert "more than one column 'a'" in run("in.parquet", "out.jsonl", "-p", "{a}").stderr


@pytest.mark.parametrize("second", ['"one"', "{}", str(2**70), '"\\ud800"'])
def test_lines_that_cannot_be_parquet_are_refused_before_anything_is_asked(run, tmp_path, moonshot, second):
    (tmp_path / "in.jsonl").write_text(f'{{"a": 1, "b": 1}}\n{{"a": {second}, "b": 1}}\n')

    done = run("in.jsonl", "out.parquet", "-p", SUM)

    assert done.returncode == 2
    assert "Write .jsonl instead" in " ".join(done.stderr.split())
    assert moonshot.requests == []
    assert not (tmp_path / "out.parquet").exists()


def test_halves_of_characters_come_back_as_they_were(run, rows, tmp_path):
    rows({"a": 1, "b": 1, "text": "\ud83d", "\ud800": "é"})

    assert run("in.jsonl", "out.jsonl", "-p", SUM).returncode == 0

    assert output(tmp_path)[0].items() >= {("answer", "1 + 1 = 2"), ("text", "\ud83d"), ("\ud800", "é")}


def test_a_link_leads_to_the_output_afterwards_as_well(run, rows, tmp_path):
    rows(*sums(1))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out.jsonl").symlink_to(tmp_path / "elsewhere" / "out.jsonl")

    run("in.jsonl", "out.jsonl", "-p", SUM)

    assert (tmp_path / "out.jsonl").is_symlink()
    assert len((tmp_path / "elsewhere" / "out.jsonl").read_text().splitlines()) == 1


def test_values_that_are_no_text_are_asked_as_json(run, rows, moonshot):
    rows({"a": {"x": [1, "é"]}})

    run("in.jsonl", "out.jsonl", "-p", "Look at {a} and {{braces}}.")

    assert prompts(moonshot) == ['Look at {"x": [1, "é"]} and {braces}.']


def test_a_system_message_is_filled_too(run, rows, moonshot):
    rows({"a": 1, "language": "French"})

    run("in.jsonl", "out.jsonl", "-p", "{a}?", "--system", "Answer in {language}.")

    assert moonshot.requests[0].body["messages"][0] == {"role": "system", "content": "Answer in French."}


def test_options_hold_for_each_call(run, rows, moonshot):
    rows(*sums(1))

    run("in.jsonl", "out.jsonl", "-p", SUM, "--option", "thinking=false", "--option", "max_tokens=99")

    body = moonshot.requests[0].body
    assert (body["thinking"], body["max_completion_tokens"]) == ({"type": "disabled"}, 99)


def test_answers_by_a_schema_are_objects(run, rows, tmp_path):
    schema = {"type": "object", "properties": {"code": {"type": "integer"}}, "required": ["code"]}
    (tmp_path / "schema.json").write_text(json.dumps(schema))
    rows({"code": 4711})

    run("in.jsonl", "out.jsonl", "-p", "The code is {code}. What is the code?", "--schema", "schema.json")

    assert output(tmp_path)[0]["answer"] == {"code": 4711}


def test_an_empty_file_is_written_empty(run, rows, tmp_path):
    rows()

    assert run("in.jsonl", "out.jsonl", "-p", SUM).returncode == 0
    assert output(tmp_path) == []


# ------------------------------------------------------------------------------------------ wrong before any call


@pytest.mark.parametrize(
    ("row", "arguments", "said"),
    [
        ({"a": 1}, ("in.jsonl", "out.jsonl", "-p", SUM), "no column 'b'"),
        ({"a": 1}, ("in.jsonl", "out.jsonl", "-p", "{a.__class__}"), "no column 'a.__class__'"),
        ({"a": 1}, ("in.jsonl", "out.jsonl", "-p", "{a!r}"), "something else than a column"),
        ({"a": 1}, ("in.jsonl", "out.jsonl", "-p", "{a"), "cannot be read"),
        ({"a": 1}, ("in.jsonl", "out.csv", "-p", "{a}"), "neither JSON Lines nor Parquet"),
        ({"a": 1}, ("in.jsonl", "in.jsonl", "-p", "{a}"), "input and output"),
        ({"a": 1}, ("in.jsonl", "no/out.jsonl", "-p", "{a}"), "no folder"),
        ({"a": 1, "answer": 2}, ("in.jsonl", "out.jsonl", "-p", "{a}"), "--prefix"),
        ({"a": 1}, ("in.jsonl", "out.jsonl", "-p", "{a}", "--option", "thinking"), "name=value"),
        ({"a": 1}, ("in.jsonl", "out.jsonl", "-p", "{a}", "--option", "temprature=1"), "temprature"),
        ({"a": 1}, ("in.jsonl", "out.jsonl", "-p", "{a}", "--limits", "tier9"), "tier9"),
        ({"a": 1}, ("in.jsonl", "out.jsonl", "-p", "{a}", "--budget", "-1"), "budget"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_asked(run, rows, moonshot, tmp_path, row, arguments, said):
    rows(row)

    done = run(*arguments)

    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert moonshot.requests == []
    assert not (tmp_path / "out.jsonl").exists()


def test_a_line_that_is_no_json_is_named(run, tmp_path, moonshot):
    (tmp_path / "in.jsonl").write_text('{"a": 1}\n\n{"a": \n')

    assert "Line 3 of in.jsonl is no JSON" in run("in.jsonl", "out.jsonl", "-p", "{a}").stderr
    assert moonshot.requests == []


def test_a_number_that_is_out_of_range_is_named(run, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"a": 1}\n{"a": 1e999}\n')

    shown = " ".join(run("in.jsonl", "out.jsonl", "-p", "{a}").stderr.split())

    assert "Line 2 of in.jsonl is no JSON: the number 1e999 is out of range" in shown


# ----------------------------------------------------------------------------------------------------- failures


def refusal():
    return {"status": 400, "json": {"error": {"message": "considered high risk", "type": "content_filter"}}}


def test_a_row_that_fails_is_one_error_in_its_place(run, rows, tmp_path, moonshot):
    rows(*sums(3))
    moonshot.enqueue(**refusal())

    done = run("in.jsonl", "out.jsonl", "-p", SUM, "--concurrency", 1)

    assert done.returncode == 1
    first, *others = output(tmp_path)
    assert first["answer"] is None
    assert first["error"].startswith("ContentFilterError: ")
    assert [row["error"] for row in others] == [None, None]
    assert "ContentFilterError 1" in done.stderr


def test_a_row_without_a_value_is_not_asked(run, rows, tmp_path, moonshot):
    rows({"a": 1, "b": 2}, {"a": None, "b": 2}, {"b": 2})

    run("in.jsonl", "out.jsonl", "-p", SUM)

    assert [row["error"] for row in output(tmp_path)] == [None, *["ValueError: the column 'a' is empty"] * 2]
    assert len(moonshot.requests) == 1


def test_an_answer_that_does_not_fit_the_schema_is_an_error_with_its_price(run, rows, tmp_path, moonshot):
    (tmp_path / "schema.json").write_text('{"type": "object", "properties": {"a": {"type": "integer"}}}')
    rows(*sums(1))
    moonshot.enqueue(text='{"a": "no number"}')

    run("in.jsonl", "out.jsonl", "-p", SUM, "--schema", "schema.json")

    (row,) = output(tmp_path)
    assert row["error"].startswith("StructuredOutputError: ")
    assert row["cost_usd"] > 0


def test_a_row_whose_error_may_pass_is_asked_again_by_the_same_command(run, rows, tmp_path, moonshot):
    rows(*sums(3))
    moonshot.enqueue(text="", finish_reason="length")
    (tmp_path / "schema.json").write_text('{"type": "object"}')
    command = ("in.jsonl", "out.jsonl", "-p", SUM, "--concurrency", 1, "--schema", "schema.json")

    assert run(*command).returncode == 1
    assert [bool(row["error"]) for row in output(tmp_path)] == [True, False, False]
    assert run(*command).returncode == 0

    assert [bool(row["error"]) for row in output(tmp_path)] == [False, False, False]
    assert Counter(prompts(moonshot)) == {"What is 0 + 1?": 2, "What is 1 + 1?": 1, "What is 2 + 1?": 1}


def test_a_wrong_key_ends_the_run_at_once(kimi, rows, moonshot, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows(*sums(30))
    given = {"MOONSHOT_API_KEY": "sk-wrong", "MOONSHOT_BASE_URL": moonshot.base_url}

    done = kimi("run", "in.jsonl", "out.jsonl", "-p", SUM, "--concurrency", "2", **given)

    assert done.returncode == 1
    assert len(moonshot.requests) <= 2
    assert not (tmp_path / "out.jsonl").exists()


def test_rows_that_all_fail_alike_end_the_run(run, rows, moonshot):
    rows(*sums(60))
    for _ in range(60):
        moonshot.enqueue(**refusal())

    done = run("in.jsonl", "out.jsonl", "-p", SUM, "--concurrency", 1)

    assert "all failed alike" in done.stderr
    assert len(moonshot.requests) == 20


def test_a_budget_ends_the_run_and_a_larger_one_goes_on(run, rows, tmp_path, moonshot):
    rows(*sums(10))
    command = ("in.jsonl", "out.jsonl", "-p", SUM, "--concurrency", 1, "--option", "max_tokens=100")

    done = run(*command, "--budget", "0.0006")

    assert done.returncode == 1
    assert 0 < len(moonshot.requests) < 10
    assert not (tmp_path / "out.jsonl").exists()
    assert run(*command, "--budget", "1").returncode == 0
    assert len(moonshot.requests) == 10


def test_a_budget_holds_for_all_runs_together(run, rows, moonshot):
    rows(*sums(10))
    command = ("in.jsonl", "out.jsonl", "-p", SUM, "--concurrency", 1, "--option", "max_tokens=100")
    run(*command, "--budget", "0.0006")
    before = len(moonshot.requests)

    run(*command, "--budget", "0.0006")

    assert len(moonshot.requests) == before


# ------------------------------------------------------------------------------------------- deaths and repetition


@pytest.fixture
def begun(moonshot, tmp_path):
    """Starts the command as a process of its own, and waits until some rows are in the journal."""
    processes = []

    def start(*arguments, wait_for=5):
        given = {**os.environ, "MOONSHOT_API_KEY": CANARY, "MOONSHOT_BASE_URL": moonshot.base_url}
        command = [sys.executable, "-m", "kimi_adapters", "run", *map(str, arguments)]
        process = subprocess.Popen(command, cwd=tmp_path, env=given, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        pause = threading.Event()
        while process.poll() is None and _lines(tmp_path) <= wait_for:
            pause.wait(0.01)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def _lines(tmp_path):
    path = tmp_path / "out.jsonl.journal"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_a_run_that_was_killed_goes_on_and_pays_for_no_answer_twice(run, rows, tmp_path, moonshot, begun):
    rows(*sums(300))
    command = ("in.jsonl", "out.jsonl", "-p", SUM, "--concurrency", 4)
    process = begun(*command)
    process.send_signal(signal.SIGKILL)
    process.wait()
    known = {json.loads(line)["row"] for line in journal(tmp_path).splitlines()[1:] if line.endswith("}")}

    assert run(*command).returncode == 0

    assert [row["answer"] for row in output(tmp_path)] == [f"{a} + 1 = {a + 1}" for a in range(300)]
    asked = Counter(prompts(moonshot))
    assert {f"What is {a} + 1?" for a in known} <= {prompt for prompt, times in asked.items() if times == 1}
    assert sum(asked.values()) <= 300 + 4
    assert not (tmp_path / "out.jsonl.journal").exists()


def test_ctrl_c_keeps_the_answers_under_way(run, rows, tmp_path, moonshot, begun):
    rows(*sums(300))
    command = ("in.jsonl", "out.jsonl", "-p", SUM, "--concurrency", 4)
    process = begun(*command)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "Traceback" not in said
    assert run(*command).returncode == 0
    assert set(Counter(prompts(moonshot)).values()) == {1}


def test_a_line_that_a_death_has_cut_off_is_asked_again(run, rows, tmp_path, moonshot):
    rows(*sums(3))
    moonshot.enqueue(**{**refusal(), "status": 429})
    command = ("in.jsonl", "out.jsonl", "-p", SUM, "--concurrency", 1, "--schema", "schema.json")
    (tmp_path / "schema.json").write_text(
        '{"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}'
    )
    for _ in range(3):
        moonshot.enqueue(text="no JSON")
    run(*command)
    whole = (tmp_path / "out.jsonl.journal").read_bytes()
    (tmp_path / "out.jsonl.journal").write_bytes(whole[:-10])

    assert run(*command).returncode == 0

    assert [row["error"] for row in output(tmp_path)] == [None] * 3


def test_a_full_disk_ends_the_run_and_the_same_command_goes_on(run, rows, tmp_path, moonshot, monkeypatch):
    rows(*sums(5))
    command, put = ("in.jsonl", "out.jsonl", "-p", SUM, "--concurrency", 1), Journal._put

    def full(journal, record):
        if record.get("row") == 3:
            raise OSError(28, "No space left on device")
        return put(journal, record)

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "_put", full)
        done = run(*command)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "the same command goes on" in " ".join(done.stderr.split())

    assert run(*command).returncode == 0

    assert [row["answer"] for row in output(tmp_path)] == [f"{a} + 1 = {a + 1}" for a in range(5)]
    assert len(moonshot.requests) == 6  # the row that could not be written is asked again


def test_a_line_of_the_journal_that_is_no_json_costs_its_row_alone(run, rows, tmp_path, moonshot):
    rows(*sums(3))
    moonshot.enqueue(**{**refusal(), "status": 429})
    command = ("in.jsonl", "out.jsonl", "-p", SUM, "--concurrency", 1, "--option", "max_tokens=100")
    (tmp_path / "schema.json").write_text('{"type": "object", "properties": {"a": {"type": "integer"}}}')
    moonshot.enqueue(text="no JSON")
    run(*command, "--schema", "schema.json")
    lines = (tmp_path / "out.jsonl.journal").read_bytes().splitlines(keepends=True)
    lines[1] = b"\0" * (len(lines[1]) - 1) + b"\n"
    (tmp_path / "out.jsonl.journal").write_bytes(b"".join(lines))
    asked = len(moonshot.requests)

    assert run(*command, "--schema", "schema.json").returncode == 0

    assert len(moonshot.requests) == asked + 1


def test_a_complete_output_is_not_written_over(run, rows, moonshot):
    rows(*sums(2))
    run("in.jsonl", "out.jsonl", "-p", SUM)

    done = run("in.jsonl", "out.jsonl", "-p", SUM)

    assert done.returncode == 2
    assert "--overwrite" in done.stderr
    assert run("in.jsonl", "out.jsonl", "-p", SUM, "--overwrite").returncode == 0
    assert len(moonshot.requests) == 4


@pytest.fixture
def half(run, rows, moonshot):
    """A run that has stopped half way."""
    rows(*sums(10))
    run("in.jsonl", "out.jsonl", "-p", SUM, "--concurrency", 1, "--option", "max_tokens=100", "--budget", "0.0006")
    before = len(moonshot.requests)
    return lambda: len(moonshot.requests) - before


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (("-p", "And {a} + {b}?"), "another prompt"),
        (("-p", SUM, "--model", "kimi-k3"), "another model"),
        (("-p", SUM, "--option", "max_tokens=100", "--system", "Be brief."), "another prompt"),
        (("-p", SUM), "another options"),
    ],
)
def test_a_journal_of_another_run_is_not_gone_on_with(run, half, changed, said):
    done = run("in.jsonl", "out.jsonl", *changed)

    assert done.returncode == 2
    assert said in done.stderr
    assert half() == 0


def test_an_input_that_was_changed_is_not_gone_on_with(run, half, rows):
    rows({"a": 7, "b": 7}, *sums(9))

    done = run("in.jsonl", "out.jsonl", "-p", SUM, "--option", "max_tokens=100")

    assert done.returncode == 2
    assert "Row 1 of in.jsonl is another one" in done.stderr
    assert half() == 0


def test_rows_may_be_added_while_a_run_is_not_complete(run, half, rows, tmp_path):
    rows(*sums(12))

    assert run("in.jsonl", "out.jsonl", "-p", SUM, "--option", "max_tokens=100").returncode == 0
    assert len(output(tmp_path)) == 12


@pytest.mark.parametrize("more", [(), ("--overwrite",)], ids=["goes on", "begins anew"])
def test_a_second_process_is_refused(run, rows, begun, tmp_path, more):
    rows(*sums(300))
    begun("in.jsonl", "out.jsonl", "-p", SUM, "--concurrency", 1)

    done = run("in.jsonl", "out.jsonl", "-p", SUM, *more)

    assert done.returncode == 2
    assert "Another process" in done.stderr
    assert journal(tmp_path)


def test_no_key_is_in_the_journal(half, tmp_path):
    assert half() == 0
    assert CANARY not in journal(tmp_path)


# --------------------------------------------------------------------------------------------- limits, batches, report


def test_limits_are_those_of_the_command(run, rows, moonshot):
    rows(*sums(6))

    run("in.jsonl", "out.jsonl", "-p", SUM, "--limits", "concurrency=1,requests_per_minute=1000")

    assert moonshot.allowance.most_at_once == 1


def test_batches_give_the_same_answers_for_less(run, rows, tmp_path):
    rows(*sums(5))
    run("in.jsonl", "calls.jsonl", "-p", SUM)

    done = run("in.jsonl", "out.jsonl", "-p", SUM, "--batch-api", "--poll-interval", 0)

    assert done.returncode == 0
    batched, called = output(tmp_path), output(tmp_path, "calls.jsonl")
    assert [row["answer"] for row in batched] == [row["answer"] for row in called]
    assert sum(row["cost_usd"] for row in batched) < sum(row["cost_usd"] for row in called)
    assert not (tmp_path / "out.jsonl.batches.json").exists()


BATCHED = ("in.jsonl", "out.jsonl", "-p", SUM, "--batch-api", "--poll-interval", 0)


def test_rows_of_a_batch_whose_error_may_pass_are_asked_again_alone(run, rows, tmp_path, moonshot):
    rows(*sums(4))
    moonshot.script_line("input-1", status=429, type="engine_overloaded_error")
    assert run(*BATCHED).returncode == 1

    assert run(*BATCHED).returncode == 0

    assert [row["answer"] for row in output(tmp_path)] == [f"{a} + 1 = {a + 1}" for a in range(4)]
    assert sorted(len(batch.requests) for batch in moonshot.batches.all()) == [1, 4]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


@pytest.mark.parametrize("left", [2, 3, 4])
def test_a_death_while_the_answers_of_a_batch_are_written_costs_nothing(run, rows, tmp_path, moonshot, left):
    rows(*sums(4))
    moonshot.script_line("input-1", status=429, type="engine_overloaded_error")
    run(*BATCHED)
    lines = (tmp_path / "out.jsonl.journal").read_bytes().splitlines(keepends=True)
    (tmp_path / "out.jsonl.journal").write_bytes(b"".join(lines[:left]))

    assert run(*BATCHED).returncode == 0

    assert [row["answer"] for row in output(tmp_path)] == [f"{a} + 1 = {a + 1}" for a in range(4)]
    assert sorted(len(batch.requests) for batch in moonshot.batches.all()) == [1, 4]


@pytest.mark.parametrize("more", [(), ("--batch-api",)])
def test_a_schema_that_no_row_can_be_asked_by_ends_the_run_with_nothing_written(run, rows, tmp_path, moonshot, more):
    rows(*sums(2))
    (tmp_path / "schema.json").write_text('{"type": "object", "properties": {"a": {"type": "nonsense"}}}')

    done = run("in.jsonl", "out.jsonl", "-p", SUM, "--schema", "schema.json", *more)

    assert done.returncode == 2
    assert "nonsense" in done.stderr
    assert not (tmp_path / "out.jsonl").exists()


def test_a_model_without_batches_ends_the_run_with_nothing_written(run, rows, tmp_path, moonshot):
    rows(*sums(2))

    done = run(*BATCHED, "--model", "kimi-k3")

    assert done.returncode == 1
    assert "kimi-k2.6" in done.stderr
    assert not (tmp_path / "out.jsonl").exists()
    assert run(*BATCHED[:-3]).returncode == 0  # nothing is answered yet, so it may be begun otherwise


def test_the_report_in_json(run, rows):
    rows(*sums(2))

    report = json.loads(run("in.jsonl", "out.jsonl", "-p", SUM, "--json").stdout)

    assert report.pop("seconds") > 0
    assert report == snapshot(
        {
            "output": "out.jsonl",
            "rows": 2,
            "answered": 2,
            "answered_before": 0,
            "failed": 0,
            "errors": {},
            "not_asked": 0,
            "tokens": 66,
            "cost_usd": 0.0001969,
            "cost_usd_before": 0.0,
            "stopped": None,
        }
    )


def test_a_local_server_needs_no_key(kimi, rows, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows(*sums(2))

    assert kimi("run", "in.jsonl", "out.jsonl", "-p", SUM, "--local").returncode == 0
    assert [row["answer"] for row in output(tmp_path)] == ["0 + 1 = 1", "1 + 1 = 2"]
