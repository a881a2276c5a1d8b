"""The table of the options of the connection, where calls go and how: one line an option.

Both frameworks' classes have these fields, `Settings` holds what becomes of them, their types are what is checked, and
their texts are the documentation's. All are fixed at construction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from kimi_core.budget import Budget
from kimi_core.call_options import Headers
from kimi_core.hosts.spec import HostSpec
from kimi_core.limits import Limits

OnUnsupported: TypeAlias = Literal["warn", "error", "ignore"]
FetchMedia: TypeAlias = Literal["public"] | bool
UploadMedia: TypeAlias = Literal["auto"] | bool
Documents: TypeAlias = Literal["extract", "error"]
LocalFiles: TypeAlias = bool | Sequence[str | PathLike[str]]

ApiKey: TypeAlias = str | SecretStr

FallbackHost: TypeAlias = str | HostSpec | Mapping[str, Any]
"""A host to ask when another fails: its name, a spec, or options of the connection to it (`host`, `base_url`,
`api_key`, `timeout`, …, and `model` where its id there is one of its own)."""

LONGEST_TIMEOUT: Final = 1_000_000_000
"""Seconds. An HTTP client takes no endless timeout and no NaN."""

OF_ONE_HOST: Final = ("host", "api_key", "base_url", "default_headers", "limits")
"""Options that do not hold for another host: its address, all that may hold credentials, and what it lets through."""


class ConnectionOptions(BaseModel):
    """Options of the connection that every class has."""

    model_config = ConfigDict(
        arbitrary_types_allowed=True,
        protected_namespaces=(),
        hide_input_in_errors=True,  # a key or header among them
        defer_build=True,  # built with the first value that is checked
    )

    host: str | HostSpec | Mapping[str, Any] | None = Field(
        default=None,
        frozen=True,
        description="Whose endpoint: a name of `kimi_core.HOSTS`, or a spec of your own (a `HostSpec`; for `ChatKimi` "
        "also a mapping with its facts by name, as `dumps` writes it). Default: `moonshot`, or the host that a known "
        "`base_url` belongs to.",
    )
    api_key: SecretStr | None = Field(
        default=None,
        repr=False,
        frozen=True,
        description="The key. Default: the host's environment variables (`MOONSHOT_API_KEY`, …).",
    )
    base_url: str | None = Field(
        default=None,
        frozen=True,
        description="Another address of the host. Default: the host's environment variables, then its spec.",
    )
    timeout: Any = Field(
        default=None,
        frozen=True,
        description="Seconds, an `openai.Timeout`, or (for `ChatKimi`) a mapping of what one takes "
        '(`{"connect": 5, "read": 600, …}`). Default: the host spec\'s (an hour on Moonshot).',
    )
    chunk_timeout: float | None = Field(
        default=None,
        frozen=True,
        gt=0,
        le=LONGEST_TIMEOUT,
        description="Longest silence of a stream in seconds, before its beginning and between its chunks; comments are "
        "none. Default: the "
        "host spec's (900 on Moonshot), or `timeout` where that is shorter.",
    )
    deadline: float | None = Field(
        default=None,
        frozen=True,
        gt=0,
        le=LONGEST_TIMEOUT,
        description="Seconds that a call may take as a whole: fetching media, waiting, retries, fallback hosts, server "
        "tools and the stream's last chunk included. `timeout` and `chunk_timeout` hold from one read to the next.",
    )
    attempt_deadline: float | None = Field(
        default=None,
        frozen=True,
        gt=0,
        le=LONGEST_TIMEOUT,
        description="Seconds that one request may take as a whole, a stream up to its last chunk. What is late is "
        "repeated like what timed out.",
    )
    max_retries: int = Field(
        default=2,
        frozen=True,
        ge=0,
        description="How often a call is repeated when waiting may help (overload, rate limits, connection errors).",
    )
    default_headers: Headers | None = Field(
        default=None,
        repr=False,
        exclude=True,
        frozen=True,
        description="Sent with every request. Texts will do; they are kept as `SecretStr`.",
    )
    async_transport: Literal["aiohttp"] | None = Field(
        default=None,
        frozen=True,
        description='`"aiohttp"` sends asynchronous calls by aiohttp, which costs less where many are made at once: a '
        "tenth with openai 2, half with openai 3 (install `kimi-adapters[aiohttp]`). Default: the SDK's library.",
    )
    on_unsupported: OnUnsupported = Field(
        default="warn",
        frozen=True,
        description="What happens with an option that this model or host cannot do: `warn` (once), `error`, or "
        "`ignore`.",
    )
    fetch_media: FetchMedia = Field(
        default="public",
        frozen=True,
        description='Fetch pictures, videos and documents by http for hosts that fetch none: from `"public"` addresses '
        "only, from all (True), or not (False).",
    )
    local_files: LocalFiles = Field(
        default=True,
        frozen=True,
        description="Read files of this machine that a block names: for `ChatKimi` by a path object "
        '(`{"type": "image", "path": Path("a.png")}`), for `KimiLLM` by the `path` of a block in a user\'s message. '
        "All (True), none (False), or those below one of these folders. Text in a message opens no file. Give False, "
        "or folders, where messages come from clients.",
    )
    upload_media: UploadMedia = Field(
        default="auto",
        frozen=True,
        description="Upload pictures and videos, where the host keeps files: what makes a request too large "
        '(`"auto"`), all (True), or none (False).',
    )
    documents: Documents = Field(
        default="error",
        frozen=True,
        description='What happens with documents that are not plain text: `"extract"` uploads them to a host that '
        'extracts their text; by default they are an `"error"`.',
    )
    overrides: Mapping[str, Any] | None = Field(
        default=None,
        frozen=True,
        description="Your own facts: of the host by group and field of `kimi_core.HostSpec` (`thinking.off`), of the "
        "model by the field of `kimi_core.ModelSpec` alone (`context`).",
    )
    fallback_hosts: Any = Field(
        default=None,
        repr=False,
        frozen=True,
        description="Hosts to ask, in order, when the host is overloaded, down, or out of credit: names, specs, or "
        'mappings of options of the connection (`{"host": "vllm", "base_url": …}`). A stream that has begun is '
        "continued where the next host can.",
    )
    resume: Literal["auto"] | None = Field(
        default=None,
        frozen=True,
        description='`"auto"` has a stream that breaks off in its text continued by the same host, where that can '
        "continue an answer (partial mode), at most twice; then come the fallback hosts. The seams are in the metadata "
        "(`resumed`).",
    )
    budget: Budget | None = Field(
        default=None,
        repr=False,
        exclude=True,
        frozen=True,
        description="What all calls may cost that are made with this one `kimi_core.Budget`, by any number of models.",
    )
    limits: Limits | None = Field(
        default=None,
        repr=False,
        frozen=True,
        description="What may be asked with this key in a minute, in a day and at the same time, by this process or, "
        "through a Redis, by many; calls wait for it. `kimi_core.Limits`, a mapping of its arguments, or an account's "
        'tier (`"tier0"`).',
    )


class ClientOptions(ConnectionOptions):
    """Options of the connection with the HTTP clients, which can be neither copied nor dumped."""

    http_client: Any = Field(
        default=None,
        repr=False,
        exclude=True,
        frozen=True,
        description="A client for sync calls to use instead of our own (anything `openai.OpenAI` takes).",
    )
    http_async_client: Any = Field(
        default=None,
        repr=False,
        exclude=True,
        frozen=True,
        description="The same for async calls (anything `openai.AsyncOpenAI` takes).",
    )
