"""The fields of a host's spec.

The defaults are the generic spec: what an unknown OpenAI-compatible server can be expected to take. Toggles are JSON
merge patches on the request body, so a new way to switch thinking needs no code.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, SecretStr
from pydantic_core import core_schema

from kimi_core import errors as err
from kimi_core.headers import hidden

Patch: TypeAlias = Mapping[str, Any]
"""A JSON merge patch for the request body."""


def _check_pattern(given: str) -> str:
    try:
        re.compile(given)
    except re.error as error:
        raise ValueError(f"no regular expression, {error}") from None
    return given


Pattern: TypeAlias = Annotated[str, AfterValidator(_check_pattern)]
"""A regular expression."""

ChoiceMode: TypeAlias = Literal["auto", "none", "required", "named"]
ALL_CHOICES: frozenset[ChoiceMode] = frozenset({"auto", "none", "required", "named"})
DETAILS = "reasoning_details"
"""The key of reasoning that is an array."""
MOONSHOT_NAMES = r"[a-zA-Z_][a-zA-Z0-9\-_]{2,63}"
OPENAI_NAMES = r"[a-zA-Z0-9_\-]{1,64}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars per million tokens, as published on a day.

    Attributes:
        cached: For input tokens from the host's cache.
        input: For the other input tokens.
        output: For output tokens, reasoning included.
        writes: For input tokens that the host put into its cache, by lifetime (`5m`, `1h`); empty when writing
            costs what other input does.
        as_of: The day.
        source: Where it was read; empty for the host's own pages.
    """

    cached: float
    input: float
    output: float
    writes: Mapping[str, float] = field(default_factory=dict)
    as_of: dt.date
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retirement:
    """The end of a model on a host.

    Attributes:
        day: When the host stopped serving it.
        instead: The family that it serves in its place; empty when it serves none or it is unknown which.
        source: Where it was read; empty for the host's own pages.
    """

    day: dt.date
    instead: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRule:
    """Which error a host's answer means. All given conditions must hold; the first rule that fits wins.

    Attributes:
        error: The class to raise.
        status: HTTP status; None for any.
        kind: Regular expression for the host's error type or code (whole word, ignoring case).
        message: Regular expression looked for in the host's message, ignoring case.
        header: Response header that must be there.
        retry: Overrides whether the call is retried; None leaves it to the class.
        advice: What the user can do next.
    """

    error: type[err.APIError]
    status: int | None = None
    kind: Pattern | None = None
    message: Pattern | None = None
    header: str | None = None
    retry: bool | None = None
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HostSpec:
    """What is known about a host.

    Attributes:
        name: The name users write: `host="moonshot"`. Case and punctuation do not matter.
        aliases: Other names that people write for it (`llama-server`).
        title: Its name in prose.
        base_url: Where its API is; None when the user must say. What stands in braces is an environment variable:
            `https://{AZURE_RESOURCE_NAME}.services.ai.azure.com/openai/v1`.
        domains: Host names by which a `base_url` alone is recognised. One that begins with a dot stands for all below
            it; a port or the beginning of a path may follow (`localhost:8000`, `opencode.ai/zen/go`). The longest wins.
            `localhost` stands for every spelling of this machine.
        key_env: Environment variables that may hold the key, in order.
        base_url_env: Environment variables that may hold another address, in order.
        key_required: Whether it refuses calls without a key.
        key_header: Header that holds the bare key; None sends it as a bearer token.
        foreign_keys: Beginnings of keys that belong elsewhere, and where.
        codec: The protocol it speaks.
        path: Where answers are asked for, below `base_url`; empty for `base_url` itself.
        endpoint: What this endpoint is called, where the host has several. Every answer has it in `extra`.
        compatible: Fields of this spec that differ at the host's other endpoint. Calls for which its own protocol has
            no documented form go there (see `kimi_core.request.endpoint_choice`). None: all calls go to this one.
        count_path: Where prompt tokens are counted; None when it has no such endpoint.
        timeout: Seconds to wait for an answer when the user does not say.
        chunk_timeout: Longest silence of a stream in seconds when the user does not say; None leaves it to `timeout`.
        retry_timeouts: Whether a call that timed out is repeated; it may be billed twice.
        takes_empty: Whether user and system messages may be empty.
        empty_result: Stands for a tool's empty result where content must not be empty; None leaves it empty.
        takes_refusal: Whether `refusal` of an assistant's message is read. Where not, a refusal goes back as its text.
        headers: Sent with every request.
        model_ids: How it writes the family ids; others are passed through as they are.
        retired: Families that it no longer serves, by their id: since when, and what it serves instead.
        thinking_ids: Names that guides give to a family that thinks, which the host does not know as models: the call
            goes to the family, with one warning, and with thinking on unless the user switched it off.
        model_id_form: What each of its ids is like, as a regular expression; any other is an error before any I/O.
        thinking_default: Whether it thinks when no thinking option is sent; None when unknown.
        thinking_on: Patch that switches thinking on; None when there is none.
        thinking_off: Patch that switches it off; None when it cannot be switched off.
        thinking_least: The effort that stands in for no thinking where a model always thinks; None: nothing does.
        thinking_keep: Patch for `keep="all"`; None when it has no such option.
        effort_field: Where the effort goes in the body, as a dotted path; None when it has none.
        effort_words: Other names that users know for its levels.
        effort_alone: It refuses an effort beside another thinking option.
        effort_heeded: Whether the effort is known to change anything; where it is not, it is sent with a warning.
        reasoning_in: Keys under which reasoning arrives, first that holds text wins. `reasoning_details` is read as
            the array it is, beside the text of another key.
        reasoning_out: Key under which it goes back. `observed` repeats the key it came under, with the details beside
            it; `reasoning_details` sends these in its place, and the text under the first key when there are none.
            Empty: it does not go back.
        think_tags: Where `<think>…</think>` in the text of an answer is a thought: nowhere (`no`), when the answer
            begins with it (`leading`), `anywhere`, or the answer begins inside it, since the opening tag is part of
            the prompt (`opened`).
        leaked_calls: Whether tool calls in the template's own tokens (`<|tool_calls_section_begin|>…`) are read out of
            text and reasoning. Only when tools are on offer; with `tool_choice="none"` they are taken out for good.
        reads_arguments: It reads the arguments of earlier calls as JSON, and refuses a conversation in which some are
            no object; they are written as one.
        reasoning_required: It refuses assistant turns with tool calls that lack their reasoning.
        blank_reasoning: Stands in for reasoning that a foreign history lacks; None leaves it out.
        kept_reasoning_required: While the reasoning of all turns is kept in view, it refuses any assistant turn without
            the field; an empty text will do where no tools are called.
        empty_content: How an assistant turn without text is written: without `content`, or with null.
        partial_message: Patch for the last message when the model is to continue it; None when it has no such mode.
        partial_body: Patch for the body for the same.
        partial_with_json: Whether it may be combined with `json_object`.
        partial_thinking: Whether it may be combined with thinking. Where not, thinking that was left open is switched
            off for such a call.
        max_tokens_field: Its name for the token limit.
        pinned_sampling: It takes only the model's recommended sampling values.
        refuses: Options it refuses or ignores, and what to do instead.
        arguments: What it calls an option in its errors -> what the user calls it.
        most_answers: Most answers that one request can ask for (`n`); the client asks for more side by side.
        refused_option: Regular expression for its message when it refuses an option's value, with the group `option`.
            The call is then made again without that option. None: its message does not name the option.
        stop_limit: Most stop sequences it takes.
        stop_bytes: Longest stop sequence in bytes of UTF-8.
        tool_limit: Most tools it takes.
        tool_names: Regular expression of legal tool names.
        tool_choices_thinking: Legal tool choices while thinking.
        tool_choices_instant: Legal tool choices while not thinking.
        send_strict: Whether a tool may carry `strict`.
        forced_strict: Whether the arguments of a forced call are held to the schema only with `strict`: it is then sent
            with every function that does not set it.
        schema: The schema dialect it takes.
        structured: Ways to a structured answer, best first.
        tools_with_output: Whether tools and a response format may go together. Where not, the schema wins and no tool
            is called, or the host refuses.
        routing: Patch for calls with tools, a response format or thinking options: it keeps a gateway from upstreams
            that would ignore them.
        builtin_tools: Whether it knows `builtin_function` tools.
        builtin_thinking: Whether the model can think in calls that offer them.
        own_tools: Types of tools that it runs itself, within one call (`search`).
        agent_swarm: Whether it takes `agent` (an `AgentSwarm`) in the body; `unconfirmed` sends it with a warning.
        formulas_path: Where formula tools are listed and run; None when it has none.
        search_path: Where the web is searched without a model; None when it has no such endpoint.
        tool_media: Whether a tool's result may hold pictures; else they go into a user message behind it.
        media: What it reads, where it reads less than the model could; None for all of the model's.
        media_urls: Kinds of media URL it takes: `data`, `ms` (uploaded file), `http`.
        foreign_files: Regular expression of ids that are another provider's, and none of its own files. In a tool's
            result or a model's message such a file is left out; in the user's own it goes as it was given.
        inline_limit: Bytes of `data:` URLs that one request may hold beside its text; None when unknown.
        message_limit: Most bytes that all messages together may have as JSON; None when unknown.
        files_path: Where files are uploaded and kept; None when it has no such endpoint.
        file_purposes: What they may be uploaded for.
        file_limit: Largest file in bytes; None when unknown.
        balance_path: Where the account's balance is asked for; None when it has no such endpoint.
        stream_options: Whether `stream_options.include_usage` may be sent.
        usage_paths: Where the usage object stands, in a body or a chunk.
        cached_paths: Where the cached tokens stand, inside the usage object.
        cache_write_paths: Where the tokens stand that were put into the cache, inside the usage object.
        reasoning_paths: Where the reasoning tokens stand, inside the usage object.
        cost_paths: Where the price in US dollars stands. A spec that sets it promises that the host reports one, which
            budgets in dollars rely on; the default only looks there.
        cost_headers: Response headers that hold the price.
        id_headers: Response headers that hold the request's id.
        id_paths: Where an error's body holds it.
        prices: Published prices by family id, for estimates where it reports no cost.
        cache_ttls: Lifetimes that `prompt_cache_options` may ask for, its default first; empty when it has no such
            option.
        errors: Its error rules, looked at before the general ones.
        per_model: What differs for one family here: fields of this spec or of the model's.
        per_suffix: The same for ids that end so (`:together`), which may stand behind a family id as well.
        tier: `verified` by calls of our own, `documented` by the host, or `community` knowledge.
        as_of: When the spec was last checked.
        source: Where its facts come from.
        note: What a user should know before choosing it.
    """

    name: str
    title: str
    aliases: tuple[str, ...] = ()
    base_url: str | None = None
    domains: tuple[str, ...] = ()
    key_env: tuple[str, ...] = ()
    base_url_env: tuple[str, ...] = ()
    key_required: bool = True
    key_header: str | None = None
    foreign_keys: Mapping[str, str] = field(default_factory=dict)
    codec: Literal["chat", "runware"] = "chat"
    path: str = "/chat/completions"
    endpoint: str = ""
    compatible: Mapping[str, Any] | None = None
    count_path: str | None = None
    timeout: float = 600
    chunk_timeout: float | None = None
    retry_timeouts: bool = True
    takes_empty: bool = True
    empty_result: str | None = None
    takes_refusal: bool = False
    headers: Mapping[str, str | SecretStr] = field(default_factory=dict)
    model_ids: Mapping[str, str] = field(default_factory=dict)
    retired: Mapping[str, Retirement] = field(default_factory=dict)
    thinking_ids: Mapping[str, str] = field(default_factory=dict)
    model_id_form: Pattern | None = None
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
    thinking_least: str | None = None
    effort_field: str | None = "reasoning_effort"
    effort_words: Mapping[str, str] = field(default_factory=dict)
    effort_alone: bool = False
    effort_heeded: bool = True
    # reasoning
    reasoning_in: tuple[str, ...] = ("reasoning_content", "reasoning", DETAILS)
    reasoning_out: str = "observed"
    think_tags: Literal["no", "leading", "anywhere", "opened"] = "leading"
    leaked_calls: bool = True
    reads_arguments: bool = False
    reasoning_required: bool = False
    blank_reasoning: str | None = None
    kept_reasoning_required: bool = False
    # messages
    empty_content: Literal["omit", "null"] = "null"
    partial_message: Patch | None = None
    partial_body: Patch | None = None
    partial_with_json: bool = True
    partial_thinking: bool = True
    # limits and sampling
    max_tokens_field: str = "max_tokens"
    pinned_sampling: bool = False
    refuses: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping[str, str] = field(default_factory=dict)
    most_answers: int = 1
    # Moonshot's words, which gateways in front of it hand on.
    refused_option: Pattern | None = (
        r"invalid (?P<option>temperature|top_p|n|presence_penalty|frequency_penalty): only .+ is allowed"
    )
    stop_limit: int | None = None
    stop_bytes: int | None = None
    # tools and structured output
    tool_limit: int | None = None
    tool_names: Pattern = OPENAI_NAMES
    tool_choices_thinking: frozenset[ChoiceMode] = ALL_CHOICES
    tool_choices_instant: frozenset[ChoiceMode] = ALL_CHOICES
    send_strict: bool = False
    forced_strict: bool = False
    schema: Literal["mfjs", "json_schema"] = "json_schema"
    structured: tuple[Literal["json_schema", "function_calling", "json_object"], ...] = (
        "json_schema",
        "function_calling",
        "json_object",
    )
    tools_with_output: bool = True
    routing: Patch | None = None
    builtin_tools: bool = False
    builtin_thinking: bool = True
    own_tools: tuple[str, ...] = ()
    agent_swarm: Literal["no", "unconfirmed", "yes"] = "no"
    formulas_path: str | None = None
    search_path: str | None = None
    tool_media: bool = False
    # media
    media: frozenset[Literal["image", "video"]] | None = None
    media_urls: frozenset[Literal["data", "ms", "http"]] = frozenset({"data", "http"})
    foreign_files: Pattern | None = None
    inline_limit: int | None = None
    message_limit: int | None = None
    files_path: str | None = None
    file_purposes: tuple[str, ...] = ()
    file_limit: int | None = None
    balance_path: str | None = None
    # usage and cost
    stream_options: bool = True
    usage_paths: tuple[str, ...] = ("usage", "choices.0.usage")
    cached_paths: tuple[str, ...] = (
        "cached_tokens",
        "prompt_tokens_details.cached_tokens",
        "prompt_cache_hit_tokens",
    )
    cache_write_paths: tuple[str, ...] = (
        "prompt_tokens_details.cache_write_tokens",
        "prompt_tokens_details.created_cache_tokens",
    )
    reasoning_paths: tuple[str, ...] = ("completion_tokens_details.reasoning_tokens", "reasoning_tokens")
    cost_paths: tuple[str, ...] = ("usage.cost", "meta.usage.usd_spent", "usage.estimated_cost")
    cost_headers: tuple[str, ...] = ()
    id_headers: tuple[str, ...] = ("x-request-id",)
    id_paths: tuple[str, ...] = ()
    prices: Mapping[str, Price] = field(default_factory=dict)
    cache_ttls: tuple[str, ...] = ()
    # errors
    errors: tuple[ErrorRule, ...] = ()
    # the pair, and where all this is from
    per_model: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    per_suffix: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tier: Literal["verified", "documented", "community"] = "community"
    as_of: dt.date = dt.date(2026, 11, 1)
    source: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if self.headers:
            object.__setattr__(self, "headers", hidden(self.headers))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> core_schema.CoreSchema:
        """Return a schema by which a framework's model takes a spec as it is."""
        return core_schema.is_instance_schema(cls)
