"""What a host's errors mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kimi_core import errors as err
from kimi_core.hosts.groups.pattern import Pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRule:
    """Which error a host's answer means. All given conditions must hold; the first rule that fits wins.

    Attributes:
        error: The class to raise.
        status: HTTP status; None for any.
        kind: Regular expression for the host's error type or code (whole word, ignoring case).
        message: Regular expression looked for in the host's message, ignoring case.
        header: Response header that must be there.
        retry: Overrides whether the call is retried; None leaves it to the class.
        advice: What the user can do next.
    """

    error: type[err.APIError]
    status: int | None = None
    kind: Pattern | None = None
    message: Pattern | None = None
    header: str | None = None
    retry: bool | None = None
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ErrorMapping:
    """What a host's errors mean, and where they have the id of the request.

    Attributes:
        rules: Its error rules, looked at before the general ones.
        arguments: What it calls an option in its errors -> what the user calls it.
        refused_option: Regular expression for its message when it refuses an option's value, with the group `option`.
            The call is then made again without that option. None: its message does not name the option.
        id_headers: Response headers that hold the request's id.
        id_paths: Where an error's body holds it.
    """

    rules: tuple[ErrorRule, ...] = ()
    arguments: Mapping[str, str] = field(default_factory=dict)
    # Moonshot's message, which gateways in front of it hand on.
    refused_option: Pattern | None = (
        r"invalid (?P<option>temperature|top_p|n|presence_penalty|frequency_penalty): only .+ is allowed"
    )
    id_headers: tuple[str, ...] = ("x-request-id",)
    id_paths: tuple[str, ...] = ()
