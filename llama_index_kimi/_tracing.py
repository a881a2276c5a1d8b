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
    # What is called like a secret may be a value for the prompt: options are in `llm_kwargs` there.
    prompted = "prompt_args" in inspect.signature(method).parameters

    def hide(argument: dict[str, Any]) -> dict[str, Any]:
        if not prompted:
            return options.hide_call(argument)
        nested = argument.get("llm_kwargs")
        return {**options.hide(argument), **({"llm_kwargs": options.hide_call(nested)} if nested else {})}

    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        with short_traceback:
            shown = [hide(argument) if isinstance(argument, dict) else argument for argument in args]
            return spanned.__get__(self)(*shown, **(hide(kwargs) if kwargs else {}))

    @functools.wraps(method)
    async def acall(self: Any, *args: Any, **kwargs: Any) -> Any:
        with short_traceback:
            shown = [hide(argument) if isinstance(argument, dict) else argument for argument in args]
            return await spanned.__get__(self)(*shown, **(hide(kwargs) if kwargs else {}))

    wrapped: Any = acall if inspect.iscoroutinefunction(method) else call
    return cast(F, wrapped)
