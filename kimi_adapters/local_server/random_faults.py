"""Faults that nobody prepared: a share of the chat requests goes wrong, as with a host on a bad day."""

from __future__ import annotations

import random
import threading
from collections import Counter
from typing import Literal, get_args

from kimi_adapters.local_server.exchange import Answer
from kimi_adapters.local_server.refusal import Refusal
from kimi_adapters.local_server.script import FAULT_MESSAGES, Fault

FaultKind = Literal["overloaded", "server_error", "cut", "stall", "malformed", "empty"]
FAULT_KINDS: tuple[FaultKind, ...] = get_args(FaultKind)

_BROKEN_FRAME = b'data: {"id": "chatcmpl-broken", "choices": [{"index": 0, "delta": {"content": \n\n'


class RandomFaults:
    """Decides which requests go wrong, and how; the same requests one after the other in the same way for a seed.

    Attributes:
        rate: The share of requests, 0 to 1.
        stall: How many seconds a stalled answer is silent.
        made: How many faults of each kind there were.
    """

    def __init__(self, rate: float, seed: int, stall: float) -> None:
        if not 0 <= rate <= 1:
            raise ValueError(f"fault_rate is a share between 0 and 1, not {rate!r}")
        self.rate, self.stall = rate, stall
        self.made: Counter[FaultKind] = Counter()
        self._random = random.Random(seed)
        self._lock = threading.Lock()

    def next(self) -> FaultKind | None:
        """Return what is to happen to the next request; None for nothing."""
        if not self.rate:
            return None
        with self._lock:
            if self._random.random() >= self.rate:
                return None
            kind = self._random.choice(FAULT_KINDS)
            self.made[kind] += 1
            return kind

    def spoil(self, answer: Answer, kind: FaultKind | None) -> Answer:
        """Put a fault into an answer: in its middle the connection breaks or is silent, or a frame is no JSON."""
        if kind not in ("cut", "stall", "malformed"):
            return answer
        if kind == "stall":
            answer.stall = self.stall
            return answer
        pieces = list(answer.pieces)
        half = len(pieces) // 2
        if kind == "cut":
            answer.cut = True
            answer.pieces = pieces[:half] if answer.streamed else [_beginning(pieces)]
        else:
            answer.pieces = [*pieces[:half], _BROKEN_FRAME, *pieces[half:]] if answer.streamed else [_beginning(pieces)]
        return answer


def error_of(kind: FaultKind | None) -> Fault | None:
    """Return the error that is sent in place of an answer; None for the other kinds."""
    if kind == "overloaded":
        return Fault(Refusal(429, "engine_overloaded_error", FAULT_MESSAGES["engine_overloaded_error"]), None)
    if kind == "server_error":
        return Fault(Refusal(500, "server_error", FAULT_MESSAGES["server_error"]), None)
    return None


def _beginning(pieces: list[bytes]) -> bytes:
    data = b"".join(pieces)
    return data[: len(data) // 2]
