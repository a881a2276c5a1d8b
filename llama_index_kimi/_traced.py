"""Calls as LlamaIndex traces them, without the keys and headers that were given for one call.

LlamaIndex records the arguments of a call in spans, events and callbacks. So what is secret among them is wrapped
before any of these sees it, and unwrapped when the request is made.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index_instrumentation import get_dispatcher
from pydantic import SecretStr

from kimi_core.types import JsonObject
from llama_index_kimi._progress import thrifty
from llama_index_kimi._tidy import tidy

F = TypeVar("F", bound=Callable[..., Any])

_HEADERS = ("default_headers", "extra_headers")
_SECRET = frozenset({"api_key", "llm_kwargs", "fallback_hosts", *_HEADERS})
_dispatcher = get_dispatcher(__name__)


def traced_chat(method: F) -> F:
    """A chat method: in a span, with events and callbacks."""
    wrapped: F = traced(tidy(thrifty(llm_chat_callback()(method))))
    return wrapped


def traced_completion(method: F) -> F:
    """A completion method: in a span, with events and callbacks."""
    wrapped: F = traced(tidy(thrifty(llm_completion_callback()(method))))
    return wrapped


def traced(method: F) -> F:
    """A method in a span. Nothing secret among its arguments is seen there.

    The span is of the object that is called: tracers ask it for its model, and name the span after its class.
    """
    spanned: Any = _dispatcher.span(method)

    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return spanned.__get__(self)(*map(_hidden, args), **_hidden(kwargs))

    @functools.wraps(method)
    async def acall(self: Any, *args: Any, **kwargs: Any) -> Any:
        return await spanned.__get__(self)(*map(_hidden, args), **_hidden(kwargs))

    wrapped: Any = acall if inspect.iscoroutinefunction(method) else call
    return cast(F, wrapped)


def _hidden(words: Any) -> Any:
    """Words of a call with their secrets wrapped; anything else as it is."""
    if not isinstance(words, dict) or _SECRET.isdisjoint(words):
        return words
    hidden = dict(words)
    if isinstance(key := words.get("api_key"), str):
        hidden["api_key"] = SecretStr(key)
    for name in _HEADERS:
        if isinstance(headers := words.get(name), dict):
            hidden[name] = {header: _secret(value) for header, value in headers.items()}
    if nested := words.get("llm_kwargs"):
        hidden["llm_kwargs"] = _hidden(nested)
    if isinstance(places := words.get("fallback_hosts"), list | tuple):
        hidden["fallback_hosts"] = [_hidden(place) for place in places]
    return hidden


def _secret(value: str | SecretStr) -> SecretStr:
    return value if isinstance(value, SecretStr) else SecretStr(value)


def revealed(words: Mapping[str, Any]) -> JsonObject:
    """Words of a call with their headers as they were given. A key may stay wrapped."""
    given = dict(words)
    for name in _HEADERS:
        if isinstance(headers := given.get(name), dict):
            given[name] = {header: _plain(value) for header, value in headers.items()}
    if isinstance(places := given.get("fallback_hosts"), list | tuple):
        given["fallback_hosts"] = [revealed(place) if isinstance(place, dict) else place for place in places]
    return given


def _plain(value: str | SecretStr) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value
