"""`ChatKimi`: Kimi as a LangChain chat model."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from langchain_core.callbacks import (
    AsyncCallbackManager,
    AsyncCallbackManagerForLLMRun,
    CallbackManager,
    CallbackManagerForLLMRun,
    Callbacks,
)
from langchain_core.language_models import LangSmithParams, LanguageModelInput, ModelProfile
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult, Generation, LLMResult
from langchain_core.runnables import Runnable, RunnableConfig
from pydantic import ConfigDict, PrivateAttr, model_validator

from kimi_core import AsyncKimiClient, KimiClient, Settings, __version__, make_settings, options
from kimi_core.asyncgens import finalized
from kimi_core.errors import short_traceback
from kimi_core.settings import notice_missing_key
from kimi_core.types import JsonObject
from langchain_kimi import _calls, _connection, _counting, _errors, _serialization
from langchain_kimi._batch_api import BatchApi
from langchain_kimi._content import presentable
from langchain_kimi._fields import KimiFields
from langchain_kimi._messages_in import PROVIDER, to_messages
from langchain_kimi._messages_out import combined, to_result, without_price
from langchain_kimi._streaming import achunks, chunks
from langchain_kimi._tools import to_dicts, to_tools

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool
else:
    BaseTool = Any  # LangChain resolves annotations (`with_fallbacks`), and importing its tools costs 20 ms

_errors.register()

StructuredMethod = Literal["auto", "json_schema", "function_calling", "json_mode"]
Stop = list[str] | None
RunManager = CallbackManagerForLLMRun | None
AsyncRunManager = AsyncCallbackManagerForLLMRun | None

# Options that pydantic alone would take in other types as well.
_PARSED = ("thinking", "reasoning_effort", "agent", "extra_headers", "n")


class ChatKimi(BatchApi, KimiFields):
    """Kimi models (Moonshot AI) in LangChain, from any host that serves them.

    Install `kimi-adapters[langchain]` and set `MOONSHOT_API_KEY` (or the variable of another host).

    Example:
        ```python
        from langchain_kimi import ChatKimi

        model = ChatKimi(model="kimi-k2.6")
        message = model.invoke("What is the capital of France?")
        message.text  # the answer; `message.content_blocks` has the reasoning as well
        message.usage_metadata  # input, output and total tokens; cached and reasoning tokens in the details
        message.response_metadata["cost_usd"]

        for chunk in model.stream("Tell me about MoE models."):
            for block in chunk.content_blocks:  # `text` alone is empty while Kimi thinks
                print(block.get("reasoning") or block.get("text", ""), end="", flush=True)

        # Reasoning stays on the messages and is sent back, as Kimi demands in tool loops.
        model.bind_tools([get_weather]).invoke("What is the weather in Tokyo?").tool_calls
        model.with_structured_output(Person).invoke("Ada Lovelace was 36.")

        # The host's own tools: it searches, reads, and answers.
        model = ChatKimi(server_tools=["moonshot/web-search:latest"])
        model.invoke("Who won the match yesterday?").content_blocks  # with the calls and their results among them
        ```

    Every option of the constructor can also be given per call (or bound with `bind`), and the call wins. An option
    that does not exist raises `kimi_core.UnknownOptionError`. What decides where calls go (`host`, `base_url`,
    `api_key`, `timeout`, …) cannot be assigned later; given for one call it holds for that call alone.
    """

    model_config = ConfigDict(defer_build=False)

    _client: KimiClient = PrivateAttr()
    _aclient: AsyncKimiClient = PrivateAttr()
    _llm_type: ClassVar[str] = "kimi-chat"

    # ------------------------------------------------------------------------------------ construction and copies

    @short_traceback
    def __init__(self, **given: Any) -> None:
        """Make a model. Reads the environment, and does no I/O.

        Raises:
            UnknownOptionError: If an option does not exist.
            ConfigError: If a value is wrong, or a host does not exist.
            MissingKeyError: If the host needs a key and there is none. With `api_key=""` each call brings its own.
        """
        given = _connection.by_field(type(self), given)
        options.parse({name: given[name] for name in _PARSED if name in given})
        options.parse_served(given, {})  # before pydantic, which takes True for 1
        if isinstance(given.get("agent"), Mapping):
            given["agent"] = options.parse_agent(given["agent"])
        given = _connection.without_other_hosts(given)
        connection = options.own_defaults(type(self), KimiFields)
        connection.update({name: given.pop(name) for name in options.CONNECTION if name in given})
        settings = make_settings(**_connection.revived(connection))
        notice_missing_key(settings, connection.get("api_key"))
        super().__init__(**given, **_connection.to_fields(settings))
        self._connect(settings)

    def _connect(self, settings: Settings) -> None:
        self._client, self._aclient = KimiClient(settings), AsyncKimiClient(settings)
        self.__dict__.update(_connection.to_fields(settings))  # which pydantic has made others of
        self._find_profile()

    def _find_profile(self) -> None:
        """Find the profile of this model on this host, unless the user gave one."""
        owner = f"{self.model_name} on {self._client.settings.host.name}"
        if self.profile is None or not _connection.belongs(self.profile, owner):
            self.__dict__["profile"] = self._resolve_model_profile()

    def _resolve_model_profile(self) -> ModelProfile | None:
        return _connection.to_profile(self._client, self.model_name)

    @model_validator(mode="after")
    def _set_kimi_version(self) -> Self:
        self._add_version("kimi-adapters", __version__)
        return self

    def __setattr__(self, name: str, value: Any) -> None:
        options.check_change(name, value)
        super().__setattr__(name, options.hide({name: value})[name])
        self.__dict__.pop("_serialized", None)  # LangChain keeps what it has dumped once, and goes by it in caches
        if name == "model_name":
            self._find_profile()

    @short_traceback
    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy, with other values for some fields.

        A copy that is to call elsewhere (`host`, `base_url`, `api_key`, `timeout`, …) gets a connection of its own.
        Neither key nor headers are taken along to another host; an option that is None is looked up anew.

        Raises:
            UnknownOptionError: If a field does not exist.
            ConfigError: If a value is wrong.
        """
        changes = options.hide(_connection.by_field(type(self), update or {}))
        connection = {name: changes.pop(name) for name in options.CONNECTION if name in changes}
        options.check_values(changes)
        copied = super().model_copy(update=changes, deep=deep)
        copied.__dict__.pop("_serialized", None)
        if connection:
            copied._connect(self._client.changed(_connection.revived(connection)))
            if "extra_headers" not in changes and self._client.changes_host(connection):
                copied.__dict__["extra_headers"] = None
        elif "model_name" in changes and "profile" not in changes:
            copied._find_profile()
        return copied

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Copy all but what is shared on purpose: HTTP clients, cache, rate limiter, callbacks."""
        clients = (self.http_client, self.http_async_client, self.fallback_hosts)
        shared = {id(value): value for value in (*clients, self.cache, self.rate_limiter, self.callbacks)}
        return super().__deepcopy__({**(memo or {}), **shared})

    def __getstate__(self) -> dict[Any, Any]:
        """Leave a key out that came from the environment: where the pickle is read, it is looked up again."""
        settings = self._client.settings
        settings.__reduce__()  # an HTTP client of the user's own cannot travel
        state = super().__getstate__()
        fields = {name: value for name, value in state["__dict__"].items() if name != "_serialized"}
        return {**state, "__dict__": {**fields, "api_key": None} if settings.key_from_env else fields}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state)
        self.__dict__.update(_connection.to_fields(self._client.settings))
        self._find_profile()

    # ------------------------------------------------------------------------------------------------------ calls

    def _generate(
        self, messages: list[BaseMessage], stop: Stop = None, run_manager: RunManager = None, **kwargs: Any
    ) -> ChatResult:
        with short_traceback:
            client, request, message_format = _calls.prepare(self, self._client, messages, stop, kwargs)
            return to_result(client.complete(request, **_calls.hooks(self, run_manager)), message_format)

    async def _agenerate(
        self, messages: list[BaseMessage], stop: Stop = None, run_manager: AsyncRunManager = None, **kwargs: Any
    ) -> ChatResult:
        with short_traceback:
            client, request, message_format = _calls.prepare(self, self._aclient, messages, stop, kwargs)
            return to_result(await client.complete(request, **_calls.ahooks(self, run_manager)), message_format)

    _stream, _astream = chunks, achunks  # their first parameter is the model

    def _streaming_disabled(self, **kwargs: Any) -> bool:
        """Ask for several answers whole, whoever listens; an explicit stream of them raises."""
        n = self.n if kwargs.get("n") is None else kwargs["n"]
        several = isinstance(n, int) and n > 1 and not kwargs.get("stream")
        return several or super()._streaming_disabled(**kwargs)

    def _combine_llm_outputs(self, llm_outputs: list[JsonObject | None], /) -> JsonObject:
        return combined(llm_outputs)

    def _convert_cached_generations(self, cache_val: list[Generation]) -> list[ChatGeneration]:
        return [without_price(generation) for generation in super()._convert_cached_generations(cache_val)]

    # -------------------------------------------------------------------------------- tools and structured output

    def bind(self, **kwargs: Any) -> Runnable[LanguageModelInput, AIMessage]:  # type: ignore[override]
        """Bind options to the model. A key and headers among them are shown nowhere."""
        from langchain_kimi._binding import Binding  # with the first one

        return Binding(bound=self, kwargs=kwargs, config={})

    def with_retry(self, **kwargs: Any) -> Runnable[LanguageModelInput, AIMessage]:
        """Retry from outside, as LangChain does; warns once when the model retries as well."""
        _calls.warn_of_two_retries(self, **kwargs)
        return super().with_retry(**kwargs)

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | dict[str, Any] | bool | None = None,
        strict: bool | None = None,
        parallel_tool_calls: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Offer tools to the model.

        Args:
            tools: In any form that LangChain knows (tools, functions, pydantic classes, TypedDicts, dicts of OpenAI or
                Anthropic), and the host's own, which this package runs: `kimi_core.web_search()`, `formula(uri)`.
            tool_choice: `auto`, `none`, `any` or `required`, a tool's name, True (one must be called), or a dict.
                While the model thinks, Moonshot lets nobody force a tool: thinking that was left unset is
                switched off for the call; thinking that was asked for stays, and the answer is checked.
            strict: Constrain the arguments to the schema.
            parallel_tool_calls: False takes one call per answer, the first, and is sent to hosts that have the switch.
            **kwargs: Options for the call, `response_format` among them.

        Raises:
            ConfigError: If it is no list, or something in it is no tool for Kimi.
        """
        if formatted := to_dicts(tools, strict):
            kwargs["tools"] = formatted
        asked = {"tool_choice": tool_choice, "parallel_tool_calls": parallel_tool_calls}
        return self.bind(**kwargs, **{name: value for name, value in asked.items() if value is not None})

    def with_structured_output(
        self,
        schema: Any = None,
        *,
        method: StructuredMethod = "auto",
        include_raw: bool = False,
        strict: bool | None = None,
        repair: bool = False,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Return what answers with instances of a schema.

        Args:
            schema: A pydantic class (v2 or v1), a TypedDict, a dataclass or any other type that pydantic knows
                (`list[Person]`), a JSON schema, an OpenAI function, or a tool. None only with `method="json_mode"`.
            method: `auto` takes the best that the host can do: `json_schema`, then a tool call
                (`function_calling`), then `json_mode`. With `json_mode` the prompt must describe the JSON.
            include_raw: Return `{"raw", "parsed", "parsing_error"}` instead of raising, in streams too.
            strict: Constrain decoding to the schema; by default where the host can.
            repair: Ask once more when an answer does not fit, with the answer and what is wrong with it as further
                messages. Not after a token limit or a refusal, and not in streams. `raw` has the usage of both.
            **kwargs: Options for the calls.

        Raises:
            ConfigError: If it is no schema, or no method.

        Raises (when called):
            OutputParserException: If the answer does not fit; it is also a `kimi_core.StructuredOutputError`, or a
                `kimi_core.TruncatedError` when the token limit cut it.
            RefusedError: If the host's filter withheld it, or the model refused (`kimi_core`); LangChain's
                `ModelRefusalError` too, where it has one.
        """
        from langchain_kimi._structured_output import with_schema  # brings LangChain's parsers, when needed

        return with_schema(self, schema, method, include_raw=include_raw, strict=strict, repair=repair, kwargs=kwargs)

    # ----------------------------------------------------------------------------------------------------- tokens

    def get_token_ids(self, text: str) -> list[int]:
        """Return the ids that `custom_get_token_ids` finds: there is no tokenizer here.

        Raises:
            NotImplementedError: If none was given.
        """
        if self.custom_get_token_ids is None:
            raise NotImplementedError(_counting.NO_TOKENIZER)
        return self.custom_get_token_ids(text)

    def get_num_tokens(self, text: str) -> int:
        """Return the tokens of a text, estimated from its characters (exact with `custom_get_token_ids`)."""
        return len(self.get_token_ids(text)) if self.custom_get_token_ids else _counting.estimate(text)

    def get_num_tokens_from_messages(self, messages: list[BaseMessage], tools: Sequence[Any] | None = None) -> int:
        """Return the tokens of a prompt and of tools in any form that `bind_tools` takes, estimated without a call."""
        count, local_files = self.get_num_tokens, self._client.settings.local_files
        prompt = _counting.of_messages(to_messages(messages), count, local_files)
        return prompt + _counting.of_tools(to_tools(tools), count)

    def count_tokens(
        self, input: LanguageModelInput, *, tools: Sequence[Any] | None = None, by_host: bool = False, **kwargs: Any
    ) -> int:
        """Return the tokens of a prompt.

        Args:
            input: What `invoke` takes.
            tools: Tools on offer. They are always estimated: hosts count messages.
            by_host: Ask the host, where it has an endpoint that counts (Moonshot has); else it is an estimate.
            **kwargs: Options of the call that is counted for, such as `model`.

        Raises:
            UnsupportedError: If the host does not count.
            APIError: If the host refused or failed.
        """
        messages = self._convert_input(input).to_messages()
        if not by_host:
            return self.get_num_tokens_from_messages(messages, tools)
        client, request, _ = _calls.prepare(self, self._client, messages, None, kwargs)
        return client.count_tokens(request) + _counting.of_tools(to_tools(tools), self.get_num_tokens)

    async def acount_tokens(
        self, input: LanguageModelInput, *, tools: Sequence[Any] | None = None, by_host: bool = False, **kwargs: Any
    ) -> int:
        """See `count_tokens`."""
        messages = self._convert_input(input).to_messages()
        if not by_host:
            return self.get_num_tokens_from_messages(messages, tools)
        client, request, _ = _calls.prepare(self, self._aclient, messages, None, kwargs)
        return await client.count_tokens(request) + _counting.of_tools(to_tools(tools), self.get_num_tokens)

    # ---------------------------------------------------------------------------------- LangSmith learns the price

    def generate(
        self, messages: list[list[BaseMessage]], stop: Stop = None, callbacks: Callbacks = None, **kwargs: Any
    ) -> LLMResult:
        """Do as LangChain does; its tracers learn the price, and fail at no block."""
        callbacks = _calls.priced(self, callbacks, CallbackManager, kwargs)
        return super().generate([*map(presentable, messages)], stop, callbacks, **kwargs)

    async def agenerate(
        self, messages: list[list[BaseMessage]], stop: Stop = None, callbacks: Callbacks = None, **kwargs: Any
    ) -> LLMResult:
        """Do as LangChain does; its tracers learn the price, and fail at no block."""
        callbacks = _calls.priced(self, callbacks, AsyncCallbackManager, kwargs)
        return await super().agenerate([*map(presentable, messages)], stop, callbacks, **kwargs)

    def stream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, *, stop: Stop = None, **kwargs: Any
    ) -> Iterator[AIMessageChunk]:
        """Do as LangChain does; its tracers learn the price, and fail at no block."""
        input = presentable(self._convert_input(input).to_messages())
        config = _calls.priced_config(self, config, CallbackManager, kwargs)
        return super().stream(input, config, stop=stop, **kwargs)

    def astream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, *, stop: Stop = None, **kwargs: Any
    ) -> AsyncIterator[AIMessageChunk]:
        """Do as LangChain does; its tracers learn the price, and fail at no block."""
        input = presentable(self._convert_input(input).to_messages())
        config = _calls.priced_config(self, config, AsyncCallbackManager, kwargs)
        return finalized(super().astream(input, config, stop=stop, **kwargs))

    # ------------------------------------------------------------------------- traces, caches, `dumps`: nothing secret

    @property
    def model(self) -> str:
        """The model's id, by the name that many libraries look for."""
        return self.model_name

    @property
    def lc_secrets(self) -> dict[str, str]:
        """Where the key comes from when a serialised model is loaded."""
        spec = self._client.settings.host
        return {"api_key": next(iter(spec.address.key_env), re.sub(r"\W", "_", spec.name).upper() + "_API_KEY")}

    @property
    def lc_attributes(self) -> JsonObject:
        """Options that JSON has no form for, as the constructor takes them again."""
        return _serialization.attributes(self, self._client.settings.fallback_hosts)

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Return True: `dumps` writes a model without its key and headers."""
        return True

    @property
    def _identifying_params(self) -> JsonObject:
        asked = {name: getattr(self, name) for name in _serialization.SHOWN}
        if self.thinking is not None or self.agent is not None or self.host_options is not None:
            asked = _serialization.traceable(asked)
        shaping = {name: getattr(self, name) or None for name in _serialization.SHAPING}
        params = {"model": self.model_name, "host": self._client.settings.host.name, **asked, **shaping}
        return {name: value for name, value in params.items() if value is not None}

    def _get_invocation_params(self, stop: Stop = None, **kwargs: Any) -> JsonObject:
        return super()._get_invocation_params(stop=stop, **(kwargs and _serialization.shown(kwargs)))

    def _get_llm_string(self, stop: Stop = None, **kwargs: Any) -> str:
        return super()._get_llm_string(stop=stop, **(kwargs and _serialization.shown(kwargs)))

    def _get_ls_params(self, stop: Stop = None, **kwargs: Any) -> LangSmithParams:
        kwargs = {options.ALIASES.get(name, name): value for name, value in kwargs.items()}
        stops = stop or kwargs.pop("stop", None) or self.stop
        kwargs["model"] = kwargs.get("model") or kwargs.get("model_name") or self.model_name
        params = super()._get_ls_params(stop=list(options.parse_stop(stops)) if stops else None, **kwargs)
        params["ls_provider"] = PROVIDER
        return params
