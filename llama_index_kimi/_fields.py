"""What can be set on a `KimiLLM`: its fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llama_index.core.llms.function_calling import FunctionCallingLLM
from pydantic import Field, SecretStr, field_serializer

from kimi_core import option_hints, options
from kimi_core.budget import Budget
from kimi_core.errors import ConfigError
from kimi_core.settings import Documents, FetchMedia, OnUnsupported, Settings, UploadMedia
from kimi_core.types import AgentSwarm, EmptyAnswer, JsonObject

DEFAULT_MODEL = "kimi-k2.6"

# Options of the connection that are fields too. The HTTP clients are not: they can be neither copied nor dumped.
_CONNECTION_FIELDS = (
    *("base_url", "api_key", "timeout", "chunk_timeout", "max_retries", "default_headers", "on_unsupported"),
    *("fetch_media", "local_files", "upload_media", "documents", "overrides", "fallback_hosts", "budget"),
)


class KimiFields(FunctionCallingLLM):
    """The fields of `KimiLLM`, beside those that every LLM of LlamaIndex has.

    What is frozen says where calls go and is settled at construction; the rest can also be given per call.
    """

    model: str = Field(
        default=DEFAULT_MODEL,
        description="A Kimi family id (`kimi-k2.6`), or an id as the host writes it.",
    )
    host: str = Field(
        default="",
        frozen=True,
        description="Whose endpoint: a name of `kimi_core.HOSTS`, or a `HostSpec` of your own. Default: `moonshot`, "
        "or the host that a known `base_url` belongs to.",
    )
    api_key: SecretStr | None = Field(
        default=None,
        exclude=True,
        repr=False,
        frozen=True,
        description="The key. Default: the host's environment variables (`MOONSHOT_API_KEY`, …).",
    )
    base_url: str = Field(
        default="",
        frozen=True,
        description="The address in use. Default: the host's environment variables, then its row.",
    )
    thinking: bool | dict[str, Any] | None = Field(
        default=None,
        description="None leaves the host's default; True or False switches; "
        '`{"type": "enabled", "keep": "all"}` also keeps the reasoning of earlier turns in view.',
    )
    reasoning_effort: str | None = Field(
        default=None,
        description="How hard to think, for models with levels (`low`, `high`, `max` on kimi-k3).",
    )
    max_tokens: int | None = Field(
        default=None,
        description="Most tokens to generate, thinking included. Default: the model's own (32768 for kimi-k2.6).",
    )
    temperature: float | None = Field(
        default=None,
        description="Not sent by default. Current Kimi models take only their own value on Moonshot; another is "
        "left out with a warning.",
    )
    top_p: float | None = Field(default=None, description="As `temperature`.")
    presence_penalty: float | None = Field(default=None, description="As `temperature`.")
    frequency_penalty: float | None = Field(default=None, description="As `temperature`.")
    n: int | None = Field(
        default=None,
        description="How many answers; not streamed. Where a host gives one at a time, by so many requests side by "
        "side. The response is the first; the texts of the others are in `additional_kwargs['alternatives']`.",
    )
    stop: str | list[str] | None = Field(
        default=None,
        description="Texts that end the answer. Moonshot takes at most 5, of at most 32 bytes each.",
    )
    seed: int | None = Field(default=None, description="For hosts that have one.")
    logprobs: bool | None = Field(default=None, description="Return log probabilities, in `ChatResponse.logprobs`.")
    top_logprobs: int | None = Field(default=None, description="How many alternatives per token, 0 to 20.")
    parallel_tool_calls: bool | None = Field(
        default=None,
        description="False takes one tool call per answer, and is told to hosts that have the switch.",
    )
    prompt_cache_key: str | None = Field(
        default=None, description="Identifies a session, so that the host finds its cached prefix."
    )
    prompt_cache_options: dict[str, str] | None = Field(
        default=None,
        description="How long the host keeps the prompt in its cache: "
        '`{"mode": "implicit", "ttl": "5m"}`, or `"1h"`, on Moonshot.',
    )
    safety_identifier: str | None = Field(
        default=None, description="A hash that identifies your user to the host's abuse detection."
    )
    empty_answer: EmptyAnswer | None = Field(
        default=None,
        description="What becomes of an answer that is nothing but reasoning: `retry` (the default) asks once more, "
        "`promote` makes the reasoning its text, `keep` hands it on. A stream is not asked for again: `retry` keeps it "
        "with a warning.",
    )
    runware: dict[str, Any] | None = Field(
        default=None,
        repr=False,
        description="Words of Runware's own protocol (`kimi_core.RunwareOptions`): "
        "`{'delivery': 'async', 'top_k': 40}`.",
    )
    server_tools: list[str | dict[str, Any]] | None = Field(
        default=None,
        description="The host's own tools, offered in every call beside its tools and run by this package: "
        "`$web_search`, formulas by their URI (`moonshot/web-search:latest`), or what `kimi_core.web_search` and "
        "`kimi_core.formula` make.",
    )
    max_server_rounds: int | None = Field(
        default=None,
        description="How often the host's own tools are run for one answer before `kimi_core.ServerRoundsError` is "
        "raised. Default: 8; 0 runs none and hands their calls on like those of other tools.",
    )
    extra_body: dict[str, Any] | None = Field(
        default=None,
        description="Fields of the host's API that have no word here; merged into the body last, untouched.",
    )
    extra_headers: dict[str, SecretStr] | None = Field(
        default=None, exclude=True, repr=False, description="Headers, beside `default_headers`."
    )
    timeout: Any = Field(
        default=None,
        frozen=True,
        description="Seconds, or an `openai.Timeout`. Default: the host spec's (an hour on Moonshot).",
    )
    chunk_timeout: float | None = Field(
        default=None,
        frozen=True,
        description="Longest silence of a stream in seconds. Default: the host spec's (900 on Moonshot).",
    )
    max_retries: int = Field(
        default=2,
        frozen=True,
        description="How often a call is repeated when waiting may help (overload, rate limits, connection errors).",
    )
    default_headers: dict[str, SecretStr] | None = Field(
        default=None, exclude=True, repr=False, frozen=True, description="Sent with every request."
    )
    on_unsupported: OnUnsupported = Field(
        default="warn",
        frozen=True,
        description="What happens with an option that this model or host cannot do: `warn` (once), `error`, `ignore`.",
    )
    fetch_media: FetchMedia = Field(
        default="public",
        frozen=True,
        description="Fetch pictures, videos and documents by http for hosts that fetch none: from `public` addresses "
        "only, from all (True), or not (False).",
    )
    local_files: bool | list[str] = Field(
        default=True,
        frozen=True,
        description="Read files of this machine that a block of a user's message names by its `path`: all (True), none "
        "(False), or those below one of these folders. Say False, or folders, where messages come from clients.",
    )
    upload_media: UploadMedia = Field(
        default="auto",
        frozen=True,
        description="Upload pictures and videos, where the host keeps files: what makes a request too large (`auto`), "
        "all (True), or none (False).",
    )
    documents: Documents = Field(
        default="error",
        frozen=True,
        description="What happens with documents that are not plain text: `extract` uploads them to a host that "
        "extracts their text; by default they are an `error`.",
    )
    overrides: dict[str, Any] | None = Field(
        default=None,
        frozen=True,
        description="Your own facts about model and host: fields of `kimi_core.HostSpec` and `kimi_core.ModelSpec`.",
    )
    fallback_hosts: Any = Field(
        default=None,
        repr=False,
        frozen=True,
        description="Hosts to ask, in order, when the host is overloaded, down, or out of credit: names, specs, or "
        'mappings of words about the connection (`{"host": "vllm", "base_url": …}`). A stream that has begun is '
        "continued where the next host can.",
    )
    budget: Budget | None = Field(
        default=None,
        exclude=True,
        repr=False,
        frozen=True,
        description="What all calls may cost that are made with this one `kimi_core.Budget`, by any number of models.",
    )
    agent: AgentSwarm | None = Field(
        default=None,
        description="Let Kimi split the work among agents of its own: `AgentSwarm(max_agents=30, max_steps=4000)`. "
        "Unconfirmed.",
    )
    strict: bool | None = Field(
        default=None,
        description="Whether tool arguments are constrained to their schema, where a tool does not say it itself. "
        "Default: the host's (Moonshot does constrain them).",
    )
    additional_kwargs: dict[str, Any] = Field(
        default_factory=dict,
        description="Further fields for the body, as LlamaIndex's integrations have it; `extra_body` wins over them.",
    )
    context_window: int | None = Field(
        default=None,
        gt=0,
        description="What `metadata` says instead of the model's spec: LlamaIndex cuts its prompts so that they and "
        "the answer fit into it. What is left for the answer is `max_tokens`, or 3072 tokens and at most a quarter.",
    )
    is_function_calling_model: bool = Field(
        default=True, description="What `metadata` says: False makes agents use prompts instead of tool calls."
    )
    repair: bool = Field(
        default=False,
        description="Ask once more when a structured answer does not fit, with the answer and what is wrong with it "
        "as further messages. Not after a token limit or a refusal, and not in streams.",
    )

    @field_serializer("overrides")
    def _facts_without_headers(self, facts: Any) -> Any:
        return facts and {name: fact for name, fact in facts.items() if name != "headers"}

    @field_serializer("fallback_hosts")
    def _plain_hosts(self, hosts: Any) -> list[dict[str, Any]]:
        """Return what of the fallback hosts JSON can hold. Keys and headers are nothing of it."""
        return [
            {
                **{word: value for word, value in host.items() if isinstance(value, str | int | float)},
                "host": host["host"].name,
            }
            for host in hosts or ()
        ]

    @field_serializer("timeout")
    def _plain_timeout(self, timeout: Any) -> float | None:
        return timeout if isinstance(timeout, int | float) else None


def split_additional(additional: Mapping[str, Any]) -> JsonObject:
    """Return `additional_kwargs` as options: those that have a name here, and the rest as `extra_body`.

    Raises:
        ConfigError: If something is no option; it would end up in the body, or in a dump.
        UnknownOptionError: If it is another library's name for such a thing.
    """
    chosen: JsonObject = {}
    body: JsonObject = {}
    for name, value in additional.items():
        option = options.ALIASES.get(name, name)
        if option in (*options.CONNECTION, *options.SERVED) or option == "extra_headers":
            raise ConfigError(f"{name} is an argument of its own; it cannot be given in additional_kwargs.")
        if option_hints.is_no_field_of_a_body(name):
            raise options.unknown(name)
        if option in options.OPTIONS:
            chosen[option] = value
        else:
            body[name] = value
    return {**chosen, "extra_body": {**body, **(chosen.get("extra_body") or {})}} if body else chosen


def connection_fields(settings: Settings) -> JsonObject:
    """Return the fields that say where calls go."""
    return {"host": settings.host.name, **{name: getattr(settings, name) for name in _CONNECTION_FIELDS}}


def given(arguments: Mapping[str, Any]) -> JsonObject:
    """Return arguments without what was left at None."""
    return {name: value for name, value in arguments.items() if value is not None}
