"""Checks of the list of messages."""

from __future__ import annotations

from kimi_adapters.local_server.refusal import invalid
from kimi_adapters.local_server.request import ChatRequest, JsonObject

_ROLES = ("system", "user", "assistant", "tool")


def messages_are_given(request: ChatRequest) -> None:
    """Refuse a request without messages."""
    messages = request.body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise invalid("Invalid request: messages must not be empty")
    if not all(isinstance(message, dict) for message in messages):
        raise invalid("Invalid request: each message must be an object")


def roles_are_known(request: ChatRequest) -> None:
    """Refuse ``developer``, ``function`` and whatever else is no role of Moonshot's."""
    if any(message.get("role") not in _ROLES for message in request.messages):
        # openclaw/openclaw#21911 quotes this for the role "developer".
        raise invalid("Invalid request: unsupported role ROLE_UNSPECIFIED")


def messages_are_not_empty(request: ChatRequest) -> None:
    """Refuse empty messages; only a tool result may be empty."""
    for at, message in enumerate(request.messages):
        if message["role"] != "tool" and _is_empty(message):
            # Quoted in dozens of reports, for example labring/FastGPT#3575 and AIDotNet/OpenCowork#10.
            role = message["role"]
            raise invalid(f"Invalid request: the message at position {at} with role '{role}' must not be empty")


def _is_empty(message: JsonObject) -> bool:
    if message.get("content") not in (None, "", []):
        return False
    alternative = {"assistant": "tool_calls", "system": "tools"}.get(message["role"])
    return not (alternative and message.get(alternative))


def partial_is_last(request: ChatRequest) -> None:
    """Refuse ``partial`` anywhere but on an assistant message that comes last."""
    last = len(request.messages) - 1
    for at, message in enumerate(request.messages):
        if message.get("partial") and (at != last or message["role"] != "assistant"):
            raise invalid("Invalid request: partial is only allowed on the last message with role 'assistant'")


def dynamic_tools_are_legal(request: ChatRequest) -> None:
    """Refuse tools inside messages, except in a system message without content sent to K3."""
    for message in request.messages:
        if not message.get("tools"):
            continue
        if message["role"] != "system":
            raise invalid(f"Invalid request: tools cannot be used with role '{message['role']}'")
        if not request.model.dynamic_tools:
            raise invalid("Invalid request: tokenization failed")
        if message.get("content") not in (None, "", []):
            raise invalid("Invalid request: tools cannot be used with content")
