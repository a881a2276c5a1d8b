"""Facts that users give, in `overrides` or as plain data, as the specs have them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from kimi_core import errors
from kimi_core.header_rules import check_headers
from kimi_core.headers import hidden
from kimi_core.hosts import patches
from kimi_core.hosts.models import ModelSpec
from kimi_core.hosts.profile import check_refused
from kimi_core.hosts.spec import HostSpec
from kimi_core.quoting import in_short


def read(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts with the types that they have: a list becomes a set or a tuple, a mapping a price.

    Headers are hidden.

    Raises:
        ConfigError: If there is no such fact, or a value is not of its type.
    """
    patches.check(given)
    facts = {name: _fact(name, value) for name, value in given.items()}
    check_refused(facts.get("sampling.refuses") or {})
    return facts


def _fact(name: str, value: Any) -> Any:
    if name == "address.headers":
        check_headers(value)
        return hidden(value or {})
    if name == "errors.rules" and isinstance(value, list | tuple):
        value = [_rule(rule) for rule in value]
    # Text is no number and a number no truth value, though pydantic would read them so.
    strict = isinstance(value, str | bytes | int | float) and name != "as_of"
    try:
        fact = _adapter(name).validate_python(value, strict=strict)
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_url=False, include_context=False)[0]
        raise errors.ConfigError(f"{_place(name, *wrong['loc'])}: {in_short(wrong['msg'])}.") from None
    if name == "compatible" and fact is not None:
        return read(fact)
    if name in ("per_model", "per_suffix"):
        return {key: read(facts) for key, facts in fact.items()}
    return fact


def _place(*path: object) -> str:
    return f"{in_short('.'.join(map(str, path)))} of a host's or model's facts"


def _rule(rule: Any) -> Any:
    """Return a rule with the error class of its name."""
    error = getattr(errors, str(rule.get("error")), None) if isinstance(rule, Mapping) else None
    return {**rule, "error": error} if error else rule


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    group, _, field = name.rpartition(".")
    spec = patches.GROUPS[group] if group else HostSpec if name in patches.HOST_FACTS else ModelSpec
    return TypeAdapter(get_type_hints(spec, include_extras=True)[field])
