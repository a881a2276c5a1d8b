"""`kimi-adapters doctor` names the cause, on a local server that fails with the hosts' own words."""

from __future__ import annotations

import datetime as dt
import email.utils
import functools
import json
import socket
import ssl

import pytest
from command_line import CANARY

from kimi_adapters.cli import doctor_versions
from kimi_adapters.local_server import LocalKimi
from kimi_core import HOSTS, APIConnectionError, KimiClient

pytestmark = pytest.mark.usefixtures("no_keys")


@pytest.fixture
def doctor(at_moonshot):
    """The command, for somebody whose key and address are those of a local server; None takes a variable away."""
    return functools.partial(at_moonshot, "doctor")


@pytest.fixture
def diagnosis(doctor):
    """What it says in JSON: the cause, and what to do."""

    def run(*arguments, **environment):
        done = doctor(*arguments, "--json", **environment)
        said = json.loads(done.stdout)
        assert done.returncode == (0 if said["ok"] else 1)
        assert said["cause"] == said["checks"][-1]["cause"]
        return said["cause"], said["checks"][-1]["text"], said["checks"][-1]["advice"]

    return run


def resolves(monkeypatch, *known):
    """Lets only some names be looked up, beside this machine's."""
    real = socket.getaddrinfo

    def look_up(name, *args, **kwargs):
        if name == "127.0.0.1" or name in known:
            return real("127.0.0.1", *args, **kwargs)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


def connection_fails(monkeypatch, words):
    def fail(self, request):
        raise APIConnectionError(f"kimi-k2.6 on moonshot could not be reached: {words}.")

    monkeypatch.setattr(KimiClient, "complete", fail)


def dated(off):
    return {"date": email.utils.format_datetime(dt.datetime.now(dt.UTC) + off)}


# ------------------------------------------------------------------------------------------------------ all is well


def test_it_says_that_all_is_well_after_one_call(doctor, moonshot):
    done = doctor()

    assert done.returncode == 0
    assert "Everything is in order." in done.stdout
    assert "openai " in done.stdout
    assert "from MOONSHOT_API_KEY" in done.stdout
    assert [one.path for one in moonshot.requests] == ["/v1/chat/completions"]
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_without_the_call_no_host_is_asked(doctor, moonshot):
    done = doctor("--no-call")

    assert done.returncode == 0
    assert "no call was made" in done.stdout
    assert moonshot.requests == []


def test_a_server_of_ones_own_needs_no_key(diagnosis):
    with LocalKimi("vllm", api_key=CANARY) as own:
        cause, *_ = diagnosis("--host", "vllm", "--base-url", own.base_url, "--no-call")

    assert cause is None


def test_the_cause_and_what_to_do_are_read_by_people(doctor, moonshot):
    moonshot.fail(type="exceeded_current_quota_error")

    shown = doctor().stdout

    assert "✗ call     balance: kimi-k2.6 on moonshot answered HTTP 429" in shown
    assert "→ Recharge the account" in shown


# ------------------------------------------------------------------------------------------------------------- keys


def test_no_key(diagnosis, moonshot):
    cause, text, advice = diagnosis(MOONSHOT_API_KEY=None)

    assert cause == "no-key"
    assert "MOONSHOT_API_KEY" in text
    assert "export MOONSHOT_API_KEY=…" in advice
    assert moonshot.requests == []


def test_no_key_here_but_one_of_another_host(diagnosis):
    _, _, advice = diagnosis(MOONSHOT_API_KEY=None, OPENROUTER_API_KEY=CANARY)

    assert "--host openrouter (OPENROUTER_API_KEY)" in advice


@pytest.mark.parametrize(
    ("host", "other", "address"),
    [("moonshot", "moonshot-cn", "MOONSHOT_CN_BASE_URL"), ("moonshot-cn", "moonshot", "MOONSHOT_BASE_URL")],
)
def test_a_key_of_the_other_moonshot(diagnosis, host, other, address):
    with LocalKimi(api_key="sk-another") as refusing, LocalKimi(api_key=CANARY) as taking:
        there = {"MOONSHOT_BASE_URL": refusing.base_url, "MOONSHOT_CN_BASE_URL": refusing.base_url}
        cause, text, advice = diagnosis("--host", host, **{**there, address: taking.base_url})

    assert cause == "other-platform"
    assert "MOONSHOT_API_KEY" in text
    assert f'host="{other}"' in advice


def test_a_key_of_kimi_code_that_looks_like_any(diagnosis, moonshot):
    with LocalKimi("kimi-code", api_key="sk-of-a-plan") as code, LocalKimi(api_key="sk-another") as china:
        there = {"KIMI_CODE_BASE_URL": code.base_url, "MOONSHOT_CN_BASE_URL": china.base_url}
        cause, text, _ = diagnosis(MOONSHOT_API_KEY=None, KIMI_API_KEY="sk-of-a-plan", **there)

    assert cause == "other-platform"
    assert "it is a key of Kimi Code" in text


def test_a_key_of_kimi_code_is_known_by_its_beginning_and_sent_nowhere(diagnosis):
    cause, text, _ = diagnosis(MOONSHOT_API_KEY="sk-kimi-4711", MOONSHOT_BASE_URL=None)

    assert cause == "other-platform"
    assert "Kimi Code" in text
    assert "4711" not in text


def test_a_key_of_nobody(diagnosis):
    with LocalKimi(api_key="sk-another") as china:
        cause, _, advice = diagnosis(MOONSHOT_API_KEY="sk-nobodys", MOONSHOT_CN_BASE_URL=china.base_url)

    assert cause == "wrong-key"
    assert "MOONSHOT_API_KEY" in advice


def test_a_refused_key_goes_to_no_host_that_has_another_variable(diagnosis):
    with LocalKimi("openrouter", api_key="sk-nobodys") as stranger, LocalKimi(api_key="sk-another") as china:
        there = {"OPENROUTER_BASE_URL": stranger.base_url, "MOONSHOT_CN_BASE_URL": china.base_url}
        diagnosis(MOONSHOT_API_KEY="sk-nobodys", **there)

        assert stranger.requests == []


def test_a_key_that_is_repeated_by_the_host_is_not_printed(doctor, moonshot):
    moonshot.fail(status=403, type="permission_denied_error", message=f"the key {CANARY} may not do this")

    done = doctor()

    assert done.returncode == 1
    assert "may not do this" in done.stdout


def test_a_key_with_bearer_before_it(diagnosis):
    cause, *_ = diagnosis(MOONSHOT_API_KEY=f"Bearer {CANARY}")

    assert cause == "wrong-key"


def test_a_server_of_ones_own_that_wants_a_key_all_the_same(diagnosis):
    with LocalKimi("vllm", api_key=CANARY) as own:
        cause, _, advice = diagnosis("--host", "vllm", "--base-url", own.base_url)

    assert cause == "no-key"
    assert advice == "export VLLM_API_KEY=…"


# ---------------------------------------------------------------------------------------------- model, balance, others


@pytest.mark.parametrize("call", [[], ["--no-call"]])
def test_a_retired_model(diagnosis, call):
    cause, text, advice = diagnosis("--model", "kimi-k2.5", *call)

    assert cause == "model"
    assert "retired on 2026-08-31" in text
    assert advice == "Use kimi-k2.6."


def test_a_model_that_the_host_does_not_have(diagnosis):
    cause, text, advice = diagnosis("--model", "kimi-k2.7-coder")

    assert cause == "model"
    assert "has no model kimi-k2.7-coder" in text
    assert "kimi-k2.7-code" in advice


@pytest.mark.parametrize(
    ("dialect", "host"),
    [
        ("aimlapi", "aimlapi"),
        ("runware", "runware"),
        ("runware", "runware-compatible"),
        ("openrouter", "openrouter"),
        ("fireworks", "fireworks"),
        ("vllm", "vllm"),
        ("sglang", "sglang"),
    ],
)
def test_a_model_that_is_unknown_in_any_hosts_words(diagnosis, dialect, host):
    with LocalKimi(dialect, api_key=CANARY) as other:
        there = ("--host", host, "--base-url", other.base_url)
        cause, _, advice = diagnosis(*there, "--model", "kimi-k9", **{HOSTS[host].address.key_env[0]: CANARY})

    assert cause == "model"
    assert "kimi" in advice.lower()


def test_a_model_that_is_unknown_where_no_list_can_be_had(diagnosis, moonshot):
    moonshot.fail(path="/v1/models", status=404, type="resource_not_found_error", message="url.not_found")

    cause, text, _ = diagnosis("--model", "kimi-k2.66")

    assert cause == "model"
    assert "no model kimi-k2.66" in text


def test_another_refusal_of_a_listed_model_is_quoted(diagnosis, moonshot):
    moonshot.fail(status=400, type="invalid_request_error", message="this model is not for you today")

    cause, text, _ = diagnosis()

    assert cause == "other"
    assert "not for you today" in text


def test_an_id_of_another_host(diagnosis, moonshot):
    cause, text, _ = diagnosis("--model", "moonshotai/kimi-k2.6")

    assert cause == "model"
    assert "'kimi-k2.6'" in text
    assert moonshot.requests == []


@pytest.mark.parametrize(
    ("status", "type"), [(429, "exceeded_current_quota_error"), (402, "insufficient_credits"), (403, "usage limit")]
)
def test_an_empty_balance_or_plan(diagnosis, moonshot, status, type):
    if status == 403:
        with LocalKimi("kimi-code", api_key=CANARY, admits=("",)) as code:
            code.fail(status=status, type="permission_denied_error", message="You've reached your 5-hour usage limit")
            cause, *_ = diagnosis("--host", "kimi-code", KIMI_API_KEY=CANARY, KIMI_CODE_BASE_URL=code.base_url)
    else:
        moonshot.fail(status=status, type=type)
        cause, *_ = diagnosis()

    assert cause == "balance"


def test_a_busy_host_is_called_once_and_quoted(diagnosis, moonshot):
    moonshot.fail(3)

    cause, text, _ = diagnosis()

    assert cause == "other"
    assert "currently overloaded" in text
    assert len(moonshot.requests) == 1


# -------------------------------------------------------------------------------------------------- address, network


def test_an_unknown_host(diagnosis):
    cause, text, _ = diagnosis("--host", "moonshoot")

    assert cause == "host"
    assert "Did you mean 'moonshot'?" in text


@pytest.mark.parametrize("address", ["api.moonshot.ai", "https://api.moonshot.cn/v1", "http://user:word@127.0.0.1/v1"])
def test_an_address_that_cannot_be_the_hosts(diagnosis, address):
    cause, *_ = diagnosis("--host", "moonshot", MOONSHOT_BASE_URL=address)

    assert cause == "address"


def test_an_address_with_another_path(diagnosis, moonshot):
    cause, text, advice = diagnosis(MOONSHOT_BASE_URL=moonshot.base_url.replace("/v1", "/v2"))

    assert cause == "address"
    assert "/v2" in text
    assert "https://api.moonshot.ai/v1" in advice


def test_the_address_of_a_web_page(diagnosis, moonshot):
    moonshot.enqueue(raw=b"<html><title>Welcome</title></html>", content_type="text/html", unchecked=True)

    cause, *_ = diagnosis()

    assert cause == "address"


def test_an_address_where_nobody_listens(diagnosis):
    cause, _, advice = diagnosis(MOONSHOT_BASE_URL="http://127.0.0.1:9/v1")

    assert cause == "address"
    assert "Nothing listens" in advice


def test_a_name_that_is_not_there_while_the_network_is(diagnosis, monkeypatch):
    resolves(monkeypatch, "api.moonshot.ai")

    cause, _, advice = diagnosis(MOONSHOT_BASE_URL="https://api.moonshoot.example/v1")

    assert cause == "address"
    assert "spelled right" in advice


@pytest.mark.parametrize("address", [None, "https://gateway.example.com/v1"])
def test_no_network(diagnosis, monkeypatch, address):
    resolves(monkeypatch)

    cause, _, advice = diagnosis(MOONSHOT_BASE_URL=address)

    assert cause == "network"
    assert "online" in advice


def test_a_proxy_is_mentioned_without_its_address(doctor, monkeypatch):
    resolves(monkeypatch)

    done = doctor(MOONSHOT_BASE_URL=None, HTTPS_PROXY=f"http://me:{CANARY}@127.0.0.1:9")

    assert done.returncode == 1
    assert "HTTPS_PROXY" in done.stdout


def test_a_certificate_that_nobody_here_knows(diagnosis, monkeypatch):
    connection_fails(monkeypatch, ssl.SSLCertVerificationError("CERTIFICATE_VERIFY_FAILED: self-signed certificate"))

    cause, _, advice = diagnosis()

    assert cause == "network"
    assert "SSL_CERT_FILE" in advice


# ------------------------------------------------------------------------------------------------- clock, versions


@pytest.mark.parametrize(("off", "way"), [(dt.timedelta(hours=-2), "ahead of"), (dt.timedelta(hours=2), "behind")])
def test_a_clock_that_is_off(diagnosis, moonshot, off, way):
    moonshot.enqueue(text="ok", headers=dated(off))

    cause, text, _ = diagnosis()

    assert cause == "clock"
    assert way in text


def test_a_clock_that_is_off_is_why_a_key_is_refused(diagnosis, moonshot):
    moonshot.fail(status=401, type="token_expired", message="the token is expired", headers=dated(dt.timedelta(days=1)))

    cause, *_ = diagnosis()

    assert cause == "clock"


def test_a_clock_that_judges_certificates_wrongly(diagnosis, monkeypatch):
    connection_fails(monkeypatch, "CERTIFICATE_VERIFY_FAILED: certificate is not yet valid")

    cause, *_ = diagnosis()

    assert cause == "clock"


@pytest.mark.parametrize("date", [lambda: dated(dt.timedelta(minutes=1)), lambda: {"date": "yesterday"}])
def test_a_clock_that_is_right_or_unknown_is_no_cause(diagnosis, moonshot, date):
    moonshot.enqueue(text="ok", headers=date())

    assert diagnosis()[0] is None


@pytest.mark.parametrize(
    ("package", "there", "upgrade"),
    [
        ("openai", "1.99.9", 'pip install --upgrade "kimi-adapters" "openai<4,>=2.20"'),
        ("openai", "4.0", 'pip install --upgrade "kimi-adapters" "openai<4,>=2.20"'),
        ("langchain-core", "1.5.9", 'pip install --upgrade "kimi-adapters[langchain]" "langchain-core<2,>=1.6"'),
        ("llama-index-core", "0.14.3", '"kimi-adapters[llama-index]" "llama-index-core<0.15,>=0.14.24"'),
    ],
)
def test_a_dependency_that_is_not_supported(diagnosis, moonshot, monkeypatch, package, there, upgrade):
    real = doctor_versions.version
    monkeypatch.setattr(doctor_versions, "version", lambda name: there if name == package else real(name))

    cause, text, advice = diagnosis()

    assert cause == "version"
    assert f"{package} {there}" in text
    assert upgrade in advice
    assert moonshot.requests == []


def test_a_framework_that_is_not_installed_is_not_missed(diagnosis, monkeypatch):
    real = doctor_versions.version

    def version(name):
        if name == "llama-index-core":
            raise doctor_versions.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(doctor_versions, "version", version)

    assert diagnosis()[0] is None


def test_a_release_of_the_oldest_version_is_supported():
    assert doctor_versions._fits("2.20.0", [(">=", "2.20"), ("<", "4")])
    assert doctor_versions._fits("2.20", [(">=", "2.20.0")])
    assert not doctor_versions._fits("4.0.0", [("<", "4")])


def test_an_error_of_a_host_cannot_steer_the_terminal(doctor, moonshot):
    moonshot.enqueue(status=400, json={"error": {"message": "\x1b]0;new title\x07", "type": "bad"}}, unchecked=True)

    said = doctor().stdout

    assert "]0;new title" in " ".join(said.split())
    assert "\x1b]" not in said
