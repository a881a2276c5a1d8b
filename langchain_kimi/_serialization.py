"""A model's options as plain data: for traces and caches, for LangChain's `dumps`, and back.

What JSON has no form for (specs and facts of the user's own, timeouts, the thinking option) is written so that the
constructor takes it again. Nothing secret is: neither keys nor headers, those of a spec included.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from kimi_core import HOSTS, HostSpec, Limits, Thinking, options
from kimi_core.errors import ConfigError
from kimi_core.hosts import patches
from kimi_core.quoting import quoted
from kimi_core.types import JsonObject
from langchain_kimi._fields import KimiFields

SHOWN = tuple(
    name for name in (*options.OPTIONS, *options.SERVED) if name not in options.PRIVATE or name == "host_options"
)
"""Options that make a model's answers different from those of others."""
SHAPING = ("output_version", "cost_in_usage", "include_response_headers", "include_prefill")
"""What changes a message, and is no option of the call."""

_TIMEOUT_PARTS = ("connect", "read", "write", "pool")


# ------------------------------------------------------------------------------------------------- for traces


def shown(kwargs: JsonObject) -> JsonObject:
    """Return options of a call as traces and caches may have them: a key or header is none of their business.

    Nor is one under a name that is an error, as in `model_kwargs={"openai_api_key": …}`.
    """
    shown = {name: value for name, value in kwargs.items() if not options.is_secret(name)}
    for name in shown:
        if name.endswith("kwargs") and isinstance(shown[name], Mapping):
            shown[name] = options.hide_call(shown[name])
    for name in options.OF_FACTS:
        if isinstance(facts := kwargs.get(name), Mapping):
            shown[name] = options.hide_facts(facts)
    if isinstance(kwargs.get("host_options"), Mapping):
        shown["host_options"] = options.traceable_host_options(kwargs["host_options"])
    return shown


def traceable(asked: JsonObject) -> JsonObject:
    """Return options that a model has (`SHOWN`) as traces may have them."""
    made = {**asked, "thinking": _of_thinking(asked["thinking"]), "agent": _plain(asked["agent"])}
    return shown(made) if made["host_options"] is not None else made


# -------------------------------------------------------------------------------------------------- to plain


def attributes(model: KimiFields, fallback_hosts: Iterable[Mapping[str, Any]]) -> JsonObject:
    """Return a model's options that JSON has no form for, as the constructor takes them again."""
    written = {
        "host": _of_host(model.host),
        "timeout": _of_timeout(model.timeout),
        "thinking": _of_thinking(model.thinking),
        "agent": _plain(model.agent),
        "overrides": _of_facts(model.overrides),
        "fallback_hosts": _of_fallbacks(fallback_hosts) or None,
        "limits": _of_limits(model.limits),
    }
    return {name: value for name, value in written.items() if value is not None}


def _of_host(host: Any) -> Any:
    """Return a host as the name of a spec of the table, or as the facts in which another differs from the defaults."""
    if not isinstance(host, HostSpec):
        return host
    if HOSTS.get(host.name) is host:
        return host.name
    blank = patches.facts_of(HostSpec(name="", title=""))
    facts = patches.facts_of(host).items()
    return {name: _plain(value) for name, value in facts if name != "address.headers" and value != blank[name]}


def _of_facts(facts: Mapping[str, Any] | None) -> Any:
    """Return the user's own facts as plain data."""
    return None if facts is None else _plain({name: fact for name, fact in facts.items() if name != "address.headers"})


def _of_timeout(timeout: Any) -> Any:
    """Return a timeout as seconds, or as a mapping of what an `openai.Timeout` takes."""
    parts = {name: getattr(timeout, name, timeout) for name in _TIMEOUT_PARTS}
    return timeout if timeout is None or isinstance(timeout, int | float | Mapping) else parts


def _of_fallbacks(hosts: Iterable[Mapping[str, Any]]) -> list[Any]:
    """Return fallback hosts as plain data, without keys, headers and clients."""
    return [
        {name: _WRITTEN.get(name, _plain)(value) for name, value in host.items() if name not in _UNWRITTEN}
        for host in hosts
    ]


def _of_thinking(thinking: Any) -> Any:
    """Return the thinking option without an object of ours."""
    if not isinstance(thinking, Thinking):
        return thinking
    kind = {True: "enabled", False: "disabled", None: None}[thinking.enabled]
    parts = {"type": kind, "keep": thinking.keep, "effort": thinking.effort}
    return {key: value for key, value in parts.items() if value is not None} or None


def _plain(value: Any) -> Any:
    """Return a fact of a spec as JSON has it."""
    match value:
        case Mapping():
            return {str(key): _plain(v) for key, v in value.items()}
        case frozenset() | set():
            return sorted(_plain(v) for v in value)
        case tuple() | list():
            return [_plain(v) for v in value]
        case dt.date():
            return value.isoformat()
        case type():
            return value.__name__
    if is_dataclass(value):
        parts = {f.name: getattr(value, f.name) for f in fields(value)}
        return {name: _plain(v) for name, v in parts.items() if v is not None}
    return value


def _of_limits(limits: Any) -> Any:
    """Return limits as plain data, without a password."""
    return limits.plain() if isinstance(limits, Limits) else limits


_WRITTEN: dict[str, Callable[[Any], Any]] = {
    "host": _of_host,
    "overrides": _of_facts,
    "timeout": _of_timeout,
    "limits": _of_limits,
}
_UNWRITTEN = ("api_key", "default_headers", "http_client", "http_async_client")


# ------------------------------------------------------------------------------------------------ from plain


def from_plain(connection: Mapping[str, Any]) -> JsonObject:
    """Return options of the connection with specs and facts in place of plain data.

    Raises:
        ConfigError: If a host or a timeout has a field that does not exist.
    """
    return {name: _REVIVED[name](value) if name in _REVIVED else value for name, value in connection.items()}


def _to_host(host: Any) -> Any:
    """Return the spec that a mapping describes; anything else as it is.

    Raises:
        ConfigError: If it has a fact that no host has, lacks a name, or has a wrong value.
    """
    if not isinstance(host, Mapping):
        return host
    from kimi_core.hosts import facts  # with the first spec that is plain data

    return patches.made(facts.read(host))


def _to_timeout(timeout: Any) -> Any:
    """Return a timeout as it is, once its parts are known to be those of one.

    Raises:
        ConfigError: If it has a part that no timeout has.
    """
    unknown = [name for name in timeout if name not in _TIMEOUT_PARTS] if isinstance(timeout, Mapping) else []
    if unknown:
        raise ConfigError(
            f"timeout has no part {quoted(unknown[0])}; it has {', '.join(_TIMEOUT_PARTS)}, all in seconds."
        )
    return timeout


def _to_fallbacks(hosts: Any) -> Any:
    """Return fallback hosts, each with its options revived."""
    if not isinstance(hosts, list | tuple):
        return hosts
    return [from_plain(host) if isinstance(host, Mapping) else host for host in hosts]


_REVIVED: dict[str, Callable[[Any], Any]] = {
    "host": _to_host,
    "timeout": _to_timeout,
    "fallback_hosts": _to_fallbacks,
}
"""What revives options of the constructor that may come as plain data."""
