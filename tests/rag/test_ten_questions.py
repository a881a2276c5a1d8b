"""Ten questions about real pages, answered from the right ones."""

from __future__ import annotations

import asyncio
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest
from llama_index.core import VectorStoreIndex
from llama_index.core.base.response.schema import AsyncStreamingResponse, StreamingResponse
from llama_index.core.schema import NodeWithScore

from kimi_adapters.local_server import LocalKimi
from llama_index_kimi import KimiLLM
from rag import pipeline
from rag.corpus import pages
from rag.embedding import LatentSemanticEmbedding

asked = pytest.mark.parametrize(("question", "page"), pipeline.QUESTIONS.items(), ids=pipeline.QUESTIONS.values())


def _sources(found: list[NodeWithScore]) -> list[str]:
    return [node.metadata["file_name"] for node in found]


def _is_from(answer: str, found: list[NodeWithScore]) -> bool:
    """Whether the answer says what stands on the pages that were found."""
    read = " ".join(node.get_content() for node in found)
    words = re.findall(r"[a-z]{4,}", answer.lower())
    return bool(words) and sum(word in read.lower() for word in words) >= 0.7 * len(words)


def test_there_are_at_least_two_hundred_pages() -> None:
    assert len(pages()) >= 200


@asked
def test_a_question_is_answered_from_its_page(
    index: VectorStoreIndex, llm: KimiLLM, kimi: LocalKimi, question: str, page: str
) -> None:
    answer = pipeline.engine(index, llm).query(question)
    assert _sources(answer.source_nodes)[0] == page
    assert _is_from(str(answer), answer.source_nodes)
    assert kimi.errors == []


def test_a_streamed_answer_comes_from_its_page(index: VectorStoreIndex, llm: KimiLLM, kimi: LocalKimi) -> None:
    question, page = next(iter(pipeline.QUESTIONS.items()))
    answer = pipeline.engine(index, llm, streaming=True).query(question)
    assert isinstance(answer, StreamingResponse)
    assert _is_from("".join(answer.response_gen), answer.source_nodes)
    assert _sources(answer.source_nodes)[0] == page
    assert kimi.errors == []


def test_ten_questions_at_once_are_answered_from_their_pages(
    index: VectorStoreIndex, llm: KimiLLM, kimi: LocalKimi
) -> None:
    engine = pipeline.engine(index, llm, streaming=True, use_async=True)

    async def ask(question: str) -> tuple[str, list[NodeWithScore]]:
        answer = await engine.aquery(question)
        assert isinstance(answer, AsyncStreamingResponse)
        return "".join([piece async for piece in answer.async_response_gen()]), answer.source_nodes

    async def ask_all() -> list[tuple[str, list[NodeWithScore]]]:
        return await asyncio.gather(*(ask(question) for question in pipeline.QUESTIONS))

    answers = asyncio.run(ask_all())
    assert [_sources(found)[0] for _, found in answers] == list(pipeline.QUESTIONS.values())
    assert all(_is_from(text, found) for text, found in answers)
    assert kimi.errors == []


_OTHER_PROCESS = """
import pickle, sys
sys.path.insert(0, sys.argv[1])
engine = pickle.load(sys.stdin.buffer)
from rag.pipeline import QUESTIONS
for question in QUESTIONS:
    answer = engine.query(question)
    print(answer.source_nodes[0].metadata["file_name"], bool(str(answer).strip()))
"""


def test_a_pickled_pipeline_answers_in_another_process(
    folder: Path, embedding: LatentSemanticEmbedding, llm: KimiLLM, kimi: LocalKimi
) -> None:
    engine = pipeline.engine(pipeline.load(folder, embedding), llm)
    assert str(engine.query(next(iter(pipeline.QUESTIONS))))  # clients are open, and are left at home
    tests = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", _OTHER_PROCESS, tests], input=pickle.dumps(engine), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().split("\n")[:10] == [f"{page} True" for page in pipeline.QUESTIONS.values()]
    assert kimi.errors == []
