"""The calls themselves: what LangChain's `invoke`, `stream`, `batch` and their twins end in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from langchain_core.callbacks import (
    AsyncCallbackManager,
    AsyncCallbackManagerForLLMRun,
    CallbackManager,
    CallbackManagerForLLMRun,
    Callbacks,
)
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult, Generation, LLMResult
from langchain_core.runnables import RunnableConfig, ensure_config
from pydantic import ConfigDict

from kimi_core import openai_shapes, options
from kimi_core.client.async_client import AsyncKimiClient
from kimi_core.client.client import KimiClient
from kimi_core.errors import ConfigError, short_traceback
from kimi_core.quoting import quoted
from kimi_core.types import JsonObject, Message, OutputFormat, Request, TextPart
from langchain_kimi._connection import revived
from langchain_kimi._messages_in import to_messages
from langchain_kimi._messages_out import MessageFormat, combined, to_result
from langchain_kimi._serialization import Identified
from langchain_kimi._streaming import chunk_maker
from langchain_kimi._tools import to_tools

# Words of a call that LangChain brings or `bind_tools` binds.
_BROUGHT = ("model", "model_name", "tools", "tool_choice", "response_format", "structured_output", "stream")
# Fields that are no options of the core's.
_SHAPING = ("stream_usage", "cost_in_usage", "include_response_headers", "include_prefill")
_OWN = (*_BROUGHT, *_SHAPING, *options.SERVED)


class Call(NamedTuple):
    """One call.

    Attributes:
        request: What is asked.
        connection: What is otherwise about the connection.
        manner: Words of `MessageFormat`.
    """

    request: Request
    connection: JsonObject
    message_format: JsonObject


class Calling(Identified):
    """What asks the host."""

    model_config = ConfigDict(defer_build=True)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        with short_traceback:
            call = self._call(messages, stop, kwargs)
            client = self._clients[0].derived(**call.connection)
            return to_result(client.complete(call.request, pace=self._pace), _message_format(call, client))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        with short_traceback:
            call = self._call(messages, stop, kwargs)
            client = self._clients[1].derived(**call.connection)
            return to_result(await client.complete(call.request, pace=self._apace), _message_format(call, client))

    # LangChain has waited for the first request of a call.

    def _pace(self) -> None:
        if self.rate_limiter is not None:
            self.rate_limiter.acquire(blocking=True)

    async def _apace(self) -> None:
        if self.rate_limiter is not None:
            await self.rate_limiter.aacquire(blocking=True)

    def _streaming_disabled(self, **kwargs: Any) -> bool:
        """Several answers are asked for whole, whoever listens; who streams them by name is told that it cannot be."""
        n = self.n if kwargs.get("n") is None else kwargs["n"]
        several = isinstance(n, int) and n > 1 and not kwargs.get("stream")
        return several or super()._streaming_disabled(**kwargs)

    # Only LangChain's v3 events hand a run manager over, and their messages are of v1: made so from the start,
    # reasoning is not in them twice.

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        with short_traceback:
            call = self._call(messages, stop, kwargs, stream=True, events=run_manager is not None)
            if run_manager and call.message_format["costs"]:
                run_manager.handlers = _with_prices(run_manager.handlers)
            client = self._clients[0].derived(**call.connection)
            maker = chunk_maker(_message_format(call, client))
            for event in client.stream(call.request):
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
        with short_traceback:
            call = self._call(messages, stop, kwargs, stream=True, events=run_manager is not None)
            if run_manager and call.message_format["costs"]:
                run_manager.handlers = _with_prices(run_manager.handlers)
            client = self._clients[1].derived(**call.connection)
            maker = chunk_maker(_message_format(call, client))
            async for event in await client.stream(call.request):
                for chunk in maker.feed(event):
                    if run_manager:
                        await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                    yield chunk

    def _call(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        kwargs: JsonObject,
        *,
        stream: bool = False,
        events: bool = False,
    ) -> Call:
        connection, given, own = options.split(kwargs, _OWN)
        if stop is not None:
            given["stop"] = stop
        mine = options.parse({name: getattr(self, name) for name in options.OPTIONS})
        connection = revived(connection)
        if mine.extra_headers and self._clients[0].changes_host(connection):
            mine = replace(mine, extra_headers=None)
        left_out: dict[str, None] = {}
        request = Request(
            messages=to_messages(messages, left_out),
            model=_model(own) or self.model_name,
            **options.parse_served(own, self.__dict__, to_tools(own.get("tools"))),
            tool_choice=options.parse_tool_choice(own.get("tool_choice")),
            output=_output(own),
            options=options.parse(given, mine),
        )
        self._tell(left_out)
        asked = {name: getattr(self, name) if own.get(name) is None else own[name] for name in _SHAPING}
        if stream and not asked["stream_usage"]:
            facts = connection.get("overrides") or self._settings.overrides
            connection["overrides"] = {**facts, "stream_options": False}
        message_format = {
            "v1": events or self.output_version == "v1",
            "events": events,
            "costs": asked["cost_in_usage"],
            "headers": asked["include_response_headers"],
            "prefill": _prefill(request.messages[-1:]) if asked["include_prefill"] else "",
            "single_call": request.options.parallel_tool_calls is False,
            "served": any(tool.type != "function" for tool in request.tools),
        }
        return Call(request, connection, message_format)

    def _tell(self, left_out: Mapping[str, None]) -> None:
        for kind in left_out:
            self._clients[0].pipeline.warn(
                f"block {kind}",
                f"A block of the type {quoted(kind)} in an assistant message was left out: it means something "
                "only to the provider that it is from.",
            )

    # ------------------------------------------------------------------------------------- what is counted

    def generate(
        self,
        messages: list[list[BaseMessage]],
        stop: list[str] | None = None,
        callbacks: Callbacks = None,
        **kwargs: Any,
    ) -> LLMResult:
        """LangChain's, and its tracers learn the price."""
        callbacks = self._priced(callbacks, CallbackManager, kwargs)
        return super().generate(messages, stop, callbacks, **kwargs)

    async def agenerate(
        self,
        messages: list[list[BaseMessage]],
        stop: list[str] | None = None,
        callbacks: Callbacks = None,
        **kwargs: Any,
    ) -> LLMResult:
        """LangChain's, and its tracers learn the price."""
        callbacks = self._priced(callbacks, AsyncCallbackManager, kwargs)
        return await super().agenerate(messages, stop, callbacks, **kwargs)

    def stream(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> Iterator[AIMessageChunk]:
        """LangChain's, and its tracers learn the price."""
        return super().stream(input, self._priced_config(config, CallbackManager, kwargs), stop=stop, **kwargs)

    def astream(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[AIMessageChunk]:
        """LangChain's, and its tracers learn the price."""
        return super().astream(input, self._priced_config(config, AsyncCallbackManager, kwargs), stop=stop, **kwargs)

    def _priced(self, callbacks: Callbacks, manager: Any, kwargs: Mapping[str, Any]) -> Callbacks:
        asked = kwargs.get("cost_in_usage")
        if not (self.cost_in_usage if asked is None else asked):
            return callbacks
        from langchain_kimi._priced_runs import priced  # brings LangSmith, when asked for

        return priced(callbacks, manager)

    def _priced_config(
        self, config: RunnableConfig | None, manager: Any, kwargs: Mapping[str, Any]
    ) -> RunnableConfig | None:
        if not self.cost_in_usage and not kwargs.get("cost_in_usage"):
            return config
        config = ensure_config(config)
        config["callbacks"] = self._priced(config.get("callbacks"), manager, kwargs)
        return config

    def _combine_llm_outputs(self, llm_outputs: list[JsonObject | None], /) -> JsonObject:
        return combined(llm_outputs)

    def _convert_cached_generations(self, cache_val: list[Generation]) -> list[ChatGeneration]:
        """LangChain's, with a price of 0: what a cache answers costs nothing again."""
        generations = super()._convert_cached_generations(cache_val)
        return [_unpriced(generation) for generation in generations]


def _with_prices(handlers: list[Any]) -> list[Any]:
    from langchain_kimi._priced_runs import with_prices  # brings LangSmith, when asked for

    return with_prices(handlers)


def _message_format(call: Call, client: KimiClient | AsyncKimiClient) -> MessageFormat:
    profile = client.profile(call.request.model)
    price = profile.host.prices.get(profile.model.id)
    return MessageFormat(host=client.settings.host.name, price=price, **call.message_format)


def _model(own: Mapping[str, Any]) -> str | None:
    model = own.get("model") or own.get("model_name")
    if model is not None and not isinstance(model, str):
        raise ConfigError(f"model must be a model's id, got {quoted(model)}.")
    return model


def _output(own: JsonObject) -> OutputFormat | None:
    if asked := own.get("structured_output"):
        if own.get("response_format"):
            raise ConfigError("response_format and with_structured_output(…) both say what the answer is: give one.")
        method = asked["method"]
        schema = None if method == "json_object" else asked["schema"]
        return OutputFormat(method, schema, asked["name"], asked["description"], asked["strict"])
    response_format = own.get("response_format")
    return openai_shapes.to_output(response_format) if response_format else None


def _prefill(last: Any) -> str:
    """The text of the message that is to be continued."""
    message: Message | None = next(iter(last), None)
    if message is None or not message.partial:
        return ""
    content = message.content
    return content if isinstance(content, str) else "".join(p.text for p in content if isinstance(p, TextPart))


def _unpriced(generation: ChatGeneration) -> ChatGeneration:
    message = generation.message
    if isinstance(message, AIMessage) and "cost_usd" in message.response_metadata:
        metadata = {**message.response_metadata, "cost_usd": 0.0}
        if costs := metadata.get("costs"):
            metadata["costs"] = dict.fromkeys(costs, 0.0)
        changed = message.model_copy(update={"response_metadata": metadata})
        return generation.model_copy(update={"message": changed})
    return generation
