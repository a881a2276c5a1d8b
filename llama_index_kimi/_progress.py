"""The events of a stream's pieces, without their price.

LlamaIndex makes an event of every piece, whether anybody listens or not, and validates the whole conversation anew for
each: 0.2 ms a piece after a thousand turns, five times what all the rest of a piece costs. Here an event is made when
somebody listens, and it takes the conversation over as it was validated when the call began.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse
from llama_index.core.instrumentation.events.llm import LLMChatInProgressEvent, LLMCompletionInProgressEvent
from llama_index.core.llms.callbacks import dispatcher
from llama_index_instrumentation.event_handlers import NullEventHandler


class _Unheard:
    """Stands for an event that nobody hears: all that is done with it is adding tags."""

    @property
    def tags(self) -> dict[str, Any]:
        return {}


_UNHEARD = _Unheard()


def thrifty(told: Any) -> Any:
    """A method in LlamaIndex's own callback wrapper, with another way to make the event of a piece.

    What comes back is a copy of the wrapper that finds the functions below under the names of the events' classes.
    LlamaIndex itself stays as it is; should it stop using these names, its own way is back.
    """
    copied = FunctionType(told.__code__, told.__globals__ | _MAKERS, told.__name__, told.__defaults__, told.__closure__)
    return functools.update_wrapper(copied, told)


def _of_chat(messages: Sequence[ChatMessage], response: ChatResponse, span_id: str | None) -> Any:
    if not _heard():
        return _UNHEARD
    event = LLMChatInProgressEvent(messages=[], response=response, span_id=span_id)
    event.messages = [*messages]
    return event


def _of_completion(**about: Any) -> Any:
    return LLMCompletionInProgressEvent(**about) if _heard() else _UNHEARD


_MAKERS: dict[str, Callable[..., Any]] = {
    LLMChatInProgressEvent.__name__: _of_chat,
    LLMCompletionInProgressEvent.__name__: _of_completion,
}


def _heard() -> bool:
    """Whether anybody listens to LlamaIndex's events."""
    asked: Any = dispatcher
    while asked:
        if any(type(handler) is not NullEventHandler for handler in asked.event_handlers):
            return True
        asked = asked.parent if asked.propagate else None
    return False
