"""`show`: an answer as people want to see it, live while it comes."""

from __future__ import annotations

import inspect
import time
from asyncio import CancelledError
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import contextmanager
from typing import Any

from kimi_adapters.notebook import reading
from kimi_adapters.notebook.collecting import Collected
from kimi_adapters.notebook.entries import Timing
from kimi_adapters.notebook.screens import screen


def show(answer: Any, *, local_files: bool = True) -> Any:
    """Show an answer, a conversation or a stream, and return it.

    In a notebook: what the model thought is folded, the text is rendered Markdown, tool calls and results are folded
    lines, pictures are thumbnails, and below are model, host, tokens, price and time. Elsewhere plain text is
    printed. Nothing that a model or tool wrote is run or loaded.

    ```python
    answer = show(model.stream("Tell me about mixture-of-experts models."))
    answer = await show(model.astream("Tell me about mixture-of-experts models."))
    show(agent.invoke({"messages": [("user", "What is the weather in Paris?")]}));
    ```

    A stream is shown as it comes. Stopping the cell ends it and keeps what has come: a sync stream returns it.

    Args:
        answer: Messages of LangChain, responses and messages of LlamaIndex and the core, lists of messages, what an
            agent or query engine returned, or streams of these, sync or async; or an awaitable of any of them.
        local_files: Read picture files that a message names by a path object, for thumbnails.

    Returns:
        What was given; of a stream the whole message (of LangGraph's streams a list of messages); of what is async an
        awaitable of that. A stream that was empty gives None.

    Raises:
        ConfigError: If it is nothing that can be shown.
    """
    if inspect.isawaitable(answer):
        return _awaited(answer, local_files)
    if hasattr(answer, "__anext__"):
        return _Live(local_files).afeed(answer)
    if hasattr(answer, "__next__"):
        return _Live(local_files).feed(answer)
    entries = reading.entries(answer)
    screen(local_files=local_files).end(entries, None)
    return answer


async def _awaited(answer: Awaitable[Any], local_files: bool) -> Any:
    given = await answer
    shown = show(given, local_files=local_files)
    return await shown if inspect.isawaitable(shown) else shown


class _Live:
    """A stream and where it is shown."""

    def __init__(self, local_files: bool) -> None:
        self._screen = screen(local_files=local_files)
        self._collected = Collected()
        self._started = time.monotonic()
        self._first: float | None = None

    def feed(self, stream: Iterator[Any]) -> Any:
        with self._shown():
            try:
                for item in stream:
                    self._add(item)
            finally:
                if hasattr(stream, "close"):  # an iterator that is no generator cannot be closed
                    stream.close()
        return self._collected.whole()

    async def afeed(self, stream: AsyncIterator[Any]) -> Any:
        with self._shown():
            try:
                async for item in stream:
                    self._add(item)
            finally:
                if hasattr(stream, "aclose"):
                    await stream.aclose()
        return self._collected.whole()

    @contextmanager
    def _shown(self) -> Iterator[None]:
        """Draw beginning and end, however it ends. An interrupt is over when something had come."""
        try:
            self._draw()
            yield
        except KeyboardInterrupt:
            self._end("stopped")
            if self._collected.is_empty():
                raise
        except BaseException as error:
            self._end("stopped" if isinstance(error, CancelledError) else f"broke off: {type(error).__name__}")
            raise
        else:
            self._end()

    def _add(self, item: Any) -> None:
        if self._first is None:
            self._first = time.monotonic() - self._started
        self._collected.add(item)
        self._draw()

    def _draw(self) -> None:
        self._screen.update(self._collected.entries, self._timing())

    def _end(self, note: str = "") -> None:
        self._screen.end(self._collected.entries(), self._timing(), note)

    def _timing(self) -> Timing:
        return Timing(time.monotonic() - self._started, self._first)
