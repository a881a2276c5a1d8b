"""Streams that are dropped, loops that end too early: nothing is printed, and the next call works."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kimi_adapters.local_server import LocalKimi

SETUP = """
import asyncio, gc, sys
base_url, key, framework = sys.argv[1:]

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


@pytest.mark.parametrize("framework", ["langchain", "llama_index"])
@pytest.mark.parametrize("cases", [[name for name in CASES if name != EXIT], [EXIT]], ids=["dropped", "exit"])
def test_nothing_is_printed(cases: list[str], framework: str, kimi: LocalKimi) -> None:
    """One process for all of them, since what takes time is to import the framework."""
    told = "".join(f"print({name!r}, file=sys.stderr)\n{CASES[name]}" for name in cases)
    command = [sys.executable, "-c", SETUP + told, kimi.base_url, kimi.api_key, framework]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr.splitlines()) == (0, "", cases)
