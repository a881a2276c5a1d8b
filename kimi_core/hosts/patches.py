"""Facts by their names, and the one way in which specs are corrected.

A fact of a host has a dotted name, its group and its field (`thinking.off`), or a bare one where it is in no group
(`note`). A field of a model's spec has its bare name (`context`). Patches are mappings from names to values: a spec's
`per_model`, `per_suffix` and `compatible`, and the user's `overrides`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from typing import Any

from kimi_core.errors import ConfigError
from kimi_core.hosts.models import ModelSpec
from kimi_core.hosts.spec import HostSpec
from kimi_core.quoting import did_you_mean, quoted

GROUPS: dict[str, type[Any]] = {
    f.name: type(f.default) for f in fields(HostSpec) if f.default is not MISSING and is_dataclass(f.default)
}
"""The groups of a host's facts, with their classes."""

_PLACES: dict[str, tuple[str, str]] = {
    **{f.name: ("", f.name) for f in fields(HostSpec) if f.name not in GROUPS},
    **{f"{group}.{f.name}": (group, f.name) for group, kind in GROUPS.items() for f in fields(kind)},
}
"""Group and field of each fact of a host; no group for those that are in none."""

HOST_FACTS = frozenset(_PLACES)
"""The names of all facts of a host, dotted where they are in a group."""
MODEL_FACTS = frozenset(f.name for f in fields(ModelSpec))
"""The names of all facts of a model."""


def check(patch: Iterable[object]) -> None:
    """Check the names of facts.

    Raises:
        ConfigError: If there is no fact of that name; the error suggests the nearest.
    """
    for name in patch:
        if name not in HOST_FACTS and name not in MODEL_FACTS:
            hint = did_you_mean(name, sorted(HOST_FACTS | MODEL_FACTS))
            raise ConfigError(
                f"There is no fact {quoted(name)} of a host or model.{hint} Those of a host are named by group and "
                "field ('thinking.off', see kimi_core.HostSpec), those of a model by its field alone ('context', see "
                "kimi_core.ModelSpec)."
            )


def patched(spec: HostSpec, patch: Mapping[str, Any]) -> HostSpec:
    """Return a host's spec with other facts. Those of models are passed over.

    Raises:
        ConfigError: If there is no fact of that name.
    """
    check(patch)
    groups: dict[str, dict[str, Any]] = {}
    for name in patch.keys() & HOST_FACTS:
        group, field = _PLACES[name]
        groups.setdefault(group, {})[field] = patch[name]
    changes = groups.pop("", {})
    for group, facts in groups.items():
        changes[group] = replace(getattr(spec, group), **facts)
    return replace(spec, **changes)


def made(facts: Mapping[str, Any]) -> HostSpec:
    """Return the spec that has these facts, and the defaults for the rest.

    Raises:
        ConfigError: If there is no fact of a host of that name, or the host's name is not among them.
    """
    for name in facts:
        if name not in HOST_FACTS:
            hint = did_you_mean(name, sorted(HOST_FACTS))
            raise ConfigError(f"A host has no fact {quoted(name)}.{hint} See kimi_core.HostSpec.")
    if "name" not in facts:
        raise ConfigError("A host's facts lack its 'name'. See kimi_core.HostSpec.")
    return patched(HostSpec(name=facts["name"], title=facts["name"]), facts)


def patched_model(spec: ModelSpec, patch: Mapping[str, Any]) -> ModelSpec:
    """Return a model's spec with other facts. Those of hosts are passed over.

    Raises:
        ConfigError: If there is no fact of that name.
    """
    check(patch)
    return replace(spec, **{name: value for name, value in patch.items() if name in MODEL_FACTS})


def fact(spec: HostSpec, name: str) -> Any:
    """Return a fact of a host by its name."""
    group, field = _PLACES[name]
    return getattr(getattr(spec, group) if group else spec, field)


def facts_of(spec: HostSpec) -> dict[str, Any]:
    """Return all facts of a host by their names."""
    return {name: fact(spec, name) for name in _PLACES}
