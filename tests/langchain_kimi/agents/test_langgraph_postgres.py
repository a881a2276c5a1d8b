"""`examples/langgraph_postgres`: processes that share threads in a Postgres, one of which is killed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from example_scripts import EXAMPLES
from psycopg import AsyncConnection
from psycopg.rows import dict_row

EXAMPLE = EXAMPLES / "langgraph_postgres"


@pytest.fixture(scope="module")
def example() -> Iterator[SimpleNamespace]:
    """Its modules, and a database of a server of its own."""
    if not (shutil.which("initdb") or [*Path("/usr/lib/postgresql").glob("*/bin")]):
        missing = "Postgres is not installed (apt-get install postgresql): agents on Postgres were not tested"
        if os.environ.get("CI") or os.environ.get("KIMI_TEST_EXAMPLES") == "judged":
            pytest.fail(missing)
        pytest.skip(missing)
    sys.path.insert(0, str(EXAMPLE))
    try:
        import services
        import store
    finally:
        sys.path.remove(str(EXAMPLE))
    with services.postgres() as dsn:
        yield SimpleNamespace(store=store, dsn=dsn)


def run(dsn: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLE / "run.py"), *arguments],
        env={**os.environ, "DATABASE_URL": dsn},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.fixture
def database(example: SimpleNamespace) -> str:
    """An empty database."""
    with psycopg.connect(example.dsn, autocommit=True) as server:
        server.execute("DROP DATABASE IF EXISTS agents")
        server.execute("CREATE DATABASE agents")
    return str(example.dsn.replace("dbname=postgres", "dbname=agents"))


def test_what_a_killed_process_has_begun_is_ended_by_another_and_nothing_is_done_twice(database: str) -> None:
    shown = run(database, "--threads", "6", "--processes", "2", "--agents", "1", "--kill")
    assert "killed worker 1 within thread" in shown
    assert "threads: 6, answered 6, failed 0, begun by a second process 1\n" in shown
    assert "shipments: 6, in threads with exactly one 6, runs of the tool 6\n" in shown
    assert "refused by the host: 0 of" in shown


@pytest.mark.usefixtures("redis")  # whose program it starts
def test_all_processes_together_keep_one_limit(database: str) -> None:
    shown = run(database, "--threads", "4", "--processes", "2", "--agents", "2", "--concurrency", "2")
    assert "threads: 4, answered 4" in shown
    assert "refused by the host: 0 of 12 requests" in shown


# --------------------------------------------------------------------------------------------------- who has what


@pytest.fixture
async def connections(example: SimpleNamespace, database: str) -> AsyncIterator[list[Any]]:
    """Three workers' connections to a database with three threads and money for two of them."""
    example.store.create(database, 3, 0.10)
    opened = [await AsyncConnection.connect(database, autocommit=True, row_factory=dict_row) for _ in range(3)]
    yield opened
    for connection in opened:
        await connection.close()


async def test_no_two_workers_have_the_same_thread(example: SimpleNamespace, connections: list[Any]) -> None:
    taken = [await example.store.claim(own, "worker", 0.01) for own in connections]
    assert [thread["id"] for thread in taken] == [1, 2, 3]


async def test_a_thread_is_free_again_when_its_worker_is_gone(example: SimpleNamespace, connections: list[Any]) -> None:
    one, two, three = connections
    await example.store.claim(one, "one", 0.01)
    await example.store.claim(two, "two", 0.01)
    await one.close()
    await wait_until_gone(three, 1)
    await example.store.settle(three, await example.store.claim(three, "three", 0.01), 0.0, answer="Done.")
    again = await example.store.claim(three, "three", 0.01)
    assert (again["id"], again["worker"], again["begun"]) == (1, "three", 2)


async def wait_until_gone(own: Any, thread: int) -> None:
    """Wait until the server has noticed that the connection with a thread's lock is closed."""
    await own.execute("SELECT pg_advisory_lock(%s)", (thread,))
    await own.execute("SELECT pg_advisory_unlock(%s)", (thread,))


async def left(own: Any) -> float:
    return float((await (await own.execute("SELECT left_usd FROM pot")).fetchone())["left_usd"])


async def test_all_threads_together_cost_what_is_in_the_pot(example: SimpleNamespace, connections: list[Any]) -> None:
    one, two, three = connections
    first = await example.store.claim(one, "one", 0.05)
    await example.store.claim(two, "two", 0.05)
    assert await example.store.claim(three, "three", 0.05) is None
    await example.store.settle(one, first, 0.02, answer="Done.")
    assert await left(one) == pytest.approx(0.03)
    errors = await (await one.execute("SELECT error FROM threads WHERE error IS NOT NULL")).fetchall()
    assert errors == [{"error": "The pot is empty."}]


async def test_of_a_thread_with_a_killed_process_nothing_goes_back_into_the_pot(
    example: SimpleNamespace, connections: list[Any]
) -> None:
    one, two, three = connections
    await example.store.claim(one, "one", 0.05)
    for own in (two, three):
        await example.store.claim(own, "another", 0.01)
    await one.close()
    await wait_until_gone(two, 1)
    await example.store.release(two, 2)
    await two.execute("UPDATE threads SET answer = 'Done.' WHERE id = 2")
    again = await example.store.claim(two, "two", 0.05)
    await example.store.settle(two, again, 0.02, answer="Done.")
    assert again["id"] == 1
    assert await left(two) == pytest.approx(0.10 - 0.05 - 0.01 - 0.01)


async def test_a_call_of_the_tool_that_comes_again_ships_once(example: SimpleNamespace, connections: list[Any]) -> None:
    for _ in range(2):
        await example.store.ship(connections[0], "1", "ship_to:0", "Oslo")
    shipped = await (await connections[0].execute("SELECT call_id, runs FROM shipments")).fetchall()
    assert shipped == [{"call_id": "ship_to:0", "runs": 2}]
