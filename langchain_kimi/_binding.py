"""A model with options bound to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.language_models import chat_models
from langchain_core.runnables import RunnableBinding, RunnableConfig
from langchain_core.runnables.config import get_config_list, merge_configs

from kimi_core import options
from kimi_core.representation import short

# LangChain has a binding of its own for chat models since 1.7.
_Base: Any = getattr(chat_models, "_ChatModelBinding", RunnableBinding)


class Binding(_Base):  # type: ignore[misc]
    """LangChain's binding, in which keys and headers are hidden, also those that are bound to it later."""

    def __init__(self, *, kwargs: Mapping[str, Any] | None = None, **fields: Any) -> None:
        """Bind options."""
        super().__init__(kwargs=options.hide_call(kwargs or {}), **fields)

    def batch_api(self, inputs: Any, config: Any = None, **kwargs: Any) -> list[Any]:
        """Ask through the host's batches, with what is bound; see `ChatKimi.batch_api`."""
        return self.bound.batch_api(inputs, self._configs(inputs, config), **{**self.kwargs, **kwargs})  # type: ignore[no-any-return]

    async def abatch_api(self, inputs: Any, config: Any = None, **kwargs: Any) -> list[Any]:
        """See `batch_api`."""
        return await self.bound.abatch_api(inputs, self._configs(inputs, config), **{**self.kwargs, **kwargs})  # type: ignore[no-any-return]

    def _configs(self, inputs: Any, config: Any) -> list[RunnableConfig]:
        return [merge_configs(self.config, one) for one in get_config_list(config, len(inputs))]

    def __repr_args__(self) -> list[tuple[str, Any]]:
        bound = {name: _tool_names(value) if name == "tools" else short(value) for name, value in self.kwargs.items()}
        args = {"bound": self.bound, "kwargs": bound, "config": self.config and short(self.config)}
        return [(name, value) for name, value in args.items() if value]

    @classmethod
    def lc_id(cls) -> list[str]:
        """Return the id of LangChain's own, which it is again when it was dumped and loaded."""
        return RunnableBinding.lc_id()


def _tool_names(tools: Any) -> Any:
    """Return tools by their names: their schemas fill pages."""
    shapes = [tool if isinstance(tool, Mapping) else {} for tool in tools] if isinstance(tools, list) else []
    return [short(shape.get("function", shape).get("name", "…")) for shape in shapes]
