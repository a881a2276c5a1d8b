"""Options of Runware's own protocol that no other host has.

ChatKimi(host="runware", host_options=RunwareOptions(delivery="async"))
KimiLLM(host="runware", host_options={"top_k": 40})
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

from kimi_core.errors import ConfigError
from kimi_core.quoting import did_you_mean, quoted


class RunwareOptions(TypedDict, total=False):
    """Options of Runware beside those of all hosts. A plain dict does as well.

    A stream is streamed whatever `delivery` is; the compatible endpoint has none of these options.

    Attributes:
        delivery: `sync` waits for the answer on the connection (the default); `async` has it made in the background
            and asks for it until it is there.
        webhook_url: Where Runware posts each finished answer as well. A token in its query is kept out of repr and
            traces, but is part of a model that is dumped.
        top_k: Sample from that many of the likeliest tokens, 0 to 999; 0 takes all.
        min_p: Leave out tokens less likely than this, 0 to 1.
        repetition_penalty: Above 1 discourages tokens that were there already, 0.01 to 5.
        poll_seconds: Pause before an `async` answer is asked for first, 1 by default; each further pause is half as
            long again, up to 10 seconds.
        wait_seconds: How long an `async` answer is waited for, 1200 by default. It is made and billed all the same;
            the same call with its `taskUUID` in `extra_body` fetches it.
    """

    delivery: Literal["sync", "async"]
    webhook_url: str
    top_k: int
    min_p: float
    repetition_penalty: float
    poll_seconds: float
    wait_seconds: float


_NUMBERS: dict[str, tuple[Any, float, float]] = {
    "top_k": ((int,), 0, 999),
    "min_p": ((int, float), 0, 1),
    "repetition_penalty": ((int, float), 0.01, 5),
    "poll_seconds": ((int, float), 0, 3600),
    "wait_seconds": ((int, float), 0, 86400),
}


def check(given: Mapping[str, Any]) -> None:
    """Check the options before anything is sent.

    Raises:
        ConfigError: If an option does not exist, or does not take the value given.
    """
    for name, value in given.items():
        if name not in RunwareOptions.__annotations__:
            hint = did_you_mean(name, RunwareOptions.__annotations__)
            raise ConfigError(f"Runware has no option {quoted(name)}.{hint} See kimi_core.RunwareOptions.")
        _check_value(name, value)


def _check_value(name: str, value: Any) -> None:
    if name == "delivery" and value not in ("sync", "async"):
        raise ConfigError(
            f"host_options: delivery must be 'sync' or 'async', got {quoted(value)}; streams are always streamed."
        )
    if name == "webhook_url" and not (isinstance(value, str) and value.startswith(("http://", "https://"))):
        raise ConfigError("host_options: webhook_url must be an http address.")
    if name in _NUMBERS:
        types, low, high = _NUMBERS[name]
        if not isinstance(value, types) or isinstance(value, bool) or not low <= value <= high:
            raise ConfigError(f"host_options: {name} must be a number from {low:g} to {high:g}, got {quoted(value)}.")
