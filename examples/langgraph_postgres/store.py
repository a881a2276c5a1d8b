"""What the workers share beside LangGraph's checkpoints: the threads, the pot of money, and what tools have done."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection, Connection
from psycopg.rows import dict_row

_TABLES = """
CREATE TABLE IF NOT EXISTS threads (
    id bigserial PRIMARY KEY,  -- the number of its lock as well
    question text NOT NULL,
    answer text,
    error text,
    worker text,               -- who began it last
    begun int NOT NULL DEFAULT 0,
    allowance float            -- dollars that were taken out of the pot for it
);
CREATE TABLE IF NOT EXISTS shipments (
    thread text,
    call_id text,
    city text NOT NULL,
    runs int NOT NULL DEFAULT 1,
    PRIMARY KEY (thread, call_id)
);
CREATE TABLE IF NOT EXISTS pot (usd float NOT NULL, left_usd float NOT NULL);
"""

# A lock ends with the connection that holds it, and so with the process, however that ends. It needs no transaction
# that is open for as long as an agent works. The rows are looked at one by one, and the first free lock is taken.
_CLAIM = """
WITH undone AS MATERIALIZED (
    SELECT id FROM threads WHERE answer IS NULL AND error IS NULL ORDER BY begun, id LIMIT 200
)
SELECT id FROM undone WHERE pg_try_advisory_lock(id) LIMIT 1
"""


def create(dsn: str, threads: int, usd: float) -> None:
    """Make the tables, LangGraph's own too, with new threads where there are none."""
    from langgraph.checkpoint.postgres import PostgresSaver

    with Connection.connect(dsn, autocommit=True, row_factory=dict_row) as database:
        PostgresSaver(database).setup()
        database.execute(_TABLES)
        if database.execute("SELECT 1 FROM threads LIMIT 1").fetchone():
            return
        question = "Call look_up for order HC-{}, then call ship_to with the city."
        for number in range(threads):
            database.execute("INSERT INTO threads (question) VALUES (%s)", (question.format(number),))
        database.execute("INSERT INTO pot VALUES (%s, %s)", (usd, usd))


async def claim(own: AsyncConnection[Any], worker: str, allowance: float) -> dict[str, Any] | None:
    """Return a thread that nobody works at, and that is this connection's until `release`; None when there is none.

    A connection has one thread at a time: its own lock would not keep itself out.
    The money for it is taken out of the pot the first time; a thread for which nothing is left ends with an error.
    """
    while row := await (await own.execute(_CLAIM)).fetchone():
        async with own.transaction():
            # It may have been answered between the look at the rows and the lock.
            begin = """UPDATE threads SET worker = %s, begun = begun + 1
                       WHERE id = %s AND answer IS NULL AND error IS NULL RETURNING *"""
            thread: dict[str, Any] | None = await (await own.execute(begin, (worker, row["id"]))).fetchone()
            if thread and thread["allowance"] is None and not await _withdraw(own, thread, allowance):
                await own.execute("UPDATE threads SET error = 'The pot is empty.' WHERE id = %s", (row["id"],))
                thread = None
        if thread:
            return thread
        await release(own, row["id"])
    return None


async def _withdraw(own: AsyncConnection[Any], thread: dict[str, Any], usd: float) -> bool:
    taken = await own.execute("UPDATE pot SET left_usd = left_usd - %s WHERE left_usd >= %s", (usd, usd))
    if taken.rowcount == 0:
        return False
    await own.execute("UPDATE threads SET allowance = %s WHERE id = %s", (usd, thread["id"]))
    thread["allowance"] = usd
    return True


async def settle(
    own: AsyncConnection[Any], thread: dict[str, Any], spent: float, *, answer: str = "", error: str = ""
) -> None:
    """Write down how a thread has ended, and put back what is left of its money.

    Nothing is put back for a thread whose first process was killed: what that has spent at last is known to nobody.
    """
    rest = max(0.0, thread["allowance"] - spent) if thread["begun"] == 1 else 0.0
    async with own.transaction():
        ended = "UPDATE threads SET answer = %s, error = %s, allowance = allowance - %s WHERE id = %s"
        await own.execute(ended, (answer or None, error or None, rest, thread["id"]))
        await own.execute("UPDATE pot SET left_usd = left_usd + %s", (rest,))


async def release(own: AsyncConnection[Any], thread: int) -> None:
    """Give up a thread's lock."""
    await own.execute("SELECT pg_advisory_unlock(%s)", (thread,))


async def is_undone(own: AsyncConnection[Any]) -> bool:
    """Return whether there are threads to be done, be it by others, who may be killed."""
    undone = "SELECT 1 FROM threads WHERE answer IS NULL AND error IS NULL LIMIT 1"
    return await (await own.execute(undone)).fetchone() is not None


async def ship(own: AsyncConnection[Any], thread: str, call_id: str, city: str) -> None:
    """Ship, once for a call of the tool: a tool that was killed before its result was saved is called again."""
    again = "ON CONFLICT (thread, call_id) DO UPDATE SET runs = shipments.runs + 1"
    await own.execute(f"INSERT INTO shipments VALUES (%s, %s, %s) {again}", (thread, call_id, city))


def shipped_and_not_answered(database: Connection[Any], worker: str) -> int | None:
    """Return a thread of a worker in which the tools have run, and the answer is still to come."""
    between = """SELECT t.id FROM threads t JOIN shipments s ON s.thread = t.id::text
                 JOIN checkpoints c ON c.thread_id = s.thread AND (c.metadata ->> 'step')::int = 4
                 WHERE t.worker = %s AND t.answer IS NULL LIMIT 1"""
    row = database.execute(between, (worker,)).fetchone()
    return row[0] if row else None


def report(database: Connection[Any]) -> str:
    """Say what came of it."""

    def one(query: str) -> tuple[Any, ...]:
        return database.execute(query).fetchone() or ()

    threads, answered, failed, again = one(
        "SELECT count(*), count(answer), count(error), count(*) FILTER (WHERE begun > 1) FROM threads"
    )
    workers = database.execute("SELECT worker, count(*) FROM threads WHERE answer IS NOT NULL GROUP BY 1 ORDER BY 1")
    shipped, runs = one("SELECT count(*), coalesce(sum(runs), 0) FROM shipments")
    (once,) = one("SELECT count(*) FROM (SELECT 1 FROM shipments GROUP BY thread HAVING count(*) = 1) AS single")
    usd, left = one("SELECT usd, left_usd FROM pot")
    return "\n".join(
        [
            f"threads: {threads}, answered {answered}, failed {failed}, begun by a second process {again}",
            f"answered by: {', '.join(f'{worker} {count}' for worker, count in workers)}",
            f"shipments: {shipped}, in threads with exactly one {once}, runs of the tool {runs}",
            f"taken out of the pot: {usd - left:.4f} of {usd:.2f} USD",
        ]
    )
