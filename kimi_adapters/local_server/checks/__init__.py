"""What the operator of the models refuses: a list of small functions, in the order in which they look.

Each takes the request and raises a refusal with the host's message. Where no public source quotes it, the
sentence follows the pattern of its neighbours and only the status and type are facts.
"""

from __future__ import annotations

from collections.abc import Callable

from kimi_adapters.local_server.checks import conversation, history, output, parts, sampling, thinking, tools
from kimi_adapters.local_server.request import ChatRequest

Check = Callable[[ChatRequest], None]

CHECKS: tuple[Check, ...] = (
    conversation.messages_are_given,
    conversation.roles_are_known,
    conversation.messages_are_not_empty,
    conversation.partial_is_last,
    conversation.dynamic_tools_are_legal,
    parts.parts_are_known,
    parts.media_is_readable,
    thinking.thinking_is_an_object,
    thinking.thinking_is_possible,
    thinking.keep_is_known,
    thinking.effort_is_not_doubled,
    sampling.sampling_is_pinned,
    tools.tools_are_declared_well,
    tools.names_are_legal,
    tools.names_are_unique,
    tools.parameters_are_moonshot_flavored,
    tools.choice_is_legal,
    tools.web_search_is_possible,
    history.calls_are_well_formed,
    history.calls_are_answered,
    history.reasoning_is_replayed,
    history.kept_reasoning_is_replayed,
    output.response_format_is_legal,
    output.response_schema_is_moonshot_flavored,
    output.json_is_not_partial,
    output.stops_are_few_and_short,
    output.limit_is_positive,
    output.stream_options_have_a_stream,
    output.cache_options_are_known,
    output.prompt_fits,
    output.content_is_harmless,
)


def check(request: ChatRequest, checks: tuple[Check, ...] = CHECKS) -> None:
    """Run all checks; the first that objects raises its refusal."""
    for one in checks:
        one(request)
