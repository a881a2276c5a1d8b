"""The same manuals cut and embedded by actors of Ray Data, and put into LanceDB by this process; without labels.

    python examples/llama_index_scale/on_ray.py FOLDER --documents 1000

What is in the store is replaced by its id, so that the same command can be run again. `ask.py` reads the store as it
does that of `ingest.py`.

Needs: pip install "kimi-adapters[ray,llama-index]" llama-index-vector-stores-lancedb
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import corpus
import llama_index.core

os.environ.setdefault("TIKTOKEN_CACHE_DIR", str(Path(llama_index.core.__file__).parent / "_static" / "tiktoken_cache"))
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray reports to its makers otherwise
os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # listens on 127.0.0.1 alone, on Linux too

import lancedb
import pyarrow as pa
import ray
from llama_index.core import Document
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.vector_stores.utils import node_to_metadata_dict
from parts import HashingEmbedding


class CutAndEmbed:
    """An actor: makes the rows of LlamaIndex's store out of documents."""

    def __init__(self) -> None:
        self.splitter = SentenceSplitter(
            chunk_size=256, chunk_overlap=0, paragraph_separator="\n\n\n", id_func=lambda at, node: f"{node.id_}-{at}"
        )
        self.embedding = HashingEmbedding()  # a real one is loaded once in each actor

    def __call__(self, table: pa.Table) -> pa.Table:
        """Return the chunks of these documents."""
        documents = [
            Document(id_=row["id"], text=row["text"], metadata={"file": row["id"]}) for row in table.to_pylist()
        ]
        return pa.Table.from_pylist(list(self._rows(documents)))

    def _rows(self, documents: list[Document]) -> Iterator[dict[str, Any]]:
        for node in self.embedding(self.splitter(documents)):
            yield {
                "id": node.node_id,
                "doc_id": node.ref_doc_id,
                "vector": node.embedding,
                "text": node.get_content(),
                "metadata": node_to_metadata_dict(node, flat_metadata=True),
            }


def main() -> None:
    parser = argparse.ArgumentParser(description="Manuals into LanceDB by Ray Data.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    start = time.monotonic()
    ray.init(num_cpus=asked.workers + 2, include_dashboard=False, log_to_driver=False, object_store_memory=200 * 2**20)
    documents = [{"id": document.id_, "text": document.text} for document in corpus.manuals(asked.documents)]
    chunks = ray.data.from_items(documents).map_batches(
        CutAndEmbed, batch_size=50, batch_format="pyarrow", compute=ray.data.ActorPoolStrategy(size=asked.workers)
    )
    database, count = lancedb.connect(asked.folder / "lancedb"), 0
    for batch in chunks.iter_batches(batch_size=5000, batch_format="pyarrow"):
        batch = with_vectors(batch)
        store = database.create_table("chunks", schema=batch.schema, exist_ok=True)
        store.merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(batch)
        count += batch.num_rows
    print(f"{count} chunks in {time.monotonic() - start:.0f} s; {store.count_rows()} in the store")


def with_vectors(table: pa.Table) -> pa.Table:
    """Return the table with lists of one length and four bytes a number, which LanceDB takes for vectors."""
    at = table.column_names.index("vector")
    return table.set_column(at, "vector", table["vector"].cast(pa.list_(pa.float32(), HashingEmbedding().dimensions)))


if __name__ == "__main__":
    main()
