"""Gateways, which pass a call on to one of several operators and translate the answer into their own format.

What an upstream refuses is in a spec where the refusal is known to come through: an answer may be Moonshot's own.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from kimi_core import errors as err
from kimi_core.hosts.common import (
    BY_EFFORT,
    EMPTY_RESULT,
    ENABLED,
    K3_CHOICES,
    K3_EFFORTS,
    QWEN,
    SLUGS,
    THINKING_CHOICES,
    WEIGHTS,
    switches,
)
from kimi_core.hosts.groups import (
    DETAILS,
    MOONSHOT_NAMES,
    Address,
    ErrorMapping,
    ErrorRule,
    MediaRules,
    MessageRules,
    ModelIds,
    OutputRules,
    ReasoningRules,
    ThinkingRules,
    ToolRules,
    UsageRules,
)
from kimi_core.hosts.spec import HostSpec

_EFFORTS = {"efforts": ("minimal", "low", "medium", "high", "xhigh"), "thinking.effort_words": {"max": "xhigh"}}

# "Provider returned error", with Moonshot's own message in `metadata.raw`, is what a gateway answers when a turn with
# calls has lost its reasoning, or a tool is forced while thinking. Another upstream would take it, but which one
# answers is not known before.
_MAYBE_MOONSHOT = HostSpec(
    name="",
    title="",
    models=ModelIds(ids=SLUGS),
    thinking=replace(ENABLED, default=True, keep=None, effort_field="reasoning.effort"),
    reasoning=ReasoningRules(
        keys_in=("reasoning", DETAILS, "reasoning_content"), required=True, required_when_kept=True, blank=" "
    ),
    messages=MessageRules(empty_content="omit", takes_empty=False),
    tools=ToolRules(names=MOONSHOT_NAMES, choices_thinking=THINKING_CHOICES, empty_result=EMPTY_RESULT),
    structured=OutputRules(schema="mfjs"),
    media=MediaRules(kinds=frozenset({"image"})),
    per_model={"kimi-k3": {"tools.choices_thinking": K3_CHOICES, "thinking.effort_words": K3_EFFORTS}},
)

# Switching K2.7 off would answer 400 `Reasoning is mandatory for this endpoint and cannot be disabled`.
_OPENROUTER = {**dict.fromkeys(SLUGS, _EFFORTS), "kimi-k3": {**_EFFORTS, "tools.choices_thinking": K3_CHOICES}}
_OPENROUTER_ERRORS = (
    ErrorRule(
        error=err.RateLimitError,
        status=402,
        header="retry-after",
        retry=True,
        advice="The credits are bound by calls that are running; when these end, there is room again.",
    ),
    # 403: "the chosen model requires moderation and your input was flagged"
    ErrorRule(error=err.ContentFilterError, status=403, message="moderation|flagged", advice="Rephrase the input."),
)


SPECS = (
    replace(
        _MAYBE_MOONSHOT,
        name="openrouter",
        title="OpenRouter",
        # Only upstreams that know every parameter: others silently get the call without it.
        routing={"provider": {"require_parameters": True}},
        address=Address(
            base_url="https://openrouter.ai/api/v1",
            domains=("openrouter.ai",),
            key_env=("OPENROUTER_API_KEY",),
        ),
        # "unmodified"; the text alone where an answer of another host has none
        reasoning=replace(_MAYBE_MOONSHOT.reasoning, key_out=DETAILS),
        usage=UsageRules(cost_paths=("usage.cost",)),
        errors=ErrorMapping(id_headers=("x-generation-id", "x-request-id"), rules=_OPENROUTER_ERRORS),
        per_model=_OPENROUTER,
        per_suffix={":free": {}},
        tier="documented",
        source="openrouter.ai/docs: provider routing, reasoning tokens, errors, streaming, 2026-09; public reports of "
        "Moonshot's refusals in metadata.raw",
        note="Upstreams differ. Pin one with extra_body={'provider': {'only': [...]}}.",
    ),
    replace(
        _MAYBE_MOONSHOT,
        name="vercel",
        title="Vercel AI Gateway",
        address=Address(
            base_url="https://ai-gateway.vercel.sh/v1",
            domains=("ai-gateway.vercel.sh",),
            key_env=("AI_GATEWAY_API_KEY",),
        ),
        # Which of the two kinds of reasoning it prefers is unconfirmed: they go back as they came.
        tier="community",
        source="vercel.com/ai-gateway/models/kimi-k2.6/api, 2026-09; models.dev",
        note="Upstreams for K2.6: Moonshot, Fireworks, Novita, Baseten. Pin one with "
        "extra_body={'providerOptions': {'gateway': {'only': [...]}}}.",
    ),
    HostSpec(
        name="huggingface",
        title="Hugging Face router",
        aliases=("hf",),
        address=Address(
            base_url="https://router.huggingface.co/v1",
            domains=("router.huggingface.co",),
            key_env=("HF_TOKEN",),
        ),
        models=ModelIds(ids=WEIGHTS),
        # How thinking is switched is the upstream's business: known where the id names it (`kimi-k2.6:together`).
        thinking=ThinkingRules(default=True),
        per_suffix={
            ":together": {**switches(ENABLED), "reasoning.keys_in": ("reasoning", "reasoning_content")},
            ":fireworks-ai": {
                **switches(BY_EFFORT),
                "structured.with_tools": False,
                "reasoning.key_out": "reasoning_content",
            },
            ":novita": switches(QWEN),
            ":fastest": {},
            ":cheapest": {},
        },
        tier="community",
        source="Hugging Face inference providers; models.dev, 2026-07",
        note="Name the upstream behind the model: kimi-k2.6:together.",
    ),
    HostSpec(
        name="litellm",
        title="LiteLLM proxy",
        address=Address(
            base_url="http://localhost:4000/v1",
            domains=("localhost:4000",),
            key_env=("LITELLM_PROXY_API_KEY", "LITELLM_API_KEY"),
            base_url_env=("LITELLM_PROXY_API_BASE",),
            key_required=False,
        ),
        # `thinking` answers 400 UnsupportedParamsError behind `openai/` and `moonshot/`; unknown fields are handed on.
        structured=OutputRules(with_tools=False),  # before vLLM the schema wins, and no tool is called
        errors=ErrorMapping(
            rules=(
                ErrorRule(
                    error=err.AuthenticationError,
                    status=400,
                    message="no connected db",
                    advice="This is how the proxy reports a wrong key.",
                ),
            ),
        ),
        tier="documented",
        as_of=dt.date(2026, 11, 28),
        source="observed on LiteLLM proxy 1.106.2 before vLLM 0.32.0, 2026-11-28",
        note="The model is the alias in the proxy's configuration; what is behind it decides on thinking.",
    ),
)
