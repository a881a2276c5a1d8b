"""How long a call waits for a host."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Timeouts:
    """How long a call waits, and what happens when that was too short.

    Attributes:
        answer: Seconds to wait for an answer, by default.
        chunk: Longest silence of a stream in seconds, by default; None leaves it to `answer`.
        retry: Whether a call that timed out is repeated; it may be billed twice.
    """

    answer: float = 600
    chunk: float | None = None
    retry: bool = True
