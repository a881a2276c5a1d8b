"""Moonshot AI's own two endpoints."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

from kimi_core import errors as err
from kimi_core.hosts.common import EMPTY_RESULT, K3_CHOICES, K3_EFFORTS, K26, SHORTEN, THINKING_CHOICES
from kimi_core.hosts.groups import (
    MOONSHOT_NAMES,
    Address,
    BatchRules,
    Endpoints,
    ErrorMapping,
    ErrorRule,
    MediaRules,
    MessageRules,
    ModelIds,
    OutputRules,
    PartialRules,
    Price,
    RateLimits,
    ReasoningRules,
    Retirement,
    SamplingRules,
    ThinkingRules,
    Tier,
    Timeouts,
    ToolRules,
    UsageRules,
)
from kimi_core.hosts.models import SECONDARY
from kimi_core.hosts.spec import HostSpec

_KEEP = {"thinking": {"type": "enabled", "keep": "all"}}
_ON = {"thinking": {"type": "enabled"}}
_OFF = {"thinking": {"type": "disabled"}}
_MODELS_PAGE = dt.date(2026, 9, 23)
_K31 = dt.date(2026, 10, 24)


def _tier(requests: int, tokens: int, concurrency: int, daily: int | None = None) -> Tier:
    return Tier(requests_per_minute=requests, tokens_per_minute=tokens, concurrency=concurrency, tokens_per_day=daily)


_RETIRED = {
    "kimi-k2.5": Retirement(day=dt.date(2026, 8, 31), instead="kimi-k2.6"),
    "kimi-k2-thinking": Retirement(day=dt.date(2026, 5, 25), instead="kimi-k2.6"),
}

# K3: "don't send `thinking`"; its history is always kept, so `keep` sends nothing.
_K3 = {
    "thinking.on": {},
    "thinking.off": None,
    # pydantic-ai 2.68, "probed live" on api.moonshot.ai: `none` is refused, and `low` is the nearest to no thinking.
    "thinking.least": "low",
    "thinking.keep": {},
    "thinking.effort_field": "reasoning_effort",
    "thinking.effort_words": K3_EFFORTS,
    "tools.choices_thinking": K3_CHOICES,
}
# 400 `invalid thinking: only type=enabled is allowed for this model`
_K27 = {"thinking.off": None}
# pydantic-ai 2.68, "probed live" on api.moonshot.ai: K2.6 and K2.7 take efforts up to `max` and refuse `none`; whether
# one changes anything is not known. Beside `thinking`: 400 `cannot specify both 'thinking' and 'reasoning_effort'`.
_K2_EFFORT: dict[str, Any] = {
    "thinking.effort_field": "reasoning_effort",
    "thinking.effort_words": K3_EFFORTS,
    "efforts": ("low", "high", "max"),
    "thinking.effort_alone": True,
    "thinking.effort_heeded": False,
}

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
        message="model",  # files and paths are not found with the same message
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

_FOREIGN_KEYS = {"sk-kimi-": "a Kimi Code key (api.kimi.com/coding); api.moonshot.* answers 401 to it"}

# Guides for K2.6 name a model of this id; `GET /models` does not, and a call answers 404.
_GUIDES = {"kimi-k2.6-thinking": "kimi-k2.6", "kimi-k2.5-thinking": "kimi-k2.5"}

_PRICES = {
    "kimi-k3.1-pro": Price(
        cached=0.20, input=2.00, output=10.00, writes={"5m": 2.00, "1h": 4.00}, as_of=_K31, source=SECONDARY
    ),
    "kimi-k3.1-pro-highspeed": Price(
        cached=0.20, input=4.00, output=20.00, writes={"5m": 4.00, "1h": 8.00}, as_of=_K31, source=SECONDARY
    ),
    "kimi-k3": Price(cached=0.30, input=3.00, output=15.00, writes={"5m": 3.00, "1h": 6.00}, as_of=_MODELS_PAGE),
    "kimi-k2.7-code": Price(cached=0.19, input=0.95, output=4.00, as_of=_MODELS_PAGE),
    "kimi-k2.7-code-highspeed": Price(cached=0.38, input=1.90, output=8.00, as_of=_MODELS_PAGE),
    "kimi-k2.6": Price(cached=0.16, input=0.95, output=4.00, as_of=_MODELS_PAGE),
}

# platform.kimi.com/docs/pricing/limits, by what an account has been topped up with. A table of September 2026 is on
# record that has less for the highest tier (300 requests a minute, 100 at once): the console shows what an account has.
_LIMITS = RateLimits(
    headers=(("x-ratelimit-remaining", "x-ratelimit-reset"),),
    counts_asked=True,  # the requested `max_completion_tokens`, whatever is generated (help center, rate limits)
    tiers={
        "tier0": _tier(3, 500_000, 1, 1_500_000),
        "tier1": _tier(200, 2_000_000, 50),
        "tier2": _tier(500, 3_000_000, 100),
        "tier3": _tier(5_000, 3_000_000, 200),
        "tier4": _tier(5_000, 4_000_000, 400),
        "tier5": _tier(10_000, 5_000_000, 1_000),
    },
)

_NO_PLAN = "The plan's allowance is used up; the host's console shows when it begins anew."
_KIMI_CODE_ERRORS = (
    # 403 `You've reached your 5-hour usage limit`, 429 `kimi monthly usage limit`
    *(ErrorRule(error=err.QuotaExceededError, status=s, message="usage limit", advice=_NO_PLAN) for s in (403, 429)),
    # 403 `You've reached your concurrent request limit`
    ErrorRule(
        error=err.RateLimitError,
        status=403,
        message="concurrent request limit",
        retry=False,
        advice="As many requests as the plan allows are running: wait until one has ended.",
    ),
    ErrorRule(
        error=err.PermissionDeniedError,
        status=403,
        kind="access_terminated_error",
        advice="This endpoint takes only the clients on its list, and this package does not pass itself off as one: "
        "use a key of Moonshot's open platform.",
    ),
    ErrorRule(
        error=err.ContextOverflowError, status=400, message="total message size .* exceeds limit", advice=SHORTEN
    ),
)

_MOONSHOT = HostSpec(
    name="moonshot",
    title="Moonshot AI, international",
    aliases=("moonshotai", "kimi"),
    address=Address(
        base_url="https://api.moonshot.ai/v1",
        domains=("api.moonshot.ai",),
        key_env=("MOONSHOT_API_KEY", "MOONSHOTAI_API_KEY", "KIMI_API_KEY"),
        base_url_env=("MOONSHOT_BASE_URL", "MOONSHOT_API_BASE", "MOONSHOTAI_BASE_URL", "KIMI_BASE_URL"),
        foreign_keys=_FOREIGN_KEYS,
    ),
    timeouts=Timeouts(
        # No header comes before a whole answer is finished, and the server itself waits up to two hours (help center).
        answer=3600,
        chunk=900,  # its 504 comes "after 900 s without output"
    ),
    endpoints=Endpoints(
        count_tokens="/tokenizers/estimate-token-count",
        formulas="/formulas",
        search="/tools/search",
        files="/files",
        balance="/users/me/balance",
        batches="/batches",
    ),
    models=ModelIds(
        retired=_RETIRED,
        thinking_ids=_GUIDES,
        # 404 `Not found the model moonshotai/kimi-k2.6 or Permission denied`; all ids that it lists are like this.
        id_form=r"[^\s/A-Z]+",
    ),
    thinking=ThinkingRules(default=True, on=_ON, off=_OFF, keep=_KEEP, effort_field=None),
    reasoning=ReasoningRules(
        keys_in=("reasoning_content", "reasoning"),  # a guide for kimi-k2.6 reads `reasoning`
        key_out="reasoning_content",
        # The host takes thoughts and calls out of the text itself: what is left there is meant.
        think_tags="no",
        # 400 `thinking is enabled but reasoning_content is missing in assistant tool call message at index N`;
        # an empty string counts as missing, one space does not.
        required=True,
        blank=" ",
        # kimi-cli 1.49.0: with preserved thinking there are backends "that require reasoning_content on every assistant
        # message"; it sends an empty one back as it came.
        required_when_kept=True,
    ),
    messages=MessageRules(
        takes_empty=False,  # "content must not be empty"
        # 400 `text content is empty` for a tool-calling turn with an empty text
        empty_content="omit",
    ),
    partial=PartialRules(
        message={"partial": True},
        with_json=False,  # "don't combine with partial mode"
    ),
    sampling=SamplingRules(
        max_tokens_field="max_completion_tokens",
        pinned=True,
        refuses={
            "seed": "Moonshot has no seed; leave it out.",
            "parallel_tool_calls": "Moonshot has no such switch; the model decides how many tools it calls.",
        },
        stop_limit=5,
        stop_bytes=32,
    ),
    tools=ToolRules(
        empty_result=EMPTY_RESULT,
        media_results=True,  # as kosong sends them; that every model reads them is unconfirmed
        leaked_calls=False,
        limit=128,
        names=MOONSHOT_NAMES,
        choices_thinking=THINKING_CHOICES,
        send_strict=True,
        builtin=True,
        agent_swarm="unconfirmed",  # one public guide for kimi-k2.6 shows it; the host's own pages do not
    ),
    structured=OutputRules(schema="mfjs"),
    media=MediaRules(
        urls=frozenset({"data", "ms"}),
        # Its own are like `clg681objj8g9m7n4je0` (platform.kimi.com/docs/api/files-retrieve); these are OpenAI's and
        # Anthropic's.
        foreign_files=r"(?:file|assistant)[-_][A-Za-z0-9_-]+",
        inline_limit=90
        * 1024
        * 1024,  # 413 `Request exceeds the maximum size` above 100 MB; the text needs room as well
        file_purposes=("file-extract", "image", "video", "batch"),
        file_limit=100 * 1024 * 1024,
    ),
    batches=BatchRules(
        # The guide of the batch API names these two; its page of prices, which is older, only kimi-k2.5.
        models=("kimi-k2.6", "kimi-k2.5"),
        hours=(12, 7 * 24),
        price=0.6,  # "Batch API inference costs are 60% of the standard model price"
    ),
    usage=UsageRules(cost_paths=(), prices=_PRICES, cache_ttls=("5m", "1h")),
    errors=ErrorMapping(id_headers=("x-trace-id", "x-request-id"), rules=_MOONSHOT_ERRORS),
    limits=_LIMITS,
    per_model={
        "kimi-k3": _K3,
        "kimi-k3.1-pro": _K3,
        "kimi-k3.1-pro-highspeed": _K3,
        "kimi-k2.7-code": {**_K27, **_K2_EFFORT},
        "kimi-k2.7-code-highspeed": {**_K27, **_K2_EFFORT},
        "kimi-k2.6": {**K26, **_K2_EFFORT},
        "kimi-k2.5": {**K26, "thinking.keep": None},  # `keep` answers 400 there
        "kimi-k2-thinking": {"thinking.off": None, "thinking.keep": None},
    },
    tier="documented",
    source="platform.kimi.ai API reference and help center, 2026-09; live error texts from public issue reports",
)
_CHINA = replace(
    _MOONSHOT,
    name="moonshot-cn",
    title="Moonshot AI, China",
    aliases=("moonshotai-cn", "moonshot-china"),
    address=Address(
        base_url="https://api.moonshot.cn/v1",
        domains=("api.moonshot.cn",),
        key_env=("MOONSHOT_CN_API_KEY", "MOONSHOT_API_KEY", "MOONSHOTAI_API_KEY", "KIMI_API_KEY"),
        base_url_env=("MOONSHOT_CN_BASE_URL",),
        foreign_keys=_FOREIGN_KEYS,
    ),
    usage=replace(_MOONSHOT.usage, prices={}),
)
# The chat endpoint is Moonshot's; nothing is known of files, formulas and the counting of tokens there.
_KIMI_CODE = replace(
    _MOONSHOT,
    name="kimi-code",
    title="Kimi Code (a subscription)",
    aliases=("kimi-for-coding",),
    address=Address(
        base_url="https://api.kimi.com/coding/v1",
        domains=("api.kimi.com", "api.kimi.ai"),
        key_env=("KIMI_API_KEY",),
        base_url_env=("KIMI_CODE_BASE_URL",),
    ),
    endpoints=Endpoints(),
    models=replace(
        _MOONSHOT.models,
        ids={"kimi-k3": "k3", "kimi-k2.7-code": "k2p7", "kimi-k2.6": "k2p6", "kimi-k2.5": "k2p5"},
        retired={},
        thinking_ids={},
    ),
    messages=replace(
        _MOONSHOT.messages,
        size_limit=2 * 1024 * 1024,  # 400 `total message size N exceeds limit 2097152`
    ),
    tools=replace(_MOONSHOT.tools, builtin=False),
    media=replace(_MOONSHOT.media, urls=frozenset({"data"}), inline_limit=None, file_purposes=(), file_limit=None),
    usage=replace(_MOONSHOT.usage, prices={}),
    errors=replace(_MOONSHOT.errors, rules=_KIMI_CODE_ERRORS),
    limits=RateLimits(),  # a subscription has others
    per_model={
        **_MOONSHOT.per_model,
        # `thinking: {"type": "disabled"}` is taken for k3 here (a live report of 2026-09-14).
        **dict.fromkeys(("kimi-k2.7-code", "kimi-k2.7-code-highspeed"), _K27),
        "kimi-k2.6": K26,
        "kimi-k3": {**_K3, "thinking": "toggle", "thinking.on": _ON, "thinking.off": _OFF, "thinking.least": None},
    },
    source="kimi.com/code/docs: third-party agents, error reference, 2026-09; help center; public issue reports",
    note="Only for the clients on its list: others get 403 `access_terminated_error`. This package names itself "
    "and does not pass itself off as one of them. Give a prompt_cache_key, which the plan asks for. Since 2026-07 "
    "calls for k2p5 and k2p6 are answered by K2.7 Code (models.dev#3307).",
)

SPECS = (_MOONSHOT, _CHINA, _KIMI_CODE)
