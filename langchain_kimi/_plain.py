"""A model's settings as plain data, for LangChain's `dumps`, and back.

What JSON has no word for is written so that the constructor takes it again: specs and facts of the user's own,
timeouts, the thinking option. Nothing secret is: neither keys nor headers, those of a spec included.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from kimi_core import HOSTS, ErrorRule, HostSpec, ModelSpec, Price, Retirement, Thinking, errors
from kimi_core.errors import ConfigError
from kimi_core.quoting import in_short, quoted

_SECRET = ("headers",)
_PATIENCE = ("connect", "read", "write", "pool")
_FIELDS = {f.name: str(f.type) for spec in (ModelSpec, HostSpec) for f in fields(spec)}
"""The specs' fields, and their types as they are written there."""


# -------------------------------------------------------------------------------------------------- to plain


def of_host(host: Any) -> Any:
    """A host as plain data: the name of a spec of the table, or the fields of another in which it differs."""
    if not isinstance(host, HostSpec):
        return host
    if HOSTS.get(host.name) is host:
        return host.name
    blank = HostSpec(name="", title="")
    said = {f.name: getattr(host, f.name) for f in fields(host) if f.name not in _SECRET}
    return {name: plain(value) for name, value in said.items() if value != getattr(blank, name)}


def of_facts(facts: Mapping[str, Any] | None) -> Any:
    """The user's own facts as plain data."""
    return None if facts is None else plain({name: fact for name, fact in facts.items() if name not in _SECRET})


def of_timeout(timeout: Any) -> Any:
    """A timeout as seconds, or as a mapping of what an `openai.Timeout` takes."""
    parts = {name: getattr(timeout, name, timeout) for name in _PATIENCE}
    return timeout if timeout is None or isinstance(timeout, int | float | Mapping) else parts


def of_fallbacks(hosts: Iterable[Mapping[str, Any]]) -> list[Any]:
    """Fallback hosts as plain data, without keys, headers and clients."""
    return [
        {word: _WRITTEN.get(word, plain)(said) for word, said in host.items() if word not in _UNWRITTEN}
        for host in hosts
    ]


def of_thinking(thinking: Any) -> Any:
    """The thinking option without an object of ours."""
    if not isinstance(thinking, Thinking):
        return thinking
    kind = {True: "enabled", False: "disabled", None: None}[thinking.enabled]
    said = {"type": kind, "keep": thinking.keep, "effort": thinking.effort}
    return {key: value for key, value in said.items() if value is not None} or None


def plain(value: Any) -> Any:
    """A fact of a spec as JSON has it."""
    match value:
        case Mapping():
            return {str(key): plain(v) for key, v in value.items()}
        case frozenset() | set():
            return sorted(plain(v) for v in value)
        case tuple() | list():
            return [plain(v) for v in value]
        case dt.date():
            return value.isoformat()
        case type():
            return value.__name__
    if is_dataclass(value):
        said = {f.name: getattr(value, f.name) for f in fields(value)}
        return {name: plain(v) for name, v in said.items() if v is not None}
    return value


_WRITTEN: dict[str, Callable[[Any], Any]] = {"host": of_host, "overrides": of_facts, "timeout": of_timeout}
_UNWRITTEN = ("api_key", "default_headers", "http_client", "http_async_client")


# ------------------------------------------------------------------------------------------------ from plain


def to_host(host: Any) -> Any:
    """The spec that a mapping describes; anything else as it is.

    Raises:
        ConfigError: It has a field that no spec has, or lacks a name.
    """
    if not isinstance(host, Mapping):
        return host
    facts = to_facts(host) or {}
    try:
        return HostSpec(**{"title": facts.get("name"), **facts})
    except TypeError as error:
        raise ConfigError(f"host is no spec: {in_short(error)}. See kimi_core.HostSpec.") from None


def to_facts(facts: Any) -> Any:
    """Overrides with lists where the specs have sets and tuples, as they are to be."""
    if not isinstance(facts, Mapping):
        return facts
    return {name: _fact(name, value) for name, value in facts.items()}


def to_timeout(timeout: Any) -> Any:
    """A timeout as it is; one that is a mapping has been looked at.

    Raises:
        ConfigError: It has a word that no timeout has.
    """
    unknown = [word for word in timeout if word not in _PATIENCE] if isinstance(timeout, Mapping) else []
    if unknown:
        raise ConfigError(f"timeout has no part {quoted(unknown[0])}; it has {', '.join(_PATIENCE)}, all in seconds.")
    return timeout


def to_fallbacks(hosts: Any) -> Any:
    """Fallback hosts, each with its words as they are to be."""
    if not isinstance(hosts, list | tuple):
        return hosts
    return [
        {word: REVIVED[word](said) if word in REVIVED else said for word, said in host.items()}
        if isinstance(host, Mapping)
        else host
        for host in hosts
    ]


REVIVED: dict[str, Callable[[Any], Any]] = {
    "host": to_host,
    "overrides": to_facts,
    "timeout": to_timeout,
    "fallback_hosts": to_fallbacks,
}
"""Words of the constructor that may come as plain data."""


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
        family: to_facts(spec) for family, spec in specs.items()
    },
    ("dt.date", str): _day,
}
"""How facts of a type are made of plain data: by the beginning of the type, and what the data is."""
