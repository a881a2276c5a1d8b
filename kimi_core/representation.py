"""What `repr` says of what a user has made: in one line what it is, where it calls, and the options that were set."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from kimi_core.hosts import registry
from kimi_core.hosts.spec import HostSpec
from kimi_core.quoting import quoted

# Shown although their fields are hidden: names of hosts, a limit with what was spent, and rates.
_SHOWN = ("fallback_hosts", "budget", "limits")
_FIRST = ("model", "model_name", "host", "base_url")


class _Written(str):
    """A text that `repr` leaves as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def in_one_line(made: BaseModel, unshown: Collection[str] = ()) -> list[tuple[str, Any]]:
    """Return names and values for pydantic's `__repr_args__`: model, host, and what differs from its default.

    Values are shown in short. A field with `repr=False` is a secret or may hold one.

    Args:
        made: A model of either framework, or settings.
        unshown: Fields that are the framework's business.
    """
    fields = type(made).model_fields
    names = [*(name for name in _FIRST if name in fields), *(name for name in fields if name not in _FIRST)]
    return [(_NAMES.get(name, name), value) for name in names if name not in unshown for value in _shown(made, name)]


# As the constructor takes it.
_NAMES = {"model_name": "model"}


def _shown(made: BaseModel, name: str) -> Iterator[_Written]:
    """Yield a field's value, in short, unless it says nothing."""
    field, value = type(made).model_fields[name], made.__dict__.get(name)
    if name in _FIRST:
        if name != "base_url" or value != _own_address(made.__dict__.get("host")):
            yield short(_host_name(value) if name == "host" else value)
        return
    if not field.repr and name not in _SHOWN:
        return
    default = field.get_default(call_default_factory=True, validated_data={})
    if value is None or value == default or (default is None and isinstance(value, Collection) and not value):
        return
    yield short([_host_name(host) for host in value] if name == "fallback_hosts" else value)


def short(value: object) -> _Written:
    """Return a value whose `repr` is short."""
    return _Written(quoted(value))


def _host_name(host: object) -> object:
    host = host.get("host") if isinstance(host, Mapping) else host
    return host.name if isinstance(host, HostSpec) else host


def _own_address(host: object) -> str | None:
    spec = host if isinstance(host, HostSpec) else registry.HOSTS.get(str(host))
    return spec.address.base_url if spec else None
