"""Calls as LlamaIndex traces them, without the keys and headers that were given for one call.

LlamaIndex records the arguments of a call in spans, events and callbacks. So what is secret among them is wrapped
before any of these sees it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, cast

from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index_instrumentation import get_dispatcher

from kimi_core import options
from kimi_core.errors import short_traceback
from llama_index_kimi._streaming import closing_streams, events_when_heard

F = TypeVar("F", bound=Callable[..., Any])

_NESTED = ("llm_kwargs", "additional_kwargs")
# Headers in `additional_kwargs` are an error, and a trace has that of a call that failed as well.
_SECRET = frozenset({"api_key", "default_headers", "extra_headers", "fallback_hosts", *options.OF_FACTS, *_NESTED})
_dispatcher = get_dispatcher(__name__)


def traced_chat(method: F) -> F:
    """Wrap a chat method: in a span, with events and callbacks."""
    wrapped: F = traced(closing_streams(events_when_heard(llm_chat_callback()(method))))
    return wrapped


def traced_completion(method: F) -> F:
    """Wrap a completion method: in a span, with events and callbacks."""
    wrapped: F = traced(closing_streams(events_when_heard(llm_completion_callback()(method))))
    return wrapped


def traced(method: F) -> F:
    """Wrap a method in a span. Nothing secret among its arguments is seen there.

    The span is of the object that is called: tracers ask it for its model, and name the span after its class.
    """
    spanned: Any = _dispatcher.span(method)

    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        with short_traceback:
            return spanned.__get__(self)(*map(_hide_secrets, args), **_hide_secrets(kwargs))

    @functools.wraps(method)
    async def acall(self: Any, *args: Any, **kwargs: Any) -> Any:
        with short_traceback:
            return await spanned.__get__(self)(*map(_hide_secrets, args), **_hide_secrets(kwargs))

    wrapped: Any = acall if inspect.iscoroutinefunction(method) else call
    return cast(F, wrapped)


def _hide_secrets(argument: Any) -> Any:
    """Return options of a call with their secrets wrapped; anything else as it is."""
    if not isinstance(argument, dict) or _SECRET.isdisjoint(argument):
        return argument
    hidden = options.hide(argument)
    return {**hidden, **{name: _hide_secrets(argument[name]) for name in _NESTED if name in argument}}
