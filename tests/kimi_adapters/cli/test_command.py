from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kimi_core import __version__

COMMANDS = ("demo", "chat", "run", "serve", "probe", "doctor", "hosts", "models", "tokens", "balance")
LONG = f"Repeat this: {'word ' * 300}"
FILES = ("files list", "files upload", "files show", "files delete")


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

    assert all(command in shown.stdout + shown.stderr for command in (*COMMANDS, "files"))


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("command", ["", *COMMANDS, "files", *FILES])
def test_help_of_every_command_fits_the_terminal_and_is_whole(kimi, command, option):
    done = kimi(*command.split(), option)

    assert done.returncode == 0
    assert done.stdout.startswith("Usage: ")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "..." not in re.sub(r"[\]}]\.\.\.", "", done.stdout)  # nothing is cut
    assert re.search(r"--[\w-]+ <", done.stdout) is None  # a type of Python's


def test_help_imports_no_framework_and_no_server(guarded):
    code = "import sys, kimi_adapters.cli.app; print(*sys.modules)"

    loaded = set(guarded.python("-c", code).stdout.split())

    assert "typer" in loaded
    assert not loaded & {"langchain_core", "llama_index", "openai", "starlette", "uvicorn", "bm25s"}


def test_no_type_of_python_is_in_a_help(kimi):
    shown = [kimi(*command.split(), "-h").stdout for command in (*COMMANDS, *FILES)]

    assert not re.search(r"<(str|Path|list\[|int|float)", "".join(shown))


def test_completion_is_offered_for_names_of_hosts(kimi):
    asked = {
        "_KIMI_ADAPTERS_COMPLETE": "complete_bash",
        "COMP_WORDS": "kimi-adapters chat --host moonshot-",
        "COMP_CWORD": "3",
    }

    assert kimi(**asked).stdout.split() == ["moonshot-cn"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full disk here")
@pytest.mark.parametrize("arguments", [["hosts", "--json"], ["chat", "--local", "-p", LONG]])
def test_a_full_disk_is_one_sentence(guarded, arguments):
    with open("/dev/full", "w") as full:
        done = guarded.kimi(*arguments, stdout=full)

    assert done.returncode == 1
    assert done.stderr == "The output cannot be written: No space left on device.\n"


@pytest.mark.parametrize("arguments", [["hosts", "--json"], ["chat", "--local", "-p", LONG]])
def test_a_reader_that_is_gone_ends_the_command_without_a_word(guarded, arguments):
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as gone:
        done = guarded.kimi(*arguments, stdout=gone)

    assert (done.returncode, done.stderr) == (1, "")


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
