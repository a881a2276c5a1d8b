"""The host's own tools: what is asked for, and what comes back. No I/O here.

Moonshot has three kinds: formulas (functions that the host runs on request), the REST search of the web, and the
older builtin function `$web_search`, whose call is handed back unchanged. What a host does not have raises before
any I/O.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from kimi_core import errors as err
from kimi_core import openai_shapes
from kimi_core.codecs import WireRequest
from kimi_core.codecs.json_values import first
from kimi_core.endpoints.paths import path_of
from kimi_core.hosts.profile import Profile
from kimi_core.quoting import in_short, quoted
from kimi_core.types import JsonObject, Request, Tool

FORMULA = "formula"
"""The type of a `Tool` that is replaced by all functions of a formula."""

BUILTIN = "$"
"""Who runs a builtin function: nobody here, its call is handed back unchanged. Formulas go by their URI."""

_URI = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(:[A-Za-z0-9][\w.-]*)?")
_LIMIT, _SECONDS = (1, 20), (1, 60)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """A page that a search found. What the host does not have is empty.

    Attributes:
        title: The page's title.
        url: Its address.
        snippet: A piece of it.
        text: Its text; only with `include_content=True`.
        site_name: Who publishes it.
        date: The day it was written, as the host writes it.
        authority: The host's grade for the source.
        icon: Address of the site's icon.
        mime: The page's MIME type.
    """

    title: str = ""
    url: str = ""
    snippet: str = ""
    text: str = ""
    site_name: str = ""
    date: str = ""
    authority: str = ""
    icon: str = ""
    mime: str = ""


@dataclass(frozen=True, slots=True)
class FormulaResult:
    """What a formula's function gave.

    Attributes:
        output: Text for the model, to be handed to it unchanged.
        encrypted: Only the model can read it.
        raw: The host's own object.
    """

    output: str
    encrypted: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)


# --------------------------------------------------------------------------------------------------- formulas


def tools_path(uri: str, profile: Profile) -> str:
    """Return the path at which a formula's functions are listed.

    Raises:
        UnsupportedError: If the host has no formulas.
        ConfigError: If `uri` is no formula's URI.
    """
    return f"{_formula_path(uri, profile)}/tools"


def fiber(uri: str, name: str, arguments: str | Mapping[str, Any], profile: Profile) -> WireRequest:
    """Return the request that runs a formula's function. Raises as `tools_path` does."""
    text = arguments if isinstance(arguments, str) else json.dumps(dict(arguments), ensure_ascii=False)
    return WireRequest(path=f"{_formula_path(uri, profile)}/fibers", body={"name": name, "arguments": text or "{}"})


def _formula_path(uri: str, profile: Profile) -> str:
    path = path_of("formulas", profile, f"has no formula tools, so {quoted(uri)} cannot be used there")
    if not _URI.fullmatch(uri):
        raise err.ConfigError(f"{quoted(uri)} is no formula's URI; one looks like 'moonshot/web-search:latest'.")
    return f"{path}/{uri}"


def read_tools(body: Any, uri: str, profile: Profile) -> tuple[Tool, ...]:
    """Return a formula's functions as tools.

    Raises:
        DecodeError: If the host answered something else.
        UnsupportedError: If the formula offers something that is no function.
    """
    listed = body.get("tools") if isinstance(body, dict) else None
    if not isinstance(listed, list) or not all(isinstance(tool, dict) for tool in listed):
        raise _strange(body, f"the tools of {uri}", profile)
    for tool in listed:
        if tool.get("type", "function") != "function":
            raise err.UnsupportedError(
                f"The formula {quoted(uri)} offers its functions as {quoted(tool.get('type'))}, which a model cannot "
                "be offered here. Declare those you need as tools of your own, and run them with client.run_formula."
            )
    return tuple(openai_shapes.to_tool(tool) for tool in listed)


def read_fiber(body: Any, uri: str, name: str, profile: Profile) -> FormulaResult:
    """Return what a run of a function gave.

    Raises:
        FormulaError: If the function failed.
        DecodeError: If the host answered something else.
    """
    if not isinstance(body, dict) or not ("status" in body or "context" in body or "error" in body):
        raise _strange(body, f"a run of {uri}", profile)
    if body.get("status") == "succeeded":
        plain, encrypted = (first(body, (f"context.{key}",)) for key in ("output", "encrypted_output"))
        return FormulaResult(_text(plain or encrypted), encrypted=bool(encrypted and not plain), raw=body)
    message = first(body, ("error.message", "error", "context.error.message", "context.error"))
    reason = _text(message) or f"it ended with the status {quoted(body.get('status'))}"
    raise err.make(
        err.FormulaError,
        f"{in_short(uri)} on {profile.host.name} could not run {quoted(name)}: {in_short(reason, 1_000)}",
        host=profile.host.name,
        body=body,
        reason=reason,
    )


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


# ----------------------------------------------------------------------------------------------------- search


def search(
    query: str, limit: int, timeout_seconds: int | None, profile: Profile, *, include_content: bool
) -> WireRequest:
    """Return the request for a search.

    Raises:
        UnsupportedError: If the host has no search.
        ConfigError: If a value is not what the host takes.
    """
    path = path_of("search", profile, "has no search of the web")
    if not isinstance(query, str) or not query.strip():
        raise err.ConfigError(f"A search needs a text to look for, got {quoted(query)}.")
    body: JsonObject = {
        "text_query": query,
        "limit": _within("limit", limit, _LIMIT),
        "include_content": bool(include_content),
    }
    if timeout_seconds is not None:
        body["timeout_seconds"] = _within("timeout_seconds", timeout_seconds, _SECONDS)
    return WireRequest(path=path, body=body)


def _within(name: str, value: Any, between: tuple[int, int]) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not between[0] <= value <= between[1]:
        raise err.ConfigError(f"{name} must be a whole number from {between[0]} to {between[1]}, got {quoted(value)}.")
    return value


_RESULT = tuple(f.name for f in fields(SearchResult))


def read_results(body: Any, profile: Profile) -> list[SearchResult]:
    """Return what a search found, best first.

    Raises:
        DecodeError: If the host answered something else.
    """
    found = body.get("search_results") if isinstance(body, dict) else None
    if not isinstance(found, list) or not all(isinstance(spec, dict) for spec in found):
        raise _strange(body, "search results", profile)
    return [SearchResult(**{name: _text(spec.get(name)) for name in _RESULT}) for spec in found]


def _strange(body: Any, wanted: str, profile: Profile) -> err.DecodeError:
    return err.make(
        err.DecodeError,
        f"{profile.host.name} was asked for {in_short(wanted)} and answered something else: {in_short(body)!r}. "
        "Check base_url.",
        host=profile.host.name,
        body=body,
    )


# ------------------------------------------------------------------------------------------- tools of a request


def formulas(request: Request) -> list[str]:
    """Return the URIs of the formulas among a request's tools."""
    return [tool.name for tool in request.tools if tool.type == FORMULA]


def without_formulas(request: Request) -> Request:
    """Return the request without its formulas, for dry runs and token counts."""
    return replace(request, tools=tuple(tool for tool in request.tools if tool.type != FORMULA), tool_choice=None)


def resolved(request: Request, offered: Mapping[str, tuple[Tool, ...]]) -> tuple[Request, dict[str, str]]:
    """Return a request with functions in place of its formulas.

    Args:
        request: As the user made it.
        offered: The functions of each formula, by URI.

    Returns:
        The request, and who runs the functions that the user does not: a formula's URI, or `BUILTIN`.

    Raises:
        ConfigError: If `max_server_rounds` is no whole number from 0 on.
    """
    most = request.max_server_rounds
    if not isinstance(most, int) or isinstance(most, bool) or most < 0:
        raise err.ConfigError(f"max_server_rounds must be a whole number from 0 on, got {quoted(most)}.")
    tools: list[Tool] = []
    owners: dict[str, str] = {}
    for tool in request.tools:
        functions = offered[tool.name] if tool.type == FORMULA else (tool,)
        tools += functions
        if tool.type != "function" and most:
            owners |= dict.fromkeys((f.name for f in functions), tool.name if tool.type == FORMULA else BUILTIN)
    return replace(request, tools=tuple(tools)), owners
