"""`KimiLLM`: Kimi as a LlamaIndex LLM."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import aclosing, closing
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple, Self

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
from pydantic import PrivateAttr, SecretStr

from kimi_core import options
from kimi_core.client.async_client import AsyncKimiClient
from kimi_core.client.client import KimiClient
from kimi_core.events import Event
from kimi_core.hosts.registry import HOSTS
from kimi_core.settings import Settings, make_settings, notice_missing_key
from kimi_core.types import JsonObject, Options, Request, Response
from llama_index_kimi._fields import DEFAULT_MODEL, KimiFields
from llama_index_kimi._messages_in import to_chat_response, to_completion, to_messages
from llama_index_kimi._offers import to_output, to_tools
from llama_index_kimi._option_names import given, loose
from llama_index_kimi._streaming import ResponseMaker
from llama_index_kimi._structured_output import StructuredAnswers
from llama_index_kimi._tidy import noted
from llama_index_kimi._tools import ToolCalling
from llama_index_kimi._tracing import traced_chat, traced_completion

# Words of a call that are not options: what it is about.
_OWN = (
    *("model", "tools", "tool_choice", "strict", "response_format", "allow_parallel_tool_calls", "additional_kwargs"),
    *options.SERVED,
)
# Connection words that are fields too. The HTTP clients are not: they can be neither copied nor dumped.
_KEPT = (
    "timeout",
    "chunk_timeout",
    "max_retries",
    "default_headers",
    "on_unsupported",
    "fetch_media",
    "local_files",
    "upload_media",
    "documents",
    "overrides",
    "fallback_hosts",
    "budget",
)
# Tokens of an answer, thinking included, that LlamaIndex reckons with where nobody said how many.
_ANSWER = 3072
# Tokens of a prompt for which there is room however long answers may be: as many, or half of a smaller window.
_PROMPT = 1024
# What traces may show.
_SHOWN = ("thinking", "reasoning_effort", "max_tokens", "temperature", "top_p", "stop", "seed")


class KimiLLM(StructuredAnswers, ToolCalling, KimiFields):
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
            print(response.additional_kwargs.get("thinking_delta", ""), response.delta, sep="", end="")
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
    _async_client: AsyncKimiClient = PrivateAttr()

    def __init__(self, model: str = DEFAULT_MODEL, **words: Any) -> None:
        """Make an LLM. Reads the environment, and does no I/O.

        Args:
            model: A Kimi family id, or an id as the host writes it.
            **words: The fields of this class, and besides `http_client` and `http_async_client` (or
                `async_http_client`): what `openai.OpenAI` and `openai.AsyncOpenAI` take as `http_client`. `api_base`
                is another word for `base_url`.

        Raises:
            UnknownOptionError: A word that does not exist, or means nothing here.
            ConfigError: A value that is wrong, or a host that does not exist.
            MissingKeyError: The host needs a key and there is none. `api_key=""` says that each call brings its own.
        """
        self._begin(model, words)
        notice_missing_key(self._client.settings, words.get("api_key"))

    def _begin(self, model: str, words: Mapping[str, Any]) -> None:
        """Become the model that these words describe, with a key or without."""
        own_words = set(type(self).model_fields).difference(options.CONNECTION, options.OPTIONS)
        connection, chosen, own = options.split(words, own_words)
        options.parse(chosen)  # before pydantic, which takes "yes" for True
        options.parse_served(own, {})
        settings = make_settings(**given(connection))
        super().__init__(model=model, **given(chosen), **given(own), **_settled(settings))
        self._connect(settings)
        self._options()  # additional_kwargs are checked as well

    def __setattr__(self, name: str, value: Any) -> None:
        options.check_change(name)
        super().__setattr__(name, options.hide({name: value})[name])

    def _connect(self, settings: Settings) -> None:
        """Call with these settings from now on."""
        self._client, self._async_client = KimiClient(settings), AsyncKimiClient(settings)

    @classmethod
    def class_name(cls) -> str:
        """The name under which it is serialised."""
        return "Kimi_LLM"

    @property
    def metadata(self) -> LLMMetadata:
        """What LlamaIndex needs to know about the model. No I/O."""
        window = self.context_window or self._client.profile(self.model).model.context
        limit = self._options().max_tokens if self.additional_kwargs else self.max_tokens
        return LLMMetadata(
            context_window=window,
            num_output=_reserved(window, limit),
            is_chat_model=True,
            is_function_calling_model=self.is_function_calling_model,
            model_name=self.model,
            system_role=MessageRole.SYSTEM,
        )

    def to_payload(self) -> JsonObject:
        """What traces show: nothing secret, nothing of the user's own."""
        shown = {word: getattr(self, word) for word in _SHOWN}
        return {**super().to_payload(), "model": self.model, "host": self.host, **given(shown)}

    # ------------------------------------------------------------------------------------------ copies

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy, with other values for some fields.

        A copy that is to call elsewhere (`host`, `base_url`, `api_key`, `timeout`, …) gets a connection of its own.
        Neither key nor headers are taken along to another host; None has a word looked up anew.

        Raises:
            UnknownOptionError: A field that does not exist.
            ConfigError: A value that is wrong.
        """
        own_words = set(type(self).model_fields).difference(options.CONNECTION)
        connection, chosen, own = options.split(options.hide(update or {}), own_words)
        copied = super().model_copy(update={**chosen, **own}, deep=deep)
        if connection:
            settings = self._client.changed(connection)
            copied.__dict__.update(_settled(settings))
            copied._connect(settings)
            if "extra_headers" not in chosen and self._client.changes_host(connection):
                copied.__dict__["extra_headers"] = None
        return copied

    def __getstate__(self) -> dict[str, Any]:
        """With a key that was given, without one from the environment: that is read again where it arrives."""
        settings = self._client.settings
        travelling = settings.__reduce__()[1][0]  # an HTTP client of the user's own cannot travel
        state = super().__getstate__()
        fields = {**state["__dict__"], "fallback_hosts": travelling["fallback_hosts"]}
        if HOSTS.get(settings.host.name) is not settings.host:
            fields["host"] = settings.host
        if settings.key_from_env:
            del fields["api_key"]
        elif settings.api_key is None:
            fields["api_key"] = SecretStr("")  # none was settled on, and none is looked for where it arrives
        return {**state, "__dict__": fields, "__pydantic_private__": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Where a pickle arrives there may be no key: as with a copy, the call asks for one.
        fields = dict(state["__dict__"])
        self._begin(fields.pop("model"), fields)

    # ------------------------------------------------------------------------------------------- calls

    @traced_chat
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Ask for a whole answer.

        Args:
            messages: The conversation. Not changed.
            **kwargs: Any option of the constructor; `tools` (those of the host's own included), `tool_choice`, and
                `response_format` (a pydantic class or OpenAI's dict).

        Raises:
            ConfigError, MessageError: Before any I/O.
            APIError: The host refused or failed.
        """
        return self._chat(messages, kwargs)

    @traced_chat
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """Ask for an answer in pieces; see `chat`.

        Each response holds everything so far and in `delta` what is new of the answer; what is new of the reasoning
        is in `additional_kwargs["thinking_delta"]`. The last one is the whole answer, with usage.
        """
        return self._stream(messages, kwargs)

    @traced_chat
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """See `chat`."""
        return await self._achat(messages, kwargs)

    @traced_chat
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        """See `stream_chat`. Awaiting it sends the request, so that a refusal is raised right here."""
        return await self._astream(messages, kwargs)

    @traced_completion
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Ask with a single user message; see `chat`."""
        return to_completion(self._chat(_said(prompt), kwargs))

    @traced_completion
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        """Ask with a single user message; see `stream_chat`."""
        responses = self._stream(_said(prompt), kwargs)
        return (to_completion(response) for response in responses)

    @traced_completion
    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """See `complete`."""
        return to_completion(await self._achat(_said(prompt), kwargs))

    @traced_completion
    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseAsyncGen:
        """See `stream_complete`."""
        return _completions(await self._astream(_said(prompt), kwargs))

    # The public methods emit events; these do not, so that no call is counted twice.

    def _chat(self, messages: Sequence[ChatMessage], kwargs: JsonObject) -> ChatResponse:
        call = self._call(messages, kwargs)
        response = self._client.derived(**call.connection).complete(call.request, pace=self._pace)
        return to_chat_response(_limited(response, call.single))

    async def _achat(self, messages: Sequence[ChatMessage], kwargs: JsonObject) -> ChatResponse:
        call = self._call(messages, kwargs)
        response = await self._async_client.derived(**call.connection).complete(call.request, pace=self._apace)
        return to_chat_response(_limited(response, call.single))

    # LlamaIndex has waited for the first request of a call.

    def _pace(self) -> None:
        if self.rate_limiter is not None:
            self.rate_limiter.acquire()

    async def _apace(self) -> None:
        if self.rate_limiter is not None:
            await self.rate_limiter.async_acquire()

    def _stream(self, messages: Sequence[ChatMessage], kwargs: JsonObject) -> ChatResponseGen:
        call = self._call(messages, kwargs)
        started = self._client.derived(**call.connection).stream(call.request)
        # A generator that was begun closes its connection even when nobody iterates it.
        return noted(_responses(ResponseMaker(single_call=call.single), next(started), started))

    async def _astream(self, messages: Sequence[ChatMessage], kwargs: JsonObject) -> ChatResponseAsyncGen:
        call = self._call(messages, kwargs)
        started = await self._async_client.derived(**call.connection).stream(call.request)
        return noted(_aresponses(ResponseMaker(single_call=call.single), await anext(started), started))

    def _call(self, messages: Sequence[ChatMessage], kwargs: JsonObject) -> _Call:
        connection, chosen, own = options.split(kwargs, _OWN)
        changes_host = self._client.changes_host(connection)
        settled = options.parse(chosen, self._options(own.get("additional_kwargs"), headers=not changes_host))
        tools = to_tools(own.get("tools"), self.strict if own.get("strict") is None else own["strict"])
        request = Request(
            messages=to_messages(messages),
            model=own.get("model") or self.model,
            **options.parse_served(own, self.__dict__, tools),
            tool_choice=options.parse_tool_choice(own.get("tool_choice")),
            output=to_output(own.get("response_format")),
            options=settled,
        )
        single = own.get("allow_parallel_tool_calls") is False or settled.parallel_tool_calls is False
        return _Call(request, given(connection), single)

    def _options(self, additional: Mapping[str, Any] | None = None, *, headers: bool = True) -> Options:
        """The options of this object, with its headers or without, and further ones of a call."""
        base = options.parse(loose(self.additional_kwargs))
        mine = options.parse({word: getattr(self, word) for word in options.OPTIONS}, base)
        if mine.extra_headers and not headers:
            mine = replace(mine, extra_headers=None)
        return options.parse(loose(additional), mine) if additional else mine


class _Call(NamedTuple):
    """One call: what is asked, what is otherwise about the connection, and whether one tool call is enough."""

    request: Request
    connection: JsonObject
    single: bool


def _reserved(window: int, limit: int | None) -> int:
    """How many tokens LlamaIndex leaves for the answer when it fills a window with text; nothing of it is sent.

    All that `max_tokens` allows, as far as there is room for a prompt. Without it a part of the window, and not more
    than fits into a smaller one that is set later (`Settings.context_window`): LlamaIndex keeps this number then.
    """
    room = max(window // 8, min(_PROMPT, window // 2))
    return min(limit, window - room) if limit else min(_ANSWER, window // 4)


def _settled(settings: Settings) -> JsonObject:
    """The fields that say where calls go."""
    fields = {word: getattr(settings, word) for word in _KEPT}
    place = {"host": settings.host.name, "base_url": settings.base_url, "api_key": settings.api_key}
    return {**place, **fields}


def _said(prompt: str) -> list[ChatMessage]:
    return [ChatMessage(role=MessageRole.USER, content=prompt)]


def _limited(response: Response, single: bool) -> Response:
    """With the first tool call only, where more were not wanted."""
    return replace(response, tool_calls=response.tool_calls[:1]) if single else response


def _responses(maker: ResponseMaker, first: Event, events: Generator[Event]) -> ChatResponseGen:
    with closing(events):
        for event in chain((first,), events):
            response = maker.feed(event)
            if response is not None:
                yield response


async def _aresponses(maker: ResponseMaker, first: Event, events: AsyncGenerator[Event]) -> ChatResponseAsyncGen:
    maker.feed(first)
    async with aclosing(events):
        async for event in events:
            response = maker.feed(event)
            if response is not None:
                yield response


async def _completions(responses: ChatResponseAsyncGen) -> CompletionResponseAsyncGen:
    async with aclosing(responses):
        async for response in responses:
            yield to_completion(response)
