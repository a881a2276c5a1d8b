"""The hosts that serve Kimi: one row per endpoint operator, everything in which they differ.

A new host that speaks Chat Completions is one row; what it does not say is the default of `HostRow`. A row says where
its facts come from, when they were checked and how well (`tier`).
"""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import urlsplit

from kimi_core import errors as err
from kimi_core.host_row import MOONSHOT_NAMES, ChoiceMode, ErrorRule, HostRow, Price
from kimi_core.models import SECONDARY

__all__ = ["HOSTS", "ErrorRule", "HostRow", "Price", "find_by_url"]

_KEEP = {"thinking": {"type": "enabled", "keep": "all"}}
_ON = {"thinking": {"type": "enabled"}}
_OFF = {"thinking": {"type": "disabled"}}
_MODELS_PAGE = dt.date(2026, 9, 23)
_K31 = dt.date(2026, 10, 24)

# 400 `tool_choice 'required' is incompatible with thinking enabled` / `'specified' is incompatible …`
_THINKING_CHOICES: frozenset[ChoiceMode] = frozenset({"auto", "none"})
# K3 takes `required` while it thinks (vercel/ai fixture moonshotai-k3-required-tool-choice), never a name.
_K3_CHOICES: frozenset[ChoiceMode] = frozenset({"auto", "none", "required"})

# K3: "don't send `thinking`"; its history is always kept, so `keep` needs no word.
_K3 = {
    "thinking_on": {},
    "thinking_off": None,
    "thinking_keep": {},
    "effort_field": "reasoning_effort",
    "effort_words": {"minimal": "low", "medium": "high", "xhigh": "max"},
    "tool_choices_thinking": _K3_CHOICES,
}
# Older pages say to switch thinking off for `$web_search`, the one of 2026-09 says that both go together: unconfirmed.
_K26 = {"builtin_thinking": False}
# 400 `invalid thinking: only type=enabled is allowed for this model`
_K27 = {"thinking_off": None}

_MOONSHOT_ERRORS = (
    ErrorRule(
        error=err.QuotaExceededError,
        status=429,
        kind="exceeded_current_quota_error",
        advice="The account has no balance left: recharge it in the host's console. Waiting does not help.",
    ),
    ErrorRule(
        error=err.RateLimitError,
        status=429,
        message=r"\bTPD\b",
        retry=False,
        advice="The account's daily token limit is reached: it resets the next day.",
    ),
    ErrorRule(error=err.OverloadedError, status=429, kind="engine_overloaded_error"),
    ErrorRule(
        error=err.NotFoundError,
        status=404,
        kind="resource_not_found_error",
        message="model",  # files and paths are not found in the same words
        advice="The model does not exist here (any more), or this account may not use it yet. "
        "`KimiClient.models()` lists what it may use.",
    ),
    ErrorRule(
        error=err.NotFoundError,
        status=404,
        message="formula not found",
        advice="There is no such formula here; some of those on the host's page are not open yet.",
    ),
    ErrorRule(
        error=err.AuthenticationError,
        status=401,
        advice="Keys of api.moonshot.ai, api.moonshot.cn and Kimi Code are three separate spaces: "
        "check that host and key belong together.",
    ),
)

_MOONSHOT: dict[str, Any] = dict(  # noqa: C408 - reads like the rows below
    count_path="/tokenizers/estimate-token-count",
    # No header comes before a whole answer is finished, and the server itself waits up to two hours (help center).
    timeout=3600,
    chunk_timeout=900,  # its 504 comes "after 900 s without output"
    takes_empty=False,  # "content must not be empty"
    tool_media=True,  # as kosong sends them; that every model reads them is unconfirmed
    thinking_default=True,
    thinking_on=_ON,
    thinking_off=_OFF,
    thinking_keep=_KEEP,
    # Sending both answers 400 `cannot specify both 'thinking' and 'reasoning_effort'`; K3 alone has levels.
    effort_field=None,
    reasoning_in=("reasoning_content", "reasoning"),  # a guide for kimi-k2.6 reads `reasoning`
    reasoning_out="reasoning_content",
    # The host takes thoughts and calls out of the text itself: what is left there is meant.
    think_tags="no",
    leaked_calls=False,
    # 400 `thinking is enabled but reasoning_content is missing in assistant tool call message at index N`;
    # an empty string counts as missing, one space does not.
    reasoning_required=True,
    blank_reasoning=" ",
    # 400 `text content is empty` for a tool-calling turn with an empty text
    empty_content="omit",
    partial_message={"partial": True},
    partial_with_json=False,  # "don't combine with partial mode"
    max_tokens_field="max_completion_tokens",
    pinned_sampling=True,
    refuses={
        "seed": "Moonshot has no seed; leave it out.",
        "parallel_tool_calls": "Moonshot has no such switch; the model decides how many tools it calls.",
    },
    stop_limit=5,
    stop_bytes=32,
    tool_limit=128,
    tool_names=MOONSHOT_NAMES,
    tool_choices_thinking=_THINKING_CHOICES,
    send_strict=True,
    schema="mfjs",
    builtin_tools=True,
    formulas_path="/formulas",
    search_path="/tools/search",
    media_urls=frozenset({"data", "ms"}),
    inline_limit=90 * 1024 * 1024,  # 413 `Request exceeds the maximum size` above 100 MB; the text needs room as well
    files_path="/files",
    file_purposes=("file-extract", "image", "video", "batch"),
    file_limit=100 * 1024 * 1024,
    balance_path="/users/me/balance",
    cost_paths=(),
    cache_ttls=("5m", "1h"),
    id_headers=("x-trace-id", "x-request-id"),
    errors=_MOONSHOT_ERRORS,
    per_model={
        "kimi-k3": _K3,
        "kimi-k3.1-pro": _K3,
        "kimi-k3.1-pro-highspeed": _K3,
        "kimi-k2.7-code": _K27,
        "kimi-k2.7-code-highspeed": _K27,
        "kimi-k2.6": _K26,
        "kimi-k2.5": {**_K26, "thinking_keep": None},  # `keep` answers 400 there
        "kimi-k2-thinking": {"thinking_off": None, "thinking_keep": None},
    },
    tier="documented",
    source="platform.kimi.ai API reference and help center, 2026-09; live error texts from public issue reports",
)
_MOONSHOT_KEYS = {"sk-kimi-": "a Kimi Code key (api.kimi.com/coding); api.moonshot.* answers 401 to it"}

_ROWS = (
    HostRow(
        name="moonshot",
        title="Moonshot AI, international",
        base_url="https://api.moonshot.ai/v1",
        domains=("api.moonshot.ai",),
        key_env=("MOONSHOT_API_KEY", "MOONSHOTAI_API_KEY", "KIMI_API_KEY"),
        base_url_env=("MOONSHOT_BASE_URL", "MOONSHOT_API_BASE", "MOONSHOTAI_BASE_URL", "KIMI_BASE_URL"),
        foreign_keys=_MOONSHOT_KEYS,
        prices={
            "kimi-k3.1-pro": Price(
                cached=0.20, input=2.00, output=10.00, writes={"5m": 2.00, "1h": 4.00}, as_of=_K31, source=SECONDARY
            ),
            "kimi-k3.1-pro-highspeed": Price(
                cached=0.20, input=4.00, output=20.00, writes={"5m": 4.00, "1h": 8.00}, as_of=_K31, source=SECONDARY
            ),
            "kimi-k3": Price(
                cached=0.30, input=3.00, output=15.00, writes={"5m": 3.00, "1h": 6.00}, as_of=_MODELS_PAGE
            ),
            "kimi-k2.7-code": Price(cached=0.19, input=0.95, output=4.00, as_of=_MODELS_PAGE),
            "kimi-k2.7-code-highspeed": Price(cached=0.38, input=1.90, output=8.00, as_of=_MODELS_PAGE),
            "kimi-k2.6": Price(cached=0.16, input=0.95, output=4.00, as_of=_MODELS_PAGE),
        },
        **_MOONSHOT,
    ),
    HostRow(
        name="moonshot-cn",
        title="Moonshot AI, China",
        base_url="https://api.moonshot.cn/v1",
        domains=("api.moonshot.cn",),
        key_env=("MOONSHOT_CN_API_KEY", "MOONSHOT_API_KEY", "MOONSHOTAI_API_KEY", "KIMI_API_KEY"),
        base_url_env=("MOONSHOT_CN_BASE_URL",),
        foreign_keys=_MOONSHOT_KEYS,
        **_MOONSHOT,
    ),
    HostRow(
        name="aimlapi",
        title="AI/ML API",
        base_url="https://api.aimlapi.com/v1",
        domains=("api.aimlapi.com",),
        key_env=("AIMLAPI_API_KEY", "AIML_API_KEY"),
        base_url_env=("AIMLAPI_BASE_URL",),
        model_ids={
            "kimi-k2.6": "moonshot/kimi-k2-6",
            "kimi-k2.5": "moonshot/kimi-k2-5",
            "kimi-k2.7-code": "moonshot/kimi-k2-7-code",
            "kimi-k2.7-code-highspeed": "moonshot/kimi-k2-7-code-highspeed",
            "kimi-k3": "moonshot/kimi-k3",
            "kimi-k2-thinking": "moonshotai/kimi-k2-thinking",
        },
        thinking_default=True,
        # "Request schema has no thinking field; unknown top-level fields are silently dropped" (probe, 2026-09-10).
        thinking_on={},
        thinking_off=None,
        thinking_keep=None,
        effort_field=None,
        reasoning_out="reasoning_content",
        think_tags="no",  # the same upstream as Moonshot
        leaked_calls=False,
        # Forwarded to Moonshot; whether it insists on the echo is unconfirmed, so it always gets one.
        reasoning_required=True,
        blank_reasoning=" ",
        pinned_sampling=True,
        refuses={
            "presence_penalty": "AI/ML API's page for Kimi lists no penalties; leave it out.",
            "frequency_penalty": "AI/ML API's page for Kimi lists no penalties; leave it out.",
            "prompt_cache_key": "AI/ML API has no cache key; leave it out.",
            "safety_identifier": "AI/ML API has no safety identifier; leave it out.",
            "logprobs": "AI/ML API's page for Kimi lists no logprobs; leave it out.",
            "top_logprobs": "AI/ML API's page for Kimi lists no logprobs; leave it out.",
        },
        stop_limit=4,
        retry_timeouts=False,  # "retry after a timeout double-bills"
        takes_empty=False,
        builtin_tools=True,  # `builtin_function` is in its enum of tool types
        tool_names=MOONSHOT_NAMES,
        # The same upstream as Moonshot: assumed to refuse forcing while thinking.
        tool_choices_thinking=_THINKING_CHOICES,
        schema="mfjs",
        media=frozenset(),  # its page for k2-6 documents text only
        media_urls=frozenset({"data"}),
        cost_paths=("meta.usage.usd_spent",),
        cost_headers=("x-aimlapi-usd-spent",),
        id_headers=("x-inference-id", "x-request-id"),
        errors=(
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
        per_model={
            "kimi-k2.6": _K26,
            "kimi-k2.5": _K26,
            "kimi-k3": {
                "effort_field": "reasoning_effort",
                "effort_words": _K3["effort_words"],
                "tool_choices_thinking": _K3_CHOICES,
                "media": frozenset({"image"}),
                "media_urls": frozenset({"data", "http"}),
            },
        },
        tier="documented",
        source="docs.aimlapi.com page and schema of moonshot/kimi-k2-6, 2026-09; aimlapi/api-docs",
    ),
    HostRow(
        name="vllm",
        title="vLLM",
        base_url="http://localhost:8000/v1",
        key_env=("VLLM_API_KEY",),
        base_url_env=("VLLM_BASE_URL",),
        key_required=False,
        model_ids={
            "kimi-k2.6": "moonshotai/Kimi-K2.6",
            "kimi-k2.5": "moonshotai/Kimi-K2.5",
            "kimi-k2.7-code": "moonshotai/Kimi-K2.7-Code",
            "kimi-k3": "moonshotai/Kimi-K3",
        },
        thinking_default=True,
        # Parsers up to v0.22 read `thinking` only, later ones `thinking` or `enable_thinking`: both are sent alike.
        effort_field=None,
        reasoning_in=("reasoning", "reasoning_content"),
        # Without `--reasoning-parser kimi_k2` the thought stands in the text, between tags; without a working tool
        # parser so do the calls (vllm#28543, #34955).
        think_tags="leading",
        leaked_calls=True,
        partial_body={"add_generation_prompt": False, "continue_final_message": True},
        media_urls=frozenset({"data", "http"}),
        cost_paths=(),
        per_model={
            # 400 for other levels: `Kimi K3 supports thinking_effort values: low, high, max`; `none` is thinking off
            "kimi-k3": {
                "thinking": "toggle",
                "thinking_on": {},
                "thinking_off": {"reasoning_effort": "none"},
                "effort_field": "reasoning_effort",
                "effort_words": _K3["effort_words"],
            },
        },
        tier="documented",
        source="vLLM recipes for Kimi-K2.6; kimi_k2 parser sources; observed on vLLM 0.32",
    ),
    HostRow(
        name="generic",
        title="any OpenAI-compatible server",
        key_env=("KIMI_API_KEY",),
        base_url_env=("KIMI_BASE_URL",),
        key_required=False,
        source="the defaults",
    ),
)

HOSTS: dict[str, HostRow] = {row.name: row for row in _ROWS}
"""Every known host by name."""


def find_by_url(base_url: str) -> HostRow | None:
    """The row whose address this is, or None."""
    host = urlsplit(base_url).hostname
    same = base_url.rstrip("/")
    return next((row for row in HOSTS.values() if host in row.domains or row.base_url == same), None)
