"""Where to and with what key: everything a client knows before its first call.

The environment is read here, when settings are made, and never again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from os import PathLike
from typing import Any

from pydantic import ConfigDict, Field, SecretStr

from kimi_core.connection_options import (
    LONGEST_TIMEOUT,
    OF_ONE_HOST,
    ApiKey,
    ClientOptions,
    FallbackHost,
    LocalFiles,
)
from kimi_core.errors import ConfigError, MissingKeyError, UnknownOptionError
from kimi_core.header_rules import check_header, check_headers
from kimi_core.headers import hidden
from kimi_core.hosts import base_urls, profile, registry
from kimi_core.hosts.models import ModelSpec
from kimi_core.hosts.spec import HostSpec
from kimi_core.limits import Limits
from kimi_core.option_checks import check
from kimi_core.quoting import did_you_mean, in_short, quoted
from kimi_core.representation import in_one_line

DEFAULT_HOST = "moonshot"
"""The host when neither `host` nor a known `base_url` is given."""


class Settings(ClientOptions):
    """Everything about the connection, resolved: nothing of it is looked up later. Made by `make_settings`.

    Attributes:
        host: The host's spec.
        base_url: The address in use.
        api_key: The key; None where the host needs none.
        key_from_env: The key came from the environment (then it is not pickled, but read again).
        local_files: As it was given, folders as absolute paths.
        default_headers: Sent with every request, after the host's own.
        fallback_hosts: Whom to ask next when the host fails, in order, with address and key.
    """

    model_config = ConfigDict(frozen=True)

    host: HostSpec
    base_url: str
    key_from_env: bool = False
    local_files: bool | tuple[str, ...] = True
    default_headers: Mapping[str, SecretStr] = Field(default_factory=dict, repr=False)
    overrides: Mapping[str, Any] = Field(default_factory=dict)
    fallback_hosts: tuple[Mapping[str, Any], ...] = Field(default=(), repr=False)

    def __repr_args__(self) -> list[tuple[str, Any]]:
        return in_one_line(self, ("key_from_env",))

    def __reduce__(self) -> tuple[Any, ...]:
        clients = ("http_client", "http_async_client")
        if any(place.get(name) is not None for place in (vars(self), *self.fallback_hosts) for name in clients):
            raise TypeError("Settings with an http_client of the user's own cannot be pickled.")
        given = {name: value for name, value in self.arguments().items() if name not in clients}
        key = self.api_key.get_secret_value() if self.api_key else ""
        given["api_key"] = None if self.key_from_env else key
        # A spec of the table travels by name, so that a newer table is used where it arrives.
        given["host"] = _by_name(self.host)
        given["fallback_hosts"] = [{**place, "host": _by_name(place["host"])} for place in self.fallback_hosts]
        return _restore, (given,)

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of `make_settings` that give these settings again, without looking anything up."""
        given = {name: getattr(self, name) for name in ClientOptions.model_fields}
        return {**given, "api_key": self.api_key or SecretStr("")}

    def __deepcopy__(self, memo: object = None) -> Settings:
        return self  # immutable; HTTP clients are shared on purpose


def _by_name(spec: HostSpec) -> str | HostSpec:
    return spec.name if registry.HOSTS.get(spec.name) is spec else spec


def _restore(given: dict[str, Any]) -> Settings:
    return make_settings(**given)


def make_settings(**given: Any) -> Settings:
    """Resolve host, address and key, from arguments first and then from the environment.

    A `base_url` that belongs to a known host picks that host's spec unless `host` is given. A missing key is no
    error here: what is made of the settings asks for it (`require_key`).

    Args:
        **given: The fields of `kimi_core.connection_options.ClientOptions`; what is None has its default.

    Raises:
        UnknownHostError: If no spec has that name.
        ConfigError: If a value is wrong, or the host's address must be given and was not.
        MissingKeyError: If a fallback host lacks its key.
    """
    asked = _checked(given)
    host, base_url = asked["host"], (asked["base_url"] or "").strip()
    spec = _spec(host, base_url)
    check_headers(spec.address.headers)
    profile.check_refused(spec.sampling.refuses)
    # An address in a spec of the user's own is as good as an argument.
    named = None if isinstance(host, HostSpec) and host.address.base_url else _env(spec.address.base_url_env)
    if host is None and not base_url and named:
        spec = _host_of_environment(spec, named)
    url = base_url or named or base_urls.filled(spec)
    if not url:
        raise ConfigError(f"host={spec.name!r} has no address of its own: give base_url=…")
    base_urls.check_url(url)
    registry.check_path(spec, url)
    base_urls.check_owner(spec, base_url or None, "base_url")
    if named and not base_url and host is not None:
        base_urls.check_owner(spec, named, next(name for name in spec.address.base_url_env if _env((name,))))
    # A key of the environment goes to its own host's address, or to an address that the user gives with `host`.
    own = spec.address.base_url == url.rstrip("/")
    trusted = host is not None or not base_url or own or base_urls.is_trusted(url, spec)
    key, from_env = _key(spec, asked["api_key"], trusted=trusted)
    resolved = {
        "host": spec,
        "base_url": url.rstrip("/"),
        "api_key": key,
        "key_from_env": from_env,
        "default_headers": hidden(asked["default_headers"] or {}),
        "local_files": _local_files(asked["local_files"]),
        "overrides": _facts(asked["overrides"] or {}),
        "limits": None if asked["limits"] is None else Limits.of(asked["limits"], spec),
        "fallback_hosts": _fallbacks(asked["fallback_hosts"]) if asked["fallback_hosts"] else (),
    }
    return Settings.model_construct(**{**asked, **resolved})


_DEFAULTS = {name: field.default for name, field in ClientOptions.model_fields.items()}


def _checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return all options of the connection, checked one by one.

    Raises:
        UnknownOptionError: If there is no such option.
        ConfigError: If a value is wrong.
    """
    if unknown := given.keys() - _DEFAULTS.keys():
        name = min(unknown)
        raise UnknownOptionError(f"There is no option {quoted(name)}.{did_you_mean(name, _DEFAULTS)}")
    check_headers(given.get("default_headers"))
    _local_files(given.get("local_files", True))
    check(ClientOptions, given)
    if isinstance(given.get("host"), Mapping):
        raise ConfigError("host must be a host's name or a HostSpec, not a mapping.")
    _check_timeout(given.get("timeout"))
    return {**_DEFAULTS, **given}


def require_key(given: Settings) -> None:
    """Raise when the host needs a key and there is none, or the key is of another product.

    Raises:
        MissingKeyError: If the host needs a key and there is none; the text names argument and variables.
        ConfigError: If the key belongs to another product.
    """
    spec = given.host
    if given.api_key is None:
        if spec.address.key_required:
            variables = spec.address.key_env
            others = f" or set {' or '.join(variables)}" if variables else ""
            untrusted = variables and not base_urls.is_trusted(given.base_url, spec)
            why = _ELSEWHERE.format(in_short(given.base_url), spec.name) if untrusted else ""
            raise MissingKeyError(f"No API key for {spec.title}. Pass api_key=…{others}.{why}")
        return
    start = next((s for s in spec.address.foreign_keys if given.api_key.get_secret_value().startswith(s)), None)
    if start and given.base_url == spec.address.base_url:
        raise ConfigError(f"The API key begins with {start!r}: it is {spec.address.foreign_keys[start]}.")


def notice_missing_key(made: Settings, given: ApiKey | None) -> None:
    """Raise when a model is constructed that could not be called.

    Args:
        made: The model's settings.
        given: The `api_key` that its user gave. With an empty one each call brings its own.

    Raises:
        MissingKeyError: If the host needs a key, none was given, and the environment has none.
    """
    if given is None and made.api_key is None:
        require_key(made)


_OF_THE_ADDRESS = frozenset(
    ("name", "aliases", "address.base_url", "address.base_url_env", "address.domains", "address.key_env")
) | {"address.key_required", "address.foreign_keys"}
"""Facts by which host, address and key are found."""


def _facts(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the user's own facts as the specs have them, with the headers among them hidden."""
    if not given:
        return {}
    if found := sorted(given.keys() & _OF_THE_ADDRESS):
        raise ConfigError(
            f"overrides cannot have {found[0]!r}: host, address and key are found before overrides apply. "
            "Give host=…, base_url=… and api_key=…, or a HostSpec of your own as the host."
        )
    _check_timeout(given.get("timeouts.answer"))
    if (chunk_timeout := given.get("timeouts.chunk")) is not None:
        check(ClientOptions, {"chunk_timeout": chunk_timeout})
    from kimi_core.hosts import facts  # with the first fact that anybody gives

    return facts.read(given)


_ELSEWHERE = " A key of the environment is sent to {0} only when you give the host too, for instance host={1!r}."


def _spec(host: str | HostSpec | None, base_url: str | None) -> HostSpec:
    if host is not None:
        return profile.find_host(host)
    known = registry.guess_by_url(base_url) if base_url else None
    return known or registry.HOSTS[DEFAULT_HOST]


def _host_of_environment(spec: HostSpec, base_url: str) -> HostSpec:
    """Return the spec for an address of the environment: a host's own variable names the host as well."""
    variable = next(name for name in spec.address.base_url_env if _env((name,)))
    anybodys = variable in registry.HOSTS["generic"].address.base_url_env
    return (registry.guess_by_url(base_url) if anybodys else registry.find_by_url(base_url)) or spec


def _check_timeout(timeout: Any) -> None:
    if timeout is None or all(hasattr(timeout, part) for part in ("connect", "read", "write", "pool")):
        return  # an `openai.Timeout`; of which HTTP library depends on the SDK
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout <= LONGEST_TIMEOUT:
        most = f"more than 0 and at most {LONGEST_TIMEOUT:,}"
        raise ConfigError(f"timeout must be seconds, {most}, or an openai.Timeout, got {quoted(timeout)}.")


def _local_files(given: LocalFiles) -> bool | tuple[str, ...]:
    """Return folders as absolute paths. Links are resolved when a file is read."""
    if isinstance(given, bool):
        return given
    if not isinstance(given, list | tuple) or not all(map(_is_path, given)):
        raise ConfigError("local_files must be True, False or a list of folders.")
    return tuple(os.path.abspath(os.path.expanduser(os.fspath(folder))) for folder in given)


def _is_path(given: object) -> bool:
    path = os.fspath(given) if isinstance(given, str | PathLike) else None
    return isinstance(path, str) and path != "" and "\0" not in path


def _key(spec: HostSpec, given: ApiKey | None, *, trusted: bool) -> tuple[SecretStr | None, bool]:
    if given is not None:
        text = (given.get_secret_value() if isinstance(given, SecretStr) else given).strip()
        _check_key("The API key", text)
        return (SecretStr(text), False) if text else (None, False)
    found = _env(spec.address.key_env) if trusted else None
    _check_key("The API key of the environment", found or "")
    return (SecretStr(found), True) if found else (None, False)


def _check_key(what: str, key: str) -> None:
    check_header(what, key)
    if key.lower().startswith("bearer "):
        raise ConfigError(f"{what} begins with 'Bearer', which is put before it: give the key alone.")


# ---------------------------------------------------------------------------------------------- fallback hosts


class EnvKey(SecretStr):
    """A key from the environment: it is not pickled, but read again where the pickle is."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _no_key, ()

    def __deepcopy__(self, memo: object) -> EnvKey:
        return self


def _no_key() -> None:
    return None


_NOT_THERE = ("fallback_hosts", "budget")
_RESOLVED = ("default_headers", "overrides", "limits")


def _fallbacks(given: Sequence[FallbackHost]) -> tuple[Mapping[str, Any], ...]:
    if isinstance(given, str | bytes | Mapping | HostSpec) or not isinstance(given, Sequence):
        raise ConfigError(f"fallback_hosts must be a list of hosts, got {type(given).__name__}.")
    return tuple(_fallback(f"fallback_hosts[{i}]", host) for i, host in enumerate(given))


def _fallback(place: str, given: FallbackHost) -> Mapping[str, Any]:
    """Return the options that differ for this host, with its address and key, so that nothing is looked up later."""
    if not isinstance(given, str | HostSpec | Mapping):
        raise ConfigError(f"{place} must be a host's name, a HostSpec or a mapping, not {type(given).__name__}.")
    options = dict(given) if isinstance(given, Mapping) else {"host": given}
    chosen: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    options = {name: value for name, value in chosen.items() if name != "model"}
    if not (options.keys() & {"host", "base_url"}):
        raise ConfigError(f"{place} names no host: give 'host' or 'base_url'.")
    try:
        for name in options:
            if name in _NOT_THERE or name not in _DEFAULTS:
                raise ConfigError(f"there is no option {quoted(name)} for a fallback host.")
        _check_model(chosen.get("model", "kimi"))
        there = make_settings(**options)
        require_key(there)
    except ConfigError as error:
        raise type(error)(f"{place}: {error}") from None
    key = there.api_key or SecretStr("")
    from_env = there.key_from_env or isinstance(options.get("api_key"), EnvKey)
    found = EnvKey(key.get_secret_value()) if from_env else key
    secret: dict[str, Any] = {name: getattr(there, name) for name in _RESOLVED if name in chosen}
    return {**chosen, **secret, "host": there.host, "base_url": there.base_url, "api_key": found}


def _check_model(model: object) -> None:
    if not isinstance(model, str) or not model.strip():
        raise ConfigError(f"model must be a model's name, got {quoted(model)}.")


_INHERITED = tuple(_DEFAULTS.keys() - {*OF_ONE_HOST, "overrides", *_NOT_THERE})
_OF_ANY_HOST = {f.name for f in fields(ModelSpec)} | {"usage.stream_options"}
"""Facts that hold wherever the model is: those about it, and whether usage is asked for."""


def fallback_settings(settings: Settings, index: int) -> Settings:
    """Return the settings for a fallback host: its own options, and the rest as for the first host.

    The budget is the same. Headers, facts and limits of the first host are left out; one at the same address has its
    limits.
    """
    chosen = {name: value for name, value in settings.fallback_hosts[index].items() if name != "model"}
    inherited = {name: getattr(settings, name) for name in _INHERITED}
    facts = {name: fact for name, fact in settings.overrides.items() if name in _OF_ANY_HOST}
    overrides = {**facts, **chosen.pop("overrides", {})}
    if chosen["base_url"] == settings.base_url:
        chosen.setdefault("limits", settings.limits)
    return make_settings(**{**inherited, **chosen}, overrides=overrides, budget=settings.budget)


def _env(names: tuple[str, ...]) -> str | None:
    return next((value for name in names if (value := os.environ.get(name, "").strip())), None)
