"""The host's search and formulas, asked for without a model; and how they are written as tools."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import kimi_core as core
from kimi_adapters.local_server import LocalKimi
from kimi_core import HOSTS, AsyncKimiClient, KimiClient, Tool, resolve
from kimi_core.endpoints import server_tools
from kimi_core.endpoints.server_tools import FormulaResult, SearchResult
from kimi_core.openai_shapes import to_tool

SEARCH = "/v1/tools/search"
DATE = "moonshot/date:latest"
MOONSHOT = resolve(HOSTS["moonshot"], "kimi-k3")

Run = Callable[..., Any]


def sync(kimi: LocalKimi, method: str, *args: Any, settings: dict[str, Any] | None = None, **named: Any) -> Any:
    given = {"host": "moonshot", "base_url": kimi.base_url, "api_key": kimi.api_key, **(settings or {})}
    return getattr(KimiClient(**given), method)(*args, **named)


def in_a_loop(kimi: LocalKimi, method: str, *args: Any, settings: dict[str, Any] | None = None, **named: Any) -> Any:
    given = {"host": "moonshot", "base_url": kimi.base_url, "api_key": kimi.api_key, **(settings or {})}
    return asyncio.run(getattr(AsyncKimiClient(**given), method)(*args, **named))


@pytest.fixture(params=[sync, in_a_loop], ids=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Run:
    found: Run = request.param
    return found


# ------------------------------------------------------------------------------------------------------- search


def test_a_search_gives_its_results_best_first(kimi: LocalKimi, run: Run) -> None:
    (best, *_) = run(kimi, "search", "lighthouse of Port Amber", limit=2)
    assert isinstance(best, SearchResult)
    assert (best.title, best.url) == ("The lighthouse of Port Amber", "https://amber.example/lighthouse")
    assert (best.text, best.mime, best.site_name) == ("", "text/html", "Amber Gazette")
    assert kimi.requests[-1].body == {
        "text_query": "lighthouse of Port Amber",
        "limit": 2,
        "include_content": False,
    }


def test_content_and_patience_are_asked_for(kimi: LocalKimi, run: Run) -> None:
    (best, *_) = run(kimi, "search", "lighthouse", include_content=True, timeout_seconds=9)
    assert "203 steps" in best.text
    assert kimi.requests[-1].body["timeout_seconds"] == 9


def test_a_search_that_finds_nothing_is_no_error(kimi: LocalKimi, run: Run) -> None:
    assert run(kimi, "search", "xylophone") == []


@pytest.mark.parametrize(
    ("query", "more"),
    [
        ("", {}),
        ("  ", {}),
        (3, {}),
        ("x", {"limit": 0}),
        ("x", {"limit": 21}),
        ("x", {"limit": True}),
        ("x", {"timeout_seconds": 0}),
        ("x", {"timeout_seconds": 61}),
        ("x", {"timeout_seconds": 1.5}),
    ],
)
def test_a_search_that_the_host_would_refuse_is_not_sent(kimi: LocalKimi, run: Run, query: Any, more: Any) -> None:
    with pytest.raises(core.ConfigError):
        run(kimi, "search", query, **more)
    assert kimi.requests == []


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (400, "invalid_request", core.BadRequestError),
        (403, "permission_denied_error", core.PermissionDeniedError),
        (408, "client_canceled", core.APITimeoutError),
        (429, "rate_limited", core.RateLimitError),
        (429, "rate_limit_unavailable", core.RateLimitError),
        (500, "internal_error", core.InternalServerError),
        (502, "upstream_failed", core.InternalServerError),
        (504, "timeout", core.InternalServerError),
    ],
)
def test_a_search_that_fails_raises_what_its_status_means(
    kimi: LocalKimi, run: Run, status: int, kind: str, error: type[core.APIError]
) -> None:
    kimi.fail(status=status, type=kind, path=SEARCH)
    with pytest.raises(error) as caught:
        run(kimi, "search", "x", settings={"max_retries": 0})
    assert caught.value.status_code == status
    assert str(caught.value).startswith("moonshot answered")


def test_a_wrong_key_is_named_though_the_host_says_nothing(kimi: LocalKimi, run: Run) -> None:
    with pytest.raises(core.AuthenticationError, match="three separate spaces"):
        run(kimi, "search", "x", settings={"api_key": "sk-someone-elses"})


@pytest.mark.parametrize(("status", "kind"), [(429, "rate_limited"), (502, "upstream_failed"), (504, "timeout")])
def test_a_search_is_tried_again_when_waiting_helps(kimi: LocalKimi, run: Run, status: int, kind: str) -> None:
    kimi.fail(status=status, type=kind, path=SEARCH, headers={"Retry-After": "0"})
    assert run(kimi, "search", "ferry")
    assert [r.status for r in kimi.requests] == [status, 200]


# ----------------------------------------------------------------------------------------------------- formulas


def test_a_formula_offers_tools(kimi: LocalKimi, run: Run) -> None:
    (tool,) = run(kimi, "formula_tools", DATE)
    assert isinstance(tool, Tool)
    assert (tool.name, tool.type) == ("date", "function")
    assert tool.parameters is not None
    assert tool.parameters["required"] == ["operation"]


@pytest.mark.parametrize("arguments", [{"operation": "time", "format": "%Y"}, '{"operation": "time", "format": "%Y"}'])
def test_a_function_of_a_formula_is_run(kimi: LocalKimi, run: Run, arguments: Any) -> None:
    result = run(kimi, "run_formula", DATE, "date", arguments)
    assert (result.output, result.encrypted) == ("2026", False)
    assert result.raw["status"] == "succeeded"


def test_what_only_the_model_can_read_is_marked(kimi: LocalKimi, run: Run) -> None:
    result = run(kimi, "run_formula", "moonshot/web-search:latest", "web_search", {"query": "ferry"})
    assert result.encrypted
    assert result.output.startswith("----MOONSHOT ENCRYPTED BEGIN----")


@pytest.mark.parametrize(
    ("name", "arguments", "reason"),
    [
        ("date", {"operation": "?"}, "unsupported operation: ?"),
        ("clock", {}, "function clock not found"),
        ("date", "", "unsupported operation: None"),
    ],
)
def test_a_function_that_fails_raises_with_the_hosts_message(
    kimi: LocalKimi, run: Run, name: str, arguments: Any, reason: str
) -> None:
    with pytest.raises(core.FormulaError, match="could not run") as caught:
        run(kimi, "run_formula", DATE, name, arguments)
    assert caught.value.reason == reason
    assert caught.value.host == "moonshot"


@pytest.mark.parametrize("method", ["formula_tools", "run_formula"])
def test_a_formula_that_is_not_there_is_not_found(kimi: LocalKimi, run: Run, method: str) -> None:
    more = ("run", {}) if method == "run_formula" else ()
    with pytest.raises(core.NotFoundError, match="There is no such formula here"):
        run(kimi, method, "moonshot/quickjs:latest", *more)


def test_a_plugin_cannot_be_offered(kimi: LocalKimi, run: Run) -> None:
    with pytest.raises(core.UnsupportedError, match="_plugin.*run_formula"):
        run(kimi, "formula_tools", "moonshot/excel:latest")


@pytest.mark.parametrize("uri", ["", "date", "../models", "moonshot/../../x", "a/b/c", "moonshot/date:latest?x=1"])
def test_what_is_no_uri_is_not_asked_for(kimi: LocalKimi, run: Run, uri: str) -> None:
    with pytest.raises(core.ConfigError, match="no formula's URI"):
        run(kimi, "formula_tools", uri)
    assert kimi.requests == []


@pytest.mark.parametrize(
    ("method", "args"), [("search", ["x"]), ("formula_tools", [DATE]), ("run_formula", [DATE, "date", {}])]
)
def test_a_host_that_has_none_of_these_is_named_with_the_way_out(
    kimi: LocalKimi, run: Run, method: str, args: list[Any]
) -> None:
    with pytest.raises(core.UnsupportedError, match=r"'aimlapi'\) has no .*host='moonshot'.*overrides="):
        run(kimi, method, *args, settings={"host": "aimlapi"})
    assert kimi.requests == []


def test_overrides_say_that_a_host_has_them(kimi: LocalKimi, run: Run) -> None:
    given = {"host": "generic", "overrides": {"endpoints.search": "/tools/search", "endpoints.formulas": "/formulas"}}
    assert run(kimi, "search", "ferry", settings=given)
    assert run(kimi, "formula_tools", DATE, settings=given)


def test_a_host_that_echoes_the_key_does_not_leak_it(kimi: LocalKimi, run: Run) -> None:
    result = run(kimi, "run_formula", "moonshot/rethink:latest", "rethink", {"thought": kimi.api_key})
    assert kimi.api_key not in f"{result.output}{result.raw}"
    with pytest.raises(core.FormulaError) as caught:
        run(kimi, "run_formula", "moonshot/fetch:latest", "fetch", {"url": f"https://{kimi.api_key}"})
    assert kimi.api_key not in f"{caught.value}{caught.value.body}{caught.value.reason}"


# ------------------------------------------------------------------------------------- what hosts may answer else


@pytest.mark.parametrize(
    ("fiber", "output", "encrypted"),
    [
        ({"context": {"output": "a"}}, "a", False),
        ({"context": {"encrypted_output": "x"}}, "x", True),
        ({"context": {"output": "a", "encrypted_output": "x"}}, "a", False),
        ({"context": {"output": "", "encrypted_output": "x"}}, "x", True),
        ({"context": {"output": {"a": "ä"}}}, '{"a": "ä"}', False),
        ({"context": {}}, "", False),
        ({}, "", False),
    ],
)
def test_every_form_of_success_is_read(fiber: dict[str, Any], output: str, encrypted: bool) -> None:
    body = {"status": "succeeded", **fiber}
    found = server_tools.read_fiber(body, DATE, "date", MOONSHOT)
    assert found == FormulaResult(output, encrypted, body)


@pytest.mark.parametrize(
    ("fiber", "reason"),
    [
        ({"status": "failed", "error": "no"}, "no"),
        ({"status": "failed", "error": {"message": "no"}}, "no"),
        ({"status": "failed", "error": {"code": 3}}, '{"code": 3}'),
        ({"status": "failed", "context": {"error": "no"}}, "no"),
        ({"status": "failed", "context": {"error": {"message": "no"}}}, "no"),
        ({"status": "timeout"}, "it ended with the status 'timeout'"),
        ({"context": {}}, "it ended with the status None"),
    ],
)
def test_every_form_of_failure_is_read(fiber: dict[str, Any], reason: str) -> None:
    with pytest.raises(core.FormulaError) as caught:
        server_tools.read_fiber(fiber, DATE, "date", MOONSHOT)
    assert caught.value.reason == reason


@pytest.mark.parametrize("body", [None, [], "x", {}, {"tools": None}, {"tools": ["x"]}, {"search_results": "x"}])
def test_what_is_no_answer_is_named(body: Any) -> None:
    readers: list[Callable[[], Any]] = [
        lambda: server_tools.read_tools(body, DATE, MOONSHOT),
        lambda: server_tools.read_fiber(body, DATE, "date", MOONSHOT),
        lambda: server_tools.read_results(body, MOONSHOT),
    ]
    for read in readers:
        with pytest.raises(core.DecodeError, match="moonshot was asked for"):
            read()


def test_a_result_that_lacks_fields_or_has_more_is_read() -> None:
    body = {"search_results": [{"title": "A", "url": None, "rank": 1}]}
    assert server_tools.read_results(body, MOONSHOT) == [SearchResult(title="A")]


# ------------------------------------------------------------------------------------------------ forms of tools


def test_the_helpers_give_what_tools_are_made_of() -> None:
    assert to_tool(core.web_search()) == Tool("$web_search", type="builtin_function")
    assert to_tool(core.formula(DATE)) == Tool(DATE, type="formula")


@pytest.mark.parametrize("formula", [None, {}, {"uri": ""}, {"uri": 3}, "moonshot/date:latest"])
def test_a_formula_without_a_uri_is_no_tool(formula: Any) -> None:
    with pytest.raises(core.MessageError, match="must have a URI"):
        to_tool({"type": "formula", "formula": formula})
