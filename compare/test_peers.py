"""`KimiLLM` and the classes that are used with Kimi today, through the same suite, each as well set up as it can be."""

from __future__ import annotations

from typing import Any

import pytest
from llama_index.llms.openai_like import OpenAILike
from llama_index_conformance import Conformance

from kimi_adapters.local_server import LocalKimi
from llama_index_kimi import KimiLLM

pytestmark = pytest.mark.filterwarnings("ignore")

THINKING = {True: {"type": "enabled"}, False: {"type": "disabled"}}


def extra(options: dict[str, Any]) -> dict[str, Any]:
    """Put options that these classes lack where their documentation has them."""
    body: dict[str, Any] = {}
    if "thinking" in options:
        on = options.pop("thinking")
        body["thinking"] = THINKING[on]
        options["temperature"] = 1.0 if on else 0.6
    options.pop("empty_answer", None)
    return {**options, **({"additional_kwargs": {"extra_body": body}} if body else {})}


class TestKimiLLM(Conformance):
    """With nothing set."""

    def make(self, kimi: LocalKimi, **options: Any) -> KimiLLM:
        return KimiLLM(**{"base_url": kimi.base_url, "api_key": kimi.api_key, **options})


class TestOpenAILike(Conformance):
    """Told that it is a chat model, that it calls functions, the context window, and the temperature Kimi takes."""

    def make(self, kimi: LocalKimi, **options: Any) -> OpenAILike:
        told = {"is_chat_model": True, "is_function_calling_model": True, "context_window": 262_144, "temperature": 1.0}
        place = {"model": "kimi-k2.6", "api_base": kimi.base_url, "api_key": kimi.api_key}
        return OpenAILike(**{**place, **told, **extra(options)})
