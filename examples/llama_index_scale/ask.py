"""Asks what was put into LanceDB: how long a search takes, what it finds, and answers of Kimi with their sources."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

import corpus
from ingest import open_store
from llama_index.core import VectorStoreIndex, get_response_synthesizer
from llama_index.core.query_engine import RetrieverQueryEngine
from parts import HashingEmbedding

from llama_index_kimi import KimiLLM

_TOP = 5


def report(folder: Path, documents: int, searches: int, answers: int) -> str:
    """Return what searches and answers were like, in words."""
    asked = [corpus.question(n * 7919 % documents, n % corpus.PASSAGES) for n in range(searches)]
    lines = []
    for way in ("vector", "hybrid"):
        retriever = open_retriever(folder, way)
        lines.append(f"{way}: {searched(retriever, asked)}")
    llm = KimiLLM(thinking=False, max_tokens=300, max_retries=6)
    engine = RetrieverQueryEngine(retriever, get_response_synthesizer(llm=llm))
    right = 0
    for question, fact, file in asked[:answers]:
        answer = engine.query(question)
        sources = [source.metadata["file"] for source in answer.source_nodes]
        right += fact in str(answer) and file in sources
        if (question, fact, file) == asked[0]:
            lines.append(f"{question}\n  {answer}\n  sources: {', '.join(sorted(set(sources)))}")
    lines.append(f"answers with the right number and its source: {right} of {answers}")
    return "\n".join(lines)


def open_retriever(folder: Path, way: str) -> Any:
    """Return a retriever: by vectors alone, or hybrid, by vectors and words (LanceDB puts both lists into one)."""
    store = open_store(folder)
    store.query_type = way
    return VectorStoreIndex.from_vector_store(store, HashingEmbedding()).as_retriever(similarity_top_k=_TOP)


def searched(retriever: Any, asked: list[tuple[str, str, str]]) -> str:
    start = time.perf_counter()
    retriever.retrieve(asked[0][0])  # makes the index of words, where there is to be one
    first, took, found = time.perf_counter() - start, [], 0
    for question, fact, _ in asked:
        start = time.perf_counter()
        nodes = retriever.retrieve(question)
        took.append(time.perf_counter() - start)
        found += any(fact in node.text and question.split()[-3] in node.text for node in nodes)
    p50, p95 = statistics.median(took) * 1000, sorted(took)[int(len(took) * 0.95)] * 1000
    return (
        f"the passage is among the first {_TOP} for {found} of {len(asked)} questions; "
        f"first search {first * 1000:.0f} ms, then half within {p50:.0f} ms and 95 % within {p95:.0f} ms"
    )
