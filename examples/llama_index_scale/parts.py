"""The steps of the pipeline that are our own. Workers import this file, and so it does not import the store."""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
from llama_index.core.async_utils import run_jobs
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.extractors import BaseExtractor
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.llms import LLM, ChatMessage, ChatResponse
from llama_index.core.prompts import PromptTemplate
from llama_index.core.schema import BaseNode, MetadataMode
from llama_index.core.types import Model
from pydantic import BaseModel, Field, SerializeAsAny

from kimi_core import DecodeError, StructuredOutputError
from llama_index_kimi import KimiLLM

_TRIES = 4
_WORD = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_RECORD = "Here is a part of a manual:\n{text}\n\nFill in what it says about the machine."


class Machine(BaseModel):
    """What is read out of each section. Vector stores keep flat values: no lists, and no missing fields."""

    machine: str = Field(description="The name of the machine, such as HC-00001")
    kind: str = Field(description="What kind of machine it is")
    work: Literal["replacing", "cleaning", "other"] = Field(description="What the section is mostly about")


class RecordExtractor(BaseExtractor):
    """Puts the fields of a pydantic class into the metadata, by the host's structured output."""

    llm: SerializeAsAny[LLM]

    async def aextract(self, nodes: Sequence[BaseNode]) -> list[dict[str, Any]]:
        """Return a record for each node."""
        records: list[dict[str, Any]] = await run_jobs([self._read(node) for node in nodes], workers=self.num_workers)
        return records

    async def _read(self, node: BaseNode) -> dict[str, Any]:
        text = node.get_content(metadata_mode=MetadataMode.NONE)
        return (await self.llm.astructured_predict(Machine, PromptTemplate(_RECORD), text=text)).model_dump()


class LabellingLLM(KimiLLM):
    """Asks again where an answer is empty or broken.

    KimiLLM retries what did not arrive. What arrived, and is no label, would be taken for one, or end the whole step.
    """

    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Return an answer that says something."""
        for _ in range(_TRIES - 1):
            with contextlib.suppress(DecodeError):
                response = await super().achat(messages, **kwargs)
                if response.message.content:
                    return response
        return await super().achat(messages, **kwargs)

    async def astructured_predict(
        self, output_cls: type[Model], prompt: PromptTemplate, *args: Any, **kwargs: Any
    ) -> Model:
        """Return an object of the class."""
        for _ in range(_TRIES - 1):
            with contextlib.suppress(DecodeError, StructuredOutputError):
                return await super().astructured_predict(output_cls, prompt, *args, **kwargs)
        return await super().astructured_predict(output_cls, prompt, *args, **kwargs)


class HashingEmbedding(BaseEmbedding):
    """A text as the numbers of its words, put into places by a hash: no model, no download, and no idea of meaning.

    It finds passages that share words with a question. Put a real embedding in its place for anything else.
    """

    dimensions: int = 512

    def _vector(self, text: str) -> list[float]:
        words = _WORD.findall(text.lower())
        pairs = [f"{one} {other}" for one, other in itertools.pairwise(words)]
        hashes = np.array([zlib.crc32(word.encode()) for word in (*words, *pairs)], dtype=np.int64)
        places, signs = hashes % self.dimensions, np.where(hashes & 0x10000, 1.0, -1.0)
        counts = np.bincount(places, weights=signs, minlength=self.dimensions)
        vector = np.sign(counts) * np.sqrt(np.abs(counts))
        vector /= np.linalg.norm(vector) or 1.0
        return [round(value, 4) for value in vector.tolist()]  # the store keeps four bytes of each

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._vector(text)

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._vector(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._vector(query)


class BatchedPipeline(IngestionPipeline):
    """A pipeline whose workers take a few documents at a time.

    LlamaIndex's own gives each worker its whole share at once, and what it caches is a step of that share: what was
    paid within a step that a kill or an error ends is lost, and another number of workers finds nothing in the cache.
    """

    batch: int = 8

    def __init__(self, *, batch: int = 8, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batch = batch
        size = batch

        def batches(num_batches: int, nodes: Sequence[BaseNode]) -> Iterator[Sequence[BaseNode]]:
            return (nodes[at : at + size] for at in range(0, len(nodes), size))

        object.__setattr__(self, "_node_batcher", batches)


class UsageFile(logging.Handler):
    """Keeps what each answer has cost; a line that is appended at once is whole, whatever other processes write."""

    def emit(self, record: logging.LogRecord) -> None:
        """Append a line."""
        names = ("prompt_tokens", "completion_tokens", "cost_usd")
        line = json.dumps({name: getattr(record, name) for name in names}) + "\n"
        to = os.open(os.environ["INGEST_USAGE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(to, line.encode())
        finally:
            os.close(to)


def keep_usage() -> None:
    """Have this process note what its answers cost, if INGEST_USAGE says where."""
    log = logging.getLogger("kimi_core.usage")
    if "INGEST_USAGE" in os.environ and not any(isinstance(handler, UsageFile) for handler in log.handlers):
        log.addHandler(UsageFile())
        log.setLevel(logging.INFO)
        log.propagate = False


keep_usage()
