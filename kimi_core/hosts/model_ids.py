"""Refuses model ids that a host cannot have, before anything is sent."""

from __future__ import annotations

import re

from kimi_core.errors import ConfigError
from kimi_core.hosts import models
from kimi_core.hosts.spec import HostSpec

_SHOWN = 80


def check(host: HostSpec, model: str, form: str | None) -> None:
    """Raise for an id that no model of the host can have.

    Args:
        host: The host's spec.
        model: The id as the user wrote it.
        form: Regular expression that the whole id must match; None where anything may be an id.

    Raises:
        ConfigError: If no model of the host can have the id; the error suggests the id that may be meant.
    """
    seen = model.isprintable()
    if model == model.strip() and model and seen and (form is None or re.fullmatch(form, model)):
        return
    if not model.strip():
        raise ConfigError(f"model is empty: give an id such as {models.NEAREST!r}.")
    shown = repr(model if len(model) <= _SHOWN else f"{model[:_SHOWN]}…")
    if form is None and model != model.strip():
        raise ConfigError(f"The model id {shown} begins or ends with a blank: give {model.strip()[:_SHOWN]!r}.")
    if form is None:
        raise ConfigError(f"The model id {shown} has a character that is not seen: write it anew.")
    known = models.find("-".join("".join(filter(_is_seen, model)).split()))
    meant = f" Did you mean {host.models.ids.get(known.id, known.id)!r}?" if known else ""
    slash = (
        " Ids with a slash are those of gateways and of open weights: for these, give host=…" if "/" in model else ""
    )
    raise ConfigError(f"{host.title} has no model {shown}: its ids are like {models.NEAREST!r}.{meant}{slash}")


def _is_seen(character: str) -> bool:
    return character.isprintable() or character.isspace()
