"""Streams that are dropped, loops that end too early: nothing is printed, and the next call works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kimi_adapters.local_server import LocalKimi

FORKING = """
import gc, json, os, sys, warnings
import langchain_kimi, llama_index_kimi, openai.resources.chat

gc.freeze()  # what was imported is not looked through again, nor copied for it
for name, code in json.load(sys.stdin).items():
    with warnings.catch_warnings(action="ignore"):  # some library has a thread
        child = os.fork()
    if child == 0:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(os.open(f"{name} {stream.name[1:-1]}", os.O_CREAT | os.O_WRONLY), stream.fileno())
        exec(code)
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)  # else the next child prints it, too
"""
"""Runs programs in the folder in which it is started, each in a process of its own, which need import nothing anew."""

SETUP = """
import asyncio, gc, sys
base_url, key, framework = {!r}, {!r}, {!r}

if framework == "langchain":
    from langchain_kimi import ChatKimi

    model = ChatKimi(base_url=base_url, api_key=key)
else:
    from llama_index_kimi import KimiLLM

    model = KimiLLM(base_url=base_url, api_key=key)

async def opened():
    if framework == "langchain":
        return model.astream("Tell me something in some words.")
    return await model.astream_complete("Tell me something in some words.")

async def first():
    stream = await opened()
    async for _ in stream:
        return stream

async def whole():
    return await (model.ainvoke("Hello") if framework == "langchain" else model.acomplete("Hello"))

async def all_of_it():
    assert len([piece async for piece in await opened()]) > 5
"""

EXIT = "an exit within a stream"
CASES = {
    "a stream that is held when its loop ends": """
held = asyncio.run(first())
asyncio.run(all_of_it())
del held
""",
    "a stream that is dropped in its middle": """
async def main():
    await first()
    gc.collect()
    await all_of_it()

asyncio.run(main())
""",
    "a loop that is closed without its generators": """
loop = asyncio.new_event_loop()
held = loop.run_until_complete(first())
loop.close()
del held
gc.collect()
""",
    "clients of a loop that is closed without them": """
for _ in range(2):
    loop = asyncio.new_event_loop()
    loop.run_until_complete(whole())
    loop.close()
asyncio.run(all_of_it())
gc.collect()
""",
    "a cancelled stream": """
async def main():
    async def read():
        async for _ in await opened():
            await asyncio.sleep(60)

    task = asyncio.create_task(read())
    await asyncio.sleep(0.3)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await all_of_it()

asyncio.run(main())
""",
    "nest_asyncio": """
import nest_asyncio

nest_asyncio.apply()

async def outer():
    asyncio.run(first())
    gc.collect()
    asyncio.run(all_of_it())

asyncio.run(outer())
asyncio.run(first())
gc.collect()
asyncio.run(all_of_it())
""",
    EXIT: """
async def main():
    async for _ in await opened():
        sys.exit(0)

asyncio.run(main())
""",
}


GROUPS = {"dropped": [name for name in CASES if name != EXIT], "exit": [EXIT]}
FRAMEWORKS = ["langchain", "llama_index"]

Ended = tuple[int, str, list[str]]
"""The code with which a program ended, and what it printed."""


@pytest.fixture(scope="module")
def ended(
    _moonshot: LocalKimi, _no_certificates: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], Ended]:
    """By framework and group: how its program ended. What takes time is to import the frameworks, so it is done once."""
    folder: Path = tmp_path_factory.mktemp("loops")
    programs = {
        f"{framework} {group}": SETUP.format(_moonshot.base_url, _moonshot.api_key, framework)
        + "".join(f"print({name!r}, file=sys.stderr)\n{CASES[name]}" for name in names)
        for framework in FRAMEWORKS
        for group, names in GROUPS.items()
    }
    forking = subprocess.run(
        [sys.executable, "-c", FORKING],
        cwd=folder,
        env={**os.environ, "SSL_CERT_DIR": str(_no_certificates), "LANGSMITH_TRACING": "false"},
        input=json.dumps(programs),
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    assert forking.stderr == ""
    return {
        (framework, group): (
            int(code),
            (folder / f"{framework} {group} stdout").read_text(),
            (folder / f"{framework} {group} stderr").read_text().splitlines(),
        )
        for (framework, group), code in zip(map(str.split, programs), forking.stdout.split(), strict=True)
    }


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("group", GROUPS)
def test_nothing_is_printed(group: str, framework: str, ended: dict[tuple[str, str], Ended]) -> None:
    assert ended[framework, group] == (0, "", GROUPS[group])
