"""`kimi-adapters demo`: the same five tasks in each framework, checked, with the bill at the end."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

from kimi_adapters.cli import demo_docs, demo_files, demo_tasks
from kimi_adapters.cli.demo_record import Record
from kimi_adapters.cli.demo_target import Target, target
from kimi_adapters.cli.demo_tasks import Framework
from kimi_adapters.cli.demo_view import View
from kimi_adapters.cli.extras import needs
from kimi_adapters.cli.output import FAILED, INTERRUPTED, write_json
from kimi_adapters.notebook.wording import clean
from kimi_core.errors import KimiError, UnsupportedError
from kimi_core.settings import DEFAULT_HOST


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asked for; see the options of `kimi-adapters demo`."""

    frameworks: Sequence[str]
    host: str = "moonshot"
    model: str = "kimi-k2.6"
    docs: Path | None = None
    question: str | None = None
    base_url: str | None = None
    as_json: bool = False


@dataclass(frozen=True, slots=True)
class Stage:
    """One framework at work on the material, before the audience."""

    framework: Framework
    view: View
    library: demo_docs.Library
    root: Path


class Section(NamedTuple):
    """One part of the demonstration: the task's name, a title, and what shows it and returns what is right about it."""

    word: str
    title: str
    show: Callable[[Stage], str]


def run(wish: Wish) -> int:
    """Show everything and return the exit code, 0 when all went well."""
    console = Console(stderr=wish.as_json, highlight=False)
    try:
        library = demo_docs.library(wish.docs, wish.question)
        with target(wish.host, wish.model, wish.base_url) as where:
            demo = Demo(where, library, console)
            return demo.print_json(wish.frameworks) if wish.as_json else demo.run(wish.frameworks)
    except (KimiError, ValueError) as error:
        console.print(clean(str(error)), style="red", markup=False)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


@dataclass(slots=True)
class Demo:
    """One run: where to, on what, and what failed so far."""

    where: Target
    library: demo_docs.Library
    console: Console
    failed: list[str] = field(default_factory=list)

    def run(self, names: Sequence[str]) -> int:
        """Show some frameworks, then what they took; return the exit code."""
        view = View(self.console)
        view.opening(*_opening(self.where))
        frameworks = [self._perform(name, view) for name in names]
        notes = self._notes(estimates=any(one.tally.estimates for one in frameworks))
        view.summary({one.name: one.tally for one in frameworks}, notes, good=self._good)
        return 0 if self._good else FAILED

    def print_json(self, names: Sequence[str]) -> int:
        """Do the same, and print what each part asked, got and took as JSON; return the exit code."""
        record = Record()
        for name in names:
            self._perform(name, record)
        where = {"host": self.where.settings.host.name, "model": self.where.model, "local": bool(self.where.local)}
        write_json({"ok": self._good, **where, "parts": record.parts, "refused": self._refused})
        return 0 if self._good else FAILED

    @property
    def _refused(self) -> list[str]:
        """What the local server refused, if there is one."""
        return [f"{entry.status} {entry.error}" for entry in self.where.local.errors] if self.where.local else []

    @property
    def _good(self) -> bool:
        return not self.failed and not self._refused

    @property
    def _watched(self) -> bool:
        """Whether somebody sits before a terminal (one can force colours without one)."""
        return self.console.file.isatty()

    def _perform(self, name: str, view: View) -> Framework:
        """Show everything of one framework, in a folder of its own."""
        with needs("demo"), self.console.status(f"Importing {name} …") if self._watched else nullcontext():
            framework = _MAKERS[name](self.where)
        view.framework(framework.title)
        with tempfile.TemporaryDirectory(prefix="kimi-demo-") as folder:
            stage = Stage(framework, view, self.library, Path(folder))
            for number, section in enumerate(_SECTIONS, 1):
                view.section(number, section.title, framework.how[section.word])
                self._section(stage, section)
        return framework

    def _section(self, stage: Stage, section: Section) -> None:
        """Show one section. What goes wrong in it is shown, and the others still run."""
        started, before = time.perf_counter(), replace(stage.framework.tally)
        try:
            # Only the first section is about watching an answer come.
            with self.where.live(section.word == "answer" and self._watched):
                right = section.show(stage)
            stage.view.check(right)
        except UnsupportedError as error:
            stage.view.skip(str(error))  # raised before any call was made: a fact about the host, not a failure
        except Exception as error:
            self.failed.append(f"{stage.framework.name}: {section.title}")
            stage.view.fail(f"{type(error).__name__}: {error}")
        stage.view.end()
        stage.framework.tally.seconds += time.perf_counter() - started
        stage.view.took(stage.framework.tally.since(before))

    def _notes(self, *, estimates: bool) -> list[str]:
        notes = [f"Failed: {title}" for title in self.failed] + [f"Refused: {one}" for one in self._refused]
        if estimates:
            notes.append("~ is an estimate from the host's published prices.")
        if self.where.local:
            notes.append(f"The local server took {len(self.where.local.requests)} requests and billed nobody.")
        return notes


def _opening(where: Target) -> tuple[str, Text]:
    """Return the title and the text of the first panel."""
    spec = where.settings.host
    if where.local is None:
        return spec.title, Text.assemble((where.model, "bold"), f" at {where.settings.base_url}")
    key = spec.address.key_env[0]
    again = "kimi-adapters demo" if spec.name == DEFAULT_HOST else f"kimi-adapters demo --host {spec.name}"
    return "a local Kimi server", Text.assemble(
        (f"{key} is not set", "bold"),
        f", so a local Kimi server was started at {where.settings.base_url}. It refuses what {spec.title} refuses, but "
        "it is an emulator: ",
        ("its replies come from rules, not from a model.", "bold"),
        "\n\nThe same code on the real host:\n\n    ",
        (f"export {key}=…\n    {again}", "cyan"),
    )


# ------------------------------------------------------------------------------------------------- the sections


def _answer(stage: Stage) -> str:
    stage.view.ask(f"{demo_tasks.MEMO} {demo_tasks.QUESTION}")
    return demo_tasks.check_answer(stage.framework.answer(stage.view, f"{demo_tasks.MEMO}\n\n{demo_tasks.QUESTION}"))


def _work(stage: Stage) -> str:
    demo_files.write_reports(stage.root)
    stage.view.ask(demo_tasks.WORK)
    tools = demo_tasks.make_tools(stage.root)
    return demo_tasks.check_work(stage.framework.work(stage.view, demo_tasks.WORK, tools))


def _extract(stage: Stage) -> str:
    stage.view.ask(demo_tasks.NOTE)
    order = stage.framework.extract(demo_tasks.NOTE)
    stage.view.filled(order)
    return demo_tasks.check_order(order)


def _look(stage: Stage) -> str:
    picture, pixels = stage.root / "chart.png", demo_files.chart()
    demo_files.write_png(picture, pixels)
    stage.view.ask(demo_tasks.LOOK)
    stage.view.picture(picture.name, pixels)
    return demo_tasks.check_look(stage.framework.look(stage.view, demo_tasks.LOOK, picture))


def _consult(stage: Stage) -> str:
    stage.view.read(stage.library.size)
    stage.view.ask(stage.library.question)
    text, sources = stage.framework.consult(stage.view, stage.library)
    return demo_tasks.check_consulted(text, sources)


_SECTIONS = (
    Section("answer", "An answer as it comes, its reasoning apart", _answer),
    Section("work", "An agent that works with files", _work),
    Section("extract", "An object filled from a text", _extract),
    Section("look", "A question about a picture", _look),
    Section("consult", "An answer from documents", _consult),
)


def _langchain(where: Target) -> Framework:
    from kimi_adapters.cli.demo_langchain import LangChainDemo

    return LangChainDemo(where)


def _llama_index(where: Target) -> Framework:
    from kimi_adapters.cli.demo_llama_index import LlamaIndexDemo

    return LlamaIndexDemo(where)


_MAKERS: dict[str, Callable[[Target], Framework]] = {"langchain": _langchain, "llama-index": _llama_index}
