"""Labels manuals by Kimi in several processes, cuts them into chunks and puts these into LanceDB.

    python examples/llama_index_scale/ingest.py FOLDER --documents 1000

The same command goes on where it was killed. Workers read the key from the environment (MOONSHOT_API_KEY): what is sent
to them has none. With --concurrency they share their limits over the Redis of KIMI_LIMITS_STORAGE.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import corpus
import llama_index.core
from kept import SQLiteKVStore
from llama_index.core import Document
from llama_index.core.extractors import KeywordExtractor, SummaryExtractor, TitleExtractor
from llama_index.core.ingestion import DocstoreStrategy, IngestionCache
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import TransformComponent
from llama_index.core.storage.docstore.keyval_docstore import KVDocumentStore
from parts import BatchedPipeline, HashingEmbedding, LabellingLLM, RecordExtractor

# A splitter that arrives in a worker loads its tokenizer anew, without LlamaIndex's own copy of it: from the network.
# Where there is none the worker ends without a word, another takes its place, and the pool waits for ever.
os.environ.setdefault("TIKTOKEN_CACHE_DIR", str(Path(llama_index.core.__file__).parent / "_static" / "tiktoken_cache"))

_SUMMARY = "Here is a section of a manual:\n{context_str}\n\nSummarize it in one sentence. Summary: "


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Manuals into a vector store, with labels by Kimi.")
    parser.add_argument("folder", type=Path, help="where all is kept")
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--portion", type=int, default=250, help="documents that are put into the store together")
    parser.add_argument("--batch", type=int, default=4, help="documents that a worker takes at a time")
    parser.add_argument("--workers", type=int, default=2, help="processes; no more than there are cores")
    parser.add_argument("--at-once", type=int, default=8, help="calls at the same time in each process")
    parser.add_argument("--concurrency", type=int, default=0, help="calls at the same time in all of them")
    asked = parser.parse_args(arguments)
    asked.folder.mkdir(parents=True, exist_ok=True)
    kept = SQLiteKVStore(str(asked.folder / "kept.sqlite"))
    store = open_store(asked.folder)
    pipeline = BatchedPipeline(
        batch=asked.batch,
        transformations=steps(asked.at_once, asked.concurrency),
        vector_store=store,
        cache=IngestionCache(cache=kept),
        docstore=KVDocumentStore(kept),
        docstore_strategy=DocstoreStrategy.UPSERTS,
    )
    manuals = corpus.manuals(asked.documents)
    while portion := list(itertools.islice(manuals, asked.portion)):
        clear_unfinished(pipeline, portion)
        nodes = pipeline.run(documents=portion, num_workers=asked.workers)
        print(f"{len(nodes)} chunks of {portion[0].id_} to {portion[-1].id_}", flush=True)
    kept.close()


def steps(at_once: int, concurrency: int) -> list[TransformComponent]:
    """Return what is done to each document. Labels are of sections of it, and its chunks inherit them."""
    limits: Any = {"concurrency": concurrency, "storage": "env:KIMI_LIMITS_STORAGE"} if concurrency else None
    llm = LabellingLLM(thinking=False, max_tokens=300, max_retries=6, timeout=60, limits=limits)
    common: dict[str, Any] = {"llm": llm, "num_workers": at_once, "show_progress": False}
    return [
        SentenceSplitter(chunk_size=2048, chunk_overlap=0),
        TitleExtractor(nodes=1, **common),
        SummaryExtractor(prompt_template=_SUMMARY, **common),
        KeywordExtractor(keywords=5, **common),
        RecordExtractor(**common),
        SentenceSplitter(chunk_size=256, chunk_overlap=0, paragraph_separator="\n\n\n"),
        HashingEmbedding(),
    ]


def open_store(folder: Path) -> Any:
    """Return the vector store in a folder. LanceDB runs in this process, and keeps files."""
    # Not at the top, because worker processes import this file and have no need of it.
    from llama_index.vector_stores.lancedb import LanceDBVectorStore

    logging.getLogger("llama_index.vector_stores.lancedb").setLevel(logging.ERROR)  # a new table is no warning
    return LanceDBVectorStore(uri=str(folder / "lancedb"), table_name="chunks", mode="create", query_type="hybrid")


def clear_unfinished(pipeline: BatchedPipeline, portion: Sequence[Document]) -> None:
    """Remove chunks of documents that are not known: a kill came between the vector store and the document store."""
    store: Any = pipeline.vector_store
    docstore = pipeline.docstore
    if docstore is None or store._table is None:
        return
    unknown = [document.id_ for document in portion if not docstore.get_document_hash(document.id_)]
    if unknown:
        names = ", ".join("'" + name.replace("'", "''") + "'" for name in unknown)
        store.table.delete(f"doc_id IN ({names})")


if __name__ == "__main__":
    logging.getLogger().setLevel(logging.ERROR)  # a warning for each splitter that is sent, which is made anew there
    main(sys.argv[1:])
