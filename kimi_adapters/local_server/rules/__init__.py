"""Answers a request by rules, the same request always in the same way."""

from __future__ import annotations

from kimi_adapters.local_server.reply import Reply
from kimi_adapters.local_server.request import ChatRequest
from kimi_adapters.local_server.rules.answers import Said, say
from kimi_adapters.local_server.rules.plan import Plan, next_calls
from kimi_adapters.local_server.rules.search import search_calls, searched
from kimi_adapters.local_server.rules.structured import fill_object, fill_schema
from kimi_adapters.local_server.rules.thoughts import thoughts
from kimi_adapters.local_server.rules.view import View


def answer(request: ChatRequest, *, text_before_tools: bool = False) -> Reply:
    """Return the reply to a request, before stop strings and token limits cut it."""
    view = View(request)
    plan = _plan(view)
    if plan is not None:
        names = ", ".join(dict.fromkeys(call.name for call in plan.calls))
        text = f"I will call {names}." if text_before_tools else ""
        return Reply(text, thoughts(view, plan.because, f"I call {names}."), plan.calls)
    said = _said(view)
    return Reply(_continued(said.text, request.partial), thoughts(view, said.because, "Now I answer."))


def _plan(view: View) -> Plan | None:
    choice = view.request.tool_choice
    if choice == "none" or view.request.partial is not None:
        return None
    if choice == "auto":
        return search_calls(view) or next_calls(view)
    return next_calls(view, forced=True, only=view.request.chosen_tool)


def _said(view: View) -> Said:
    kind = view.request.response_format.get("type")
    wrapper = view.request.response_format.get("json_schema")
    schema = wrapper.get("schema") if isinstance(wrapper, dict) else None
    if kind == "json_schema" and isinstance(schema, dict):  # some hosts take one that has no schema
        return Said(fill_schema(view, schema), "The answer has to be JSON in the given schema.")
    if kind == "json_object" or (view.request.partial or "").lstrip().startswith("{"):
        return Said(fill_object(view), "The answer has to be a JSON object.")
    found = searched(view)
    return Said(found, "The search came back.") if found is not None else say(view)


def _continued(text: str, prefix: str | None) -> str:
    """Return an answer without the prefix that it continues in partial mode."""
    return text.removeprefix(prefix) if prefix else text
