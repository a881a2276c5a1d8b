"""What a call offers and asks for besides its messages: LlamaIndex's tools and output classes as the core's types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from kimi_core import openai_shapes
from kimi_core.errors import MessageError
from kimi_core.quoting import quoted
from kimi_core.types import JsonObject, OutputFormat, Tool


def to_tool_dict(tool: Any) -> JsonObject:
    """A tool in OpenAI's form, under its own name: what the host cannot take is mapped to and fro by the core.

    Raises:
        MessageError: It is neither a tool nor a dict.
    """
    if isinstance(tool, Mapping):
        return dict(tool)
    metadata = getattr(tool, "metadata", None)
    if metadata is None:
        raise MessageError(
            f"{quoted(tool)} is no tool. Make one of a function with FunctionTool.from_defaults(function)."
        )
    function = {
        "name": metadata.get_name(),
        "description": metadata.description,
        "parameters": metadata.get_parameters_dict(),
    }
    return {"type": "function", "function": function}


def to_tools(tools: Iterable[Any] | None, strict: bool | None = None) -> tuple[Tool, ...]:
    """Tools for the core, from LlamaIndex's or from OpenAI's form.

    Args:
        tools: The tools.
        strict: Whether arguments are constrained to the schema, for tools that do not say it themselves.

    Raises:
        MessageError: It is neither.
    """
    converted = tuple(openai_shapes.to_tool(to_tool_dict(tool)) for tool in tools or ())
    return converted if strict is None else tuple(_constrained(tool, strict) for tool in converted)


def _constrained(tool: Tool, strict: bool) -> Tool:
    return replace(tool, strict=strict) if tool.strict is None and tool.type == "function" else tool


def to_output(response_format: Any) -> OutputFormat | None:
    """The shape of an answer, from a pydantic class or from OpenAI's `response_format`.

    Raises:
        MessageError: It is neither.
    """
    if response_format is None or isinstance(response_format, OutputFormat):
        return response_format
    if isinstance(response_format, type) and issubclass(response_format, BaseModel):
        return output_of(response_format)
    return openai_shapes.to_output(response_format)


def output_of(output_cls: type[BaseModel]) -> OutputFormat:
    """The shape that a class asks for, in the way this host and model can do best."""
    schema = output_cls.model_json_schema()
    return OutputFormat("auto", schema, output_cls.__name__, schema.get("description") or "")
