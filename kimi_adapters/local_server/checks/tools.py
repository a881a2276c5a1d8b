"""Checks of tools and of the choice between them."""

from __future__ import annotations

import re

from kimi_adapters.local_server import mfjs
from kimi_adapters.local_server.refusal import invalid
from kimi_adapters.local_server.request import ChatRequest

_MOST = 128
#: Moonshot's current page. An older one asked for 3 to 64 characters, which is safe with both.
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_-]{0,127}")
_BUILTIN = ("$web_search",)
_CHOICES = ("auto", "none", "required", "specified")


def tools_are_declared_well(request: ChatRequest) -> None:
    """Refuse anything but a list of at most 128 tools, each with a function object."""
    for tools in (request.body.get("tools"), *(message.get("tools") for message in request.messages)):
        if tools is not None and not (isinstance(tools, list) and all(isinstance(tool, dict) for tool in tools)):
            raise invalid("Invalid request: tools must be an array of objects")
    if len(request.tools) > _MOST:
        raise invalid(f"Invalid request: tools exceeds the maximum number of {_MOST}")
    for tool in request.tools:
        if tool.get("type") not in ("function", "builtin_function"):
            raise invalid(f"Invalid request: unsupported tool type: {tool.get('type')}")
        if not isinstance(tool.get("function"), dict):
            raise invalid("Invalid request: tools.function is required")
        if not isinstance(tool["function"].get("strict", True), bool | None):
            raise invalid("Invalid request: tools.function.strict must be a boolean")


def names_are_legal(request: ChatRequest) -> None:
    """Refuse names outside the pattern, and built-in functions that do not exist."""
    for tool in request.tools:
        name = str(tool["function"].get("name") or "")
        builtin = tool["type"] == "builtin_function"
        if name not in _BUILTIN if builtin else not _NAME.fullmatch(name):
            # The message in MoonshotAI/kimi-cli#1773.
            raise invalid(
                "Invalid request: function name is invalid, must start with a letter and can contain "
                "letters, numbers, underscores, and dashes"
            )


def names_are_unique(request: ChatRequest) -> None:
    """Refuse two tools with one name."""
    seen: set[str] = set()
    for tool in request.tools:
        name = tool["function"]["name"]
        if name in seen:
            raise invalid(f"Invalid request: function name {name} is duplicated")
        seen.add(name)


def parameters_are_moonshot_flavored(request: ChatRequest) -> None:
    """Refuse missing parameters, a root that is no object, and schemas outside Moonshot's flavour."""
    for function in request.functions:
        schema = function.get("parameters")
        if not isinstance(schema, dict):
            raise invalid("Invalid request: tools.function.parameters is required and must be an object")
        fault = mfjs.fault(schema)
        if fault is None and schema.get("type") != "object":
            fault = "At path 'root': type of the root must be object"
        if fault is not None:
            raise invalid(f"Invalid request: tools.function.parameters is {mfjs.NOT_VALID}, details: <{fault}>")


def choice_is_legal(request: ChatRequest) -> None:
    """Refuse the forced choices that the model does not take, and choices without a tool to choose."""
    choice = request.tool_choice
    if choice not in _CHOICES or (choice == "specified" and request.chosen_tool is None):
        raise invalid(f"Invalid request: invalid tool_choice: {request.body.get('tool_choice')}")
    forced = choice == "specified" or (choice == "required" and not request.model.required)
    if request.thinking and forced:
        # Live: vercel/ai fixture "moonshotai-required-tool-choice-error", can1357/oh-my-pi#827.
        raise invalid(f"tool_choice '{choice}' is incompatible with thinking enabled")
    if choice == "required" and not request.tools:
        raise invalid("Invalid request: tool_choice 'required' requires tools to be specified")
    names = [function.get("name") for function in request.functions]
    if choice == "specified" and request.chosen_tool not in names:
        raise invalid(f"Invalid request: tool_choice function {request.chosen_tool} is not found in tools")


def web_search_is_possible(request: ChatRequest) -> None:
    """Refuse the built-in search while thinking, for models with which it does not work, by their spec."""
    builtin = any(tool["type"] == "builtin_function" for tool in request.tools)
    if builtin and request.thinking and not request.model.web_search_thinks:
        raise invalid("builtin function $web_search is incompatible with thinking enabled")
