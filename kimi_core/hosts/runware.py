"""Runware: its own task protocol, and its endpoint that is compatible with Chat Completions.

They are two systems at one address, so there is a spec for each. Calls for which the task protocol has no documented
form go to the other one (`HostSpec.compatible`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kimi_core import errors as err
from kimi_core.hosts.common import K3_EFFORTS, SHORTEN
from kimi_core.hosts.groups import (
    DETAILS,
    OPENAI_NAMES,
    Address,
    Endpoints,
    ErrorMapping,
    ErrorRule,
    MediaRules,
    ModelIds,
    OutputRules,
    ReasoningRules,
    SamplingRules,
    ThinkingRules,
    Timeouts,
    ToolRules,
    UsageRules,
)
from kimi_core.hosts.patches import patched
from kimi_core.hosts.spec import HostSpec

_LEVELS = ("low", "medium", "high")
# "5 values", of which four are known; the fifth (minimal, xhigh or max) is not, and never sent.
_LEVEL_WORDS = {"minimal": "low", "xhigh": "high", "max": "high"}

# Codes vary ("we are actively standardizing"), so these are the categories of Runware's own SDK. The status is not
# looked at: inside a stream, and beside what went well, there is none.
_ERRORS = (
    ErrorRule(
        error=err.QuotaExceededError,
        kind=r".*(credits?|quota|balance).*|paymentRequired",
        advice="The account has no credits left: add some in the host's console. Waiting does not help.",
    ),
    ErrorRule(error=err.RateLimitError, kind=r".*rateLimit.*"),
    ErrorRule(
        error=err.ContentFilterError,
        kind=r"contentPolicyViolation|.*moderation.*",
        advice="The host judged the input or the answer as high risk; rephrase it.",
    ),
    ErrorRule(
        error=err.AuthenticationError,
        kind=r".*apiKey.*|unauthorized",
        advice="Check the API key, and that it belongs to this host.",
    ),
    ErrorRule(
        error=err.ContextOverflowError,
        message=r"context.?(length|window)|maximum context|prompt is too long",
        advice=SHORTEN,
    ),
    ErrorRule(error=err.InternalServerError, kind=r".*timeout.*"),  # of the host's own provider: trying again helps
    ErrorRule(error=err.NotFoundError, kind=r".*(notFound|expired)"),
    ErrorRule(error=err.InternalServerError, kind=r"provider.*|inferenceError|noAvailableServer|modelNotReady.*"),
    ErrorRule(error=err.BadRequestError, kind=r"(invalid|missing|unsupported|max|value|array|conflict).*"),
)
_ARGUMENTS = {
    "settings.temperature": "temperature",
    "settings.topP": "top_p",
    "settings.topK": "host_options['top_k']",
    "settings.minP": "host_options['min_p']",
    "settings.repetitionPenalty": "host_options['repetition_penalty']",
    "settings.frequencyPenalty": "frequency_penalty",
    "settings.presencePenalty": "presence_penalty",
    "settings.maxTokens": "max_tokens",
    "settings.stopSequences": "stop",
    "settings.thinkingLevel": "reasoning_effort",
    "settings.promptCacheKey": "prompt_cache_key",
    "settings.systemPrompt": "messages",
    "inputs": "messages",
    "messages": "messages",
    "numberResults": "n",
    "webhookURL": "host_options['webhook_url']",
    "deliveryMethod": "host_options['delivery']",
    "jsonSchema": "response_format",
    "toolChoice": "tool_choice",
    "tools": "tools",
    "seed": "seed",
    "model": "model",
    "apiKey": "api_key",
}
# Unconfirmed here: under which key reasoning comes (all are read), whether the model thinks by default, and whether
# effort, which "passes through", switches thinking.
_COMPATIBLE: dict[str, Any] = {
    "codec": "chat",
    "endpoint": "compatible",
    "compatible": None,
    "endpoints.chat": Endpoints().chat,
    "thinking.default": None,
    "thinking.on": {"reasoning_effort": "high"},
    "thinking.off": {"reasoning_effort": "none"},
    "thinking.keep": None,
    "thinking.effort_field": "reasoning_effort",
    "thinking.effort_words": _LEVEL_WORDS,
    "reasoning.keys_in": ("reasoning_content", "reasoning", DETAILS),
    "reasoning.key_out": "observed",
    "reasoning.think_tags": "leading",
    "sampling.max_tokens_field": "max_completion_tokens",
    "sampling.refuses": {},
    "sampling.host_options": False,
    "sampling.most_answers": 1,
    "sampling.stop_limit": None,
    "tools.leaked_calls": True,
    "tools.own": (),
    "structured.ways": OutputRules().ways,
    "usage.paths": UsageRules().paths,
    "usage.cached_paths": ("prompt_tokens_details.cached_tokens", "cached_tokens"),
    "usage.cache_write_paths": UsageRules().cache_write_paths,
    "usage.reasoning_paths": UsageRules().reasoning_paths,
    "usage.cost_paths": ("usage.cost",),
    "per_model": {
        "kimi-k2.6": {"efforts": _LEVELS},
        "kimi-k3": {"thinking.on": {}, "thinking.off": None, "thinking.effort_words": K3_EFFORTS},
    },
    "source": "runware.ai docs of its compatible endpoints and its tool guide for Kimi K2.6; its part on thinking "
    "and reasoning is unconfirmed",
}
_NATIVE = HostSpec(
    name="runware",
    title="Runware",
    address=Address(
        base_url="https://api.runware.ai/v1",
        domains=("api.runware.ai",),
        key_env=("RUNWARE_API_KEY",),
        base_url_env=("RUNWARE_BASE_URL",),
    ),
    timeouts=Timeouts(retry=False),  # a call that timed out is billed, and so is its repetition
    endpoints=Endpoints(chat=""),  # tasks are posted to the address itself
    codec="runware",
    endpoint="native",
    compatible=_COMPATIBLE,
    models=ModelIds(ids={"kimi-k2.6": "moonshotai:kimi@k2.6", "kimi-k3": "moonshotai:kimi@k3"}),
    thinking=ThinkingRules(
        default=False,  # `thinkingLevel` is `none` by default
        on={"settings": {"thinkingLevel": "high"}},
        off={"settings": {"thinkingLevel": "none"}},
        keep=None,
        effort_field="settings.thinkingLevel",
        effort_words=_LEVEL_WORDS,
    ),
    reasoning=ReasoningRules(
        keys_in=("reasoningContent",),
        key_out="",  # no field of any published schema takes it
        think_tags="no",
    ),
    sampling=SamplingRules(
        max_tokens_field="settings.maxTokens",
        refuses={
            "logprobs": "Runware's protocol has no log probabilities; leave it out.",
            "top_logprobs": "Runware's protocol has no log probabilities; leave it out.",
            "parallel_tool_calls": "Runware's protocol has no such switch; leave it out.",
            "safety_identifier": "Runware's protocol has no safety identifier; leave it out.",
        },
        host_options=True,
        most_answers=4,
        stop_limit=16,
    ),
    tools=ToolRules(names=OPENAI_NAMES, leaked_calls=False, own=("search", "codeInterpreter")),
    # `jsonSchema` is in the types of Runware's SDK, not on the page of the model.
    structured=OutputRules(ways=("json_schema", "function_calling")),
    media=MediaRules(urls=frozenset({"data", "http"})),
    usage=UsageRules(
        paths=("usage",),
        cached_paths=("promptTokensDetails.cachedTokens", "costBreakdown.tokens.cache.billableTokens"),
        cache_write_paths=(),
        reasoning_paths=("completionTokensDetails.reasoningTokens", "thinkingTokens"),
        cost_paths=("cost", "usage.costBreakdown.total"),
    ),
    errors=ErrorMapping(
        rules=_ERRORS,
        arguments=_ARGUMENTS,
        id_paths=("errors.0.taskUUID",),  # "log the taskUUID"
    ),
    per_model={
        "kimi-k2.6": {"efforts": _LEVELS},
        # Its page: "Status: compatible-only".
        "kimi-k3": {**_COMPATIBLE, **_COMPATIBLE["per_model"]["kimi-k3"]},
    },
    tier="documented",
    source="runware.ai reference of kimi-k2.6; its docs of errors, polling, webhooks, streaming; types of its SDKs",
)

SPECS = (
    _NATIVE,
    patched(
        replace(_NATIVE, name="runware-compatible", title="Runware, its compatible endpoint"),
        # The address is the native one's, so it is that one's domain.
        {**_COMPATIBLE, "address.domains": ()},
    ),
)
