"""Models share connections, outlive event loops, and keep nothing alive."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable

from kimi_adapters.local_server import LocalKimi
from kimi_core.transport import clients
from langchain_kimi import ChatKimi


def test_every_event_loop_makes_exactly_its_requests(model: ChatKimi, kimi: LocalKimi) -> None:
    for _ in range(10):
        asyncio.run(model.ainvoke("Hello"))
    assert len(kimi.requests) == 10


def test_models_share_their_connections(make: Callable[..., ChatKimi], kimi: LocalKimi) -> None:
    models = [make() for _ in range(20)]
    for model in models:
        model.invoke("Hello")
    shared = {id(clients.client(model._client.settings)) for model in models}
    assert len(shared) == 1


def test_no_model_is_kept_alive_by_its_client(make: Callable[..., ChatKimi]) -> None:
    model = make()
    model.invoke("Hello")
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
