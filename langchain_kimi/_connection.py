"""Where a model's calls go: settled when it is made, and again when a copy is to call elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from langchain_core.language_models import ModelProfile
from pydantic import ConfigDict, PrivateAttr, model_validator

from kimi_core import HOSTS, HostSpec, Settings, __version__, make_settings, options
from kimi_core.client.async_client import AsyncKimiClient
from kimi_core.client.client import KimiClient
from kimi_core.settings import notice_missing_key
from kimi_core.types import JsonObject
from langchain_kimi._fields import DEFAULT_MODEL, KimiFields
from langchain_kimi._profile import model_profile
from langchain_kimi._resolved import SettledKey, SettledProfile, SettledUrl, settled, without_other_hosts

_PARSED = ("thinking", "reasoning_effort", "agent", "extra_headers", "n")
"""Options that pydantic alone would take in other types as well."""


class Connected(KimiFields):
    """A model's clients, and what keeps them true: construction, copies, pickles."""

    model_config = ConfigDict(defer_build=True)

    _clients: tuple[KimiClient, AsyncKimiClient] = PrivateAttr()

    def __init__(self, **given: Any) -> None:
        """Make a model. Reads the environment, and does no I/O.

        Raises:
            UnknownOptionError: An option that does not exist.
            ConfigError: A value that is wrong, or a host that does not exist.
            MissingKeyError: The host needs a key and there is none. `api_key=""` says that each call brings its own.
        """
        given = _named(type(self), given)
        options.parse({name: given[name] for name in _PARSED if name in given})
        options.parse_served(given, {})  # before pydantic, which takes True for 1
        if isinstance(given.get("agent"), Mapping):
            given["agent"] = options.parse_agent(given["agent"])
        model = given.get("model_name", DEFAULT_MODEL)
        given = without_other_hosts(given, getattr(given.get("host"), "name", given.get("host")), model)
        connection = {w: given.pop(w) for w in options.CONNECTION if w in given}
        settings = make_settings(**revived(connection))
        notice_missing_key(settings, connection.get("api_key"))
        super().__init__(**given, **settings.arguments() | {"host": _host(settings), "api_key": settings.api_key})
        self._connect(settings)

    def _connect(self, settings: Settings) -> None:
        """Call with these settings from now on."""
        said = settings.arguments() | {"host": _host(settings), "overrides": dict(settings.overrides) or None}
        self.__dict__.update({word: value for word, value in said.items() if word in type(self).model_fields})
        self._clients = (KimiClient(settings), AsyncKimiClient(settings))
        self._settle(settings)

    def _settle(self, settings: Settings) -> None:
        """Mark what was settled with what it belongs to."""
        host, key = settings.host.name, settings.api_key
        self.__dict__["fallback_hosts"] = settings.fallback_hosts or None
        self.__dict__["base_url"] = settled(SettledUrl(settings.base_url), host)
        self.__dict__["api_key"] = settled(SettledKey(key.get_secret_value()), host) if key else None
        self._settle_profile()

    def _settle_profile(self) -> None:
        """Find the profile of this model on this host, unless the user gave one."""
        known = self.profile
        belongs = f"{self.model_name} on {self._settings.host.name}"
        if known is not None and getattr(known, "settled_for", belongs) == belongs:
            return
        profile = self._resolve_model_profile()
        self.__dict__["profile"] = settled(SettledProfile(profile), belongs) if profile else None

    @property
    def _settings(self) -> Settings:
        return self._clients[0].settings

    def _resolve_model_profile(self) -> ModelProfile | None:
        return model_profile(self._clients[0].profile(self.model_name), self._settings)

    @model_validator(mode="after")
    def _set_kimi_version(self) -> Self:
        self._add_version("kimi-adapters", __version__)
        return self

    # ------------------------------------------------------------------------------------------ changes

    def __setattr__(self, name: str, value: Any) -> None:
        options.check_change(name)
        super().__setattr__(name, options.hide({name: value})[name])
        self.__dict__.pop("_serialized", None)  # LangChain keeps what it has dumped once, and goes by it in caches
        if name == "model_name":
            self._settle_profile()

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy, with other values for some fields.

        A copy that is to call elsewhere (`host`, `base_url`, `api_key`, `timeout`, …) gets a connection of its own.
        Neither key nor headers are taken along to another host; None has a word looked up anew.

        Raises:
            UnknownOptionError: A field that does not exist.
            ConfigError: A value that is wrong.
        """
        changes = options.hide(_named(type(self), update or {}))
        connection = {word: changes.pop(word) for word in options.CONNECTION if word in changes}
        copied = super().model_copy(update=changes, deep=deep)
        copied.__dict__.pop("_serialized", None)
        if connection:
            copied._connect(self._clients[0].changed(revived(connection)))
            if "extra_headers" not in changes and self._clients[0].changes_host(connection):
                copied.__dict__["extra_headers"] = None
        elif "model_name" in changes and "profile" not in changes:
            copied._settle_profile()
        return copied

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """With what is shared on purpose: HTTP clients, cache, rate limiter, callbacks."""
        clients = (self.http_client, self.http_async_client, self.fallback_hosts)
        shared = (*clients, self.cache, self.rate_limiter, self.callbacks)
        return super().__deepcopy__({**(memo or {}), **{id(value): value for value in shared}})

    def __getstate__(self) -> dict[Any, Any]:
        """Without a key that came from the environment: where the pickle is read, it is looked up again."""
        self._settings.__reduce__()  # an HTTP client of the user's own cannot travel
        state = super().__getstate__()
        fields = {name: value for name, value in state["__dict__"].items() if name != "_serialized"}
        if self._settings.key_from_env:
            fields["api_key"] = None
        return {**state, "__dict__": fields}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state)
        self._settle(self._settings)


def _named(cls: type[KimiFields], given: Mapping[str, Any]) -> JsonObject:
    """Values by the names of their fields.

    Raises:
        UnknownOptionError: There is no such field.
    """
    aliases = {field.alias: name for name, field in cls.model_fields.items() if field.alias}
    words = {**options.ALIASES, **aliases}
    named = {words.get(word, word): value for word, value in given.items()}
    for word in named:
        if word not in cls.model_fields:
            raise options.unknown(word, {*cls.model_fields, *aliases})
    return named


def revived(connection: JsonObject) -> JsonObject:
    """Specs and facts that came as plain data (`dumps`, a file of settings), as the core takes them."""
    plain = any(isinstance(connection.get(word), Mapping) for word in ("host", "overrides", "timeout"))
    if not plain and not connection.get("fallback_hosts"):
        return connection
    from langchain_kimi import _plain  # when needed

    convert = _plain.REVIVED
    return {word: convert[word](value) if word in convert else value for word, value in connection.items()}


def _host(settings: Settings) -> str | HostSpec:
    """The spec's name, or a spec of the user's own as it is."""
    spec = settings.host
    return spec.name if HOSTS.get(spec.name) is spec else spec
