"""Options that several commands have, and how every command is made."""

from __future__ import annotations

from typing import Annotated, Any

import typer


def commands(**more: Any) -> typer.Typer:
    """Return a group of commands: plain help, `-h`, errors of the program as they are."""
    return typer.Typer(
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # in plain help nothing is framed, and switches have no type
        context_settings={"help_option_names": ["-h", "--help"]},
        **more,
    )


def _hosts(incomplete: str) -> list[str]:
    from kimi_core import HOSTS

    return [name for name in HOSTS if name.startswith(incomplete)]


def _models(incomplete: str) -> list[str]:
    from kimi_core import MODELS

    return [name for name in MODELS if name.startswith(incomplete)]


HOST = typer.Option(metavar="NAME", help="Whose Kimi: a name that `kimi-adapters hosts` lists.", autocompletion=_hosts)
MODEL = typer.Option(
    metavar="NAME", help="Which Kimi: a family, or an id as the host writes it.", autocompletion=_models
)

MODEL_OF_CHAT = typer.Option(
    metavar="NAME", help="Which Kimi, by default kimi-k2.6 or the session's own.", autocompletion=_models
)
IMAGE = typer.Option(
    "--image", exists=True, dir_okay=False, metavar="FILE", help="A picture to ask about; may be repeated."
)
DOCUMENT = typer.Option(
    "--file", exists=True, dir_okay=False, metavar="FILE", help="A document or video to ask about; may be repeated."
)

Host = Annotated[str | None, HOST]
Model = Annotated[str, MODEL]
Address = Annotated[str | None, typer.Option(metavar="URL", help="Another address of the host.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
# In help that is not framed an argument is shown with a type of Python's: what it is says the command's text.
HostPart = Annotated[str | None, typer.Argument(metavar="NAME", hidden=True, autocompletion=_hosts)]
ModelName = Annotated[str | None, typer.Argument(metavar="NAME", hidden=True, autocompletion=_models)]
