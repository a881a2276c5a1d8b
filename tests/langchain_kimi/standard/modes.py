"""What langchain-tests' suites are run on: models, in modes, with both versions of content.

Of the runs that are possible those are made in which every two of these meet: what goes wrong does so in one of them or
where two come together. Plain data, so that the documentation can read it too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model under test.

    Attributes:
        id: The family id.
        other: The model that a call names instead, for the tests of that.
        always_thinks: Whether thinking cannot be switched off.
        takes_required: Whether a tool can be forced while it thinks.
    """

    id: str
    other: str
    always_thinks: bool = True
    takes_required: bool = False


@dataclass(frozen=True, kw_only=True)
class Mode:
    """How the local server and the client are set up.

    Attributes:
        name: Its name.
        meaning: What is special about it, for the documentation.
        thinking: The client's `thinking`.
        params: Further arguments of the client.
        server: Switches of the local server.
    """

    name: str
    meaning: str
    thinking: bool | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    server: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of the integration suite."""

    model: Model
    mode: Mode
    output_version: str

    @property
    def name(self) -> str:
        """How results call it."""
        return f"{self.model.id}, {self.mode.name}, {self.output_version}"

    @property
    def cls(self) -> str:
        """The name of its test class."""
        words = f"{self.model.id} {self.mode.name} {self.output_version}".replace(".", "").replace("-", " ").split()
        return "Test" + "".join(word.capitalize() for word in words)

    @property
    def forces_tools(self) -> bool:
        """Whether a tool can be forced: while it thinks only K3 can be, and thinking that was not asked for gives way."""
        return self.model.takes_required or not (self.model.always_thinks or self.mode.thinking)


MODELS = (
    Model(id="kimi-k2.6", other="kimi-k3", always_thinks=False),
    Model(id="kimi-k3", other="kimi-k2.6", takes_required=True),
    Model(id="kimi-k2.7-code", other="kimi-k3"),
)

STRICT = Mode(
    name="strict",
    meaning="`thinking` is not given, and the client raises where it would warn that an option is left out",
    params={"on_unsupported": "error"},
)
MODES = (
    Mode(name="thinking on", meaning="`thinking=True`", thinking=True),
    Mode(name="thinking off", meaning="`thinking=False`", thinking=False),
    STRICT,
    Mode(
        name="text before tools",
        meaning="the server writes a sentence before it calls tools",
        server={"text_before_tools": True},
    ),
    Mode(
        name="usage on request",
        meaning="a stream has usage only in a chunk of its own, and only when `include_usage` asks for it",
        server={"usage_in_choice": False},
    ),
    Mode(
        name="usage in choice",
        meaning="`include_usage` is not sent, so a stream has usage only in the choice of its last chunk",
        params={"overrides": {"usage.stream_options": False}},
    ),
)
OUTPUT_VERSIONS = ("v0", "v1")

# A model that always thinks and cannot be forced differs from the two others in nothing but these facts.
_LEAVES_OUT = {"kimi-k2.7-code": tuple(mode for mode in MODES if mode.name != "thinking on")}


def _runs(model: Model, mode: Mode) -> bool:
    possible = mode.thinking is not False or not model.always_thinks
    return possible and mode not in _LEAVES_OUT.get(model.id, ())


POSSIBLE = tuple(
    Run(model=model, mode=mode, output_version=version)
    for model in MODELS
    for mode in MODES
    for version in OUTPUT_VERSIONS
    if _runs(model, mode)
)


def pairs(run: Run) -> set[tuple[str, str]]:
    """Every two of the three things that make up a run."""
    return set(combinations((run.model.id, run.mode.name, run.output_version), 2))


def pairwise(possible: Sequence[Run]) -> tuple[Run, ...]:
    """Choose runs in which every two things meet that meet in any, always the run in which most of them do anew."""
    chosen: list[Run] = []
    left = set().union(*map(pairs, possible))
    while left:
        chosen.append(max(possible, key=lambda run: len(pairs(run) & left)))
        left -= pairs(chosen[-1])
    return tuple(run for run in possible if run in chosen)


RUNS = pairwise(POSSIBLE)


@dataclass(frozen=True, kw_only=True)
class Impossible:
    """A combination that Kimi itself rules out.

    Attributes:
        model: The model.
        what: What cannot be had, in words.
        refusal: The host's answer to it.
        params: The client's arguments in which it lies.
        forced: Whether it lies in forcing a tool.
        instead: What to do.
    """

    model: Model
    what: str
    refusal: str
    params: Mapping[str, Any] = field(default_factory=dict)
    forced: bool = False
    instead: str


_UNFORCED = "tool_choice 'required' is incompatible with thinking enabled"
_ONLY_ENABLED = "invalid thinking: only type=enabled is allowed for this model"


def _impossible(model: Model) -> list[Impossible]:
    found = []
    if model.always_thinks:
        found.append(
            Impossible(
                model=model,
                what="thinking off",
                refusal=_ONLY_ENABLED,
                params={"thinking": False},
                instead="kimi-k2.6 is the model that can switch it off",
            )
        )
    if not model.takes_required:
        found.append(
            Impossible(
                model=model,
                what="a forced tool while it thinks" + (", which is always" if model.always_thinks else ""),
                refusal=_UNFORCED,
                params={"thinking": True},
                forced=True,
                instead="the model is asked to choose, and its answer is checked"
                + ("" if model.always_thinks else "; with `thinking` unset or off the tool is forced"),
            )
        )
    return found


IMPOSSIBLE = tuple(found for model in MODELS for found in _impossible(model))
