"""`ChatKimi`: Kimi as a LangChain chat model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LangSmithParams, LanguageModelInput, ModelProfile
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from pydantic import ConfigDict, Field, PrivateAttr, SecretStr, SkipValidation, model_validator

from kimi_core import __version__, forms, options
from kimi_core.client import AsyncKimiClient, KimiClient
from kimi_core.hosts import HOSTS, HostRow
from kimi_core.options import ThinkingOption
from kimi_core.settings import OnUnsupported, Settings, make_settings
from kimi_core.types import JsonObject, OutputFormat, Request
from langchain_kimi import _blocks, _errors
from langchain_kimi._convert import PROVIDER, to_ai_message, to_messages
from langchain_kimi._profile import model_profile
from langchain_kimi._settled import SettledKey, SettledProfile, SettledUrl, settled, without_strangers
from langchain_kimi._stream import ChunkMaker

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

_errors.register()
_blocks.register()

DEFAULT_MODEL = "kimi-k2.6"
StructuredMethod = Literal["auto", "json_schema", "function_calling", "json_mode"]

# Words of a call that LangChain brings or `bind_tools` binds.
_OWN = ("model", "model_name", "tools", "tool_choice", "response_format", "structured_output", "stream")
_SECRET = ("api_key", "default_headers", "extra_headers", "http_client", "http_async_client")


class ChatKimi(BaseChatModel):
    """Kimi models (Moonshot AI) in LangChain, from any host that serves them.

    Setup:
        Install `kimi-adapters[langchain]` and set `MOONSHOT_API_KEY` (or the variable of another host).

    Instantiate:
        ```python
        from langchain_kimi import ChatKimi

        model = ChatKimi(model="kimi-k2.6")
        ```

    Invoke:
        ```python
        message = model.invoke("What is the capital of France?")
        message.text  # the answer
        message.content_blocks  # reasoning and answer, as standard blocks
        ```

    Stream:
        ```python
        for chunk in model.stream("Tell me about MoE models."):
            print(chunk.text, end="", flush=True)
        ```

    Tool calling:
        ```python
        model.bind_tools([get_weather]).invoke("What is the weather in Tokyo?").tool_calls
        ```
        Reasoning stays on the messages and is sent back, as Kimi demands in tool loops.

    Structured output:
        ```python
        model.with_structured_output(Person).invoke("Ada Lovelace was 36.")
        ```

    Token usage:
        ```python
        message.usage_metadata  # input, output and total tokens; cached and reasoning tokens in the details
        message.response_metadata["cost_usd"]
        ```

    Every option of the constructor can also be given per call (or bound with `bind`), and the call wins. An option
    that does not exist raises `kimi_core.UnknownOptionError`. What says where calls go (`host`, `base_url`, `api_key`,
    `timeout`, …) is settled at construction and frozen; for another host make another model.
    """

    model_config = ConfigDict(populate_by_name=True, arbitrary_types_allowed=True, protected_namespaces=())

    model_name: str = Field(default=DEFAULT_MODEL, alias="model")
    """A Kimi family id (`kimi-k2.6`), or an id as the host writes it."""

    host: str | HostRow | None = Field(default=None, frozen=True)
    """Whose endpoint: a name of `kimi_core.HOSTS` or a row of your own. Default: `moonshot`, or the host that a
    known `base_url` belongs to."""

    api_key: SecretStr | None = Field(default=None, repr=False, frozen=True)
    """The key. Default: the host's environment variables (`MOONSHOT_API_KEY`, …)."""

    base_url: str | None = Field(default=None, frozen=True)
    """Another address of the host. Default: the host's environment variables, then its row."""

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
    """Only 1: one call gives one answer."""

    stop: str | Sequence[str] | None = None
    """Texts that end the answer. Moonshot takes at most 5, of at most 32 bytes each."""

    seed: int | None = None
    """For hosts that have one."""

    logprobs: bool | None = None
    """Return log probabilities, in `response_metadata["logprobs"]`."""

    top_logprobs: int | None = None
    """How many alternatives per token, 0 to 20."""

    parallel_tool_calls: bool | None = None
    """For hosts that have the switch."""

    prompt_cache_key: str | None = None
    """Identifies a session, so that the host finds its cached prefix."""

    safety_identifier: str | None = None
    """A hash that identifies your user to the host's abuse detection."""

    extra_body: Mapping[str, Any] | None = None
    """Fields of the host's API that have no word here; merged into the body last, untouched."""

    extra_headers: Mapping[str, str] | None = Field(default=None, repr=False, exclude=True)
    """Headers, beside `default_headers`."""

    timeout: Any = Field(default=None, frozen=True)
    """Seconds, or an `openai.Timeout`. Default: the host row's (an hour on Moonshot)."""

    max_retries: int = Field(default=2, frozen=True)
    """How often a call is repeated when waiting may help (overload, rate limits, connection errors)."""

    default_headers: Mapping[str, str] | None = Field(default=None, repr=False, exclude=True, frozen=True)
    """Sent with every request."""

    http_client: Any = Field(default=None, repr=False, exclude=True, frozen=True)
    """A client for sync calls to use instead of the SDK's own (anything `openai.OpenAI` takes)."""

    http_async_client: Any = Field(default=None, repr=False, exclude=True, frozen=True)
    """The same for async calls (anything `openai.AsyncOpenAI` takes)."""

    on_unsupported: OnUnsupported = Field(default="warn", frozen=True)
    """What happens with an option that this model or host cannot do: `warn` (once), `error`, or `ignore`."""

    overrides: Mapping[str, Any] | None = Field(default=None, frozen=True)
    """Your own facts about model and host: fields of `kimi_core.HostRow` and `kimi_core.ModelRow`."""

    streaming: bool = False
    """Stream internally even when invoked."""

    _clients: tuple[KimiClient, AsyncKimiClient] = PrivateAttr()

    def __init__(self, **given: Any) -> None:
        """Make a model. Reads the environment, and does no I/O.

        Raises:
            UnknownOptionError: An option that does not exist.
            ConfigError: A value that is wrong, or a host that does not exist.
        """
        given = {options.ALIASES.get(word, word): value for word, value in given.items()}
        _check_words(type(self), given)
        options.parse({k: given[k] for k in ("thinking", "reasoning_effort") if k in given})
        model = given.get("model", given.get("model_name", DEFAULT_MODEL))
        given = without_strangers(given, getattr(given.get("host"), "name", given.get("host")), model)
        settings = make_settings(**{word: given.pop(word) for word in options.CONNECTION if word in given})
        super().__init__(**given, **settings.arguments() | {"host": _host(settings), "api_key": settings.api_key})
        self._clients = (KimiClient(settings), AsyncKimiClient(settings))
        self._settle(settings)

    def _settle(self, settings: Settings) -> None:
        """Mark what was settled with what it belongs to."""
        host, key = settings.host.name, settings.api_key
        self.__dict__["base_url"] = settled(SettledUrl(settings.base_url), host)
        self.__dict__["api_key"] = settled(SettledKey(key.get_secret_value()), host) if key else None
        if self.profile is None and (profile := self._resolve_model_profile()):
            self.__dict__["profile"] = settled(SettledProfile(profile), f"{self.model_name} on {host}")

    # ------------------------------------------------------------------------------------------ settling

    @property
    def _settings(self) -> Settings:
        return self._clients[0].settings

    @model_validator(mode="after")
    def _set_kimi_version(self) -> Self:
        self._add_version("kimi-adapters", __version__)
        return self

    def __getstate__(self) -> dict[Any, Any]:
        """Without a key that came from the environment: where the pickle is read, it is looked up again."""
        state = super().__getstate__()
        if self._settings.key_from_env:
            state = {**state, "__dict__": {**state["__dict__"], "api_key": None}}
        return state

    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state)
        self._settle(self._settings)

    @property
    def model(self) -> str:
        """The model's id, by the name that many libraries look for."""
        return self.model_name

    # ------------------------------------------------------------------------------------ what LangChain asks

    @property
    def _llm_type(self) -> str:
        return "kimi-chat"

    @property
    def lc_secrets(self) -> dict[str, str]:
        """Where the key comes from when a serialised model is loaded."""
        return {"api_key": self._settings.host.key_env[0]} if self._settings.host.key_env else {}

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Yes, without its key and headers."""
        return True

    @classmethod
    def get_lc_namespace(cls) -> list[str]:
        """Where the class is."""
        return ["langchain_kimi", "chat_models"]

    @property
    def _identifying_params(self) -> JsonObject:
        """What makes an answer different; also what traces show. Nothing secret."""
        params = {name: getattr(self, name) for name in options.OPTIONS if name not in _SECRET}
        host = self._settings.host.name
        return {"model": self.model_name, "host": host, **{k: v for k, v in params.items() if v is not None}}

    def _get_invocation_params(self, stop: list[str] | None = None, **kwargs: Any) -> JsonObject:
        # Traces show these; a key or header given for one call is none of their business.
        return super()._get_invocation_params(stop=stop, **{k: v for k, v in kwargs.items() if k not in _SECRET})

    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        # A key of LangChain's caches, which store it.
        return super()._get_llm_string(stop=stop, **{k: v for k, v in kwargs.items() if k not in _SECRET})

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop, **kwargs)
        params["ls_provider"] = PROVIDER
        params["ls_model_name"] = kwargs.get("model") or kwargs.get("model_name") or self.model_name
        return params

    def _resolve_model_profile(self) -> ModelProfile | None:
        return model_profile(self._clients[0].profile(self.model_name))

    # ------------------------------------------------------------------------------------------------- calls

    def _request(
        self, messages: list[BaseMessage], stop: list[str] | None, kwargs: JsonObject
    ) -> tuple[Request, JsonObject]:
        """The request, and what changes about the connection for this call."""
        connection, given, own = options.split(kwargs, _OWN)
        if stop is not None:
            given["stop"] = stop
        mine = options.parse({name: getattr(self, name) for name in options.OPTIONS})
        request = Request(
            messages=to_messages(messages),
            model=own.get("model") or own.get("model_name") or self.model_name,
            tools=tuple(forms.to_tool(tool) for tool in own.get("tools") or ()),
            tool_choice=options.parse_tool_choice(own.get("tool_choice")),
            output=_output(own),
            options=options.parse(given, mine),
        )
        return request, connection

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        request, connection = self._request(messages, stop, kwargs)
        client = self._clients[0].derived(**connection)
        return _result(to_ai_message(client.complete(request), client.settings.host.name))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        request, connection = self._request(messages, stop, kwargs)
        client = self._clients[1].derived(**connection)
        return _result(to_ai_message(await client.complete(request), client.settings.host.name))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        request, connection = self._request(messages, stop, kwargs)
        client = self._clients[0].derived(**connection)
        maker = ChunkMaker(client.settings.host.name)
        for event in client.stream(request):
            for chunk in maker.feed(event):
                if run_manager:
                    run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        request, connection = self._request(messages, stop, kwargs)
        client = self._clients[1].derived(**connection)
        maker = ChunkMaker(client.settings.host.name)
        async for event in await client.stream(request):
            for chunk in maker.feed(event):
                if run_manager:
                    await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk

    # ----------------------------------------------------------------------------- tools and structured output

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | dict[str, Any] | bool | None = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Offer tools to the model.

        Args:
            tools: In any form that LangChain knows: tools, functions, pydantic classes, TypedDicts, dicts of OpenAI
                or Anthropic, and Moonshot's `builtin_function` dicts.
            tool_choice: `auto`, `none`, `any` or `required`, a tool's name, True (one must be called), or a dict.
                While the model thinks, Moonshot lets nobody force a tool: thinking that was left unset is
                switched off for the call; thinking that was asked for stays, and the answer is checked.
            strict: Constrain the arguments to the schema.
            **kwargs: Options for the call, `response_format` among them.
        """
        if formatted := [_tool(tool, strict) for tool in tools]:
            kwargs["tools"] = formatted
        if tool_choice is not None:
            kwargs["tool_choice"] = tool_choice
        return self.bind(**kwargs)

    def with_structured_output(
        self,
        schema: dict[str, Any] | type | None = None,
        *,
        method: StructuredMethod = "auto",
        include_raw: bool = False,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Answers as instances of a schema.

        Args:
            schema: A pydantic class (v2 or v1), a TypedDict, a JSON schema or OpenAI function. None only with
                `method="json_mode"`.
            method: `auto` takes the best that the host can do: `json_schema`, then a tool call
                (`function_calling`), then `json_mode`. With `json_mode` the prompt must describe the JSON.
            include_raw: Return `{"raw", "parsed", "parsing_error"}` instead of raising.
            strict: Constrain decoding to the schema; True by default.
            **kwargs: Options for the calls.

        Raises (when called):
            OutputParserException: The answer does not fit; it is also a `kimi_core.StructuredOutputError`, or a
                `kimi_core.TruncatedError` when the token limit cut it.
        """
        from langchain_kimi._structured import AnswerParser, describe  # brings LangChain's parsers, when needed

        described = describe(schema) if schema is not None else {"name": "output", "description": "", "schema": None}
        chosen = "json_object" if method == "json_mode" or schema is None else method
        bound = self.bind(
            structured_output={**described, "method": chosen, "strict": strict is not False},
            ls_structured_output_format={"kwargs": {"method": method, "strict": strict}, "schema": schema},
            **kwargs,
        )
        parser = AnswerParser(target=schema, tool=described["name"], described=described["schema"] or {})
        if not include_raw:
            return bound | parser
        parsed = RunnablePassthrough.assign(parsed=itemgetter("raw") | parser, parsing_error=lambda _: None)
        nothing = RunnablePassthrough.assign(parsed=lambda _: None)
        return RunnableMap(raw=bound) | parsed.with_fallbacks([nothing], exception_key="parsing_error")


def _check_words(cls: type[ChatKimi], given: Mapping[str, Any]) -> None:
    fields = cls.model_fields
    known = {*fields, *(field.alias for field in fields.values() if field.alias)}
    for word in given:
        if word not in known:
            raise options.unknown(word, known)


def _host(settings: Settings) -> str | HostRow:
    """The row's name, or a row of the user's own as it is."""
    row = settings.host
    return row.name if HOSTS.get(row.name) is row else row


def _output(own: JsonObject) -> OutputFormat | None:
    if asked := own.get("structured_output"):
        method = asked["method"]
        schema = None if method == "json_object" else asked["schema"]
        return OutputFormat(method, schema, asked["name"], asked["description"], asked["strict"])
    response_format = own.get("response_format")
    return forms.to_output(response_format) if response_format else None


def _tool(tool: Any, strict: bool | None) -> JsonObject:
    if isinstance(tool, dict) and tool.get("type") == "builtin_function":
        return tool
    from langchain_core.utils.function_calling import convert_to_openai_tool  # as above

    return convert_to_openai_tool(tool, strict=strict)


def _result(message: AIMessage) -> ChatResult:
    return ChatResult(generations=[ChatGeneration(message=message)])
