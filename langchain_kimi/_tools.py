"""Tools in every form that LangChain knows, as OpenAI's dicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from typing_extensions import is_typeddict

from kimi_core import openai_shapes
from kimi_core.errors import ConfigError
from kimi_core.quoting import in_short, quoted
from kimi_core.types import JsonObject, Tool

HOSTED = ("builtin_function", "formula", *openai_shapes.OWN)
"""Types of tools that the host runs, or that the core makes functions of. They go on as they are."""

# Keys of which a dict has at least one when it describes a function.
_DESCRIBES = frozenset({"function", "parameters", "input_schema", "inputSchema", "toolSpec", "properties", "title"})


def to_dicts(tools: Any, strict: bool | None = None) -> list[JsonObject]:
    """Return tools as dicts.

    Args:
        tools: A sequence of tools, functions, pydantic classes, TypedDicts, and dicts of OpenAI, Anthropic or Bedrock,
            JSON schemas with a title, and dicts of the types in `HOSTED`.
        strict: Constrain the arguments to the schema; None leaves what the tools have.

    Raises:
        ConfigError: If it is no sequence, or one of them is no tool for Kimi.
    """
    if not isinstance(tools, Sequence) or isinstance(tools, str | bytes):
        raise ConfigError(f"tools must be a list of tools, got {_shown(tools)}.")
    return [_to_dict(tool, strict) for tool in tools]


def to_tools(tools: Any) -> tuple[Tool, ...]:
    """Return the tools of one call, for the core.

    Raises:
        ConfigError: If it is no sequence, or one of them is no tool for Kimi.
        MessageError: If a dict has no function with a name.
    """
    if not tools and not isinstance(tools, str):
        return ()
    # A bound iterator would be used up by the first call.
    if not isinstance(tools, Sequence) or not all(map(_is_ready, tools)):
        tools = to_dicts(tools)
    return tuple(openai_shapes.to_tool(tool) for tool in tools)


def _is_ready(tool: Any) -> bool:
    """Return whether a tool has the form that `bind_tools` gave it."""
    return type(tool) is dict and ("function" in tool or tool.get("type") in HOSTED)


def _to_dict(tool: Any, strict: bool | None) -> JsonObject:
    if isinstance(tool, Mapping):
        if tool.get("type") in HOSTED:
            return dict(tool)
        if _DESCRIBES.isdisjoint(tool) and not _is_bare_function(tool):
            raise ConfigError(
                f"{_shown(tool)} is no tool for Kimi: it has neither a function nor a schema. Tools that another "
                "provider runs do not exist here."
            )
        tool = dict(tool)
    try:
        return _converted(tool, strict)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise ConfigError(f"{_shown(tool)} cannot be made a tool: {in_short(error, 500)}") from error


def _converted(tool: Any, strict: bool | None) -> JsonObject:
    from langchain_core.utils.function_calling import convert_to_openai_tool  # brings LangChain's tools, when needed

    if is_typeddict(tool):  # LangChain fails at NotRequired, and requires the keys of total=False
        from langchain_kimi._typed_dict import as_model

        return convert_to_openai_tool(_function(tool.__name__, None, as_model(tool)), strict=strict)
    try:
        return convert_to_openai_tool(tool, strict=strict)
    except TypeError:
        # LangChain takes a property that is called `$ref` for a reference.
        if (function := _by_its_schema(tool)) is None:
            raise
        return convert_to_openai_tool(function, strict=strict)


def _by_its_schema(tool: Any) -> JsonObject | None:
    """Return a tool as OpenAI's function with the schema that pydantic makes of it; None when there is none."""
    from langchain_core.tools import BaseTool
    from langchain_core.tools.base import create_schema_from_function

    if isinstance(tool, BaseTool):
        return _function(tool.name, tool.description, tool.tool_call_schema)
    if isinstance(tool, type):
        return _function(tool.__name__, None, tool) if hasattr(tool, "model_json_schema") else None
    if isinstance(tool, Mapping) or not hasattr(tool, "__name__"):
        return None
    made = create_schema_from_function(tool.__name__, tool, filter_args=(), parse_docstring=True)
    return _function(tool.__name__, made.__doc__, made)


def _function(name: str, description: str | None, described: Any) -> JsonObject:
    """Return a function with the schema of a pydantic class, or with a schema."""
    schema = dict(described) if isinstance(described, Mapping) else described.model_json_schema()
    text = schema.pop("description", "")
    schema.pop("title", None)
    return {"name": name, "description": description or text, "parameters": schema}


def _is_bare_function(tool: Mapping[str, Any]) -> bool:
    """Return whether it is OpenAI's function without arguments, written without its wrapping."""
    return "name" in tool and "type" not in tool


def _shown(tool: Any) -> str:
    return quoted(dict(tool) if isinstance(tool, Mapping) else tool)
