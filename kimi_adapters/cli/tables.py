"""The hosts and the models as tables for a terminal."""

from __future__ import annotations

from rich import box
from rich.table import Table

from kimi_core.hosts.models import MODELS, ModelSpec
from kimi_core.hosts.registry import HOSTS
from kimi_core.hosts.spec import HostSpec
from kimi_core.settings import DEFAULT_HOST


def hosts() -> Table:
    """Return a table of every host: its name, which variable holds its key, and where it is."""
    table = _table("host", "key", "address")
    for spec in HOSTS.values():
        table.add_row(spec.name, _key(spec), spec.address.base_url or "[dim]base_url=…[/]")
    return table


def _key(spec: HostSpec) -> str:
    name = spec.address.key_env[0] if spec.address.key_env else ""
    return name if spec.address.key_required else f"[dim]{name}[/]"


def models() -> Table:
    """Return a table of every model: how much it reads and writes, how it thinks, and what it sees."""
    table = _table("model", "context", "output", "thinking", "sees")
    gone = HOSTS[DEFAULT_HOST].models.retired
    for spec in MODELS.values():
        cells = (_tokens(spec.context), _tokens(spec.default_output), _thinking(spec), ", ".join(sorted(spec.media)))
        table.add_row(spec.id, *cells, style="dim" if spec.id in gone else "")
    table.columns[1].justify = table.columns[2].justify = "right"
    retired = [f"{model} ({end.day})" for model, end in gone.items()]
    table.caption = f"Retired on Moonshot's own platform: {', '.join(retired)}"
    return table


def _tokens(count: int) -> str:
    return f"{count // 2**20}M" if count >= 2**20 else f"{count // 2**10}k"


def _thinking(spec: ModelSpec) -> str:
    text = {"toggle": "on or off", "always": "always", "never": "never"}[spec.thinking]
    return f"{text}: {', '.join(spec.efforts)}" if spec.efforts else text


def _table(*columns: str) -> Table:
    """Return a table of which only the last column wraps."""
    table = Table(
        box=box.SIMPLE_HEAD,
        header_style="bold",
        show_edge=False,
        pad_edge=False,
        collapse_padding=True,
        caption_justify="left",
    )
    for column in columns:
        table.add_column(
            column, style="cyan" if column == columns[0] else "", no_wrap=column != columns[-1], overflow="fold"
        )
    return table
