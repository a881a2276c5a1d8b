"""`kimi-adapters serve`: the local Kimi server in the foreground."""

from __future__ import annotations

import shlex
import socket
from collections.abc import Collection
from typing import NamedTuple

from rich.console import Console
from rich.panel import Panel
from rich.syntax import Syntax
from rich.text import Text

from kimi_adapters.cli.output import write_json
from kimi_adapters.local_server import serve
from kimi_adapters.local_server.gate import check_address
from kimi_adapters.local_server.server import DialectName
from kimi_core import HOSTS

_ABOUT = (
    "This is an emulator: it refuses what the real host refuses, with the host's messages, but its replies come from "
    "rules, not from a model. Use it to try things out, and in tests."
)


class Wish(NamedTuple):
    """What was asked for on the command line; see `kimi-adapters serve --help`."""

    dialect: DialectName
    host: str
    port: int
    api_key: str
    admits: Collection[str]
    allowed_hosts: Collection[str]
    open_to_network: bool
    fault_rate: float = 0.0
    as_json: bool = False


def run(wish: Wish) -> int:
    """Print how to reach the server, then serve until interrupted.

    Returns:
        The exit code: 2 for an address that others reach, without the flag for that; 1 when it is taken.
    """
    host, port = wish.host, wish.port
    console, complaints = Console(), Console(stderr=True)
    try:
        check_address(host, open_to_network=wish.open_to_network)
    except ValueError as error:
        complaints.print(str(error), style="red")
        return 2
    if (taken := _taken(host, port)) is not None:
        complaints.print(f"Cannot listen on {host}:{port}: {taken}. Choose another --port.", style="red")
        return 1
    base_url = f"http://{host}:{port}/v1"
    _announce(console, wish, base_url)
    names = ("api_key", "admits", "allowed_hosts", "open_to_network", "fault_rate")
    behaviour = {name: getattr(wish, name) for name in names}
    serve(host, port, wish.dialect, **behaviour)
    return 0


def _announce(console: Console, wish: Wish, base_url: str) -> None:
    """Print how to reach the server."""
    dialect, key = wish.dialect, wish.api_key
    variables = _variables(dialect, base_url, key)
    if wish.as_json:
        reached = {"host": dialect, "base_url": base_url, "api_key": key, "environment": variables}
        write_json(reached, indent=None)
        return
    console.print(_panel(dialect, base_url, key))
    console.print(_syntax(dialect, base_url, key))
    if variables:
        console.print("\nOr point a program at it that stays as it is:\n", style="dim")
        for name, value in variables.items():
            line = f"   export {name}={shlex.quote(value)}"
            console.print(line, soft_wrap=True, highlight=False, markup=False)
    console.print("\nCtrl-C stops it.\n", style="dim")
    console.file.flush()


def _taken(host: str, port: int) -> str | None:
    """Return why nobody can listen there; None when one can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror or str(error)
    return None


def _panel(dialect: str, base_url: str, api_key: str) -> Panel:
    text = Text.assemble(("address  ", "dim"), base_url, "\n", ("key      ", "dim"), api_key, "\n\n", _ABOUT)
    return Panel(text, title=f"local Kimi server, dialect {dialect}", border_style="yellow", width=100, padding=(1, 2))


def _syntax(dialect: str, base_url: str, api_key: str) -> Syntax:
    code = (
        f'where = {{\n    "host": "{dialect}",\n    "base_url": "{base_url}",\n    "api_key": "{api_key}",\n}}\n\n'
        "from langchain_kimi import ChatKimi\nmodel = ChatKimi(**where)\n\n"
        "from llama_index_kimi import KimiLLM\nllm = KimiLLM(**where)"
    )
    return Syntax(code, "python", theme="ansi_dark", background_color="default", padding=(0, 3))


def _variables(dialect: str, base_url: str, api_key: str) -> dict[str, str]:
    """Return the host's environment variables for the server; none where its address has no variable."""
    address = HOSTS[dialect].address
    if not address.base_url_env or not address.key_env:
        return {}
    return {address.base_url_env[0]: base_url, address.key_env[0]: api_key}
