"""One run: every row of a file is asked once, however often the run is begun."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kimi_adapters.rows import answers, files
from kimi_adapters.rows.journal import Journal, digest
from kimi_adapters.rows.template import Template
from kimi_core import AsyncKimiClient, Message, Options, OutputFormat, Request, Response
from kimi_core.errors import ConfigError, KimiError
from kimi_core.quoting import in_short, quoted
from kimi_core.settings import Settings


@dataclass(frozen=True, slots=True)
class Job:
    """What a run does.

    Attributes:
        source: The file of rows.
        target: The file that gets them with their answers.
        prompt: What is asked of each row.
        system: What the model is told before it, filled as well.
        model: The model.
        options: Options of each call.
        schema: JSON Schema of the answers; None for free text.
        prefix: What stands before the names of the added columns.
        concurrency: How many rows are asked at the same time.
    """

    source: Path
    target: Path
    prompt: Template
    system: Template | None = None
    model: str = "kimi-k2.6"
    options: Options = field(default_factory=Options)
    schema: Mapping[str, Any] | None = None
    prefix: str = ""
    concurrency: int = 8

    @property
    def journal(self) -> Path:
        """The file of the outcomes so far."""
        return self.target.with_name(self.target.name + ".journal")

    @property
    def added(self) -> dict[str, str]:
        """The columns that are added, with what they hold."""
        return answers.columns(self.prefix, self.schema)

    def check(self) -> int:
        """Look at all of the input before anything is asked; return its number of rows.

        Raises:
            ConfigError: If a file's kind is not known, the input cannot be read, the prompt names a column that is
                not there, or the input has a column of ours already.
        """
        for path in (self.source, self.target):
            files.check_suffix(path)
        if self.source.resolve() == self.target.resolve():
            raise ConfigError(f"{in_short(self.source)} is input and output. Write to another file.")
        if not self.target.parent.is_dir():
            raise ConfigError(f"There is no folder {in_short(self.target.parent)} to write to.")
        shape = files.shape_of(self.source)
        if shape.rows:
            for template in (self.prompt, self.system):
                if template is not None:
                    template.check(shape.columns)
        for name in self.added:
            if name in shape.columns:
                raise ConfigError(
                    f"The input has a column {quoted(name)} already. Give new ones another beginning: --prefix kimi_."
                )
        used = [*self.prompt.columns, *(self.system.columns if self.system else ())]
        files.check(self.source, self.target, self.added, used)
        return shape.rows

    def check_request(self, settings: Settings) -> None:
        """Raise `KimiError` if this host or model takes no request with these options and this schema. No I/O."""
        AsyncKimiClient(settings).prepare(self._request("x", ""))

    def about(self, settings: Settings) -> dict[str, Any]:
        """Return what must be the same when a run goes on."""
        return {
            "prompt": digest(self.prompt.text, self.system.text if self.system else ""),
            "model": self.model,
            "host": settings.host.name,
            "options": digest(repr(self.options)),
            "schema": digest(repr(self.schema)),
        }

    def asked(self, row: Mapping[str, Any]) -> tuple[Request, str]:
        """Return the request of a row, and a fingerprint of it.

        Raises:
            ValueError: If the row has no value for a column.
        """
        prompt = self.prompt.fill(row)
        system = self.system.fill(row) if self.system else ""
        return self._request(prompt, system), digest(prompt, system)

    def _request(self, prompt: str, system: str) -> Request:
        start = [Message("system", system)] if system else []
        output = OutputFormat("auto", self.schema) if self.schema else None
        messages = [*start, Message("user", prompt)]
        return Request(messages=messages, model=self.model, output=output, options=self.options)


@dataclass(slots=True)
class Counts:
    """How far a run is.

    Attributes:
        rows: All rows.
        before: Those that an earlier run has answered.
        answered: Those that this one has.
        errors: Those that failed, by class.
        usd: What the answers of this run have cost, where a price is known.
        usd_before: What the answers of earlier runs have cost.
        tokens: Tokens of this run.
        stopped: Why the run ended early.
    """

    rows: int
    before: int = 0
    answered: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    usd: float = 0.0
    usd_before: float = 0.0
    tokens: int = 0
    stopped: str = ""

    @property
    def failed(self) -> int:
        """How many failed."""
        return self.errors.total()

    @property
    def done(self) -> int:
        """How many have an outcome."""
        return self.before + self.answered + self.failed


class Run:
    """Asks the rows that have no answer yet."""

    def __init__(self, job: Job, journal: Journal, counts: Counts, watcher: Callable[[], object]) -> None:
        """Prepare a run.

        Args:
            job: What is done.
            journal: What is known already, and gets what comes.
            counts: How far the run is; kept up to date.
            watcher: Called after each row.
        """
        self._job, self._journal, self._watcher = job, journal, watcher
        self.counts = counts

    def stop(self, why: str) -> None:
        """Ask no further row. Those under way are waited for: they are paid for."""
        self.counts.stopped = self.counts.stopped or why

    async def calls(self, settings: Settings) -> None:
        """Ask by calls, several at a time.

        Raises:
            ConfigError: If the input was changed since the run was begun.
        """
        client, rows = AsyncKimiClient(settings), self._open_rows()

        async def work() -> None:
            for number, request, mark in rows:
                await self._ask(client, number, request, mark)
                if self.counts.stopped:
                    return

        async with asyncio.TaskGroup() as group:
            for _ in range(self._job.concurrency):
                group.create_task(work())

    async def batches(self, settings: Settings, state: Path, poll_interval: float) -> None:
        """Ask through the host's batches.

        Args:
            settings: Host and key.
            state: The file by which batches survive a death.
            poll_interval: Most seconds between two looks.

        Raises:
            KimiError: If the batches as a whole fail.
        """
        begun = {*self._journal.in_batches}
        waiting = [row for row in self._open_rows(begun) if not begun or row[0] in begun]
        if not waiting:
            return
        if not begun:
            state.unlink(missing_ok=True)  # noqa: ASYNC240 - nothing else runs in this loop
            self._journal.begin([number for number, _, _ in waiting])
        client = AsyncKimiClient(settings)
        outcomes = await client.batches.run(
            [request for _, request, _ in waiting], state=state, progress=False, poll_interval=poll_interval
        )
        for (number, _, mark), outcome in zip(waiting, outcomes, strict=True):
            if isinstance(outcome, Exception) and answers.is_fatal(outcome):
                self.stop(str(outcome))
            elif not self._journal.is_done(number):
                self._note(number, mark, outcome)
        self._journal.begin(())

    def _open_rows(self, also: Container[int] = ()) -> Iterator[tuple[int, Request, str]]:
        """Yield the rows that are to be asked; rows that cannot be are noted.

        Args:
            also: Rows that are yielded though they are done.
        """
        for number, row in enumerate(files.read(self._job.source)):
            if self.counts.stopped:
                return
            try:
                request, mark = self._job.asked(row)
            except ValueError as error:
                if self._journal.is_done(number):
                    self._skip(number, "")
                else:
                    self._note(number, "", error)
                continue
            if not self._journal.is_done(number):
                yield number, request, mark
                continue
            self._skip(number, mark)
            if number in also:
                yield number, request, mark

    def _skip(self, number: int, mark: str) -> None:
        known = self._journal.get(number) or {}
        if known.get("mark") != mark:
            raise ConfigError(
                f"Row {number + 1} of {in_short(self._job.source)} is another one than when this run was begun. Give "
                "the same input, or begin anew with --overwrite."
            )
        if known.get("error"):
            self.counts.errors[str(known["error"]).partition(":")[0]] += 1
        else:
            self.counts.before += 1
        self.counts.usd_before += known.get("cost_usd") or 0.0
        self._watcher()

    async def _ask(self, client: AsyncKimiClient, number: int, request: Request, mark: str) -> None:
        try:
            outcome: Response | Exception = await client.complete(request)
        except KimiError as error:
            if answers.is_fatal(error):
                self.stop(str(error))
                return
            outcome = error
        self._note(number, mark, outcome)

    def _note(self, number: int, mark: str, outcome: Response | Exception) -> None:
        """Write down what came of a row."""
        counts = self.counts
        if isinstance(outcome, Exception):
            record, final = answers.of_error(outcome), not answers.may_pass(outcome)
        else:
            record = answers.of_response(outcome, self._job.schema)
            final = record["error"] is None
            counts.usd += outcome.cost_usd or 0.0
            counts.tokens += outcome.usage.total_tokens if outcome.usage else 0
        self._journal.add(number, {"mark": mark, **record}, final=final)
        if record["error"] is None:
            counts.answered += 1
        else:
            counts.errors[record["error"].partition(":")[0]] += 1
            self._look_for_a_pattern(record["error"])
        self._watcher()

    def _look_for_a_pattern(self, error: str) -> None:
        counts = self.counts
        if counts.failed >= answers.ALIKE and len(counts.errors) == 1 and not counts.answered and not counts.before:
            self.stop(f"The first {counts.failed} rows all failed alike, the others were not asked: {error}")


def compose(job: Job, journal: Journal) -> None:
    """Write the output: every row with all that it had, and what came of it.

    Raises:
        ConfigError: If the rows cannot be written in the format that was asked for.
    """
    nothing = {**dict.fromkeys(answers.ADDED), "error": "This row was not asked."}

    def outcome(number: int) -> dict[str, Any]:
        known = journal.get(number) or nothing
        return {job.prefix + name: known[name] for name in answers.ADDED}

    files.write(job.target, job.source, job.added, outcome)
