"""The model of the examples: the real one when `MOONSHOT_API_KEY` is set, else the local server's."""

from __future__ import annotations

import os
from typing import Any

from kimi_core.emulator import LocalKimi
from langchain_kimi import ChatKimi


def make_model(**options: Any) -> ChatKimi:
    """`ChatKimi` as the environment says."""
    if os.environ.get("MOONSHOT_API_KEY"):
        return ChatKimi(**options)
    local = LocalKimi().start()
    print("No MOONSHOT_API_KEY: the local server answers, by rules instead of a model.\n")
    return ChatKimi(base_url=local.base_url, api_key=local.api_key, **options)
