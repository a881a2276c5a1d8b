"""What is not installed is named by the extra that brings it, and the README's first blocks need one install line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from kimi_adapters.local_server import LocalKimi

ROOT = Path(__file__).parent.parent
BLOCKED = "import sys; sys.modules.update(dict.fromkeys({absent!r})); "
"""What makes a module look as if it were not installed."""
LIMITED = (
    "from kimi_core import *; limits = Limits(concurrency=1, storage='redis://127.0.0.1:1/0'); "
    "KimiClient(api_key='k', base_url='http://127.0.0.1:1/v1', limits=limits)"
    ".complete(Request(messages=[Message('user', 'Hello')], model='kimi-k2.6'))"
)
COMMAND = "sys.argv = ['kimi-adapters', {0!r}]; from kimi_adapters.cli import main; main()"


def run(code: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
    )


@pytest.mark.parametrize(
    ("code", "absent", "extra"),
    [
        ("import langchain_kimi", "langchain_core", "langchain"),
        ("import llama_index_kimi", "llama_index.core", "llama-index"),
        ("import llama_index.llms.kimi", "llama_index.core", "llama-index"),
        ("import kimi_adapters.local_server", "starlette", "local-server"),
        ("import kimi_adapters.local_server", "uvicorn", "local-server"),
        (LIMITED, "redis", "redis"),
        (COMMAND.format("serve"), "typer", "cli"),
        (COMMAND.format("serve"), "rich", "cli"),
        (COMMAND.format("serve"), "uvicorn", "cli"),
        (COMMAND.format("demo"), "langchain", "demo"),
        (COMMAND.format("demo"), "llama_index.core", "demo"),
        (COMMAND.format("demo"), "bm25s", "demo"),
    ],
)
def test_an_error_about_a_missing_package_names_the_extra(code: str, absent: str, extra: str, tmp_path: Path) -> None:
    done = run(BLOCKED.format(absent=[absent]) + code, tmp_path)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert absent.partition(".")[0] in done.stderr
    assert re.search(rf"pip install ['\"]kimi-adapters\[{extra}\]['\"]", last)


def test_show_needs_nothing_that_is_not_in_the_core(tmp_path: Path) -> None:
    absent = ["IPython", "PIL", "markdown_it", "langchain_core", "llama_index.core", "rich", "typer", "starlette"]
    code = "from kimi_adapters.notebook import show; show('**Hello**')"
    done = run(BLOCKED.format(absent=absent) + code, tmp_path)
    assert (done.returncode, done.stdout) == (0, "**Hello**\n"), done.stderr


@pytest.mark.parametrize(("heading", "extra"), [("LangChain", "langchain"), ("LlamaIndex", "llama-index")])
def test_the_first_block_of_the_readme_needs_its_install_line_alone(
    kimi: LocalKimi, heading: str, extra: str, tmp_path: Path
) -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert f'pip install "kimi-adapters[{extra}]"' in text
    block = text.partition(f"\n## {heading}\n")[2].partition("```python\n")[2].partition("```")[0]
    others = {
        "langchain",
        "langchain_core",
        "llama_index.core",
        "PIL",
        "rich",
        "typer",
        "starlette",
        "uvicorn",
        "IPython",
    }
    absent = sorted(others - brought(extra))
    done = run(
        BLOCKED.format(absent=absent) + f"exec({block!r})",
        tmp_path,
        MOONSHOT_API_KEY=kimi.api_key,
        MOONSHOT_BASE_URL=kimi.base_url,
    )
    assert done.returncode == 0, done.stderr
    assert "Harbour Coffee opened in May." in done.stdout


MODULES = {"langchain-core": "langchain_core", "llama-index-core": "llama_index.core", "pillow": "PIL"}


def brought(extra: str) -> set[str]:
    """Modules that an extra brings, those that LlamaIndex needs itself included."""
    required = [line for line in metadata.requires("kimi-adapters") or () if f"extra == '{extra}'" in line]
    names = {re.split(r"[^\w-]", line)[0] for line in required}
    names |= {re.split(r"[^\w-]", line)[0] for name in names for line in metadata.requires(name) or ()}
    return {MODULES[name] for name in names if name in MODULES}
