"""What a host takes as batches."""

from __future__ import annotations

from dataclasses import dataclass

_MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BatchRules:
    """What a host takes as batches, where it has them (`endpoints.batches` and `endpoints.files`).

    Attributes:
        url: The path that every line of a batch names.
        models: The families that take part; None for all.
        window: The `completion_window` that is asked for where a call gives none.
        hours: The shortest and the longest `completion_window`, in hours.
        lines: Most lines of one batch.
        size: Most bytes of the file of one batch.
        price: What tokens of a batch cost, as a share of what they cost otherwise.
    """

    url: str = "/v1/chat/completions"
    models: tuple[str, ...] | None = None
    window: str = "24h"
    hours: tuple[int, int] = (24, 24)
    lines: int = 10_000
    size: int = 100 * _MEBIBYTE
    price: float = 1.0
