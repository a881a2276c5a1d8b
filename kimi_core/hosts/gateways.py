"""Gateways, which pass a call on to one of several operators and translate the answer into their own format.

What an upstream refuses is in a spec where the refusal is known to come through: an answer may be Moonshot's own.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

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
)
from kimi_core.hosts.spec import DETAILS, MOONSHOT_NAMES, ErrorRule, HostSpec

_EFFORTS = {"efforts": ("minimal", "low", "medium", "high", "xhigh"), "effort_words": {"max": "xhigh"}}

# "Provider returned error", with Moonshot's own words in `metadata.raw`, is what a gateway answers when a turn with
# calls has lost its reasoning, or a tool is forced while thinking. Another upstream would take it, but which one
# answers is not known before.
_MAYBE_MOONSHOT: dict[str, Any] = {
    "thinking_default": True,
    "thinking_keep": None,
    "reasoning_required": True,
    "blank_reasoning": " ",
    "kept_reasoning_required": True,
    "empty_content": "omit",
    "takes_empty": False,
    "empty_result": EMPTY_RESULT,
    "tool_choices_thinking": THINKING_CHOICES,
    "tool_names": MOONSHOT_NAMES,
    "schema": "mfjs",
    "per_model": {"kimi-k3": {"tool_choices_thinking": K3_CHOICES, "effort_words": K3_EFFORTS}},
}

# Switching K2.7 off would answer 400 `Reasoning is mandatory for this endpoint and cannot be disabled`.
_OPENROUTER = {
    "per_model": {**dict.fromkeys(SLUGS, _EFFORTS), "kimi-k3": {**_EFFORTS, "tool_choices_thinking": K3_CHOICES}}
}
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


def _upstream(name: str, **facts: Any) -> dict[str, Any]:
    """Return what Hugging Face's suffix for a provider changes, for `per_suffix`."""
    return {f":{name}": facts}


SPECS = (
    HostSpec(
        name="openrouter",
        title="OpenRouter",
        base_url="https://openrouter.ai/api/v1",
        domains=("openrouter.ai",),
        key_env=("OPENROUTER_API_KEY",),
        model_ids=SLUGS,
        **{**_MAYBE_MOONSHOT, **ENABLED, **_OPENROUTER},
        effort_field="reasoning.effort",
        reasoning_in=("reasoning", DETAILS, "reasoning_content"),
        reasoning_out=DETAILS,  # "unmodified"; the text alone where an answer of another host has none
        # Only upstreams that know every parameter: others are sent the call without it, and nobody says so.
        routing={"provider": {"require_parameters": True}},
        media=frozenset({"image"}),
        id_headers=("x-generation-id", "x-request-id"),
        cost_paths=("usage.cost",),
        errors=_OPENROUTER_ERRORS,
        per_suffix={":free": {}},
        tier="documented",
        source="openrouter.ai/docs: provider routing, reasoning tokens, errors, streaming, 2026-09; public reports of "
        "Moonshot's refusals in metadata.raw",
        note="Upstreams differ. Pin one with extra_body={'provider': {'only': [...]}}.",
    ),
    HostSpec(
        name="vercel",
        title="Vercel AI Gateway",
        base_url="https://ai-gateway.vercel.sh/v1",
        domains=("ai-gateway.vercel.sh",),
        key_env=("AI_GATEWAY_API_KEY",),
        model_ids=SLUGS,
        **{**_MAYBE_MOONSHOT, **ENABLED},
        effort_field="reasoning.effort",
        reasoning_in=("reasoning", DETAILS, "reasoning_content"),
        reasoning_out="observed",  # which of the two it prefers is unconfirmed
        media=frozenset({"image"}),
        tier="community",
        source="vercel.com/ai-gateway/models/kimi-k2.6/api, 2026-09; models.dev",
        note="Upstreams for K2.6: Moonshot, Fireworks, Novita, Baseten. Pin one with "
        "extra_body={'providerOptions': {'gateway': {'only': [...]}}}.",
    ),
    HostSpec(
        name="huggingface",
        title="Hugging Face router",
        aliases=("hf",),
        base_url="https://router.huggingface.co/v1",
        domains=("router.huggingface.co",),
        key_env=("HF_TOKEN",),
        model_ids=WEIGHTS,
        # How thinking is switched is the upstream's business: known where the id names it (`kimi-k2.6:together`).
        thinking_default=True,
        per_suffix={
            **_upstream("together", **ENABLED, reasoning_in=("reasoning", "reasoning_content")),
            **_upstream("fireworks-ai", **BY_EFFORT, tools_with_output=False, reasoning_out="reasoning_content"),
            **_upstream("novita", **QWEN),
            **_upstream("fastest"),
            **_upstream("cheapest"),
        },
        tier="community",
        source="Hugging Face inference providers; models.dev, 2026-07",
        note="Name the upstream behind the model: kimi-k2.6:together.",
    ),
    HostSpec(
        name="litellm",
        title="LiteLLM proxy",
        base_url="http://localhost:4000/v1",
        domains=("localhost:4000",),
        key_env=("LITELLM_PROXY_API_KEY", "LITELLM_API_KEY"),
        base_url_env=("LITELLM_PROXY_API_BASE",),
        key_required=False,
        thinking_default=None,
        # `thinking` answers 400 UnsupportedParamsError behind `openai/` and `moonshot/`; unknown fields are handed on.
        errors=(
            ErrorRule(
                error=err.AuthenticationError,
                status=400,
                message="no connected db",
                advice="The proxy's way to say that the key is wrong.",
            ),
        ),
        tier="documented",
        tools_with_output=False,  # before vLLM the schema wins, and no tool is called
        as_of=dt.date(2026, 11, 28),
        source="observed on LiteLLM proxy 1.106.2 before vLLM 0.32.0, 2026-11-28",
        note="The model is the alias in the proxy's configuration; what is behind it decides on thinking.",
    ),
)
