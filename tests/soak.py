"""Agents of both frameworks for half an hour, while one request in twenty goes wrong: nothing may grow.

    python tests/soak.py --minutes 30 --agents 200

Half of the agents run in threads of their own, half as tasks of one event loop. The local server, in a process of its
own, answers with a share of errors (429, 500), broken and silent connections, frames that are no JSON, and empty
answers. Each line says what this process holds; after it, everything is closed and counted once more.

It is flat when

- in the second half memory (RSS) grew by less than 1 MB per 1,000 conversations, or by less than 10 MB in all; this is
  judged where the second half has 1,000 conversations or more;
- descriptors, sockets, threads and tasks are back at what they were before the first conversation;
- every conversation ended in an answer or in an error of ours.

The exit code is 0 then, else 1.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import gc
import json
import os
import random
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from soak_agents import Conversations

from kimi_core import KimiError
from kimi_core.transport import clients

MB_PER_1000 = 1.0
"""How much memory may grow in 1,000 conversations."""

LEAST = 1000
"""How many conversations of the second half say something about memory: the first ones import and cache."""

NOISE_MB = 10.0
"""What memory goes up and down by, however long it runs."""

_COLUMNS = ("seconds", "rss MB", "fds", "sockets", "threads", "tasks", "finished", "typed", "untyped")


@dataclass(frozen=True, slots=True)
class Held:
    """What this process holds."""

    rss: float
    descriptors: int
    sockets: int
    threads: int
    tasks: int

    @classmethod
    def now(cls) -> Held:
        """Measure; call it in the event loop."""
        names = [_target(fd) for fd in os.listdir("/proc/self/fd")]
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return cls(
            rss=pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
            descriptors=sum(name != "" for name in names),
            sockets=sum(name.startswith("socket:") for name in names),
            threads=threading.active_count(),
            tasks=len(asyncio.all_tasks()),
        )

    @property
    def things(self) -> tuple[int, ...]:
        """What must be as it was."""
        return self.descriptors, self.sockets, self.threads, self.tasks


def _target(fd: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except OSError:  # the descriptor by which the folder itself was read
        return ""


@dataclass
class Ended:
    """How conversations ended."""

    finished: int = 0
    typed: collections.Counter[str] = field(default_factory=collections.Counter)
    untyped: collections.Counter[str] = field(default_factory=collections.Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def all(self) -> int:
        """How many ended."""
        return self.finished + self.typed.total() + self.untyped.total()

    @contextlib.contextmanager
    def counting(self, what: str) -> Iterator[None]:
        """Count how one conversation ends; an error of another kind than ours is printed."""
        try:
            yield
        except (KimiError, ValidationError) as error:
            with self.lock:
                self.typed[type(error).__name__] += 1
        except Exception as error:
            with self.lock:
                self.untyped[f"{type(error).__name__} in {what}"] += 1
                if self.untyped.total() <= 10:
                    print(f"\n{what}", file=sys.stderr)
                    traceback.print_exc(limit=-6)
        else:
            with self.lock:
                self.finished += 1


class Soak:
    """One run."""

    def __init__(self, base_url: str, api_key: str, agents: int, seconds: float, interval: float, seed: int) -> None:
        self.agents, self.seconds, self.interval, self.seed = agents, seconds, interval, seed
        self.ended = Ended()
        self.samples: list[tuple[int, float]] = []
        self._conversations = Conversations(
            base_url=base_url, api_key=api_key, chunk_timeout=2, timeout=10, deadline=60, max_retries=2
        )
        self._over = threading.Event()

    async def run(self) -> bool:
        """Run all agents, and return whether it ended flat."""
        before = Held.now()
        print("".join(f"{name:>10}" for name in _COLUMNS))
        self._show(0.0, before)
        began = time.monotonic()
        threads = [threading.Thread(target=self._thread, args=(n,)) for n in range(self.agents // 2)]
        for thread in threads:
            thread.start()
        tasks = [asyncio.create_task(self._task(n)) for n in range(self.agents // 2, self.agents)]
        while (passed := time.monotonic() - began) < self.seconds:
            await asyncio.sleep(min(self.interval, self.seconds - passed))
            gc.collect()
            self._show(time.monotonic() - began, Held.now())
        self._over.set()
        await asyncio.gather(*tasks)
        for thread in threads:
            await asyncio.to_thread(thread.join)
        await self._close()
        after = Held.now()
        self._show(time.monotonic() - began, after)
        return judge(before, after, self.samples[:-1], self.ended)

    def _thread(self, number: int) -> None:
        rng = random.Random(f"{self.seed}-{number}")
        while not self._over.is_set():
            what, say = rng.choice([*self._conversations.sync.items()])
            with self.ended.counting(what):
                say(rng)

    async def _task(self, number: int) -> None:
        rng = random.Random(f"{self.seed}-{number}")
        while not self._over.is_set():
            what, say = rng.choice([*self._conversations.asynchronous.items()])
            with self.ended.counting(what):
                await say(rng)

    async def _close(self) -> None:
        """Close what is kept for the next call: connections, and the threads of the event loop's executor."""
        while clients._clients:
            clients._clients.popitem()[1].close()
        await clients._close_clients(asyncio.get_running_loop())
        await asyncio.get_running_loop().shutdown_default_executor()
        await asyncio.sleep(0.1)  # transports close in the next turns of the loop
        gc.collect()

    def _show(self, seconds: float, held: Held) -> None:
        ended = self.ended
        self.samples.append((ended.all, held.rss))
        counts = [ended.finished, ended.typed.total(), ended.untyped.total()]
        print(
            "".join(f"{value:>10,}" for value in [round(seconds), round(held.rss), *held.things, *counts]), flush=True
        )


def judge(before: Held, after: Held, samples: Sequence[tuple[int, float]], ended: Ended) -> bool:
    """Say whether a run ended flat.

    Args:
        before: What was held before the first conversation.
        after: What was held when everything was closed.
        samples: Conversations that had ended, and MB that were held, while it ran.
        ended: How conversations ended.
    """
    print(f"\ntyped errors: {dict(ended.typed)}\nuntyped errors: {dict(ended.untyped)}")
    later = samples[len(samples) // 2 :]
    slope = slope_per_1000(later)
    conversations = later[-1][0] - later[0][0] if later else 0
    growth = slope * conversations / 1000
    print(
        f"memory: {slope:+.2f} MB per 1,000 conversations in the second half, {growth:+.1f} MB in its {conversations:,} "
        f"(at most {MB_PER_1000:g}, or {NOISE_MB:g} in all)"
    )
    grown = [
        f"{name}: {was} before the first conversation, {now} after the last"
        for name, was, now in zip(_COLUMNS[2:6], before.things, after.things, strict=True)
        if now > was
    ]
    print(*grown, sep="\n", end="\n" if grown else "")
    held = slope < MB_PER_1000 or growth < NOISE_MB or conversations < LEAST
    flat = held and not grown and not ended.untyped
    print("flat" if flat else "NOT flat")
    return flat


def slope_per_1000(samples: Sequence[tuple[int, float]]) -> float:
    """Return by how many MB memory grows in 1,000 conversations, by least squares."""
    if len({done for done, _ in samples}) < 2:
        return 0.0
    mean_x = sum(x for x, _ in samples) / len(samples)
    mean_y = sum(y for _, y in samples) / len(samples)
    spread = sum((x - mean_x) ** 2 for x, _ in samples)
    return 1000 * sum((x - mean_x) * (y - mean_y) for x, y in samples) / spread


@contextlib.contextmanager
def server(**behaviour: Any) -> Iterator[tuple[str, str]]:
    """Run a local server in a process of its own; yield its address and key, and print the faults at the end."""
    script = Path(__file__).with_name("soak_server.py")
    command = [sys.executable, str(script), json.dumps(behaviour)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        try:
            base_url, api_key = json.loads(process.stdout.readline())
            yield base_url, api_key
        finally:
            process.stdin.close()  # this ends it
            print(f"faults: {process.stdout.read().strip()}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--agents", type=int, default=200)
    parser.add_argument("--faults", type=float, default=0.05, help="share of the requests that go wrong")
    parser.add_argument("--interval", type=float, help="seconds between two lines; a sixtieth of the time")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    seconds = asked.minutes * 60
    with warnings.catch_warnings(), server(fault_rate=asked.faults, fault_seed=asked.seed, stall=4.0) as place:
        warnings.simplefilter("ignore")
        soak = Soak(*place, asked.agents, seconds, asked.interval or max(1.0, seconds / 60), asked.seed)
        flat = asyncio.run(soak.run())
    return 0 if flat else 1


if __name__ == "__main__":
    sys.exit(main())
