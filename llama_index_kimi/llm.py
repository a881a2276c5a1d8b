"""`KimiLLM`: Kimi as a LlamaIndex LLM."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from typing import Any, Self, cast

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    LLMMetadata,
    MessageRole,
)
from llama_index.core.chat_engine.types import AgentChatResponse
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.llms.structured_llm import StructuredLLM
from llama_index.core.prompts import PromptTemplate
from llama_index.core.settings import Settings as LlamaIndexSettings
from llama_index.core.tools.types import BaseTool
from llama_index.core.types import Model
from pydantic import BaseModel, PrivateAttr, SecretStr

from kimi_core import HOSTS, AsyncKimiClient, KimiClient, options
from kimi_core.call_options import NO_OPTIONS, Options
from kimi_core.errors import short_traceback
from kimi_core.settings import make_settings, notice_missing_key
from kimi_core.types import JsonObject
from llama_index_kimi import _streaming, _tools
from llama_index_kimi import _structured_output as structured
from llama_index_kimi._batch_api import BatchApi
from llama_index_kimi._fields import KimiFields, connection_fields, given, split_additional
from llama_index_kimi._messages_in import to_request, user_message
from llama_index_kimi._messages_out import to_chat_response, to_completion
from llama_index_kimi._retries import on_retry
from llama_index_kimi._tracing import traced, traced_chat, traced_completion

_TRACED_OPTIONS = ("thinking", "reasoning_effort", "max_tokens", "temperature", "top_p", "stop", "seed")
# Tokens of an answer, thinking included, that LlamaIndex reserves by default.
_ANSWER = 3072
# Tokens of a prompt for which there is room however long answers may be: as many, or half of a smaller window.
_PROMPT = 1024
_LEAST_PROMPT = 512  # with less LlamaIndex's own prompts do not fit


class KimiLLM(BatchApi, KimiFields):
    """Kimi models (Moonshot AI) in LlamaIndex, from any host that serves them.

    Examples:
        `pip install "kimi-adapters[llama-index]"`, and set `MOONSHOT_API_KEY` (or the variable of another host).

        ```python
        from llama_index_kimi import KimiLLM

        llm = KimiLLM(model="kimi-k2.6")
        print(llm.complete("What is the capital of France?"))
        ```

        Stream; what the model thinks comes apart from what it answers:

        ```python
        for response in llm.stream_chat([ChatMessage(role="user", content="Tell me about MoE models.")]):
            print(response.additional_kwargs.get("thinking_delta", "") + response.delta, end="", flush=True)
        response.raw["usage"]  # the last response is the whole one
        ```

        Tools and agents; reasoning stays on the messages and is sent back, as Kimi demands in tool loops:

        ```python
        agent = FunctionAgent(tools=[get_weather], llm=llm)
        await agent.run("What is the weather in Tokyo?")
        ```

        The host's own tools are run within the call:

        ```python
        KimiLLM(server_tools=["moonshot/web-search:latest"]).complete("Who won the match yesterday?")
        ```

        Structured output:

        ```python
        llm.structured_predict(Person, PromptTemplate("Who was {name}?"), name="Ada Lovelace")
        ```

    Every option of the constructor can also be given per call, and the call wins. An option that does not exist
    raises `kimi_core.UnknownOptionError`.
    """

    _client: KimiClient = PrivateAttr()
    _aclient: AsyncKimiClient = PrivateAttr()

    @short_traceback
    def __init__(self, model: str | None = None, **kwargs: Any) -> None:
        """Make an LLM. Reads the environment, and does no I/O.

        Args:
            model: A Kimi family id, or an id as the host writes it; `kimi-k2.6` by default.
            **kwargs: The fields of this class, and besides `http_client` and `http_async_client` (or
                `async_http_client`): what `openai.OpenAI` and `openai.AsyncOpenAI` take as `http_client`. `api_base`
                is another name of `base_url`.

        Raises:
            UnknownOptionError: If an option does not exist, or means nothing here.
            ConfigError: If a value is wrong, or a host does not exist.
            MissingKeyError: If the host needs a key and there is none. With `api_key=""` each call brings its own.
        """
        kwargs = {**options.own_defaults(type(self), KimiFields), **kwargs}
        self._set_up(type(self).model_fields["model"].default if model is None else model, kwargs)
        notice_missing_key(self._client.settings, kwargs.get("api_key"))

    def _set_up(self, model: str, kwargs: Mapping[str, Any]) -> None:
        """Become the model that these arguments describe, with a key or without."""
        own_names = set(type(self).model_fields).difference(options.CONNECTION, options.OPTIONS)
        connection, chosen, own = options.split(kwargs, own_names)
        options.parse(chosen)  # before pydantic, which takes "yes" for True
        options.parse_served(own, {})
        settings = make_settings(**given(connection))
        super().__init__(model=model, **given(chosen), **given(own), **connection_fields(settings))
        self._client, self._aclient = KimiClient(settings), AsyncKimiClient(settings)
        self._options()  # additional_kwargs are checked as well

    def __setattr__(self, name: str, value: Any) -> None:
        options.check_change(name, value)
        super().__setattr__(name, options.hide({name: value})[name])

    @classmethod
    def class_name(cls) -> str:
        """Return the name under which it is serialised."""
        return "Kimi_LLM"

    @property
    def metadata(self) -> LLMMetadata:
        """What LlamaIndex needs to know about the model. No I/O."""
        window = self.context_window or self._client.pipeline.profile(self.model).model.context
        limit = self._options().max_tokens if self.additional_kwargs else self.max_tokens
        reserved = _answer_room(window, limit)
        if LlamaIndexSettings._prompt_helper or LlamaIndexSettings._chat_prompt_helper:
            _fit_prompt_helpers(reserved, limit)
        return LLMMetadata(
            context_window=window,
            num_output=reserved,
            is_chat_model=True,
            is_function_calling_model=self.is_function_calling_model,
            model_name=self.model,
            system_role=MessageRole.SYSTEM,
        )

    def to_payload(self) -> JsonObject:
        """Return what traces show: nothing secret, nothing of the user's own."""
        shown = {name: value for name in _TRACED_OPTIONS if (value := getattr(self, name)) is not None}
        return {**super().to_payload(), "model": self.model, "host": self.host, **shown}

    # ------------------------------------------------------------------------------------------ copies

    @short_traceback
    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy, with other values for some fields.

        A copy that is to call elsewhere (`host`, `base_url`, `api_key`, `timeout`, …) gets a connection of its own.
        Neither key nor headers are taken along to another host; None has an option looked up anew.

        Raises:
            UnknownOptionError: If a field does not exist.
            ConfigError: If a value is wrong.
        """
        own_names = set(type(self).model_fields).difference(options.CONNECTION)
        connection, chosen, own = options.split(options.hide(update or {}), own_names)
        options.check_values({**chosen, **own})
        copied = super().model_copy(update={**chosen, **own}, deep=deep)
        if connection:
            settings = self._client.changed(connection)
            copied.__dict__.update(connection_fields(settings))
            copied._client, copied._aclient = KimiClient(settings), AsyncKimiClient(settings)
            if "extra_headers" not in chosen and self._client.changes_host(connection):
                copied.__dict__["extra_headers"] = None
        return copied

    def __getstate__(self) -> dict[str, Any]:
        """Return the state, with a key only if it was given: one from the environment is read again on arrival."""
        settings = self._client.settings
        travelling = settings.__reduce__()[1][0]  # an HTTP client of the user's own cannot travel
        state = super().__getstate__()
        fields = {**state["__dict__"], "fallback_hosts": travelling["fallback_hosts"]}
        if HOSTS.get(settings.host.name) is not settings.host:
            fields["host"] = settings.host
        if settings.key_from_env:
            del fields["api_key"]
        elif settings.api_key is None:
            fields["api_key"] = SecretStr("")  # there was none, and none is looked for where it arrives
        return {**state, "__dict__": fields, "__pydantic_private__": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Where a pickle arrives there may be no key: as with a copy, the call asks for one.
        fields = dict(state["__dict__"])
        self._set_up(fields.pop("model"), fields)

    # ------------------------------------------------------------------------------------------- calls

    @traced_chat
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Ask for a whole answer.

        Args:
            messages: The conversation. Not changed.
            **kwargs: Any option of the constructor; `tools` (those of the host's own included), `tool_choice`, and
                `response_format` (a pydantic class or OpenAI's dict).

        Raises:
            ConfigError: If an option is wrong; before any I/O.
            MessageError: If a message cannot be sent to this host; before any I/O.
            APIError: If the host refused or failed.
        """
        return self._chat(messages, kwargs)

    @traced_chat
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """See `chat`."""
        return await self._achat(messages, kwargs)

    @traced_chat
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """Ask for an answer in pieces; see `chat`.

        Each response holds everything so far and in `delta` what is new of the answer; what is new of the reasoning
        is in `additional_kwargs["thinking_delta"]`. The last one is the whole answer, with usage.
        """
        return self._stream(messages, kwargs)

    @traced_chat
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        """See `stream_chat`. Awaiting it sends the request, so that a refusal is raised right here."""
        return await self._astream(messages, kwargs)

    @traced_completion
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Ask with a single user message; see `chat`."""
        return to_completion(self._chat(user_message(prompt), kwargs))

    @traced_completion
    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """See `complete`."""
        return to_completion(await self._achat(user_message(prompt), kwargs))

    @traced_completion
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        """Ask with a single user message; see `stream_chat`."""
        return _streaming.completions(self._stream(user_message(prompt), kwargs))

    @traced_completion
    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseAsyncGen:
        """See `stream_complete`."""
        return _streaming.acompletions(await self._astream(user_message(prompt), kwargs))

    # The public methods emit events; these do not, so that no call is counted twice.

    def _chat(self, messages: Sequence[ChatMessage], kwargs: JsonObject) -> ChatResponse:
        request, connection, single_call = to_request(self, messages, kwargs)
        client = self._client.derived(**connection) if connection else self._client
        pace = self.rate_limiter.acquire if self.rate_limiter else None
        return to_chat_response(client.complete(request, pace=pace, on_retry=on_retry), single_call=single_call)

    async def _achat(self, messages: Sequence[ChatMessage], kwargs: JsonObject) -> ChatResponse:
        request, connection, single_call = to_request(self, messages, kwargs)
        client = self._aclient.derived(**connection) if connection else self._aclient
        pace = self.rate_limiter.async_acquire if self.rate_limiter else None
        return to_chat_response(await client.complete(request, pace=pace, on_retry=on_retry), single_call=single_call)

    def _stream(self, messages: Sequence[ChatMessage], kwargs: JsonObject) -> ChatResponseGen:
        request, connection, single_call = to_request(self, messages, kwargs)
        client = self._client.derived(**connection) if connection else self._client
        pace = self.rate_limiter.acquire if self.rate_limiter else None
        events = client.stream(request, pace=pace, on_retry=on_retry)
        return _streaming.start(events, single_call, request.options.merge_deltas is not False)

    async def _astream(self, messages: Sequence[ChatMessage], kwargs: JsonObject) -> ChatResponseAsyncGen:
        request, connection, single_call = to_request(self, messages, kwargs)
        client = self._aclient.derived(**connection) if connection else self._aclient
        pace = self.rate_limiter.async_acquire if self.rate_limiter else None
        events = await client.stream(request, pace=pace, on_retry=on_retry)
        return await _streaming.astart(events, single_call, request.options.merge_deltas is not False)

    def _options(self) -> Options:
        """Return the options of this object."""
        base = options.parse(split_additional(self.additional_kwargs)) if self.additional_kwargs else NO_OPTIONS
        fixed = {name: value for name in options.OPTIONS if (value := getattr(self, name)) is not None}
        return options.parse(fixed, base) if fixed else base

    # ------------------------------------------------------------------------------------------- tools

    @traced
    def _prepare_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        tool_required: bool = False,
        tool_choice: str | JsonObject | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Return arguments for `chat`. `tool_choice` wins over `tool_required`; without tools neither has a meaning."""
        prepared = {**kwargs, "messages": _tools.to_conversation(chat_history, user_msg)}
        if tools:
            prepared["tools"] = _tools.to_tool_dicts(tools)
            prepared["allow_parallel_tool_calls"] = allow_parallel_tool_calls
            if choice := tool_choice or ("required" if tool_required else None):
                prepared["tool_choice"] = choice
        return prepared

    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        """Return the calls of a response; of an unfinished one, as much of their arguments as can be read.

        Raises:
            ToolNotCalledError: If there are none, and that is an error.
        """
        return _tools.selections_of(response, error_on_no_tool_call)

    @traced
    def predict_and_call(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        error_on_no_tool_call: bool = True,
        error_on_tool_error: bool = False,
        **kwargs: Any,
    ) -> AgentChatResponse:
        """Have the model choose a tool, and call it."""
        asked = (tools, user_msg, chat_history, verbose)
        if not self.metadata.is_function_calling_model:
            return super().predict_and_call(*asked, **_tools.with_react_defaults(kwargs))
        response = self.chat_with_tools(*asked, allow_parallel_tool_calls, **kwargs)
        calls = self.get_tool_calls_from_response(response, error_on_no_tool_call)
        outputs = _tools.called(_tools.call_tool(call, tools, verbose) for call in calls)
        return _tools.to_agent_response(response, outputs, error_on_tool_error)

    @traced
    async def apredict_and_call(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        error_on_no_tool_call: bool = True,
        error_on_tool_error: bool = False,
        **kwargs: Any,
    ) -> AgentChatResponse:
        """See `predict_and_call`. Several calls are made at once."""
        asked = (tools, user_msg, chat_history, verbose)
        if not self.metadata.is_function_calling_model:
            return await super().apredict_and_call(*asked, **_tools.with_react_defaults(kwargs))
        response = await self.achat_with_tools(*asked, allow_parallel_tool_calls, **kwargs)
        calls = self.get_tool_calls_from_response(response, error_on_no_tool_call)
        outputs = await _tools.acalled(_tools.acall_tool(call, tools, verbose) for call in calls)
        return _tools.to_agent_response(response, outputs, error_on_tool_error)

    # ------------------------------------------------------------------------------- structured output

    @traced
    def structured_predict(
        self, output_cls: type[Model], prompt: PromptTemplate, llm_kwargs: JsonObject | None = None, **prompt_args: Any
    ) -> Model:
        """Ask for an object.

        Args:
            output_cls: Its class: a pydantic model, or a `RootModel` of anything else.
            prompt: The question.
            llm_kwargs: Options for the call; besides `strict` (False leaves decoding free) and `repair` (see the
                field).
            **prompt_args: Values for the prompt's variables.

        Raises:
            StructuredOutputError: If the answer does not fit the class; `.text` has it, `.finish_reason` why it ended.
            TruncatedError: If the token limit cut it.
            RefusedError: If the host's filter withheld it, or the model refused.
        """
        if structured.by_program(self):
            return cast(Model, super().structured_predict(output_cls, prompt, llm_kwargs, **prompt_args))
        asked = structured.question(self, output_cls, prompt, llm_kwargs, prompt_args)
        return cast(Model, structured.answer(self, asked)[0])

    @traced
    async def astructured_predict(
        self, output_cls: type[Model], prompt: PromptTemplate, llm_kwargs: JsonObject | None = None, **prompt_args: Any
    ) -> Model:
        """See `structured_predict`."""
        if structured.by_program(self):
            return cast(Model, await super().astructured_predict(output_cls, prompt, llm_kwargs, **prompt_args))
        asked = structured.question(self, output_cls, prompt, llm_kwargs, prompt_args)
        return cast(Model, (await structured.aanswer(self, asked))[0])

    @traced
    def stream_structured_predict(
        self, output_cls: type[Model], prompt: PromptTemplate, llm_kwargs: JsonObject | None = None, **prompt_args: Any
    ) -> Generator[Any, None, None]:
        """Return the growing object; the last one is complete and of the class. See `structured_predict`.

        Calling it sends the request, so that a refusal is raised right here.
        """
        if structured.by_program(self):
            return super().stream_structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
        asked = structured.question(self, output_cls, prompt, llm_kwargs, prompt_args)
        return structured.outputs(structured.stream(self, asked))

    @traced
    async def astream_structured_predict(
        self, output_cls: type[Model], prompt: PromptTemplate, llm_kwargs: JsonObject | None = None, **prompt_args: Any
    ) -> AsyncGenerator[Any, None]:
        """See `stream_structured_predict`. Awaiting it sends the request."""
        if structured.by_program(self):
            return await super().astream_structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
        asked = structured.question(self, output_cls, prompt, llm_kwargs, prompt_args)
        return structured.aoutputs(await structured.astream(self, asked))

    def as_structured_llm(self, output_cls: type[BaseModel], **kwargs: Any) -> StructuredLLM:
        """Return an LLM that answers with objects of a class, in `raw`; its responses keep usage and reasoning."""
        from llama_index_kimi.structured_llm import KimiStructuredLLM

        return KimiStructuredLLM(llm=self, output_cls=output_cls, **kwargs)


def _answer_room(window: int, limit: int | None) -> int:
    """Return how many tokens LlamaIndex leaves for the answer when it fills a window with text; none of it is sent.

    All that `max_tokens` allows, as far as there is room for a prompt; without it a part of the window.
    """
    room = max(window // 8, min(_PROMPT, window // 2))
    return min(limit, window - room) if limit else min(_ANSWER, window // 4)


def _fit_prompt_helpers(reserved: int, limit: int | None) -> None:
    """Leave room for prompts in a small `Settings.context_window`.

    LlamaIndex keeps how much is reserved for answers from the first metadata, and fits it to no window that is set
    afterwards: there would be nothing left, and every query engine would raise.
    """
    for helper in (LlamaIndexSettings._prompt_helper, LlamaIndexSettings._chat_prompt_helper):
        if helper and helper.num_output == reserved and helper.context_window - reserved < _LEAST_PROMPT:
            helper.num_output = _answer_room(helper.context_window, limit)
