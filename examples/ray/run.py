"""Rows through Ray on this machine while all goes wrong: faults of the host, a worker killed, the driver killed.

    make ray-demo
    python examples/ray/run.py --rows 10000 --framework llama-index

Starts what it needs (the local Kimi server as a process of its own, a Redis for the limits that all workers share),
runs `job.py`, kills a worker and then the driver, runs the same command again, and counts: rows in the output,
answers, what the host was asked, what it refused, memory.

Needs: pip install "kimi-adapters[ray,redis,langchain,llama-index,local-server]", and Debian's redis-server.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

HERE = Path(__file__).parent
PROMPT = "The code is {id}. What is the code?"


@dataclass(frozen=True)
class Seen:
    """A look at a job: how many rows the host had been asked, and megabytes and seconds of CPU of each worker."""

    questions: int
    workers: dict[int, tuple[int, float]]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Rows through Ray while all goes wrong.")
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--framework", choices=["langchain", "llama-index"], default="langchain")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rows-per-block", type=int, default=50)
    parser.add_argument("--concurrency", type=int, default=8, help="requests at the same time, of all workers together")
    parser.add_argument("--requests-per-minute", type=int, default=3000)
    parser.add_argument("--fault-rate", type=float, default=0.05)
    parser.add_argument("--lines", action="store_true", help="the rows are JSON Lines, and not Parquet")
    parser.add_argument("--delay", type=float, default=0.1, help="seconds before the host answers")
    asked = parser.parse_args(arguments)
    with contextlib.ExitStack() as started:
        folder = Path(started.enter_context(tempfile.TemporaryDirectory(prefix="kimi-ray-")))
        most = {"requests_per_minute": asked.requests_per_minute, "concurrency": asked.concurrency}
        tell, where = started.enter_context(
            host({**most, "fault_rate": asked.fault_rate, "stall": 1.0, "delay": asked.delay})
        )
        environment = {
            **os.environ,
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_TMPDIR": str(folder),
            "MOONSHOT_BASE_URL": where["base_url"],
            "MOONSHOT_API_KEY": where["api_key"],
            "KIMI_LIMITS_STORAGE": started.enter_context(redis()),
        }
        rows, output = folder / ("rows.jsonl" if asked.lines else "rows.parquet"), folder / "answers"
        table = pa.table({"id": range(asked.rows), "group": [f"group {n % 7}" for n in range(asked.rows)]})
        if asked.lines:
            rows.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
        else:
            pq.write_table(table, rows)
        command = [sys.executable, HERE / "job.py", rows, output, "--prompt", PROMPT, "--framework", asked.framework]
        command += ["--workers", str(asked.workers), "--rows-per-block", str(asked.rows_per_block)]
        command += ["--concurrency", str(asked.concurrency), "--limits", json.dumps(most)]
        seen = watched(command, environment, tell, asked.rows)
        print(json.dumps(result(output, asked.rows, tell(), seen), indent=2))
        return 0 if is_whole(output, asked.rows) else 1


def watched(
    command: list[Any], environment: dict[str, str], tell: Callable[[], dict[str, Any]], rows: int
) -> list[Seen]:
    """Run the job: kill a worker after a quarter of the rows and the driver after half; then to its end.

    Returns:
        What was seen on the way.
    """
    seen: list[Seen] = []

    def asked(driver: subprocess.Popen[bytes]) -> int:
        """Return how many rows were asked so far, having looked at the workers."""
        time.sleep(min(2.0, rows / 500))
        if driver.poll() not in (None, 0):
            raise SystemExit(f"The job ended with {driver.returncode}.")
        seen.append(Seen(int(tell()["questions"]), {pid: used(pid) for pid in workers_of(driver.pid)}))
        return seen[-1].questions

    with subprocess.Popen(command, env=environment) as driver:
        try:
            while asked(driver) < rows / 4:
                pass
            os.kill(workers_of(driver.pid)[0], signal.SIGKILL)
            print("killed a worker", flush=True)
            while asked(driver) < rows / 2:
                pass
        finally:
            driver.kill()
            print("killed the driver", flush=True)
    with subprocess.Popen(command, env=environment) as driver:
        try:
            while driver.poll() is None:
                asked(driver)
        finally:
            driver.kill()
    return seen


def workers_of(driver: int) -> list[int]:
    """Return the processes below a driver in which rows are asked."""
    parents, found = {}, []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if "AskRows" in (folder / "cmdline").read_text():
                found.append(int(folder.name))
    return [pid for pid in found if driver in ancestors(pid, parents)]


def ancestors(pid: int, parents: dict[int, int]) -> Iterator[int]:
    while pid := parents.get(pid, 0):
        yield pid


def used(pid: int) -> tuple[int, float]:
    """Return the megabytes of a process and its seconds of CPU; zeros when it is gone."""
    with contextlib.suppress(OSError):
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return pages * os.sysconf("SC_PAGE_SIZE") // 2**20, sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
    return 0, 0.0


def is_whole(output: Path, rows: int) -> bool:
    """Return whether each row is in the output once, with its own answer."""
    table = ds.dataset(output, format="parquet").to_table(columns=["id", "answer", "error"])
    answers = {row["id"]: row["answer"] for row in table.to_pylist() if row["error"] is None}
    right = all(text in (f"The code is {number}.", "") for number, text in answers.items())  # "": see `result`
    return table.num_rows == rows and answers.keys() == {*range(rows)} and right


def result(output: Path, rows: int, told: dict[str, Any], seen: list[Seen]) -> dict[str, Any]:
    table = ds.dataset(output, format="parquet").to_table()
    spoiled = sum(told["faults"].get(kind, 0) for kind in ("cut", "malformed"))
    return {
        "rows": table.num_rows,
        "different": len(set(table["id"].to_pylist())),
        "errors": rows - table["error"].null_count,
        "empty_answers": table["answer"].to_pylist().count(""),  # that is what the host answered
        "usd": round(sum(usd or 0.0 for usd in table["cost_usd"].to_pylist()), 4),
        "files": len(list(output.glob("*.parquet"))),
        "host": told,
        "asked_twice_by_kills": told["by_status"].get("200", 0) - rows - spoiled,
        "megabytes_of_a_worker": {share: at(seen, rows * share // 100) for share in (20, 45, 70, 95)},
        "cpu_ms_of_a_worker_for_a_row": cpu_ms(seen, rows),
    }


def at(seen: list[Seen], count: int) -> int:
    """Return the megabytes of the largest worker when so many rows had been asked."""
    sizes = (max((size for size, _ in one.workers.values()), default=0) for one in seen if one.questions >= count)
    return next(filter(None, sizes), 0)


def cpu_ms(seen: list[Seen], rows: int) -> float | None:
    """Return what a row cost after the second start, when all is imported; None where too little was seen."""
    late = [one for one in seen if rows * 0.6 <= one.questions <= rows * 0.95 and one.workers]
    if len(late) < 2 or late[0].questions == late[-1].questions:
        return None
    first, last = late[0], late[-1]
    seconds = sum(last.workers[pid][1] - first.workers[pid][1] for pid in last.workers if pid in first.workers)
    return round(seconds * 1000 / (last.questions - first.questions), 1)


@contextlib.contextmanager
def host(behaviour: dict[str, Any]) -> Iterator[tuple[Callable[[], dict[str, Any]], dict[str, str]]]:
    """Yield what tells of the local server, which is a process of its own, and where it is."""
    command = [sys.executable, str(HERE / "host.py"), json.dumps(behaviour)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        into, out = process.stdin, process.stdout
        assert into is not None
        assert out is not None

        def tell() -> dict[str, Any]:
            into.write("\n")
            told: dict[str, Any] = json.loads(out.readline())
            return told

        try:
            yield tell, json.loads(out.readline())
        finally:
            process.terminate()


@contextlib.contextmanager
def redis() -> Iterator[str]:
    """Yield the address of a Redis of our own, which keeps nothing."""
    if not shutil.which("redis-server"):
        raise SystemExit("Redis is not installed (Debian: apt-get install redis-server).")
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        address = Path(folder, "socket")
        serve = ["redis-server", "--port", "0", "--unixsocket", str(address), "--unixsocketperm", "700", "--save", ""]
        with subprocess.Popen(serve, stdout=subprocess.DEVNULL, cwd=folder) as server:
            try:
                while not address.exists():
                    if server.poll() is not None:
                        raise SystemExit("redis-server did not start.")
                    time.sleep(0.02)
                yield f"unix://{address}"
            finally:
                server.terminate()


if __name__ == "__main__":
    sys.exit(main())
