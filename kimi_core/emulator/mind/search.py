"""The protocol of the built-in ``$web_search``: a call, whose arguments come back unchanged as its result."""

from __future__ import annotations

import hashlib
import json

from kimi_core.emulator.mind.plan import Plan
from kimi_core.emulator.mind.selection import is_small_talk
from kimi_core.emulator.mind.view import View
from kimi_core.emulator.reply import Call

NAME = "$web_search"
#: Tokens that the results of a search are said to take.
_RESULT_TOKENS = 4096


def search_calls(view: View) -> Plan | None:
    """The call of the search, once for each question."""
    declared = any((tool.get("function") or {}).get("name") == NAME for tool in view.request.tools)
    searched = any(result.name == NAME for result in view.results)
    if not declared or searched or is_small_talk(view.asked):
        return None
    id = hashlib.blake2b(view.asked.encode("utf-8", "replace"), digest_size=16).hexdigest()
    body = {"search_result": {"search_id": id}, "usage": {"total_tokens": _RESULT_TOKENS}}
    call = Call(NAME, json.dumps(body), type="builtin_function")
    return Plan((call,), "The question may need a search of the web.")


def found_nothing(view: View) -> str | None:
    """The answer after a search, which here finds nothing."""
    if not view.results or view.results[-1].name != NAME:
        return None
    return "I searched the web as a local emulator does: without a network, so I found nothing to quote."
