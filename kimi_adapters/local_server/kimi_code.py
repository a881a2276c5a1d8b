"""Kimi Code: ``api.kimi.com/coding/v1``, a subscription for the clients on a list."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from kimi_adapters.local_server.exchange import HttpCall
from kimi_adapters.local_server.models import KIMI_CODE_MODELS
from kimi_adapters.local_server.moonshot import MOONSHOT
from kimi_adapters.local_server.refusal import Refusal, invalid

#: Clients that its help center names, by the beginnings of their user agents.
_LISTED = ("KimiCLI/", "kimi-code-cli/", "claude-cli/", "RooCode/", "Kilo-Code/")
#: MoonshotAI/kimi-code#412: the 403 of a client that is not on the list.
_CLOSED = (
    "Kimi For Coding is currently only available for Coding Agents such as Kimi CLI, Claude Code, Roo Code, Kilo Code, "
    "etc."
)
_LARGEST = 2 * 1024 * 1024


def _admit(call: HttpCall, admitted: Collection[str]) -> None:
    """Refuse a client whose user agent is on no list; the list of models is open to all."""
    if not call.headers.get("user-agent", "").startswith((*_LISTED, *admitted)):
        raise Refusal(403, "access_terminated_error", _CLOSED)


def _adopt(body: dict[str, Any]) -> dict[str, Any]:
    """Refuse messages of more than 2 MiB together (its error reference)."""
    size = len(json.dumps(body.get("messages"), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))
    if size > _LARGEST:
        raise invalid(f"total message size {size} exceeds limit {_LARGEST}")
    return body


KIMI_CODE = replace(
    MOONSHOT, name="kimi-code", host="api.kimi.com/coding", models=KIMI_CODE_MODELS, adopt=_adopt, admit=_admit
)
