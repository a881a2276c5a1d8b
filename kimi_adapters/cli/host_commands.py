"""The commands about hosts, models and an account. What a command needs is imported when it runs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from kimi_adapters.cli.extras import needs
from kimi_adapters.cli.options import Address, AsJson, Host, HostPart, Model, ModelName, commands

app = commands()
files = commands(no_args_is_help=True)
app.add_typer(files, name="files", help="Files that a host keeps: list, upload, show, delete.")


class PurposeOption(StrEnum):
    """What a file is for."""

    file_extract = "file-extract"
    image = "image"
    video = "video"
    batch = "batch"


FileId = Annotated[str, typer.Argument(metavar="ID", hidden=True)]


@app.command()
def hosts(name: HostPart = None, as_json: AsJson = False) -> None:
    """List the hosts that serve Kimi.

    With NAME: those that have it as a part of name, title or address; if it is one
    host, all that is known of it.

    Exit code: 0, or 1 when no host has that name.
    """
    with needs("cli"):
        from kimi_adapters.cli import output, tables

    raise typer.Exit(output.finished(lambda: tables.hosts(name, as_json=as_json)))


@app.command()
def models(
    name: ModelName = None,
    host: Host = None,
    base_url: Address = None,
    live: Annotated[bool, typer.Option("--live", help="Ask the host what it serves now, with your key.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the Kimi models: limits, thinking, prices.

    With NAME: all that is known of this model, on Moonshot or on --host.

    Exit code: 0, or 1 when there is no such model or the host failed.
    """
    with needs("cli"):
        from kimi_adapters.cli import output, tables

    raise typer.Exit(output.finished(lambda: tables.models(name, host, base_url, live=live, as_json=as_json)))


@files.command("list")
def list_files(host: Host = None, base_url: Address = None, as_json: AsJson = False) -> None:
    """List the files of the account, newest first."""
    with needs("cli"):
        from kimi_adapters.cli import account, output

    raise typer.Exit(output.finished(lambda: account.list_files(host, base_url, as_json=as_json)))


@files.command()
def upload(
    paths: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, metavar="FILE", hidden=True)],
    purpose: Annotated[
        PurposeOption | None,
        typer.Option(
            metavar="NAME",
            help="What they are for: " + ", ".join(PurposeOption) + ". By default seen by their bytes.",
        ),
    ] = None,
    host: Host = None,
    base_url: Address = None,
    as_json: AsJson = False,
) -> None:
    """Upload files, and print their ids. They stay until they are deleted."""
    with needs("cli"):
        from kimi_adapters.cli import account, output

    wanted = purpose.value if purpose else None
    raise typer.Exit(output.finished(lambda: account.upload(paths, wanted, host, base_url, as_json=as_json)))


@files.command()
def show(
    id: FileId,
    content: Annotated[bool, typer.Option("--content", help="Print its text: as extracted, or as it is.")] = False,
    host: Host = None,
    base_url: Address = None,
    as_json: AsJson = False,
) -> None:
    """Show what the host knows about a file, or its text.

    ID is the file's id, with or without ms:// before it.
    """
    with needs("cli"):
        from kimi_adapters.cli import account, output

    raise typer.Exit(output.finished(lambda: account.show(id, host, base_url, content=content, as_json=as_json)))


@files.command()
def delete(
    ids: Annotated[list[str], typer.Argument(metavar="ID", hidden=True)],
    host: Host = None,
    base_url: Address = None,
    as_json: AsJson = False,
) -> None:
    """Delete files. Messages that refer to them are refused from then on.

    Exit code: 0, or 1 when one could not be deleted; the others are.
    """
    with needs("cli"):
        from kimi_adapters.cli import account, output

    raise typer.Exit(output.finished(lambda: account.delete(ids, host, base_url, as_json=as_json)))


@app.command()
def tokens(
    text: Annotated[str | None, typer.Argument(metavar="TEXT", hidden=True)] = None,
    file: Annotated[
        list[Path] | None,
        typer.Option(exists=True, dir_okay=False, metavar="FILE", help="A document of it; may be repeated."),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no host: estimate by the characters.")] = False,
    host: Host = None,
    model: Model = "kimi-k2.6",
    base_url: Address = None,
    as_json: AsJson = False,
) -> None:
    """Count the tokens of a prompt: TEXT, or what comes through a pipe.

    The host counts, where it can and there is a key; else they are estimated on
    this machine, by the number of characters, which is said.
    """
    with needs("cli"):
        from kimi_adapters.cli import account, output

    def work() -> int:
        return account.tokens(text, file or (), model, host, base_url, offline=offline, as_json=as_json)

    raise typer.Exit(output.finished(work))


@app.command()
def balance(host: Host = None, base_url: Address = None, as_json: AsJson = False) -> None:
    """Say what the account can still spend, in its own currency."""
    with needs("cli"):
        from kimi_adapters.cli import account, output

    raise typer.Exit(output.finished(lambda: account.balance(host, base_url, as_json=as_json)))
