"""The pages, indexed once, and LLMs on the local server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llama_index.core
import pytest
from llama_index.core import VectorStoreIndex
from llama_index.core.schema import BaseNode

from kimi_adapters.local_server import LocalKimi
from llama_index_kimi import KimiLLM
from rag import pipeline
from rag.corpus import pages
from rag.embedding import LatentSemanticEmbedding


@pytest.fixture(autouse=True)
def no_event_loop() -> None:
    """LlamaIndex asks for the thread's event loop; one that Python then makes would never be closed."""
    asyncio.set_event_loop(None)


@pytest.fixture(autouse=True)
def tokenizers_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pickled splitters bring their tokenizer's name; a process without this would download its file."""
    files = Path(llama_index.core.__file__).parent / "_static" / "tiktoken_cache"
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(files))


@pytest.fixture(scope="session")
def nodes() -> list[BaseNode]:
    return pipeline.split()


@pytest.fixture(scope="session")
def embedding() -> LatentSemanticEmbedding:
    return LatentSemanticEmbedding().fit([page.text for page in pages()])


@pytest.fixture(scope="session")
def folder(nodes: list[BaseNode], embedding: LatentSemanticEmbedding, tmp_path_factory: Any) -> Path:
    """Where the index was written."""
    written: Path = tmp_path_factory.mktemp("pages")
    pipeline.store(nodes, embedding, written)
    return written


@pytest.fixture(scope="session")
def index(folder: Path, embedding: LatentSemanticEmbedding) -> VectorStoreIndex:
    """The index, read back."""
    return pipeline.load(folder, embedding)


@pytest.fixture
def make(kimi: LocalKimi) -> Callable[..., KimiLLM]:
    """Makes an LLM on the local server."""

    def build(**given: Any) -> KimiLLM:
        return KimiLLM(**{"base_url": kimi.base_url, "api_key": kimi.api_key, **given})

    return build


@pytest.fixture
def llm(make: Callable[..., KimiLLM]) -> KimiLLM:
    return make()
