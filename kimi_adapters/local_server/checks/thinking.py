"""Checks of the thinking switch."""

from __future__ import annotations

from kimi_adapters.local_server.refusal import invalid
from kimi_adapters.local_server.request import ChatRequest, JsonObject

_JSON_TYPES = {bool: "bool", str: "string", int: "number", float: "number", list: "array"}


def _option(request: ChatRequest) -> JsonObject | None:
    option = request.body.get("thinking")
    return option if isinstance(option, dict) else None


def thinking_is_an_object(request: ChatRequest) -> None:
    """Refuse ``thinking: true`` and the like."""
    option = request.body.get("thinking")
    if option is not None and not isinstance(option, dict):
        # Live, LionSR/TeXRA#1905, for a boolean.
        kind = _JSON_TYPES.get(type(option), "value")
        field = "the thinking field in the request (expected type object)"
        raise invalid(f"{field} is illegal, and {kind} is not acceptable")


def thinking_is_possible(request: ChatRequest) -> None:
    """Refuse unknown types and fields, and ``disabled`` where the model always thinks.

    Moonshot's pages advise not to send ``thinking`` to K3 at all; its own verifier sends ``type``, ``keep`` and
    ``effort``, so these pass, and ``disabled`` is refused as it is for K2.7.
    """
    option = _option(request)
    if option is None:
        return
    kind = option.get("type")
    if kind not in ("enabled", "disabled"):
        raise invalid("invalid thinking: type must be enabled or disabled")
    if kind == "disabled" and request.model.thinking == "always":
        # Live, vercel/ai fixture "moonshotai-k2.7-disabled-thinking-error".
        raise invalid("invalid thinking: only type=enabled is allowed for this model")
    known = {"type", "keep", "effort"} if request.model.effort else {"type", "keep"}
    for key in sorted(set(option) - known):
        raise invalid(f"invalid thinking: unknown field {key}")


def keep_is_known(request: ChatRequest) -> None:
    """Refuse ``keep`` for models that do not know it, and values other than ``"all"`` and null."""
    option = _option(request) or {}
    if "keep" in option and not request.model.keep:
        raise invalid("invalid thinking: keep is not allowed for this model")
    if option.get("keep") not in (None, "all"):
        raise invalid("invalid thinking: only keep=all is allowed for this model")


def effort_is_not_doubled(request: ChatRequest) -> None:
    """Refuse ``thinking`` beside ``reasoning_effort`` on K2.x, and the effort ``none``; ignore other efforts."""
    effort = request.body.get("reasoning_effort")
    if effort is None or request.model.effort:
        return
    if _option(request) is not None:
        # Live, HKUDS/nanobot#3939.
        raise invalid("cannot specify both 'thinking' and 'reasoning_effort'")
    if effort == "none":
        # A 400 by pydantic/pydantic-ai#6208, which does not quote it.
        raise invalid("invalid reasoning_effort: none is not allowed for this model")
