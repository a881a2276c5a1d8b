"""Chooses the endpoint that a call goes to, where a host has several (`HostSpec.compatible`). Pure."""

from __future__ import annotations

from kimi_core.hosts.profile import Profile
from kimi_core.hosts.registry import HOSTS
from kimi_core.openai_shapes import OWN
from kimi_core.types import Message, OutputFormat, Request


def goes_elsewhere(request: Request) -> bool:
    """Return whether a request needs what the host's own protocol lacks, or may lack.

    That is calls of the user's tools, their results, names of messages, messages to be continued, and an answer that
    is JSON without a schema. Tools that the host runs itself exist in its own protocol alone.
    """
    if any(tool.type in OWN for tool in request.tools):
        return False
    return bool(request.tools) or _asks_for_tool(request.output) or any(map(_is_special, request.messages))


def warning(profile: Profile) -> str:
    """Return the warning that is given once, when a call goes to the compatible endpoint."""
    host = profile.host
    spec = HOSTS.get(f"{host.name}-compatible")
    always = f"To go there always give host={spec.name!r}. " if spec else ""
    return (
        f"Calls of {profile.where} with tools, and some others, go to {host.title}'s compatible endpoint: for those "
        "its own protocol has no form that is known for certain. The metadata of an answer name its `endpoint`. "
        f"{always}To stay with the protocol give overrides={{'compatible': None}}."
    )


def _asks_for_tool(output: OutputFormat | None) -> bool:
    if output is None:
        return False
    return output.method in ("function_calling", "json_object") or (output.method == "auto" and output.schema is None)


def _is_special(message: Message) -> bool:
    return bool(message.role == "tool" or message.tool_calls or message.steps or message.name or message.partial)
