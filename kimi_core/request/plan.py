"""The plan of a request, which the policy decides. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from kimi_core.hosts.groups import Patch
from kimi_core.hosts.profile import Profile
from kimi_core.types import Request


@dataclass(frozen=True, slots=True)
class Note:
    """An option that is not sent as the user gave it, and what to do about it."""

    option: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A request as it may be sent.

    Attributes:
        request: The request, reduced to what this model takes on this host. The method of structured output is
            decided: `output.method` is never `auto`, and a `function_calling` output has become a tool.
        profile: The facts by which the plan was made.
        patches: Merge patches for the body that set the thinking options and the agent swarm.
        thinks: Whether the model will think; None when nobody knows.
        unwanted: Whether the user switched thinking off, and no note explains that the model thinks all the same.
        must_call: The tools one of which must be called, where the host cannot force it; else the call is repaired.
        notes: What is not sent as the user gave it.
    """

    request: Request
    profile: Profile
    patches: tuple[Patch, ...] = ()
    thinks: bool | None = None
    unwanted: bool = False
    must_call: frozenset[str] = frozenset()
    notes: tuple[Note, ...] = ()
