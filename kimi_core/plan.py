"""What was decided of a request: the plan, and the draft that the policy makes it of. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from kimi_core.host_row import Patch
from kimi_core.profile import Profile
from kimi_core.types import Request, Thinking


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


class Draft:
    """A plan in the making. Only the policy changes it."""

    def __init__(self, request: Request, profile: Profile) -> None:
        self.profile = profile
        self.tools = request.tools
        self.choice = request.tool_choice
        self.output = request.output
        self.options = request.options
        if profile.thinking is not None and self.thinking.enabled is None and self.thinking.effort != "none":
            self.set(thinking=replace(self.thinking, enabled=profile.thinking))
        self.request = request
        self.patches: list[Patch] = []
        self.unwanted = self.thinking.enabled is False or self.thinking.effort == "none"
        self.must_call: frozenset[str] = frozenset()
        self.notes: list[Note] = []

    @property
    def thinking(self) -> Thinking:
        """The thinking options as they stand."""
        return self.options.thinking

    @property
    def thinks(self) -> bool | None:
        """Whether the model will think; None when nobody knows."""
        return self.profile.thinks(self.thinking.enabled)

    def set(self, **changes: Any) -> None:
        """Change options."""
        self.options = replace(self.options, **changes)

    def note(self, option: str, why: str) -> None:
        """Note that an option is not sent, and why."""
        self.notes.append(Note(option, f"{option} is not sent to {self.profile.where}: {why}"))

    def plan(self) -> Plan:
        """Return what was decided."""
        request = replace(
            self.request, tools=self.tools, tool_choice=self.choice, output=self.output, options=self.options
        )
        return Plan(
            request=request,
            profile=self.profile,
            patches=tuple(self.patches),
            thinks=self.thinks,
            unwanted=self.unwanted,
            must_call=self.must_call,
            notes=tuple(self.notes),
        )
