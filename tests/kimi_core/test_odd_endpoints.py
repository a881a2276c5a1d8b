"""Endpoints beside chat completions answer anything: it is read, or a typed error."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from odd_values import ODD, paths, spelled, with_value

from kimi_core import KimiClient, KimiError, Message, Request
from kimi_core.transport import clients

FILE = {"id": "a", "bytes": 1, "created_at": 1, "filename": "f", "purpose": "file-extract", "status": "ok"}
TOOL = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}
BESIDE: dict[str, tuple[Any, Callable[[KimiClient], Any]]] = {
    "models": ({"data": [{"id": "x"}]}, lambda client: client.models()),
    "balance": (
        {"data": {"available_balance": 1.5, "voucher_balance": 1, "cash_balance": 0.5}},
        lambda client: client.balance(),
    ),
    "tokens": (
        {"data": {"total_tokens": 5}},
        lambda client: client.count_tokens(Request(messages=[Message("user", "Hello")], model="kimi-k2.6")),
    ),
    "search": (
        {"search_results": [{"title": "a", "url": "u", "snippet": "s", "text": "t", "date": "2026-01-01"}]},
        lambda client: client.search("x"),
    ),
    "formula": ({"tools": [TOOL]}, lambda client: client.formula_tools("moonshot/x:latest")),
    "fiber": (
        {"id": "x", "status": "succeeded", "context": {"output": "o"}},
        lambda client: client.run_formula("moonshot/x:latest", "f", {}),
    ),
    "files": ({"data": [FILE]}, lambda client: client.files.list()),
    "file": (FILE, lambda client: client.files.retrieve("a")),
}


@pytest.mark.parametrize(("whole", "asked"), BESIDE.values(), ids=BESIDE)
def test_any_odd_value_of_another_endpoint_is_read_or_a_typed_error(whole: Any, asked: Any) -> None:
    said: list[bytes] = []
    library = clients.library()

    def answer(request: Any) -> Any:
        return library.Response(200, content=said[-1], headers={"content-type": "application/json"})

    http = library.Client(transport=library.MockTransport(answer))
    for path in paths(whole):
        for odd in ODD:
            said.append(spelled(with_value(whole, path, odd)).encode())
            client = KimiClient(base_url="http://127.0.0.1:9/v1", host="moonshot", api_key="k", http_client=http)
            with contextlib.suppress(KimiError):
                asked(client)
    assert said
