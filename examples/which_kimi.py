"""The model of the examples: the real one when `MOONSHOT_API_KEY` is set, else the local server's."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from kimi_adapters.local_server import LocalKimi

if TYPE_CHECKING:
    from langchain_kimi import ChatKimi


def place(script: Iterable[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Where calls go, as words of `ChatKimi` and `KimiLLM`.

    Args:
        script: What the local server answers first, where its rules would not do.
    """
    if os.environ.get("MOONSHOT_API_KEY"):
        return {}
    local = LocalKimi().start()
    for reply in script:
        local.enqueue(**reply)
    print("No MOONSHOT_API_KEY: the local server answers, by rules instead of a model.\n")
    return {"base_url": local.base_url, "api_key": local.api_key}


def make_model(**options: Any) -> ChatKimi:
    """`ChatKimi` as the environment says."""
    from langchain_kimi import ChatKimi

    return ChatKimi(**place(), **options)
