"""Answers that are none: the model only thought, did not call its tool, or the host refused an option by its name.

The client decides what is done about it. No I/O.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from dataclasses import replace
from typing import Any

from kimi_core.call_options import EmptyAnswer
from kimi_core.codecs.call_sections import WITHHELD
from kimi_core.errors import APIError, ToolNotCalledError
from kimi_core.events import UNASKED
from kimi_core.quoting import listed
from kimi_core.request.plan import Plan
from kimi_core.types import Request, Response, ToolChoice

PROMOTED = "promoted_reasoning"
"""Marks in `Response.extra` a text that was the reasoning of an answer without text."""


def empty_answer(plan: Plan) -> EmptyAnswer:
    """Return what to do with an answer that is nothing but reasoning."""
    return plan.request.options.empty_answer or "retry"


def is_only_thought(response: Response) -> bool:
    """Return whether an answer ended by itself and is nothing but reasoning (MoonshotAI/kimi-code#520, #3429)."""
    spoken = response.text.strip() or response.tool_calls or response.refusal or response.extra.get(WITHHELD)
    thought = response.reasoning and response.reasoning.text
    return response.finish_reason == "stop" and not spoken and bool(thought)


def is_all_served(response: Response, served: Container[str]) -> bool:
    """Return whether an answer is nothing but calls that the client runs, so that the real one is still to come."""
    return bool(response.tool_calls) and all(call.name in served for call in response.tool_calls)


def promoted(response: Response) -> Response:
    """Return the answer with its reasoning as its text, marked."""
    text = response.reasoning.text if response.reasoning else ""
    return replace(response, text=response.text + text, extra={**response.extra, PROMOTED: True})


def oddities(plan: Plan, response: Response) -> Iterator[tuple[str, str]]:
    """Yield warnings about an answer: the key by which each is given once, and the text."""
    profile = plan.profile  # its `where` is put together when there is something to say
    if failed := response.extra.get("errors"):
        messages = "; ".join(str(error.get("message")) for error in failed)
        yield "partial", f"{profile.where} answered in part: {messages} The errors are in the metadata."
    if plan.unwanted and response.reasoning and response.reasoning.text.strip():
        yield (
            f"{profile.model_id} thought",
            f"{profile.where} thought although thinking=False was asked for: the switch that was sent is not honoured "
            "there. Give the right host (host=…), or correct overrides={'thinking.off': {…}}; `kimi-adapters probe` "
            "finds the switch.",
        )
    if any(one.extra.get(WITHHELD) for one in (response, *response.alternatives)):
        yield (
            f"{profile.model_id} withheld calls",
            f"{profile.where} wrote tool calls into its text although tool_choice='none' was asked for. They were "
            "taken out, and are in the metadata as `withheld_calls`.",
        )
    if response.extra.get(UNASKED):
        yield (
            "unasked",
            f"{profile.where} sent more than one answer although one was asked for. Only the first is "
            "the answer. If it always sends several, give n=… to have them all.",
        )
    eaten = response.finish_reason == "length" and not (response.text or response.tool_calls or response.refusal)
    if eaten and plan.request.output is None:  # else the answer's parser raises
        yield (
            "length",
            f"The answer of {profile.where} is empty: the token limit was used up by thinking, which counts against "
            "max_tokens. Raise it (16000 or more), or switch thinking off.",
        )


def without_refused(plan: Plan, error: APIError) -> tuple[Plan, str] | None:
    """Return the plan without the option that an error names, and its name; None if none was given by that name.

    What the user put into `extra_body` stays, and the error is raised.
    """
    pattern, options = plan.profile.host.errors.refused_option, plan.request.options
    named = re.search(pattern, error.message, re.IGNORECASE) if pattern and error.status_code == 400 else None
    if named is None or getattr(options, named["option"], None) is None:
        return None
    nothing: dict[str, Any] = {named["option"]: None}
    return replace(plan, request=replace(plan.request, options=options.changed(**nothing))), named["option"]


def left_empty(plan: Plan, response: Response) -> Iterator[tuple[str, str]]:
    """Yield the warning about an answer that stays nothing but reasoning, unless that was asked for."""
    if is_only_thought(response) and empty_answer(plan) == "retry" and plan.request.output is None:
        yield (
            "only thought",
            f"The answer of {plan.profile.where} is empty: the model stopped after thinking. Call again, or set "
            "empty_answer='promote' to take the reasoning for the answer.",
        )


def lacks_call(plan: Plan, response: Response) -> bool:
    """Return whether a tool that had to be called was not."""
    if not plan.must_call or response.refusal:  # a refusal is an answer, and stays one when it is asked for again
        return False
    return plan.must_call.isdisjoint(call.name for call in response.tool_calls)


def narrowed(plan: Plan) -> Request:
    """Return the same call with only those tools on offer of which one was to be called."""
    tools = tuple(tool for tool in plan.request.tools if tool.name in plan.must_call)
    return replace(plan.request, tools=tools, tool_choice=ToolChoice("auto"))


def not_called(plan: Plan, response: Response) -> ToolNotCalledError:
    """Return the error for an answer that lacks a call (`lacks_call`)."""
    names = listed(sorted(plan.must_call), " or ")
    return ToolNotCalledError(
        f"{plan.profile.where} was to call {names} and did not; it cannot be forced to while it thinks. "
        f"It answered: {response.text[:200]!r}",
        text=response.text,
        finish_reason=response.finish_reason,
    )
