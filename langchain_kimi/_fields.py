"""What can be set on a `ChatKimi`: its fields, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from langchain_core.language_models import BaseChatModel
from pydantic import ConfigDict, Field, SecretStr, SkipValidation, field_serializer

from kimi_core.budget import Budget
from kimi_core.hosts.registry import HostSpec
from kimi_core.options import ThinkingOption
from kimi_core.settings import Documents, FetchMedia, LocalFiles, OnUnsupported, UploadMedia
from kimi_core.types import AgentSwarm, EmptyAnswer

DEFAULT_MODEL = "kimi-k2.6"


class KimiFields(BaseChatModel):
    """The fields of `ChatKimi`, beside those that every chat model of LangChain has.

    What is frozen says where calls go and is fixed at construction; the rest can also be given per call.
    """

    model_config = ConfigDict(
        populate_by_name=True,
        arbitrary_types_allowed=True,
        protected_namespaces=(),
        hide_input_in_errors=True,  # a key or header among them
        defer_build=True,  # nobody makes one of these; `ChatKimi` builds its own schema
    )

    model_name: str = Field(default=DEFAULT_MODEL, alias="model")
    """A Kimi family id (`kimi-k2.6`), or an id as the host writes it."""

    # ------------------------------------------------------------------------------------ where calls go

    host: str | HostSpec | Mapping[str, Any] | None = Field(default=None, frozen=True)
    """Whose endpoint: a name of `kimi_core.HOSTS`, or a spec of your own (a `HostSpec`, or a mapping with its fields,
    as `dumps` writes it). Default: `moonshot`, or the host that a known `base_url` belongs to."""

    api_key: SecretStr | None = Field(default=None, repr=False, frozen=True)
    """The key. Default: the host's environment variables (`MOONSHOT_API_KEY`, …)."""

    base_url: str | None = Field(default=None, frozen=True)
    """Another address of the host. Default: the host's environment variables, then its row."""

    timeout: Any = Field(default=None, frozen=True)
    """Seconds, an `openai.Timeout`, or a mapping of what one takes (`{"connect": 5, "read": 600, …}`). Default: the
    host spec's (an hour on Moonshot)."""

    chunk_timeout: float | None = Field(default=None, frozen=True)
    """Longest silence of a stream in seconds, before its beginning and between its chunks. Default: the host spec's
    (900 on Moonshot), or `timeout` where that is shorter."""

    max_retries: int = Field(default=2, frozen=True)
    """How often a call is repeated when waiting may help (overload, rate limits, connection errors)."""

    default_headers: Mapping[str, SecretStr] | None = Field(default=None, repr=False, exclude=True, frozen=True)
    """Sent with every request. Texts will do; they are kept as `SecretStr`."""

    http_client: Any = Field(default=None, repr=False, exclude=True, frozen=True)
    """A client for sync calls to use instead of the SDK's own (anything `openai.OpenAI` takes)."""

    http_async_client: Any = Field(default=None, repr=False, exclude=True, frozen=True)
    """The same for async calls (anything `openai.AsyncOpenAI` takes)."""

    on_unsupported: OnUnsupported = Field(default="warn", frozen=True)
    """What happens with an option that this model or host cannot do: `warn` (once), `error`, or `ignore`."""

    fetch_media: FetchMedia = Field(default="public", frozen=True)
    """Fetch pictures, videos and documents by http for hosts that fetch none: from `"public"` addresses only, from all
    (True), or not (False)."""

    local_files: LocalFiles = Field(default=True, frozen=True)
    """Read files of this machine that a block names by a path object (`{"type": "image", "path": Path("a.png")}`): all
    (True), none (False), or those below one of these folders. Text in a message opens no file."""

    upload_media: UploadMedia = Field(default="auto", frozen=True)
    """Upload pictures and videos, where the host keeps files: what makes a request too large (`"auto"`), all (True), or
    none (False)."""

    documents: Documents = Field(default="error", frozen=True)
    """What happens with documents that are not plain text: `"extract"` uploads them to a host that extracts their
    text; by default they are an `"error"`."""

    overrides: Mapping[str, Any] | None = Field(default=None, frozen=True)
    """Your own facts about model and host: fields of `kimi_core.HostSpec` and `kimi_core.ModelSpec`."""

    fallback_hosts: Any = Field(default=None, repr=False, exclude=True, frozen=True)
    """Hosts to ask, in order, when the host is overloaded, down, or out of credit: names, specs, or mappings of
    options of the connection (`{"host": "vllm", "base_url": …}`). A stream that has begun is continued where the next
    host can."""

    budget: Budget | None = Field(default=None, repr=False, exclude=True, frozen=True)
    """What all calls may cost that are made with this one `kimi_core.Budget`, by any number of models."""

    # -------------------------------------------------------------------------------------- what is asked

    thinking: Annotated[ThinkingOption, SkipValidation] = None
    """None leaves the host's default; True or False switches; `{"type": "enabled", "keep": "all"}` also keeps the
    reasoning of earlier turns in view."""

    reasoning_effort: str | None = None
    """How hard to think, for models with levels (`low`, `high`, `max` on kimi-k3)."""

    max_tokens: int | None = None
    """Most tokens to generate, thinking included. Default: the model's own (32768 for kimi-k2.6)."""

    temperature: float | None = None
    """Not sent by default. Current Kimi models take only their own value on Moonshot; another is left out with a
    warning."""

    top_p: float | None = None
    """As `temperature`."""

    presence_penalty: float | None = None
    """As `temperature`."""

    frequency_penalty: float | None = None
    """As `temperature`."""

    n: int | None = None
    """How many answers, as so many generations; not streamed. Where a host gives one at a time, by so many requests
    side by side."""

    stop: str | Sequence[str] | None = None
    """Texts that end the answer. Moonshot takes at most 5, of at most 32 bytes each."""

    seed: int | None = None
    """For hosts that have one."""

    logprobs: bool | None = None
    """Return log probabilities, in `response_metadata["logprobs"]`."""

    top_logprobs: int | None = None
    """How many alternatives per token, 0 to 20."""

    parallel_tool_calls: bool | None = None
    """False takes one tool call per answer, the first, and is sent to hosts that have the switch."""

    prompt_cache_key: str | None = None
    """Identifies a session, so that the host finds its cached prefix."""

    prompt_cache_options: Mapping[str, str] | None = None
    """How long the host keeps the prompt in its cache: `{"mode": "implicit", "ttl": "5m"}`, or `"1h"`, on Moonshot."""

    safety_identifier: str | None = None
    """A hash that identifies your user to the host's abuse detection."""

    empty_answer: EmptyAnswer | None = None
    """What becomes of an answer that is nothing but reasoning: `retry` (the default) asks once more, `promote` makes
    the reasoning its text, `keep` hands it on. A stream is not asked for again: `retry` keeps it with a warning."""

    runware: Mapping[str, Any] | None = Field(default=None, repr=False)
    """Options of Runware's own protocol (`kimi_core.RunwareOptions`): `{"delivery": "async", "top_k": 40}`."""

    server_tools: Sequence[str | Mapping[str, Any]] | None = None
    """The host's own tools, offered in every call beside its tools and run by this package: `$web_search`, formulas by
    their URI (`moonshot/web-search:latest`), or what `kimi_core.web_search` and `kimi_core.formula` make."""

    max_server_rounds: int | None = None
    """How often the host's own tools are run for one answer before `kimi_core.ServerRoundsError` is raised. Default:
    8; 0 runs none and hands their calls on in `tool_calls`."""

    agent: AgentSwarm | None = None
    """Let Kimi split the work among agents of its own: `AgentSwarm(max_agents=30, max_steps=4000)`. Unconfirmed."""

    extra_body: Mapping[str, Any] | None = None
    """Fields of the host's API that have no option here; merged into the body last, untouched."""

    extra_headers: Mapping[str, SecretStr] | None = Field(default=None, repr=False, exclude=True)
    """Headers, beside `default_headers`."""

    # ------------------------------------------------------------------------------ how LangChain gets it

    streaming: bool | None = None
    """True streams internally even when invoked; False never streams, not even in `stream`."""

    stream_usage: bool = True
    """Ask for usage when streaming, of hosts that must be asked (`stream_options`)."""

    cost_in_usage: bool = False
    """Tell LangSmith the price in US dollars, in the usage of its runs (`total_cost`; `input_cost` and `output_cost`
    too when it is an estimate). The usage of messages stays whole numbers: their price is
    `response_metadata["cost_usd"]`."""

    include_response_headers: bool = False
    """Put the headers of the host's answer into `response_metadata["headers"]`."""

    include_prefill: bool = False
    """Begin an answer that continues a partial message (`langchain_kimi.prefill`) with the text of that message. Hosts
    send only what comes after it."""

    @field_serializer("overrides")
    def _facts_without_headers(self, facts: Mapping[str, Any] | None) -> Any:
        return facts and {name: fact for name, fact in facts.items() if name != "headers"}
