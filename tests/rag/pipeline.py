"""The pipeline that answers from the pages: lexical and semantic retrieval, fused, on stores that persist."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import faiss
import Stemmer
from llama_index.core import StorageContext, VectorStoreIndex, load_index_from_storage
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.node_parser import TokenTextSplitter
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.retrievers.fusion_retriever import FUSION_MODES
from llama_index.core.schema import BaseNode
from llama_index.retrievers.bm25 import BM25Retriever
from llama_index.vector_stores.faiss import FaissVectorStore

from llama_index_kimi import KimiLLM
from rag.corpus import pages
from rag.embedding import LatentSemanticEmbedding

MOST = 3


class EnglishStemmer:
    """PyStemmer's, which cannot be pickled itself."""

    def __init__(self) -> None:
        self.stemWords = Stemmer.Stemmer("english").stemWords

    def __reduce__(self) -> tuple[type[EnglishStemmer], tuple[()]]:
        return EnglishStemmer, ()


def split() -> list[BaseNode]:
    """The pages in pieces. (The splitter by sentences reads files of NLTK, which refuses hard links.)"""
    return TokenTextSplitter(chunk_size=300, chunk_overlap=20).get_nodes_from_documents(pages())


def store(nodes: Sequence[BaseNode], embedding: LatentSemanticEmbedding, folder: Path) -> None:
    """Embed the pieces, and write vectors and documents to a folder."""
    vectors = FaissVectorStore(faiss_index=faiss.IndexFlatIP(embedding.dimensions))
    context = StorageContext.from_defaults(vector_store=vectors)
    VectorStoreIndex(list(nodes), storage_context=context, embed_model=embedding)
    context.persist(str(folder))


def load(folder: Path, embedding: BaseEmbedding) -> VectorStoreIndex:
    """The index as it was written."""
    vectors = FaissVectorStore.from_persist_dir(str(folder))
    context = StorageContext.from_defaults(vector_store=vectors, persist_dir=str(folder))
    index = load_index_from_storage(context, embed_model=embedding)
    assert isinstance(index, VectorStoreIndex)
    return index


@lru_cache(maxsize=1)
def lexical(index: VectorStoreIndex) -> BM25Retriever:
    """Find pages by their words; made once for an index."""
    return BM25Retriever(list(index.docstore.docs.values()), stemmer=EnglishStemmer(), similarity_top_k=MOST)  # type: ignore[arg-type]


def retriever(index: VectorStoreIndex, llm: KimiLLM) -> QueryFusionRetriever:
    """Both ways to find pages, fused by rank."""
    return QueryFusionRetriever(
        [index.as_retriever(similarity_top_k=MOST), lexical(index)],
        llm=llm,
        mode=FUSION_MODES.RECIPROCAL_RANK,
        similarity_top_k=MOST,
        num_queries=1,
        use_async=False,
    )


def engine(index: VectorStoreIndex, llm: KimiLLM, **given: Any) -> RetrieverQueryEngine:
    """A query engine over the pages."""
    return RetrieverQueryEngine.from_args(retriever(index, llm), llm=llm, **given)


QUESTIONS = {
    "What compares two texts and shows human-readable differing lines?": "difflib.py",
    "How can a temporary directory be created and removed?": "tempfile.py",
    "How does a heap queue push an item and pop the smallest?": "heapq.py",
    "How do I read and write comma separated CSV files?": "csv.py",
    "How is an IPv4 address or network represented?": "ipaddress.py",
    "What measures the execution time of small code snippets?": "timeit.py",
    "How is the median or the standard deviation of data calculated?": "statistics.py",
    "How do I read the members of a ZIP file?": "zipfile.py",
    "Which functions copy files and remove whole directory trees?": "shutil.py",
    "How is a text wrapped and filled to a given width?": "textwrap.py",
}
"""Ten questions, and the page that answers each."""
