"""The hosts that serve Kimi: one row per endpoint operator, everything in which they differ.

A new host that speaks Chat Completions is one row. The defaults are the generic row: what an unknown
OpenAI-compatible server can be expected to take. Toggles are JSON merge patches on the request body, so a new
way to switch thinking needs no code. A row says where its facts come from, when they were checked and how
well (`tier`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic_core import core_schema

from kimi_core import errors as err
from kimi_core.models import SECONDARY

Patch: TypeAlias = Mapping[str, Any]
"""A JSON merge patch for the request body."""

ChoiceMode: TypeAlias = Literal["auto", "none", "required", "named"]
ALL_CHOICES: frozenset[ChoiceMode] = frozenset({"auto", "none", "required", "named"})
MOONSHOT_NAMES = r"[a-zA-Z_][a-zA-Z0-9\-_]{2,63}"
OPENAI_NAMES = r"[a-zA-Z0-9_\-]{1,64}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars per million tokens, as published on a day.

    Attributes:
        cached: For input tokens from the host's cache.
        input: For the other input tokens.
        output: For output tokens, reasoning included.
        as_of: The day.
        source: Where it was read; empty for the host's own pages.
    """

    cached: float
    input: float
    output: float
    as_of: dt.date
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRule:
    """Which error a host's answer means. All given conditions must hold; the first rule that fits wins.

    Attributes:
        error: The class to raise.
        status: HTTP status.
        kind: Regular expression for the host's error type or code (whole word, ignoring case).
        message: Regular expression looked for in the host's message, ignoring case.
        retry: Overrides whether waiting helps.
        advice: What the user can do next.
    """

    error: type[err.APIError]
    status: int | None = None
    kind: str | None = None
    message: str | None = None
    retry: bool | None = None
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HostRow:
    """What is known about a host.

    Attributes:
        name: The word users write: `host="moonshot"`.
        title: Its name in prose.
        base_url: Where its API is; None when the user must say.
        domains: Host names by which a `base_url` alone is recognised.
        key_env: Environment variables that may hold the key, in order.
        base_url_env: Environment variables that may hold another address, in order.
        key_required: Whether it refuses calls without a key.
        foreign_keys: Beginnings of keys that belong elsewhere, and where.
        codec: The shape it speaks.
        path: Where answers are asked for, below `base_url`.
        count_path: Where prompt tokens are counted; None when it has no such endpoint.
        timeout: Seconds to wait for an answer when the user does not say.
        retry_timeouts: Whether a call that timed out is repeated; it may be billed twice.
        takes_empty: Whether user and system messages may be empty.
        headers: Sent with every request.
        model_ids: How it writes the family ids; others are passed through as they are.
        thinking_default: Whether it thinks when nothing is said; None when unknown.
        thinking_on: Patch that switches thinking on; None when it cannot be said.
        thinking_off: Patch that switches it off; None when it cannot be switched off.
        thinking_keep: Patch for `keep="all"`; None when it has no such option.
        effort_field: Body field for the effort; None when it has none.
        effort_words: Words that users know for its levels.
        reasoning_in: Keys under which reasoning arrives, first that holds text wins.
        reasoning_out: Key under which it goes back; `observed` repeats the key it came under.
        reasoning_required: It refuses assistant turns with tool calls that lack their reasoning.
        blank_reasoning: Stands in for reasoning that a foreign history lacks; None leaves it out.
        empty_content: How an assistant turn without text is written: without `content`, or with null.
        partial_message: Patch for the last message when the model is to continue it; None when it has no such mode.
        partial_body: Patch for the body for the same.
        partial_with_json: Whether it may be combined with `json_object`.
        max_tokens_field: Its name for the token limit.
        pinned_sampling: It takes only the model's recommended sampling values.
        refuses: Options it refuses or ignores, and what to do instead.
        stop_limit: Most stop sequences it takes.
        stop_bytes: Longest stop sequence in bytes of UTF-8.
        tool_limit: Most tools it takes.
        tool_names: Regular expression of legal tool names.
        tool_choices_thinking: Legal tool choices while thinking.
        tool_choices_instant: Legal tool choices while not thinking.
        send_strict: Whether a tool may carry `strict`.
        schema: The schema dialect it takes.
        structured: Ways to a structured answer, best first.
        tools_with_output: Whether tools and a response format may go together.
        builtin_tools: Whether it knows `builtin_function` tools.
        tool_media: Whether a tool's result may hold pictures.
        media: What it reads, where it reads less than the model could; None for all of the model's.
        media_urls: Kinds of media URL it takes: `data`, `ms` (uploaded file), `http`.
        stream_options: Whether `stream_options.include_usage` may be sent.
        usage_paths: Where the usage object stands, in a body or a chunk.
        cached_paths: Where the cached tokens stand, inside the usage object.
        reasoning_paths: Where the reasoning tokens stand, inside the usage object.
        cost_paths: Where the price in US dollars stands.
        cost_headers: Response headers that hold the price.
        id_headers: Response headers that hold the request's id.
        prices: Published prices by family id, for estimates where it reports no cost.
        errors: Its error rules, looked at before the general ones.
        per_model: What is otherwise for one family here: fields of this row or of the model's.
        tier: `verified` by calls of our own, `documented` by the host, or `community` knowledge.
        as_of: When the row was last checked.
        source: Where its facts come from.
    """

    name: str
    title: str
    base_url: str | None = None
    domains: tuple[str, ...] = ()
    key_env: tuple[str, ...] = ()
    base_url_env: tuple[str, ...] = ()
    key_required: bool = True
    foreign_keys: Mapping[str, str] = field(default_factory=dict)
    codec: str = "chat"
    path: str = "/chat/completions"
    count_path: str | None = None
    timeout: float = 600
    retry_timeouts: bool = True
    takes_empty: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)
    model_ids: Mapping[str, str] = field(default_factory=dict)
    # thinking
    thinking_default: bool | None = None
    # Template variables are what self-hosted servers understand; sent only when the user asks.
    thinking_on: Patch | None = field(
        default_factory=lambda: {"chat_template_kwargs": {"thinking": True, "enable_thinking": True}}
    )
    thinking_off: Patch | None = field(
        default_factory=lambda: {"chat_template_kwargs": {"thinking": False, "enable_thinking": False}}
    )
    thinking_keep: Patch | None = field(default_factory=lambda: {"chat_template_kwargs": {"preserve_thinking": True}})
    effort_field: str | None = "reasoning_effort"
    effort_words: Mapping[str, str] = field(default_factory=dict)
    # reasoning
    reasoning_in: tuple[str, ...] = ("reasoning_content", "reasoning")
    reasoning_out: str = "observed"
    reasoning_required: bool = False
    blank_reasoning: str | None = None
    # messages
    empty_content: Literal["omit", "null"] = "null"
    partial_message: Patch | None = None
    partial_body: Patch | None = None
    partial_with_json: bool = True
    # limits and sampling
    max_tokens_field: str = "max_tokens"
    pinned_sampling: bool = False
    refuses: Mapping[str, str] = field(default_factory=dict)
    stop_limit: int | None = None
    stop_bytes: int | None = None
    # tools and structured output
    tool_limit: int | None = None
    tool_names: str = OPENAI_NAMES
    tool_choices_thinking: frozenset[ChoiceMode] = ALL_CHOICES
    tool_choices_instant: frozenset[ChoiceMode] = ALL_CHOICES
    send_strict: bool = False
    schema: Literal["mfjs", "json_schema"] = "json_schema"
    structured: tuple[Literal["json_schema", "function_calling", "json_object"], ...] = (
        "json_schema",
        "function_calling",
        "json_object",
    )
    tools_with_output: bool = True
    builtin_tools: bool = False
    tool_media: bool = False
    # media
    media: frozenset[Literal["image", "video"]] | None = None
    media_urls: frozenset[Literal["data", "ms", "http"]] = frozenset({"data", "http"})
    # usage and cost
    stream_options: bool = True
    usage_paths: tuple[str, ...] = ("usage", "choices.0.usage")
    cached_paths: tuple[str, ...] = (
        "cached_tokens",
        "prompt_tokens_details.cached_tokens",
        "prompt_cache_hit_tokens",
    )
    reasoning_paths: tuple[str, ...] = ("completion_tokens_details.reasoning_tokens", "reasoning_tokens")
    cost_paths: tuple[str, ...] = ("usage.cost", "meta.usage.usd_spent", "usage.estimated_cost")
    cost_headers: tuple[str, ...] = ()
    id_headers: tuple[str, ...] = ("x-request-id",)
    prices: Mapping[str, Price] = field(default_factory=dict)
    # errors
    errors: tuple[ErrorRule, ...] = ()
    # the pair, and where all this is from
    per_model: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tier: Literal["verified", "documented", "community"] = "community"
    as_of: dt.date = dt.date(2026, 11, 1)
    source: str = ""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> core_schema.CoreSchema:
        """As a field of a framework's model, a row is taken as it is."""
        return core_schema.is_instance_schema(cls)


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
        advice="The model does not exist here (any more), or this account may not use it yet. "
        "`KimiClient.models()` lists what it may use.",
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
    takes_empty=False,  # "content must not be empty"
    tool_media=True,  # as kosong sends them; that every model reads them is unconfirmed
    thinking_default=True,
    thinking_on=_ON,
    thinking_off=_OFF,
    thinking_keep=_KEEP,
    # Sending both answers 400 `cannot specify both 'thinking' and 'reasoning_effort'`; K3 alone has levels.
    effort_field=None,
    reasoning_in=("reasoning_content",),
    reasoning_out="reasoning_content",
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
    media_urls=frozenset({"data", "ms"}),
    cost_paths=(),
    id_headers=("x-trace-id", "x-request-id"),
    errors=_MOONSHOT_ERRORS,
    per_model={
        "kimi-k3": _K3,
        "kimi-k3.1-pro": _K3,
        "kimi-k3.1-pro-highspeed": _K3,
        "kimi-k2.7-code": _K27,
        "kimi-k2.7-code-highspeed": _K27,
        "kimi-k2.5": {"thinking_keep": None},  # `keep` answers 400 there
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
            "kimi-k3.1-pro": Price(cached=0.20, input=2.00, output=10.00, as_of=_K31, source=SECONDARY),
            "kimi-k3.1-pro-highspeed": Price(cached=0.20, input=4.00, output=20.00, as_of=_K31, source=SECONDARY),
            "kimi-k3": Price(cached=0.30, input=3.00, output=15.00, as_of=_MODELS_PAGE),
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
