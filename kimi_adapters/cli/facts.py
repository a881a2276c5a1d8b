"""What is known about hosts and models, as JSON."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import asdict, fields
from typing import Any

from kimi_core.hosts.models import MODELS, ModelSpec
from kimi_core.hosts.profile import resolve
from kimi_core.hosts.registry import HOSTS, find_by_name
from kimi_core.hosts.spec import HostSpec


def matching(part: str | None) -> list[HostSpec]:
    """Return the host of a name; those whose name, title or address has it as a part; all, where nothing is given."""
    if part is None:
        return [*HOSTS.values()]
    if exact := find_by_name(part):
        return [exact]
    wanted = part.casefold()
    return [spec for spec in HOSTS.values() if any(wanted in text.casefold() for text in _names(spec))]


def _names(spec: HostSpec) -> Iterable[str]:
    return spec.name, spec.title, *spec.aliases, spec.address.base_url or "", *spec.address.domains


def close_to(name: str, known: Iterable[str]) -> str:
    """Return a question for the name that was meant; empty when none is close."""
    near = difflib.get_close_matches(name.casefold(), [*known], n=1)
    return f" Did you mean {near[0]}?" if near else ""


def of_host(spec: HostSpec) -> dict[str, Any]:
    """Return what is known about a host."""
    paths = {field.name: getattr(spec.endpoints, field.name) for field in fields(spec.endpoints)}
    return {
        "name": spec.name,
        "title": spec.title,
        "aliases": [*spec.aliases],
        "base_url": spec.address.base_url,
        "base_url_env": [*spec.address.base_url_env],
        "key_env": [*spec.address.key_env],
        "key_required": spec.address.key_required,
        "endpoints": {name: path for name, path in paths.items() if path is not None},
        "models": served(spec),
        "retired": {model: str(end.day) for model, end in spec.models.retired.items()},
        "files": [*spec.media.file_purposes],
        "file_limit": spec.media.file_limit,
        "limits": {name: asdict(tier) for name, tier in spec.limits.tiers.items()},
        "tier": spec.tier,
        "as_of": str(spec.as_of),
        "source": spec.source,
        "note": spec.note,
    }


def served(spec: HostSpec) -> dict[str, str]:
    """Return the models that a host is known to serve: by family what it calls them.

    A spec without ids passes the families' own through: then all are named that the host has not retired.
    """
    ids = spec.models.ids or {model: model for model in MODELS}
    return {model: id_ for model, id_ in ids.items() if model in MODELS and model not in spec.models.retired}


def of_model(spec: ModelSpec, host: HostSpec) -> dict[str, Any]:
    """Return what is known about a model on a host; limits are in tokens, prices in US dollars per million tokens."""
    profile = resolve(host, spec.id)
    there, price, end = profile.model, host.usage.prices.get(spec.id), host.models.retired.get(spec.id)
    return {
        "model": spec.id,
        "host": host.name,
        "id": profile.model_id,
        "context": there.context,
        "default_output": there.default_output,
        "thinking": there.thinking,
        "efforts": [*there.efforts],
        "efforts_heeded": bool(there.efforts) and profile.host.thinking.effort_heeded,
        "default_effort": there.default_effort,
        "reads": ["text", *sorted(profile.media)],
        "open_weights": there.open_weights,
        "price": asdict(price) | {"as_of": str(price.as_of)} if price else None,
        "retired": str(end.day) if end else None,
        "instead": (end.instead or None) if end else None,
        "as_of": str(there.as_of),
        "source": there.source,
        "note": there.note,
    }
