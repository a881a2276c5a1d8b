"""`kimi-adapters hosts` and `kimi-adapters models`."""

from __future__ import annotations

import json

import pytest
from command_line import CANARY, answering

from kimi_adapters.local_server import LocalKimi
from kimi_core import HOSTS, MODELS


def test_every_host_is_listed_with_its_address_and_key(kimi):
    shown = kimi("hosts", COLUMNS="140").stdout

    for spec in HOSTS.values():
        assert spec.name in shown
        assert (spec.address.base_url or "base_url=…") in shown
        assert spec.address.key_env[0] in shown


@pytest.mark.parametrize("columns", ["80", "120"])
def test_every_model_is_listed_by_its_whole_name(kimi, columns):
    lines = kimi("models", COLUMNS=columns).stdout.splitlines()

    assert all(any(line.startswith(f"{name} ") for line in lines) for name in MODELS)
    assert max(map(len, lines)) <= int(columns)


def test_models_say_how_they_think(kimi):
    lines = kimi("models").stdout.splitlines()

    assert "on or off" in next(line for line in lines if line.startswith("kimi-k2.6"))
    assert "low, high, max" in next(line for line in lines if line.startswith("kimi-k3 "))


def test_no_address_is_broken_where_lines_are_short(kimi):
    lines = kimi("hosts").stdout.splitlines()

    for spec in HOSTS.values():
        assert not spec.address.base_url or f"  {spec.address.base_url}" in lines
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("part", ["silicon", "SILICONFLOW.c"])
def test_hosts_are_found_by_a_part_of_name_or_address(kimi, part):
    shown = kimi("hosts", part, COLUMNS="140").stdout

    assert "siliconflow " in shown
    assert "siliconflow-cn " in shown
    assert "moonshot" not in shown


@pytest.mark.parametrize("name", [*HOSTS])
def test_of_one_host_all_is_said_and_its_address_is_whole(kimi, name):
    done = kimi("hosts", name)

    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert (HOSTS[name].address.base_url or HOSTS[name].title) in done.stdout
    assert str(HOSTS[name].as_of) in done.stdout


def test_of_one_host_models_files_and_limits_are_said(kimi):
    shown = " ".join(kimi("hosts", "api.moonshot.ai").stdout.split())

    assert "kimi-k2.5: 2026-08-31" in shown
    assert "file-extract" in shown
    assert "tier0: requests per minute 3" in shown


def test_a_host_that_is_not_there_fails_with_the_closest(kimi):
    done = kimi("hosts", "moonshoot")

    assert (done.returncode, done.stdout) == (1, "")
    assert "Did you mean moonshot?" in done.stderr


def test_hosts_are_json_for_programs(kimi):
    said = json.loads(kimi("hosts", "--json").stdout)

    assert [one["name"] for one in said] == [*HOSTS]
    assert said[0]["key_env"][0] == "MOONSHOT_API_KEY"


def test_models_have_prices_with_their_day(kimi):
    shown = kimi("models").stdout

    assert "0.16/0.95/4" in next(line for line in shown.splitlines() if line.startswith("kimi-k2.6 "))
    assert "as of 2026-09-23" in " ".join(shown.split())


def test_models_of_another_host_have_its_ids(kimi):
    shown = kimi("models", "--host", "openrouter").stdout

    assert "moonshotai/kimi-k3 " in shown
    assert "$ per M" not in shown  # no price of it is known


def test_of_one_model_all_is_said(kimi):
    shown = " ".join(kimi("models", "kimi-k2.6").stdout.split())

    assert "262,144 tokens" in shown
    assert "$0.95 in, $0.16 cached, $4.00 out" in shown


def test_a_model_that_is_not_there_fails_with_the_closest(kimi):
    done = kimi("models", "kimmy-k3")

    assert (done.returncode, done.stdout) == (1, "")
    assert "Did you mean kimi-k3?" in done.stderr


def test_models_are_json_for_programs(kimi):
    (said,) = json.loads(kimi("models", "kimi-k2.6", "--json").stdout)

    assert said["context"] == 262_144
    assert said["price"]["input"] == 0.95


def test_the_host_is_asked_what_it_serves(at_moonshot, moonshot):
    done = at_moonshot("models", "--live")

    assert done.returncode == 0
    assert "kimi-k2.6" in done.stdout
    assert [one.path for one in moonshot.requests] == ["/v1/models"]


def test_what_the_host_serves_is_json_as_it_says_it(kimi):
    with LocalKimi("openrouter", api_key=CANARY) as other:
        there = ("--host", "openrouter", "--base-url", other.base_url)
        said = json.loads(kimi("models", "--live", "--json", *there, OPENROUTER_API_KEY=CANARY).stdout)

    assert "moonshotai/kimi-k2.6" in [one["id"] for one in said]


def test_asking_a_host_what_it_serves_needs_a_key(at_moonshot, moonshot):
    done = at_moonshot("models", "--live", MOONSHOT_API_KEY=None)

    assert (done.returncode, done.stdout) == (1, "")
    assert "No API key" in done.stderr
    assert moonshot.requests == []


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_a_list_of_a_host_cannot_steer_the_terminal(at_moonshot, arguments):
    named = {"id": "kimi\x1b]0;title\x07\x9b2J", "object": "model"}

    with answering("/v1/models", {"object": "list", "data": [named]}) as address:
        shown = at_moonshot("models", "--live", *arguments, MOONSHOT_BASE_URL=address).stdout

    assert "0;title" in shown
    assert not {"\x1b", "\x07", "\x9b"} & {*shown}
