"""Which options a host takes, and how many answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SamplingRules:
    """Which options a host takes, and within which limits.

    Attributes:
        max_tokens_field: Its name for the token limit.
        pinned: It takes only the model's recommended sampling values.
        refuses: Options it refuses or ignores, and what to do instead.
        host_options: Whether its codec knows options that it alone has (`host_options`), and checks them.
        most_answers: Most answers that one request can ask for (`n`); the client asks for more side by side.
        stop_limit: Most stop sequences it takes.
        stop_bytes: Longest stop sequence in bytes of UTF-8.
    """

    max_tokens_field: str = "max_tokens"
    pinned: bool = False
    refuses: Mapping[str, str] = field(default_factory=dict)
    host_options: bool = False
    most_answers: int = 1
    stop_limit: int | None = None
    stop_bytes: int | None = None
