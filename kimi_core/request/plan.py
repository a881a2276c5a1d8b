"""What the policy decides of a request. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from kimi_core.hosts.profile import Profile
from kimi_core.hosts.spec import Patch
from kimi_core.types import Request


@dataclass(frozen=True, slots=True)
class Note:
    """Something asked for that is not sent as asked, and what to do about it."""

    option: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A request as it may be sent.

    Attributes:
        request: The request, reduced to what this model takes on this host. How the answer gets its shape is
            decided: `output.method` is never `auto`, and a `function_calling` output has become a tool.
        profile: The facts it was decided by.
        patches: Merge patches for the body that say the thinking options.
        thinks: Whether the model will think; None when nobody knows.
        unwanted: The user asked for no thinking, and nothing was said yet about why there is some all the same.
        must_call: Forcing a tool was not possible: one of these must come back, or the call is repaired.
        notes: What was left out.
    """

    request: Request
    profile: Profile
    patches: tuple[Patch, ...] = ()
    thinks: bool | None = None
    unwanted: bool = False
    must_call: frozenset[str] = frozenset()
    notes: tuple[Note, ...] = ()
