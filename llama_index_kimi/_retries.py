"""What happens between two requests of one call: LlamaIndex hears of retries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.base import BaseEvent

if TYPE_CHECKING:
    from tenacity import RetryCallState

_dispatcher = get_dispatcher(__name__)


class LLMRetryEvent(BaseEvent):
    """An attempt to get an answer failed, and another follows.

    Attributes:
        error: The class of its error.
        status_code: The HTTP status, if one came.
        attempt: Its number, from 1.
        pause: Seconds until the next one.
    """

    error: str
    status_code: int | None
    attempt: int
    pause: float

    @classmethod
    def class_name(cls) -> str:
        """Return the name under which it is serialised."""
        return "LLMRetryEvent"


def on_retry(state: RetryCallState) -> None:
    """Tell LlamaIndex of a retry."""
    error = state.outcome.exception() if state.outcome else None
    status, pause = getattr(error, "status_code", None), state.next_action.sleep if state.next_action else 0.0
    attempt = state.attempt_number
    _dispatcher.event(LLMRetryEvent(error=type(error).__name__, status_code=status, attempt=attempt, pause=pause))
