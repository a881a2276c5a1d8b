"""`kimi-adapters probe`: what an endpoint really does, as a table, and the spec for it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.syntax import Syntax
from rich.table import Table

from kimi_adapters.cli.output import write_json
from kimi_adapters.notebook.wording import clean
from kimi_adapters.probe import QUESTIONS, Estimate, Finding, Report, estimate, probe
from kimi_core.errors import AuthenticationError, ConfigError, KimiError, KimiWarning, MissingKeyError
from kimi_core.hosts.registry import find_by_name, find_by_url
from kimi_core.settings import Settings, make_settings, require_key

_SIGNS = {
    "same": ("=", "green"),
    "differs": ("≠", "bold red"),
    "new": ("+", "cyan"),
    "note": ("·", "dim"),
    "unknown": ("?", "yellow"),
}
_RETRIES = 4


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asked for.

    Attributes:
        where: A host's name, or an address.
        model: The model.
        host: Whose spec an address is compared with; None for the one that knows the address.
        key_env: Environment variable that holds the key; None for the spec's own.
        timeout: Seconds to wait for each answer.
        yes: Do not ask before the calls are made.
        as_json: Print JSON.
    """

    where: str
    model: str
    host: str | None = None
    key_env: str | None = None
    timeout: float = 120.0
    yes: bool = False
    as_json: bool = False


def run(wish: Wish) -> int:
    """Probe, print what was found, and return the exit code."""
    aside = Console(stderr=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", KimiWarning)
            settings = settings_of(wish)
            require_key(settings)
            _announce(aside, settings, wish.model, estimate(settings, wish.model))
            if not wish.yes and not _agreed(aside):
                return 1
            report = _probed(settings, wish, aside)
    except KimiError as error:
        aside.print(escape(clean(f"{error}{_hint(error, wish)}")), style="red", soft_wrap=True)
        return 1
    _show(report, as_json=wish.as_json)
    return 0


def _hint(error: KimiError, wish: Wish) -> str:
    """Return what the user of this command can do about an error; empty when there is nothing."""
    lacks_key = isinstance(error, AuthenticationError | MissingKeyError) and wish.key_env is None
    return " Name the variable that holds the key: --api-key-env NAME." if lacks_key else ""


def settings_of(wish: Wish) -> Settings:
    """Return the settings of a probe: where the calls go, and with what key.

    Raises:
        ConfigError: If there is no such host or variable, or the address is none.
    """
    key = _key(wish.key_env)
    if "://" not in wish.where:
        _check_name(wish.where)
        return make_settings(host=wish.where, api_key=key, timeout=wish.timeout, max_retries=_RETRIES)
    known = find_by_url(wish.where)
    if wish.host is None and known is None:
        key = key or ""  # no key of the environment goes to an address that nobody knows
    host = wish.host or (None if known else "generic")
    return make_settings(host=host, base_url=wish.where, api_key=key, timeout=wish.timeout, max_retries=_RETRIES)


def _key(name: str | None) -> str | None:
    if name is None:
        return None
    value = os.environ.get(name, "").strip()
    if not value:
        raise ConfigError(f"The environment variable {name} is not set.")
    return value


def _check_name(where: str) -> None:
    """Raise for an address without its scheme, which is no host's name."""
    if find_by_name(where) is None and any(sign in where for sign in ".:/"):
        raise ConfigError(f"{where!r} is no host's name. If it is an address, begin it with https:// or http://.")


def _announce(console: Console, settings: Settings, model: str, about: Estimate) -> None:
    """Print what is going to happen, and what it may cost."""
    price = f", about ${about.usd:.2f}" if about.usd and settings.host.address.key_required else ""
    console.print(
        f"Up to {about.calls} small calls to {model} at {settings.base_url}: some {about.input_tokens:,} tokens in and "
        f"{about.output_tokens:,} out{price}.",
        soft_wrap=True,
        highlight=False,
    )


def _agreed(console: Console) -> bool:
    try:
        return console.input("Make them? [y/N] ", markup=False).strip().lower() in ("y", "yes")
    except EOFError:
        console.print("\nNothing was asked; give --yes where nobody can answer.")
        return False


def _probed(settings: Settings, wish: Wish, console: Console) -> Report:
    with _progress(console) as bar:
        task = bar.add_task("", total=estimate(settings, wish.model).calls)
        asks = {question.name: question.asks for question in QUESTIONS}

        def show(question: str, done: int) -> None:
            bar.update(task, completed=done, description=asks[question])

        return probe(settings, wish.model, key_env=wish.key_env, progress=show)


@contextmanager
def _progress(console: Console) -> Iterator[Progress]:
    columns = (BarColumn(20), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True) as bar:
        yield bar


def _show(report: Report, *, as_json: bool) -> None:
    if as_json:
        write_json(report.as_json())
        return
    console = Console()
    console.print(_table(report))
    console.print(_summary(report), highlight=False, soft_wrap=True)
    console.print("\nThe spec:\n", style="bold")
    source = clean(report.module())
    code = Syntax(source, "python", theme="ansi_dark", background_color="default")
    console.print(code.highlight(source), soft_wrap=True)


def _table(report: Report) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", show_edge=False, pad_edge=False)
    table.add_column("question", style="cyan", overflow="fold", max_width=26)
    table.add_column("", no_wrap=True)
    table.add_column("field", overflow="fold", max_width=22)
    table.add_column("what it does", overflow="fold")
    last = ""
    for one in report.findings:
        sign, style = _SIGNS[one.verdict]
        name = "" if one.question == last else one.question
        table.add_row(name, f"[{style}]{sign}[/]", one.field or "", _words(one))
        last = one.question
    return table


def _words(one: Finding) -> str:
    known = f" [red]The spec has {escape(clean(repr(one.known)))}.[/]" if one.verdict == "differs" else ""
    return f"{escape(clean(one.text))}{known}"


def _summary(report: Report) -> str:
    spec = report.known
    compared = (
        f"=/≠ as in / otherwise than in the spec of {spec.name!r}" if spec else "+ for a spec: no spec knows this host"
    )
    used = f"{report.calls} calls, {report.input_tokens:,} tokens in, {report.output_tokens:,} out"
    return f"\n{compared}; · a note; ? not known, so not in the spec. It took {used}."
