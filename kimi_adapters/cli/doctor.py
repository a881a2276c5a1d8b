"""`kimi-adapters doctor`: why calls fail, or that they do not."""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kimi_adapters.cli import doctor_versions
from kimi_adapters.cli.doctor_causes import Check, Place, no_key, of_call
from kimi_adapters.cli.output import write_json
from kimi_adapters.notebook.wording import clean
from kimi_core import Message, Options, Request
from kimi_core import errors as err
from kimi_core.settings import make_settings, require_key

_SECONDS = 30.0
_LATEST = dt.timedelta(minutes=5)
"""So far a clock may be off: signatures and certificates are mostly given as much."""
_OPTIONS = Options(max_tokens=64, empty_answer="keep")
"""An answer that is cut while the model still thinks will do."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asked for; see `kimi-adapters doctor --help`."""

    host: str | None = None
    model: str = "kimi-k2.6"
    base_url: str | None = None
    call: bool = True
    as_json: bool = False


def run(wish: Wish) -> int:
    """Look at everything, print it, and return the exit code: 1 when something is wrong."""
    console = Console(highlight=False)
    checks = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", err.KimiWarning)  # what they say is among what is found
        for check in examine(wish):
            checks.append(check)
            if not wish.as_json:
                _show(console, check)
    cause = next((check.cause for check in checks if check.cause), None)
    if wish.as_json:
        report = {"ok": cause is None, "cause": cause, "checks": [check.as_json() for check in checks]}
        write_json(report)
    elif cause is None:
        console.print("\nEverything is in order." if wish.call else "\nNothing is wrong so far; no call was made.")
    return 0 if cause is None else 1


def _show(console: Console, check: Check) -> None:
    sign, style = ("✗", "bold red") if check.cause else ("✓", "green")
    cause = f"{check.cause}: " if check.cause else ""
    lines = Table.grid(padding=(0, 1))
    lines.add_row(Text(sign, style), Text(f"{check.name:<8}", "bold"), Text.assemble((cause, style), clean(check.text)))
    if check.advice:
        lines.add_row("", "", Text.assemble(("→ ", "bold yellow"), clean(check.advice)))
    console.print(lines)


def examine(wish: Wish) -> Iterator[Check]:
    """Yield what is looked at, one after the other, up to the first thing that is wrong."""
    for check in _steps(wish):
        yield check
        if check.cause:
            return


def _steps(wish: Wish) -> Iterator[Check]:
    yield from doctor_versions.examine()
    try:
        settings = make_settings(host=wish.host, base_url=wish.base_url, timeout=_SECONDS, max_retries=0)
    except err.ConfigError as error:
        yield _misconfigured(error)
        return
    place = Place(settings, wish.model)
    yield Check("host", f"{place.spec.title}, {settings.base_url}")
    yield _key(place)
    yield _model(place, called=wish.call)
    if wish.call:
        yield from _call(place)


def _misconfigured(error: err.ConfigError) -> Check:
    if isinstance(error, err.UnknownHostError):
        return Check("host", str(error), "host", "`kimi-adapters hosts` lists them.")
    if "API key" in str(error):
        return Check("key", str(error), "wrong-key", "Set the environment variable to the bare key.")
    return Check("address", str(error), "address", "Give the API's address, or leave --base-url and variables out.")


def _key(place: Place) -> Check:
    try:
        require_key(place.settings)
    except err.MissingKeyError as error:
        return no_key(place, error)
    except err.ConfigError as error:
        advice = f"Set {place.spec.address.key_env[0]} to a key of {place.spec.title}, or name the key's own host."
        return Check("key", str(error), "other-platform", advice)
    if place.settings.api_key is None:
        return Check("key", "none, and none is needed")
    return Check("key", f"from {place.variable}")


def _model(place: Place, *, called: bool) -> Check:
    """Return whether the host can have such a model; one that its spec calls retired is left to the call."""
    try:
        sent = place.client().profile(place.model).model_id
    except err.ConfigError as error:
        return Check("model", str(error), "model", "`kimi-adapters models` lists them.")
    ended = place.spec.models.retired.get(place.model)
    if ended and not called:
        return Check("model", f"{sent} was retired on {ended.day}.", "model", f"Use {ended.instead or 'another'}.")
    return Check("model", sent if sent == place.model else f"{place.model}, there {sent}")


def _call(place: Place) -> Iterator[Check]:
    """Yield what came of a small call, and whether the host's clock and this machine's agree."""
    request = Request(messages=[Message("user", "Say ok.")], model=place.model, options=_OPTIONS)
    try:
        answer = place.client().complete(request)
    except err.KimiError as error:
        response: Any = getattr(error, "response", None)
        clock = _clock(response.headers) if response is not None else None
        # A host that judges a signature by its time refuses the key of who is late.
        late = clock is not None and clock.cause and isinstance(error, err.AuthenticationError)
        yield clock if late and clock else of_call(error, place)
        return
    tokens = f", {answer.usage.total_tokens:,} tokens" if answer.usage else ""
    yield Check("call", f"{answer.model or place.model} answered{tokens}")
    if clock := _clock(answer.headers):
        yield clock


def _clock(headers: Mapping[str, str]) -> Check | None:
    """Return whether this machine's clock agrees with the host's; None when the host does not tell its own."""
    told = next((value for name, value in headers.items() if name.lower() == "date"), "")
    try:
        there = parsedate_to_datetime(told)
    except ValueError:
        return None
    off = dt.datetime.now(dt.UTC) - (there if there.tzinfo else there.replace(tzinfo=dt.UTC))
    if abs(off) <= _LATEST:
        return Check("clock", "as the host's")
    way = "ahead of" if off > dt.timedelta() else "behind"
    text = f"This machine's clock is {dt.timedelta(seconds=round(abs(off).total_seconds()))} {way} the host's."
    return Check("clock", text, "clock", "Set it (turn on NTP): certificates and signed keys are judged by it.")
