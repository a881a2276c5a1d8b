"""Where a model's calls go: its settings as the values of its fields, and what is known of the model there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from langchain_core.language_models import ModelProfile
from pydantic import SecretStr

from kimi_core import HOSTS, Settings, options
from kimi_core.client.client import KimiClient
from kimi_core.types import JsonObject
from langchain_kimi._fields import KimiFields

T = TypeVar("T")


def by_field(cls: type[KimiFields], given: Mapping[str, Any]) -> JsonObject:
    """Return values by the names of their fields.

    Raises:
        UnknownOptionError: If there is no such field.
    """
    aliases = {field.alias: name for name, field in cls.model_fields.items() if field.alias}
    names = {**options.ALIASES, **aliases}
    values = {names.get(name, name): value for name, value in given.items()}
    for name in values:
        if name not in cls.model_fields:
            raise options.unknown(name, {*cls.model_fields, *aliases})
    return values


def revived(connection: JsonObject) -> JsonObject:
    """Return options of the connection with specs and facts in place of plain data (`dumps`, a file of settings)."""
    plain = any(isinstance(connection.get(name), Mapping) for name in ("host", "timeout"))
    if not plain and not connection.get("fallback_hosts"):
        return connection
    from langchain_kimi import _serialization  # when needed

    return _serialization.from_plain(connection)


# ----------------------------------------------------------------------------------------------- resolved values

# LangChain makes variants of a model by copying its fields into the constructor and changing some
# (`configurable_fields`). A key, address or profile that was found for one host or model must not travel to another,
# so each is marked with what it belongs to.


class ResolvedKey(SecretStr):
    """A key, and the host it is for."""

    resolved_for: str


class ResolvedUrl(str):
    """An address, and the host it is of."""

    resolved_for: str


class ResolvedProfile(dict[str, Any]):
    """A model profile, and the host and model it describes."""

    resolved_for: str


def _marked(value: T, owner: str) -> T:
    value.resolved_for = owner  # type: ignore[attr-defined]
    return value


def without_other_hosts(given: JsonObject) -> JsonObject:
    """Return a constructor's arguments without what was found for another host (key, address) or model (profile)."""
    host = getattr(given.get("host"), "name", given.get("host"))
    model = given.get("model_name", KimiFields.model_fields["model_name"].default)
    owners = {"api_key": host, "base_url": host, "profile": f"{model} on {host}"}
    return {name: value for name, value in given.items() if belongs(value, owners.get(name))}


def belongs(value: Any, owner: str | None) -> bool:
    """Return whether a value is the user's own, or was found for this owner."""
    return getattr(value, "resolved_for", owner) in (owner, None)


def to_fields(settings: Settings) -> JsonObject:
    """Return what a model's fields hold when its calls go by these settings."""
    spec, key = settings.host, settings.api_key
    return {
        **settings.arguments(),
        "host": spec.name if HOSTS.get(spec.name) is spec else spec,  # a spec of the user's own as it is
        "overrides": dict(settings.overrides) or None,
        "fallback_hosts": settings.fallback_hosts or None,
        "base_url": _marked(ResolvedUrl(settings.base_url), spec.name),
        "api_key": _marked(ResolvedKey(key.get_secret_value()), spec.name) if key else None,
    }


# ------------------------------------------------------------------------------------------------------ profiles


def to_profile(client: KimiClient, model_name: str) -> ModelProfile:
    """Return what a model can do on its host, in the terms of LangChain that the installed version knows."""
    profile, settings = client.profile(model_name), client.settings
    host, model = profile.host, profile.model
    fetched = "http" in host.media.urls or settings.fetch_media is not False
    extracted = settings.documents == "extract" and "file-extract" in host.media.file_purposes
    instant = profile.thinks(False) is False and "required" in host.tools.choices_instant
    facts = {
        "name": model.id,
        "status": "deprecated" if model.id in host.models.retired else "active",
        "max_input_tokens": model.context,
        "max_output_tokens": model.context,  # less the prompt
        "text_inputs": True,
        "image_inputs": "image" in profile.media,
        "image_url_inputs": fetched and "image" in profile.media,
        "video_inputs": "video" in profile.media,
        "audio_inputs": False,
        "pdf_inputs": extracted,
        "image_tool_message": host.tools.media_results and "image" in profile.media,
        "pdf_tool_message": extracted,
        "text_outputs": True,
        "image_outputs": False,
        "audio_outputs": False,
        "video_outputs": False,
        "reasoning_output": model.thinking != "never",
        "reasoning_effort_levels": list(model.efforts) if host.thinking.effort_field else [],
        "reasoning_effort_default": model.default_effort if host.thinking.effort_field else None,
        "tool_calling": True,
        "tool_call_streaming": True,
        # Whether a tool can be forced, if need be without thinking.
        "tool_choice": instant or "required" in host.tools.choices_thinking,
        "mid_conversation_system_messages": True,
        # An agent has tools and a format at once.
        "structured_output": "json_schema" in host.structured.ways and host.structured.with_tools,
        "attachment": bool(profile.media),
        "temperature": not host.sampling.pinned,
        "open_weights": model.open_weights,
    }
    known = ModelProfile.__annotations__
    supported = {k: v for k, v in facts.items() if k in known and v not in (None, [])}
    return cast(ModelProfile, _marked(ResolvedProfile(supported), f"{model_name} on {settings.host.name}"))
