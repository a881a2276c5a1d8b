"""A model's settings as plain data, for LangChain's `dumps`, and back.

What JSON has no word for is written so that the constructor takes it again: specs and facts of the user's own,
timeouts, the thinking option. Nothing secret is: neither keys nor headers, those of a spec included.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from kimi_core import HOSTS, ErrorRule, HostSpec, ModelSpec, Price, Retirement, Thinking, errors, options
from kimi_core.errors import ConfigError
from kimi_core.quoting import in_short, quoted
from kimi_core.types import JsonObject
from langchain_kimi._fields import KimiFields

_SECRET = {
    *("api_key", "default_headers", "extra_headers", "http_client", "http_async_client", "fallback_hosts", "budget")
}
_SHOWN = tuple(name for name in (*options.OPTIONS, *options.SERVED) if name not in _SECRET)
# What changes a message and is no option of the call.
_SHAPING = ("output_version", "cost_in_usage", "include_response_headers", "include_prefill")
_PATIENCE = ("connect", "read", "write", "pool")
_FIELDS = {f.name: str(f.type) for spec in (ModelSpec, HostSpec) for f in fields(spec)}
"""The specs' fields, and their types as they are written there."""


# ------------------------------------------------------------------------------------------------- for traces


def shown(kwargs: JsonObject) -> JsonObject:
    """Return options of a call as traces and caches may have them: a key or header is none of their business."""
    shown = {name: value for name, value in kwargs.items() if name not in _SECRET}
    if isinstance(shown.get("runware"), Mapping):
        shown["runware"] = options.traceable_runware(shown["runware"])
    return shown


def identifying_params(model: KimiFields, host: str) -> JsonObject:
    """Return what makes a model's answers different from those of others; traces show it."""
    asked = {name: getattr(model, name) for name in _SHOWN}
    if isinstance(model.thinking, Thinking):
        asked["thinking"] = _of_thinking(model.thinking)
    if model.agent is not None:
        asked["agent"] = _plain(model.agent)
    if model.runware is not None:
        asked = shown(asked)
    shaping = {name: getattr(model, name) or None for name in _SHAPING}
    params = {"model": model.model_name, "host": host, **asked, **shaping}
    return {name: value for name, value in params.items() if value is not None}


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
    }
    return {name: value for name, value in written.items() if value is not None}


def _of_host(host: Any) -> Any:
    """A host as plain data: the name of a spec of the table, or the fields of another in which it differs."""
    if not isinstance(host, HostSpec):
        return host
    if HOSTS.get(host.name) is host:
        return host.name
    blank = HostSpec(name="", title="")
    said = {f.name: getattr(host, f.name) for f in fields(host) if f.name != "headers"}
    return {name: _plain(value) for name, value in said.items() if value != getattr(blank, name)}


def _of_facts(facts: Mapping[str, Any] | None) -> Any:
    """The user's own facts as plain data."""
    return None if facts is None else _plain({name: fact for name, fact in facts.items() if name != "headers"})


def _of_timeout(timeout: Any) -> Any:
    """A timeout as seconds, or as a mapping of what an `openai.Timeout` takes."""
    parts = {name: getattr(timeout, name, timeout) for name in _PATIENCE}
    return timeout if timeout is None or isinstance(timeout, int | float | Mapping) else parts


def _of_fallbacks(hosts: Iterable[Mapping[str, Any]]) -> list[Any]:
    """Fallback hosts as plain data, without keys, headers and clients."""
    return [
        {word: _WRITTEN.get(word, _plain)(said) for word, said in host.items() if word not in _UNWRITTEN}
        for host in hosts
    ]


def _of_thinking(thinking: Any) -> Any:
    """The thinking option without an object of ours."""
    if not isinstance(thinking, Thinking):
        return thinking
    kind = {True: "enabled", False: "disabled", None: None}[thinking.enabled]
    said = {"type": kind, "keep": thinking.keep, "effort": thinking.effort}
    return {key: value for key, value in said.items() if value is not None} or None


def _plain(value: Any) -> Any:
    """A fact of a spec as JSON has it."""
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
        said = {f.name: getattr(value, f.name) for f in fields(value)}
        return {name: _plain(v) for name, v in said.items() if v is not None}
    return value


_WRITTEN: dict[str, Callable[[Any], Any]] = {"host": _of_host, "overrides": _of_facts, "timeout": _of_timeout}
_UNWRITTEN = ("api_key", "default_headers", "http_client", "http_async_client")


# ------------------------------------------------------------------------------------------------ from plain


def from_plain(connection: Mapping[str, Any]) -> JsonObject:
    """Return options of the connection with specs and facts in place of plain data.

    Raises:
        ConfigError: If a host or a timeout has a field that does not exist.
    """
    return {name: _REVIVED[name](value) if name in _REVIVED else value for name, value in connection.items()}


def _to_host(host: Any) -> Any:
    """The spec that a mapping describes; anything else as it is.

    Raises:
        ConfigError: It has a field that no spec has, or lacks a name.
    """
    if not isinstance(host, Mapping):
        return host
    facts = _to_facts(host) or {}
    try:
        return HostSpec(**{"title": facts.get("name"), **facts})
    except TypeError as error:
        raise ConfigError(f"host is no spec: {in_short(error)}. See kimi_core.HostSpec.") from None


def _to_facts(facts: Any) -> Any:
    """Overrides with lists where the specs have sets and tuples, as they are to be."""
    if not isinstance(facts, Mapping):
        return facts
    return {name: _fact(name, value) for name, value in facts.items()}


def _to_timeout(timeout: Any) -> Any:
    """A timeout as it is; one that is a mapping has been looked at.

    Raises:
        ConfigError: It has a word that no timeout has.
    """
    unknown = [word for word in timeout if word not in _PATIENCE] if isinstance(timeout, Mapping) else []
    if unknown:
        raise ConfigError(f"timeout has no part {quoted(unknown[0])}; it has {', '.join(_PATIENCE)}, all in seconds.")
    return timeout


def _to_fallbacks(hosts: Any) -> Any:
    """Fallback hosts, each with its words as they are to be."""
    if not isinstance(hosts, list | tuple):
        return hosts
    return [from_plain(host) if isinstance(host, Mapping) else host for host in hosts]


_REVIVED: dict[str, Callable[[Any], Any]] = {
    "host": _to_host,
    "overrides": _to_facts,
    "timeout": _to_timeout,
    "fallback_hosts": _to_fallbacks,
}
"""Options of the constructor that may come as plain data."""


def _fact(name: str, value: Any) -> Any:
    kind = _FIELDS.get(name, "")
    convert = next((convert for (start, plain), convert in _FACTS.items() if _fits(kind, value, start, plain)), None)
    return convert(value) if convert else value


def _fits(kind: str, value: Any, start: str, plain: type) -> bool:
    return kind.startswith(start) and isinstance(value, plain)


def _price(value: Any) -> Price:
    return value if isinstance(value, Price) else Price(**{**value, "as_of": _day(value.get("as_of"))})


def _retirement(value: Any) -> Retirement:
    return value if isinstance(value, Retirement) else Retirement(**{**value, "day": _day(value.get("day"))})


def _rule(value: Any) -> ErrorRule:
    if isinstance(value, ErrorRule):
        return value
    return ErrorRule(**{**value, "error": getattr(errors, value["error"])})


def _day(value: Any) -> Any:
    return dt.date.fromisoformat(value) if isinstance(value, str) else value


_FACTS: dict[tuple[str, type], Callable[[Any], Any]] = {
    ("frozenset", list): frozenset,
    ("tuple[ErrorRule", list): lambda rules: tuple(_rule(rule) for rule in rules),
    ("tuple", list): tuple,
    ("Mapping[str, Retirement]", Mapping): lambda ends: {family: _retirement(end) for family, end in ends.items()},
    ("Mapping[str, Price]", Mapping): lambda prices: {family: _price(price) for family, price in prices.items()},
    ("Mapping[str, Mapping[str, Any]]", Mapping): lambda specs: {
        family: _to_facts(spec) for family, spec in specs.items()
    },
    ("dt.date", str): _day,
}
"""How facts of a type are made of plain data: by the beginning of the type, and what the data is."""
