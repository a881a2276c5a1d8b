"""A `KimiLLM` on the local server, and what LlamaIndex tells about its calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from llama_index.core.instrumentation import get_dispatcher
from llama_index_instrumentation.event_handlers import BaseEventHandler
from llama_index_instrumentation.span_handlers import SimpleSpanHandler

from kimi_adapters.local_server import LocalKimi
from llama_index_kimi import KimiLLM


@pytest.fixture(autouse=True)
def no_event_loop() -> None:
    """LlamaIndex asks for the thread's event loop; one that Python then makes would never be closed."""
    asyncio.set_event_loop(None)


@pytest.fixture
def make(kimi: LocalKimi) -> Callable[..., KimiLLM]:
    """Makes an LLM on the local server."""

    def build(**given: Any) -> KimiLLM:
        return KimiLLM(**{"base_url": kimi.base_url, "api_key": kimi.api_key, **given})

    return build


@pytest.fixture
def llm(make: Callable[..., KimiLLM]) -> KimiLLM:
    """An LLM on the local server, with nothing set."""
    return make()


class _Spans(SimpleSpanHandler):
    def new_span(self, id_: str, bound_args: Any, *args: Any, **kwargs: Any) -> Any:
        _entered.append(bound_args)
        return super().new_span(id_, bound_args, *args, **kwargs)


_entered: list[Any] = []


@pytest.fixture
def spans() -> Iterator[list[Any]]:
    """The arguments of the spans of a test, as tracers get them."""
    dispatcher, handler = get_dispatcher(), _Spans()
    dispatcher.add_span_handler(handler)
    _entered.clear()
    yield _entered
    dispatcher.span_handlers.remove(handler)


class _Recorder(BaseEventHandler):
    def handle(self, event: Any, **kwargs: Any) -> None:
        _seen.append(event)


_seen: list[Any] = []


@pytest.fixture
def events() -> Iterator[list[Any]]:
    """The instrumentation events of a test, as they come."""
    dispatcher = get_dispatcher()
    handler = _Recorder()
    dispatcher.add_event_handler(handler)
    _seen.clear()
    yield _seen
    dispatcher.event_handlers.remove(handler)
