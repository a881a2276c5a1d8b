"""Many processes that ask under one limit: `python limited_processes.py URL KEY STORAGE CALLS LIMITS`.

The program is imported once and forked. Half of the processes ask in threads and for whole answers, half in tasks and for
streams; each names itself in what it asks.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import sys
import threading
from typing import Any

from kimi_core import AsyncKimiClient, KimiClient, Limits, Message, Request
from kimi_core.limiting import asks

PROCESSES = 8


def main(base_url: str, key: str, storage: str, calls: str, limits: str) -> int:
    numbers = json.loads(limits)
    asks.MINUTE = numbers.pop("minute")  # type: ignore[misc]
    given = {"base_url": base_url, "api_key": key, "limits": Limits(storage=storage, **numbers), "max_retries": 0}
    KimiClient(base_url=base_url, api_key=key).models()  # imports all that is needed, once for all of them
    import redis  # noqa: F401

    from kimi_core.limiting import shared, turn  # noqa: F401

    fork = multiprocessing.get_context("fork")
    gate = fork.Barrier(PROCESSES)
    several = [
        fork.Process(target=(in_threads, in_tasks)[number % 2], args=(gate, f"process {number}", given, int(calls)))
        for number in range(PROCESSES)
    ]
    for one in several:
        one.start()
    for one in several:
        one.join()
    return max(abs(one.exitcode or 0) for one in several)


def question(name: str) -> Request:
    return Request(messages=[Message("user", name)], model="kimi-k2.6")


def in_threads(gate: Any, name: str, given: dict[str, Any], calls: int) -> None:
    client = KimiClient(**given)
    client.models()
    failed: list[BaseException] = []

    def ask() -> None:
        try:
            client.complete(question(name))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=ask) for _ in range(calls)]
    gate.wait()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


def in_tasks(gate: Any, name: str, given: dict[str, Any], calls: int) -> None:
    client = AsyncKimiClient(**given)

    async def ask() -> None:
        async for _ in await client.stream(question(name)):
            pass

    async def ask_all() -> None:
        await client.models()
        await asyncio.to_thread(gate.wait)
        await asyncio.gather(*(ask() for _ in range(calls)))

    asyncio.run(ask_all())


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
