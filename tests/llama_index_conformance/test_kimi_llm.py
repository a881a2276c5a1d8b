"""`KimiLLM` goes through the whole suite."""

from __future__ import annotations

from typing import Any

import pytest

from kimi_adapters.local_server import LocalKimi
from llama_index_conformance import Conformance, EveryModel, LLMUnderTest
from llama_index_kimi import KimiLLM

pytestmark = [
    pytest.mark.filterwarnings("ignore:The conversation was repaired:kimi_core.KimiWarning"),
    pytest.mark.filterwarnings("ignore:The answer of:kimi_core.KimiWarning"),
]


class Kimi(LLMUnderTest):
    def make(self, kimi: LocalKimi, **options: Any) -> KimiLLM:
        return KimiLLM(**{"base_url": kimi.base_url, "api_key": kimi.api_key, **options})


class KimiWithoutThinking(Kimi):
    def make(self, kimi: LocalKimi, **options: Any) -> KimiLLM:
        return super().make(kimi, **{"thinking": False, **options})


class K3(Kimi):
    def make(self, kimi: LocalKimi, **options: Any) -> KimiLLM:
        return super().make(kimi, model="kimi-k3", **options)


class TestKimi(Kimi, Conformance): ...


@pytest.mark.filterwarnings("ignore:kimi-k2.6 on moonshot thought:kimi_core.KimiWarning")  # the suite's answers all do
class TestKimiWithoutThinking(KimiWithoutThinking, EveryModel): ...


class TestK3(K3, EveryModel): ...
