"""LangSmith's tracer, with the price of a call in the usage of its run.

LangChain adds up the usage of messages, and can only add whole numbers. So a message has its price in
`response_metadata`, and the tracer takes it from there: LangSmith looks for it in the usage of the run.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from langchain_core.callbacks import AsyncCallbackManager, BaseCallbackHandler, CallbackManager, Callbacks
from langchain_core.tracers.langchain import LangChainTracer

COSTS = "costs"
"""Where a message has its price in LangSmith's terms, in `response_metadata`."""


class _Priced:
    """Adds the price to the usage of a run."""

    def _update_run_single(self, run: Any) -> None:
        metadata = run.extra.get("metadata")
        if isinstance(metadata, dict) and (costs := _costs(run.outputs)):
            metadata["usage_metadata"] = {**(metadata.get("usage_metadata") or {}), **costs}
        super()._update_run_single(run)  # type: ignore[misc]


def priced(callbacks: Callbacks, manager: type[CallbackManager | AsyncCallbackManager]) -> Callbacks:
    """Return callbacks with tracers that know the price; the same where LangSmith is not listening."""
    # As LangChain does it with what a call is given: it adds the tracer where one is set for the process or context.
    configured = manager.configure(callbacks)
    if not any(isinstance(handler, LangChainTracer) for handler in configured.handlers):
        return callbacks
    configured.handlers = with_prices(configured.handlers)
    configured.inheritable_handlers = with_prices(configured.inheritable_handlers)
    return configured


def with_prices(handlers: list[BaseCallbackHandler]) -> list[BaseCallbackHandler]:
    """Return the handlers, with tracers that know the price."""
    return [_with_price(handler) for handler in handlers]


def _with_price(handler: BaseCallbackHandler) -> BaseCallbackHandler:
    if not isinstance(handler, LangChainTracer) or isinstance(handler, _Priced):
        return handler
    kind = _class(type(handler))
    made = kind.__new__(kind)
    made.__dict__.update(vars(handler.copy_with_metadata_defaults()))  # which knows the same runs
    return made


@lru_cache(maxsize=16)
def _class(tracer: type[LangChainTracer]) -> type[LangChainTracer]:
    made: type[LangChainTracer] = type(tracer.__name__, (_Priced, tracer), {})
    return made


def _costs(outputs: Mapping[str, Any] | None) -> dict[str, float]:
    """Return the price of a run; its first message has that of all."""
    for generations in (outputs or {}).get("generations") or ():
        for generation in generations:
            message = generation.get("message") or {}
            costs = message.get("kwargs", {}).get("response_metadata", {}).get(COSTS)
            if costs:
                return dict(costs)
    return {}
