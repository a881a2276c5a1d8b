"""The commands and their options. What a command needs is imported when it runs: `kimi-adapters --help` stays quick."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from kimi_adapters.cli.extras import needs
from kimi_adapters.cli.host_commands import app as host_commands
from kimi_adapters.cli.options import DOCUMENT, IMAGE, MODEL_OF_CHAT, Address, AsJson, Host, Model, commands
from kimi_core import __version__

app = commands(
    name="kimi-adapters",
    help="Kimi models in LangChain and LlamaIndex: try them out, with a key or without.",
    no_args_is_help=True,
)


class DialectOption(StrEnum):
    """Whose dialect the local server speaks."""

    moonshot = "moonshot"
    aimlapi = "aimlapi"
    runware = "runware"
    kimi_code = "kimi-code"
    openrouter = "openrouter"
    fireworks = "fireworks"
    vllm = "vllm"
    sglang = "sglang"
    llama_cpp = "llama-cpp"


class FrameworkOption(StrEnum):
    """What is demonstrated."""

    langchain = "langchain"
    llama_index = "llama-index"
    both = "both"


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kimi-adapters {__version__}")
        raise typer.Exit


@app.callback()
def _kimi(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version and exit.")
    ] = False,
) -> None:
    pass


@app.command()
def demo(
    framework: Annotated[
        FrameworkOption, typer.Option(metavar="NAME", help="What to show: " + ", ".join(FrameworkOption) + ".")
    ] = FrameworkOption.both,
    host: Annotated[
        str, typer.Option(metavar="NAME", help="Whose Kimi: a name that `kimi-adapters hosts` lists.")
    ] = "moonshot",
    model: Annotated[
        str, typer.Option(metavar="NAME", help="Which Kimi: a name that `kimi-adapters models` lists.")
    ] = "kimi-k2.6",
    docs: Annotated[
        Path | None,
        typer.Option(exists=True, metavar="PATH", help="A file or folder of texts to answer from (.md, .txt, .rst)."),
    ] = None,
    question: Annotated[str | None, typer.Option(metavar="TEXT", help="What to ask about these texts.")] = None,
    base_url: Address = None,
    as_json: AsJson = False,
) -> None:
    """Show Kimi at work: on the real host, or without a key."""
    with needs("demo"):
        from kimi_adapters.cli import demo as demonstration

    chosen = ("langchain", "llama-index") if framework is FrameworkOption.both else (framework.value,)
    wish = demonstration.Wish(chosen, host, model, docs, question, base_url, as_json)
    raise typer.Exit(demonstration.run(wish))


@app.command()
def chat(
    context: typer.Context,
    prompt: Annotated[
        str | None,
        typer.Option("--prompt", "-p", metavar="TEXT", help="Ask this one thing, about what comes through a pipe."),
    ] = None,
    images: Annotated[list[Path] | None, IMAGE] = None,
    files: Annotated[list[Path] | None, DOCUMENT] = None,
    system: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What Kimi is told before everything else.")
    ] = None,
    session: Annotated[
        str | None,
        typer.Option(metavar="NAME|PATH", help="Keep the conversation, and go on with it if it is there."),
    ] = None,
    go_on: Annotated[bool, typer.Option("--continue", help="Go on with the last session, or with --session.")] = False,
    host: Host = None,
    model: Annotated[str | None, MODEL_OF_CHAT] = None,
    base_url: Address = None,
    local: Annotated[
        bool, typer.Option("--local", help="Talk to a local server: no key, no network, no model behind it.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the one answer as JSON, with reasoning, tokens and price.")
    ] = False,
) -> None:
    """Talk to Kimi: answers as they come, thinking first.

    Ctrl-C stops an answer and keeps the conversation; /exit or Ctrl-D ends it.
    With -p, or from a pipe, one question is answered: the answer goes to standard
    output, tokens and price to standard error.

    Exit code: 0, or 1 when an answer failed, 2 when the command was wrong,
    130 after Ctrl-C.
    """
    with needs("cli"):
        from kimi_adapters.cli import chat as talking

    raise typer.Exit(talking.run(talking.Wish(**context.params)))


@app.command()
def doctor(
    host: Host = None,
    model: Model = "kimi-k2.6",
    base_url: Address = None,
    no_call: Annotated[
        bool, typer.Option("--no-call", help="Ask the host nothing: look at this machine only.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Find out why calls fail, and what to do about it.

    Versions, host, key, model, one tiny call (a fraction of a cent), clock.

    The cause is one of: version, host, address, model, balance, network, clock,
    no-key, wrong-key, other-platform, other.

    Exit code: 0 when all is well, 1 when something is wrong, 2 when the command itself is.
    """
    with needs("cli"):
        from kimi_adapters.cli import doctor as examining

    raise typer.Exit(examining.run(examining.Wish(host, model, base_url, not no_call, as_json)))


@app.command()
def serve(
    dialect: Annotated[
        DialectOption, typer.Option(metavar="NAME", help="Which host to imitate: " + ", ".join(DialectOption) + ".")
    ] = DialectOption.moonshot,
    port: Annotated[int, typer.Option(min=1, max=65535, metavar="NUMBER", help="The port to listen on.")] = 8765,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="The address to listen on.")] = "127.0.0.1",
    api_key: Annotated[str, typer.Option(metavar="KEY", help="The one key that it accepts.")] = "sk-local-kimi",
    admit: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="Beginning of a user agent that the dialect kimi-code lets in as well."),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Another name by which it is asked, such as that of a container."),
    ] = None,
    open_to_network: Annotated[
        bool,
        typer.Option("--open-to-network", help="Listen where other machines reach it: whoever does can use it."),
    ] = False,
    fault_rate: Annotated[
        float,
        typer.Option(min=0, max=1, metavar="SHARE", help="Share of the answers that go wrong, such as 0.05."),
    ] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="Say in one line of JSON how to reach it.")] = False,
) -> None:
    """Run a local Kimi server: rules in place of a model."""
    with needs("cli"):
        from kimi_adapters.cli import serve as server

    hosts = allow_host or ()
    wish = server.Wish(dialect.value, host, port, api_key, admit or (), hosts, open_to_network, fault_rate, as_json)
    raise typer.Exit(server.run(wish))


@app.command()
def probe(
    where: Annotated[str, typer.Argument(metavar="HOST|URL", hidden=True)],
    model: Model = "kimi-k2.6",
    host: Annotated[str | None, typer.Option(metavar="NAME", help="Whose spec to compare an address with.")] = None,
    api_key_env: Annotated[
        str | None, typer.Option(metavar="NAME", help="The environment variable that holds the key.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=1, metavar="SECONDS", help="Seconds to wait for each answer.")] = 120.0,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before making calls that cost money.")] = False,
    as_json: AsJson = False,
) -> None:
    """Find out what an endpoint really does, and write its spec.

    Some dozen small calls, which take some cents: it says how many and asks first.
    HOST is a name that `kimi-adapters hosts` lists, URL an address.
    """
    with needs("cli"):
        from kimi_adapters.cli import probe as asking

    raise typer.Exit(asking.run(asking.Wish(where, model, host, api_key_env, timeout, yes, as_json)))


@app.command()
def run(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(exists=True, dir_okay=False, metavar="IN", hidden=True)],
    target: Annotated[Path, typer.Argument(dir_okay=False, metavar="OUT", hidden=True)],
    prompt: Annotated[
        str, typer.Option("--prompt", "-p", metavar="TEXT", help="What is asked of each row; {name} is a column.")
    ],
    system: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What Kimi is told first, with columns too.")
    ] = None,
    schema: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, metavar="FILE", help="JSON Schema of the answers.")
    ] = None,
    options: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="NAME=VALUE", help="An option of the calls; may be repeated."),
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, metavar="NUMBER", help="Rows at the same time.")] = 8,
    limits: Annotated[
        str | None, typer.Option(metavar="LIMITS", help="tier0 to tier5, or concurrency=8,requests_per_minute=60.")
    ] = None,
    budget: Annotated[float | None, typer.Option(metavar="USD", help="Most US dollars for all rows together.")] = None,
    batch_api: Annotated[bool, typer.Option("--batch-api", help="Through the host's batches: slow and cheap.")] = False,
    poll_interval: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Longest pause between two looks at a batch.")
    ] = 60.0,
    prefix: Annotated[str, typer.Option(metavar="TEXT", help="What the names of the new columns begin with.")] = "",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Forget an earlier run, and begin anew.")] = False,
    host: Host = None,
    model: Model = "kimi-k2.6",
    base_url: Address = None,
    local: Annotated[bool, typer.Option("--local", help="Ask a local server: no key, no model behind it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Ask something of every row of a file (.jsonl or .parquet).

    OUT has every column of IN, and: answer, reasoning, usage, cost_usd, error. The
    same command goes on where it was after a kill or Ctrl-C, and asks again for
    rows whose error may pass.

    Exit code: 0 when all rows are answered, 1 when some are not, 2 when the command
    was wrong, 130 after Ctrl-C.
    """
    with needs("parquet" if ".parquet" in (source.suffix, target.suffix) else "cli"):
        from kimi_adapters.cli import run as running

        raise typer.Exit(running.run(running.Wish(**context.params)))


app.add_typer(host_commands)
