"""`kimi-adapters run`: a prompt for every row of a file, with cost and time left while it goes on."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from kimi_adapters.cli.chat import target
from kimi_adapters.cli.output import write_json
from kimi_adapters.notebook.wording import clean
from kimi_adapters.rows.job import Counts, Job, Run, compose
from kimi_adapters.rows.journal import Journal, forget
from kimi_adapters.rows.template import Template
from kimi_core import Budget, Limits
from kimi_core.call_options import CallOptions
from kimi_core.errors import ConfigError, KimiError, MessageError
from kimi_core.options import parse, unknown
from kimi_core.quoting import in_short, quoted
from kimi_core.settings import Settings


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asked for; see `kimi-adapters run --help`."""

    source: Path
    target: Path
    prompt: str
    system: str | None = None
    schema: Path | None = None
    options: Sequence[str] | None = None
    concurrency: int = 8
    limits: str | None = None
    budget: float | None = None
    batch_api: bool = False
    poll_interval: float = 60.0
    prefix: str = ""
    overwrite: bool = False
    host: str | None = None
    model: str = "kimi-k2.6"
    base_url: str | None = None
    local: bool = False
    as_json: bool = False


def run(wish: Wish) -> int:
    """Ask all rows that have no answer yet and write the output; return the exit code."""
    aside, began = Console(stderr=True, highlight=False), time.monotonic()
    try:
        job = _job(wish)
        rows = job.check()
        if wish.overwrite:
            forget(job.journal)
            for old in (job.target, _state(job)):
                old.unlink(missing_ok=True)
        elif job.target.exists() and not job.journal.exists():
            raise ConfigError(f"{in_short(job.target)} is there already, and complete. --overwrite begins anew.")
        with target(wish.host, wish.model, wish.base_url, local=wish.local) as where:
            counts = _answered(wish, job, where.settings, Counts(rows), aside)
    except KeyboardInterrupt:
        aside.print(Text("Stopped. The same command goes on.", style="yellow"))
        return 130
    except OSError as error:
        aside.print(Text(clean(f"A file cannot be read or written: {error}"), style="red"))
        aside.print(Text("What was answered is kept in the journal: the same command goes on."))
        return 1
    except KimiError as error:
        aside.print(Text(clean(str(error)), style="red"))
        return 2 if isinstance(error, ConfigError | MessageError) else 1
    _report(job, counts, time.monotonic() - began, aside, as_json=wish.as_json)
    if counts.stopped == _INTERRUPTED:
        return 130
    return 1 if counts.failed or counts.stopped else 0


def _job(wish: Wish) -> Job:
    return Job(
        wish.source,
        wish.target,
        Template(wish.prompt),
        Template(wish.system) if wish.system else None,
        wish.model,
        parse(dict(_option(text) for text in wish.options or ())),
        _schema(wish.schema),
        wish.prefix,
        wish.concurrency,
    )


def _option(text: str) -> tuple[str, Any]:
    """Return name and value of `name=value`; the value is JSON, or a text."""
    name, sign, value = text.partition("=")
    if not sign or not name.isidentifier():
        raise ConfigError(f"--option takes name=value, such as thinking=false, got {quoted(text)}.")
    if name not in CallOptions.model_fields:
        raise unknown(name, CallOptions.model_fields)
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _schema(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    try:
        schema = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"--schema {in_short(path)} cannot be read: {in_short(error)}.") from None
    if not isinstance(schema, dict) or schema.get("type", "object") != "object":
        raise ConfigError(f'--schema {in_short(path)} must be a JSON Schema of an object: {{"type": "object", …}}.')
    return schema


def _limits(text: str | None) -> Limits | None:
    """Return limits from a tier's name, or from `concurrency=8,requests_per_minute=60`."""
    if text is None:
        return None
    if "=" not in text:
        return Limits.of(text)
    given: dict[str, Any] = {}
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        given[name] = int(value) if value.isdecimal() else value
    return Limits.of(given)


def _state(job: Job) -> Path:
    return job.target.with_name(job.target.name + ".batches.json")


_INTERRUPTED = "Stopped by Ctrl-C."


def _answered(wish: Wish, job: Job, settings: Settings, counts: Counts, aside: Console) -> Counts:
    """Ask what is to be asked, write the output when all rows have an outcome; return how far it came."""
    limits, budget = _limits(wish.limits), Budget(usd=wish.budget) if wish.budget else None
    settings = settings.model_copy(update={"limits": limits, "budget": budget})
    job.check_request(settings)
    with ExitStack() as stack:
        journal = stack.enter_context(Journal(job.journal, job.about(settings)))
        if budget is not None and journal.usd:
            budget.add(0, journal.usd)
        shown = stack.enter_context(_progress(aside, counts))
        work = Run(job, journal, counts, shown)
        if wish.batch_api:
            asyncio.run(work.batches(settings, _state(job), wish.poll_interval))
        else:
            asyncio.run(_until_interrupted(work, settings, aside))
        if counts.done < counts.rows:
            return counts
        compose(job, journal)
        if not journal.is_open:
            journal.remove()
            _state(job).unlink(missing_ok=True)
    return counts


async def _until_interrupted(work: Run, settings: Settings, aside: Console) -> None:
    """Ask until all is asked; Ctrl-C lets the calls under way end, a second one does not."""
    loop, main = asyncio.get_running_loop(), asyncio.current_task()

    def interrupted() -> None:
        if work.counts.stopped and main is not None:
            main.cancel()
            return
        work.stop(_INTERRUPTED)
        aside.print(Text("Waiting for the calls under way; Ctrl-C again gives them up.", style="yellow"))

    with suppress(NotImplementedError, RuntimeError):  # Windows, and threads other than the first
        loop.add_signal_handler(signal.SIGINT, interrupted)
    try:
        await work.calls(settings)
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    except BaseExceptionGroup as group:
        raise _first(group) from None
    finally:
        with suppress(NotImplementedError, RuntimeError):
            loop.remove_signal_handler(signal.SIGINT)


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


@contextmanager
def _progress(console: Console, counts: Counts) -> Iterator[Any]:
    """Show a bar with what failed, what it has cost and how long it may still take; yield what moves it."""
    columns = (
        BarColumn(20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]}"),
        TextColumn("{task.fields[cost]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("rows", total=counts.rows, failed="", cost="")

        def show() -> None:
            failed = f"{counts.failed} failed" if counts.failed else ""
            bar.update(task, completed=counts.done, failed=failed, cost=f"${counts.usd + counts.usd_before:.4f}")

        yield show


def _report(job: Job, counts: Counts, seconds: float, aside: Console, *, as_json: bool) -> None:
    """Say what came of it: in JSON on standard output, or in words beside it."""
    report = {
        "output": str(job.target) if counts.done >= counts.rows else None,
        "rows": counts.rows,
        "answered": counts.answered + counts.before,
        "answered_before": counts.before,
        "failed": counts.failed,
        "errors": dict(counts.errors),
        "not_asked": counts.rows - counts.done,
        "tokens": counts.tokens,
        "cost_usd": round(counts.usd, 9),
        "cost_usd_before": round(counts.usd_before, 9),
        "seconds": round(seconds, 3),
        "stopped": counts.stopped or None,
    }
    if as_json:
        write_json(report)
        return
    before = f" ({counts.before:,} before)" if counts.before else ""
    lines = [
        f"{report['answered']:,} of {counts.rows:,} rows answered{before}, {counts.failed:,} failed, "
        f"{report['not_asked']:,} not asked.",
        f"{counts.tokens:,} tokens, about ${counts.usd:.4f}, {seconds:.1f} s."
        + (f" Before: ${counts.usd_before:.4f}." if counts.usd_before else ""),
    ]
    if counts.errors:
        lines.append("Errors: " + ", ".join(f"{name} {number:,}" for name, number in counts.errors.most_common()) + ".")
    if counts.stopped:
        lines.append(counts.stopped)
    if job.journal.exists():
        lines.append(f"The same command goes on: it asks for what has no answer ({in_short(job.journal.name)} knows).")
    for line in lines:
        aside.print(Text(clean(line)))
