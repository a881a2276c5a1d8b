"""How a host names its models, and which it no longer serves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from kimi_core.hosts.groups.pattern import Pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class Retirement:
    """The end of a model on a host.

    Attributes:
        day: When the host stopped serving it.
        instead: The family that it serves in its place; empty when it serves none or it is unknown which.
        source: Where it was read; empty for the host's own pages.
    """

    day: dt.date
    instead: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelIds:
    """How a host names its models.

    Attributes:
        ids: How it writes the family ids; others are passed through as they are.
        retired: Families that it no longer serves, by their id: since when, and what it serves instead.
        thinking_ids: Names that guides give to a family that thinks, which the host does not know as models: the call
            goes to the family, with one warning, and with thinking on unless the user switched it off.
        id_form: What each of its ids is like, as a regular expression; any other is an error before any I/O.
    """

    ids: Mapping[str, str] = field(default_factory=dict)
    retired: Mapping[str, Retirement] = field(default_factory=dict)
    thinking_ids: Mapping[str, str] = field(default_factory=dict)
    id_form: Pattern | None = None
