"""A thread that tells a Redis what has ended, and that what has not ended goes on."""

from __future__ import annotations

import atexit
import contextlib
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

_LAST: Final = 5.0
"""Seconds for which the end of the process waits for what is still to be told."""


def at_end_of_worker(call: Callable[[], None]) -> None:
    """Have something called at the end of a process of `multiprocessing`, which calls nothing of `atexit`."""
    if "multiprocessing" in sys.modules:
        from multiprocessing import parent_process, util

        if parent_process() is not None:
            util.Finalize(None, call, exitpriority=0)


class Keeper:
    """Does what is given to it, in order, in a thread of its own that ends when there is nothing to keep."""

    def __init__(self, renew: Callable[[str, list[str]], None], every: float) -> None:
        """Begin without a thread.

        Args:
            renew: Called with a place and the ids that are kept there.
            every: How often, in seconds.
        """
        self._renew, self._every = renew, every
        self._begin()
        atexit.register(self._flush)

    def _begin(self) -> None:
        self._process = os.getpid()
        at_end_of_worker(self._flush)
        self._lock = threading.Lock()
        self._todo: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._kept: dict[str, str] = {}
        self._thread: threading.Thread | None = None

    def add(self, id: str, place: str) -> None:
        """Keep something."""
        self._check_process()
        self._kept[id] = place
        self._start()

    def drop(self, id: str) -> None:
        """Keep it no longer."""
        self._kept.pop(id, None)

    def do(self, what: Callable[[], None]) -> None:
        """Have something done. It must not raise."""
        self._check_process()
        self._todo.put(what)
        self._start()

    def _check_process(self) -> None:
        if self._process != os.getpid():  # a child has no threads of its parent's, and keeps nothing of it
            self._begin()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(target=self._work, name="kimi-limits", daemon=True)
                with contextlib.suppress(RuntimeError):  # the process ends
                    thread.start()
                    self._thread = thread

    def _work(self) -> None:
        due = time.monotonic() + self._every
        while True:
            try:
                self._todo.get(timeout=max(0.0, due - time.monotonic()))()
            except queue.Empty:
                with self._lock:
                    if not self._kept and self._todo.empty():
                        self._thread = None
                        return
            if time.monotonic() >= due:
                self._renew_all()
                due = time.monotonic() + self._every

    def _renew_all(self) -> None:
        by_place: dict[str, list[str]] = {}
        for id, place in list(self._kept.items()):
            by_place.setdefault(place, []).append(id)
        for place, ids in by_place.items():
            self._renew(place, ids)

    def _flush(self) -> None:
        if self._thread is not None and self._process == os.getpid():
            done = threading.Event()
            self._todo.put(done.set)
            done.wait(_LAST)
