"""LlamaIndex's engines, synthesizers, rerankers, evaluators and ingestion on `KimiLLM`: no call is ever refused."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from llama_index.core import Document, Settings, SummaryIndex, VectorStoreIndex, get_response_synthesizer
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.chat_engine.types import BaseChatEngine, ChatMode
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.evaluation import (
    AnswerRelevancyEvaluator,
    BaseEvaluator,
    ContextRelevancyEvaluator,
    CorrectnessEvaluator,
    FaithfulnessEvaluator,
    GuidelineEvaluator,
    PairwiseComparisonEvaluator,
    RelevancyEvaluator,
)
from llama_index.core.extractors import KeywordExtractor, QuestionsAnsweredExtractor, SummaryExtractor, TitleExtractor
from llama_index.core.indices.query.query_transform import HyDEQueryTransform
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.node_parser import TokenTextSplitter
from llama_index.core.postprocessor import LLMRerank, StructuredLLMRerank
from llama_index.core.postprocessor.rankGPT_rerank import RankGPTRerank
from llama_index.core.query_engine import (
    RetrieverQueryEngine,
    RouterQueryEngine,
    SubQuestionQueryEngine,
    TransformQueryEngine,
)
from llama_index.core.question_gen import LLMQuestionGenerator
from llama_index.core.response_synthesizers import ResponseMode
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import ImageNode, NodeWithScore, QueryBundle, TextNode
from llama_index.core.selectors import (
    LLMMultiSelector,
    LLMSingleSelector,
    PydanticMultiSelector,
    PydanticSingleSelector,
)
from llama_index.core.tools import QueryEngineTool

from kimi_adapters.local_server import LocalKimi
from llama_index_kimi import KimiLLM

TOWER, HARBOUR = "The lighthouse of Alora is 41 metres tall.", "The harbour of Alora has 12 berths for ships."
DOCUMENTS = [Document(text=TOWER), Document(text=HARBOUR)]
HOW_TALL, HOW_MANY = "How tall is the lighthouse of Alora?", "And how many berths has the harbour?"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.fixture(autouse=True)
def nothing_is_refused(kimi: LocalKimi) -> Iterator[None]:
    yield
    assert kimi.errors == []


@pytest.fixture
def summaries() -> SummaryIndex:
    return SummaryIndex.from_documents(DOCUMENTS)


@pytest.fixture
def vectors() -> VectorStoreIndex:
    return VectorStoreIndex.from_documents(DOCUMENTS, embed_model=MockEmbedding(embed_dim=4))


# ---------------------------------------------------------------------------------------------------- synthesis

ANSWERED = [
    ResponseMode.REFINE,
    ResponseMode.COMPACT,
    ResponseMode.TREE_SUMMARIZE,
    ResponseMode.ACCUMULATE,
    ResponseMode.COMPACT_ACCUMULATE,
]
STREAMED = [ResponseMode.REFINE, ResponseMode.COMPACT, ResponseMode.TREE_SUMMARIZE]
modes = pytest.mark.parametrize("mode", ANSWERED, ids=lambda mode: mode.value)
streamed_modes = pytest.mark.parametrize("mode", STREAMED, ids=lambda mode: mode.value)


@modes
def test_every_mode_synthesizes(llm: KimiLLM, summaries: SummaryIndex, mode: ResponseMode) -> None:
    assert "41 metres" in str(summaries.as_query_engine(llm=llm, response_mode=mode).query(HOW_TALL))


@modes
def test_every_mode_synthesizes_asynchronously(llm: KimiLLM, summaries: SummaryIndex, mode: ResponseMode) -> None:
    engine = summaries.as_query_engine(llm=llm, response_mode=mode, use_async=True)
    assert "41 metres" in str(asyncio.run(_aquery(engine)))


async def _aquery(engine: Any) -> Any:
    return await engine.aquery(HOW_TALL)


@streamed_modes
def test_every_mode_that_streams_does(llm: KimiLLM, summaries: SummaryIndex, mode: ResponseMode) -> None:
    answer = summaries.as_query_engine(llm=llm, response_mode=mode, streaming=True).query(HOW_TALL)
    pieces = list(answer.response_gen)
    assert len(pieces) > 1
    assert "41 metres" in "".join(pieces)


@streamed_modes
def test_every_mode_that_streams_does_so_asynchronously(
    llm: KimiLLM, summaries: SummaryIndex, mode: ResponseMode
) -> None:
    async def ask() -> str:
        answer = await summaries.as_query_engine(llm=llm, response_mode=mode, streaming=True).aquery(HOW_TALL)
        return "".join([piece async for piece in answer.async_response_gen()])

    assert "41 metres" in asyncio.run(ask())


@pytest.mark.parametrize("mode", [ResponseMode.SIMPLE_SUMMARIZE, ResponseMode.GENERATION], ids=lambda mode: mode.value)
def test_the_simple_modes_answer(llm: KimiLLM, summaries: SummaryIndex, kimi: LocalKimi, mode: ResponseMode) -> None:
    kimi.enqueue(text="41 metres.")
    assert str(summaries.as_query_engine(llm=llm, response_mode=mode).query(HOW_TALL)) == "41 metres."


def test_a_tree_of_many_pieces_is_summarised_level_by_level(make: Callable[..., KimiLLM], kimi: LocalKimi) -> None:
    llm = make(context_window=1200, max_tokens=200)
    synthesizer = get_response_synthesizer(llm=llm, response_mode=ResponseMode.TREE_SUMMARIZE, streaming=True)
    nodes = [NodeWithScore(node=TextNode(text=f"{TOWER} " * 30)) for _ in range(6)]
    answer = synthesizer.synthesize(HOW_TALL, nodes)
    assert "41 metres" in "".join(answer.response_gen)
    assert len(kimi.requests) > 2


def test_an_answer_filter_drops_what_does_not_answer(llm: KimiLLM, kimi: LocalKimi) -> None:
    for said in ('{"answer": "41 metres", "query_satisfied": true}', '{"answer": "12", "query_satisfied": false}'):
        kimi.enqueue(tool_calls=[{"name": "StructuredRefineResponse", "arguments": said}])
    refine = get_response_synthesizer(
        llm=llm, response_mode=ResponseMode.REFINE, structured_answer_filtering=True, verbose=False
    )
    nodes = [NodeWithScore(node=TextNode(text=text)) for text in (TOWER, HARBOUR)]
    assert str(refine.synthesize(HOW_TALL, nodes)) == "41 metres"


def test_a_hypothetical_document_is_written_first(llm: KimiLLM, summaries: SummaryIndex, kimi: LocalKimi) -> None:
    engine = TransformQueryEngine(summaries.as_query_engine(llm=llm), HyDEQueryTransform(llm=llm))
    assert "41 metres" in str(engine.query(HOW_TALL))
    assert len(kimi.requests) == 2


def test_tokens_of_an_engine_are_counted_from_usage(
    llm: KimiLLM, summaries: SummaryIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = TokenCountingHandler()
    monkeypatch.setattr(Settings, "_callback_manager", CallbackManager([counter]))
    summaries.as_query_engine(llm=llm, response_mode=ResponseMode.REFINE).query(HOW_TALL)
    "".join(summaries.as_query_engine(llm=llm, streaming=True).query(HOW_TALL).response_gen)
    assert len(counter.llm_token_counts) == 3
    assert all(count.prompt_token_count > 0 for count in counter.llm_token_counts)
    assert all(count.completion_token_count > 0 for count in counter.llm_token_counts)


# ------------------------------------------------------------------------------------------------- chat engines

CHATS = [ChatMode.CONDENSE_QUESTION, ChatMode.CONTEXT, ChatMode.CONDENSE_PLUS_CONTEXT, ChatMode.BEST]
chats = pytest.mark.parametrize("mode", CHATS, ids=lambda mode: mode.value)


def _chat(vectors: VectorStoreIndex, llm: KimiLLM, mode: ChatMode) -> BaseChatEngine:
    return vectors.as_chat_engine(chat_mode=mode, llm=llm, memory=ChatMemoryBuffer.from_defaults(llm=llm))


@chats
def test_every_chat_engine_follows_up(llm: KimiLLM, vectors: VectorStoreIndex, mode: ChatMode) -> None:
    chat = _chat(vectors, llm, mode)
    assert "41 metres" in str(chat.chat(HOW_TALL))
    assert "12 berths" in str(chat.chat(HOW_MANY))


@chats
def test_every_chat_engine_streams_and_remembers(llm: KimiLLM, vectors: VectorStoreIndex, mode: ChatMode) -> None:
    chat = _chat(vectors, llm, mode)
    assert "41 metres" in "".join(chat.stream_chat(HOW_TALL).response_gen)
    assert "12 berths" in "".join(chat.stream_chat(HOW_MANY).response_gen)
    assert [message.role.value for message in chat.chat_history] == ["user", "assistant"] * 2


@chats
def test_every_chat_engine_streams_asynchronously(llm: KimiLLM, vectors: VectorStoreIndex, mode: ChatMode) -> None:
    async def talk() -> list[str]:
        chat = _chat(vectors, llm, mode)
        said = []
        for question in (HOW_TALL, HOW_MANY):
            answer = await chat.astream_chat(question)
            said.append("".join([piece async for piece in answer.async_response_gen()]))
        return said

    first, second = asyncio.run(talk())
    assert "41 metres" in first
    assert "12 berths" in second


def test_the_simple_chat_engine_talks(llm: KimiLLM, vectors: VectorStoreIndex, kimi: LocalKimi) -> None:
    kimi.enqueue(text="Hello, Ada.")
    kimi.enqueue(text="Ada.")
    chat = _chat(vectors, llm, ChatMode.SIMPLE)
    assert str(chat.chat("I am Ada.")) == "Hello, Ada."
    assert str(chat.chat("Who am I?")) == "Ada."
    assert [message["content"] for message in kimi.requests[-1].body["messages"]] == [
        "I am Ada.",
        "Hello, Ada.",
        "Who am I?",
    ]


# --------------------------------------------------------------------------------------- routers, sub-questions


@pytest.fixture
def engines(llm: KimiLLM) -> list[QueryEngineTool]:
    described = {"lighthouses": (TOWER, "Heights of lighthouses."), "harbours": (HARBOUR, "Berths of harbours.")}
    return [
        QueryEngineTool.from_defaults(
            SummaryIndex.from_documents([Document(text=text)]).as_query_engine(llm=llm), name=name, description=about
        )
        for name, (text, about) in described.items()
    ]


@pytest.mark.parametrize("selector", [LLMSingleSelector, LLMMultiSelector], ids=lambda cls: cls.__name__)
def test_a_router_chooses_by_text(llm: KimiLLM, kimi: LocalKimi, engines: list[QueryEngineTool], selector: Any) -> None:
    kimi.enqueue(text='```json\n[{"choice": 1, "reason": "It is about a height."}]\n```')
    router = RouterQueryEngine(selector=selector.from_defaults(llm=llm), query_engine_tools=engines, llm=llm)
    assert "41 metres" in str(router.query(HOW_TALL))


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        (PydanticSingleSelector, ("SingleSelection", '{"index": 1, "reason": "It is about a height."}')),
        (PydanticMultiSelector, ("MultiSelection", '{"selections": [{"index": 1, "reason": "A height."}]}')),
    ],
    ids=["single", "multi"],
)
def test_a_router_chooses_by_a_tool(
    llm: KimiLLM, kimi: LocalKimi, engines: list[QueryEngineTool], selector: Any, chosen: tuple[str, str]
) -> None:
    kimi.enqueue(tool_calls=[{"name": chosen[0], "arguments": chosen[1]}])
    router = RouterQueryEngine(selector=selector.from_defaults(llm=llm), query_engine_tools=engines, llm=llm)
    assert "41 metres" in str(router.query(HOW_TALL))
    assert kimi.requests[0].body["tools"][0]["function"]["name"] == chosen[0]


def test_a_question_is_split_and_its_parts_are_answered(
    llm: KimiLLM, kimi: LocalKimi, engines: list[QueryEngineTool]
) -> None:
    asked = [
        {"sub_question": HOW_TALL, "tool_name": "lighthouses"},
        {"sub_question": HOW_MANY, "tool_name": "harbours"},
    ]
    kimi.enqueue(text=f"```json\n{json.dumps({'items': asked})}\n```")
    generator = LLMQuestionGenerator.from_defaults(llm=llm)
    synthesizer = get_response_synthesizer(llm=llm)
    engine = SubQuestionQueryEngine.from_defaults(
        engines, llm=llm, question_gen=generator, response_synthesizer=synthesizer, use_async=True, verbose=False
    )
    answer = engine.query(f"{HOW_TALL} {HOW_MANY}")
    assert [node.metadata for node in answer.source_nodes]
    assert "41 metres" in answer.source_nodes[0].get_content()
    assert "12 berths" in answer.source_nodes[1].get_content()


# ------------------------------------------------------------------------------------------ rerankers, evaluators

RERANKERS = [
    (LLMRerank, "Doc: 2, Relevance: 9"),
    (RankGPTRerank, "[2] > [1]"),
    (StructuredLLMRerank, '{"documents": [{"document_number": 2, "relevance": 9}]}'),
]


@pytest.mark.parametrize(("reranker", "said"), RERANKERS, ids=lambda value: getattr(value, "__name__", ""))
def test_every_reranker_puts_the_answer_first(llm: KimiLLM, kimi: LocalKimi, reranker: Any, said: str) -> None:
    kimi.enqueue(text=said)
    nodes = [NodeWithScore(node=TextNode(text=text)) for text in (HARBOUR, TOWER)]
    ranked = reranker(llm=llm, top_n=1).postprocess_nodes(nodes, QueryBundle(HOW_TALL))
    assert [node.node.get_content() for node in ranked] == [TOWER]


EVALUATORS: list[tuple[Any, str, float]] = [
    (FaithfulnessEvaluator, "YES", 1.0),
    (RelevancyEvaluator, "YES", 1.0),
    (CorrectnessEvaluator, "4.5\nIt is right.", 4.5),
    (GuidelineEvaluator, '{"passing": true, "feedback": "Short."}', 1.0),
    (AnswerRelevancyEvaluator, "It answers.\n[RESULT] 2", 1.0),
    (ContextRelevancyEvaluator, "It is there.\n[RESULT] 4", 1.0),
]


@pytest.mark.parametrize(("evaluator", "said", "score"), EVALUATORS, ids=lambda value: getattr(value, "__name__", ""))
def test_every_evaluator_reads_the_verdict(
    llm: KimiLLM, kimi: LocalKimi, evaluator: type[BaseEvaluator], said: str, score: float
) -> None:
    kimi.enqueue(text=said, reasoning="I compare them.")
    given = {"query": HOW_TALL, "response": "41 metres.", "contexts": [TOWER], "reference": "41 metres"}
    assert evaluator(llm=llm).evaluate(**given).score == score  # type: ignore[call-arg, arg-type]


def test_two_answers_are_compared_both_ways(llm: KimiLLM, kimi: LocalKimi) -> None:
    kimi.enqueue(text="[[A]]")
    kimi.enqueue(text="[[B]]")
    compared = PairwiseComparisonEvaluator(llm=llm).evaluate(
        query=HOW_TALL, response="41 metres.", second_response="I do not know.", reference="41 metres"
    )
    assert compared.score == 1.0


# ------------------------------------------------------------------------------------------------------ ingestion


def test_documents_are_described_by_several_workers(llm: KimiLLM) -> None:
    steps = [
        TokenTextSplitter(),
        TitleExtractor(llm=llm),
        SummaryExtractor(llm=llm),
        KeywordExtractor(llm=llm),
        QuestionsAnsweredExtractor(llm=llm),
    ]
    nodes = IngestionPipeline(transformations=steps).run(documents=DOCUMENTS, num_workers=2)  # processes
    assert len(nodes) == 2
    described = {"document_title", "section_summary", "excerpt_keywords", "questions_this_excerpt_can_answer"}
    assert all(described <= node.metadata.keys() for node in nodes)


# ---------------------------------------------------------------------------------------------------- multi-modal


class _Found(BaseRetriever):
    """Finds always the same."""

    def __init__(self, nodes: list[NodeWithScore]) -> None:
        super().__init__()
        self._nodes = nodes

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return self._nodes


def test_pictures_are_asked_about_beside_texts(llm: KimiLLM, kimi: LocalKimi) -> None:
    nodes = [
        NodeWithScore(node=TextNode(text=TOWER)),
        NodeWithScore(node=ImageNode(image=PIXEL, image_mimetype="image/png")),
    ]
    engine = RetrieverQueryEngine.from_args(_Found(nodes), llm=llm, multimodal=True)
    assert str(engine.query("What is in the picture?"))
    content = kimi.requests[0].body["messages"][-1]["content"]
    assert [part["type"] for part in content] == ["text", "image_url", "text"]
    assert base64.b64encode(base64.b64decode(PIXEL)).decode() in content[1]["image_url"]["url"]
