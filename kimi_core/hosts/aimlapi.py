"""AI/ML API, which forwards to Moonshot."""

from __future__ import annotations

from kimi_core import errors as err
from kimi_core.hosts.common import EMPTY_RESULT, K3_CHOICES, K3_EFFORTS, K26, THINKING_CHOICES
from kimi_core.hosts.groups import (
    MOONSHOT_NAMES,
    Address,
    ErrorMapping,
    ErrorRule,
    MediaRules,
    MessageRules,
    ModelIds,
    OutputRules,
    ReasoningRules,
    SamplingRules,
    ThinkingRules,
    Timeouts,
    ToolRules,
    UsageRules,
)
from kimi_core.hosts.spec import HostSpec

SPECS = (
    HostSpec(
        name="aimlapi",
        title="AI/ML API",
        aliases=("aiml",),
        address=Address(
            base_url="https://api.aimlapi.com/v1",
            domains=("api.aimlapi.com",),
            key_env=("AIMLAPI_API_KEY", "AIML_API_KEY"),
            base_url_env=("AIMLAPI_BASE_URL",),
        ),
        timeouts=Timeouts(retry=False),  # "retry after a timeout double-bills"
        models=ModelIds(
            ids={
                "kimi-k2.6": "moonshot/kimi-k2-6",
                "kimi-k2.5": "moonshot/kimi-k2-5",
                "kimi-k2.7-code": "moonshot/kimi-k2-7-code",
                "kimi-k2.7-code-highspeed": "moonshot/kimi-k2-7-code-highspeed",
                "kimi-k3": "moonshot/kimi-k3",
                "kimi-k2-thinking": "moonshotai/kimi-k2-thinking",
            },
        ),
        thinking=ThinkingRules(
            default=True,
            # "Request schema has no thinking field; unknown top-level fields are silently dropped" (probe, 2026-09-10).
            on={},
            off=None,
            keep=None,
            effort_field=None,
        ),
        reasoning=ReasoningRules(
            key_out="reasoning_content",
            think_tags="no",  # the same upstream as Moonshot
            # Forwarded to Moonshot; whether it insists on the echo is unconfirmed, so it always gets one.
            required=True,
            blank=" ",
            required_when_kept=True,
        ),
        messages=MessageRules(takes_empty=False),
        sampling=SamplingRules(
            pinned=True,
            refuses={
                "presence_penalty": "AI/ML API's page for Kimi lists no penalties; leave it out.",
                "frequency_penalty": "AI/ML API's page for Kimi lists no penalties; leave it out.",
                "prompt_cache_key": "AI/ML API has no cache key; leave it out.",
                "safety_identifier": "AI/ML API has no safety identifier; leave it out.",
                "logprobs": "AI/ML API's page for Kimi lists no logprobs; leave it out.",
                "top_logprobs": "AI/ML API's page for Kimi lists no logprobs; leave it out.",
            },
            stop_limit=4,
        ),
        tools=ToolRules(
            leaked_calls=False,
            empty_result=EMPTY_RESULT,
            builtin=True,  # `builtin_function` is in its enum of tool types
            names=MOONSHOT_NAMES,
            # The same upstream as Moonshot: assumed to refuse forcing while thinking.
            choices_thinking=THINKING_CHOICES,
        ),
        structured=OutputRules(schema="mfjs"),
        media=MediaRules(
            kinds=frozenset(),  # its page for k2-6 documents text only
            urls=frozenset({"data"}),
        ),
        usage=UsageRules(cost_paths=("meta.usage.usd_spent",), cost_headers=("x-aimlapi-usd-spent",)),
        errors=ErrorMapping(
            id_headers=("x-inference-id", "x-request-id"),
            rules=(
                ErrorRule(
                    error=err.QuotaExceededError,
                    status=403,
                    advice="AI/ML API answers 403 when the account is out of credits: top it up.",
                ),
                ErrorRule(
                    error=err.BadRequestError,
                    status=400,
                    message="max_tokens or model output limit was reached",
                    advice="The token limit was used up, thinking included: raise max_tokens (16000 or more).",
                ),
            ),
        ),
        per_model={
            "kimi-k2.6": K26,
            "kimi-k2.5": K26,
            "kimi-k3": {
                "thinking.effort_field": "reasoning_effort",
                "thinking.effort_words": K3_EFFORTS,
                "thinking.least": "low",  # forwarded to Moonshot
                "tools.choices_thinking": K3_CHOICES,
                "media.kinds": frozenset({"image"}),
                "media.urls": frozenset({"data", "http"}),
            },
        },
        tier="documented",
        source="docs.aimlapi.com page and schema of moonshot/kimi-k2-6, 2026-09; aimlapi/api-docs",
    ),
)
