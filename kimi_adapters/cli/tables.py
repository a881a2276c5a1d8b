"""The hosts and the models as tables for a terminal."""

from __future__ import annotations

from rich import box
from rich.table import Table

from kimi_core.hosts.models import MODELS, ModelRow
from kimi_core.hosts.registry import HOSTS, HostRow
from kimi_core.settings import DEFAULT_HOST


def hosts() -> Table:
    """Every host: its name, which variable holds its key, and where it is."""
    table = _table("host", "key", "address")
    for row in HOSTS.values():
        table.add_row(row.name, _key(row), row.base_url or "[dim]base_url=…[/]")
    return table


def _key(row: HostRow) -> str:
    name = row.key_env[0] if row.key_env else ""
    return name if row.key_required else f"[dim]{name}[/]"


def models() -> Table:
    """Every model: how much it reads and writes, how it thinks, and what it sees."""
    table = _table("model", "context", "output", "thinking", "sees")
    gone = HOSTS[DEFAULT_HOST].retired
    for row in MODELS.values():
        cells = (_tokens(row.context), _tokens(row.default_output), _thinking(row), ", ".join(sorted(row.media)))
        table.add_row(row.id, *cells, style="dim" if row.id in gone else "")
    table.columns[1].justify = table.columns[2].justify = "right"
    retired = [f"{model} ({end.day})" for model, end in gone.items()]
    table.caption = f"Retired on Moonshot's own platform: {', '.join(retired)}"
    return table


def _tokens(count: int) -> str:
    return f"{count // 2**20}M" if count >= 2**20 else f"{count // 2**10}k"


def _thinking(row: ModelRow) -> str:
    words = {"toggle": "on or off", "always": "always", "never": "never"}[row.thinking]
    return f"{words}: {', '.join(row.efforts)}" if row.efforts else words


def _table(*columns: str) -> Table:
    """A table of which only the last column wraps."""
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
