"""LlamaIndex at scale: manuals labelled by Kimi in several processes, 20,000 chunks in LanceDB, answers with sources.

    python examples/llama_index_scale/run.py --documents 1000 --faults 0.05 --concurrency 12 --kill

Starts what it needs: the local Kimi server or, with MOONSHOT_API_KEY, the real host; for --concurrency a Redis of its
own (apt-get install redis-server) or that of KIMI_LIMITS_STORAGE; and `ingest.py`, which with --kill it ends in the
middle of the work, and starts again. What was paid is in --folder: the same command with the real host goes on there.

Needs: pip install "kimi-adapters[llama-index,local-server,redis]" llama-index-vector-stores-lancedb
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import ask

from kimi_adapters.local_server import LocalKimi

INGEST = Path(__file__).with_name("ingest.py")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Manuals into LanceDB with labels by Kimi, and answers from them.")
    parser.add_argument("--folder", type=Path, help="where all is kept; a temporary one by default")
    parser.add_argument("--documents", type=int, default=100, help="of about 21 chunks each")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--portion", type=int, default=250)
    parser.add_argument("--concurrency", type=int, default=0, help="calls at the same time, of all workers together")
    parser.add_argument("--faults", type=float, default=0.0, help="the share of requests that go wrong (local server)")
    parser.add_argument("--kill", action="store_true", help="end the ingestion in its middle (local server)")
    parser.add_argument("--searches", type=int, default=200)
    parser.add_argument("--answers", type=int, default=20)
    asked = parser.parse_args(arguments)
    with contextlib.ExitStack() as started:
        folder = asked.folder or Path(started.enter_context(tempfile.TemporaryDirectory(prefix="chunks-")))
        folder.mkdir(parents=True, exist_ok=True)
        kimi = started.enter_context(host(asked.faults, asked.concurrency))
        limits = started.enter_context(redis()) if asked.concurrency else ""
        # Workers find key and Redis in the environment: neither is sent to them.
        os.environ |= {"INGEST_USAGE": str(folder / "usage.jsonl"), "KIMI_LIMITS_STORAGE": limits}
        options = given(asked, "documents", "workers", "portion", "concurrency")
        command = [sys.executable, str(INGEST), str(folder), *options]
        start = time.monotonic()
        if asked.kill and kimi:
            kill_within(command, kimi, asked.documents * 4)
        subprocess.run(command, check=True)
        print(f"ingested in {time.monotonic() - start:.0f} s{costs(folder / 'usage.jsonl')}")
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
        print(f"the largest of the processes had {peak} MB; in files: {size(folder)} MB")
        if kimi:
            print(told(kimi))
        print(ask.report(folder, asked.documents, asked.searches, asked.answers))
    return 0


def given(asked: argparse.Namespace, *names: str) -> Iterator[str]:
    """Yield the options of ours that are ingest.py's too."""
    for name in names:
        yield from (f"--{name}", str(getattr(asked, name)))


def kill_within(command: Sequence[str], kimi: LocalKimi, requests: int) -> None:
    """Start the ingestion, and kill all of its processes when the host has had so many requests."""
    with subprocess.Popen(command, start_new_session=True) as job:
        try:
            while job.poll() is None and len(kimi.requests) < requests:
                time.sleep(0.05)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(job.pid, signal.SIGKILL)
    print(f"killed after {len(kimi.requests)} requests")


def told(kimi: LocalKimi) -> str:
    """Return what the host has seen: how much was asked twice, which of that by faults, and how many calls at once."""
    asked = [json.dumps(entry.body, sort_keys=True) for entry in kimi.requests if entry.status == 200]
    answered = [body for body in asked if "HC-" in body]  # the others are on titles, and may well be the same
    spoiled = {
        kind: n for kind, n in sorted(kimi.random_faults.made.items()) if kind not in ("overloaded", "server_error")
    }
    again = len(answered) - len(set(answered))
    return (
        f"requests: {len(kimi.requests)}, of which {len(kimi.errors)} refused; "
        f"asked again: {again}, of which {sum(spoiled.values())} had a spoiled answer {spoiled}; "
        f"most at the same time: {kimi.allowance.most_at_once}"
    )


def costs(usage: Path) -> str:
    lines = [json.loads(line) for line in usage.read_text().splitlines()] if usage.exists() else []
    prompts, answers = (sum(line[f"{kind}_tokens"] or 0 for line in lines) for kind in ("prompt", "completion"))
    usd = sum(line["cost_usd"] or 0.0 for line in lines)
    return f": {len(lines)} answers, {prompts} tokens of prompts and {answers} of answers, {usd:.2f} dollars"


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) // 2**20


@contextlib.contextmanager
def host(faults: float, concurrency: int) -> Iterator[LocalKimi | None]:
    """Put the way to the host into the environment; yield the local server, or None for the real one."""
    if os.environ.get("MOONSHOT_API_KEY"):
        yield None
        return
    print("No MOONSHOT_API_KEY: the local server answers, by rules instead of a model.")
    with LocalKimi(think=False, fault_rate=faults, stall=1.0, concurrency=concurrency or None) as kimi:
        os.environ |= {"MOONSHOT_BASE_URL": kimi.base_url, "MOONSHOT_API_KEY": kimi.api_key}
        try:
            yield kimi
        finally:
            del os.environ["MOONSHOT_BASE_URL"], os.environ["MOONSHOT_API_KEY"]


@contextlib.contextmanager
def redis() -> Iterator[str]:
    """Yield the address of a Redis: that of KIMI_LIMITS_STORAGE, or one of a server of our own."""
    if os.environ.get("KIMI_LIMITS_STORAGE"):
        yield os.environ["KIMI_LIMITS_STORAGE"]
        return
    if not shutil.which("redis-server"):
        raise SystemExit("Redis is not installed (Debian: apt-get install redis-server); without it: --concurrency 0.")
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        address = f"{folder}/socket"
        serve = ["redis-server", "--port", "0", "--unixsocket", address, "--unixsocketperm", "700", "--save", ""]
        with subprocess.Popen(serve, stdout=subprocess.DEVNULL, cwd=folder) as server:
            try:
                while not listens(address):
                    if server.poll() is not None:
                        raise SystemExit("redis-server did not start.")
                    time.sleep(0.02)
                yield f"unix://{address}"
            finally:
                server.terminate()


def listens(address: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(address) == 0


if __name__ == "__main__":
    sys.exit(main())
