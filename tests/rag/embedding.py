"""A real embedding that needs no download: latent semantic analysis, trained on the pages themselves."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from llama_index.core.embeddings import BaseEmbedding
from pydantic import Field, PrivateAttr

_WORD = re.compile(r"[a-z]{3,}")


class LatentSemanticEmbedding(BaseEmbedding):
    """Texts as directions in the space of the topics of a corpus (TF-IDF, then a truncated SVD)."""

    dimensions: int = 128
    words: int = 4000
    vocabulary: dict[str, int] = Field(default_factory=dict)
    _weights: np.ndarray = PrivateAttr()
    _topics: np.ndarray = PrivateAttr()

    def fit(self, texts: Sequence[str]) -> Self:
        """Learn words, their weights and the topics."""
        counts = [Counter(_words(text)) for text in texts]
        spread = Counter(word for count in counts for word in count)
        self.vocabulary = {word: at for at, (word, _) in enumerate(spread.most_common(self.words))}
        rarity = [np.log(len(texts) / spread[word]) + 0.1 for word in self.vocabulary]
        self._weights = np.array(rarity)
        table = np.array([self._vector(count) for count in counts])
        values, vectors = np.linalg.eigh(table @ table.T)
        best = np.argsort(values)[::-1][: self.dimensions]
        self._topics = table.T @ vectors[:, best] / np.sqrt(np.maximum(values[best], 1e-9))
        return self

    def _vector(self, count: Counter[str]) -> np.ndarray:
        vector = np.zeros(len(self.vocabulary))
        for word, times in count.items():
            if (at := self.vocabulary.get(word)) is not None:
                vector[at] = (1 + np.log(times)) * self._weights[at]
        return vector / (np.linalg.norm(vector) or 1.0)

    def _embed(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._embed(query)

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._embed(text)

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        topics = np.array([self._vector(Counter(_words(text))) for text in texts]) @ self._topics
        return (topics / np.maximum(np.linalg.norm(topics, axis=1, keepdims=True), 1e-9)).tolist()  # type: ignore[no-any-return]

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._embed(query)

    def __getstate__(self) -> dict[str, Any]:
        """LlamaIndex drops private attributes that it thinks cannot be pickled; arrays can."""
        return {"fields": dict(self.__dict__), "weights": self._weights, "topics": self._topics}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state["fields"])  # type: ignore[misc]
        self._weights, self._topics = state["weights"], state["topics"]


def _words(text: str) -> list[str]:
    return [word.removesuffix("s") for word in _WORD.findall(text.lower())]
