"""`kimi-adapters probe` as a user runs it."""

from __future__ import annotations

import json

import pytest
from command_line import CANARY
from pydantic import BaseModel

from kimi_adapters.local_server import LocalKimi
from langchain_kimi import ChatKimi
from llama_index_kimi import KimiLLM


@pytest.fixture
def vllm():
    with LocalKimi("vllm", api_key=CANARY) as local:
        yield local


def everything(done):
    return done.stdout + done.stderr


def probed(kimi, local, *more, **environment):
    return kimi("probe", local.base_url, "--api-key-env", "MY_KEY", *more, MY_KEY=CANARY, COLUMNS="120", **environment)


def test_it_prints_what_it_does_and_what_differs_from_the_spec(kimi, vllm):
    done = probed(kimi, vllm, "--host", "moonshot", "--model", "moonshotai/Kimi-K2.6", "--yes")

    assert done.returncode == 0
    assert "small calls to moonshotai/Kimi-K2.6" in done.stderr
    assert "about $0.0" in done.stderr
    assert "≠   reasoning.required" in done.stdout
    assert "The spec has True." in done.stdout
    assert "=   thinking.default" in done.stdout
    assert "? not known" in done.stdout


def test_the_spec_can_be_pasted(kimi, vllm):
    shown = probed(kimi, vllm, "--yes").stdout
    names = {}

    exec(shown[shown.index("import datetime as dt") :], names)

    assert names["spec"].address.key_env == ("MY_KEY",)
    assert names["spec"].thinking.off == {"chat_template_kwargs": {"thinking": False, "enable_thinking": False}}
    assert names["spec"].models.ids == {"kimi-k2.6": "moonshotai/Kimi-K2.6"}
    assert names["spec"].tier == "verified"


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_what_a_host_says_cannot_steer_the_terminal(kimi, vllm, arguments):
    probed(kimi, vllm, "--yes")
    calls = len(vllm.requests)
    vllm.fail(calls, status=400, type="BadRequestError", message="no \x1b]0;title\x07\x9b2J")

    shown = everything(probed(kimi, vllm, "--yes", *arguments))

    assert "]0;title" in shown
    assert not {"\x1b", "\x07", "\x9b"} & {*shown}


class Report(BaseModel):
    """The weather in a city."""

    city: str
    degrees: int


@pytest.mark.parametrize("dialect", ["vllm", "llama-cpp", "fireworks", "openrouter"])
def test_typed_answers_come_by_a_spec_that_was_pasted(kimi, dialect):
    names = {}
    with LocalKimi(dialect, api_key=CANARY) as local:
        shown = probed(kimi, local, "--yes").stdout
        exec(shown[shown.index("import datetime as dt") :], names)
        there = {"host": names["spec"], "api_key": CANARY, "model": "kimi-k2.6"}
        expected, text = Report(city="Paris", degrees=21), "It is 21 degrees in Paris."
        for structured in (
            ChatKimi(**there).with_structured_output(Report),
            ChatKimi(**there).with_structured_output(Report, method="function_calling"),
        ):
            assert structured.invoke(text) == expected
            assert list(structured.stream(text))[-1] == expected
        assert KimiLLM(**there).as_structured_llm(Report).complete(text).raw == expected


def test_json_is_all_that_is_printed_when_it_is_asked_for(kimi, vllm):
    said = json.loads(probed(kimi, vllm, "--yes", "--json").stdout)

    found = {one["field"]: one["found"] for one in said["findings"] if "field" in one}
    assert said["host"] is None
    assert said["calls"] == len([one for one in vllm.requests if one.method == "POST"])
    assert found["tools.choices_thinking"] == ["auto", "named", "none", "required"]
    assert said["spec"].startswith("HostSpec(")


@pytest.mark.parametrize("format", [[], ["--json"]])
def test_no_key_is_printed(kimi, vllm, format):
    assert CANARY not in everything(probed(kimi, vllm, "--yes", *format))


def test_no_wrong_key_is_printed_that_a_host_repeats(kimi, vllm):
    vllm.fail(status=403, type="PermissionDenied", message=f"the key {CANARY} is wrong")

    done = probed(kimi, vllm, "--yes")

    assert done.returncode == 1
    assert "is wrong" in done.stderr
    assert CANARY not in everything(done)


def test_nothing_is_asked_before_somebody_agrees(kimi, vllm):
    def answering(text):
        return kimi("probe", vllm.base_url, "--api-key-env", "MY_KEY", answers=text, MY_KEY=CANARY)

    for refusal in ("", "\n", "n\n"):
        assert answering(refusal).returncode == 1
    assert vllm.requests == []

    assert answering("y\n").returncode == 0
    assert vllm.requests


def test_a_host_is_known_by_name(kimi):
    with LocalKimi(api_key=CANARY) as local:
        done = kimi("probe", "moonshot", "--yes", "--json", MOONSHOT_API_KEY=CANARY, MOONSHOT_BASE_URL=local.base_url)

    said = json.loads(done.stdout)
    assert said["host"] == "moonshot"
    assert {one["verdict"] for one in said["findings"]} == {"same", "note"}


def test_no_key_of_the_environment_goes_to_an_address_that_nobody_knows(kimi, vllm):
    done = kimi("probe", vllm.base_url, "--yes", KIMI_API_KEY=CANARY, MOONSHOT_API_KEY=CANARY, VLLM_API_KEY=CANARY)

    assert done.returncode == 1
    assert "--api-key-env" in done.stderr
    assert [one.path for one in vllm.requests] == ["/v1/models", "/v1/chat/completions"]
    assert all("authorization" not in one.headers for one in vllm.requests)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["moonshot"], "No API key for Moonshot AI"),
        (["moonshto"], "Did you mean 'moonshot'?"),
        (["api.example.com/v1"], "begin it with https://"),
        (["http://127.0.0.1:9/v1"], "could not be reached"),
        (["moonshot", "--api-key-env", "NO_SUCH_KEY"], "NO_SUCH_KEY is not set"),
    ],
)
def test_what_cannot_be_probed_is_one_clear_sentence(kimi, arguments, words):
    done = kimi("probe", *arguments, "--yes")

    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.strip() == ""
