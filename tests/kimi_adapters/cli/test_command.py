from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from kimi_core import HOSTS, MODELS, __version__


def run_without(module, command, guarded):
    code = f"import sys; sys.modules[{module!r}] = None; from kimi_adapters.cli import main; main()"
    return guarded.python("-c", code, command)


def test_version_is_said(kimi):
    assert kimi("--version").stdout == f"kimi-adapters {__version__}\n"


def test_the_installed_script_is_the_same_command():
    script = Path(sys.executable).parent / "kimi-adapters"

    done = subprocess.run([script, "--version"], capture_output=True, text=True, timeout=60)

    assert done.stdout == f"kimi-adapters {__version__}\n"


def test_without_a_command_the_help_lists_all_of_them(kimi):
    shown = kimi()

    assert all(
        command in shown.stdout + shown.stderr
        for command in ("demo", "chat", "serve", "probe", "doctor", "hosts", "models")
    )


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("command", ["", "demo", "chat", "doctor", "serve", "probe", "hosts", "models"])
def test_help_of_every_command_fits_the_terminal_and_is_whole(kimi, command, option):
    done = kimi(*command.split(), option)

    assert done.returncode == 0
    assert done.stdout.startswith("Usage: ")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "..." not in done.stdout.replace("[ARGS]...", "")
    assert re.search(r"--[\w-]+ <", done.stdout) is None  # a type of Python's


def test_help_imports_no_framework_and_no_server(guarded):
    code = "import sys, kimi_adapters.cli.app; print(*sys.modules)"

    loaded = set(guarded.python("-c", code).stdout.split())

    assert "typer" in loaded
    assert not loaded & {"langchain_core", "llama_index", "openai", "starlette", "uvicorn", "bm25s"}


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


@pytest.mark.parametrize(
    ("module", "command", "extra"),
    [
        ("typer", "--help", "cli"),
        ("uvicorn", "serve", "cli"),
        ("langchain", "demo", "demo"),
        ("bm25s", "demo", "demo"),
    ],
)
def test_a_missing_package_is_named_with_what_to_install(guarded, module, command, extra):
    done = run_without(module, command, guarded)

    assert done.returncode == 2
    assert f"The package '{module}' is missing" in done.stderr
    assert f'pip install "kimi-adapters[{extra}]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_the_guard_of_these_tests_sees_who_wants_to_leave_the_machine(guarded):
    done = guarded.python("-c", "import socket; socket.create_connection(('192.0.2.1', 80))")

    assert done.returncode == 1
    assert guarded.contacted == "192.0.2.1\n"
