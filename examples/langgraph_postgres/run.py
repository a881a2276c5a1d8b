"""Agents on Postgres: processes that share their threads; one that is killed leaves nothing undone and nothing twice.

    python examples/langgraph_postgres/run.py --threads 12 --processes 3 --kill

Starts what it needs: a Postgres of its own (Debian: apt-get install postgresql) or that of DATABASE_URL; for
--concurrency a Redis of its own (apt-get install redis-server) or that of KIMI_LIMITS_STORAGE; the local Kimi server
or, with MOONSHOT_API_KEY, the real one; and the workers.

Needs: pip install "kimi-adapters[langchain,local-server,redis]" langchain
       pip install langgraph-checkpoint-postgres "psycopg[binary,pool]"
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg
import services
import store

WORKER = Path(__file__).with_name("worker.py")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Agents on Postgres, in several processes.")
    parser.add_argument("--threads", type=int, default=12, help="conversations to be worked off")
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--agents", type=int, default=2, help="at the same time in each process")
    parser.add_argument("--usd", type=float, default=1.0, help="what all of them may cost together")
    parser.add_argument("--allowance", type=float, default=0.05, help="what one of them may cost")
    parser.add_argument(
        "--concurrency", type=int, default=0, help="requests at the same time, of all processes together"
    )
    parser.add_argument("--kill", action="store_true", help="kill a process in the middle of its work")
    asked = parser.parse_args(arguments)
    with contextlib.ExitStack() as started:
        dsn = started.enter_context(services.postgres())
        kimi, where = started.enter_context(services.kimi(asked.concurrency))
        limits = started.enter_context(services.redis()) if asked.concurrency else ""
        with psycopg.connect(dsn, autocommit=True) as database:
            store.create(dsn, asked.threads, asked.usd)
            common = [dsn, str(asked.agents), str(asked.allowance), str(asked.concurrency)]
            environment = {**os.environ, **where, "KIMI_LIMITS_STORAGE": limits}
            workers = [
                subprocess.Popen([sys.executable, str(WORKER), f"worker {n}", *common], env=environment)
                for n in range(1, asked.processes + 1)
            ]
            for worker in workers:
                started.callback(worker.kill)  # if this program ends before they do
            if asked.kill:
                kill_at_work(database, workers[0], "worker 1")
            codes = [worker.wait() for worker in workers]
            print(store.report(database))
    if kimi:
        print(f"refused by the host: {len(kimi.errors)} of {len(kimi.requests)} requests")
        print(f"most requests at the same time: {kimi.allowance.most_at_once}")
    return 0 if codes.count(0) == len(codes) - asked.kill else 1


def kill_at_work(database: psycopg.Connection, worker: subprocess.Popen[bytes], name: str) -> None:
    """Kill a worker in a thread where what the last tool gave was saved, and the answer is still to come."""
    while not (under_way := store.shipped_and_not_answered(database, name)):
        if worker.poll() is not None:
            print(f"{name} was done before it could be killed")
            return
        time.sleep(0.01)
    worker.kill()
    print(f"killed {name} within thread {under_way}")


if __name__ == "__main__":
    sys.exit(main())
