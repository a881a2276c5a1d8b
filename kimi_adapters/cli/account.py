"""`kimi-adapters files`, `tokens` and `balance`: what a host keeps, counts and says of an account."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from kimi_adapters.cli.connection import client_of
from kimi_adapters.cli.output import FAILED, WRONG, note, write_json
from kimi_adapters.cli.tables import table_of
from kimi_adapters.local_server import tokens as estimates
from kimi_adapters.notebook.wording import clean
from kimi_core import FilePart, KimiClient, Message, Request, TextPart
from kimi_core.endpoints.files import FileObject, Purpose
from kimi_core.errors import KimiError, MessageError
from kimi_core.media import data_urls
from kimi_core.settings import Settings, make_settings, require_key
from kimi_core.types import Part

_UNITS = ("bytes", "kB", "MB", "GB")

# ----------------------------------------------------------------------------------------------------------- files


def list_files(host: str | None, base_url: str | None, *, as_json: bool) -> int:
    """Print the files of the account, newest first."""
    found = sorted(client_of(host, base_url).files.list(), key=_age, reverse=True)
    if as_json:
        write_json([asdict(file) for file in found])
        return 0
    console = Console(highlight=False)
    if not found:
        note("The host keeps no files for this account.")
        return 0
    table = table_of("id", "size", "made", "for", "name")
    for file in found:
        cells = (clean(file.id), _size(file.bytes), _day(file), clean(file.purpose), clean(file.filename))
        table.add_row(*map(Text, cells))
    table.columns[1].justify = "right"
    console.print(table)
    return 0


def _age(file: FileObject) -> float:
    made: Any = file.created_at
    return made if isinstance(made, int | float) else 0.0


def _day(file: FileObject) -> str:
    try:
        return f"{dt.datetime.fromtimestamp(_age(file)):%Y-%m-%d}" if _age(file) else ""
    except (ValueError, OverflowError, OSError):  # a number, but no time
        return ""


def _size(count: int) -> str:
    size, unit = float(count), 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{count} bytes" if unit == 0 else f"{size:.1f} {_UNITS[unit]}"


def upload(paths: Sequence[Path], purpose: str | None, host: str | None, base_url: str | None, *, as_json: bool) -> int:
    """Upload files and print their ids; what was uploaded before one that failed is printed too."""
    files, made = client_of(host, base_url).files, []
    try:
        with _progress(len(paths)) as step:
            for path in paths:
                step(f"{path.name}, {_size(path.stat().st_size)}")
                made.append(files.upload(path, purpose=cast(Purpose, purpose or _purpose(path))))
    finally:
        if as_json:
            write_json([asdict(file) for file in made])
        else:
            for file in made:
                sys.stdout.write(f"{clean(file.id)}\n")
    return 0


def _purpose(path: Path) -> str:
    """Return what a file is most likely for: by its first bytes a picture or a video, else its text."""
    with path.open("rb") as file:
        kind = (data_urls.sniff(file.read(4096)) or "").partition("/")[0]
    return kind if kind in ("image", "video") else "file-extract"


@contextmanager
def _progress(total: int) -> Iterator[Any]:
    """Show on standard error which of the files is under way."""
    columns = (BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task, begun = bar.add_task("", total=total), [0]

        def step(what: str) -> None:
            bar.update(task, completed=begun[0], description=escape(clean(what)))
            begun[0] += 1

        yield step


def show(id: str, host: str | None, base_url: str | None, *, content: bool, as_json: bool) -> int:
    """Print what the host knows about a file, or its text."""
    files = client_of(host, base_url).files
    if content:
        text = files.content(id)
        if as_json:
            write_json({"id": id, "content": text})
        else:
            sys.stdout.write(clean(text) if sys.stdout.isatty() else text)
        return 0
    known = asdict(files.retrieve(id))
    if as_json:
        write_json(known)
        return 0
    for name, value in known.items():
        if value not in (None, ""):
            sys.stdout.write(f"{name:<16}{clean(str(value))}\n")
    return 0


def delete(ids: Sequence[str], host: str | None, base_url: str | None, *, as_json: bool) -> int:
    """Delete files; one that cannot be deleted keeps none of the others."""
    files = client_of(host, base_url).files
    outcomes: list[dict[str, Any]] = []
    for id in ids:
        try:
            files.delete(id)
            outcomes.append({"id": id, "deleted": True})
        except KimiError as error:
            outcomes.append({"id": id, "deleted": False, "error": str(error)})
            note(str(error), "red")
    if as_json:
        write_json(outcomes)
    elif done := sum(one["deleted"] for one in outcomes):
        note(f"{done} deleted.")
    return 0 if all(one["deleted"] for one in outcomes) else FAILED


# ---------------------------------------------------------------------------------------------------------- tokens


def tokens(
    text: str | None,
    paths: Sequence[Path],
    model: str,
    host: str | None,
    base_url: str | None,
    *,
    offline: bool,
    as_json: bool,
) -> int:
    """Print how many tokens a prompt has: as the host counts, else estimated here, which is said."""
    if text is None and not paths and not sys.stdin.isatty():
        text = sys.stdin.read()
    if not text and not paths:
        note("Nothing is to be counted: give a text, --file, or a text through a pipe.", "red")
        return WRONG
    settings = make_settings(host=host, base_url=base_url)
    why = "It was asked for." if offline else _why_not(settings)
    count = _estimated(text or "", paths) if why else _by_host(settings, text or "", paths, model)
    if as_json:
        write_json(
            {"tokens": count, "estimate": bool(why), "host": None if why else settings.host.name, "model": model}
        )
        return 0
    sys.stdout.write(f"{count}\n")
    if why:
        note(f"An estimate of this machine, by the number of characters. {why}")
    else:
        note(f"As {settings.host.title} counts for {model}.")
    return 0


def _why_not(settings: Settings) -> str:
    """Return why the host is not asked; empty when it can be."""
    if settings.host.endpoints.count_tokens is None:
        return f"{settings.host.title} has no endpoint that counts."
    try:
        require_key(settings)
    except KimiError as error:
        return str(error)
    return ""


def _by_host(settings: Settings, text: str, paths: Sequence[Path], model: str) -> int:
    parts: list[Part] = [FilePart(path, "document") for path in paths]
    content = (TextPart(text), *parts) if paths else text
    extracting = settings.model_copy(update={"documents": "extract"})  # who hands a document over wants it read
    with Console(stderr=True).status(f"{settings.host.title} reads and counts …"):
        return KimiClient(extracting).count_tokens(Request(messages=[Message("user", content)], model=model))


def _estimated(text: str, paths: Sequence[Path]) -> int:
    texts = [text] if text else []
    for path in paths:
        try:
            texts.append(path.read_bytes().decode())
        except UnicodeDecodeError:
            raise MessageError(f"{path} is no text: its tokens are known to a host alone that reads it.") from None
    return estimates.of_prompt([{"role": "user", "content": "\n\n".join(texts)}])


# --------------------------------------------------------------------------------------------------------- balance


def balance(host: str | None, base_url: str | None, *, as_json: bool) -> int:
    """Print what the account can still spend, in its own currency."""
    there = client_of(host, base_url).balance()
    if as_json:
        write_json(asdict(there))
        return 0
    for name, value in asdict(there).items():
        sys.stdout.write(f"{name:<11}{value:>12,.2f}\n")
    if there.available <= 0:
        note("Calls are refused until the account is topped up.", "yellow")
    return 0
