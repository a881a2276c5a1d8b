"""What a probe found, how that compares with a known spec, and the spec that it makes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

from kimi_core.hosts import patches
from kimi_core.hosts.profile import Profile
from kimi_core.hosts.spec import HostSpec
from kimi_core.types import JsonObject

Verdict: TypeAlias = Literal["same", "differs", "new", "note", "unknown"]
"""As in the known spec, otherwise than there, without a spec to compare with, nothing for a spec, or not known."""

SOURCE = "kimi-adapters probe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was found, or that could not be.

    Attributes:
        question: Which question it answers.
        text: What was found, in a sentence; for `unknown`, why it was not.
        field: The fact of a host that it is about, by its name (`thinking.off`); None when it is about none.
        value: What that fact is.
        fits: Whether a spec's value means the same, where that is not equality.
        keep: Whether the value is whole, so that a spec can have it.
        verdict: How it compares with the known spec.
        known: What the known spec has.
    """

    question: str
    text: str
    field: str | None = None
    value: Any = None
    fits: Callable[[Any], bool] | None = None
    keep: bool = True
    verdict: Verdict = "note"
    known: Any = None

    def as_json(self) -> JsonObject:
        """Return this as plain JSON."""
        finding = {"question": self.question, "verdict": self.verdict, "text": self.text}
        if self.field is None:
            return finding
        return {**finding, "field": self.field, "found": _plain(self.value), "spec": _plain(self.known)}


def unknown(question: str, why: str, field: str | None = None) -> Finding:
    """Return the finding for a question that was not resolved."""
    return Finding(question=question, text=why, field=field, verdict="unknown")


def compared(found: Finding, spec: HostSpec | None) -> Finding:
    """Return the finding, compared with the known spec."""
    if found.field is None or found.verdict == "unknown":
        return found
    if spec is None:
        return replace(found, verdict="new")
    known = patches.fact(spec, found.field)
    same = found.fits(known) if found.fits else known == found.value
    return replace(found, verdict="same" if same else "differs", known=known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a probe came to.

    Attributes:
        profile: The spec and the model that it was asked as; the generic spec where the host is not known.
        base_url: The address.
        key_env: Environment variable that held the key, if it was named.
        findings: In the order of the questions.
        calls: How many calls were made.
        input_tokens: What they took, as the host counts.
        output_tokens: What they gave.
        day: When it was.
    """

    profile: Profile
    base_url: str
    key_env: str | None = None
    findings: tuple[Finding, ...] = ()
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    day: dt.date = field(default_factory=dt.date.today)

    @property
    def known(self) -> HostSpec | None:
        """The spec that was compared with; None for a host that no spec knows."""
        return known_spec(self.profile)

    @property
    def differences(self) -> dict[str, Any]:
        """What is otherwise than in the known spec: names of facts and what was found."""
        return {one.field: one.value for one in self.findings if one.verdict == "differs" and one.field}

    @property
    def unknowns(self) -> dict[str, str]:
        """The questions without an answer, and why."""
        return {one.question: one.text for one in self.findings if one.verdict == "unknown"}

    @property
    def fields(self) -> dict[str, Any]:
        """What the spec is made of: the facts that were found, by their names."""
        made = {}
        for one in self.findings:
            if one.field and one.keep and one.verdict != "unknown":
                made[one.field] = one.value
        return made

    def spec(self) -> HostSpec:
        """Return the spec that was found."""
        return patches.made(self._facts())

    def source(self) -> str:
        """Return the spec as Python source."""
        groups: dict[str, list[str]] = {}
        for name, value in self._facts().items():
            group, _, field = name.rpartition(".")
            groups.setdefault(group or name, []).append(f"{field}={_literal(value)}")
        lines = [line for group, facts in groups.items() for line in _lines(group, facts)]
        return "\n".join(["HostSpec(", *lines, ")"])

    def module(self) -> str:
        """Return the source of a Python module with the spec."""
        source = self.source()
        classes = ["HostSpec", *(kind.__name__ for kind in patches.GROUPS.values())]
        names = [name for name in classes if f"{name}(" in source]
        return f"import datetime as dt\n\nfrom kimi_core import {', '.join(sorted(names))}\n\nspec = {source}"

    def as_json(self) -> JsonObject:
        """Return this as plain JSON."""
        return {
            "host": self.known.name if self.known else None,
            "base_url": self.base_url,
            "model": self.profile.model_id,
            "as_of": self.day.isoformat(),
            "calls": self.calls,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "findings": [one.as_json() for one in self.findings],
            "spec": self.source(),
        }

    def _facts(self) -> dict[str, Any]:
        spec, place = self.known, urlsplit(self.base_url).hostname or "host"
        facts: dict[str, Any] = {
            "name": spec.name if spec else place.replace(".", "-"),
            "title": spec.title if spec else place,
            "address.base_url": self.base_url,
        }
        if keys := (self.key_env,) if self.key_env else spec.address.key_env if spec else ():
            facts["address.key_env"] = keys
        if self.profile.model.id != self.profile.model_id:
            facts["models.ids"] = {self.profile.model.id: self.profile.model_id}
        return {**facts, **self.fields, "tier": "verified", "as_of": self.day, "source": SOURCE}


def known_spec(profile: Profile) -> HostSpec | None:
    """Return the spec of a known host; None for the generic one."""
    return None if profile.host.name == "generic" else profile.host


def within(found: Collection[str]) -> Callable[[Any], bool]:
    """Return a check that a spec names all that was found, and nothing when nothing was found."""
    return lambda known: set(found) <= set(known) and bool(found) == bool(known)


def _lines(group: str, facts: list[str]) -> list[str]:
    """Return the lines of a call with a group's facts, or with one that is in no group."""
    if group not in patches.GROUPS:
        return [f"    {fact}," for fact in facts]
    call = f"    {group}={patches.GROUPS[group].__name__}("
    return [f"{call}{facts[0]}),"] if len(facts) == 1 else [call, *(f"        {fact}," for fact in facts), "    ),"]


def _literal(value: Any) -> str:
    """Return a value as this project writes it."""
    match value:
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case dt.date():
            return f"dt.date({value.year}, {value.month}, {value.day})"
        case frozenset():
            inner = ", ".join(map(_literal, sorted(value)))
            return f"frozenset({{{inner}}})" if value else "frozenset()"
        case tuple():
            inner = ", ".join(map(_literal, value))
            return f"({inner},)" if len(value) == 1 else f"({inner})"
        case Mapping():
            inner = ", ".join(f"{_literal(key)}: {_literal(one)}" for key, one in value.items())
            return f"{{{inner}}}"
    return repr(value)


def _plain(value: Any) -> Any:
    match value:
        case frozenset():
            return sorted(value)
        case tuple():
            return list(value)
        case Mapping():
            return {key: _plain(one) for key, one in value.items()}
    return value
