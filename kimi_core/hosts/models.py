"""The Kimi models: one spec per family, facts that hold on every host.

A new model is one spec. Ids die every few weeks, so an unknown id passes through on the nearest family's spec.
What only one host does with a model is in that host's spec (`HostSpec.per_model`).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelSpec:
    """What is known about a model family.

    Attributes:
        id: The family id that users write.
        spellings: A regular expression that recognises how hosts write the id (matched anywhere, ignoring case).
        context: Tokens of prompt and answer together.
        default_output: Tokens generated when no limit is sent.
        thinking: Whether it thinks: `toggle` (can be switched), `always` or `never`.
        efforts: Levels of `reasoning_effort`; empty when it has none.
        default_effort: The level used when none is sent.
        keep: Values of `thinking.keep` it takes.
        always_keeps: It keeps the reasoning of all turns in view without being asked to.
        media: What it reads beside text.
        open_weights: Whether it can be run on one's own machines.
        recommended: Sampling values by mode (`thinking`, `instant`). Hosts that pin sampling take no others.
        as_of: When the spec was last checked.
        source: Where its facts come from.
        note: What a user should know before choosing it.
    """

    id: str
    spellings: str
    context: int
    default_output: int
    thinking: Literal["toggle", "always", "never"]
    efforts: tuple[str, ...] = ()
    default_effort: str | None = None
    keep: tuple[str, ...] = ()
    always_keeps: bool = False
    media: frozenset[Literal["image", "video"]] = frozenset({"image", "video"})
    open_weights: bool = True
    recommended: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    as_of: dt.date = dt.date(2026, 11, 1)
    source: str = ""
    note: str = ""


# "models-overview": thinking 1.0, instant 0.6, top_p 0.95, n 1, penalties 0; other values answer 400
# `invalid temperature: only 1 is allowed for this model`.
_PINNED = {"top_p": 0.95, "n": 1, "presence_penalty": 0, "frequency_penalty": 0}
_THINKING = {"thinking": {"temperature": 1.0, **_PINNED}}
_BOTH = {**_THINKING, "instant": {"temperature": 0.6, **_PINNED}}

_OFFICIAL = "platform.kimi.ai models page and chat OpenAPI, 2026-09"
SECONDARY = (
    "apidog.com/blog/kimi-k3-1-pro-api, 2026-10-24, which read Moonshot's quickstart (released 2026-10-23); Venice and "
    "Novita list it; no official page found: unconfirmed"
)

_K3 = ModelSpec(
    id="kimi-k3",
    # Kimi Code's names: `k3`, and `kimi-for-coding` for whatever it serves, which has K3's switches since 2026-09-11.
    spellings=r"kimi[-_@:/.]*k3(?![.p]1|-1-pro)|^k3(-256k)?$|^kimi-for-coding$",
    context=1_048_576,
    default_output=131_072,
    thinking="always",
    efforts=("low", "high", "max"),
    default_effort="max",
    keep=("all",),
    always_keeps=True,
    recommended=_THINKING,
    source=_OFFICIAL,
    note="At times it puts its thinking into the text, now and then without an answer (MoonshotAI/Kimi-K3#45, "
    "2026-09-22); nothing marks it, so it is handed on as it comes.",
)
# Whether its weights are open is not known.
_K31 = replace(
    _K3,
    id="kimi-k3.1-pro",
    spellings=r"kimi[-_@:/.]*k3([.p]1(-pro)?|-1-pro)(?!.*highspeed)",
    open_weights=False,
    source=SECONDARY,
    note="",
)
_K27 = ModelSpec(
    id="kimi-k2.7-code",
    spellings=r"kimi[-_@:/.]*k2[.\-p_]?7(-code)?(?!.*highspeed)|^k2p7$",
    context=262_144,
    default_output=32_768,
    thinking="always",
    keep=("all",),
    always_keeps=True,
    recommended=_THINKING,
    source=_OFFICIAL,
)
_K26 = ModelSpec(
    id="kimi-k2.6",
    spellings=r"kimi[-_@:/.]*k2[.\-p_]?6|^k2p6$",
    context=262_144,
    default_output=32_768,
    thinking="toggle",
    keep=("all",),
    recommended=_BOTH,
    source=_OFFICIAL,
)
_ROWS = (
    _K31,
    replace(_K31, id="kimi-k3.1-pro-highspeed", spellings=r"kimi[-_@:/.]*k3[.\-p]1(-pro)?-highspeed"),
    _K3,
    _K27,
    replace(
        _K27,
        id="kimi-k2.7-code-highspeed",
        spellings=r"kimi[-_@:/.]*k2[.\-p_]?7(-code)?-highspeed|kimi-for-coding-highspeed",
    ),
    _K26,
    # 400 for `keep`
    replace(_K26, id="kimi-k2.5", spellings=r"kimi[-_@:/.]*k2[.\-p_]?5|^k2p5$", keep=()),
    ModelSpec(
        id="kimi-k2-thinking",
        spellings=r"kimi[-_@:/.]*k2-thinking",
        context=262_144,
        default_output=32_768,
        thinking="always",
        media=frozenset(),
        recommended=_THINKING,
        source=_OFFICIAL,
    ),
)

MODELS: dict[str, ModelSpec] = {spec.id: spec for spec in _ROWS}
"""Every known model by its family id, newest first."""

NEAREST = "kimi-k2.6"
"""The spec that an id nobody knows is put on."""


def find(model: str, table: Mapping[str, ModelSpec] | None = None) -> ModelSpec | None:
    """Return the spec of a model id as any host writes it, or None when no family recognises it.

    Args:
        model: `kimi-k2.6`, `moonshot/kimi-k2-6`, `moonshotai/Kimi-K2.6`, `accounts/…/kimi-k2p6`, …
        table: Specs to look in; `MODELS` by default.
    """
    specs = MODELS if table is None else table
    if spec := specs.get(model):
        return spec
    return next((spec for spec in specs.values() if re.search(spec.spellings, model, re.IGNORECASE)), None)
