"""One call: whom it goes to, what it asks for, and how the messages of its answer are made."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun, Callbacks
from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig, ensure_config

from kimi_core import openai_shapes, options
from kimi_core.call_options import NO_OPTIONS, Options
from kimi_core.client.async_client import AsyncKimiClient
from kimi_core.client.client import KimiClient
from kimi_core.errors import ConfigError
from kimi_core.quoting import quoted
from kimi_core.types import JsonObject, Message, OutputFormat, Request, TextPart
from langchain_kimi._connection import revived
from langchain_kimi._messages_in import to_messages
from langchain_kimi._messages_out import MessageFormat
from langchain_kimi._tools import to_tools

if TYPE_CHECKING:
    from langchain_kimi.chat_models import ChatKimi

Client = TypeVar("Client", KimiClient, AsyncKimiClient)
RunManager = CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun

# Options of a call that LangChain brings or `bind_tools` binds.
_BROUGHT = ("model", "model_name", "tools", "tool_choice", "response_format", "structured_output", "stream")
# Fields that are no options of the core's.
_SHAPING = ("stream_usage", "cost_in_usage", "include_response_headers", "include_prefill")
_OWN = frozenset((*_BROUGHT, *_SHAPING, *options.SERVED))


def prepare(
    model: ChatKimi,
    client: Client,
    messages: list[BaseMessage],
    stop: list[str] | None,
    kwargs: Mapping[str, Any],
    *,
    stream: bool = False,
    run_manager: RunManager | None = None,
) -> tuple[Client, Request, MessageFormat]:
    """Work out one call.

    Args:
        model: Whose options hold where the call gives none.
        client: The model's client.
        messages: The conversation.
        stop: Texts that end the answer.
        kwargs: What else the call was given.
        stream: Whether the answer is streamed.
        run_manager: Gets every chunk when LangChain gives one, which only its v3 events do.

    Returns:
        The client for this call, the request, and the form of the answer's messages.

    Raises:
        ConfigError: If an option is wrong or does not exist.
        MessageError: If a message cannot be sent to a Kimi host.
    """
    connection, given, own = options.split(kwargs, _OWN) if kwargs else ({}, {}, {})
    if connection:
        connection = revived(connection)
    if stop is not None:
        given["stop"] = stop
    fixed = {name: value for name in options.OPTIONS if (value := getattr(model, name)) is not None}
    chosen = options.parse(fixed) if fixed else NO_OPTIONS
    if connection and chosen.extra_headers and client.changes_host(connection):
        chosen = chosen.changed(extra_headers=None)
    request = _request(model, messages, own, options.parse(given, chosen) if given else chosen)
    asked = {name: getattr(model, name) if own.get(name) is None else own[name] for name in _SHAPING}
    if stream and not asked["stream_usage"]:
        facts = connection.get("overrides") or model._client.settings.overrides
        connection["overrides"] = {**facts, "usage.stream_options": False}
    if connection:
        client = client.derived(**connection)
    message_format = MessageFormat(
        host=client.settings.host.name,
        # Messages of v3 events are of v1: made so from the start, reasoning is not in them twice.
        v1=run_manager is not None or model.output_version == "v1",
        events=run_manager is not None,
        costs=asked["cost_in_usage"],
        price=_price(client, request.model) if asked["cost_in_usage"] else None,
        headers=asked["include_response_headers"],
        prefill=_prefill(request.messages[-1:]) if asked["include_prefill"] else "",
        single_call=request.options.parallel_tool_calls is False,
        merge=request.options.merge_deltas is not False,
        served=any(tool.type != "function" for tool in request.tools),
    )
    if run_manager and message_format.costs:
        from langchain_kimi._tracing import with_prices  # brings LangSmith, when asked for

        run_manager.handlers = with_prices(run_manager.handlers)
    return client, request, message_format


def hooks(model: ChatKimi, run_manager: CallbackManagerForLLMRun | None) -> JsonObject:
    """Return what is called before each request of a call but the first, for which LangChain waits, and on a retry."""
    pace = partial(model.rate_limiter.acquire, blocking=True) if model.rate_limiter else None
    return {"pace": pace, "on_retry": run_manager and run_manager.on_retry}


def ahooks(model: ChatKimi, run_manager: AsyncCallbackManagerForLLMRun | None) -> JsonObject:
    """See `hooks`."""
    pace = partial(model.rate_limiter.aacquire, blocking=True) if model.rate_limiter else None
    return {"pace": pace, "on_retry": run_manager and run_manager.on_retry}


def warn_of_two_retries(model: ChatKimi, stop_after_attempt: int = 3, **_: Any) -> None:
    """Warn once when somebody retries a model from outside that retries itself.

    LangChain's own middleware (summaries) does so too: who uses that has not chosen it, and is not warned.
    """
    if not model.max_retries or _caller() in _LIBRARIES:
        return
    most = (model.max_retries + 1) * stop_after_attempt
    model._client.pipeline.warn(
        "with_retry",
        f"with_retry and max_retries={model.max_retries} multiply: one answer may take {most} requests. "
        "Give max_retries=0 to a model that is retried from outside, or leave retries to the model: it knows the "
        "host's pause.",
    )


_LIBRARIES = ("langchain", "langchain_classic", "deepagents")
_BETWEEN = ("langchain_kimi", "langchain_core")


def _caller() -> str:
    """Return the package of whoever called a method of a model, directly or through a binding."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package not in _BETWEEN:
            return package
        frame = frame.f_back
    return ""


def priced(model: ChatKimi, callbacks: Callbacks, manager: Any, kwargs: JsonObject) -> Callbacks:
    """Return callbacks of which LangSmith's learn the price, where that is asked for (`cost_in_usage`)."""
    asked = kwargs.get("cost_in_usage")
    if not (model.cost_in_usage if asked is None else asked):
        return callbacks
    from langchain_kimi import _tracing  # brings LangSmith, when asked for

    return _tracing.priced(callbacks, manager)


def priced_config(
    model: ChatKimi, config: RunnableConfig | None, manager: Any, kwargs: JsonObject
) -> RunnableConfig | None:
    """Return a configuration with callbacks as in `priced`."""
    if not model.cost_in_usage and not kwargs.get("cost_in_usage"):
        return config
    config = ensure_config(config)
    return {**config, "callbacks": priced(model, config.get("callbacks"), manager, kwargs)}


def _request(model: ChatKimi, messages: list[BaseMessage], own: JsonObject, asked: Options) -> Request:
    name = own.get("model") or own.get("model_name") or model.model_name
    if not isinstance(name, str):
        raise ConfigError(f"model must be a model's id, got {quoted(name)}.")
    left_out: dict[str, None] = {}
    request = Request(
        messages=to_messages(messages, left_out),
        model=name,
        options=asked,
        **(_tools_and_output(model, own) if own or model.server_tools or model.max_server_rounds is not None else {}),
    )
    for kind in left_out:
        model._client.pipeline.warn(
            f"block {kind}",
            f"A block of the type {quoted(kind)} in an assistant message was left out: it means something "
            "only to the provider that it is from.",
        )
    return request


def _tools_and_output(model: ChatKimi, own: JsonObject) -> JsonObject:
    """Return the fields of a request about tools, and about the form of the answer."""
    return {
        **options.parse_served(own, vars(model), to_tools(own["tools"]) if "tools" in own else ()),
        "tool_choice": options.parse_tool_choice(own.get("tool_choice")),
        "output": _output(own),
    }


def _output(own: JsonObject) -> OutputFormat | None:
    if asked := own.get("structured_output"):
        if own.get("response_format"):
            raise ConfigError("response_format and with_structured_output(…) both describe the answer: give one.")
        method = asked["method"]
        schema = None if method == "json_object" else asked["schema"]
        return OutputFormat(method, schema, asked["name"], asked["description"], asked["strict"])
    response_format = own.get("response_format")
    return openai_shapes.to_output(response_format) if response_format else None


def _price(client: KimiClient | AsyncKimiClient, model: str) -> Any:
    profile = client.profile(model)
    return profile.host.usage.prices.get(profile.model.id)


def _prefill(last: Any) -> str:
    """Return the text of the message that is to be continued."""
    message: Message | None = next(iter(last), None)
    if message is None or not message.partial:
        return ""
    content = message.content
    return content if isinstance(content, str) else "".join(p.text for p in content if isinstance(p, TextPart))
