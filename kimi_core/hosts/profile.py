"""The merged facts about one model on one host: generic < model < host < host x model < user."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from kimi_core.call_options import Options
from kimi_core.errors import ConfigError, UnknownHostError, warn
from kimi_core.hosts import model_ids, models, registry
from kimi_core.hosts.models import ModelSpec
from kimi_core.hosts.patches import GROUPS, patched, patched_model
from kimi_core.hosts.spec import HostSpec
from kimi_core.quoting import did_you_mean, in_short, quoted


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """The facts that determine how a call is encoded and decoded.

    Attributes:
        host: The host's spec with its patches for this model and the user's.
        model: The model's spec with the same patches.
        model_id: What is sent as `model`.
        thinking: True when the user's id of the model is one that asks for thinking; None when it is not.
        thinks_unasked: Whether a call thinks that does not say whether it is to; None when nobody knows.
    """

    host: HostSpec
    model: ModelSpec
    model_id: str
    thinking: bool | None = None
    thinks_unasked: bool | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "thinks_unasked", self.thinks(None))

    @property
    def media(self) -> frozenset[str]:
        """Return the kinds of media that can be sent beside text."""
        return self.model.media if self.host.media.kinds is None else self.model.media & self.host.media.kinds

    def thinks(self, asked: bool | None) -> bool | None:
        """Return whether a call will think, given what was asked for; None when nobody knows."""
        if self.model.thinking != "toggle":
            return self.model.thinking == "always"
        if asked is False and self.host.thinking.off is None:
            asked = None
        return self.host.thinking.default if asked is None else asked

    @property
    def where(self) -> str:
        """Return host and model for messages to the user."""
        return f"{in_short(self.model_id)} on {self.host.name}" if self.model_id else self.host.name


_OPTIONS = {*Options.model_fields}


def nearest(model: str) -> str:
    """Return the family whose facts an unknown id is given."""
    near = difflib.get_close_matches(in_short(model).rpartition("/")[2].lower(), models.MODELS, n=1)
    return near[0] if near else models.NEAREST


def find_host(host: str | HostSpec) -> HostSpec:
    """Return the spec of a host by its name (in any case, with any punctuation), or a spec as it is.

    Raises:
        UnknownHostError: If no spec has that name.
        ConfigError: If it is neither a name nor a spec, or a spec with something else in place of a group.
    """
    if isinstance(host, HostSpec):
        for group, kind in GROUPS.items():
            if not isinstance(given := getattr(host, group), kind):
                raise ConfigError(f"{group} of a HostSpec must be its {kind.__name__}, not {type(given).__name__}.")
        return host
    if not isinstance(host, str):
        raise ConfigError(f"host must be a host's name or a HostSpec, not {type(host).__name__}.")
    if spec := registry.find_by_name(host):
        return spec
    hint = did_you_mean(host, registry.HOSTS)
    raise UnknownHostError(
        f"There is no host {quoted(host)}.{hint} Known: {', '.join(registry.HOSTS)}. For any other OpenAI-compatible "
        "server use host='generic' with base_url=…, or pass a HostSpec of your own."
    )


def resolve(host: HostSpec, model: str, patch: Mapping[str, Any] | None = None) -> Profile:
    """Merge what is known about a model on a host.

    Args:
        host: The host's spec.
        model: A family id, or an id as the host writes it. An unknown one is passed through on the nearest
            family's spec, with one warning.
        patch: The user's own facts, by their names (`kimi_core.hosts.patches`).

    Raises:
        ConfigError: If the patch names a fact that there is not, an option that the host refuses does not exist, or no
            model of the host can have that id.
    """
    model_ids.check(host, model, (patch or {}).get("models.id_form", host.models.id_form))
    meant = host.models.thinking_ids.get(model)
    if meant:
        _warn_thinking_id(host.name, model, meant)
        model = meant
    suffix = next((end for end in host.per_suffix if model.endswith(end)), "")
    spec = models.find(model)
    if spec is None:
        _warn_unknown(host.name, model)
        spec = models.MODELS[nearest(model)]
    merged = {**host.per_model.get(spec.id, {}), **host.per_suffix.get(suffix, {}), **(patch or {})}
    there = patched(host, merged)
    check_refused(there.sampling.refuses)
    return Profile(
        host=there,
        model=patched_model(spec, merged),
        model_id=_written(host, model, suffix),
        thinking=True if meant else None,
    )


def check_refused(options: Iterable[object]) -> None:
    """Raise for an option among those that a host refuses which does not exist: it would be sent all the same.

    Raises:
        ConfigError: If there is none of that name; the text names the closest.
    """
    for name in options:
        if name not in _OPTIONS:
            hint = did_you_mean(name, _OPTIONS)
            raise ConfigError(f"`sampling.refuses` of a host names options; there is no option {quoted(name)}.{hint}")


def of_host(host: HostSpec, patch: Mapping[str, Any] | None = None) -> Profile:
    """Return the facts for calls that are about no model: those of the host, with the user's own.

    Raises:
        ConfigError: If the patch names a fact that there is not.
    """
    return Profile(patched(host, patch or {}), models.MODELS[models.NEAREST], model_id="")


def _written(host: HostSpec, model: str, suffix: str) -> str:
    """Return a model's id as the host writes it."""
    bare = model.removesuffix(suffix)
    return f"{host.models.ids[bare]}{suffix}" if bare in host.models.ids else model


@lru_cache(maxsize=256)
def _warn_thinking_id(host: str, model: str, meant: str) -> None:
    warn(
        f"{host} has no model {quoted(model)}, though guides name one: {meant} is asked for, with thinking on. "
        f"Say model={meant!r} and thinking=True."
    )


def model_there(profile: Profile, chosen: Mapping[str, Any]) -> str:
    """Return the model to ask a fallback host for: its family, which each host's spec spells in its own way."""
    if there := chosen.get("model"):
        return str(there)
    id_ = profile.model_id
    family = next((family for family, wire in profile.host.models.ids.items() if wire == id_), None)
    known = models.find(id_)
    return family or (known.id if known else id_)


@lru_cache(maxsize=256)
def _warn_unknown(host: str, model: str) -> None:
    hint = did_you_mean(model, models.MODELS)
    warn(
        f"No spec knows the model {quoted(model)}.{hint} It is sent to {host} as it is, with the facts of "
        f"{nearest(model)}. To correct them, add a ModelSpec to kimi_core.hosts.models.MODELS or give overrides={{…}}."
    )
