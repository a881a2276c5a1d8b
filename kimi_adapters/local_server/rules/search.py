"""The protocol of the built-in ``$web_search``: a call, whose arguments come back unchanged as its result."""

from __future__ import annotations

import hashlib
import json

from kimi_adapters.local_server import web
from kimi_adapters.local_server.reply import Call
from kimi_adapters.local_server.rules import extract
from kimi_adapters.local_server.rules.plan import Plan
from kimi_adapters.local_server.rules.selection import is_small_talk
from kimi_adapters.local_server.rules.view import View, json_in

NAME = "$web_search"
#: Tokens that the results of a search are said to take.
_RESULT_TOKENS = 4096
_MOST_PAGES = 5


def search_calls(view: View) -> Plan | None:
    """Plan the call of the search, once for each question."""
    declared = any((tool.get("function") or {}).get("name") == NAME for tool in view.request.tools)
    searched = any(result.name == NAME for result in view.results)
    if not declared or searched or is_small_talk(view.asked):
        return None
    body = {"search_result": {"search_id": _id(view)}, "usage": {"total_tokens": _RESULT_TOKENS}}
    call = Call(NAME, json.dumps(body), type="builtin_function")
    return Plan((call,), "The question may need a search of the web.")


def _id(view: View) -> str:
    return hashlib.blake2b(view.asked.encode("utf-8", "replace"), digest_size=16).hexdigest()


def searched(view: View) -> str | None:
    """Answer from the pages of a search whose arguments came back as its result; None when no search came last."""
    if not view.results or view.results[-1].name != NAME:
        return None
    pages = web.find(view.asked, _MOST_PAGES) if _came_back(view) else []
    found = extract.best(view.question, [one for page in pages for one in extract.read(page.text)])
    if not found:
        return "I searched the web as a local emulator does: without a network, so I found nothing to quote."
    urls = ", ".join(page.url for page in pages if any(one.text in page.text for one in found))
    return f"I searched the local server's own web: {extract.quoted(found, sources=False)} ({urls})"


def _came_back(view: View) -> bool:
    """Return whether the last result carries the search id of the call."""
    found = json_in(view.results[-1].text)
    result = found.get("search_result") if isinstance(found, dict) else None
    return isinstance(result, dict) and result.get("search_id") == _id(view)
