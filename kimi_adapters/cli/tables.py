"""`kimi-adapters hosts` and `kimi-adapters models`: the tables, one host or model in full, and a host's own list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kimi_adapters.cli import facts
from kimi_adapters.cli.connection import client_of
from kimi_adapters.cli.output import FAILED, WRONG, note, write_json
from kimi_adapters.notebook.wording import clean
from kimi_core.hosts.models import MODELS, find
from kimi_core.hosts.profile import find_host
from kimi_core.hosts.registry import HOSTS
from kimi_core.settings import DEFAULT_HOST

# ---------------------------------------------------------------------------------------------------------- hosts


def hosts(part: str | None, *, as_json: bool) -> int:
    """Print the hosts; of a name or its part those that have it, and one in full."""
    found = facts.matching(part)
    known = [facts.of_host(spec) for spec in found]
    if part is not None and not found:
        near = facts.close_to(part, HOSTS)
        note(f"No host is called {part!r}, nor has it in its name.{near} `kimi-adapters hosts` lists them.", "red")
        return FAILED
    console = Console(highlight=False)
    if as_json:
        write_json(known)
    elif part is not None and len(known) == 1:
        _in_full(console, known[0])
    else:
        _hosts(console, known)
    return 0


def _hosts(console: Console, known: list[dict[str, Any]]) -> None:
    """Print hosts as a table; where that is too wide for addresses, each of them in two lines."""
    addresses = [one["base_url"] or "base_url=…" for one in known]
    keys = [Text(_first(one["key_env"]), "" if one["key_required"] else "dim") for one in known]
    table = table_of("host", "key", "address")
    for one, key, address in zip(known, keys, addresses, strict=True):
        table.add_row(one["name"], key, Text(address))
    if console.measure(table).minimum <= console.width and _width(table, console) <= console.width:
        console.print(table)
        return
    wide = max(len(one["name"]) for one in known) + 2
    for one, key, address in zip(known, keys, addresses, strict=True):
        console.print(Text.assemble((f"{one['name']:<{wide}}", "cyan"), key, f"\n  {address}"), soft_wrap=True)


def _width(table: Table, console: Console) -> int:
    return console.measure(table, options=console.options.update(width=1000)).maximum


def _first(names: Iterable[str]) -> str:
    return next(iter(names), "")


# ---------------------------------------------------------------------------------------------------------- models


def models(name: str | None, host: str | None, base_url: str | None, *, live: bool, as_json: bool) -> int:
    """Print the models: what is known of them, one in full, or what a host lists now."""
    if live:
        return _live(name, host, base_url, as_json=as_json)
    spec = find_host(host or DEFAULT_HOST)
    if name is None:
        families = facts.served(spec).keys() | (spec.models.retired if host is None else ())
        known = [facts.of_model(MODELS[model], spec) for model in MODELS if model in families]
    else:
        family = find(name)
        if family is None:
            near = facts.close_to(name, MODELS)
            note(f"There is no model {name!r} among the known ones.{near} With --live the host is asked.", "red")
            return FAILED
        known = [facts.of_model(family, spec)]
    if as_json:
        write_json(known)
        return 0
    console = Console(highlight=False)
    if name is None:
        console.print(_models(known, spec.title))
    else:
        _in_full(console, known[0])
    return 0


def _models(known: list[dict[str, Any]], title: str) -> Table:
    there = any(one["id"] != one["model"] for one in known)
    priced = any(one["price"] for one in known)
    columns = {
        "model": lambda one: one["model"],
        "id there": (lambda one: one["id"]) if there else None,
        "context": lambda one: _tokens(one["context"]),
        "output": lambda one: _tokens(one["default_output"]),
        "thinking": None if there else _thinking,
        "$ per M": (lambda one: _price(one["price"])) if priced else None,
    }
    shown = {column: cell for column, cell in columns.items() if cell is not None}
    table = table_of(*shown)
    for one in known:
        cells = [Text(str(cell(one))) for cell in shown.values()]
        table.add_row(*cells, style="dim" if one["retired"] else "")
    for column in table.columns:
        column.justify = "right" if column.header in ("context", "output") else "left"
    table.caption = _caption(known, title, priced=priced)
    return table


def _caption(known: list[dict[str, Any]], title: str, *, priced: bool) -> str:
    said = [f"On {title}; context and output (without max_tokens) in tokens."]
    if priced:
        days = sorted(one["price"]["as_of"] for one in known if one["price"])
        said.append(f"Prices in US dollars per million tokens: cached input/input/output, as of {days[0]}.")
    if retired := [f"{one['model']} ({one['retired']})" for one in known if one["retired"]]:
        said.append(f"Retired: {', '.join(retired)}.")
    blind = [one["model"] for one in known if len(one["reads"]) == 1]
    if len(blind) < len(known):
        said.append("All see pictures and videos" + (f", but not {', '.join(blind)}." if blind else "."))
    return " ".join(said)


def _live(name: str | None, host: str | None, base_url: str | None, *, as_json: bool) -> int:
    """Print what a host lists now, with the key of the environment."""
    if name is not None:
        note("--live lists what a host serves: leave the name out.", "red")
        return WRONG
    listed = [dict(one) for one in client_of(host, base_url).models()]
    if as_json:
        write_json(listed)
        return 0
    table = table_of("id", "family", "context")
    for one in sorted(listed, key=lambda one: find(str(one.get("id"))) is None):
        spec = find(str(one.get("id")))
        context = one.get("context_length") or one.get("max_model_len")
        cells = (clean(str(one.get("id"))), spec.id if spec else "", _tokens(context))
        table.add_row(*map(Text, cells), style="" if spec else "dim")
    table.columns[0].no_wrap, table.columns[0].overflow = False, "fold"
    Console(highlight=False).print(table)
    return 0


# ------------------------------------------------------------------------------------------------------- one in full


def _in_full(console: Console, known: Mapping[str, Any]) -> None:
    """Print everything that is known, a line each; a value that has several, one below the other."""
    wide = max(map(len, known)) + 2
    for name, value in known.items():
        lines = _lines(value, name)
        if not lines:
            continue
        label = Text(f"{name.replace('_', ' '):<{wide}}", "cyan")
        if name == "base_url":  # an address that is broken cannot be copied
            fits = wide + len(lines[0]) <= console.width
            console.print(Text.assemble(label, lines[0] if fits else f"\n  {lines[0]}"), soft_wrap=True)
            continue
        grid = Table.grid()
        grid.add_column(width=wide)
        grid.add_column(overflow="fold")
        for line in lines:
            grid.add_row(label, Text(line))
            label = Text("")
        console.print(grid)


def _lines(value: Any, name: str) -> list[str]:
    if value is None or value in ("", [], {}):
        return []
    match value:
        case bool():
            return ["yes" if value else "no"]
        case int() if name in ("context", "default_output"):
            return [f"{value:,} tokens"]
        case int() if name == "file_limit":
            return [f"{value:,} bytes"]
        case dict() if name == "price":
            return [*_price_lines(value)]
        case dict():
            return [f"{key}: {_inner(one)}" if _inner(one) != key else key for key, one in value.items()]
        case list():
            return [", ".join(map(str, value))]
    return [str(value)]


def _inner(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    return ", ".join(f"{name.replace('_', ' ')} {one:,}" for name, one in value.items() if one is not None)


def _price_lines(price: Mapping[str, Any]) -> Iterable[str]:
    yield (
        f"${price['input']:.2f} in, ${price['cached']:.2f} cached, ${price['output']:.2f} out per million tokens, "
        f"as of {price['as_of']}"
    )
    if price["writes"]:
        yield "into the cache: " + ", ".join(f"${one:.2f} for {lifetime}" for lifetime, one in price["writes"].items())
    if price["source"]:
        yield f"from {price['source']}"


def _price(price: Mapping[str, Any] | None) -> str:
    return "/".join(f"{price[name]:g}" for name in ("cached", "input", "output")) if price else ""


def _tokens(count: Any) -> str:
    if not isinstance(count, int) or count <= 0:
        return ""
    return f"{count // 2**20}M" if count >= 2**20 else f"{count // 2**10}k" if count % 2**10 == 0 else f"{count:,}"


def _thinking(one: Mapping[str, Any]) -> str:
    text = {"toggle": "on or off", "always": "always", "never": "never"}[one["thinking"]]
    return f"{text}: {', '.join(one['efforts'])}" if one["efforts_heeded"] else text


def table_of(*columns: str) -> Table:
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
