"""Engines that answer from documents."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from llama_index.core import Document, MockEmbedding, Settings, SummaryIndex, VectorStoreIndex
from llama_index.core.base.llms.types import MessageRole
from llama_index.core.indices.prompt_helper import PromptHelper
from llama_index.core.response_synthesizers import ResponseMode
from pydantic import BaseModel

from kimi_adapters.local_server import LocalKimi
from llama_index_kimi import KimiLLM

DOCUMENTS = [Document(text="The lighthouse of Alora is 41 metres tall."), Document(text="Alora has a harbour.")]
QUESTION = "How tall is the lighthouse of Alora?"


@pytest.fixture
def settled(llm: KimiLLM) -> Iterator[KimiLLM]:
    """The LLM as LlamaIndex's default one."""
    Settings.llm = llm
    yield llm
    Settings._llm = None


def test_it_can_be_the_default_llm(settled: KimiLLM, kimi: LocalKimi) -> None:
    assert "41" in str(SummaryIndex.from_documents(DOCUMENTS).as_query_engine().query(QUESTION))
    assert kimi.errors == []


@pytest.mark.parametrize("mode", [ResponseMode.REFINE, ResponseMode.COMPACT, ResponseMode.SIMPLE_SUMMARIZE])
def test_every_way_to_an_answer_is_taken_by_the_host(llm: KimiLLM, kimi: LocalKimi, mode: ResponseMode) -> None:
    engine = SummaryIndex.from_documents(DOCUMENTS).as_query_engine(llm=llm, response_mode=mode)
    assert str(engine.query(QUESTION))
    assert kimi.errors == []


def test_answers_are_made_in_event_loops_that_come_and_go(llm: KimiLLM, kimi: LocalKimi) -> None:
    mode = ResponseMode.TREE_SUMMARIZE
    engine = SummaryIndex.from_documents(DOCUMENTS).as_query_engine(llm=llm, response_mode=mode, use_async=True)
    assert str(engine.query(QUESTION)) == str(engine.query(QUESTION))
    assert kimi.errors == []


def test_a_streamed_answer_has_no_thinking_in_it(llm: KimiLLM, kimi: LocalKimi) -> None:
    kimi.enqueue(text="41 metres tall.", reasoning="I read it.")
    index = VectorStoreIndex.from_documents(DOCUMENTS, embed_model=MockEmbedding(embed_dim=4))
    answer = index.as_query_engine(llm=llm, streaming=True).query(QUESTION)
    assert "".join(answer.response_gen) == "41 metres tall."


class Height(BaseModel):
    """A height."""

    metres: int


def test_an_engine_answers_with_an_object(llm: KimiLLM, kimi: LocalKimi) -> None:
    kimi.enqueue(text='{"metres": 41}')
    index = SummaryIndex.from_documents(DOCUMENTS)
    engine = index.as_query_engine(llm=llm.as_structured_llm(Height), response_mode=ResponseMode.SIMPLE_SUMMARIZE)
    assert engine.query(QUESTION).response == Height(metres=41)


def test_prompts_leave_room_for_thinking(make: Callable[..., KimiLLM]) -> None:
    metadata = make().metadata
    helper = PromptHelper.from_llm_metadata(metadata)
    assert helper.context_window - helper.num_output == 262_144 - 3072
    assert metadata.system_role is MessageRole.SYSTEM
