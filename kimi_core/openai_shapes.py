"""OpenAI's forms of tools and response formats, which both frameworks speak, as the core's types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kimi_core.errors import ConfigError, MessageError
from kimi_core.quoting import quoted
from kimi_core.types import JsonObject, OutputFormat, Tool, is_builtin

OWN = ("search", "codeInterpreter")
"""Types of tools that a host runs by itself, within one call (Runware)."""

_KINDS = ("function", "builtin_function")


def web_search() -> JsonObject:
    """Return Moonshot's builtin search of the web, as a tool for a call.

    The host calls it legacy: `formula("moonshot/web-search:latest")` is its successor.
    """
    return {"type": "builtin_function", "function": {"name": "$web_search"}}


def formula(uri: str) -> JsonObject:
    """Return all functions of one of Moonshot's formulas, as a tool for a call.

    Args:
        uri: `moonshot/web-search:latest`, `moonshot/date:latest`, …
    """
    return {"type": "formula", "formula": {"uri": uri}}


def to_tool(tool: Mapping[str, Any]) -> Tool:
    """Return a tool from `{"type": "function", "function": {"name": …, "description": …, "parameters": …}}`.

    The host's own tools are `{"type": "builtin_function", "function": {"name": "$web_search"}}` and
    `{"type": "formula", "formula": {"uri": "moonshot/web-search:latest"}}`, on Runware `{"type": "search"}` and
    `{"type": "codeInterpreter"}`.

    Raises:
        MessageError: If the tool has no function with a name, and no formula with a URI, or something in it is of a
            wrong type.
    """
    if tool.get("type") == "formula":
        return _to_formula(tool)
    if tool.get("type") in OWN:
        return Tool(tool["type"], type=tool["type"])
    function = tool.get("function")
    name = function.get("name") if isinstance(function, Mapping) else None
    if not isinstance(function, Mapping) or not name or not isinstance(name, str):
        raise MessageError(f"A tool must have a function with a name, got {quoted(dict(tool))}.")
    description = function.get("description") or ""
    if not isinstance(description, str):
        raise MessageError(f"The description of the tool {quoted(name)} must be text, not {quoted(description)}.")
    kind = tool.get("type") or "function"
    if kind not in _KINDS:
        raise MessageError(f"The tool {quoted(name)} must be of type {' or '.join(_KINDS)}, not {quoted(kind)}.")
    return Tool(name, description, function.get("parameters"), _strict_of(function, name), kind)


def _strict_of(shape: Mapping[str, Any], name: str) -> bool | None:
    strict = shape.get("strict")
    if strict is None or isinstance(strict, bool):
        return strict
    raise MessageError(f"strict of {quoted(name)} must be True or False, not {quoted(strict)}.")


def _to_formula(tool: Mapping[str, Any]) -> Tool:
    match tool.get("formula"):
        case {"uri": str(uri)} if uri:
            return Tool(uri, type="formula")
    raise MessageError(f"A formula must have a URI such as 'moonshot/web-search:latest', got {quoted(dict(tool))}.")


def refusal_of(message: Mapping[str, Any]) -> str:
    """Return the refusal in an assistant's message of OpenAI's shape; empty for none."""
    refusal = message.get("refusal")
    return refusal if isinstance(refusal, str) else ""


def details_of(given: Any) -> tuple[JsonObject, ...]:
    """Return reasoning that is an array of objects, without what is none."""
    return tuple(item for item in given if isinstance(item, dict)) if isinstance(given, list | tuple) else ()


def to_server_tools(tools: Any) -> tuple[Tool, ...]:
    """Return the host's own tools as `Tool` objects.

    Args:
        tools: A list of names of builtin functions (`$web_search`), URIs of formulas (`moonshot/date:latest`), and the
            dicts that `web_search` and `formula` make.

    Raises:
        ConfigError: If `tools` is no list, or something in it is no tool of a host's.
    """
    if not isinstance(tools, list | tuple):
        raise ConfigError(f"server_tools must be a list of names, URIs and dicts, got {quoted(tools)}.")
    return tuple(_to_server_tool(tool) for tool in tools)


def _to_server_tool(given: Any) -> Tool:
    match given:
        case str() if is_builtin(given):
            return Tool(given, type="builtin_function")
        case str() if "/" in given:
            return Tool(given, type="formula")
        case Mapping() if given.get("type") in ("builtin_function", "formula"):
            return to_tool(given)
    raise ConfigError(
        f"{quoted(given)} is no tool that a host runs; one is '$web_search' or a formula such as "
        "'moonshot/web-search:latest'. Tools of your own go where they always go."
    )


def to_output(response_format: Mapping[str, Any]) -> OutputFormat:
    """Return the output format from OpenAI's `response_format`.

    Raises:
        MessageError: If the format is none of the three types, or something in it is of a wrong type.
    """
    match response_format:
        case {"type": "text"}:
            return OutputFormat("text")
        case {"type": "json_object"}:
            return OutputFormat("json_object")
        case {"type": "json_schema", "json_schema": {"schema": Mapping() as schema} as shape}:
            name, description = shape.get("name") or "output", shape.get("description") or ""
            for field, text in (("name", name), ("description", description)):
                if not isinstance(text, str):
                    raise MessageError(f"The {field} of a response_format must be text, not {quoted(text)}.")
            return OutputFormat(
                "json_schema",
                schema,
                name=name,
                description=description,
                strict=_strict_of(shape, name),
            )
    raise MessageError(
        "response_format must be {'type': 'text'}, {'type': 'json_object'} or "
        f"{{'type': 'json_schema', 'json_schema': {{'name': …, 'schema': …}}}}, got {quoted(response_format)}."
    )
